/* maps.c - the Ctrie under every schedule. Programs are written with a few characters per call:
 *
 *      s12  store value 2 under key 1    a12  the same, if the key is absent
 *      r12  the same, if it is there     c123 store 3 under key 1 if the value is 2
 *      d1   remove key 1                 D12  the same, if the value is 2
 *      g1   get                          n    size          P  pop          x  clear
 *      S    take a snapshot, read it, close it              i  the same, reading it twice
 *      o    take a snapshot and keep it; z  read and close it
 *      b12  a branch of a new snapshot: store in it, read both, end it
 *      E    give the live map up; it ends when all threads have, and they do not use it any more
 *      f1   fetch the way to key 1; it has no effect and no answer
 *      w    sweep what is unswept, as a thread that drops another map does
 *      C    clear it as a garbage collector does: without holding it, ended or not
 *      v    visit as a garbage collector does; not run while another thread is within a call
 *
 * "s11 s21 / d1 | s22" runs the first part alone, then a thread for each of the others. Keys 1 to 3
 * meet on the first level of the trie and part on the second, 4 to 6 on the third; 7 to 9 have
 * equal hashes. All calls must be linearizable, snapshots included. A kept snapshot must stay as it
 * was. Every reference must be given back, and all memory freed. */
#include "maps.h"

#include "explore.h"

#include "base/fp_mem.h"
#include "maps/fp_ctrie.h"

#include <stdio.h>
#include <string.h>

enum { KEYS = 10, CALLS = 16, HANDLES = 256 };

struct state {
    signed char value[KEYS]; /* -1: absent */
};

struct map_call {
    char kind;
    int key, value, expected;
    int found, changed, old; /* or the size, or 1 for success */
    struct state seen;
    unsigned begin, end;
};

struct map_script {
    int preemptions;
    const char *text;
};

