/* fp_pool.c - see fp_pool.h for the idea and the contract. */
#include "limits/fp_pool_internal.h"

#include "base/fp_mem.h"

enum { INDEX_BITS = 28, MOST_STRIPES = 64 };
#define INDEX_MASK (((uint64_t)1 << INDEX_BITS) - 1)
_Static_assert(FP_POOL_MOST < INDEX_MASK, "a node's index fits");
_Static_assert(((uint64_t)FP_POOL_FIRST << FP_POOL_CHUNKS) > FP_POOL_MOST, "and so do the chunks");

static uint64_t stripes_for_this_machine(void) {
#if FP_PLAIN
    return 1; /* one thread at a time */
#else
    uint64_t stripes = 2;
    while (stripes < 2 * (uint64_t)fp_cpu_count() && stripes < MOST_STRIPES)
        stripes *= 2;
    return stripes;
#endif
}

static size_t stack_bytes(const struct fp_pool *p) {
    return (size_t)(p->stripes + 1) * sizeof *p->stack;
}

static size_t chunk_bytes(unsigned chunk) {
    return ((size_t)FP_POOL_FIRST << chunk) * sizeof(struct fp_pool_node);
}

enum fp_status fp_pool_init(struct fp_pool *p, uint64_t max_size, uint64_t max_idle,
                            const struct fp_host *host) {
    p->stripes = stripes_for_this_machine();
    p->stack = fp_mem_alloc(stack_bytes(p));
    if (p->stack == NULL)
        return FP_NO_MEMORY;
    for (unsigned i = 0; i < FP_POOL_CHUNKS; i++)
        fp_ptr_store_relaxed(&p->chunk[i], NULL);
    p->max_size = max_size < FP_POOL_MOST ? max_size : FP_POOL_MOST;
    p->max_idle = max_idle;
    fp_u64_store_relaxed(&p->total, 0);
    fp_u64_store_relaxed(&p->idle, 0);
    fp_event_init(&p->available);
    fp_lock_init(&p->lock);
    fp_u64_store_relaxed(&p->nodes, 0);
    p->free_node = 0;
    p->joined = p->left = 0;
    p->host = host;
    if (fp__pool_table_init(p) == FP_OK)
        return FP_OK;
    fp_mem_free(p->stack, stack_bytes(p));
    return FP_NO_MEMORY;
}

void fp_pool_destroy(struct fp_pool *p) {
    fp__pool_table_destroy(p);
    for (unsigned i = 0; i < FP_POOL_CHUNKS; i++)
        fp_mem_free(fp_ptr_load_relaxed(&p->chunk[i]), chunk_bytes(i));
    fp_mem_free(p->stack, stack_bytes(p));
}

/* Stacks --------------------------------------------------------------------------------------- */

static inline uint64_t new_head(uint64_t old, uint64_t index) {
    return ((old >> INDEX_BITS) + 1) << INDEX_BITS | index;
}

/* Seq_cst: the notifier's write in the waiters' pairing (fp_event.h). Its release half pairs with
 * pop: the object is handed on, and so are `next` and the word. */
static inline void push(struct fp_pool *p, struct fp_pool_stack *s, uint32_t index) {
    struct fp_pool_node *node = fp__pool_node(p, index);
    uint64_t head = fp_u64_load_acquire(&s->head);
    do {
        fp_u64_store_relaxed(&node->next, head & INDEX_MASK);
        FP_STEP();
    } while (!fp_u64_cas_seq_cst(&s->head, &head, new_head(head, index)));
}

/* 0: empty. Seq_cst load: the waiter's read in that pairing. */
static inline uint32_t pop(struct fp_pool *p, struct fp_pool_stack *s) {
    uint64_t head = fp_u64_load_seq_cst(&s->head);
    for (;;) {
        uint32_t index = (uint32_t)(head & INDEX_MASK);
        if (index == 0)
            return 0;
        /* Perhaps of a node that was taken meanwhile; then the tag has changed. */
        uint64_t next = fp_u64_load_relaxed(&fp__pool_node(p, index)->next);
        FP_STEP();
        if (FP_LIKELY(fp_u64_cas_seq_cst(&s->head, &head, new_head(head, next))))
            return index;
    }
}

