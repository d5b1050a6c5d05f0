/* fp_raw_bytes.c - rings of byte records: what fastprims.h promises, over a lane (fp_spsc_bytes.h)
 * in private memory, with the roles of fp_spsc.h and with waiting.
 *
 * As in fp_raw.c, a ring carries the calls of the copy that made it; the same rule for changes. */
#include "capi/fp_raw_internal.h"

#include <string.h>

#include "base/fp_mem.h"
#include "base/fp_thread.h"
#include "queues/fp_spsc_bytes.h"

typedef enum fastprims_status status;

struct calls {
    status (*put)(fastprims_bytes *ring, const void *data, size_t size, int64_t timeout);
    status (*reserve)(fastprims_bytes *ring, size_t size, void **where, int64_t timeout);
    status (*commit)(fastprims_bytes *ring, size_t size);
    status (*peek)(fastprims_bytes *ring, const void **where, size_t *size, int64_t timeout);
    void (*take)(fastprims_bytes *ring);
    void (*close)(fastprims_bytes *ring, bool drop);
    bool (*is_closed)(fastprims_bytes *ring);
    void (*count)(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets);
    void (*waits)(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets);
    uint64_t (*room)(fastprims_bytes *ring);
    uint64_t (*most)(fastprims_bytes *ring);
    status (*give_back)(fastprims_bytes *ring, bool producer, bool force);
    void (*retain)(fastprims_bytes *ring);
    void (*release)(fastprims_bytes *ring);
};

struct fastprims_bytes {
    const struct calls *calls; /* first, in all versions */
    const struct fp_host *host;
    struct fp_spsc_bytes lane;
    fp_sync_u64 references;
    fp_sync_u64 producer, consumer; /* serial numbers of the owners (fp_thread.h), 0: nobody */
    fp_sync_u64 dropping;           /* once closed: what is left is not to be delivered */
    struct fp_event not_empty, not_full;
    FP_LINE struct fp_spsc_bytes_writer writer; /* the producer's */
    FP_LINE fp_sync_u64 tail;
    FP_LINE struct fp_spsc_bytes_reader reader; /* the consumer's */
    FP_LINE fp_sync_u64 head;
    fp_sync_u64 gets; /* records taken */
};

/* Roles. --------------------------------------------------------------------------------------- */

/* Acquire half: pairs with give_back, so that the owner sees what the last one left. */
static FP_NOINLINE bool claim(fp_sync_u64 *role, uint64_t me) {
    uint64_t owner = fp_sync_u64_load_relaxed(role);
    if (owner != 0 && !fp_thread_lost_by_fork(owner))
        return false;
    return fp_sync_u64_cas_seq_cst(role, &owner, me);
}

/* FP_OK: the caller is the producer. A new owner starts from the two shared words, since a fork may
 * have left a lost owner's side half-way through an operation. */
static inline enum fp_status enter_producer(fastprims_bytes *ring) {
    uint64_t me = fp_thread_serial();
    if (FP_LIKELY(fp_sync_u64_load_relaxed(&ring->producer) == me))
        return FP_OK;
    return claim(&ring->producer, me) ? fp_spsc_bytes_writer_open(&ring->writer, &ring->lane)
                                      : FP_NOT_OWNER;
}

static inline enum fp_status enter_consumer(fastprims_bytes *ring) {
    uint64_t me = fp_thread_serial();
    if (FP_LIKELY(fp_sync_u64_load_relaxed(&ring->consumer) == me))
        return FP_OK;
    return claim(&ring->consumer, me) ? fp_spsc_bytes_reader_open(&ring->reader, &ring->lane)
                                      : FP_NOT_OWNER;
}

static status bytes_give_back(fastprims_bytes *ring, bool producer, bool force) {
    fp_sync_u64 *role = producer ? &ring->producer : &ring->consumer;
    uint64_t owner = fp_sync_u64_load_relaxed(role);
    do {
        if (owner == 0)
            return FASTPRIMS_OK;
        if (owner != fp_thread_serial() && !force && !fp_thread_lost_by_fork(owner))
            return FASTPRIMS_NOT_OWNER;
    } while (!fp_sync_u64_cas_seq_cst(role, &owner, 0)); /* release half: pairs with claim */
    return FASTPRIMS_OK;
}

/* Writing. ------------------------------------------------------------------------------------- */

struct writing {
    fastprims_bytes *ring;
    size_t size;
    void *where;
};

static enum fp_status run_reserve(void *arg) {
    struct writing *w = arg;
    enum fp_status s = enter_producer(w->ring);
    if (s == FP_OK)
        s = fp_spsc_bytes_reserve(&w->ring->writer, w->size, &w->where);
    /* A closed ring takes no more; who waits for room has to hear of it. */
    return s == FP_FULL && fp_spsc_bytes_is_closed(&w->ring->lane) ? FP_CLOSED : s;
}

