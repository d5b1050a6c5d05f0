/* torture_listener.c - listeners on events and the hubs of event loops, beside threads that wait.
 */
#include "flows.h"

#include "base/fp_thread.h"
#include "wait/fp_hub.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* One thread -------------------------------------------------------------------------------------
 */

static struct fp_listener *told[16];
static int told_count;
static bool accepts = true;

static bool note(struct fp_listener *l) { return told[told_count++] = l, accepts; }

static void make_nodes(struct fp_listener *l, int n) {
    for (int i = 0; i < n; i++)
        l[i] = (struct fp_listener){.notify = note};
    told_count = 0;
    accepts = true;
}

static void served_in_order(void) {
    struct fp_event e;
    struct fp_listener l[4];
    fp_event_init(&e);
    make_nodes(l, 4);
    fp_event_notify(&e);
    CHECK(told_count == 0 && fp_event_waiters(&e) == 0, "nobody waits");
    for (int i = 0; i < 3; i++)
        fp_event_listen(&e, &l[i], false);
    fp_event_listen(&e, &l[3], true);
    CHECK(fp_event_waiters(&e) == 1, "the list counts %u times", fp_event_waiters(&e));
    CHECK(fp_event_unlisten(&l[1]) && !fp_event_unlisten(&l[1]), "taken back once");
    for (int i = 0; i < 3; i++)
        fp_event_notify(&e);
    fp_event_notify(&e);
    CHECK(told_count == 3 && told[0] == &l[3] && told[1] == &l[0] && told[2] == &l[2],
          "the order in which they are told");
    CHECK(fp_listener_place(&l[0]) == FP_LISTENER_CHOSEN && !fp_event_unlisten(&l[0]), "chosen");
    CHECK(fp_event_waiters(&e) == 0 && !fp_event_has_listeners(&e), "an empty list counts");
}

/* One that will not run does not keep the others from their turns. */
static void refused(void) {
    struct fp_event e;
    struct fp_listener l[3];
    fp_event_init(&e);
    make_nodes(l, 3);
    for (int i = 0; i < 3; i++)
        fp_event_listen(&e, &l[i], false);
    accepts = false;
    fp_event_notify(&e);
    CHECK(told_count == 3 && fp_event_waiters(&e) == 0, "%d told", told_count);
}

static void all_at_once(void) {
    struct fp_event e;
    struct fp_listener l[3];
    fp_event_init(&e);
    make_nodes(l, 3);
    for (int i = 0; i < 3; i++)
        fp_event_listen(&e, &l[i], false);
    fp_event_notify_all(&e);
    CHECK(told_count == 3 && fp_event_waiters(&e) == 0, "%d told", told_count);
    for (int i = 0; i < 3; i++)
        CHECK(told[i] == &l[i], "the order");
    for (int i = 0; i < 2; i++)
        fp_event_listen(&e, &l[i], false);
    struct fp_listener *first = fp_event_drop_listeners(&e);
    CHECK(first == &l[0] && first->next == &l[1] && first->next->next == NULL, "dropped");
    CHECK(told_count == 3 && fp_event_waiters(&e) == 0, "dropped ones are told");
}

/* A notification while only listeners wait must not leave a mark that keeps a thread from being
 * woken later; and each of both kinds is told. */
static void beside_a_thread(void) {
    struct fp_event e;
    struct fp_listener l[2];
    fp_event_init(&e);
    make_nodes(l, 2);
    fp_event_listen(&e, &l[0], false);
    fp_event_listen(&e, &l[1], false);
    fp_event_notify(&e);
    CHECK(!(fp_sync_u64_load_relaxed(&e.word) & FP_EVENT_SIGNALLED), "no thread was signalled");
    uint64_t key = fp_event_enter(&e);
    fp_event_notify(&e);
    CHECK(told_count == 2, "%d told", told_count);
    CHECK(fp_event_sleep(&e, key, fp_now() + 1000000000) == FP_OK, "the thread was not told");
    fp_event_leave(&e, key);
    CHECK(fp_event_waiters(&e) == 0, "waiters");
}