static inline struct fp_pool_stack *own_stack(struct fp_pool *p) {
#if FP_PLAIN
    return p->stack;
#else
    return &p->stack[fp_thread_serial() & (p->stripes - 1)];
#endif
}

/* Looks through all stacks, the aged last. */
static FP_NOINLINE uint32_t pop_elsewhere(struct fp_pool *p) {
    uint64_t own = (uint64_t)(own_stack(p) - p->stack);
    for (uint64_t i = 1; i < p->stripes; i++) {
        uint32_t index = pop(p, &p->stack[(own + i) & (p->stripes - 1)]);
        if (index != 0)
            return index;
    }
    return pop(p, &p->stack[p->stripes]);
}

static inline uint32_t pop_any(struct fp_pool *p) {
    uint32_t index = pop(p, own_stack(p));
    return FP_LIKELY(index != 0) ? index : pop_elsewhere(p);
}

/* Was there a moment at which all stacks were empty and max_size objects existed? The stacks are
 * looked through twice, before and after the count is read: each push changes a head's tag for
 * good, so they were empty in between. Seq_cst: a waiter's reads. */
static bool nothing_left(struct fp_pool *p) {
    uint64_t heads[MOST_STRIPES + 1];
    for (uint64_t i = 0; i <= p->stripes; i++) {
        heads[i] = fp_u64_load_seq_cst(&p->stack[i].head);
        if ((heads[i] & INDEX_MASK) != 0)
            return false;
        FP_STEP();
    }
    if (fp_u64_load_seq_cst(&p->total) < p->max_size)
        return false;
    for (uint64_t i = 0; i <= p->stripes; i++)
        if (fp_u64_load_seq_cst(&p->stack[i].head) != heads[i])
            return false;
    return true;
}

/* Taking and leasing --------------------------------------------------------------------------- */

static inline void take_node(struct fp_pool *p, uint32_t index, struct fp_pool_item *item) {
    item->node = index;
    item->object = fp_u64_load_relaxed(&fp__pool_node(p, index)->word);
    if (p->max_idle != UINT64_MAX)
        fp_u64_fetch_add_relaxed(&p->idle, (uint64_t)-1);
}

enum fp_status fp_pool_reserve(struct fp_pool *p) {
    uint64_t total = fp_u64_load_seq_cst(&p->total); /* a waiter's read, as in pop */
    while (total < p->max_size)
        if (fp_u64_cas_seq_cst(&p->total, &total, total + 1))
            return FP_OK;
    return FP_FULL;
}

void fp_pool_cancel(struct fp_pool *p) {
    fp_u64_fetch_add_seq_cst(&p->total, (uint64_t)-1); /* a notifier's write, as in push */
    fp_event_notify(&p->available);
}

enum fp_status fp_pool_take(struct fp_pool *p, struct fp_pool_item *item) {
    for (;;) {
        uint32_t index = pop_any(p);
        if (FP_LIKELY(index != 0)) {
            take_node(p, index, item);
            return FP_OK;
        }
        *item = (struct fp_pool_item){0, 0};
        if (fp_pool_reserve(p) == FP_OK)
            return FP_OK;
        FP_STEP();
        if (nothing_left(p))
            return FP_FULL;
    }
}

struct request {
    struct fp_pool *pool;
    struct fp_pool_item *item;
};

static enum fp_status run_take(void *arg) {
    struct request *r = arg;
    return fp_pool_take(r->pool, r->item);
}

static bool has_more(void *arg) { return !nothing_left(((struct request *)arg)->pool); }

