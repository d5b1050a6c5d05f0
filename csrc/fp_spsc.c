/* fp_spsc.c - see fp_spsc.h for the idea and the contract. */
#include "fp_spsc.h"

#include "fp_mem.h"
#include "fp_queue.h"
#include "fp_thread.h"

enum fp_status fp_spsc_init(struct fp_spsc *r, uint64_t capacity) {
    if (capacity > (SIZE_MAX >> 1) / sizeof *r->slot)
        return FP_NO_MEMORY;
    r->slot = fp_mem_alloc((size_t)capacity * sizeof *r->slot);
    if (r->slot == NULL)
        return FP_NO_MEMORY;
    r->capacity = capacity;
    r->put_count = r->put_index = r->head_seen = 0;
    r->get_index = r->tail_seen = 0;
    fp_u64_store_relaxed(&r->tail, 0);
    fp_u64_store_relaxed(&r->head, 0);
    fp_u64_store_relaxed(&r->producer, 0);
    fp_u64_store_relaxed(&r->consumer, 0);
    fp_u64_store_relaxed(&r->discarding, 0);
    fp_event_init(&r->not_empty);
    fp_event_init(&r->not_full);
    return FP_OK;
}

void fp_spsc_destroy(struct fp_spsc *r) {
    fp_mem_free(r->slot, (size_t)r->capacity * sizeof *r->slot);
    r->slot = NULL;
}

/* Acquire half of the claim: pairs with release(), so that the fields of the role are those that
 * its last owner left. */
static FP_NOINLINE bool claim(fp_u64 *role, uint64_t me) {
    uint64_t owner = fp_u64_load_relaxed(role);
    if (owner != 0 && !fp_thread_lost_by_fork(owner))
        return false;
    return fp_u64_cas_seq_cst(role, &owner, me);
}

/* What the owner keeps for itself follows from the two shared words. It is derived anew with each
 * claim: a fork may have left a lost owner's copies half-way through an operation. */
static inline bool owns_producer(struct fp_spsc *r, uint64_t me) {
    if (FP_LIKELY(fp_u64_load_relaxed(&r->producer) == me))
        return true;
    if (!claim(&r->producer, me))
        return false;
    r->put_count = fp_u64_load_seq_cst(&r->tail) & ~FP_SPSC_CLOSED;
    r->put_index = r->put_count % r->capacity;
    r->head_seen = fp_u64_load_seq_cst(&r->head);
    return true;
}

static inline bool owns_consumer(struct fp_spsc *r, uint64_t me) {
    if (FP_LIKELY(fp_u64_load_relaxed(&r->consumer) == me))
        return true;
    if (!claim(&r->consumer, me))
        return false;
    r->get_index = fp_u64_load_seq_cst(&r->head) % r->capacity;
    r->tail_seen = fp_u64_load_seq_cst(&r->tail) & ~FP_SPSC_CLOSED;
    return true;
}

static enum fp_status release(fp_u64 *role, uint64_t me, bool force) {
    uint64_t owner = fp_u64_load_relaxed(role);
    do {
        if (owner == 0)
            return FP_OK; /* not ours to touch: somebody may be claiming it */
        if (owner != me && !force && !fp_thread_lost_by_fork(owner))
            return FP_NOT_OWNER;
    } while (!fp_u64_cas_seq_cst(role, &owner, 0)); /* release half: pairs with claim() */
    return FP_OK;
}

enum fp_status fp_spsc_release_producer(struct fp_spsc *r, uint64_t me, bool force) {
    return release(&r->producer, me, force);
}

enum fp_status fp_spsc_release_consumer(struct fp_spsc *r, uint64_t me, bool force) {
    return release(&r->consumer, me, force);
}

/* Slots the producer may fill. Looks at the consumer's line only if there seem to be none. */
static inline uint64_t room(struct fp_spsc *r) {
    uint64_t used = r->put_count - r->head_seen;
    if (FP_UNLIKELY(used == r->capacity)) {
        /* Acquire half: pairs with publish_head; the slots were read. Seq_cst: a producer about
         * to sleep loads it after announcing itself. */
        r->head_seen = fp_u64_load_seq_cst(&r->head);
        used = r->put_count - r->head_seen;
    }
    return r->capacity - used;
}

/* False: closed; nothing was published. */
static inline bool publish_tail(struct fp_spsc *r, uint64_t count) {
    uint64_t expected = r->put_count;
    /* Release half: publishes the slots, pairs with items(). Seq_cst: the waiters' pairing. */
    if (FP_UNLIKELY(!fp_u64_cas_seq_cst(&r->tail, &expected, r->put_count + count)))
        return false;
    r->put_count += count;
    fp_event_notify(&r->not_empty);
    return true;
}

static inline uint64_t step(const struct fp_spsc *r, uint64_t index) {
    return index + 1 == r->capacity ? 0 : index + 1;
}

