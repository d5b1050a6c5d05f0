/* fp_hub.c - see fp_hub.h. */
#include "wait/fp_hub.h"

#include "base/fp_backoff.h"
#include "base/fp_thread.h"

#if !defined(_WIN32)
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

/* The hub whose stack this thread is about to take. */
static FP_THREAD_LOCAL struct fp_hub *own;

void fp_hub_own(struct fp_hub *h) { own = h; }

/* The descriptor. ------------------------------------------------------------------------------ */

#if defined(_WIN32)

static bool open_descriptor(struct fp_hub *h) { return (void)h, false; }
static void write_descriptor(struct fp_hub *h) { (void)h; }
static void close_descriptor(struct fp_hub *h) { (void)h; }
static void clear_descriptor(struct fp_hub *h) { (void)h; }

#else

#if defined(__linux__)
static bool open_descriptor(struct fp_hub *h) {
    h->read_fd = h->write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return h->read_fd >= 0;
}
#else
static bool open_descriptor(struct fp_hub *h) {
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    h->read_fd = ends[0];
    h->write_fd = ends[1];
    return true;
}
#endif

/* A full pipe, or a count that is as high as can be, wakes the loop, too. */
static void write_descriptor(struct fp_hub *h) {
    const uint64_t one = 1;
    while (write(h->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void close_descriptor(struct fp_hub *h) {
    close(h->read_fd);
    if (h->write_fd != h->read_fd)
        close(h->write_fd);
}

static void clear_descriptor(struct fp_hub *h) {
    uint64_t count[8];
    while (read(h->read_fd, count, sizeof count) < 0 && errno == EINTR)
        ;
}

#endif

/* The bell. ------------------------------------------------------------------------------------ */

static bool has_descriptor(const struct fp_hub *h) { return h->read_fd >= 0; }

static void ring(struct fp_hub *h) {
    if (has_descriptor(h))
        write_descriptor(h);
    /* Release half: what was pushed is seen by the thread that finds the bell rung; pairs with
     * fp_hub_clear and fall_asleep. */
    else if (fp_sync_u64_exchange_seq_cst(&h->bell, FP_BELL_RUNG) == FP_BELL_ASLEEP)
        fp_unpark_one(fp_parking_half(&h->bell));
}

void fp_hub_clear(struct fp_hub *h) {
    if (has_descriptor(h))
        clear_descriptor(h);
    else /* acquire half: pairs with ring */
        fp_sync_u64_exchange_seq_cst(&h->bell, FP_BELL_SILENT);
}

/* Sleeps unless the bell was rung since it was cleared. */
static void fall_asleep(struct fp_hub *h, int64_t deadline) {
    uint64_t seen = FP_BELL_SILENT;
    FP_STEP();
    /* Acquire half: pairs with ring. */
    if (fp_sync_u64_cas_seq_cst(&h->bell, &seen, FP_BELL_ASLEEP))
        fp_park(fp_parking_half(&h->bell), FP_BELL_ASLEEP, deadline);
}

static void watch(struct fp_hub *h, int64_t end) {
    while (!fp_hub_has_due(h) && fp_now() < end)
        fp_give_way();
}

enum fp_status fp_hub_wait(struct fp_hub *h, int64_t deadline, const struct fp_host *host) {
    int64_t slice = FP_FIRST_SLICE, to_watch = host->watch;
    for (;;) {
        fp_hub_clear(h);
        FP_STEP();
        /* Afterwards: what is pushed after this look rings after it, and is not cleared. */
        if (fp_hub_has_due(h))
            return FP_OK;
        if (host->interrupted())
            return FP_INTERRUPTED;
        int64_t now = fp_now();
        if (now >= deadline)
            return FP_TIMED_OUT;
        void *state = host->before_sleep();
        if (to_watch != 0)
            watch(h, deadline - now < to_watch ? deadline : now + to_watch);
        else
            fall_asleep(h, deadline - now < slice ? deadline : now + slice);
        host->after_sleep(state);
        if (to_watch == 0)
            slice *= 2;
        to_watch = 0;
    }
}

static void open_hub(struct fp_hub *h, uint64_t state) {
    fp_sync_u64_store_relaxed(&h->due, 0);
    fp_sync_u64_store_relaxed(&h->users, 1);
    fp_sync_u64_store_relaxed(&h->state, state);
    fp_sync_u64_store_relaxed(&h->bell, FP_BELL_SILENT);
    h->process = fp_thread_forks();
}

enum fp_status fp_hub_open(struct fp_hub *h) {
    fp_thread_watch_forks();
    if (!open_descriptor(h))
        return FP_FAILED;
    open_hub(h, 0);
    return FP_OK;
}

void fp_hub_open_for_thread(struct fp_hub *h) {
    fp_thread_watch_forks();
    h->read_fd = h->write_fd = -1;
    open_hub(h, FP_HUB_AWAY);
}

/* Waits until no more than so many use the hub. They are at work for some instructions each; but
 * those that a fork has left behind never leave. */
static void await_users(struct fp_hub *h, uint64_t most) {
    /* Seq_cst: after the change of the state; pairs with fp_hub_notify, as that does. */
    while (h->process == fp_thread_forks() && fp_sync_u64_load_seq_cst(&h->users) > most)
        fp_give_way();
}

/* The hub may be gone when this returns. */
static void leave(struct fp_hub *h) {
    /* Release half: what the notifier did comes before what await_users waits for. */
    fp_sync_u64_fetch_add_seq_cst(&h->users, (uint64_t)-1);
}

/* Listeners. ----------------------------------------------------------------------------------- */

bool fp_hub_notify(struct fp_listener *l) {
    struct fp_hub *h = l->context;
    /* The node keeps the hub alive, but not after it was pushed. Seq_cst: before the look at the
     * state; pairs with await_users. */
    fp_sync_u64_fetch_add_seq_cst(&h->users, 1);
    uint64_t before = fp_sync_u64_load_relaxed(&h->due);
    do {
        l->next = (struct fp_listener *)(uintptr_t)before;
        FP_STEP();
        /* Release half: publishes the node; pairs with fp_hub_take. */
    } while (!fp_sync_u64_cas_seq_cst(&h->due, &before, (uintptr_t)l));
    FP_STEP();
    uint64_t state = fp_hub_state(h); /* after the push: pairs with those that change it */
    if (before == 0 && own != h && !(state & FP_HUB_CLOSED))
        ring(h);
    FP_STEP();
    leave(h);
    return state == 0;
}

struct fp_listener *fp_hub_take(struct fp_hub *h) {
    /* Acquire half: pairs with fp_hub_notify. Seq_cst: after the change of the state. */
    uint64_t newest = fp_sync_u64_exchange_seq_cst(&h->due, 0);
    struct fp_listener *l = (struct fp_listener *)(uintptr_t)newest, *oldest = NULL;
    while (l != NULL) {
        struct fp_listener *next = l->next;
        l->next = oldest;
        oldest = l;
        l = next;
    }
    return oldest;
}

void fp_hub_set_away(struct fp_hub *h, bool away) {
    /* Seq_cst: before the stack is taken; pairs with fp_hub_notify. */
    if (away)
        fp_sync_u64_fetch_or_seq_cst(&h->state, FP_HUB_AWAY);
    else
        fp_sync_u64_fetch_and_seq_cst(&h->state, ~FP_HUB_AWAY);
}

void fp_hub_close(struct fp_hub *h) {
    /* Seq_cst: as above. */
    if (fp_sync_u64_fetch_or_seq_cst(&h->state, FP_HUB_CLOSED) & FP_HUB_CLOSED)
        return;
    await_users(h, 1); /* a notifier that comes now finds the hub closed, and does not write */
    if (has_descriptor(h))
        close_descriptor(h);
    leave(h);
}

void fp_hub_end(struct fp_hub *h) {
    fp_hub_close(h);
    await_users(h, 0);
}

int fp_hub_visit(struct fp_hub *h, int (*fn)(struct fp_listener *l, void *arg), void *arg) {
    struct fp_listener *l = (struct fp_listener *)(uintptr_t)fp_sync_u64_load_relaxed(&h->due);
    for (; l != NULL; l = l->next) {
        int answer = fn(l, arg);
        if (answer != 0)
            return answer;
    }
    return 0;
}
