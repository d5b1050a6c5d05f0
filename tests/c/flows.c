/* flows.c - see flows.h. */
#define _GNU_SOURCE
#include "flows.h"

#include "base/fp_mem.h"
#include "queues/fp_mpmc.h"
#include "queues/fp_ordered.h"
#include "queues/fp_segq.h"
#include "queues/fp_spsc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PRODUCERS = 256, BATCH = 5 };

static void segq_limit(void *q, uint64_t limit) { fp_segq_set_limit(q, limit); }
static void ordered_limit(void *q, uint64_t limit) { fp_ordered_set_limit(q, limit); }

struct subject subject_ring(uint64_t capacity) {
    return (struct subject){&fp_mpmc_ops, fp_mpmc_create(capacity), true, NULL, false};
}

struct subject subject_ring_near_wrap(uint64_t capacity) {
    struct fp_mpmc *r = fp_mem_alloc(sizeof *r);
    fp_mpmc_init_at(r, capacity, UINT64_MAX - 2); /* three laps before 2^63 */
    return (struct subject){&fp_mpmc_ops, r, true, NULL, false};
}

struct subject subject_segq(uint64_t limit) {
    return (struct subject){&fp_segq_ops, fp_segq_create(limit), true, segq_limit, false};
}

struct subject subject_spsc(uint64_t capacity) {
    return (struct subject){&fp_spsc_ops, fp_spsc_create(capacity), true, NULL, true};
}

struct subject subject_lifo(uint64_t limit) {
    struct fp_ordered *q = fp_ordered_create(NULL, &torture_host);
    fp_ordered_set_limit(q, limit);
    return (struct subject){&fp_ordered_ops, q, false, ordered_limit, false};
}

/* Calls that wait, as hosts implement them
 * ------------------------------------------------------------ */

struct request {
    struct subject *s;
    uint64_t *items;
    size_t count, done;
};

static enum fp_status try_put(void *arg) {
    struct request *r = arg;
    size_t n = 0;
    if (r->count == 1) {
        enum fp_status one = r->s->ops->put(r->s->queue, r->items[0]);
        r->done = one == FP_OK;
        return one;
    }
    enum fp_status s = r->s->ops->put_many(r->s->queue, r->items + r->done, r->count - r->done, &n);
    r->done += n;
    return r->done == r->count ? FP_OK : s;
}

static enum fp_status try_get(void *arg) {
    struct request *r = arg;
    if (r->count == 1) {
        enum fp_status one = r->s->ops->get(r->s->queue, r->items);
        r->done = one == FP_OK;
        return one;
    }
    enum fp_status s = r->s->ops->get_many(r->s->queue, r->items, r->count, &r->done);
    return r->done > 0 ? FP_OK : s;
}

static bool more_room(void *arg) {
    struct request *r = arg;
    uint64_t puts, gets;
    r->s->ops->count(r->s->queue, &puts, &gets);
    return puts - gets < r->s->ops->limit(r->s->queue);
}

static bool more_items(void *arg) {
    struct request *r = arg;
    uint64_t puts, gets;
    r->s->ops->count(r->s->queue, &puts, &gets);
    return puts != gets;
}

static enum fp_status call(struct request *r, bool put, int mode) {
    enum fp_status s = put ? try_put(r) : try_get(r);
    if (s != FP_FULL && s != FP_EMPTY)
        return s;
    if (!(mode & (FLOW_WAIT | FLOW_MOODY))) {
        if (torture_random(4) == 0)
            sched_yield();
        return s;
    }
    const struct fp_attempt op = {put ? try_put : try_get, put ? more_room : more_items, r};
    struct fp_event *e = put ? r->s->ops->not_full(r->s->queue) : r->s->ops->not_empty(r->s->queue);
    int64_t deadline = FP_FOREVER;
    if (mode & FLOW_MOODY && torture_random(2) == 0)
        deadline = fp_now() + torture_random(100000);
    s = fp_wait(e, &op, deadline, mode & FLOW_MOODY ? &torture_moody_host : &torture_host);
    return s == FP_TIMED_OUT || s == FP_INTERRUPTED ? (put ? FP_FULL : FP_EMPTY) : s;
}

enum fp_status subject_put(struct subject *s, uint64_t item) {
    struct request r = {s, &item, 1, 0};
    return call(&r, true, FLOW_WAIT);
}

