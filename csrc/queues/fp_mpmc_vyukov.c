/* fp_mpmc_vyukov.c - the MPMC ring for targets without a 16-byte compare-and-swap; D. Vyukov's
 * bounded queue with the stamps of fp_mpmc.h.
 *
 * A thread claims a position by advancing `tail` or `head` (here exact counters), then fills or
 * empties the slot. NOT lock-free: a thread suspended between the two stops whoever reaches that
 * slot; such a thread waits, because answering "full" or "empty" would not be true. Closed is bit
 * 63 of `tail`: a put's claim fails on it.
 *
 *   full    tail = t, then head = t - LAP: every position is claimed by a put, none by a get
 *   empty   head = h, then tail = h
 *
 * A claim is where an operation takes effect; the stamps only hand slots over. So who is about to
 * sleep looks at the counters after announcing itself; the claim, a seq_cst swap, and the look at
 * the event after it are the other half of the waiters' pairing (fp_event.h). The store of the
 * stamp in between need only be a release. */
#include "queues/fp_mpmc_internal.h"

#if !FP_CAS16

#include "base/fp_backoff.h"
#include "base/fp_park.h"

/* A slot that is not ready. Its counter tells why, but it is the other side's: each look takes its
 * line from a thread that is about to advance it. So the slot gets a moment first. If it is
 * claimed and still not handed over after that, the thread that owes it does not run, as likely as
 * not, and needs this processor. */
static inline bool first_look(bool *looked) {
    if (*looked)
        return false;
    *looked = true;
    fp_pause();
    return true;
}

/* One attempt at *t. False: *t is the new tail if it was claimed by another put or the ring was
 * closed, and what it was if the slot is not ready for it. */
static inline bool put_at(struct fp_mpmc *r, uint64_t *t, uint64_t item) {
    struct fp_pair *slot = fp__mpmc_slot(r, fp__mpmc_index(r, *t));
    uint64_t stamp = fp_u64_load_acquire(&slot->stamp); /* pairs with get's last store */
    FP_STEP();
    /* No stamp has the bit that says closed. Seq_cst: the waiters' pairing. */
    if (FP_UNLIKELY(stamp != *t) || !fp_u64_cas_seq_cst(&r->tail, t, fp__mpmc_next(r, *t)))
        return false;
    FP_STEP();
    fp_u64_store_relaxed(&slot->value, item);
    fp_u64_store_release(&slot->stamp, stamp + 1); /* publishes the value */
    fp_event_notify(&r->not_empty);
    return true;
}

static inline bool get_at(struct fp_mpmc *r, uint64_t *h, uint64_t *item) {
    struct fp_pair *slot = fp__mpmc_slot(r, fp__mpmc_index(r, *h));
    uint64_t stamp = fp_u64_load_acquire(&slot->stamp); /* pairs with put's last store */
    FP_STEP();
    /* Seq_cst: the waiters' pairing. */
    if (FP_UNLIKELY(stamp != *h + 1) || !fp_u64_cas_seq_cst(&r->head, h, fp__mpmc_next(r, *h)))
        return false;
    FP_STEP();
    *item = fp_u64_load_relaxed(&slot->value);
    /* Release: the value is loaded before the next put stores its own. */
    fp_u64_store_release(&slot->stamp, fp__mpmc_lap_after(r, stamp - 1));
    fp_event_notify(&r->not_full);
    return true;
}

static FP_NOINLINE enum fp_status put_slowly(struct fp_mpmc *r, uint64_t item) {
    bool looked = false;
    uint64_t t = fp_u64_load_seq_cst(&r->tail);
    for (;;) {
        uint64_t before = t;
        if (t & FP_MPMC_CLOSED)
            return FP_CLOSED;
        if (put_at(r, &t, item))
            return FP_OK;
        if (t == before)
            t = fp_u64_load_seq_cst(&r->tail);
        if (t != before || first_look(&looked))
            continue;
        if (fp_u64_load_seq_cst(&r->head) == fp__mpmc_lap_before(r, t))
            return FP_FULL;
        fp_yield(); /* a get has claimed the item and not emptied the slot yet */
    }
}

static FP_NOINLINE enum fp_status get_slowly(struct fp_mpmc *r, uint64_t *item) {
    bool looked = false;
    uint64_t h = fp_u64_load_seq_cst(&r->head);
    for (;;) {
        uint64_t before = h;
        if (get_at(r, &h, item))
            return FP_OK;
        if (h == before)
            h = fp_u64_load_seq_cst(&r->head);
        if (h != before || first_look(&looked))
            continue;
        uint64_t t = fp_u64_load_seq_cst(&r->tail);
        if ((t & FP_MPMC_POSITION) == h)
            return t & FP_MPMC_CLOSED ? FP_CLOSED : FP_EMPTY;
        fp_yield(); /* a put has claimed the slot and not filled it yet */
    }
}

/* The first attempt apart, so that it saves no registers: the swap would wait for those stores. */
enum fp_status fp_mpmc_put(struct fp_mpmc *r, uint64_t item) {
    uint64_t t = fp_u64_load_acquire(&r->tail);
    return FP_LIKELY(put_at(r, &t, item)) ? FP_OK : put_slowly(r, item);
}

enum fp_status fp_mpmc_get(struct fp_mpmc *r, uint64_t *item) {
    uint64_t h = fp_u64_load_acquire(&r->head);
    return FP_LIKELY(get_at(r, &h, item)) ? FP_OK : get_slowly(r, item);
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
