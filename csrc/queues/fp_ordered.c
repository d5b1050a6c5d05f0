/* fp_ordered.c - see fp_ordered.h. */
#include "queues/fp_ordered.h"

#include "base/fp_mem.h"
#include "queues/fp_queue_ops.h"

void fp_ordered_init(struct fp_ordered *q, fp_less less, uint64_t limit,
                     const struct fp_host *host) {
    fp_lock_init(&q->lock);
    q->heap = (struct fp_heap){0};
    fp_sync_u64_store_relaxed(&q->heap_bytes, 0);
    fp_sync_u64_store_relaxed(&q->puts, 0);
    fp_sync_u64_store_relaxed(&q->gets, 0);
    fp_sync_u64_store_relaxed(&q->state, 0);
    q->moved = (struct fp_heap){0};
    fp_sync_u64_store_relaxed(&q->limit, limit);
    q->less = less;
    q->host = host;
    fp_event_init(&q->not_empty);
    fp_event_init(&q->not_full);
}

static bool has_moved(struct fp_ordered *q) {
    return (fp_sync_u64_load_relaxed(&q->state) & FP_ORDERED_MOVED) != 0;
}

void fp_ordered_destroy(struct fp_ordered *q) {
    if (has_moved(q) && q->moved.items != q->heap.items) /* the same after a fork, at most */
        fp_heap_destroy(&q->moved);
    fp_heap_destroy(&q->heap);
}

static bool locks(const struct fp_ordered *q) { return !FP_PLAIN || q->less != NULL; }

static enum fp_status enter(struct fp_ordered *q) {
    return locks(q) ? fp_lock_acquire(&q->lock, fp_thread_serial(), q->host) : FP_OK;
}

static void leave(struct fp_ordered *q) {
    fp_sync_u64_store_relaxed(&q->heap_bytes, q->heap.room * sizeof *q->heap.items);
    if (locks(q))
        fp_lock_release(&q->lock);
}

/* Only under the lock. */
static void count_up(fp_sync_u64 *n, uint64_t more) {
    fp_sync_u64_store_relaxed(n, fp_sync_u64_load_relaxed(n) + more);
}

static enum fp_status shut(uint64_t state) {
    return state & FP_ORDERED_MOVED ? FP_MOVED : FP_CLOSED;
}

/* The batches hold the lock throughout, so that an interruption can only come before the first
 * item. */
enum fp_status fp_ordered_put_many(struct fp_ordered *q, const uint64_t *items, size_t count,
                                   size_t *done) {
    *done = 0;
    enum fp_status s = enter(q);
    if (s != FP_OK)
        return s;
    while (*done < count && s == FP_OK) {
        uint64_t state = fp_sync_u64_load_relaxed(&q->state);
        if (state != 0)
            s = shut(state);
        else if (q->heap.count >= fp_sync_u64_load_seq_cst(&q->limit)) /* pairs with set_limit */
            s = FP_FULL;
        else
            s = fp_heap_push(&q->heap, items[*done], q->less);
        if (s == FP_OK) {
            count_up(&q->puts, 1);
            ++*done;
        }
    }
    leave(q);
    if (*done != 0)
        fp_event_notify(&q->not_empty);
    return s;
}

static enum fp_status take_many(struct fp_ordered *q, uint64_t *items, size_t max, size_t *done,
                                fp_less less) {
    *done = 0;
    enum fp_status s = enter(q);
    if (s != FP_OK)
        return s;
    s = fp_heap_pop(&q->heap, items, max, done, less);
    count_up(&q->gets, *done);
    uint64_t state = fp_sync_u64_load_relaxed(&q->state);
    if (s == FP_EMPTY && state != 0)
        s = shut(state);
    leave(q);
    if (*done != 0)
        fp_event_notify(&q->not_full);
    return s;
}

enum fp_status fp_ordered_put(struct fp_ordered *q, uint64_t item) {
    size_t done;
    return fp_ordered_put_many(q, &item, 1, &done);
}

enum fp_status fp_ordered_get(struct fp_ordered *q, uint64_t *item) {
    size_t done;
    return take_many(q, item, 1, &done, q->less);
}

enum fp_status fp_ordered_get_many(struct fp_ordered *q, uint64_t *items, size_t max,
                                   size_t *done) {
    return take_many(q, items, max, done, q->less);
}

enum fp_status fp_ordered_discard(struct fp_ordered *q, uint64_t *items, size_t max, size_t *done) {
    return take_many(q, items, max, done, NULL);
}

bool fp_ordered_is_closed(struct fp_ordered *q) {
    return (fp_sync_u64_load_seq_cst(&q->state) & FP_ORDERED_CLOSED) != 0;
}

static void notify_everybody(struct fp_ordered *q) {
    fp_event_notify_all(&q->not_empty);
    fp_event_notify_all(&q->not_full);
}

enum fp_status fp_ordered_close(struct fp_ordered *q) {
    enum fp_status s = enter(q);
    if (s != FP_OK)
        return s;
    uint64_t state = fp_sync_u64_load_relaxed(&q->state);
    if (state & FP_ORDERED_MOVED) {
        leave(q);
        return FP_MOVED;
    }
    fp_sync_u64_store_relaxed(&q->state, FP_ORDERED_CLOSED);
    leave(q);
    notify_everybody(q);
    return FP_OK;
}

