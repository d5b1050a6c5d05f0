/* torture_ctrie.c - the Ctrie. */
#include "ctries.h"
#include "torture.h"

#include "base/fp_mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Against arrays ------------------------------------------------------------------------------ */

enum { IDS = 300, TRIES = 4, VERSIONS = 8 };

struct model {
    struct fp_ctrie *trie;
    struct fp_version *version;
    int value[IDS]; /* -1: absent */
};

static int entries(const struct model *m) {
    int n = 0;
    for (int i = 0; i < IDS; i++)
        n += m->value[i] >= 0;
    return n;
}

static void same_contents(const struct model *m, struct fp_version *v) {
    struct fp_ctrie_walk w;
    uint64_t key, value, size;
    bool seen[IDS] = {false};
    int n = 0;
    fp_ctrie_walk_start(&w, v);
    while (fp_ctrie_walk_next(&w, &key, &value, false) == FP_OK) {
        unsigned id = id_of(key);
        CHECK(id < IDS && !seen[id], "key %u comes twice", id);
        seen[id] = true;
        CHECK(m->value[id] == (int)id_of(value), "key %u: %u instead of %d", id, id_of(value),
              m->value[id]);
        n++;
    }
    CHECK(n == entries(m), "%d of %d entries", n, entries(m));
    CHECK(fp_ctrie_version_size(v, &size) == FP_OK && (int)size == n, "size is %d, not %d",
          (int)size, n);
}

static void check_model(struct model *m) {
    if (m->version != NULL) {
        same_contents(m, m->version);
        return;
    }
    uint64_t size;
    CHECK(fp_ctrie_size(m->trie, &size) == FP_OK && (int)size == entries(m), "size");
    for (unsigned i = 0; i < IDS; i++)
        CHECK(ctrie_find_id(m->trie, NULL, i) == m->value[i], "key %u", i);
    struct fp_version *v = fp_ctrie_snapshot(m->trie);
    same_contents(m, v);
    fp_version_release(v);
}

static void change_model(struct model *m) {
    static const enum fp_ctrie_mode modes[] = {FP_CTRIE_STORE,   FP_CTRIE_STORE,  FP_CTRIE_ADD,
                                               FP_CTRIE_REPLACE, FP_CTRIE_REMOVE, FP_CTRIE_REMOVE};
    enum fp_ctrie_mode mode = modes[torture_random(6)];
    unsigned id = torture_random(IDS);
    int before = m->value[id], value = (int)torture_random(1000) + IDS, expected = -1;
    if (mode >= FP_CTRIE_REPLACE && torture_random(2))
        expected = before >= 0 && torture_random(3) ? before : (int)torture_random(1000) + IDS;
    struct fp_ctrie_change c =
        ctrie_do(m->trie, mode, id, mode == FP_CTRIE_REMOVE ? -1 : value, expected);
    bool changes = mode == FP_CTRIE_STORE || (mode == FP_CTRIE_ADD) == (before < 0);
    if (expected >= 0)
        changes = before == expected;
    CHECK(c.found == (before >= 0) && c.changed == changes, "mode %d on key %u", (int)mode, id);
    CHECK(before < 0 || (int)id_of(c.old) == before, "the old value was %u", id_of(c.old));
    if (changes)
        m->value[id] = mode == FP_CTRIE_REMOVE ? -1 : value;
}

static void pop_model(struct model *m) {
    struct fp_ctrie_change c = {.mode = FP_CTRIE_REMOVE};
    enum fp_status s = fp_ctrie_pop(m->trie, &c);
    CHECK((s == FP_EMPTY) == (entries(m) == 0), "pop answers %d", (int)s);
    if (s != FP_OK)
        return;
    CHECK(m->value[id_of(c.old_key)] == (int)id_of(c.old), "popped what was not there");
    m->value[id_of(c.old_key)] = -1;
    ctrie_test_host.release(c.old_key);
    ctrie_test_host.release(c.old);
}

static void end_model(struct model *m) {
    if (m->trie != NULL)
        fp_ctrie_end(m->trie);
    if (m->version != NULL)
        fp_version_release(m->version);
    m->trie = NULL;
    m->version = NULL;
}

/* What a garbage collector is shown: each handle once for each reference, whichever of the lineages
 * owns it. */
enum { VISITED = (IDS + 1000) * 16 + 1, LINEAGES = 1000 };
static int visits[VISITED];

