/* torture_channel.c - the channel: as a queue, and when it drops its oldest items. */
#include "flows.h"

#include "base/fp_thread.h"
#include "queues/fp_channel.h"
#include "reclaim/fp_epoch.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t limits[] = {1, 2, 3, 7, 1000};
enum { LIMITS = sizeof limits / sizeof *limits, MANY = 100, BATCH = 3 };

static struct subject as_queue(uint64_t limit) {
    return (struct subject){&fp_channel_ops, fp_channel_create(limit, false, false), true, NULL,
                            false};
}

static void model(void) {
    for (int i = 0; i < LIMITS; i++)
        flow_model(as_queue(limits[i]), scaled(50000));
}

/* A put as the host implements it; returns its answer. Calls `dropped` for each item that goes. */
static enum fp_status put_evicting(struct fp_channel *c, uint64_t item,
                                   void (*dropped)(uint64_t item, void *arg), void *arg) {
    uint64_t items[BATCH];
    size_t n;
    enum fp_status s = fp_channel_store(c, item);
    do {
        n = fp_channel_trim(c, items, BATCH);
        for (size_t i = 0; i < n; i++)
            dropped(items[i], arg);
    } while (n == BATCH);
    return s;
}

static void must_be(uint64_t item, void *arg) {
    uint64_t *expected = arg;
    CHECK(item == item_of(0, (uint32_t)*expected), "dropped another than the oldest");
    ++*expected;
}

static void one_thread(void) {
    for (int i = 0; i < LIMITS; i++) {
        struct fp_channel *c = fp_channel_create(limits[i], true, false);
        uint64_t first = 0, next = 0, drops = 0, gets = 0;
        for (int call = 0; call < scaled(50000); call++) {
            uint64_t item, puts, taken, before = first;
            if (torture_random(3) != 0) {
                CHECK(put_evicting(c, item_of(0, (uint32_t)next++), must_be, &first) == FP_OK,
                      "put");
                CHECK(first - before == (next - 1 - before == limits[i]), "%llu dropped",
                      (unsigned long long)(first - before));
                drops += first - before;
            } else if (fp_segq_get(&c->q, &item) == FP_OK) {
                CHECK(item == item_of(0, (uint32_t)first++), "order");
                gets++;
            } else {
                CHECK(first == next, "empty with %llu", (unsigned long long)(next - first));
            }
            fp_channel_count(c, &puts, &taken);
            CHECK(puts == next && taken == drops + gets && first == taken, "count");
            CHECK(fp_channel_drops(c, FP_DROP_OLDEST) == drops, "drops");
        }
        fp_channel_ops.destroy(c);
    }
}

/* Every allocation fails in turn: a put that fails drops nothing. */
static void failed_allocations(void) {
    for (long number = 1;; number++) {
        torture_fail_allocation(number);
        struct fp_channel *c = fp_channel_create(3, true, false);
        uint64_t first = 0, next = 0;
        for (int i = 0; c != NULL && i < 5000; i++) {
            uint64_t before = first;
            enum fp_status s = put_evicting(c, item_of(0, (uint32_t)next), must_be, &first);
            CHECK(s == FP_OK || (s == FP_NO_MEMORY && torture_allocation_failed()), "%d", (int)s);
            CHECK(s == FP_OK || first == before, "a put that failed has dropped an item");
            next += s == FP_OK;
        }
        bool failed = torture_allocation_failed();
        torture_fail_allocation(0);
        if (c != NULL) {
            CHECK(next - first == 3, "%llu items", (unsigned long long)(next - first));
            fp_channel_ops.destroy(c);
        }
        if (!failed)
            return;
    }
}

#if !FP_PLAIN
static void queue_flows(void) {
    for (int i = 0; i < LIMITS; i++) {
        flow(as_queue(limits[i]), 3, 3, scaled(3000), FLOW_BATCHES | FLOW_OBSERVE);
        flow(as_queue(limits[i]), 3, 3, scaled(2000), FLOW_WAIT | FLOW_CLOSE);
    }
}

/* Producers flood, consumers take, an observer looks. Every item put is taken or dropped, once. */
struct flood {
    struct fp_channel *c;
    struct ledger ledger;
    int producers, consumers;
    uint32_t each, stored[MANY];
    atomic_int producing, working;
    atomic_long taken, dropped, told;
    bool closing; /* a thread closes it in the middle */
    int64_t last[MANY][MANY];
};

