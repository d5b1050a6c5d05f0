/* drive.h - the main program of every contender, C or C++: threads that put and get through one
 * queue, with no interpreter about; it prints nanoseconds per item.
 *
 *     program pair CAPACITY SECONDS                    one thread: put, get, put, get …
 *     program PRODUCERS CONSUMERS CAPACITY SECONDS     threads, each with an equal share
 *
 * A contender defines, before it includes this file:
 *
 *     static void *queue_make(uint64_t capacity);      NULL: out of memory
 *     static bool queue_put(void *q, uint64_t item);   false: full, not now
 *     static bool queue_get(void *q, uint64_t *item);  false: empty, not now
 *
 * A thread whose call was refused pauses a few times and then yields its processor, with all
 * contenders alike. A contender that waits by itself never refuses. Every run checks that the items
 * that were put were taken. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pin.h"

enum { MOST_THREADS = 256, PAUSES = 16, LEAST_ITEMS = 20000 };

struct worker {
    pthread_t thread;
    bool puts;
    uint64_t id, items, sum;
    int64_t end;
};

static struct worker workers[MOST_THREADS];
static uint64_t capacity;
static void *queue;
static int count; /* of threads */
static int ready, go;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Each run has one of its own; the process ends soon enough to free them. */
static void make_queue(void) {
    queue = queue_make(capacity);
    if (queue == NULL) {
        fputs("no memory\n", stderr);
        exit(1);
    }
}

static inline void wait_a_little(int *pauses) {
    if (++*pauses % PAUSES == 0) {
        sched_yield();
        return;
    }
#if defined(__x86_64__)
    __asm__ __volatile__("pause");
#elif defined(__aarch64__)
    __asm__ __volatile__("isb");
#endif
}

static void put_all(struct worker *w) {
    for (uint64_t i = 1; i <= w->items; i++) {
        uint64_t item = w->id << 32 | i;
        int pauses = 0;
        while (!queue_put(queue, item))
            wait_a_little(&pauses);
        w->sum += item;
    }
}

static void get_all(struct worker *w) {
    for (uint64_t i = 0; i < w->items; i++) {
        uint64_t item = 0;
        int pauses = 0;
        while (!queue_get(queue, &item))
            wait_a_little(&pauses);
        w->sum += item;
    }
}

static void *work(void *arg) {
    struct worker *w = (struct worker *)arg;
    pin((int)w->id - 1, count);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
        sched_yield();
    if (w->puts)
        put_all(w);
    else
        get_all(w);
    w->end = now_ns();
    return NULL;
}

/* Nanoseconds per item. */
static double run_threads(uint64_t producers, uint64_t consumers, uint64_t *items) {
    count = (int)(producers + consumers);
    uint64_t share = producers * consumers;
    *items = (*items + share - 1) / share * share;
    make_queue();
    ready = go = 0;
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < count; i++) {
        workers[i].puts = (uint64_t)i < producers;
        workers[i].id = (uint64_t)i + 1;
        workers[i].items = *items / (workers[i].puts ? producers : consumers);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fputs("no more threads\n", stderr);
            exit(1);
        }
    }
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) != count)
        sched_yield();
    int64_t start = now_ns(), end = start;
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    uint64_t put = 0, got = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        *(workers[i].puts ? &put : &got) += workers[i].sum;
        end = workers[i].end > end ? workers[i].end : end;
    }
    if (put != got) {
        fputs("items were lost or made up\n", stderr);
        exit(1);
    }
    return (double)(end - start) / (double)*items;
}

static double run_pairs(uint64_t *items) {
    make_queue();
    int64_t start = now_ns();
    uint64_t sum = 0;
    for (uint64_t i = 1; i <= *items; i++) {
        uint64_t item = 0;
        if (!queue_put(queue, i) || !queue_get(queue, &item)) {
            fputs("an item was refused\n", stderr);
            exit(1);
        }
        sum += item;
    }
    double took = (double)(now_ns() - start) / (double)*items;
    if (sum != *items * (*items + 1) / 2) {
        fputs("items were lost or made up\n", stderr);
        exit(1);
    }
    return took;
}

int main(int argc, char **argv) {
    bool pair = argc == 4 && strcmp(argv[1], "pair") == 0;
    if (!pair && argc != 5) {
        fputs("see drive.h\n", stderr);
        return 2;
    }
    uint64_t producers = pair ? 0 : strtoull(argv[1], NULL, 10);
    uint64_t consumers = pair ? 0 : strtoull(argv[2], NULL, 10);
    double seconds = strtod(argv[argc - 1], NULL);
    capacity = strtoull(argv[argc - 2], NULL, 10);
    if (producers + consumers > MOST_THREADS) {
        fputs("too many threads\n", stderr);
        return 1;
    }
    /* A short run, which also warms up, tells how many items the long one takes. */
    uint64_t items = LEAST_ITEMS;
    double ns = pair ? run_pairs(&items) : run_threads(producers, consumers, &items);
    double wanted = seconds * 1e9 / ns;
    if (wanted > (double)items) {
        items = (uint64_t)wanted;
        ns = pair ? run_pairs(&items) : run_threads(producers, consumers, &items);
    }
    printf("%.3f\n", ns);
    return 0;
}
