/* fp_ctrie_access.c - what one call on a trie carries with it, and how it gets along with the host.
 *
 * A comparison may run any code, so it is never made where something is pinned: the candidate's key
 * is retained (the leaf owns it, so it is alive), the thread unpins, asks, and starts again,
 * remembering the answer together with the handle that it is about. */
#include "maps/fp_ctrie_internal.h"

#include <string.h>

void fp__access_begin(struct fp_access *a, struct fp_ctrie *t, bool live) {
    a->trie = t;
    a->live = live;
    a->tidy = false;
    a->leaf = NULL;
    a->dropped = 0;
    a->trash.first = 0;
    a->verdicts = 0;
    a->room = FP_VERDICTS;
    a->verdict = a->few;
}

static FP_NOINLINE void end_slowly(struct fp_access *a) {
    const struct fp_ctrie_host *host = a->trie->host;
    if (a->leaf != NULL)
        fp__ctrie_lineage_ops.discard(&a->trie->line, fp_word(a->leaf, FP_LEAF), &a->trash);
    if (a->tidy)
        fp_lineage_tidy(&a->trie->line);
    fp__ctrie_lineage_ops.empty(&a->trie->line, &a->trash);
    if (a->dropped != 0)
        host->release(a->dropped);
    for (uint32_t i = 0; i < a->verdicts; i++)
        host->release(a->verdict[i].theirs);
    if (a->verdict != a->few)
        host->memory.free(a->verdict, a->room * sizeof *a->verdict);
}

void fp__access_end(struct fp_access *a) {
    if (FP_UNLIKELY(a->leaf != NULL || a->tidy || a->trash.first != 0 || a->dropped != 0 ||
                    a->verdicts != 0))
        end_slowly(a);
}

int fp__access_judge(struct fp_access *a, uint64_t theirs, uint64_t mine) {
    if (theirs == mine)
        return 1;
    int answer = a->trie->host->same(theirs, mine);
    for (uint32_t i = 0; answer < 0 && i < a->verdicts; i++)
        if (a->verdict[i].theirs == theirs && a->verdict[i].mine == mine)
            answer = a->verdict[i].answer;
    return answer;
}

enum fp_status fp__access_note(struct fp_access *a, uint64_t theirs, uint64_t mine) {
    const struct fp_ctrie_host *host = a->trie->host;
    for (uint32_t i = 0; i < a->verdicts; i++)
        if (a->verdict[i].theirs == theirs && a->verdict[i].mine == mine)
            return FP_OK;
    if (a->verdicts == a->room) {
        struct fp_verdict *more = host->memory.alloc(2 * a->room * sizeof *more);
        if (more == NULL)
            return FP_NO_MEMORY;
        memcpy(more, a->verdict, a->verdicts * sizeof *more);
        if (a->verdict != a->few)
            host->memory.free(a->verdict, a->room * sizeof *a->verdict);
        a->verdict = more;
        a->room *= 2;
    }
    host->retain(theirs);
    a->verdict[a->verdicts++] = (struct fp_verdict){theirs, mine, -1};
    return FP_OK;
}

enum fp_status fp__access_ask(struct fp_access *a) {
    for (uint32_t i = 0; i < a->verdicts; i++) {
        struct fp_verdict *v = &a->verdict[i];
        if (v->answer >= 0)
            continue;
        int answer = a->trie->host->equal(v->theirs, v->mine);
        if (answer < 0)
            return FP_FAILED;
        v->answer = answer;
        if (answer == 1)
            break;
    }
    return FP_OK;
}
