/* fp_event.c - see fp_event.h for the protocol and why it loses no wake-up. */
#include "wait/fp_event.h"

#include "base/fp_backoff.h"
#include "base/fp_thread.h"

#include <string.h>

static const void *futex_word(struct fp_event *e) {
    const uint32_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return (const char *)&e->word + (first ? 0 : 4); /* the half that holds the epoch */
}

static uint64_t this_process(void) { return (fp_thread_forks() << 34) & FP_EVENT_PROCESS; }

/* The word as it counts in this process. */
static uint64_t valid(uint64_t word) {
    uint64_t process = this_process();
    return (word & FP_EVENT_PROCESS) == process ? word : ((uint32_t)word | process);
}

static uint64_t next_epoch(uint64_t word) {
    return (word & ~(uint64_t)UINT32_MAX) | (uint32_t)(word + 1);
}

void fp_event_init(struct fp_event *e) { fp_event_init_light(e, false); }

void fp_event_init_light(struct fp_event *e, bool light) {
    e->light = light;
    fp_sync_u64_store_relaxed(&e->word, 0);
    fp_sync_u64_store_relaxed(&e->waits, 0);
    fp_sync_u64_store_relaxed(&e->misses, 0);
    fp_sync_u64_store_relaxed(&e->repeats, 0);
}

/* Raises the epoch, unless nobody waits or `unless` is set already. True: somebody may sleep. */
static bool raise_epoch(struct fp_event *e, uint64_t unless) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), now, next;
    /* Who was signalled before need not see a light store that came before this look; if it gives
     * up, and others sleep, nobody would tell them. An exchange is a fence: it sees it when it has
     * left. (One alone looks again, behind a heavy fence, before it sleeps.) */
    if (e->light && word >= 2 * FP_EVENT_WAITER)
        word = fp_sync_u64_fetch_or_seq_cst(&e->word, 0);
    do {
        now = valid(word);
        next = next_epoch(now) | FP_EVENT_SIGNALLED;
        if (now < FP_EVENT_WAITER)
            next = now; /* nobody; what fork left behind goes */
        else if (now & unless) {
            if (FP_PLAIN) /* one thread at a time, or else a count is lost: no harm */
                fp_sync_u64_store_relaxed(&e->repeats, fp_event_repeats(e) + 1);
            return false;
        }
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next));
    FP_STEP();
    return next != now && (now & FP_EVENT_ASLEEP);
}

FP_NOINLINE void fp_event_send(struct fp_event *e) {
    if (raise_epoch(e, FP_EVENT_SIGNALLED))
        fp_unpark_one(futex_word(e));
}

FP_NOINLINE void fp_event_send_all(struct fp_event *e) {
    if (raise_epoch(e, 0))
        fp_unpark_all(futex_word(e));
}

uint64_t fp_event_enter(struct fp_event *e) {
    fp_thread_watch_forks();
    fp_sync_u64_fetch_add_relaxed(&e->waits, 1);
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), next;
    do {
        next = valid(word) + FP_EVENT_WAITER;
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next));
    return next;
}

bool fp_event_watch(struct fp_event *e, uint64_t key, int64_t ns) {
    int64_t end = fp_now() + ns;
    do {
        uint64_t word = fp_sync_u64_load_seq_cst(&e->word);
        if ((uint32_t)word != (uint32_t)key)
            return true;
        if (word >= 2 * FP_EVENT_WAITER)
            return false;
        fp_give_way();
    } while (fp_now() < end);
    return false;
}

enum fp_status fp_event_sleep(struct fp_event *e, uint64_t key, int64_t deadline) {
    uint64_t word = fp_sync_u64_fetch_or_seq_cst(&e->word, FP_EVENT_ASLEEP);
    FP_STEP();
    if ((uint32_t)word != (uint32_t)key)
        return FP_OK;
    return fp_park(futex_word(e), (uint32_t)key, deadline);
}

void fp_event_leave(struct fp_event *e, uint64_t key) {
    if ((key & FP_EVENT_PROCESS) != this_process())
        return; /* the operation itself forked, and this is the child: not announced here */
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), left;
    do {
        FP_STEP();
        left = (word - FP_EVENT_WAITER) & ~FP_EVENT_SIGNALLED;
        if (left < FP_EVENT_WAITER)
            left &= ~FP_EVENT_ASLEEP;
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, left));
}
