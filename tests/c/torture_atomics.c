/* torture_atomics.c - the integer, the reference, and the flag. */
#include "torture.h"

#include "atomics/fp_flag.h"
#include "atomics/fp_int.h"
#include "atomics/fp_ref.h"
#include "base/fp_mem.h"

#include <stdatomic.h>
#include <unistd.h>

/* The integer ------------------------------------------------------------------------------------
 */

static void int_arithmetic(void) {
    struct fp_int a;
    fp_int_init(&a, INT64_MAX);
    CHECK(fp_int_fetch_add(&a, 1) == INT64_MAX && fp_int_load(&a) == INT64_MIN, "no wrap-around");
    CHECK(fp_int_fetch_sub(&a, 1) == INT64_MIN && fp_int_load(&a) == INT64_MAX, "no wrap-around");
    fp_int_store(&a, 0);
    CHECK(fp_int_fetch_sub(&a, INT64_MIN) == 0 && fp_int_load(&a) == INT64_MIN, "minus the least");
    CHECK(fp_int_exchange(&a, 12) == INT64_MIN, "exchange");
    CHECK(fp_int_fetch_and(&a, 10) == 12 && fp_int_load(&a) == 8, "and");
    CHECK(fp_int_fetch_or(&a, 3) == 8 && fp_int_load(&a) == 11, "or");
    CHECK(fp_int_fetch_xor(&a, -1) == 11 && fp_int_load(&a) == -12, "xor");
    CHECK(fp_int_fetch_max(&a, -20) == -12 && fp_int_load(&a) == -12, "max of less");
    CHECK(fp_int_fetch_max(&a, 5) == -12 && fp_int_load(&a) == 5, "max of more");
    CHECK(fp_int_fetch_min(&a, 6) == 5 && fp_int_load(&a) == 5, "min of more");
    CHECK(fp_int_fetch_min(&a, INT64_MIN) == 5 && fp_int_load(&a) == INT64_MIN, "min of less");
    int64_t expected = 0;
    CHECK(!fp_int_compare_exchange(&a, &expected, 1) && expected == INT64_MIN, "a false swap");
    CHECK(fp_int_compare_exchange(&a, &expected, 1) && fp_int_load(&a) == 1, "no swap");
}

#if !FP_PLAIN
struct sums {
    struct fp_int added, bits, highest, lowest, swapped;
    int rounds;
};

static void int_thread(int id, void *arg) {
    struct sums *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        fp_int_fetch_add(&s->added, id + 1);
        fp_int_fetch_xor(&s->bits, (int64_t)1 << id);
        fp_int_fetch_max(&s->highest, (int64_t)i * 100 + id);
        fp_int_fetch_min(&s->lowest, -((int64_t)i * 100 + id));
        int64_t found = fp_int_load(&s->swapped);
        while (!fp_int_compare_exchange(&s->swapped, &found, found + 3))
            FP_STEP();
    }
}

static void int_threads(void) {
    struct sums s = {.rounds = scaled(50000) | 1};
    torture_random_steps(true);
    torture_threads(4, int_thread, &s);
    CHECK(fp_int_load(&s.added) == (int64_t)s.rounds * (1 + 2 + 3 + 4), "additions were lost");
    CHECK(fp_int_load(&s.bits) == 15, "bits were lost");
    CHECK(fp_int_load(&s.highest) == (int64_t)(s.rounds - 1) * 100 + 3, "a maximum was lost");
    CHECK(fp_int_load(&s.lowest) == -((int64_t)(s.rounds - 1) * 100 + 3), "a minimum was lost");
    CHECK(fp_int_load(&s.swapped) == (int64_t)s.rounds * 4 * 3, "swaps were lost");
}
#endif

/* The reference ----------------------------------------------------------------------------------
 */

enum { ALIVE = 0x600D600D };

struct object {
    atomic_long references;
    uint64_t magic;
    uint64_t payload; /* plain: ordered by the reference's operations only */
};

static atomic_long made, freed;

static struct object *new_object(uint64_t payload) {
    struct object *o = fp_mem_alloc(sizeof *o);
    CHECK(o != NULL, "no memory");
    atomic_store(&o->references, 1);
    o->magic = ALIVE;
    o->payload = payload;
    atomic_fetch_add(&made, 1);
    return o;
}

