/* fp_lineage.c - see fp_lineage.h. */
#include "fp_lineage.h"

#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
static void yield(void) { SwitchToThread(); }
#else
#include <sched.h>
static void yield(void) { sched_yield(); }
#endif

/* So many units in the limbo make a sweep worth while. */
#define SWEEP_UNITS 32

/* With so many waiting for the epoch, some pinned thread has lost its processor. Writers then offer
 * theirs, once a call, or the limbo would grow at their pace for as long as that takes. */
enum { CROWDED = 4096 };

struct fp_deadlist {
    struct fp_deadlist *next;
    uint32_t count, room;
    uint64_t node[];
};

enum { FIRST_ROOM = 6, MOST_ROOM = 510 };

static fp_sync_u64 generations;

uint64_t fp_lineage_generation(void) { return fp_sync_u64_fetch_add_relaxed(&generations, 1) + 1; }

/* Takes a whole stack. Acquire half: pairs with the pushes. */
static void *take(fp_ptr *stack) {
    void *top = fp_ptr_load_seq_cst(stack);
    while (top != NULL && !fp_ptr_cas_seq_cst(stack, &top, NULL))
        ;
    return top;
}

/* Pushes `item`, whose link is `*link`. Release half: publishes it. */
#define PUSH(stack, item, link)                                                                    \
    do {                                                                                           \
        void *top = fp_ptr_load_seq_cst(stack);                                                    \
        do                                                                                         \
            *(link) = top;                                                                         \
        while (!fp_ptr_cas_seq_cst(stack, &top, item));                                            \
    } while (0)

/* Dead lists. --------------------------------------------------------------------------------- */

static size_t deadlist_bytes(uint32_t room) {
    return sizeof(struct fp_deadlist) + room * sizeof(uint64_t);
}

static void free_deadlist(struct fp_lineage *l, struct fp_deadlist *d) {
    while (d != NULL) {
        struct fp_deadlist *next = d->next;
        l->memory->free(d, deadlist_bytes(d->room));
        d = next;
    }
}

/* Makes room for `count` nodes. False: no memory. */
static bool reserve(struct fp_lineage *l, struct fp_version *v, uint32_t count) {
    struct fp_deadlist *d = v->dead;
    if (d != NULL && d->room - d->count >= count)
        return true;
    uint32_t room = d == NULL ? FIRST_ROOM : d->room * 4 + 6;
    if (room > MOST_ROOM)
        room = MOST_ROOM;
    struct fp_deadlist *fresh = l->memory->alloc(deadlist_bytes(room));
    if (fresh == NULL)
        return false;
    fresh->next = d;
    fresh->count = 0;
    fresh->room = room;
    v->dead = fresh;
    return true;
}

static void file(struct fp_version *v, uint64_t node) { v->dead->node[v->dead->count++] = node; }

/* Sorting out; the lock is held. -------------------------------------------------------------- */

/* The newest version that can see what lived from `birth` until `end`. `from` is some version: the
 * one for the last unit is close, as they come in the order in which they were retired. */
static struct fp_version *holder(uint64_t birth, uint64_t end, struct fp_version **from) {
    struct fp_version *v = *from;
    while (v != NULL && v->newer != NULL && v->newer->generation < end)
        v = v->newer;
    while (v != NULL && v->generation >= end) {
        *from = v;
        v = v->older;
    }
    if (v != NULL)
        *from = v;
    return v != NULL && v->generation >= birth ? v : NULL;
}

/* False: no memory; nothing was done. */
static bool sort_out(struct fp_lineage *l, struct fp_unit *u, struct fp_version **from,
                     struct fp_trash *trash) {
    uint64_t node[3] = {u->part[0], u->part[1], l->ops->of_unit(u)};
    struct fp_version *to[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        if (node[i] == 0 || u->end == 0)
            continue;
        uint64_t birth = l->ops->birth(node[i]);
        if (birth <= l->floor) {
            node[i] = 0; /* the parent's */
            continue;
        }
        to[i] = holder(birth, u->end, from);
        if (to[i] != NULL && to[i]->cut)
            node[i] = 0, to[i] = NULL; /* part of that version's tree */
        else if (to[i] != NULL && !reserve(l, to[i], 3))
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (to[i] != NULL)
            file(to[i], node[i]);
        else if (node[i] != 0)
            l->ops->discard(l, node[i], trash);
    }
    return true;
}

