/* fp_segq.c - see fp_segq.h for the idea, the invariant and the proof sketch. */
#include "queues/fp_segq_internal.h"

#include "base/fp_mem.h"
#include "queues/fp_queue_ops.h"

static inline enum fp_status shut(uint64_t marker) {
    return marker == FP_SEGQ_CLOSED ? FP_CLOSED : FP_MOVED;
}

enum { FIRST_BYTES = 1024, LEAST_BYTES = FP_MEM_BLOCK, MOST_BYTES = FP_MEM_MAPPED };

static void free_segment(struct fp_retired *r) {
    struct segment *s = (struct segment *)(void *)r; /* the first member */
    fp_mem_free(s, r->bytes);
}

static struct segment *new_segment(uint64_t base, size_t bytes) {
    struct segment *s = fp_mem_alloc(bytes);
    if (s == NULL)
        return NULL;
    s->retired.free = free_segment;
    s->retired.bytes = bytes;
    s->base = base;
    s->size = (bytes - sizeof *s) / sizeof(fp_u64);
    return s;
}

/* A segment behind `last`: large when many items are waiting, so that a burst costs few
 * allocations, and small otherwise. */
static struct segment *following_segment(struct segment *last, uint64_t head) {
    uint64_t end = last->base + last->size;
    uint64_t waiting_bytes = (end - head) * sizeof(fp_u64);
    size_t bytes = LEAST_BYTES;
    while (bytes < MOST_BYTES && bytes < waiting_bytes)
        bytes *= 2;
    return new_segment(end, bytes);
}

enum fp_status fp_segq_init(struct fp_segq *q, uint64_t limit) {
    struct segment *s = new_segment(0, FIRST_BYTES);
    if (s == NULL)
        return FP_NO_MEMORY;
    fp_ptr_store_relaxed(&q->tail, s);
    fp_ptr_store_relaxed(&q->head, s);
    fp_u64_store_relaxed(&q->head_seen, 0);
    fp_u64_store_relaxed(&q->limit, limit);
    fp_event_init(&q->not_empty);
    fp_event_init(&q->not_full);
    return FP_OK;
}

void fp_segq_destroy(struct fp_segq *q) {
    struct segment *s = fp_ptr_load_acquire(&q->head);
    while (links(s)) {
        struct segment *next = fp_ptr_load_acquire(&s->next);
        fp_mem_free(s, s->retired.bytes);
        s = next;
    }
    fp_epoch_collect();
}

/* The head's position, exact at the moment of the last load. Pinned callers only. */
static uint64_t head_position(struct fp_segq *q) {
    struct segment *s = fp_ptr_load_seq_cst(&q->head);
    for (;;) {
        /* Seq_cst: a producer that is about to sleep reads it after announcing itself. */
        uint64_t taken = taken_of(fp_u64_load_seq_cst(&s->deq));
        if (taken < s->size)
            return s->base + taken;
        struct segment *next = fp_ptr_load_seq_cst(&s->next);
        if (!links(next))
            return s->base + s->size;
        s = next;
    }
}

/* A head beyond t: others have put there and taken meanwhile; a put at t will fail. */
static inline uint64_t room_behind(uint64_t limit, uint64_t t, uint64_t head) {
    int64_t used = (int64_t)(t - head);
    int64_t room = (int64_t)limit - (used > 0 ? used : 0);
    return room > 0 ? (uint64_t)room : 0;
}

/* How many items may stand from position t on, which was the first vacant one a moment ago.
 * Seq_cst: a producer that is about to sleep reads limit and head after announcing itself. */
static uint64_t room_at(struct fp_segq *q, uint64_t t) {
    uint64_t limit = fp_u64_load_seq_cst(&q->limit);
    uint64_t room = room_behind(limit, t, fp_u64_load_acquire(&q->head_seen));
    if (FP_LIKELY(room != 0))
        return room;
    FP_STEP();
    uint64_t head = head_position(q);
    /* Others may store older positions over it: still positions the head has reached. */
    fp_u64_store_release(&q->head_seen, head);
    return room_behind(limit, t, head);
}

