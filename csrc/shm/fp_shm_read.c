/* fp_shm_read.c - the readers' half of fp_shm.h, closing, and what is left by the dead. FP_STEP()
 * stands behind every shared store. */
#if defined(__linux__)
#include "shm/fp_shm_internal.h"

enum { RESCUE_EVERY = 10 * 1000000 }; /* nanoseconds */

static bool is_empty(const struct fp_shm_member *m, uint64_t i) {
    const struct fp_spsc_bytes at = {.tail = &m->lane[i].tail, .head = &m->lane[i].head};
    return fp_spsc_bytes_is_empty(&at);
}

/* Gives the lane to other readers. */
static void let_go(struct fp_shm_member *m, uint64_t i) {
    /* Release half: `readers` of this process; pairs with hold. Seq_cst: who found the lane held
     * announces itself, then looks again; we let go, then look for announcements. */
    fp_sync_u64_store_seq_cst(&m->lane[i].reader, 0);
    FP_STEP();
}

/* Peeks at lane number i, and holds it if there is something. */
static enum fp_status hold(struct fp_shm_member *m, uint64_t i, struct fp_shm_view *v) {
    uint64_t nobody = 0;
    /* Acquire half: pairs with let_go, and so orders the last reader's head before ours. */
    if (!fp_sync_u64_cas_seq_cst(&m->lane[i].reader, &nobody, fp__shm_me(m)))
        return FP_BUSY;
    FP_STEP();
    enum fp_status s = fp_spsc_bytes_reader_again(&m->readers[i]);
    if (s == FP_OK)
        s = fp_spsc_bytes_peek(&m->readers[i], &v->start, &v->size);
    v->lane = i;
    v->forks = fp_shm_forks();
    if (s != FP_OK)
        let_go(m, i);
    return s;
}

static enum fp_status go_round(struct fp_shm_member *m, struct fp_shm_view *v) {
    const uint64_t used = fp__shm_used(m), first = fp_sync_u64_load_relaxed(&m->next);
    enum fp_status answer = FP_EMPTY;
    for (uint64_t n = 0; n < used; n++) {
        uint64_t i = first + n < used ? first + n : (first + n) % used;
        if (is_empty(m, i))
            continue;
        enum fp_status s = hold(m, i, v);
        if (s == FP_OK || s == FP_DAMAGED) {
            fp_sync_u64_store_relaxed(&m->next, i + 1);
            return s;
        }
        if (s == FP_BUSY)
            answer = s;
    }
    return answer;
}

/* The state says so: nothing is published any more once all lanes are closed. */
static void close_lanes(struct fp_shm_member *m) {
    for (uint64_t i = 0; i < m->lanes; i++) {
        const struct fp_spsc_bytes at = {.tail = &m->lane[i].tail};
        if (!fp_spsc_bytes_is_closed(&at))
            fp_spsc_bytes_close(&at);
    }
}

enum fp_status fp_shm_peek(struct fp_shm *h, struct fp_shm_view *v) {
    struct fp_shm_member *m = h->member;
    if (FP_UNLIKELY(!fp__shm_enter(m)))
        return FP_NO_MEMORY;
    uint64_t known = fp_sync_u64_load_relaxed(&m->known);
    uint64_t state = fp_sync_u64_load_seq_cst(&m->shared->state);
    if (FP_UNLIKELY((state & FP_SHM_DISCARDING) != 0 ||
                    fp_sync_u64_load_seq_cst(&h->released) != 0))
        return FP_CLOSED;
    /* A guess that spares a look at the writers' lines. */
    if (known != 0 && known <= m->lanes && hold(m, known - 1, v) == FP_OK)
        return FP_OK;
    enum fp_status s = go_round(m, v);
    if (s != FP_EMPTY || state == 0)
        return s;
    close_lanes(m);
    s = go_round(m, v);
    return s == FP_EMPTY ? FP_CLOSED : s;
}

static bool has_records(struct fp_shm_member *m) {
    uint64_t used = fp__shm_used(m), i = 0;
    while (i < used && is_empty(m, i))
        i++;
    return i < used;
}

/* After lane number i was let go. Whoever was woken for a record may have taken another one. */
static void tell(struct fp_shm_member *m, uint64_t i, bool gave_room) {
    if (gave_room)
        fp_shm_event_notify_all(m->limit != 0 ? &m->shared->room : &m->lane[i].room);
    if (FP_UNLIKELY(fp_shm_event_has_waiters(&m->shared->items)) && has_records(m))
        fp_shm_event_notify(&m->shared->items);
}

