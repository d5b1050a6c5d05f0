/* main.c - the programs that are explored, in a language of one letter per call:
 *
 *      p7 put 7          P7 put, waiting            T7 put, waiting with a time-out
 *      g  get            G  get, waiting            t  get, waiting with a time-out
 *      b7 put 7 and 8    m  get one or two          I  get, waiting, may be interrupted
 *      v7, w: as P7 and G, watching before the sleep
 *      n  count          c  close                   l3 set the limit to 3
 *      x  collect (reclamation)
 *      h  (ring) set the hints back as far as they can lag
 *      f7 (channel) put 7, and drop what is too many      r  report what was dropped
 *      F  pretend to be a forked child whose parent had a sleeper in each direction
 *      o  move it elsewhere, where all goes on         u  move it, and think better of it
 *      d  as u, without waiting for other movers       (moves.h)
 *
 * "p1 / p2 p3 | g g" runs p1 alone and then two threads, one with "p2 p3", one with "g g". When all
 * have ended the queue is drained; calls, drain included, must be linearizable. */
#include "explore.h"
#include "history.h"
#include "maps.h"
#include "moves.h"
#include "pools.h"
#include "special.h"
#include "topics.h"

#include "base/fp_backoff.h"
#include "base/fp_mem.h"
#include "base/fp_thread.h"
#include "queues/fp_channel.h"
#include "queues/fp_mpmc.h"
#include "queues/fp_ordered.h"
#include "queues/fp_queue.h"
#include "queues/fp_segq.h"
#include "queues/fp_spsc.h"
#include "reclaim/fp_epoch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_ITEM = 100 }; /* the smallest numbers are no items of a segq */

enum kind { SEGQ, RING, RING_NEAR_WRAP, SPSC, SPSC_FENCED, LIFO, CHANNEL, PRIORITY };

struct script {
    enum kind kind;
    uint64_t limit;
    int preemptions;
    const char *text;
};