static int count_visit(uint64_t handle, void *arg) {
    ++*(long *)arg;
    CHECK(++visits[handle] <= references_of(handle), "%u is shown too often", id_of(handle));
    return 0;
}

static void check_visits(const struct model *m, int count) {
    struct fp_ctrie *met[LINEAGES];
    int lineages = 0;
    long total = 0;
    fp_lineage_collect(); /* what waits is not shown */
    memset(visits, 0, sizeof visits);
    for (int i = 0; i < count; i++) {
        struct fp_ctrie *t = m[i].version != NULL ? fp_ctrie_of(m[i].version) : m[i].trie;
        while (t != NULL) {
            int known = 0;
            while (known < lineages && met[known] != t)
                known++;
            if (known < lineages)
                break; /* and so are those that it branched off */
            CHECK(lineages < LINEAGES, "too many lineages");
            met[lineages++] = t;
            fp_ctrie_visit(t, count_visit, &total);
            t = t->line.base != NULL ? fp_ctrie_of(t->line.base) : NULL;
        }
    }
    CHECK(total == live_references(), "%ld of %ld references are shown", total, live_references());
}

/* Tries, snapshots, and branches of both, in any order. */
static void model_run(int calls, unsigned clears) {
    static struct model all[TRIES + VERSIONS], *trie = all, *version = all + TRIES;
    for (int i = 0; i < calls; i++) {
        struct model *t = &trie[torture_random(TRIES)], *v = &version[torture_random(VERSIONS)];
        unsigned what = torture_random(1000);
        if (t->trie == NULL) {
            t->trie = fp_ctrie_create(&ctrie_test_host, NULL);
            memset(t->value, -1, sizeof t->value);
        }
        if (what < 900) {
            change_model(t);
        } else if (what < 920) {
            pop_model(t);
        } else if (what < 950) {
            end_model(v);
            v->version = fp_ctrie_snapshot(t->trie);
            memcpy(v->value, t->value, sizeof v->value);
        } else if (what < 970) {
            end_model(v);
        } else if (what < 980) {
            check_model(v->version ? v : t);
            check_visits(all, TRIES + VERSIONS);
        } else if (what < 980 + clears) {
            CHECK(fp_ctrie_clear(t->trie) == FP_OK, "clear");
            memset(t->value, -1, sizeof t->value);
        } else if (what < 990 && v->version != NULL) {
            end_model(t);
            fp_version_retain(v->version);
            t->trie = fp_ctrie_create(&ctrie_test_host, v->version);
            memcpy(t->value, v->value, sizeof t->value);
        } else if (what == 999) {
            end_model(t);
        }
    }
    for (int i = 0; i < TRIES + VERSIONS; i++) {
        if (all[i].trie != NULL || all[i].version != NULL)
            check_model(&all[i]);
        end_model(&all[i]);
    }
}

static void nothing_left(void) {
    fp_lineage_collect();
    CHECK(live_references() == 0, "%ld references left", live_references());
    CHECK(live_nodes() == 0, "%ld pieces of memory left", live_nodes());
}

static void model(void) {
    static const unsigned hashes[] = {0, 1, 2, 7, 64, 0};
    for (unsigned i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        ctrie_hashes = hashes[i];
        model_run(scaled(30000), 1 + i);
        nothing_left();
    }
}

