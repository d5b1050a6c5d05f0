/* fp_pool_internal.h - what fp_pool.c and fp_pool_table.c share. */
#ifndef FP_POOL_INTERNAL_H
#define FP_POOL_INTERNAL_H

#include "limits/fp_pool.h"

enum { IDLE = 0, LEASED = 1, HELD = 2 };

static inline uint64_t fp__pool_object(uint64_t word) { return word & ~FP_POOL_STATES; }

/* Position of the highest bit that is set; n > 0. */
static inline unsigned fp__pool_log2(uint32_t n) {
#if defined(__GNUC__)
    return 31U - (unsigned)__builtin_clz(n);
#else
    unsigned log = 0;
    while (n >>= 1)
        log++;
    return log;
#endif
}

/* Node 1 is the first of chunk 0; chunk c has FIRST << c of them. */
static inline struct fp_pool_node *fp__pool_node(struct fp_pool *p, uint32_t index) {
    uint32_t place = index - 1 + FP_POOL_FIRST;
    unsigned chunk = fp__pool_log2(place / FP_POOL_FIRST);
    /* Acquire: pairs with the store when the chunk was made. */
    struct fp_pool_node *nodes = fp_ptr_load_acquire(&p->chunk[chunk]);
    return nodes + (place - ((uint32_t)FP_POOL_FIRST << chunk));
}

/* The table. Find: any thread; 0: not there. The others: with the lock. */
enum fp_status fp__pool_table_init(struct fp_pool *p);
void fp__pool_table_destroy(struct fp_pool *p);
uint32_t fp__pool_find(struct fp_pool *p, uint64_t object);
/* Room for one more object. FP_OK or FP_NO_MEMORY. */
enum fp_status fp__pool_table_reserve(struct fp_pool *p);
void fp__pool_table_add(struct fp_pool *p, uint64_t object, uint32_t index);
void fp__pool_table_remove(struct fp_pool *p, uint64_t object, uint32_t index);
size_t fp__pool_table_bytes(struct fp_pool *p);

#endif
