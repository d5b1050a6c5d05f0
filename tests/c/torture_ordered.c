/* torture_ordered.c - heap, priority queue and LIFO queue. */
#include "flows.h"

#include "queues/fp_heap.h"
#include "queues/fp_ordered.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t limits[] = {1, 2, 3, 7, 1000, FP_UNBOUNDED};
enum { LIMITS = sizeof limits / sizeof *limits };

static _Thread_local int comparisons_left = -1; /* then one fails; negative: none does */

static int less(uint64_t a, uint64_t b) {
    if (comparisons_left == 0)
        return -1;
    if (comparisons_left > 0)
        comparisons_left--;
    return number_of(a) < number_of(b);
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Random pushes and pops against a sorted array; comparisons and allocations fail meanwhile. */
static void heap_model(void) {
    enum { MOST = 600 };
    struct fp_heap h = {0};
    uint64_t sorted[MOST];
    size_t count = 0;
    unsigned bias = 4;
    for (int i = 0; i < scaled(60000); i++) {
        if (torture_random(200) == 0)
            bias = 1 + torture_random(7);
        comparisons_left = torture_random(10) == 0 ? (int)torture_random(5) : -1;
        torture_fail_allocation(torture_random(10) == 0);
        if (torture_random(8) < bias && count < MOST) {
            uint64_t item = item_of(0, torture_random(1000));
            enum fp_status s = fp_heap_push(&h, item, less);
            CHECK(s == FP_OK || (s == FP_FAILED && comparisons_left == 0) ||
                      (s == FP_NO_MEMORY && torture_allocation_failed()),
                  "push answers %d", (int)s);
            if (s == FP_OK)
                sorted[count++] = item;
            qsort(sorted, count, sizeof *sorted, by_number);
        } else {
            uint64_t items[MOST];
            size_t done, max = 1 + torture_random(torture_random(4) == 0 ? MOST : 3);
            if (comparisons_left >= 0) /* so that some fail late */
                comparisons_left = (int)torture_random(20 * (unsigned)max);
            enum fp_status s = fp_heap_pop(&h, items, max, &done, less);
            if (s == FP_FAILED)
                CHECK(comparisons_left == 0 && done == 0, "pop fails after %zu", done);
            else
                CHECK(s == (count < max ? FP_EMPTY : FP_OK) && done == (count < max ? count : max),
                      "pop answers %d, %zu items", (int)s, done);
            CHECK(memcmp(items, sorted, done * sizeof *items) == 0, "not the least items");
            count -= done;
            memmove(sorted, sorted + done, count * sizeof *sorted);
        }
        CHECK(h.count == count && h.room <= 2 * MOST, "%zu items", h.count);
    }
    fp_heap_destroy(&h);
    torture_fail_allocation(0);
    comparisons_left = -1;
}

static void lifo_model(void) {
    for (int i = 0; i < LIMITS; i++)
        flow_model(subject_lifo(limits[i]), scaled(50000));
}

#if !FP_PLAIN
static struct subject priority(uint64_t limit) {
    struct fp_ordered *q = fp_ordered_create(less, &torture_host);
    fp_ordered_set_limit(q, limit);
    return (struct subject){&fp_ordered_ops, q, false, NULL, false};
}

static void load(int items, int mode) {
    for (int i = 0; i < LIMITS; i++) {
        flow(subject_lifo(limits[i]), 3, 3, scaled(items), mode);
        flow(priority(limits[i]), 3, 3, scaled(items), mode);
    }
}

static void flows(void) { load(3000, FLOW_BATCHES | FLOW_OBSERVE); }
static void closing(void) { load(3000, FLOW_CLOSE | FLOW_OBSERVE); }
static void waiting(void) {
    load(1500, FLOW_WAIT | FLOW_BATCHES);
    load(1500, FLOW_WAIT | FLOW_CLOSE);
}
static void moody(void) { load(1000, FLOW_MOODY); }
static void crowd(void) { flow(priority(2), 100, 100, scaled(50), FLOW_WAIT); }
static void delayed(void) {
    torture_random_steps(true);
    load(1000, FLOW_WAIT);
}
static void one_core(void) {
    torture_one_core();
    load(500, FLOW_WAIT);
}
static void tides(void) {
    for (int i = 0; i < LIMITS - 1; i++) {
        flow_tides(subject_lifo(limits[i]), 3, scaled(150));
        flow_tides(priority(limits[i]), 3, scaled(150));
    }
}

/* Several fill it, then one takes: in order. */
static void put_some(int id, void *arg) {
    struct subject *s = arg;
    for (uint32_t i = 0; i < 2000; i++)
        CHECK(s->ops->put(s->queue, item_of(id, torture_random(100000))) == FP_OK, "put");
}

static void sorted(void) {
    struct subject s = priority(FP_UNBOUNDED);
    torture_threads(4, put_some, &s);
    uint64_t item;
    uint32_t before = 0;
    for (int i = 0; i < 8000; i++) {
        CHECK(s.ops->get(s.queue, &item) == FP_OK && number_of(item) >= before, "not sorted");
        before = number_of(item);
    }
    CHECK(s.ops->get(s.queue, &item) == FP_EMPTY, "not empty");
    s.ops->destroy(s.queue);
}

/* A comparison may use its own queue, and be told so. */
static struct fp_ordered *own;

static int less_nested(uint64_t a, uint64_t b) {
    uint64_t item;
    CHECK(fp_ordered_put(own, a) == FP_REENTERED && fp_ordered_get(own, &item) == FP_REENTERED,
          "not refused");
    return a < b;
}

static void nested(void) {
    own = fp_ordered_create(less_nested, &torture_host);
    uint64_t item;
    for (uint64_t i = 10; i > 0; i--)
        CHECK(fp_ordered_put(own, i) == FP_OK, "put");
    for (uint64_t i = 1; i <= 10; i++)
        CHECK(fp_ordered_get(own, &item) == FP_OK && item == i, "get");
    fp_ordered_ops.destroy(own);
}

#if !TORTURE_TSAN
/* Fork while another thread is in a comparison: nothing has changed yet, so the child goes on. */
static atomic_int comparing;

static int less_slow(uint64_t a, uint64_t b) {
    if (atomic_load(&comparing) == 1) {
        atomic_store(&comparing, 2);
        while (atomic_load(&comparing) == 2)
            usleep(100);
    }
    return a < b;
}

static void *put_slowly(void *arg) {
    CHECK(fp_ordered_put(arg, 1) == FP_OK, "put");
    return NULL;
}

static void fork_in_a_comparison(void) {
    struct fp_ordered *q = fp_ordered_create(less_slow, &torture_host);
    for (uint64_t i = 2; i <= 10; i++)
        CHECK(fp_ordered_put(q, i) == FP_OK, "put");
    pthread_t thread;
    atomic_store(&comparing, 1);
    pthread_create(&thread, NULL, put_slowly, q);
    while (atomic_load(&comparing) != 2)
        usleep(100);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t item;
        alarm(10);
        atomic_store(&comparing, 0);
        CHECK(fp_ordered_put(q, 20) == FP_OK, "child: put");
        for (uint64_t i = 2; i <= 10; i++)
            CHECK(fp_ordered_get(q, &item) == FP_OK && item == i, "child: get");
        CHECK(fp_ordered_get(q, &item) == FP_OK && item == 20, "child: get");
        CHECK(fp_ordered_get(q, &item) == FP_EMPTY, "child: not empty");
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed (%d)", status);
    atomic_store(&comparing, 3);
    pthread_join(thread, NULL);
    uint64_t item;
    for (uint64_t i = 1; i <= 10; i++)
        CHECK(fp_ordered_get(q, &item) == FP_OK && item == i, "get");
    fp_ordered_ops.destroy(q);
}
#endif
#endif

static const struct torture_case cases[] = {
    {"the heap agrees with a model", heap_model},
    {"the LIFO queue agrees with a model", lifo_model},
#if !FP_PLAIN
    {"three and three", flows},
    {"closed in the middle", closing},
    {"waiting threads", waiting},
    {"time-outs, interrupts and signals", moody},
    {"200 threads wait", crowd},
    {"delays at the steps", delayed},
    {"one core", one_core},
    {"full and empty are exact", tides},
    {"sorted", sorted},
    {"a comparison uses its own queue", nested},
#if !TORTURE_TSAN
    {"fork in a comparison", fork_in_a_comparison},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
