/* pools.c - see pools.h. One user of each object, and no thread is refused what is there. */
#include "pools.h"

#include "explore.h"

#include "limits/fp_pool.h"

static struct fp_pool pool;
static fp_u64 users[8], pool_made; /* objects are 8, 16, 24, … */
static uint64_t pool_stripes;

static void start_pool(uint64_t most) {
    forks = 0;
    pool_made = 0;
    for (int i = 0; i < 8; i++)
        users[i] = 0;
    fp_pool_init(&pool, most, UINT64_MAX, &explore_host);
    pool_stripes = pool.stripes;
}
static void pool_of_one(void) { start_pool(1); }
static void pool_of_two(void) { start_pool(2); }
static void pool_of_three(void) { start_pool(3); }

static void lend(struct fp_pool_item *item) {
    if (item->node == 0) {
        uint64_t fresh = 8 * (fp_u64_fetch_add_seq_cst(&pool_made, 1) + 1);
        if (fp_pool_adopt(&pool, fresh, item) != FP_OK)
            explore_fail("adopt");
    }
    if (fp_u64_fetch_add_seq_cst(&users[item->object / 8], 1) != 0)
        explore_fail("two users of one object");
    fp_pool_lease(&pool, item);
}

static void take_back(uint64_t object, bool discard) {
    struct fp_pool_item item;
    fp_u64_fetch_add_seq_cst(&users[object / 8], (uint64_t)-1);
    if (fp_pool_claim(&pool, object, &item) != FP_OK)
        explore_fail("a leased object was refused");
    if (discard)
        fp_pool_discard(&pool, &item);
    else
        fp_pool_give(&pool, &item);
}

/* More threads than stripes: they meet at one head. */
static void pool_of_three_in_one_stack(void) {
    start_pool(3);
    pool.stripes = 1;
    struct fp_pool_item item[3];
    for (int i = 0; i < 3; i++) {
        fp_pool_take(&pool, &item[i]);
        lend(&item[i]);
    }
    for (int i = 0; i < 3; i++)
        take_back(item[i].object, false);
}

/* Two objects, each idle in the stack of a thread that will take it and give it back. `busy`:
 * threads between taking and having given back. */
static fp_u64 busy, most_busy, asking;

static void pool_of_two_idle(void) {
    struct fp_pool_item item[2];
    const uint64_t mine = fp_thread_serial();
    start_pool(2);
    busy = most_busy = asking = 0;
    for (int i = 0; i < 2; i++) {
        fp_pool_take(&pool, &item[i]);
        lend(&item[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        fp__thread_serial = i + 1; /* of threads 0 and 1 */
        take_back(item[i].object, false);
    }
    fp__thread_serial = mine;
}

/* FULL is true only if both objects were in others' hands at one moment of the call. */
static void pool_truth(int self) {
    struct fp_pool_item item;
    if (self == 2) {
        asking = 1;
        most_busy = busy;
        enum fp_status s = fp_pool_take(&pool, &item);
        asking = 0;
        if (s == FP_OK)
            fp_pool_give(&pool, &item);
        else if (most_busy < 2)
            explore_fail("refused, though there was an idle object all the time");
        return;
    }
    busy++;
    if (asking && busy > most_busy)
        most_busy = busy;
    if (fp_pool_take(&pool, &item) == FP_OK)
        fp_pool_give(&pool, &item);
    busy--;
}

/* At most one object in each thread's hands, and as many objects as threads: never FULL. */
static void pool_enough(int self) {
    for (int round = 0; round < 2; round++) {
        struct fp_pool_item item;
        if (fp_pool_take(&pool, &item) != FP_OK)
            explore_fail("refused, though there are as many objects as threads");
        lend(&item);
        take_back(item.object, self == 0 && round == 0);
    }
}

static void pool_waiters(int self) {
    struct fp_pool_item item;
    enum fp_status s = fp_pool_take(&pool, &item);
    if (s == FP_FULL)
        s = fp_pool_wait(&pool, &item, FP_FOREVER, &explore_host);
    if (s != FP_OK)
        explore_fail("waiting failed");
    lend(&item);
    take_back(item.object, self == 0);
}

/* Both threads give back the same object. */
static uint64_t shared_object;
static fp_u64 returned;

static void pool_twice_before(void) {
    struct fp_pool_item item;
    start_pool(1);
    fp_pool_take(&pool, &item);
    lend(&item);
    users[1] = 0;
    shared_object = item.object;
    returned = 0;
}

static void pool_twice(int self) {
    struct fp_pool_item item;
    (void)self;
    enum fp_status s = fp_pool_claim(&pool, shared_object, &item);
    if (s == FP_OK && fp_u64_fetch_add_seq_cst(&returned, 1) != 0)
        explore_fail("given back twice");
    if (s == FP_OK)
        fp_pool_give(&pool, &item);
    else if (s != FP_FAILED)
        explore_fail("the second one is told %d", (int)s);
}

static void pool_after(void) {
    struct fp_pool_counts counts;
    struct fp_pool_item item;
    fp_pool_count(&pool, &counts);
    if (pool.stripes < pool_stripes && (pool.stack[2].head | pool.stack[3].head) != 0)
        explore_fail("a stack that is not used");
    if (counts.leased != 0 || counts.size != pool.total || counts.size > pool.max_size)
        explore_fail("%lu objects of %lu, %lu leased", (unsigned long)counts.size,
                     (unsigned long)pool.total, (unsigned long)counts.leased);
    for (uint64_t i = 0; i < counts.size; i++) {
        if (!fp_pool_take_idle(&pool, false, &item))
            explore_fail("an object was lost");
        fp_pool_discard(&pool, &item);
    }
    if (fp_pool_take_idle(&pool, false, &item))
        explore_fail("an object too many");
    pool.stripes = pool_stripes;
    fp_pool_destroy(&pool);
}

static const struct explore_program programs[] = {
    {"pool: two threads, two objects", 2, 4, pool_of_two, pool_enough, NULL, pool_after},
    {"pool: three threads, three objects", 3, 2, pool_of_three, pool_enough, NULL, pool_after},
    {"pool: two threads at one stack", 2, 4, pool_of_three_in_one_stack, pool_enough, NULL,
     pool_after},
    {"pool: three threads at one stack", 3, 3, pool_of_three_in_one_stack, pool_enough, NULL,
     pool_after},
    {"pool: FULL is true", 3, 3, pool_of_two_idle, pool_truth, NULL, pool_after},
    {"pool: two wait for one object", 2, 4, pool_of_one, pool_waiters, NULL, pool_after},
    {"pool: three wait for one object", 3, 2, pool_of_one, pool_waiters, NULL, pool_after},
    {"pool: given back by two", 2, 5, pool_twice_before, pool_twice, NULL, pool_after},
};

const int pool_count = sizeof programs / sizeof *programs;

const char *pool_name(int which) { return programs[which].name; }

int pool_work(int which, double seconds) { return explore(&programs[which], seconds, 1) ? 0 : 1; }
