/* fp_ctrie_node.c - the nodes of the Ctrie: making, copying, freeing, and what reclamation and the
 * garbage collector have to know about them. */
#include "maps/fp_ctrie_internal.h"

#include <string.h>

static size_t main_bytes(uint32_t slots) {
    return sizeof(struct fp_main) + slots * sizeof(uint64_t);
}

struct fp_main *fp__main_new(struct fp_ctrie *t, uint32_t bitmap, uint64_t birth) {
    struct fp_main *m = fp__ctrie_alloc(t, main_bytes(fp_popcount(bitmap)));
    if (m == NULL)
        return NULL;
    m->unit.part[0] = m->unit.part[1] = 0;
    m->gone[0] = m->gone[1] = 0;
    fp_ptr_store_relaxed(&m->prev, NULL);
    fp_u64_store_relaxed(&m->count, 0);
    m->version = NULL;
    m->birth = birth;
    m->bitmap = bitmap;
    m->tomb = 0;
    return m;
}

void fp__main_free(struct fp_ctrie *t, struct fp_main *m) {
    t->host->memory.free(m, main_bytes(fp_popcount(m->bitmap)));
}

struct fp_main *fp__main_insert(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t turned, uint64_t child) {
    struct fp_main *fresh = fp__main_new(t, m->bitmap | UINT32_C(1) << (turned & 31), birth);
    if (fresh == NULL)
        return NULL;
    uint32_t at = fp_slot_of(m, turned), count = fp_popcount(m->bitmap);
    memcpy(fresh->slot, m->slot, at * sizeof(uint64_t));
    fresh->slot[at] = child;
    memcpy(fresh->slot + at + 1, m->slot + at, (count - at) * sizeof(uint64_t));
    return fresh;
}

struct fp_main *fp__main_update(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t slot, uint64_t child) {
    struct fp_main *fresh = fp__main_new(t, m->bitmap, birth);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh->slot, m->slot, fp_popcount(m->bitmap) * sizeof(uint64_t));
    fresh->slot[slot] = child;
    return fresh;
}

struct fp_main *fp__main_remove(struct fp_ctrie *t, const struct fp_main *m, uint64_t birth,
                                uint32_t turned) {
    struct fp_main *fresh = fp__main_new(t, m->bitmap & ~(UINT32_C(1) << (turned & 31)), birth);
    if (fresh == NULL)
        return NULL;
    uint32_t at = fp_slot_of(m, turned), count = fp_popcount(fresh->bitmap);
    memcpy(fresh->slot, m->slot, at * sizeof(uint64_t));
    memcpy(fresh->slot + at, m->slot + at + 1, (count - at) * sizeof(uint64_t));
    return fresh;
}

struct fp_inode *fp__inode_new(struct fp_ctrie *t, uint64_t birth, struct fp_main *m) {
    struct fp_inode *in = fp__ctrie_alloc(t, sizeof *in);
    if (in == NULL)
        return NULL;
    fp_ptr_store_relaxed(&in->main, m);
    in->birth = birth;
    return in;
}

static size_t bucket_bytes(uint32_t count) {
    return sizeof(struct fp_bucket) + count * sizeof(struct fp_leaf *);
}

struct fp_bucket *fp__bucket_new(struct fp_ctrie *t, uint64_t birth, uint32_t count) {
    struct fp_bucket *b = fp__ctrie_alloc(t, bucket_bytes(count));
    if (b == NULL)
        return NULL;
    b->birth = birth;
    b->count = count;
    return b;
}

static void free_bucket(struct fp_ctrie *t, struct fp_bucket *b) {
    t->host->memory.free(b, bucket_bytes(b->count));
}

/* Small subtrees ------------------------------------------------------------------------------ */

static uint32_t index_at(uint32_t hash, int level) {
    for (int i = 0; i <= level; i++)
        hash = fp_hash_turn(hash);
    return hash & 31;
}