/* Bounds are chosen so that the search of most programs is complete within seconds. */
static const struct script scripts[] = {
    {RING, 1, 3, "p1 p2|g g"},
    {RING, 1, 3, "p1|p2|g"},
    {RING, 1, 3, "p1 p2|g g|p3"},
    {RING, 1, 3, "p1 g|p2 g"},
    {RING, 2, 3, "p1 p2|p3 p4|g g"},
    {RING, 3, 3, "p1 p2/p3 p4|g g|g"},
    {RING, 1, 3, "p1 g p2 g p3 g h/p4 p5|g g|g"},
    {RING, 2, 3, "p1 p2 g g p3 g h/p4 p5|g g|p6"},
    {RING, 3, 3, "p1 p2 p3 g g g p4 h/p5 g|g g|p6 n"},
    {RING, 1, 3, "p1|c|g g"},
    {RING, 1, 3, "p1/c|p2 p3|g g"},
    {RING, 2, 3, "p1/p2 p3|c|g g"},
    {RING, 2, 3, "p1 g h/c n|c|p2 g"},
    {RING, 2, 3, "p1/n|p2 g|g p3"},
    {RING_NEAR_WRAP, 1, 3, "p1 g/p2 p3|g g|p4"},
    {RING_NEAR_WRAP, 2, 3, "p1 g p2 g h/p3 c|g g|p4 n"},
    {RING_NEAR_WRAP, 3, 3, "p1 p2 p3 g g g h/p4 p5|g g|p6"},
    {SEGQ, 100, 3, "p1 p2|g g"},
    {SEGQ, 100, 3, "p1 p2|p3 p4|g g"},
    {SEGQ, 100, 3, "p1 p2 p3/g g|g g|p4"},
    {SEGQ, 100, 3, "p1 p2/p3|g g|p4 g"},
    {SEGQ, 100, 3, "p1/b2|b4|m m"},
    {SEGQ, 100, 3, "p1 p2 p3/m|m|g p4"},
    {SEGQ, 100, 3, "p1 p2 p3/g|g g g x"},
    {SEGQ, 100, 3, "p1 p2/p3|g g g x|p4"},
    {SEGQ, 1, 3, "p1|p2|g"},
    {SEGQ, 1, 3, "p1 p2|g g|p3"},
    {SEGQ, 2, 3, "p1 p2|p3 p4|g g"},
    {SEGQ, 3, 3, "p1 p2/p3|p4|p5 g"},
    {SEGQ, 100, 3, "p1|c|g g"},
    {SEGQ, 100, 3, "p1/p2 p3|c|g g"},
    {SEGQ, 100, 3, "p1/p2 p3|c|p4"},
    {SEGQ, 100, 3, "p1 p2/c n|c|p3 g"},
    {SEGQ, 2, 3, "p1 p2/p3|c|g g"},
    {SEGQ, 100, 3, "p1/n|p2 p3|g g"},
    {SEGQ, 2, 3, "p1 p2/l3 n|p3|g"},
    {SPSC, 1, 4, "p1 p2 p3|g g g"},
    {SPSC, 2, 4, "b1 b3|m m"},
    {SPSC, 2, 4, "p1 p2 p3|g g g|c"},
    {SPSC, 1, 4, "p1 p2|g g|c"},
    {SPSC, 1, 4, "p1|g|c n"},
    {SPSC, 3, 4, "p1 p2 g g/p3 p4 p5|g m|n"},
    {SPSC, 2, 4, "p1 b2|m m|c"},
    {SPSC, 2, 3, "p1|g|c|c n"},
    {SPSC, 2, 3, "p1 p2|g n|c|n"},
    {SPSC, 2, 3, "p1/p2|g n|n"},
    {SPSC_FENCED, 1, 4, "p1 p2|g g|c"},
    {SPSC_FENCED, 3, 4, "p1 p2 g g/p3 p4 p5|g m|n"},
    {LIFO, 2, 2, "p1 p2|g g|p3"},
    {LIFO, 1, 2, "p1|c|g"},
    {CHANNEL, 1, 3, "f1|f2|g"},
    {CHANNEL, 1, 3, "f1/f2 f3|f4|g"},
    {CHANNEL, 1, 3, "f1/f2|g g"},
    {CHANNEL, 2, 3, "f1 f2/f3|f4|g g"},
    {CHANNEL, 2, 3, "f1 f2 f3/f4 n|g|f5"},
    {CHANNEL, 2, 3, "f1 f2/f3 n|g g g"},
    {CHANNEL, 3, 3, "f1 f2 f3/f4 f5|g|g f6"},
    {CHANNEL, 1, 3, "f1/f2|c|g"},
    {CHANNEL, 1, 3, "f1/f2|c|f3"},
    {CHANNEL, 1, 2, "f1/f2|c|f3|g"},
    {CHANNEL, 2, 3, "f1 f2/f3|c n|g"},
    {CHANNEL, 2, 3, "f1/m|f2 f3|n"},
    {CHANNEL, 1, 2, "f1/f2|f3|f4|g"},
    {CHANNEL, 1, 2, "f1/f2 r|f3 r|g"},
    {CHANNEL, 1, 3, "f1 f2/f3 r|c r"},
    {CHANNEL, 1, 2, "G|f1 f2|f3"},
    {CHANNEL, 2, 2, "G|G|f1 f2"},
    {CHANNEL, 1, 2, "G|G|f1|f2"},
    /* Waiting: nobody may sleep for ever. */
    {RING, 1, 2, "G|P1"},
    {RING, 1, 2, "G G|P1 P2"},
    {RING, 1, 2, "G|G|P1 P2"},
    {RING, 1, 2, "G|G|P1|P2"},
    {RING, 2, 2, "G|G|b1"},
    {RING, 1, 2, "p1/P2|P3|g g"},
    {RING, 2, 2, "p1 p2/P3|P4|m G"},
    {RING, 1, 2, "t|G|P1"},
    {RING, 1, 2, "w|v1"},
    {RING, 1, 2, "w|G|v1 v2"},
    {RING, 1, 2, "p1/v2|P3|g w"},
    {RING, 1, 2, "w|w|c"},
    {RING, 2, 2, "F p1 g/w|P2"},
    {RING, 2, 2, "I|G|p1"},
    {RING, 2, 2, "I|t|G|p1"},
    {RING, 1, 2, "G|G|c"},
    {RING, 1, 2, "p1/P2|P3|c"},
    {RING, 2, 2, "F/G|P1"},
    {RING, 2, 2, "F p1 g/G|P2"},
    {RING, 1, 2, "F p1/P2|G G"},
    {SEGQ, 100, 2, "G|G|p1 p2"},
    {SEGQ, 100, 2, "G|G|b1"},
    {SEGQ, 100, 2, "p1 p2 g g/G|G|b3"},
    {SEGQ, 1, 2, "p1/P2|P3|g g"},
    {SEGQ, 1, 2, "p1/P2|P3|l3"},
    {SEGQ, 1, 2, "p1/P2|c|g"},
    {SEGQ, 100, 2, "t|G|p1"},
    {SEGQ, 100, 2, "G|G|c"},
    {SPSC, 1, 3, "P1 P2 P3|G G G"},
    {SPSC, 2, 3, "P1 P2|m G|c"},
    {SPSC, 1, 3, "t G|P1 p2"},
    {SPSC, 1, 4, "G|P1"},
    {SPSC, 1, 4, "w w|v1 v2"},
    {SPSC, 1, 4, "p1/P2|g"},
    {SPSC, 1, 3, "G|c"},
    {SPSC, 1, 3, "p1/P2|c"},
    {SPSC, 2, 3, "p1 p2/v3|g|c"},
    {SPSC_FENCED, 1, 3, "P1 P2|G G|c"},
    {SPSC_FENCED, 1, 3, "w w|v1 v2"},
    {LIFO, 1, 2, "G|P1"},
    {LIFO, 1, 1, "G|G|P1 P2"},
    {LIFO, 1, 1, "p1/P2|P3|g G"},
    /* Moving. */
    {SEGQ, 100, 3, "p1/p2|g|o"},
    {SEGQ, 100, 3, "p1 p2/p3 g|o n"},
    {SEGQ, 100, 3, "p1 p2/g g g|o"},
    {SEGQ, 100, 3, "p1 p2 p3 g g/g|o n"},
    {SEGQ, 100, 2, "p1 p2/p3|g g|o"},
    {SEGQ, 100, 3, "p1/b2|m|o"},
    {SEGQ, 1, 3, "p1/p2 g|o n|g"},
    {SEGQ, 100, 3, "p1/p2|c n|o"},
    {SEGQ, 100, 3, "p1 p2 c/g g|o|n"},
    {SEGQ, 100, 3, "p1/p2 g|u|n"},
    {SEGQ, 100, 3, "p1 p2/p3 g|u o"},
    {SEGQ, 100, 2, "p1 p2/g p3|u|o"},
    {SEGQ, 100, 2, "p1 p2/g g|d|o"},
    {SEGQ, 100, 2, "p1 c/g|d|o"},
    {SEGQ, 100, 2, "p1 p2/g c|d|u"},
    {SEGQ, 100, 2, "G|p1|o"},
    {SEGQ, 100, 2, "G|o p1"},
    {SEGQ, 100, 2, "G|u p1"},
    {SEGQ, 1, 2, "p1/P2|o g"},
    {SEGQ, 1, 2, "p1/P2|g|o"},
    {SEGQ, 1, 2, "p1/P2|g|u"},
    {SEGQ, 1, 1, "p1/P2|P3|g|o"},
    {SEGQ, 100, 2, "G|c|o"},
    {SEGQ, 100, 2, "t|p1|o"},
    {SEGQ, 100, 2, "I|p1|o"},
    {LIFO, 2, 2, "p1/p2 g|o n"},
    {LIFO, 2, 2, "p1 p2/p3|g|u"},
    {LIFO, 2, 2, "p1/c|g|o"},
    {LIFO, 2, 2, "p1 c/g|u"},
    {LIFO, 2, 2, "p1/p2|d|u"},
    {LIFO, 2, 2, "G|o p1"},
    {LIFO, 1, 1, "p1/P2|u|g"},
    {LIFO, 1, 2, "p1/P2|o g"},
    {PRIORITY, 3, 2, "p2 p1 p3/g|p0|n"},
    {PRIORITY, 3, 2, "p2 p3/p1 g|o n"},
    {PRIORITY, 3, 2, "p2 p1/p3|g|o"},
    {PRIORITY, 3, 2, "p2 p1/g|u|o"},
    {PRIORITY, 3, 2, "p2 p1 c/g g|o"},
    {PRIORITY, 3, 2, "G|p1 p2|o"},
    {PRIORITY, 1, 2, "p1/P2|g|o"},
};

