/* fp_ctrie.h - a map from 64-bit handles to 64-bit handles for any number of threads, with
 * snapshots, writable or not, in constant time. Lock-free, linearizable.
 *
 * The Ctrie of Prokopec, Bronson, Bagwell and Odersky (PPoPP'12): a hash trie, 32 ways a level,
 * whose nodes are never overwritten (but see FP_PLAIN below) except for one word in each I-node
 * ("indirection"): a change replaces the main node behind an I-node.
 *
 *   leaf     key, value, hash; the S-node of the paper
 *   bucket   2 to 8 leaves that share a slot; below the last level of the hash: any number of
 *            leaves with equal hashes. Replaces the paper's L-nodes, and saves an I-node and a
 *            main node for every pair of keys that meet
 *   I-node   points to a main node; belongs to a generation
 *   main     the C-node: a bitmap and up to 32 leaves, buckets and I-nodes. A tomb (T-node) is a
 *            main node with a single leaf that is never replaced; a writer that meets it moves the
 *            leaf up in place of the I-node
 *
 * Generations. The root's main node carries the generation of the whole trie. A snapshot replaces
 * it by a copy of a later generation. The snapshot linearizes at that one swap, and the old main
 * node is the snapshot. A writer changes only I-nodes of the generation that it read at the root.
 * If it meets an older I-node, it first replaces that by an I-node of its own generation with the
 * same main node (renewing). Readers go through I-nodes of any age and write nothing.
 *
 * GCAS ("generation-compare-and-swap"): a new main node is put in place with `prev` pointing to the
 * main node before it, and is undecided. A thread that meets it decides: it reads the root's
 * generation. If that is the I-node's, it swaps prev to 0 (the main node stays); otherwise it marks
 * prev as failed and puts the old main node back. So no change gets into an I-node after a snapshot
 * was taken that can see the I-node.
 *
 * What differs from the paper, and why:
 *   - The root has no I-node of its own: the generation is in its main node. So a change at the
 *     root and a snapshot compete for one word, by one compare-and-swap, and the RDCSS descriptor
 *     of the paper, with its three outcomes, is not needed.
 *   - Renewing replaces the one I-node that is in the way, not all that the C-node holds. In the
 *     paper a C-node relabelled by an update is taken for renewed later, and I-nodes of the present
 *     generation get copied while other threads change them (an update is lost). Here an I-node of
 *     the present generation is never copied.
 *   - Main nodes are not compared by identity across generations; generations are numbers that are
 *     never reused.
 *   - With FP_PLAIN, one thread at a time, a snapshot copies nothing: it borrows the root until the
 *     next change. What no snapshot can see is overwritten instead of replaced: values, buckets
 *     and I-nodes. So the cost of snapshots falls on what is changed while they are open.
 * maps/DESIGN.md has the proof. Reclamation: fp_lineage.h.
 *
 * Contract, any thread beside any other: everything but visiting. A map may be used as long as the
 * caller holds it, a version as long as the caller holds a reference to it. Progress: lock-free.
 * Callbacks `equal` and `release` may run any code, use of the same trie included; they are called
 * while the thread is not pinned and nothing is locked. Keys are compared by identity of the
 * handle, then by `same`, and by `equal` only where `same` cannot tell.
 */
#ifndef FP_CTRIE_H
#define FP_CTRIE_H

#include "reclaim/fp_lineage.h"

struct fp_ctrie_host {
    int (*same)(uint64_t a, uint64_t b);  /* 1 equal, 0 not, -1: ask equal(). Calls nothing */
    int (*equal)(uint64_t a, uint64_t b); /* 1, 0, or -1: failed. May run any code */
    void (*retain)(uint64_t handle);      /* calls nothing */
    void (*release)(uint64_t handle);     /* may run any code */
    struct fp_memory memory;
};

struct fp_ctrie {
    struct fp_lineage line;
    const struct fp_ctrie_host *host;
    fp_ptr root; /* a main node */
    fp_u64 size; /* FP_PLAIN: exact. Otherwise not used: see fp_ctrie_size */
};

enum fp_ctrie_mode {
    FP_CTRIE_STORE,   /* in any case */
    FP_CTRIE_ADD,     /* only if the key is absent */
    FP_CTRIE_REPLACE, /* only if it is there, with the value `expected` if that is not 0 */
    FP_CTRIE_REMOVE   /* as REPLACE */
};

/* A change to be made, and its outcome. */
struct fp_ctrie_change {
    enum fp_ctrie_mode mode;
    uint32_t hash; /* of fp_ctrie_hash */
    uint64_t key, value, expected;
    bool wants_old;
    /* Answers */
    bool changed;
    bool found;        /* was the key there? */
    uint64_t old;      /* with wants_old and found: the value before, retained for the caller */
    uint64_t old_key;  /* fp_ctrie_pop: the key, retained */
};

