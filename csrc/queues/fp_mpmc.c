/* fp_mpmc.c - what both variants of the MPMC ring share: set-up, counting, the host's face. */
#include "queues/fp_mpmc_internal.h"

#include "base/fp_mem.h"
#include "queues/fp_queue_ops.h"

#define BYTES_PER_SLOT (FP__MPMC_STRIDE * sizeof(struct fp_pair))

enum fp_status fp_mpmc_init_at(struct fp_mpmc *r, uint64_t capacity, uint64_t lap_number) {
    if (capacity > (SIZE_MAX >> 1) / BYTES_PER_SLOT)
        return FP_NO_MEMORY;
    r->slot = fp_mem_alloc((size_t)capacity * BYTES_PER_SLOT);
    if (r->slot == NULL)
        return FP_NO_MEMORY;
    r->capacity = capacity;
    r->lap = 2; /* above the capacity: "holds an item" of the last slot must not look vacant */
    while (r->lap <= capacity)
        r->lap *= 2;
    r->start = lap_number * r->lap & FP_MPMC_POSITION;
    for (uint64_t i = 0; i < capacity; i++) {
        fp_u64_store_relaxed(&fp__mpmc_slot(r, i)->value, 0);
        fp_u64_store_relaxed(&fp__mpmc_slot(r, i)->stamp, r->start + i);
    }
    fp_u64_store_relaxed(&r->tail, r->start);
    fp_u64_store_relaxed(&r->head, r->start);
    fp_event_init(&r->not_empty);
    fp_event_init(&r->not_full);
    return FP_OK;
}

enum fp_status fp_mpmc_init(struct fp_mpmc *r, uint64_t capacity) {
    return fp_mpmc_init_at(r, capacity, 0);
}

void fp_mpmc_destroy(struct fp_mpmc *r) {
    fp_mem_free(r->slot, (size_t)r->capacity * BYTES_PER_SLOT);
    r->slot = NULL;
}

bool fp_mpmc_is_closed(struct fp_mpmc *r) {
    bool closed;
    fp__mpmc_tail(r, &closed);
    return closed;
}

static uint64_t items_before(const struct fp_mpmc *r, uint64_t position) {
    uint64_t passed = (position - r->start) & FP_MPMC_POSITION;
    return passed / r->lap * r->capacity + fp__mpmc_index(r, passed);
}

void fp_mpmc_count(struct fp_mpmc *r, uint64_t *puts, uint64_t *gets) {
    bool closed;
    uint64_t head = fp__mpmc_head(r), before;
    int attempts = 16;
    /* An unmoved head means that both were true at the moment the tail was read. */
    do {
        before = head;
        *puts = items_before(r, fp__mpmc_tail(r, &closed));
        head = fp__mpmc_head(r);
    } while (head != before && --attempts > 0);
    *gets = items_before(r, head);
    if (*gets > *puts)
        *gets = *puts;
}

int fp_mpmc_visit(struct fp_mpmc *r, int (*fn)(uint64_t item, void *arg), void *arg) {
    bool closed;
    uint64_t tail = fp__mpmc_tail(r, &closed);
    for (uint64_t h = fp__mpmc_head(r); h != tail; h = fp__mpmc_next(r, h)) {
        int answer = fn(fp_u64_load_relaxed(&fp__mpmc_slot(r, fp__mpmc_index(r, h))->value), arg);
        if (answer != 0)
            return answer;
    }
    return 0;
}

size_t fp_mpmc_memory(struct fp_mpmc *r) { return (size_t)r->capacity * BYTES_PER_SLOT; }

bool fp_mpmc_is_lock_free(void) { return FP_CAS16; }

/* The table for hosts (fp_queue.h). ------------------------------------------------------------ */

FP_QUEUE_WRAPPERS(mpmc, mpmc, FP_QUEUE_SELF)

static enum fp_status op_discard(void *q, uint64_t *items, size_t max, size_t *done) {
    return fp_mpmc_get_many(q, items, max, done);
}
static enum fp_status op_close(void *q, bool immediate) {
    (void)immediate; /* the host discards */
    fp_mpmc_close(q);
    return FP_OK;
}
static uint64_t op_limit(void *q) { return ((struct fp_mpmc *)q)->capacity; }
static size_t op_memory(void *q) { return sizeof(struct fp_mpmc) + fp_mpmc_memory(q); }
static struct fp_event *op_not_empty(void *q) { return &((struct fp_mpmc *)q)->not_empty; }
static struct fp_event *op_not_full(void *q) { return &((struct fp_mpmc *)q)->not_full; }
static void op_abandon(void *q, bool alone) { (void)q, (void)alone; }
static void op_destroy(void *q) {
    fp_mpmc_destroy(q);
    fp_mem_free(q, sizeof(struct fp_mpmc));
}

const struct fp_queue_ops fp_mpmc_ops = {FP_QUEUE_TABLE};

void *fp_mpmc_create(uint64_t capacity) {
    struct fp_mpmc *q = fp_mem_alloc(sizeof *q);
    if (q != NULL && fp_mpmc_init(q, capacity) != FP_OK) {
        fp_mem_free(q, sizeof *q);
        q = NULL;
    }
    return q;
}
