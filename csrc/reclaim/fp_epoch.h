/* fp_epoch.h - epoch-based reclamation: frees memory that other threads may still be reading, once
 * they cannot be.
 *
 * A thread pins itself before it loads a shared pointer and unpins when it holds none. What was
 * unlinked is retired, stamped with the epoch, and freed two epochs later. The epoch advances when
 * every pinned thread has been seen in the current one.
 *
 *      pin      state = epoch | 1      exchange, seq_cst  (A)
 *      enter    load the first shared pointer, seq_cst    (B)
 *      unlink   replace that pointer, seq_cst             (C)
 *      advance  load every state, seq_cst                 (D)
 *
 * Either D sees A, and the epoch waits for that thread, or D came before A in the single total
 * order; then C, which came before D, came before B, and the thread never saw what C unlinked.
 * A state that was stored late carries an old epoch and holds the epoch back: safe, only slower.
 * Unpin is a release store that D's load acquires, so frees happen after the reads.
 *
 * Why two: the epoch read at retirement may be one that a reader of the next epoch shares. With
 * r = the epoch at retirement, a reader that could have seen the node pinned in r or before; the
 * step r -> r+1 may pass while it is pinned in r, the step r+1 -> r+2 may not.
 *
 * With FP_PLAIN there is nobody to wait for: pinning is nothing, retiring frees at once.
 *
 * Progress: pin and unpin are wait-free but for the first use by a thread, which may allocate;
 * retire is as free as the C library's free(). A thread suspended while pinned stops no operation
 * of others; it delays frees.
 *
 * Process-wide state: the list of thread records, the epoch, one
 * thread-local pointer and one thread-exit key. A forked child unpins its parent's threads and
 * abandons what they had retired (a bounded leak, in the child only).
 */
#ifndef FP_EPOCH_H
#define FP_EPOCH_H

#include "base/fp_thread.h"

/* Embed it in what is to be retired. */
struct fp_retired {
    struct fp_retired *next;
    uint64_t epoch;
    void (*free)(struct fp_retired *);
    size_t bytes; /* set it before retiring: decides when a collection is worth while */
};

#if FP_PLAIN

struct fp_epoch_record;

static inline struct fp_epoch_record *fp_epoch_pin(void) {
    return (struct fp_epoch_record *)(uintptr_t)16; /* anything but NULL */
}
static inline void fp_epoch_unpin(struct fp_epoch_record *r) { (void)r; }
static inline void fp_epoch_retire(struct fp_epoch_record *r, struct fp_retired *node) {
    (void)r;
    node->free(node);
}
static inline void fp_epoch_collect(void) {}
static inline size_t fp_epoch_limbo_bytes(void) { return 0; }

#else

struct fp_epoch_record {
    FP_LINE fp_u64 state;   /* 0: not pinned; otherwise the epoch | 1. Written by the owner. */
    fp_u64 era, limit;      /* see fp_guard.h. Written by the owner */
    uint64_t handed;        /* for fp_lineage; touched by the owner only */
    fp_u64 owned;           /* 1: belongs to a live thread or to a collector */
    struct fp_retired *first, *last; /* oldest first; touched by the owner only */
    fp_u64 limbo_bytes;     /* written by the owner, read by fp_epoch_limbo_bytes */
    struct fp_epoch_record *next; /* set before the record is published */
};

extern fp_u64 fp__epoch_now;
extern fp_ptr fp__epoch_records; /* a list that only grows; records are handed on, never freed */

extern FP_THREAD_LOCAL struct fp_epoch_record *fp__epoch_mine;

/* First use by this thread. NULL: out of memory. */
struct fp_epoch_record *fp__epoch_register(void);

/* NULL: out of memory (first use by this thread only). Does not nest. */
static inline struct fp_epoch_record *fp_epoch_pin(void) {
    struct fp_epoch_record *r = fp__epoch_mine;
    if (FP_UNLIKELY(r == NULL)) {
        r = fp__epoch_register();
        if (r == NULL)
            return NULL;
    }
    /* (A). The epoch is loaded with acquire: a reader of a later epoch sees what was unlinked
     * before the earlier one ended. */
    fp_u64_exchange_seq_cst(&r->state, fp_u64_load_acquire(&fp__epoch_now) | 1);
    return r;
}

static inline void fp_epoch_unpin(struct fp_epoch_record *r) {
    fp_u64_store_release(&r->state, 0); /* pairs with (D) */
}

/* Call it after the unlinking write, pinned or not. May free what is old enough. */
void fp_epoch_retire(struct fp_epoch_record *r, struct fp_retired *node);

/* Frees what can be freed now, this thread's and that of ended threads. Not while pinned. */
void fp_epoch_collect(void);

/* Bytes retired and not yet freed, all threads together (a snapshot). */
size_t fp_epoch_limbo_bytes(void);

#endif
#endif
