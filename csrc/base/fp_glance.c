/* fp_glance.c - see fp_glance.h. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* O_CLOEXEC */
#endif
#include "base/fp_glance.h"

#if FP_GLANCES

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    BASE = 10 * 1000000, /* nanoseconds that a rate is measured over, at least */
    MOST_TICKS = 4096    /* that a reading of both may take, to be of use */
};

FP_THREAD_LOCAL struct fp__anchor fp__anchor;

static fp_sync_u64 rate;   /* as `scale`; 0: not known, or not to be used any more */
static fp_sync_u64 source; /* 0: not looked yet; 1: the kernel uses the counter; 2: it doesn't */

static bool kernel_uses_it(void) {
    uint64_t known = fp_sync_u64_load_relaxed(&source); /* whoever looks sees the same */
    if (known == 0) {
        static const char path[] =
            "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        char name[4] = "";
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            known = read(file, name, sizeof name) == 4 && memcmp(name, "tsc\n", 4) == 0 ? 1 : 2;
            close(file);
        } else {
            known = 2;
        }
        fp_sync_u64_store_relaxed(&source, known);
    }
    return known == 1;
}

/* Nanoseconds for that many ticks. */
static int64_t span(uint64_t ticks, uint64_t scale) {
    return (int64_t)(uint64_t)((unsigned __int128)ticks * scale >> 32);
}

/* Does the new reading agree with the old anchor? */
static bool as_predicted(const struct fp__anchor *a, uint64_t ticks, int64_t now) {
    int64_t passed = now - a->now, off = span(ticks - a->ticks, a->scale) - passed;
    int64_t margin = 2 * FP__GLANCE_SLACK + passed / FP__GLANCE_PART;
    return off >= -margin && off <= margin;
}

/* The rate, by this thread's first reading and this one; 0: it is too early to tell. */
static uint64_t measure(struct fp__anchor *a, uint64_t ticks, int64_t now) {
    if (a->first_ticks == 0 || ticks < a->first_ticks || now < a->first_now) {
        a->first_ticks = ticks;
        a->first_now = now;
        return 0;
    }
    if (now - a->first_now < BASE)
        return 0;
    uint64_t passed = ticks - a->first_ticks;
    a->first_ticks = 0;
    if (passed == 0)
        return 0;
    unsigned __int128 scale = ((unsigned __int128)(uint64_t)(now - a->first_now) << 32) / passed;
    return scale <= (uint64_t)1 << 32 ? (uint64_t)scale : 0; /* 1 GHz, or it is too coarse */
}

FP_NOINLINE int64_t fp__glance_anchor(void) {
    struct fp__anchor *a = &fp__anchor;
    const uint64_t before = __builtin_ia32_rdtsc();
    const int64_t now = fp_now();
    const uint64_t took = __builtin_ia32_rdtsc() - before;
    if (!kernel_uses_it())
        return now;
    uint64_t scale = fp_sync_u64_load_relaxed(&rate); /* a number, nothing else depends on it */
    if (a->scale != 0 && a->scale == scale && !as_predicted(a, before, now)) {
        fp_sync_u64_store_relaxed(&rate, 0);
        fp_sync_u64_store_relaxed(&source, 0); /* the kernel may have found out, too */
        scale = 0;
    }
    a->scale = 0;
    if (took > MOST_TICKS)
        return now; /* the thread lost its processor in between */
    if (scale == 0) {
        scale = measure(a, before, now);
        if (scale == 0)
            return now;
        fp_sync_u64_store_relaxed(&rate, scale);
    }
    if (span(took, scale) > FP__GLANCE_SLACK / 2)
        return now;
    a->ticks = before;
    a->now = now;
    a->scale = scale;
    return now;
}

#endif
