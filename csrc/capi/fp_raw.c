/* fp_raw.c - the C face of the rings: what fastprims.h promises.
 *
 * Every public function goes through the table of calls that the ring carries, so several copies of
 * this file in one process (the Python module's, one in a program's own library) can pass rings to
 * each other: serial numbers of threads, kept memory and the state of sleeping are always those of
 * the copy that made the ring. The copies have to agree on `struct calls` and on where a ring has
 * its pointer to it: calls are only added, at the end, with a new FASTPRIMS_API_VERSION. */
#include "capi/fp_raw_internal.h"

#include "base/fp_mem.h"
#include "base/fp_thread.h"
#include "queues/fp_mpmc.h"
#include "queues/fp_queue.h"
#include "queues/fp_spsc.h"

typedef enum fastprims_status status;

struct calls {
    status (*put)(fastprims_ring *ring, uint64_t word, int64_t timeout);
    status (*get)(fastprims_ring *ring, uint64_t *word, int64_t timeout);
    status (*put_many)(fastprims_ring *ring, const uint64_t *words, size_t count, size_t *done,
                       int64_t timeout);
    status (*get_many)(fastprims_ring *ring, uint64_t *words, size_t max, size_t *done,
                       int64_t timeout);
    void (*close)(fastprims_ring *ring, bool discard);
    bool (*is_closed)(fastprims_ring *ring);
    void (*count)(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);
    uint64_t (*capacity)(fastprims_ring *ring);
    void (*waits)(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);
    status (*release_producer)(fastprims_ring *ring, bool force);
    status (*release_consumer)(fastprims_ring *ring, bool force);
    void (*retain)(fastprims_ring *ring);
    void (*release)(fastprims_ring *ring);
    enum fastprims_kind kind;
};

struct fastprims_ring {
    const struct calls *calls; /* first, in all versions */
    const struct fp_queue_ops *queue_calls;
    void *queue;
    const struct fp_host *host;
    fp_sync_u64 references;
};

/* Waiting. ------------------------------------------------------------------------------------- */

static void *nothing_before(void) { return NULL; }
static void nothing_after(void *state) { (void)state; }
static bool never(void) { return false; }

/* No host: threads of the operating system, and nothing to be interrupted by. */
static const struct fp_host watching = {
    .before_sleep = nothing_before,
    .after_sleep = nothing_after,
    .interrupted = never,
    .spin = 12,     /* polls, about two microseconds */
    .watch = 10000, /* about what going to sleep and being woken costs */
};
static const struct fp_host on_one_processor = {
    .before_sleep = nothing_before,
    .after_sleep = nothing_after,
    .interrupted = never,
    .watch = 10000,
};

const struct fp_host *fp__raw_host(void) {
    return fp_cpu_count() > 1 ? &watching : &on_one_processor;
}

int64_t fp__raw_deadline(int64_t timeout) {
    int64_t now = fp_now();
    return timeout < 0 || timeout > FP_FOREVER - now ? FP_FOREVER : now + timeout;
}

/* What waits for a ring, and the operations that fp_wait repeats: those that the call tried first.
 * A batch begins as one word does. */
struct single {
    fastprims_ring *ring;
    uint64_t word;
};

struct batch {
    fastprims_ring *ring;
    uint64_t *words;
    size_t size, done;
};

static enum fp_status run_put(void *arg) {
    struct single *one = arg;
    return one->ring->queue_calls->put(one->ring->queue, one->word);
}

static enum fp_status run_get(void *arg) {
    struct single *one = arg;
    return one->ring->queue_calls->get(one->ring->queue, &one->word);
}

static enum fp_status run_put_many(void *arg) {
    struct batch *b = arg;
    size_t done;
    enum fp_status s = b->ring->queue_calls->put_many(b->ring->queue, b->words + b->done,
                                                      b->size - b->done, &done);
    b->done += done;
    return s;
}

static enum fp_status run_get_many(void *arg) {
    struct batch *b = arg;
    enum fp_status s = b->ring->queue_calls->get_many(b->ring->queue, b->words, b->size, &b->done);
    return b->done == 0 ? s : FP_OK;
}

static bool has_words(void *arg) {
    fastprims_ring *ring = ((struct single *)arg)->ring;
    uint64_t puts, gets;
    ring->queue_calls->count(ring->queue, &puts, &gets);
    return puts != gets;
}

static bool has_room(void *arg) {
    fastprims_ring *ring = ((struct single *)arg)->ring;
    uint64_t puts, gets;
    ring->queue_calls->count(ring->queue, &puts, &gets);
    return puts - gets < ring->queue_calls->limit(ring->queue);
}

static status put_waiting(fastprims_ring *ring, enum fp_status (*run)(void *), void *arg,
                          int64_t timeout) {
    const struct fp_attempt op = {run, has_room, arg};
    enum fp_status s = fp_wait(ring->queue_calls->not_full(ring->queue), &op,
                               fp__raw_deadline(timeout), ring->host);
    return fp__raw_answer(s == FP_TIMED_OUT ? FP_FULL : s);
}