enum fp_status fp_pool_wait(struct fp_pool *p, struct fp_pool_item *item, int64_t deadline,
                            const struct fp_host *host) {
    struct request r = {p, item};
    const struct fp_attempt op = {run_take, has_more, &r};
    return fp_wait(&p->available, &op, deadline, host);
}

void fp_pool_lease(struct fp_pool *p, const struct fp_pool_item *item) {
    /* Release: pairs with find and claim, of whoever is handed the object. */
    fp_u64_store_release(&fp__pool_node(p, item->node)->word, item->object | LEASED);
}

/* Giving back ---------------------------------------------------------------------------------- */

enum fp_status fp_pool_claim(struct fp_pool *p, uint64_t object, struct fp_pool_item *item) {
    uint32_t index = fp__pool_find(p, object);
    if (FP_UNLIKELY(index == 0))
        return FP_NOT_OWNER;
    uint64_t leased = object | LEASED;
    FP_STEP();
    if (FP_UNLIKELY(!fp_u64_cas_seq_cst(&fp__pool_node(p, index)->word, &leased, object | HELD)))
        return fp__pool_object(leased) == object ? FP_FAILED : FP_NOT_OWNER;
    item->node = index;
    item->object = object;
    return FP_OK;
}

enum fp_status fp_pool_give(struct fp_pool *p, const struct fp_pool_item *item) {
    if (p->max_idle != UINT64_MAX && fp_u64_fetch_add_relaxed(&p->idle, 1) >= p->max_idle) {
        fp_u64_fetch_add_relaxed(&p->idle, (uint64_t)-1);
        return FP_FULL;
    }
    fp_u64_store_relaxed(&fp__pool_node(p, item->node)->word, item->object | IDLE);
    push(p, own_stack(p), item->node);
    fp_event_notify(&p->available);
    return FP_OK;
}

/* Joining and leaving -------------------------------------------------------------------------- */

static void lock(struct fp_pool *p) {
    /* The host never interrupts, and no callback runs with the lock, so it cannot be refused. */
    fp_lock_acquire(&p->lock, fp_thread_serial(), p->host);
}

/* A node that no object has; 0: out of memory. With the lock. */
static uint32_t new_node(struct fp_pool *p) {
    uint32_t index = p->free_node;
    if (index != 0) {
        p->free_node = (uint32_t)fp_u64_load_relaxed(&fp__pool_node(p, index)->next);
        return index;
    }
    index = (uint32_t)fp_u64_load_relaxed(&p->nodes) + 1;
    unsigned chunk = fp__pool_log2((index - 1 + FP_POOL_FIRST) / FP_POOL_FIRST);
    if (chunk == FP_POOL_CHUNKS)
        return 0;
    if (fp_ptr_load_relaxed(&p->chunk[chunk]) == NULL) {
        void *nodes = fp_mem_alloc(chunk_bytes(chunk));
        if (nodes == NULL)
            return 0;
        fp_ptr_store_release(&p->chunk[chunk], nodes); /* pairs with fp__pool_node */
    }
    fp_u64_store_release(&p->nodes, index); /* pairs with count */
    return index;
}

static enum fp_status join(struct fp_pool *p, uint64_t object, struct fp_pool_item *item) {
    if (fp__pool_find(p, object) != 0)
        return FP_FAILED;
    if (fp__pool_table_reserve(p) != FP_OK)
        return FP_NO_MEMORY;
    uint32_t index = new_node(p);
    if (index == 0)
        return FP_NO_MEMORY;
    fp_u64_store_release(&fp__pool_node(p, index)->word, object | HELD);
    fp__pool_table_add(p, object, index);
    p->joined++;
    *item = (struct fp_pool_item){index, object};
    return FP_OK;
}

enum fp_status fp_pool_adopt(struct fp_pool *p, uint64_t object, struct fp_pool_item *item) {
    lock(p);
    enum fp_status s = join(p, object, item);
    fp_lock_release(&p->lock);
    if (s != FP_OK)
        fp_pool_cancel(p);
    return s;
}

