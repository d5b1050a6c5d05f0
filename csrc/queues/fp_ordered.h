/* fp_ordered.h - blocking priority queue and LIFO queue: fp_heap behind a lock, with a bound,
 * events and closing.
 *
 * Blocking: a thread suspended inside an operation stops all others. For a LIFO queue of a
 * FP_PLAIN build there is no lock, because nothing gives up the GIL inside. With a comparison
 * there is always one: it may run code of the host, which may give up the GIL.
 *
 * Contract: any thread beside any other; init, destroy, visit alone. */
#ifndef FP_ORDERED_H
#define FP_ORDERED_H

#include "queues/fp_heap.h"
#include "wait/fp_lock.h"

#define FP_ORDERED_CLOSED ((uint64_t)1)
#define FP_ORDERED_MOVED ((uint64_t)2)

struct fp_ordered {
    FP_LINE struct fp_lock lock;
    struct fp_heap heap;  /* under the lock, as are the writes of the next five */
    fp_sync_u64 puts, gets;
    fp_sync_u64 heap_bytes; /* of `heap`, for who does not hold the lock */
    fp_sync_u64 state; /* FP_ORDERED_CLOSED, FP_ORDERED_MOVED */
    struct fp_heap moved; /* what was in `heap`; counts while the state says MOVED */
    fp_sync_u64 limit;
    fp_less less;         /* NULL: LIFO */
    const struct fp_host *host;
    struct fp_event not_empty, not_full;
};

void fp_ordered_init(struct fp_ordered *q, fp_less less, uint64_t limit,
                     const struct fp_host *host);
void fp_ordered_destroy(struct fp_ordered *q);

/* All of these may wait for the lock, and then may answer FP_INTERRUPTED; FP_REENTERED means that a
 * comparison of this very thread is under way in this queue. FP_FAILED: the comparison failed.
 * In each case nothing has changed. */

/* FP_OK, FP_FULL, FP_CLOSED, FP_NO_MEMORY and those above. */
enum fp_status fp_ordered_put(struct fp_ordered *q, uint64_t item);

/* FP_OK, FP_EMPTY, FP_CLOSED (drained) and those above. Once moved, all of these answer FP_MOVED.
 */
enum fp_status fp_ordered_get(struct fp_ordered *q, uint64_t *item);

/* Several under one lock. *done counts, for put_many also if the answer is FP_FAILED for the one
 * after; a get_many that fails has taken nothing. */
enum fp_status fp_ordered_put_many(struct fp_ordered *q, const uint64_t *items, size_t count,
                                   size_t *done);
enum fp_status fp_ordered_get_many(struct fp_ordered *q, uint64_t *items, size_t max, size_t *done);

/* Takes items in no order, without a comparison. */
enum fp_status fp_ordered_discard(struct fp_ordered *q, uint64_t *items, size_t max, size_t *done);

/* FP_OK, FP_MOVED and those above. */
enum fp_status fp_ordered_close(struct fp_ordered *q);
bool fp_ordered_is_closed(struct fp_ordered *q);
void fp_ordered_set_limit(struct fp_ordered *q, uint64_t limit);

/* As fp_segq_move: for the one caller that gets FP_OK the items stand still, in the order of the
 * heap or from the bottom of the stack, and are shown by visit. FP_MOVED: somebody else came
 * before. And those above. */
enum fp_status fp_ordered_move(struct fp_ordered *q);
enum fp_status fp_ordered_end_move(struct fp_ordered *q, bool keep);

/* Is the calling thread in a comparison of this queue? Then all that may wait for the lock is
 * refused, and so must be what waits for a thread that waits for the lock. */
bool fp_ordered_compares(struct fp_ordered *q);

void fp_ordered_count(struct fp_ordered *q, uint64_t *puts, uint64_t *gets);

/* Memory held by the heap. */
size_t fp_ordered_memory(struct fp_ordered *q);

int fp_ordered_visit(struct fp_ordered *q, int (*fn)(uint64_t item, void *arg), void *arg);

#endif
