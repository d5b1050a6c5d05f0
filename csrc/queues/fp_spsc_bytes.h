/* fp_spsc_bytes.h - FIFO ring of byte records from one writer to one reader, in memory that both
 * are given, which may be shared between processes.
 *
 * Nothing in that memory is a pointer, and nothing in it is trusted: each word that is read from it
 * is checked before it is used as a place or a length, so that damage, or a hostile neighbour,
 * makes FP_DAMAGED, never an access beyond the memory. (The contents of records are the neighbour's
 * anyway.) The geometry is the caller's, in private memory, and checked by fp_spsc_bytes_check.
 *
 * The ring is `units` times 8 bytes. A record is a header of one unit, which holds its length, and
 * its bytes, in one piece, so that they can be written and read in place. Where a record does not
 * fit before the end of the memory, a header FP_SPSC_BYTES_SKIP sends the reader to the start. A
 * record may take half of the ring at most: then it fits, wherever the last one ended, once the
 * ring is empty.
 *
 * Two shared words, each stored by one side:
 *
 *      bits 0-35   position  units written (read), modulo 2^36
 *      bits 36-62  records   records written (read), modulo 2^27
 *      bit  63     closed    (tail only) nothing will be published any more
 *
 * Both numbers move with one store, so whoever dies at any point leaves either a record that was
 * never published or one that was; there is no state in between, and nothing to be repaired by the
 * next owner of the side, who starts from the two words (fp_spsc_bytes_writer_open,
 * fp_spsc_bytes_reader_open). Differences are taken modulo the width; `units` <= 2^26 keeps them
 * unambiguous.
 *
 *   write  reserve -> fill -> stage ... publish: bytes and headers first, then the tail, by a
 *          compare-and-swap that fails if the lane was closed meanwhile. So closing is exact: a
 *          record either was published before and will be delivered, or publish says FP_CLOSED.
 *   read   peek -> copy -> take ... release: the room goes back with one store of the head. A
 * reader that dies before that has taken nothing.
 *
 * Publications are seq_cst because the other side may be about to sleep: it announces itself,
 * then looks at the lane; we change the lane, then look for announcements.
 *
 * Progress: wait-free. Contract: at most one writer and one reader at a time (who that is, the
 * caller decides, and orders one owner's work before the next one's); what is below "anyone", by
 * anyone.
 */
#ifndef FP_SPSC_BYTES_H
#define FP_SPSC_BYTES_H

#include "base/fp_atomic.h"

#define FP_SPSC_BYTES_UNIT ((uint64_t)8)
#define FP_SPSC_BYTES_MOST_UNITS ((uint64_t)1 << 26)
#define FP_SPSC_BYTES_LEAST_UNITS ((uint64_t)4)
#define FP_SPSC_BYTES_CLOSED ((uint64_t)1 << 63)
#define FP_SPSC_BYTES_SKIP UINT64_MAX

/* Where a lane is. The first three point into the shared memory; the words start as 0. */
struct fp_spsc_bytes {
    fp_sync_u64 *tail; /* published by the writer */
    fp_sync_u64 *head; /* given back by the reader */
    fp_sync_u64 *data; /* units * 8 bytes */
    uint64_t units;    /* a power of two */
    uint64_t most;     /* bytes of the largest record */
};

/* The two sides, in private memory. */
struct fp_spsc_bytes_writer {
    struct fp_spsc_bytes at;
    uint64_t put;       /* the tail as it will be, with what is staged */
    uint64_t published; /* the tail as it is */
    uint64_t head_seen; /* a value head had */
    uint64_t skip;      /* units to the end of the memory that the reservation leaves out */
};

struct fp_spsc_bytes_reader {
    struct fp_spsc_bytes at;
    uint64_t get;       /* the head as it will be, with what is taken */
    uint64_t tail_seen; /* a value tail had */
    uint64_t next;      /* `get` behind the record that was peeked at */
};

