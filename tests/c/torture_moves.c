/* torture_moves.c - queues that are moved elsewhere while threads put and get. Again and again the
 * mover goes back; in the end it moves for good, into an array behind a mutex, where all threads go
 * on. */
#include "flows.h"

#include "queues/fp_ordered.h"
#include "queues/fp_segq.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t limits[] = {1, 2, 7, 1000, FP_UNBOUNDED};
enum { LIMITS = sizeof limits / sizeof *limits, MOST_PRODUCERS = 32 };

#if !FP_PLAIN
enum { MOVE_WAIT = 1, MOVE_MOODY = 2 /* waiting with short time-outs */, MOVE_BATCHES = 4 };

struct place {
    const struct fp_queue_ops *ops;
    void *queue;
    bool fifo;
    int mode;
    pthread_mutex_t moving; /* held by the mover; threads that were told FP_MOVED wait for it */
    atomic_bool over;
    /* Elsewhere. */
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    uint64_t *item, first, end, limit;
    bool closed;
    /* The rest. */
    struct ledger ledger;
    int producers, consumers, each;
    atomic_int producing, consuming;
    uint32_t *written[MOST_PRODUCERS]; /* plain: written before the put */
};

static enum fp_status move(struct place *p) {
    return p->ops == &fp_segq_ops ? fp_segq_move(p->queue) : fp_ordered_move(p->queue);
}

static void end_move(struct place *p, bool keep) {
    CHECK((p->ops == &fp_segq_ops ? fp_segq_end_move(p->queue, keep)
                                  : fp_ordered_end_move(p->queue, keep)) == FP_OK,
          "a move cannot be ended");
}

static void await(struct place *p) {
    pthread_mutex_lock(&p->moving);
    pthread_mutex_unlock(&p->moving);
}

/* Elsewhere. A get takes the first or the last item: LIFO and priority are not told apart here. */
static enum fp_status put_there(struct place *p, uint64_t item, const struct timespec *end) {
    int late = 0;
    pthread_mutex_lock(&p->mutex);
    while (!p->closed && p->end - p->first >= p->limit && end != NULL && late == 0)
        late = pthread_cond_timedwait(&p->not_full, &p->mutex, end);
    enum fp_status s = p->closed ? FP_CLOSED : p->end - p->first >= p->limit ? FP_FULL : FP_OK;
    if (s == FP_OK) {
        p->item[p->end++] = item;
        pthread_cond_signal(&p->not_empty);
    }
    pthread_mutex_unlock(&p->mutex);
    return s;
}

static enum fp_status get_there(struct place *p, uint64_t *item, const struct timespec *end) {
    int late = 0;
    pthread_mutex_lock(&p->mutex);
    while (!p->closed && p->end == p->first && end != NULL && late == 0)
        late = pthread_cond_timedwait(&p->not_empty, &p->mutex, end);
    enum fp_status s = p->end != p->first ? FP_OK : p->closed ? FP_CLOSED : FP_EMPTY;
    if (s == FP_OK) {
        *item = p->fifo ? p->item[p->first++] : p->item[--p->end];
        pthread_cond_signal(&p->not_full);
    }
    pthread_mutex_unlock(&p->mutex);
    return s;
}

static enum fp_status close_there(struct place *p) {
    pthread_mutex_lock(&p->mutex);
    p->closed = true;
    pthread_cond_broadcast(&p->not_empty);
    pthread_cond_broadcast(&p->not_full);
    pthread_mutex_unlock(&p->mutex);
    return FP_OK;
}

struct copy {
    struct place *p;
    uint64_t count;
    int64_t last[MOST_PRODUCERS];
};

static int copy_item(uint64_t item, void *arg) {
    struct copy *c = arg;
    int producer = producer_of(item);
    CHECK(producer < c->p->producers && number_of(item) < (uint32_t)c->p->each, "no such item");
    CHECK(c->p->written[producer][number_of(item)] == number_of(item), "not written yet");
    CHECK(!c->p->fifo || (int64_t)number_of(item) > c->last[producer], "out of order");
    c->last[producer] = number_of(item);
    c->p->item[c->p->end++] = item;
    c->count++;
    return 0;
}