enum fp_status subject_get(struct subject *s, uint64_t *item) {
    struct request r = {s, item, 1, 0};
    return call(&r, false, FLOW_WAIT);
}

/* flow
 * --------------------------------------------------------------------------------------------- */

struct load {
    struct subject s;
    struct ledger ledger;
    int producers, consumers, each, mode;
    uint64_t limit;
    atomic_int producing, consuming;
    atomic_bool closed; /* close() has returned */
    uint32_t put[MOST_PRODUCERS];
};

static void produce(struct load *l, int id) {
    uint64_t items[BATCH];
    uint32_t next = 0;
    while (next < (uint32_t)l->each) {
        size_t count =
            l->mode & FLOW_BATCHES && torture_random(3) == 0 ? 1 + torture_random(BATCH) : 1;
        if (count > (size_t)l->each - next)
            count = (size_t)l->each - next;
        for (size_t i = 0; i < count; i++)
            items[i] = item_of(id, next + (uint32_t)i);
        bool closed_before = atomic_load(&l->closed);
        struct request r = {&l->s, items, count, 0};
        enum fp_status s = call(&r, true, l->mode);
        CHECK(s == FP_OK || s == FP_FULL || s == FP_CLOSED, "put answers %d", (int)s);
        CHECK(r.done == 0 || !closed_before, "a put succeeded after close() had returned");
        next += (uint32_t)r.done;
        if (s == FP_CLOSED)
            break;
        CHECK(!closed_before || s == FP_CLOSED || !l->s.fifo, "a closed queue answers %d", (int)s);
    }
    l->put[id] = next;
    if (atomic_fetch_sub(&l->producing, 1) == 1 && !(l->mode & FLOW_CLOSE))
        CHECK(l->s.ops->close(l->s.queue, false) == FP_OK, "close failed");
}

static void consume(struct load *l) {
    int64_t *last = NULL;
    if (l->s.fifo) {
        last = malloc((size_t)l->producers * sizeof *last);
        for (int i = 0; i < l->producers; i++)
            last[i] = -1;
    }
    uint64_t items[BATCH];
    for (;;) {
        size_t count =
            l->mode & FLOW_BATCHES && torture_random(3) == 0 ? 1 + torture_random(BATCH) : 1;
        struct request r = {&l->s, items, count, 0};
        enum fp_status s = call(&r, false, l->mode);
        CHECK(s == FP_OK || s == FP_EMPTY || s == FP_CLOSED, "get answers %d", (int)s);
        for (size_t i = 0; i < r.done; i++)
            ledger_take(&l->ledger, items[i], last);
        if (s == FP_CLOSED)
            break;
    }
    free(last);
    atomic_fetch_sub(&l->consuming, 1);
}

static void observe(struct load *l) {
    uint64_t puts_before = 0, gets_before = 0;
    while (atomic_load(&l->consuming) > 0) {
        uint64_t puts, gets;
        l->s.ops->count(l->s.queue, &puts, &gets);
        CHECK(gets <= puts, "count: %llu gets, %llu puts", (unsigned long long)gets,
              (unsigned long long)puts);
        if (l->s.fifo && !l->s.single && !(l->mode & FLOW_LIMITS))
            CHECK(puts - gets <= l->limit, "%llu items in a queue of %llu",
                  (unsigned long long)(puts - gets), (unsigned long long)l->limit);
        CHECK(puts >= puts_before && gets >= gets_before, "count went backwards");
        puts_before = puts;
        gets_before = gets;
        if (l->mode & FLOW_CLOSE && atomic_load(&l->closed))
            CHECK(l->s.ops->is_closed(l->s.queue), "a closed queue says it isn't");
        CHECK(l->s.ops->memory(l->s.queue) > 0, "no bytes");
        sched_yield();
    }
}

static void change_limits(struct load *l) {
    while (atomic_load(&l->consuming) > 0) {
        l->s.set_limit(l->s.queue, 1 + torture_random(8));
        usleep(torture_random(200));
    }
}

static void close_in_the_middle(struct load *l) {
    long total = (long)l->producers * l->each,
         half = total / 4 + (long)torture_random((unsigned)total / 2 + 1);
    while (atomic_load(&l->ledger.total) < half && atomic_load(&l->producing) > 0)
        sched_yield();
    CHECK(l->s.ops->close(l->s.queue, false) == FP_OK, "close failed");
    atomic_store(&l->closed, true);
}

