/* stalls.c - flow_stalls: a thread is stopped in the middle of an operation; see flows.h. */
#include "flows.h"

#include "base/fp_thread.h"
#include "queues/fp_spsc.h"
#include "wait/fp_event.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VICTIM = 1, WORKERS = 2, CHILD = VICTIM + WORKERS + 1, PRODUCERS = CHILD + 1 };
enum { GOAL = 60, MOST_STEPS = 60, MOST_ITEMS = 4096, BATCH = 3 };

struct scene {
    struct subject s;
    char call;        /* the victim's: p put, b put_many, g get, m get_many, c close */
    int step;         /* where it stops */
    struct ledger ledger;
    uint32_t put[PRODUCERS];
    int64_t last[PRODUCERS]; /* of the victim as a consumer; the others have their own */
    atomic_bool reached, ended;
    atomic_int started, finished; /* workers */
};

static void victim_puts(struct scene *c, size_t count) {
    uint64_t items[BATCH];
    size_t done = 0;
    for (uint32_t i = 0; i < BATCH; i++)
        items[i] = item_of(VICTIM, i);
    if (count == 1)
        done = c->s.ops->put(c->s.queue, items[0]) == FP_OK;
    else
        c->s.ops->put_many(c->s.queue, items, count, &done);
    c->put[VICTIM] = (uint32_t)done;
}

static void victim_gets(struct scene *c, size_t count) {
    uint64_t items[BATCH];
    size_t done = 0;
    if (count == 1)
        done = c->s.ops->get(c->s.queue, items) == FP_OK;
    else
        c->s.ops->get_many(c->s.queue, items, count, &done);
    for (size_t i = 0; i < done; i++)
        ledger_take(&c->ledger, items[i], c->last);
}

static void *victim(void *arg) {
    struct scene *c = arg;
    torture_stall_at(c->step);
    switch (c->call) {
    case 'p':
        victim_puts(c, 1);
        break;
    case 'b':
        victim_puts(c, BATCH);
        break;
    case 'g':
        victim_gets(c, 1);
        break;
    case 'm':
        victim_gets(c, BATCH);
        break;
    default:
        c->s.ops->close(c->s.queue, false);
    }
    atomic_store(&c->ended, true);
    torture_stop_stalling();
    return NULL;
}

static void forget(int64_t *last) {
    for (int i = 0; i < PRODUCERS; i++)
        last[i] = -1;
}

/* Puts and takes in turn until GOAL calls had an effect, or the queue is closed. */
static void *go_on(void *arg) {
    struct scene *c = arg;
    int me = VICTIM + 1 + atomic_fetch_add(&c->started, 1);
    int64_t last[PRODUCERS];
    forget(last);
    for (int effects = 0; effects < GOAL;) {
        uint64_t item;
        enum fp_status s = c->s.ops->put(c->s.queue, item_of(me, c->put[me]));
        if (s == FP_OK)
            c->put[me]++, effects++;
        if (s == FP_CLOSED)
            break;
        if (c->s.ops->get(c->s.queue, &item) == FP_OK)
            ledger_take(&c->ledger, item, last), effects++;
    }
    atomic_fetch_add(&c->finished, 1);
    return NULL;
}

/* In a forked child, where the victim is gone for good. What it was putting or taking may be there
 * or not; everything else must be. */
static void use_as_child(struct scene *c, uint32_t filled) {
    uint64_t item, puts, gets, room = c->s.ops->limit(c->s.queue);
    uint32_t mine = 0, taken = 0;
    int64_t last[PRODUCERS];
    forget(last);
    last[0] = c->call == 'g' || c->call == 'm' ? -2 : -1;
    alarm(20);
    char title[60];
    snprintf(title, sizeof title, "in a child forked while '%c' was at step %d", c->call, c->step);
    torture_rename_case(title);
    for (int round = 0; round < 50; round++) {
        enum fp_status s = FP_OK;
        for (int i = 0; i < 20 && s == FP_OK; i++)
            if ((s = c->s.ops->put(c->s.queue, item_of(CHILD, mine))) == FP_OK)
                mine++;
        CHECK(s == FP_OK || s == FP_FULL || s == FP_CLOSED, "child, put '%c' step %d: %d", c->call,
              c->step, (int)s);
        CHECK(s != FP_CLOSED || c->call == 'c', "child: closed by a '%c' stopped at step %d",
              c->call, c->step);
        c->s.ops->count(c->s.queue, &puts, &gets);
        CHECK(s != FP_FULL || puts - gets >= room, "child: full too early");
        while ((s = c->s.ops->get(c->s.queue, &item)) == FP_OK) {
            ledger_take(&c->ledger, item, last);
            taken += producer_of(item) == 0;
        }
        CHECK(s == FP_EMPTY || (s == FP_CLOSED && c->call == 'c'), "child, get: %d", (int)s);
    }
    uint32_t in_flight = c->call == 'g' ? 1 : c->call == 'm' ? BATCH : 0;
    CHECK(taken <= filled && taken + in_flight >= filled, "child: %u of %u items", taken, filled);
    ledger_check(&c->ledger, CHILD, mine);
    _exit(0);
}

