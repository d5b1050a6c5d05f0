/* fp_event.c - see fp_event.h for the protocol and why it loses no wake-up. */
#include "wait/fp_event.h"

#include "base/fp_backoff.h"
#include "base/fp_fence.h"
#include "base/fp_thread.h"
#include "wait/fp_listener.h"

/* The half that holds the epoch. */
static const void *futex_word(struct fp_event *e) { return fp_parking_half(&e->word); }

static uint64_t this_process(void) { return (fp_thread_forks() << 34) & FP_EVENT_PROCESS; }

/* The word as this process has to read it: without what belongs to another process. */
static uint64_t valid(uint64_t word) {
    uint64_t process = this_process();
    return (word & FP_EVENT_PROCESS) == process ? word : ((uint32_t)word | process);
}

static uint64_t next_epoch(uint64_t word) {
    return (word & ~(uint64_t)UINT32_MAX) | (uint32_t)(word + 1);
}

/* One waiter more: a thread, or the list of listeners. Returns the word after that. */
static uint64_t announce(struct fp_event *e) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), next;
    do {
        next = valid(word) + FP_EVENT_WAITER;
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next));
    return next;
}

/* One waiter less. */
static void withdraw(struct fp_event *e) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), left;
    do {
        FP_STEP();
        left = (word - FP_EVENT_WAITER) & ~FP_EVENT_SIGNALLED;
        if (left < FP_EVENT_WAITER)
            left &= ~FP_EVENT_ASLEEP;
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, left));
}

void fp_event_init(struct fp_event *e) { fp_event_init_light(e, false); }

void fp_event_init_light(struct fp_event *e, bool light) {
    e->light = light;
    fp_sync_u64_store_relaxed(&e->word, 0);
    fp_sync_u64_store_relaxed(&e->waits, 0);
    fp_sync_u64_store_relaxed(&e->misses, 0);
    fp_sync_u64_store_relaxed(&e->repeats, 0);
    fp_sync_u64_store_relaxed(&e->listening, 0);
    fp_sync_u64_store_relaxed(&e->first, 0);
}

/* Listeners. -----------------------------------------------------------------------------------
 *
 * The lock of the list is a word: bit 0 is set while it is held; the others have the number of
 * forks before it was last taken. A thread that a fork left behind may have held it. */

static void lock_list(struct fp_event *e) {
    uint64_t mine = fp_thread_forks() << 1, seen = fp_sync_u64_load_relaxed(&e->listening);
    struct fp_backoff backoff = {0};
    for (;;) {
        if (seen == (mine | 1)) {
            if (!fp_backoff_pause(&backoff))
                fp_yield();
            seen = fp_sync_u64_load_relaxed(&e->listening);
            continue;
        }
        FP_STEP();
        /* Acquire half: pairs with unlock_list. */
        if (fp_sync_u64_cas_seq_cst(&e->listening, &seen, mine | 1))
            break;
    }
    if (seen >> 1 != mine >> 1)
        fp_sync_u64_store_relaxed(&e->first, 0); /* the parent's */
}

static void unlock_list(struct fp_event *e) {
    /* Release: pairs with lock_list. */
    fp_sync_u64_store_release(&e->listening, fp_thread_forks() << 1);
}

static struct fp_listener *first_listener(struct fp_event *e) {
    /* Seq_cst: comes after the notifier's load of the word, which it explains. */
    return (struct fp_listener *)(uintptr_t)fp_sync_u64_load_seq_cst(&e->first);
}

static void set_first(struct fp_event *e, struct fp_listener *l) {
    fp_sync_u64_store_seq_cst(&e->first, (uintptr_t)l);
}

/* Under the lock. */
static void take_off(struct fp_event *e, struct fp_listener *l, enum fp_listener_place place) {
    if (l->next == l) {
        set_first(e, NULL);
        withdraw(e);
    } else {
        l->previous->next = l->next;
        l->next->previous = l->previous;
        if (first_listener(e) == l)
            set_first(e, l->next);
    }
    fp_sync_u64_store_relaxed(&l->place, place);
}

void fp_event_listen(struct fp_event *e, struct fp_listener *l, bool in_front) {
    fp_thread_watch_forks();
    fp_sync_u64_fetch_add_relaxed(&e->waits, 1);
    l->event = e;
    l->process = fp_thread_forks();
    lock_list(e);
    struct fp_listener *first = first_listener(e);
    if (first == NULL) {
        l->next = l->previous = l;
    } else {
        l->next = first;
        l->previous = first->previous;
        first->previous->next = l;
        first->previous = l;
    }
    fp_sync_u64_store_relaxed(&l->place, FP_LISTENER_LISTED);
    if (first == NULL || in_front)
        set_first(e, l);
    FP_STEP();
    if (first == NULL)
        announce(e); /* after `first`: a notifier that sees the one sees the other */
    FP_STEP();
    unlock_list(e);
    if (e->light)
        fp_fence_heavy(); /* as in fp_wait */
}