/* Only one thread can write. */
static bool no_more_room(void *arg) { return (void)arg, false; }

static status bytes_reserve(fastprims_bytes *ring, size_t size, void **where, int64_t timeout) {
    struct writing w = {ring, size, NULL};
    enum fp_status s = run_reserve(&w);
    if (FP_UNLIKELY(s == FP_FULL && timeout != 0)) {
        const struct fp_attempt op = {run_reserve, no_more_room, &w};
        s = fp_wait(&ring->not_full, &op, fp__raw_deadline(timeout), ring->host);
        s = s == FP_TIMED_OUT ? FP_FULL : s;
    }
    if (s == FP_OK)
        *where = w.where;
    return fp__raw_answer(s);
}

static status bytes_commit(fastprims_bytes *ring, size_t size) {
    fp_spsc_bytes_stage(&ring->writer, size);
    enum fp_status s = fp_spsc_bytes_publish(&ring->writer);
    if (FP_LIKELY(s == FP_OK))
        fp_event_notify(&ring->not_empty);
    return fp__raw_answer(s);
}

static status bytes_put(fastprims_bytes *ring, const void *data, size_t size, int64_t timeout) {
    void *where;
    status s = bytes_reserve(ring, size, &where, timeout);
    if (FP_UNLIKELY(s != FASTPRIMS_OK))
        return s;
    if (size != 0)
        memcpy(where, data, size);
    return bytes_commit(ring, size);
}

/* Reading. ------------------------------------------------------------------------------------- */

/* Closing with dropping takes effect in one step, that of the closing bit. Who has met the bit sees
 * `dropping` too, which was stored before it. */
static inline bool drops(fastprims_bytes *ring) {
    return fp_sync_u64_load_relaxed(&ring->dropping) && fp_spsc_bytes_is_closed(&ring->lane);
}

struct reading {
    fastprims_bytes *ring;
    const void *where;
    uint64_t size;
};

static enum fp_status run_peek(void *arg) {
    struct reading *r = arg;
    if (FP_UNLIKELY(drops(r->ring)))
        return FP_CLOSED;
    enum fp_status s = enter_consumer(r->ring);
    return s == FP_OK ? fp_spsc_bytes_peek(&r->ring->reader, &r->where, &r->size) : s;
}

static bool more_to_read(void *arg) {
    return !fp_spsc_bytes_is_empty(&((struct reading *)arg)->ring->lane);
}

static status bytes_peek(fastprims_bytes *ring, const void **where, size_t *size, int64_t timeout) {
    struct reading r = {ring, NULL, 0};
    enum fp_status s = run_peek(&r);
    if (FP_UNLIKELY(s == FP_EMPTY && timeout != 0)) {
        const struct fp_attempt op = {run_peek, more_to_read, &r};
        s = fp_wait(&ring->not_empty, &op, fp__raw_deadline(timeout), ring->host);
        s = s == FP_TIMED_OUT ? FP_EMPTY : s;
    }
    if (s == FP_OK) {
        *where = r.where;
        *size = (size_t)r.size;
    }
    return fp__raw_answer(s);
}

static void bytes_take(fastprims_bytes *ring) {
    /* Only the consumer changes it. */
    fp_sync_u64_store_relaxed(&ring->gets, fp_sync_u64_load_relaxed(&ring->gets) + 1);
    fp_spsc_bytes_take(&ring->reader);
    fp_spsc_bytes_release(&ring->reader);
    fp_event_notify(&ring->not_full);
}

/* The rest. ------------------------------------------------------------------------------------ */

static void bytes_close(fastprims_bytes *ring, bool drop) {
    if (drop)
        fp_sync_u64_store_seq_cst(&ring->dropping, 1); /* before the bit: see drops() */
    fp_spsc_bytes_close(&ring->lane);
    fp_event_notify_all(&ring->not_empty);
    fp_event_notify_all(&ring->not_full);
}

static bool bytes_is_closed(fastprims_bytes *ring) { return fp_spsc_bytes_is_closed(&ring->lane); }

static void bytes_count(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets) {
    *gets = fp_sync_u64_load_relaxed(&ring->gets);
    *puts = *gets + fp_spsc_bytes_records(&ring->lane);
    if (drops(ring))
        *gets = *puts;
}

static void bytes_waits(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets) {
    *puts = fp_sync_u64_load_relaxed(&ring->not_full.waits);
    *gets = fp_sync_u64_load_relaxed(&ring->not_empty.waits);
}

static uint64_t bytes_room(fastprims_bytes *ring) { return ring->lane.units * FP_SPSC_BYTES_UNIT; }
static uint64_t bytes_most(fastprims_bytes *ring) { return ring->lane.most; }