/* Spreads a host's hash; equal keys must have equal hashes. Multiplying by the golden ratio keeps
 * arithmetic progressions evenly apart; folding first lets the upper half count. The last three
 * bits stay as they are, and stay last: eight neighbours, 8n to 8n + 7, differ only at the very
 * end. So they share a bucket, that is every cache line on the way but their leaves'. A caller that
 * goes through dense keys in order fetches a path once for eight of them. */
static inline uint32_t fp_ctrie_hash(uint64_t h) {
    uint64_t rest = h >> 3;
    uint64_t spread = (rest ^ (rest >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(spread >> 35 << 3) | (uint32_t)(h & 7);
}

/* base: NULL, or the version to start from; the caller's reference to it passes to the new trie.
 * NULL: no memory (and the caller keeps its reference). */
struct fp_ctrie *fp_ctrie_create(const struct fp_ctrie_host *host, struct fp_version *base);

/* The caller becomes a holder of the live map, and may use it; at first the creator is the only
 * holder. False: the map has ended. Call it while something else keeps the lineage in memory
 * (fp_lineage_hold, or a version). */
bool fp_ctrie_hold(struct fp_ctrie *t);
/* A holder gives the live map up. With the last holder the map ends; its versions live on. */
void fp_ctrie_end(struct fp_ctrie *t);

/* FP_OK and the value, retained; FP_EMPTY: no such key; FP_FAILED: `equal` failed; FP_NO_MEMORY. */
enum fp_status fp_ctrie_get(struct fp_ctrie *t, uint64_t key, uint32_t hash, uint64_t *value);
enum fp_status fp_ctrie_version_get(struct fp_version *v, uint64_t key, uint32_t hash,
                                    uint64_t *value);

/* To be called before look-ups or changes of several keys: brings the nodes on the way to up to
 * FP_CTRIE_GROUP keys into the processor's caches, side by side, so that their cache misses
 * overlap. It changes nothing, and nothing depends on what it finds. */
enum { FP_CTRIE_GROUP = 16 };
void fp_ctrie_fetch(struct fp_ctrie *t, const uint32_t *hash, size_t n);
void fp_ctrie_version_fetch(struct fp_version *v, const uint32_t *hash, size_t n);

/* FP_OK, also if the condition was not met; FP_FAILED and FP_NO_MEMORY: no effect. The trie adds
 * references of its own. */
enum fp_status fp_ctrie_change(struct fp_ctrie *t, struct fp_ctrie_change *c);

/* Removes any one pair. FP_OK, FP_EMPTY or FP_NO_MEMORY. */
enum fp_status fp_ctrie_pop(struct fp_ctrie *t, struct fp_ctrie_change *c);

/* FP_OK or FP_NO_MEMORY. O(1); the memory is freed in O(n), once no thread can see it any more. */
enum fp_status fp_ctrie_clear(struct fp_ctrie *t);

/* The map as it is now, as a version with one reference. NULL: no memory. */
struct fp_version *fp_ctrie_snapshot(struct fp_ctrie *t);

/* FP_OK or FP_NO_MEMORY. Exact: the size at one instant of the call. O(1) with FP_PLAIN. Otherwise
 * a snapshot is counted; the nodes remember what was counted before. */
enum fp_status fp_ctrie_size(struct fp_ctrie *t, uint64_t *size);
enum fp_status fp_ctrie_version_size(struct fp_version *v, uint64_t *size);

/* A walk over a version, which the caller keeps open. */
struct fp_ctrie_walk {
    struct fp_version *version;
    int depth;
    uint32_t leaf; /* index in the bucket at the top of the stack */
    struct {
        void *main;
        uint32_t slot;
    } stack[8];
};

void fp_ctrie_walk_start(struct fp_ctrie_walk *w, struct fp_version *v);
/* FP_OK and a pair, retained if `retain`; FP_EMPTY; FP_NO_MEMORY. */
enum fp_status fp_ctrie_walk_next(struct fp_ctrie_walk *w, uint64_t *key, uint64_t *value,
                                  bool retain);

static inline struct fp_ctrie *fp_ctrie_of(struct fp_version *v) {
    return (struct fp_ctrie *)(void *)v->lineage; /* the first member */
}

/* For a garbage collector, while no other thread is within a call, callbacks apart: visits every
 * handle that the lineage of the trie owns, once for each time that it is owned. To break a cycle,
 * the collector clears the live map, beside any other thread. Versions do not change, so no cycle
 * consists of them alone. */
int fp_ctrie_visit(struct fp_ctrie *t, fp_handle_visitor fn, void *arg);

/* Bytes of the nodes that a version consists of, including those it shares. O(n). */
size_t fp_ctrie_memory(struct fp_version *v);

#endif
