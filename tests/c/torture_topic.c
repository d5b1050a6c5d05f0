/* torture_topic.c - the topic trie. */
#include "ctries.h"
#include "torture.h"

#include "maps/fp_topic.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A host with counted handles (ctries.h), and with as many different hashes as one likes ------- */

static unsigned hashes; /* 0: 2^64 */

static uint64_t hash(const char *token, size_t length) {
    static const uint64_t key[2] = {UINT64_C(0x243F6A8885A308D3), UINT64_C(0x13198A2E03707345)};
    uint64_t h = fp_topic_hash(token, length, key);
    return hashes != 0 ? h % hashes : h;
}

static struct fp_topic_host host;

static const struct fp_topic_syntax *const nats = &fp_topic_syntaxes[FP_TOPIC_NATS];
static const struct fp_topic_syntax *const amqp = &fp_topic_syntaxes[FP_TOPIC_AMQP];

static struct fp_topic *create(const struct fp_topic_syntax *syntax) {
    host = (struct fp_topic_host){hash, ctrie_test_host.retain, ctrie_test_host.release,
                                  ctrie_test_host.memory};
    struct fp_topic *t = fp_topic_create(&host, syntax);
    CHECK(t != NULL, "no trie");
    return t;
}

struct subscription {
    char pattern[40];
    unsigned id; /* of the subscriber */
    uint64_t number;
};

static enum fp_status subscribe(struct fp_topic *t, struct subscription *s) {
    uint64_t handle = make_handle(s->id, 0);
    enum fp_status status =
        fp_topic_subscribe(t, s->pattern, strlen(s->pattern), handle, &s->number);
    host.release(handle);
    return status;
}

static enum fp_status unsubscribe(struct fp_topic *t, const struct subscription *s) {
    return fp_topic_unsubscribe(t, s->pattern, strlen(s->pattern), s->number);
}

enum { FOUND = 512 };

/* The ids that match, in `id`; how many. Of a version, or (NULL) of the live trie. */
static size_t match(struct fp_topic *t, struct fp_version *v, const char *topic, unsigned *id) {
    struct fp_words found;
    fp_words_init(&found, &host.memory);
    enum fp_status s = v != NULL ? fp_topic_version_match(v, topic, strlen(topic), &found)
                                 : fp_topic_match(t, topic, strlen(topic), &found);
    CHECK(s == FP_OK && found.count <= FOUND, "match answers %d, %zu", (int)s, found.count);
    for (size_t i = 0; i < found.count; i++) {
        id[i] = id_of(found.at[i]);
        host.release(found.at[i]);
    }
    size_t count = found.count;
    fp_words_free(&found);
    return count;
}

static void nothing_left(void) {
    fp_lineage_collect();
    CHECK(live_references() == 0, "%ld references left", live_references());
    CHECK(live_nodes() == 0, "%ld pieces of memory left", live_nodes());
}

/* Against a list of patterns ------------------------------------------------------------------ */

enum { SUBS = 80, KEPT = 4, IDS = 60000 };

struct model {
    struct fp_version *version;
    struct subscription sub[SUBS];
    int count;
};

static const char *after(const char *text, char separator) {
    const char *next = strchr(text, separator);
    return next != NULL ? next + 1 : NULL;
}

/* NULL: at the end. */
static bool plainly(const struct fp_topic_syntax *x, const char *pattern, const char *topic) {
    if (pattern == NULL)
        return topic == NULL;
    if (*pattern == x->rest) {
        const char *p = after(pattern, x->separator);
        if (x->rest_or_none && plainly(x, p, topic))
            return true;
        for (; topic != NULL; topic = after(topic, x->separator))
            if (plainly(x, p, after(topic, x->separator)))
                return true;
        return false;
    }
    if (topic == NULL)
        return false;
    size_t n = strcspn(pattern, (char[]){x->separator, 0});
    size_t m = strcspn(topic, (char[]){x->separator, 0});
    if (*pattern != x->one && (n != m || memcmp(pattern, topic, n) != 0))
        return false;
    return plainly(x, after(pattern, x->separator), after(topic, x->separator));
}

