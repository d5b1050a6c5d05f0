/* torture_event.c - the eventcount, waiting, the lock, and what a fork does to them. */
#include "flows.h"

#include "base/fp_thread.h"
#include "queues/fp_mpmc.h"
#include "wait/fp_lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* One thread -------------------------------------------------------------------------------------
 */

static void alone(void) {
    struct fp_event e;
    fp_event_init(&e);
    fp_event_notify(&e); /* nobody: nothing */
    CHECK(fp_event_waiters(&e) == 0, "waiters");
    uint64_t key = fp_event_enter(&e);
    CHECK(fp_event_waiters(&e) == 1, "waiters");
    int64_t begin = fp_now();
    CHECK(fp_event_sleep(&e, key, begin + 20000000) == FP_TIMED_OUT, "no time-out");
    CHECK(fp_now() >= begin + 20000000, "the time-out came early");
    CHECK(fp_event_sleep(&e, key, begin) == FP_TIMED_OUT, "a deadline that has passed");
    fp_event_notify(&e);
    CHECK(fp_event_sleep(&e, key, FP_FOREVER) == FP_OK, "news before the sleep were missed");
    fp_event_leave(&e, key);
    key = fp_event_enter(&e);
    fp_event_notify_all(&e);
    CHECK(fp_event_sleep(&e, key, FP_FOREVER) == FP_OK, "news before the sleep were missed");
    fp_event_leave(&e, key);
    CHECK(fp_event_waiters(&e) == 0, "waiters");
    /* The epoch wraps without touching the rest of the word. */
    fp_sync_u64_store_relaxed(&e.word, UINT32_MAX);
    key = fp_event_enter(&e);
    fp_event_notify(&e);
    CHECK((uint32_t)key == UINT32_MAX && fp_event_waiters(&e) == 1, "the epoch ran over");
    CHECK(fp_event_sleep(&e, key, FP_FOREVER) == FP_OK, "the epoch did not change");
    fp_event_leave(&e, key);
    CHECK(fp_event_waiters(&e) == 0, "waiters");
    CHECK(fp_cpu_count() >= 1 && fp_park_name()[0] != '\0', "the machine");
}

static enum fp_status never_ready(void *arg) { return *(int *)arg += 1, FP_EMPTY; }
static bool no_more(void *arg) { return (void)arg, false; }
static bool always(void) { return true; }
static void ignore(int number) { (void)number; }

/* The operation is tried once more after every sleep, then signals and deadlines are looked at. */
static void ways_out(void) {
    struct fp_event e;
    int tried = 0;
    fp_event_init(&e);
    const struct fp_attempt op = {never_ready, no_more, &tried};
    CHECK(fp_wait(&e, &op, fp_now() + 1000000, &torture_host) == FP_TIMED_OUT, "time-out");
    CHECK(tried >= 2 && fp_event_waiters(&e) == 0, "%d attempts", tried);
    struct fp_host host = torture_host;
    host.interrupted = always;
    const struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGVTALRM, &action, NULL);
    timer_t timer;
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM};
    const struct itimerspec soon = {.it_value.tv_nsec = 20000000};
    timer_create(CLOCK_MONOTONIC, &how, &timer);
    timer_settime(timer, 0, &soon, NULL);
    CHECK(fp_wait(&e, &op, FP_FOREVER, &host) == FP_INTERRUPTED, "interrupt");
    CHECK(fp_event_waiters(&e) == 0, "an announcement was left behind");
    timer_delete(timer);
}

/* Threads ----------------------------------------------------------------------------------------
 */

#if !FP_PLAIN

/* A token goes round: a thread waits for its number, passes the next one on, wakes all. */
struct ring_game {
    struct fp_event event;
    fp_u64 turn;
    int players, rounds;
};

struct my_turn {
    struct ring_game *game;
    uint64_t number;
};

static enum fp_status is_my_turn(void *arg) {
    struct my_turn *t = arg;
    return fp_u64_load_seq_cst(&t->game->turn) == t->number ? FP_OK : FP_EMPTY;
}

static void play(int id, void *arg) {
    struct ring_game *g = arg;
    for (int round = 0; round < g->rounds; round++) {
        struct my_turn t = {g, (uint64_t)(round * g->players + id)};
        const struct fp_attempt op = {is_my_turn, no_more, &t};
        CHECK(fp_wait(&g->event, &op, FP_FOREVER, &torture_host) == FP_OK, "wait");
        fp_u64_store_seq_cst(&g->turn, t.number + 1);
        fp_event_notify_all(&g->event);
    }
}

static void round_and_round(void) {
    static const int players[] = {2, 3, 20};
    for (int i = 0; i < 3; i++) {
        struct ring_game g = {.players = players[i], .rounds = scaled(20000 / players[i])};
        fp_event_init(&g.event);
        fp_u64_store_relaxed(&g.turn, 0);
        torture_threads(players[i], play, &g);
        CHECK(fp_event_waiters(&g.event) == 0, "an announcement was left behind");
    }
}

/* Mutual exclusion, on plain variables that ThreadSanitizer watches. */
struct locked {
    struct fp_lock lock;
    const struct fp_host *host;
    long value, interrupted;
    int rounds;
};

static void count_up(int id, void *arg) {
    struct locked *l = arg;
    (void)id;
    for (int i = 0; i < l->rounds; i++) {
        enum fp_status s;
        while ((s = fp_lock_acquire(&l->lock, fp_thread_serial(), l->host)) == FP_INTERRUPTED)
            ;
        CHECK(s == FP_OK, "the lock answers %d", (int)s);
        l->value++;
        if (i % 64 == 0)
            CHECK(fp_lock_acquire(&l->lock, fp_thread_serial(), l->host) == FP_REENTERED,
                  "taken twice");
        fp_lock_release(&l->lock);
    }
}