static struct {
    const struct fp_queue_ops *ops;
    void *queue;
    const struct script *script;
    const char *part[EXPLORE_THREADS];
    struct history history;
    int last[EXPLORE_THREADS + 1]; /* call of each thread, and of none; -1: nothing yet */
    bool closed, moves; /* moves: some of the threads move the queue */
    uint64_t evicted, told; /* channel: dropped items; how many of them were reported */
} run;

struct request {
    bool put, elsewhere;
    uint64_t item;
};

static enum fp_status attempt(void *arg) {
    struct request *q = arg;
    if (q->elsewhere)
        return q->put ? moves_put(q->item) : moves_get(&q->item);
    return q->put ? run.ops->put(run.queue, q->item) : run.ops->get(run.queue, &q->item);
}

static bool more(void *arg) {
    struct request *q = arg;
    uint64_t puts, gets;
    if (q->elsewhere)
        moves_count(&puts, &gets);
    else
        run.ops->count(run.queue, &puts, &gets);
    return q->put ? puts - gets < run.ops->limit(run.queue) : puts != gets;
}

static struct fp_event *event_of(const struct request *q) {
    if (q->elsewhere)
        return moves_event(q->put);
    return q->put ? run.ops->not_full(run.queue) : run.ops->not_empty(run.queue);
}

