/* round_trip.c - two threads hand one cache line back and forth: what no queue between two
 * processors can go below for an answer. Prints nanoseconds per round trip.
 *
 *     round_trip SECONDS */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

enum { TURNS = 100, PATIENCE = 10000 };

static alignas(128) _Atomic uint64_t ball;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The other side may have no processor just now. */
static void wait_for(uint64_t n) {
    for (int i = 1; atomic_load_explicit(&ball, memory_order_acquire) != n; i++)
        if (i % PATIENCE == 0)
            sched_yield();
}

static void *answer(void *unused) {
    for (uint64_t n = 1;; n += 2) {
        wait_for(n);
        atomic_store_explicit(&ball, n + 1, memory_order_release);
    }
    return unused;
}

int main(int argc, char **argv) {
    pthread_t other;
    int64_t end = now_ns() + (int64_t)(strtod(argc > 1 ? argv[1] : "0.1", NULL) * 1e9);
    double best = 1e9;
    uint64_t n = 0;
    if (pthread_create(&other, NULL, answer, NULL) != 0)
        return 1;
    do {
        int64_t start = now_ns();
        for (int i = 0; i < TURNS; i++, n += 2) {
            atomic_store_explicit(&ball, n + 1, memory_order_release);
            wait_for(n + 2);
        }
        double took = (double)(now_ns() - start) / TURNS;
        best = took < best ? took : best;
    } while (now_ns() < end);
    printf("%.3f\n", best); /* of all turns: a limit, not an average */
    return 0;
}
