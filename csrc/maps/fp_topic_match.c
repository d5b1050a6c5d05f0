/* fp_topic_match.c - who has subscribed to a topic. See fp_topic.h for the idea.
 *
 * AMQP's "#" takes any number of tokens, none included: a place that stands for one stays reached
 * once it is, so all of them are in a list of their own (`lasting`), each once, which a set sees
 * to. All other places have one parent and take one token, so they are reached in one way. */
#include "maps/fp_topic_internal.h"

/* A set of words other than 0, by open addressing; at most half full. */
struct set {
    uint64_t *slot;
    size_t room, count;
    uint64_t few[32];
};

struct walk {
    const struct fp_topic_syntax *syntax;
    const struct fp_topic_host *host;
    struct fp_topic_node *table;
    struct fp_words *found;
    struct fp_words list[2], *now, *next; /* places reached by the tokens so far, and by one more */
    struct fp_words lasting;
    struct set known; /* what is in `lasting` */
    bool failed; /* no memory */
};

static void set_init(struct set *s) {
    s->slot = s->few;
    s->room = sizeof s->few / sizeof *s->few;
    s->count = 0;
    memset(s->few, 0, sizeof s->few);
}

static void set_free(struct set *s, const struct fp_memory *memory) {
    if (s->slot != s->few)
        memory->free(s->slot, s->room * sizeof *s->slot);
}

static uint64_t *set_find(struct set *s, uint64_t word) {
    size_t i = (size_t)fp_topic_spread(word) & (s->room - 1);
    while (s->slot[i] != 0 && s->slot[i] != word)
        i = (i + 1) & (s->room - 1);
    return &s->slot[i];
}

static bool set_grow(struct set *s, const struct fp_memory *memory) {
    struct set larger = {.room = 2 * s->room, .count = s->count};
    larger.slot = memory->alloc(larger.room * sizeof *larger.slot);
    if (larger.slot == NULL)
        return false;
    memset(larger.slot, 0, larger.room * sizeof *larger.slot);
    for (size_t i = 0; i < s->room; i++)
        if (s->slot[i] != 0)
            *set_find(&larger, s->slot[i]) = s->slot[i];
    set_free(s, memory);
    s->slot = larger.slot;
    s->room = larger.room;
    return true;
}

static void push(struct walk *w, struct fp_words *list, struct fp_topic_place *p) {
    w->failed |= !fp_words_push(list, fp_topic_word(p));
}

static struct fp_topic_place *place_at(const struct fp_words *list, size_t i) {
    return (struct fp_topic_place *)fp_topic_node(list->at[i]);
}

/* Adds subscribers, which are retained once there is no failure to come. */
static void report(struct walk *w, struct fp_topic_node *subs) {
    if (subs == NULL)
        return;
    if (subs->kind == FP_TOPIC_SUB) {
        w->failed |= !fp_words_push(w->found, ((struct fp_topic_sub *)subs)->handle);
        return;
    }
    struct fp_topic_table *t = (struct fp_topic_table *)subs;
    for (uint32_t i = 0, count = fp_topic_popcount(t->bitmap); i < count; i++)
        report(w, t->slot[i]);
}

/* A place with a child for the rest was reached. */
static void reach_rest(struct walk *w, const struct fp_topic_place *p) {
    struct fp_topic_place *rest = fp_topic_child(w->table, p->id, &fp__token_rest);
    if (!w->syntax->anywhere) {
        report(w, rest->subs);
        return;
    }
    if (2 * w->known.count >= w->known.room && !set_grow(&w->known, &w->host->memory)) {
        w->failed = true;
        return;
    }
    uint64_t *slot = set_find(&w->known, fp_topic_word(rest));
    if (*slot == 0) {
        *slot = fp_topic_word(rest);
        w->known.count++;
        push(w, &w->lasting, rest);
    }
}

static void step(struct walk *w, const struct fp_topic_place *p, const struct fp_token *token,
                 bool hidden) {
    struct fp_topic_place *next;
    if (p->has_one && !hidden)
        push(w, w->next, fp_topic_child(w->table, p->id, &fp__token_one));
    if (p->literals != 0 && (next = fp_topic_child(w->table, p->id, token)) != NULL)
        push(w, w->next, next);
}

