/* fp_topic.h - who has subscribed to a topic: a trie of patterns with wildcards, for any number of
 * threads, of which anybody can take a snapshot in constant time. Lock-free, linearizable;
 * look-ups write nothing.
 *
 * A pattern is a path of tokens. Its nodes are called places: a place stands for a pattern or for
 * the beginning of one, and has a number (`id`) that is never used again. Places are not linked to
 * their children; all are in one table, by (id of the parent, token). So a place is replaced
 * without touching the places above it, however deep it is, and nothing here recurses along a
 * pattern.
 *
 *   root     what the trie's only word points to: the table, the top place, counts
 *   table    a hash trie, 32 ways a level, with places (or subscriptions) as its leaves; each level
 *            takes the next five bits of a 64-bit hash
 *   place    how many literal children it has and which wildcards; its subscriptions: none, one, or
 *            a table of them, by number
 *   sub      a subscription: its number and the subscriber's handle
 *
 * Nothing is overwritten once others can see it. A change builds new nodes in the place of those on
 * the way from the root (fresh ones, which it may still alter), and puts its root in the place of
 * the one it began with, by one compare-and-swap: there it takes effect, or starts again. A look-up
 * loads the root, once, and what it finds was there at that moment, in all branches. A snapshot is
 * a root, too.
 *
 * What was replaced goes to fp_lineage: the birth of the root's is the generation of the trie,
 * which a snapshot raises, as in fp_ctrie.
 *
 * Matching goes through the topic token by token, with the list of places reached so far. Each is
 * in the list once: a place has one parent, so it is reached in one way, but for "#" of AMQP, which
 * stays where it is for any number of tokens; these are kept apart, and each of them once. So the
 * work is at most the number of tokens times that of places, and a subscription is never found
 * twice.
 *
 * Contract, any thread beside any other: everything but visiting; a trie may be used as long as the
 * caller holds it, a version as long as he holds a reference to it. Progress: lock-free. `release`
 * may run any code, use of the same trie included; it is called while the thread is not guarded and
 * nothing is locked.
 */
#ifndef FP_TOPIC_H
#define FP_TOPIC_H

#include "base/fp_product.h"
#include "base/fp_words.h"
#include "reclaim/fp_lineage.h"

#include <string.h>

struct fp_topic_host {
    uint64_t (*hash)(const char *token, size_t length); /* calls no one */
    void (*retain)(uint64_t handle);                    /* calls no one */
    void (*release)(uint64_t handle);                   /* may run any code */
    struct fp_memory memory;
};

/* A keyed hash for the above: whoever does not know the key cannot make tokens that collide. */
static inline uint64_t fp_topic_hash(const char *token, size_t length, const uint64_t key[2]) {
    uint64_t h = key[0] ^ length, word;
    for (;; token += 8, length -= 8) {
        size_t part = length < 8 ? length : 8;
        word = 0;
        memcpy(&word, token, part);
        word ^= h;
        h = (word * key[1]) ^ fp_high_product(word, key[1]);
        if (length <= 8)
            return (h * key[0]) ^ fp_high_product(h, key[0]);
    }
}

/* What is wrong with a pattern or a topic. */
enum fp_topic_fault {
    FP_TOPIC_GOOD,
    FP_TOPIC_NOTHING,       /* not a character */
    FP_TOPIC_EMPTY_TOKEN,   /* where tokens must not be empty */
    FP_TOPIC_NUL,
    FP_TOPIC_SPACE,         /* where there must be none */
    FP_TOPIC_TOO_LONG,      /* more than FP_TOPIC_BYTES */
    FP_TOPIC_PART,          /* a wildcard that is not a whole token */
    FP_TOPIC_NOT_LAST,      /* a wildcard for the rest that is not the last token */
    FP_TOPIC_NOT_LITERAL,   /* a topic with a wildcard */
    FP_TOPIC_FAULTS
};

