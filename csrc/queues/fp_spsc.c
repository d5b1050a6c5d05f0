/* fp_spsc.c - see fp_spsc.h for the idea and the contract. */
#include "queues/fp_spsc.h"

#include "base/fp_fence.h"
#include "base/fp_mem.h"
#include "base/fp_thread.h"
#include "queues/fp_queue_ops.h"

enum fp_status fp_spsc_init(struct fp_spsc *r, uint64_t capacity) {
    if (capacity > (SIZE_MAX >> 1) / sizeof *r->slot)
        return FP_NO_MEMORY;
    r->slot = fp_mem_alloc((size_t)capacity * sizeof *r->slot);
    if (r->slot == NULL)
        return FP_NO_MEMORY;
    r->capacity = capacity;
    for (r->lap = 1; r->lap < capacity;)
        r->lap *= 2;
    r->light = fp_fence_prepare();
    r->head_seen = r->tail_seen = 0;
    fp_u64_store_relaxed(&r->tail, 0);
    fp_u64_store_relaxed(&r->head, 0);
    fp_u64_store_relaxed(&r->producer, 0);
    fp_u64_store_relaxed(&r->consumer, 0);
    fp_u64_store_relaxed(&r->discarding, 0);
    fp_u64_store_relaxed(&r->abandoned, 0);
    fp_u64_store_relaxed(&r->end, 0);
    fp_event_init_light(&r->not_empty, r->light);
    fp_event_init_light(&r->not_full, r->light);
    return FP_OK;
}

void fp_spsc_destroy(struct fp_spsc *r) {
    fp_mem_free(r->slot, (size_t)r->capacity * sizeof *r->slot);
    r->slot = NULL;
}

/* Positions. ----------------------------------------------------------------------------------- */

static inline uint64_t index_of(const struct fp_spsc *r, uint64_t position) {
    return position & (r->lap - 1);
}

/* `count` items on, a lap at most. */
static inline uint64_t after(const struct fp_spsc *r, uint64_t position, uint64_t count) {
    const bool next_lap = index_of(r, position) + count >= r->capacity;
    return position + count + (next_lap ? r->lap - r->capacity : 0);
}

static inline uint64_t next_of(const struct fp_spsc *r, uint64_t position) {
    return after(r, position, 1);
}

/* Items between two positions, a lap apart at most. */
static inline uint64_t between(const struct fp_spsc *r, uint64_t head, uint64_t tail) {
    return (head ^ tail) < r->lap ? tail - head : tail - head - (r->lap - r->capacity);
}

/* Items before a position, ever. */
static uint64_t count_of(const struct fp_spsc *r, uint64_t position) {
    return position / r->lap * r->capacity + index_of(r, position);
}

/* Lines of slots take longer from one processor to the other than the calls that go through them.
 * So each side asks for a line in advance, as far as it knows that the other one has done with it:
 * a line taken from who still works on it costs both. */
#define AHEAD ((uint64_t)32)
#define MARGIN ((uint64_t)8)

static inline const void *ahead(const struct fp_spsc *r, uint64_t position) {
    return (const void *)((uintptr_t)r->slot + sizeof *r->slot * index_of(r, position + AHEAD));
}

static inline void fetch_to_write(const struct fp_spsc *r, uint64_t tail) {
    if (!FP_PLAIN && r->lap - (tail - r->head_seen) > AHEAD + MARGIN)
        FP_FETCH_TO_WRITE(ahead(r, tail));
}

static inline void fetch_to_read(const struct fp_spsc *r, uint64_t head) {
    if (!FP_PLAIN && r->tail_seen - head > AHEAD + MARGIN)
        FP_FETCH_TO_READ(ahead(r, head));
}

/* The end. ------------------------------------------------------------------------------------- */

/* Once a closing has begun: finishes it, unless somebody has. The position at which the ring ends.
 */
static FP_NOINLINE uint64_t final_tail(struct fp_spsc *r) {
    uint64_t end = fp_u64_load_seq_cst(&r->end);
    if (end == FP_SPSC_CLOSING) {
        FP_STEP();
        if (r->light)
            fp_fence_heavy(); /* of those who found 0 */
        /* Acquire half: pairs with publish_tail; who meets the end has not loaded tail himself. */
        uint64_t last = fp_u64_load_seq_cst(&r->tail) | FP_SPSC_CLOSED;
        FP_STEP();
        if (fp_u64_cas_seq_cst(&r->end, &end, last)) /* release half: pairs with the load above */
            end = last;
    }
    return end & ~FP_SPSC_CLOSED;
}

