/* fp_mem.h - zeroed memory that starts on a cache line of its own.
 *
 * Pieces of FP_MEM_MAPPED bytes or more come straight from the operating system and go straight
 * back to it: after a burst, a process is as small as before, whatever lies above them in the
 * heap. */
#ifndef FP_MEM_H
#define FP_MEM_H

#include "fp_config.h"

#define FP_MEM_MAPPED ((size_t)64 * 1024)

/* NULL: out of memory, or `bytes` is absurd. */
void *fp_mem_alloc(size_t bytes);

/* `bytes` as it was asked for. NULL is allowed. */
void fp_mem_free(void *p, size_t bytes);

#endif