static void make_text(const struct fp_topic_syntax *x, char *text, bool is_pattern) {
    static const char words[] = "abcd";
    int tokens = 1 + (int)torture_random(5);
    for (int i = 0; i < tokens; i++) {
        unsigned what = torture_random(is_pattern ? 8 : 4);
        char c = what < 4 ? words[what] : x->one;
        if (what == 7 && (x->anywhere || i == tokens - 1))
            c = x->rest;
        *text++ = c;
        *text++ = x->separator;
    }
    text[-1] = '\0';
}

static void check_model(const struct fp_topic_syntax *x, struct fp_topic *t, const struct model *m,
                        struct fp_version *v) {
    for (int round = 0; round < 10; round++) {
        char topic[40];
        static unsigned seen[IDS];
        unsigned id[FOUND];
        make_text(x, topic, false);
        memset(seen, 0, sizeof seen);
        size_t count = match(t, v, topic, id);
        for (size_t i = 0; i < count; i++)
            CHECK(id[i] < IDS && ++seen[id[i]] == 1, "%u is found twice", id[i]);
        for (int i = 0; i < m->count; i++) {
            bool wanted = plainly(x, m->sub[i].pattern, topic);
            CHECK(seen[m->sub[i].id] == wanted, "%s, subscribed to %s: %d", topic,
                  m->sub[i].pattern, (int)wanted);
            count -= wanted;
        }
        CHECK(count == 0, "%zu subscriptions too many", count);
    }
}

static void model_run(const struct fp_topic_syntax *x, int calls) {
    static struct model now, kept[KEPT];
    struct fp_topic *t = create(x);
    struct fp_topic_counts counts;
    now.count = 0;
    for (int i = 0; i < calls; i++) {
        unsigned what = torture_random(100);
        struct model *v = &kept[torture_random(KEPT)];
        if (what < 48 && now.count < SUBS) {
            struct subscription *s = &now.sub[now.count++];
            make_text(x, s->pattern, true);
            s->id = (unsigned)i % IDS;
            CHECK(subscribe(t, s) == FP_OK, "subscribe");
        } else if (what < 95 && now.count > 0) {
            struct subscription *s = &now.sub[torture_random((unsigned)now.count)];
            CHECK(unsubscribe(t, s) == FP_OK && unsubscribe(t, s) == FP_EMPTY, "unsubscribe");
            *s = now.sub[--now.count];
        } else if (v->version != NULL) {
            check_model(x, t, v, v->version);
            fp_version_release(v->version);
            v->version = NULL;
        } else {
            *v = now;
            v->version = fp_topic_snapshot(t);
        }
        CHECK(fp_topic_count(t, &counts) && counts.subscriptions == (uint64_t)now.count, "count");
        if (i % 8 == 0)
            check_model(x, t, &now, NULL);
    }
    while (now.count > 0)
        CHECK(unsubscribe(t, &now.sub[--now.count]) == FP_OK, "unsubscribe");
    struct fp_version *empty = fp_topic_snapshot(t);
    struct fp_topic *other = create(x);
    struct fp_version *untouched = fp_topic_snapshot(other);
    CHECK(fp_topic_memory(empty) == fp_topic_memory(untouched),
          "something is left of subscriptions");
    fp_version_release(empty);
    fp_version_release(untouched);
    fp_topic_end(other);
    fp_topic_end(t);
    for (int i = 0; i < KEPT; i++)
        if (kept[i].version != NULL) {
            check_model(x, t, &kept[i], kept[i].version);
            fp_version_release(kept[i].version);
            kept[i].version = NULL;
        }
    nothing_left();
}

static void model(void) {
    static const unsigned few[] = {0, 1, 2, 3};
    for (unsigned i = 0; i < sizeof few / sizeof *few; i++) {
        hashes = few[i];
        model_run(nats, scaled(6000));
        model_run(amqp, scaled(6000));
    }
}

