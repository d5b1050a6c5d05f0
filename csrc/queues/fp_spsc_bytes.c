/* fp_spsc_bytes.c - see fp_spsc_bytes.h for the idea and the contract.
 *
 * FP_STEP() stands behind every store to the shared memory: a test build kills the process there.
 */
#include "queues/fp_spsc_bytes.h"

#define POSITION (((uint64_t)1 << 36) - 1)
#define RECORD ((uint64_t)1 << 36)
#define RECORDS (((uint64_t)1 << 27) - 1)

/* Units from position `from` to position `to`. */
static inline uint64_t distance(uint64_t to, uint64_t from) { return (to - from) & POSITION; }

static inline uint64_t records(uint64_t to, uint64_t from) {
    return ((to & ~FP_SPSC_BYTES_CLOSED) / RECORD - (from & ~FP_SPSC_BYTES_CLOSED) / RECORD) &
           RECORDS;
}

/* A word `units` and one record further. */
static inline uint64_t advance(uint64_t word, uint64_t units) {
    uint64_t position = (word + units) & POSITION;
    uint64_t count = (word / RECORD + 1) & RECORDS;
    return count * RECORD | position;
}

/* Units that a record takes, its header included. */
static inline uint64_t units_of(uint64_t size) {
    return 1 + (size + FP_SPSC_BYTES_UNIT - 1) / FP_SPSC_BYTES_UNIT;
}

static inline uint64_t place(const struct fp_spsc_bytes *at, uint64_t word) {
    return word & (at->units - 1);
}

/* Units that a record of so many at `word` leaves out, since it does not fit before the end. */
static inline uint64_t units_before(const struct fp_spsc_bytes *at, uint64_t word,
                                    uint64_t needed) {
    uint64_t to_end = at->units - place(at, word);
    return needed > to_end ? to_end : 0;
}

/* Can the ring be in the state that these two words tell? */
static inline bool is_possible(const struct fp_spsc_bytes *at, uint64_t tail, uint64_t head) {
    uint64_t used = distance(tail, head);
    return used <= at->units && records(tail, head) <= used &&
           (records(tail, head) != 0) == (used != 0) && !(head & FP_SPSC_BYTES_CLOSED);
}

bool fp_spsc_bytes_check(const struct fp_spsc_bytes *at) {
    return at->units >= FP_SPSC_BYTES_LEAST_UNITS && at->units <= FP_SPSC_BYTES_MOST_UNITS &&
           (at->units & (at->units - 1)) == 0 && at->most <= fp_spsc_bytes_most(at->units);
}

/* The writer
 * ---------------------------------------------------------------------------------------------- */

enum fp_status fp_spsc_bytes_writer_open(struct fp_spsc_bytes_writer *w,
                                         const struct fp_spsc_bytes *at) {
    uint64_t tail = fp_sync_u64_load_seq_cst(at->tail);
    w->at = *at;
    w->put = w->published = tail & ~FP_SPSC_BYTES_CLOSED;
    /* Acquire half: pairs with fp_spsc_bytes_release. */
    w->head_seen = fp_sync_u64_load_seq_cst(at->head);
    w->skip = 0;
    return is_possible(at, tail, w->head_seen) ? FP_OK : FP_DAMAGED;
}

/* Looks at the reader's line only if there seems to be no room. */
static enum fp_status make_room(struct fp_spsc_bytes_writer *w, uint64_t needed) {
    if (FP_LIKELY(w->at.units - distance(w->put, w->head_seen) >= needed))
        return FP_OK;
    /* Acquire half: pairs with fp_spsc_bytes_release; the records were read. Seq_cst: a writer
     * about to sleep loads it after announcing itself. */
    uint64_t head = fp_sync_u64_load_seq_cst(w->at.head);
    if (FP_UNLIKELY(!is_possible(&w->at, w->published, head)))
        return FP_DAMAGED;
    w->head_seen = head;
    return w->at.units - distance(w->put, head) >= needed ? FP_OK : FP_FULL;
}

enum fp_status fp_spsc_bytes_reserve(struct fp_spsc_bytes_writer *w, uint64_t size, void **where) {
    if (FP_UNLIKELY(size > w->at.most))
        return FP_TOO_LARGE;
    uint64_t start = place(&w->at, w->put), needed = units_of(size);
    uint64_t skip = units_before(&w->at, w->put, needed);
    enum fp_status s = make_room(w, skip + needed);
    if (s != FP_OK)
        return s;
    w->skip = skip;
    *where = (void *)(w->at.data + (skip ? 0 : start) + 1);
    return FP_OK;
}

void fp_spsc_bytes_stage(struct fp_spsc_bytes_writer *w, uint64_t size) {
    uint64_t start = place(&w->at, w->put);
    if (w->skip != 0) {
        fp_sync_u64_store_relaxed(w->at.data + start, FP_SPSC_BYTES_SKIP);
        FP_STEP();
        start = 0;
    }
    fp_sync_u64_store_relaxed(w->at.data + start, size);
    FP_STEP();
    w->put = advance(w->put, w->skip + units_of(size));
    w->skip = 0;
}

enum fp_status fp_spsc_bytes_publish(struct fp_spsc_bytes_writer *w) {
    uint64_t found = w->published;
    /* Release half: publishes bytes and headers, pairs with fp_spsc_bytes_peek. Seq_cst: the
     * readers' pairing (fp_spsc_bytes.h). */
    if (FP_UNLIKELY(!fp_sync_u64_cas_seq_cst(w->at.tail, &found, w->put))) {
        w->put = w->published;
        return found == (w->published | FP_SPSC_BYTES_CLOSED) ? FP_CLOSED : FP_DAMAGED;
    }
    FP_STEP();
    w->published = w->put;
    return FP_OK;
}