/* Moves, looks at every item, and goes back unless `keep`. */
static void move_once(struct place *p, bool keep) {
    pthread_mutex_lock(&p->moving);
    if (!atomic_load(&p->over)) {
        CHECK(move(p) == FP_OK && move(p) == FP_MOVED, "move");
        struct copy c = {.p = p};
        memset(c.last, -1, sizeof c.last);
        uint64_t puts, gets, again, item;
        p->ops->count(p->queue, &puts, &gets);
        CHECK(puts - gets <= p->limit, "%llu items", (unsigned long long)(puts - gets));
        p->first = p->end = 0;
        p->ops->visit(p->queue, copy_item, &c);
        CHECK(c.count == puts - gets, "%llu items of %llu", (unsigned long long)c.count,
              (unsigned long long)(puts - gets));
        p->closed = p->ops->is_closed(p->queue);
        CHECK(p->ops->get(p->queue, &item) == FP_MOVED, "get after the move");
        CHECK(p->ops->put(p->queue, 5) == FP_MOVED, "put after the move");
        uint64_t unmoved = puts;
        p->ops->count(p->queue, &puts, &again);
        CHECK(puts == unmoved && again == gets, "it went on after the move");
        if (keep)
            atomic_store(&p->over, true);
        end_move(p, keep);
    }
    pthread_mutex_unlock(&p->moving);
}

struct request {
    struct place *p;
    bool put;
    uint64_t items[3];
    size_t count, done;
};

static enum fp_status attempt(void *arg) {
    struct request *r = arg;
    size_t n = 0;
    enum fp_status s =
        r->put ? r->p->ops->put_many(r->p->queue, r->items + r->done, r->count - r->done, &n)
               : r->p->ops->get_many(r->p->queue, r->items, r->count, &n);
    r->done += n;
    return !r->put && n != 0 ? FP_OK : s;
}

static bool more(void *arg) {
    struct request *r = arg;
    uint64_t puts, gets;
    r->p->ops->count(r->p->queue, &puts, &gets);
    return r->put ? puts - gets < r->p->limit : puts != gets;
}

static enum fp_status call(struct request *r) {
    struct place *p = r->p;
    const struct fp_attempt op = {attempt, more, r};
    int64_t nanoseconds =
        p->mode & MOVE_MOODY ? torture_random(200000) : 3600 * (int64_t)1000000000;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += (end.tv_nsec + nanoseconds) / 1000000000;
    end.tv_nsec = (end.tv_nsec + nanoseconds) % 1000000000;
    const struct timespec *until = p->mode & (MOVE_WAIT | MOVE_MOODY) ? &end : NULL;
    enum fp_status s = FP_MOVED;
    while (s == FP_MOVED && !atomic_load(&p->over)) {
        s = attempt(r);
        if ((s == FP_FULL || s == FP_EMPTY) && until != NULL) {
            struct fp_event *e = r->put ? p->ops->not_full(p->queue) : p->ops->not_empty(p->queue);
            s = fp_wait(e, &op, fp_now() + nanoseconds, &torture_host);
        }
        if (s == FP_MOVED)
            await(p);
    }
    if (until == NULL && (s == FP_FULL || s == FP_EMPTY))
        sched_yield();
    while (s == FP_MOVED || (s == FP_OK && r->put && r->done < r->count)) {
        s = r->put ? put_there(p, r->items[r->done], until) : get_there(p, r->items, until);
        r->done += s == FP_OK;
    }
    return s == FP_TIMED_OUT ? (r->put ? FP_FULL : FP_EMPTY) : s;
}

static void produce(struct place *p, int id) {
    uint32_t next = 0;
    while (next < (uint32_t)p->each) {
        struct request r = {.p = p, .put = true, .count = 1};
        if (p->mode & MOVE_BATCHES && next + 3 <= (uint32_t)p->each)
            r.count = 1 + torture_random(3);
        for (size_t i = 0; i < r.count; i++) {
            r.items[i] = item_of(id, next + (uint32_t)i);
            p->written[id][next + i] = next + (uint32_t)i;
        }
        enum fp_status s = call(&r);
        CHECK(s == FP_OK || (s == FP_FULL && !(p->mode & MOVE_WAIT)), "put answers %d", (int)s);
        next += (uint32_t)r.done;
    }
    if (atomic_fetch_sub(&p->producing, 1) == 1)
        while (p->ops->close(p->queue, false) == FP_MOVED) {
            await(p);
            if (atomic_load(&p->over) && close_there(p) == FP_OK)
                break;
        }
}

