/* fp_lineage_sort.c - which version a replaced node belongs to, and what becomes of it when that
 * one is closed. Everything here runs under the lineage's lock. See fp_lineage.h. */
#include "reclaim/fp_lineage_internal.h"

/* No piece is larger than 512 bytes: allocators serve such from pages for one size, which go back
 * to the system as a whole, where larger ones would be scattered over the heap. */
enum { FIRST_ROOM = 14, MOST_ROOM = 61 };

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
    uint32_t room = d == NULL ? FIRST_ROOM : d->room * 4 + 5;
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

bool fp__lineage_sort_out(struct fp_lineage *l, const uint64_t *node, int count, uint64_t end,
                          struct fp_version **from, struct fp_trash *trash) {
    struct fp_version *to[3];
    bool goes[3]; /* otherwise it belongs to somebody's tree */
    for (int i = 0; i < count; i++) {
        to[i] = NULL;
        goes[i] = node[i] != 0;
        if (!goes[i] || end == 0)
            continue;
        uint64_t birth = l->ops->birth(node[i]);
        if (birth <= l->floor) { /* the parent's */
            goes[i] = false;
            continue;
        }
        to[i] = holder(birth, end, from);
        if (to[i] != NULL && to[i]->cut)
            goes[i] = false;
        else if (to[i] != NULL && !reserve(l, to[i], 3))
            return false;
    }
    for (int i = 0; i < count; i++) {
        if (goes[i] && to[i] != NULL)
            file(to[i], node[i]);
        else if (goes[i])
            l->ops->discard(l, node[i], trash);
    }
    return true;
}

bool fp__lineage_sort_out_unit(struct fp_lineage *l, struct fp_unit *u, struct fp_version **from,
                               struct fp_trash *trash) {
    uint64_t node[3] = {u->part[0], u->part[1], l->ops->of_unit(u)};
    return fp__lineage_sort_out(l, node, 3, u->end, from, trash);
}

void fp__lineage_hold_unit(struct fp_lineage *l, struct fp_unit *u) {
    u->next = l->held;
    l->held = u;
}

/* May some thread still look at the unit, or at a part of it? */
static bool in_use(struct fp_lineage *l, struct fp_unit *u, uint64_t limit) {
    return limit != 0 && (l->ops->birth(l->ops->of_unit(u)) <= limit ||
                          (u->part[0] != 0 && l->ops->birth(u->part[0]) <= limit) ||
                          (u->part[1] != 0 && l->ops->birth(u->part[1]) <= limit));
}

/* Goes through a list of units: what is in use, or (there being no memory) cannot be filed, is
 * held. stamp: theirs; 0: each has its own. Returns how many are held. */
static uint64_t sort_out_list(struct fp_lineage *l, struct fp_unit *u, uint64_t stamp,
                              const struct fp_guards *guards, struct fp_trash *trash) {
    struct fp_version *from = l->newest;
    uint64_t limit = fp_guard_limit(guards, stamp), asked = stamp, done = 0, kept = 0;
    for (; u != NULL; l->since_held++) {
        struct fp_unit *next = u->next;
        FP_FETCH_TO_WRITE(next); /* another thread's processor has written it */
        if (stamp != 0) {
            u->stamp = stamp;
        } else if (u->stamp != asked) {
            asked = u->stamp;
            limit = fp_guard_limit(guards, asked);
        }
        if (in_use(l, u, limit) || !fp__lineage_sort_out_unit(l, u, &from, trash)) {
            fp__lineage_hold_unit(l, u);
            kept++;
        } else {
            done++;
        }
        u = next;
    }
    trash->units += done;
    return kept;
}

/* `fresh` is what was retired since the last sweep. What is held is looked at when as much has come
 * since the last look as was left by it, or nothing is retired now. */
static void sort_out_all(struct fp_lineage *l, struct fp_unit *fresh, uint64_t stamp,
                         const struct fp_guards *guards, struct fp_trash *trash) {
    if (fresh == NULL || l->since_held >= l->left_held) {
        struct fp_unit *held = l->held;
        l->held = NULL;
        l->left_held = sort_out_list(l, held, 0, guards, trash);
        l->since_held = 0;
    }
    sort_out_list(l, fresh, stamp, guards, trash);
}

