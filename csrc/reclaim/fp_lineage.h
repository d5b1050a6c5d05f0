/* fp_lineage.h - memory that several versions of one changing structure share, and that goes back
 * when the last version that can see it is closed.
 *
 * A lineage is the life of one structure that is changed by replacing nodes, never by overwriting
 * them: its versions (snapshots) in the order of their generations, and at the end the live
 * structure, or the point where it was given up. As in ZFS ("birth times" and dead lists), a node
 * knows the generation in which it was made, its birth b; when it is replaced, in generation e, it
 * is handed over here. It is part of exactly the versions s with b <= s < e. So, once no thread can
 * still be looking at it on behalf of the live structure (fp_guard.h):
 *
 *   - if there is no such version, the node is discarded;
 *   - otherwise it goes to the dead list of the newest one, s. When s is closed, each node of that
 *     list is discarded, or goes to the next older version if that one can see it (b <= it).
 *
 * The root of a version is part of that version alone (opening one gives the live structure a
 * copy; with FP_PLAIN the next change does), so it is not handed over, but discarded with the
 * version.
 *
 * A version without a successor that shares nodes with it (`cut`: the live structure was given up
 * or cleared, or all versions after it are closed) owns what it can see: when it is closed, the
 * nodes born after the next older version are discarded, and that one is cut in its turn.
 *
 * Every node has one owner at any time: the tree of the live structure or of a cut version (nodes
 * reachable from there and born after `floor`), or one dead list, or the limbo. fp_lineage_visit
 * walks along exactly that, so a garbage collector sees each reference once.
 *
 * A branch is the lineage of a writable copy. It holds its base, a version of the parent, and
 * never touches nodes born up to `floor`, the base's generation: they are the parent's.
 *
 * With FP_PLAIN a version borrows the root of the live structure until that is changed next, and
 * nodes that no open version can see are overwritten (fp_lineage_shared): a version that is closed
 * before the next change has cost next to nothing.
 *
 * Opening is two steps beside a change of the structure: the version is entered (TENTATIVE) before
 * the structure's generation is raised, so that nodes replaced afterwards find it; then it is
 * declared OPEN, or dropped if raising failed. Meanwhile whoever opens it is guarded, with its
 * generation for a limit: what it can see, and no more than that, is in use.
 *
 * The live structure is used by its holders, and ends when the last one gives it up: from then on
 * nothing is replaced and no version is opened. Its root is dissolved by a sweep that saw the end
 * before it took what waits.
 *
 * What is handed over waits in lock-free stacks (limbo, inbox, closing). A sweep takes them and
 * sorts them out under a lock that is only ever tried: whoever finds it taken leaves a note and the
 * holder sweeps once more, or, tired, leaves it to the next collection. So no operation waits.
 * Under FP_PLAIN everything is sorted out at once.
 *
 * Nothing here runs code of the host while pinned or while the lock is held: what has to be
 * released is collected in a `fp_trash`, and emptied by fp_lineage_sweep or by the caller.
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
    uint64_t units; /* how many were sorted out with it */
};

/* Embedded in the nodes that are replaced one by one. What is unlinked with a node and has no unit
 * of its own goes along as its parts. */
struct fp_unit {
    struct fp_unit *next;
    uint64_t end;     /* generation in which it was replaced; 0: no version ever saw it */
    uint64_t stamp;   /* the era when it was taken from the limbo */
    uint64_t part[2]; /* or 0 */
};

/* Not 0: that is enough. */
typedef int (*fp_handle_visitor)(uint64_t handle, void *arg);

/* What the structure tells about its nodes, which are words. */
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
    FP_VERSION_LISTED, /* by a sweep, from OPEN */
    FP_VERSION_CLOSED  /* before any sweep met it */
};

