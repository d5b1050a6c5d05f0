/* fp_mpmc_lockfree.c - put, get and close of the lock-free ring; idea and proof sketch in
 * fp_mpmc.h. Compiled to nothing where there is no 16-byte compare-and-swap (see fp_mpmc_vyukov.c).
 */
#include "queues/fp_mpmc_internal.h"

#if FP_CAS16

/* The last position put into the slot with this stamp. */
static uint64_t last_put(const struct fp_mpmc *r, uint64_t index, uint64_t stamp) {
    return fp__mpmc_index(r, stamp) == index ? fp__mpmc_lap_before(r, stamp) : stamp - 1;
}

/* The last position taken from it. */
static uint64_t last_taken(const struct fp_mpmc *r, uint64_t index, uint64_t stamp) {
    return fp__mpmc_lap_before(r, fp__mpmc_index(r, stamp) == index ? stamp : stamp - 1);
}

/* Puts at the first free position, looked for from *t on; *t is then the one after it. */
static inline enum fp_status put_from(struct fp_mpmc *r, uint64_t *t, uint64_t item) {
    for (;;) {
        uint64_t index = fp__mpmc_index(r, *t);
        struct fp_pair *slot = fp__mpmc_slot(r, index);
        /* Seq_cst: a producer about to sleep loads it after announcing itself. */
        uint64_t stamp = fp_u64_load_seq_cst(&slot->stamp);
        uint64_t position = stamp & FP_MPMC_POSITION;
        FP_STEP();
        if (FP_LIKELY(position == *t)) {
            if (stamp & FP_MPMC_CLOSED)
                return FP_CLOSED;
            uint64_t stale = fp_u64_load_relaxed(&slot->value);
            /* The linearization point. Release half: publishes the item, pairs with get's load of
             * the stamp. Seq_cst: the waiters' pairing (fp_event.h). */
            if (FP_LIKELY(fp_pair_cas_seq_cst(slot, stale, stamp, item, *t + 1))) {
                *t = fp__mpmc_next(r, *t);
                return FP_OK;
            }
        } else if (position == fp__mpmc_lap_before(r, *t) + 1) {
            return stamp & FP_MPMC_CLOSED ? FP_CLOSED : FP_FULL;
        } else {
            *t = fp__mpmc_next(r, last_put(r, index, position)); /* the hint lagged */
        }
    }
}

static inline enum fp_status put_run(struct fp_mpmc *r, const uint64_t *items, size_t count,
                                     size_t *n) {
    uint64_t t = fp_u64_load_acquire(&r->tail);
    enum fp_status s = FP_OK;
    *n = 0;
    while (*n < count && (s = put_from(r, &t, items[*n])) == FP_OK)
        ++*n;
    if (FP_LIKELY(*n != 0)) {
        FP_STEP();
        fp_u64_store_release(&r->tail, t); /* a hint */
        fp_event_notify(&r->not_empty);
    }
    return s;
}

enum fp_status fp_mpmc_put_many(struct fp_mpmc *r, const uint64_t *items, size_t count, size_t *n) {
    return put_run(r, items, count, n);
}

enum fp_status fp_mpmc_put(struct fp_mpmc *r, uint64_t item) {
    size_t n;
    return put_run(r, &item, 1, &n);
}

/* Takes the first item, looked for from *h on; *h is then the position after it. */
static inline enum fp_status get_from(struct fp_mpmc *r, uint64_t *h, uint64_t *item) {
    for (;;) {
        uint64_t index = fp__mpmc_index(r, *h);
        struct fp_pair *slot = fp__mpmc_slot(r, index);
        /* Acquire half: pairs with put's swap. Seq_cst: as in put, for consumers. */
        uint64_t stamp = fp_u64_load_seq_cst(&slot->stamp);
        uint64_t position = stamp & FP_MPMC_POSITION, closed = stamp & FP_MPMC_CLOSED;
        FP_STEP();
        if (FP_LIKELY(position == *h + 1)) {
            uint64_t value = fp_u64_load_relaxed(&slot->value);
            FP_STEP();
            /* The linearization point; the winner owns the item. Release half: keeps the value's
             * load before it. Seq_cst: the waiting producers' pairing. */
            if (FP_LIKELY(fp_u64_cas_seq_cst(&slot->stamp, &stamp,
                                             fp__mpmc_lap_after(r, *h) | closed))) {
                *h = fp__mpmc_next(r, *h);
                *item = value;
                return FP_OK;
            }
        } else if (position == *h) {
            return closed ? FP_CLOSED : FP_EMPTY;
        } else {
            *h = fp__mpmc_next(r, last_taken(r, index, position)); /* the hint lagged */
        }
    }
}

static inline enum fp_status get_run(struct fp_mpmc *r, uint64_t *items, size_t max, size_t *n) {
    uint64_t h = fp_u64_load_acquire(&r->head);
    enum fp_status s = FP_OK;
    *n = 0;
    while (*n < max && (s = get_from(r, &h, &items[*n])) == FP_OK)
        ++*n;
    if (FP_LIKELY(*n != 0)) {
        FP_STEP();
        fp_u64_store_release(&r->head, h); /* a hint */
        fp_event_notify(&r->not_full);
    }
    return s;
}

enum fp_status fp_mpmc_get_many(struct fp_mpmc *r, uint64_t *items, size_t max, size_t *n) {
    return get_run(r, items, max, n);
}

enum fp_status fp_mpmc_get(struct fp_mpmc *r, uint64_t *item) {
    size_t n;
    return get_run(r, item, 1, &n);
}

/* The first position not yet put, found from the hint; *stamp is its slot's. */
static uint64_t find_tail(struct fp_mpmc *r, uint64_t *stamp) {
    uint64_t t = fp_u64_load_acquire(&r->tail);
    for (;;) {
        uint64_t index = fp__mpmc_index(r, t);
        *stamp = fp_u64_load_seq_cst(&fp__mpmc_slot(r, index)->stamp);
        uint64_t position = *stamp & FP_MPMC_POSITION;
        if (position == t || position == fp__mpmc_lap_before(r, t) + 1)
            return t;
        t = fp__mpmc_next(r, last_put(r, index, position));
    }
}

void fp_mpmc_close(struct fp_mpmc *r) {
    uint64_t stamp, t;
    do {
        t = find_tail(r, &stamp);
        FP_STEP();
        /* Seq_cst: the waiters' pairing. It fails if the slot was put to, taken from or closed. */
    } while (!fp_u64_cas_seq_cst(&fp__mpmc_slot(r, fp__mpmc_index(r, t))->stamp, &stamp,
                                 stamp | FP_MPMC_CLOSED));
    fp_event_notify_all(&r->not_empty);
    fp_event_notify_all(&r->not_full);
}

uint64_t fp__mpmc_tail(struct fp_mpmc *r, bool *closed) {
    uint64_t stamp, t = find_tail(r, &stamp);
    *closed = (stamp & FP_MPMC_CLOSED) != 0;
    return t;
}

uint64_t fp__mpmc_head(struct fp_mpmc *r) {
    uint64_t h = fp_u64_load_acquire(&r->head);
    for (;;) {
        uint64_t index = fp__mpmc_index(r, h);
        struct fp_pair *slot = fp__mpmc_slot(r, index);
        uint64_t position = fp_u64_load_seq_cst(&slot->stamp) & FP_MPMC_POSITION;
        if (position == h || position == h + 1)
            return h;
        h = fp__mpmc_next(r, last_taken(r, index, position));
    }
}

#endif
