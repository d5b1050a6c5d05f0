/* fp_ctrie_find.c - looking up a key. */
#include "maps/fp_ctrie_internal.h"

static FP_NOINLINE enum fp_status pick_from_bucket(struct fp_access *a, struct fp_bucket *b,
                                                   uint64_t key, uint32_t hash,
                                                   struct fp_leaf **found) {
    enum fp_status s = FP_EMPTY;
    for (uint32_t i = 0; i < b->count; i++) {
        struct fp_leaf *leaf = b->leaf[i];
        if (!fp_may_match(b, i, hash) || leaf->hash != hash)
            continue;
        int answer = fp__access_judge(a, leaf->key, key);
        if (answer == 1) {
            *found = leaf;
            return FP_OK;
        }
        if (answer < 0) { /* go on: another leaf may settle it */
            s = fp__access_note(a, leaf->key, key);
            if (s != FP_OK)
                return s;
            s = FP_RETRY;
        }
    }
    return s;
}

enum fp_status fp__ctrie_pick(struct fp_access *a, uint64_t child, uint64_t key, uint32_t hash,
                              struct fp_leaf **found) {
    struct fp_leaf *leaf = fp_node(child);
    if ((child & FP_KIND) == FP_BUCKET)
        return pick_from_bucket(a, fp_node(child), key, hash, found);
    if (leaf->hash != hash)
        return FP_EMPTY;
    *found = leaf;
    if (FP_LIKELY(leaf->key == key))
        return FP_OK;
    int answer = fp__access_judge(a, leaf->key, key);
    if (answer >= 0)
        return answer ? FP_OK : FP_EMPTY;
    return fp__access_note(a, leaf->key, key) == FP_OK ? FP_RETRY : FP_NO_MEMORY;
}

enum fp_status fp__ctrie_find(struct fp_access *a, struct fp_main *m, uint64_t key, uint32_t hash,
                              struct fp_leaf **found) {
    uint32_t turned = hash;
    for (;;) {
        turned = fp_hash_turn(turned);
        if (!fp_has_slot(m, turned))
            return FP_EMPTY;
        uint64_t child = m->slot[fp_slot_of(m, turned)];
        if ((child & FP_KIND) != FP_INODE)
            return fp__ctrie_pick(a, child, key, hash, found);
        struct fp_inode *in = fp_node(child);
        fp_prefetch_slot(fp_ptr_load_relaxed(&in->main), fp_hash_turn(turned));
        m = fp__ctrie_decided(a, in);
    }
}

static inline bool is_it(const struct fp_ctrie_host *host, const struct fp_leaf *leaf, uint64_t key,
                         uint32_t hash) {
    return leaf->hash == hash && (FP_LIKELY(leaf->key == key) || host->same(leaf->key, key) == 1);
}

/* The usual case: everything on the way is decided, and the key is there and easily compared.
 * Pinned. NULL: this is not the usual case. */
static inline struct fp_leaf *find_quickly(const struct fp_ctrie_host *host, struct fp_main *m,
                                           uint64_t key, uint32_t hash) {
    for (uint32_t turned = hash;;) {
        turned = fp_hash_turn(turned);
        if (!fp_has_slot(m, turned))
            return NULL;
        uint64_t child = m->slot[fp_slot_of(m, turned)];
        if ((child & FP_KIND) == FP_INODE) {
            /* Seq_cst: as in fp__ctrie_decided. */
            m = fp_ptr_load_seq_cst(&((struct fp_inode *)fp_node(child))->main);
            fp_prefetch_slot(m, fp_hash_turn(turned));
#if !FP_PLAIN /* with FP_PLAIN no thread sees it undecided */
            if (FP_UNLIKELY(fp_ptr_load_seq_cst(&m->prev) != NULL))
                return NULL;
#endif
        } else if ((child & FP_KIND) == FP_BUCKET) {
            struct fp_bucket *b = fp_node(child);
            for (uint32_t i = 0; i < b->count; i++)
                if (fp_may_match(b, i, hash) && is_it(host, b->leaf[i], key, hash))
                    return b->leaf[i];
            return NULL;
        } else {
            struct fp_leaf *leaf = fp_node(child);
            return is_it(host, leaf, key, hash) ? leaf : NULL;
        }
    }
}

struct wanted {
    struct fp_version *version; /* NULL: the live trie */
    uint64_t key, value;
    uint32_t hash;
};

static enum fp_status get_attempt(struct fp_access *a, void *arg) {
    struct wanted *w = arg;
    struct fp_leaf *leaf;
    /* Linearizes here, or at the load that found a main node below decided. */
    struct fp_main *m = w->version == NULL ? fp__ctrie_root(a) : fp_node(w->version->root);
    enum fp_status s = fp__ctrie_find(a, m, w->key, w->hash, &leaf);
    if (s == FP_OK) {
        w->value = leaf->value;
        a->trie->host->retain(leaf->value);
    }
    return s;
}

