/* fp_segq_internal.h - the segments, shared by the files of the segment queue. */
#ifndef FP_SEGQ_INTERNAL_H
#define FP_SEGQ_INTERNAL_H

#include "queues/fp_segq.h"
#include "reclaim/fp_epoch.h"

struct segment {
    struct fp_retired retired;
    uint64_t base; /* position of slot 0; set before the segment is linked */
    uint64_t size; /* slots */
    fp_ptr next;   /* NULL, a marker (that of a full segment), or the following segment */
    FP_LINE fp_u64 deq; /* slots taken: 0..size; and FROZEN, FORGOTTEN */
    FP_LINE fp_u64 enq; /* hint: every slot before it holds an item, taken or not */
    FP_LINE fp_u64 slot[];
};

/* In a slot, or as the `next` of a full segment: nothing may be put there, nor behind it. */
static inline bool is_marker(uint64_t found) {
    return found != FP_SEGQ_VACANT && found <= FP_SEGQ_MOVED_CLOSED;
}
static inline bool links(void *next) { return (uintptr_t)next > FP_SEGQ_MOVED_CLOSED; }

/* Bits of `deq`: nothing is taken here any more; the items are no longer this queue's. */
#define FROZEN ((uint64_t)1 << 63)
#define FORGOTTEN ((uint64_t)1 << 62)
static inline uint64_t taken_of(uint64_t deq) { return deq & ~(FROZEN | FORGOTTEN); }

/* Puts a marker in the first vacant place. FP_OK, or what the marker says that stands there. Pinned
 * callers only. */
enum fp_status fp__segq_mark(struct fp_segq *q, uint64_t marker);

/* Every slot of `s` was taken and `next` follows: unlinks it. */
void fp__segq_retire(struct fp_segq *q, struct fp_epoch_record *pin, struct segment *s,
                     struct segment *next);

void fp__segq_notify_everybody(struct fp_segq *q);

#endif
