/* fp_lineage.h - memory that several versions of one changing structure share, and that is freed
 * when the last version that can see it is closed.
 *
 * A lineage is the life of one structure that is changed by replacing nodes, never by overwriting
 * them: its versions (snapshots) in the order of their generations, and at the end the live
 * structure, or the point where it was given up. As in ZFS ("birth times" and dead lists), a node
 * knows the generation in which it was made, its birth b; when it is replaced, in generation e, it
 * is handed over to the lineage. It is part of exactly the versions s with b <= s < e. So, once no
 * thread can still be looking at it on behalf of the live structure (fp_guard.h):
 *
 *   - if there is no such version, the node is discarded;
 *   - otherwise it goes to the dead list of the newest such version, s. When s is closed, each node
 *     of that list goes to the next older version if that one can see it (b <= it), and is
 *     discarded otherwise.
 *
 * The root of a version is part of that version alone (opening one gives the live structure a
 * copy; with FP_PLAIN the next change does). So the root is not handed over, but discarded with
 * the version.
 *
 * A version is `cut` if no successor shares nodes with it: the live structure was given up or
 * cleared, or all versions after it are closed. A cut version owns what it can see: when it is
 * closed, the nodes born after the next older version are discarded, and that one is cut in its
 * turn.
 *
 * Every node has one owner at any time: the tree of the live structure or of a cut version (nodes
 * reachable from there and born after `floor`), or one dead list, or the limbo. fp_lineage_visit
 * walks along exactly these, so a garbage collector sees each reference once.
 *
 * A branch is the lineage of a writable copy. It holds its base, a version of the parent, and
 * never touches nodes born up to `floor`, the base's generation: they belong to the parent.
 *
 * With FP_PLAIN a version borrows the root of the live structure until the next change, and nodes
 * that no open version can see are overwritten (fp_lineage_shared). So a version that is closed
 * before the next change has cost next to nothing.
 *
 * Opening a version takes two steps, around a change of the structure. First the version is entered
 * (TENTATIVE), before the structure's generation is raised, so that nodes replaced afterwards find
 * it. Then it is declared OPEN, or dropped if raising failed. Meanwhile its opener is guarded, with
 * the version's generation for a limit: what the version can see, and no more than that, is in use.
 *
 * The live structure is used by its holders, and ends when the last one gives it up. From then on
 * nothing is replaced and no version is opened. A sweep that saw the end before it took what waits
 * dissolves the root.
 *
 * What is handed over waits in lock-free stacks (limbo, inbox, closing). A sweep takes these and
 * sorts them out under a lock that threads only ever try to take. A thread that finds the lock
 * taken leaves a note. The holder then sweeps once more, or, after some rounds, leaves the rest to
 * the next collection. So no operation waits. Under FP_PLAIN everything is sorted out at once.
 *
 * Nothing here runs code of the host while pinned or while the lock is held: what has to be
 * released is collected in a `fp_trash`, which the sweep or the caller empties afterwards.
 *
 * Process-wide state: the counter of generations (64 bits; never reused, unlike addresses), and the
 * list of lineages with something left to sweep. After a fork that did not stop the other threads,
 * a lineage whose lock one of them held frees nothing more in the child.
 */
#ifndef FP_LINEAGE_H
#define FP_LINEAGE_H

#include "base/fp_mem.h"
#include "reclaim/fp_guard.h"

struct fp_lineage;
struct fp_version;

/* Nodes to be freed once nothing is pinned or locked, linked as the structure likes. */
struct fp_trash {
    uint64_t first;
    uint64_t units; /* how many units were sorted out along with it */
};

/* Embedded in the nodes that are replaced one by one. Nodes that are unlinked together with such a
 * node and have no unit of their own go along as its parts. */
struct fp_unit {
    struct fp_unit *next;
    uint64_t end;     /* generation in which it was replaced; 0: no version ever saw it */
    uint64_t stamp;   /* the era when it was taken from the limbo */
    uint64_t part[2]; /* or 0 */
};

/* A non-zero answer ends the visit. */
typedef int (*fp_handle_visitor)(uint64_t handle, void *arg);

/* What the structure tells about its nodes. A node is passed as a word. */
struct fp_lineage_ops {
    uint64_t (*birth)(uint64_t node);
    uint64_t (*of_unit)(struct fp_unit *unit);
    struct fp_unit *(*unit)(uint64_t root); /* every root of a version has one */
    /* Puts the node, not what is below it, into the trash (or frees it, if that is cheap). */
    void (*discard)(struct fp_lineage *l, uint64_t node, struct fp_trash *trash);
    /* discard() for everything reachable from `root` that was born after `floor`. */
    void (*dissolve)(struct fp_lineage *l, uint64_t root, uint64_t floor, struct fp_trash *trash);
    /* Calls fn for each handle reachable from `root` and owned by nodes born after `floor`. */
    int (*visit)(uint64_t root, uint64_t floor, fp_handle_visitor fn, void *arg);
    /* The same for one node of a dead list. */
    int (*visit_node)(uint64_t node, fp_handle_visitor fn, void *arg);
    /* Frees what is in the trash. May run any code. */
    void (*empty)(struct fp_lineage *l, struct fp_trash *trash);
    void (*destroy)(struct fp_lineage *l);
};

struct fp_deadlist; /* a piece of one */