#define FP_TOPIC_BYTES ((size_t)65535)

/* The rules of a messaging system. */
struct fp_topic_syntax {
    const char *name;
    char separator, one, rest;
    bool anywhere;     /* `rest` may be any token; otherwise only the last */
    bool rest_or_none; /* `rest` stands for no token as well */
    bool hides_dollar; /* a wildcard in front does not match what begins with "$" */
    bool needs_tokens; /* a token must not be empty */
    bool needs_text;   /* there must be a token */
    bool no_spaces;
};

enum { FP_TOPIC_NATS, FP_TOPIC_MQTT, FP_TOPIC_AMQP, FP_TOPIC_SYNTAXES };
extern const struct fp_topic_syntax fp_topic_syntaxes[FP_TOPIC_SYNTAXES];

/* Is it a pattern, or (is_pattern false) a topic? UTF-8. */
enum fp_topic_fault fp_topic_check(const struct fp_topic_syntax *syntax, const char *text,
                                   size_t length, bool is_pattern);

struct fp_topic {
    struct fp_lineage line;
    const struct fp_topic_host *host;
    const struct fp_topic_syntax *syntax;
    fp_ptr root;
    fp_u64 numbers; /* of places and subscriptions, drawn so far */
};

/* NULL: no memory. */
struct fp_topic *fp_topic_create(const struct fp_topic_host *host,
                                 const struct fp_topic_syntax *syntax);

/* Whoever holds the live trie may use it; at first that is who created it. False: it has ended. To
 * be called while something else keeps the lineage in memory (fp_lineage_hold, or a version). */
bool fp_topic_hold(struct fp_topic *t);
/* A holder gives the live trie up. With the last one it ends; its versions live on. */
void fp_topic_end(struct fp_topic *t);

/* Both take patterns that fp_topic_check has found good. */
/* FP_OK and the subscription's number, or FP_NO_MEMORY: no effect. Takes a reference of its own. */
enum fp_status fp_topic_subscribe(struct fp_topic *t, const char *pattern, size_t length,
                                  uint64_t subscriber, uint64_t *number);
/* FP_OK; FP_EMPTY: there is no such subscription (any more); FP_NO_MEMORY: no effect. */
enum fp_status fp_topic_unsubscribe(struct fp_topic *t, const char *pattern, size_t length,
                                    uint64_t number);

/* Takes all subscriptions back, at one instant. FP_OK or FP_NO_MEMORY: no effect. */
enum fp_status fp_topic_clear(struct fp_topic *t);

/* The subscribers to a (good) topic, retained, one for each subscription that matches; in the live
 * trie, or in a version. `found` was initialised with the host's memory; the caller frees it in any
 * case. FP_OK or FP_NO_MEMORY: then nothing was found. */
enum fp_status fp_topic_match(struct fp_topic *t, const char *topic, size_t length,
                              struct fp_words *found);
enum fp_status fp_topic_version_match(struct fp_version *v, const char *topic, size_t length,
                                      struct fp_words *found);

/* The trie as it is now, as a version with one reference. NULL: no memory. */
struct fp_version *fp_topic_snapshot(struct fp_topic *t);

/* Subscriptions, and the different patterns among them: O(1), at one instant. False: no memory. */
struct fp_topic_counts {
    uint64_t subscriptions, patterns;
};
bool fp_topic_count(struct fp_topic *t, struct fp_topic_counts *counts);
struct fp_topic_counts fp_topic_version_count(struct fp_version *v);

/* Bytes of the nodes that a version consists of, those it shares included. O(n). */
size_t fp_topic_memory(struct fp_version *v);

/* For a garbage collector, as fp_ctrie_visit. */
int fp_topic_visit(struct fp_topic *t, fp_handle_visitor fn, void *arg);

static inline struct fp_topic *fp_topic_of(struct fp_version *v) {
    return (struct fp_topic *)(void *)v->lineage; /* the first member */
}

#endif
