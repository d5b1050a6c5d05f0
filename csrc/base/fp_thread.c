/* fp_thread.c - see fp_thread.h. Process-wide state: the counter, and what a fork left behind. */
#include "base/fp_thread.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

FP_THREAD_LOCAL uint64_t fp__thread_serial = 0;

static fp_sync_u64 last_drawn;
static fp_sync_u64 fork_floor;    /* serials up to this one are the parent's … */
static fp_sync_u64 fork_survivor; /* … and gone, but for the thread that forked */
static fp_sync_u64 forks;

#if !defined(_WIN32)
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void) {
    fp_sync_u64_fetch_add_relaxed(&forks, 1);
    fp_sync_u64_store_relaxed(&fork_survivor, fp__thread_serial);
    fp_sync_u64_store_relaxed(&fork_floor, fp_sync_u64_load_relaxed(&last_drawn));
}

static void watch(void) { pthread_atfork(NULL, NULL, in_child); }

void fp_thread_watch_forks(void) { pthread_once(&once, watch); }
#else
void fp_thread_watch_forks(void) {}
#endif

uint64_t fp_thread_forks(void) { return fp_sync_u64_load_relaxed(&forks); }

FP_NOINLINE uint64_t fp__thread_draw(void) {
    fp_thread_watch_forks();
    fp__thread_serial = fp_sync_u64_fetch_add_relaxed(&last_drawn, 1) + 1;
    return fp__thread_serial;
}

bool fp_thread_lost_by_fork(uint64_t serial) {
    return serial != 0 && serial <= fp_sync_u64_load_relaxed(&fork_floor) &&
           serial != fp_sync_u64_load_relaxed(&fork_survivor);
}