static void lost(uint64_t item, void *arg) {
    struct flood *f = arg;
    ledger_take(&f->ledger, item, NULL);
    atomic_fetch_add(&f->dropped, 1);
}

static void report(struct flood *f) {
    uint64_t news[FP_DROPS];
    bool again = true;
    while (again && fp_channel_begin_report(f->c, fp_thread_serial(), torture_random(2), news)) {
        atomic_fetch_add(&f->told, (long)news[FP_DROP_OLDEST]);
        fp_channel_tell(f->c, news, torture_random(100000));
        again = fp_channel_end_report(f->c);
    }
}

static void produce(struct flood *f, int id) {
    for (uint32_t i = 0; i < f->each; i++) {
        enum fp_status s = put_evicting(f->c, item_of(id, i), lost, f);
        CHECK(s == FP_OK || (s == FP_CLOSED && f->closing), "put answers %d", (int)s);
        report(f);
        if (s == FP_CLOSED)
            break;
        f->stored[id] = i + 1;
        if (torture_random(40) == 0)
            sched_yield();
    }
    if (atomic_fetch_sub(&f->producing, 1) == 1 && !f->closing)
        fp_segq_close(&f->c->q);
}

static void consume(struct flood *f, int id) {
    struct subject s = {&fp_channel_ops, f->c, true, NULL, false};
    uint64_t item;
    while (subject_get(&s, &item) == FP_OK) {
        ledger_take(&f->ledger, item, f->last[id]);
        atomic_fetch_add(&f->taken, 1);
    }
}

static void watch(struct flood *f) {
    uint64_t puts_before = 0, gets_before = 0, limit = fp_segq_limit(&f->c->q);
    while (atomic_load(&f->working) > 1) {
        uint64_t puts, gets;
        fp_channel_count(f->c, &puts, &gets);
        CHECK(puts - gets <= limit, "%llu items of %llu", (unsigned long long)(puts - gets),
              (unsigned long long)limit);
        CHECK(puts >= puts_before && gets >= gets_before, "count went backwards");
        puts_before = puts, gets_before = gets;
        sched_yield();
    }
}

static void close_early(struct flood *f) {
    uint64_t items[BATCH];
    while (atomic_load(&f->taken) + atomic_load(&f->dropped) < f->producers * (long)f->each / 2)
        sched_yield();
    fp_segq_close(&f->c->q);
    for (size_t n = BATCH; n == BATCH;) {
        n = fp_channel_trim(f->c, items, BATCH);
        for (size_t i = 0; i < n; i++)
            lost(items[i], f);
    }
    report(f);
}

static void flood_thread(int id, void *arg) {
    struct flood *f = arg;
    if (id < f->producers)
        produce(f, id);
    else if ((id -= f->producers) < f->consumers)
        consume(f, id);
    else if (id == f->consumers)
        watch(f);
    else if (f->closing)
        close_early(f);
    atomic_fetch_sub(&f->working, 1);
}

static void flood(uint64_t limit, int producers, int consumers, int each, bool closing) {
    struct flood *f = calloc(1, sizeof *f);
    f->c = fp_channel_create(limit, true, false);
    f->producers = producers, f->consumers = consumers;
    f->each = (uint32_t)each, f->closing = closing;
    memset(f->last, 0xff, sizeof f->last);
    atomic_store(&f->producing, producers);
    atomic_store(&f->working, producers + consumers + 2);
    ledger_open(&f->ledger, producers, (uint32_t)each);
    torture_threads(producers + consumers + 2, flood_thread, f);
    long stored = 0;
    for (int i = 0; i < producers; i++) {
        ledger_check(&f->ledger, i, f->stored[i]);
        stored += f->stored[i];
        CHECK(closing || f->stored[i] == f->each, "a put was refused");
    }
    uint64_t puts, gets;
    fp_channel_count(f->c, &puts, &gets);
    CHECK(puts == (uint64_t)stored && gets == puts, "count");
    CHECK(stored == atomic_load(&f->taken) + atomic_load(&f->dropped), "%ld, %ld, %ld", stored,
          atomic_load(&f->taken), atomic_load(&f->dropped));
    CHECK(fp_channel_drops(f->c, FP_DROP_OLDEST) == (uint64_t)atomic_load(&f->dropped), "drops");
    report(f);
    CHECK(atomic_load(&f->told) == atomic_load(&f->dropped), "%ld of %ld drops were told",
          atomic_load(&f->told), atomic_load(&f->dropped));
    ledger_close(&f->ledger);
    fp_channel_ops.destroy(f->c);
    free(f);
}

