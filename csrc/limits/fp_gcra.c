/* fp_gcra.c - see fp_gcra.h for the idea and the argument. */
#include "limits/fp_gcra.h"

#include "base/fp_product.h"

#include <math.h>

enum { SECOND = 1000000000, RATE_BITS = 31, CORRECTIONS = 4096 };

/* Another clock may stand still or run at a pace of its own: it is looked at this often. */
enum { OTHER_CLOCK_SLICE = 10 * 1000000 };

static bool read_system_clock(void *arg, int64_t *now) {
    (void)arg;
    *now = fp_now();
    return true;
}

const struct fp_clock fp_system_clock = {read_system_clock, NULL};

/* The position at that time, modulo 2^64. Before the origin it is negative. The part is too large
 * by less than 2^-64, so the product by less than 1/2 for any reading of 63 bits. */
static inline uint64_t position(const struct fp_gcra *g, int64_t now) {
    uint64_t d = (uint64_t)now - (uint64_t)g->origin;
    uint64_t below = (int64_t)d < 0 ? g->part : 0; /* d is 2^64 too large then */
    return d * g->whole + fp_high_product(d, g->part) - below;
}

/* 2^64 rest / divisor, rounded up: a token that is due at a whole nanosecond is there, then. For
 * rest < divisor < 2^60. */
static uint64_t fraction(uint64_t rest, uint64_t divisor) {
    uint64_t part = 0;
    for (int bit = 0; bit < 64; bit++) {
        rest <<= 1;
        part <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            part |= 1;
        }
    }
    return part + (rest != 0);
}

enum fp_status fp_gcra_init(struct fp_gcra *g, double rate, uint64_t burst, int64_t now) {
    if (!(rate >= FP_GCRA_LEAST_RATE && rate <= FP_GCRA_MOST_RATE) || burst == 0)
        return FP_FAILED;
    int exponent; /* rate < 2^exponent, and 2^31 units a second or less */
    const uint64_t bits = (uint64_t)ldexp(frexp(rate, &exponent), 53);
    const uint64_t divisor = (uint64_t)SECOND << (53 - RATE_BITS);
    g->scale = (unsigned)(RATE_BITS - exponent);
    g->whole = bits / divisor;
    g->part = fraction(bits % divisor, divisor);
    if (burst > ((uint64_t)1 << 61) >> g->scale)
        return FP_FAILED;
    g->depth = burst << g->scale;
    g->origin = now;
    fp_u64_store_relaxed(&g->used, 0 - g->depth);
    fp_u64_store_relaxed(&g->granted, 0);
    fp_u64_store_relaxed(&g->refused, 0);
    fp_lock_init(&g->turn);
    fp_event_init(&g->timer);
    return FP_OK;
}

/* The word and, read after it, the clock and its position. A word from the future means that the
 * clock went back: the bucket is empty, as of now. FP_OK or FP_FAILED. */
static inline enum fp_status observe(struct fp_gcra *g, const struct fp_clock *clock,
                                     uint64_t *used, int64_t *now, uint64_t *x) {
    /* Acquire: pairs with the swaps, so that our reading of the clock is the later one. */
    *used = fp_u64_load_acquire(&g->used);
    for (;;) {
        FP_STEP();
        if (FP_LIKELY(clock == &fp_system_clock))
            *now = fp_now();
        else if (!clock->read(clock->arg, now))
            return FP_FAILED;
        *x = position(g, *now);
        if (FP_LIKELY((int64_t)(*x - *used) >= -(int64_t)g->depth))
            return FP_OK;
        FP_STEP();
        if (fp_u64_cas_seq_cst(&g->used, used, *x))
            *used = *x;
    }
}

/* What `used` would be with n tokens taken at x. */
static inline uint64_t used_after(const struct fp_gcra *g, uint64_t used, uint64_t x, uint64_t n) {
    bool full = (int64_t)(x - used) > (int64_t)g->depth;
    return (full ? x - g->depth : used) + (n << g->scale);
}

