/* fp_ctrie_change.c - storing and removing. */
#include "maps/fp_ctrie_internal.h"

#include <string.h>

/* Where an attempt has got to: `m` is the main node behind `in` (NULL: at the root), on `level`. */
struct place {
    struct fp_inode *in;
    struct fp_main *m;
    int level;
    uint32_t turned;
    uint64_t generation; /* of the live trie */
    uint64_t shared;     /* nodes born later are the live trie's alone */
};

/* At the root. False: no memory. */
static bool start(struct fp_access *a, struct place *p, uint32_t hash) {
#if FP_PLAIN
    struct fp_main *root = fp__ctrie_own_root(a->trie);
    if (root == NULL)
        return false;
    uint64_t shared = fp_lineage_shared(&a->trie->line);
#else
    struct fp_main *root = fp__ctrie_root(a);
    uint64_t shared = root->birth - 1; /* whoever can see them or not */
#endif
    *p = (struct place){NULL, root, 0, fp_hash_turn(hash), root->birth, shared};
    return true;
}

/* FP_OK: done; FP_RETRY: start again; FP_NO_MEMORY. */
static enum fp_status commit(struct fp_access *a, const struct place *p, struct fp_main *fresh) {
    if (fresh == NULL)
        return FP_NO_MEMORY;
    return fp__ctrie_commit(a, p->in, p->m, fresh) ? FP_OK : FP_RETRY;
}

/* A main node below the root with nothing but a leaf is a tomb: final, to be moved up. */
static void entomb(struct fp_main *m, const struct place *p) {
    if (p->level > 0 && fp_popcount(m->bitmap) == 1 && (m->slot[0] & FP_KIND) == FP_LEAF)
        m->tomb = 1;
}

/* A change of one slot. */
struct swap {
    uint64_t child;   /* what comes */
    uint64_t gone[2]; /* what goes, or 0 */
    uint64_t made[2]; /* what is new of it, as in fp_main.unit.part */
};

/* FP_OK; FP_RETRY: start again, and what was made is gone, but for a->leaf; FP_NO_MEMORY. */
static enum fp_status swap_child(struct fp_access *a, const struct place *p, const struct swap *w) {
    uint32_t at = fp_slot_of(p->m, p->turned);
#if FP_PLAIN
    if (p->m->birth > p->shared) {
        if (!fp_lineage_replace(&a->trie->line, w->gone, p->generation, &a->trash))
            return FP_NO_MEMORY;
        if (fp_is_leaf(w->made[1]))
            a->leaf = NULL;
        p->m->slot[at] = w->child;
        entomb(p->m, p);
        return FP_OK;
    }
#endif
    struct fp_main *fresh = fp__main_update(a->trie, p->m, p->generation, at, w->child);
    if (fresh == NULL)
        return FP_NO_MEMORY;
    memcpy(fresh->gone, w->gone, sizeof w->gone);
    memcpy(fresh->unit.part, w->made, sizeof w->made);
    entomb(fresh, p);
    return commit(a, p, fresh);
}

/* Moves the leaf of the tomb behind the I-node `next` up into the I-node's place. */
static enum fp_status contract(struct fp_access *a, const struct place *p, struct fp_inode *next,
                               struct fp_main *tomb) {
    struct swap w = {tomb->slot[0], {fp_word(next, FP_INODE), fp_word(tomb, FP_MAIN)}, {0, 0}};
    return swap_child(a, p, &w);
}

/* Puts an I-node of the present generation in the place of the older `*next`, but not of what is
 * behind it. */
static enum fp_status renew(struct fp_access *a, const struct place *p, struct fp_inode **next,
                            struct fp_main *below) {
    struct fp_inode *in = fp__inode_new(a->trie, p->generation, below);
    if (in == NULL)
        return FP_NO_MEMORY;
    uint64_t fresh = fp_word(in, FP_INODE);
    struct swap w = {fresh, {fp_word(*next, FP_INODE), 0}, {0, fresh}};
    enum fp_status s = swap_child(a, p, &w);
    if (s == FP_NO_MEMORY)
        a->trie->host->memory.free(in, sizeof *in);
    *next = in;
    return s;
}

