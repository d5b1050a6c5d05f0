/* fp_topic_change.c - subscribing and unsubscribing. */
#include "maps/fp_topic_internal.h"

/* A pattern, taken apart. */
struct pattern {
    const struct fp_memory *memory;
    size_t count;
    struct fp_token *token;
    uint64_t *id; /* for the ids of the places that it leads through; the first is the top's */
    struct fp_token few_tokens[16];
    uint64_t few_ids[17];
};

static bool take_apart(struct pattern *p, struct fp_topic *t, const char *text, size_t length) {
    const struct fp_topic_host *host = t->host;
    const char *end = text + length;
    p->memory = &host->memory;
    p->count = fp__topic_tokens(t->syntax, text, length);
    p->token = p->few_tokens;
    p->id = p->few_ids;
    if (p->count > sizeof p->few_tokens / sizeof *p->few_tokens) {
        p->token = host->memory.alloc(p->count * sizeof *p->token);
        p->id = p->token != NULL ? host->memory.alloc((p->count + 1) * sizeof *p->id) : NULL;
        if (p->id == NULL) {
            if (p->token != NULL)
                host->memory.free(p->token, p->count * sizeof *p->token);
            return false;
        }
    }
    for (size_t i = 0; i < p->count; i++) {
        p->token[i] = fp__topic_token(t->syntax, text, end);
        const size_t taken = p->token[i].kind == FP_TOKEN_LITERAL ? p->token[i].length : 1;
        if (p->token[i].kind == FP_TOKEN_LITERAL)
            p->token[i].hash = host->hash(text, taken);
        text += taken + 1;
    }
    return true;
}

static void give_back(struct pattern *p) {
    if (p->token == p->few_tokens)
        return;
    p->memory->free(p->token, p->count * sizeof *p->token);
    p->memory->free(p->id, (p->count + 1) * sizeof *p->id);
}

/* Goes along the pattern as far as there are places, at most to its end; notes their ids. */
static struct fp_topic_place *go(const struct fp_topic_root *root, struct pattern *p, size_t *at) {
    struct fp_topic_place *place = root->top;
    p->id[0] = place->id;
    for (*at = 0; *at < p->count; ++*at) {
        struct fp_topic_place *next = fp_topic_child(root->table, place->id, &p->token[*at]);
        if (next == NULL)
            break;
        place = next;
        p->id[*at + 1] = place->id;
    }
    return place;
}

/* A fresh copy, which is not in the table yet. */
static struct fp_topic_place *copy(struct fp_topic_edit *e, const struct fp_topic_place *old) {
    const size_t bytes = sizeof *old + old->length, head = sizeof old->leaf.node;
    struct fp_topic_place *p = fp__edit_make(e, FP_TOPIC_PLACE, bytes);
    if (p != NULL)
        memcpy((char *)p + head, (const char *)old + head, bytes - head);
    return p;
}

/* Puts `fresh` (NULL: nothing) in the place of `old` (NULL: beside the others). Places with equal
 * hashes are a chain behind one leaf; those before the old one have to be copied. */
static void replace(struct fp_topic_edit *e, uint64_t hash, struct fp_topic_place *old,
                    struct fp_topic_place *fresh) {
    struct fp_topic_node **table = &e->root->table;
    struct fp_topic_place *p = (struct fp_topic_place *)fp_topic_leaf_at(*table, hash), *first;
    struct fp_topic_place **at = &first;
    for (; old != NULL && p != old; p = p->same) {
        struct fp_topic_place *before = p->leaf.node.fresh ? p : copy(e, p);
        if (before == NULL)
            return;
        if (before != p)
            fp__edit_drop(e, &p->leaf.node);
        *at = before;
        at = &before->same;
    }
    if (old != NULL)
        p = old->same;
    if (fresh != NULL)
        fresh->same = p;
    *at = fresh != NULL ? fresh : p;
    if (first != NULL)
        *table = fp__table_put(e, *table, &first->leaf, 0);
    else
        *table = fp__table_remove(e, *table, hash, 0);
    if (old != NULL)
        fp__edit_drop(e, &old->leaf.node);
}

/* A fresh place instead of this one. NULL: failed. */
static struct fp_topic_place *freshen(struct fp_topic_edit *e, struct fp_topic_place *old) {
    if (e->failed || old->leaf.node.fresh)
        return e->failed ? NULL : old;
    struct fp_topic_place *p = copy(e, old);
    if (p == NULL)
        return NULL;
    if (old->id != 0) {
        replace(e, old->leaf.hash, old, p);
    } else {
        e->root->top = p;
        fp__edit_drop(e, &old->leaf.node);
    }
    return e->failed ? NULL : p;
}

/* A new child of a fresh place. */
static struct fp_topic_place *grow(struct fp_topic_edit *e, struct fp_topic_place *parent,
                                   const struct fp_token *token) {
    struct fp_topic_place *p = fp__edit_make(e, FP_TOPIC_PLACE, sizeof *p + token->length);
    if (p == NULL)
        return NULL;
    p->leaf.hash = fp_topic_child_hash(parent->id, token->hash);
    p->id = fp_u64_fetch_add_relaxed(&e->trie->numbers, 1) + 1; /* only has to be another one */
    p->parent = parent->id;
    p->subs = NULL;
    p->literals = 0;
    p->has_one = p->has_rest = false;
    p->kind = (uint8_t)token->kind;
    p->length = token->length;
    memcpy(p->text, token->text, token->length);
    parent->literals += token->kind == FP_TOKEN_LITERAL;
    parent->has_one |= token->kind == FP_TOKEN_ONE;
    parent->has_rest |= token->kind == FP_TOKEN_REST;
    replace(e, p->leaf.hash, NULL, p);
    return e->failed ? NULL : p;
}

