/* segments.h - what the programs that torture shared memory have in common: a segment, processes
 * that use it, and a journal of what they do. */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include "torture.h"

#include "shm/fp_shm_internal.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { SIDES = 8, RECORDS = 400000, SECOND = 1000000000 };
enum { PATIENCE = 20 }; /* seconds: a machine may be busy; the detection time is 0.05 s */

/* Shared memory in which the processes of a case note what they do. */
struct journal {
    atomic_long begun[SIDES], done[SIDES]; /* records that a writer has begun to put, and has put */
    atomic_long taking[SIDES]; /* 1 + the record that a reader is about to take */
    atomic_uchar taken[SIDES][RECORDS]; /* by writer and number */
    atomic_long answer;
};
extern struct journal *journal;

extern char name[64]; /* of the segment */
extern uint64_t the_limit; /* of records; 0: none */

struct record {
    uint64_t writer, number;
    unsigned char bytes[400];
};

void open_journal(void);
void clear_journal(void);

/* The segment `name`, made anew with SIDES lanes, or the one that is there. */
void make(struct fp_shm *h, uint64_t capacity, uint64_t limit);
void attach(struct fp_shm *h);
void leave(struct fp_shm *h);

/* Starts a child that runs fn and ends, or that kills itself at its step number `step`. */
pid_t start(void (*fn)(int id), int id, int step);
/* Waits for the child. True: it was killed. */
bool finish(pid_t pid);

/* Records: writer, number, and bytes that follow from both. `fill` returns the size. */
uint64_t fill(struct record *r, int writer, long number);
void check(const struct fp_shm_view *v, int *writer, long *number);

/* Calls that wait: for PATIENCE seconds, or for so many nanoseconds. */
enum fp_status put(struct fp_shm *h, int writer, long number);
enum fp_status peek(struct fp_shm *h, struct fp_shm_view *v, int64_t patience);
/* The next record is this one; takes it. */
void expect(struct fp_shm *h, int writer, long number);

#endif