enum fp_status fp_ordered_move(struct fp_ordered *q) {
    enum fp_status s = enter(q);
    if (s != FP_OK)
        return s;
    uint64_t state = fp_sync_u64_load_relaxed(&q->state);
    if (state & FP_ORDERED_MOVED) {
        s = FP_MOVED;
    } else {
        /* In this order, so that a child of fork finds the items in one of the two, or in both. */
        q->moved = q->heap;
        fp_sync_u64_store_relaxed(&q->state, state | FP_ORDERED_MOVED);
        /* A heap without items sends whoever looks for one to the state, as ever. */
        q->heap = (struct fp_heap){0};
    }
    leave(q);
    return s;
}

static bool deaf(void) { return false; }

static void move_back(struct fp_ordered *q) {
    struct fp_host host = *q->host;
    host.interrupted =
        deaf; /* there is no answer to give up with; nobody holds the lock for long */
    if (locks(q))
        fp_lock_acquire(&q->lock, fp_thread_serial(), &host);
    if (has_moved(q)) { /* it has not, where fork came before that */
        q->heap = q->moved;
        uint64_t state = fp_sync_u64_load_relaxed(&q->state);
        fp_sync_u64_store_relaxed(&q->state, state & ~FP_ORDERED_MOVED);
    }
    leave(q);
}

enum fp_status fp_ordered_end_move(struct fp_ordered *q, bool keep) {
    if (keep)
        fp_heap_destroy(&q->moved);
    else
        move_back(q);
    notify_everybody(q);
    return FP_OK;
}

bool fp_ordered_compares(struct fp_ordered *q) {
    return fp_sync_u64_load_relaxed(&q->lock.owner) == fp_thread_serial();
}

void fp_ordered_set_limit(struct fp_ordered *q, uint64_t limit) {
    fp_sync_u64_store_seq_cst(&q->limit, limit); /* the waiters' pairing (fp_event.h) */
    fp_event_notify_all(&q->not_full);
}

void fp_ordered_count(struct fp_ordered *q, uint64_t *puts, uint64_t *gets) {
    uint64_t now = fp_sync_u64_load_seq_cst(&q->gets);
    int attempts = 16;
    /* Unmoved gets mean that both were true at the moment the puts were read. */
    do {
        *gets = now;
        *puts = fp_sync_u64_load_seq_cst(&q->puts);
        now = fp_sync_u64_load_seq_cst(&q->gets);
    } while (now != *gets && --attempts > 0);
    uint64_t limit = fp_sync_u64_load_relaxed(&q->limit);
    if (now != *gets && *puts - *gets > limit)
        *gets = *puts - limit;
}

size_t fp_ordered_memory(struct fp_ordered *q) {
    return (size_t)fp_sync_u64_load_relaxed(&q->heap_bytes);
}

int fp_ordered_visit(struct fp_ordered *q, int (*fn)(uint64_t item, void *arg), void *arg) {
    const struct fp_heap *heap = has_moved(q) ? &q->moved : &q->heap;
    for (size_t i = 0; i < heap->count; i++) {
        int answer = fn(heap->items[i], arg);
        if (answer != 0)
            return answer;
    }
    return 0;
}

/* The table for hosts (fp_queue.h). ------------------------------------------------------------ */

FP_QUEUE_WRAPPERS(ordered, ordered, FP_QUEUE_SELF)

static enum fp_status op_discard(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_ordered_discard(q, items, max, done);
}
static enum fp_status op_close(void *q, bool immediate) {
    (void)immediate; /* the host discards */
    return fp_ordered_close(q);
}
static uint64_t op_limit(void *q) {
    return fp_sync_u64_load_relaxed(&((struct fp_ordered *)q)->limit);
}
static size_t op_memory(void *q) { return sizeof(struct fp_ordered) + fp_ordered_memory(q); }
static struct fp_event *op_not_empty(void *q) { return &((struct fp_ordered *)q)->not_empty; }
static struct fp_event *op_not_full(void *q) { return &((struct fp_ordered *)q)->not_full; }
static void op_abandon(void *q, bool alone) { (void)q, (void)alone; }
static void op_destroy(void *q) {
    fp_ordered_destroy(q);
    fp_mem_free(q, sizeof(struct fp_ordered));
}

static void op_set_limit(void *q, uint64_t limit) { fp_ordered_set_limit(q, limit); }
static enum fp_status op_move(void *q) { return fp_ordered_move(q); }
static enum fp_status op_end_move(void *q, bool keep) { return fp_ordered_end_move(q, keep); }

const struct fp_queue_ops fp_ordered_ops = {FP_QUEUE_TABLE, .set_limit = op_set_limit,
                                            .move = op_move, .end_move = op_end_move,
                                            .calls_host = true};

void *fp_ordered_create(fp_less less, const struct fp_host *host) {
    struct fp_ordered *q = fp_mem_alloc(sizeof *q);
    if (q != NULL)
        fp_ordered_init(q, less, FP_UNBOUNDED, host);
    return q;
}
