/* fp_process.h - which of the processes that share a file are alive, according to the kernel.
 *
 * A process that begins draws a number that no process has had in this file, and locks one byte for
 * it, far behind the file's end. If that lock is free, the process has gone. The lock belongs to an
 * open file description, which lives as long as something refers to it. Here that is one mapped
 * page and nothing else: the descriptor is closed at once, and forked children are kept from
 * inheriting the page. So the lock ends with the memory of the process: when the process ends in
 * any way, and when it executes another program. (The new image knows nothing of what the last one
 * held, although id and start time are the same.) The lock does not end when the program closes
 * descriptors that it does not know, as daemons do. It means the same in every PID namespace, for
 * every user, and without /proc. A stopped process keeps it.
 *
 * Number 0 is no process. Linux only.
 */
#ifndef FP_PROCESS_H
#define FP_PROCESS_H

#include "base/fp_atomic.h"

/* Starts as zeros. */
struct fp_process {
    fp_sync_u64 number; /* 0: it has not begun */
    void *page;
};

/* Begins with `number`, in the file of `fd`, which had the name `path`. 0, or errno: EAGAIN if
 * another process has that number, or excludes all (fp_process_exclude). This process must not fork
 * meanwhile: the child would have the descriptor. */
int fp_process_begin(struct fp_process *p, int fd, const char *path, uint64_t number);
void fp_process_end(struct fp_process *p);

/* In a forked child: forgets what was begun before the fork, which belongs to the parent. */
void fp_process_forget(struct fp_process *p);

/* Has the process of that number gone? In cases of doubt, no. */
bool fp_process_is_gone(int fd, uint64_t number);

/* Has any process begun in this file, and not gone? In cases of doubt, yes. */
bool fp_process_is_anyone(int fd);

/* True: no process was in this file, and none can begin until `fd` and its copies are closed. */
bool fp_process_exclude(int fd);

/* Is `fd` that file? False if `fd` is not open. */
bool fp_process_is_file(int fd, uint64_t device, uint64_t inode);

#endif