static void consume(struct place *p) {
    int64_t last[MOST_PRODUCERS];
    memset(last, -1, sizeof last);
    for (;;) {
        struct request r = {.p = p, .count = p->mode & MOVE_BATCHES ? 1 + torture_random(3) : 1};
        enum fp_status s = call(&r);
        CHECK(s == FP_OK || s == FP_CLOSED || (s == FP_EMPTY && !(p->mode & MOVE_WAIT)),
              "get answers %d", (int)s);
        for (size_t i = 0; i < r.done; i++)
            ledger_take(&p->ledger, r.items[i], p->fifo ? last : NULL);
        if (s == FP_CLOSED)
            break;
    }
    atomic_fetch_sub(&p->consuming, 1);
}

/* There are two movers; the first that sees that enough was taken moves for good. */
static void keep_moving(struct place *p) {
    long total = (long)p->producers * p->each, enough = (long)torture_random((unsigned)total);
    while (atomic_load(&p->consuming) > 0 && !atomic_load(&p->over)) {
        move_once(p, atomic_load(&p->ledger.total) >= enough);
        usleep(torture_random(100));
    }
}

static void work(int id, void *arg) {
    struct place *p = arg;
    if (id < p->producers)
        produce(p, id);
    else if (id < p->producers + p->consumers)
        consume(p);
    else
        keep_moving(p);
}

static void flow_moving(struct subject s, int producers, int consumers, int each, int mode) {
    struct place *p = calloc(1, sizeof *p);
    p->ops = s.ops;
    p->queue = s.queue;
    p->fifo = s.fifo;
    p->mode = mode;
    p->limit = s.ops->limit(s.queue);
    p->producers = producers;
    p->consumers = consumers;
    p->each = each;
    p->item = malloc((size_t)producers * (size_t)each * 2 * sizeof *p->item);
    for (int i = 0; i < producers; i++) {
        p->written[i] = malloc((size_t)each * sizeof *p->written[i]);
        memset(p->written[i], -1, (size_t)each * sizeof *p->written[i]);
    }
    pthread_mutex_init(&p->moving, NULL);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->not_empty, NULL);
    pthread_cond_init(&p->not_full, NULL);
    atomic_store(&p->producing, producers);
    atomic_store(&p->consuming, consumers);
    ledger_open(&p->ledger, producers, (uint32_t)each);
    torture_threads(producers + consumers + 2, work, p);
    for (int i = 0; i < producers; i++) {
        ledger_check(&p->ledger, i, (uint32_t)each);
        free(p->written[i]);
    }
    ledger_close(&p->ledger);
    s.ops->destroy(s.queue);
    free(p->item);
    free(p);
}

static int less(uint64_t a, uint64_t b) { return number_of(a) < number_of(b); }

static struct subject priority(uint64_t limit) {
    struct fp_ordered *q = fp_ordered_create(less, &torture_host);
    fp_ordered_set_limit(q, limit);
    return (struct subject){&fp_ordered_ops, q, false, NULL, false};
}

static void load(int producers, int consumers, int each, int mode) {
    for (int i = 0; i < LIMITS; i++) {
        flow_moving(subject_segq(limits[i]), producers, consumers, scaled(each), mode);
        flow_moving(subject_lifo(limits[i]), producers, consumers, scaled(each) / 4 + 1, mode);
        flow_moving(priority(limits[i]), producers, consumers, scaled(each) / 4 + 1, mode);
    }
}

