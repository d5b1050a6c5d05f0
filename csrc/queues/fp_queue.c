/* fp_queue.c - the table of no queue: closed, empty, nothing to free. A host may point to it until
 * it has made the real one, and needs no test for "not yet" anywhere else. */
#include "queues/fp_queue.h"

static struct fp_event no_event;

static enum fp_status put(void *q, uint64_t item) { return (void)q, (void)item, FP_CLOSED; }
static enum fp_status get(void *q, uint64_t *item) { return (void)q, (void)item, FP_CLOSED; }
static enum fp_status put_many(void *q, const uint64_t *items, size_t count, size_t *done) {
    *done = 0;
    return (void)q, (void)items, (void)count, FP_CLOSED;
}
static enum fp_status get_many(void *q, uint64_t *items, size_t max, size_t *done) {
    *done = 0;
    return (void)q, (void)items, (void)max, FP_CLOSED;
}
static enum fp_status close(void *q, bool immediate) { return (void)q, (void)immediate, FP_OK; }
static bool is_closed(void *q) { return (void)q, true; }
static uint64_t limit(void *q) { return (void)q, FP_UNBOUNDED; }
static void count(void *q, uint64_t *puts, uint64_t *gets) { (void)q, *puts = *gets = 0; }
static int visit(void *q, int (*fn)(uint64_t, void *), void *arg) {
    return (void)q, (void)fn, (void)arg, 0;
}
static size_t memory(void *q) { return (void)q, (size_t)0; }
static struct fp_event *event(void *q) { return (void)q, &no_event; }
static void abandon(void *q, bool alone) { (void)q, (void)alone; }
static void nothing(void *q) { (void)q; }

const struct fp_queue_ops fp_no_queue_ops = {
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .discard = get_many,
    .close = close,
    .is_closed = is_closed,
    .limit = limit,
    .count = count,
    .visit = visit,
    .memory = memory,
    .not_empty = event,
    .not_full = event,
    .abandon = abandon,
    .destroy = nothing,
};
