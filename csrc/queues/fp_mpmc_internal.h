/* fp_mpmc_internal.h - position arithmetic shared by the files of the MPMC ring. */
#ifndef FP_MPMC_INTERNAL_H
#define FP_MPMC_INTERNAL_H

#include "queues/fp_mpmc.h"

/* Positions have 63 bits; bit 63 of a stamp (or, in the fallback, of the tail) means closed. */
#define FP_MPMC_POSITION (~FP_MPMC_CLOSED)

/* Pairs from one slot to the next. In the fallback each slot has a line of its own, because a slot
 * is touched twice by each side, and one side's claim of the neighbour must not take it away in
 * between; the lock-free ring changes a slot in one step, and is as fast with four to a line. */
#if !FP_CAS16 && FP_CACHELINE >= 64
#define FP__MPMC_STRIDE (64 / sizeof(struct fp_pair))
#else
#define FP__MPMC_STRIDE 1
#endif

static inline struct fp_pair *fp__mpmc_slot(const struct fp_mpmc *r, uint64_t index) {
    return &r->slot[index * FP__MPMC_STRIDE];
}

static inline uint64_t fp__mpmc_index(const struct fp_mpmc *r, uint64_t position) {
    return position & (r->lap - 1);
}

static inline uint64_t fp__mpmc_next(const struct fp_mpmc *r, uint64_t position) {
    uint64_t index = fp__mpmc_index(r, position);
    uint64_t next = index + 1 < r->capacity ? position + 1 : position - index + r->lap;
    return next & FP_MPMC_POSITION;
}

static inline uint64_t fp__mpmc_lap_before(const struct fp_mpmc *r, uint64_t position) {
    return (position - r->lap) & FP_MPMC_POSITION;
}

static inline uint64_t fp__mpmc_lap_after(const struct fp_mpmc *r, uint64_t position) {
    return (position + r->lap) & FP_MPMC_POSITION;
}

/* The first position not yet put, and the first not yet taken; fp_mpmc.c walks the slots to find
 * them, the fallback reads its counters. */
uint64_t fp__mpmc_tail(struct fp_mpmc *r, bool *closed);
uint64_t fp__mpmc_head(struct fp_mpmc *r);

#endif
