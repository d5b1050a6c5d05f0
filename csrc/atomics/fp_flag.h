/* fp_flag.h - a flag that threads set, clear, and wait for.
 *
 * One word and an eventcount (fp_event.h). Changing it is one seq_cst exchange, wait-free, and then
 * one load that tells whether anybody waits; a waiter sleeps. Waiters for either value share the
 * event, so every change wakes all of them.
 *
 * Contract: any thread beside any other; init alone. */
#ifndef FP_FLAG_H
#define FP_FLAG_H

#include "wait/fp_event.h"
#include "wait/fp_wait.h"

struct fp_flag {
    fp_u64 word; /* 0 or 1 */
    struct fp_event changed;
};

static inline void fp_flag_init(struct fp_flag *f) {
    fp_u64_store_relaxed(&f->word, 0);
    fp_event_init(&f->changed);
}

static inline bool fp_flag_test(struct fp_flag *f) { return fp_u64_load_seq_cst(&f->word) != 0; }

/* Makes it `value`; returns what it was. */
static inline bool fp_flag_exchange(struct fp_flag *f, bool value) {
    /* Seq_cst: the write half of the waiters' pairing (fp_event.h). */
    bool before = fp_u64_exchange_seq_cst(&f->word, value) != 0;
    if (before != value)
        fp_event_notify_all(&f->changed);
    return before;
}

/* Sleeps until the flag was `value` at some moment: FP_OK, FP_TIMED_OUT or FP_INTERRUPTED. */
enum fp_status fp_flag_wait(struct fp_flag *f, bool value, int64_t deadline,
                            const struct fp_host *host);

#endif
