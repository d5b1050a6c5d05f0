/* torture_pool.c - the object pool. */
#include "torture.h"

#include "base/fp_backoff.h"

#include "base/fp_mem.h"
#include "limits/fp_pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct object {
    alignas(16) atomic_int users; /* -1: destroyed */
    uint64_t payload;             /* plain: only the pool's operations order it */
};

static uint64_t handle(struct object *o) { return (uint64_t)(uintptr_t)o; }
static struct object *object_of(uint64_t h) { return (struct object *)(uintptr_t)h; }

static atomic_long alive, most_alive;

static struct object *make(void) {
    struct object *o = aligned_alloc(16, sizeof *o);
    CHECK(o != NULL, "no memory");
    atomic_store(&o->users, 0);
    o->payload = 0;
    long now = atomic_fetch_add(&alive, 1) + 1, most = atomic_load(&most_alive);
    while (now > most && !atomic_compare_exchange_weak(&most_alive, &most, now))
        ;
    return o;
}

static void destroy(uint64_t h) {
    CHECK(atomic_exchange(&object_of(h)->users, -1) == 0, "destroyed while in use, or twice");
    free(object_of(h));
}

static void destroy_last(uint64_t h) {
    atomic_fetch_sub(&alive, 1);
    destroy(h);
}

static void discard(struct fp_pool *p, const struct fp_pool_item *item) {
    atomic_fetch_sub(&alive, 1); /* before the pool may make another one in its place */
    fp_pool_discard(p, item);
    destroy(item->object);
}

/* What a host does with an item that take() gave. */
static void finish(struct fp_pool *p, struct fp_pool_item *item) {
    if (item->node == 0)
        CHECK(fp_pool_adopt(p, handle(make()), item) == FP_OK, "adopt");
    struct object *o = object_of(item->object);
    CHECK(atomic_fetch_add(&o->users, 1) == 0, "two users of one object");
    o->payload++;
    fp_pool_lease(p, item);
}

static void give_back(struct fp_pool *p, uint64_t h, bool for_good) {
    struct fp_pool_item item;
    object_of(h)->payload++;
    CHECK(atomic_fetch_sub(&object_of(h)->users, 1) == 1, "two users of one object");
    CHECK(fp_pool_claim(p, h, &item) == FP_OK && item.object == h, "a leased object is refused");
    if (for_good || fp_pool_give(p, &item) != FP_OK)
        discard(p, &item);
}

static void finish_pool(struct fp_pool *p) {
    struct fp_pool_counts counts;
    fp_pool_count(p, &counts);
    CHECK((long)counts.size == atomic_load(&alive) && counts.leased == 0, "%llu, %llu leased",
          (unsigned long long)counts.size, (unsigned long long)counts.leased);
    fp_pool_clear(p, destroy_last);
    fp_pool_count(p, &counts);
    CHECK(counts.size == 0 && atomic_load(&alive) == 0, "objects stay");
    fp_pool_destroy(p);
    CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
}

static int count_visit(uint64_t object, void *arg) { return (void)object, ++*(int *)arg, 0; }

static void alone(void) {
    struct fp_pool p;
    struct fp_pool_item a, b, c;
    struct object stranger;
    struct fp_pool_counts counts;
    int visited = 0;
    CHECK(fp_pool_init(&p, 2, UINT64_MAX, &torture_host) == FP_OK, "init");
    CHECK(fp_pool_take(&p, &a) == FP_OK && a.node == 0, "an empty pool");
    finish(&p, &a);
    CHECK(fp_pool_take(&p, &b) == FP_OK && b.node == 0, "room for one more");
    CHECK(fp_pool_take(&p, &c) == FP_FULL, "more than the bound");
    CHECK(fp_pool_reserve(&p) == FP_FULL, "more than the bound");
    fp_pool_cancel(&p);
    CHECK(fp_pool_take(&p, &b) == FP_OK && b.node == 0, "a cancelled place");
    finish(&p, &b);
    CHECK(fp_pool_wait(&p, &c, fp_now() + 1000000, &torture_host) == FP_TIMED_OUT, "no time-out");
    CHECK(fp_pool_claim(&p, handle(&stranger), &c) == FP_NOT_OWNER, "a stranger");
    CHECK(fp_pool_visit(&p, count_visit, &visited) == 0 && visited == 2, "%d visited", visited);
    give_back(&p, a.object, false);
    CHECK(fp_pool_claim(&p, a.object, &c) == FP_FAILED, "given back twice");
    CHECK(fp_pool_take(&p, &c) == FP_OK && c.object == a.object, "the idle one first");
    CHECK(fp_pool_claim(&p, a.object, &c) == FP_FAILED, "given back before it was leased");
    finish(&p, &c);
    CHECK(fp_pool_claim(&p, c.object, &a) == FP_OK, "claim");
    CHECK(fp_pool_claim(&p, c.object, &a) == FP_FAILED, "claimed twice");
    fp_pool_lease(&p, &a);
    give_back(&p, c.object, true);
    CHECK(fp_pool_reserve(&p) == FP_OK, "a discarded one's place");
    CHECK(fp_pool_adopt(&p, b.object, &c) == FP_FAILED, "adopted twice");
    CHECK(fp_pool_reserve(&p) == FP_OK, "the place of a failure is free");
    fp_pool_cancel(&p);
    fp_pool_count(&p, &counts);
    CHECK(counts.size == 1 && counts.leased == 1 && counts.joined == 2 && counts.left == 1,
          "counts");
    give_back(&p, b.object, false);
    finish_pool(&p);
}

