/* topics.c - the topic trie under every schedule. Programs are written with two characters a call:
 *
 *      +3  subscribe to pattern 3        -3  take that subscription back
 *      m0  who matches "a.b"             m1  who matches "a"
 *      n   how many there are
 *      S   take a snapshot, match both topics, close it
 *      o   take a snapshot and keep it;  z   match again, and close it
 *      E, w, C, v   as in maps.c: give the live trie up, sweep, clear as a garbage collector, visit
 *
 * "+1 +2 / -1 | +3" runs the first part alone, then a thread for each of the others; a pattern is
 * subscribed to once in a program. All tokens have one hash, so "a" and "b" form a chain. All calls
 * must be linearizable, snapshots included; a kept snapshot stays as it was; every reference is
 * given back and all memory freed. */
#include "topics.h"

#include "explore.h"

#include "base/fp_mem.h"
#include "maps/fp_topic.h"

#include <stdio.h>
#include <string.h>

enum { PATTERNS = 8, TOPICS = 2, CALLS = 16 };

static const char *const pattern[PATTERNS] = {"", "a.b", "a", "#", "a.*", "a.b.c", "#.b", "b"};
static const char *const topic[TOPICS] = {"a.b", "a"};
static const unsigned matching[TOPICS] = {1 << 1 | 1 << 3 | 1 << 4 | 1 << 6, 1 << 2 | 1 << 3};

struct topic_call {
    char kind;
    int which;
    unsigned answer[TOPICS]; /* masks of subscriptions; or one number */
    unsigned begin, end;
};

struct topic_script {
    int preemptions;
    const char *text;
};

static const struct topic_script scripts[] = {
    {3, "+1|+2"},
    {3, "+1 +3/-1|+4|m0"},
    {2, "+1/-1 +3 +5 +7|m0"},
    {3, "+1/-1|-1|n"},
    {3, "+2 +1/-1 m0|+5 -2|m0"},
    {2, "+2 +1/-1|-2|+5 m0"},
    {2, "+3/+6 -3|m0 m0|S"},
    {3, "+2/-2|+7|m1"},
    {3, "+2 +7 +1/-7|-1|m1"},
    {3, "+1 +2 o/-1|z|m0"},
    {2, "+1 +2 o/-1 +4|z S|-2"},
    {3, "+2 +7 o/-2|z m1"},
    {2, "o +1/S -1|S|z"},
    /* As in maps.c: versions that outlive the live trie, and garbage collectors. */
    {3, "+1/o E z|E w"},
    {2, "+1 +2/-1 o E z|E w"},
    {2, "+1 o/+2 E|E z"},
    {2, "+1/o E z|+2 o E z"},
    {3, "+1/E C|E w"},
    {2, "+1 +2/E C v|o E z|m0 E"},
    {2, "+1 o/E C|C E z|+2 E"},
    {2, "+1 +2 o/-1 v z v|S v E"},
};

static struct {
    const struct topic_script *script;
    const char *part[EXPLORE_THREADS];
    struct fp_topic *trie;
    uint64_t number[PATTERNS];
    struct fp_version *kept[EXPLORE_THREADS + 1];
    unsigned kept_answer[EXPLORE_THREADS + 1][TOPICS];
    struct topic_call call[CALLS];
    int calls;
    int references[PATTERNS], total;
    int threads, inside; /* how many there are; within a call, callbacks apart */
    bool left[EXPLORE_THREADS]; /* who has given the live trie up */
    bool shows; /* what a garbage collector is shown, also where handles are released */
} run;

/* The host: a subscriber is the number of its pattern. */

/* A match loads one shared word only: others shall have their turn in the middle of it, too. */
static uint64_t hash(const char *token, size_t length) {
    (void)length;
    explore_access(token, "token");
    return 1;
}
static void retain(uint64_t h) {
    if (run.references[h]++ <= 0)
        explore_fail("subscriber %d retained after its last release", (int)h);
    run.total++;
}

