/* calls.h - calls of the C API after each of which a signal handler may run, and raise.
 *
 * For words.py and bytes.py. A taken word, and whether it was taken, stand in memory of the caller.
 * A record is taken only if no signal handler has taken it meanwhile. */
#ifndef FASTPRIMS_RAWCALLS_H
#define FASTPRIMS_RAWCALLS_H

#include "capi/fastprims.h"

/* cffi reads from here on. */

struct word_box {
    uint64_t word;
    int taken;
};

struct record_box {
    const void *where;
    size_t size;
    uint64_t ticket;
    int taken;
};

static enum fastprims_status take_word(fastprims_ring *, struct word_box *, int64_t timeout_ns);
static enum fastprims_status look_at_record(fastprims_bytes *, struct record_box *,
                                            int64_t timeout_ns);
static void take_record(fastprims_bytes *, struct record_box *);

/* cffi reads up to here. */

static enum fastprims_status take_word(fastprims_ring *ring, struct word_box *box,
                                       int64_t timeout_ns) {
    enum fastprims_status status = fastprims_ring_get(ring, &box->word, timeout_ns);
    box->taken = status == FASTPRIMS_OK;
    return status;
}

static enum fastprims_status look_at_record(fastprims_bytes *ring, struct record_box *box,
                                            int64_t timeout_ns) {
    enum fastprims_status status = fastprims_bytes_peek(ring, &box->where, &box->size, timeout_ns);
    uint64_t puts;
    fastprims_bytes_count(ring, &puts, &box->ticket);
    return status;
}

static void take_record(fastprims_bytes *ring, struct record_box *box) {
    uint64_t puts, gets;
    fastprims_bytes_count(ring, &puts, &gets);
    box->taken = gets == box->ticket;
    if (box->taken)
        fastprims_bytes_take(ring);
}

#endif