static void fork_and_use(struct scene *c, uint32_t filled) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        use_as_child(c, filled);
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TORTURE_SAID_WHY)
        _exit(TORTURE_SAID_WHY);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "a child forked while '%c' was at step %d does not get on (status %d)", c->call, c->step,
          status);
}

/* True: the others went on while the victim stood still. */
static bool others_go_on(struct scene *c, pthread_t *worker) {
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&worker[i], NULL, go_on, c);
    int64_t deadline = fp_now() + (int64_t)(TORTURE_TSAN ? 4 : 2) * 1000000000;
    while (atomic_load(&c->finished) != WORKERS && fp_now() < deadline)
        usleep(100);
    return atomic_load(&c->finished) == WORKERS;
}

/* The other side of an SPSC ring: it must not wait for the victim. */
static void other_side_goes_on(struct scene *c) {
    uint64_t item;
    int64_t last[PRODUCERS];
    forget(last);
    if (c->call == 'g' || c->call == 'm')
        while (c->s.ops->put(c->s.queue, item_of(0, c->put[0])) == FP_OK)
            c->put[0]++;
    else
        while (c->s.ops->get(c->s.queue, &item) == FP_OK)
            ledger_take(&c->ledger, item, last);
}

static void drain_and_check(struct scene *c) {
    uint64_t item;
    if (c->s.single)
        fp_spsc_release_consumer(c->s.queue, 0, true); /* its owner has ended */
    while (c->s.ops->get(c->s.queue, &item) == FP_OK)
        ledger_take(&c->ledger, item, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        ledger_check(&c->ledger, i, c->put[i]);
    ledger_close(&c->ledger);
    c->s.ops->destroy(c->s.queue);
}

enum outcome { NOT_REACHED, WENT_ON, BLOCKED };

static enum outcome play(struct subject s, char call, int step, uint32_t fill, bool waiters,
                         bool blocks) {
    struct scene c = {.s = s, .call = call, .step = step};
    ledger_open(&c.ledger, PRODUCERS, MOST_ITEMS);
    forget(c.last);
    while (c.put[0] < fill && s.ops->put(s.queue, item_of(0, c.put[0])) == FP_OK)
        c.put[0]++;
    if (s.single)
        fp_spsc_release_producer(s.queue, fp_thread_serial(), false);
    if (waiters) { /* announced, so that notifying takes its long way */
        fp_event_enter(s.ops->not_empty(s.queue));
        fp_event_enter(s.ops->not_full(s.queue));
    }
    pthread_t thread, worker[WORKERS];
    pthread_create(&thread, NULL, victim, &c);
    CHECK(torture_wait_stalled(20000), "the victim neither stops nor ends");
    enum outcome outcome = NOT_REACHED;
    if (!atomic_load(&c.ended)) {
        outcome = WENT_ON;
        if (!blocks && !TORTURE_TSAN) /* which does not support it */
            fork_and_use(&c, fill < c.put[0] ? fill : c.put[0]);
        if (s.single)
            other_side_goes_on(&c);
        else if (!others_go_on(&c, worker))
            outcome = BLOCKED;
        CHECK(blocks || outcome != BLOCKED,
              "'%c' stopped at step %d, with %u items: all stand still", call, step, fill);
        torture_release();
        for (int i = 0; !s.single && i < WORKERS; i++)
            pthread_join(worker[i], NULL);
    }
    pthread_join(thread, NULL);
    drain_and_check(&c);
    return outcome;
}

void flow_stalls(struct subject (*make)(uint64_t), uint64_t capacity, bool blocks) {
    const char *const calls = "pbgmc";
    int reached = 0, blocked = 0;
    for (const char *call = calls; *call != '\0'; call++)
        for (int variant = 0; variant < 6; variant++) {
            uint32_t fill = variant / 2 == 0 ? 0 : variant / 2 == 1 ? 1 : (uint32_t)capacity;
            for (int step = 0; step < MOST_STEPS; step++) {
                enum outcome o = play(make(capacity), *call, step, fill, variant % 2, blocks);
                if (o == NOT_REACHED)
                    break;
                reached++;
                blocked += o == BLOCKED;
                if (blocked > 2)
                    return; /* shown; each costs seconds */
            }
        }
#ifdef FP_TEST_STEPS
    CHECK(reached > 10, "only %d steps were reached", reached);
    CHECK(!blocks || blocked > 0, "a blocking algorithm was not seen to block");
#endif
}
