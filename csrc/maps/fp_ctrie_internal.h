/* fp_ctrie_internal.h - the nodes, and what the files of the Ctrie share. */
#ifndef FP_CTRIE_INTERNAL_H
#define FP_CTRIE_INTERNAL_H

#include "maps/fp_ctrie.h"

/* A node as a word: its address and what it is. */
enum { FP_LEAF = 0, FP_BUCKET = 1, FP_INODE = 2, FP_MAIN = 3, FP_KIND = 3 };

enum {
    FP_LAST_LEVEL = 6, /* 5 bits a level: the seventh uses the last 2 */
    FP_BUCKET_MOST = 8
};

struct fp_leaf {
    uint64_t birth;
    uint64_t key, value;
    uint32_t hash;
};

struct fp_bucket {
    uint64_t birth;
    uint32_t count;
    /* The last bits of the leaves' hashes, so that nobody has to fetch a leaf to see that it is
     * another one. Of more than so many leaves, the hashes are equal. */
    uint8_t tag[FP_BUCKET_MOST];
    struct fp_leaf *leaf[];
};

struct fp_inode {
    fp_ptr main;
    uint64_t birth; /* its generation */
};

struct fp_main {
    /* While it is undecided, part[0] is a new child with all that is below, part[1] a new leaf, or
     * an I-node that is new without what is behind it: to be discarded if it fails. */
    struct fp_unit unit;
    uint64_t gone[2]; /* nodes that were unlinked by putting this one in place */
    fp_u64 count;     /* leaves below, plus 1; 0: not counted. Of versions only */
    struct fp_version
        *version; /* what a root is a copy of, and holds while it is the root. Or NULL. Not with
                     FP_PLAIN, where a version borrows the root itself */
    uint64_t birth;
    /* What a reader needs is together. */
    fp_ptr prev; /* NULL: decided; the main node before; or that one with FP_FAILED_BIT */
    uint32_t bitmap;
    uint32_t tomb;
    uint64_t slot[];
};

#define FP_FAILED_BIT ((uintptr_t)1)

static inline uint64_t fp_word(void *p, uint64_t kind) { return (uint64_t)(uintptr_t)p | kind; }
static inline bool fp_is_leaf(uint64_t word) { return word != 0 && (word & FP_KIND) == FP_LEAF; }
static inline void *fp_node(uint64_t word) {
    return (void *)(uintptr_t)(word & ~(uint64_t)FP_KIND);
}

static inline bool fp_may_match(const struct fp_bucket *b, uint32_t i, uint32_t hash) {
    return b->tag[i % FP_BUCKET_MOST] == (uint8_t)hash;
}

static inline uint32_t fp_popcount(uint32_t x) {
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return (x * 0x01010101u) >> 24;
}

/* The next five bits of the hash come to the bottom. Beyond the last level they repeat. */
static inline uint32_t fp_hash_turn(uint32_t h) { return h << 5 | h >> 27; }

static inline uint32_t fp_slot_of(const struct fp_main *m, uint32_t turned) {
    uint32_t index = turned & 31;
    if (m->bitmap == UINT32_MAX)
        return index;
    return fp_popcount(m->bitmap & ((UINT32_C(1) << index) - 1));
}
static inline bool fp_has_slot(const struct fp_main *m, uint32_t turned) {
    return m->bitmap >> (turned & 31) & 1;
}

/* To be called before a main node is read: the slot for the hash, in another cache line than the
 * bitmap, is on its way meanwhile. The place is right if the bitmap is full, near if nearly so. */
static inline void fp_prefetch_slot(const struct fp_main *m, uint32_t turned) {
    FP_FETCH_TO_READ(&m->slot[turned & 31]);
}

/* What the host said about two handles, of which the first is retained. */
struct fp_verdict {
    uint64_t theirs, mine;
    int answer; /* 1, 0, or -1: not asked yet */
};

enum { FP_VERDICTS = 4 };

/* One call: its pin, what it may use, and what it has to do afterwards. */
struct fp_access {
    struct fp_ctrie *trie;
    bool live; /* false: of a version; nothing may be committed any more */
    bool tidy;
    struct fp_epoch_record *pin; /* guarded by */
    struct fp_leaf *leaf; /* made for this call, not yet part of the trie */
    uint64_t dropped;     /* a value that was overwritten, or 0 */
    struct fp_trash trash;
    uint32_t verdicts, room;
    struct fp_verdict *verdict;
    struct fp_verdict few[FP_VERDICTS];
};

/* fp_ctrie_node.c ----------------------------------------------------------------------------- */

extern const struct fp_lineage_ops fp__ctrie_lineage_ops;

static inline void *fp__ctrie_alloc(struct fp_ctrie *t, size_t bytes) {
    return t->host->memory.alloc(bytes);
}