/* Where the items end, or ended at some moment. */
static inline uint64_t tail_of(struct fp_spsc *r, bool *closed) {
    /* Acquire half: pairs with publish_tail. Seq_cst: a consumer about to sleep loads it after
     * announcing itself. */
    uint64_t tail = fp_u64_load_seq_cst(&r->tail);
    FP_STEP();
    /* After tail (its acquire half), before which whoever stores CLOSING has his fence. */
    if (FP_LIKELY(fp_u64_load_seq_cst(&r->end) == 0))
        return tail;
    *closed = true;
    return final_tail(r);
}

/* Roles. --------------------------------------------------------------------------------------- */

/* Acquire half of the claim: pairs with release(), so that the fields of the role are those that
 * its last owner left. */
static FP_NOINLINE bool claim(fp_u64 *role, uint64_t me) {
    uint64_t owner = fp_u64_load_relaxed(role);
    if (owner != 0 && !fp_thread_lost_by_fork(owner))
        return false;
    return fp_u64_cas_seq_cst(role, &owner, me);
}

/* What the owner keeps for itself follows from the shared words. It is derived anew with each
 * claim: a fork may have left a lost owner's copies half-way through an operation. */
static inline bool owns_producer(struct fp_spsc *r, uint64_t me) {
    if (FP_LIKELY(fp_u64_load_relaxed(&r->producer) == me))
        return true;
    if (!claim(&r->producer, me))
        return false;
    r->head_seen = fp_u64_load_seq_cst(&r->head);
    return true;
}