/* Every allocation fails in turn: the call says so, and has no effect. */
static void failed_allocations(void) {
    enum { EACH = 24 };
    for (long number = 1, last = 0; !last; number++) {
        struct fp_topic *t = create(amqp);
        struct model m = {.count = 0};
        struct subscription s[EACH];
        struct fp_version *v = NULL;
        hashes = number % 2 ? 0 : 1;
        torture_fail_allocation(number);
        for (unsigned i = 0; i < EACH; i++) {
            snprintf(s[i].pattern, sizeof s[i].pattern, "a.%u.%c.#.b.c.d.e.f.g.h.i.j", i % 5,
                     i % 3 ? '*' : 'x');
            s[i].id = i;
            enum fp_status status = subscribe(t, &s[i]);
            CHECK(status == FP_OK || torture_allocation_failed(), "%d", (int)status);
            if (status == FP_OK)
                m.sub[m.count++] = s[i];
            if (i == EACH / 2)
                v = fp_topic_snapshot(t);
            if (i == EACH - 5 && fp_topic_clear(t) == FP_OK)
                m.count = 0;
            if (i % 4 == 3 && m.count > 2 && unsubscribe(t, &m.sub[1]) == FP_OK)
                m.sub[1] = m.sub[--m.count];
        }
        struct fp_words found;
        fp_words_init(&found, &host.memory);
        if (fp_topic_match(t, "a.1.x.b.c.d.e.f.g.h.i.j", 23, &found) != FP_OK)
            CHECK(found.count == 0 && torture_allocation_failed(), "match");
        for (size_t i = 0; i < found.count; i++)
            host.release(found.at[i]);
        fp_words_free(&found);
        last = !torture_allocation_failed();
        torture_fail_allocation(0);
        check_model(amqp, t, &m, NULL);
        for (int i = 0; i < m.count; i++)
            CHECK(unsubscribe(t, &m.sub[i]) == FP_OK, "unsubscribe after allocation %ld", number);
        struct fp_topic_counts counts;
        CHECK(fp_topic_count(t, &counts) && counts.subscriptions == 0 && counts.patterns == 0,
              "count");
        if (v != NULL)
            fp_version_release(v);
        fp_topic_end(t);
        nothing_left();
    }
}

#if !FP_PLAIN
/* Threads ------------------------------------------------------------------------------------- */

static struct fp_topic *shared;
static int rounds;
static atomic_int wanderers;

/* A subscription goes round patterns that all match, the next one being made before the last one is
 * taken back. Whoever looks finds one of them or two in a row, and never goes back in time. */
enum { WANDERERS = 2, STEPS = 30000 };
static const char *const circle[] = {"a.b.c", "#.c", "a.*.c", "#", "a.#.b.c", "*.b.c", "a.b.#"};

static void wander(unsigned id) {
    struct subscription s[2];
    for (unsigned n = 0; n < (unsigned)rounds; n++) {
        struct subscription *next = &s[n % 2];
        strcpy(next->pattern, circle[(n + id) % 7]);
        next->id = id * STEPS + n;
        CHECK(subscribe(shared, next) == FP_OK, "subscribe");
        if (n > 0)
            CHECK(unsubscribe(shared, &s[1 - n % 2]) == FP_OK, "a subscription was lost");
    }
    atomic_fetch_sub(&wanderers, 1);
}

static void look(struct fp_version *v, unsigned *newest) {
    unsigned id[FOUND], low[WANDERERS], high[WANDERERS], seen[WANDERERS] = {0};
    size_t count = match(shared, v, "a.b.c", id);
    for (size_t i = 0; i < count; i++) {
        unsigned who = id[i] / STEPS, n = id[i] % STEPS;
        low[who] = seen[who] == 0 || n < low[who] ? n : low[who];
        high[who] = seen[who] == 0 || n > high[who] ? n : high[who];
        seen[who]++;
    }
    for (unsigned who = 0; who < WANDERERS; who++) {
        if (seen[who] == 0) {
            CHECK(newest[who] == 0, "the subscription is not there");
            continue;
        }
        CHECK(seen[who] <= 2 && high[who] - low[who] + 1 == seen[who], "%u .. %u", low[who],
              high[who]);
        CHECK(high[who] >= newest[who], "time goes backwards");
        newest[who] = high[who];
    }
}

