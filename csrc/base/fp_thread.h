/* fp_thread.h - a number for each thread that no other thread, living or dead, ever has.
 *
 * Thread identifiers of the system are reused as soon as a thread ends; these are not, so what is
 * owned by a thread that is gone never passes to a stranger by accident. In a forked child all
 * threads but the forking one are gone, and that can be told. */
#ifndef FP_THREAD_H
#define FP_THREAD_H

#include "base/fp_atomic.h"

#if defined(_MSC_VER)
#define FP_THREAD_LOCAL __declspec(thread)
#elif defined(__GLIBC__) && !defined(FP_NO_INITIAL_EXEC)
/* One register-relative load instead of a call; glibc keeps room for it in loaded modules. */
#define FP_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) _Thread_local
#else
#define FP_THREAD_LOCAL _Thread_local
#endif

extern FP_THREAD_LOCAL uint64_t fp__thread_serial;
uint64_t fp__thread_draw(void);

/* 1 or more. */
static inline uint64_t fp_thread_serial(void) {
    uint64_t mine = fp__thread_serial;
    return FP_LIKELY(mine != 0) ? mine : fp__thread_draw();
}

/* How many forks led from the process that loaded this to the present one. Counted from the first
 * call of fp_thread_watch_forks (or fp_thread_serial) on. */
uint64_t fp_thread_forks(void);
void fp_thread_watch_forks(void);

/* Was it a thread of the parent that fork did not bring along? (False for a thread that merely
 * ended: nobody tells us.) */
bool fp_thread_lost_by_fork(uint64_t serial);

#endif
