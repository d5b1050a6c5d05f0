/* history.c - see history.h. */
#include "history.h"

#include <stdio.h>
#include <string.h>

enum { MOST_ITEMS = 32 };

/* A sequential queue. */
struct model {
    uint64_t item[MOST_ITEMS], puts, gets, limit;
    bool closed, evicts;
};

struct call *history_add(struct history *h, enum call_kind kind, unsigned begin) {
    struct call *c = &h->call[h->count++];
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->begin = begin;
    c->end = UINT32_MAX;
    c->after = -1;
    return c;
}

/* The item that the next get may take. */
static uint64_t *next_of(struct model *m, enum order order) {
    uint64_t *next = &m->item[order == NEWEST_FIRST ? m->puts - 1 : m->gets];
    for (uint64_t i = m->gets; order == PRIORITY_FIRST && i < m->puts; i++)
        if (m->item[i] < *next)
            next = &m->item[i];
    return next;
}

static bool put(struct model *m, const struct call *c) {
    bool full = m->puts - m->gets >= m->limit;
    if (c->status == FP_OK) {
        if (m->closed || (full && !m->evicts))
            return false;
        m->gets += full; /* drops the oldest item */
        m->item[m->puts++] = c->item[0];
        return true;
    }
    return c->status == FP_CLOSED ? m->closed : c->status == FP_FULL && full && !m->closed;
}

static bool get(struct model *m, const struct call *c, enum order order) {
    if (c->status == FP_OK) {
        for (int i = 0; i < c->taken; i++) {
            if (m->gets == m->puts)
                return false;
            uint64_t *found = next_of(m, order);
            if (*found != c->item[i])
                return false;
            for (; found > &m->item[m->gets]; found--)
                *found = found[-1];
            m->gets++;
        }
        return c->taken > 0;
    }
    if (m->gets != m->puts)
        return false;
    return c->status == FP_CLOSED ? m->closed : c->status == FP_EMPTY && !m->closed;
}

static bool apply(struct model *m, const struct call *c, enum order order) {
    switch (c->kind) {
    case CALL_PUT:
        return put(m, c);
    case CALL_GET:
        return get(m, c, order);
    case CALL_CLOSE:
        m->closed = true;
        return true;
    case CALL_COUNT:
        return c->item[0] == m->puts && c->item[1] == m->gets;
    case CALL_LIMIT:
        m->limit = c->item[0];
        return true;
    }
    return false;
}

/* Is there an order of the calls outside `done` that the model accepts? */
static bool search(const struct history *h, unsigned done, const struct model *m) {
    if (done == (1U << h->count) - 1)
        return true;
    unsigned first_end = UINT32_MAX;
    for (int i = 0; i < h->count; i++)
        if (!(done >> i & 1) && h->call[i].end < first_end)
            first_end = h->call[i].end;
    for (int i = 0; i < h->count; i++) {
        const struct call *c = &h->call[i];
        if (done >> i & 1 || c->begin > first_end || (c->after >= 0 && !(done >> c->after & 1)))
            continue;
        struct model next = *m;
        if (apply(&next, c, h->order) && search(h, done | 1U << i, &next))
            return true;
    }
    return false;
}

bool history_is_linearizable(const struct history *h) {
    struct model m = {.limit = h->limit, .evicts = h->evicts};
    return search(h, 0, &m);
}

void history_print(const struct history *h) {
    static const char *const kind[] = {"put", "get", "close", "count", "limit"};
    static const char *const status[] = {
        [FP_OK] = "ok",
        [FP_FULL] = "full",
        [FP_EMPTY] = "empty",
        [FP_CLOSED] = "closed",
        [FP_NOT_OWNER] = "not owner",
        [FP_NO_MEMORY] = "no memory",
        [FP_TIMED_OUT] = "timed out",
        [FP_INTERRUPTED] = "interrupted",
        [FP_BUSY] = "busy",
        [FP_FAILED] = "failed",
        [FP_TOO_LARGE] = "too large",
        [FP_DAMAGED] = "damaged",
        [FP_MOVED] = "moved",
        [FP_NOT_YET] = "not yet",
        [FP_RETRY] = "retry",
        [FP_REENTERED] = "reentered",
    };
    _Static_assert(sizeof status / sizeof *status == FP_STATUSES, "each status has a name");
    for (int i = 0; i < h->count; i++) {
        const struct call *c = &h->call[i];
        printf("    [%u..%u] %s", c->begin, c->end, kind[c->kind]);
        int items = c->kind == CALL_GET ? c->taken : c->kind == CALL_COUNT ? 2 : 1;
        for (int k = 0; k < items; k++)
            printf(" %llu", (unsigned long long)c->item[k]);
        printf(" -> %s\n", status[c->status]);
    }
}
