/* fp_segq.h - FIFO queue for any number of producers and consumers: unbounded, or with an exact
 * bound that may change at any time. Lock-free.
 *
 * A list of segments, each an array of slots that are used once: vacant, then an item, for ever.
 * Because no slot is reused there is no ABA, eight bytes hold a slot, and a single-word
 * compare-and-swap decides each operation:
 *
 *   put   finds the first vacant slot and swaps the item in (vacant -> item). That slot is the
 *         linearization point. `enq` in the segment only hints where to start looking: it is never
 *         beyond the first vacant slot, may lag, and may move backwards.
 *   get   reads the item at `deq`, then swaps deq -> deq + 1. Whoever wins owns the item. Taking
 *         writes no slot, so it does not take the producers' lines away, and one swap takes a
 *         whole batch.
 *
 * Invariant: slots are filled in order, so the filled slots of the list are a prefix, and `deq`
 * never passes its end. Hence
 *   empty  the slot at deq was vacant when it was loaded, so no later one was filled;
 *   full   with t = a position that was the first vacant one, and h = the head read after it: at
 *          the moment of that read at least t - h items were in the queue. The answer is given
 *          only if t - h >= limit, so it was true at that moment; and a put at t succeeds only
 *          while t is the first vacant slot, with a head that is at least h: the bound is exact;
 *   closed a marker is put like an item, in the first vacant slot (or in the link, if the segment
 *          is full): nothing can be put behind it, everything before it can be taken. A put
 *          either precedes the closing, and its item is delivered, or fails.
 *   moved  the same with a marker of its own, and then the head is frozen: a bit in `deq`, which
 *          makes every swap of it fail. Between the two, puts are told to go elsewhere, and gets go
 *          on; the freezing is the one instant at which the queue ends here, with all its items,
 *          for whoever moves them.
 *
 * Why not the fetch-and-add array queue: its tickets cannot be handed back, so it has no exact
 * bound, and a get that meets an unfinished put spoils that slot.
 *
 * Reclamation: a segment is unlinked when every slot was taken and the tail has left it; a thread
 * that may still look at it has pinned an epoch (fp_epoch.h).
 *
 * Contract, any thread beside any other: put, put_many, force, trim, get, get_many, close,
 * set_limit, move, count, bytes. Alone only: init, destroy, visit; end_move, for the mover. Put and
 * get are lock-free: an attempt is repeated only because another operation succeeded. A thread
 * suspended at any point stops nobody; its walk from a lagging hint is at most one segment.
 *
 * Items are 64-bit handles greater than FP_SEGQ_MOVED_CLOSED.
 */
#ifndef FP_SEGQ_H
#define FP_SEGQ_H

#include "wait/fp_event.h"

#define FP_SEGQ_VACANT 0u
#define FP_SEGQ_CLOSED 1u
#define FP_SEGQ_MOVED 2u
#define FP_SEGQ_MOVED_CLOSED 3u /* it was closed before */

struct fp_segq {
    FP_LINE fp_ptr tail; /* the segment with the first vacant slot, or one before it */
    fp_u64 head_seen;    /* a position the head has reached: lets a put skip the head's line */
    FP_LINE fp_ptr head; /* the segment with the first item not taken, or one before it */
    FP_LINE fp_u64 limit;
    struct fp_event not_empty, not_full;
};

/* limit: FP_UNBOUNDED (fp_queue.h) at most. FP_OK or FP_NO_MEMORY. */
enum fp_status fp_segq_init(struct fp_segq *q, uint64_t limit);

/* Frees the segments, not the items: drain it before. */
void fp_segq_destroy(struct fp_segq *q);

/* FP_OK, FP_FULL, FP_CLOSED, FP_MOVED, FP_NO_MEMORY. */
enum fp_status fp_segq_put(struct fp_segq *q, uint64_t item);

/* Puts up to n items one after the other (others' items may come between). *done counts; anything
 * but FP_OK is why it stopped. */
enum fp_status fp_segq_put_many(struct fp_segq *q, const uint64_t *items, size_t n, size_t *done);

/* As put, but never FP_FULL: the item is put even if there is no room. The caller has to trim
 * before it does anything else; fp_channel.h says what that makes of the two. */
enum fp_status fp_segq_force(struct fp_segq *q, uint64_t item);

/* Takes up to max of the oldest items, as long as more than `limit` stand in the queue at the very
 * moment they are taken; returns how many. Less than max: there are no more of that kind. For
 * queues whose limit does not change. Wakes nobody: it makes no room. */
size_t fp_segq_trim(struct fp_segq *q, uint64_t *items, size_t max);

/* FP_OK, FP_EMPTY, FP_CLOSED (drained, and nothing will come), FP_MOVED, FP_NO_MEMORY (first use
 * only). */
enum fp_status fp_segq_get(struct fp_segq *q, uint64_t *item);

/* Takes up to max items, one after the other; *n = 0 with any answer but FP_OK. Those of one
 * segment are taken in one step. */
enum fp_status fp_segq_get_many(struct fp_segq *q, uint64_t *items, size_t max, size_t *n);

/* FP_OK, FP_MOVED or FP_NO_MEMORY. Closing twice is allowed. */
enum fp_status fp_segq_close(struct fp_segq *q);
bool fp_segq_is_closed(struct fp_segq *q);

/* Ends the queue here, for one caller, who gets FP_OK: from then on put, get and close answer
 * FP_MOVED, and visit shows the items, which stay where they are. FP_MOVED: somebody else did it.
 * FP_NO_MEMORY: nothing has changed. Before FP_OK is answered, an operation that was told FP_MOVED
 * has to wait for the mover, by means of the host's. */
enum fp_status fp_segq_move(struct fp_segq *q);

/* The mover says what became of the items: `keep`, they are elsewhere, and the queue forgets them;
 * otherwise all goes on as before the move. Wakes everybody. FP_OK.
 * In a forked child without the mover, `!keep` ends his move however far it had come, and does
 * nothing if it had not begun. FP_NO_MEMORY, which a mover is never told: nothing has changed. */
enum fp_status fp_segq_end_move(struct fp_segq *q, bool keep);

/* Wakes waiting producers. A put that is under way may still go by the old limit. */
void fp_segq_set_limit(struct fp_segq *q, uint64_t limit);
uint64_t fp_segq_limit(struct fp_segq *q);

/* Items ever put and ever taken, at one moment; their difference is the size at that moment. If
 * gets keep coming for 16 attempts, the two are from different moments (never a negative size). */
void fp_segq_count(struct fp_segq *q, uint64_t *puts, uint64_t *gets);

/* Calls fn for each item until it answers non-zero, and returns that answer. */
int fp_segq_visit(struct fp_segq *q, int (*fn)(uint64_t item, void *arg), void *arg);

/* Memory held by the segments. */
size_t fp_segq_memory(struct fp_segq *q);

#endif
