/* fp_queue_ops.h - how a structure makes its table of fp_queue.h: from its own functions, which
 * have the usual names and the structure's type. Included by the source file of a structure.
 *
 * FP_QUEUE_WRAPPERS(own, base, SELF) defines the functions of the table that are the same for all:
 * fp_<own>_put and fp_<own>_count, and fp_<base>_... for the others, where <base> is <own> or the
 * structure that it begins with. SELF(q) is what these functions take for the queue. The source
 * file then defines op_discard, op_close, op_limit, op_memory, op_not_empty, op_not_full,
 * op_abandon and op_destroy, and FP_QUEUE_TABLE lists all of them. */
#ifndef FP_QUEUE_OPS_H
#define FP_QUEUE_OPS_H

#include "queues/fp_queue.h"

#define FP_QUEUE_SELF(q) q

#define FP_QUEUE_WRAPPERS(own, base, SELF)                                                         \
    static enum fp_status op_put(void *q, uint64_t item) { return fp_##own##_put(SELF(q), item); } \
    static enum fp_status op_get(void *q, uint64_t *item) {                                        \
        return fp_##base##_get(SELF(q), item);                                                     \
    }                                                                                              \
    static enum fp_status op_put_many(void *q, const uint64_t *items, size_t count,                \
                                      size_t *done) {                                              \
        return fp_##base##_put_many(SELF(q), items, count, done);                                  \
    }                                                                                              \
    static enum fp_status op_get_many(void *q, uint64_t *items, size_t max, size_t *done) {        \
        return fp_##base##_get_many(SELF(q), items, max, done);                                    \
    }                                                                                              \
    static bool op_is_closed(void *q) { return fp_##base##_is_closed(q); }                         \
    static void op_count(void *q, uint64_t *puts, uint64_t *gets) {                                \
        fp_##own##_count(q, puts, gets);                                                           \
    }                                                                                              \
    static int op_visit(void *q, int (*fn)(uint64_t, void *), void *arg) {                         \
        return fp_##base##_visit(q, fn, arg);                                                      \
    }

/* Followed by what not all structures have, if this one does. */
#define FP_QUEUE_TABLE                                                                             \
    .put = op_put, .get = op_get, .put_many = op_put_many, .get_many = op_get_many,                \
    .discard = op_discard, .close = op_close, .is_closed = op_is_closed, .limit = op_limit,        \
    .count = op_count, .visit = op_visit, .memory = op_memory, .not_empty = op_not_empty,          \
    .not_full = op_not_full, .abandon = op_abandon, .destroy = op_destroy

#endif
