/* fp_event.c - see fp_event.h for the protocol and why it loses no wake-up. */
#include "fp_event.h"

#include <string.h>

static const void *futex_word(struct fp_event *e) {
    const uint32_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return (const char *)&e->word + (first ? 0 : 4); /* the half that holds the epoch */
}

static uint64_t next_epoch(uint64_t word) {
    return (word & ~(uint64_t)UINT32_MAX) | (uint32_t)(word + 1);
}

void fp_event_init(struct fp_event *e) {
    fp_sync_u64_store_relaxed(&e->word, 0);
    fp_sync_u64_store_relaxed(&e->waits, 0);
}

FP_NOINLINE void fp_event_send(struct fp_event *e) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word);
    do {
        if (word < FP_EVENT_WAITER || (word & FP_EVENT_SIGNALLED))
            return;
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next_epoch(word) | FP_EVENT_SIGNALLED));
    FP_STEP();
    fp_unpark_one(futex_word(e));
}

FP_NOINLINE void fp_event_send_all(struct fp_event *e) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word);
    do {
        if (word < FP_EVENT_WAITER)
            return;
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next_epoch(word) | FP_EVENT_SIGNALLED));
    FP_STEP();
    fp_unpark_all(futex_word(e));
}

uint32_t fp_event_enter(struct fp_event *e) {
    fp_sync_u64_fetch_add_relaxed(&e->waits, 1);
    return (uint32_t)fp_sync_u64_fetch_add_seq_cst(&e->word, FP_EVENT_WAITER);
}

enum fp_status fp_event_sleep(struct fp_event *e, uint32_t key, int64_t deadline) {
    return fp_park(futex_word(e), key, deadline);
}

void fp_event_leave(struct fp_event *e) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word);
    while (!fp_sync_u64_cas_seq_cst(&e->word, &word,
                                    (word - FP_EVENT_WAITER) & ~FP_EVENT_SIGNALLED))
        FP_STEP();
}