/* A call of the running thread, after its others. */
static struct call *begin_call(enum call_kind kind, unsigned begin) {
    struct call *c = history_add(&run.history, kind, begin);
    int *last = &run.last[explore_self() + 1];
    c->after = *last;
    *last = (int)(c - run.history.call);
    return c;
}

/* Waits like a host. A time-out or an interrupt counts as "full" or "empty". */
static enum fp_status perform_there(struct request *q, char letter) {
    enum fp_status s = attempt(q);
    if ((s == FP_FULL || s == FP_EMPTY) && strchr("PGTtIvw", letter)) {
        const struct fp_attempt op = {attempt, more, q};
        explore_allow_interrupt(letter == 'I');
        s = fp_wait(event_of(q), &op,
                    letter == 'T' || letter == 't' ? EXPLORE_DEADLINE : FP_FOREVER,
                    letter == 'v' || letter == 'w' ? &explore_watching : &explore_interruptible);
        explore_allow_interrupt(false);
        if (s == FP_TIMED_OUT || s == FP_INTERRUPTED)
            s = q->put ? FP_FULL : FP_EMPTY;
    }
    return s;
}

/* Where the items are. */
static enum fp_status perform(struct request *q, char letter) {
    for (;;) {
        q->elsewhere = run.moves && moves_are_over();
        enum fp_status s = perform_there(q, letter);
        if (s != FP_MOVED)
            return s;
        moves_await();
    }
}

static void put_or_get(char letter, uint64_t item) {
    bool put = strchr("pPTv", letter) != NULL;
    struct call *c = begin_call(put ? CALL_PUT : CALL_GET, explore_clock());
    struct request q = {put, false, item};
    c->item[0] = item;
    c->status = perform(&q, letter);
    if (!put)
        c->item[0] = q.item;
    c->taken = 1;
    explore_when_seen(&c->end);
}

static bool is_spsc(void) { return run.script->kind == SPSC || run.script->kind == SPSC_FENCED; }