static void append(struct fp_lineage *l, struct fp_unit *u) {
    u->next = NULL;
    if (l->aging == NULL)
        l->aging = u;
    else
        l->aging_last->next = u;
    l->aging_last = u;
    fp_u64_store_relaxed(&l->waiting, fp_u64_load_relaxed(&l->waiting) + 1);
}

/* What was retired since the last sweep, oldest first. */
static void take_limbo(struct fp_lineage *l) {
    struct fp_unit *u = take(&l->limbo), *first = NULL;
    while (u != NULL) {
        struct fp_unit *next = u->next;
        u->next = first;
        first = u;
        u = next;
    }
    uint64_t now = fp_epoch_stamp();
    while (first != NULL) {
        u = first;
        first = u->next;
        fp_u64_store_relaxed(&u->stamp, now);
        append(l, u);
    }
}

static void sort_out_aged(struct fp_lineage *l, struct fp_trash *trash) {
    struct fp_version *from = l->newest;
    while (l->aging != NULL && fp_epoch_passed(fp_u64_load_relaxed(&l->aging->stamp))) {
        struct fp_unit *u = l->aging, *next = u->next;
        if (!sort_out(l, u, &from, trash))
            return;
        l->aging = next;
        fp_u64_store_relaxed(&l->waiting, fp_u64_load_relaxed(&l->waiting) - 1);
    }
}

static void insert(struct fp_lineage *l, struct fp_version *v) {
    struct fp_version *newer = NULL, *older = l->newest;
    while (older != NULL && older->generation > v->generation) {
        newer = older;
        older = older->older;
    }
    v->older = older;
    v->newer = newer;
    if (older != NULL)
        older->newer = v;
    if (newer != NULL)
        newer->older = v;
    else
        l->newest = v;
}

/* Enters the versions that are decided. Returns how many of them were dropped. */
static uint64_t take_inbox(struct fp_lineage *l) {
    struct fp_version *v = take(&l->inbox);
    while (v != NULL) {
        struct fp_version *next = v->next_opened;
        v->next_opened = l->undecided;
        l->undecided = v;
        v = next;
    }
    uint64_t dropped = 0;
    struct fp_version **at = &l->undecided;
    while ((v = *at) != NULL) {
        /* Acquire: pairs with the releases in fp_version_open and fp_version_drop. */
        uint64_t state = fp_u64_load_acquire(&v->state);
        if (state == FP_VERSION_TENTATIVE) {
            at = &v->next_opened;
            continue;
        }
        *at = v->next_opened;
        if (state == FP_VERSION_OPEN) {
            insert(l, v);
        } else {
            l->memory->free(v, sizeof *v);
            dropped++;
        }
    }
    return dropped;
}

static uint64_t floor_under(struct fp_lineage *l, struct fp_version *v) {
    return v != NULL ? v->generation : l->floor;
}

static void set_cut(struct fp_version *v) {
    if (v != NULL && !v->cut) {
        v->cut = true;
        v->cut_stamp = fp_epoch_stamp();
    }
}

/* Is a node that the cut version can see still in the limbo? */
static bool seen_in_limbo(struct fp_lineage *l, struct fp_version *v) {
    for (struct fp_unit *u = l->aging; u != NULL; u = u->next) {
        uint64_t node[3] = {u->part[0], u->part[1], l->ops->of_unit(u)};
        for (int i = 0; i < 3; i++)
            if (node[i] != 0 && u->end != 0 && l->ops->birth(node[i]) <= v->generation)
                return true;
    }
    return false;
}

