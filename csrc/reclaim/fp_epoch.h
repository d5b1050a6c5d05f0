/* fp_epoch.h - epoch-based reclamation: frees memory that other threads may still be reading, once
 * they no longer can.
 *
 * A thread pins itself before it loads a shared pointer and unpins when it holds none. An unlinked
 * node is retired, stamped with the epoch, and freed two epochs later. The epoch advances when
 * every pinned thread has been seen in the current one.
 *
 *      pin      state = epoch | 1      exchange, seq_cst  (A)
 *      enter    load the first shared pointer, seq_cst    (B)
 *      unlink   replace that pointer, seq_cst             (C)
 *      advance  load every state, seq_cst                 (D)
 *
 * Either D sees A, and the epoch waits for that thread. Or D came before A in the single total
 * order; then C, which came before D, came before B, and the thread never saw what C unlinked.
 * A state that was stored late carries an old epoch and holds the epoch back: safe, only slower.
 * Unpin is a release store that D's load acquires, so frees happen after the reads.
 *
 * Why two epochs: let r be the epoch at retirement. A reader that could have seen the node pinned
 * itself in r or before. While it is pinned in r, the epoch may step from r to r+1, but not from
 * r+1 to r+2. So the reader may still be there in r+1, and has gone in r+2.
 *
 * With FP_PLAIN there is no other thread to wait for: pinning does nothing, retiring frees at once.
 *
 * Progress: pin and unpin are wait-free, except that a thread's first use may allocate; retire
 * blocks no more than the C library's free(). A thread suspended while pinned stops no operation
 * of others; it delays frees.
 *
 * Process-wide state: the list of thread records, the epoch, one thread-local pointer and one
 * thread-exit key. A forked child unpins its parent's threads and abandons what they had retired
 * (a bounded leak, in the child only).
 */
#ifndef FP_EPOCH_H
#define FP_EPOCH_H

#include "base/fp_thread.h"

/* To be embedded in what is to be retired. */
struct fp_retired {
    struct fp_retired *next;
    uint64_t epoch;
    void (*free)(struct fp_retired *);
    size_t bytes; /* to be set before retiring: decides when a collection is worth while */
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
extern fp_ptr fp__epoch_records; /* a list that only grows; records are reused, never freed */

extern FP_THREAD_LOCAL struct fp_epoch_record *fp__epoch_mine;

/* For the first use by a thread. NULL: out of memory. */
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
     * before the earlier epoch ended. */
    fp_u64_exchange_seq_cst(&r->state, fp_u64_load_acquire(&fp__epoch_now) | 1);
    return r;
}

static inline void fp_epoch_unpin(struct fp_epoch_record *r) {
    fp_u64_store_release(&r->state, 0); /* pairs with (D) */
}

/* To be called after the unlinking write, pinned or not. May free what is old enough. */
void fp_epoch_retire(struct fp_epoch_record *r, struct fp_retired *node);

/* Frees what can be freed now, of this thread and of ended threads. Not while pinned. */
void fp_epoch_collect(void);

/* Bytes retired and not yet freed, of all threads together (a snapshot). */
size_t fp_epoch_limbo_bytes(void);

#endif
#endif
