/* fp_int.h - a 64-bit signed integer that threads change without a lock.
 *
 * Values are two's complement in an unsigned word, so arithmetic wraps around and nothing is
 * undefined: INT64_MAX + 1 is INT64_MIN.
 *
 * Every operation is seq_cst: all threads see all operations on all such integers in one order,
 * what C++ and Java give by default. Each is one atomic instruction and so wait-free, but for max
 * and min, which repeat a compare-and-swap while others change the value (lock-free); a maximum
 * that does not change the value does not write it.
 *
 * Contract: any thread beside any other. */
#ifndef FP_INT_H
#define FP_INT_H

#include "base/fp_atomic.h"

struct fp_int {
    fp_u64 word;
    fp_u64 retries; /* compare-and-swaps that another thread's change made fail, for statistics */
};

static inline void fp_int_init(struct fp_int *a, int64_t value) {
    fp_u64_store_seq_cst(&a->word, (uint64_t)value);
}

static inline int64_t fp_int_load(struct fp_int *a) {
    return (int64_t)fp_u64_load_seq_cst(&a->word);
}

static inline void fp_int_store(struct fp_int *a, int64_t value) {
    fp_u64_store_seq_cst(&a->word, (uint64_t)value);
}

static inline int64_t fp_int_exchange(struct fp_int *a, int64_t value) {
    return (int64_t)fp_u64_exchange_seq_cst(&a->word, (uint64_t)value);
}

/* *expected is updated if it was not the value. */
static inline bool fp_int_compare_exchange(struct fp_int *a, int64_t *expected, int64_t desired) {
    uint64_t found = (uint64_t)*expected;
    bool done = fp_u64_cas_seq_cst(&a->word, &found, (uint64_t)desired);
    *expected = (int64_t)found;
    return done;
}

/* These return the value before. */

static inline int64_t fp_int_fetch_add(struct fp_int *a, int64_t by) {
    return (int64_t)fp_u64_fetch_add_seq_cst(&a->word, (uint64_t)by);
}

static inline int64_t fp_int_fetch_sub(struct fp_int *a, int64_t by) {
    return (int64_t)fp_u64_fetch_add_seq_cst(&a->word, 0 - (uint64_t)by);
}

static inline int64_t fp_int_fetch_and(struct fp_int *a, int64_t with) {
    return (int64_t)fp_u64_fetch_and_seq_cst(&a->word, (uint64_t)with);
}

static inline int64_t fp_int_fetch_or(struct fp_int *a, int64_t with) {
    return (int64_t)fp_u64_fetch_or_seq_cst(&a->word, (uint64_t)with);
}

static inline int64_t fp_int_fetch_xor(struct fp_int *a, int64_t with) {
    return (int64_t)fp_u64_fetch_xor_seq_cst(&a->word, (uint64_t)with);
}

/* Raises the value to `to` (max) or lowers it (min), unless it is there already. */
static inline int64_t fp__int_fetch_bound(struct fp_int *a, int64_t to, bool max) {
    int64_t found = fp_int_load(a);
    while (max ? found < to : found > to) {
        FP_STEP();
        if (fp_int_compare_exchange(a, &found, to))
            break;
        fp_u64_fetch_add_relaxed(&a->retries, 1);
    }
    return found;
}

static inline int64_t fp_int_fetch_max(struct fp_int *a, int64_t with) {
    return fp__int_fetch_bound(a, with, true);
}

static inline int64_t fp_int_fetch_min(struct fp_int *a, int64_t with) {
    return fp__int_fetch_bound(a, with, false);
}

#endif
