/* fp_shm_read.c - the readers' half of fp_shm.h, closing, and what is left by the dead. FP_STEP()
 * stands behind every shared store. */
#if defined(__linux__)
#include "fp_shm.h"

#include "fp_process.h"
#include "fp_thread.h"

enum { RESCUE_EVERY = 10 * 1000000 }; /* nanoseconds */

static bool is_empty(const struct fp_shm *h, uint64_t i) {
    const struct fp_lane at = {.tail = &h->lane[i].tail, .head = &h->lane[i].head};
    return fp_lane_is_empty(&at);
}

/* Gives the lane to other readers. */
static void let_go(struct fp_shm *h, uint64_t i) {
    /* Release half: `readers` of this process; pairs with hold. Seq_cst: who found the lane held
     * announces itself, then looks again; we let go, then look for announcements. */
    fp_sync_u64_store_seq_cst(&h->lane[i].reader, 0);
    FP_STEP();
}

/* Peeks at lane number i, and holds it if there is something. */
static enum fp_status hold(struct fp_shm *h, uint64_t i, struct fp_shm_view *v) {
    uint64_t nobody = 0;
    /* Acquire half: pairs with let_go, and so orders the last reader's head before ours. */
    if (!fp_sync_u64_cas_seq_cst(&h->lane[i].reader, &nobody, h->me))
        return FP_BUSY;
    FP_STEP();
    enum fp_status s = fp_lane_reader_again(&h->readers[i]);
    if (s == FP_OK)
        s = fp_lane_peek(&h->readers[i], &v->start, &v->size);
    v->lane = i;
    v->forks = fp_sync_u64_load_relaxed(&h->forks);
    if (s != FP_OK)
        let_go(h, i);
    return s;
}

static enum fp_status go_round(struct fp_shm *h, struct fp_shm_view *v) {
    const uint64_t used = fp__shm_used(h), first = fp_sync_u64_load_relaxed(&h->next);
    enum fp_status answer = FP_EMPTY;
    for (uint64_t n = 0; n < used; n++) {
        uint64_t i = first + n < used ? first + n : (first + n) % used;
        if (is_empty(h, i))
            continue;
        enum fp_status s = hold(h, i, v);
        if (s == FP_OK || s == FP_DAMAGED) {
            fp_sync_u64_store_relaxed(&h->next, i + 1);
            return s;
        }
        if (s == FP_BUSY)
            answer = s;
    }
    return answer;
}

/* The state says so: nothing is published any more once all lanes are closed. */
static void close_lanes(struct fp_shm *h) {
    for (uint64_t i = 0; i < h->lanes; i++) {
        const struct fp_lane at = {.tail = &h->lane[i].tail};
        if (!fp_lane_is_closed(&at))
            fp_lane_close(&at);
    }
}

enum fp_status fp_shm_peek(struct fp_shm *h, struct fp_shm_view *v) {
    if (FP_UNLIKELY(!fp__shm_enter(h)))
        return FP_NO_MEMORY;
    uint64_t known = fp_sync_u64_load_relaxed(&h->known);
    uint64_t state = fp_sync_u64_load_seq_cst(&h->shared->state);
    if (FP_UNLIKELY((state & FP_SHM_DISCARDING) != 0 ||
                    fp_sync_u64_load_seq_cst(&h->released) != 0))
        return FP_CLOSED;
    /* A guess that spares a look at the writers' lines. */
    if (known != 0 && known <= h->lanes && hold(h, known - 1, v) == FP_OK)
        return FP_OK;
    enum fp_status s = go_round(h, v);
    if (s != FP_EMPTY || state == 0)
        return s;
    close_lanes(h);
    s = go_round(h, v);
    return s == FP_EMPTY ? FP_CLOSED : s;
}

static bool has_records(struct fp_shm *h) {
    uint64_t used = fp__shm_used(h), i = 0;
    while (i < used && is_empty(h, i))
        i++;
    return i < used;
}

/* After lane number i was let go. Whoever was woken for a record may have taken another one. */
static void tell(struct fp_shm *h, uint64_t i, bool gave_room) {
    if (gave_room)
        fp_bell_ring_all(h->limit != 0 ? &h->shared->room : &h->lane[i].room);
    if (FP_UNLIKELY(fp_bell_is_heeded(&h->shared->items)) && has_records(h))
        fp_bell_ring(&h->shared->items);
}

static bool gives_room(struct fp_lane_reader *r) {
    if (r->get == fp_sync_u64_load_relaxed(r->at.head))
        return false;
    fp_lane_release(r);
    return true;
}

bool fp_shm_next(struct fp_shm *h, struct fp_shm_view *v) {
    struct fp_lane_reader *r = &h->readers[v->lane];
    fp_lane_take(r);
    return fp_lane_peek(r, &v->start, &v->size) == FP_OK;
}

static void finish(struct fp_shm *h, struct fp_shm_view *v) {
    struct fp_lane_reader *r = &h->readers[v->lane];
    bool gave_room = gives_room(r);
    /* Lanes take turns: the guess is for when there is only one. */
    bool only = fp__shm_used(h) == 1;
    fp_sync_u64_store_relaxed(&h->known, only && fp_lane_knows_more(r) ? v->lane + 1 : 0);
    let_go(h, v->lane);
    tell(h, v->lane, gave_room);
}