/* Hands a closed version's dead nodes to the next older one, or discards them. */
static void pass_on(struct fp_lineage *l, struct fp_version *v, struct fp_trash *trash) {
    uint64_t seen = floor_under(l, v->older);
    struct fp_deadlist *d = v->dead;
    v->dead = NULL;
    while (d != NULL) {
        struct fp_deadlist *next = d->next;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < d->count; i++)
            if (l->ops->birth(d->node[i]) <= seen)
                d->node[kept++] = d->node[i];
            else
                l->ops->discard(l, d->node[i], trash);
        d->count = kept;
        if (kept == 0) {
            l->memory->free(d, deadlist_bytes(d->room));
        } else {
            /* The fullest pieces last: room is looked for in the first. */
            struct fp_deadlist **at = &v->older->dead;
            if (*at != NULL)
                at = &(*at)->next;
            d->next = *at;
            *at = d;
        }
        d = next;
    }
}

/* False: not yet. */
static bool close_version(struct fp_lineage *l, struct fp_version *v, struct fp_trash *trash) {
    if (v->cut) {
        if (!fp_epoch_passed(v->cut_stamp) || seen_in_limbo(l, v))
            return false;
        free_deadlist(l, v->dead); /* its nodes are part of the tree */
        l->ops->dissolve(l, v->root, floor_under(l, v->older), trash);
        set_cut(v->older);
    } else {
        pass_on(l, v, trash);
    }
    if (v->older != NULL)
        v->older->newer = v->newer;
    if (v->newer != NULL)
        v->newer->older = v->older;
    else
        l->newest = v->older;
    l->memory->free(v, sizeof *v);
    return true;
}

/* Closes what can be closed; returns how many. */
static uint64_t close_versions(struct fp_lineage *l, struct fp_trash *trash) {
    uint64_t closed = 0;
    struct fp_version *rest = l->todo;
    l->todo = NULL;
    while (rest != NULL) {
        struct fp_version *v = rest;
        rest = v->next_closing;
        if (close_version(l, v, trash)) {
            closed++;
        } else {
            v->next_closing = l->todo;
            l->todo = v;
        }
    }
    return closed;
}

/* Returns how many references to the lineage are given up. */
static uint64_t work(struct fp_lineage *l, struct fp_trash *trash) {
    struct fp_version *v = take(&l->closing); /* before the inbox: they have gone through it */
    while (v != NULL) {
        struct fp_version *next = v->next_closing;
        v->next_closing = l->todo;
        l->todo = v;
        v = next;
    }
    /* The limbo before the inbox: a version that can see what was retired is in the inbox by now.
     */
    take_limbo(l);
    uint64_t dropped = take_inbox(l);
    if (l->undecided != NULL)
        return dropped;
    /* First, since what only they can see need not be filed then. */
    dropped += close_versions(l, trash);
    sort_out_aged(l, trash);
    if (fp_u64_load_acquire(&l->ended) && l->root != 0) { /* pairs with fp_lineage_end */
        l->ops->dissolve(l, l->root, floor_under(l, l->newest), trash);
        l->root = 0;
        set_cut(l->newest);
    }
    return dropped + close_versions(l, trash);
}

/* Sweeping. ----------------------------------------------------------------------------------- */

static bool try_lock(struct fp_lineage *l) {
    uint64_t nobody = 0;
    return fp_sync_u64_cas_seq_cst(&l->lock, &nobody, fp_thread_serial());
}

/* Gives up references. If they were the last, destroys the lineage and returns its base. */
static struct fp_version *unref(struct fp_lineage *l, uint64_t count) {
    if (fp_sync_u64_fetch_add_seq_cst(&l->refs, (uint64_t)0 - count) != count)
        return NULL;
    struct fp_trash trash = {0};
    while (l->aging != NULL) { /* only where memory was short; no version is left */
        struct fp_unit *u = l->aging;
        struct fp_version *none = NULL;
        l->aging = u->next;
        sort_out(l, u, &none, &trash);
    }
    l->ops->empty(l, &trash);
    struct fp_version *base = l->base;
    l->ops->destroy(l);
    return base;
}

#if FP_PLAIN
static void enqueue(struct fp_lineage *l) { (void)l; } /* nothing is ever left */
void fp_lineage_collect(void) {}
#else
static fp_ptr unswept;