/* Puts `item` behind the full segment `s`. FP_RETRY: somebody else linked one; look again. */
static enum fp_status put_in_new_segment(struct fp_segq *q, struct segment *s, uint64_t item) {
    struct segment *fresh = following_segment(s, head_position(q));
    if (fresh == NULL)
        return FP_NO_MEMORY;
    fp_u64_store_relaxed(&fresh->slot[0], item);
    fp_u64_store_relaxed(&fresh->enq, 1);
    void *none = NULL;
    FP_STEP();
    /* Release half: pairs with the loads of `next`, and publishes the segment and its item.
     * Seq_cst: the write half of the waiters' pairing (fp_event.h). */
    if (!fp_ptr_cas_seq_cst(&s->next, &none, fresh)) {
        fp_mem_free(fresh, fresh->retired.bytes);
        return FP_RETRY;
    }
    FP_STEP();
    void *expected = s;
    fp_ptr_cas_seq_cst(&q->tail, &expected, fresh); /* whoever comes first */
    return FP_OK;
}

static inline uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Swaps items into slot `i` and those after it, until one is found filled; returns how many. */
static inline size_t fill_slots(struct segment *s, uint64_t i, const uint64_t *items, size_t n) {
    size_t filled = 0;
    for (; filled < n; filled++) {
        uint64_t vacant = FP_SEGQ_VACANT;
        FP_STEP();
        /* The linearization point. Release half: publishes the item, pairs with get's load of the
         * slot. Seq_cst: the waiters' pairing. */
        if (!fp_u64_cas_seq_cst(&s->slot[i + filled], &vacant, items[filled]))
            break;
    }
    return filled;
}

/* Puts items into the vacant slots of `s`, the first one and those after it. FP_RETRY: the segment
 * is full. A marker needs no room, nor does what is forced. Pinned callers only. */
static inline enum fp_status put_in_segment(struct fp_segq *q, struct segment *s, bool force,
                                            const uint64_t *items, size_t n, size_t *done) {
    uint64_t i = fp_u64_load_acquire(&s->enq);
    while (i < s->size) {
        uint64_t found = fp_u64_load_seq_cst(&s->slot[i]);
        if (FP_UNLIKELY(is_marker(found)))
            return shut(found);
        if (found != FP_SEGQ_VACANT) {
            i++;
            continue;
        }
        bool marker = is_marker(items[*done]);
        /* Holds for the slots from i on as long as they are this thread's, one after the other. */
        uint64_t room = marker || force ? 1 : room_at(q, s->base + i);
        if (room == 0)
            return FP_FULL;
        /* (The compiler turns a put of one into straight code.) */
        uint64_t run = n == 1 ? 1 : least(room, least(s->size - i, n - *done));
        size_t filled = fill_slots(s, i, items + *done, (size_t)run);
        if (FP_UNLIKELY(filled == 0))
            continue; /* another's item is there now */
        FP_STEP();
        if (marker)
            return FP_OK; /* no hint: every later put has to meet it */
        i += filled;
        /* A hint; may go backwards. Release: who starts from it sees the slots filled. */
        fp_u64_store_release(&s->enq, i);
        *done += filled;
        if (*done == n)
            return FP_OK;
    }
    return FP_RETRY;
}