enum fp_status fp_spsc_put(struct fp_spsc *r, uint64_t me, uint64_t item) {
    if (!owns_producer(r, me))
        return FP_NOT_OWNER;
    if (FP_UNLIKELY(room(r) == 0))
        return fp_spsc_is_closed(r) ? FP_CLOSED : FP_FULL;
    r->slot[r->put_index] = item;
    FP_STEP();
    uint64_t next = step(r, r->put_index);
    if (!publish_tail(r, 1))
        return FP_CLOSED;
    r->put_index = next;
    return FP_OK;
}

enum fp_status fp_spsc_put_many(struct fp_spsc *r, uint64_t me, const uint64_t *items, size_t count,
                                size_t *n) {
    *n = 0;
    if (!owns_producer(r, me))
        return FP_NOT_OWNER;
    if (count == 0)
        return FP_OK;
    uint64_t free_slots = room(r);
    if (free_slots < count) { /* the copy of head may be old, though not so old as to say none */
        r->head_seen = fp_u64_load_seq_cst(&r->head);
        free_slots = room(r);
    }
    if (free_slots == 0)
        return fp_spsc_is_closed(r) ? FP_CLOSED : FP_FULL;
    size_t fit = free_slots < count ? (size_t)free_slots : count;
    uint64_t index = r->put_index;
    for (size_t i = 0; i < fit; i++, index = step(r, index))
        r->slot[index] = items[i];
    FP_STEP();
    if (!publish_tail(r, fit))
        return FP_CLOSED;
    r->put_index = index;
    *n = fit;
    return fit == count ? FP_OK : FP_FULL;
}

/* Items the consumer may take. Looks at the producer's line only if there seem to be none. */
static inline uint64_t items(struct fp_spsc *r, bool *closed) {
    uint64_t taken = fp_u64_load_relaxed(&r->head); /* own */
    if (r->tail_seen == taken) {
        /* Acquire half: pairs with publish_tail. Seq_cst: as in room(), for the consumer. */
        uint64_t tail = fp_u64_load_seq_cst(&r->tail);
        r->tail_seen = tail & ~FP_SPSC_CLOSED;
        *closed = (tail & FP_SPSC_CLOSED) != 0;
    }
    return r->tail_seen - taken;
}

static inline void publish_head(struct fp_spsc *r, uint64_t count) {
    /* Release half: the slots were read, pairs with room(). Seq_cst: the waiters' pairing. */
    fp_u64_store_seq_cst(&r->head, fp_u64_load_relaxed(&r->head) + count);
    fp_event_notify(&r->not_full);
}

/* Closing with discarding takes effect for both sides in one step, that of the closing bit. Who has
 * met the bit sees `discarding` too, which was stored before it. */
static inline bool discards(struct fp_spsc *r) {
    return FP_UNLIKELY(fp_u64_load_relaxed(&r->discarding)) && fp_spsc_is_closed(r);
}

/* A role that had to be claimed first may have been a discarder's in between. */
static FP_NOINLINE enum fp_status enter_anew(struct fp_spsc *r, uint64_t me) {
    bool claimed = owns_consumer(r, me);
    FP_STEP();
    if (!discards(r))
        return claimed ? FP_OK : FP_NOT_OWNER;
    if (claimed)
        fp_spsc_release_consumer(r, me, false);
    return FP_CLOSED;
}

/* FP_OK: the caller may get. */
static inline enum fp_status enter(struct fp_spsc *r, uint64_t me) {
    if (discards(r))
        return FP_CLOSED;
    FP_STEP();
    return FP_LIKELY(fp_u64_load_relaxed(&r->consumer) == me) ? FP_OK : enter_anew(r, me);
}

enum fp_status fp_spsc_get(struct fp_spsc *r, uint64_t me, uint64_t *item) {
    bool closed = false;
    enum fp_status s = enter(r, me);
    if (FP_UNLIKELY(s != FP_OK))
        return s;
    if (FP_UNLIKELY(items(r, &closed) == 0))
        return closed ? FP_CLOSED : FP_EMPTY;
    *item = r->slot[r->get_index];
    r->get_index = step(r, r->get_index);
    FP_STEP();
    publish_head(r, 1);
    return FP_OK;
}

/* By who has the consumer's role. */
static enum fp_status take_many(struct fp_spsc *r, uint64_t *out, size_t max, size_t *n) {
    bool closed = false;
    *n = 0;
    if (max == 0)
        return FP_OK;
    uint64_t ready = items(r, &closed);
    if (ready < max) { /* the copy of tail may be old */
        uint64_t tail = fp_u64_load_seq_cst(&r->tail);
        r->tail_seen = tail & ~FP_SPSC_CLOSED;
        ready = r->tail_seen - fp_u64_load_relaxed(&r->head);
    }
    if (ready == 0)
        return closed ? FP_CLOSED : FP_EMPTY;
    *n = ready < max ? (size_t)ready : max;
    for (size_t i = 0; i < *n; i++, r->get_index = step(r, r->get_index))
        out[i] = r->slot[r->get_index];
    FP_STEP();
    publish_head(r, *n);
    return FP_OK;
}

enum fp_status fp_spsc_get_many(struct fp_spsc *r, uint64_t me, uint64_t *out, size_t max,
                                size_t *n) {
    *n = 0;
    enum fp_status s = enter(r, me);
    return s == FP_OK ? take_many(r, out, max, n) : s;
}