/* Whatever is left is reachable from the list of the unswept, and keeps the lineage alive. */
static void enqueue(struct fp_lineage *l) {
    uint64_t no = 0;
    if (fp_u64_load_seq_cst(&l->queued) || !fp_u64_cas_seq_cst(&l->queued, &no, 1))
        return;
    fp_sync_u64_fetch_add_seq_cst(&l->refs, 1);
    PUSH(&unswept, l, &l->next_queued);
}
#endif

/* The caller holds a reference. Returns a base to be released; adds the versions closed. */
static struct fp_version *sweep(struct fp_lineage *l, uint64_t *closed) {
    uint64_t dropped = 1;
    int times = 4; /* others may leave notes for ever; and a version may wait for two epochs */
    fp_sync_u64_fetch_add_seq_cst(&l->refs, 1);
    fp_u64_store_seq_cst(&l->attention, 1);
    FP_STEP();
    /* If the lock is taken, its holder sees the note after giving it back: either our swap came
     * after that, and succeeds, or our store came before the holder's look. What he is too tired
     * for is still in the list of the unswept, and done with the next sweep. */
    while (times-- > 0 && fp_u64_load_seq_cst(&l->attention) && try_lock(l)) {
        struct fp_trash trash = {0};
        fp_u64_store_seq_cst(&l->attention, 0);
        FP_STEP();
        fp_epoch_advance();
        dropped += work(l, &trash);
        bool waits = l->todo != NULL;
        bool left = waits || l->aging != NULL || l->undecided != NULL;
        FP_STEP();
        fp_sync_u64_store_seq_cst(&l->lock, 0); /* pairs with try_lock */
        FP_STEP();
        if (left)
            enqueue(l);
        l->ops->empty(l, &trash);
        if (!FP_PLAIN && waits)
            fp_u64_store_seq_cst(&l->attention, 1);
    }
    *closed += dropped - 1;
    return unref(l, dropped);
}

#if !FP_PLAIN
/* Closing a version may let the next older one, or a base, be closed after two more epochs: as long
 * as that happens it goes on, but not for ever, should others keep closing. */
void fp_lineage_collect(void) {
    enum { PATIENCE = 3, MOST_ROUNDS = 10000 };
    int idle = 0;
    for (int round = 0; idle < PATIENCE && round < MOST_ROUNDS; round++, idle++) {
        fp_epoch_advance();
        struct fp_lineage *l = take(&unswept);
        while (l != NULL) {
            struct fp_lineage *next = l->next_queued;
            uint64_t closed = 0;
            fp_u64_store_seq_cst(&l->queued, 0);
            struct fp_version *base = sweep(l, &closed);
            idle = closed != 0 || base != NULL ? -1 : idle;
            fp_version_release(base);
            base = unref(l, 1);
            idle = base != NULL ? -1 : idle;
            fp_version_release(base);
            l = next;
        }
    }
}
#endif

void fp_lineage_init(struct fp_lineage *l, const struct fp_lineage_ops *ops,
                     const struct fp_memory *memory, struct fp_version *base) {
    memset(l, 0, sizeof *l);
    l->ops = ops;
    l->memory = memory;
    l->base = base;
    l->floor = base != NULL ? base->generation : 0;
    fp_sync_u64_store_relaxed(&l->refs, 1);
}

void fp_lineage_hold(struct fp_lineage *l) { fp_sync_u64_fetch_add_seq_cst(&l->refs, 1); }

void fp_lineage_drop(struct fp_lineage *l) { fp_version_release(unref(l, 1)); }

void fp_lineage_end(struct fp_lineage *l, uint64_t root) {
    l->root = root;
    fp_u64_store_release(&l->ended, 1); /* pairs with work() */
    enqueue(l);
    uint64_t closed = 0;
    fp_version_release(sweep(l, &closed));
    fp_version_release(unref(l, 1));
    fp_lineage_collect();
}