static status get_waiting(fastprims_ring *ring, enum fp_status (*run)(void *), void *arg,
                          int64_t timeout) {
    const struct fp_attempt op = {run, has_words, arg};
    enum fp_status s = fp_wait(ring->queue_calls->not_empty(ring->queue), &op,
                               fp__raw_deadline(timeout), ring->host);
    return fp__raw_answer(s == FP_TIMED_OUT ? FP_EMPTY : s);
}

/* What the tables are made of. ------------------------------------------------------------------
 */

static FP_NOINLINE status put_one_waiting(fastprims_ring *ring, uint64_t word, int64_t timeout) {
    struct single one = {ring, word};
    return put_waiting(ring, run_put, &one, timeout);
}

static FP_NOINLINE status get_one_waiting(fastprims_ring *ring, uint64_t *word, int64_t timeout) {
    struct single one = {ring, 0};
    status s = get_waiting(ring, run_get, &one, timeout);
    if (s == FASTPRIMS_OK)
        *word = one.word;
    return s;
}

static inline status finish_put(fastprims_ring *ring, enum fp_status s, uint64_t word,
                                int64_t timeout) {
    return FP_LIKELY(s != FP_FULL || timeout == 0) ? fp__raw_answer(s)
                                                   : put_one_waiting(ring, word, timeout);
}

static inline status finish_get(fastprims_ring *ring, enum fp_status s, uint64_t *word,
                                int64_t timeout) {
    return FP_LIKELY(s != FP_EMPTY || timeout == 0) ? fp__raw_answer(s)
                                                    : get_one_waiting(ring, word, timeout);
}

static status spsc_put(fastprims_ring *ring, uint64_t word, int64_t timeout) {
    return finish_put(ring, fp_spsc_put(ring->queue, fp_thread_serial(), word), word, timeout);
}

static status spsc_get(fastprims_ring *ring, uint64_t *word, int64_t timeout) {
    return finish_get(ring, fp_spsc_get(ring->queue, fp_thread_serial(), word), word, timeout);
}

static status mpmc_put(fastprims_ring *ring, uint64_t word, int64_t timeout) {
    return finish_put(ring, fp_mpmc_put(ring->queue, word), word, timeout);
}

static status mpmc_get(fastprims_ring *ring, uint64_t *word, int64_t timeout) {
    return finish_get(ring, fp_mpmc_get(ring->queue, word), word, timeout);
}

static status ring_put_many(fastprims_ring *ring, const uint64_t *words, size_t count, size_t *done,
                            int64_t timeout) {
    struct batch b = {ring, (uint64_t *)(uintptr_t)words, count, 0}; /* it only reads */
    status s = fp__raw_answer(count == 0 ? FP_OK : run_put_many(&b));
    if (s == FASTPRIMS_FULL && timeout != 0)
        s = put_waiting(ring, run_put_many, &b, timeout);
    *done = b.done;
    return s;
}

static status ring_get_many(fastprims_ring *ring, uint64_t *words, size_t max, size_t *done,
                            int64_t timeout) {
    struct batch b = {ring, words, max, 0};
    status s = fp__raw_answer(max == 0 ? FP_OK : run_get_many(&b));
    if (s == FASTPRIMS_EMPTY && timeout != 0)
        s = get_waiting(ring, run_get_many, &b, timeout);
    *done = b.done;
    return s;
}

static void discard(fastprims_ring *ring) {
    uint64_t words[64];
    size_t n = 1;
    while (n != 0)
        ring->queue_calls->discard(ring->queue, words, 64, &n);
}

static void ring_close(fastprims_ring *ring, bool drop) {
    ring->queue_calls->close(ring->queue, drop);
    if (drop)
        discard(ring);
}

static bool ring_is_closed(fastprims_ring *ring) {
    return ring->queue_calls->is_closed(ring->queue);
}

static void ring_count(fastprims_ring *ring, uint64_t *puts, uint64_t *gets) {
    ring->queue_calls->count(ring->queue, puts, gets);
}

static uint64_t ring_capacity(fastprims_ring *ring) {
    return ring->queue_calls->limit(ring->queue);
}

static void ring_waits(fastprims_ring *ring, uint64_t *puts, uint64_t *gets) {
    *puts = fp_sync_u64_load_relaxed(&ring->queue_calls->not_full(ring->queue)->waits);
    *gets = fp_sync_u64_load_relaxed(&ring->queue_calls->not_empty(ring->queue)->waits);
}

static status spsc_release_producer(fastprims_ring *ring, bool force) {
    return fp__raw_answer(fp_spsc_release_producer(ring->queue, fp_thread_serial(), force));
}

