/* fp_mpmc_claim.c - the MPMC ring for targets without a 16-byte compare-and-swap; D. Vyukov's
 * bounded queue with the stamps of fp_mpmc.h.
 *
 * A thread claims a position by advancing `tail` or `head` (here exact counters), then fills or
 * empties the slot. NOT lock-free: a thread suspended between the two stops whoever reaches that
 * slot; such a thread waits, because answering "full" or "empty" would not be true. Closed is bit
 * 63 of `tail`: a put's claim fails on it. */
#include "fp_mpmc_internal.h"

#if !FP_CAS16

#include "fp_backoff.h"
#include "fp_park.h"

/* For a slot that another thread is about to fill or to empty. */
static void wait_for_slot(struct fp_backoff *b) {
    if (!fp_backoff_pause(b))
        fp_yield(); /* that thread does not run now: it may need this processor */
}

enum fp_status fp_mpmc_put(struct fp_mpmc *r, uint64_t item) {
    struct fp_backoff backoff = {0};
    for (;;) {
        uint64_t t = fp_u64_load_seq_cst(&r->tail);
        if (t & FP_MPMC_CLOSED)
            return FP_CLOSED;
        struct fp_pair *slot = &r->slot[fp__mpmc_index(r, t)];
        uint64_t stamp = fp_u64_load_acquire(&slot->stamp); /* pairs with get's last store */
        FP_STEP();
        if (stamp == t) {
            if (fp_u64_cas_seq_cst(&r->tail, &t, fp__mpmc_next(r, t))) {
                FP_STEP();
                fp_u64_store_relaxed(&slot->value, item);
                /* Release half: publishes the value. Seq_cst: the waiters' pairing. */
                fp_u64_store_seq_cst(&slot->stamp, t + 1);
                fp_event_notify(&r->not_empty);
                return FP_OK;
            }
            continue; /* another put was faster */
        }
        /* Full, unless a get has claimed the item and not emptied the slot yet. */
        if (stamp == fp__mpmc_lap_before(r, t) + 1 &&
            fp_u64_load_seq_cst(&r->head) == fp__mpmc_lap_before(r, t))
            return FP_FULL;
        wait_for_slot(&backoff);
    }
}

enum fp_status fp_mpmc_get(struct fp_mpmc *r, uint64_t *item) {
    struct fp_backoff backoff = {0};
    for (;;) {
        uint64_t h = fp_u64_load_seq_cst(&r->head);
        struct fp_pair *slot = &r->slot[fp__mpmc_index(r, h)];
        uint64_t stamp = fp_u64_load_seq_cst(&slot->stamp); /* acquire half: pairs with put */
        FP_STEP();
        if (stamp == h + 1) {
            if (fp_u64_cas_seq_cst(&r->head, &h, fp__mpmc_next(r, h))) {
                FP_STEP();
                *item = fp_u64_load_relaxed(&slot->value);
                fp_u64_store_seq_cst(&slot->stamp, fp__mpmc_lap_after(r, h));
                fp_event_notify(&r->not_full);
                return FP_OK;
            }
            continue; /* another get was faster */
        }
        if (stamp == h) {
            /* Empty, unless a put has claimed the slot and not filled it yet. */
            uint64_t t = fp_u64_load_seq_cst(&r->tail);
            if ((t & FP_MPMC_POSITION) == h)
                return t & FP_MPMC_CLOSED ? FP_CLOSED : FP_EMPTY;
        }
        wait_for_slot(&backoff);
    }
}

enum fp_status fp_mpmc_put_many(struct fp_mpmc *r, const uint64_t *items, size_t count, size_t *n) {
    enum fp_status s = FP_OK;
    *n = 0;
    while (*n < count && (s = fp_mpmc_put(r, items[*n])) == FP_OK)
        ++*n;
    return s;
}

enum fp_status fp_mpmc_get_many(struct fp_mpmc *r, uint64_t *items, size_t max, size_t *n) {
    enum fp_status s = FP_OK;
    *n = 0;
    while (*n < max && (s = fp_mpmc_get(r, &items[*n])) == FP_OK)
        ++*n;
    return s;
}

void fp_mpmc_close(struct fp_mpmc *r) {
    fp_u64_fetch_or_seq_cst(&r->tail, FP_MPMC_CLOSED);
    fp_event_notify_all(&r->not_empty);
    fp_event_notify_all(&r->not_full);
}

uint64_t fp__mpmc_tail(struct fp_mpmc *r, bool *closed) {
    uint64_t t = fp_u64_load_seq_cst(&r->tail);
    *closed = (t & FP_MPMC_CLOSED) != 0;
    return t & FP_MPMC_POSITION;
}

uint64_t fp__mpmc_head(struct fp_mpmc *r) { return fp_u64_load_seq_cst(&r->head); }

#endif
