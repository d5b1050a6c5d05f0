/* fp_shm_event.c - see fp_shm_event.h. */
#if defined(__linux__)
#include "shm/fp_shm_event.h"

#include <limits.h>

/* The half that holds the epoch. */
static const void *futex_word(struct fp_shm_event *b) { return fp_parking_half(&b->word); }

/* The next epoch, with the bit or without it. */
static uint64_t next(uint64_t word, uint64_t heeded) { return (uint32_t)(word + 1) | heeded; }

/* Raises the epoch; *word is then the new word. False: no waiter heeds the bell any more. */
static bool raise_epoch(struct fp_shm_event *b, uint64_t *word, uint64_t heeded) {
    *word = fp_sync_u64_load_seq_cst(&b->word);
    do {
        if (!(*word & FP_SHM_EVENT_HEEDED))
            return false;
    } while (!fp_sync_u64_cas_seq_cst(&b->word, word, next(*word, heeded)));
    *word = next(*word, heeded);
    FP_STEP();
    return true;
}

FP_NOINLINE void fp__shm_event_notify(struct fp_shm_event *b) {
    uint64_t word;
    if (!raise_epoch(b, &word, FP_SHM_EVENT_HEEDED) || fp_unpark_shared(futex_word(b), 1) != 0)
        return;
    /* No waiter slept. If this swap fails, another ringer has rung and takes care of the bit. */
    fp_sync_u64_cas_seq_cst(&b->word, &word, next(word, 0));
    FP_STEP();
}

FP_NOINLINE void fp__shm_event_notify_all(struct fp_shm_event *b) {
    uint64_t word;
    if (raise_epoch(b, &word, 0))
        fp_unpark_shared(futex_word(b), INT_MAX);
}

enum fp_status fp_shm_event_sleep(struct fp_shm_event *b, uint32_t key, int64_t deadline) {
    return fp_park_shared(futex_word(b), key, deadline);
}

#else
/* An empty file is not C. */
typedef int fp_shm_event_is_for_linux;
#endif
