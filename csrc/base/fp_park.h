/* fp_park.h - sleeping on a 32-bit word, and the clock that deadlines refer to.
 *
 * Linux: futex. Windows: WaitOnAddress. Elsewhere: a table of mutexes and condition variables,
 * which wake by themselves every 50 ms so that the host can look for signals. */
#ifndef FP_PARK_H
#define FP_PARK_H

#include "base/fp_config.h"

#include <string.h>

#define FP_FOREVER INT64_MAX

/* Nanoseconds of the monotonic clock. */
int64_t fp_now(void);

/* Sleeps while *word == expected. FP_OK: the thread was woken, or the word differs, or the wake-up
 * was spurious; the caller looks again in each case. FP_TIMED_OUT: `deadline` (fp_now's clock) has
 * passed. FP_INTERRUPTED: a signal arrived, or it is time to look for one. */
enum fp_status fp_park(const void *word, uint32_t expected, int64_t deadline);

/* Of a 64-bit word, the 32 bits that can be parked on: the lower ones. */
static inline const void *fp_parking_half(const void *word) {
    const uint32_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return (const char *)word + (first ? 0 : 4);
}

void fp_unpark_one(const void *word);
void fp_unpark_all(const void *word);

#if defined(__linux__)
/* The same for a word that several processes map. fp_unpark_shared wakes at most `count` sleepers
 * and returns how many it woke. */
enum fp_status fp_park_shared(const void *word, uint32_t expected, int64_t deadline);
int fp_unpark_shared(const void *word, int count);
#endif

/* Lets another thread have this processor, if one wants it. */
void fp_yield(void);

/* Sleeps for that long, which is less than a second; a signal may end the sleep early. */
void fp_nap(int64_t nanos);

/* Processors this process may run on (at least 1). */
unsigned fp_cpu_count(void);

/* "futex", "WaitOnAddress" or "condition variable". */
const char *fp_park_name(void);

#endif
