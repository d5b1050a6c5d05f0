/* fastprims.h - rings of 64-bit words and of byte records between threads, for C and C++ programs,
 * ctypes and cffi.
 *
 * Stable: within one FASTPRIMS_API_VERSION functions are added, never changed. The header needs
 * nothing but the standard ones, and is installed with the Python package, a static library beside
 * it:
 *
 *     cc program.c -I "$(python3 -c 'import fastprims; print(fastprims.get_include())')" \
 *                  "$(python3 -c 'import fastprims; print(fastprims.get_library())')" -pthread
 *
 * A ring made in Python (fastprims.raw) and one made here are the same thing: pass the address. A
 * ring is served by the copy of fastprims that made it, whichever copy's function is called, so a
 * program may be linked with this library and use rings of the interpreter's.
 *
 * FASTPRIMS_SPSC  one producer thread and one consumer thread. Wait-free. The first thread that
 *                 puts (gets) has the role until it gives it back; another gets
 *                 FASTPRIMS_NOT_OWNER and no effect.
 * FASTPRIMS_MPMC  any number of both. Lock-free with a 16-byte compare-and-swap (x86-64, ARM64);
 *                 elsewhere a thread suspended inside a call stops those that reach its slot.
 *
 * Both are FIFO, hold exactly `capacity` words, and allocate nothing after they were made. Every
 * put and get of MPMC is linearizable; those of SPSC take effect in their thread's order, at the
 * latest when a plain store of that moment is seen by others: a put followed by a load of something
 * else needs a fence between the two where that matters. What happened before a put happens before
 * the end of its get. O(1) per word.
 *
 * Time-outs are nanoseconds: 0 does not wait, FASTPRIMS_FOREVER does until something happens. A
 * thread that waits watches for some microseconds, then sleeps in the kernel; a signal does not end
 * the wait (its handler runs). After fork the child can go on using a ring that no thread of the
 * parent was inside of.
 *
 * Any thread may call any function at any time, on a ring that it has a reference to. */
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
    FASTPRIMS_CLOSED = 3,    /* for a get: and drained */
    FASTPRIMS_NOT_OWNER = 4, /* the role belongs to another thread */
    FASTPRIMS_TOO_LARGE = 10, /* the record can never fit; or not into the buffer */
    FASTPRIMS_DAMAGED = 11    /* somebody wrote beyond a reservation */
};

enum fastprims_kind { FASTPRIMS_SPSC = 1, FASTPRIMS_MPMC = 2 };

typedef struct fastprims_ring fastprims_ring;

/* capacity: 1 or more. The caller has the only reference. NULL: capacity 0, or out of memory. */
FASTPRIMS_EXPORT fastprims_ring *fastprims_ring_new(enum fastprims_kind kind, uint64_t capacity);

/* Adds a reference. Each one is given back with fastprims_ring_release, by any thread; the last
 * one frees the ring and the words that are left in it. NULL is allowed. */
FASTPRIMS_EXPORT fastprims_ring *fastprims_ring_retain(fastprims_ring *ring);
FASTPRIMS_EXPORT void fastprims_ring_release(fastprims_ring *ring);

/* FASTPRIMS_OK, FULL, CLOSED or NOT_OWNER; unless OK, nothing was stored. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_put(fastprims_ring *ring, uint64_t word,
                                                          int64_t timeout_ns);

/* FASTPRIMS_OK, EMPTY, CLOSED or NOT_OWNER; unless OK, nothing was taken and *word is as it was. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_get(fastprims_ring *ring, uint64_t *word,
                                                          int64_t timeout_ns);

/* Stores the words one after the other, waiting for room while there is time; *done counts those
 * stored. OK: all were. Otherwise why it ended, and *done may be anything up to count - 1. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_put_many(fastprims_ring *ring,
                                                               const uint64_t *words, size_t count,
                                                               size_t *done, int64_t timeout_ns);

/* Waits for the first word, then takes what is there, `max` at most; *done counts. OK: at least
 * one, or max was 0. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_get_many(fastprims_ring *ring,
                                                               uint64_t *words, size_t max,
                                                               size_t *done, int64_t timeout_ns);

/* Puts answer CLOSED from now on, gets once the ring is drained; all waiting threads wake up. A put
 * that runs at the same time either comes before, or answers CLOSED. `drop`: what is
 * left is not delivered any more. */