static void add(void *object) {
    struct object *o = object;
    CHECK(o->magic == ALIVE, "a reference to a freed object");
    CHECK(atomic_fetch_add_explicit(&o->references, 1, memory_order_relaxed) > 0,
          "an object came back to life");
}

static void drop(void *object) {
    struct object *o = object;
    CHECK(o->magic == ALIVE, "dropped after it was freed");
    if (atomic_fetch_sub_explicit(&o->references, 1, memory_order_acq_rel) > 1)
        return;
    o->magic = 0;
    atomic_fetch_add(&freed, 1);
    fp_mem_free(o, sizeof *o);
}

static const struct fp_counting counting = {add, drop};

static void ref_end(struct fp_ref *r) {
    struct object *last = fp_ref_peek(r);
    CHECK(atomic_load(&last->references) == 1, "%ld references to the last object",
          atomic_load(&last->references));
    drop(last);
    CHECK(atomic_load(&made) == atomic_load(&freed), "%ld made, %ld freed", atomic_load(&made),
          atomic_load(&freed));
    CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
}

static void ref_alone(void) {
    struct fp_ref r;
    struct object *a = new_object(1), *b = new_object(2);
    CHECK(fp_ref_fits(a) && !fp_ref_fits((void *)UINTPTR_MAX), "addresses");
    fp_ref_init(&r, a);
    CHECK(fp_ref_load(&r, &counting) == a && atomic_load(&a->references) == 2, "load");
    CHECK(!fp_ref_compare_exchange(&r, b, b, &counting), "a swap of what is not there");
    CHECK(fp_ref_compare_exchange(&r, a, b, &counting), "a swap refused");
    CHECK(atomic_load(&a->references) == 2 && atomic_load(&b->references) == 1, "counts");
    drop(a);
    CHECK(fp_ref_exchange(&r, a, &counting) == b, "exchange");
    drop(b);
    ref_end(&r);
}

#if !FP_PLAIN
enum { PLACES = 2 };
static struct fp_ref place[PLACES];

/* Objects move between the places, so that they come back to where they were. */
static void ref_thread(int id, void *arg) {
    for (int i = 0, rounds = *(int *)arg; i < rounds; i++) {
        struct fp_ref *r = &place[torture_random(PLACES)];
        struct object *o = fp_ref_load(r, &counting);
        CHECK(o->magic == ALIVE && o->payload != 0, "loaded a freed object");
        if (torture_random(3) == 0) {
            struct object *fresh = new_object((uint64_t)id + 1);
            drop(fp_ref_exchange(r, fresh, &counting));
        } else if (torture_random(2) == 0) {
            struct object *other = fp_ref_load(&place[torture_random(PLACES)], &counting);
            CHECK(other->magic == ALIVE, "loaded a freed object");
            drop(fp_ref_compare_exchange(r, o, other, &counting) ? o : other);
        }
        CHECK(o->magic == ALIVE, "freed while it was held");
        drop(o);
    }
}

static void ref_load(int threads, int rounds) {
    for (int i = 0; i < PLACES; i++)
        fp_ref_init(&place[i], new_object(7));
    rounds = scaled(rounds);
    torture_threads(threads, ref_thread, &rounds);
    for (int i = 1; i < PLACES; i++) /* the same object may be in several */
        drop(fp_ref_peek(&place[i]));
    ref_end(&place[0]);
}

static void ref_few(void) { ref_load(3, 200000); }
static void ref_many(void) { ref_load(100, 2000); }
static void ref_delayed(void) {
    torture_random_steps(true);
    ref_load(4, 20000);
}
static void ref_one_core(void) {
    torture_one_core();
    ref_load(4, 50000);
}

#ifdef FP_TEST_STEPS
struct stalled {
    struct fp_ref *ref;
    int step, operation;
    atomic_bool reached, over;
};

static void operate(struct fp_ref *r, int operation) {
    struct object *o = fp_ref_load(r, &counting), *fresh;
    CHECK(o->magic == ALIVE, "loaded a freed object");
    if (operation == 1)
        drop(fp_ref_exchange(r, new_object(2), &counting));
    if (operation == 2) {
        fresh = new_object(3);
        drop(fp_ref_compare_exchange(r, o, fresh, &counting) ? o : fresh);
    }
    drop(o);
}