static void put_two(uint64_t item) {
    uint64_t both[2] = {item, item + 1};
    size_t done;
    unsigned begin = explore_clock();
    enum fp_status s = run.ops->put_many(run.queue, both, 2, &done);
    for (size_t i = 0; i < 2 && i <= done; i++) {
        if (i == done && s == FP_MOVED) {
            for (; i < 2; i++)
                put_or_get('p', both[i]);
            break;
        }
        if (i == done && is_spsc() && done > 0)
            break; /* how many fit was seen before they were published */
        struct call *c = begin_call(CALL_PUT, begin);
        c->item[0] = both[i];
        c->status = i < done ? FP_OK : s;
        explore_when_seen(&c->end);
    }
}

static void get_two(void) {
    uint64_t found[2];
    size_t done;
    unsigned begin = explore_clock();
    enum fp_status s = run.ops->get_many(run.queue, found, 2, &done);
    if (s == FP_MOVED) {
        put_or_get('g', 0);
    } else if (done == 0) {
        struct call *c = begin_call(CALL_GET, begin);
        c->status = s;
        explore_when_seen(&c->end);
    }
    for (size_t i = 0; i < done; i++) {
        struct call *c = begin_call(CALL_GET, begin);
        c->item[0] = found[i];
        c->taken = 1;
        explore_when_seen(&c->end);
    }
}

static void lag_hints(void) {
    struct fp_mpmc *r = run.queue;
    if (fp_mpmc_is_lock_free()) /* else they are exact counters */
        r->tail = r->head = r->start;
}

/* Sleepers of a parent whose forked child this process is from now on. */
static void add_ghosts(void) {
    struct fp_event *e[] = {run.ops->not_empty(run.queue), run.ops->not_full(run.queue)};
    for (int i = 0; i < 2; i++) {
        fp_event_enter(e[i]);
        e[i]->word |= FP_EVENT_SIGNALLED | FP_EVENT_ASLEEP;
    }
    forks++;
}

/* What a host does after each put into a channel that evicts, and after closing it. */
static void trim(void) {
    uint64_t items[2];
    size_t n;
    do {
        n = fp_channel_trim(run.queue, items, 2);
        run.evicted += n;
    } while (n == 2);
}

static void put_evicting(uint64_t item) {
    struct call *c = begin_call(CALL_PUT, explore_clock());
    c->item[0] = item;
    c->status = fp_channel_store(run.queue, item);
    trim();
    c->taken = 1;
    explore_when_seen(&c->end);
}

static void report(void) {
    uint64_t news[FP_DROPS];
    const uint64_t me = fp_thread_serial();
    bool again = true;
    while (again && fp_channel_begin_report(run.queue, me, false, news)) {
        struct fp_channel *c = run.queue;
        if (c->reporter != me)
            explore_fail("two report at once");
        fp_channel_tell(c, news, INT32_MAX);
        run.told += news[FP_DROP_OLDEST];
        again = fp_channel_end_report(c);
    }
}

static void other(char letter, uint64_t number) {
    struct call *c;
    switch (letter) {
    case 'c':
        c = begin_call(CALL_CLOSE, explore_clock());
        while (run.ops->close(run.queue, false) == FP_MOVED) {
            moves_await();
            if (moves_are_over()) {
                moves_close();
                break;
            }
        }
        run.closed = true;
        if (run.script->kind == CHANNEL)
            trim();
        break;
    case 'n':
        c = begin_call(CALL_COUNT, explore_clock());
        if (run.moves && moves_are_over())
            moves_count(&c->item[0], &c->item[1]);
        else
            run.ops->count(run.queue, &c->item[0], &c->item[1]);
        break;
    case 'o':
    case 'u':
        c = begin_call(CALL_COUNT, explore_clock());
        if (!moves_make(letter == 'o', &c->item[0], &c->item[1]))
            moves_count(&c->item[0], &c->item[1]);
        break;
    case 'l':
        c = begin_call(CALL_LIMIT, explore_clock());
        c->item[0] = number;
        fp_segq_set_limit(run.queue, number);
        break;
    default:
        explore_fail("what is '%c'?", letter);
    }
    explore_when_seen(&c->end);
}

