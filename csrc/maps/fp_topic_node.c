/* fp_topic_node.c - making and giving up a trie, snapshots, and what reclamation and the garbage
 * collector have to know about the nodes. Recursion goes down tables: twice 13 levels at most. */
#include "maps/fp_topic_internal.h"

static size_t table_bytes(uint32_t slots) {
    return sizeof(struct fp_topic_table) + slots * sizeof(struct fp_topic_node *);
}

size_t fp__topic_bytes_of(const struct fp_topic_node *n) {
    switch (n->kind) {
    case FP_TOPIC_ROOT:
        return sizeof(struct fp_topic_root);
    case FP_TOPIC_TABLE:
        return table_bytes(fp_topic_popcount(((const struct fp_topic_table *)n)->bitmap));
    case FP_TOPIC_PLACE:
        return sizeof(struct fp_topic_place) + ((const struct fp_topic_place *)n)->length;
    default:
        return sizeof(struct fp_topic_sub);
    }
}

static struct fp_topic *trie_of(struct fp_lineage *l) {
    return (struct fp_topic *)(void *)l; /* the first member */
}

static uint64_t birth(uint64_t node) { return fp_topic_node(node)->birth; }

static uint64_t of_unit(struct fp_unit *u) { return fp_topic_word(u); /* the first member */ }

static struct fp_unit *unit(uint64_t node) { return &fp_topic_node(node)->unit; }

static void free_node(struct fp_topic *t, struct fp_topic_node *n) {
    t->host->memory.free(n, fp__topic_bytes_of(n));
}

/* Freeing is not done under the lineage's lock: it all goes to the trash, by the first word of the
 * node. With FP_PLAIN only subscriptions do, for the sake of their handles. */
static void discard(struct fp_lineage *l, uint64_t node, struct fp_trash *trash) {
    struct fp_topic_node *n = fp_topic_node(node);
    if (FP_PLAIN && n->kind != FP_TOPIC_SUB) {
        free_node(trie_of(l), n);
        return;
    }
    n->unit.next = (struct fp_unit *)(void *)fp_topic_node(trash->first);
    trash->first = node;
}

static void empty(struct fp_lineage *l, struct fp_trash *trash) {
    struct fp_topic *t = trie_of(l);
    while (trash->first != 0) {
        struct fp_topic_node *n = fp_topic_node(trash->first);
        const bool is_sub = n->kind == FP_TOPIC_SUB;
        const uint64_t handle = is_sub ? ((struct fp_topic_sub *)n)->handle : 0;
        trash->first = fp_topic_word(n->unit.next);
        free_node(t, n);
        if (is_sub)
            t->host->release(handle);
    }
}

/* Calls `each` for every node reachable from this one and born after `floor`, the lower ones first.
 * What a node holds was not born after it, so a node that is too old ends the walk. */
static int walk(struct fp_topic_node *n, uint64_t floor,
                int (*each)(struct fp_topic_node *n, void *arg), void *arg) {
    int answer = 0;
    while (answer == 0 && n != NULL && n->birth > floor) {
        struct fp_topic_node *next = NULL; /* where only one thing is left to be visited */
        if (n->kind == FP_TOPIC_ROOT) {
            answer = walk(&((struct fp_topic_root *)n)->top->leaf.node, floor, each, arg);
            next = ((struct fp_topic_root *)n)->table;
        } else if (n->kind == FP_TOPIC_TABLE) {
            struct fp_topic_table *t = (struct fp_topic_table *)n;
            for (uint32_t i = fp_topic_popcount(t->bitmap); i-- > 0 && answer == 0;)
                answer = walk(t->slot[i], floor, each, arg);
        } else if (n->kind == FP_TOPIC_PLACE) {
            struct fp_topic_place *p = (struct fp_topic_place *)n;
            answer = walk(p->subs, floor, each, arg);
            next = p->same != NULL ? &p->same->leaf.node : NULL;
        }
        if (answer == 0)
            answer = each(n, arg);
        n = next;
    }
    return answer;
}

struct dissolving {
    struct fp_lineage *line;
    struct fp_trash *trash;
};

static int dissolve_one(struct fp_topic_node *n, void *arg) {
    struct dissolving *d = arg;
    discard(d->line, fp_topic_word(n), d->trash);
    return 0;
}

static void dissolve(struct fp_lineage *l, uint64_t root, uint64_t floor, struct fp_trash *trash) {
    struct dissolving d = {l, trash};
    walk(fp_topic_node(root), floor, dissolve_one, &d);
}

struct visiting {
    fp_handle_visitor fn;
    void *arg;
};

static int visit_one(struct fp_topic_node *n, void *arg) {
    struct visiting *v = arg;
    return n->kind == FP_TOPIC_SUB ? v->fn(((struct fp_topic_sub *)n)->handle, v->arg) : 0;
}

static int visit(uint64_t root, uint64_t floor, fp_handle_visitor fn, void *arg) {
    struct visiting v = {fn, arg};
    return walk(fp_topic_node(root), floor, visit_one, &v);
}

static int visit_node(uint64_t node, fp_handle_visitor fn, void *arg) {
    struct visiting v = {fn, arg};
    return visit_one(fp_topic_node(node), &v);
}

static void destroy(struct fp_lineage *l) {
    struct fp_topic *t = trie_of(l);
    t->host->memory.free(t, sizeof *t);
}

