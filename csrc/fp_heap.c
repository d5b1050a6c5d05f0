/* fp_heap.c - see fp_heap.h. */
#include "fp_heap.h"

#include <stdlib.h>

enum { LEAST_ROOM = 16 };

static bool resize(struct fp_heap *h, size_t room) {
    if (room > SIZE_MAX / sizeof *h->items)
        return false;
    uint64_t *items = realloc(h->items, room * sizeof *items);
    if (items == NULL)
        return false;
    h->items = items;
    h->room = room;
    return true;
}

enum fp_status fp_heap_reserve(struct fp_heap *h) {
    if (h->count < h->room)
        return FP_OK;
    return resize(h, h->room ? 2 * h->room : LEAST_ROOM) ? FP_OK : FP_NO_MEMORY;
}

/* Gives memory back once three quarters are unused; a failure to shrink is none. */
static void shrink(struct fp_heap *h) {
    if (h->room > LEAST_ROOM && h->count < h->room / 4)
        resize(h, h->room / 2);
}

enum fp_status fp_heap_push(struct fp_heap *h, uint64_t item, fp_less less) {
    if (fp_heap_reserve(h) != FP_OK)
        return FP_NO_MEMORY;
    size_t place = h->count, at = place;
    while (less != NULL && at > 0) {
        size_t parent = (at - 1) / 2;
        int before = less(item, h->items[parent]);
        if (before < 0)
            return FP_FAILED;
        if (!before)
            break;
        at = parent;
    }
    for (; place != at; place = (place - 1) / 2)
        h->items[place] = h->items[(place - 1) / 2];
    h->items[at] = item;
    h->count++;
    return FP_OK;
}

/* Bit k of `path` says which child the k-th step went to. Returns the steps, or -1. */
static int find_path(struct fp_heap *h, uint64_t moved, fp_less less, uint64_t *path) {
    size_t end = h->count - 1; /* the last item is the one that moves */
    int steps = 0;
    *path = 0;
    for (size_t at = 0;; steps++) {
        size_t child = 2 * at + 1;
        if (child >= end)
            return steps;
        if (child + 1 < end) {
            int before = less(h->items[child + 1], h->items[child]);
            if (before < 0)
                return -1;
            child += (size_t)before;
        }
        int before = less(h->items[child], moved);
        if (before < 0)
            return -1;
        if (!before)
            return steps;
        if (child == 2 * at + 2)
            *path |= (uint64_t)1 << steps;
        at = child;
    }
}

enum fp_status fp_heap_pop(struct fp_heap *h, uint64_t *item, fp_less less) {
    if (h->count == 0)
        return FP_EMPTY;
    uint64_t moved = h->items[h->count - 1];
    *item = moved;
    if (less != NULL) {
        uint64_t path;
        int steps = find_path(h, moved, less, &path);
        if (steps < 0)
            return FP_FAILED;
        *item = h->items[0];
        size_t at = 0;
        for (int k = 0; k < steps; k++) {
            size_t child = 2 * at + 1 + (size_t)(path >> k & 1);
            h->items[at] = h->items[child];
            at = child;
        }
        h->items[at] = moved;
    }
    h->count--;
    shrink(h);
    return FP_OK;
}

void fp_heap_destroy(struct fp_heap *h) {
    free(h->items);
    h->items = NULL;
    h->count = h->room = 0;
}
