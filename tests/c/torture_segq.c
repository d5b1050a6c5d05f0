/* torture_segq.c - the segment queue. */
#include "flows.h"

#include "queues/fp_segq.h"
#include "reclaim/fp_epoch.h"

#include <stdlib.h>

static const uint64_t limits[] = {1, 2, 3, 7, 1000, FP_UNBOUNDED};
enum { LIMITS = sizeof limits / sizeof *limits };

static void model(void) {
    for (int i = 0; i < LIMITS; i++)
        flow_model(subject_segq(limits[i]), scaled(100000));
}

/* Fills with a burst, takes everything, closes: the memory has to go back. */
static void burst_of(struct subject s, uint32_t count) {
    uint64_t item;
    for (uint32_t i = 0; i < count; i++)
        CHECK(s.ops->put(s.queue, item_of(0, i)) == FP_OK, "put");
    CHECK(s.ops->memory(s.queue) >= count * sizeof item, "bytes");
    for (uint32_t i = 0; i < count; i++)
        CHECK(s.ops->get(s.queue, &item) == FP_OK && item == item_of(0, i), "get");
    CHECK(s.ops->get(s.queue, &item) == FP_EMPTY, "not empty");
}

static void burst(void) {
    struct subject first = subject_segq(FP_UNBOUNDED); /* the first use takes a record for good */
    burst_of(first, 10);
    long bytes = torture_memory_bytes(), pieces = torture_memory_pieces();
    struct subject s = subject_segq(FP_UNBOUNDED);
    burst_of(s, (uint32_t)scaled(1000000));
    fp_epoch_collect();
    CHECK(fp_epoch_limbo_bytes() == 0, "%zu bytes in limbo", fp_epoch_limbo_bytes());
    CHECK(s.ops->memory(s.queue) <= 66000, "an empty queue holds %zu bytes",
          s.ops->memory(s.queue));
    s.ops->destroy(s.queue);
    CHECK(torture_memory_bytes() == bytes, "%ld bytes left", torture_memory_bytes() - bytes);
    CHECK(torture_memory_pieces() == pieces, "%ld pieces left", torture_memory_pieces() - pieces);
    s = subject_segq(FP_UNBOUNDED); /* destroyed with segments in it, open and closed */
    for (uint32_t i = 0; i < 5000; i++)
        s.ops->put(s.queue, item_of(0, i));
    s.ops->close(s.queue, false);
    s.ops->destroy(s.queue);
    CHECK(torture_memory_bytes() == bytes, "%ld bytes left", torture_memory_bytes() - bytes);
    first.ops->destroy(first.queue);
}

/* Closing when the last segment is full to the last slot. */
static void closing_at_every_fill(void) {
    for (uint32_t fill = 0; fill < 700; fill++) {
        struct subject s = subject_segq(FP_UNBOUNDED);
        uint64_t item, puts, gets;
        for (uint32_t i = 0; i < fill; i++)
            CHECK(s.ops->put(s.queue, item_of(0, i)) == FP_OK, "put");
        s.ops->close(s.queue, false);
        s.ops->close(s.queue, false);
        CHECK(s.ops->is_closed(s.queue), "not closed with %u items", fill);
        CHECK(s.ops->put(s.queue, item_of(0, fill)) == FP_CLOSED, "put after close");
        s.ops->count(s.queue, &puts, &gets);
        CHECK(puts == fill && gets == 0, "count");
        for (uint32_t i = 0; i < fill; i++)
            CHECK(s.ops->get(s.queue, &item) == FP_OK && item == item_of(0, i), "get");
        CHECK(s.ops->get(s.queue, &item) == FP_CLOSED, "not drained");
        CHECK(s.ops->put(s.queue, item_of(0, fill)) == FP_CLOSED, "put after close");
        s.ops->destroy(s.queue);
    }
}

static int take_down(uint64_t item, void *arg) {
    uint32_t *next = arg;
    CHECK(item == item_of(0, *next), "item %u is another", *next);
    ++*next;
    return 0;
}