static void wander_or_look(int id, void *arg) {
    unsigned newest[WANDERERS] = {0};
    (void)arg;
    if (id < WANDERERS) {
        wander((unsigned)id);
        return;
    }
    while (atomic_load(&wanderers) > 0) {
        struct fp_version *v = torture_random(3) ? NULL : fp_topic_snapshot(shared);
        look(v, newest);
        if (v != NULL)
            fp_version_release(v);
    }
}

static void instants_with(int calls) {
    for (hashes = 0; hashes < 2; hashes++) {
        rounds = scaled(calls);
        atomic_store(&wanderers, WANDERERS);
        shared = create(amqp);
        torture_threads(WANDERERS + 2, wander_or_look, NULL);
        fp_topic_end(shared);
        nothing_left();
    }
}
static void instants(void) { instants_with(4000); }
static void instants_delayed(void) {
    torture_random_steps(true);
    instants_with(1500);
}

/* Each thread comes and goes with patterns whose beginnings it shares with the others: what is its
 * own is there exactly while it should be. */
static void mix(int id, void *arg) {
    enum { OWN = 6 };
    struct subscription s[OWN];
    bool there[OWN] = {false};
    struct fp_version *kept = NULL;
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        unsigned at = torture_random(OWN), found[FOUND];
        char topic[40];
        snprintf(topic, sizeof topic, "a.%u.b.%d", at, id);
        if (there[at]) {
            CHECK(unsubscribe(shared, &s[at]) == FP_OK, "a subscription was lost");
            CHECK(unsubscribe(shared, &s[at]) == FP_EMPTY, "it is still there");
        } else {
            snprintf(s[at].pattern, sizeof s[at].pattern, i % 2 ? "a.%u.b.%d" : "a.%u.*.%d", at,
                     id);
            s[at].id = (unsigned)id * OWN + at;
            CHECK(subscribe(shared, &s[at]) == FP_OK, "subscribe");
        }
        there[at] = !there[at];
        size_t count = match(shared, NULL, topic, found);
        CHECK(count == there[at] && (count == 0 || found[0] == s[at].id), "%zu found", count);
        if (i % 16 == 0) {
            if (kept != NULL)
                fp_version_release(kept);
            kept = fp_topic_snapshot(shared);
            count = match(shared, kept, topic, found);
            CHECK(count == there[at], "%zu found in a snapshot", count);
        }
    }
    if (kept != NULL)
        fp_version_release(kept);
    for (unsigned at = 0; at < OWN; at++)
        CHECK(!there[at] || unsubscribe(shared, &s[at]) == FP_OK, "a subscription was lost");
}

static void mixed_with(int threads, int calls) {
    for (hashes = 0; hashes < 3; hashes++) {
        struct fp_topic_counts counts;
        rounds = scaled(calls);
        shared = create(nats);
        torture_threads(threads, mix, NULL);
        CHECK(fp_topic_count(shared, &counts) && counts.subscriptions == 0 && counts.patterns == 0,
              "something is left of subscriptions");
        fp_topic_end(shared);
        nothing_left();
    }
}
static void mixed(void) { mixed_with(3, 3000); }
static void crowd(void) { mixed_with(64, 100); }
static void mixed_delayed(void) {
    torture_random_steps(true);
    mixed_with(3, 1500);
}

/* Short-lived threads strand nothing, and the limbo stays small. */
static void churn(void) {
    long most = 0;
    rounds = 60;
    shared = create(nats);
    for (int i = 0; i < scaled(100); i++) {
        torture_threads(6, mix, NULL);
        most = live_nodes() > most ? live_nodes() : most;
    }
    CHECK(most < 12000, "%ld pieces", most);
    fp_lineage_collect();
    CHECK(live_references() == 0, "%ld references", live_references());
    fp_topic_end(shared);
    nothing_left();
}

/* Snapshots that are taken and dropped as fast as it goes, with next to nothing changed: whoever
 * makes garbage clears up in his turn, or waits, so that it does not pile up. */
