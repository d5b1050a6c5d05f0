/* fastprims.h - rings of 64-bit words and of byte records between threads, for C and C++ programs,
 * ctypes and cffi.
 *
 * Stable: within one FASTPRIMS_API_VERSION functions are added, never changed. This header includes
 * only standard ones. It is installed with the Python package, with a static library beside it:
 *
 *     cc program.c -I "$(python3 -c 'import fastprims; print(fastprims.get_include())')" \
 *                  "$(python3 -c 'import fastprims; print(fastprims.get_library())')" -pthread
 *
 * A ring made in Python (fastprims.raw) and one made here are the same thing: pass the address. The
 * copy of fastprims that made a ring serves it, whichever copy's function is called. So a program
 * may be linked with this library and use rings that the interpreter's copy made.
 *
 * FASTPRIMS_SPSC  one producer thread and one consumer thread. Wait-free. The first thread that
 *                 puts (gets) owns the role until it gives it back; calls of another thread answer
 *                 FASTPRIMS_NOT_OWNER and have no effect.
 * FASTPRIMS_MPMC  any number of both. Lock-free with a 16-byte compare-and-swap (x86-64, ARM64);
 *                 elsewhere a thread suspended inside a call stops the threads that reach its slot.
 *
 * Both are FIFO, hold exactly `capacity` words, and allocate nothing after they were made. Every
 * put and get of MPMC is linearizable. Those of SPSC take effect in their thread's order, at the
 * latest when other threads see a plain store made at that moment. So a put followed by a load of
 * something else needs a fence between the two where their order matters. What happened before a
 * put happens before the end of the get that takes its word. O(1) per word.
 *
 * Time-outs are nanoseconds: 0 does not wait, FASTPRIMS_FOREVER waits without a deadline. A waiting
 * thread watches for some microseconds, then sleeps in the kernel; a signal does not end the wait
 * (its handler runs). After fork the child can go on using a ring if no thread of the parent was
 * inside a call of it.
 *
 * Any thread may call any function at any time, on a ring to which it has a reference. */
#ifndef FASTPRIMS_H
#define FASTPRIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FASTPRIMS_API_VERSION 1

#define FASTPRIMS_FOREVER (-1) /* as a time-out */

#if !defined(FASTPRIMS_EXPORT)
#if defined(__GNUC__) || defined(__clang__)
#define FASTPRIMS_EXPORT __attribute__((visibility("default")))
#else
#define FASTPRIMS_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi reads from here on. */

enum fastprims_status {
    FASTPRIMS_OK = 0,
    FASTPRIMS_FULL = 1,      /* no room, or none in time */
    FASTPRIMS_EMPTY = 2,     /* no word, or none in time */
    FASTPRIMS_CLOSED = 3,    /* closed; for a get: and drained */
    FASTPRIMS_NOT_OWNER = 4, /* the role belongs to another thread */
    FASTPRIMS_TOO_LARGE = 10, /* the record can never fit, or does not fit into the buffer */
    FASTPRIMS_DAMAGED = 11    /* a thread wrote beyond its reservation */
};

enum fastprims_kind { FASTPRIMS_SPSC = 1, FASTPRIMS_MPMC = 2 };

typedef struct fastprims_ring fastprims_ring;

/* capacity: words, 1 or more. The caller has the only reference. NULL: capacity 0 or no memory. */
FASTPRIMS_EXPORT fastprims_ring *fastprims_ring_new(enum fastprims_kind kind, uint64_t capacity);

/* Adds a reference. Any thread gives a reference back with fastprims_ring_release; giving the last
 * one back frees the ring, and the words that are left in it are lost. NULL is allowed. */
FASTPRIMS_EXPORT fastprims_ring *fastprims_ring_retain(fastprims_ring *ring);
FASTPRIMS_EXPORT void fastprims_ring_release(fastprims_ring *ring);

/* FASTPRIMS_OK, FULL, CLOSED or NOT_OWNER; unless OK, nothing was stored. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_put(fastprims_ring *ring, uint64_t word,
                                                          int64_t timeout_ns);

/* FASTPRIMS_OK, EMPTY, CLOSED or NOT_OWNER; unless OK, nothing was taken and *word is as it was. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_get(fastprims_ring *ring, uint64_t *word,
                                                          int64_t timeout_ns);

/* Stores the words one after the other, and waits for room while there is time. *done: how many
 * were stored. OK: all were. Any other answer says why it ended; *done may then be anything up to
 * count - 1. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_put_many(fastprims_ring *ring,
                                                               const uint64_t *words, size_t count,
                                                               size_t *done, int64_t timeout_ns);

/* Waits for the first word, then takes the words that are there, `max` at most; *done: how many.
 * OK: at least one, or max was 0. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_get_many(fastprims_ring *ring,
                                                               uint64_t *words, size_t max,
                                                               size_t *done, int64_t timeout_ns);

/* From now on puts answer CLOSED, and gets do so once the ring is drained; all waiting threads wake
 * up. A put that runs at the same time either comes before, or answers CLOSED. `drop`: the words
 * that are left are not delivered any more. */
