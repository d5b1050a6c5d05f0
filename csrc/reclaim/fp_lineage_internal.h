/* fp_lineage_internal.h - what the two files of the lineage share. */
#ifndef FP_LINEAGE_INTERNAL_H
#define FP_LINEAGE_INTERNAL_H

#include "reclaim/fp_lineage.h"

struct fp_deadlist {
    struct fp_deadlist *next;
    uint32_t count, room;
    uint64_t node[];
};

/* Takes a whole stack. Acquire half: pairs with the pushes. */
static inline void *fp__lineage_take(fp_ptr *stack) {
    void *top = fp_ptr_load_seq_cst(stack);
    while (top != NULL && !fp_ptr_cas_seq_cst(stack, &top, NULL))
        ;
    return top;
}

/* Files nodes (or 0) that were replaced in the generation `end` under the versions that can see
 * them, or discards them. `from` is any version to search from. False: no memory; nothing was
 * done. */
bool fp__lineage_sort_out(struct fp_lineage *l, const uint64_t *node, int count, uint64_t end,
                          struct fp_version **from, struct fp_trash *trash);
/* The same for a unit and its parts. */
bool fp__lineage_sort_out_unit(struct fp_lineage *l, struct fp_unit *u, struct fp_version **from,
                               struct fp_trash *trash);

/* Keeps a unit for later. The unit has its stamp. */
void fp__lineage_hold_unit(struct fp_lineage *l, struct fp_unit *u);

/* Inserts an open version into the list. */
void fp__lineage_insert(struct fp_lineage *l, struct fp_version *v);

/* Removes a version from the list. */
void fp__lineage_remove(struct fp_lineage *l, struct fp_version *v);

/* From now on the version owns its tree. */
void fp__version_cut(struct fp_version *v);

/* Does all that can be done now. Returns how many references to the lineage are given up. */
uint64_t fp__lineage_work(struct fp_lineage *l, struct fp_trash *trash);

#endif
