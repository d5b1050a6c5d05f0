/* fp_config.h - what the compiler and the target offer; included first by every file.
 *
 * Compile-time parameters (-D):
 *   FP_CACHELINE   bytes between words that different threads write. 128 covers the adjacent-line
 *                  prefetcher of x86-64 and the 128-byte lines of Apple's cores. 16 packs the
 *                  words together, for measuring what the padding is worth.
 *   FP_PLAIN       1: structures of this build are only touched under one lock (the GIL), so their
 *                  accesses compile to plain loads and stores. 0: C11 atomics. See fp_atomic.h.
 *   FP_CAS16       0 switches the 16-byte compare-and-swap off, to test the fallback.
 */
#ifndef FP_CONFIG_H
#define FP_CONFIG_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FP_CACHELINE
#define FP_CACHELINE 128
#endif
_Static_assert(FP_CACHELINE >= 16 && (FP_CACHELINE & (FP_CACHELINE - 1)) == 0,
               "FP_CACHELINE must be a power of two, 16 or more");

#ifndef FP_PLAIN
#define FP_PLAIN 0
#endif

/* Starts a group of fields that one side writes. */
#define FP_LINE alignas(FP_CACHELINE)

#ifndef FP_CAS16
#if FP_PLAIN
#define FP_CAS16 1 /* two plain stores: nobody looks between them */
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#define FP_CAS16 1 /* x86-64 with -mcx16; aarch64 */
#elif defined(__aarch64__) && defined(__GNUC__)
#define FP_CAS16 1
#else
#define FP_CAS16 0
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define FP_LIKELY(x) __builtin_expect(!!(x), 1)
#define FP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FP_NOINLINE __attribute__((noinline))
/* Brings a line near; any address will do. */
#define FP_FETCH_TO_READ(p) __builtin_prefetch((p), 0)
#define FP_FETCH_TO_WRITE(p) __builtin_prefetch((p), 1)
#else
#define FP_LIKELY(x) (x)
#define FP_UNLIKELY(x) (x)
#define FP_NOINLINE
#define FP_FETCH_TO_READ(p) ((void)(p))
#define FP_FETCH_TO_WRITE(p) ((void)(p))
#endif

/* What every operation answers. */
enum fp_status {
    FP_OK = 0,
    FP_FULL,        /* no room now */
    FP_EMPTY,       /* no item now */
    FP_CLOSED,      /* shut down; for a get: and drained */
    FP_NOT_OWNER,   /* the role belongs to another thread (SPSC) */
    FP_NO_MEMORY,
    FP_TIMED_OUT,
    FP_INTERRUPTED, /* the host has an exception or a signal to deliver */
    FP_BUSY,        /* another thread holds what this one needs: wait */
    FP_FAILED,      /* a callback of the host failed; nothing was changed */
    FP_TOO_LARGE,   /* can never fit */
    FP_DAMAGED,     /* shared memory holds what nobody wrote by the rules */
    FP_MOVED,       /* the items are, or are about to be, in another container: go there */
    FP_NOT_YET,     /* what a wait is for has not come about */
    FP_RETRY,       /* another thread was first: look again */
    FP_REENTERED    /* this thread is inside the same operation already */
};

#endif
