/* fp_mpmc.h - FIFO ring of fixed capacity for any number of producers and consumers. Allocates
 * nothing after init. Lock-free where the target has a 16-byte compare-and-swap (FP_CAS16);
 * otherwise the fallback of fp_mpmc_vyukov.c, which is not.
 *
 * Family of Shann, Huang, Chen (2000) and Colvin, Groves (2005): a slot is a pair {value, stamp},
 * changed in one step, so that no thread ever owns a slot half-way.
 *
 * Positions count puts (and gets) from 0. As in crossbeam's ArrayQueue a position is split into
 * lap and index, position = lap * LAP + index, LAP = the power of two above the capacity: any
 * capacity works without a division, and the stamps of one slot never coincide, not even with
 * capacity 1. The stamp of slot `index(p)` is
 *
 *      p          vacant, waits for the put at position p
 *      p + 1      holds the item of position p
 *      p + LAP    item taken; the same as "vacant, waits for the next lap"
 *
 *   put   {any, t} -> {item, t + 1}: one 16-byte swap, the linearization point
 *   get   the stamp alone, h + 1 -> h + LAP: one 8-byte swap. The value was read before; since
 *         stamps never repeat, an unchanged stamp means an unchanged value.
 *
 * `tail` and `head` are only hints: never beyond the first position not yet put (taken); they may
 * lag and, since they are mere stores after the swap (release, read with acquire: who starts from
 * one sees the swaps before it), move backwards. A thread that finds its
 * position outrun walks on; the stamp it finds tells how far the slot's lap has come. So each
 * operation has one locked instruction, and a thread that is suspended between swap and store
 * stops nobody.
 *
 *   full    slot index(t) still holds the item of position t - LAP: that item was not taken, and
 *           everything up to t was put, so `capacity` items were there when the stamp was loaded
 *   empty   the stamp is h: position h was not put, everything before it was taken
 *   closed  bit 63 of the stamp of the first vacant position is set, in a swap of its own; no put
 *           succeeds on that slot, so none succeeds anywhere; a get leaves the bit alone
 *
 * Contract, any thread beside any other: put, get, close, count. Alone only: init, destroy, visit.
 * put and get are lock-free (with FP_CAS16); the walk from a lagging hint costs at most
 * `capacity` steps. Positions wrap at 2^63.
 */
#ifndef FP_MPMC_H
#define FP_MPMC_H

#include "wait/fp_event.h"

#define FP_MPMC_CLOSED ((uint64_t)1 << 63)

struct fp_mpmc {
    FP_LINE fp_u64 tail;
    FP_LINE fp_u64 head;
    FP_LINE struct fp_pair *slot; /* this line is read only, but for waiters */
    uint64_t capacity, lap;
    uint64_t start; /* position of the first put: 0 but in tests of the wrap-around */
    struct fp_event not_empty, not_full;
};

/* capacity >= 1. FP_OK or FP_NO_MEMORY. */
enum fp_status fp_mpmc_init(struct fp_mpmc *r, uint64_t capacity);

/* The same with the counters set as if `lap_number` laps had passed; for tests. */
enum fp_status fp_mpmc_init_at(struct fp_mpmc *r, uint64_t capacity, uint64_t lap_number);

/* Frees the slots, not the items: drain it before. */
void fp_mpmc_destroy(struct fp_mpmc *r);

/* FP_OK, FP_FULL, FP_CLOSED. Every item is allowed. */
enum fp_status fp_mpmc_put(struct fp_mpmc *r, uint64_t item);

/* FP_OK, FP_EMPTY, FP_CLOSED (drained, and nothing will come). */
enum fp_status fp_mpmc_get(struct fp_mpmc *r, uint64_t *item);

/* One after the other; *n counts, the answer is why it stopped (FP_OK: at the end). */
enum fp_status fp_mpmc_put_many(struct fp_mpmc *r, const uint64_t *items, size_t count, size_t *n);
enum fp_status fp_mpmc_get_many(struct fp_mpmc *r, uint64_t *items, size_t max, size_t *n);

void fp_mpmc_close(struct fp_mpmc *r);
bool fp_mpmc_is_closed(struct fp_mpmc *r);

/* Items ever put and ever taken, as fp_segq_count. */
void fp_mpmc_count(struct fp_mpmc *r, uint64_t *puts, uint64_t *gets);

int fp_mpmc_visit(struct fp_mpmc *r, int (*fn)(uint64_t item, void *arg), void *arg);

size_t fp_mpmc_memory(struct fp_mpmc *r);

/* true: lock-free. */
bool fp_mpmc_is_lock_free(void);

#endif
