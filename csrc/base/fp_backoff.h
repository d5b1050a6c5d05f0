/* fp_backoff.h - what a thread does between two attempts: pause, then "yield or park now".
 *
 * Non-blocking operations only pause: their retries are caused by others' progress. */
#ifndef FP_BACKOFF_H
#define FP_BACKOFF_H

#include "base/fp_config.h"
#include "base/fp_park.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

static inline void fp_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ __volatile__("pause");
#elif defined(__aarch64__)
    __asm__ __volatile__("isb"); /* `yield` is a no-op on most cores */
#elif defined(_MSC_VER)
    _mm_pause();
#endif
}

/* For loops that watch: the thread watched may be next in line for this very processor. */
static inline void fp_give_way(void) {
    for (int turn = 0; turn < 4; turn++)
        fp_pause();
    fp_yield();
}

/* Starts at zero. */
struct fp_backoff {
    unsigned round;
};

/* Pauses for 1, 2, 4, … 64 turns. False once the longest pause has been used: a thread that waits
 * for another should yield (fp_yield) or park now; one that is only losing races keeps calling. */
static inline bool fp_backoff_pause(struct fp_backoff *b) {
    unsigned turns = 1U << b->round;
    for (unsigned i = 0; i < turns; i++)
        fp_pause();
    if (b->round == 6)
        return false;
    b->round++;
    return true;
}

#endif
