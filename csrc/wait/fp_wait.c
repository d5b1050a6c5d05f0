/* fp_wait.c - see fp_wait.h. The order of the steps in the loop keeps items and wake-ups from
 * being lost; a comment at each step says why it is there.
 *
 * The steps, from cheap to costly:
 *   spin           repeats the operation for a moment, with the interpreter held
 *   fp_event_enter announces the waiter; then the operation is tried once more
 *   block          gives the interpreter up, and then
 *     watch          looks at the event's word for news: a notification
 *     settle         after news, lets the thread that sent it go on for a moment (under a GIL)
 *     sleep_slice    sleeps in the kernel, a slice at a time, so that signals are noticed
 *   fp_event_leave takes the announcement back; the operation is tried again */
#include "wait/fp_wait.h"

#include "base/fp_backoff.h"
#include "base/fp_fence.h"

static bool must_wait(enum fp_status s) {
    return s == FP_FULL || s == FP_EMPTY || s == FP_BUSY || s == FP_NOT_YET;
}

/* A short spin pays when the other side is running on another processor right now. If a waiter is
 * asleep already, the other side is not, and more spinning would only keep it from running. */
static enum fp_status spin(struct fp_event *e, const struct fp_attempt *op,
                           const struct fp_host *host, enum fp_status s) {
    for (unsigned i = 0; i < host->spin && fp_event_waiters(e) == 0; i++) {
        for (int turn = 0; turn < 8; turn++)
            fp_pause();
        s = op->run(op->arg);
        if (!must_wait(s))
            break;
    }
    return s;
}

static enum fp_status sleep_slice(struct fp_event *e, uint64_t key, int64_t deadline,
                                  int64_t *slice) {
    int64_t now = fp_now();
    if (deadline - now <= *slice)
        return fp_event_sleep(e, key, deadline);
    enum fp_status woke = fp_event_sleep(e, key, now + *slice);
    if (woke != FP_TIMED_OUT)
        return woke;
    *slice *= 2;
    return FP_INTERRUPTED;
}

/* Watching in vain costs processor time. If the last few watches were in vain, the next ones are
 * cut short, except every 32nd: the other side may have become active again. */
enum { IN_VAIN = 4, SHORTER = 8, TRY_AGAIN = 32 };

static int64_t patience(struct fp_event *e, const struct fp_host *host) {
    if (host->watch == 0)
        return 0;
    uint64_t misses = fp_sync_u64_load_relaxed(&e->misses);
    return misses < IN_VAIN || misses % TRY_AGAIN == 0 ? host->watch : host->watch / SHORTER;
}

static bool watch(struct fp_event *e, uint64_t key, int64_t ns) {
    bool news = fp_event_watch(e, key, ns);
    uint64_t misses = news ? 0 : fp_sync_u64_load_relaxed(&e->misses) + 1;
    fp_sync_u64_store_relaxed(&e->misses, misses); /* a lost count does no harm */
    return news;
}

/* How often threads of this process have begun to rest and so let the host's other threads run. */
static fp_sync_u64 rests;

/* In a host that runs one thread at a time, the sender of the news runs right now. A waiter that
 * asked for its turn at once would sleep until the sender waits, for lack of room, say: two sleeps
 * for each ringful. So the waiter goes on watching until the sender rests too, or falls silent. */
enum { SILENCE = 4000 };

static void settle(struct fp_event *e, uint64_t own_rest, int64_t ns) {
    int64_t now = fp_now(), end = now + ns, next_look = now + SILENCE;
    uint64_t repeats = fp_event_repeats(e);
    while (now < end && fp_sync_u64_load_relaxed(&rests) == own_rest) {
        fp_give_way();
        now = fp_now();
        if (now < next_look)
            continue; /* each look takes the word's line from the sender's cache */
        next_look = now + SILENCE;
        uint64_t before = repeats;
        repeats = fp_event_repeats(e);
        if (repeats == before)
            return;
    }
}

/* Waits for news while the other threads of the host run. */
static enum fp_status block(struct fp_event *e, uint64_t key, int64_t deadline,
                            const struct fp_host *host, int64_t *to_watch, int64_t *slice) {
    uint64_t own_rest = host->settle == 0 ? 0 : fp_sync_u64_fetch_add_relaxed(&rests, 1) + 1;
    if (*to_watch == 0)
        return sleep_slice(e, key, deadline, slice);
    if (!watch(e, key, *to_watch)) {
        *to_watch = 0;
        /* The caller looks once more, behind the fence that watching does without. */
        return e->light ? FP_OK : sleep_slice(e, key, deadline, slice);
    }
    if (host->settle != 0)
        settle(e, own_rest, host->settle);
    return FP_OK;
}

/* Tries again once stores that other processors still hold back are visible: as a rule that takes
 * a few dozen nanoseconds. */
static enum fp_status retry_after_pause(const struct fp_attempt *op) {
    for (int turn = 0; turn < 8; turn++)
        fp_pause();
    return op->run(op->arg);
}

enum fp_status fp_wait(struct fp_event *e, const struct fp_attempt *op, int64_t deadline,
                       const struct fp_host *host) {
    enum fp_status s = spin(e, op, host, FP_EMPTY); /* any status that means "wait" */
    int64_t to_watch = patience(e, host), slice = FP_FIRST_SLICE;
    while (must_wait(s)) {
        /* Only here: the last attempt failed, and no news can be meant for this thread. */
        if (host->interrupted())
            return FP_INTERRUPTED;
        uint64_t key = fp_event_enter(e);
        FP_STEP();
        if (e->light && to_watch == 0)
            fp_fence_heavy(); /* light stores that missed the announcement are seen from here on */
        /* Again, after the announcement: this attempt sees a change that came before the
         * announcement, and a notifier that comes after it finds the announcement. */
        s = op->run(op->arg);
        enum fp_status woke = FP_OK;
        if (e->light && to_watch != 0 && must_wait(s))
            s = retry_after_pause(op); /* no notifier reports a store under way now, see fp_event.h
                                        */
        if (must_wait(s)) {
            void *state = host->before_sleep();
            woke = block(e, key, deadline, host, &to_watch, &slice);
            host->after_sleep(state);
        }
        fp_event_leave(e, key);
        /* The operation first, then deadline and signal: this thread may have been signalled for
         * an item for which no other thread will be woken. */
        if (must_wait(s))
            s = op->run(op->arg);
        if (!must_wait(s))
            break;
        if (deadline != FP_FOREVER && (woke == FP_TIMED_OUT || fp_now() >= deadline))
            return FP_TIMED_OUT;
    }
    /* One notification is under way at a time: a thread that leaves with an item passes it on. */
    if (fp_event_waiters(e) != 0 && op->more(op->arg))
        fp_event_send(e);
    return s;
}