bool fp_lineage_retire(struct fp_lineage *l, struct fp_unit *u, uint64_t end,
                       struct fp_trash *trash) {
    u->end = end;
#if FP_PLAIN
    struct fp_version *from = l->newest;
    fp_u64_store_relaxed(&u->stamp, 0);
    if (!sort_out(l, u, &from, trash))
        append(l, u);
    return false;
#else
    (void)trash;
    void *top = fp_ptr_load_seq_cst(&l->limbo);
    uint64_t count;
    do {
        /* It may have been taken since, but not freed: the caller was pinned before that. */
        count = top != NULL ? fp_u64_load_relaxed(&((struct fp_unit *)top)->stamp) + 1 : 1;
        fp_u64_store_relaxed(&u->stamp, count);
        u->next = top;
        FP_STEP();
    } while (!fp_ptr_cas_seq_cst(&l->limbo, &top, u)); /* release half: pairs with take() */
    if (top == NULL)
        enqueue(l);
    return count >= SWEEP_UNITS;
#endif
}

/* The live structure holds a reference, so this ends nothing. */
void fp_lineage_tidy(struct fp_lineage *l) {
    uint64_t closed = 0;
    sweep(l, &closed);
    if (fp_u64_load_relaxed(&l->waiting) >= CROWDED)
        yield();
}

/* Versions. ----------------------------------------------------------------------------------- */

struct fp_version *fp_version_enter(struct fp_lineage *l, uint64_t generation, uint64_t root) {
    struct fp_version *v = l->memory->alloc(sizeof *v);
    if (v == NULL)
        return NULL;
    memset(v, 0, sizeof *v);
    v->lineage = l;
    v->generation = generation;
    v->root = root;
    fp_sync_u64_store_relaxed(&v->refs, 1);
    fp_u64_store_relaxed(&v->state, FP_VERSION_TENTATIVE);
    fp_sync_u64_fetch_add_seq_cst(&l->refs, 1);
#if !FP_PLAIN
    PUSH(&l->inbox, v, &v->next_opened);
#endif
    return v;
}

void fp_version_open(struct fp_version *v, bool cut) {
    if (cut)
        set_cut(v); /* nobody reads it before the state */
    fp_u64_store_release(&v->state, FP_VERSION_OPEN); /* pairs with take_inbox */
#if FP_PLAIN
    insert(v->lineage, v);
#endif
}

void fp_version_drop(struct fp_version *v) {
#if FP_PLAIN
    struct fp_lineage *l = v->lineage;
    fp_sync_u64_fetch_add_seq_cst(&l->refs, (uint64_t)-1);
    l->memory->free(v, sizeof *v);
#else
    fp_u64_store_release(&v->state, FP_VERSION_DROPPED); /* pairs with take_inbox */
#endif
}

void fp_version_retain(struct fp_version *v) { fp_sync_u64_fetch_add_seq_cst(&v->refs, 1); }

/* Closing one may destroy its lineage and so release a base, and so on: a loop, since the chain may
 * be as long as you like. */
void fp_version_release(struct fp_version *v) {
    while (v != NULL && fp_sync_u64_fetch_add_seq_cst(&v->refs, (uint64_t)-1) == 1) {
        struct fp_lineage *l = v->lineage;
        fp_sync_u64_fetch_add_seq_cst(&l->refs, 1);
        PUSH(&l->closing, v, &v->next_closing);
        FP_STEP();
        enqueue(l);
        uint64_t closed = 0;
        v = sweep(l, &closed);
        struct fp_version *base = unref(l, 1);
        v = v != NULL ? v : base;
    }
}

int fp_lineage_visit(struct fp_lineage *l, uint64_t live_root, fp_visitor fn, void *arg) {
    int answer = 0;
    uint64_t root = live_root != 0 ? live_root : l->root;
    if (root != 0)
        answer = l->ops->visit(root, l->floor, fn, arg);
    for (struct fp_version *v = l->newest; v != NULL && answer == 0; v = v->older) {
        if (v->cut) {
            answer = l->ops->visit(v->root, l->floor, fn, arg);
            continue;
        }
        for (struct fp_deadlist *d = v->dead; d != NULL; d = d->next)
            for (uint32_t i = 0; i < d->count && answer == 0; i++)
                answer = l->ops->visit_node(d->node[i], fn, arg);
    }
    return answer;
}