/* Puts one item after the other; `items` may be a marker alone. Pinned callers only. */
static inline enum fp_status put_pinned(struct fp_segq *q, bool force, const uint64_t *items,
                                        size_t n, size_t *done) {
    for (;;) {
        struct segment *s = fp_ptr_load_seq_cst(&q->tail);
        enum fp_status r = put_in_segment(q, s, force, items, n, done);
        if (FP_LIKELY(r != FP_RETRY))
            return r;
        struct segment *next = fp_ptr_load_seq_cst(&s->next);
        if (links(next)) {
            void *expected = s;
            fp_ptr_cas_seq_cst(&q->tail, &expected, next); /* help the put that linked it */
        } else if (next != NULL) {
            return shut((uintptr_t)next);
        } else if (is_marker(items[*done])) {
            void *none = NULL;
            if (fp_ptr_cas_seq_cst(&s->next, &none, (void *)(uintptr_t)items[*done]))
                return FP_OK;
        } else if (!force && room_at(q, s->base + s->size) == 0) {
            return FP_FULL;
        } else {
            r = put_in_new_segment(q, s, items[*done]);
            if (r == FP_OK && ++*done == n)
                return FP_OK;
            if (r == FP_NO_MEMORY)
                return r;
        }
    }
}

static inline enum fp_status put(struct fp_segq *q, bool force, const uint64_t *items, size_t n,
                                 size_t *done) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    *done = 0;
    if (FP_UNLIKELY(pin == NULL))
        return FP_NO_MEMORY;
    enum fp_status r = put_pinned(q, force, items, n, done);
    fp_epoch_unpin(pin);
    if (FP_LIKELY(*done != 0))
        fp_event_notify(&q->not_empty);
    return r;
}

enum fp_status fp_segq_put_many(struct fp_segq *q, const uint64_t *items, size_t n, size_t *done) {
    *done = 0;
    return n == 0 ? FP_OK : put(q, false, items, n, done);
}

enum fp_status fp_segq_put(struct fp_segq *q, uint64_t item) {
    size_t done;
    return put(q, false, &item, 1, &done);
}

enum fp_status fp_segq_force(struct fp_segq *q, uint64_t item) {
    size_t done;
    return put(q, true, &item, 1, &done);
}

void fp__segq_retire(struct fp_segq *q, struct fp_epoch_record *pin, struct segment *s,
                     struct segment *next) {
    /* The tail leaves first: after that no new thread can reach the segment but through head. */
    void *expected = s;
    if (fp_ptr_load_seq_cst(&q->tail) == (void *)s)
        fp_ptr_cas_seq_cst(&q->tail, &expected, next);
    FP_STEP();
    expected = s;
    if (fp_ptr_cas_seq_cst(&q->head, &expected, next))
        fp_epoch_retire(pin, &s->retired);
}

/* Copies adjacent items from slot `from` on; returns the slot after the last one. */
static uint64_t copy_items(struct segment *s, uint64_t from, uint64_t *items, uint64_t max) {
    uint64_t end = s->size - from < max ? s->size : from + max;
    uint64_t i = from;
    for (; i < end; i++) {
        /* Acquire half: pairs with the put's swap. Seq_cst: a consumer that is about to sleep
         * reads it after announcing itself. */
        uint64_t found = fp_u64_load_seq_cst(&s->slot[i]);
        if (found <= FP_SEGQ_MOVED_CLOSED)
            break;
        items[i - from] = found;
    }
    return i;
}

#define EVERYTHING UINT64_MAX /* no position */

/* Takes items of one segment that stand before position `before`, behind the *n that were taken
 * already. Pinned callers only. */
static inline enum fp_status get_pinned(struct fp_segq *q, struct fp_epoch_record *pin,
                                        uint64_t before, uint64_t *items, size_t max, size_t *n) {
    for (;;) {
        struct segment *s = fp_ptr_load_seq_cst(&q->head);
        uint64_t i = fp_u64_load_acquire(&s->deq);
        if (FP_UNLIKELY(i >= s->size)) {
            if (i & FROZEN)
                return FP_MOVED;
            struct segment *next = fp_ptr_load_seq_cst(&s->next);
            if (next == NULL)
                return FP_EMPTY;
            if (!links(next))
                return shut((uintptr_t)next);
            fp__segq_retire(q, pin, s, next);
            continue;
        }
        uint64_t most = max - *n;
        if (before != EVERYTHING) {
            if (s->base + i >= before)
                return FP_EMPTY;
            most = before - (s->base + i) < most ? before - (s->base + i) : most;
        }
        FP_STEP();
        uint64_t end = copy_items(s, i, items + *n, most);
        if (end == i) {
            uint64_t found = fp_u64_load_seq_cst(&s->slot[i]);
            return is_marker(found) ? shut(found) : FP_EMPTY;
        }
        FP_STEP();
        /* The linearization point; the winner owns the items. Slots are used once, so what was
         * read before still stands. Seq_cst: the waiting producers' pairing. */
        uint64_t expected = i;
        if (fp_u64_cas_seq_cst(&s->deq, &expected, end)) {
            *n += (size_t)(end - i);
            return FP_OK;
        }
    }
}

