/* torture_mpmc.c - the MPMC ring (either variant). */
#include "flows.h"

#include "queues/fp_mpmc.h"

static const uint64_t capacities[] = {1, 2, 3, 7, 1000};
enum { CAPACITIES = sizeof capacities / sizeof *capacities };

static void model(void) {
    for (int i = 0; i < CAPACITIES; i++) {
        flow_model(subject_ring(capacities[i]), scaled(100000));
        flow_model(subject_ring_near_wrap(capacities[i]), scaled(100000));
    }
}

static void absurd_capacity(void) {
    struct fp_mpmc r;
    CHECK(fp_mpmc_init(&r, UINT64_MAX / 2) == FP_NO_MEMORY, "memory without end");
    CHECK(fp_mpmc_init(&r, UINT64_MAX / 32) == FP_NO_MEMORY, "memory without end");
    torture_fail_allocation(1);
    CHECK(fp_mpmc_init(&r, 5) == FP_NO_MEMORY, "a failed allocation went unnoticed");
    torture_fail_allocation(0);
}

static void nothing_left(void) {
    struct subject s = subject_ring(1000);
    CHECK(torture_memory_pieces() == 2, "the ring took %ld pieces", torture_memory_pieces());
    s.ops->destroy(s.queue);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

#if !FP_PLAIN
static void load(int producers, int consumers, int items, int mode) {
    for (int i = 0; i < CAPACITIES; i++) {
        flow(subject_ring(capacities[i]), producers, consumers, scaled(items), mode);
        flow(subject_ring_near_wrap(capacities[i]), producers, consumers, scaled(items), mode);
    }
}

static void pairs(void) { load(1, 1, 20000, FLOW_OBSERVE); }
static void few(void) { load(2, 2, 10000, FLOW_BATCHES | FLOW_OBSERVE); }
static void uneven(void) {
    load(5, 1, 3000, FLOW_BATCHES);
    load(1, 5, 15000, 0);
}
static void many(void) { load(32, 32, 300, FLOW_BATCHES); }
static void crowd(void) { flow(subject_ring(2), 100, 100, scaled(100), FLOW_WAIT); }
static void closing(void) {
    for (int round = 0; round < scaled(20); round++)
        load(3, 3, 2000, FLOW_CLOSE | FLOW_BATCHES | FLOW_OBSERVE);
}
static void waiting(void) { load(3, 3, 3000, FLOW_WAIT | FLOW_BATCHES); }
static void waiting_closed(void) { load(3, 3, 3000, FLOW_WAIT | FLOW_CLOSE); }
static void moody(void) { load(4, 4, 2000, FLOW_MOODY | FLOW_BATCHES); }
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
    for (int i = 0; i < CAPACITIES; i++) {
        flow_tides(subject_ring(capacities[i]), 3, scaled(400));
        flow_tides(subject_ring_near_wrap(capacities[i]), 8, scaled(150));
    }
    torture_random_steps(true);
    for (int i = 0; i < CAPACITIES; i++)
        flow_tides(subject_ring(capacities[i]), 3, scaled(100));
}
#ifdef FP_TEST_STEPS
static void stalls(void) {
    for (int i = 0; i < 4; i++) {
        flow_stalls(subject_ring, capacities[i], !fp_mpmc_is_lock_free());
        if (!fp_mpmc_is_lock_free())
            break;
        flow_stalls(subject_ring_near_wrap, capacities[i], false);
    }
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a model", model},
    {"absurd capacity, failed allocation", absurd_capacity},
    {"all memory is given back", nothing_left},
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
    {"delays at the steps", delayed},
    {"one core", one_core},
    {"full and empty are exact", tides},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
