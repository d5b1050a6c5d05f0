/* fp_lock.h - a lock for containers whose operations may call back into the host (a comparison),
 * and that therefore cannot be lock-free.
 *
 * One word and an eventcount; waiting goes through fp_wait, so it can be interrupted. The lock
 * knows its owner, so re-entry is reported instead of hanging; and a forked child takes it over
 * from a thread that does not exist there.
 *
 * Contract: any thread. A thread suspended while holding the lock stops all others. */
#ifndef FP_LOCK_H
#define FP_LOCK_H

#include "base/fp_thread.h"
#include "wait/fp_event.h"
#include "wait/fp_wait.h"

struct fp_lock {
    fp_sync_u64 owner; /* serial number of the holder, 0: free */
    struct fp_event released;
};

void fp_lock_init(struct fp_lock *l);

/* Slow half of the next function. */
enum fp_status fp__lock_wait(struct fp_lock *l, uint64_t me, int64_t deadline,
                             const struct fp_host *host);

/* FP_OK; FP_REENTERED: the caller holds it already; FP_TIMED_OUT; FP_INTERRUPTED. Acquire: pairs
 * with the release. */
static inline enum fp_status fp_lock_acquire_until(struct fp_lock *l, uint64_t me, int64_t deadline,
                                                   const struct fp_host *host) {
    uint64_t nobody = 0;
    if (FP_LIKELY(fp_sync_u64_cas_seq_cst(&l->owner, &nobody, me)))
        return FP_OK;
    return fp__lock_wait(l, me, deadline, host);
}

/* The same without a time-out. */
static inline enum fp_status fp_lock_acquire(struct fp_lock *l, uint64_t me,
                                             const struct fp_host *host) {
    return fp_lock_acquire_until(l, me, FP_FOREVER, host);
}

static inline void fp_lock_release(struct fp_lock *l) {
    /* Release half: publishes what was changed. Seq_cst: the waiters' pairing (fp_event.h). */
    fp_sync_u64_store_seq_cst(&l->owner, 0);
    fp_event_notify(&l->released);
}

#endif