static void work(int id, void *arg) {
    struct load *l = arg;
    if (id < l->producers)
        produce(l, id);
    else if ((id -= l->producers) < l->consumers)
        consume(l);
    else if ((id -= l->consumers) == 0 && l->mode & FLOW_CLOSE)
        close_in_the_middle(l);
    else if (id == 1 && l->mode & FLOW_LIMITS)
        change_limits(l);
    else if (id == 2 && l->mode & FLOW_OBSERVE)
        observe(l);
}

static void on_signal(int number) { (void)number; }

/* Interrupts sleeping system calls of all threads, again and again. */
static void *send_signals(void *arg) {
    struct load *l = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    while (atomic_load(&l->consuming) > 0) {
        kill(getpid(), SIGUSR1);
        usleep(200);
    }
    return NULL;
}

void flow(struct subject s, int producers, int consumers, int each, int mode) {
    CHECK(s.queue != NULL && producers <= MOST_PRODUCERS, "no queue");
    struct load *l = calloc(1, sizeof *l);
    *l = (struct load){
        .s = s, .producers = producers, .consumers = consumers, .each = each, .mode = mode};
    l->limit = s.ops->limit(s.queue);
    atomic_store(&l->producing, producers);
    atomic_store(&l->consuming, consumers);
    ledger_open(&l->ledger, producers, (uint32_t)each);
    pthread_t signaller;
    if (mode & FLOW_MOODY) {
        const struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
        sigaction(SIGUSR1, &action, NULL);
        pthread_create(&signaller, NULL, send_signals, l);
    }
    torture_threads(producers + consumers + 3, work, l);
    if (mode & FLOW_MOODY)
        pthread_join(signaller, NULL);
    uint64_t puts, gets, sum = 0;
    for (int i = 0; i < producers; i++) {
        CHECK(mode & FLOW_CLOSE || l->put[i] == (uint32_t)each, "a put was refused");
        ledger_check(&l->ledger, i, l->put[i]);
        sum += l->put[i];
    }
    s.ops->count(s.queue, &puts, &gets);
    CHECK(puts == sum && gets == sum, "count says %llu and %llu, not %llu",
          (unsigned long long)puts, (unsigned long long)gets, (unsigned long long)sum);
    ledger_close(&l->ledger);
    s.ops->destroy(s.queue);
    free(l);
}

/* flow_tides
 * --------------------------------------------------------------------------------------- */

struct tides {
    struct subject s;
    int rounds;
    uint64_t capacity;
    atomic_long moved;
    pthread_barrier_t barrier;
};

static void tide(int id, void *arg) {
    struct tides *t = arg;
    uint32_t number = 0;
    for (int round = 0; round < t->rounds; round++) {
        enum fp_status s;
        while ((s = t->s.ops->put(t->s.queue, item_of(id, number++))) == FP_OK)
            atomic_fetch_add_explicit(&t->moved, 1, memory_order_relaxed);
        CHECK(s == FP_FULL, "put answers %d", (int)s);
        pthread_barrier_wait(&t->barrier);
        CHECK(atomic_load(&t->moved) == (long)t->capacity, "\"full\" with %ld items, not %llu",
              atomic_load(&t->moved), (unsigned long long)t->capacity);
        pthread_barrier_wait(&t->barrier);
        uint64_t item;
        while ((s = t->s.ops->get(t->s.queue, &item)) == FP_OK)
            atomic_fetch_sub_explicit(&t->moved, 1, memory_order_relaxed);
        CHECK(s == FP_EMPTY, "get answers %d", (int)s);
        pthread_barrier_wait(&t->barrier);
        CHECK(atomic_load(&t->moved) == 0, "\"empty\" with %ld items", atomic_load(&t->moved));
        pthread_barrier_wait(&t->barrier);
    }
}

void flow_tides(struct subject s, int threads, int rounds) {
    struct tides t = {.s = s, .rounds = rounds, .capacity = s.ops->limit(s.queue)};
    pthread_barrier_init(&t.barrier, NULL, (unsigned)threads);
    torture_threads(threads, tide, &t);
    pthread_barrier_destroy(&t.barrier);
    s.ops->destroy(s.queue);
}