static bool readable(struct fp_hub *h) {
    struct pollfd p = {.fd = h->read_fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void one_hub(void) {
    struct fp_event e;
    struct fp_hub h;
    struct fp_listener l[3];
    fp_event_init(&e);
    CHECK(fp_hub_open(&h) == FP_OK, "open");
    for (int i = 0; i < 3; i++)
        l[i] = (struct fp_listener){.notify = fp_hub_notify, .context = &h};
    for (int i = 0; i < 3; i++)
        fp_event_listen(&e, &l[i], false);
    CHECK(!readable(&h) && fp_hub_take(&h) == NULL, "nothing is due");
    for (int i = 0; i < 3; i++)
        fp_event_notify(&e);
    CHECK(readable(&h), "the loop is not told");
    fp_hub_clear(&h);
    CHECK(!readable(&h), "told for each listener"); /* a pipe: one write */
    struct fp_listener *due = fp_hub_take(&h);
    for (int i = 0; i < 3; i++, due = due->next)
        CHECK(due == &l[i], "the order of what is due");
    CHECK(due == NULL, "too many");
    for (int i = 0; i < 3; i++)
        fp_hub_return(&l[i]);
    fp_hub_own(&h);
    fp_event_listen(&e, &l[0], false);
    fp_event_notify(&e);
    CHECK(fp_hub_has_due(&h) && !readable(&h), "the own hub is told by the descriptor");
    fp_hub_own(NULL);
    fp_hub_return(fp_hub_take(&h));
    fp_event_listen(&e, &l[0], false);
    fp_event_listen(&e, &l[1], false);
    fp_hub_set_away(&h, true);
    fp_event_notify(&e);
    CHECK(fp_event_waiters(&e) == 0, "a loop without a thread keeps the turn");
    CHECK(readable(&h), "a loop without a thread is not told, in case that it comes back");
    fp_hub_set_away(&h, false);
    CHECK(fp_hub_state(&h) == 0, "away");
    for (due = fp_hub_take(&h); due != NULL; due = due->next)
        fp_hub_return(due);
    fp_event_listen(&e, &l[0], false);
    fp_hub_close(&h);
    fp_hub_close(&h);
    int reused = dup(0); /* gets the hub's number */
    CHECK(reused == h.read_fd, "the descriptor is open");
    fp_event_notify(&e);
    CHECK(fp_hub_take(&h) == &l[0], "due in a closed hub");
    fp_hub_end(&h);
    CHECK(close(reused) == 0, "a closed hub closed a descriptor of others");
}

/* Threads and loops ------------------------------------------------------------------------------
 */

#if !FP_PLAIN

enum { MOST_LOOPS = 4, MOST_TASKS = 6, BURST = 5 };

struct game;

/* What runs in a loop: takes items, or puts some. A fickle one is cancelled now and then. */
struct task {
    struct fp_listener node;
    struct game *game;
    bool puts, fickle, has_turn;
    bool waits, gone; /* cancelled: starts again when a loyal task has made progress */
    bool ended;
    int id;
    uint32_t next;
    int64_t *last;
};

struct loop {
    struct fp_hub hub;
    struct task tasks[MOST_TASKS];
    int count;
    bool dies; /* closes in the middle; has no ledger-relevant duties after that */
};

struct game {
    struct subject s;
    struct ledger ledger;
    struct loop loops[MOST_LOOPS];
    int loop_count, thread_putters, thread_getters, getters_per_loop, putters_per_loop, fickle;
    uint32_t each;
    int producers;
    _Atomic int putting;
    int dying;
};

static struct fp_event *event_of(struct task *t) {
    const struct fp_queue_ops *ops = t->game->s.ops;
    void *q = t->game->s.queue;
    return t->puts ? ops->not_full(q) : ops->not_empty(q);
}

static void no_more_from(struct game *g) {
    if (atomic_fetch_sub(&g->putting, 1) == 1)
        g->s.ops->close(g->s.queue, false);
}

/* False: it would have to wait. */
static bool attempt(struct task *t) {
    struct game *g = t->game;
    uint64_t item;
    if (t->puts) {
        item = item_of(t->id, t->next);
        if (g->s.ops->put(g->s.queue, item) != FP_OK)
            return false;
        if (++t->next == g->each) {
            t->ended = true;
            no_more_from(g);
        }
        return true;
    }
    enum fp_status s = g->s.ops->get(g->s.queue, &item);
    if (s == FP_OK)
        ledger_take(&g->ledger, item, t->last);
    else
        t->ended = s == FP_CLOSED;
    return s == FP_OK || t->ended;
}

static bool is_more(struct task *t) {
    uint64_t puts, gets;
    t->game->s.ops->count(t->game->s.queue, &puts, &gets);
    return t->puts ? puts - gets < t->game->s.ops->limit(t->game->s.queue) : puts != gets;
}

static bool leave(struct task *t) {
    bool turn = t->has_turn;
    t->has_turn = t->waits = false;
    if (!fp_event_unlisten(&t->node) && fp_listener_place(&t->node) == FP_LISTENER_CHOSEN)
        turn = true;
    return turn;
}

static void after_success(struct task *t) {
    leave(t);
    if (fp_event_waiters(event_of(t)) != 0 && is_more(t))
        fp_event_send(event_of(t));
}

static void cancel(struct task *t) {
    t->gone = true;
    if (leave(t))
        fp_event_notify(event_of(t));
}

/* Runs a task for a while. True: it made progress. */
static bool step(struct task *t) {
    for (int i = 0; i < BURST && !t->ended; i++) {
        if (attempt(t)) {
            after_success(t);
            continue;
        }
        if (fp_listener_place(&t->node) == FP_LISTENER_IDLE) {
            bool in_front = t->has_turn;
            t->has_turn = false;
            fp_event_listen(event_of(t), &t->node, in_front);
            if (attempt(t)) {
                after_success(t);
                continue;
            }
        }
        t->waits = true;
        if (t->fickle && torture_random(4) == 0)
            cancel(t);
        return i > 0;
    }
    return true;
}

static void take_due(struct loop *l) {
    struct fp_listener *due = fp_hub_take(&l->hub);
    while (due != NULL) {
        struct fp_listener *next = due->next;
        struct task *t = due->owner;
        t->has_turn = !t->gone;
        t->waits = false;
        fp_hub_return(due);
        due = next;
    }
}

static bool run_all(struct loop *l) {
    bool alive = false, progress = false;
    for (int i = 0; i < l->count; i++) {
        struct task *t = &l->tasks[i];
        if (t->ended)
            continue;
        if (!t->gone && !t->waits)
            progress |= step(t) && !t->fickle;
        else if (t->waits && t->fickle && torture_random(16) == 0)
            cancel(t);
        alive |= !t->ended && !(t->fickle && !t->puts);
    }
    for (int i = 0; progress && i < l->count; i++)
        l->tasks[i].gone = false;
    return alive;
}

static void run_loop(struct loop *l) {
    int rounds = 0;
    for (;;) {
        fp_hub_own(torture_random(2) ? &l->hub : NULL);
        bool alive = run_all(l);
        fp_hub_own(NULL);
        take_due(l);
        bool runnable = false;
        for (int i = 0; i < l->count; i++)
            runnable |= !l->tasks[i].ended && !l->tasks[i].gone && !l->tasks[i].waits;
        if (!alive || (l->dies && ++rounds > 50))
            break;
        if (runnable)
            continue;
        struct pollfd p = {.fd = l->hub.read_fd, .events = POLLIN};
        poll(&p, 1, -1);
        fp_hub_clear(&l->hub);
        take_due(l);
    }
    /* What the host does when a loop is closed. Cancels nobody: its listeners are still listed. */
    fp_hub_close(&l->hub);
    for (struct fp_listener *due = fp_hub_take(&l->hub), *next; due != NULL; due = next) {
        next = due->next;
        fp_hub_return(due);
        fp_event_notify(due->event);
    }
}

static void work(int id, void *arg) {
    struct game *g = arg;
    if (id < g->loop_count) {
        run_loop(&g->loops[id]);
        return;
    }
    id -= g->loop_count;
    if (id < g->thread_putters) {
        for (uint32_t i = 0; i < g->each; i++)
            CHECK(subject_put(&g->s, item_of(id, i)) == FP_OK, "put");
        no_more_from(g);
        return;
    }
    uint64_t item;
    while (subject_get(&g->s, &item) == FP_OK)
        ledger_take(&g->ledger, item, NULL);
}

static void play(struct subject s, struct game shape) {
    struct game *g = malloc(sizeof *g);
    *g = shape;
    g->s = s;
    g->each = (uint32_t)scaled((int)g->each);
    g->producers = g->thread_putters + g->loop_count * g->putters_per_loop;
    atomic_store(&g->putting, g->producers);
    ledger_open(&g->ledger, g->producers, g->each);
    int id = g->thread_putters;
    for (int i = 0; i < g->loop_count; i++) {
        struct loop *l = &g->loops[i];
        CHECK(fp_hub_open(&l->hub) == FP_OK, "a hub");
        l->count = g->getters_per_loop + g->putters_per_loop + g->fickle;
        l->dies = i < g->dying;
        for (int k = 0; k < l->count; k++) {
            struct task *t = &l->tasks[k];
            *t = (struct task){.game = g, .fickle = k >= l->count - g->fickle};
            t->puts = k < g->putters_per_loop;
            if (t->puts)
                t->id = id++;
            t->node = (struct fp_listener){.notify = fp_hub_notify, .context = &l->hub, .owner = t};
        }
    }
    torture_threads(g->loop_count + g->thread_putters + g->thread_getters, work, g);
    for (int p = 0; p < g->producers; p++)
        ledger_check(&g->ledger, p, g->each);
    ledger_close(&g->ledger);
    for (int i = 0; i < g->loop_count; i++)
        fp_hub_end(&g->loops[i].hub);
    s.ops->destroy(s.queue);
    free(g);
}

static void thread_to_tasks(void) {
    for (uint64_t capacity = 1; capacity <= 3; capacity++) {
        play(subject_ring(capacity),
             (struct game){
                 .loop_count = 1, .thread_putters = 1, .getters_per_loop = 1, .each = 20000});
        play(subject_segq(capacity),
             (struct game){
                 .loop_count = 2, .thread_putters = 2, .getters_per_loop = 3, .each = 10000});
    }
}

static void tasks_to_threads(void) {
    for (uint64_t capacity = 1; capacity <= 3; capacity++)
        play(subject_ring(capacity),
             (struct game){
                 .loop_count = 2, .putters_per_loop = 3, .thread_getters = 2, .each = 5000});
}

static void tasks_to_tasks(void) {
    play(subject_segq(1),
         (struct game){
             .loop_count = 1, .putters_per_loop = 2, .getters_per_loop = 2, .each = 10000});
    play(subject_lifo(2),
         (struct game){
             .loop_count = 3, .putters_per_loop = 2, .getters_per_loop = 2, .each = 5000});
}

static void everybody(void) {
    play(subject_segq(2), (struct game){.loop_count = 3,
                                        .putters_per_loop = 1,
                                        .thread_putters = 2,
                                        .getters_per_loop = 2,
                                        .thread_getters = 2,
                                        .each = 5000});
}

static void cancelled(void) {
    play(subject_ring(1), (struct game){.loop_count = 2,
                                        .thread_putters = 2,
                                        .getters_per_loop = 1,
                                        .fickle = 3,
                                        .each = 10000});
    play(subject_segq(FP_UNBOUNDED), (struct game){.loop_count = 2,
                                                   .thread_putters = 2,
                                                   .getters_per_loop = 1,
                                                   .fickle = 3,
                                                   .each = 10000});
    play(subject_segq(2), (struct game){.loop_count = 1,
                                        .thread_putters = 1,
                                        .getters_per_loop = 1,
                                        .thread_getters = 1,
                                        .fickle = 2,
                                        .each = 10000});
}

static void dying(void) {
    for (int i = 0; i < 20; i++)
        play(subject_segq(2), (struct game){.loop_count = 3,
                                            .thread_putters = 2,
                                            .getters_per_loop = 2,
                                            .dying = 2,
                                            .each = 1000});
}

static void delayed(void) {
    torture_random_steps(true);
    play(subject_ring(1), (struct game){.loop_count = 2,
                                        .thread_putters = 1,
                                        .putters_per_loop = 1,
                                        .getters_per_loop = 1,
                                        .fickle = 2,
                                        .thread_getters = 1,
                                        .each = 1000});
    for (int i = 0; i < 10; i++)
        play(subject_segq(2), (struct game){.loop_count = 3,
                                            .thread_putters = 2,
                                            .getters_per_loop = 2,
                                            .dying = 2,
                                            .each = 200});
}

static void one_core(void) {
    torture_one_core();
    cancelled();
    tasks_to_tasks();
}

#if !TORTURE_TSAN
static struct fp_event forked;
static struct fp_hub parents_hub;
static struct fp_listener parents[2];

static void in_the_child(void) {
    struct fp_listener own = {.notify = note};
    told_count = 0;
    CHECK(!fp_event_unlisten(&parents[0]), "the parent's listener is listed in the child");
    fp_event_notify(&forked);
    fp_event_listen(&forked, &own, false);
    CHECK(fp_event_waiters(&forked) == 1, "%u waiters", fp_event_waiters(&forked));
    fp_event_notify(&forked);
    CHECK(told_count == 1 && told[0] == &own, "the child's listener was not told");
    CHECK(fp_hub_take(&parents_hub) == NULL, "the parent's listener was told");
}

static void forking(void) {
    fp_event_init(&forked);
    CHECK(fp_hub_open(&parents_hub) == FP_OK, "a hub");
    for (int i = 0; i < 2; i++) {
        parents[i] = (struct fp_listener){.notify = fp_hub_notify, .context = &parents_hub};
        fp_event_listen(&forked, &parents[i], false);
    }
    /* As a thread that holds the lock while another one forks would leave it. */
    for (int held = 0; held < 2; held++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGALRM, SIG_DFL);
            alarm(10);
            if (held)
                fp_sync_u64_store_relaxed(&forked.listening,
                                          fp_sync_u64_load_relaxed(&forked.listening) | 1);
            in_the_child();
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed: %d", status);
    }
    fp_event_notify(&forked);
    CHECK(fp_hub_take(&parents_hub) == &parents[0], "the parent lost its listener");
    fp_hub_end(&parents_hub);
}
#endif
#endif

static const struct torture_case cases[] = {
    {"listeners are served in order", served_in_order},
    {"a listener that refuses", refused},
    {"all listeners at once", all_at_once},
    {"listeners beside a thread", beside_a_thread},
    {"a hub", one_hub},
#if !FP_PLAIN
    {"threads to tasks", thread_to_tasks},
    {"tasks to threads", tasks_to_threads},
    {"tasks to tasks", tasks_to_tasks},
    {"tasks and threads, both ways", everybody},
    {"tasks are cancelled", cancelled},
    {"loops close", dying},
    {"delays at the steps", delayed},
    {"on one processor", one_core},
#if !TORTURE_TSAN
    {"a fork", forking},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
