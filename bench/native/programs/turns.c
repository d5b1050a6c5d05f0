/* turns.c - the reference for our fallback: a ring in which every slot counts its turns, as in
 * E. Rigtorp's MPMCQueue. A thread claims a position, then fills or empties its slot; a
 * thread that stops in between stops the others that come to that slot. Each slot has a cache line
 * of its own. */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct slot {
    alignas(64) _Atomic uint64_t turn; /* 2 n: free for lap n; 2 n + 1: filled in lap n */
    uint64_t item;
};

struct ring {
    alignas(128) _Atomic uint64_t head;
    alignas(128) _Atomic uint64_t tail;
    alignas(128) struct slot *slots;
    uint64_t capacity; /* a power of two */
    unsigned shift;
};

static void *queue_make(uint64_t capacity) {
    struct ring *r = aligned_alloc(128, sizeof *r);
    if (r == NULL)
        return NULL;
    r->capacity = 1;
    for (r->shift = 0; r->capacity < capacity; r->shift++)
        r->capacity *= 2;
    r->slots = aligned_alloc(64, r->capacity * sizeof *r->slots);
    if (r->slots == NULL)
        return NULL;
    for (uint64_t i = 0; i < r->capacity; i++)
        atomic_init(&r->slots[i].turn, 0);
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
    return r;
}

static inline bool queue_put(void *q, uint64_t item) {
    struct ring *r = q;
    uint64_t t = atomic_load_explicit(&r->tail, memory_order_acquire);
    for (;;) {
        struct slot *s = &r->slots[t & (r->capacity - 1)];
        if (atomic_load_explicit(&s->turn, memory_order_acquire) == (t >> r->shift) * 2) {
            if (atomic_compare_exchange_strong(&r->tail, &t, t + 1)) {
                s->item = item;
                atomic_store_explicit(&s->turn, (t >> r->shift) * 2 + 1, memory_order_release);
                return true;
            }
        } else {
            uint64_t before = t;
            t = atomic_load_explicit(&r->tail, memory_order_acquire);
            if (t == before)
                return false;
        }
    }
}

static inline bool queue_get(void *q, uint64_t *item) {
    struct ring *r = q;
    uint64_t h = atomic_load_explicit(&r->head, memory_order_acquire);
    for (;;) {
        struct slot *s = &r->slots[h & (r->capacity - 1)];
        if (atomic_load_explicit(&s->turn, memory_order_acquire) == (h >> r->shift) * 2 + 1) {
            if (atomic_compare_exchange_strong(&r->head, &h, h + 1)) {
                *item = s->item;
                atomic_store_explicit(&s->turn, (h >> r->shift) * 2 + 2, memory_order_release);
                return true;
            }
        } else {
            uint64_t before = h;
            h = atomic_load_explicit(&r->head, memory_order_acquire);
            if (h == before)
                return false;
        }
    }
}

#include "drive.h"
