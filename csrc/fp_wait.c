/* fp_wait.c - see fp_wait.h. The order of the steps in the loop is what keeps items and wake-ups
 * from being lost; each line says what it is there for. */
#include "fp_wait.h"

#include "fp_backoff.h"

static bool must_wait(enum fp_status s) { return s == FP_FULL || s == FP_EMPTY || s == FP_BUSY; }

/* A short spin pays when the other side is running on another processor right now. With someone
 * asleep already it isn't, and more spinning would only keep it from running. */
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

/* A signal that arrives between the last look for one and the sleep does not end the sleep. So
 * sleeps are cut into slices, each twice as long as the one before it if that was slept to its end:
 * such a signal is noticed after 50 ms, or after twice the time waited so far, at the price of a
 * few wake-ups in all. */
enum { FIRST_SLICE = 50 * 1000000 };

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

enum fp_status fp_wait(struct fp_event *e, const struct fp_attempt *op, int64_t deadline,
                       const struct fp_host *host) {
    enum fp_status s = spin(e, op, host, FP_EMPTY);
    int64_t watch = host->watch, slice = FIRST_SLICE;
    while (must_wait(s)) {
        /* Only here, where the last attempt failed and no news can be meant for this thread. */
        if (host->interrupted())
            return FP_INTERRUPTED;
        uint64_t key = fp_event_enter(e);
        FP_STEP();
        /* Again, after the announcement: a change that came before it is seen here, one that
         * comes after it finds the announcement. */
        s = op->run(op->arg);
        enum fp_status woke = FP_OK;
        if (must_wait(s)) {
            void *state = host->before_sleep();
            if (watch == 0 || !fp_event_watch(e, key, watch)) {
                woke = sleep_slice(e, key, deadline, &slice);
                watch = 0;
            }
            host->after_sleep(state);
        }
        fp_event_leave(e, key);
        /* The operation first, then deadline and signal: this thread may have been signalled for
         * an item that nobody else will be woken for. */
        if (must_wait(s))
            s = op->run(op->arg);
        if (!must_wait(s))
            break;
        if (deadline != FP_FOREVER && (woke == FP_TIMED_OUT || fp_now() >= deadline))
            return FP_TIMED_OUT;
    }
    /* Notifications are one at a time; who leaves with an item passes the news on. */
    if (fp_event_waiters(e) != 0 && op->more(op->arg))
        fp_event_send(e);
    return s;
}