/* Every allocation fails in turn: the call says so, and has no effect. */
static void failed_allocations(void) {
    for (long number = 1, last = 0; !last; number++) {
        struct fp_ctrie *t = fp_ctrie_create(&ctrie_test_host, NULL), *branch = NULL;
        struct fp_version *v = NULL;
        int value[60];
        memset(value, -1, sizeof value);
        uint64_t keys[60], size;
        for (unsigned i = 0; i < 60; i++)
            keys[i] = make_handle(i, i % 3);
        torture_fail_allocation(number);
        for (unsigned i = 0; i < 600; i++) {
            unsigned id = i * 7 % 60;
            struct fp_ctrie_change c = {.mode = i % 5 == 4 ? FP_CTRIE_REMOVE : FP_CTRIE_STORE,
                                        .hash = hash_of(id),
                                        .key = keys[id],
                                        .value = keys[i % 60]};
            enum fp_status s = fp_ctrie_change(t, &c);
            CHECK(s == FP_OK || (s == FP_NO_MEMORY && torture_allocation_failed()), "%d", (int)s);
            if (s == FP_OK)
                value[id] = i % 5 == 4 ? -1 : (int)(i % 60);
            if (i == 200)
                v = fp_ctrie_snapshot(t);
            if (i == 300 && v != NULL) {
                fp_version_retain(v);
                branch = fp_ctrie_create(&ctrie_test_host, v);
                if (branch == NULL)
                    fp_version_release(v);
            }
            if (i == 400 && fp_ctrie_clear(t) == FP_OK)
                memset(value, -1, sizeof value);
        }
        last = !torture_allocation_failed();
        torture_fail_allocation(0);
        int n = 0;
        for (unsigned i = 0; i < 60; i++) {
            CHECK(ctrie_find_id(t, NULL, i) == value[i], "key %u after allocation %ld", i, number);
            n += value[i] >= 0;
        }
        CHECK(fp_ctrie_size(t, &size) == FP_OK && (int)size == n, "size");
        fp_ctrie_end(t);
        if (branch != NULL)
            fp_ctrie_end(branch);
        if (v != NULL)
            fp_version_release(v);
        for (unsigned i = 0; i < 60; i++)
            ctrie_test_host.release(keys[i]);
        nothing_left();
    }
}

/* The host says that it cannot compare: no effect. */
static int fail_often(void) { return torture_random(3) ? 0 : -1; }

static void failed_comparisons(void) {
    struct fp_ctrie *t = fp_ctrie_create(&ctrie_test_host, NULL);
    ctrie_hashes = 3;
    ctrie_on_equal = fail_often;
    int value[30], failures = 0;
    memset(value, -1, sizeof value);
    for (int i = 0; i < scaled(20000); i++) {
        unsigned id = torture_random(30);
        bool removes = torture_random(2);
        struct fp_ctrie_change c = {.mode = removes ? FP_CTRIE_REMOVE : FP_CTRIE_STORE,
                                    .hash = hash_of(id),
                                    .key = make_handle(id, torture_random(15)),
                                    .value = make_handle(id, torture_random(15))};
        enum fp_status s = fp_ctrie_change(t, &c);
        CHECK(s == FP_OK || s == FP_FAILED, "%d", (int)s);
        failures += s == FP_FAILED;
        if (s == FP_OK)
            value[id] = removes ? -1 : (int)id;
        ctrie_test_host.release(c.key);
        ctrie_test_host.release(c.value);
    }
    CHECK(failures > 0, "no comparison failed");
    ctrie_on_equal = NULL;
    for (unsigned i = 0; i < 30; i++)
        CHECK(ctrie_find_id(t, NULL, i) == value[i], "key %u", i);
    fp_ctrie_end(t);
    nothing_left();
}

/* A comparison that uses the trie it is called from. */
static struct fp_ctrie *nested;
static int nested_depth;

static int use_the_same(void) {
    if (nested_depth++ < 2) {
        unsigned id = torture_random(20);
        ctrie_do(nested, torture_random(2) ? FP_CTRIE_STORE : FP_CTRIE_REMOVE, id, 100, -1);
        struct fp_version *v = fp_ctrie_snapshot(nested);
        if (torture_random(20) == 0)
            CHECK(fp_ctrie_clear(nested) == FP_OK, "clear");
        fp_version_release(v);
    }
    nested_depth--;
    return 0;
}

static void nested_calls(void) {
    nested = fp_ctrie_create(&ctrie_test_host, NULL);
    ctrie_hashes = 2;
    ctrie_on_equal = use_the_same;
    for (int i = 0; i < scaled(5000); i++)
        ctrie_do(nested, (enum fp_ctrie_mode)torture_random(4), torture_random(20), 200, -1);
    ctrie_on_equal = NULL;
    fp_ctrie_end(nested);
    nothing_left();
}

#if !FP_PLAIN
/* Threads --------------------------------------------------------------------------------------
 */

enum { COUNTERS = 40 };

/* Each thread counts keys up by compare-and-set: no update may be lost, snapshots or not. */
static struct fp_ctrie *shared;
static atomic_long counted[COUNTERS];
static int rounds;