static void bounded_idle(void) {
    struct fp_pool p;
    struct fp_pool_item item[5], aged;
    CHECK(fp_pool_init(&p, UINT64_MAX, 2, &torture_host) == FP_OK, "init");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++) {
            CHECK(fp_pool_take(&p, &item[i]) == FP_OK, "take");
            finish(&p, &item[i]);
        }
        for (int i = 0; i < 5; i++)
            give_back(&p, item[i].object, false);
        CHECK(atomic_load(&alive) == 2, "%ld idle", atomic_load(&alive));
    }
    CHECK(!fp_pool_take_idle(&p, true, &aged), "aged too soon");
    fp_pool_age(&p);
    CHECK(fp_pool_take(&p, &item[0]) == FP_OK && item[0].node != 0, "the aged are taken last");
    finish(&p, &item[0]);
    CHECK(fp_pool_take_idle(&p, true, &aged), "not aged");
    discard(&p, &aged);
    CHECK(!fp_pool_take_idle(&p, false, &aged), "more idle than there were");
    give_back(&p, item[0].object, false);
    finish_pool(&p);
    CHECK(fp_pool_init(&p, 5, 0, &torture_host) == FP_OK, "init");
    CHECK(fp_pool_take(&p, &item[0]) == FP_OK, "take");
    finish(&p, &item[0]);
    give_back(&p, item[0].object, false);
    CHECK(atomic_load(&alive) == 0, "kept, with max_idle 0");
    finish_pool(&p);
}

/* Addresses come and go: compares the table with a list. */
static void table(void) {
    enum { MANY = 3000 };
    static struct fp_pool_item held[MANY];
    struct fp_pool p;
    int n = 0;
    CHECK(fp_pool_init(&p, UINT64_MAX, UINT64_MAX, &torture_host) == FP_OK, "init");
    for (int i = 0; i < scaled(200000); i++) {
        struct fp_pool_item found;
        bool grow = torture_random(4000) < (unsigned)(i / 2000 % 2 ? 3000 : 1000);
        if (n < MANY && (n == 0 || grow)) {
            CHECK(fp_pool_take(&p, &held[n]) == FP_OK, "take");
            finish(&p, &held[n++]);
        } else {
            int k = (int)torture_random((unsigned)n);
            give_back(&p, held[k].object, true);
            held[k] = held[--n];
        }
        if (n > 0) {
            struct fp_pool_item *any = &held[torture_random((unsigned)n)];
            CHECK(fp_pool_claim(&p, any->object, &found) == FP_OK && found.node == any->node,
                  "an object was lost");
            fp_pool_lease(&p, &found);
        }
        CHECK(fp_pool_claim(&p, handle((struct object *)(void *)&p), &found) == FP_NOT_OWNER,
              "a stranger was let in");
    }
    while (n > 0)
        give_back(&p, held[--n].object, true);
    finish_pool(&p);
}

static void no_memory(void) {
    struct fp_pool p;
    for (int number = 1; number <= 2; number++) {
        torture_fail_allocation(number);
        CHECK(fp_pool_init(&p, 1, 1, &torture_host) == FP_NO_MEMORY, "unnoticed");
        torture_fail_allocation(0);
        CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
    }
    CHECK(fp_pool_init(&p, 100, UINT64_MAX, &torture_host) == FP_OK, "init");
    struct fp_pool_item item[100];
    for (int i = 0; i < 100; i++) {
        CHECK(fp_pool_take(&p, &item[i]) == FP_OK, "take");
        struct object *o = make();
        torture_fail_allocation(1);
        enum fp_status s = fp_pool_adopt(&p, handle(o), &item[i]);
        torture_fail_allocation(0);
        if (s == FP_NO_MEMORY) {
            CHECK(fp_pool_reserve(&p) == FP_OK, "the place of a failure is lost");
            s = fp_pool_adopt(&p, handle(o), &item[i]);
        }
        CHECK(s == FP_OK, "adopt");
        fp_pool_lease(&p, &item[i]);
    }
    CHECK(fp_pool_take(&p, &item[0]) == FP_FULL, "the bound was lost");
    fp_pool_count(&p, &(struct fp_pool_counts){0});
    fp_pool_clear(&p, destroy_last);
    finish_pool(&p);
}

