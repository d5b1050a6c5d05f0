/* fp_glance.h - what time it is, within a few microseconds, for half the price of the clock.
 *
 * Reading the monotonic clock costs 25 ns, reading the processor's counter of ticks 10. A glance is
 * the counter alone: each thread remembers an anchor, one reading of both, and the clock now is the
 * anchor's time plus the ticks since. The answer is a pair of bounds, early <= clock <= late:
 *
 *      estimate = anchor + ticks since then * nanoseconds per tick
 *      bounds   = estimate -/+ (1 us, for the anchor and for instructions that change places,
 *                               + 1/64 of the time since the anchor)
 *
 * and an anchor serves for 2^17 ticks (50 us at 2.6 GHz, 131 us at 1 GHz, the slowest that is
 * used). So the bounds are at most 7 us apart, and nothing is carried from one anchor to the next:
 * there is no drift. The 64th part is for the rate: that was measured over 10 ms or more, and the
 * system may let its clock go faster or slower to correct it.
 *
 * The counter is not believed blindly. It is used only if it is what the kernel itself reads for
 * its clock (Linux on x86-64, clock source "tsc"), so it is the same on all processors and does not
 * change its pace. Each new anchor is compared with what the old one predicts; if it is outside of
 * the bounds, the counter isn't looked at any more until the rate has been measured anew. A counter
 * that jumps, because the machine slept or moved, is past the 2^17 ticks. Where there is no such
 * counter the bounds are equal: a reading of the clock. So they are at each new anchor, too.
 *
 * State: a thread-local anchor, and the rate, which any thread may set. */
#ifndef FP_GLANCE_H
#define FP_GLANCE_H

#include "base/fp_park.h"
#include "base/fp_thread.h"

#ifndef FP_GLANCES
#if defined(__linux__) && defined(__x86_64__) && defined(__GNUC__)
#define FP_GLANCES 1
#else
#define FP_GLANCES 0
#endif
#endif

/* Bounds of what fp_now() would say. */
struct fp_glance {
    int64_t early, late;
};

enum { FP__ANCHOR_TICKS = 1 << 17, FP__GLANCE_SLACK = 1000, FP__GLANCE_PART = 64 };

struct fp__anchor {
    uint64_t scale; /* nanoseconds per tick, times 2^32; 0: there is no anchor */
    uint64_t ticks;
    int64_t now;
    uint64_t first_ticks; /* where measuring the rate began; 0: nowhere */
    int64_t first_now;
};

extern FP_THREAD_LOCAL struct fp__anchor fp__anchor;

/* A reading of the clock, and a new anchor if possible. */
int64_t fp__glance_anchor(void);

static inline struct fp_glance fp_glance(void) {
    struct fp_glance g;
#if FP_GLANCES
    const struct fp__anchor *a = &fp__anchor;
    if (FP_LIKELY(a->scale != 0)) {
        uint64_t since = __builtin_ia32_rdtsc() - a->ticks;
        if (FP_LIKELY(since < FP__ANCHOR_TICKS)) {
            int64_t passed = (int64_t)(since * a->scale >> 32);
            int64_t margin = FP__GLANCE_SLACK + passed / FP__GLANCE_PART;
            g.early = a->now + passed - margin;
            g.late = a->now + passed + margin;
            return g;
        }
    }
    g.early = g.late = fp__glance_anchor();
#else
    g.early = g.late = fp_now();
#endif
    return g;
}

#endif