static void count_up(int id, void *arg) {
    const bool snapshots = arg != NULL;
    for (int i = 0; i < rounds; i++) {
        unsigned key = torture_random(COUNTERS);
        int now = ctrie_find_id(shared, NULL, key);
        struct fp_ctrie_change c = now < 0 ? ctrie_do(shared, FP_CTRIE_ADD, key, 1, -1)
                                           : ctrie_do(shared, FP_CTRIE_REPLACE, key, now + 1, now);
        if (c.changed)
            atomic_fetch_add(&counted[key], 1);
        if (snapshots && i % 7 == id % 7)
            fp_version_release(fp_ctrie_snapshot(shared));
        if (i % 5 == 0) /* come and go between the counters: levels are made and given up */
            ctrie_do(shared, i % 2 ? FP_CTRIE_REMOVE : FP_CTRIE_STORE,
                     COUNTERS + torture_random(200), 7, -1);
    }
}

static void counters_with(int threads, bool snapshots) {
    static const unsigned hashes[] = {0, 1, 6, 64};
    for (unsigned h = 0; h < 4; h++) {
        ctrie_hashes = hashes[h];
        rounds = scaled(h == 1 ? 200 : 3000);
        memset((void *)counted, 0, sizeof counted);
        shared = fp_ctrie_create(&ctrie_test_host, NULL);
        torture_threads(threads, count_up, snapshots ? &rounds : NULL);
        for (unsigned i = 0; i < COUNTERS; i++) {
            int now = ctrie_find_id(shared, NULL, i);
            CHECK((now < 0 ? 0 : now) == (int)atomic_load(&counted[i]),
                  "counter %u is %d after %ld steps", i, now, atomic_load(&counted[i]));
        }
        fp_ctrie_end(shared);
        nothing_left();
    }
}

static void counters(void) { counters_with(3, false); }
static void counters_snapshots(void) { counters_with(3, true); }
static void counters_delayed(void) {
    torture_random_steps(true);
    counters_with(3, true);
}

/* Writers store n under key 0, then 1, then 2 ... Whoever takes a snapshot must see values that
 * only go down along the keys, and by one at most; and sees no less than in his last one. */
enum { CHAIN = 12 };
static atomic_bool done;

static void look_at_chains(int owners, int *last) {
    struct fp_version *v = fp_ctrie_snapshot(shared);
    for (int owner = 0; owner < owners; owner++) {
        int before = 0, first = 0;
        for (int i = 0; i < CHAIN; i++) {
            int now = ctrie_find_id(NULL, v, (unsigned)(owner * CHAIN + i));
            now = now < 0 ? 0 : now;
            if (i == 0)
                first = before = now;
            CHECK(now <= before && now >= first - 1, "key %d: %d after %d", i, now, before);
            before = now;
        }
        CHECK(first >= last[owner], "time goes backwards");
        last[owner] = first;
    }
    struct fp_ctrie *branch = NULL;
    if (torture_random(4) == 0) {
        fp_version_retain(v);
        branch = fp_ctrie_create(&ctrie_test_host, v);
        for (unsigned i = 0; i < CHAIN; i++)
            ctrie_do(branch, FP_CTRIE_STORE, i, 60000, -1);
    }
    fp_version_release(v);
    if (branch != NULL) {
        for (unsigned i = 0; i < CHAIN; i++)
            CHECK(ctrie_find_id(branch, NULL, i) == 60000, "the branch forgot key %u", i);
        fp_ctrie_end(branch);
    }
}

static void chain(int id, void *arg) {
    int *owners = arg, last[8] = {0};
    if (id < *owners) {
        for (int n = 1; n <= rounds; n++)
            for (int i = 0; i < CHAIN; i++)
                ctrie_do(shared, FP_CTRIE_STORE, (unsigned)(id * CHAIN + i), n, -1);
        atomic_store(&done, true);
    } else {
        while (!atomic_load(&done))
            look_at_chains(*owners, last);
    }
}

static void chains(void) {
    int owners = 2;
    for (int delays = 0; delays < 2; delays++) {
        torture_random_steps(delays);
        rounds = scaled(delays ? 400 : 2000);
        atomic_store(&done, false);
        shared = fp_ctrie_create(&ctrie_test_host, NULL);
        torture_threads(owners + 2, chain, &owners);
        fp_ctrie_end(shared);
        nothing_left();
    }
}

