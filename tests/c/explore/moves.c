/* moves.c - see moves.h. */
#include "moves.h"

#include "explore.h"

#include "base/fp_backoff.h"
#include "base/fp_thread.h"
#include "queues/fp_ordered.h"
#include "queues/fp_segq.h"
#include "wait/fp_lock.h"

enum { MOST_MOVED = 16 };

static struct {
    const struct fp_queue_ops *ops;
    void *queue;
    enum order order;
    struct fp_lock moving; /* held by a mover */
    fp_sync_u64 over;
    struct fp_lock mutex; /* of the rest */
    uint64_t item[MOST_MOVED], puts, gets, limit;
    bool closed;
    struct fp_event not_empty, not_full;
} now;

void moves_begin(const struct fp_queue_ops *ops, void *queue, enum order order) {
    now.ops = ops;
    now.queue = queue;
    now.order = order;
    fp_lock_init(&now.moving);
    fp_lock_init(&now.mutex);
    fp_event_init(&now.not_empty);
    fp_event_init(&now.not_full);
    now.over = 0;
    now.closed = false;
}

static void lock(struct fp_lock *l) {
    if (fp_lock_acquire(l, fp_thread_serial(), &explore_host) != FP_OK)
        explore_fail("a lock was refused");
}

bool moves_are_over(void) { return fp_sync_u64_load_seq_cst(&now.over) != 0; }

void moves_await(void) {
    lock(&now.moving);
    fp_lock_release(&now.moving);
    fp_give_way(); /* to one who dared, and has not gone back yet */
}

static bool is_segq(void) { return now.ops == &fp_segq_ops; }

static enum fp_status move(void) {
    return is_segq() ? fp_segq_move(now.queue) : fp_ordered_move(now.queue);
}

static void end_move(bool keep) {
    if ((is_segq() ? fp_segq_end_move(now.queue, keep) : fp_ordered_end_move(now.queue, keep)) !=
        FP_OK)
        explore_fail("a move cannot be ended");
}

struct copy {
    uint64_t item[MOST_MOVED], count;
};

static int copy_item(uint64_t item, void *arg) {
    struct copy *c = arg;
    c->item[c->count++] = item;
    return 0;
}

/* The items, of which nothing may change any more. */
static struct copy copy_all(uint64_t *puts, uint64_t *gets) {
    struct copy c = {.count = 0};
    now.ops->count(now.queue, puts, gets);
    now.ops->visit(now.queue, copy_item, &c);
    if (c.count != *puts - *gets)
        explore_fail("%llu items, and %llu put, %llu taken", (unsigned long long)c.count,
                     (unsigned long long)*puts, (unsigned long long)*gets);
    return c;
}

static void insert(uint64_t item) {
    uint64_t i = now.puts++;
    /* The least in front: taken from there. */
    for (; now.order == PRIORITY_FIRST && i > now.gets && now.item[i - 1] > item; i--)
        now.item[i] = now.item[i - 1];
    now.item[i] = item;
}

static void take_over(const struct copy *c, uint64_t puts, uint64_t gets) {
    now.puts = now.gets = gets;
    for (uint64_t i = 0; i < c->count; i++)
        insert(c->item[i]);
    now.puts = puts;
    now.limit = now.ops->limit(now.queue);
    now.closed = now.ops->is_closed(now.queue);
    fp_sync_u64_store_seq_cst(&now.over, 1);
}

bool moves_make(bool keep, uint64_t *puts, uint64_t *gets) {
    bool mine = false;
    lock(&now.moving);
    while (!moves_are_over() && !mine) {
        mine = move() == FP_OK;
        if (!mine)
            fp_give_way();
    }
    if (mine) {
        struct copy c = copy_all(puts, gets);
        if (keep)
            take_over(&c, *puts, *gets);
        end_move(keep);
    }
    fp_lock_release(&now.moving);
    return mine;
}

bool moves_dare(void) {
    if (move() != FP_OK)
        return false;
    uint64_t puts, gets;
    copy_all(&puts, &gets);
    end_move(false);
    return true;
}

enum fp_status moves_put(uint64_t item) {
    lock(&now.mutex);
    enum fp_status s = FP_OK;
    if (now.closed)
        s = FP_CLOSED;
    else if (now.puts - now.gets >= now.limit)
        s = FP_FULL;
    else
        insert(item);
    fp_lock_release(&now.mutex);
    if (s == FP_OK)
        fp_event_notify(&now.not_empty);
    return s;
}

enum fp_status moves_get(uint64_t *item) {
    lock(&now.mutex);
    enum fp_status s = FP_OK;
    if (now.puts == now.gets) {
        s = now.closed ? FP_CLOSED : FP_EMPTY;
    } else {
        bool newest = now.order == NEWEST_FIRST;
        *item = now.item[newest ? now.puts - 1 : now.gets];
        for (uint64_t i = now.puts - 1; newest && i > now.gets; i--)
            now.item[i] = now.item[i - 1];
        now.gets++;
    }
    fp_lock_release(&now.mutex);
    if (s == FP_OK)
        fp_event_notify(&now.not_full);
    return s;
}

void moves_close(void) {
    lock(&now.mutex);
    now.closed = true;
    fp_lock_release(&now.mutex);
    fp_event_notify_all(&now.not_empty);
    fp_event_notify_all(&now.not_full);
}

void moves_count(uint64_t *puts, uint64_t *gets) {
    lock(&now.mutex);
    *puts = now.puts;
    *gets = now.gets;
    fp_lock_release(&now.mutex);
}

struct fp_event *moves_event(bool put) { return put ? &now.not_full : &now.not_empty; }
