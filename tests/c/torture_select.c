/* torture_select.c - threads that wait for several queues at once, each by a hub of its own. */
#include "flows.h"

#include "base/fp_thread.h"
#include "wait/fp_hub.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* One thread -------------------------------------------------------------------------------------
 */

static bool never(void) { return false; }
static bool always(void) { return true; }
static int sleeps;
static void *count_sleep(void) { return sleeps++, NULL; }
static void forget(void *state) { (void)state; }

static void one_hub(void) {
    const struct fp_host host = {count_sleep, forget, never, 0, 0, 0};
    const struct fp_host struck = {count_sleep, forget, always, 0, 0, 0};
    struct fp_event e;
    struct fp_hub h;
    struct fp_listener l[2];
    fp_event_init(&e);
    fp_hub_open_for_thread(&h);
    for (int i = 0; i < 2; i++)
        l[i] = (struct fp_listener){.notify = fp_hub_notify, .context = &h};
    CHECK(fp_hub_wait(&h, fp_now(), &host) == FP_TIMED_OUT, "there is something due");
    CHECK(fp_hub_wait(&h, fp_now() + 2000000, &host) == FP_TIMED_OUT, "there is something due");
    CHECK(fp_hub_wait(&h, FP_FOREVER, &struck) == FP_INTERRUPTED, "not interrupted");

    /* Away, it hears of it later, and the turn passes on. */
    fp_event_listen(&e, &l[0], false);
    fp_event_listen(&e, &l[1], false);
    fp_event_notify(&e);
    CHECK(fp_event_waiters(&e) == 0, "a thread that is away keeps the turn");
    fp_hub_set_away(&h, false);
    CHECK(fp_hub_wait(&h, FP_FOREVER, &struck) == FP_OK, "what is due comes first");
    CHECK(fp_hub_take(&h) == &l[0] && l[0].next == &l[1] && l[1].next == NULL, "what is due");
    fp_hub_return(&l[0]);
    fp_hub_return(&l[1]);

    /* It was rung, but there is nothing any more: it sleeps. */
    fp_event_listen(&e, &l[0], false);
    fp_event_notify(&e);
    fp_hub_return(fp_hub_take(&h));
    sleeps = 0;
    CHECK(fp_hub_wait(&h, fp_now() + 2000000, &host) == FP_TIMED_OUT, "there is something due");
    CHECK(sleeps < 9, "the bell was not cleared: %d attempts to sleep", sleeps);
    fp_hub_end(&h);
}

#if !FP_PLAIN

/* Several ----------------------------------------------------------------------------------------
 */

enum { MOST_QUEUES = 4 };

struct game {
    struct subject s[MOST_QUEUES];
    int queues, putters, getters, selectors;
    uint32_t each;
    bool fickle; /* selectors give up at random, and go on later */
    atomic_int putting;
    struct ledger ledger;
};

struct operation {
    struct fp_listener node;
    struct subject *s;
    bool ready, has_turn, ended;
};

static struct fp_event *event_of(struct operation *o) { return o->s->ops->not_empty(o->s->queue); }

/* True: an item was taken, or the queue is closed. */
static bool attempt(struct game *g, struct operation *o) {
    uint64_t item;
    enum fp_status s = o->s->ops->get(o->s->queue, &item);
    if (s == FP_OK)
        ledger_take(&g->ledger, item, NULL);
    o->ended = s == FP_CLOSED;
    return s == FP_OK || o->ended;
}

static void pass_turn(struct operation *o) {
    if (o->has_turn)
        fp_event_notify(event_of(o));
    o->has_turn = false;
}

static void after_success(struct operation *o) {
    uint64_t puts, gets;
    o->has_turn = false;
    o->ready = true; /* it is not listed */
    if (!fp_event_unlisten(&o->node) && fp_listener_place(&o->node) == FP_LISTENER_CHOSEN)
        o->has_turn = true;
    o->s->ops->count(o->s->queue, &puts, &gets);
    if (o->has_turn || (fp_event_waiters(event_of(o)) != 0 && puts != gets)) {
        o->has_turn = true;
        pass_turn(o);
    }
}

/* Tries it; false: it is listed, or due. */
static bool settle(struct game *g, struct operation *o) {
    if (attempt(g, o))
        return true;
    o->ready = false;
    if (fp_listener_place(&o->node) != FP_LISTENER_IDLE)
        return false;
    bool in_front = o->has_turn;
    o->has_turn = false;
    fp_event_listen(event_of(o), &o->node, in_front);
    return attempt(g, o);
}

static void take_due(struct fp_hub *h) {
    struct fp_listener *due = fp_hub_take(h);
    while (due != NULL) {
        struct fp_listener *next = due->next;
        struct operation *o = due->owner;
        o->has_turn = o->ready = true;
        fp_hub_return(due);
        due = next;
    }
}

