/* fp_hub.h - how notifiers in any thread tell an event loop, or a thread that waits for several
 * events at once, which of its listeners are due.
 *
 * A loop has one hub for all events. Notifiers push chosen listeners on a stack; the loop takes all
 * of them at once. A file descriptor that the loop watches wakes it: an eventfd, or a pipe where
 * there is none. Only the notifier that finds the stack empty writes to it, so a loop that has been
 * told is not told again, however many listeners become due before it comes round.
 *
 * The loop clears the descriptor first and takes the stack afterwards. A notifier that finds the
 * stack empty pushed after the loop took it, and writes after that; so the loop comes round again.
 *
 * A thread's hub has a word in place of the descriptor, on which the thread parks (fp_hub_wait).
 * The word says whether it was rung since it was cleared, and whether the thread sleeps; so ringing
 * costs a system call only then. The rest is the same. A thread that does not wait at the moment is
 * AWAY, see below: what becomes due meanwhile stays in the stack, and the turns pass on.
 *
 * A thread may mark a hub as its own for a moment (fp_hub_own), and takes the stack at the end of
 * that moment. Meanwhile it does not write: calls within the loop cost no system call.
 *
 * Closing. A loop that is closed takes no listeners any more, and their turns must pass on. A
 * notifier pushes first and looks for FP_HUB_CLOSED afterwards; the closing thread sets that first
 * and takes the stack afterwards (all seq_cst). So one of the two sees the listener, and passes the
 * turn on; if both do, the second notification is superfluous. FP_HUB_AWAY is the same for a loop
 * that may run again: its thread has ended.
 *
 * The closing thread waits for the notifiers at work before it closes the descriptor, so none
 * writes to a descriptor that belongs to another file by then: a notifier counts itself first and
 * looks for FP_HUB_CLOSED afterwards, the closing thread sets that first and looks at the count
 * afterwards.
 *
 * Contract: fp_hub_notify: any thread. Everything else: the loop's thread (that which waits), or
 * alone. Lock-free. */
#ifndef FP_HUB_H
#define FP_HUB_H

#include "wait/fp_listener.h"
#include "wait/fp_wait.h"

struct fp_hub {
    fp_sync_u64 due;   /* address of the listener that was pushed last; 0: none */
    fp_sync_u64 users; /* notifiers at work, and 1 for the owner while the hub is open */
    fp_sync_u64 state; /* of the bits below */
    uint64_t process; /* number of forks before it was opened */
    int read_fd, write_fd; /* -1: a thread's */
    fp_sync_u64 bell;      /* a thread's: enum fp_bell in the half that it parks on */
};

enum fp_bell { FP_BELL_SILENT, FP_BELL_RUNG, FP_BELL_ASLEEP };

#define FP_HUB_CLOSED ((uint64_t)1)
#define FP_HUB_AWAY ((uint64_t)2)

/* FP_FAILED: the system has no descriptor for it; errno says why. */
enum fp_status fp_hub_open(struct fp_hub *h);

/* A thread's. It is AWAY. */
void fp_hub_open_for_thread(struct fp_hub *h);

/* Waits until a listener of the thread's hub is due; FP_TIMED_OUT, FP_INTERRUPTED: as fp_wait. */
enum fp_status fp_hub_wait(struct fp_hub *h, int64_t deadline, const struct fp_host *host);

/* The `notify` of listeners whose `context` is a hub. False: the loop will not run, as far as is
 * known. */
bool fp_hub_notify(struct fp_listener *l);

/* Clears the descriptor, or the word. */
void fp_hub_clear(struct fp_hub *h);

/* Takes the listeners that are due, linked by `next` in the order of their coming. Each remains
 * CHOSEN until fp_hub_return. */
struct fp_listener *fp_hub_take(struct fp_hub *h);

/* Gives the node back to its owner. */
static inline void fp_hub_return(struct fp_listener *l) {
    /* Release: pairs with fp_listener_place. */
    fp_sync_u64_store_release(&l->place, FP_LISTENER_IDLE);
}

/* The calling thread's own hub from now on; NULL: none. */
void fp_hub_own(struct fp_hub *h);

static inline bool fp_hub_has_due(struct fp_hub *h) {
    return fp_sync_u64_load_relaxed(&h->due) != 0; /* the caller takes what it pushed itself */
}

/* The loop has no thread any more, or has one again; the thread does not wait any more, or does. In
 * the first case the caller then takes what is due. */
void fp_hub_set_away(struct fp_hub *h, bool away);

static inline uint64_t fp_hub_state(struct fp_hub *h) {
    return fp_sync_u64_load_seq_cst(&h->state);
}

/* Closed, once and for all. The caller then takes what is due. */
void fp_hub_close(struct fp_hub *h);

/* Before the memory is freed: waits until no notifier uses it. */
void fp_hub_end(struct fp_hub *h);

/* Only while no other thread runs. */
int fp_hub_visit(struct fp_hub *h, int (*fn)(struct fp_listener *l, void *arg), void *arg);

#endif