/* An I-node at level - 1 for leaves that do not fit into a bucket. */
static uint64_t subtree_of(struct fp_ctrie *t, uint64_t birth, struct fp_leaf **leaf,
                           uint32_t count, int level) {
    uint32_t bitmap = 0, slots = 0;
    for (uint32_t i = 0; i < count; i++)
        bitmap |= UINT32_C(1) << index_at(leaf[i]->hash, level);
    struct fp_main *m = fp__main_new(t, bitmap, birth);
    struct fp_inode *in = fp__inode_new(t, birth, m);
    for (uint32_t index = 0, from = 0; m != NULL && in != NULL && index < 32; index++) {
        uint32_t to = from;
        for (uint32_t i = from; i < count; i++)
            if (index_at(leaf[i]->hash, level) == index) {
                struct fp_leaf *other = leaf[to];
                leaf[to++] = leaf[i];
                leaf[i] = other;
            }
        if (to == from)
            continue;
        m->slot[slots] = fp__child_of(t, birth, leaf + from, to - from, level + 1);
        if (m->slot[slots] == 0)
            break;
        slots++;
        from = to;
    }
    if (m != NULL && in != NULL && slots == fp_popcount(bitmap))
        return fp_word(in, FP_INODE);
    while (slots-- > 0)
        fp__child_free(t, m->slot[slots]);
    if (m != NULL)
        fp__main_free(t, m);
    if (in != NULL)
        t->host->memory.free(in, sizeof *in);
    return 0;
}

uint64_t fp__child_of(struct fp_ctrie *t, uint64_t birth, struct fp_leaf **leaf, uint32_t count,
                      int level) {
    if (count == 1)
        return fp_word(leaf[0], FP_LEAF);
    if (count > FP_BUCKET_MOST && level <= FP_LAST_LEVEL)
        return subtree_of(t, birth, leaf, count, level);
    struct fp_bucket *b = fp__bucket_new(t, birth, count);
    if (b == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        b->leaf[i] = leaf[i];
        b->tag[i % FP_BUCKET_MOST] = (uint8_t)leaf[i]->hash;
    }
    return fp_word(b, FP_BUCKET);
}

void fp__child_free(struct fp_ctrie *t, uint64_t child) {
    if ((child & FP_KIND) == FP_BUCKET)
        free_bucket(t, fp_node(child));
    if ((child & FP_KIND) != FP_INODE)
        return;
    struct fp_inode *in = fp_node(child);
    struct fp_main *m = fp_ptr_load_relaxed(&in->main);
    for (uint32_t i = fp_popcount(m->bitmap); i-- > 0;)
        fp__child_free(t, m->slot[i]);
    fp__main_free(t, m);
    t->host->memory.free(in, sizeof *in);
}

/* For fp_lineage ------------------------------------------------------------------------------ */

static struct fp_ctrie *trie_of(struct fp_lineage *l) {
    return (struct fp_ctrie *)(void *)l; /* the first member */
}

static uint64_t birth(uint64_t node) {
    switch (node & FP_KIND) {
    case FP_LEAF:
        return ((struct fp_leaf *)fp_node(node))->birth;
    case FP_BUCKET:
        return ((struct fp_bucket *)fp_node(node))->birth;
    case FP_INODE:
        return ((struct fp_inode *)fp_node(node))->birth;
    default:
        return ((struct fp_main *)fp_node(node))->birth;
    }
}

static uint64_t of_unit(struct fp_unit *u) { return fp_word(u, FP_MAIN); /* the first member */ }
static struct fp_unit *unit(uint64_t root) { return fp_node(root); }

static void free_node(struct fp_ctrie *t, uint64_t node) {
    switch (node & FP_KIND) {
    case FP_LEAF:
        t->host->memory.free(fp_node(node), sizeof(struct fp_leaf));
        break;
    case FP_BUCKET:
        free_bucket(t, fp_node(node));
        break;
    case FP_INODE:
        t->host->memory.free(fp_node(node), sizeof(struct fp_inode));
        break;
    default:
        fp__main_free(t, fp_node(node));
    }
}

