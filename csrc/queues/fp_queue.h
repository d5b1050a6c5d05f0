/* fp_queue.h - the face that all queue structures show to their host: one table of functions.
 *
 * A host that embeds several structures (the Python package) is written once, against this. Each
 * function takes the structure as `void *` and does what its namesake in the structure's own
 * header says; the contracts (who may run beside whom, progress) are there. */
#ifndef FP_QUEUE_H
#define FP_QUEUE_H

#include "wait/fp_event.h"
#include "wait/fp_wait.h"

#define FP_UNBOUNDED ((uint64_t)INT64_MAX)

struct fp_queue_ops {
    enum fp_status (*put)(void *q, uint64_t item);
    enum fp_status (*get)(void *q, uint64_t *item);
    enum fp_status (*put_many)(void *q, const uint64_t *items, size_t count, size_t *done);
    enum fp_status (*get_many)(void *q, uint64_t *items, size_t max, size_t *done);
    /* Takes items that are not to be delivered, from a closed or a dying queue. */
    enum fp_status (*discard)(void *q, uint64_t *items, size_t max, size_t *done);
    enum fp_status (*close)(void *q, bool immediate);
    bool (*is_closed)(void *q);
    uint64_t (*limit)(void *q);
    void (*count)(void *q, uint64_t *puts, uint64_t *gets);
    int (*visit)(void *q, int (*fn)(uint64_t item, void *arg), void *arg);
    size_t (*memory)(void *q); /* bytes, all of the structure's */
    struct fp_event *(*not_empty)(void *q);
    struct fp_event *(*not_full)(void *q);
    /* Nobody is to use the queue any more: what is in it can be discarded. `alone`: nobody can;
     * whoever had a role has lost it. Not alone: somebody may have got hold of it at the last
     * moment, and nothing here harms him; a role that another thread has is lost at a second call,
     * before which all threads were stopped outside of the structure (a garbage collection). */
    void (*abandon)(void *q, bool alone);
    /* Frees the structure, not the items. */
    void (*destroy)(void *q);
    /* Of structures whose items can be moved elsewhere, and whose limit may change; NULL otherwise.
     * fp_segq.h and fp_ordered.h have the contract. */
    void (*set_limit)(void *q, uint64_t limit);
    enum fp_status (*move)(void *q);
    enum fp_status (*end_move)(void *q, bool keep);
    bool calls_host; /* an operation may run code of the host (a comparison) */
};

/* No queue: closed and empty (fp_queue.c). */
extern const struct fp_queue_ops fp_no_queue_ops;

extern const struct fp_queue_ops fp_segq_ops, fp_mpmc_ops, fp_spsc_ops, fp_ordered_ops;

/* NULL: out of memory. */
void *fp_segq_create(uint64_t limit);
void *fp_mpmc_create(uint64_t capacity);
void *fp_spsc_create(uint64_t capacity);
/* less == NULL: last in, first out. */
void *fp_ordered_create(int (*less)(uint64_t, uint64_t), const struct fp_host *host);

#endif