static bool gives_room(struct fp_spsc_bytes_reader *r) {
    if (r->get == fp_sync_u64_load_relaxed(r->at.head))
        return false;
    fp_spsc_bytes_release(r);
    return true;
}

bool fp_shm_next(struct fp_shm *h, struct fp_shm_view *v) {
    struct fp_spsc_bytes_reader *r = &h->member->readers[v->lane];
    fp_spsc_bytes_take(r);
    return fp_spsc_bytes_peek(r, &v->start, &v->size) == FP_OK;
}

static void finish(struct fp_shm_member *m, struct fp_shm_view *v) {
    struct fp_spsc_bytes_reader *r = &m->readers[v->lane];
    bool gave_room = gives_room(r);
    /* Lanes take turns: the guess is for when there is only one. */
    bool only = fp__shm_used(m) == 1;
    fp_sync_u64_store_relaxed(&m->known, only && fp_spsc_bytes_knows_more(r) ? v->lane + 1 : 0);
    let_go(m, v->lane);
    tell(m, v->lane, gave_room);
}

void fp_shm_accept(struct fp_shm *h, struct fp_shm_view *v) {
    fp_spsc_bytes_take(&h->member->readers[v->lane]);
    finish(h->member, v);
}

void fp_shm_reject(struct fp_shm *h, struct fp_shm_view *v) { finish(h->member, v); }

/* Waiting -------------------------------------------------------------------------------------- */

static bool must_wait(enum fp_status s) { return s == FP_FULL || s == FP_EMPTY || s == FP_BUSY; }

/* A sleep ends after FP_SHM_EVENT_SLICE: a ringer may have died, an owner too, and a signal may
 * have come just before it. */
static enum fp_status sleep_slice(struct fp_shm_event *bell, uint32_t key, int64_t deadline) {
    int64_t end = fp_now() + FP_SHM_EVENT_SLICE;
    if (deadline <= end)
        return fp_shm_event_sleep(bell, key, deadline);
    enum fp_status woke = fp_shm_event_sleep(bell, key, end);
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
    struct fp_shm_event *bell = writer ? fp__shm_room(h->member) : &h->member->shared->items;
    uint32_t key = fp_shm_event_prepare(bell);
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

static bool take_away(struct fp_shm_member *m, fp_sync_u64 *word) {
    uint64_t owner = fp_sync_u64_load_seq_cst(word);
    if (owner == 0 || !fp__shm_is_gone(m, owner))
        return false;
    bool taken = fp_sync_u64_cas_seq_cst(word, &owner, 0);
    FP_STEP();
    return taken;
}

bool fp_shm_rescue(struct fp_shm *h) {
    struct fp_shm_member *m = h->member;
    uint64_t now = (uint64_t)fp_now(), last = fp_sync_u64_load_relaxed(&m->checked);
    if (now - last < RESCUE_EVERY || !fp_sync_u64_cas_seq_cst(&m->checked, &last, now))
        return false;
    bool any = false;
    for (uint64_t i = 0; i < fp__shm_used(m); i++)
        if (take_away(m, &m->lane[i].reader)) {
            fp_shm_event_notify(&m->shared->items);
            any = true;
        }
    if (take_away(m, &m->shared->turn)) {
        fp_shm_event_notify_all(&m->shared->room);
        any = true;
    }
    return any;
}

void fp_shm_close(struct fp_shm *h, bool discard) {
    struct fp_shm_member *m = h->member;
    fp_sync_u64_fetch_or_seq_cst(&m->shared->state,
                                 FP_SHM_CLOSED | (discard ? FP_SHM_DISCARDING : 0));
    FP_STEP();
    close_lanes(m);
    for (uint64_t i = 0; i < m->lanes; i++)
        fp_shm_event_notify_all(&m->lane[i].room);
    fp_shm_event_notify_all(&m->shared->room);
    fp_shm_event_notify_all(&m->shared->items);
}

bool fp_shm_is_closed(struct fp_shm *h) {
    return fp_sync_u64_load_seq_cst(&h->member->shared->state) != 0;
}

bool fp_shm_is_discarding(struct fp_shm *h) {
    return (fp_sync_u64_load_seq_cst(&h->member->shared->state) & FP_SHM_DISCARDING) != 0;
}

#else
/* An empty file is not C. */
typedef int fp_shm_read_is_for_linux;
#endif