/* What a garbage collector is shown may not be more than there is. */
static int shown[PATTERNS];
static int show(uint64_t h, void *arg) {
    (void)arg;
    if (++shown[h] > run.references[h])
        explore_fail("subscriber %d is shown too often", (int)h);
    return 0;
}
static void show_all(void) {
    if (run.inside != 0)
        return;
    memset(shown, 0, sizeof shown);
    explore_stop_the_world(true);
    fp_topic_visit(run.trie, show, NULL);
    explore_stop_the_world(false);
}

static void release(uint64_t h) {
    if (run.references[h]-- <= 0)
        explore_fail("subscriber %d released too often", (int)h);
    run.total--;
    run.inside--; /* a finalizer may run the garbage collector */
    if (run.shows)
        show_all();
    run.inside++;
}
static const struct fp_topic_host host = {hash, retain, release, {fp_mem_alloc, fp_mem_free}};

static unsigned match(struct fp_version *v, int which) {
    struct fp_words found;
    const char *text = topic[which];
    unsigned mask = 0;
    fp_words_init(&found, &host.memory);
    if ((v != NULL ? fp_topic_version_match(v, text, strlen(text), &found)
                   : fp_topic_match(run.trie, text, strlen(text), &found)) != FP_OK)
        explore_fail("a match failed");
    for (size_t i = 0; i < found.count; i++) {
        if (mask >> found.at[i] & 1)
            explore_fail("subscription %d is found twice", (int)found.at[i]);
        mask |= 1u << found.at[i];
        release(found.at[i]);
    }
    fp_words_free(&found);
    return mask;
}

static void match_all(struct fp_version *v, unsigned answer[TOPICS]) {
    for (int i = 0; i < TOPICS; i++)
        answer[i] = match(v, i);
}

static void let_go(int who) {
    unsigned again[TOPICS];
    if (run.kept[who] == NULL)
        who = EXPLORE_THREADS; /* what the first part kept */
    struct fp_version *v = run.kept[who];
    if (v == NULL)
        return;
    run.kept[who] = NULL;
    match_all(v, again);
    if (memcmp(again, run.kept_answer[who], sizeof again) != 0)
        explore_fail("a kept snapshot has changed");
    fp_version_release(v);
}

static void leave(int who) {
    if (!run.left[who])
        fp_topic_end(run.trie);
    run.left[who] = true;
}

/* False: it has ended. */
static bool clear_as_collector(void) {
    if (!fp_topic_hold(run.trie))
        return false;
    fp_topic_clear(run.trie);
    fp_topic_end(run.trie);
    return true;
}

/* Calls that change no contents. */
static void perform_beside(char kind, int who) {
    if (kind == 'v') {
        show_all();
        return;
    }
    run.inside++;
    if (kind == 'z')
        let_go(who);
    else if (kind == 'E')
        leave(who);
    else
        fp_lineage_collect();
    run.inside--;
}

static void perform(struct topic_call *c, int who) {
    const char *text = pattern[c->which];
    struct fp_topic_counts counts = {0, 0};
    struct fp_version *v;
    switch (c->kind) {
    case '+':
        run.references[c->which]++;
        run.total++;
        if (fp_topic_subscribe(run.trie, text, strlen(text), (uint64_t)c->which,
                               &run.number[c->which]) != FP_OK)
            explore_fail("subscribing failed");
        release((uint64_t)c->which);
        break;
    case '-':
        c->answer[0] = fp_topic_unsubscribe(run.trie, text, strlen(text), run.number[c->which]);
        break;
    case 'm':
        c->answer[0] = match(NULL, c->which);
        break;
    case 'C':
        c->answer[0] = clear_as_collector();
        break;
    case 'n':
        fp_topic_count(run.trie, &counts);
        c->answer[0] = (unsigned)counts.subscriptions;
        break;
    default:
        v = fp_topic_snapshot(run.trie);
        match_all(v, c->answer);
        if (c->kind == 'S') {
            fp_version_release(v);
        } else {
            run.kept[who] = v;
            memcpy(run.kept_answer[who], c->answer, sizeof c->answer);
        }
    }
}