FASTPRIMS_EXPORT void fastprims_ring_close(fastprims_ring *ring, bool drop);
FASTPRIMS_EXPORT bool fastprims_ring_is_closed(fastprims_ring *ring);

/* Words ever put and ever taken. Both belong to one moment during the call, unless gets kept coming
 * in between. */
FASTPRIMS_EXPORT void fastprims_ring_count(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);
FASTPRIMS_EXPORT uint64_t fastprims_ring_capacity(fastprims_ring *ring);
FASTPRIMS_EXPORT enum fastprims_kind fastprims_ring_kind(fastprims_ring *ring);

/* How often puts and how often gets had to wait. */
FASTPRIMS_EXPORT void fastprims_ring_waits(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);

/* Give a role of an SPSC ring back: the next thread that puts (gets) owns it, and sees what the
 * caller did. OK, also if no thread had it, and for a ring without roles. NOT_OWNER: another thread
 * has it. `force` takes it from a thread that has ended or will not use the ring again. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_release_producer(fastprims_ring *ring,
                                                                       bool force);
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_release_consumer(fastprims_ring *ring,
                                                                       bool force);

/* Is MPMC lock-free in the copy of fastprims that is called? */
FASTPRIMS_EXPORT bool fastprims_is_lock_free(void);

/* FASTPRIMS_API_VERSION of that copy. */
FASTPRIMS_EXPORT int fastprims_api_version(void);

/* Byte records, from one producer thread to one consumer thread; roles, time-outs, references and
 * closing as above. Records are written and read in place, in a piece of memory of `room` bytes. A
 * record takes its size, rounded up to a multiple of 8, and 8 bytes more, and has to lie in one
 * piece. O(bytes). */
typedef struct fastprims_bytes fastprims_bytes;

/* room: up to 2^29 bytes, rounded up to a power of two, at least 32. most: bytes of the largest
 * record, room / 2 - 8 at most; 0 means that maximum. NULL: impossible sizes, or out of memory. */
FASTPRIMS_EXPORT fastprims_bytes *fastprims_bytes_new(uint64_t room, uint64_t most);
FASTPRIMS_EXPORT fastprims_bytes *fastprims_bytes_retain(fastprims_bytes *ring);
FASTPRIMS_EXPORT void fastprims_bytes_release(fastprims_bytes *ring);

/* Copies a record in. OK, FULL, CLOSED, NOT_OWNER, TOO_LARGE. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_put(fastprims_bytes *ring, const void *data,
                                                           size_t size, int64_t timeout_ns);

/* The same in place: the producer reserves room for `size` bytes, aligned to 8, fills it, and
 * commits the first `size` of them (no more than it reserved). A second reservation replaces the
 * first. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_reserve(fastprims_bytes *ring, size_t size,
                                                               void **where, int64_t timeout_ns);
/* Only after a reserve that answered OK. OK; CLOSED: not stored. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_commit(fastprims_bytes *ring, size_t size);

/* Copies the next record out, into a buffer of `room` bytes; *size: its bytes. OK, EMPTY, CLOSED,
 * NOT_OWNER. TOO_LARGE: it has *size bytes, more than `room`, and stays in the ring. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_get(fastprims_bytes *ring, void *buffer,
                                                           size_t room, size_t *size,
                                                           int64_t timeout_ns);

/* The same in place: the record stays, and the consumer may read it, until it is taken. */
FASTPRIMS_EXPORT enum fastprims_status
fastprims_bytes_peek(fastprims_bytes *ring, const void **where, size_t *size, int64_t timeout_ns);
/* Only after a peek that answered OK. */
FASTPRIMS_EXPORT void fastprims_bytes_take(fastprims_bytes *ring);

FASTPRIMS_EXPORT void fastprims_bytes_close(fastprims_bytes *ring, bool drop);
FASTPRIMS_EXPORT bool fastprims_bytes_is_closed(fastprims_bytes *ring);
FASTPRIMS_EXPORT void fastprims_bytes_count(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets);
FASTPRIMS_EXPORT void fastprims_bytes_waits(fastprims_bytes *ring, uint64_t *puts, uint64_t *gets);
FASTPRIMS_EXPORT uint64_t fastprims_bytes_room(fastprims_bytes *ring);
FASTPRIMS_EXPORT uint64_t fastprims_bytes_most(fastprims_bytes *ring);
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_release_producer(fastprims_bytes *ring,
                                                                        bool force);
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_release_consumer(fastprims_bytes *ring,
                                                                        bool force);

/* cffi reads up to here. */

#ifdef __cplusplus
}
#endif

#endif
