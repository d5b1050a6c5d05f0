/* fp_ctrie_gcas.c - deciding, committing, snapshots. See fp_ctrie.h; DESIGN.md has the proof. */
#include "maps/fp_ctrie_internal.h"

#include <string.h>

/* The main node was replaced, in generation `end`. */
static void retire(struct fp_access *a, struct fp_main *old, uint64_t end, const uint64_t gone[2]) {
    struct fp_lineage *l = &a->trie->line;
    if (old->birth <= l->floor)
        return; /* the parent's, and so is what it holds */
    old->unit.part[0] = gone[0];
    old->unit.part[1] = gone[1];
    a->tidy |= fp_lineage_retire(l, a->pin, &old->unit, end, &a->trash);
}

#if FP_PLAIN

bool fp__ctrie_commit(struct fp_access *a, struct fp_inode *in, struct fp_main *old,
                      struct fp_main *fresh) {
    if (fp_is_leaf(fresh->unit.part[1]))
        a->leaf = NULL;
    if (in == NULL)
        a->trie->root = fresh;
    else
        in->main = fresh;
    retire(a, old, fresh->birth, fresh->gone);
    return true;
}

#else

/* The new nodes below `m`, which no thread has ever reached. */
static void discard_fresh(struct fp_access *a, struct fp_main *m, bool leaf_too) {
    if (m->unit.part[0] != 0)
        fp__child_free(a->trie, m->unit.part[0]);
    if (m->unit.part[1] != 0 && (leaf_too || !fp_is_leaf(m->unit.part[1])))
        fp__ctrie_lineage_ops.discard(&a->trie->line, m->unit.part[1], &a->trash);
}

/* The root may have been born after the limit that this call has set itself. */
static uint64_t root_birth(struct fp_access *a) {
    uint64_t limit = fp_guard_widen(a->pin);
    uint64_t birth = ((struct fp_main *)fp_ptr_load_seq_cst(&a->trie->root))->birth;
    fp_guard_narrow(a->pin, limit);
    return birth;
}

void fp__ctrie_decide(struct fp_access *a, struct fp_inode *in, struct fp_main *m, void *prev) {
    if (((uintptr_t)prev & FP_FAILED_BIT) == 0) {
        /* The load is the linearization point of the change, if it stays. Seq_cst: it must not
         * come before the swap that put `m` in place. */
        bool stays = a->live && root_birth(a) == in->birth;
        void *expected = prev, *failed = (void *)((uintptr_t)prev | FP_FAILED_BIT);
        FP_STEP();
        if (fp_ptr_cas_seq_cst(&m->prev, &expected, stays ? NULL : failed) && stays)
            retire(a, prev, in->birth, m->gone);
        return;
    }
    void *old = (void *)((uintptr_t)prev & ~FP_FAILED_BIT), *expected = m;
    FP_STEP();
    if (!fp_ptr_cas_seq_cst(&in->main, &expected, old))
        return;
    /* It was undecided all the time: nobody has gone below it. */
    discard_fresh(a, m, true);
    m->unit.part[0] = m->unit.part[1] = 0;
    a->tidy |= fp_lineage_retire(&a->trie->line, a->pin, &m->unit, 0, &a->trash);
}

/* A root was replaced: it is no longer a copy of its version. */
static inline void let_go(struct fp_access *a, struct fp_main *root) {
    if (root->version != NULL)
        a->tidy |= fp_version_let_go(root->version);
}

/* A swap at the root is decided at once: generation and change are in the same word. */
static bool commit_at_root(struct fp_access *a, struct fp_main *old, struct fp_main *fresh) {
    void *expected = old;
    FP_STEP();
    /* The linearization point. Release half: publishes the new nodes. */
    if (!fp_ptr_cas_seq_cst(&a->trie->root, &expected, fresh))
        return false;
    FP_STEP();
    let_go(a, old);
    retire(a, old, fresh->birth, fresh->gone);
    return true;
}

bool fp__ctrie_commit(struct fp_access *a, struct fp_inode *in, struct fp_main *old,
                      struct fp_main *fresh) {
    if (in == NULL) {
        bool takes_leaf = fp_is_leaf(fresh->unit.part[1]);
        if (commit_at_root(a, old, fresh)) {
            a->leaf = takes_leaf ? NULL : a->leaf;
            return true;
        }
    } else {
        void *expected = old;
        bool takes_leaf = fp_is_leaf(fresh->unit.part[1]);
        fp_ptr_store_relaxed(&fresh->prev, old);
        FP_STEP();
        /* Release half: publishes the new nodes; pairs with fp__ctrie_decided. */
        if (fp_ptr_cas_seq_cst(&in->main, &expected, fresh)) {
            a->leaf = takes_leaf ? NULL : a->leaf; /* who undoes the change discards it */
            for (;;) {
                FP_STEP();
                void *prev = fp_ptr_load_seq_cst(&fresh->prev);
                if (prev == NULL)
                    return true;
                fp__ctrie_decide(a, in, fresh, prev);
                if ((uintptr_t)prev & FP_FAILED_BIT)
                    return false;
            }
        }
    }
    discard_fresh(a, fresh, false);
    fp__main_free(a->trie, fresh);
    return false;
}

#endif

/* Snapshots. ---------------------------------------------------------------------------------- */

/* The root's copy, or an empty one, of a later generation. */
static struct fp_main *next_root(struct fp_ctrie *t, const struct fp_main *old, bool empty) {
    struct fp_main *fresh = fp__main_new(t, empty ? 0 : old->bitmap, fp_lineage_generation());
    if (fresh != NULL)
        memcpy(fresh->slot, old->slot, fp_popcount(fresh->bitmap) * sizeof(uint64_t));
    return fresh;
}