enum fp_status fp_spsc_discard(struct fp_spsc *r, uint64_t me, uint64_t *out, size_t max,
                               size_t *n) {
    *n = 0;
    if (!fp_u64_load_seq_cst(&r->discarding))
        return FP_EMPTY;
    bool had = fp_u64_load_relaxed(&r->consumer) == me;
    if (!owns_consumer(r, me))
        return FP_NOT_OWNER;
    enum fp_status s = take_many(r, out, max, n);
    if (!had)
        fp_spsc_release_consumer(r, me, false); /* the role was free, and stays so */
    return s;
}

void fp_spsc_abandon(struct fp_spsc *r) {
    fp_u64_store_seq_cst(&r->discarding, 1);
    fp_spsc_release_consumer(r, 0, true);
}

void fp_spsc_close(struct fp_spsc *r, bool discard) {
    if (discard)
        fp_u64_store_seq_cst(&r->discarding, 1); /* before the bit: see discards() */
    fp_u64_fetch_or_seq_cst(&r->tail, FP_SPSC_CLOSED);
    fp_event_notify_all(&r->not_empty);
    fp_event_notify_all(&r->not_full);
}

bool fp_spsc_is_closed(struct fp_spsc *r) {
    return (fp_u64_load_seq_cst(&r->tail) & FP_SPSC_CLOSED) != 0;
}

void fp_spsc_count(struct fp_spsc *r, uint64_t *puts, uint64_t *gets) {
    uint64_t head = fp_u64_load_seq_cst(&r->head);
    int attempts = 16;
    /* An unmoved head means that both were true at the moment the tail was read. */
    do {
        *gets = head;
        *puts = fp_u64_load_seq_cst(&r->tail) & ~FP_SPSC_CLOSED;
        head = fp_u64_load_seq_cst(&r->head);
    } while (head != *gets && --attempts > 0);
    if (*puts - *gets > r->capacity)
        *gets = *puts - r->capacity;
}

int fp_spsc_visit(struct fp_spsc *r, int (*fn)(uint64_t item, void *arg), void *arg) {
    uint64_t tail = fp_u64_load_acquire(&r->tail) & ~FP_SPSC_CLOSED;
    uint64_t index = fp_u64_load_acquire(&r->head) % r->capacity;
    for (uint64_t h = fp_u64_load_acquire(&r->head); h != tail; h++, index = step(r, index)) {
        int answer = fn(r->slot[index], arg);
        if (answer != 0)
            return answer;
    }
    return 0;
}

size_t fp_spsc_bytes(struct fp_spsc *r) { return (size_t)r->capacity * sizeof *r->slot; }

/* The face for hosts (fp_queue.h). ------------------------------------------------------------ */

static enum fp_status op_put(void *q, uint64_t item) {
    return fp_spsc_put(q, fp_thread_serial(), item);
}
static enum fp_status op_get(void *q, uint64_t *item) {
    return fp_spsc_get(q, fp_thread_serial(), item);
}
static enum fp_status op_put_many(void *q, const uint64_t *items, size_t count, size_t *done) {
    return fp_spsc_put_many(q, fp_thread_serial(), items, count, done);
}
static enum fp_status op_get_many(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_spsc_get_many(q, fp_thread_serial(), items, max, done);
}
static enum fp_status op_discard(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_spsc_discard(q, fp_thread_serial(), items, max, done);
}
static enum fp_status op_close(void *q, bool immediate) {
    fp_spsc_close(q, immediate);
    return FP_OK;
}
static bool op_is_closed(void *q) { return fp_spsc_is_closed(q); }
static uint64_t op_limit(void *q) { return ((struct fp_spsc *)q)->capacity; }
static void op_count(void *q, uint64_t *puts, uint64_t *gets) { fp_spsc_count(q, puts, gets); }
static int op_visit(void *q, int (*fn)(uint64_t, void *), void *arg) {
    return fp_spsc_visit(q, fn, arg);
}
static size_t op_bytes(void *q) { return sizeof(struct fp_spsc) + fp_spsc_bytes(q); }
static struct fp_event *op_not_empty(void *q) { return &((struct fp_spsc *)q)->not_empty; }
static struct fp_event *op_not_full(void *q) { return &((struct fp_spsc *)q)->not_full; }
static void op_abandon(void *q) { fp_spsc_abandon(q); }
static void op_destroy(void *q) {
    fp_spsc_destroy(q);
    fp_mem_free(q, sizeof(struct fp_spsc));
}

const struct fp_queue_ops fp_spsc_ops = {
    op_put,       op_get,     op_put_many, op_get_many, op_discard, op_close,
    op_is_closed, op_limit,   op_count,    op_visit,    op_bytes,   op_not_empty,
    op_not_full,  op_abandon, op_destroy,  fp_wait,     false,
};

void *fp_spsc_create(uint64_t capacity) {
    struct fp_spsc *q = fp_mem_alloc(sizeof *q);
    if (q != NULL && fp_spsc_init(q, capacity) != FP_OK) {
        fp_mem_free(q, sizeof *q);
        q = NULL;
    }
    return q;
}