static void perform_script(const char *text, const char *stops) {
    while (*text != '\0' && !strchr(stops, *text)) {
        char letter = *text++;
        char *end;
        uint64_t number = strtoull(text, &end, 10);
        text = end;
        if (strchr("pPTbvf", letter))
            number += FIRST_ITEM;
        if (letter == 'b')
            put_two(number);
        else if (letter == 'm')
            get_two();
        else if (letter == 'h')
            lag_hints();
        else if (letter == 'f')
            put_evicting(number);
        else if (letter == 'r')
            report();
        else if (letter == 'x')
            fp_epoch_collect();
        else if (letter == 'd')
            moves_dare();
        else if (letter == 'F')
            add_ghosts();
        else if (strchr("pPTgGtIvw", letter))
            put_or_get(letter, number);
        else if (letter != ' ')
            other(letter, number);
    }
}

/* Somebody else may run in a comparison, as in one of the host. */
static int less(uint64_t a, uint64_t b) {
    fp_give_way();
    return a < b;
}

static enum order order_of(enum kind kind) {
    return kind == LIFO ? NEWEST_FIRST : kind == PRIORITY ? PRIORITY_FIRST : OLDEST_FIRST;
}

static void create(void) {
    const struct script *s = run.script;
    switch (s->kind) {
    case SEGQ:
        run.queue = fp_segq_create(s->limit);
        run.ops = &fp_segq_ops;
        break;
    case RING:
    case RING_NEAR_WRAP:
        run.queue = fp_mem_alloc(sizeof(struct fp_mpmc));
        run.ops = &fp_mpmc_ops;
        /* The last lap before positions wrap at 2^63. */
        fp_mpmc_init_at(run.queue, s->limit, s->kind == RING ? 0 : UINT64_MAX);
        break;
    case SPSC:
    case SPSC_FENCED:
        explore_light = s->kind == SPSC;
        run.queue = fp_spsc_create(s->limit);
        run.ops = &fp_spsc_ops;
        break;
    case LIFO:
        run.queue = fp_ordered_create(NULL, &explore_interruptible);
        run.ops = &fp_ordered_ops;
        fp_ordered_set_limit(run.queue, s->limit);
        break;
    case PRIORITY:
        run.queue = fp_ordered_create(less, &explore_interruptible);
        run.ops = &fp_ordered_ops;
        fp_ordered_set_limit(run.queue, s->limit);
        break;
    case CHANNEL:
        run.queue = fp_channel_create(s->limit, true, false);
        run.ops = &fp_channel_ops;
        break;
    }
}

static void before(void) {
    create();
    run.closed = false;
    run.moves = strpbrk(run.script->text, "oud") != NULL;
    moves_begin(run.ops, run.queue, order_of(run.script->kind));
    forks = 0;
    run.evicted = run.told = 0;
    for (int i = 0; i <= EXPLORE_THREADS; i++)
        run.last[i] = -1;
    run.history = (struct history){.limit = run.script->limit,
                                   .order = order_of(run.script->kind),
                                   .evicts = run.script->kind == CHANNEL};
    if (strchr(run.script->text, '/'))
        perform_script(run.script->text, "/");
    if (is_spsc()) {
        fp_spsc_release_producer(run.queue, 0, true); /* to the threads */
        fp_spsc_release_consumer(run.queue, 0, true);
    }
}

static void thread(int self) { perform_script(run.part[self], "|"); }

static bool woken_by(struct fp_event *e, const void *word) {
    return (const char *)word >= (const char *)e && (const char *)word < (const char *)(e + 1);
}

/* A consumer may sleep while there is no item, a producer while there is no room. A close sends
 * them home then. */
static bool asleep(void) {
    uint64_t puts, gets;
    bool over = run.moves && moves_are_over();
    if (over)
        moves_count(&puts, &gets);
    else
        run.ops->count(run.queue, &puts, &gets);
    bool empty = puts == gets, full = puts - gets >= run.ops->limit(run.queue);
    for (int i = 0; i < EXPLORE_THREADS; i++) {
        const void *word = explore_sleeps_on(i);
        if (word == NULL)
            continue;
        struct request put = {true, over, 0}, get = {false, over, 0};
        if (run.closed || !((woken_by(event_of(&get), word) && empty) ||
                            (woken_by(event_of(&put), word) && full)))
            return false;
    }
    other('c', 0);
    return true;
}