/* Everything at once, on few keys: what is found must have been stored under that key. */
static void mix(int id, void *arg) {
    (void)id, (void)arg;
    struct fp_version *kept = NULL;
    for (int i = 0; i < rounds; i++) {
        unsigned key = torture_random(60), what = torture_random(100);
        if (what < 40)
            ctrie_do(shared, FP_CTRIE_STORE, key, (int)key + 100 * (int)torture_random(9), -1);
        else if (what < 75)
            ctrie_do(shared, FP_CTRIE_REMOVE, key, -1, -1);
        else if (what < 78 && kept == NULL)
            kept = fp_ctrie_snapshot(shared);
        else if (what < 80 && kept != NULL) {
            fp_version_release(kept);
            kept = NULL;
        } else if (what == 80 && torture_random(10) == 0) {
            fp_ctrie_clear(shared);
        } else if (what == 81) {
            uint64_t size;
            CHECK(fp_ctrie_size(shared, &size) == FP_OK && size <= 60, "size");
        } else if (what < 84) {
            struct fp_ctrie_change c = {.mode = FP_CTRIE_REMOVE};
            if (fp_ctrie_pop(shared, &c) == FP_OK) {
                CHECK(id_of(c.old) % 100 == id_of(c.old_key), "a value of another key");
                ctrie_test_host.release(c.old);
                ctrie_test_host.release(c.old_key);
            }
        } else {
            int value = ctrie_find_id(shared, what < 95 ? NULL : kept, key);
            CHECK(value < 0 || value % 100 == (int)key, "a value of another key");
        }
    }
    if (kept != NULL)
        fp_version_release(kept);
}

static void mixed_with(int threads, int calls) {
    static const unsigned hashes[] = {0, 1, 5};
    for (unsigned h = 0; h < 3; h++) {
        ctrie_hashes = hashes[h];
        rounds = scaled(calls);
        shared = fp_ctrie_create(&ctrie_test_host, NULL);
        torture_threads(threads, mix, NULL);
        fp_ctrie_end(shared);
        nothing_left();
    }
}
static void mixed(void) { mixed_with(3, 6000); }
static void crowd(void) { mixed_with(64, 300); }
static void mixed_delayed(void) {
    torture_random_steps(true);
    mixed_with(3, 3000);
}

/* Short-lived threads strand nothing, and the limbo stays small. */
static void churn(void) {
    long most = 0;
    rounds = 200;
    shared = fp_ctrie_create(&ctrie_test_host, NULL);
    for (int i = 0; i < scaled(100); i++) {
        torture_threads(6, mix, NULL);
        most = live_nodes() > most ? live_nodes() : most;
    }
    CHECK(most < 6000, "%ld pieces", most);
    CHECK(fp_ctrie_clear(shared) == FP_OK, "clear");
    fp_lineage_collect();
    CHECK(live_references() == 0, "%ld references after clear()", live_references());
    fp_ctrie_end(shared);
    nothing_left();
}

/* Snapshots that are taken and dropped as fast as it goes, each of another state: whoever makes
 * garbage clears up in his turn, or waits, so that it does not pile up. */
static void snapshot_in_passing(int id, void *arg) {
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        ctrie_do(shared, FP_CTRIE_STORE, (unsigned)id, i % 64, -1);
        struct fp_version *v = fp_ctrie_snapshot(shared);
        CHECK(v != NULL, "no snapshot");
        fp_version_release(v);
        CHECK(live_nodes() < PILE, "%ld pieces of memory", live_nodes());
    }
}

static void passing(void) {
    rounds = scaled(800000);
    shared = fp_ctrie_create(&ctrie_test_host, NULL);
    torture_threads(4, snapshot_in_passing, NULL);
    fp_ctrie_end(shared);
    nothing_left();
}

/* Threads that share nothing but the sweeps: whoever drops a map sweeps those of others, too. Each
 * drops its map and goes on reading a snapshot of it. */
