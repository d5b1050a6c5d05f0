/* fp_process.h - a number for a process that no other process, living or dead, has.
 *
 * The process id is used again sooner or later; together with the time at which the process was
 * started it is not. Both fit into 64 bits, so that a single store can say who owns something:
 *
 *      bits 0-21   process id (Linux has 2^22 at most)
 *      bits 22-63  start, in ticks of 1/100 s since the machine was started, as /proc tells it
 *
 * 0 is nobody. Ids are those of one PID namespace: processes of different ones must not be compared
 * (fp_process_namespace), nor do processes of different machines share memory. Linux only.
 */
#ifndef FP_PROCESS_H
#define FP_PROCESS_H

#include "fp_config.h"

/* The calling process; a few microseconds. 0: /proc cannot be read. */
uint64_t fp_process_self(void);

/* Has this process ended? In cases of doubt, no. A zombie has ended; a stopped process has not, and
 * a process with the same id that was started at another time is another one. */
bool fp_process_is_dead(uint64_t process);

static inline int fp_process_id(uint64_t process) { return (int)(process & 0x3fffff); }

/* The namespace that the ids of this process are of. 0: unknown. */
uint64_t fp_process_namespace(void);

#endif
