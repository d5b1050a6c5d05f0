/* fp_mem.c - see fp_mem.h. Process-wide state: the kept blocks. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/fp_mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/fp_atomic.h"

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

#if FP_MEM_KEPT
/* Each holds a block or 0. Lock-free, and no ABA: a block is taken by an exchange of its place. */
static fp_sync_u64 kept[FP_MEM_KEPT];

static void *take_kept(void) {
    for (int i = 0; i < FP_MEM_KEPT; i++) {
        if (fp_sync_u64_load_relaxed(&kept[i]) == 0)
            continue;
        uint64_t block = fp_sync_u64_exchange_seq_cst(&kept[i], 0); /* pairs with keep() */
        if (block != 0)
            return (void *)(uintptr_t)block;
    }
    return NULL;
}

static bool keep(void *p) {
    for (int i = 0; i < FP_MEM_KEPT; i++) {
        uint64_t none = 0;
        if (fp_sync_u64_load_relaxed(&kept[i]) == 0 &&
            fp_sync_u64_cas_release(&kept[i], &none, (uint64_t)(uintptr_t)p))
            return true;
    }
    return false;
}
#else
static void *take_kept(void) { return NULL; }
static bool keep(void *p) { return (void)p, false; }
#endif

void *fp_mem_alloc(size_t bytes) {
    if (bytes > PTRDIFF_MAX - FP_CACHELINE)
        return NULL;
    if (bytes >= FP_MEM_MAPPED)
        return map(bytes);
    bytes = whole_lines(bytes);
    void *p = bytes == FP_MEM_BLOCK ? take_kept() : NULL;
    if (p == NULL)
        p = aligned(bytes);
    if (p != NULL)
        memset(p, 0, bytes);
    return p;
}

void fp_mem_free(void *p, size_t bytes) {
    if (p == NULL)
        return;
    if (bytes >= FP_MEM_MAPPED)
        unmap(p, bytes);
    else if (whole_lines(bytes) != FP_MEM_BLOCK || !keep(p))
        aligned_free(p);
}
