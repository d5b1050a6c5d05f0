/* fp_listener.h - waiting for an event without a thread that sleeps: an event loop, say, that goes
 * on with other work, and wants to be told.
 *
 * A listener is a node that its owner embeds. The event (fp_event.h) keeps it in a list, in the
 * order of their coming, until a notification takes it off and calls `notify`, or the owner takes
 * it back. Whoever takes it off under the list's lock decides which of the two it was.
 *
 * No lost wake-up, as for threads: the owner lists the node, looks at the structure once more, and
 * waits only if there is still nothing. The first node to enter an empty list changes the event's
 * word, so the argument of fp_event.h holds. Any later node enters under the same lock after that:
 * a notifier that saw no waiter in the word had changed the structure before the first node came,
 * and the look of the later node comes later still.
 *
 * A turn. A node that was chosen has a turn: there may be no other notification for that change.
 * Its owner tries the operation, and then does one of these:
 *
 *   it succeeded               if there is more, and others wait, it notifies the next
 *   there was nothing          it lists the node again, in front: others came later
 *   it does not want any more  it notifies, so that the next waiter gets the turn
 *
 * `notify` answers whether the owner is going to do so. If not (its loop is closed, its thread has
 * ended), the notifier goes on to the next listener.
 *
 * Fork: the child has none of the parent's listeners. The first use of the list there empties it
 * without touching the nodes.
 *
 * Contract: any thread, but one thread at a time for each node. A node is listed only while it is
 * in no list: neither in an event's nor in that of its hub (fp_hub.h). */
#ifndef FP_LISTENER_H
#define FP_LISTENER_H

#include "wait/fp_event.h"

enum fp_listener_place {
    FP_LISTENER_IDLE,
    FP_LISTENER_LISTED, /* in the list of `event` */
    FP_LISTENER_CHOSEN  /* taken off by a notifier; until the owner sets it to IDLE */
};

struct fp_listener {
    struct fp_listener *next, *previous; /* in the event's list: a ring; under its lock */
    fp_sync_u64 place;                   /* changes from and to LISTED under that lock */
    struct fp_event *event;              /* on which it was listed last; the owner's */
    uint64_t process;                    /* number of forks before it was listed; the owner's */
    /* Called by the notifier, after the list's lock was released. Must not wait, nor notify. The
     * node passes to it: the owner may use the node again once `notify` has made that known. */
    bool (*notify)(struct fp_listener *l);
    void *context; /* for `notify` */
    void *owner; /* the host's */
};

/* Lists a node: as the last one, or as the first. The caller then looks at the structure again. */
void fp_event_listen(struct fp_event *e, struct fp_listener *l, bool in_front);

/* Takes the node off the list. False: it is in no list of this process; if its place is CHOSEN, it
 * has a turn. */
bool fp_event_unlisten(struct fp_listener *l);

/* Takes all nodes off without notifying anybody: nobody can use the structure any more. Returns the
 * first one, linked by `next`. */
struct fp_listener *fp_event_drop_listeners(struct fp_event *e);

/* Only while no other thread runs (a garbage collection). */
int fp_event_visit_listeners(struct fp_event *e, int (*fn)(struct fp_listener *l, void *arg),
                             void *arg);

static inline enum fp_listener_place fp_listener_place(struct fp_listener *l) {
    /* Acquire: pairs with the hub's release; the node is not in its list any more. */
    return (enum fp_listener_place)fp_sync_u64_load_acquire(&l->place);
}

#endif