/* One call. The queue of the operation that took place; -1: it gave up. */
static int choose(struct game *g, struct fp_hub *h, struct operation *o, int first) {
    int found = -1;
    bool gives_up = g->fickle && torture_random(3) == 0;
    fp_hub_set_away(h, false);
    while (found < 0) {
        take_due(h);
        for (int i = 0; i < g->queues && found < 0; i++) {
            struct operation *each = &o[(first + i) % g->queues];
            if (each->ready && !each->ended && settle(g, each))
                found = (first + i) % g->queues;
        }
        if (found >= 0)
            break;
        int64_t until = gives_up ? fp_now() + torture_random(100000) : FP_FOREVER;
        if (fp_hub_wait(h, until, &torture_host) == FP_TIMED_OUT)
            break;
    }
    if (found >= 0)
        after_success(&o[found]);
    fp_hub_set_away(h, true);
    take_due(h);
    for (int i = 0; i < g->queues; i++)
        pass_turn(&o[i]);
    return found;
}

static void select_until_closed(struct game *g) {
    struct fp_hub h;
    struct operation o[MOST_QUEUES];
    fp_hub_open_for_thread(&h);
    for (int i = 0; i < g->queues; i++) {
        o[i] = (struct operation){.s = &g->s[i], .ready = true};
        o[i].node = (struct fp_listener){.notify = fp_hub_notify, .context = &h, .owner = &o[i]};
    }
    int open = g->queues, first = 0;
    while (open > 0) {
        int found = choose(g, &h, o, first);
        if (found >= 0 && o[found].ended)
            open--;
        first++;
        if (g->fickle && torture_random(8) == 0)
            fp_nap(20000); /* away, with its listeners in the lists */
    }
    for (int i = 0; i < g->queues; i++)
        fp_event_unlisten(&o[i].node);
    fp_hub_end(&h);
}

static void work(int id, void *arg) {
    struct game *g = arg;
    if (id < g->selectors) {
        select_until_closed(g);
        return;
    }
    id -= g->selectors;
    if (id < g->putters) {
        for (uint32_t i = 0; i < g->each; i++)
            CHECK(subject_put(&g->s[torture_random((unsigned)g->queues)], item_of(id, i)) == FP_OK,
                  "put");
        if (atomic_fetch_sub(&g->putting, 1) == 1)
            for (int i = 0; i < g->queues; i++)
                g->s[i].ops->close(g->s[i].queue, false);
        return;
    }
    struct subject *mine = &g->s[id % g->queues];
    uint64_t item;
    while (subject_get(mine, &item) == FP_OK)
        ledger_take(&g->ledger, item, NULL);
}

static void play(struct game shape, uint64_t limit) {
    struct game *g = malloc(sizeof *g);
    *g = shape;
    g->each = (uint32_t)scaled((int)g->each);
    for (int i = 0; i < g->queues; i++)
        g->s[i] = i % 2 ? subject_ring(limit) : subject_segq(limit);
    atomic_store(&g->putting, g->putters);
    ledger_open(&g->ledger, g->putters, g->each);
    torture_threads(g->selectors + g->putters + g->getters, work, g);
    for (int p = 0; p < g->putters; p++)
        ledger_check(&g->ledger, p, g->each);
    ledger_close(&g->ledger);
    for (int i = 0; i < g->queues; i++)
        g->s[i].ops->destroy(g->s[i].queue);
    free(g);
}

static void selecting(void) {
    for (uint64_t limit = 1; limit <= 3; limit++) {
        play((struct game){.queues = 2, .selectors = 1, .putters = 1, .each = 300000}, limit);
        play((struct game){.queues = 4, .selectors = 3, .putters = 3, .each = 30000}, limit);
    }
}

static void beside_threads(void) {
    play((struct game){.queues = 3, .selectors = 2, .putters = 2, .getters = 3, .each = 300000}, 2);
}

static void giving_up(void) {
    play((struct game){.queues = 2, .selectors = 2, .putters = 2, .each = 30000, .fickle = true},
         1);
    play((struct game){.queues = 3,
                       .selectors = 2,
                       .putters = 2,
                       .getters = 3,
                       .each = 30000,
                       .fickle = true},
         2);
}

static void delayed(void) {
    torture_random_steps(true);
    for (int i = 0; i < 5; i++)
        play((struct game){.queues = 2,
                           .selectors = 2,
                           .putters = 2,
                           .getters = 2,
                           .each = 1000,
                           .fickle = i % 2 != 0},
             2);
}

static void one_core(void) {
    torture_one_core();
    selecting();
}
#endif

static const struct torture_case cases[] = {
    {"a thread's hub", one_hub},
#if !FP_PLAIN
    {"threads that select", selecting},
    {"beside threads that wait for one queue", beside_threads},
    {"selecting threads that give up", giving_up},
    {"delays at the steps", delayed},
    {"on one processor", one_core},
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