/* The reader
 * ---------------------------------------------------------------------------------------------- */

enum fp_status fp_spsc_bytes_reader_open(struct fp_spsc_bytes_reader *r,
                                         const struct fp_spsc_bytes *at) {
    r->at = *at;
    r->get = r->next = r->tail_seen = fp_sync_u64_load_relaxed(at->head);
    return r->get & FP_SPSC_BYTES_CLOSED ? FP_DAMAGED : FP_OK;
}

enum fp_status fp_spsc_bytes_reader_again(struct fp_spsc_bytes_reader *r) {
    /* Relaxed: the caller has ordered the last owner's release before this. If nobody has read in
     * between, the tail that was seen still stands. */
    if (FP_LIKELY(fp_sync_u64_load_relaxed(r->at.head) == r->get))
        return FP_OK;
    const struct fp_spsc_bytes at = r->at;
    return fp_spsc_bytes_reader_open(r, &at);
}

/* Looks at the writer's line. FP_OK: tail_seen is ahead of `get`. */
static enum fp_status look(struct fp_spsc_bytes_reader *r) {
    /* Acquire half: pairs with fp_spsc_bytes_publish. Seq_cst: a reader about to sleep loads it
     * after announcing itself. */
    uint64_t tail = fp_sync_u64_load_seq_cst(r->at.tail);
    if (FP_UNLIKELY(!is_possible(&r->at, tail, r->get)))
        return FP_DAMAGED;
    r->tail_seen = tail & ~FP_SPSC_BYTES_CLOSED;
    if (distance(tail, r->get) != 0)
        return FP_OK;
    return tail & FP_SPSC_BYTES_CLOSED ? FP_CLOSED : FP_EMPTY;
}

enum fp_status fp_spsc_bytes_peek(struct fp_spsc_bytes_reader *r, const void **where,
                                  uint64_t *size) {
    if (distance(r->tail_seen, r->get) == 0) {
        enum fp_status s = look(r);
        if (s != FP_OK)
            return s;
    }
    uint64_t there = distance(r->tail_seen, r->get), start = place(&r->at, r->get);
    uint64_t to_end = r->at.units - start, skip = 0;
    /* Loaded once: a header that changes afterwards changes nothing here. */
    uint64_t header = fp_sync_u64_load_relaxed(r->at.data + start);
    if (header == FP_SPSC_BYTES_SKIP) {
        if (FP_UNLIKELY(to_end >= there))
            return FP_DAMAGED;
        skip = to_end;
        to_end = r->at.units;
        start = 0;
        header = fp_sync_u64_load_relaxed(r->at.data);
    }
    if (FP_UNLIKELY(header > r->at.most || units_of(header) > to_end ||
                    units_of(header) > there - skip))
        return FP_DAMAGED;
    *where = (const void *)(r->at.data + start + 1);
    *size = header;
    r->next = advance(r->get, skip + units_of(header));
    return FP_OK;
}

void fp_spsc_bytes_release(struct fp_spsc_bytes_reader *r) {
    /* Release half: the records were read, pairs with make_room. Seq_cst: the writer's pairing. */
    fp_sync_u64_store_seq_cst(r->at.head, r->get);
    FP_STEP();
}

/* Anyone
 * ---------------------------------------------------------------------------------------------- */

void fp_spsc_bytes_close(const struct fp_spsc_bytes *at) {
    fp_sync_u64_fetch_or_seq_cst(at->tail, FP_SPSC_BYTES_CLOSED);
    FP_STEP();
}

bool fp_spsc_bytes_is_closed(const struct fp_spsc_bytes *at) {
    return (fp_sync_u64_load_seq_cst(at->tail) & FP_SPSC_BYTES_CLOSED) != 0;
}

uint64_t fp_spsc_bytes_records(const struct fp_spsc_bytes *at) {
    /* The head first: it does not pass a tail that is loaded later. */
    uint64_t head = fp_sync_u64_load_seq_cst(at->head);
    uint64_t count = records(fp_sync_u64_load_seq_cst(at->tail), head);
    return count < at->units ? count : at->units;
}

bool fp_spsc_bytes_is_empty(const struct fp_spsc_bytes *at) {
    uint64_t head = fp_sync_u64_load_seq_cst(at->head);
    return distance(fp_sync_u64_load_seq_cst(at->tail), head) == 0;
}

bool fp_spsc_bytes_has_before(const struct fp_spsc_bytes *at, uint64_t tail) {
    /* The head first, as above. What was written since lies between the two tails; positions that
     * have come round since then are of an emptied lane, or of one that will be. */
    uint64_t head = fp_sync_u64_load_seq_cst(at->head), left = distance(tail, head);
    return left != 0 && left <= distance(fp_sync_u64_load_seq_cst(at->tail), head);
}

bool fp_spsc_bytes_has_room(const struct fp_spsc_bytes *at, uint64_t size) {
    uint64_t head = fp_sync_u64_load_seq_cst(at->head);
    uint64_t tail = fp_sync_u64_load_seq_cst(at->tail);
    uint64_t used = distance(tail, head);
    return used <= at->units &&
           units_before(at, tail, units_of(size)) + units_of(size) <= at->units - used;
}