static const struct map_script scripts[] = {
    {3, "s11|s12"},
    {3, "s11 s21/s12|s22|g1 g2"},
    {3, "s11 s21/d1|d2"},
    {3, "s11 s21/d1|s23|g2"},
    {3, "s11 s21/d1|g2 g1|s13"},
    {3, "s11 s21 s31/d1|d2|d3"},
    {3, "s11 s21/s12|S"},
    {3, "s11 s21/s12 s22|S S"},
    {3, "s11 s21/s12|s22|S"},
    {3, "s11 s21/d1|S|g1"},
    /* A reader of an old root, while later main nodes, and what they share with it, are replaced.
     */
    {3, "s11 s21/g2|S s13 s23"},
    {3, "s11 s21/g2|S s13 d2"},
    {3, "s11 s21/S|S|s12"},
    {2, "s11 s21/S s12|S s22|g1 g2"},
    /* The lost update of the published renewed(). */
    {3, "s11 s21 s41 s51 S/s12 s31|s52|S g5"},
    {3, "s11 s21 S s12 s31/s22|s32"},
    {3, "s11 s21 s41 S/s12|s42|s43"},
    {3, "s11 s21 S/d1 s31|s22|g2"},
    {3, "s11 s21 o/d1|d2 z"},
    {3, "s11 s21 o/s12 z|s13|S"},
    {2, "o s11 s21/s12 z|S s22"},
    {3, "s41 s51/d4|d5"},
    {3, "s41 s51 s61/d4|s52|g5"},
    {3, "s41 s51/d4 s42|d5 s52"},
    {3, "s41 s51/S d4|S d5"},
    {2, "s71 s81/d7|s91"},
    {2, "s71 s81/d7|d8"},
    {2, "s71/s72|a81|g8"},
    {2, "s71 s81/S|d7|s82"},
    {3, "a11|a12|g1"},
    {3, "s11/c112|c113|g1"},
    {3, "s11/D11|D11|a12"},
    {3, "s11 s21/r13|d1|S"},
    {3, "s11/P|P|g1"},
    {3, "s11 s21/P|s12|g2"},
    {3, "s11 s21/x|s12|g2"},
    {3, "s11 s21/x|S|s12"},
    {2, "s11 s21 o/x|s12 z|S"},
    {2, "o s11 s21/x z|x|s31"},
    {3, "s11 s21/n|s31|d1"},
    {2, "s11 s21/b12|s13|g1"},
    {2, "s11 s21/b12|b13|d2"},
    {2, "s11 s21/b12 d1|x"},
    {3, "s11 s21/i|s12 s22"},
    {2, "s41 s51 s11/S s42|d5|S g4"},
    {2, "s11 s21 o/S s12|z d2|S"},
    /* Fetching meets changes that fail, and nodes that are replaced. */
    {3, "s11 s21/s31|S|f3"},
    {3, "s11 s21/d1|S s22|f1"},
    {3, "s41 s51 S/s42|S|f4"},
    /* Faults of ports: clean-up over an undecided change; a tomb in a snapshot; a returning key. */
    {3, "s11 s21 s31/d1 d2|s33|S"},
    {3, "s11 s21/d1 g1|d2 g2|S"},
    {2, "s71 s81 s91/d8 g8|s72 g7|d9"},
    /* A version that outlives the live map, beside a sweep that began before it was opened. */
    {3, "s11/o E z|E w"},
    {3, "s11 s21/s12 o E z|E w"},
    {2, "s11 s21/o E z|s12 o E z"},
    {2, "s11 s21 o/s12 o E|E z|E w"},
    {2, "s11/b12 E|E w"},
    {3, "s11/x s12 o E z|E w"},
    /* The sweeping thread has done its rounds when the other one leaves its note. */
    {3, "s11 o/E z|E w"},
    {3, "s11 s21 o/s12 E|E z"},
    /* Cleared by a collector beside whatever the others do. */
    {3, "s11/E C|E w"},
    {3, "s11 s21/E C|E|E"},
    {3, "s11/E C v|o E z"},
    {2, "s11/E C v|s12 o E z|E w"},
    {2, "s11 s21/E C|S d2 E|w"},
    {2, "s11 s21 o/C E C|z E|s12 E"},
    {2, "s11 s21/s12 v|S v d2 v|E v"},
    {2, "s11 s21 o/d1 v z v|b12 v E"},
};

static struct {
    const struct map_script *script;
    const char *part[EXPLORE_THREADS];
    struct fp_ctrie *trie;
    struct fp_version *kept[EXPLORE_THREADS + 1];
    struct state kept_state[EXPLORE_THREADS + 1];
    struct map_call call[CALLS];
    int calls;
    int references[HANDLES], total;
    int threads, inside; /* number of threads; of those within a call, callbacks apart */
    bool left[EXPLORE_THREADS]; /* threads that have given the live map up */
    bool shows; /* visits as a garbage collector, also where handles are released */
} run;

/* The host: handles 16 .. are keys, 64 .. values. */

static int same(uint64_t a, uint64_t b) {
    if ((run.references[a] <= 0 || run.references[b] <= 0) && !explore_answers_only())
        explore_fail("compared after the last release");
    return a == b;
}
static void retain(uint64_t h) {
    if (run.references[h]++ <= 0 && !explore_answers_only())
        explore_fail("handle %d retained after its last release", (int)h);
    run.total++;
}
/* A garbage collector may not be shown more references than there are. */
static int shown[HANDLES];
static int show(uint64_t h, void *arg) {
    (void)arg;
    if (++shown[h] > run.references[h])
        explore_fail("handle %d is shown too often", (int)h);
    return 0;
}
static void show_all(void) {
    if (run.inside != 0 || explore_answers_only())
        return;
    memset(shown, 0, sizeof shown);
    explore_stop_the_world(true);
    fp_ctrie_visit(run.trie, show, NULL);
    explore_stop_the_world(false);
}