void fp__lineage_insert(struct fp_lineage *l, struct fp_version *v) {
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

void fp__lineage_remove(struct fp_lineage *l, struct fp_version *v) {
    if (v->older != NULL)
        v->older->newer = v->newer;
    if (v->newer != NULL)
        v->newer->older = v->older;
    else
        l->newest = v->older;
}

/* The root of a version that is closed. It is part of no other: the version before had another
 * root, and the successor is a copy. */
static void discard_root(struct fp_lineage *l, struct fp_version *v, struct fp_trash *trash) {
    struct fp_unit *u = l->ops->unit(v->root);
    if (FP_PLAIN) {
        l->ops->discard(l, v->root, trash);
        return;
    }
    u->end = 0;
    u->part[0] = u->part[1] = 0;
    u->stamp = fp_guard_stamp();
    fp__lineage_hold_unit(l, u);
    l->since_held++;
    fp_u64_fetch_add_relaxed(&l->waiting, 1);
}

/* A version is no more. Some thread may just be finding out that it cannot be retained. */
static void defer_free(struct fp_lineage *l, struct fp_version *v) {
    if (FP_PLAIN) {
        l->memory->free(v, sizeof *v);
        return;
    }
    v->stamp = fp_guard_stamp();
    v->next_closing = NULL;
    if (l->dying == NULL)
        l->dying = v;
    else
        l->dying_last->next_closing = v;
    l->dying_last = v;
}

static void free_dying(struct fp_lineage *l, const struct fp_guards *guards) {
    while (l->dying != NULL && fp_guard_limit(guards, l->dying->stamp) < l->dying->generation) {
        struct fp_version *v = l->dying;
        l->dying = v->next_closing;
        l->memory->free(v, sizeof *v);
    }
}

/* Enters a version that is decided. False: it is gone. */
static bool enter(struct fp_lineage *l, struct fp_version *v, uint64_t state,
                  struct fp_trash *trash) {
    if (state == FP_VERSION_OPEN && fp_u64_cas_seq_cst(&v->state, &state, FP_VERSION_LISTED))
        state = FP_VERSION_LISTED; /* otherwise it has just been closed */
    if (state == FP_VERSION_LISTED || state == FP_VERSION_OPEN_CUT) {
        fp__lineage_insert(l, v);
        return true;
    }
    if (state == FP_VERSION_CLOSED)
        discard_root(l, v, trash);
    defer_free(l, v);
    return false;
}

static void take_inbox(struct fp_lineage *l) {
    struct fp_version *v = fp__lineage_take(&l->inbox);
    while (v != NULL) {
        struct fp_version *next = v->next_opened;
        v->next_opened = l->undecided;
        l->undecided = v;
        v = next;
    }
}

/* Enters the versions that are decided. Returns how many of them are gone. */
static uint64_t enter_decided(struct fp_lineage *l, struct fp_trash *trash) {
    uint64_t gone = 0, met = 0;
    struct fp_version *v, **at = &l->undecided;
    while ((v = *at) != NULL) {
        /* Acquire: pairs with the releases in fp_version_open, _drop and must_close. */
        uint64_t state = fp_u64_load_acquire(&v->state);
        if (state == FP_VERSION_TENTATIVE) {
            at = &v->next_opened;
            continue;
        }
        *at = v->next_opened;
        gone += !enter(l, v, state, trash);
        met += state != FP_VERSION_DROPPED;
    }
    fp_u64_fetch_add_relaxed(&l->waiting, (uint64_t)0 - met);
    return gone;
}

static uint64_t floor_under(struct fp_lineage *l, struct fp_version *v) {
    return v != NULL ? v->generation : l->floor;
}

void fp__version_cut(struct fp_version *v) {
    if (v != NULL && !v->cut) {
        v->cut = true;
        v->stamp = fp_guard_stamp();
    }
}

/* Does a list hold a node that the cut version can see? */
static bool seen_in(struct fp_lineage *l, struct fp_unit *u, struct fp_version *v) {
    for (; u != NULL; u = u->next) {
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
static bool close_version(struct fp_lineage *l, struct fp_version *v, struct fp_unit *fresh,
                          const struct fp_guards *guards, struct fp_trash *trash) {
    if (v->cut) {
        if (fp_guard_limit(guards, v->stamp) > floor_under(l, v->older) || seen_in(l, fresh, v) ||
            seen_in(l, l->held, v))
            return false;
        free_deadlist(l, v->dead); /* its nodes are part of the tree */
        l->ops->dissolve(l, v->root, floor_under(l, v->older), trash);
        fp__version_cut(v->older);
    } else {
        pass_on(l, v, trash);
        discard_root(l, v, trash);
    }
    fp__lineage_remove(l, v);
    defer_free(l, v);
    return true;
}

/* Closes what can be closed; returns how many. */
static uint64_t close_versions(struct fp_lineage *l, struct fp_unit *fresh,
                               const struct fp_guards *guards, struct fp_trash *trash) {
    uint64_t closed = 0;
    struct fp_version *rest = l->todo;
    l->todo = NULL;
    while (rest != NULL) {
        struct fp_version *v = rest;
        rest = v->next_closing;
        if (close_version(l, v, fresh, guards, trash)) {
            closed++;
        } else {
            v->next_closing = l->todo;
            l->todo = v;
        }
    }
    return closed;
}

uint64_t fp__lineage_work(struct fp_lineage *l, struct fp_trash *trash) {
    /* First of all: only if the end came before it was all handed over are the versions that follow
     * all of them (DESIGN.md, "The end"). Acquire: pairs with fp_lineage_end. */
    const bool ended = fp_u64_load_acquire(&l->ended);
    FP_STEP();
    /* Before the inbox: they have gone through it. */
    struct fp_version *v = fp__lineage_take(&l->closing);
    while (v != NULL) {
        struct fp_version *next = v->next_closing;
        v->next_closing = l->todo;
        l->todo = v;
        v = next;
    }
    /* The limbo before the inbox: a version that can see what was retired is in the inbox by now.
     * Then the scan, and then the look whether they are decided: who was not guarded any more had
     * decided before. */
    struct fp_unit *fresh = fp__lineage_take(&l->limbo);
    uint64_t stamp = fp_guard_stamp();
    take_inbox(l);
    FP_STEP();
    struct fp_guards guards;
    fp_guard_scan(&guards);
    free_dying(l, &guards); /* not those that are found closed now: they may have been held since */
    uint64_t dropped = enter_decided(l, trash);
    /* First, since what only they can see need not be filed then. */
    dropped += close_versions(l, fresh, &guards, trash);
    sort_out_all(l, fresh, stamp, &guards, trash);
    if (ended && l->root != 0) {
        l->ops->dissolve(l, l->root, floor_under(l, l->newest), trash);
        l->root = 0;
        fp__version_cut(l->newest);
    }
    return dropped + close_versions(l, NULL, &guards, trash);
}
