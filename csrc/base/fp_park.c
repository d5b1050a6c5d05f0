/* fp_park.c - see fp_park.h. The only file that talks to the operating system's scheduler. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/fp_park.h"

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

int64_t fp_now(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    int64_t seconds = count.QuadPart / frequency.QuadPart;
    int64_t rest = count.QuadPart % frequency.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

/* In slices: Windows delivers no EINTR, so the host looks for Ctrl-C between two of them. */
enum fp_status fp_park(const void *word, uint32_t expected, int64_t deadline) {
    const int64_t slice = 50 * 1000000;
    int64_t left = deadline == FP_FOREVER ? slice : deadline - fp_now();
    if (left <= 0)
        return FP_TIMED_OUT;
    DWORD ms = (DWORD)(((left < slice ? left : slice) + 999999) / 1000000);
    if (WaitOnAddress((volatile VOID *)word, &expected, sizeof expected, ms))
        return FP_OK;
    return deadline != FP_FOREVER && fp_now() >= deadline ? FP_TIMED_OUT : FP_INTERRUPTED;
}

void fp_yield(void) { SwitchToThread(); }
void fp_nap(int64_t nanos) { Sleep((DWORD)((nanos + 999999) / 1000000)); }

void fp_unpark_one(const void *word) { WakeByAddressSingle((PVOID)word); }
void fp_unpark_all(const void *word) { WakeByAddressAll((PVOID)word); }

unsigned fp_cpu_count(void) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors ? info.dwNumberOfProcessors : 1;
}

const char *fp_park_name(void) { return "WaitOnAddress"; }

#else

#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

void fp_yield(void) { sched_yield(); }
void fp_nap(int64_t nanos) { nanosleep(&(struct timespec){.tv_nsec = nanos}, NULL); }

int64_t fp_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#if defined(__linux__)

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

/* `scope`: FUTEX_PRIVATE_FLAG, or 0 for a word that several processes map. */
static enum fp_status park(const void *word, uint32_t expected, int64_t deadline, int scope) {
    struct timespec at, *limit = NULL;
    if (deadline != FP_FOREVER) {
        at.tv_sec = (time_t)(deadline / 1000000000);
        at.tv_nsec = (long)(deadline % 1000000000);
        limit = &at;
    }
    /* WAIT_BITSET rather than WAIT: its time-out is a point in time, so a retry cannot drift. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | scope, expected, limit, NULL,
                FUTEX_BITSET_MATCH_ANY) == 0)
        return FP_OK;
    switch (errno) {
    case ETIMEDOUT:
        return FP_TIMED_OUT;
    case EINTR:
        return FP_INTERRUPTED;
    default:
        return FP_OK; /* EAGAIN: the word differs */
    }
}

enum fp_status fp_park(const void *word, uint32_t expected, int64_t deadline) {
    return park(word, expected, deadline, FUTEX_PRIVATE_FLAG);
}

enum fp_status fp_park_shared(const void *word, uint32_t expected, int64_t deadline) {
    return park(word, expected, deadline, 0);
}

int fp_unpark_shared(const void *word, int count) {
    return (int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

void fp_unpark_one(const void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

void fp_unpark_all(const void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

unsigned fp_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        return n > 0 ? (unsigned)n : 1;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

const char *fp_park_name(void) { return "futex"; }

#else

#include <pthread.h>

/* Words hash to a bucket; a wake rouses the whole bucket, and each sleeper looks at its word.
 * Process-wide state: the table, which fork copies; a child's buckets may be left locked by a
 * parent's thread only if that thread was inside the few lines below. */
enum { BUCKETS = 64 };
static struct bucket {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
} table[BUCKETS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_table(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_init(&table[i].mutex, NULL);
        pthread_cond_init(&table[i].cond, &attributes);
    }
    pthread_condattr_destroy(&attributes);
}

/* Waits for `ns` nanoseconds at most, by a clock that nobody sets. */
static int wait_for(struct bucket *b, int64_t ns) {
#if defined(__APPLE__)
    struct timespec span = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    return pthread_cond_timedwait_relative_np(&b->cond, &b->mutex, &span);
#else
    int64_t end = fp_now() + ns;
    struct timespec at = {(time_t)(end / 1000000000), (long)(end % 1000000000)};
    return pthread_cond_timedwait(&b->cond, &b->mutex, &at);
#endif
}

static struct bucket *bucket_of(const void *word) {
    pthread_once(&once, init_table);
    return &table[((uintptr_t)word >> 6) % BUCKETS];
}

enum fp_status fp_park(const void *word, uint32_t expected, int64_t deadline) {
    const int64_t slice = 50 * 1000000;
    struct bucket *b = bucket_of(word);
    int64_t left = deadline == FP_FOREVER ? slice : deadline - fp_now();
    if (left <= 0)
        return FP_TIMED_OUT;
    if (left > slice)
        left = slice;
    int rc = 0;
    pthread_mutex_lock(&b->mutex);
    if (*(const volatile uint32_t *)word == expected)
        rc = wait_for(b, left);
    pthread_mutex_unlock(&b->mutex);
    if (rc != ETIMEDOUT)
        return FP_OK;
    return deadline != FP_FOREVER && fp_now() >= deadline ? FP_TIMED_OUT : FP_INTERRUPTED;
}

void fp_unpark_all(const void *word) {
    struct bucket *b = bucket_of(word);
    pthread_mutex_lock(&b->mutex);
    pthread_cond_broadcast(&b->cond);
    pthread_mutex_unlock(&b->mutex);
}

void fp_unpark_one(const void *word) { fp_unpark_all(word); }

unsigned fp_cpu_count(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

const char *fp_park_name(void) { return "condition variable"; }

#endif
#endif