/* A thread stopped inside an operation hinders nobody and pins its object. */
static void stall_thread(int id, void *arg) {
    struct stalled *s = arg;
    if (id == 0) {
        torture_stall_at(s->step);
        operate(s->ref, s->operation);
        s->reached = torture_stop_stalling();
        return;
    }
    torture_wait_stalled(2000);
    for (int i = 0; i < 300; i++)
        operate(s->ref, i % 3);
    torture_release();
}

static void ref_stalls(void) {
    for (int operation = 0; operation < 3; operation++) {
        bool reached = true;
        for (int step = 0; reached; step++) {
            struct fp_ref r;
            struct stalled s = {&r, step, operation, false, false};
            fp_ref_init(&r, new_object(1));
            torture_threads(2, stall_thread, &s);
            reached = s.reached;
            ref_end(&r);
        }
    }
}
#endif
#endif

/* The flag ---------------------------------------------------------------------------------------
 */

static void flag_alone(void) {
    struct fp_flag f;
    fp_flag_init(&f);
    CHECK(!fp_flag_test(&f) && !fp_flag_exchange(&f, true), "set at first");
    CHECK(fp_flag_test(&f) && fp_flag_exchange(&f, true), "not set");
    CHECK(fp_flag_wait(&f, true, fp_now(), &torture_host) == FP_OK, "set, but waited for");
    int64_t end = fp_now() + 5000000;
    CHECK(fp_flag_wait(&f, false, end, &torture_host) == FP_TIMED_OUT, "no time-out");
    CHECK(fp_now() >= end, "the time-out came early");
    CHECK(fp_flag_exchange(&f, false) && !fp_flag_test(&f), "not cleared");
}

#if !FP_PLAIN
struct flags {
    struct fp_flag turn, stop;
    atomic_long inside, total;
    int rounds;
};

/* A lock made of the flag; waiting for "clear" between the attempts. */
static void flag_thread(int id, void *arg) {
    struct flags *s = arg;
    (void)id;
    for (int i = 0; i < s->rounds; i++) {
        while (fp_flag_exchange(&s->turn, true))
            fp_flag_wait(&s->turn, false, FP_FOREVER, &torture_host);
        CHECK(atomic_fetch_add(&s->inside, 1) == 0, "two threads set the flag");
        atomic_fetch_add(&s->total, 1);
        atomic_fetch_sub(&s->inside, 1);
        fp_flag_exchange(&s->turn, false);
    }
}

static void flag_threads(void) {
    struct flags s = {.rounds = scaled(20000)};
    fp_flag_init(&s.turn);
    torture_threads(4, flag_thread, &s);
    CHECK(s.total == 4L * s.rounds, "turns were lost");
    torture_random_steps(true);
    s.rounds = scaled(1000);
    torture_threads(4, flag_thread, &s);
}

static void start_thread(int id, void *arg) {
    struct flags *s = arg;
    if (id == 0) {
        usleep(2000); /* most are asleep by now */
        fp_flag_exchange(&s->turn, true);
    } else {
        CHECK(fp_flag_wait(&s->turn, true, FP_FOREVER, &torture_host) == FP_OK, "the start");
    }
}

/* Without a wake-up a sleeper looks by itself, after 50 ms: that must not be what ends the sleep.
 */
static void flag_wakes_all(void) {
    const int rounds = scaled(200);
    int quick = 0;
    for (int round = 0; round < rounds; round++) {
        struct flags s = {.rounds = 0};
        int64_t begin = fp_now();
        fp_flag_init(&s.turn);
        torture_threads(8, start_thread, &s);
        quick += fp_now() - begin < 40000000;
    }
    CHECK(4 * quick >= rounds, "sleepers were not woken: %d quick rounds of %d", quick, rounds);
}
#endif

static const struct torture_case cases[] = {
    {"integer: arithmetic wraps around", int_arithmetic},
    {"reference: counts of one thread", ref_alone},
    {"flag: one thread", flag_alone},
#if !FP_PLAIN
    {"integer: nothing is lost", int_threads},
    {"reference: three threads", ref_few},
    {"reference: 100 threads", ref_many},
    {"reference: delays at the steps", ref_delayed},
    {"reference: one core", ref_one_core},
    {"flag: a lock made of it", flag_threads},
    {"flag: setting wakes all", flag_wakes_all},
#ifdef FP_TEST_STEPS
    {"reference: a thread stopped at each step", ref_stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