/* Nanoseconds from `now` until the position is `target`, which is not behind. */
static int64_t time_until(const struct fp_gcra *g, int64_t now, uint64_t target) {
    const double pace = (double)g->whole + ldexp((double)g->part, -64);
    const uint64_t from = (uint64_t)now;
    uint64_t d = (uint64_t)((double)(target - position(g, now)) / pace);
    /* The quotient may be off by its last bits, fewer than CORRECTIONS nanoseconds. The positions
     * themselves jump 292 years after the origin: then there is nothing to be found. */
    for (int i = 0; i < CORRECTIONS && d > 0; i++, d--)
        if ((int64_t)(position(g, (int64_t)(from + d - 1)) - target) < 0)
            break;
    for (int i = 0; i < CORRECTIONS; i++, d++)
        if ((int64_t)(position(g, (int64_t)(from + d)) - target) >= 0)
            break;
    return d > 0 ? (int64_t)d : 1;
}

enum fp_status fp__gcra_try_between(struct fp_gcra *g, uint64_t n, uint64_t used,
                                    struct fp_glance between) {
    const uint64_t low = position(g, between.early);
    const uint64_t width = (uint64_t)(between.late - between.early);
    /* Not less than the position then: two parts of a unit may make up a whole one. */
    const uint64_t high = low + width * g->whole + fp_high_product(width, g->part) + (width != 0);
    const uint64_t next = used_after(g, used, high, n);
    if (FP_LIKELY((int64_t)(low - next) >= 0)) {
        FP_STEP();
        /* Release half: pairs with the load before each look at the time. */
        if (FP_UNLIKELY(!fp_u64_cas_seq_cst(&g->used, &used, next)))
            return FP_RETRY;
        fp_u64_fetch_add_relaxed(&g->granted, n);
        return FP_OK;
    }
    if ((int64_t)(high - next) >= 0 || (int64_t)(low - used) < -(int64_t)g->depth)
        return FP_RETRY; /* in between; or from the future, see observe() */
    fp_u64_fetch_add_relaxed(&g->refused, 1);
    return FP_FULL;
}

enum fp_status fp_gcra_try(struct fp_gcra *g, uint64_t n, const struct fp_clock *clock) {
    uint64_t used, x;
    int64_t now;
    if (FP_LIKELY(clock == &fp_system_clock)) {
        used = fp_u64_load_acquire(&g->used); /* as in observe() */
        FP_STEP();
        enum fp_status s = fp__gcra_try_between(g, n, used, fp_glance());
        if (FP_LIKELY(s != FP_RETRY))
            return s;
    }
    for (;;) {
        enum fp_status s = observe(g, clock, &used, &now, &x);
        if (FP_UNLIKELY(s != FP_OK))
            return s;
        s = fp__gcra_try_between(g, n, used, (struct fp_glance){now, now});
        if (s != FP_RETRY)
            return s;
    }
}

/* Waiting -------------------------------------------------------------------------------------- */

struct reservation {
    struct fp_gcra *g;
    const struct fp_clock *clock;
    uint64_t n;
    uint64_t until;  /* the position to wait for: what `used` was set to */
    int64_t delay;   /* how long that takes, by the clock */
};

/* Takes the tokens in advance. FP_OK; FP_TIMED_OUT: they won't come before the deadline;
 * FP_FAILED. */
static enum fp_status reserve(struct reservation *r, int64_t deadline) {
    for (;;) {
        uint64_t used, x;
        int64_t now;
        enum fp_status s = observe(r->g, r->clock, &used, &now, &x);
        if (s != FP_OK)
            return s;
        r->until = used_after(r->g, used, x, r->n);
        r->delay = (int64_t)(x - r->until) >= 0 ? 0 : time_until(r->g, now, r->until);
        if (r->delay > 0 && deadline != FP_FOREVER && deadline - fp_now() < r->delay)
            return FP_TIMED_OUT;
        FP_STEP();
        if (fp_u64_cas_seq_cst(&r->g->used, &used, r->until))
            return FP_OK;
    }
}