static void lock_with(int threads, int rounds, const struct fp_host *host) {
    struct locked l = {.host = host, .rounds = scaled(rounds)};
    fp_lock_init(&l.lock);
    torture_threads(threads, count_up, &l);
    CHECK(l.value == (long)threads * l.rounds, "%ld counted", l.value);
    CHECK(fp_event_waiters(&l.lock.released) == 0, "an announcement was left behind");
}

static void locking(void) {
    lock_with(2, 50000, &torture_host);
    lock_with(8, 10000, &torture_moody_host);
    lock_with(64, 500, &torture_host);
    torture_random_steps(true);
    lock_with(4, 5000, &torture_host);
    torture_random_steps(false);
    torture_one_core();
    lock_with(4, 5000, &torture_host);
}

/* Serial numbers: no two threads, living or dead, have the same. */
static _Atomic unsigned char seen_serial[100000];

static void draw(int id, void *arg) {
    (void)id, (void)arg;
    uint64_t mine = fp_thread_serial();
    CHECK(mine > 0 && mine == fp_thread_serial(), "the serial number changed");
    CHECK(mine < sizeof seen_serial && atomic_fetch_add(&seen_serial[mine], 1) == 0, "drawn twice");
    CHECK(!fp_thread_lost_by_fork(mine), "lost without a fork");
}

static void serials(void) {
    for (int i = 0; i < scaled(100); i++)
        torture_threads(20, draw, NULL);
}

/* Fork: sleepers and holders of the parent do not exist in the child. ThreadSanitizer does not
 * support threads there. */
#if !TORTURE_TSAN

static struct subject shared;
static struct fp_lock held;

static void *sleep_on_queue(void *arg) {
    uint64_t item;
    CHECK(subject_get(arg, &item) == FP_OK, "get");
    return NULL;
}

static void put_later(int id, void *arg) {
    struct subject *s = arg;
    if (id == 1) {
        sleep_on_queue(s);
        return;
    }
    usleep(30000); /* the other one sleeps by then */
    CHECK(s->ops->put(s->queue, item_of(0, 1)) == FP_OK, "put");
}

/* Runs `work` in a child; it must end well within ten seconds. */
static void in_child(void (*work)(void), const char *what) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(10);
        work();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TORTURE_SAID_WHY)
        _exit(TORTURE_SAID_WHY);
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM, "the child hangs: %s", what);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed: %s", what);
}

static void put_get_wait(void) {
    uint64_t item;
    CHECK(shared.ops->put(shared.queue, item_of(0, 0)) == FP_OK, "put");
    CHECK(shared.ops->get(shared.queue, &item) == FP_OK, "get");
    torture_threads(2, put_later, &shared);
}

static void fork_with_sleepers(void) {
    shared = subject_ring(2);
    pthread_t sleeper[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&sleeper[i], NULL, sleep_on_queue, &shared);
    while (fp_event_waiters(shared.ops->not_empty(shared.queue)) < 2)
        usleep(100);
    in_child(put_get_wait, "a waiter beside the parent's sleepers is never woken");
    for (uint32_t i = 0; i < 2; i++)
        CHECK(shared.ops->put(shared.queue, item_of(0, i)) == FP_OK, "put");
    for (int i = 0; i < 2; i++)
        pthread_join(sleeper[i], NULL);
    shared.ops->destroy(shared.queue);
}

static void take_held(void) {
    uint64_t me = fp_thread_serial();
    CHECK(fp_lock_acquire(&held, me, &torture_host) == FP_OK, "the lock of a thread left behind");
    CHECK(fp_lock_acquire(&held, me, &torture_host) == FP_REENTERED, "taken twice");
    fp_lock_release(&held);
}

static void keep_own(void) {
    CHECK(fp_lock_acquire(&held, fp_thread_serial(), &torture_host) == FP_REENTERED,
          "the forking thread's own lock was taken from it");
    CHECK(!fp_thread_lost_by_fork(fp_thread_serial()), "the forking thread is lost");
}

static void *hold(void *arg) {
    atomic_bool *done = arg;
    fp_lock_acquire(&held, fp_thread_serial(), &torture_host);
    while (!atomic_load(done))
        usleep(100);
    fp_lock_release(&held);
    return NULL;
}

static void fork_with_locks(void) {
    atomic_bool done = false;
    pthread_t holder;
    fp_lock_init(&held);
    fp_thread_serial();
    pthread_create(&holder, NULL, hold, &done);
    while (fp_sync_u64_load_seq_cst(&held.owner) == 0)
        usleep(100);
    in_child(take_held, "a lock held by a thread of the parent");
    atomic_store(&done, true);
    pthread_join(holder, NULL);
    fp_lock_acquire(&held, fp_thread_serial(), &torture_host);
    in_child(keep_own, "a lock held by the forking thread");
    fp_lock_release(&held);
}
#endif
#endif

static const struct torture_case cases[] = {
    {"an event, one thread", alone},
    {"time-out and interrupt", ways_out},
#if !FP_PLAIN
    {"a token goes round", round_and_round},
    {"the lock excludes", locking},
    {"serial numbers", serials},
#if !TORTURE_TSAN
    {"fork with sleepers", fork_with_sleepers},
    {"fork with locks held", fork_with_locks},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
