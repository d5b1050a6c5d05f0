/* fp_mem.h - zeroed memory that starts on a cache line of its own.
 *
 * Pieces of FP_MEM_MAPPED bytes or more come straight from the operating system and go straight
 * back to it: after a burst, a process is as small as before, whatever lies above them in the
 * heap. */
#ifndef FP_MEM_H
#define FP_MEM_H

#include "base/fp_config.h"

/* Pieces of exactly FP_MEM_BLOCK bytes, which queues use up at the pace of their traffic, are kept
 * for the next use, FP_MEM_KEPT of them at most in the whole process: otherwise the C library may
 * hand the end of its heap back to the system and fetch it again, page fault by page fault. */
#define FP_MEM_BLOCK ((size_t)4096)
#if defined(__SANITIZE_ADDRESS__) && !defined(FP_MEM_KEPT)
#define FP_MEM_KEPT 0 /* a checker wants to see each piece freed */
#elif !defined(FP_MEM_KEPT)
#define FP_MEM_KEPT 32
#endif

#define FP_MEM_MAPPED ((size_t)64 * 1024)

/* A host's own source of memory. Must not run code of the host. */
struct fp_memory {
    void *(*alloc)(size_t bytes);
    void (*free)(void *p, size_t bytes);
};

/* NULL: out of memory, or `bytes` is absurd. */
void *fp_mem_alloc(size_t bytes);

/* `bytes` as it was asked for. NULL is allowed. */
void fp_mem_free(void *p, size_t bytes);

#endif