static void release(uint64_t h) {
    if (run.references[h]-- <= 0 && !explore_answers_only())
        explore_fail("handle %d released too often", (int)h);
    run.total--;
    run.inside--; /* a finalizer may run the garbage collector */
    if (run.shows)
        show_all();
    run.inside++;
}
static const struct fp_ctrie_host host = {same, same, retain, release, {fp_mem_alloc, fp_mem_free}};

static uint64_t fresh(int number) {
    run.references[number]++;
    run.total++;
    return (uint64_t)number;
}
static uint64_t fresh_key(int key) { return fresh(16 + key); }
static uint64_t fresh_value(int value) { return fresh(64 + value); }

static uint32_t hash_of(int key) {
    if (key <= 3)
        return (uint32_t)key << 22;
    return key <= 6 ? UINT32_C(1) << 27 | (uint32_t)key << 17 : UINT32_C(2) << 27;
}

static void read_version(struct fp_version *v, struct state *s) {
    struct fp_ctrie_walk w;
    uint64_t key, value;
    memset(s, -1, sizeof *s);
    fp_ctrie_walk_start(&w, v);
    while (fp_ctrie_walk_next(&w, &key, &value, true) == FP_OK) {
        if (s->value[key - 16] >= 0)
            explore_fail("key %d comes twice", (int)key - 16);
        s->value[key - 16] = (signed char)(value - 64);
        release(key);
        release(value);
    }
    for (int i = 1; i < KEYS; i++) {
        uint64_t mine = fresh_key(i), found = 0;
        enum fp_status got = fp_ctrie_version_get(v, mine, hash_of(i), &found);
        if ((got == FP_OK ? (int)found - 64 : -1) != s->value[i])
            explore_fail("iteration and look-up of key %d differ in one snapshot", i);
        if (got == FP_OK)
            release(found);
        release(mine);
    }
}

static int get(struct fp_ctrie *t, int key) {
    uint64_t mine = fresh_key(key), value = 0;
    enum fp_status s = fp_ctrie_get(t, mine, hash_of(key), &value);
    release(mine);
    if (s != FP_OK)
        return -1;
    release(value);
    return (int)value - 64;
}

static void change(struct fp_ctrie *t, enum fp_ctrie_mode mode, struct map_call *c) {
    struct fp_ctrie_change q = {.mode = mode, .hash = hash_of(c->key), .wants_old = true};
    q.key = fresh_key(c->key);
    q.value = mode != FP_CTRIE_REMOVE ? fresh_value(c->value) : 0;
    q.expected = c->expected >= 0 ? fresh_value(c->expected) : 0;
    if (fp_ctrie_change(t, &q) != FP_OK)
        explore_fail("a change failed");
    c->found = q.found;
    c->changed = q.changed;
    c->old = q.found ? (int)q.old - 64 : -1;
    release(q.key);
    if (q.value)
        release(q.value);
    if (q.expected)
        release(q.expected);
    if (q.found)
        release(q.old);
}

static void leave(int who) {
    if (!run.left[who])
        fp_ctrie_end(run.trie);
    run.left[who] = true;
}

/* False: the map has ended. */
static bool clear_as_collector(void) {
    if (!fp_ctrie_hold(run.trie))
        return false;
    fp_ctrie_clear(run.trie);
    fp_ctrie_end(run.trie);
    return true;
}

static void look(struct map_call *c, int who, bool twice) {
    struct fp_version *v = fp_ctrie_snapshot(run.trie);
    struct state again;
    read_version(v, &c->seen);
    if (c->kind == 'b') {
        struct map_call own = {.key = c->key, .value = c->value, .expected = -1};
        fp_version_retain(v);
        struct fp_ctrie *branch = fp_ctrie_create(&host, v);
        change(branch, FP_CTRIE_STORE, &own);
        if (own.old != c->seen.value[c->key] || get(branch, c->key) != c->value)
            explore_fail("the branch does not continue its base");
        fp_ctrie_end(branch);
    }
    if (twice || c->kind == 'b') {
        read_version(v, &again);
        if (memcmp(&again, &c->seen, sizeof again) != 0)
            explore_fail("a snapshot has changed");
    }
    if (c->kind == 'o') {
        run.kept[who] = v;
        run.kept_state[who] = c->seen;
    } else {
        fp_version_release(v);
    }
}

