/* fp_heap.h - growing array of items, used as a binary min-heap or as a stack.
 *
 * The order comes from the caller's comparison, which may fail or take long. A comparison that
 * fails leaves the heap as it was: those of a push or a pop all come before its first change, and
 * the pops of a batch are undone.
 *
 * Contract: one thread at a time (fp_ordered.c has the lock). push and pop O(log n) comparisons
 * and moves; stack operations O(1), amortized. */
#ifndef FP_HEAP_H
#define FP_HEAP_H

#include "base/fp_config.h"

struct fp_heap {
    uint64_t *items;
    size_t count, room;
};

/* 1: a goes before b. 0: it doesn't. Negative: the comparison failed. */
typedef int (*fp_less)(uint64_t a, uint64_t b);

/* Makes room for one more. FP_OK or FP_NO_MEMORY. */
enum fp_status fp_heap_reserve(struct fp_heap *h);

/* FP_OK, FP_NO_MEMORY, FP_FAILED. less == NULL: on top of the stack. */
enum fp_status fp_heap_push(struct fp_heap *h, uint64_t item, fp_less less);

/* Takes the `max` least items, or all, in order; less == NULL: those on top of the stack. FP_OK;
 * FP_EMPTY: there were only *done. FP_FAILED: none was taken, however many comparisons went well.
 */
enum fp_status fp_heap_pop(struct fp_heap *h, uint64_t *items, size_t max, size_t *done,
                           fp_less less);

void fp_heap_destroy(struct fp_heap *h);

#endif
