/* fp_channel.c - see fp_channel.h for the idea and the argument. */
#include "queues/fp_channel.h"

#include "base/fp_mem.h"
#include "base/fp_thread.h"
#include "queues/fp_queue_ops.h"

struct fp_channel *fp_channel_create(uint64_t limit, bool evicts, bool gated) {
    struct fp_channel *c = fp_mem_alloc(sizeof *c); /* zeroed: nothing dropped, no reporter */
    if (c == NULL)
        return NULL;
    if (fp_segq_init(&c->q, limit) != FP_OK) {
        fp_mem_free(c, sizeof *c);
        return NULL;
    }
    fp_event_init(&c->token_event);
    c->evicts = evicts;
    c->gated = gated;
    return c;
}

enum fp_status fp_channel_set_rate(struct fp_channel *c, double rate, uint64_t burst) {
    struct fp_gcra *pace = fp_mem_alloc(sizeof *pace);
    if (pace == NULL)
        return FP_NO_MEMORY;
    enum fp_status s = fp_gcra_init(pace, rate, burst, fp_now());
    if (s == FP_OK)
        c->pace = pace;
    else
        fp_mem_free(pace, sizeof *pace);
    return s;
}

static enum fp_status closed_meanwhile(void *c) {
    return fp_segq_is_closed(c) ? FP_CLOSED : FP_FULL;
}

/* Leaving the event hands nothing on: only closing notifies it, and wakes all. */
static bool never(void *c) {
    (void)c;
    return false;
}

int64_t fp_channel_delay(struct fp_channel *c) {
    int64_t delay;
    fp_gcra_delay(c->pace, 1, &fp_system_clock, &delay); /* this clock does not fail */
    return delay;
}

enum fp_status fp_channel_pace(struct fp_channel *c, int64_t deadline, const struct fp_host *host) {
    const struct fp_attempt op = {closed_meanwhile, never, c};
    enum fp_status s;
    do {
        s = fp_gcra_try(c->pace, 1, &fp_system_clock);
        if (s != FP_FULL || host == NULL)
            return s;
        int64_t delay = fp_channel_delay(c), now = fp_now();
        if (delay > deadline - now)
            return FP_TIMED_OUT;
        s = fp_wait(&c->token_event, &op, now + delay, host);
    } while (s == FP_TIMED_OUT); /* a token is due; another thread may have taken it by now */
    return s;
}

enum fp_status fp_channel_put(struct fp_channel *c, uint64_t item) {
    return FP_UNLIKELY(c->gated) ? FP_FULL : fp_segq_put(&c->q, item);
}

enum fp_status fp_channel_store(struct fp_channel *c, uint64_t item) {
    enum fp_status s = fp_segq_put(&c->q, item);
    if (s == FP_FULL && c->evicts) {
        FP_STEP();
        s = fp_segq_force(&c->q, item);
        FP_STEP();
    }
    return s;
}

size_t fp_channel_trim(struct fp_channel *c, uint64_t *items, size_t max) {
    size_t n = fp_segq_trim(&c->q, items, max);
    if (n != 0)
        fp_channel_count_drop(c, FP_DROP_OLDEST, n);
    return n;
}

void fp_channel_count(struct fp_channel *c, uint64_t *puts, uint64_t *gets) {
    fp_segq_count(&c->q, puts, gets);
    uint64_t limit = fp_segq_limit(&c->q);
    if (*puts - *gets > limit)
        *puts = *gets + limit; /* items behind it do not count yet */
}

/* Reports. ------------------------------------------------------------------------------------ */

static bool untold(struct fp_channel *c) {
    for (int i = 0; i < FP_DROPS; i++)
        /* Seq_cst: after the store to `reporter`; pairs with fp_channel_count_drop. */
        if (fp_sync_u64_load_seq_cst(&c->drops[i]) != fp_sync_u64_load_seq_cst(&c->told[i]))
            return true;
    return false;
}

static bool become_reporter(struct fp_channel *c, uint64_t me) {
    uint64_t owner = fp_sync_u64_load_seq_cst(&c->reporter);
    if (owner != 0 && !fp_thread_lost_by_fork(owner))
        return false;
    /* Acquire half: reads `told` as the last reporter left it. */
    return fp_sync_u64_cas_seq_cst(&c->reporter, &owner, me);
}

bool fp_channel_begin_report(struct fp_channel *c, uint64_t me, bool urgent, uint64_t *news) {
    while (untold(c) &&
           (urgent || (uint64_t)fp_now() >= fp_sync_u64_load_seq_cst(&c->quiet_until) ||
            fp_segq_is_closed(&c->q))) {
        if (!become_reporter(c, me))
            return false;
        FP_STEP();
        bool any = false;
        for (int i = 0; i < FP_DROPS; i++) {
            news[i] =
                fp_sync_u64_load_seq_cst(&c->drops[i]) - fp_sync_u64_load_seq_cst(&c->told[i]);
            any |= news[i] != 0;
        }
        if (any)
            return true;
        /* Another report told everything. Release: pairs with become_reporter. Seq_cst: comes
         * before the loads of untold(), for the sake of a drop that found this report under way. */
        fp_sync_u64_store_seq_cst(&c->reporter, 0);
    }
    return false;
}

void fp_channel_tell(struct fp_channel *c, const uint64_t *news, int64_t interval) {
    for (int i = 0; i < FP_DROPS; i++)
        fp_sync_u64_fetch_add_seq_cst(&c->told[i], news[i]);
    fp_sync_u64_store_seq_cst(&c->quiet_until, (uint64_t)(fp_now() + interval));
}

bool fp_channel_end_report(struct fp_channel *c) {
    fp_sync_u64_store_seq_cst(&c->reporter, 0); /* as in fp_channel_begin_report */
    return untold(c) && fp_segq_is_closed(&c->q);
}

/* The table for hosts (fp_queue.h). ------------------------------------------------------------ */

FP_QUEUE_WRAPPERS(channel, segq, FP_QUEUE_SELF)

static enum fp_status op_discard(void *c, uint64_t *items, size_t max, size_t *done) {
    return fp_segq_get_many(c, items, max, done);
}
static enum fp_status op_close(void *c, bool immediate) {
    (void)immediate; /* the host discards */
    enum fp_status s = fp_segq_close(c);
    fp_event_notify_all(&((struct fp_channel *)c)->token_event);
    return s;
}
static uint64_t op_limit(void *c) { return fp_segq_limit(c); }
static size_t op_memory(void *c) {
    size_t pace = ((struct fp_channel *)c)->pace != NULL ? sizeof(struct fp_gcra) : 0;
    return sizeof(struct fp_channel) + pace + fp_segq_memory(c);
}
static struct fp_event *op_not_empty(void *c) { return &((struct fp_channel *)c)->q.not_empty; }
static struct fp_event *op_not_full(void *c) { return &((struct fp_channel *)c)->q.not_full; }
static void op_abandon(void *c, bool alone) { (void)c, (void)alone; }
static void op_destroy(void *c) {
    fp_segq_destroy(c);
    fp_mem_free(((struct fp_channel *)c)->pace, sizeof(struct fp_gcra));
    fp_mem_free(c, sizeof(struct fp_channel));
}

const struct fp_queue_ops fp_channel_ops = {FP_QUEUE_TABLE};
