/* fp_mem.c - see fp_mem.h. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "fp_mem.h"

#include <stdlib.h>
#include <string.h>

static size_t whole_lines(size_t bytes) {
    return (bytes + FP_CACHELINE - 1) & ~(size_t)(FP_CACHELINE - 1);
}

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static void *map(size_t bytes) {
    return VirtualAlloc(NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}
static void unmap(void *p, size_t bytes) {
    (void)bytes;
    VirtualFree(p, 0, MEM_RELEASE);
}
static void *aligned(size_t bytes) { return _aligned_malloc(bytes, FP_CACHELINE); }
static void aligned_free(void *p) { _aligned_free(p); }

#else

#include <sys/mman.h>

static void *map(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
static void unmap(void *p, size_t bytes) { munmap(p, bytes); }
static void *aligned(size_t bytes) { return aligned_alloc(FP_CACHELINE, bytes); }
static void aligned_free(void *p) { free(p); }

#endif

void *fp_mem_alloc(size_t bytes) {
    if (bytes > PTRDIFF_MAX - FP_CACHELINE)
        return NULL;
    if (bytes >= FP_MEM_MAPPED)
        return map(bytes);
    bytes = whole_lines(bytes);
    void *p = aligned(bytes);
    if (p != NULL)
        memset(p, 0, bytes);
    return p;
}

void fp_mem_free(void *p, size_t bytes) {
    if (p == NULL)
        return;
    if (bytes >= FP_MEM_MAPPED)
        unmap(p, bytes);
    else
        aligned_free(p);
}
