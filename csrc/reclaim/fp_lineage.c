/* fp_lineage.c - see fp_lineage.h. */
#include "reclaim/fp_lineage_internal.h"

#include "base/fp_park.h"

#include <string.h>

/* A thread sweeps each time it has retired so many units or entered so many versions, of whatever
 * lineage. */
#define SWEEP_UNITS 64

/* Rounds in a row: other threads may leave notes for ever, and a version may have to wait. */
#define SWEEP_ROUNDS 4

/* If so many units wait, some guarded thread has lost its processor, or the sweeping thread frees
 * more slowly than the others make garbage. A thread that made some then offers its processor. From
 * the second figure on, it sleeps for a time that grows with what waits: the pace of sweeping
 * bounds the memory. The longest sleep bounds the delay, whatever holds up the sweeping thread. */
enum { CROWDED = 1024, PILED = 8 * CROWDED, NANOS_FOR_EACH = 25, LONGEST_NANOS = 2000000 };

static fp_u64 generations;

uint64_t fp_lineage_generation(void) { return fp_u64_fetch_add_relaxed(&generations, 1) + 1; }

/* Pushes `item`, whose link is `*link`. Release half: publishes it. */
#define PUSH(stack, item, link)                                                                    \
    do {                                                                                           \
        void *top = fp_ptr_load_seq_cst(stack);                                                    \
        do                                                                                         \
            *(link) = top;                                                                         \
        while (!fp_ptr_cas_seq_cst(stack, &top, item));                                            \
    } while (0)

/* Sweeping. ----------------------------------------------------------------------------------- */

static bool try_lock(struct fp_lineage *l) {
    uint64_t nobody = 0;
    return fp_u64_cas_seq_cst(&l->lock, &nobody, fp_thread_serial());
}