/* Goes down to the slot of the hash where no I-node is: FP_OK and the place. */
static enum fp_status descend(struct fp_access *a, uint32_t hash, struct place *p) {
    if (!start(a, p, hash))
        return FP_NO_MEMORY;
    for (;; p->turned = fp_hash_turn(p->turned), p->level++) {
        if (!fp_has_slot(p->m, p->turned))
            return FP_OK;
        uint64_t child = p->m->slot[fp_slot_of(p->m, p->turned)];
        if ((child & FP_KIND) != FP_INODE)
            return FP_OK;
        struct fp_inode *next = fp_node(child);
        fp_prefetch_slot(fp_ptr_load_relaxed(&next->main), fp_hash_turn(p->turned));
        struct fp_main *below = fp__ctrie_decided(a, next);
        enum fp_status s = FP_OK;
        if (below->tomb) {
            s = contract(a, p, next, below);
            return s == FP_OK ? FP_RETRY : s;
        }
        if (next->birth <= p->shared) {
            s = renew(a, p, &next, below);
            if (s != FP_OK)
                return s;
            below = fp__ctrie_decided(a, next);
            if (below->tomb) /* it has been ours for long enough */
                return FP_RETRY;
        }
        p->in = next;
        p->m = below;
    }
}

/* Digs up tombs along the hash, as far as that is this generation's business. Only tidies. */
static void contract_path(struct fp_access *a, uint32_t hash) {
    struct place p;
again:
    fp_guard_widen(a->pin);
    if (!start(a, &p, hash))
        return;
    for (;; p.turned = fp_hash_turn(p.turned), p.level++) {
        if (!fp_has_slot(p.m, p.turned))
            return;
        uint64_t child = p.m->slot[fp_slot_of(p.m, p.turned)];
        if ((child & FP_KIND) != FP_INODE)
            return;
        struct fp_inode *next = fp_node(child);
        struct fp_main *below = fp__ctrie_decided(a, next);
        if (below->tomb) {
            if (contract(a, &p, next, below) == FP_NO_MEMORY)
                return;
            goto again;
        }
        if (next->birth <= p.shared)
            return; /* frozen: whoever renews it meets the tomb below */
        p.in = next;
        p.m = below;
    }
}

/* a->leaf becomes a leaf for this. False: no memory. */
static bool make_leaf(struct fp_access *a, const struct place *p, const struct fp_ctrie_change *c,
                      uint64_t key) {
    const struct fp_ctrie_host *host = a->trie->host;
    struct fp_leaf *leaf = a->leaf;
    if (leaf != NULL && leaf->key != key) {
        fp__ctrie_lineage_ops.discard(&a->trie->line, fp_word(leaf, FP_LEAF), &a->trash);
        leaf = NULL;
    }
    if (leaf == NULL) {
        leaf = host->memory.alloc(sizeof *leaf);
        a->leaf = leaf;
        if (leaf == NULL)
            return false;
        *leaf = (struct fp_leaf){0, key, c->value, c->hash};
        host->retain(key);
        host->retain(c->value);
    }
    leaf->birth = p->generation;
    return true;
}

/* A new leaf beside what is in the slot. 0: no memory. */
static uint64_t child_with(struct fp_access *a, const struct place *p, uint64_t child) {
    struct fp_leaf *few[FP_BUCKET_MOST + 1];
    struct fp_bucket *b = fp_node(child);
    if ((child & FP_KIND) == FP_LEAF) {
        few[0] = fp_node(child);
        few[1] = a->leaf;
        return fp__child_of(a->trie, p->generation, few, 2, p->level + 1);
    }
    if (p->level < FP_LAST_LEVEL && b->count == FP_BUCKET_MOST) {
        memcpy(few, b->leaf, sizeof few - sizeof *few);
        few[FP_BUCKET_MOST] = a->leaf;
        return fp__child_of(a->trie, p->generation, few, FP_BUCKET_MOST + 1, p->level + 1);
    }
    struct fp_bucket *fresh = fp__bucket_new(a->trie, p->generation, b->count + 1);
    if (fresh == NULL)
        return 0;
    memcpy(fresh->leaf, b->leaf, b->count * sizeof *b->leaf);
    memcpy(fresh->tag, b->tag, sizeof b->tag);
    fresh->leaf[b->count] = a->leaf;
    fresh->tag[b->count % FP_BUCKET_MOST] = (uint8_t)a->leaf->hash;
    return fp_word(fresh, FP_BUCKET);
}

