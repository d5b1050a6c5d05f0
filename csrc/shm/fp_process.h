/* fp_process.h - who of those that share a file is alive, by the word of the kernel.
 *
 * A process that begins draws a number that nobody has had in this file, and locks one byte for it,
 * far behind the file's end. Whoever can lock that byte knows that the process has gone. The lock
 * is one of an open file description, which lives as long as something refers to it; here that is
 * one mapped page, and nothing else: its descriptor is closed at once, and forked children are kept
 * from inheriting the page. So the lock ends with the memory of the process: when it ends in any
 * way, and when it executes another program, whose image knows nothing of what the last one held
 * although id and start time are the same. It does not end when the program closes descriptors that
 * it does not know, as daemons do; it means the same in every PID namespace, for every user, and
 * without /proc; a stopped process keeps it.
 *
 * 0 is nobody. Linux only.
 */
#ifndef FP_PROCESS_H
#define FP_PROCESS_H

#include "base/fp_atomic.h"

/* Starts as zeros. */
struct fp_process {
    fp_sync_u64 number; /* 0: it has not begun */
    void *page;
};

/* Begins with `number`, in the file that `fd` is and that had the name `path`. 0, or errno: EAGAIN
 * if somebody has that number, or all (fp_process_exclude). No fork of this process may happen
 * meanwhile: the child would have the descriptor. */
int fp_process_begin(struct fp_process *p, int fd, const char *path, uint64_t number);
void fp_process_end(struct fp_process *p);

/* In a forked child, of what was begun before the fork: it was the parent, who goes on. */
void fp_process_forget(struct fp_process *p);

/* Has the process of that number gone? In cases of doubt, no. */
bool fp_process_is_gone(int fd, uint64_t number);

/* Is there anybody in this file? In cases of doubt, yes. */
bool fp_process_is_anyone(int fd);

/* True: nobody was in this file, and nobody can begin until `fd` and its copies are closed. */
bool fp_process_exclude(int fd);

/* Is it the same file? False if there is none. */
bool fp_process_is_file(int fd, uint64_t device, uint64_t inode);

#endif