static void bytes_retain(fastprims_bytes *ring) {
    fp_sync_u64_fetch_add_relaxed(&ring->references, 1); /* the caller's own keeps it alive */
}

static void bytes_release(fastprims_bytes *ring) {
    /* Release half: what this holder did; acquire half: pairs with those of all others. */
    if (fp_sync_u64_fetch_add_seq_cst(&ring->references, UINT64_MAX) != 1)
        return;
    fp_mem_free(ring->lane.data, (size_t)bytes_room(ring));
    fp_mem_free(ring, sizeof *ring);
}

static const struct calls own_calls = {
    bytes_put,   bytes_reserve,   bytes_commit, bytes_peek,    bytes_take,
    bytes_close, bytes_is_closed, bytes_count,  bytes_waits,   bytes_room,
    bytes_most,  bytes_give_back, bytes_retain, bytes_release,
};

/* The face. ------------------------------------------------------------------------------------ */

fastprims_bytes *fastprims_bytes_new(uint64_t room, uint64_t most) {
    uint64_t units = FP_SPSC_BYTES_LEAST_UNITS;
    while (units * FP_SPSC_BYTES_UNIT < room && units < FP_SPSC_BYTES_MOST_UNITS)
        units *= 2;
    if (units * FP_SPSC_BYTES_UNIT < room || most > fp_spsc_bytes_most(units))
        return NULL;
    fastprims_bytes *ring = fp_mem_alloc(sizeof *ring);
    if (ring == NULL)
        return NULL;
    fp_sync_u64 *data = fp_mem_alloc((size_t)(units * FP_SPSC_BYTES_UNIT));
    if (data == NULL) {
        fp_mem_free(ring, sizeof *ring);
        return NULL;
    }
    ring->calls = &own_calls;
    ring->host = fp__raw_host();
    fp_sync_u64_store_relaxed(&ring->references, 1);
    fp_event_init(&ring->not_empty);
    fp_event_init(&ring->not_full);
    ring->lane.tail = &ring->tail;
    ring->lane.head = &ring->head;
    ring->lane.data = data;
    ring->lane.units = units;
    ring->lane.most = most != 0 ? most : fp_spsc_bytes_most(units);
    return ring; /* the other fields start as zero */
}

fastprims_bytes *fastprims_bytes_retain(fastprims_bytes *ring) {
    if (ring != NULL)
        ring->calls->retain(ring);
    return ring;
}

void fastprims_bytes_release(fastprims_bytes *ring) {
    if (ring != NULL)
        ring->calls->release(ring);
}

status fastprims_bytes_put(fastprims_bytes *ring, const void *data, size_t size,
                           int64_t timeout_ns) {
    return ring->calls->put(ring, data, size, timeout_ns);
}

status fastprims_bytes_reserve(fastprims_bytes *ring, size_t size, void **where,
                               int64_t timeout_ns) {
    return ring->calls->reserve(ring, size, where, timeout_ns);
}

status fastprims_bytes_commit(fastprims_bytes *ring, size_t size) {
    return ring->calls->commit(ring, size);
}

status fastprims_bytes_get(fastprims_bytes *ring, void *buffer, size_t room, size_t *size,
                           int64_t timeout_ns) {
    const void *where;
    status s = ring->calls->peek(ring, &where, size, timeout_ns);
    if (s != FASTPRIMS_OK)
        return s;
    if (*size > room)
        return FASTPRIMS_TOO_LARGE;
    if (*size != 0)
        memcpy(buffer, where, *size);
    ring->calls->take(ring);
    return FASTPRIMS_OK;
}

status fastprims_bytes_peek(fastprims_bytes *ring, const void **where, size_t *size,
                            int64_t timeout_ns) {
    return ring->calls->peek(ring, where, size, timeout_ns);
}

void fastprims_bytes_take(fastprims_bytes *ring) { ring->calls->take(ring); }

void fastprims_bytes_close(fastprims_bytes *ring, bool drop) { ring->calls->close(ring, drop); }

bool fastprims_bytes_is_closed(fastprims_bytes *ring) { return ring->calls->is_closed(ring); }

void fastprims_bytes_count(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets) {
    ring->calls->count(ring, puts, gets);
}

void fastprims_bytes_waits(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets) {
    ring->calls->waits(ring, puts, gets);
}

uint64_t fastprims_bytes_room(fastprims_bytes *ring) { return ring->calls->room(ring); }

uint64_t fastprims_bytes_most(fastprims_bytes *ring) { return ring->calls->most(ring); }

status fastprims_bytes_release_producer(fastprims_bytes *ring, bool force) {
    return ring->calls->give_back(ring, true, force);
}

status fastprims_bytes_release_consumer(fastprims_bytes *ring, bool force) {
    return ring->calls->give_back(ring, false, force);
}