bool fp_event_unlisten(struct fp_listener *l) {
    struct fp_event *e = l->event;
    if (fp_sync_u64_load_relaxed(&l->place) != FP_LISTENER_LISTED ||
        l->process != fp_thread_forks())
        return false;
    lock_list(e);
    bool listed = fp_sync_u64_load_relaxed(&l->place) == FP_LISTENER_LISTED;
    if (listed)
        take_off(e, l, FP_LISTENER_IDLE);
    FP_STEP();
    unlock_list(e);
    return listed;
}

int fp_event_visit_listeners(struct fp_event *e, int (*fn)(struct fp_listener *l, void *arg),
                             void *arg) {
    struct fp_listener *first = first_listener(e), *l = first;
    if (first == NULL || fp_sync_u64_load_relaxed(&e->listening) >> 1 != fp_thread_forks())
        return 0;
    do {
        int answer = fn(l, arg);
        if (answer != 0)
            return answer;
        l = l->next;
    } while (l != first);
    return 0;
}

/* Notifying. ----------------------------------------------------------------------------------- */

/* Raises the epoch if a thread waits and `unless` is not set yet. True: a thread may sleep.
 * `others` is FP_EVENT_WAITER if the list of listeners is counted in the word, and stays so
 * meanwhile. */
static inline bool raise_epoch(struct fp_event *e, uint64_t unless, uint64_t others) {
    uint64_t word = fp_sync_u64_load_seq_cst(&e->word), now, next;
    /* A waiter that was signalled before may miss a light store that came before this load. If it
     * then gives up while others sleep, no notification would reach them. The read-modify-write is
     * a fence: the waiter sees the store if it leaves later, and has cleared the bit if it left
     * before. (A lone waiter looks again, behind a heavy fence, before it sleeps.) */
    if (e->light && word >= 2 * FP_EVENT_WAITER)
        word = fp_sync_u64_fetch_or_seq_cst(&e->word, 0);
    do {
        now = valid(word);
        next = next_epoch(now) | FP_EVENT_SIGNALLED;
        if (now < FP_EVENT_WAITER)
            next = now; /* no waiter; drops what fork left behind */
        else if (now < FP_EVENT_WAITER + others)
            return false;
        else if (now & unless) {
            if (FP_PLAIN) /* one thread at a time as a rule; a lost count does no harm */
                fp_sync_u64_store_relaxed(&e->repeats, fp_event_repeats(e) + 1);
            return false;
        }
        FP_STEP();
    } while (!fp_sync_u64_cas_seq_cst(&e->word, &word, next));
    FP_STEP();
    return next != now && (now & FP_EVENT_ASLEEP);
}

/* Takes the first listener off, and signals a thread. The epoch is raised even if the event is
 * signalled: a notifier that found the list empty may have taken a listener, which came since, for
 * a thread. Then no thread is bound to clear the bit; but it is clear once the list is empty. */
static struct fp_listener *choose(struct fp_event *e, bool *wake) {
    lock_list(e);
    struct fp_listener *l = first_listener(e);
    if (l != NULL)
        take_off(e, l, FP_LISTENER_CHOSEN);
    FP_STEP();
    *wake = raise_epoch(e, l == NULL ? FP_EVENT_SIGNALLED : 0,
                        first_listener(e) == NULL ? 0 : FP_EVENT_WAITER);
    unlock_list(e);
    return l;
}

static void wake_one(struct fp_event *e) { fp_unpark_one(futex_word(e)); }

static FP_NOINLINE void send_to_listener(struct fp_event *e) {
    struct fp_listener *chosen;
    do {
        bool wake;
        chosen = choose(e, &wake);
        if (wake)
            wake_one(e);
        FP_STEP();
    } while (chosen != NULL && !chosen->notify(chosen));
}

FP_NOINLINE void fp_event_send(struct fp_event *e) {
    if (FP_UNLIKELY(first_listener(e) != NULL))
        send_to_listener(e);
    else if (raise_epoch(e, FP_EVENT_SIGNALLED, 0))
        wake_one(e);
}

struct fp_listener *fp_event_drop_listeners(struct fp_event *e) {
    if (first_listener(e) == NULL)
        return NULL;
    lock_list(e);
    struct fp_listener *first = first_listener(e);
    if (first != NULL) {
        first->previous->next = NULL;
        for (struct fp_listener *l = first; l != NULL; l = l->next)
            fp_sync_u64_store_relaxed(&l->place, FP_LISTENER_CHOSEN);
        set_first(e, NULL);
        withdraw(e);
    }
    unlock_list(e);
    return first;
}

FP_NOINLINE void fp_event_send_all(struct fp_event *e) {
    struct fp_listener *chosen = fp_event_drop_listeners(e);
    if (raise_epoch(e, 0, 0))
        fp_unpark_all(futex_word(e));
    while (chosen != NULL) {
        struct fp_listener *next = chosen->next;
        chosen->notify(chosen);
        chosen = next;
    }
}

uint64_t fp_event_enter(struct fp_event *e) {
    fp_thread_watch_forks();
    fp_sync_u64_fetch_add_relaxed(&e->waits, 1);
    return announce(e);
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
    /* Otherwise the operation itself forked, and this is the child: it is not announced here. */
    if ((key & FP_EVENT_PROCESS) == this_process())
        withdraw(e);
}
