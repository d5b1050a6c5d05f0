/* fp_ctrie_walk.c - going through a version: iteration, counting, and the garbage collector. */
#include "maps/fp_ctrie_internal.h"

void fp_ctrie_walk_start(struct fp_ctrie_walk *w, struct fp_version *v) {
    w->version = v;
    w->depth = 1;
    w->leaf = 0;
    w->stack[0].main = fp_node(v->root);
    w->stack[0].slot = 0;
}

/* The next leaf, or NULL. What a version can see stays where it is, decided once and for all, so
 * the stack may hold pointers while the thread is not pinned. */
static struct fp_leaf *next_leaf(struct fp_access *a, struct fp_ctrie_walk *w) {
    while (w->depth > 0) {
        struct fp_main *m = w->stack[w->depth - 1].main;
        if (w->stack[w->depth - 1].slot == fp_popcount(m->bitmap)) {
            w->depth--;
            continue;
        }
        uint64_t child = m->slot[w->stack[w->depth - 1].slot];
        if ((child & FP_KIND) == FP_BUCKET) {
            struct fp_bucket *b = fp_node(child);
            struct fp_leaf *leaf = b->leaf[w->leaf];
            if (++w->leaf == b->count) {
                w->leaf = 0;
                w->stack[w->depth - 1].slot++;
            }
            return leaf;
        }
        w->stack[w->depth - 1].slot++;
        if ((child & FP_KIND) == FP_LEAF)
            return fp_node(child);
        w->stack[w->depth].main = fp__ctrie_decided(a, fp_node(child));
        w->stack[w->depth].slot = 0;
        w->depth++;
    }
    return NULL;
}

enum fp_status fp_ctrie_walk_next(struct fp_ctrie_walk *w, uint64_t *key, uint64_t *value,
                                  bool retain) {
    struct fp_access a;
    struct fp_ctrie *t = fp_ctrie_of(w->version);
    fp__access_begin(&a, t, false);
    a.pin = fp_guard();
    if (a.pin == NULL)
        return FP_NO_MEMORY;
    fp_guard_narrow(a.pin, w->version->generation);
    struct fp_leaf *leaf = next_leaf(&a, w);
    if (leaf != NULL) {
        *key = leaf->key;
        *value = leaf->value;
        if (retain) {
            t->host->retain(*key);
            t->host->retain(*value);
        }
    }
    fp_unguard(a.pin);
    fp__access_end(&a);
    return leaf != NULL ? FP_OK : FP_EMPTY;
}

/* Leaves below a main node of a version, which will not change any more. */
static uint64_t count(struct fp_access *a, struct fp_main *m) {
    uint64_t known = fp_u64_load_relaxed(&m->count), sum = 0;
    if (known != 0)
        return known - 1;
    for (uint32_t i = fp_popcount(m->bitmap); i-- > 0;) {
        uint64_t child = m->slot[i];
        if ((child & FP_KIND) == FP_LEAF)
            sum++;
        else if ((child & FP_KIND) == FP_BUCKET)
            sum += ((struct fp_bucket *)fp_node(child))->count;
        else
            sum += count(a, fp__ctrie_decided(a, fp_node(child)));
    }
    fp_u64_store_relaxed(&m->count, sum + 1); /* whoever counts it finds the same */
    return sum;
}

enum fp_status fp_ctrie_version_size(struct fp_version *v, uint64_t *size) {
    struct fp_access a;
    *size = fp_u64_load_relaxed(&v->size);
    if (FP_PLAIN)
        return FP_OK;
    fp__access_begin(&a, fp_ctrie_of(v), false);
    a.pin = fp_guard();
    if (a.pin == NULL)
        return FP_NO_MEMORY;
    fp_guard_narrow(a.pin, v->generation);
    *size = count(&a, fp_node(v->root));
    fp_unguard(a.pin);
    fp__access_end(&a);
    return FP_OK;
}

enum fp_status fp_ctrie_size(struct fp_ctrie *t, uint64_t *size) {
    *size = fp_u64_load_relaxed(&t->size);
    if (FP_PLAIN)
        return FP_OK;
    struct fp_version *v = fp_ctrie_snapshot(t);
    if (v == NULL)
        return FP_NO_MEMORY;
    enum fp_status s = fp_ctrie_version_size(v, size);
    fp_version_release(v);
    return s;
}

int fp_ctrie_visit(struct fp_ctrie *t, fp_handle_visitor fn, void *arg) {
    uint64_t root = 0;
    if (!fp_u64_load_relaxed(&t->line.ended))
        root = fp_word(fp_ptr_load_relaxed(&t->root), FP_MAIN);
    return fp_lineage_visit(&t->line, root, fn, arg);
}

static size_t bytes(struct fp_access *a, struct fp_main *m) {
    uint32_t slots = fp_popcount(m->bitmap);
    size_t sum = sizeof *m + slots * sizeof(uint64_t);
    for (uint32_t i = 0; i < slots; i++) {
        uint64_t child = m->slot[i];
        if ((child & FP_KIND) == FP_LEAF) {
            sum += sizeof(struct fp_leaf);
        } else if ((child & FP_KIND) == FP_BUCKET) {
            struct fp_bucket *b = fp_node(child);
            sum += sizeof *b + b->count * (sizeof(struct fp_leaf *) + sizeof(struct fp_leaf));
        } else {
            sum += sizeof(struct fp_inode);
            sum += bytes(a, fp__ctrie_decided(a, fp_node(child)));
        }
    }
    return sum;
}

size_t fp_ctrie_memory(struct fp_version *v) {
    struct fp_access a;
    fp__access_begin(&a, fp_ctrie_of(v), false);
    a.pin = fp_guard();
    if (a.pin == NULL)
        return 0;
    fp_guard_narrow(a.pin, v->generation);
    size_t sum = sizeof(struct fp_ctrie) + bytes(&a, fp_node(v->root));
    fp_unguard(a.pin);
    fp__access_end(&a);
    return sum;
}