static void floods(void) {
    for (int i = 0; i < LIMITS; i++) {
        flood(limits[i], 1, 1, scaled(20000), false);
        flood(limits[i], 3, 3, scaled(4000), false);
        flood(limits[i], 5, 1, scaled(3000), false);
    }
}

static void crowd(void) {
    for (int i = 0; i < LIMITS; i++)
        flood(limits[i], MANY, 20, scaled(200), false);
}

static void closing(void) {
    for (int round = 0; round < scaled(20); round++)
        for (int i = 0; i < LIMITS; i++)
            flood(limits[i], 3, 2, 1000, true);
}

static void delayed(void) {
    torture_random_steps(true);
    for (int i = 0; i < LIMITS; i++) {
        flood(limits[i], 3, 3, scaled(1000), false);
        flood(limits[i], 4, 1, scaled(1000), true);
    }
}

/* Threads wait for tokens; the closing ends all waits. */
static void wait_for_token(int id, void *arg) {
    struct flood *f = arg;
    if (id == 0) {
        usleep(50000);
        while (f->closing && fp_event_waiters(&f->c->token_event) == 0)
            sched_yield();
        fp_channel_ops.close(f->c, false);
        /* Announced waiters would also notice by themselves, sooner or later. */
        CHECK(!f->closing || (uint32_t)fp_sync_u64_load_seq_cst(&f->c->token_event.word) != 0,
              "closing has woken nobody");
        return;
    }
    for (;;) {
        int64_t before = fp_now(), deadline = id % 2 ? FP_FOREVER : before + 2000000;
        const struct fp_host *host = id % 3 ? &torture_host : &torture_moody_host;
        enum fp_status s = fp_channel_pace(f->c, deadline, host);
        CHECK(s != FP_FULL && (s != FP_TIMED_OUT || deadline != FP_FOREVER), "pace: %d", (int)s);
        CHECK(s != FP_INTERRUPTED || host == &torture_moody_host, "interrupted");
        if (s == FP_OK)
            atomic_fetch_add(&f->taken, 1);
        if (s == FP_CLOSED || (s != FP_INTERRUPTED && fp_segq_is_closed(&f->c->q)))
            return;
        if (s == FP_TIMED_OUT)
            sched_yield();
    }
}

static void paced(void) {
    struct flood f = {.c = fp_channel_create(3, true, true)};
    CHECK(fp_channel_set_rate(f.c, 1000, 5) == FP_OK, "set_rate");
    int64_t before = fp_now();
    torture_threads(30, wait_for_token, &f);
    long most = 5 + (long)((fp_now() - before) / 1000000) + 1;
    CHECK(atomic_load(&f.taken) >= 5 && atomic_load(&f.taken) <= most, "%ld tokens of %ld",
          atomic_load(&f.taken), most);
    fp_channel_ops.destroy(f.c);
    f.c = fp_channel_create(3, false, true); /* no token for days: only the closing ends a wait */
    f.closing = true;
    CHECK(fp_channel_set_rate(f.c, 1e-6, 1) == FP_OK, "set_rate");
    torture_threads(30, wait_for_token, &f);
    fp_channel_ops.destroy(f.c);
}

/* No consumer takes anything: exactly the items that do not fit are dropped. */
static void flood_only(int id, void *arg) {
    struct flood *f = arg;
    for (uint32_t i = 0; i < f->each; i++)
        put_evicting(f->c, item_of(id, i), lost, f);
}

static void no_consumer(void) {
    for (int i = 0; i < LIMITS; i++) {
        struct flood f = {.c = fp_channel_create(limits[i], true, false), .each = 500};
        uint64_t item;
        long left = 0;
        ledger_open(&f.ledger, MANY, f.each);
        torture_threads(MANY, flood_only, &f);
        while (fp_segq_get(&f.c->q, &item) == FP_OK) {
            ledger_take(&f.ledger, item, NULL);
            left++;
        }
        CHECK(left == (long)limits[i], "%ld are left of %llu", left, (unsigned long long)limits[i]);
        CHECK(atomic_load(&f.dropped) == MANY * 500L - left, "dropped");
        for (int id = 0; id < MANY; id++)
            ledger_check(&f.ledger, id, f.each);
        ledger_close(&f.ledger);
        fp_channel_ops.destroy(f.c);
    }
}

