/* fp_atomic.h - the only user of compiler atomics, with the memory order in each name.
 *
 * Two families, because one source serves two kinds of build:
 *
 *   fp_u64, fp_ptr     words of the data structures. With FP_PLAIN=1 (a structure that is only
 *                      touched under the GIL) they are ordinary variables: an operation that never
 *                      gives up the GIL is atomic already, and an uncontended put+get pair costs a
 *                      tenth. With FP_PLAIN=0 they are C11 atomics.
 *   fp_sync_u64        always a C11 atomic: words that are also read without the GIL, or by the
 *                      kernel (the eventcount, locks, counters of the slow path).
 *
 * The header is also the seam for checkers: a model checker or an interleaving injector replaces
 * these functions and nothing else. FP_STEP() marks the points between two shared accesses at
 * which a test build may delay the thread; in other builds it is empty.
 *
 * A light store, and the light loads that follow it, are ordered by the heavy fences of other
 * threads (fp_fence.h): release and relaxed. With `light` false they are seq_cst.
 *
 * Naming: fp_<type>_<operation>_<order>. Compare-and-swap takes the expected value by address and
 * updates it on failure. A seq_cst one that fails is a seq_cst load, since a thread may go by that
 * load in a store-load pairing ("taken: then the owner sees my note"); it costs nothing on x86-64
 * and ARM64. A release one that fails is an acquire load.
 */
#ifndef FP_ATOMIC_H
#define FP_ATOMIC_H

#include "base/fp_config.h"
#include <stdatomic.h>

#ifdef FP_TEST_STEPS
void fp_test_step(void); /* supplied by the test program */
#define FP_STEP() fp_test_step()
#else
#define FP_STEP() ((void)0)
#endif

#define FP_ATOMIC_FAMILY(name, T)                                                                  \
    typedef _Atomic(T) fp_##name;                                                                  \
    static inline T fp_##name##_load_relaxed(fp_##name *p) {                                       \
        return atomic_load_explicit(p, memory_order_relaxed);                                      \
    }                                                                                              \
    static inline T fp_##name##_load_acquire(fp_##name *p) {                                       \
        return atomic_load_explicit(p, memory_order_acquire);                                      \
    }                                                                                              \
    static inline T fp_##name##_load_seq_cst(fp_##name *p) {                                       \
        return atomic_load_explicit(p, memory_order_seq_cst);                                      \
    }                                                                                              \
    static inline void fp_##name##_store_relaxed(fp_##name *p, T v) {                              \
        atomic_store_explicit(p, v, memory_order_relaxed);                                         \
    }                                                                                              \
    static inline void fp_##name##_store_release(fp_##name *p, T v) {                              \
        atomic_store_explicit(p, v, memory_order_release);                                         \
    }                                                                                              \
    static inline void fp_##name##_store_seq_cst(fp_##name *p, T v) {                              \
        atomic_store_explicit(p, v, memory_order_seq_cst);                                         \
    }                                                                                              \
    static inline T fp_##name##_load_light(fp_##name *p, bool light) {                             \
        return FP_LIKELY(light) ? fp_##name##_load_relaxed(p) : fp_##name##_load_seq_cst(p);       \
    }                                                                                              \
    static inline void fp_##name##_store_light(fp_##name *p, T v, bool light) {                    \
        if (FP_UNLIKELY(!light)) {                                                                 \
            fp_##name##_store_seq_cst(p, v);                                                       \
            return;                                                                                \
        }                                                                                          \
        fp_##name##_store_release(p, v);                                                           \
        atomic_signal_fence(memory_order_seq_cst); /* for the compiler */                          \
    }                                                                                              \
    static inline T fp_##name##_exchange_seq_cst(fp_##name *p, T v) {                              \
        return atomic_exchange_explicit(p, v, memory_order_seq_cst);                               \
    }                                                                                              \
    static inline bool fp_##name##_cas_release(fp_##name *p, T *expected, T v) {                   \
        return atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_release,       \
                                                       memory_order_acquire);                      \
    }                                                                                              \
    static inline bool fp_##name##_cas_seq_cst(fp_##name *p, T *expected, T v) {                   \
        return atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_seq_cst,       \
                                                       memory_order_seq_cst);                      \
    }

#define FP_ATOMIC_ARITHMETIC(name, T)                                                              \
    static inline T fp_##name##_fetch_add_relaxed(fp_##name *p, T v) {                             \
        return atomic_fetch_add_explicit(p, v, memory_order_relaxed);                              \
    }                                                                                              \
    static inline T fp_##name##_fetch_add_seq_cst(fp_##name *p, T v) {                             \
        return atomic_fetch_add_explicit(p, v, memory_order_seq_cst);                              \
    }                                                                                              \
    static inline T fp_##name##_fetch_or_seq_cst(fp_##name *p, T v) {                              \
        return atomic_fetch_or_explicit(p, v, memory_order_seq_cst);                               \
    }                                                                                              \
    static inline T fp_##name##_fetch_and_seq_cst(fp_##name *p, T v) {                             \
        return atomic_fetch_and_explicit(p, v, memory_order_seq_cst);                              \
    }                                                                                              \
    static inline T fp_##name##_fetch_xor_seq_cst(fp_##name *p, T v) {                             \
        return atomic_fetch_xor_explicit(p, v, memory_order_seq_cst);                              \
    }