/* Gives the tokens back. False: somebody took more since, so their time had come. */
static bool give_back(struct reservation *r) {
    uint64_t until = r->until;
    return fp_u64_cas_seq_cst(&r->g->used, &until, until - (r->n << r->g->scale));
}

/* FP_OK: the time has come. FP_NOT_YET: not yet. FP_CLOSED: the clock went back so far that the
 * reservation means nothing any more. FP_FAILED. */
static enum fp_status look(void *arg) {
    struct reservation *r = arg;
    uint64_t used, x;
    int64_t now;
    enum fp_status s = observe(r->g, r->clock, &used, &now, &x);
    if (s != FP_OK || (int64_t)(x - r->until) >= 0)
        return s;
    if ((int64_t)(r->until - used) > 0)
        return FP_CLOSED; /* observe, here or elsewhere, has put it back */
    r->delay = time_until(r->g, now, r->until);
    return FP_NOT_YET;
}

static bool nobody_else(void *arg) {
    (void)arg;
    return false;
}

/* With the turn: sleeps until the reserved tokens have come. Answers as look() does, or
 * FP_INTERRUPTED or FP_TIMED_OUT, with the tokens given back. */
static enum fp_status sleep_until_there(struct reservation *r, int64_t deadline,
                                        const struct fp_host *host) {
    const struct fp_attempt op = {look, nobody_else, r};
    enum fp_status s = FP_TIMED_OUT;
    while (s == FP_TIMED_OUT && r->delay > 0) {
        const int64_t begin = fp_now();
        int64_t span = r->delay, end;
        if (r->clock != &fp_system_clock && span > OTHER_CLOCK_SLICE)
            span = OTHER_CLOCK_SLICE;
        end = begin < deadline - span ? begin + span : deadline;
        s = fp_wait(&r->g->timer, &op, end, host);
        if (s == FP_TIMED_OUT && deadline != FP_FOREVER && fp_now() >= deadline)
            break; /* only another clock can come so late */
    }
    if (r->delay == 0)
        return FP_OK;
    if ((s == FP_TIMED_OUT || s == FP_INTERRUPTED || s == FP_FAILED) && !give_back(r) &&
        s == FP_TIMED_OUT)
        s = FP_OK;
    return s;
}

enum fp_status fp_gcra_acquire(struct fp_gcra *g, uint64_t n, int64_t deadline,
                               const struct fp_clock *clock, const struct fp_host *host) {
    struct reservation r = {g, clock, n, 0, 0};
    enum fp_status s = fp_lock_acquire_until(&g->turn, fp_thread_serial(), deadline, host);
    if (s == FP_OK) {
        do {
            s = reserve(&r, deadline);
            if (s == FP_OK)
                s = sleep_until_there(&r, deadline, host);
        } while (s == FP_CLOSED);
        fp_lock_release(&g->turn);
    }
    if (s == FP_OK)
        fp_u64_fetch_add_relaxed(&g->granted, n);
    else if (s == FP_TIMED_OUT)
        fp_u64_fetch_add_relaxed(&g->refused, 1);
    return s;
}

enum fp_status fp_gcra_delay(struct fp_gcra *g, uint64_t n, const struct fp_clock *clock,
                             int64_t *delay) {
    uint64_t used, x;
    int64_t now;
    enum fp_status s = observe(g, clock, &used, &now, &x);
    if (s != FP_OK)
        return s;
    used = used_after(g, used, x, n);
    *delay = (int64_t)(x - used) >= 0 ? 0 : time_until(g, now, used);
    return FP_OK;
}

enum fp_status fp_gcra_available(struct fp_gcra *g, const struct fp_clock *clock,
                                 uint64_t *tokens) {
    uint64_t used, x;
    int64_t now;
    enum fp_status s = observe(g, clock, &used, &now, &x);
    if (s != FP_OK)
        return s;
    int64_t left = (int64_t)(x - used_after(g, used, x, 0));
    *tokens = left > 0 ? (uint64_t)left >> g->scale : 0;
    return FP_OK;
}