void fp_pool_discard(struct fp_pool *p, const struct fp_pool_item *item) {
    struct fp_pool_node *node = fp__pool_node(p, item->node);
    lock(p);
    fp__pool_table_remove(p, item->object, item->node);
    fp_u64_store_release(&node->word, 0);
    fp_u64_store_relaxed(&node->next, p->free_node);
    p->free_node = item->node;
    p->left++;
    fp_lock_release(&p->lock);
    fp_pool_cancel(p);
}

bool fp_pool_take_idle(struct fp_pool *p, bool aged, struct fp_pool_item *item) {
    uint32_t index = aged ? pop(p, &p->stack[p->stripes]) : pop_any(p);
    if (index == 0)
        return false;
    take_node(p, index, item);
    return true;
}

void fp_pool_age(struct fp_pool *p) {
    struct fp_pool_stack *aged = &p->stack[p->stripes];
    for (uint64_t i = 0; i < p->stripes; i++) {
        /* No more than there can be: others may be giving and taking all the time. */
        uint64_t most = fp_u64_load_relaxed(&p->nodes);
        uint32_t index;
        while (most-- > 0 && (index = pop(p, &p->stack[i])) != 0)
            push(p, aged, index);
    }
    fp_event_notify_all(&p->available); /* a waiter may have missed what was on its way */
}

/* All of it ------------------------------------------------------------------------------------ */

void fp_pool_count(struct fp_pool *p, struct fp_pool_counts *counts) {
    uint64_t leased = 0;
    for (uint64_t i = 1, nodes = fp_u64_load_acquire(&p->nodes); i <= nodes; i++) {
        uint64_t word = fp_u64_load_relaxed(&fp__pool_node(p, (uint32_t)i)->word);
        leased += (word & FP_POOL_STATES) == LEASED;
    }
    lock(p);
    counts->joined = p->joined;
    counts->left = p->left;
    fp_lock_release(&p->lock);
    counts->size = counts->joined - counts->left;
    counts->leased = leased;
}

int fp_pool_visit(struct fp_pool *p, int (*fn)(uint64_t object, void *arg), void *arg) {
    for (uint64_t i = 1, nodes = fp_u64_load_acquire(&p->nodes); i <= nodes; i++) {
        uint64_t word = fp_u64_load_acquire(&fp__pool_node(p, (uint32_t)i)->word);
        int answer = word != 0 ? fn(fp__pool_object(word), arg) : 0;
        if (answer != 0)
            return answer;
    }
    return 0;
}

void fp_pool_clear(struct fp_pool *p, void (*drop)(uint64_t object)) {
    struct fp_pool_item item;
    const uint64_t nodes = fp_u64_load_acquire(&p->nodes);
    /* No more than there are now: others may be giving and taking all the time. */
    for (uint64_t most = nodes; most > 0 && fp_pool_take_idle(p, false, &item); most--) {
        fp_pool_discard(p, &item);
        drop(item.object);
    }
    for (uint32_t i = 1; i <= nodes; i++) {
        fp_u64 *word = &fp__pool_node(p, i)->word;
        uint64_t leased = fp_u64_load_acquire(word);
        item = (struct fp_pool_item){i, fp__pool_object(leased)};
        FP_STEP();
        /* As claim: of those that release it, and us, one has it. Not held: its holder lets go. */
        if ((leased & FP_POOL_STATES) == LEASED &&
            fp_u64_cas_seq_cst(word, &leased, item.object | HELD)) {
            fp_pool_discard(p, &item);
            drop(item.object);
        }
    }
}

size_t fp_pool_memory(struct fp_pool *p) {
    size_t sum = sizeof *p + stack_bytes(p) + fp__pool_table_bytes(p);
    for (unsigned i = 0; i < FP_POOL_CHUNKS; i++)
        if (fp_ptr_load_acquire(&p->chunk[i]) != NULL)
            sum += chunk_bytes(i);
    return sum;
}