/* Everything put was taken or dropped, counted once; and after the closing all drops were told. */
static void check_channel(void) {
    uint64_t stored = 0, taken = 0;
    for (int i = 0; i < run.history.count; i++) {
        const struct call *c = &run.history.call[i];
        stored += c->kind == CALL_PUT && c->status == FP_OK;
        taken += c->kind == CALL_GET && c->status == FP_OK;
    }
    if (stored != taken + run.evicted || run.evicted != fp_channel_drops(run.queue, FP_DROP_OLDEST))
        explore_fail("%llu stored, %llu taken, %llu dropped", (unsigned long long)stored,
                     (unsigned long long)taken, (unsigned long long)run.evicted);
    if (run.closed && strchr(run.script->text, 'r') && run.told != run.evicted)
        explore_fail("%llu of %llu drops were told", (unsigned long long)run.told,
                     (unsigned long long)run.evicted);
}

static void after(void) {
    if (is_spsc())
        fp_spsc_release_consumer(run.queue, 0, true); /* its owner has ended */
    for (;;) {
        struct call *c = begin_call(CALL_GET, explore_clock());
        struct request q = {false, false, 0};
        c->status = perform(&q, 'g');
        c->item[0] = q.item;
        c->taken = 1;
        explore_when_seen(&c->end);
        if (c->status != FP_OK)
            break;
        if (run.history.count == MOST_CALLS)
            explore_fail("the queue never gets empty");
    }
    if (!history_is_linearizable(&run.history)) {
        history_print(&run.history);
        explore_fail("no sequential order explains these answers");
    }
    if (run.script->kind == CHANNEL)
        check_channel();
    run.ops->destroy(run.queue);
}

static const char *const kinds[] = {"segq", "ring",    "ring near wrap", "spsc", "spsc with fences",
                                    "lifo", "channel", "priority"};

static int explore_script(const struct script *s, double seconds) {
    char name[100];
    snprintf(name, sizeof name, "%s(%llu) %s", kinds[s->kind], (unsigned long long)s->limit,
             s->text);
    struct explore_program program = {name, 0, s->preemptions, before, thread, asleep, after};
    run.script = s;
    const char *slash = strchr(s->text, '/'), *part = slash ? slash + 1 : s->text;
    while (part != NULL) {
        run.part[program.threads++] = part;
        part = strchr(part, '|');
        part = part ? part + 1 : NULL;
    }
    return explore(&program, seconds, 1) ? 0 : 1;
}

/* A process for each program: it starts from the core's initial state, and a crash is its own. */
static bool in_child(int (*work)(int which, double seconds), int which, double seconds) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)seconds + 60);
        exit(work(which, seconds));
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("FAIL explore: killed by signal %d (%s)\n", WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? "took too long" : "crash");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int script_work(int which, double seconds) {
    return explore_script(&scripts[which], seconds);
}

/* The programs of another file. */
struct family {
    const char *name; /* chooses them all */
    int count;
    const char *(*program)(int which);
    int (*work)(int which, double seconds);
};

int main(int argc, char **argv) {
    const struct family families[] = {
        {"", special_count, special_name, special_work},
        {"", pool_count, pool_name, pool_work},
        {"ctrie", map_count, map_name, map_work},
        {"topic", topic_count, topic_name, topic_work},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    const char *only = argc > 2 ? argv[2] : "";
    const bool stop = argc > 3; /* at the first failure */
    int failed = 0;
    for (int i = 0; i < (int)(sizeof scripts / sizeof *scripts); i++)
        if ((strstr(scripts[i].text, only) ||
             strncmp(kinds[scripts[i].kind], only, strlen(only)) == 0) &&
            !in_child(script_work, i, seconds) && ++failed && stop)
            return 1;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const struct family *of = &families[f];
        const bool all = strcmp(only, of->name) == 0;
        for (int i = 0; i < of->count; i++)
            if ((all || strstr(of->program(i), only)) && !in_child(of->work, i, seconds) &&
                ++failed && stop)
                return 1;
    }
    return failed != 0;
}