static void perform_script(const char *text, const char *stops, int who) {
    while (*text != '\0' && !strchr(stops, *text)) {
        struct topic_call c = {.kind = *text++};
        if (c.kind == ' ')
            continue;
        if (strchr("zEwv", c.kind)) {
            perform_beside(c.kind, who);
            continue;
        }
        if (strchr("+-m", c.kind))
            c.which = *text++ - '0';
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

/* The sequential trie: a mask of what is there. False: it would have answered otherwise. */
static bool step(unsigned *there, const struct topic_call *c) {
    const unsigned bit = 1u << c->which, before = *there;
    unsigned count = 0;
    switch (c->kind) {
    case '+':
        *there |= bit;
        return true;
    case '-':
        *there &= ~bit;
        return c->answer[0] == (before & bit ? FP_OK : FP_EMPTY);
    case 'C':
        *there = c->answer[0] ? 0 : before;
        return true;
    case 'm':
        return c->answer[0] == (before & matching[c->which]);
    case 'n':
        for (int i = 0; i < PATTERNS; i++)
            count += before >> i & 1;
        return c->answer[0] == count;
    default:
        for (int i = 0; i < TOPICS; i++)
            if (c->answer[i] != (before & matching[i]))
                return false;
        return true;
    }
}

static bool explains(unsigned done, unsigned there) {
    if (done == (1u << run.calls) - 1)
        return true;
    for (int i = 0; i < run.calls; i++) {
        bool may = !(done >> i & 1);
        for (int j = 0; j < run.calls && may; j++)
            may = done >> j & 1 || j == i || run.call[j].end > run.call[i].begin;
        unsigned next = there;
        if (may && step(&next, &run.call[i]) && explains(done | 1u << i, next))
            return true;
    }
    return false;
}

static void before(void) {
    memset(run.references, 0, sizeof run.references);
    memset(run.left, 0, sizeof run.left);
    run.calls = run.total = run.inside = 0;
    run.trie = fp_topic_create(&host, &fp_topic_syntaxes[FP_TOPIC_AMQP]);
    fp_lineage_hold(&run.trie->line);
    run.shows = strchr(run.script->text, 'v') != NULL;
    if (strchr(run.script->text, '/'))
        perform_script(run.script->text, "/", EXPLORE_THREADS);
    for (int i = 0; i < run.threads; i++)
        if (!fp_topic_hold(run.trie))
            explore_fail("a trie in use has ended");
    fp_topic_end(run.trie);
}

static void thread(int self) { perform_script(run.part[self], "|", self); }

static void after(void) {
    struct topic_call last = {.kind = 'S', .begin = explore_clock()};
    run.shows = false;
    if (fp_topic_hold(run.trie)) {
        perform(&last, 0);
        last.end = explore_clock();
        run.call[run.calls++] = last;
        fp_topic_end(run.trie);
    }
    if (!explains(0, 0)) {
        for (int i = 0; i < run.calls; i++) {
            const struct topic_call *c = &run.call[i];
            printf("    %3u .. %3u  %c%d -> %x %x\n", c->begin, c->end, c->kind, c->which,
                   c->answer[0], c->answer[1]);
        }
        explore_fail("no sequential order explains these answers");
    }
    for (int i = EXPLORE_THREADS; i >= 0; i--)
        let_go(i);
    for (int i = 0; i < run.threads; i++)
        leave(i);
    fp_lineage_drop(&run.trie->line);
    for (int i = 0; i < 3; i++)
        fp_lineage_collect();
    if (run.total != 0)
        explore_fail("%d references are left", run.total);
}

const int topic_count = sizeof scripts / sizeof *scripts;

const char *topic_name(int which) { return scripts[which].text; }

int topic_work(int which, double seconds) {
    const struct topic_script *s = &scripts[which];
    char name[100];
    snprintf(name, sizeof name, "topic %s", s->text);
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
