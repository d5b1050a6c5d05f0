/* fp_topic_internal.h - the nodes, and what the files of the topic trie share. */
#ifndef FP_TOPIC_INTERNAL_H
#define FP_TOPIC_INTERNAL_H

#include "maps/fp_topic.h"

enum fp_topic_kind { FP_TOPIC_ROOT, FP_TOPIC_TABLE, FP_TOPIC_PLACE, FP_TOPIC_SUB };

/* What all nodes begin with. */
struct fp_topic_node {
    struct fp_unit unit; /* while it is fresh: links of its change */
    uint64_t birth;
    uint32_t kind;
    uint32_t
        fresh; /* 1: only the change that made it knows it. Never written once it is in place */
};

/* A leaf of a table begins with this. */
struct fp_topic_leaf {
    struct fp_topic_node node;
    uint64_t hash;
};

/* Below a table there are two leaves or more. */
struct fp_topic_table {
    struct fp_topic_node node;
    uint32_t bitmap;
    struct fp_topic_node *slot[]; /* tables and leaves */
};

enum { FP_HASH_BITS_A_LEVEL = 5 };

struct fp_topic_sub {
    struct fp_topic_leaf leaf;
    uint64_t number, handle;
};

enum fp_token_kind { FP_TOKEN_LITERAL, FP_TOKEN_ONE, FP_TOKEN_REST };

struct fp_token {
    const char *text;
    uint32_t length;
    enum fp_token_kind kind;
    uint64_t hash;
};

struct fp_topic_place {
    struct fp_topic_leaf leaf;
    uint64_t id; /* 0: the top, which is in no table */
    uint64_t parent;
    struct fp_topic_place *same; /* the next one with the same hash */
    struct fp_topic_node *subs;  /* NULL, a sub, or a table of subs */
    uint64_t literals;           /* children by kind */
    bool has_one, has_rest;
    uint8_t kind; /* of its token; the text is empty for wildcards */
    uint32_t length;
    char text[];
};

struct fp_topic_root {
    struct fp_topic_node node;
    struct fp_topic_counts counts;
    struct fp_topic_place *top;
    struct fp_topic_node *table; /* NULL, a place, or a table of places */
};

static inline uint64_t fp_topic_word(void *node) { return (uint64_t)(uintptr_t)node; }
static inline struct fp_topic_node *fp_topic_node(uint64_t word) {
    return (struct fp_topic_node *)(uintptr_t)word;
}

static inline uint32_t fp_topic_popcount(uint32_t x) {
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return (x * 0x01010101u) >> 24;
}
static inline uint32_t fp_topic_index(uint64_t hash, int level) {
    return (uint32_t)(hash >> (FP_HASH_BITS_A_LEVEL * level)) & 31;
}
static inline uint32_t fp_topic_slot(const struct fp_topic_table *t, uint32_t index) {
    return fp_topic_popcount(t->bitmap & ((UINT32_C(1) << index) - 1));
}

/* Spreads without collisions: every step can be undone. */
static inline uint64_t fp_topic_spread(uint64_t x) {
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}
static inline uint64_t fp_topic_sub_hash(uint64_t number) { return fp_topic_spread(number); }
static inline uint64_t fp_topic_child_hash(uint64_t parent, uint64_t token_hash) {
    return fp_topic_spread(parent * UINT64_C(0x9E3779B97F4A7C15) ^ token_hash);
}

/* The leaf with that hash, or NULL. */
static inline struct fp_topic_leaf *fp_topic_leaf_at(struct fp_topic_node *at, uint64_t hash) {
    for (uint64_t rest = hash; at != NULL; rest >>= FP_HASH_BITS_A_LEVEL) {
        if (at->kind != FP_TOPIC_TABLE) {
            struct fp_topic_leaf *leaf = (struct fp_topic_leaf *)at;
            return leaf->hash == hash ? leaf : NULL;
        }
        const struct fp_topic_table *t = (struct fp_topic_table *)at;
        const uint32_t index = (uint32_t)rest & 31;
        at = t->bitmap >> index & 1 ? t->slot[fp_topic_slot(t, index)] : NULL;
    }
    return NULL;
}

/* The place of a parent's child, or NULL. */
static inline struct fp_topic_place *fp_topic_child(struct fp_topic_node *table, uint64_t parent,
                                                    const struct fp_token *token) {
    const uint64_t hash = fp_topic_child_hash(parent, token->hash);
    struct fp_topic_place *p = (struct fp_topic_place *)fp_topic_leaf_at(table, hash);
    for (; p != NULL; p = p->same)
        if (FP_LIKELY(p->parent == parent && p->kind == token->kind && p->length == token->length &&
                      memcmp(p->text, token->text, p->length) == 0))
            return p;
    return NULL;
}

/* fp_topic_syntax.c --------------------------------------------------------------------------- */

extern const struct fp_token fp__token_one, fp__token_rest;

/* How many tokens there are. */
size_t fp__topic_tokens(const struct fp_topic_syntax *syntax, const char *text, size_t length);
/* The token that begins at `text`, without its hash; its kind as in a pattern. */
struct fp_token fp__topic_token(const struct fp_topic_syntax *syntax, const char *text,
                                const char *end);

/* fp_topic_node.c ----------------------------------------------------------------------------- */

size_t fp__topic_bytes_of(const struct fp_topic_node *node);
extern const struct fp_lineage_ops fp__topic_lineage_ops;

/* fp_topic_edit.c ----------------------------------------------------------------------------- */

/* A change that nobody has seen yet. */
struct fp_topic_edit {
    struct fp_topic *trie;
    struct fp_epoch_record *guard;
    struct fp_topic_root *old, *root; /* what it began with; the fresh one */
    struct fp_topic_node *fresh;      /* the last one made; the others by their links */
    struct fp_words gone;             /* what is not part of the trie after it */
    bool failed;                      /* no memory */
};

/* Guarded by `guard`, without a limit. */
void fp__edit_begin(struct fp_topic_edit *e, struct fp_topic *t, struct fp_epoch_record *guard);
/* A fresh node, or NULL: failed. */
void *fp__edit_make(struct fp_topic_edit *e, enum fp_topic_kind kind, size_t bytes);
/* The node is not part of the trie any more. */
void fp__edit_drop(struct fp_topic_edit *e, struct fp_topic_node *node);
/* FP_OK; FP_RETRY: somebody else was first; FP_NO_MEMORY. Without FP_OK all is undone. */
enum fp_status fp__edit_commit(struct fp_topic_edit *e, bool *tidy, struct fp_trash *trash);
/* Undoes it. */
void fp__edit_abandon(struct fp_topic_edit *e);

/* fp_topic_table.c ---------------------------------------------------------------------------- */

/* Tables with a leaf put in (in the place of the one with its hash, which is not dropped), or taken
 * out (it is there, and not dropped either). Nothing of value once e->failed. */
struct fp_topic_node *fp__table_put(struct fp_topic_edit *e, struct fp_topic_node *at,
                                    struct fp_topic_leaf *leaf, int level);
struct fp_topic_node *fp__table_remove(struct fp_topic_edit *e, struct fp_topic_node *at,
                                       uint64_t hash, int level);

#endif