/* From the places reached to those reached by one more token. `hidden`: not by wildcards. */
static void advance(struct walk *w, const struct fp_token *token, bool hidden) {
    w->next->count = 0;
    for (size_t i = 0; i < w->now->count && !w->failed; i++) {
        const struct fp_topic_place *p = place_at(w->now, i);
        if (p->has_rest && !hidden)
            reach_rest(w, p);
        step(w, p, token, hidden);
    }
    for (size_t i = 0; i < w->lasting.count && !w->failed; i++) { /* it grows meanwhile */
        const struct fp_topic_place *p = place_at(&w->lasting, i);
        if (p->has_rest)
            reach_rest(w, p);
        step(w, p, token, false);
    }
    struct fp_words *before = w->now;
    w->now = w->next;
    w->next = before;
}

/* The topic is at its end: the places reached count. */
static void finish(struct walk *w) {
    for (size_t i = 0; i < w->now->count && !w->failed; i++) {
        const struct fp_topic_place *p = place_at(w->now, i);
        report(w, p->subs);
        if (p->has_rest && w->syntax->rest_or_none)
            reach_rest(w, p);
    }
    for (size_t i = 0; i < w->lasting.count && !w->failed; i++) {
        const struct fp_topic_place *p = place_at(&w->lasting, i);
        if (p->has_rest)
            reach_rest(w, p);
        report(w, p->subs);
    }
}

static void go_through(struct walk *w, const char *topic, size_t length) {
    const char *end = topic + length;
    bool hidden = w->syntax->hides_dollar && length > 0 && *topic == '$';
    bool more = length != 0; /* otherwise there is no token */
    while (more && !w->failed) {
        if (w->now->count == 0 && w->lasting.count == 0)
            return;
        struct fp_token token = fp__topic_token(w->syntax, topic, end);
        token.hash = w->host->hash(topic, token.length);
        topic += token.length;
        more = topic < end;
        topic++;
        advance(w, &token, hidden);
        hidden = false;
    }
    finish(w);
}

/* Pinned, or the root is a version's. */
static bool match(struct fp_topic *t, struct fp_topic_root *root, const char *topic, size_t length,
                  struct fp_words *found) {
    struct walk w;
    w.syntax = t->syntax;
    w.host = t->host;
    w.table = root->table;
    w.found = found;
    w.now = &w.list[0];
    w.next = &w.list[1];
    w.failed = false;
    fp_words_init(w.now, &t->host->memory);
    fp_words_init(w.next, &t->host->memory);
    fp_words_init(&w.lasting, &t->host->memory);
    if (t->syntax->anywhere)
        set_init(&w.known);
    push(&w, w.now, root->top);
    go_through(&w, topic, length);
    fp_words_free(w.now);
    fp_words_free(w.next);
    fp_words_free(&w.lasting);
    if (t->syntax->anywhere)
        set_free(&w.known, &t->host->memory);
    if (w.failed)
        found->count = 0;
    for (size_t i = 0; i < found->count; i++)
        t->host->retain(found->at[i]);
    return !w.failed;
}

enum fp_status fp_topic_match(struct fp_topic *t, const char *topic, size_t length,
                              struct fp_words *found) {
    struct fp_epoch_record *guard = fp_guard();
    if (guard == NULL)
        return FP_NO_MEMORY;
    /* The linearization point. Seq_cst: (B) in fp_guard.h; the acquire half pairs with the swaps.
     */
    struct fp_topic_root *root = fp_ptr_load_seq_cst(&t->root);
    fp_guard_narrow(guard, root->node.birth);
    FP_STEP();
    const bool good = match(t, root, topic, length, found);
    fp_unguard(guard);
    return good ? FP_OK : FP_NO_MEMORY;
}

/* What a version can see stays as it is, so there is no need to be guarded. */
enum fp_status fp_topic_version_match(struct fp_version *v, const char *topic, size_t length,
                                      struct fp_words *found) {
    struct fp_topic_root *root = (struct fp_topic_root *)fp_topic_node(v->root);
    return match(fp_topic_of(v), root, topic, length, found) ? FP_OK : FP_NO_MEMORY;
}
