/* fp_spsc.h - FIFO ring of fixed capacity between one producer thread and one consumer thread.
 * Wait-free: each operation is a bounded number of steps.
 *
 * Lamport's ring with the refinement of Rigtorp and of FastForward's family: each side keeps a
 * private copy of the other side's index and looks at the real one only when the copy says full
 * (or empty), so in steady state the two sides touch each other's line once per lap, not once per
 * item.
 *
 *   put   writes the slot, then stores tail; then looks for waiters, and whether the ring is closed
 *   get   reads the slot, then stores head; then looks for waiters
 *
 * Store, then look: the stores are light ones, and the fence that this takes is on the other side
 * (fp_fence.h), with who is about to sleep (fp_event.h), and with who closes:
 *
 *   close     end: 0 -> CLOSING; heavy fence; load tail; end: CLOSING -> CLOSED | tail
 *   put       store tail; load end: 0: done. Otherwise it finishes the closing, as if it were its
 *             own, and its item is in the ring if it lies before the end
 *   get       load tail; load end: 0: the items before tail are in the ring. Otherwise it finishes
 *             the closing, and those before the end are
 *
 * Closing takes effect when `end` is decided, by one swap, and is exact: a put either precedes it,
 * and its item is delivered, or fails. A put that found 0 stored its tail before the heavy fence,
 * and a get that found 0 loaded its tail before it, so whoever decides loads no smaller tail, and
 * neither has to come back. (Fences of several that finish the closing: each has seen CLOSING
 * before its own.) Who is suspended while it closes stops nobody.
 *
 * tail and head are positions: the lap in the upper bits, the index in the lower ones, as many as
 * hold capacity - 1. So a side stores one word for each item, besides the item.
 *
 * Roles. Two producers at once would corrupt the ring, so each role belongs to the first thread
 * that uses it, until that thread gives it back or a fork leaves it behind; another thread gets
 * FP_NOT_OWNER and no effect.
 *
 * Contract: put, put_many by the producer; get, get_many by the consumer; everything else by any
 * thread; init, destroy, visit alone.
 */
#ifndef FP_SPSC_H
#define FP_SPSC_H

#include "wait/fp_event.h"

#define FP_SPSC_CLOSED ((uint64_t)1 << 63)
#define FP_SPSC_CLOSING UINT64_MAX

struct fp_spsc {
    /* The producer's line. */
    FP_LINE fp_u64 tail; /* where the next item goes. What lies behind `end` is in nobody's ring */
    uint64_t head_seen; /* a value head had */
    /* The consumer's line. */
    FP_LINE fp_u64 head; /* where the next item is */
    uint64_t tail_seen; /* a value tail had, before the end */
    /* Read by both, written rarely. */
    FP_LINE uint64_t *slot;
    uint64_t capacity;
    uint64_t lap; /* between positions of one index: a power of two */
    bool light; /* the publications are light stores (fp_fence.h) */
    fp_u64 end; /* 0: open; FP_SPSC_CLOSING; FP_SPSC_CLOSED | position */
    fp_u64 producer, consumer; /* serial numbers of the owners (fp_thread.h), 0: nobody */
    fp_u64 discarding; /* once closed: the items left are not to be delivered */
    fp_u64 abandoned; /* once */
    /* Written by those who wait. */
    FP_LINE struct fp_event not_empty, not_full;
};

/* capacity >= 1. FP_OK or FP_NO_MEMORY. */
enum fp_status fp_spsc_init(struct fp_spsc *r, uint64_t capacity);

/* Frees the slots, not the items. */
void fp_spsc_destroy(struct fp_spsc *r);

/* `me`: the caller's serial number. FP_OK, FP_FULL, FP_CLOSED, FP_NOT_OWNER. */
enum fp_status fp_spsc_put(struct fp_spsc *r, uint64_t me, uint64_t item);

/* Stores as many as fit and publishes them at once. */
enum fp_status fp_spsc_put_many(struct fp_spsc *r, uint64_t me, const uint64_t *items, size_t count,
                                size_t *n);

/* FP_OK, FP_EMPTY, FP_CLOSED (drained or discarding), FP_NOT_OWNER. */
enum fp_status fp_spsc_get(struct fp_spsc *r, uint64_t me, uint64_t *item);
enum fp_status fp_spsc_get_many(struct fp_spsc *r, uint64_t me, uint64_t *items, size_t max,
                                size_t *n);

/* Takes items from a ring that is discarding (from another: nothing, FP_EMPTY). By the consumer,
 * or by anyone while nobody is: the role stays free. */
enum fp_status fp_spsc_discard(struct fp_spsc *r, uint64_t me, uint64_t *items, size_t max,
                               size_t *n);

/* The ring is closed and discarding. The consumer's role is free if the caller is `alone`, nobody
 * else having the ring nor getting it. Otherwise whoever got hold of it may be in the middle of a
 * get, with the role, and the role stays his. A get that begins from now on touches no slot, so it
 * is free when the host calls a second time: it has seen all threads outside of gets in between. */
void fp_spsc_abandon(struct fp_spsc *r, bool alone);

/* Gives a role back. FP_OK (also if nobody had it) or FP_NOT_OWNER. What the next owner does comes
 * after what this one did. `force` takes it from another thread: the caller knows, by means of its
 * own, that the owner has ended or will not use the ring again. */
enum fp_status fp_spsc_release_producer(struct fp_spsc *r, uint64_t me, bool force);
enum fp_status fp_spsc_release_consumer(struct fp_spsc *r, uint64_t me, bool force);

/* Puts fail from now on. discard: gets answer FP_CLOSED at once. */
void fp_spsc_close(struct fp_spsc *r, bool discard);
bool fp_spsc_is_closed(struct fp_spsc *r);

/* Items ever put and ever taken, as fp_segq_count; never more apart than the capacity. */
void fp_spsc_count(struct fp_spsc *r, uint64_t *puts, uint64_t *gets);

int fp_spsc_visit(struct fp_spsc *r, int (*fn)(uint64_t item, void *arg), void *arg);

size_t fp_spsc_memory(struct fp_spsc *r);

#endif
