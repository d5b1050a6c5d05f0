"""The topic trie."""

from mutants.mutant import Mutant

EDIT = "maps/fp_topic_edit.c"
MATCH = "maps/fp_topic_match.c"
SUBSCRIBE = "maps/fp_topic_change.c"

MUTANTS = [
    Mutant(
        "topic: a lost race counts as done",
        EDIT,
        "fp__edit_abandon(e);\n        return FP_RETRY;",
        "fp__edit_abandon(e);\n        return FP_OK;",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: a lost race leaves its nodes behind",
        EDIT,
        "fp__edit_abandon(e);\n        return FP_RETRY;",
        "fp_words_free(&e->gone);\n        return FP_RETRY;",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: what is replaced is not retired",
        EDIT,
        "*tidy |= fp_lineage_retire(&t->line, e->guard, unit, end, trash);",
        "(void)unit, (void)end, (void)tidy, (void)trash;",
        ("explore",),
        only="topic",
    ),
    Mutant("topic: nodes stay fresh", EDIT, "n->fresh = 0;", ";", ("explore",), only="topic"),
    Mutant(
        "topic: a snapshot has the live root's generation",
        "maps/fp_topic_node.c",
        "root->node.birth = fp_lineage_generation();",
        "root->node.birth = old != NULL ? old->node.birth : fp_lineage_generation();",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: a match is not guarded",
        MATCH,
        "const bool good = match(t, root, topic, length, found);\n    fp_unguard(guard);",
        "fp_unguard(guard);\n    const bool good = match(t, root, topic, length, found);",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: a version's match goes through the live trie",
        MATCH,
        "(struct fp_topic_root *)fp_topic_node(v->root);",
        "fp_ptr_load_seq_cst(&fp_topic_of(v)->root);",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: pruning takes children along",
        SUBSCRIBE,
        "return p->subs == NULL && p->literals == 0 && !p->has_one && !p->has_rest;",
        "return p->subs == NULL;",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: pruning ends at the first place",
        SUBSCRIBE,
        "    while (!e->failed && at > 0 && is_bare(p)) {",
        "    if (!e->failed && at > 0 && is_bare(p)) {",
        ("steps",),
    ),
    Mutant(
        "topic: a place that others can see is changed",
        SUBSCRIBE,
        "p->leaf.node.fresh ? p : copy(e, p);",
        "p;",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: only the first of equal hashes is looked at",
        "maps/fp_topic_internal.h",
        "for (; p != NULL; p = p->same)",
        "for (; p != NULL; p = NULL)",
        ("explore",),
        only="topic",
    ),
    Mutant(
        "topic: a place for any number of words is reached again",
        MATCH,
        "if (*slot == 0) {",
        "{",
        ("steps",),
    ),
    Mutant(
        "topic: a table forgets its other leaf",
        "maps/fp_topic_table.c",
        "t->slot[1 - at] : NULL;",
        "t->slot[at] : NULL;",
        ("explore", "steps"),
        only="topic",
    ),
]