static void let_go(int who) {
    struct state again;
    if (run.kept[who] == NULL)
        who = EXPLORE_THREADS; /* the version that the first part kept */
    if (run.kept[who] == NULL)
        return;
    read_version(run.kept[who], &again);
    if (memcmp(&again, &run.kept_state[who], sizeof again) != 0)
        explore_fail("a kept snapshot has changed");
    struct fp_version *v = run.kept[who];
    run.kept[who] = NULL;
    fp_version_release(v);
}

static void perform(struct map_call *c, int who) {
    struct fp_ctrie_change q = {.wants_old = true};
    uint64_t size = 0;
    switch (c->kind) {
    case 's':
        change(run.trie, FP_CTRIE_STORE, c);
        break;
    case 'a':
        change(run.trie, FP_CTRIE_ADD, c);
        break;
    case 'r':
    case 'c':
        change(run.trie, FP_CTRIE_REPLACE, c);
        break;
    case 'd':
    case 'D':
        change(run.trie, FP_CTRIE_REMOVE, c);
        break;
    case 'g':
        c->old = get(run.trie, c->key);
        break;
    case 'n':
        fp_ctrie_size(run.trie, &size);
        c->old = (int)size;
        break;
    case 'x':
        fp_ctrie_clear(run.trie);
        break;
    case 'C':
        c->changed = clear_as_collector();
        break;
    case 'P':
        c->found = fp_ctrie_pop(run.trie, &q) == FP_OK;
        if (c->found) {
            c->key = (int)q.old_key - 16;
            c->old = (int)q.old - 64;
            release(q.old_key);
            release(q.old);
        }
        break;
    default:
        look(c, who, c->kind == 'i');
    }
}

/* Calls that change no contents. */
static void perform_beside(char kind, int key, int who) {
    if (kind == 'v') {
        show_all();
        return;
    }
    run.inside++;
    if (kind == 'z')
        let_go(who);
    else if (kind == 'E')
        leave(who);
    else if (kind == 'f')
        fp_ctrie_fetch(run.trie, &(uint32_t){hash_of(key)}, 1);
    else
        fp_lineage_collect();
    run.inside--;
}

static void perform_script(const char *text, const char *stops, int who) {
    while (*text != '\0' && !strchr(stops, *text)) {
        struct map_call c = {.kind = *text++, .key = 0, .value = -1, .expected = -1, .old = -1};
        if (c.kind == ' ')
            continue;
        if (strchr("sarcdDgbf", c.kind))
            c.key = *text++ - '0';
        if (strchr("zEwvf", c.kind)) {
            perform_beside(c.kind, c.key, who);
            continue;
        }
        if (strchr("cD", c.kind))
            c.expected = *text++ - '0';
        if (strchr("sarcb", c.kind))
            c.value = *text++ - '0';
        c.begin = explore_clock();
        run.inside++;
        perform(&c, who);
        run.inside--;
        c.end = explore_clock();
        if (run.calls == CALLS)
            explore_fail("too many calls");
        run.call[run.calls++] = c;
    }
}