/* Bytes of the largest record that a ring of so many units can have. */
static inline uint64_t fp_spsc_bytes_most(uint64_t units) {
    return (units / 2 - 1) * FP_SPSC_BYTES_UNIT;
}

/* Is the geometry possible? The caller answers for the pointers, which have to be aligned. */
bool fp_spsc_bytes_check(const struct fp_spsc_bytes *at);

/* Takes the writer's side over, from nobody or from a dead owner. FP_OK or FP_DAMAGED. */
enum fp_status fp_spsc_bytes_writer_open(struct fp_spsc_bytes_writer *w,
                                         const struct fp_spsc_bytes *at);

/* Room for a record of `size` bytes, to be filled at `*where`. It replaces an earlier reservation
 * that was not staged. FP_OK, FP_FULL, FP_TOO_LARGE (never fits), FP_DAMAGED. */
enum fp_status fp_spsc_bytes_reserve(struct fp_spsc_bytes_writer *w, uint64_t size, void **where);

/* Makes a record of the first `size` bytes reserved. Not seen by the reader before publish. */
void fp_spsc_bytes_stage(struct fp_spsc_bytes_writer *w, uint64_t size);

/* Publishes what was staged. FP_OK; FP_CLOSED or FP_DAMAGED: nothing of it was, and it is gone. */
enum fp_status fp_spsc_bytes_publish(struct fp_spsc_bytes_writer *w);

/* Forgets what was staged and not published. */
static inline void fp_spsc_bytes_withdraw(struct fp_spsc_bytes_writer *w) { w->put = w->published; }

/* Takes the reader's side over: from nobody, from a dead owner, or again after somebody else had
 * it (`again`: the reader was opened before, and what it saw is still of use). FP_OK, FP_DAMAGED.
 */
enum fp_status fp_spsc_bytes_reader_open(struct fp_spsc_bytes_reader *r,
                                         const struct fp_spsc_bytes *at);
enum fp_status fp_spsc_bytes_reader_again(struct fp_spsc_bytes_reader *r);

/* The next record that was not taken; it stays. FP_OK, FP_EMPTY, FP_CLOSED (and empty),
 * FP_DAMAGED. */
enum fp_status fp_spsc_bytes_peek(struct fp_spsc_bytes_reader *r, const void **where,
                                  uint64_t *size);

/* Goes past the record that the last peek answered with FP_OK. It remains in place. */
static inline void fp_spsc_bytes_take(struct fp_spsc_bytes_reader *r) { r->get = r->next; }

/* Does this reader know of more records, without a look at the writer's line? */
static inline bool fp_spsc_bytes_knows_more(const struct fp_spsc_bytes_reader *r) {
    return r->tail_seen != r->get;
}

/* Gives back the room of all records taken: from now on they are gone. */
void fp_spsc_bytes_release(struct fp_spsc_bytes_reader *r);

/* Anyone.
 * ---------------------------------------------------------------------------------------------- */

/* Nothing is published any more; what was can still be read. Any number of times. */
void fp_spsc_bytes_close(const struct fp_spsc_bytes *at);
bool fp_spsc_bytes_is_closed(const struct fp_spsc_bytes *at);

/* Records published and not given back, at some moment during the call; at most `units`. */
uint64_t fp_spsc_bytes_records(const struct fp_spsc_bytes *at);

/* Is there anything to read? Seq_cst: the reader's half of the pairing described above. */
bool fp_spsc_bytes_is_empty(const struct fp_spsc_bytes *at);

/* Is a record still there that was published before the tail was `tail`? (If not in 2^36 units
 * since, in case of doubt yes.) */
bool fp_spsc_bytes_has_before(const struct fp_spsc_bytes *at, uint64_t tail);

/* Would a record of `size` bytes find room? Of what is reserved nothing is known. */
bool fp_spsc_bytes_has_room(const struct fp_spsc_bytes *at, uint64_t size);

#endif
