/* fp_gcra.h - rate limiter in one word: the generic cell rate algorithm (GCRA, the ITU's I.371),
 * which is a token bucket without a timer that fills it.
 *
 * Think of the tokens as points on a line that time moves along: at `rate` tokens a second, now is
 * at position x. The word holds the position up to which tokens have been used. Taking n tokens
 *
 *      used = max(used, x - burst) + n      allowed if that is not beyond x
 *
 * is one compare-and-swap. How far `used` lies behind x is what is available, `burst` at most.
 *
 * Exact. Positions are counted in units of 2^-k tokens, with k such that a unit lasts between half
 * a nanosecond and one. So a token is a whole number of units, and x follows from the clock's
 * absolute reading by one multiplication with the rate: all its 53 bits, divided by 10^9, to 64
 * bits behind the point. That is the true position, rounded down to a unit; the last of the 64 bits
 * is rounded up, which in the 292 years that a clock of 64 bits has adds up to half a unit. Nothing
 * that was rounded is ever accumulated, so there is no drift: after any time t, burst + rate t
 * tokens can have been had, and no more.
 *
 * The system's clock is not read if a glance at the time (fp_glance.h) is enough: tokens are there
 * if they are at the earliest that it may be, and are not if they are not at the latest. If the
 * bucket may be full, it is as of the latest: of the tokens that are given next, none comes early,
 * and none later than the glance is wide. Otherwise `used` depends on no clock.
 *
 * Modulo 2^64. Only differences of positions are used, so the word may run over; that takes 136
 * years of the clock or more. A jump by as much may count as one in the other direction, and 292
 * years after the first reading the positions jump themselves, once.
 *
 * The clock may jump. Forwards: the bucket is full, no more than that. Backwards: used > x + burst
 * tells, since no more than `burst` are ever taken in advance; then `used` is set to x: empty.
 * A smaller step back delays the next tokens by as much. For that test, each attempt reads the word
 * first and the clock after it: then whoever wrote the word had read the clock before, and only a
 * jump can make it look as if it came from the future.
 *
 * acquire waits in the order in which threads get the turn (a lock): the one at the front takes its
 * tokens in advance and sleeps until x has come there, so that try_acquire cannot starve it. There
 * is never more than one such reservation, hence whoever gives up hands its tokens back exactly, by
 * a compare-and-swap of the word that nobody has moved since; if somebody has, x had come there
 * already.
 *
 * Contract: any thread beside any other; init alone. try is lock-free: a swap fails only because
 * another thread took tokens. A thread suspended in acquire stops other acquires, not try. */
#ifndef FP_GCRA_H
#define FP_GCRA_H

#include "base/fp_glance.h"
#include "wait/fp_lock.h"

/* Reads the clock, in nanoseconds. False: it failed, and the host has something to raise. */
struct fp_clock {
    bool (*read)(void *arg, int64_t *now);
    void *arg;
};

/* The monotonic clock of fp_park.h. */
extern const struct fp_clock fp_system_clock;

struct fp_gcra {
    FP_LINE fp_u64 used;
    fp_u64 granted, refused; /* tokens; calls. For statistics */
    /* Units per nanosecond: `whole` + `part` / 2^64. Constant, as all below. */
    uint64_t whole, part;
    uint64_t depth; /* burst, in units */
    unsigned scale; /* a token is 2^scale units */
    int64_t origin; /* the clock's reading at position 0 */
    struct fp_lock turn;
    struct fp_event timer; /* slept on by who has the turn; never notified */
};

/* FP_OK; FP_FAILED: rate or burst are out of range (see the next two), or burst / rate is more than
 * 2^61 nanoseconds. `now`: a reading of the clock that will be used. The bucket is full. */
#define FP_GCRA_LEAST_RATE 1e-9
#define FP_GCRA_MOST_RATE 1e9
enum fp_status fp_gcra_init(struct fp_gcra *g, double rate, uint64_t burst, int64_t now);

/* n: 1 .. burst, here and below. FP_OK; FP_FULL: not now, nothing was taken; FP_FAILED: the clock
 * failed. */
enum fp_status fp_gcra_try(struct fp_gcra *g, uint64_t n, const struct fp_clock *clock);

/* One attempt, `used` being what the word was just before and the clock between two readings.
 * FP_OK; FP_FULL: whatever the clock says in there, try would say so; FP_RETRY: that is not enough
 * to tell, or another thread changed the word. */
enum fp_status fp__gcra_try_between(struct fp_gcra *g, uint64_t n, uint64_t used,
                                    struct fp_glance between);

/* Waits until the tokens can be had, unless it is clear that they won't be before `deadline`
 * (fp_now's clock). FP_OK; FP_TIMED_OUT, FP_INTERRUPTED, FP_FAILED: none were taken; FP_REENTERED:
 * this thread is inside acquire already, in its clock. */
enum fp_status fp_gcra_acquire(struct fp_gcra *g, uint64_t n, int64_t deadline,
                               const struct fp_clock *clock, const struct fp_host *host);

/* Nanoseconds until n tokens could be had if nobody took any meanwhile. FP_OK or FP_FAILED. */
enum fp_status fp_gcra_delay(struct fp_gcra *g, uint64_t n, const struct fp_clock *clock,
                             int64_t *delay);

/* Whole tokens that are there now. FP_OK or FP_FAILED. */
enum fp_status fp_gcra_available(struct fp_gcra *g, const struct fp_clock *clock, uint64_t *tokens);

#endif