/* The sequential map. False: it would have given another answer. */
static bool step(struct state *s, const struct map_call *c) {
    int before = s->value[c->key], size = 0;
    bool changes;
    switch (c->kind) {
    case 'g':
        return before == c->old;
    case 'n':
    case 'P':
        for (int i = 1; i < KEYS; i++)
            size += s->value[i] >= 0;
        if (c->kind == 'n')
            return size == c->old;
        if (!c->found)
            return size == 0;
        s->value[c->key] = -1;
        return before == c->old;
    case 'x':
    case 'C':
        if (c->kind == 'x' || c->changed)
            memset(s, -1, sizeof *s);
        return true;
    case 'S':
    case 'i':
    case 'o':
    case 'b':
        return memcmp(s, &c->seen, sizeof *s) == 0;
    case 's':
        changes = true;
        break;
    case 'a':
        changes = before < 0;
        break;
    default:
        changes = before >= 0 && (c->expected < 0 || c->expected == before);
    }
    if (changes)
        s->value[c->key] = (signed char)(strchr("dD", c->kind) ? -1 : c->value);
    return c->changed == changes && c->found == (before >= 0) && c->old == before;
}

static bool explains(unsigned done, struct state s) {
    if (done == (1u << run.calls) - 1)
        return true;
    for (int i = 0; i < run.calls; i++) {
        bool may = !(done >> i & 1);
        for (int j = 0; j < run.calls && may; j++)
            may = done >> j & 1 || j == i || run.call[j].end > run.call[i].begin;
        struct state next = s;
        if (may && step(&next, &run.call[i]) && explains(done | 1u << i, next))
            return true;
    }
    return false;
}

static void print_calls(void) {
    for (int i = 0; i < run.calls; i++) {
        const struct map_call *c = &run.call[i];
        printf("    %3u .. %3u  %c key %d value %d expected %d -> found %d changed %d old %d\n",
               c->begin, c->end, c->kind, c->key, c->value, c->expected, c->found, c->changed,
               c->old);
    }
}

static void before(void) {
    memset(run.references, 0, sizeof run.references);
    memset(run.left, 0, sizeof run.left);
    run.calls = run.total = run.inside = 0;
    run.trie = fp_ctrie_create(&host, NULL);
    fp_lineage_hold(&run.trie->line);
    run.shows = strchr(run.script->text, 'v') != NULL;
    if (strchr(run.script->text, '/'))
        perform_script(run.script->text, "/", EXPLORE_THREADS);
    for (int i = 0; i < run.threads; i++)
        if (!fp_ctrie_hold(run.trie))
            explore_fail("a map in use has ended");
    fp_ctrie_end(run.trie);
}

static void thread(int self) { perform_script(run.part[self], "|", self); }

static void after(void) {
    struct map_call last = {.kind = 'S', .begin = explore_clock(), .value = -1, .expected = -1};
    run.shows = false;
    if (fp_ctrie_hold(run.trie)) {
        look(&last, 0, true);
        last.end = explore_clock();
        run.call[run.calls++] = last;
        fp_ctrie_end(run.trie);
    }
    struct state none;
    memset(&none, -1, sizeof none);
    if (!explains(0, none)) {
        print_calls();
        explore_fail("no sequential order explains these answers");
    }
    for (int i = EXPLORE_THREADS; i >= 0; i--)
        let_go(i);
    for (int i = 0; i < run.threads; i++)
        leave(i);
    fp_lineage_drop(&run.trie->line);
    for (int i = 0; i < 3; i++)
        fp_lineage_collect();
    if (run.total != 0 && !explore_answers_only())
        explore_fail("%d references are left", run.total);
}

const int map_count = sizeof scripts / sizeof *scripts;

const char *map_name(int which) { return scripts[which].text; }

int map_work(int which, double seconds) {
    const struct map_script *s = &scripts[which];
    char name[100];
    snprintf(name, sizeof name, "ctrie %s", s->text);
    struct explore_program program = {name, 0, s->preemptions, before, thread, NULL, after};
    run.script = s;
    const char *slash = strchr(s->text, '/'), *part = slash ? slash + 1 : s->text;
    while (part != NULL) {
        run.part[program.threads++] = part;
        part = strchr(part, '|');
        part = part ? part + 1 : NULL;
    }
    run.threads = program.threads;
    return explore(&program, seconds, 1) ? 0 : 1;
}
