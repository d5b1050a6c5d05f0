/* fp_pool.h - a pool of objects: idle ones are kept for the next user, their number is bounded, and
 * giving back what is not leased is noticed.
 *
 * Every object of the pool has a node for as long as it belongs to it:
 *
 *      word   object | state    idle: in a stack, or in the hands of who takes it; leased: with a
 *                               user; held: neither, an operation is working on it; 0: no object
 *      next   the node below it in a stack
 *
 * Idle nodes lie in stacks (Treiber): `next` and a head {tag, index} that is swapped as one word.
 * Nodes are never freed before the pool is, so a stale `next` may be read safely, and the tag,
 * which changes with every swap, makes the swap fail then. Each thread has a stack of its own, a
 * stripe, to put into and to take from first: threads meet at a head only when one's own stack is
 * empty and it looks through the others, or when there are more threads than stripes. A thread that
 * ends leaves nothing behind that others cannot take. The last stack is for the aged (fp_pool_age).
 *
 * Whether an object belongs to the pool, and which node it has, tells a hash table from addresses
 * to nodes (open addressing). Reading it takes no lock. It changes only when an object joins or
 * leaves the pool, which is under a lock; a larger table replaces a full one, and the old ones, all
 * together smaller than the new one, stay until the pool is destroyed, since somebody may be
 * reading them. A reader that meets a node which has changed its object meanwhile sees another
 * address.
 *
 * Leased -> held is a compare-and-swap of object and state in one word: of two that give back the
 * same object one wins, and the other is told. What cannot be told is a second giving back after
 * somebody else has leased the object again.
 *
 * Exact bound: `total` counts objects and those being made, and is raised by a compare-and-swap.
 * FULL is answered only if at one moment all stacks were empty and max_size objects existed: the
 * stacks are looked through twice, before and after the count is read, and no head may have changed
 * in between (double collect).
 *
 * Contract: any thread beside any other; init, destroy, clear, visit alone. take, lease, claim and
 * give are lock-free (a retry follows another thread's success); adopt and discard take the lock
 * for a few steps. */
#ifndef FP_POOL_H
#define FP_POOL_H

#include "wait/fp_lock.h"

enum { FP_POOL_CHUNKS = 22, FP_POOL_FIRST = 64 };
#define FP_POOL_MOST (((uint64_t)1 << 27) - 1) /* objects at a time */
#define FP_POOL_STATES ((uint64_t)7) /* objects start at multiples of 8 */

struct fp_pool_node {
    fp_u64 word;
    fp_u64 next;
};

struct fp_pool_stack {
    FP_LINE fp_u64 head;
};

struct fp_pool_table;

struct fp_pool {
    struct fp_pool_stack *stack; /* [stripes], and one for the aged */
    uint64_t stripes; /* a power of two */
    uint64_t max_size, max_idle; /* UINT64_MAX: none */
    fp_ptr chunk[FP_POOL_CHUNKS]; /* of nodes: 64, 128, 256, … */
    fp_ptr table;
    FP_LINE fp_u64 total; /* objects, and those being made */
    fp_u64 idle; /* not less than the idle objects; counted only if max_idle is set */
    struct fp_event available;
    FP_LINE struct fp_lock lock; /* for what follows */
    fp_u64 nodes; /* node indices ever used are 1 .. nodes */
    uint32_t free_node; /* a list by `next` */
    uint64_t joined, left; /* objects, for statistics */
    const struct fp_host *host; /* for waiting for the lock; never interrupts */
};

/* FP_OK or FP_NO_MEMORY. */
enum fp_status fp_pool_init(struct fp_pool *p, uint64_t max_size, uint64_t max_idle,
                            const struct fp_host *host);

/* Frees the structure, not the objects. */
void fp_pool_destroy(struct fp_pool *p);

/* What take() gives. */
struct fp_pool_item {
    uint32_t node; /* 0: none is idle, but there may be one more: make it, then adopt or cancel */
    uint64_t object;
};

/* FP_OK; FP_FULL: none is idle, and there are max_size. The item is nobody else's; it becomes the
 * user's by lease(). */
enum fp_status fp_pool_take(struct fp_pool *p, struct fp_pool_item *item);

/* The same, but waits: also FP_TIMED_OUT, FP_INTERRUPTED. */
enum fp_status fp_pool_wait(struct fp_pool *p, struct fp_pool_item *item, int64_t deadline,
                            const struct fp_host *host);

/* A taken or held item becomes leased. */
void fp_pool_lease(struct fp_pool *p, const struct fp_pool_item *item);

/* A place for an object to be made. FP_OK or FP_FULL. */
enum fp_status fp_pool_reserve(struct fp_pool *p);
/* It is not made after all. */
void fp_pool_cancel(struct fp_pool *p);
/* It has been made; the item is held. FP_OK; FP_NO_MEMORY; FP_FAILED: it belongs to the pool
 * already. If not FP_OK, the place is given up. */
enum fp_status fp_pool_adopt(struct fp_pool *p, uint64_t object, struct fp_pool_item *item);

/* A leased object becomes held. FP_OK; FP_NOT_OWNER: not of this pool; FP_FAILED: not leased. */
enum fp_status fp_pool_claim(struct fp_pool *p, uint64_t object, struct fp_pool_item *item);

/* A held item becomes idle. FP_OK; FP_FULL: there are max_idle; it is still held. */
enum fp_status fp_pool_give(struct fp_pool *p, const struct fp_pool_item *item);

/* A taken or held item leaves the pool; its object is the caller's. */
void fp_pool_discard(struct fp_pool *p, const struct fp_pool_item *item);

/* Takes an idle item, an aged one if `aged`, otherwise any. False: there is none. */
bool fp_pool_take_idle(struct fp_pool *p, bool aged, struct fp_pool_item *item);

/* What is idle now is aged from now on: taken last. */
void fp_pool_age(struct fp_pool *p);

struct fp_pool_counts {
    uint64_t size, leased, joined, left;
};
void fp_pool_count(struct fp_pool *p, struct fp_pool_counts *counts);

/* Calls fn for each object until it answers non-zero, and returns that answer. */
int fp_pool_visit(struct fp_pool *p, int (*fn)(uint64_t object, void *arg), void *arg);

/* All objects leave the pool, the leased ones as well; `drop` gets each. Any thread, beside any
 * other: what others hold in the middle of a call is theirs, and what they add meanwhile stays. */
void fp_pool_clear(struct fp_pool *p, void (*drop)(uint64_t object));

size_t fp_pool_memory(struct fp_pool *p);

#endif
