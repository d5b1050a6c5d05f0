/* fp_lock.c - see fp_lock.h. */
#include "wait/fp_lock.h"

struct request {
    struct fp_lock *lock;
    uint64_t me;
};

static enum fp_status attempt(void *arg) {
    struct request *q = arg;
    uint64_t owner = fp_sync_u64_load_seq_cst(&q->lock->owner);
    if (owner != 0 && !fp_thread_lost_by_fork(owner))
        return FP_BUSY;
    return fp_sync_u64_cas_seq_cst(&q->lock->owner, &owner, q->me) ? FP_OK : FP_BUSY;
}

/* The release will notify. */
static bool never(void *arg) {
    (void)arg;
    return false;
}

void fp_lock_init(struct fp_lock *l) {
    fp_sync_u64_store_relaxed(&l->owner, 0);
    fp_event_init(&l->released);
}

FP_NOINLINE enum fp_status fp__lock_wait(struct fp_lock *l, uint64_t me, int64_t deadline,
                                         const struct fp_host *host) {
    if (fp_sync_u64_load_relaxed(&l->owner) == me)
        return FP_REENTERED;
    struct request q = {l, me};
    const struct fp_attempt op = {attempt, never, &q};
    return fp_wait(&l->released, &op, deadline, host);
}