struct fp_main *fp__main_new(struct fp_ctrie *t, uint32_t bitmap, uint64_t birth);
/* Copies with one slot added, replaced, or left out. NULL: no memory. */
struct fp_main *fp__main_insert(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t turned, uint64_t child);
struct fp_main *fp__main_update(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t slot, uint64_t child);
struct fp_main *fp__main_remove(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t turned);
void fp__main_free(struct fp_ctrie *t, struct fp_main *m);
struct fp_inode *fp__inode_new(struct fp_ctrie *t, uint64_t birth, struct fp_main *m);
struct fp_bucket *fp__bucket_new(struct fp_ctrie *t, uint64_t birth, uint32_t count);
/* A child for `count` leaves at a slot of level - 1: a leaf, a bucket or an I-node. 0: no memory.
 * `leaf` is reordered. */
uint64_t fp__child_of(struct fp_ctrie *t, uint64_t birth, struct fp_leaf **leaf, uint32_t count,
                      int level);
/* Frees what fp__child_of made, but not the leaves. */
void fp__child_free(struct fp_ctrie *t, uint64_t child);

/* fp_ctrie_gcas.c ----------------------------------------------------------------------------- */

/* The slow half of the next function. */
void fp__ctrie_decide(struct fp_access *a, struct fp_inode *in, struct fp_main *m, void *prev);

/* The main node behind an I-node, decided. Pinned. */
static inline struct fp_main *fp__ctrie_decided(struct fp_access *a, struct fp_inode *in) {
#if FP_PLAIN /* no one else looks before it is decided */
    (void)a;
    return in->main;
#else
    for (;;) {
        /* Seq_cst: see "No change gets past a snapshot" in DESIGN.md. The acquire half pairs with
         * the swaps of main nodes. */
        struct fp_main *m = fp_ptr_load_seq_cst(&in->main);
        void *prev = fp_ptr_load_seq_cst(&m->prev);
        if (FP_LIKELY(prev == NULL))
            return m;
        fp__ctrie_decide(a, in, m, prev);
    }
#endif
}

/* Puts `fresh` in the place of `old`, behind `in` or (NULL) at the root. fresh->gone and
 * fresh->unit.part must be set. False: it failed, and the new nodes are gone; a->leaf, if it was
 * one of them, may be left to try again. */
bool fp__ctrie_commit(struct fp_access *a, struct fp_inode *in, struct fp_main *old,
                      struct fp_main *fresh);

#if FP_PLAIN
/* The root, replaced by a copy before if a version has borrowed it. NULL: no memory. */
struct fp_main *fp__ctrie_own_root(struct fp_ctrie *t);
#endif

/* The root, of whose generation everything below is, or of an earlier one. Once after guarding. */
static inline struct fp_main *fp__ctrie_root(struct fp_access *a) {
    struct fp_main *root = fp_ptr_load_seq_cst(&a->trie->root);
    fp_guard_narrow(a->pin, root->birth);
    return root;
}

/* fp_ctrie_access.c --------------------------------------------------------------------------- */

void fp__access_begin(struct fp_access *a, struct fp_ctrie *t, bool live);
/* Ends the call. */
void fp__access_end(struct fp_access *a);

/* Is it the same handle, or is its equality known? -1: fp__access_ask has to be called. */
int fp__access_judge(struct fp_access *a, uint64_t theirs, uint64_t mine);
/* Pinned: notes a question for fp__access_ask. */
enum fp_status fp__access_note(struct fp_access *a, uint64_t theirs, uint64_t mine);
/* Unpinned: asks the host, up to the first yes. FP_OK: now try again. */
enum fp_status fp__access_ask(struct fp_access *a);

/* Attempts a call, guarded, until it says something else than FP_RETRY; in between the host is
 * asked what was noted. Ends the call. */
static inline enum fp_status fp__access_run(struct fp_access *a,
                                            enum fp_status (*attempt)(struct fp_access *, void *),
                                            void *arg) {
    enum fp_status s;
    do {
        a->pin = fp_guard();
        s = FP_NO_MEMORY;
        if (FP_UNLIKELY(a->pin == NULL))
            break;
        s = attempt(a, arg);
        fp_unguard(a->pin);
        if (FP_LIKELY(s != FP_RETRY))
            break;
        s = fp__access_ask(a);
    } while (s == FP_OK);
    fp__access_end(a);
    return s;
}

/* fp_ctrie_find.c ----------------------------------------------------------------------------- */

/* The leaf of the key among those of a leaf or bucket: FP_OK, FP_EMPTY, or FP_RETRY: ask and try
 * again; FP_NO_MEMORY. */
enum fp_status fp__ctrie_pick(struct fp_access *a, uint64_t child, uint64_t key, uint32_t hash,
                              struct fp_leaf **found);
/* The same, from a root on. */
enum fp_status fp__ctrie_find(struct fp_access *a, struct fp_main *m, uint64_t key, uint32_t hash,
                              struct fp_leaf **found);

#endif