static void add(struct fp_topic_edit *e, struct pattern *pattern, uint64_t subscriber,
                uint64_t number) {
    size_t at;
    if (e->failed)
        return;
    struct fp_topic_place *p = freshen(e, go(e->old, pattern, &at));
    for (; at < pattern->count && p != NULL; at++)
        p = grow(e, p, &pattern->token[at]);
    struct fp_topic_sub *sub = fp__edit_make(e, FP_TOPIC_SUB, sizeof *sub);
    if (p == NULL || sub == NULL)
        return;
    sub->leaf.hash = fp_topic_sub_hash(number);
    sub->number = number;
    sub->handle = subscriber;
    e->root->counts.subscriptions++;
    e->root->counts.patterns += p->subs == NULL;
    p->subs = fp__table_put(e, p->subs, &sub->leaf, 0);
}

static bool is_bare(const struct fp_topic_place *p) {
    return p->subs == NULL && p->literals == 0 && !p->has_one && !p->has_rest;
}

/* Takes the place out, which `at` tokens lead to; and those above that are there for it alone. */
static void prune(struct fp_topic_edit *e, struct fp_topic_place *p, const struct pattern *pattern,
                  size_t at) {
    while (!e->failed && at > 0 && is_bare(p)) {
        const struct fp_token *token = &pattern->token[--at];
        replace(e, p->leaf.hash, p, NULL);
        if (e->failed)
            return;
        p = at == 0 ? e->root->top
                    : fp_topic_child(e->root->table, pattern->id[at - 1], &pattern->token[at - 1]);
        p = freshen(e, p);
        if (p == NULL)
            return;
        p->literals -= token->kind == FP_TOKEN_LITERAL;
        p->has_one &= token->kind != FP_TOKEN_ONE;
        p->has_rest &= token->kind != FP_TOKEN_REST;
    }
}

/* False: there is no such subscription. */
static bool take(struct fp_topic_edit *e, struct pattern *pattern, uint64_t number) {
    size_t at;
    const uint64_t hash = fp_topic_sub_hash(number);
    struct fp_topic_place *p = go(e->old, pattern, &at);
    struct fp_topic_leaf *sub = at == pattern->count ? fp_topic_leaf_at(p->subs, hash) : NULL;
    if (sub == NULL)
        return false;
    p = freshen(e, p);
    if (p == NULL)
        return true;
    p->subs = fp__table_remove(e, p->subs, hash, 0);
    fp__edit_drop(e, &sub->node);
    e->root->counts.subscriptions--;
    e->root->counts.patterns -= p->subs == NULL;
    prune(e, p, pattern, at);
    return true;
}

/* One attempt. FP_RETRY: again. */
static enum fp_status attempt(struct fp_topic *t, struct pattern *p, bool adds, uint64_t subscriber,
                              uint64_t number, bool *tidy, struct fp_trash *trash) {
    struct fp_topic_edit e;
    struct fp_epoch_record *guard = fp_guard();
    if (guard == NULL)
        return FP_NO_MEMORY;
    enum fp_status s = FP_OK;
    fp__edit_begin(&e, t, guard);
    if (adds)
        add(&e, p, subscriber, number);
    else if (!e.failed && !take(&e, p, number))
        s = FP_EMPTY; /* linearizes at the load of the root */
    if (s == FP_OK)
        s = fp__edit_commit(&e, tidy, trash);
    else
        fp__edit_abandon(&e);
    fp_unguard(guard);
    return s;
}

static enum fp_status change(struct fp_topic *t, const char *text, size_t length, bool adds,
                             uint64_t subscriber, uint64_t number) {
    struct pattern p;
    struct fp_trash trash = {0};
    bool tidy = false;
    enum fp_status s;
    if (!take_apart(&p, t, text, length))
        return FP_NO_MEMORY;
    do
        s = attempt(t, &p, adds, subscriber, number, &tidy, &trash);
    while (s == FP_RETRY);
    give_back(&p);
    if (tidy)
        fp_lineage_tidy(&t->line);
    fp__topic_lineage_ops.empty(&t->line, &trash);
    return s;
}

enum fp_status fp_topic_subscribe(struct fp_topic *t, const char *pattern, size_t length,
                                  uint64_t subscriber, uint64_t *number) {
    *number = fp_u64_fetch_add_relaxed(&t->numbers, 1) + 1;
    t->host->retain(subscriber); /* before others can see it */
    enum fp_status s = change(t, pattern, length, true, subscriber, *number);
    if (s != FP_OK)
        t->host->release(subscriber);
    return s;
}

enum fp_status fp_topic_unsubscribe(struct fp_topic *t, const char *pattern, size_t length,
                                    uint64_t number) {
    return change(t, pattern, length, false, 0, number);
}
