/* ck.c - Concurrency Kit's ring, which holds pointers. MODE: spsc or mpmc. */
#include <ck_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define JOINED(a, b) a##b
#define NAMED(a, b) JOINED(a, b)

struct queue {
    ck_ring_t ring;
    ck_ring_buffer_t *slots;
};

static void *queue_make(uint64_t capacity) {
    unsigned size = 2;
    while (size < capacity)
        size *= 2; /* it holds one less */
    struct queue *q = aligned_alloc(128, (sizeof *q + 127) / 128 * 128);
    if (q == NULL)
        return NULL;
    q->slots = calloc(size, sizeof *q->slots);
    ck_ring_init(&q->ring, size);
    return q->slots == NULL ? NULL : q;
}

static inline bool queue_put(void *p, uint64_t item) {
    struct queue *q = p;
    return NAMED(ck_ring_enqueue_, MODE)(&q->ring, q->slots, (void *)(uintptr_t)item);
}

static inline bool queue_get(void *p, uint64_t *item) {
    struct queue *q = p;
    void *found;
    if (!NAMED(ck_ring_dequeue_, MODE)(&q->ring, q->slots, &found))
        return false;
    *item = (uint64_t)(uintptr_t)found;
    return true;
}

#include "drive.h"
