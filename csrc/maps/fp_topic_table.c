/* fp_topic_table.c - hash tries whose nodes are replaced, never overwritten, but for fresh ones.
 * Recursion goes down the bits of a hash: 13 levels at most. */
#include "maps/fp_topic_internal.h"

static struct fp_topic_table *make(struct fp_topic_edit *e, uint32_t bitmap) {
    struct fp_topic_table *t =
        fp__edit_make(e, FP_TOPIC_TABLE,
                      sizeof *t + fp_topic_popcount(bitmap) * sizeof(struct fp_topic_node *));
    if (t != NULL)
        t->bitmap = bitmap;
    return t;
}

/* A table for two leaves with different hashes. */
static struct fp_topic_node *part(struct fp_topic_edit *e, struct fp_topic_leaf *a,
                                  struct fp_topic_leaf *b, int level) {
    const uint32_t i = fp_topic_index(a->hash, level), j = fp_topic_index(b->hash, level);
    struct fp_topic_table *t = make(e, UINT32_C(1) << i | UINT32_C(1) << j);
    if (t == NULL)
        return NULL;
    if (i == j) {
        t->slot[0] = part(e, a, b, level + 1);
    } else {
        t->slot[i > j] = &a->node;
        t->slot[i < j] = &b->node;
    }
    return &t->node;
}

static struct fp_topic_node *put_into(struct fp_topic_edit *e, struct fp_topic_table *t,
                                      struct fp_topic_node *child, uint32_t index) {
    const uint32_t at = fp_topic_slot(t, index), count = fp_topic_popcount(t->bitmap);
    const bool there = t->bitmap >> index & 1;
    if (there && t->node.fresh) {
        t->slot[at] = child;
        return &t->node;
    }
    struct fp_topic_table *fresh = make(e, t->bitmap | UINT32_C(1) << index);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh->slot, t->slot, at * sizeof *t->slot);
    fresh->slot[at] = child;
    memcpy(fresh->slot + at + 1, t->slot + at + there, (count - at - there) * sizeof *t->slot);
    fp__edit_drop(e, &t->node);
    return &fresh->node;
}

struct fp_topic_node *fp__table_put(struct fp_topic_edit *e, struct fp_topic_node *at,
                                    struct fp_topic_leaf *leaf, int level) {
    if (at == NULL)
        return &leaf->node;
    if (at->kind != FP_TOPIC_TABLE) {
        struct fp_topic_leaf *other = (struct fp_topic_leaf *)at;
        return other->hash == leaf->hash ? &leaf->node : part(e, other, leaf, level);
    }
    struct fp_topic_table *t = (struct fp_topic_table *)at;
    const uint32_t index = fp_topic_index(leaf->hash, level);
    struct fp_topic_node *child = t->bitmap >> index & 1 ? t->slot[fp_topic_slot(t, index)] : NULL;
    child = fp__table_put(e, child, leaf, level + 1);
    return e->failed ? NULL : put_into(e, t, child, index);
}

/* The table without one of its slots. A single leaf goes up into the place of its table. */
static struct fp_topic_node *take_out(struct fp_topic_edit *e, struct fp_topic_table *t,
                                      uint32_t index) {
    const uint32_t at = fp_topic_slot(t, index), count = fp_topic_popcount(t->bitmap);
    struct fp_topic_node *other = count == 2 ? t->slot[1 - at] : NULL;
    if (other == NULL || other->kind == FP_TOPIC_TABLE) {
        struct fp_topic_table *fresh = make(e, t->bitmap & ~(UINT32_C(1) << index));
        if (fresh == NULL)
            return NULL;
        memcpy(fresh->slot, t->slot, at * sizeof *t->slot);
        memcpy(fresh->slot + at, t->slot + at + 1, (count - at - 1) * sizeof *t->slot);
        other = &fresh->node;
    }
    fp__edit_drop(e, &t->node);
    return other;
}

struct fp_topic_node *fp__table_remove(struct fp_topic_edit *e, struct fp_topic_node *at,
                                       uint64_t hash, int level) {
    if (at->kind != FP_TOPIC_TABLE)
        return NULL;
    struct fp_topic_table *t = (struct fp_topic_table *)at;
    const uint32_t index = fp_topic_index(hash, level);
    struct fp_topic_node *child = t->slot[fp_topic_slot(t, index)];
    child = fp__table_remove(e, child, hash, level + 1);
    if (e->failed)
        return NULL;
    if (child == NULL)
        return take_out(e, t, index);
    if (child->kind != FP_TOPIC_TABLE && fp_topic_popcount(t->bitmap) == 1) {
        fp__edit_drop(e, &t->node);
        return child;
    }
    return put_into(e, t, child, index);
}