/* Moving, and moving back, wherever head and tail are in their segments, open or closed. */
static void moving_at_every_fill(void) {
    for (uint32_t fill = 0; fill < 700; fill++) {
        for (uint32_t gone = 0; gone <= fill; gone += 1 + fill / 3) {
            bool closed = (fill + gone) % 2 != 0;
            struct subject s = subject_segq(FP_UNBOUNDED);
            uint64_t item, puts, gets;
            for (uint32_t i = 0; i < fill; i++)
                CHECK(s.ops->put(s.queue, item_of(0, i)) == FP_OK, "put");
            for (uint32_t i = 0; i < gone; i++)
                CHECK(s.ops->get(s.queue, &item) == FP_OK, "get");
            if (closed)
                s.ops->close(s.queue, false);
            for (int keep = 0; keep < 2; keep++) {
                uint32_t next = gone;
                CHECK(fp_segq_move(s.queue) == FP_OK, "move");
                CHECK(fp_segq_move(s.queue) == FP_MOVED, "moved twice");
                CHECK(s.ops->put(s.queue, item_of(0, fill)) == FP_MOVED, "put after move");
                CHECK(s.ops->get(s.queue, &item) == FP_MOVED, "get after move");
                CHECK(s.ops->close(s.queue, false) == FP_MOVED, "close after move");
                CHECK(s.ops->is_closed(s.queue) == closed, "closed or not");
                s.ops->count(s.queue, &puts, &gets);
                CHECK(puts == fill && gets == gone, "count");
                s.ops->visit(s.queue, take_down, &next);
                CHECK(next == fill, "%u of %u items", next, fill);
                fp_segq_end_move(s.queue, keep != 0);
                if (keep != 0)
                    s.ops->visit(s.queue, take_down, &next);
                CHECK(next == fill, "forgotten items are shown");
                if (keep == 0)
                    CHECK(s.ops->put(s.queue, item_of(0, fill)) == (closed ? FP_CLOSED : FP_OK),
                          "put after moving back");
                fill += keep == 0 && !closed;
            }
            CHECK(s.ops->get(s.queue, &item) == FP_MOVED, "get after move");
            s.ops->destroy(s.queue);
            fill -= !closed;
        }
    }
}

/* Every allocation fails in turn: the call says so, and nothing is lost. */
static void failed_allocations(void) {
    for (long number = 1;; number++) {
        torture_fail_allocation(number);
        struct subject s = subject_segq(FP_UNBOUNDED);
        uint32_t next = 0, expected = 0;
        uint64_t item;
        for (int i = 0; s.queue != NULL && i < 20000; i++) {
            enum fp_status answer = s.ops->put(s.queue, item_of(0, next));
            CHECK(answer == FP_OK || (answer == FP_NO_MEMORY && torture_allocation_failed()),
                  "put answers %d", (int)answer);
            next += answer == FP_OK;
            if (i % 3 == 0 && s.ops->get(s.queue, &item) == FP_OK)
                CHECK(item == item_of(0, expected++), "an item was lost");
        }
        bool failed = torture_allocation_failed();
        torture_fail_allocation(0);
        if (s.queue != NULL) {
            while (s.ops->get(s.queue, &item) == FP_OK)
                CHECK(item == item_of(0, expected++), "an item was lost");
            CHECK(expected == next, "%u of %u items", expected, next);
            s.ops->destroy(s.queue);
        }
        if (!failed)
            return;
    }
}

#if !FP_PLAIN
static void load(int producers, int consumers, int items, int mode) {
    for (int i = 0; i < LIMITS; i++)
        flow(subject_segq(limits[i]), producers, consumers, scaled(items), mode);
}

