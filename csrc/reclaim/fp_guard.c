/* fp_guard.c - see fp_guard.h for the argument; (D) and (S) are the accesses it names.
 * Process-wide state: the era. */
#include "reclaim/fp_guard.h"

#if !FP_PLAIN

fp_u64 fp__guard_era = 1;

uint64_t fp_guard_stamp(void) { return fp_u64_fetch_add_seq_cst(&fp__guard_era, 1); /* (S) */ }

void fp_guard_scan(struct fp_guards *g) {
    g->count = 0;
    struct fp_epoch_record *r = fp_ptr_load_seq_cst(&fp__epoch_records);
    for (; r != NULL; r = r->next) {
        FP_STEP();
        if (fp_u64_load_seq_cst(&r->state) == 0) /* (D) */
            continue;
        FP_STEP();
        uint64_t era = fp_u64_load_seq_cst(&r->era);
        uint64_t limit = fp_u64_load_seq_cst(&r->limit);
        if (g->count < FP_GUARDS) {
            g->of[g->count].era = era;
            g->of[g->count++].limit = limit;
        } else {
            if (era < g->of[FP_GUARDS - 1].era)
                g->of[FP_GUARDS - 1].era = era;
            if (limit > g->of[FP_GUARDS - 1].limit)
                g->of[FP_GUARDS - 1].limit = limit;
        }
    }
}

uint64_t fp_guard_limit(const struct fp_guards *g, uint64_t stamp) {
    uint64_t limit = 0;
    for (uint32_t i = 0; i < g->count; i++)
        if (g->of[i].era <= stamp && g->of[i].limit > limit)
            limit = g->of[i].limit;
    return limit;
}

#endif