static status spsc_release_consumer(fastprims_ring *ring, bool force) {
    return fp__raw_answer(fp_spsc_release_consumer(ring->queue, fp_thread_serial(), force));
}

static status no_role(fastprims_ring *ring, bool force) {
    return (void)ring, (void)force, FASTPRIMS_OK;
}

static void ring_retain(fastprims_ring *ring) {
    fp_sync_u64_fetch_add_relaxed(&ring->references, 1); /* the caller's own keeps it alive */
}

static void ring_release(fastprims_ring *ring) {
    /* Release half: what this holder did; acquire half: pairs with those of all others, so that
     * the last one frees what nobody is using any more. */
    if (fp_sync_u64_fetch_add_seq_cst(&ring->references, UINT64_MAX) != 1)
        return;
    ring->queue_calls->destroy(ring->queue);
    fp_mem_free(ring, sizeof *ring);
}

static const struct calls spsc_calls = {
    spsc_put,
    spsc_get,
    ring_put_many,
    ring_get_many,
    ring_close,
    ring_is_closed,
    ring_count,
    ring_capacity,
    ring_waits,
    spsc_release_producer,
    spsc_release_consumer,
    ring_retain,
    ring_release,
    FASTPRIMS_SPSC,
};

static const struct calls mpmc_calls = {
    mpmc_put,       mpmc_get,    ring_put_many, ring_get_many,  ring_close,
    ring_is_closed, ring_count,  ring_capacity, ring_waits,     no_role,
    no_role,        ring_retain, ring_release,  FASTPRIMS_MPMC,
};

/* The face. ------------------------------------------------------------------------------------ */

fastprims_ring *fastprims_ring_new(enum fastprims_kind kind, uint64_t capacity) {
    if (capacity == 0 || (kind != FASTPRIMS_SPSC && kind != FASTPRIMS_MPMC))
        return NULL;
    fastprims_ring *ring = fp_mem_alloc(sizeof *ring);
    if (ring == NULL)
        return NULL;
    bool spsc = kind == FASTPRIMS_SPSC;
    ring->calls = spsc ? &spsc_calls : &mpmc_calls;
    ring->queue_calls = spsc ? &fp_spsc_ops : &fp_mpmc_ops;
    ring->host = fp__raw_host();
    fp_sync_u64_store_relaxed(&ring->references, 1);
    ring->queue = spsc ? fp_spsc_create(capacity) : fp_mpmc_create(capacity);
    if (ring->queue == NULL) {
        fp_mem_free(ring, sizeof *ring);
        return NULL;
    }
    return ring;
}

fastprims_ring *fastprims_ring_retain(fastprims_ring *ring) {
    if (ring != NULL)
        ring->calls->retain(ring);
    return ring;
}

void fastprims_ring_release(fastprims_ring *ring) {
    if (ring != NULL)
        ring->calls->release(ring);
}

status fastprims_ring_put(fastprims_ring *ring, uint64_t word, int64_t timeout_ns) {
    return ring->calls->put(ring, word, timeout_ns);
}

status fastprims_ring_get(fastprims_ring *ring, uint64_t *word, int64_t timeout_ns) {
    return ring->calls->get(ring, word, timeout_ns);
}

status fastprims_ring_put_many(fastprims_ring *ring, const uint64_t *words, size_t count,
                               size_t *done, int64_t timeout_ns) {
    return ring->calls->put_many(ring, words, count, done, timeout_ns);
}

status fastprims_ring_get_many(fastprims_ring *ring, uint64_t *words, size_t max, size_t *done,
                               int64_t timeout_ns) {
    return ring->calls->get_many(ring, words, max, done, timeout_ns);
}

void fastprims_ring_close(fastprims_ring *ring, bool drop) { ring->calls->close(ring, drop); }

bool fastprims_ring_is_closed(fastprims_ring *ring) { return ring->calls->is_closed(ring); }

void fastprims_ring_count(fastprims_ring *ring, uint64_t *puts, uint64_t *gets) {
    ring->calls->count(ring, puts, gets);
}

uint64_t fastprims_ring_capacity(fastprims_ring *ring) { return ring->calls->capacity(ring); }

enum fastprims_kind fastprims_ring_kind(fastprims_ring *ring) { return ring->calls->kind; }

void fastprims_ring_waits(fastprims_ring *ring, uint64_t *puts, uint64_t *gets) {
    ring->calls->waits(ring, puts, gets);
}

status fastprims_ring_release_producer(fastprims_ring *ring, bool force) {
    return ring->calls->release_producer(ring, force);
}

status fastprims_ring_release_consumer(fastprims_ring *ring, bool force) {
    return ring->calls->release_consumer(ring, force);
}

bool fastprims_is_lock_free(void) { return fp_mpmc_is_lock_free(); }

int fastprims_api_version(void) { return FASTPRIMS_API_VERSION; }