static void look_in_passing(int id, void *arg) {
    struct subscription s = {"a.b", (unsigned)id, 0};
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        struct fp_version *v = fp_topic_snapshot(shared);
        CHECK(v != NULL, "no snapshot");
        if (id == 0 && i % 64 == 0)
            CHECK(subscribe(shared, &s) == FP_OK && unsubscribe(shared, &s) == FP_OK, "no change");
        fp_version_release(v);
        CHECK(live_nodes() < PILE, "%ld pieces of memory", live_nodes());
    }
}

static void passing(void) {
    rounds = scaled(250000);
    shared = create(nats);
    torture_threads(4, look_in_passing, NULL);
    fp_topic_end(shared);
    nothing_left();
}

/* Threads that share nothing but the sweeps; each drops its trie and goes on reading a snapshot. */
static void outlive(int id, void *arg) {
    const int calls = *(int *)arg;
    unsigned found[FOUND];
    for (int i = 0; i < calls; i++) {
        struct fp_topic *t = fp_topic_create(&host, nats);
        struct subscription s = {"", (unsigned)id, 0};
        const int count = 1 + (int)torture_random(20), what = (int)torture_random(3);
        for (int k = 0; k < count; k++) {
            snprintf(s.pattern, sizeof s.pattern, "a.%d.*", k);
            CHECK(subscribe(t, &s) == FP_OK, "subscribe");
        }
        struct fp_version *v = fp_topic_snapshot(t);
        if (what == 1)
            CHECK(unsubscribe(t, &s) == FP_OK, "unsubscribe");
        else if (what == 2)
            CHECK(fp_topic_clear(t) == FP_OK && match(t, NULL, "a.0.x", found) == 0, "clear");
        fp_topic_end(t);
        for (int k = 0; k < count; k++) {
            char topic[20];
            snprintf(topic, sizeof topic, "a.%d.x", k);
            CHECK(match(NULL, v, topic, found) == 1 && found[0] == (unsigned)id, "%s", topic);
        }
        fp_version_release(v);
    }
}

static void outliving_with(int calls) {
    calls = scaled(calls);
    hashes = 0;
    fp_topic_end(create(nats)); /* the host */
    torture_threads(4, outlive, &calls);
    nothing_left();
}
static void outliving(void) { outliving_with(6000); }
static void outliving_delayed(void) {
    torture_random_steps(true);
    outliving_with(2000);
}

#ifdef FP_TEST_STEPS
/* A thread that stops at any step stops nobody. */
static atomic_bool victim_ended;

static void victim(int step) {
    struct subscription s = {"a.1.*", 3, 0};
    torture_stall_at(step);
    unsigned found[FOUND];
    CHECK(subscribe(shared, &s) == FP_OK, "subscribe");
    struct fp_version *v = fp_topic_snapshot(shared);
    match(shared, NULL, "a.1.b", found);
    CHECK(unsubscribe(shared, &s) == FP_OK, "unsubscribe");
    fp_version_release(v);
    if (!torture_stop_stalling())
        atomic_store(&victim_ended, true);
}

static void stall(int id, void *arg) {
    int step = *(int *)arg;
    if (id == 0) {
        victim(step);
        return;
    }
    CHECK(torture_wait_stalled(20000), "step %d was never reached", step);
    rounds = 200;
    mix(id, NULL);
    torture_release();
}

static void stalls(void) {
    atomic_store(&victim_ended, false);
    for (int step = 0; !atomic_load(&victim_ended); step++) {
        shared = create(nats);
        torture_threads(2, stall, &step);
        fp_topic_end(shared);
        nothing_left();
    }
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a list of patterns", model},
    {"every allocation fails in turn", failed_allocations},
#if !FP_PLAIN
    {"a match shows one instant", instants},
    {"a match shows one instant, delays at the steps", instants_delayed},
    {"subscriptions beside each other", mixed},
    {"subscriptions beside each other, delays at the steps", mixed_delayed},
    {"64 threads", crowd},
    {"short-lived threads", churn},
    {"snapshots in passing", passing},
    {"snapshots that outlive their tries", outliving},
    {"snapshots that outlive their tries, delays at the steps", outliving_delayed},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