void fp_shm_accept(struct fp_shm *h, struct fp_shm_view *v) {
    fp_lane_take(&h->readers[v->lane]);
    finish(h, v);
}

void fp_shm_reject(struct fp_shm *h, struct fp_shm_view *v) { finish(h, v); }

/* Waiting -------------------------------------------------------------------------------------- */

static bool must_wait(enum fp_status s) { return s == FP_FULL || s == FP_EMPTY || s == FP_BUSY; }

/* A sleep ends after FP_BELL_SLICE: a ringer may have died, an owner too, and a signal may have
 * come just before it. */
static enum fp_status sleep_slice(struct fp_bell *bell, uint32_t key, int64_t deadline) {
    int64_t end = fp_now() + FP_BELL_SLICE;
    if (deadline <= end)
        return fp_bell_sleep(bell, key, deadline);
    enum fp_status woke = fp_bell_sleep(bell, key, end);
    return woke == FP_TIMED_OUT ? FP_INTERRUPTED : woke;
}

/* An answer that takes microseconds should not cost two system calls. */
static enum fp_status watch(const struct fp_attempt *op, int64_t ns, enum fp_status s) {
    int64_t end = fp_now() + ns;
    do {
        fp_yield();
        s = op->run(op->arg);
    } while (must_wait(s) && fp_now() < end);
    return s;
}

static enum fp_status wait_once(struct fp_shm *h, bool writer, const struct fp_attempt *op,
                                int64_t deadline, enum fp_status *woke) {
    struct fp_bell *bell = writer ? fp__shm_room(h) : &h->shared->items;
    uint32_t key = fp_bell_heed(bell);
    FP_STEP();
    /* Again, after the announcement: a change that came before it is seen here, one that comes
     * after it finds the announcement. */
    enum fp_status s = op->run(op->arg);
    if (!must_wait(s))
        return s;
    if (fp_shm_rescue(h))
        return op->run(op->arg);
    *woke = sleep_slice(bell, key, deadline);
    /* The operation first, then deadline and signal: this thread may have been the one woken. */
    return op->run(op->arg);
}

enum fp_status fp_shm_wait(struct fp_shm *h, bool writer, const struct fp_attempt *op,
                           int64_t deadline, const struct fp_host *host) {
    fp_sync_u64 *waits = writer ? &h->put_waits : &h->get_waits;
    enum fp_status s = FP_EMPTY, woke = FP_OK;
    void *state = host->before_sleep();
    s = watch(op, host->watch, s);
    host->after_sleep(state);
    if (must_wait(s))
        fp_sync_u64_fetch_add_relaxed(waits, 1);
    while (must_wait(s)) {
        if (deadline != FP_FOREVER && (woke == FP_TIMED_OUT || fp_now() >= deadline))
            return FP_TIMED_OUT;
        if (host->interrupted())
            return FP_INTERRUPTED;
        state = host->before_sleep();
        s = wait_once(h, writer, op, deadline, &woke);
        host->after_sleep(state);
    }
    return s;
}

/* Everybody ------------------------------------------------------------------------------------ */

static bool take_away(struct fp_shm *h, fp_sync_u64 *word) {
    uint64_t owner = fp_sync_u64_load_seq_cst(word);
    if (owner == 0 || owner == h->me || !fp_process_is_dead(owner))
        return false;
    bool taken = fp_sync_u64_cas_seq_cst(word, &owner, 0);
    FP_STEP();
    return taken;
}

bool fp_shm_rescue(struct fp_shm *h) {
    uint64_t now = (uint64_t)fp_now(), last = fp_sync_u64_load_relaxed(&h->checked);
    if (now - last < RESCUE_EVERY || !fp_sync_u64_cas_seq_cst(&h->checked, &last, now))
        return false;
    bool any = false;
    for (uint64_t i = 0; i < fp__shm_used(h); i++)
        if (take_away(h, &h->lane[i].reader)) {
            fp_bell_ring(&h->shared->items);
            any = true;
        }
    if (take_away(h, &h->shared->turn)) {
        fp_bell_ring_all(&h->shared->room);
        any = true;
    }
    return any;
}

void fp_shm_close(struct fp_shm *h, bool discard) {
    fp_sync_u64_fetch_or_seq_cst(&h->shared->state,
                                 FP_SHM_CLOSED | (discard ? FP_SHM_DISCARDING : 0));
    FP_STEP();
    close_lanes(h);
    for (uint64_t i = 0; i < h->lanes; i++)
        fp_bell_ring_all(&h->lane[i].room);
    fp_bell_ring_all(&h->shared->room);
    fp_bell_ring_all(&h->shared->items);
}

bool fp_shm_is_closed(struct fp_shm *h) { return fp_sync_u64_load_seq_cst(&h->shared->state) != 0; }

bool fp_shm_is_discarding(struct fp_shm *h) {
    return (fp_sync_u64_load_seq_cst(&h->shared->state) & FP_SHM_DISCARDING) != 0;
}

uint64_t fp_shm_records(struct fp_shm *h) {
    if (fp_shm_is_discarding(h))
        return 0;
    uint64_t used = fp__shm_used(h), sum = 0;
    for (uint64_t i = 0; i < used; i++) {
        const struct fp_lane at = fp__shm_at(h, i);
        sum += fp_lane_records(&at);
    }
    return h->limit != 0 && sum > h->limit ? h->limit : sum;
}

#else
/* An empty file is not C. */
typedef int fp_shm_read_is_for_linux;
#endif
