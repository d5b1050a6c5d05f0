/* fp_pool_table.c - from the address of an object to its node; see fp_pool.h.
 *
 * A slot holds EMPTY, REMOVED, or a node's index + 1; the address is in the node. Linear probing,
 * at most half full. A removed slot is emptied if the next one is empty, and so are the removed
 * ones before it: no object can lie behind them, so no reader stops too soon. Hence probes stay
 * short for objects that are there; for those that aren't, they end after a lap at the latest. */
#include "limits/fp_pool_internal.h"

#include "base/fp_mem.h"

enum { EMPTY = 0, REMOVED = 1, FIRST_SLOTS = 32 };

struct fp_pool_table {
    uint64_t mask;
    unsigned shift;
    uint64_t count; /* objects; with the lock */
    struct fp_pool_table *older;
    fp_u64 slot[];
};

static size_t bytes_of(uint64_t slots) {
    return sizeof(struct fp_pool_table) + (size_t)slots * sizeof(fp_u64);
}

/* Fibonacci hashing: the upper bits of the product. */
static inline uint64_t home(const struct fp_pool_table *t, uint64_t object) {
    return (object >> 3) * 0x9E3779B97F4A7C15u >> t->shift;
}

static struct fp_pool_table *new_table(uint64_t slots, struct fp_pool_table *older) {
    struct fp_pool_table *t = fp_mem_alloc(bytes_of(slots));
    if (t == NULL)
        return NULL;
    t->mask = slots - 1;
    t->shift = 64 - fp__pool_log2((uint32_t)slots);
    t->older = older;
    return t;
}

enum fp_status fp__pool_table_init(struct fp_pool *p) {
    struct fp_pool_table *t = new_table(FIRST_SLOTS, NULL);
    fp_ptr_store_release(&p->table, t); /* pairs with find */
    return t == NULL ? FP_NO_MEMORY : FP_OK;
}

void fp__pool_table_destroy(struct fp_pool *p) {
    struct fp_pool_table *t = fp_ptr_load_acquire(&p->table);
    while (t != NULL) {
        struct fp_pool_table *older = t->older;
        fp_mem_free(t, bytes_of(t->mask + 1));
        t = older;
    }
}

uint32_t fp__pool_find(struct fp_pool *p, uint64_t object) {
    struct fp_pool_table *t = fp_ptr_load_acquire(&p->table);
    const uint64_t start = home(t, object);
    for (uint64_t i = start;;) {
        /* Acquire: pairs with add, whose node has the object already. */
        uint64_t found = fp_u64_load_acquire(&t->slot[i]);
        if (found > REMOVED) {
            uint32_t index = (uint32_t)(found - 1);
            uint64_t word = fp_u64_load_acquire(&fp__pool_node(p, index)->word);
            if (FP_LIKELY(fp__pool_object(word) == object))
                return index;
        } else if (found == EMPTY) {
            return 0;
        }
        i = (i + 1) & t->mask;
        if (i == start)
            return 0;
    }
}

/* In a table that nobody else can see, or with the lock. */
static void put(struct fp_pool_table *t, uint64_t object, uint64_t value) {
    uint64_t i = home(t, object);
    while (fp_u64_load_relaxed(&t->slot[i]) > REMOVED)
        i = (i + 1) & t->mask;
    fp_u64_store_release(&t->slot[i], value); /* pairs with find */
    t->count++;
}

enum fp_status fp__pool_table_reserve(struct fp_pool *p) {
    struct fp_pool_table *t = fp_ptr_load_relaxed(&p->table);
    if (2 * (t->count + 1) <= t->mask + 1)
        return FP_OK;
    struct fp_pool_table *larger = new_table(2 * (t->mask + 1), t);
    if (larger == NULL)
        return FP_NO_MEMORY;
    for (uint64_t i = 0; i <= t->mask; i++) {
        uint64_t value = fp_u64_load_relaxed(&t->slot[i]);
        if (value > REMOVED) {
            uint32_t index = (uint32_t)(value - 1);
            uint64_t word = fp_u64_load_relaxed(&fp__pool_node(p, index)->word);
            put(larger, fp__pool_object(word), value);
        }
    }
    fp_ptr_store_release(&p->table, larger); /* pairs with find */
    return FP_OK;
}

void fp__pool_table_add(struct fp_pool *p, uint64_t object, uint32_t index) {
    put(fp_ptr_load_relaxed(&p->table), object, (uint64_t)index + 1);
}

void fp__pool_table_remove(struct fp_pool *p, uint64_t object, uint32_t index) {
    struct fp_pool_table *t = fp_ptr_load_relaxed(&p->table);
    uint64_t i = home(t, object);
    while (fp_u64_load_relaxed(&t->slot[i]) != (uint64_t)index + 1)
        i = (i + 1) & t->mask;
    fp_u64_store_release(&t->slot[i], REMOVED);
    t->count--;
    if (fp_u64_load_relaxed(&t->slot[(i + 1) & t->mask]) != EMPTY)
        return;
    for (; fp_u64_load_relaxed(&t->slot[i]) == REMOVED; i = (i - 1) & t->mask)
        fp_u64_store_release(&t->slot[i], EMPTY);
}

size_t fp__pool_table_bytes(struct fp_pool *p) {
    size_t sum = 0;
    for (struct fp_pool_table *t = fp_ptr_load_acquire(&p->table); t != NULL; t = t->older)
        sum += bytes_of(t->mask + 1);
    return sum;
}