struct fp_version {
    struct fp_lineage *lineage;
    uint64_t generation, root;
    fp_u64 size; /* for the structure */
    fp_u64 refs;
    fp_u64 state;
    struct fp_version *next_opened, *next_closing;
    /* Under the lock. */
    struct fp_version *older, *newer;
    struct fp_deadlist *dead;
    bool cut;
    bool borrows; /* FP_PLAIN: the root, which is the live structure's */
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
    fp_u64 waiting; /* units not sorted out, or not freed; versions not met by a sweep; about */
    struct fp_lineage *next_queued;
    fp_u64 lock;
    /* Under the lock. */
    uint64_t root; /* once ended, and not yet dissolved */
    struct fp_version *newest, *undecided, *todo, *dying, *dying_last;
    struct fp_unit *held; /* units that may be in use */
    uint64_t left_held; /* how many of them were there after the last look at them all */
    uint64_t since_held; /* how many were met since then */
};

/* A generation that is later than all drawn before. */
uint64_t fp_lineage_generation(void);

/* base: NULL, or the version that the structure starts from; the caller's reference to it passes
 * to the lineage. */
void fp_lineage_init(struct fp_lineage *l, const struct fp_lineage_ops *ops,
                     const struct fp_memory *memory, struct fp_version *base);

/* Keeps the lineage itself in memory, though not what is in it. Drop: not pinned. */
void fp_lineage_hold(struct fp_lineage *l);
void fp_lineage_drop(struct fp_lineage *l);

/* The live structure is used by whoever holds it; at first that is one. False: it has ended. */
bool fp_lineage_join(struct fp_lineage *l);
/* True: the last one gives it up, and calls fp_lineage_end. */
bool fp_lineage_leave(struct fp_lineage *l);
/* The live structure is given up; nobody uses it any more. May destroy the lineage. */
void fp_lineage_end(struct fp_lineage *l, uint64_t root);

/* Guarded by `by`, after the node was replaced. Parts must be set. Not for nodes born up to the
 * floor, unless end is 0. True: call fp_lineage_tidy after unguarding. */
bool fp_lineage_retire(struct fp_lineage *l, struct fp_epoch_record *by, struct fp_unit *unit,
                       uint64_t end, struct fp_trash *trash);

/* Sweeps; where too much is left waiting, delays the caller, by 2 ms at most. Not pinned; by who
 * holds the live structure. */
void fp_lineage_tidy(struct fp_lineage *l);

/* Sweeps every lineage that has something left. Not pinned. */
void fp_lineage_collect(void);

/* Before raising the generation. Until it is opened or dropped, the caller is guarded with that
 * generation for a limit, or none. NULL: no memory. */
struct fp_version *fp_version_enter(struct fp_lineage *l, uint64_t generation, uint64_t root,
                                    uint64_t references);
/* The generation was raised. cut: and nothing is shared with what comes after. Guarded by `by`.
 * True: call fp_lineage_tidy after unguarding. */
bool fp_version_open(struct fp_version *v, struct fp_epoch_record *by, bool cut);
/* It was not. */
void fp_version_drop(struct fp_version *v);

#if FP_PLAIN
/* What was born later is part of the live structure alone: it may be overwritten. */
static inline uint64_t fp_lineage_shared(const struct fp_lineage *l) {
    return l->newest != NULL ? l->newest->generation : l->floor;
}
/* A version that borrows the live root, which is of that generation, until fp_version_keep. One
 * reference. NULL: no memory. */
struct fp_version *fp_version_lend(struct fp_lineage *l, uint64_t generation, uint64_t root);
/* From now on the root is the version's, and the live structure has another one. cut: as above. */
void fp_version_keep(struct fp_version *v, bool cut);
/* Retires nodes (or 0) that are replaced in place, which the caller does next. False: no memory;
 * nothing was done. */
bool fp_lineage_replace(struct fp_lineage *l, const uint64_t node[2], uint64_t end,
                        struct fp_trash *trash);
#endif

void fp_version_retain(struct fp_version *v);
/* False: it has been closed. Pinned, where a version was found that somebody else held. */
bool fp_version_try_retain(struct fp_version *v);
#if !FP_PLAIN
/* Gives a reference up, pinned. True: call fp_lineage_tidy after unpinning. */
bool fp_version_let_go(struct fp_version *v);
#endif
/* The last one closes it. Not pinned. */
void fp_version_release(struct fp_version *v);

/* All handles that the lineage owns, but for those in the limbo, once each; while no other thread
 * is within a call, callbacks apart. */
int fp_lineage_visit(struct fp_lineage *l, uint64_t live_root, fp_handle_visitor fn, void *arg);

#endif
