/* fp_heap.c - see fp_heap.h. */
#include "queues/fp_heap.h"

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
    while (h->room > LEAST_ROOM && h->count < h->room / 4 && resize(h, h->room / 2))
        ;
}

static size_t parent_of(size_t at) { return (at - 1) / 2; }

enum fp_status fp_heap_push(struct fp_heap *h, uint64_t item, fp_less less) {
    if (fp_heap_reserve(h) != FP_OK)
        return FP_NO_MEMORY;
    size_t place = h->count, at = place;
    while (less != NULL && at > 0) {
        size_t parent = parent_of(at);
        int before = less(item, h->items[parent]);
        if (before < 0)
            return FP_FAILED;
        if (!before)
            break;
        at = parent;
    }
    for (; place != at; place = parent_of(place))
        h->items[place] = h->items[parent_of(place)];
    h->items[at] = item;
    h->count++;
    return FP_OK;
}

/* Where the last item belongs once the first one is gone. FP_OK or FP_FAILED. */
static enum fp_status find_place(struct fp_heap *h, fp_less less, size_t *place) {
    size_t end = h->count - 1;
    uint64_t moved = h->items[end];
    *place = 0;
    for (;;) {
        size_t child = 2 * *place + 1;
        if (child >= end)
            return FP_OK;
        if (child + 1 < end) {
            int before = less(h->items[child + 1], h->items[child]);
            if (before < 0)
                return FP_FAILED;
            child += (size_t)before;
        }
        int before = less(h->items[child], moved);
        if (before < 0)
            return FP_FAILED;
        if (!before)
            return FP_OK;
        *place = child;
    }
}

/* The last item goes to `place`, those above it move up by one, and the first one is taken. The
 * room at the end keeps the place, so that it can be undone. */
static uint64_t take_first(struct fp_heap *h, size_t place) {
    size_t end = --h->count;
    uint64_t carried = h->items[end];
    for (size_t at = place;; at = parent_of(at)) {
        uint64_t found = h->items[at];
        h->items[at] = carried;
        carried = found;
        if (at == 0)
            break;
    }
    h->items[end] = place;
    return carried;
}

static void undo_take(struct fp_heap *h, uint64_t item) {
    size_t end = h->count++, at = (size_t)h->items[end];
    h->items[end] = h->items[at];
    for (; at != 0; at = parent_of(at))
        h->items[at] = h->items[parent_of(at)];
    h->items[0] = item;
}

enum fp_status fp_heap_pop(struct fp_heap *h, uint64_t *items, size_t max, size_t *done,
                           fp_less less) {
    *done = 0;
    while (*done < max && h->count != 0) {
        if (less == NULL) {
            items[(*done)++] = h->items[--h->count];
            continue;
        }
        size_t place;
        if (find_place(h, less, &place) != FP_OK) {
            for (; *done > 0; --*done)
                undo_take(h, items[*done - 1]);
            return FP_FAILED;
        }
        items[(*done)++] = take_first(h, place);
    }
    shrink(h);
    return *done == max ? FP_OK : FP_EMPTY;
}

void fp_heap_destroy(struct fp_heap *h) {
    free(h->items);
    h->items = NULL;
    h->count = h->room = 0;
}