#if !FP_PLAIN
struct crowd {
    struct fp_pool pool;
    int rounds;
    bool waits, discards;
    uint64_t most;
    atomic_int running;
};

static void crowd_thread(int id, void *arg) {
    struct crowd *c = arg;
    struct fp_pool *p = &c->pool;
    for (int i = 0; i < c->rounds; i++) {
        struct fp_pool_item item, other;
        enum fp_status s = fp_pool_take(p, &item);
        if (s == FP_FULL && c->waits) {
            bool moody = id % 2 == 0;
            s = fp_pool_wait(p, &item, moody ? fp_now() + torture_random(200000) : FP_FOREVER,
                             moody ? &torture_moody_host : &torture_host);
        }
        if (s != FP_OK) {
            CHECK(s == FP_FULL || s == FP_TIMED_OUT || s == FP_INTERRUPTED, "answer %d", (int)s);
            continue;
        }
        finish(p, &item);
        CHECK(fp_pool_claim(p, item.object + 8, &other) == FP_NOT_OWNER, "a stranger");
        if (torture_random(16) == 0)
            fp_pause();
        give_back(p, item.object, c->discards && torture_random(8) == 0);
        if (c->discards && torture_random(64) == 0) {
            fp_pool_age(p);
            if (fp_pool_take_idle(p, torture_random(2) == 0, &item))
                discard(p, &item);
        }
    }
    atomic_fetch_sub(&c->running, 1);
}

static bool one_stack; /* all threads use one stack, as if there were more threads than stripes */

static void crowd(int threads, uint64_t most, uint64_t idle, bool waits, bool discards,
                  int rounds) {
    struct crowd c = {.rounds = scaled(rounds), .waits = waits, .discards = discards};
    c.running = threads;
    atomic_store(&most_alive, 0);
    CHECK(fp_pool_init(&c.pool, most, idle, &torture_host) == FP_OK, "init");
    const uint64_t stripes = c.pool.stripes;
    if (one_stack)
        c.pool.stripes = 1;
    torture_threads(threads, crowd_thread, &c);
    CHECK((uint64_t)atomic_load(&most_alive) <= most, "%ld objects at a time",
          atomic_load(&most_alive));
    CHECK((uint64_t)atomic_load(&alive) <= idle, "%ld idle", atomic_load(&alive));
    fp_pool_clear(&c.pool, destroy_last);
    c.pool.stripes = stripes;
    finish_pool(&c.pool);
}

static const uint64_t sizes[] = {1, 2, 3, 50, UINT64_MAX};
static void trying(void) {
    for (int i = 0; i < 5; i++) {
        crowd(3, sizes[i], UINT64_MAX, false, false, 20000);
        crowd(4, sizes[i], UINT64_MAX, false, true, 10000);
        crowd(4, sizes[i], 1, false, true, 10000);
    }
}
static void waiting(void) {
    for (int i = 0; i < 5; i++) {
        crowd(5, sizes[i], UINT64_MAX, true, false, 3000);
        crowd(6, sizes[i], 1, true, true, 2000);
    }
}
static void meeting(void) {
    one_stack = true;
    trying();
    torture_random_steps(true);
    crowd(4, 4, UINT64_MAX, false, false, 5000);
}
static void many(void) { crowd(100, 7, 5, true, true, 100); }
static void delayed(void) {
    torture_random_steps(true);
    for (int i = 0; i < 5; i++) {
        crowd(4, sizes[i], UINT64_MAX, false, true, 2000);
        crowd(4, sizes[i], 2, true, true, 500);
    }
}
static void one_core(void) {
    torture_one_core();
    crowd(4, 2, UINT64_MAX, true, true, 2000);
}

/* Without a wake-up a sleeper looks by itself after 50 ms. The wake-up has to end the sleep before
 * that. */
