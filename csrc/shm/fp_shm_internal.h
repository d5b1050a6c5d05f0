/* fp_shm_internal.h - what the source files of fp_shm use of each other: the segment, its members
 * in this process, their lanes. */
#ifndef FP_SHM_INTERNAL_H
#define FP_SHM_INTERNAL_H

#include "shm/fp_shm.h"

/* fp_shm_segment.c ---------------------------------------------------------------------------- */

struct fp_spsc_bytes fp__shm_at(const struct fp_shm_member *m, uint64_t i); /* lane number i */
uint64_t fp__shm_used(const struct fp_shm_member *m);     /* how many lanes to look at */
struct fp_shm_event *fp__shm_room(struct fp_shm_member *m); /* where its writers wait */

/* fp_shm_member.c ----------------------------------------------------------------------------- */

/* The members of this process are in a table; in between, no other thread changes it, nor forks. */
void fp__shm_lock_table(void);
void fp__shm_unlock_table(void);
struct fp_shm_member *fp__shm_find(uint64_t device, uint64_t inode);
/* Maps the segment; `s` has been checked; `fd` is the member's from now on, unless there is none.
 * NULL: errno. */
struct fp_shm_member *fp__shm_join(int fd, const struct fp_shm_header *s, uint64_t bytes,
                                   const char *path);
void fp__shm_use(struct fp_shm *h, struct fp_shm_member *m);
void fp__shm_part(struct fp_shm_member *m); /* which has no handles left */

/* This process's number; 0 in a forked child for which none could be had yet. Seq_cst: pairs with
 * fp_process_begin by another thread of it. */
static inline uint64_t fp__shm_me(struct fp_shm_member *m) {
    return fp_sync_u64_load_seq_cst(&m->me.number);
}
/* To be called first by every operation. False: there is still none. */
bool fp__shm_begin_late(struct fp_shm_member *m);
static inline bool fp__shm_enter(struct fp_shm_member *m) {
    return FP_LIKELY(fp__shm_me(m) != 0) || fp__shm_begin_late(m);
}
/* A descriptor of the segment, whatever the program has done to ours; -1: it cannot be had. */
int fp__shm_fd(struct fp_shm_member *m);
bool fp__shm_is_gone(struct fp_shm_member *m, uint64_t number);

/* The lane that this process had before, with records that are still to be read. False: none. */
bool fp__shm_left_lane(struct fp_shm_member *m, uint64_t *lane);
/* Gives the lane back if nobody is writing and there is no handle left that might write. */
void fp__shm_leave(struct fp_shm_member *m);

#endif