/* Gives up references. If they were the last, destroys the lineage and returns its base. */
static struct fp_version *unref(struct fp_lineage *l, uint64_t count) {
    if (fp_u64_fetch_add_seq_cst(&l->refs, (uint64_t)0 - count) != count)
        return NULL;
    struct fp_trash trash = {0};
    while (l->held != NULL) { /* only where memory was short; no version is left */
        struct fp_unit *u = l->held;
        struct fp_version *none = NULL;
        l->held = u->next;
        fp__lineage_sort_out_unit(l, u, &none, &trash);
    }
    while (l->dying != NULL) {
        struct fp_version *v = l->dying;
        l->dying = v->next_closing;
        l->memory->free(v, sizeof *v);
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

/* Puts the lineage into the list of the unswept: that keeps it alive, and what is left reachable.
 */
static void enqueue(struct fp_lineage *l) {
    uint64_t no = 0;
    if (fp_u64_load_seq_cst(&l->queued) || !fp_u64_cas_seq_cst(&l->queued, &no, 1))
        return;
    fp_u64_fetch_add_seq_cst(&l->refs, 1);
    PUSH(&unswept, l, &l->next_queued);
}

/* Counts one more thing that a sweep has to deal with. True: it is this thread's turn to sweep. */
static inline bool one_more(struct fp_lineage *l, struct fp_epoch_record *by) {
    fp_u64_fetch_add_relaxed(&l->waiting, 1);
    return ++by->handed % SWEEP_UNITS == 0;
}
#endif

/* The caller holds a reference. Returns a base to be released; adds how many versions it closed. */
static struct fp_version *sweep(struct fp_lineage *l, uint64_t *closed) {
    uint64_t dropped = 1;
    int times = SWEEP_ROUNDS;
    fp_u64_fetch_add_seq_cst(&l->refs, 1);
    fp_u64_store_seq_cst(&l->attention, 1);
    FP_STEP();
    /* If the lock is taken, its holder sees the note after giving the lock back: either our swap
     * came after that, and succeeds, or our store came before the holder's look. */
    while (times > 0 && fp_u64_load_seq_cst(&l->attention) && try_lock(l)) {
        struct fp_trash trash = {0};
        fp_u64_store_seq_cst(&l->attention, 0);
        FP_STEP();
        dropped += fp__lineage_work(l, &trash);
        bool waits = l->todo != NULL;
        bool left = waits || l->held != NULL || l->dying != NULL || l->undecided != NULL;
        FP_STEP();
        fp_u64_store_seq_cst(&l->lock, 0); /* pairs with try_lock */
        FP_STEP();
        if (left)
            enqueue(l);
        l->ops->empty(l, &trash);
        fp_u64_fetch_add_relaxed(&l->waiting, (uint64_t)0 - trash.units);
        if (!FP_PLAIN && waits)
            fp_u64_store_seq_cst(&l->attention, 1);
        times--;
    }
    /* A thread that left a note relies on it: the next collection does what is too much now. */
    if (times == 0 && fp_u64_load_seq_cst(&l->attention))
        enqueue(l);
    *closed += dropped - 1;
    return unref(l, dropped);
}

#if !FP_PLAIN
/* Closing a version may allow the next older one, or a base, to be closed in a later round. The
 * loop goes on as long as that happens, but not for ever, in case other threads keep closing. */
void fp_lineage_collect(void) {
    enum { PATIENCE = 3, MOST_ROUNDS = 10000 };
    int idle = 0;
    for (int round = 0; idle < PATIENCE && round < MOST_ROUNDS; round++, idle++) {
        struct fp_lineage *l = fp__lineage_take(&unswept);
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
    fp_u64_store_relaxed(&l->refs, 1);
    fp_u64_store_relaxed(&l->holders, 1);
}

void fp_lineage_hold(struct fp_lineage *l) { fp_u64_fetch_add_seq_cst(&l->refs, 1); }

void fp_lineage_drop(struct fp_lineage *l) { fp_version_release(unref(l, 1)); }

/* Adds a reference, unless there is none left. */
static bool retain(fp_u64 *references) {
    uint64_t refs = fp_u64_load_seq_cst(references);
    while (refs != 0 && !fp_u64_cas_seq_cst(references, &refs, refs + 1))
        ;
    return refs != 0;
}

bool fp_lineage_join(struct fp_lineage *l) { return retain(&l->holders); }

/* Acquire half: the last holder to leave has seen what the others did. */
bool fp_lineage_leave(struct fp_lineage *l) {
    return fp_u64_fetch_add_seq_cst(&l->holders, (uint64_t)-1) == 1;
}

void fp_lineage_end(struct fp_lineage *l, uint64_t root) {
    l->root = root;
    if (FP_PLAIN && l->newest != NULL)
        l->newest->borrows = false; /* cut, it owns its root like all else that it can see */
    fp_u64_store_release(&l->ended, 1); /* pairs with fp__lineage_work */
    enqueue(l);
    uint64_t closed = 0;
    fp_version_release(sweep(l, &closed));
    fp_version_release(unref(l, 1));
    fp_lineage_collect();
}

bool fp_lineage_retire(struct fp_lineage *l, struct fp_epoch_record *by, struct fp_unit *u,
                       uint64_t end, struct fp_trash *trash) {
    u->end = end;
#if FP_PLAIN
    struct fp_version *from = l->newest;
    (void)by;
    u->stamp = 0;
    if (!fp__lineage_sort_out_unit(l, u, &from, trash))
        fp__lineage_hold_unit(l, u);
    return false;
#else
    (void)trash;
    void *top = fp_ptr_load_seq_cst(&l->limbo);
    do {
        u->next = top;
        FP_STEP();
    } while (!fp_ptr_cas_seq_cst(&l->limbo, &top, u)); /* release half: pairs with the taking */
    if (top == NULL)
        enqueue(l);
    return one_more(l, by);
#endif
}

/* The live structure holds a reference, so this ends nothing. */
void fp_lineage_tidy(struct fp_lineage *l) {
    uint64_t closed = 0;
    sweep(l, &closed);
    const int64_t waiting = (int64_t)fp_u64_load_relaxed(&l->waiting);
    if (waiting >= PILED) {
        const int64_t nanos = waiting * NANOS_FOR_EACH;
        fp_nap(nanos < LONGEST_NANOS ? nanos : LONGEST_NANOS);
    } else if (waiting >= CROWDED) {
        fp_yield();
    }
}

/* Versions. ----------------------------------------------------------------------------------- */

struct fp_version *fp_version_enter(struct fp_lineage *l, uint64_t generation, uint64_t root,
                                    uint64_t references) {
    struct fp_version *v = l->memory->alloc(sizeof *v);
    if (v == NULL)
        return NULL;
    memset(v, 0, sizeof *v);
    v->lineage = l;
    v->generation = generation;
    v->root = root;
    fp_u64_store_relaxed(&v->refs, references);
    fp_u64_store_relaxed(&v->state, FP_VERSION_TENTATIVE);
    fp_u64_fetch_add_seq_cst(&l->refs, 1);
#if !FP_PLAIN
    PUSH(&l->inbox, v, &v->next_opened);
#endif
    return v;
}

bool fp_version_open(struct fp_version *v, struct fp_epoch_record *by, bool cut) {
    struct fp_lineage *l = v->lineage;
    if (cut)
        fp__version_cut(v); /* no thread reads it before the state */
    /* Release: pairs with enter_decided. */
    fp_u64_store_release(&v->state, cut ? FP_VERSION_OPEN_CUT : FP_VERSION_OPEN);
#if FP_PLAIN
    (void)by;
    fp__lineage_insert(l, v);
    return false;
#else
    return one_more(l, by);
#endif
}

void fp_version_drop(struct fp_version *v) {
#if FP_PLAIN
    struct fp_lineage *l = v->lineage;
    fp_u64_fetch_add_seq_cst(&l->refs, (uint64_t)-1);
    l->memory->free(v, sizeof *v);
#else
    fp_u64_store_release(&v->state, FP_VERSION_DROPPED); /* pairs with enter_decided */
#endif
}

#if FP_PLAIN
struct fp_version *fp_version_lend(struct fp_lineage *l, uint64_t generation, uint64_t root) {
    struct fp_version *v = fp_version_enter(l, generation, root, 1);
    if (v != NULL) {
        v->borrows = true;
        fp_version_open(v, NULL, false);
    }
    return v;
}

void fp_version_keep(struct fp_version *v, bool cut) {
    v->borrows = false;
    if (cut)
        fp__version_cut(v);
}

bool fp_lineage_replace(struct fp_lineage *l, const uint64_t node[2], uint64_t end,
                        struct fp_trash *trash) {
    struct fp_version *from = l->newest;
    return fp__lineage_sort_out(l, node, 2, end, &from, trash);
}
#endif

void fp_version_retain(struct fp_version *v) { fp_u64_fetch_add_seq_cst(&v->refs, 1); }

bool fp_version_try_retain(struct fp_version *v) { return retain(&v->refs); }

/* The last reference is gone. If no sweep has met the version yet, this swap closes it (release
 * half: pairs with enter_decided): nothing was filed under it, what it alone can see is in the
 * limbo, and the next sweep clears up. Otherwise the answer is true: a sweep has to close it, and
 * `l` is held for that. */
static bool must_close(struct fp_lineage *l, struct fp_version *v) {
    uint64_t open = FP_VERSION_OPEN;
    if (!FP_PLAIN && fp_u64_cas_seq_cst(&v->state, &open, FP_VERSION_CLOSED))
        return false;
    fp_u64_fetch_add_seq_cst(&l->refs, 1);
    PUSH(&l->closing, v, &v->next_closing);
    FP_STEP();
    enqueue(l);
    return true;
}

#if !FP_PLAIN
bool fp_version_let_go(struct fp_version *v) {
    struct fp_lineage *l = v->lineage;
    if (fp_u64_fetch_add_seq_cst(&v->refs, (uint64_t)-1) != 1 || !must_close(l, v))
        return false;
    fp_u64_fetch_add_seq_cst(&l->refs, (uint64_t)-1); /* not the last: it is live */
    return true;
}
#endif

/* Closing a version may destroy its lineage and so release a base, and so on. Hence the loop: the
 * chain may be of any length. */
void fp_version_release(struct fp_version *v) {
    while (v != NULL && fp_u64_fetch_add_seq_cst(&v->refs, (uint64_t)-1) == 1) {
        struct fp_lineage *l = v->lineage;
        if (FP_PLAIN && v->borrows) { /* unchanged since: it owns no node alone */
            fp__lineage_remove(l, v);
            l->memory->free(v, sizeof *v);
            fp_u64_fetch_add_seq_cst(&l->refs, (uint64_t)-1); /* not the last: it is live */
            return;
        }
        if (!must_close(l, v))
            return;
        uint64_t closed = 0;
        v = sweep(l, &closed);
        struct fp_version *base = unref(l, 1);
        v = v != NULL ? v : base;
    }
}

int fp_lineage_visit(struct fp_lineage *l, uint64_t live_root, fp_handle_visitor fn, void *arg) {
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