FASTPRIMS_EXPORT void fastprims_ring_close(fastprims_ring *ring, bool drop);
FASTPRIMS_EXPORT bool fastprims_ring_is_closed(fastprims_ring *ring);

/* Words ever put and ever taken, at one moment during the call as far as no get came between. */
FASTPRIMS_EXPORT void fastprims_ring_count(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);
FASTPRIMS_EXPORT uint64_t fastprims_ring_capacity(fastprims_ring *ring);
FASTPRIMS_EXPORT enum fastprims_kind fastprims_ring_kind(fastprims_ring *ring);

/* How often puts and gets had to wait. */
FASTPRIMS_EXPORT void fastprims_ring_waits(fastprims_ring *ring, uint64_t *puts, uint64_t *gets);

/* Give a role of an SPSC ring back: the next thread that puts (gets) has it, and sees what the
 * caller did. OK, also if nobody had it and for a ring without roles; NOT_OWNER: another thread
 * has it. `force` takes it from a thread that has ended or will not use the ring again. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_release_producer(fastprims_ring *ring,
                                                                       bool force);
FASTPRIMS_EXPORT enum fastprims_status fastprims_ring_release_consumer(fastprims_ring *ring,
                                                                       bool force);

/* Is MPMC lock-free in the copy that is called? */
FASTPRIMS_EXPORT bool fastprims_is_lock_free(void);

/* FASTPRIMS_API_VERSION of that copy. */
FASTPRIMS_EXPORT int fastprims_api_version(void);

/* Byte records, from one producer thread to one consumer thread; roles, time-outs, references and
 * closing as above. Records are written and read in place, in a piece of memory of `room` bytes: a
 * record takes its size, rounded up to 8, and 8 bytes, and has to lie in one piece. O(bytes). */
typedef struct fastprims_bytes fastprims_bytes;

/* room: up to 2^29, rounded up to a power of two, at least 32. Records of up to `most` bytes, which
 * is room / 2 - 8 at most; 0: just that. NULL: impossible sizes, or out of memory. */
FASTPRIMS_EXPORT fastprims_bytes *fastprims_bytes_new(uint64_t room, uint64_t most);
FASTPRIMS_EXPORT fastprims_bytes *fastprims_bytes_retain(fastprims_bytes *ring);
FASTPRIMS_EXPORT void fastprims_bytes_release(fastprims_bytes *ring);

/* Copies a record in. OK, FULL, CLOSED, NOT_OWNER, TOO_LARGE. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_put(fastprims_bytes *ring, const void *data,
                                                           size_t size, int64_t timeout_ns);

/* The same in place: the producer reserves room for `size` bytes, 8-aligned, fills it, and commits
 * the first `size` (no more than reserved) of them. A second reservation replaces the first. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_reserve(fastprims_bytes *ring, size_t size,
                                                               void **where, int64_t timeout_ns);
/* OK; CLOSED: not stored. After a reserve that answered OK only. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_commit(fastprims_bytes *ring, size_t size);

/* Copies the next record out. OK, EMPTY, CLOSED, NOT_OWNER; TOO_LARGE: it has *size bytes, more
 * than `room`, and stays. */
FASTPRIMS_EXPORT enum fastprims_status fastprims_bytes_get(fastprims_bytes *ring, void *buffer,
                                                           size_t room, size_t *size,
                                                           int64_t timeout_ns);

/* The same in place: the record stays, and is the consumer's to read, until it is taken. */
FASTPRIMS_EXPORT enum fastprims_status
fastprims_bytes_peek(fastprims_bytes *ring, const void **where, size_t *size, int64_t timeout_ns);
/* After a peek that answered OK only. */
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