static inline enum fp_status get(struct fp_segq *q, uint64_t *items, size_t max, size_t *n) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    *n = 0;
    if (FP_UNLIKELY(pin == NULL))
        return FP_NO_MEMORY;
    enum fp_status r;
    do /* one segment at a time */
        r = get_pinned(q, pin, EVERYTHING, items, max, n);
    while (r == FP_OK && *n < max);
    fp_epoch_unpin(pin);
    if (FP_UNLIKELY(*n == 0))
        return r;
    fp_event_notify(&q->not_full);
    return FP_OK;
}

enum fp_status fp_segq_get_many(struct fp_segq *q, uint64_t *items, size_t max, size_t *n) {
    *n = 0;
    return max == 0 ? FP_OK : get(q, items, max, n);
}

enum fp_status fp_segq_get(struct fp_segq *q, uint64_t *item) {
    size_t n;
    return get(q, item, 1, &n);
}

void fp__segq_notify_everybody(struct fp_segq *q) {
    fp_event_notify_all(&q->not_empty);
    fp_event_notify_all(&q->not_full);
}

enum fp_status fp__segq_mark(struct fp_segq *q, uint64_t marker) {
    size_t done = 0;
    return put_pinned(q, true, &marker, 1, &done);
}

enum fp_status fp_segq_close(struct fp_segq *q) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin == NULL)
        return FP_NO_MEMORY;
    enum fp_status r = fp__segq_mark(q, FP_SEGQ_CLOSED);
    fp_epoch_unpin(pin);
    if (r == FP_MOVED)
        return r;
    fp__segq_notify_everybody(q);
    return FP_OK; /* closed now, or it was */
}

void fp_segq_set_limit(struct fp_segq *q, uint64_t limit) {
    fp_u64_store_seq_cst(&q->limit, limit); /* the waiters' pairing, as for a get */
    fp_event_notify_all(&q->not_full);
}

uint64_t fp_segq_limit(struct fp_segq *q) { return fp_u64_load_relaxed(&q->limit); }

/* The first vacant position, and whether a marker of a closed queue stands there. Pinned callers
 * only. */
static uint64_t tail_position(struct fp_segq *q, bool *closed) {
    struct segment *s = fp_ptr_load_seq_cst(&q->tail);
    for (;;) {
        uint64_t i = fp_u64_load_acquire(&s->enq), found = FP_SEGQ_VACANT;
        while (i < s->size && (found = fp_u64_load_seq_cst(&s->slot[i])) > FP_SEGQ_MOVED_CLOSED)
            i++;
        struct segment *next = i < s->size ? NULL : fp_ptr_load_seq_cst(&s->next);
        if (!links(next)) {
            uint64_t marker = i < s->size ? found : (uintptr_t)next;
            *closed = marker == FP_SEGQ_CLOSED || marker == FP_SEGQ_MOVED_CLOSED;
            return s->base + i;
        }
        s = next;
    }
}

size_t fp_segq_trim(struct fp_segq *q, uint64_t *items, size_t max) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin == NULL)
        return 0;
    bool closed;
    uint64_t limit = fp_u64_load_relaxed(&q->limit), tail = tail_position(q, &closed);
    size_t n = 0;
    /* The tail only grows, so what stands before tail - limit is too much, now and later. */
    while (tail > limit && n < max && get_pinned(q, pin, tail - limit, items, max, &n) == FP_OK)
        ;
    fp_epoch_unpin(pin);
    return n;
}

