/* fp_shm_internal.h - what the source files of fp_shm share: the segment, its member in this
 * process, the lanes. */
#ifndef FP_SHM_INTERNAL_H
#define FP_SHM_INTERNAL_H

#include "shm/fp_shm.h"

/* fp_shm_segment.c ---------------------------------------------------------------------------- */

struct fp_spsc_bytes fp__shm_at(const struct fp_shm_member *m, uint64_t i); /* lane number i */
uint64_t fp__shm_used(const struct fp_shm_member *m);     /* how many lanes to look at */
struct fp_shm_event *fp__shm_room(struct fp_shm_member *m); /* where this process's writers wait */

/* fp_shm_member.c ----------------------------------------------------------------------------- */

/* The members of this process are in a table. While it is locked, no other thread changes it, nor
 * forks. */
void fp__shm_lock_table(void);
void fp__shm_unlock_table(void);
struct fp_shm_member *fp__shm_find(uint64_t device, uint64_t inode);
/* Maps the segment and makes its member; `s` has been checked. The member owns `fd` from now on.
 * NULL: errno, and the caller keeps `fd`. */
struct fp_shm_member *fp__shm_join(int fd, const struct fp_shm_header *s, uint64_t bytes,
                                   const char *path);
void fp__shm_use(struct fp_shm *h, struct fp_shm_member *m);
void fp__shm_part(struct fp_shm_member *m); /* ends a member that has no handles left */

/* This process's number; 0 in a forked child that could not get one yet. Seq_cst: pairs with
 * fp_process_begin by another thread of this process. */
static inline uint64_t fp__shm_me(struct fp_shm_member *m) {
    return fp_sync_u64_load_seq_cst(&m->me.number);
}
/* Every operation calls fp__shm_enter first. False: this process still has no number. */
bool fp__shm_begin_late(struct fp_shm_member *m);
static inline bool fp__shm_enter(struct fp_shm_member *m) {
    return FP_LIKELY(fp__shm_me(m) != 0) || fp__shm_begin_late(m);
}
/* A descriptor of the segment, even if the program has closed the member's; -1: there is none. */
int fp__shm_fd(struct fp_shm_member *m);
bool fp__shm_is_gone(struct fp_shm_member *m, uint64_t number);

/* The lane that this process had before, with records that are still to be read. False: none. */
bool fp__shm_left_lane(struct fp_shm_member *m, uint64_t *lane);
/* Gives the lane back if no thread is writing and no handle is left that might write. */
void fp__shm_leave(struct fp_shm_member *m);

#endif
