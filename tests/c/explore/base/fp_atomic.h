/* fp_atomic.h - stands in for csrc/base/fp_atomic.h: every access to a shared word is a plain
 * access that the scheduler of explore.c is asked for first. Memory orders do not exist here: what
 * is explored is sequential consistency; weaker orders are ThreadSanitizer's part.
 *
 * But for light stores (fp_fence.h), which may be late: others do not see one until its thread does
 * anything but load, or ends, or another thread's heavy fence comes. The storing thread itself
 * loads what it stored. That is what a store buffer (x86's, say) with room for one light store
 * does. It is assumed that a heavy fence is one step, at which every thread's late store is seen;
 * that the kernel lets the threads pass their fences one after the other makes no difference, since
 * a thread whose fence is still to come could as well have run before that step. */
#ifndef FP_ATOMIC_H
#define FP_ATOMIC_H

#include "base/fp_config.h"

/* Another thread may run before the access to `word`. */
void explore_access(const volatile void *word, const char *what);

/* As a store, but it may come late. */
void explore_store_late(uint64_t *word, uint64_t value);

/* Has the running thread stored to `word`, and is that still to come? Then what. */
bool explore_is_late(const volatile void *word, uint64_t *value);

/* The running thread's late store comes now. */
void explore_fence(void);
static inline void fp_fence_seq_cst(void) { explore_fence(); }

#define FP_STEP() ((void)0)

#define FP_SEAM_FAMILY(name, T)                                                                    \
    typedef T fp_##name;                                                                           \
    static inline T fp__##name##_get(fp_##name *p) {                                               \
        uint64_t late;                                                                             \
        explore_access(p, "load");                                                                 \
        return explore_is_late(p, &late) ? (T)late : *p;                                           \
    }                                                                                              \
    static inline void fp__##name##_set(fp_##name *p, T v) {                                       \
        explore_access(p, "store");                                                                \
        *p = v;                                                                                    \
    }                                                                                              \
    static inline T fp__##name##_swap(fp_##name *p, T v) {                                         \
        explore_access(p, "exchange");                                                             \
        T old = *p;                                                                                \
        *p = v;                                                                                    \
        return old;                                                                                \
    }                                                                                              \
    static inline bool fp__##name##_cas(fp_##name *p, T *expected, T v) {                          \
        explore_access(p, "cas");                                                                  \
        if (*p != *expected) {                                                                     \
            *expected = *p;                                                                        \
            return false;                                                                          \
        }                                                                                          \
        *p = v;                                                                                    \
        return true;                                                                               \
    }                                                                                              \
    static inline T fp_##name##_load_relaxed(fp_##name *p) { return fp__##name##_get(p); }         \
    static inline T fp_##name##_load_acquire(fp_##name *p) { return fp__##name##_get(p); }         \
    static inline T fp_##name##_load_seq_cst(fp_##name *p) { return fp__##name##_get(p); }         \
    static inline void fp_##name##_store_relaxed(fp_##name *p, T v) { fp__##name##_set(p, v); }    \
    static inline void fp_##name##_store_release(fp_##name *p, T v) { fp__##name##_set(p, v); }    \
    static inline void fp_##name##_store_seq_cst(fp_##name *p, T v) { fp__##name##_set(p, v); }    \
    static inline T fp_##name##_exchange_seq_cst(fp_##name *p, T v) {                              \
        return fp__##name##_swap(p, v);                                                            \
    }                                                                                              \
    static inline bool fp_##name##_cas_release(fp_##name *p, T *e, T v) {                          \
        return fp__##name##_cas(p, e, v);                                                          \
    }                                                                                              \
    static inline bool fp_##name##_cas_seq_cst(fp_##name *p, T *e, T v) {                          \
        return fp__##name##_cas(p, e, v);                                                          \
    }

#define FP_SEAM_ARITHMETIC(name, T)                                                                \
    static inline T fp_##name##_load_light(fp_##name *p, bool light) {                             \
        return (void)light, fp__##name##_get(p);                                                   \
    }                                                                                              \
    static inline void fp_##name##_store_light(fp_##name *p, T v, bool light) {                    \
        if (light)                                                                                 \
            explore_store_late(p, v);                                                              \
        else                                                                                       \
            fp__##name##_set(p, v);                                                                \
    }                                                                                              \
    static inline T fp_##name##_fetch_add_relaxed(fp_##name *p, T v) {                             \
        explore_access(p, "add");                                                                  \
        T old = *p;                                                                                \
        *p += v;                                                                                   \
        return old;                                                                                \
    }                                                                                              \
    static inline T fp_##name##_fetch_add_seq_cst(fp_##name *p, T v) {                             \
        return fp_##name##_fetch_add_relaxed(p, v);                                                \
    }                                                                                              \
    static inline T fp_##name##_fetch_or_seq_cst(fp_##name *p, T v) {                              \
        explore_access(p, "or");                                                                   \
        T old = *p;                                                                                \
        *p |= v;                                                                                   \
        return old;                                                                                \
    }                                                                                              \
    static inline T fp_##name##_fetch_and_seq_cst(fp_##name *p, T v) {                             \
        explore_access(p, "and");                                                                  \
        T old = *p;                                                                                \
        *p &= v;                                                                                   \
        return old;                                                                                \
    }                                                                                              \
    static inline T fp_##name##_fetch_xor_seq_cst(fp_##name *p, T v) {                             \
        explore_access(p, "xor");                                                                  \
        T old = *p;                                                                                \
        *p ^= v;                                                                                   \
        return old;                                                                                \
    }

FP_SEAM_FAMILY(sync_u64, uint64_t)
FP_SEAM_ARITHMETIC(sync_u64, uint64_t)
FP_SEAM_FAMILY(u64, uint64_t)
FP_SEAM_ARITHMETIC(u64, uint64_t)
FP_SEAM_FAMILY(ptr, void *)

struct fp_pair {
    alignas(16) fp_u64 value;
    fp_u64 stamp;
};

#if FP_CAS16
static inline bool fp_pair_cas_seq_cst(struct fp_pair *p, uint64_t value, uint64_t stamp,
                                       uint64_t new_value, uint64_t new_stamp) {
    explore_access(p, "cas16");
    if (p->value != value || p->stamp != stamp)
        return false;
    p->value = new_value;
    p->stamp = new_stamp;
    return true;
}
#endif

#endif