struct hand_over {
    struct fp_pool pool;
    atomic_int got;
    _Atomic int64_t given, quickest;
    int rounds;
};
static void hand_over_thread(int id, void *arg) {
    struct hand_over *h = arg;
    struct fp_pool_item item;
    for (int i = 0; i < h->rounds; i++) {
        if (id == 0) {
            while (fp_pool_take(&h->pool, &item) != FP_OK)
                usleep(100); /* the other thread checks whether it is too soon */
            finish(&h->pool, &item);
            while (fp_event_waiters(&h->pool.available) == 0)
                usleep(100);
            usleep(2000);
            h->given = fp_now();
            give_back(&h->pool, item.object, false);
        } else {
            while (fp_pool_take(&h->pool, &item) == FP_OK) { /* too soon */
                if (item.node == 0)
                    fp_pool_cancel(&h->pool);
                else
                    CHECK(fp_pool_give(&h->pool, &item) == FP_OK, "give");
                usleep(100);
            }
            CHECK(fp_pool_wait(&h->pool, &item, FP_FOREVER, &torture_host) == FP_OK, "wait");
            int64_t took = fp_now() - h->given;
            h->quickest = took < h->quickest ? took : h->quickest;
            finish(&h->pool, &item);
            give_back(&h->pool, item.object, false);
            atomic_fetch_add(&h->got, 1);
        }
        while (atomic_load(&h->got) <= i)
            usleep(100);
    }
}
static void woken(void) {
    struct hand_over h = {.rounds = scaled(100), .quickest = FP_FOREVER};
    CHECK(fp_pool_init(&h.pool, 1, UINT64_MAX, &torture_host) == FP_OK, "init");
    torture_threads(2, hand_over_thread, &h);
    CHECK(h.quickest < 25000000, "sleepers were not woken");
    finish_pool(&h.pool);
}

/* Two threads give the same object back at once: one of them is told that it may not. */
struct twice {
    struct fp_pool pool;
    uint64_t object;
    atomic_int won;
};
static void twice_thread(int id, void *arg) {
    struct twice *t = arg;
    struct fp_pool_item item;
    (void)id;
    enum fp_status s = fp_pool_claim(&t->pool, t->object, &item);
    if (s == FP_OK) {
        atomic_fetch_add(&t->won, 1);
        CHECK(fp_pool_give(&t->pool, &item) == FP_OK, "give");
    } else {
        CHECK(s == FP_FAILED, "answer %d", (int)s);
    }
}
static void given_back_by_two(void) {
    for (int round = 0; round < scaled(300); round++) {
        struct twice t;
        struct fp_pool_item item;
        t.won = 0;
        CHECK(fp_pool_init(&t.pool, 1, 1, &torture_host) == FP_OK, "init");
        CHECK(fp_pool_take(&t.pool, &item) == FP_OK, "take");
        finish(&t.pool, &item);
        object_of(item.object)->users = 0;
        t.object = item.object;
        torture_threads(3, twice_thread, &t);
        CHECK(t.won == 1, "%d gave it back", (int)t.won);
        finish_pool(&t.pool);
    }
}

#ifdef FP_TEST_STEPS
struct stalled {
    struct fp_pool pool;
    int step;
    atomic_bool reached;
};

static void use(struct fp_pool *p) {
    struct fp_pool_item item;
    CHECK(fp_pool_take(p, &item) == FP_OK, "others' objects are out of reach");
    finish(p, &item);
    give_back(p, item.object, false);
}

static void stall_thread(int id, void *arg) {
    struct stalled *s = arg;
    if (id == 0) {
        torture_stall_at(s->step);
        use(&s->pool);
        s->reached = torture_stop_stalling();
        return;
    }
    torture_wait_stalled(2000);
    for (int i = 0; i < 300; i++)
        use(&s->pool);
    torture_release();
}

/* There are two objects; the stopped thread may hold one of them. */
static void stalls(void) {
    bool reached = true;
    for (int step = 0; reached; step++) {
        struct stalled s = {.step = step};
        struct fp_pool_item a, b;
        CHECK(fp_pool_init(&s.pool, 2, UINT64_MAX, &torture_host) == FP_OK, "init");
        CHECK(fp_pool_take(&s.pool, &a) == FP_OK, "take");
        finish(&s.pool, &a);
        CHECK(fp_pool_take(&s.pool, &b) == FP_OK, "take");
        finish(&s.pool, &b);
        give_back(&s.pool, a.object, false);
        give_back(&s.pool, b.object, false);
        torture_threads(2, stall_thread, &s);
        reached = s.reached;
        finish_pool(&s.pool);
    }
}
#endif
#endif

static const struct torture_case cases[] = {
    {"one thread", alone},
    {"bounded idle, ageing", bounded_idle},
    {"the table of addresses", table},
    {"failed allocations", no_memory},
#if !FP_PLAIN
    {"many try", trying},
    {"many wait", waiting},
    {"many at one stack", meeting},
    {"100 threads", many},
    {"a waiter is woken", woken},
    {"delays at the steps", delayed},
    {"one core", one_core},
    {"given back by two", given_back_by_two},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