/* flow_model
 * --------------------------------------------------------------------------------------- */

struct model {
    uint64_t *item; /* first .. first + count - 1 */
    size_t first, count;
    uint64_t puts, gets, limit;
    bool closed;
};

static int same_as_model(uint64_t item, void *arg) {
    struct model *m = arg;
    return item != m->item[m->first + m->puts++]; /* `puts` serves as the index here */
}

static void model_put(struct subject *s, struct model *m, uint64_t *next, size_t many) {
    uint64_t items[BATCH];
    for (size_t i = 0; i < many; i++)
        items[i] = item_of(0, (uint32_t)(*next + i));
    size_t room = m->limit > m->count ? m->limit - m->count : 0, done = 0;
    size_t fit = m->closed ? 0 : room < many ? room : many;
    enum fp_status expected = fit == many ? FP_OK : m->closed ? FP_CLOSED : FP_FULL;
    enum fp_status got = many == 1 ? s->ops->put(s->queue, items[0])
                                   : s->ops->put_many(s->queue, items, many, &done);
    if (many == 1)
        done = got == FP_OK;
    CHECK(got == expected && done == fit, "put of %zu: %d, %zu instead of %d, %zu", many, (int)got,
          done, (int)expected, fit);
    for (size_t i = 0; i < fit; i++)
        m->item[m->first + m->count++] = items[i];
    m->puts += fit;
    *next += many;
}

static void model_get(struct subject *s, struct model *m, size_t many) {
    uint64_t items[BATCH], one = 0;
    size_t done = 0, fit = m->count < many ? m->count : many;
    enum fp_status got =
        many == 1 ? s->ops->get(s->queue, &one) : s->ops->get_many(s->queue, items, many, &done);
    if (many == 1) {
        items[0] = one;
        done = got == FP_OK;
    }
    if (fit == 0)
        CHECK(got == (m->closed ? FP_CLOSED : FP_EMPTY), "get answers %d", (int)got);
    CHECK(done == fit, "get of %zu: %zu, there are %zu", many, done, m->count);
    for (size_t i = 0; i < done; i++) {
        uint64_t expected = s->fifo ? m->item[m->first++] : m->item[m->first + m->count - 1];
        m->count--;
        CHECK(items[i] == expected, "got %llx instead of %llx", (unsigned long long)items[i],
              (unsigned long long)expected);
    }
    m->gets += done;
}

static void model_look(struct subject *s, struct model *m) {
    uint64_t puts, gets;
    s->ops->count(s->queue, &puts, &gets);
    CHECK(puts == m->puts && gets == m->gets, "count: %llu, %llu instead of %llu, %llu",
          (unsigned long long)puts, (unsigned long long)gets, (unsigned long long)m->puts,
          (unsigned long long)m->gets);
    CHECK(s->ops->is_closed(s->queue) == m->closed, "is_closed");
    CHECK(s->ops->limit(s->queue) == m->limit, "limit");
    struct model copy = *m;
    copy.puts = 0;
    CHECK(s->ops->visit(s->queue, same_as_model, &copy) == 0 && copy.puts == m->count, "visit");
}

void flow_model(struct subject s, int calls) {
    struct model m = {.item = malloc(((size_t)calls * BATCH + 1) * sizeof(uint64_t)),
                      .limit = s.ops->limit(s.queue)};
    uint64_t next = 0;
    unsigned bias = 4; /* how many of eight calls are puts */
    for (int i = 0; i < calls; i++) {
        if (torture_random(100) == 0)
            bias = 1 + torture_random(7);
        size_t many = torture_random(4) == 0 ? 2 + torture_random(BATCH - 1) : 1;
        if (torture_random(8) < bias)
            model_put(&s, &m, &next, many);
        else
            model_get(&s, &m, many);
        if (torture_random(50) == 0)
            model_look(&s, &m);
        if (s.set_limit != NULL && torture_random(200) == 0)
            s.set_limit(s.queue, m.limit = 1 + torture_random(60));
        if (i == calls - calls / 20 - 1) {
            CHECK(s.ops->close(s.queue, false) == FP_OK, "close failed");
            m.closed = true;
        }
    }
    model_look(&s, &m);
    free(m.item);
    s.ops->destroy(s.queue);
}