bool fp_segq_is_closed(struct fp_segq *q) {
    bool closed = false;
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin != NULL) {
        tail_position(q, &closed);
        fp_epoch_unpin(pin);
    }
    return closed;
}

void fp_segq_count(struct fp_segq *q, uint64_t *puts, uint64_t *gets) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    *puts = *gets = 0;
    if (pin == NULL)
        return;
    bool closed;
    uint64_t head = head_position(q), before;
    int attempts = 16;
    /* An unmoved head means that both were true at the moment the tail was read. */
    do {
        before = head;
        *puts = tail_position(q, &closed);
        head = head_position(q);
    } while (head != before && --attempts > 0);
    if (head > *puts)
        head = *puts;
    *gets = head;
    fp_epoch_unpin(pin);
}

int fp_segq_visit(struct fp_segq *q, int (*fn)(uint64_t item, void *arg), void *arg) {
    struct segment *s = fp_ptr_load_acquire(&q->head);
    if (fp_u64_load_acquire(&s->deq) & FORGOTTEN)
        return 0;
    while (links(s)) {
        for (uint64_t i = taken_of(fp_u64_load_acquire(&s->deq)); i < s->size; i++) {
            uint64_t found = fp_u64_load_acquire(&s->slot[i]);
            if (found <= FP_SEGQ_MOVED_CLOSED)
                return 0;
            int answer = fn(found, arg);
            if (answer != 0)
                return answer;
        }
        s = fp_ptr_load_acquire(&s->next);
    }
    return 0;
}

size_t fp_segq_memory(struct fp_segq *q) {
    size_t sum = 0;
    struct fp_epoch_record *pin = fp_epoch_pin();
    if (pin == NULL)
        return 0;
    struct segment *s = fp_ptr_load_seq_cst(&q->head);
    while (links(s)) {
        sum += s->retired.bytes;
        s = fp_ptr_load_seq_cst(&s->next);
    }
    fp_epoch_unpin(pin);
    return sum;
}

/* The table for hosts (fp_queue.h). ------------------------------------------------------------ */

FP_QUEUE_WRAPPERS(segq, segq, FP_QUEUE_SELF)

static enum fp_status op_discard(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_segq_get_many(q, items, max, done);
}
static enum fp_status op_close(void *q, bool immediate) {
    (void)immediate; /* the host discards */
    return fp_segq_close(q);
}
static uint64_t op_limit(void *q) { return fp_segq_limit(q); }
static size_t op_memory(void *q) { return sizeof(struct fp_segq) + fp_segq_memory(q); }
static struct fp_event *op_not_empty(void *q) { return &((struct fp_segq *)q)->not_empty; }
static struct fp_event *op_not_full(void *q) { return &((struct fp_segq *)q)->not_full; }
static void op_abandon(void *q, bool alone) { (void)q, (void)alone; }
static void op_destroy(void *q) {
    fp_segq_destroy(q);
    fp_mem_free(q, sizeof(struct fp_segq));
}

static void op_set_limit(void *q, uint64_t limit) { fp_segq_set_limit(q, limit); }
static enum fp_status op_move(void *q) { return fp_segq_move(q); }
static enum fp_status op_end_move(void *q, bool keep) { return fp_segq_end_move(q, keep); }

const struct fp_queue_ops fp_segq_ops = {FP_QUEUE_TABLE, .set_limit = op_set_limit, .move = op_move,
                                         .end_move = op_end_move};

void *fp_segq_create(uint64_t limit) {
    struct fp_segq *q = fp_mem_alloc(sizeof *q);
    if (q != NULL && fp_segq_init(q, limit) != FP_OK) {
        fp_mem_free(q, sizeof *q);
        q = NULL;
    }
    return q;
}