/* Freeing takes longer than sorting out, and should not be done under the lineage's lock: one
 * thread could not keep up with two. So everything goes to the trash, whose link is the first word
 * of any node. With FP_PLAIN only leaves do, for the sake of their handles. */
static void discard(struct fp_lineage *l, uint64_t node, struct fp_trash *trash) {
    if (FP_PLAIN && (node & FP_KIND) != FP_LEAF) {
        free_node(trie_of(l), node);
        return;
    }
    memcpy(fp_node(node), &trash->first, sizeof trash->first);
    trash->first = node;
}

/* What the floor can see holds only what the floor can see, so a node that is too old ends the
 * walk. */
static void dissolve(struct fp_lineage *l, uint64_t node, uint64_t floor, struct fp_trash *trash) {
    if (birth(node) <= floor)
        return;
    if ((node & FP_KIND) == FP_BUCKET) {
        struct fp_bucket *b = fp_node(node);
        for (uint32_t i = 0; i < b->count; i++)
            dissolve(l, fp_word(b->leaf[i], FP_LEAF), floor, trash);
    } else if ((node & FP_KIND) == FP_INODE) {
        struct fp_inode *in = fp_node(node);
        dissolve(l, fp_word(fp_ptr_load_acquire(&in->main), FP_MAIN), floor, trash);
    } else if ((node & FP_KIND) == FP_MAIN) {
        struct fp_main *m = fp_node(node);
        for (uint32_t i = fp_popcount(m->bitmap); i-- > 0;)
            dissolve(l, m->slot[i], floor, trash);
    }
    discard(l, node, trash);
}

static int visit_node(uint64_t node, fp_handle_visitor fn, void *arg) {
    if ((node & FP_KIND) != FP_LEAF)
        return 0;
    struct fp_leaf *leaf = fp_node(node);
    int answer = fn(leaf->key, arg);
    return answer ? answer : fn(leaf->value, arg);
}

static int visit(uint64_t node, uint64_t floor, fp_handle_visitor fn, void *arg) {
    int answer = 0;
    if (birth(node) <= floor)
        return 0;
    if ((node & FP_KIND) == FP_BUCKET) {
        struct fp_bucket *b = fp_node(node);
        for (uint32_t i = 0; i < b->count && answer == 0; i++)
            answer = visit(fp_word(b->leaf[i], FP_LEAF), floor, fn, arg);
    } else if ((node & FP_KIND) == FP_INODE) {
        struct fp_inode *in = fp_node(node);
        return visit(fp_word(fp_ptr_load_acquire(&in->main), FP_MAIN), floor, fn, arg);
    } else if ((node & FP_KIND) == FP_MAIN) {
        struct fp_main *m = fp_node(node);
        for (uint32_t i = fp_popcount(m->bitmap); i-- > 0 && answer == 0;)
            answer = visit(m->slot[i], floor, fn, arg);
    } else {
        return visit_node(node, fn, arg);
    }
    return answer;
}

static void empty(struct fp_lineage *l, struct fp_trash *trash) {
    struct fp_ctrie *t = trie_of(l);
    while (trash->first != 0) {
        uint64_t node = trash->first;
        struct fp_leaf leaf = {0, 0, 0, 0};
        memcpy(&trash->first, fp_node(node), sizeof trash->first);
        FP_FETCH_TO_WRITE(fp_node(trash->first));
        if ((node & FP_KIND) == FP_LEAF)
            leaf = *(struct fp_leaf *)fp_node(node);
        free_node(t, node);
        if (leaf.key != 0) {
            t->host->release(leaf.value);
            t->host->release(leaf.key);
        }
    }
}

static void destroy(struct fp_lineage *l) {
    struct fp_ctrie *t = trie_of(l);
    t->host->memory.free(t, sizeof *t);
}

const struct fp_lineage_ops fp__ctrie_lineage_ops = {
    .birth = birth,
    .of_unit = of_unit,
    .unit = unit,
    .discard = discard,
    .dissolve = dissolve,
    .visit = visit,
    .visit_node = visit_node,
    .empty = empty,
    .destroy = destroy,
};