enum fp_version_state {
    FP_VERSION_TENTATIVE,
    FP_VERSION_DROPPED,
    FP_VERSION_OPEN,
    FP_VERSION_OPEN_CUT,
    FP_VERSION_LISTED, /* set by a sweep, from OPEN */
    FP_VERSION_CLOSED  /* before any sweep has met it */
};

struct fp_version {
    struct fp_lineage *lineage;
    uint64_t generation, root;
    fp_u64 size;      /* for the structure */
    fp_sync_u64 hash; /* for those who show it; 0 at first */
    fp_u64 refs;
    fp_u64 state;
    struct fp_version *next_opened, *next_closing;
    /* Under the lock. */
    struct fp_version *older, *newer;
    struct fp_deadlist *dead;
    bool cut;
    bool borrows; /* FP_PLAIN: the root, which belongs to the live structure */
    uint64_t stamp; /* the era when it was cut, and later when it was closed */
};

struct fp_lineage {
    const struct fp_lineage_ops *ops;
    const struct fp_memory *memory;
    uint64_t floor;
    struct fp_version *base; /* of a branch */
    fp_u64 refs; /* the live structure, each version, the list of the unswept, sweeps */
    fp_u64 holders; /* of the live structure */
    fp_ptr limbo, inbox, closing;
    fp_u64 ended, attention, queued;
    fp_u64 waiting; /* about: units not sorted out or not freed; versions that no sweep has met */
    struct fp_lineage *next_queued;
    fp_u64 lock;
    /* Under the lock. */
    uint64_t root; /* set if the live structure has ended and its root is not yet dissolved */
    struct fp_version *newest, *undecided, *todo, *dying, *dying_last;
    struct fp_unit *held; /* units that may be in use */
    uint64_t left_held; /* how many of them the last look at all of them left */
    uint64_t since_held; /* how many units were met since then */
};

/* A generation that is later than all that were drawn before. */
uint64_t fp_lineage_generation(void);

/* base: NULL, or the version that the structure starts from; the caller's reference to it passes
 * to the lineage. */
void fp_lineage_init(struct fp_lineage *l, const struct fp_lineage_ops *ops,
                     const struct fp_memory *memory, struct fp_version *base);

/* Keeps the lineage itself in memory, though not its contents. Drop: not pinned. */
void fp_lineage_hold(struct fp_lineage *l);
void fp_lineage_drop(struct fp_lineage *l);

/* The caller becomes a holder of the live structure; at first there is one holder. False: ended. */
bool fp_lineage_join(struct fp_lineage *l);
/* The caller gives its hold up. True: it was the last holder, and has to call fp_lineage_end. */
bool fp_lineage_leave(struct fp_lineage *l);
/* The live structure is given up; no thread uses it any more. May destroy the lineage. */
void fp_lineage_end(struct fp_lineage *l, uint64_t root);

/* To be called guarded by `by`, after the node was replaced. Parts must be set. Not for nodes born
 * up to the floor, unless end is 0. True: call fp_lineage_tidy after unguarding. */
bool fp_lineage_retire(struct fp_lineage *l, struct fp_epoch_record *by, struct fp_unit *unit,
                       uint64_t end, struct fp_trash *trash);

/* Sweeps. If too much is left waiting, delays the caller, by 2 ms at most. Not pinned; the caller
 * holds the live structure. */
void fp_lineage_tidy(struct fp_lineage *l);

/* Sweeps every lineage that has something left. Not pinned. */
void fp_lineage_collect(void);

/* To be called before raising the generation. Until the version is opened or dropped, the caller
 * stays guarded with that generation for a limit, or with none. NULL: no memory. */
struct fp_version *fp_version_enter(struct fp_lineage *l, uint64_t generation, uint64_t root,
                                    uint64_t references);
/* The generation was raised. cut: the version shares nothing with what comes after it. Guarded by
 * `by`. True: call fp_lineage_tidy after unguarding. */
bool fp_version_open(struct fp_version *v, struct fp_epoch_record *by, bool cut);
/* The generation was not raised. */
void fp_version_drop(struct fp_version *v);

#if FP_PLAIN
/* Nodes born later are part of the live structure alone: they may be overwritten. */
static inline uint64_t fp_lineage_shared(const struct fp_lineage *l) {
    return l->newest != NULL ? l->newest->generation : l->floor;
}
/* A version that borrows the live root, which is of that generation, until fp_version_keep. It has
 * one reference. NULL: no memory. */
struct fp_version *fp_version_lend(struct fp_lineage *l, uint64_t generation, uint64_t root);
/* From now on the version owns the root, and the live structure has another one. cut: as above. */
void fp_version_keep(struct fp_version *v, bool cut);
/* Retires nodes (or 0) that the caller will replace in place next. False: no memory; nothing was
 * done. */
bool fp_lineage_replace(struct fp_lineage *l, const uint64_t node[2], uint64_t end,
                        struct fp_trash *trash);
#endif

void fp_version_retain(struct fp_version *v);
/* False: the version has been closed. Pinned, if the reference that led to it is another's. */
bool fp_version_try_retain(struct fp_version *v);
#if !FP_PLAIN
/* Gives a reference up, pinned. True: call fp_lineage_tidy after unpinning. */
bool fp_version_let_go(struct fp_version *v);
#endif
/* Giving up the last reference closes the version. Not pinned. */
void fp_version_release(struct fp_version *v);

/* Visits all handles that the lineage owns, except those in the limbo, once each. Only while no
 * other thread is within a call, callbacks apart. */
int fp_lineage_visit(struct fp_lineage *l, uint64_t live_root, fp_handle_visitor fn, void *arg);

#endif
