/* fp_shm_event.h - lets threads of several processes sleep until "something may have changed",
 * where any of them may be killed at any point.
 *
 * fp_event.h counts those who wait; a count that a killed process has raised stays wrong for ever.
 * Here one bit says that somebody may wait, and whoever finds nobody clears it:
 *
 *      bits 0-31   epoch    the futex word; each ring adds one
 *      bit  32     heeded   somebody may be waiting
 *
 *   wait   set `heeded`, which tells the epoch; look at the structure once more; sleep while the
 *          epoch is that one
 *   ring   change the structure; if heeded, raise the epoch and wake one sleeper. If there was
 * none, clear the bit and raise the epoch again, so that one who had set the bit and was not asleep
 * yet does not go to sleep on it
 *
 * No lost wake-up, for the reason given in fp_event.h: the waiter's fetch-or and its look, the
 * ringer's change and its load of the word are seq_cst, so not both miss the other.
 *
 * Death. A waiter that dies leaves the bit set: the next ring finds nobody and clears it; a wake-up
 * that it had received and not used is lost. A ringer that dies between its change and the wake has
 * changed something that nobody was told of. For both, nobody sleeps for longer than
 * FP_SHM_EVENT_SLICE without another look: that is the detection time.
 *
 * Whoever was woken and leaves more behind than it took rings again. Linux only.
 */
#ifndef FP_SHM_EVENT_H
#define FP_SHM_EVENT_H

#include "base/fp_atomic.h"
#include "base/fp_park.h"

struct fp_shm_event {
    fp_sync_u64 word; /* starts as 0 */
};

#define FP_SHM_EVENT_HEEDED ((uint64_t)1 << 32)
#define FP_SHM_EVENT_SLICE ((int64_t)50 * 1000000) /* nanoseconds */

/* Slow halves of the next two. */
void fp__shm_event_notify(struct fp_shm_event *b);
void fp__shm_event_notify_all(struct fp_shm_event *b);

/* To be called after the structure was changed, with a seq_cst write. Seq_cst: the ringer's half of
 * the pairing. */
static inline bool fp_shm_event_has_waiters(struct fp_shm_event *b) {
    return (fp_sync_u64_load_seq_cst(&b->word) & FP_SHM_EVENT_HEEDED) != 0;
}

static inline void fp_shm_event_notify(struct fp_shm_event *b) {
    if (FP_UNLIKELY(fp_shm_event_has_waiters(b)))
        fp__shm_event_notify(b);
}

static inline void fp_shm_event_notify_all(struct fp_shm_event *b) {
    if (FP_UNLIKELY(fp_shm_event_has_waiters(b)))
        fp__shm_event_notify_all(b);
}

/* Announces a waiter; the answer is the key for the next function. After it, look again. */
static inline uint32_t fp_shm_event_prepare(struct fp_shm_event *b) {
    return (uint32_t)fp_sync_u64_fetch_or_seq_cst(&b->word, FP_SHM_EVENT_HEEDED);
}

/* Sleeps until a ring that came after the key, or `deadline`; answers as fp_park does. */
enum fp_status fp_shm_event_sleep(struct fp_shm_event *b, uint32_t key, int64_t deadline);

#endif