static void outlive(int id, void *arg) {
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        struct fp_ctrie *t = fp_ctrie_create(&ctrie_test_host, NULL), *branch = NULL;
        const unsigned first = (unsigned)id * 100, count = 1 + torture_random(40);
        for (unsigned k = 0; k < count; k++)
            ctrie_do(t, FP_CTRIE_STORE, first + k, (int)k, -1);
        struct fp_version *v = fp_ctrie_snapshot(t);
        const unsigned what = torture_random(5);
        if (what == 1)
            ctrie_do(t, FP_CTRIE_REMOVE, first + torture_random(count), -1, -1);
        else if (what == 2)
            fp_ctrie_clear(t);
        else if (what == 3)
            fp_version_release(fp_ctrie_snapshot(t));
        if (what >= 3) {
            fp_version_retain(v);
            branch = fp_ctrie_create(&ctrie_test_host, v);
        }
        fp_ctrie_end(t);
        for (unsigned k = 0; k < count; k++)
            CHECK(ctrie_find_id(branch, branch ? NULL : v, first + k) == (int)k, "key %u", k);
        if (branch != NULL)
            fp_ctrie_end(branch);
        fp_version_release(v);
    }
}

static void outliving_with(int calls) {
    ctrie_hashes = 0;
    rounds = scaled(calls);
    torture_threads(4, outlive, NULL);
    nothing_left();
}
static void outliving(void) { outliving_with(8000); }
static void outliving_delayed(void) {
    torture_random_steps(true);
    outliving_with(3000);
}

/* A map that is garbage, beside finalizers and the sweeps of others. */
static void be_garbage(int id, void *arg) {
    (void)arg;
    if (id == 0) {
        if (fp_ctrie_hold(shared)) { /* the garbage collector: it knows the lineage only */
            fp_ctrie_clear(shared);
            fp_ctrie_end(shared);
        }
        return;
    }
    if (id == 1) {
        ctrie_do(shared, FP_CTRIE_STORE, 7, 107, -1);
        fp_version_release(fp_ctrie_snapshot(shared));
        fp_ctrie_clear(shared);
    } else {
        fp_ctrie_end(fp_ctrie_create(&ctrie_test_host, NULL));
    }
    fp_ctrie_end(shared);
}

static void garbage(void) {
    torture_random_steps(true);
    for (int i = 0; i < scaled(600); i++) {
        shared = fp_ctrie_create(&ctrie_test_host, NULL);
        fp_lineage_hold(&shared->line);
        for (unsigned k = 0; k < 60; k++)
            ctrie_do(shared, FP_CTRIE_STORE, k, (int)k, -1);
        CHECK(fp_ctrie_hold(shared), "a new map has ended");
        torture_threads(3, be_garbage, NULL);
        CHECK(!fp_ctrie_hold(shared), "nobody holds it, and it has not ended");
        fp_lineage_drop(&shared->line);
        nothing_left();
    }
}

#ifdef FP_TEST_STEPS
/* A thread that stops at any step stops nobody. */
static atomic_bool victim_ended;

static void victim(int step) {
    torture_stall_at(step);
    unsigned key = 3;
    ctrie_do(shared, FP_CTRIE_STORE, key, 103, -1);
    struct fp_version *v = fp_ctrie_snapshot(shared);
    ctrie_do(shared, FP_CTRIE_REMOVE, key, -1, -1);
    ctrie_do(shared, FP_CTRIE_STORE, key + 1, 104, -1);
    if (v != NULL)
        fp_version_release(v);
    fp_ctrie_clear(shared);
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
    rounds = 300;
    mix(id, NULL);
    torture_release();
}

static void stalls(void) {
    atomic_store(&victim_ended, false);
    for (int step = 0; !atomic_load(&victim_ended); step++) {
        shared = fp_ctrie_create(&ctrie_test_host, NULL);
        for (unsigned i = 0; i < 60; i++)
            ctrie_do(shared, FP_CTRIE_STORE, i, (int)i, -1);
        torture_threads(2, stall, &step);
        fp_ctrie_end(shared);
        nothing_left();
    }
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a model", model},
    {"every allocation fails in turn", failed_allocations},
    {"comparisons that fail", failed_comparisons},
    {"comparisons that use the same trie", nested_calls},
#if !FP_PLAIN
    {"counters", counters},
    {"counters beside snapshots", counters_snapshots},
    {"counters beside snapshots, delays at the steps", counters_delayed},
    {"snapshots show one instant", chains},
    {"everything at once", mixed},
    {"everything at once, delays at the steps", mixed_delayed},
    {"64 threads", crowd},
    {"short-lived threads", churn},
    {"snapshots in passing", passing},
    {"snapshots that outlive their maps", outliving},
    {"snapshots that outlive their maps, delays at the steps", outliving_delayed},
    {"a map that is garbage", garbage},
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