static void pairs(void) { load(1, 1, 20000, FLOW_OBSERVE); }
static void few(void) { load(2, 2, 10000, FLOW_BATCHES | FLOW_OBSERVE); }
static void uneven(void) {
    load(5, 1, 3000, FLOW_BATCHES);
    load(1, 5, 15000, 0);
}
static void many(void) { load(32, 32, 300, FLOW_BATCHES); }
static void crowd(void) { flow(subject_segq(2), 100, 100, scaled(100), FLOW_WAIT); }
static void closing(void) {
    for (int round = 0; round < scaled(20); round++)
        load(3, 3, 2000, FLOW_CLOSE | FLOW_BATCHES | FLOW_OBSERVE);
}
static void waiting(void) { load(3, 3, 3000, FLOW_WAIT | FLOW_BATCHES); }
static void waiting_closed(void) { load(3, 3, 3000, FLOW_WAIT | FLOW_CLOSE); }
static void moody(void) { load(4, 4, 2000, FLOW_MOODY | FLOW_BATCHES); }
static void changing(void) {
    load(3, 3, 3000, FLOW_LIMITS | FLOW_OBSERVE | FLOW_BATCHES);
    load(3, 3, 3000, FLOW_LIMITS | FLOW_WAIT);
}
static void delayed(void) {
    torture_random_steps(true);
    load(3, 3, 3000, FLOW_BATCHES | FLOW_OBSERVE);
    load(3, 3, 1000, FLOW_WAIT);
    load(3, 3, 1000, FLOW_WAIT | FLOW_CLOSE);
}
static void one_core(void) {
    torture_one_core();
    load(3, 3, 1000, FLOW_WAIT | FLOW_BATCHES);
    load(2, 2, 1000, FLOW_BATCHES);
}
static void tides(void) {
    for (int i = 0; i < LIMITS - 1; i++) {
        flow_tides(subject_segq(limits[i]), 3, scaled(400));
        flow_tides(subject_segq(limits[i]), 8, scaled(150));
    }
    torture_random_steps(true);
    for (int i = 0; i < LIMITS - 1; i++)
        flow_tides(subject_segq(limits[i]), 3, scaled(100));
}

/* Many short-lived threads: what they retire must not be stranded. */
static void brief_use(int id, void *arg) {
    struct subject *s = arg;
    uint64_t item;
    for (uint32_t i = 0; i < 600; i++)
        CHECK(s->ops->put(s->queue, item_of(id, i)) == FP_OK, "put");
    for (uint32_t i = 0; i < 600; i++)
        CHECK(s->ops->get(s->queue, &item) == FP_OK, "get");
}

static void churn(void) {
    struct subject s = subject_segq(FP_UNBOUNDED);
    size_t most = 0;
    for (int round = 0; round < scaled(200); round++) {
        torture_threads(8, brief_use, &s);
        size_t limbo = fp_epoch_limbo_bytes();
        most = limbo > most ? limbo : most;
    }
    CHECK(most < ((size_t)8 << 20), "limbo grew to %zu bytes", most);
    fp_epoch_collect();
    fp_epoch_collect();
    CHECK(fp_epoch_limbo_bytes() == 0, "%zu bytes stranded", fp_epoch_limbo_bytes());
    s.ops->destroy(s.queue);
    CHECK(torture_memory_pieces() < 40, "%ld pieces left", torture_memory_pieces());
}
#ifdef FP_TEST_STEPS
static struct subject with_room(uint64_t fill) { return subject_segq(fill + 5); }

static void stalls(void) {
    /* As many items as the first segment takes: the next put links another. */
    struct subject s = subject_segq(FP_UNBOUNDED);
    size_t bytes = s.ops->memory(s.queue);
    uint32_t first = 0;
    while (s.ops->put(s.queue, item_of(0, first)) == FP_OK && s.ops->memory(s.queue) == bytes)
        first++;
    s.ops->destroy(s.queue);
    flow_stalls(with_room, first, false);
    flow_stalls(with_room, first - 1, false);
    for (int i = 0; i < LIMITS; i++)
        flow_stalls(subject_segq, limits[i] < 1000 ? limits[i] : 127, false);
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a model", model},
    {"a burst's memory is given back", burst},
    {"closing at every fill", closing_at_every_fill},
    {"moving at every fill", moving_at_every_fill},
    {"every allocation fails in turn", failed_allocations},
#if !FP_PLAIN
    {"one producer, one consumer", pairs},
    {"two and two, batches", few},
    {"five and one, one and five", uneven},
    {"64 threads", many},
    {"200 threads wait", crowd},
    {"closed in the middle", closing},
    {"waiting threads", waiting},
    {"waiting threads, closed in the middle", waiting_closed},
    {"time-outs, interrupts and signals", moody},
    {"the limit changes", changing},
    {"delays at the steps", delayed},
    {"one core", one_core},
    {"full and empty are exact", tides},
    {"short-lived threads", churn},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