static inline bool owns_consumer(struct fp_spsc *r, uint64_t me) {
    if (FP_LIKELY(fp_u64_load_relaxed(&r->consumer) == me))
        return true;
    if (!claim(&r->consumer, me))
        return false;
    r->tail_seen = fp_u64_load_seq_cst(&r->head);
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

/* Putting. ------------------------------------------------------------------------------------- */

static inline void look_at_head(struct fp_spsc *r) {
    /* Acquire half: pairs with publish_head; the slots were read. Seq_cst: a producer about to
     * sleep loads it after announcing itself. */
    r->head_seen = fp_u64_load_seq_cst(&r->head);
}

/* Is there no room behind this tail? */
static bool is_full(struct fp_spsc *r, uint64_t tail) {
    look_at_head(r);
    if (tail - r->head_seen == r->lap && r->light) {
        /* The consumer may have found the ring empty, since the tail is still on its way to him. It
         * is full once he can see that it is. */
        fp_fence_seq_cst();
        look_at_head(r);
    }
    return tail - r->head_seen == r->lap;
}

/* With a tail behind those items. */
static FP_NOINLINE enum fp_status meet_end(struct fp_spsc *r, uint64_t tail) {
    if (final_tail(r) < tail)
        return FP_CLOSED; /* they are in nobody's ring */
    fp_event_notify_light(&r->not_empty, r->light);
    return FP_OK;
}

/* FP_OK or FP_CLOSED. */
static inline enum fp_status publish_tail(struct fp_spsc *r, uint64_t tail) {
    const bool light = r->light;
    /* Release half: publishes the slots, pairs with tail_of() and final_tail(). Light: the pairing
     * with those who close and wait, and their fences. */
    fp_u64_store_light(&r->tail, tail, light);
    FP_STEP();
    if (FP_UNLIKELY(fp_u64_load_light(&r->end, light) != 0))
        return meet_end(r, tail);
    fp_event_notify_light(&r->not_empty, light);
    return FP_OK;
}

/* With room for the item. */
static inline enum fp_status put_at(struct fp_spsc *r, uint64_t tail, uint64_t item) {
    fetch_to_write(r, tail);
    r->slot[index_of(r, tail)] = item;
    FP_STEP();
    return publish_tail(r, next_of(r, tail));
}

/* The rare ways of fp_spsc_put, which for their sake need not save a register. */
static FP_NOINLINE enum fp_status put_anew(struct fp_spsc *r, uint64_t me, uint64_t item) {
    if (!owns_producer(r, me))
        return FP_NOT_OWNER;
    uint64_t tail = fp_u64_load_relaxed(&r->tail); /* own */
    if (tail - r->head_seen == r->lap && is_full(r, tail))
        return fp_spsc_is_closed(r) ? FP_CLOSED : FP_FULL;
    return put_at(r, tail, item);
}

enum fp_status fp_spsc_put(struct fp_spsc *r, uint64_t me, uint64_t item) {
    uint64_t tail = fp_u64_load_relaxed(&r->tail); /* own, if it is */
    if (FP_UNLIKELY(fp_u64_load_relaxed(&r->producer) != me || tail - r->head_seen == r->lap))
        return put_anew(r, me, item);
    return put_at(r, tail, item);
}

enum fp_status fp_spsc_put_many(struct fp_spsc *r, uint64_t me, const uint64_t *items, size_t count,
                                size_t *n) {
    *n = 0;
    if (!owns_producer(r, me))
        return FP_NOT_OWNER;
    if (count == 0)
        return FP_OK;
    uint64_t tail = fp_u64_load_relaxed(&r->tail); /* own */
    if (r->capacity - between(r, r->head_seen, tail) < count && is_full(r, tail))
        return fp_spsc_is_closed(r) ? FP_CLOSED : FP_FULL;
    uint64_t room = r->capacity - between(r, r->head_seen, tail);
    size_t fit = room < count ? (size_t)room : count;
    uint64_t at = index_of(r, tail);
    for (size_t i = 0; i < fit; i++) {
        r->slot[at] = items[i];
        at = at + 1 == r->capacity ? 0 : at + 1;
    }
    FP_STEP();
    if (FP_UNLIKELY(publish_tail(r, after(r, tail, fit)) != FP_OK))
        return FP_CLOSED;
    *n = fit;
    return fit == count ? FP_OK : FP_FULL;
}

/* Getting. ------------------------------------------------------------------------------------- */

static inline void publish_head(struct fp_spsc *r, uint64_t head) {
    const bool light = r->light;
    /* Release half: the slots were read, pairs with look_at_head. Light: the waiters' pairing. */
    fp_u64_store_light(&r->head, head, light);
    FP_STEP();
    fp_event_notify_light(&r->not_full, light);
}

/* Closing with discarding takes effect for both sides in one step, that of deciding the end. Who
 * has met the end sees `discarding` too, which was stored before it. */
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

/* Is there nothing behind this head? Closed: nor will there be. */
static bool is_empty(struct fp_spsc *r, uint64_t head, bool *closed) {
    r->tail_seen = tail_of(r, closed);
    if (r->tail_seen == head && r->light) {
        fp_fence_seq_cst(); /* as in is_full() */
        r->tail_seen = tail_of(r, closed);
    }
    return r->tail_seen == head;
}

static inline enum fp_status get_at(struct fp_spsc *r, uint64_t head, uint64_t *item) {
    fetch_to_read(r, head);
    *item = r->slot[index_of(r, head)];
    FP_STEP();
    publish_head(r, next_of(r, head));
    return FP_OK;
}

/* The rare ways of fp_spsc_get. */
static FP_NOINLINE enum fp_status get_anew(struct fp_spsc *r, uint64_t me, uint64_t *item) {
    bool closed = false;
    enum fp_status s = enter(r, me);
    if (s != FP_OK)
        return s;
    uint64_t head = fp_u64_load_relaxed(&r->head); /* own */
    if (r->tail_seen == head && is_empty(r, head, &closed))
        return closed ? FP_CLOSED : FP_EMPTY;
    return get_at(r, head, item);
}

enum fp_status fp_spsc_get(struct fp_spsc *r, uint64_t me, uint64_t *item) {
    uint64_t head = fp_u64_load_relaxed(&r->head); /* own, if it is */
    if (FP_UNLIKELY(fp_u64_load_relaxed(&r->discarding) != 0 ||
                    fp_u64_load_relaxed(&r->consumer) != me || r->tail_seen == head))
        return get_anew(r, me, item);
    return get_at(r, head, item);
}

/* By who has the consumer's role. */
static enum fp_status take_many(struct fp_spsc *r, uint64_t *out, size_t max, size_t *n) {
    bool closed = false;
    *n = 0;
    if (max == 0)
        return FP_OK;
    uint64_t head = fp_u64_load_relaxed(&r->head); /* own */
    if (between(r, head, r->tail_seen) < max && is_empty(r, head, &closed))
        return closed ? FP_CLOSED : FP_EMPTY;
    uint64_t ready = between(r, head, r->tail_seen);
    *n = ready < max ? (size_t)ready : max;
    uint64_t at = index_of(r, head);
    for (size_t i = 0; i < *n; i++) {
        out[i] = r->slot[at];
        at = at + 1 == r->capacity ? 0 : at + 1;
    }
    FP_STEP();
    publish_head(r, after(r, head, *n));
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

void fp_spsc_abandon(struct fp_spsc *r, bool alone) {
    bool again = fp_u64_exchange_seq_cst(&r->abandoned, 1) != 0;
    fp_spsc_close(r, true);
    if (alone || again || FP_PLAIN)
        fp_spsc_release_consumer(r, 0, true);
}

void fp_spsc_close(struct fp_spsc *r, bool discard) {
    uint64_t open = 0;
    if (discard)
        fp_u64_store_seq_cst(&r->discarding, 1); /* before the end: see discards() */
    fp_u64_cas_seq_cst(&r->end, &open, FP_SPSC_CLOSING);
    final_tail(r);
    fp_event_notify_all(&r->not_empty);
    fp_event_notify_all(&r->not_full);
}

bool fp_spsc_is_closed(struct fp_spsc *r) {
    uint64_t end = fp_u64_load_seq_cst(&r->end);
    return end != 0 && end != FP_SPSC_CLOSING;
}

void fp_spsc_count(struct fp_spsc *r, uint64_t *puts, uint64_t *gets) {
    if (r->light)
        fp_fence_seq_cst(); /* who counts what he did sees what the others see */
    uint64_t head = fp_u64_load_seq_cst(&r->head), tail, before;
    int attempts = 16;
    bool closed;
    /* An unmoved head means that both were true at the moment the tail was read. */
    do {
        before = head;
        tail = tail_of(r, &closed);
        head = fp_u64_load_seq_cst(&r->head);
    } while (head != before && --attempts > 0);
    *puts = count_of(r, tail);
    *gets = count_of(r, before);
    if (*puts - *gets > r->capacity)
        *gets = *puts - r->capacity;
}

int fp_spsc_visit(struct fp_spsc *r, int (*fn)(uint64_t item, void *arg), void *arg) {
    bool closed;
    uint64_t tail = tail_of(r, &closed);
    for (uint64_t h = fp_u64_load_acquire(&r->head); h != tail; h = next_of(r, h)) {
        int answer = fn(r->slot[index_of(r, h)], arg);
        if (answer != 0)
            return answer;
    }
    return 0;
}

size_t fp_spsc_memory(struct fp_spsc *r) { return (size_t)r->capacity * sizeof *r->slot; }

/* The table for hosts (fp_queue.h). ------------------------------------------------------------ */

#define SELF(q) q, fp_thread_serial()
FP_QUEUE_WRAPPERS(spsc, spsc, SELF)

static enum fp_status op_discard(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_spsc_discard(q, fp_thread_serial(), items, max, done);
}
static enum fp_status op_close(void *q, bool immediate) {
    fp_spsc_close(q, immediate);
    return FP_OK;
}
static uint64_t op_limit(void *q) { return ((struct fp_spsc *)q)->capacity; }
static size_t op_memory(void *q) { return sizeof(struct fp_spsc) + fp_spsc_memory(q); }
static struct fp_event *op_not_empty(void *q) { return &((struct fp_spsc *)q)->not_empty; }
static struct fp_event *op_not_full(void *q) { return &((struct fp_spsc *)q)->not_full; }
static void op_abandon(void *q, bool alone) { fp_spsc_abandon(q, alone); }
static void op_destroy(void *q) {
    fp_spsc_destroy(q);
    fp_mem_free(q, sizeof(struct fp_spsc));
}

const struct fp_queue_ops fp_spsc_ops = {FP_QUEUE_TABLE};

void *fp_spsc_create(uint64_t capacity) {
    struct fp_spsc *q = fp_mem_alloc(sizeof *q);
    if (q != NULL && fp_spsc_init(q, capacity) != FP_OK) {
        fp_mem_free(q, sizeof *q);
        q = NULL;
    }
    return q;
}