const struct fp_lineage_ops fp__topic_lineage_ops = {
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

/* A root that nobody knows yet: a copy of the old one, or (NULL) one of an empty trie. NULL: no
 * memory. */
static struct fp_topic_root *new_root(const struct fp_topic_host *host,
                                      const struct fp_topic_root *old) {
    struct fp_topic_root *root = host->memory.alloc(sizeof *root);
    struct fp_topic_place *top = old != NULL ? old->top : host->memory.alloc(sizeof *top);
    if (root == NULL || top == NULL) {
        if (root != NULL)
            host->memory.free(root, sizeof *root);
        if (top != NULL && old == NULL)
            host->memory.free(top, sizeof *top);
        return NULL;
    }
    root->node.kind = FP_TOPIC_ROOT;
    root->node.fresh = 0;
    root->node.birth = fp_lineage_generation();
    root->counts = old != NULL ? old->counts : (struct fp_topic_counts){0, 0};
    root->table = old != NULL ? old->table : NULL;
    root->top = top;
    if (old == NULL) {
        memset(top, 0, sizeof *top);
        top->leaf.node.kind = FP_TOPIC_PLACE;
        top->leaf.node.birth = root->node.birth;
    }
    return root;
}

/* Frees what new_root made. */
static void free_root(const struct fp_topic_host *host, struct fp_topic_root *root,
                      const struct fp_topic_root *old) {
    if (old == NULL)
        host->memory.free(root->top, sizeof *root->top);
    host->memory.free(root, sizeof *root);
}

struct fp_topic *fp_topic_create(const struct fp_topic_host *host,
                                 const struct fp_topic_syntax *syntax) {
    struct fp_topic *t = host->memory.alloc(sizeof *t);
    struct fp_topic_root *root = t != NULL ? new_root(host, NULL) : NULL;
    if (root == NULL) {
        if (t != NULL)
            host->memory.free(t, sizeof *t);
        return NULL;
    }
    fp_lineage_init(&t->line, &fp__topic_lineage_ops, &host->memory, NULL);
    t->host = host;
    t->syntax = syntax;
    fp_ptr_store_relaxed(&t->root, root);
    fp_u64_store_relaxed(&t->numbers, 0);
    return t;
}

bool fp_topic_hold(struct fp_topic *t) { return fp_lineage_join(&t->line); }

void fp_topic_end(struct fp_topic *t) {
    if (fp_lineage_leave(&t->line))
        fp_lineage_end(&t->line, fp_topic_word(fp_ptr_load_acquire(&t->root)));
}

/* FP_RETRY: the root was changed meanwhile. Guarded. The old root is the version's from now on;
 * what follows is a copy of it, or (clear) empty. */
static enum fp_status raise_generation(struct fp_topic *t, struct fp_epoch_record *guard,
                                       bool clear, struct fp_version **version, bool *tidy) {
    struct fp_topic_root *old = fp_ptr_load_seq_cst(&t->root), *source = clear ? NULL : old;
    struct fp_topic_root *fresh = new_root(t->host, source);
    void *expected = old;
    if (fresh == NULL)
        return FP_NO_MEMORY;
    struct fp_version *v = fp_version_enter(&t->line, old->node.birth, fp_topic_word(old), 1);
    *version = v;
    FP_STEP();
    /* The linearization point. Release half: publishes the root. The version was entered before. */
    if (v == NULL || !fp_ptr_cas_seq_cst(&t->root, &expected, fresh)) {
        free_root(t->host, fresh, source);
        if (v == NULL)
            return FP_NO_MEMORY;
        fp_version_drop(v);
        return FP_RETRY;
    }
    FP_STEP();
    old->node.unit.part[0] = old->node.unit.part[1] = 0;
    *tidy = fp_version_open(v, guard, clear);
    return FP_OK;
}

static enum fp_status snapshot(struct fp_topic *t, bool clear, struct fp_version **v) {
    enum fp_status s;
    bool tidy = false;
    do {
        struct fp_epoch_record *guard = fp_guard();
        if (guard == NULL)
            return FP_NO_MEMORY;
        s = raise_generation(t, guard, clear, v, &tidy);
        fp_unguard(guard);
    } while (s == FP_RETRY);
    if (tidy)
        fp_lineage_tidy(&t->line);
    return s;
}

struct fp_version *fp_topic_snapshot(struct fp_topic *t) {
    struct fp_version *v;
    return snapshot(t, false, &v) == FP_OK ? v : NULL;
}

enum fp_status fp_topic_clear(struct fp_topic *t) {
    struct fp_version *v;
    enum fp_status s = snapshot(t, true, &v);
    if (s == FP_OK)
        fp_version_release(v);
    return s;
}

bool fp_topic_count(struct fp_topic *t, struct fp_topic_counts *counts) {
    struct fp_epoch_record *guard = fp_guard();
    if (guard == NULL)
        return false;
    *counts = ((struct fp_topic_root *)fp_ptr_load_seq_cst(&t->root))->counts; /* linearizes */
    fp_unguard(guard);
    return true;
}

struct fp_topic_counts fp_topic_version_count(struct fp_version *v) {
    return ((struct fp_topic_root *)fp_topic_node(v->root))->counts;
}

static int add_bytes(struct fp_topic_node *n, void *arg) {
    *(size_t *)arg += fp__topic_bytes_of(n);
    return 0;
}

/* What a version can see stays as it is, so there is no need to be guarded. */
size_t fp_topic_memory(struct fp_version *v) {
    size_t sum = sizeof(struct fp_topic);
    walk(fp_topic_node(v->root), 0, add_bytes, &sum);
    return sum;
}

int fp_topic_visit(struct fp_topic *t, fp_handle_visitor fn, void *arg) {
    const bool ended = fp_u64_load_relaxed(&t->line.ended);
    void *root = ended ? NULL : fp_ptr_load_relaxed(&t->root);
    return fp_lineage_visit(&t->line, fp_topic_word(root), fn, arg);
}