#ifdef FP_TEST_STEPS
/* A put is stopped at each of its steps. Puts, gets and looks of the other threads go on, within
 * the bound. So they do in a child forked at that moment, reports included. */
struct scene {
    struct fp_channel *c;
    int step;
    atomic_long dropped;
    atomic_bool ended;
};

static void forgotten(uint64_t item, void *arg) {
    struct scene *s = arg;
    (void)item;
    atomic_fetch_add(&s->dropped, 1);
}

static void *victim(void *arg) {
    struct scene *s = arg;
    uint64_t news[FP_DROPS];
    torture_stall_at(s->step);
    put_evicting(s->c, item_of(1, 0), forgotten, s);
    if (fp_channel_begin_report(s->c, fp_thread_serial(), true, news)) {
        fp_channel_tell(s->c, news, 0);
        fp_channel_end_report(s->c);
    }
    atomic_store(&s->ended, true);
    torture_stop_stalling();
    return NULL;
}

static long use(struct scene *s, uint64_t limit) {
    uint64_t item, puts, gets, news[FP_DROPS];
    long taken = 0;
    for (uint32_t i = 0; i < 50; i++) {
        CHECK(put_evicting(s->c, item_of(2, i), forgotten, s) == FP_OK, "put");
        fp_channel_count(s->c, &puts, &gets);
        CHECK(puts - gets <= limit && puts != gets, "%llu items",
              (unsigned long long)(puts - gets));
        if (i % 3 == 0) {
            CHECK(fp_segq_get(&s->c->q, &item) == FP_OK, "empty after a put");
            taken++;
        }
    }
    if (fp_channel_begin_report(s->c, fp_thread_serial(), true, news)) {
        fp_channel_tell(s->c, news, 0);
        fp_channel_end_report(s->c);
    }
    return taken;
}

static void use_in_child(struct scene *s, uint64_t limit) {
    uint64_t news[FP_DROPS];
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        use(s, limit);
        put_evicting(s->c, item_of(3, 0), forgotten, s);
        put_evicting(s->c, item_of(3, 1), forgotten, s);
        if (limit == 1)
            CHECK(fp_channel_begin_report(s->c, fp_thread_serial(), true, news),
                  "a child cannot report (step %d)", s->step);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(status == 0, "a child forked at step %d ends with %d", s->step, status);
}

static bool stall(uint64_t limit, int step) {
    struct scene s = {.c = fp_channel_create(limit, true, false), .step = step};
    long stored = (long)limit + 51, left = 0;
    uint64_t item;
    for (uint32_t i = 0; i < limit; i++)
        put_evicting(s.c, item_of(0, i), forgotten, &s);
    pthread_t thread;
    pthread_create(&thread, NULL, victim, &s);
    CHECK(torture_wait_stalled(20000), "the victim neither stops nor ends");
    bool reached = !atomic_load(&s.ended);
    long taken = use(&s, limit);
    if (reached && !TORTURE_TSAN) /* the sanitizer does not support threads after fork */
        use_in_child(&s, limit);
    if (reached)
        torture_release();
    pthread_join(thread, NULL);
    while (fp_segq_get(&s.c->q, &item) == FP_OK)
        left++;
    CHECK(left <= (long)limit, "%ld are left", left);
    CHECK(stored == taken + left + atomic_load(&s.dropped), "step %d: %ld, %ld, %ld, %ld", step,
          stored, taken, left, atomic_load(&s.dropped));
    fp_channel_ops.destroy(s.c);
    return reached;
}

static void stalls(void) {
    for (int i = 0; i < LIMITS - 1; i++) {
        int step = 0;
        while (stall(limits[i], step))
            step++;
        CHECK(step > 3, "a put has %d steps", step);
    }
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a model", model},
    {"one thread drops exactly the oldest", one_thread},
    {"every allocation fails in turn", failed_allocations},
#if !FP_PLAIN
    {"a queue like any other", queue_flows},
    {"floods", floods},
    {"a flood by 100 threads", crowd},
    {"a flood by 100 threads that nobody takes from", no_consumer},
    {"closed in the middle", closing},
    {"waiting for tokens", paced},
    {"delays at the steps", delayed},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
