/* fp_guard.h - reclamation for nodes that know when they were made: a thread that loses its
 * processor holds back what existed then, and nothing that was made later.
 *
 * Nodes carry a birth, a number from a counter that only rises. A thread that reads is guarded: it
 * announces the era in which it began, and a limit, the highest birth of what it may look at. What
 * was unlinked gets a stamp. A guarded thread may still see a node if it began no later than the
 * stamp says and if its limit is no lower than the node's birth. (The idea: "interval-based
 * reclamation", Wen, Izraelevitz, Cai, Beadle, Scott, PPoPP'18. Here the upper end is known as soon
 * as the root has been read, so that there is nothing to announce on the way down.)
 *
 *      guard    limit = none; era = now; state = pinned    exchange, seq_cst (A)
 *      enter    load the first shared pointer, seq_cst (B); narrow the limit
 *      widen    limit = none, exchange, seq_cst (A'), before another shared pointer is loaded (B)
 *      unlink   replace that pointer, seq_cst (C)
 *      stamp    era += 1, seq_cst (S)
 *      scan     load each thread's state, era and limit, seq_cst (D)
 *
 * C comes before S before D. Where D finds a thread not pinned, or its limit narrow, and A (or A')
 * comes later, then C comes before B, and the thread does not find what was unlinked. Where D finds
 * an era later than the stamp, the thread read it after S: the same. Otherwise D has seen what
 * protects the node. That a thread reads nothing born after its limit is up to the structure.
 * Unguarding and narrowing are release stores that D's loads acquire: frees come after the reads.
 *
 * The threads' records are those of fp_epoch.h; a guarded thread is pinned there, too. With
 * FP_PLAIN there is nobody to wait for.
 */
#ifndef FP_GUARD_H
#define FP_GUARD_H

#include "reclaim/fp_epoch.h"

enum { FP_GUARDS = 256 };

/* What a scan has found. With more threads than fit, the last entry stands for all the others. */
struct fp_guards {
    uint32_t count;
    struct {
        uint64_t era, limit;
    } of[FP_GUARDS];
};

#if FP_PLAIN

static inline struct fp_epoch_record *fp_guard(void) { return fp_epoch_pin(); }
static inline void fp_guard_narrow(struct fp_epoch_record *r, uint64_t birth) {
    (void)r, (void)birth;
}
static inline uint64_t fp_guard_widen(struct fp_epoch_record *r) { return (void)r, 0; }
static inline void fp_unguard(struct fp_epoch_record *r) { (void)r; }
static inline uint64_t fp_guard_stamp(void) { return 0; }
static inline void fp_guard_scan(struct fp_guards *g) { g->count = 0; }
static inline uint64_t fp_guard_limit(const struct fp_guards *g, uint64_t stamp) {
    return (void)g, (void)stamp, 0;
}

#else

extern fp_u64 fp__guard_era;

/* NULL: out of memory (first use by this thread only). Does not nest. */
static inline struct fp_epoch_record *fp_guard(void) {
    struct fp_epoch_record *r = fp__epoch_mine;
    if (FP_UNLIKELY(r == NULL)) {
        r = fp__epoch_register();
        if (r == NULL)
            return NULL;
    }
    /* Release: a scan that reads them has seen the last unguarding. */
    fp_u64_store_release(&r->limit, UINT64_MAX);
    fp_u64_store_release(&r->era, fp_u64_load_acquire(&fp__guard_era));
    return fp_epoch_pin(); /* (A) */
}

/* From here on, nothing born after `birth` is looked at. */
static inline void fp_guard_narrow(struct fp_epoch_record *r, uint64_t birth) {
    fp_u64_store_release(&r->limit, birth); /* pairs with (D) */
}

/* Before loading the first shared pointer again. Returns the limit. */
static inline uint64_t fp_guard_widen(struct fp_epoch_record *r) {
    return fp_u64_exchange_seq_cst(&r->limit, UINT64_MAX); /* (A') */
}

static inline void fp_unguard(struct fp_epoch_record *r) { fp_epoch_unpin(r); }

/* To be drawn after unlinking. */
uint64_t fp_guard_stamp(void);

/* To be called after the last stamp was drawn that it is asked about. */
void fp_guard_scan(struct fp_guards *g);

/* Of what was unlinked before the stamp, nodes born up to the answer may still be in use. */
uint64_t fp_guard_limit(const struct fp_guards *g, uint64_t stamp);

#endif
#endif