/* v: NULL for the live trie. */
static FP_NOINLINE enum fp_status get_slowly(struct fp_ctrie *t, struct fp_version *v, uint64_t key,
                                             uint32_t hash, uint64_t *value) {
    struct fp_access a;
    struct wanted w = {v, key, 0, hash};
    fp__access_begin(&a, t, v == NULL);
    enum fp_status s = fp__access_run(&a, get_attempt, &w);
    *value = w.value;
    return s;
}

static inline enum fp_status get(struct fp_ctrie *t, struct fp_version *v, uint64_t key,
                                 uint32_t hash, uint64_t *value) {
    struct fp_epoch_record *pin = fp_guard();
    if (FP_UNLIKELY(pin == NULL))
        return FP_NO_MEMORY;
    const struct fp_ctrie_host *host = t->host;
    struct fp_main *m = v == NULL ? fp_ptr_load_seq_cst(&t->root) : fp_node(v->root);
    fp_guard_narrow(pin, m->birth);
    struct fp_leaf *leaf = find_quickly(host, m, key, hash);
    if (FP_LIKELY(leaf != NULL)) {
        *value = leaf->value;
        host->retain(leaf->value);
    }
    fp_unguard(pin);
    return leaf != NULL ? FP_OK : get_slowly(t, v, key, hash, value);
}

enum fp_status fp_ctrie_get(struct fp_ctrie *t, uint64_t key, uint32_t hash, uint64_t *value) {
    return get(t, NULL, key, hash, value);
}

enum fp_status fp_ctrie_version_get(struct fp_version *v, uint64_t key, uint32_t hash,
                                    uint64_t *value) {
    return get(fp_ctrie_of(v), v, key, hash, value);
}

/* One step on the way to a key, from a node that was asked for a step ago. Asks for the next node
 * and answers it; 0: the way ends, or goes on behind a main node that is undecided. Pinned. */
static uint64_t fetch_next(uint64_t word, uint32_t turned, uint32_t hash) {
    uint64_t next = 0;
    switch (word & FP_KIND) {
    case FP_INODE: {
        /* Seq_cst, and so the load of prev below: as in fp__ctrie_decided. */
        struct fp_main *m = fp_ptr_load_seq_cst(&((struct fp_inode *)fp_node(word))->main);
        fp_prefetch_slot(m, turned);
        FP_FETCH_TO_READ(&m->prev);
        return fp_word(m, FP_MAIN);
    }
    case FP_MAIN: {
        struct fp_main *m = fp_node(word);
        if (fp_ptr_load_seq_cst(&m->prev) == NULL && fp_has_slot(m, turned))
            next = m->slot[fp_slot_of(m, turned)];
        break;
    }
    case FP_BUCKET: {
        struct fp_bucket *b = fp_node(word);
        for (uint32_t i = 0; i < b->count && next == 0; i++)
            if (fp_may_match(b, i, hash))
                next = fp_word(b->leaf[i], FP_LEAF);
        break;
    }
    default: { /* the handles are addresses, or do no harm: a processor ignores a bad one */
        struct fp_leaf *leaf = fp_node(word);
        FP_FETCH_TO_READ((void *)(uintptr_t)leaf->key);
        FP_FETCH_TO_WRITE((void *)(uintptr_t)leaf->value);
        return 0;
    }
    }
    if (next != 0)
        FP_FETCH_TO_READ(fp_node(next));
    return next;
}

static void fetch(struct fp_ctrie *t, struct fp_version *v, const uint32_t *hash, size_t n) {
    struct fp_epoch_record *pin = fp_guard();
    if (pin == NULL)
        return;
    struct fp_main *root = v == NULL ? fp_ptr_load_seq_cst(&t->root) : fp_node(v->root);
    fp_guard_narrow(pin, root->birth);
    uint64_t at[FP_CTRIE_GROUP];
    uint32_t turned[FP_CTRIE_GROUP];
    for (size_t i = 0; i < n; i++) {
        at[i] = fp_word(root, FP_MAIN);
        turned[i] = fp_hash_turn(hash[i]);
    }
    for (bool under_way = true; under_way;) {
        under_way = false;
        for (size_t i = 0; i < n; i++) {
            if (at[i] == 0)
                continue;
            if ((at[i] & FP_KIND) == FP_INODE)
                turned[i] = fp_hash_turn(turned[i]);
            FP_STEP();
            at[i] = fetch_next(at[i], turned[i], hash[i]);
            under_way |= at[i] != 0;
        }
    }
    fp_unguard(pin);
}

void fp_ctrie_fetch(struct fp_ctrie *t, const uint32_t *hash, size_t n) { fetch(t, NULL, hash, n); }

void fp_ctrie_version_fetch(struct fp_version *v, const uint32_t *hash, size_t n) {
    fetch(fp_ctrie_of(v), v, hash, n);
}