static enum fp_status add(struct fp_access *a, const struct place *p, struct fp_ctrie_change *c) {
    if (!make_leaf(a, p, c, c->key))
        return FP_NO_MEMORY;
    uint64_t leaf = fp_word(a->leaf, FP_LEAF);
    if (!fp_has_slot(p->m, p->turned)) {
        struct fp_main *fresh = fp__main_insert(a->trie, p->m, p->generation, p->turned, leaf);
        if (fresh != NULL)
            fresh->unit.part[1] = leaf;
        return commit(a, p, fresh);
    }
    uint64_t old = p->m->slot[fp_slot_of(p->m, p->turned)], child = child_with(a, p, old);
    if (child == 0)
        return FP_NO_MEMORY;
    struct swap w = {child, {(old & FP_KIND) == FP_BUCKET ? old : 0, 0}, {child, leaf}};
    enum fp_status s = swap_child(a, p, &w);
    if (s == FP_NO_MEMORY)
        fp__child_free(a->trie, child);
    return s;
}

/* The bucket with `leaf` replaced, or (NULL) left out. 0: no memory. */
static uint64_t bucket_with(struct fp_access *a, const struct place *p, struct fp_bucket *b,
                            struct fp_leaf *leaf, struct fp_leaf *fresh_leaf) {
    if (fresh_leaf == NULL && b->count == 2)
        return fp_word(b->leaf[b->leaf[0] == leaf], FP_LEAF);
    struct fp_bucket *fresh =
        fp__bucket_new(a->trie, p->generation, b->count - (fresh_leaf == NULL));
    if (fresh == NULL)
        return 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (b->leaf[i] != leaf || fresh_leaf != NULL) {
            fresh->tag[n % FP_BUCKET_MOST] = b->tag[i % FP_BUCKET_MOST];
            fresh->leaf[n++] = b->leaf[i] != leaf ? b->leaf[i] : fresh_leaf;
        }
    return fp_word(fresh, FP_BUCKET);
}

/* Removes the slot. */
static enum fp_status remove_slot(struct fp_access *a, const struct place *p, uint64_t leaf) {
    struct fp_main *fresh = fp__main_remove(a->trie, p->m, p->generation, p->turned);
    if (fresh != NULL) {
        fresh->gone[0] = leaf;
        entomb(fresh, p);
    }
    return commit(a, p, fresh);
}

/* Replaces the leaf that was found, in the slot or in the bucket there, or (NULL) removes it. */
static enum fp_status swap_leaf(struct fp_access *a, const struct place *p, struct fp_leaf *leaf,
                                struct fp_leaf *fresh) {
    uint64_t old = p->m->slot[fp_slot_of(p->m, p->turned)];
    uint64_t gone = fp_word(leaf, FP_LEAF), made = fresh != NULL ? fp_word(fresh, FP_LEAF) : 0;
    if ((old & FP_KIND) == FP_LEAF) {
        if (fresh == NULL)
            return remove_slot(a, p, gone);
        struct swap w = {made, {gone, 0}, {0, made}};
        return swap_child(a, p, &w);
    }
    uint64_t child = bucket_with(a, p, fp_node(old), leaf, fresh);
    if (child == 0)
        return FP_NO_MEMORY;
    bool bucket = (child & FP_KIND) == FP_BUCKET;
    struct swap w = {child, {gone, old}, {bucket ? child : 0, made}};
    enum fp_status s = swap_child(a, p, &w);
    if (s == FP_NO_MEMORY && bucket)
        fp__child_free(a->trie, child);
    return s;
}

/* Replaces or removes the leaf that was found. */
static enum fp_status alter(struct fp_access *a, const struct place *p, struct fp_ctrie_change *c,
                            struct fp_leaf *leaf) {
    if (c->mode == FP_CTRIE_REMOVE) {
        enum fp_status s = swap_leaf(a, p, leaf, NULL);
        if (s == FP_OK && p->level > 0)
            contract_path(a, c->hash);
        return s;
    }
    if (FP_PLAIN && leaf->birth > p->shared) {
        a->trie->host->retain(c->value);
        a->dropped = leaf->value;
        leaf->value = c->value;
        return FP_OK;
    }
    return make_leaf(a, p, c, leaf->key) ? swap_leaf(a, p, leaf, a->leaf) : FP_NO_MEMORY;
}

/* Does the change apply to what was found (NULL: nothing)? FP_OK: yes; FP_EMPTY: no. */
static enum fp_status applies(struct fp_access *a, const struct fp_ctrie_change *c,
                              struct fp_leaf *leaf) {
    if (c->mode == FP_CTRIE_STORE)
        return FP_OK;
    if (c->mode == FP_CTRIE_ADD || leaf == NULL)
        return (c->mode == FP_CTRIE_ADD) == (leaf == NULL) ? FP_OK : FP_EMPTY;
    if (c->expected == 0)
        return FP_OK;
    int answer = fp__access_judge(a, leaf->value, c->expected);
    if (answer >= 0)
        return answer ? FP_OK : FP_EMPTY;
    return fp__access_note(a, leaf->value, c->expected) == FP_OK ? FP_RETRY : FP_NO_MEMORY;
}

