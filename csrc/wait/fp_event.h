/* fp_event.h - an eventcount: lets threads sleep until "something may have changed", without a
 * lock around what changes.
 *
 * The structure stays lock-free; the event only carries the news. A waiter announces itself, looks
 * at the structure once more, and sleeps only if no news came since the announcement. A notifier
 * changes the structure, then looks whether a waiter is announced.
 *
 * All of it is one 64-bit word:
 *
 *      bits 0-31   epoch      the futex word; each notification adds one
 *      bit  32     signalled  a notification was sent, and no waiter has left since
 *      bit  33     asleep     a waiter has asked the kernel to sleep, since there was one
 *      bits 34-43  process    number of forks that led to this process, modulo 1024
 *      bits 44-63  waiters    threads announced and not yet left
 *
 * No lost wake-up. Waiter: RMW(word), then a seq_cst load in the structure. Notifier: seq_cst
 * write in the structure, then a seq_cst load of the word. All four are in the single total order,
 * so at least one of the two loads sees the other side's write. If the notifier sees the waiter, it
 * raises the epoch, and the kernel (which compares under its own lock) refuses to let the waiter
 * sleep on the old one.
 *
 * Light notifiers (fp_fence.h). Where light stores change the structure, the notifier's load of the
 * word is light, too. The waiter puts a heavy fence between its announcement and its look at the
 * structure (fp_wait.c), so again at least one side sees the other. A waiter that only watches does
 * without the fence, since it does not sleep. It looks a second time some moments later; missing
 * the news even then costs it the rest of its watch.
 *
 * At most one notification is under way at a time (`signalled`): a producer that puts a thousand
 * items before the consumer gets a processor makes one system call, not a thousand. That is safe
 * because a waiter that leaves clears the bit and then tries the operation; if it succeeds and
 * there is more, it notifies the next waiter (fp_wait.c). Invariant: `signalled` implies that at
 * least one announced waiter is bound to leave: it has been woken, or its epoch is stale. A waiter
 * that leaves for another reason (time-out, signal) clears the bit too; that costs at most a
 * superfluous wake.
 *
 * Announcement and epoch must be one atomic step. With two words, a waiter that has announced
 * itself but not yet read the epoch could read the epoch that was raised for it, and sleep through
 * its own wake-up.
 *
 * A waiter watches the word for a moment before it sleeps (`watch`), yielding its processor all the
 * while: an answer that takes a microsecond should not cost two system calls. The waiter sets
 * `asleep` when it gives up watching; a notifier that finds the bit clear need not call the kernel.
 * If the notification comes first, the kernel refuses the sleep, since the epoch differs. The last
 * waiter to leave clears the bit.
 *
 * Listeners (fp_listener.h) wait without a thread: a notification takes the first one off the
 * event's list and calls it. As long as the list is not empty, it counts as one waiter of the word;
 * so a notifier needs no further load to learn that nobody waits. The notifier ends the
 * announcement on behalf of the listener that it takes; no thread's wake-up depends on what
 * listeners do. If threads wait, too, one of them is woken as well, whether or not the event is
 * signalled.
 *
 * Fork copies the word but not the sleepers. A word that carries another process's number counts as
 * one without waiters and flags; the first change in the child makes it so.
 *
 * Progress: the functions that do not sleep are lock-free: a swap fails only because another thread
 * entered, left or notified. So nothing here can stop a non-blocking operation, as long as there is
 * no listener; a short lock guards their list. A notifier that is
 * suspended between its swap and the system call delays the sleepers until it runs again.
 */
#ifndef FP_EVENT_H
#define FP_EVENT_H

#include "base/fp_atomic.h"
#include "base/fp_park.h"

struct fp_event {
    fp_sync_u64 word;
    fp_sync_u64 waits;   /* announcements, for statistics */
    fp_sync_u64 misses;  /* watches without news since the last with news; for fp_wait.c */
    fp_sync_u64 repeats; /* with FP_PLAIN: grows with each notification while one is under way */
    fp_sync_u64 listening; /* the lock of the list of listeners; see fp_event.c */
    fp_sync_u64 first;     /* address of the first listener; 0: there is none */
    bool light;            /* the structure is changed by light stores; never changes */
};

#define FP_EVENT_SIGNALLED ((uint64_t)1 << 32)
#define FP_EVENT_ASLEEP ((uint64_t)1 << 33)
#define FP_EVENT_PROCESS ((uint64_t)0x3ff << 34)
#define FP_EVENT_WAITER ((uint64_t)1 << 44)

struct fp_listener;

void fp_event_init(struct fp_event *e);

/* `light`: the answer of fp_fence_prepare. For fp_event_notify_light. */
void fp_event_init_light(struct fp_event *e, bool light);

/* Slow halves of the two functions below. */
void fp_event_send(struct fp_event *e);
void fp_event_send_all(struct fp_event *e);

/* Announced threads, including those that fork left behind. Seq_cst: the notifier's half of the
 * store-load pairing described above. */
static inline uint32_t fp_event_waiters(struct fp_event *e) {
    return (uint32_t)(fp_sync_u64_load_seq_cst(&e->word) >> 44);
}

/* Only a hint: whether a notification is likely to go to a listener. */
static inline bool fp_event_has_listeners(struct fp_event *e) {
    return fp_sync_u64_load_relaxed(&e->first) != 0;
}

/* Differs from an earlier answer if the notifier has gone on. Only a sign of life: relaxed. */
static inline uint64_t fp_event_repeats(struct fp_event *e) {
    return fp_sync_u64_load_relaxed(&e->repeats);
}

/* To be called after a seq_cst write has changed the structure. */
static inline void fp_event_notify(struct fp_event *e) {
    if (FP_UNLIKELY(fp_event_waiters(e) != 0))
        fp_event_send(e);
}

/* The same after a light store. */
static inline void fp_event_notify_light(struct fp_event *e, bool light) {
    if (FP_UNLIKELY(fp_sync_u64_load_light(&e->word, light) >= FP_EVENT_WAITER))
        fp_event_send(e);
}

static inline void fp_event_notify_all(struct fp_event *e) {
    if (FP_UNLIKELY(fp_event_waiters(e) != 0))
        fp_event_send_all(e);
}

/* Announces the caller. Returns the key for the next functions. The caller then looks at the
 * structure again. */
uint64_t fp_event_enter(struct fp_event *e);

/* Watches for at most `ns` nanoseconds, and only while no other thread waits. True: news came. */
bool fp_event_watch(struct fp_event *e, uint64_t key, int64_t ns);

/* Sleeps until there is news later than `key`; answers as fp_park does. */
enum fp_status fp_event_sleep(struct fp_event *e, uint64_t key, int64_t deadline);

/* Ends the announcement, whatever the reason. The caller then tries the operation again: it may be
 * the thread that was signalled. */
void fp_event_leave(struct fp_event *e, uint64_t key);

#endif
