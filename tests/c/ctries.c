/* ctries.c - see ctries.h. */
#include "ctries.h"

#include "base/fp_mem.h"
#include "torture.h"

#include <stdatomic.h>

static _Atomic int references[CTRIE_HANDLES];
static atomic_long handles, total;

int (*ctrie_on_equal)(void);
unsigned ctrie_hashes;

static int same(uint64_t a, uint64_t b) {
    if (((a - 1) & 1) || ((b - 1) & 1))
        return -1;
    return id_of(a) == id_of(b);
}

static int equal(uint64_t a, uint64_t b) {
    CHECK(atomic_load(&references[a]) > 0 && atomic_load(&references[b]) > 0,
          "compared after the last release");
    if (ctrie_on_equal != NULL && ctrie_on_equal() < 0)
        return -1;
    return id_of(a) == id_of(b);
}

/* The increment is relaxed, as in real reference counts. */
static void retain(uint64_t h) {
    int before = atomic_fetch_add_explicit(&references[h], 1, memory_order_relaxed);
    CHECK(before > 0, "retained after the last release: %llu", (unsigned long long)h);
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
}

static void release(uint64_t h) {
    int before = atomic_fetch_sub_explicit(&references[h], 1, memory_order_acq_rel);
    CHECK(before > 0, "released too often: %llu", (unsigned long long)h);
    atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
    if (before == 1)
        atomic_fetch_sub_explicit(&handles, 1, memory_order_relaxed);
}

static atomic_long nodes;

static void *alloc_node(size_t bytes) {
    void *p = fp_mem_alloc(bytes);
    if (p != NULL)
        atomic_fetch_add_explicit(&nodes, 1, memory_order_relaxed);
    return p;
}

static void free_node(void *p, size_t bytes) {
    atomic_fetch_sub_explicit(&nodes, 1, memory_order_relaxed);
    fp_mem_free(p, bytes);
}

long live_nodes(void) { return atomic_load(&nodes); }

const struct fp_ctrie_host ctrie_test_host = {
    .same = same,
    .equal = equal,
    .retain = retain,
    .release = release,
    .memory = {alloc_node, free_node},
};

uint64_t make_handle(unsigned id, unsigned variant) {
    uint64_t h = handle_of(id, variant);
    CHECK(h < CTRIE_HANDLES, "no such handle");
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&references[h], 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&handles, 1, memory_order_relaxed);
    return h;
}

long live_handles(void) { return atomic_load(&handles); }
long live_references(void) { return atomic_load(&total); }
int references_of(uint64_t handle) { return atomic_load(&references[handle]); }

uint32_t hash_of(unsigned id) {
    return fp_ctrie_hash(ctrie_hashes ? id % ctrie_hashes : (uint64_t)id * 0x9E3779B97F4A7C15u);
}

/* Fetches the ways to this id and to some others: that must not matter. */
static void fetch_ids(struct fp_ctrie *t, struct fp_version *v, unsigned id) {
    uint32_t hash[FP_CTRIE_GROUP];
    size_t n = 1 + torture_random(FP_CTRIE_GROUP);
    for (size_t i = 0; i < n; i++)
        hash[i] = hash_of(id + (unsigned)i);
    if (v != NULL)
        fp_ctrie_version_fetch(v, hash, n);
    else
        fp_ctrie_fetch(t, hash, n);
}

int ctrie_find_id(struct fp_ctrie *t, struct fp_version *v, unsigned id) {
    if (torture_random(4) == 0)
        fetch_ids(t, v, id);
    uint64_t key = make_handle(id, torture_random(15)), value = 0;
    enum fp_status s = v != NULL ? fp_ctrie_version_get(v, key, hash_of(id), &value)
                                 : fp_ctrie_get(t, key, hash_of(id), &value);
    CHECK(s == FP_OK || s == FP_EMPTY, "get answers %d", (int)s);
    release(key);
    if (s != FP_OK)
        return -1;
    release(value);
    return (int)id_of(value);
}

struct fp_ctrie_change ctrie_do(struct fp_ctrie *t, enum fp_ctrie_mode mode, unsigned id, int value,
                                int expected) {
    struct fp_ctrie_change c = {.mode = mode, .hash = hash_of(id), .wants_old = true};
    c.key = make_handle(id, torture_random(15));
    c.value = value >= 0 ? make_handle((unsigned)value, torture_random(15)) : 0;
    c.expected = expected >= 0 ? make_handle((unsigned)expected, torture_random(15)) : 0;
    enum fp_status s = fp_ctrie_change(t, &c);
    CHECK(s == FP_OK, "a change answers %d", (int)s);
    release(c.key);
    if (c.value != 0)
        release(c.value);
    if (c.expected != 0)
        release(c.expected);
    if (c.found)
        release(c.old);
    return c;
}