static void answer(struct fp_access *a, struct fp_ctrie_change *c, bool found, uint64_t old,
                   bool changed) {
    c->changed = changed;
    c->found = found;
    if (found && c->wants_old) {
        c->old = old;
        a->trie->host->retain(old);
    }
}

/* Looks first, where that may be the end of it: reading writes nothing. */
static enum fp_status look(struct fp_access *a, struct fp_ctrie_change *c, bool *done) {
    struct fp_leaf *leaf = NULL;
    enum fp_status s =
        fp__ctrie_find(a, fp_ptr_load_seq_cst(&a->trie->root), c->key, c->hash, &leaf);
    if (s == FP_EMPTY)
        leaf = NULL;
    else if (s != FP_OK)
        return s;
    s = applies(a, c, leaf);
    *done = s == FP_EMPTY;
    if (*done)
        answer(a, c, leaf != NULL, leaf != NULL ? leaf->value : 0, false);
    return *done ? FP_OK : s;
}

static enum fp_status attempt(struct fp_access *a, void *arg) {
    struct fp_ctrie_change *c = arg;
    struct place p;
    struct fp_leaf *leaf = NULL;
    bool done = false;
    enum fp_status s = c->mode == FP_CTRIE_STORE ? FP_OK : look(a, c, &done);
    if (done || s != FP_OK)
        return s;
    s = descend(a, c->hash, &p);
    if (s != FP_OK)
        return s;
    s = fp_has_slot(p.m, p.turned)
            ? fp__ctrie_pick(a, p.m->slot[fp_slot_of(p.m, p.turned)], c->key, c->hash, &leaf)
            : FP_EMPTY;
    if (s == FP_EMPTY)
        leaf = NULL;
    else if (s != FP_OK)
        return s;
    s = applies(a, c, leaf);
    const uint64_t old = leaf != NULL ? leaf->value : 0;
    if (s == FP_EMPTY) {
        answer(a, c, leaf != NULL, old, false);
        return FP_OK;
    }
    if (s == FP_OK)
        s = leaf == NULL ? add(a, &p, c) : alter(a, &p, c, leaf);
    if (s == FP_OK) {
        answer(a, c, leaf != NULL, old, true);
#if FP_PLAIN
        a->trie->size += (uint64_t)(leaf == NULL) - (c->mode == FP_CTRIE_REMOVE);
#endif
    }
    return s;
}

enum fp_status fp_ctrie_change(struct fp_ctrie *t, struct fp_ctrie_change *c) {
    struct fp_access a;
    fp__access_begin(&a, t, true);
    return fp__access_run(&a, attempt, c);
}

/* The key of some leaf, retained. */
static enum fp_status any_key(struct fp_ctrie *t, uint64_t *key, uint32_t *hash) {
    struct fp_access a;
    fp__access_begin(&a, t, true);
    a.pin = fp_guard();
    if (a.pin == NULL)
        return FP_NO_MEMORY;
    struct fp_main *m = fp__ctrie_root(&a);
    enum fp_status s = m->bitmap == 0 ? FP_EMPTY : FP_OK; /* only the root's may be empty */
    while (s == FP_OK && (m->slot[0] & FP_KIND) == FP_INODE)
        m = fp__ctrie_decided(&a, fp_node(m->slot[0]));
    if (s == FP_OK) {
        uint64_t child = m->slot[0];
        struct fp_leaf *leaf = (child & FP_KIND) == FP_LEAF
                                   ? fp_node(child)
                                   : ((struct fp_bucket *)fp_node(child))->leaf[0];
        *key = leaf->key;
        *hash = leaf->hash;
        t->host->retain(*key);
    }
    fp_unguard(a.pin);
    fp__access_end(&a);
    return s;
}

enum fp_status fp_ctrie_pop(struct fp_ctrie *t, struct fp_ctrie_change *c) {
    for (;;) {
        enum fp_status s = any_key(t, &c->key, &c->hash);
        if (s != FP_OK)
            return s;
        c->mode = FP_CTRIE_REMOVE;
        c->expected = 0;
        c->wants_old = true;
        s = fp_ctrie_change(t, c);
        if (s == FP_OK && c->changed) {
            c->old_key = c->key;
            return FP_OK;
        }
        t->host->release(c->key);
        if (s != FP_OK)
            return s;
    }
}
