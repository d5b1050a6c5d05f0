/* mutex.c - a ring behind a mutex, with a condition variable for each direction. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    uint64_t *items, capacity, head, tail;
};

static void *queue_make(uint64_t capacity) {
    struct ring *r = malloc(sizeof *r);
    if (r == NULL)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->not_empty, NULL);
    pthread_cond_init(&r->not_full, NULL);
    r->items = malloc(capacity * sizeof *r->items);
    r->capacity = capacity;
    r->head = r->tail = 0;
    return r->items == NULL ? NULL : r;
}

static bool queue_put(void *q, uint64_t item) {
    struct ring *r = q;
    pthread_mutex_lock(&r->lock);
    while (r->tail - r->head == r->capacity)
        pthread_cond_wait(&r->not_full, &r->lock);
    r->items[r->tail++ % r->capacity] = item;
    pthread_cond_signal(&r->not_empty);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static bool queue_get(void *q, uint64_t *item) {
    struct ring *r = q;
    pthread_mutex_lock(&r->lock);
    while (r->tail == r->head)
        pthread_cond_wait(&r->not_empty, &r->lock);
    *item = r->items[r->head++ % r->capacity];
    pthread_cond_signal(&r->not_full);
    pthread_mutex_unlock(&r->lock);
    return true;
}

#include "drive.h"
