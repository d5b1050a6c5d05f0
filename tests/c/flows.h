/* flows.h - loads that every kind of queue has to survive. */
#ifndef FLOWS_H
#define FLOWS_H

#include "torture.h"

/* A queue to be tortured. */
struct subject {
    const struct fp_queue_ops *ops;
    void *queue;
    bool fifo;                                    /* otherwise last in, first out */
    void (*set_limit)(void *queue, uint64_t limit); /* NULL: fixed */
    bool single;                                  /* one producer, one consumer */
};

struct subject subject_ring(uint64_t capacity);
struct subject subject_ring_near_wrap(uint64_t capacity); /* positions pass 2^63 after some laps */
struct subject subject_segq(uint64_t limit);
struct subject subject_spsc(uint64_t capacity);
struct subject subject_lifo(uint64_t limit);

/* A put, and a get, that waits, as hosts implement it. */
enum fp_status subject_put(struct subject *s, uint64_t item);
enum fp_status subject_get(struct subject *s, uint64_t *item);

enum {
    FLOW_BATCHES = 1, /* put_many and get_many among the single calls */
    FLOW_WAIT = 2, /* blocking, no time-outs: a lost wake-up is a hang */
    FLOW_MOODY = 4, /* blocking with short time-outs, interrupts and signals as well */
    FLOW_LIMITS = 8, /* the limit changes all the time */
    FLOW_OBSERVE = 16, /* a thread looks at count, is_closed and memory */
    FLOW_CLOSE = 32 /* closed in the middle */
};

/* Producers put, consumers take until the queue is closed and drained. Checks exactly-once, the
 * order of each producer, the bound, and the answers around the closing; destroys the queue. */
void flow(struct subject s, int producers, int consumers, int each, int mode);

/* All threads put until full, then all take until empty, again and again. No call may answer "full"
 * before the last place is taken, nor "empty" before the last item is. Destroys the queue. */
void flow_tides(struct subject s, int threads, int rounds);

/* One thread, random calls, compared with an array. Destroys the queue. */
void flow_model(struct subject s, int calls);

/* A victim stops at each step of each operation in turn; the others go on. blocks: a stopped victim
 * is known to stop the others, and the test must find that it does. Otherwise a child forked
 * meanwhile must find a queue that works. */
void flow_stalls(struct subject (*make)(uint64_t), uint64_t capacity, bool blocks);

#endif
