/* fp_topic_edit.c - a change: fresh nodes, the list of those they replace, and the one swap that
 * puts them in place. */
#include "maps/fp_topic_internal.h"

/* Fresh nodes form a list, by their units: `next` and, in part[0], the one before. */
static struct fp_topic_node *next_of(struct fp_topic_node *n) {
    return (struct fp_topic_node *)(void *)n->unit.next;
}

static void link_to(struct fp_topic_edit *e, struct fp_topic_node *n) {
    n->unit.next = (struct fp_unit *)(void *)e->fresh;
    n->unit.part[0] = 0;
    if (e->fresh != NULL)
        e->fresh->unit.part[0] = fp_topic_word(n);
    e->fresh = n;
}

static void unlink_from(struct fp_topic_edit *e, struct fp_topic_node *n) {
    struct fp_topic_node *next = next_of(n), *before = fp_topic_node(n->unit.part[0]);
    if (next != NULL)
        next->unit.part[0] = n->unit.part[0];
    if (before != NULL)
        before->unit.next = n->unit.next;
    else
        e->fresh = next;
}

void *fp__edit_make(struct fp_topic_edit *e, enum fp_topic_kind kind, size_t bytes) {
    struct fp_topic_node *n = e->failed ? NULL : e->trie->host->memory.alloc(bytes);
    if (n == NULL) {
        e->failed = true;
        return NULL;
    }
    n->birth = e->old->node.birth;
    n->kind = kind;
    n->fresh = 1;
    link_to(e, n);
    return n;
}

static void free_fresh(struct fp_topic_edit *e, struct fp_topic_node *n) {
    unlink_from(e, n);
    e->trie->host->memory.free(n, fp__topic_bytes_of(n));
}

void fp__edit_drop(struct fp_topic_edit *e, struct fp_topic_node *n) {
    if (n->fresh)
        free_fresh(e, n);
    else if (!fp_words_push(&e->gone, fp_topic_word(n)))
        e->failed = true;
}

void fp__edit_begin(struct fp_topic_edit *e, struct fp_topic *t, struct fp_epoch_record *guard) {
    e->trie = t;
    e->guard = guard;
    /* Seq_cst: see (B) in fp_guard.h. The acquire half pairs with the swap in commit. */
    e->old = fp_ptr_load_seq_cst(&t->root);
    e->fresh = NULL;
    e->failed = false;
    fp_words_init(&e->gone, &t->host->memory);
    e->root = fp__edit_make(e, FP_TOPIC_ROOT, sizeof *e->root);
    if (e->root == NULL)
        return;
    e->root->counts = e->old->counts;
    e->root->top = e->old->top;
    e->root->table = e->old->table;
}

void fp__edit_abandon(struct fp_topic_edit *e) {
    while (e->fresh != NULL)
        free_fresh(e, e->fresh);
    fp_words_free(&e->gone);
}

enum fp_status fp__edit_commit(struct fp_topic_edit *e, bool *tidy, struct fp_trash *trash) {
    struct fp_topic *t = e->trie;
    fp__edit_drop(e, &e->old->node);
    if (e->failed) {
        fp__edit_abandon(e);
        return FP_NO_MEMORY;
    }
    for (struct fp_topic_node *n = e->fresh; n != NULL; n = next_of(n))
        n->fresh = 0;
    void *expected = e->old;
    const uint64_t end = e->root->node.birth;
    FP_STEP();
    /* The linearization point. Release half: publishes the fresh nodes; pairs with the loads of the
     * root. Seq_cst: it is (C) of fp_guard.h for what it replaces. */
    if (!fp_ptr_cas_seq_cst(&t->root, &expected, e->root)) {
        fp__edit_abandon(e);
        return FP_RETRY;
    }
    FP_STEP();
    for (size_t i = 0; i < e->gone.count; i++) {
        struct fp_unit *unit = &fp_topic_node(e->gone.at[i])->unit;
        unit->part[0] = unit->part[1] = 0;
        *tidy |= fp_lineage_retire(&t->line, e->guard, unit, end, trash);
    }
    fp_words_free(&e->gone);
    return FP_OK;
}