FP_ATOMIC_FAMILY(sync_u64, uint64_t)
FP_ATOMIC_ARITHMETIC(sync_u64, uint64_t)

/* To be put between a light store of this thread and a load that must not come before it. */
static inline void fp_fence_seq_cst(void) {
#if defined(__SANITIZE_THREAD__)
    /* gcc's ThreadSanitizer does not understand fences. On x86 this addition is a fence. The
     * sanitizer derives no order from it, since no other thread sees the word. */
    fp_sync_u64 nobodys = 0;
    fp_sync_u64_fetch_add_seq_cst(&nobodys, 1);
#elif !FP_PLAIN
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#if FP_PLAIN

#define FP_PLAIN_FAMILY(name, T)                                                                   \
    typedef T fp_##name;                                                                           \
    static inline T fp_##name##_load_relaxed(fp_##name *p) { return *p; }                          \
    static inline T fp_##name##_load_acquire(fp_##name *p) { return *p; }                          \
    static inline T fp_##name##_load_seq_cst(fp_##name *p) { return *p; }                          \
    static inline void fp_##name##_store_relaxed(fp_##name *p, T v) { *p = v; }                    \
    static inline void fp_##name##_store_release(fp_##name *p, T v) { *p = v; }                    \
    static inline void fp_##name##_store_seq_cst(fp_##name *p, T v) { *p = v; }                    \
    static inline T fp_##name##_load_light(fp_##name *p, bool light) { return (void)light, *p; }   \
    static inline void fp_##name##_store_light(fp_##name *p, T v, bool light) {                    \
        (void)light;                                                                               \
        *p = v;                                                                                    \
    }                                                                                              \
    static inline T fp_##name##_exchange_seq_cst(fp_##name *p, T v) {                              \
        T old = *p;                                                                                \
        *p = v;                                                                                    \
        return old;                                                                                \
    }                                                                                              \
    static inline bool fp_##name##_cas_seq_cst(fp_##name *p, T *expected, T v) {                   \
        if (*p != *expected) {                                                                     \
            *expected = *p;                                                                        \
            return false;                                                                          \
        }                                                                                          \
        *p = v;                                                                                    \
        return true;                                                                               \
    }                                                                                              \
    static inline bool fp_##name##_cas_release(fp_##name *p, T *expected, T v) {                   \
        return fp_##name##_cas_seq_cst(p, expected, v);                                            \
    }

FP_PLAIN_FAMILY(u64, uint64_t)
FP_PLAIN_FAMILY(ptr, void *)

#define FP_PLAIN_FETCH(name, op)                                                                   \
    static inline uint64_t fp_u64_fetch_##name(fp_u64 *p, uint64_t v) {                            \
        uint64_t old = *p;                                                                         \
        *p = old op v;                                                                             \
        return old;                                                                                \
    }

FP_PLAIN_FETCH(add_relaxed, +)
FP_PLAIN_FETCH(add_seq_cst, +)
FP_PLAIN_FETCH(or_seq_cst, |)
FP_PLAIN_FETCH(and_seq_cst, &)
FP_PLAIN_FETCH(xor_seq_cst, ^)

#else

FP_ATOMIC_FAMILY(u64, uint64_t)
FP_ATOMIC_ARITHMETIC(u64, uint64_t)
FP_ATOMIC_FAMILY(ptr, void *)

#endif

/* Two words that are replaced together. Each word may also be loaded alone, and the stamp may be
 * replaced alone: the hardware keeps overlapping accesses of 8 and 16 aligned bytes coherent. */
struct fp_pair {
    alignas(16) fp_u64 value;
    fp_u64 stamp;
};

#if FP_CAS16
/* Sequentially consistent. False: the pair was not {value, stamp}. */
static inline bool fp_pair_cas_seq_cst(struct fp_pair *p, uint64_t value, uint64_t stamp,
                                       uint64_t new_value, uint64_t new_stamp) {
#if FP_PLAIN
    if (p->value != value || p->stamp != stamp)
        return false;
    p->value = new_value;
    p->stamp = new_stamp;
    return true;
#else
    typedef unsigned __int128 wide __attribute__((may_alias));
    union {
        uint64_t word[2]; /* in the order of memory, whatever the byte order */
        unsigned __int128 both;
    } old = {{value, stamp}}, new = {{new_value, new_stamp}};
    /* The __sync form is inlined as cmpxchg16b or casp; the __atomic form calls libatomic. */
    return __sync_bool_compare_and_swap((wide *)p, old.both, new.both);
#endif
}
#endif

#endif