#if FP_PLAIN

/* Nothing is copied: the version borrows the root, until fp__ctrie_own_root takes another. */
struct fp_version *fp_ctrie_snapshot(struct fp_ctrie *t) {
    struct fp_main *root = t->root;
    struct fp_version *v = t->line.newest;
    if (root->birth <= fp_lineage_shared(&t->line)) { /* unchanged since then */
        fp_version_retain(v);
        return v;
    }
    v = fp_version_lend(&t->line, root->birth, fp_word(root, FP_MAIN));
    if (v != NULL)
        v->size = t->size;
    return v;
}

struct fp_main *fp__ctrie_own_root(struct fp_ctrie *t) {
    struct fp_main *root = t->root;
    if (root->birth > fp_lineage_shared(&t->line))
        return root;
    struct fp_main *fresh = next_root(t, root, false);
    if (fresh != NULL) {
        fp_version_keep(t->line.newest, false);
        t->root = fresh;
    }
    return fresh;
}

enum fp_status fp_ctrie_clear(struct fp_ctrie *t) {
    struct fp_main *fresh = next_root(t, t->root, true);
    struct fp_version *v = fresh != NULL ? fp_ctrie_snapshot(t) : NULL;
    if (v == NULL) {
        if (fresh != NULL)
            fp__main_free(t, fresh);
        return FP_NO_MEMORY;
    }
    fp_version_keep(v, true);
    t->root = fresh;
    t->size = 0;
    fp_version_release(v);
    return FP_OK;
}

#else

/* Replaces the root's main node by `fresh`, of a new generation, and opens a version with the old
 * one. FP_RETRY: the root was changed meanwhile. */
static enum fp_status raise_generation(struct fp_access *a, struct fp_main *old,
                                       struct fp_main *fresh, bool cut, struct fp_version **v) {
    struct fp_ctrie *t = a->trie;
    void *expected = old;
    *v = fp_version_enter(&t->line, old->birth, fp_word(old, FP_MAIN), cut ? 1 : 2);
    if (*v == NULL)
        return FP_NO_MEMORY;
    fresh->version = cut ? NULL : *v; /* the second reference */
    FP_STEP();
    /* The linearization point. The version has been entered before. */
    if (!fp_ptr_cas_seq_cst(&t->root, &expected, fresh)) {
        fp_version_drop(*v);
        return FP_RETRY;
    }
    FP_STEP();
    a->tidy |= fp_version_open(*v, a->pin, cut);
    let_go(a, old);
    return FP_OK;
}

static enum fp_status snapshot(struct fp_ctrie *t, bool clear, struct fp_version **v) {
    struct fp_access a;
    enum fp_status s;
    fp__access_begin(&a, t, true);
    do {
        a.pin = fp_guard();
        if (a.pin == NULL) {
            s = FP_NO_MEMORY;
            break;
        }
        struct fp_main *old = fp_ptr_load_seq_cst(&t->root);
        fp_guard_narrow(a.pin, old->birth);
        *v = old->version;
        if (!clear && *v != NULL) { /* unchanged since then; or no longer the root */
            s = fp_version_try_retain(*v) ? FP_OK : FP_RETRY;
            fp_unguard(a.pin);
            continue;
        }
        struct fp_main *fresh = next_root(t, old, clear);
        s = fresh != NULL ? raise_generation(&a, old, fresh, clear, v) : FP_NO_MEMORY;
        if (s != FP_OK && fresh != NULL)
            fp__main_free(t, fresh);
        fp_unguard(a.pin);
    } while (s == FP_RETRY);
    fp__access_end(&a);
    return s;
}

struct fp_version *fp_ctrie_snapshot(struct fp_ctrie *t) {
    struct fp_version *v;
    return snapshot(t, false, &v) == FP_OK ? v : NULL;
}

/* Clearing is a snapshot with nothing after it, and nobody who holds it. */
enum fp_status fp_ctrie_clear(struct fp_ctrie *t) {
    struct fp_version *v;
    enum fp_status s = snapshot(t, true, &v);
    if (s == FP_OK)
        fp_version_release(v);
    return s;
}

#endif

struct fp_ctrie *fp_ctrie_create(const struct fp_ctrie_host *host, struct fp_version *base) {
    struct fp_ctrie *t = host->memory.alloc(sizeof *t);
    if (t == NULL)
        return NULL;
    t->host = host;
    struct fp_main *old = base != NULL ? fp_node(base->root) : NULL;
    struct fp_main *root =
        old != NULL ? next_root(t, old, false) : fp__main_new(t, 0, fp_lineage_generation());
    if (root == NULL) {
        host->memory.free(t, sizeof *t);
        return NULL;
    }
    fp_lineage_init(&t->line, &fp__ctrie_lineage_ops, &host->memory, base);
    fp_ptr_store_relaxed(&t->root, root);
    fp_u64_store_relaxed(&t->size, base != NULL ? fp_u64_load_relaxed(&base->size) : 0);
    return t;
}

bool fp_ctrie_hold(struct fp_ctrie *t) { return fp_lineage_join(&t->line); }

void fp_ctrie_end(struct fp_ctrie *t) {
    if (!fp_lineage_leave(&t->line))
        return;
    struct fp_main *root = fp_ptr_load_acquire(&t->root);
    struct fp_version *v = root->version;
    root->version = NULL;
    fp_version_release(v);
    fp_lineage_end(&t->line, fp_word(root, FP_MAIN));
}