static void polling(void) { load(2, 2, 2000, 0); }
static void batches(void) { load(2, 2, 2000, MOVE_BATCHES); }
static void waiting(void) {
    for (int round = 0; round < scaled(30); round++)
        load(3, 3, 1000, MOVE_WAIT | (round % 2 ? MOVE_BATCHES : 0));
}
static void moody(void) { load(3, 3, 1000, MOVE_MOODY | MOVE_BATCHES); }
static void uneven(void) {
    load(5, 1, 800, MOVE_WAIT);
    load(1, 5, 2000, MOVE_WAIT);
}
static void delayed(void) {
    torture_random_steps(true);
    load(2, 2, 600, MOVE_WAIT);
    load(2, 2, 600, MOVE_BATCHES);
}
static void one_core(void) {
    torture_one_core();
    load(2, 2, 600, MOVE_WAIT);
}
#endif

static int take_down(uint64_t item, void *arg) {
    uint64_t **next = arg;
    *(*next)++ = item;
    return 0;
}

static int by_value(uint64_t a, uint64_t b) { return a < b; }

/* One thread: visit shows the items in the order of the structure, and after going back everything
 * is as before. */
static void ordered_at_every_fill(void) {
    for (uint32_t round = 0; round < 400; round++) {
        bool stack = round % 2 != 0, closed = round % 3 == 0;
        uint32_t fill = round / 4;
        struct fp_ordered *q = fp_ordered_create(stack ? NULL : by_value, &torture_host);
        uint64_t item, found[100], *end, puts, gets;
        for (uint32_t i = 0; i < fill; i++)
            CHECK(fp_ordered_put(q, 10 + (i * 37) % 101) == FP_OK, "put");
        if (closed)
            CHECK(fp_ordered_close(q) == FP_OK, "close");
        /* What was never begun, as a forked child may see, is not ended. */
        CHECK(fp_ordered_end_move(q, false) == FP_OK, "end");
        for (int keep = 0; keep < 2; keep++) {
            end = found;
            CHECK(fp_ordered_move(q) == FP_OK && fp_ordered_move(q) == FP_MOVED, "move");
            CHECK(fp_ordered_put(q, 9) == FP_MOVED && fp_ordered_get(q, &item) == FP_MOVED &&
                      fp_ordered_close(q) == FP_MOVED,
                  "not moved");
            CHECK(fp_ordered_is_closed(q) == closed, "closed or not");
            fp_ordered_count(q, &puts, &gets);
            CHECK(puts == fill && gets == 0, "count");
            fp_ordered_visit(q, take_down, &end);
            CHECK(end == found + fill, "%td of %u items", end - found, fill);
            for (uint32_t i = 0; i < fill; i++)
                CHECK(stack ? found[i] == 10 + (i * 37) % 101
                            : i == 0 || found[(i - 1) / 2] <= found[i],
                      "another order");
            CHECK(fp_ordered_end_move(q, keep != 0) == FP_OK, "end");
            if (keep == 0) /* without a move, it does nothing */
                CHECK(fp_ordered_end_move(q, false) == FP_OK, "end");
        }
        end = found;
        fp_ordered_visit(q, take_down, &end);
        CHECK(end == found, "forgotten items are shown");
        CHECK(fp_ordered_get(q, &item) == FP_MOVED, "get after the move");
        fp_ordered_ops.destroy(q);
    }
}

/* Ending a move that was never begun, as a forked child may, changes nothing. */
static void nothing_to_end(void) {
    struct subject s = subject_segq(FP_UNBOUNDED);
    uint64_t item;
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(s.ops->put(s.queue, item_of(0, i)) == FP_OK, "put");
        CHECK(fp_segq_end_move(s.queue, false) == FP_OK, "end");
        if (i % 3 == 0)
            CHECK(s.ops->get(s.queue, &item) == FP_OK && number_of(item) == i / 3, "get");
    }
    s.ops->close(s.queue, false);
    CHECK(fp_segq_end_move(s.queue, false) == FP_OK, "end");
    CHECK(s.ops->put(s.queue, item_of(0, 0)) == FP_CLOSED, "not closed");
    s.ops->destroy(s.queue);
}

static const struct torture_case cases[] = {
    {"heaps and stacks at every fill", ordered_at_every_fill},
    {"nothing to end", nothing_to_end},
#if !FP_PLAIN
    {"two and two, polling", polling},
    {"two and two, batches", batches},
    {"three and three, waiting", waiting},
    {"three and three, time-outs", moody},
    {"five and one, one and five", uneven},
    {"delays at the steps", delayed},
    {"one core", one_core},
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
