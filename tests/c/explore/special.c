/* special.c - see special.h. */
#include "special.h"

#include "explore.h"

#include "atomics/fp_flag.h"
#include "atomics/fp_int.h"
#include "atomics/fp_ref.h"
#include "base/fp_mem.h"
#include "limits/fp_gcra.h"
#include "queues/fp_spsc.h"
#include "reclaim/fp_epoch.h"
#include "wait/fp_lock.h"

#include <stddef.h>

/* Reclamation: readers follow a pointer that writers replace. -----------------------------------
 */

struct node {
    struct fp_retired retired;
    fp_u64 alive;
};

static fp_ptr shared;

static void free_node(struct fp_retired *r) { fp_mem_free(r, r->bytes); }

static struct node *new_node(void) {
    struct node *n = fp_mem_alloc(sizeof *n);
    n->retired.free = free_node;
    n->retired.bytes = sizeof *n;
    n->alive = 1;
    return n;
}

static void epoch_before(void) { shared = new_node(); }

static void epoch_after(void) {
    struct node *n = shared;
    fp_mem_free(n, sizeof *n);
}

/* The scheduler reports the access to a freed node. */
static void read_shared(void) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    struct node *n = fp_ptr_load_seq_cst(&shared);
    if (fp_u64_load_relaxed(&n->alive) != 1)
        explore_fail("a reader met a freed node");
    fp_epoch_unpin(pin);
}

static void replace_shared(void) {
    struct fp_epoch_record *pin = fp_epoch_pin();
    struct node *old = fp_ptr_exchange_seq_cst(&shared, new_node());
    fp_epoch_retire(pin, &old->retired);
    fp_epoch_unpin(pin);
}

static void epoch_one_reader(int self) {
    if (self == 0)
        read_shared();
    else
        replace_shared();
}

static void epoch_collector(int self) {
    if (self == 0)
        read_shared();
    else if (self == 1)
        replace_shared();
    else
        fp_epoch_collect();
}

static void epoch_twice(int self) {
    if (self == 0) {
        read_shared();
        read_shared();
    } else {
        replace_shared();
        replace_shared();
    }
}

/* The lock: one at a time, and nobody is left waiting. ------------------------------------------
 */

static struct fp_lock lock;
static fp_u64 inside, total;

static void lock_before(void) {
    forks = 0;
    fp_lock_init(&lock);
    inside = total = 0;
}

static void lock_before_as_child(void) {
    lock_before();
    fp_event_enter(&lock.released); /* a thread of the parent: it never leaves */
    lock.released.word |= FP_EVENT_SIGNALLED | FP_EVENT_ASLEEP;
    forks++;
}

static void lock_after(void) {
    if (total == 0 || lock.owner != 0)
        explore_fail("the lock was lost");
}

static void lock_thread(int self) {
    (void)self;
    for (int round = 0; round < 2; round++) {
        if (fp_lock_acquire(&lock, fp_thread_serial(), &explore_host) != FP_OK)
            explore_fail("the lock was refused");
        if (fp_u64_fetch_add_seq_cst(&inside, 1) != 0)
            explore_fail("two threads hold the lock");
        if (fp_lock_acquire(&lock, fp_thread_serial(), &explore_host) != FP_REENTERED)
            explore_fail("taking it twice was not refused");
        total++;
        fp_u64_fetch_add_seq_cst(&inside, (uint64_t)-1);
        fp_lock_release(&lock);
    }
}

/* The roles of the SPSC ring: at most one producer at a time. -----------------------------------
 */

static struct fp_spsc ring;

static void roles_before(void) {
    fp_spsc_init(&ring, 2);
    inside = 0;
}

static void roles_after(void) { fp_spsc_destroy(&ring); }

static void produce(void) {
    uint64_t me = fp_thread_serial();
    enum fp_status s = fp_spsc_put(&ring, me, 7);
    if (s == FP_NOT_OWNER)
        return;
    /* The role is this thread's until it says otherwise. */
    if (fp_u64_load_seq_cst(&ring.producer) != me)
        explore_fail("the producer's role went to another thread");
    if (fp_spsc_release_producer(&ring, me, false) != FP_OK)
        explore_fail("the owner could not give the role back");
}

static void roles_thread(int self) {
    if (self == 0)
        fp_spsc_release_producer(&ring, fp_thread_serial(), false); /* owns nothing */
    else
        produce();
}

/* Closed for a get is closed for a put. */
static void discard_thread(int self) {
    uint64_t me = fp_thread_serial(), item;
    if (self == 0)
        fp_spsc_close(&ring, true);
    else if (fp_spsc_get(&ring, me, &item) == FP_CLOSED && fp_spsc_put(&ring, me, 7) != FP_CLOSED)
        explore_fail("a put succeeded after a get was told that the ring is closed");
}

/* A consumer that comes first while another thread closes and drops: it gets the oldest item, or is
 * told that the ring is closed; never a later item, nor that somebody has a role that nobody took.
 */
static void discard_before(void) {
    roles_before();
    for (uint64_t i = 1; i <= 2; i++)
        fp_spsc_put(&ring, fp_thread_serial(), i);
    fp_spsc_release_producer(&ring, fp_thread_serial(), false);
}

static void first_get_thread(int self) {
    uint64_t me = fp_thread_serial(), item;
    size_t n;
    if (self == 0) {
        fp_spsc_close(&ring, true);
        fp_spsc_discard(&ring, me, &item, 1, &n);
        return;
    }
    enum fp_status s = fp_spsc_get(&ring, me, &item);
    if (s != FP_CLOSED && (s != FP_OK || item != 1))
        explore_fail("a first get answers %d", (int)s);
}

/* The counted reference: no load meets a freed object, and every object is freed once. -----------
 */

struct object {
    fp_u64 references;
};

static struct fp_ref ref;
static struct object *first, *second;

static void add_reference(void *object) {
    struct object *o = object; /* the scheduler reports the access to a freed one */
    if (fp_u64_fetch_add_seq_cst(&o->references, 1) == 0)
        explore_fail("a reference to an object that nobody holds");
}

static void drop_reference(void *object) {
    struct object *o = object;
    if (fp_u64_fetch_add_seq_cst(&o->references, (uint64_t)-1) == 1)
        fp_mem_free(o, sizeof *o);
}

static const struct fp_counting counting = {add_reference, drop_reference};

static struct object *new_object(void) {
    struct object *o = fp_mem_alloc(sizeof *o);
    o->references = 1;
    return o;
}

/* `first` is there and nowhere else; `second` is held until the end. */
static void ref_before(void) {
    first = new_object();
    second = new_object();
    fp_ref_init(&ref, first);
}

static void ref_after(void) {
    if ((ref.word & FP_REF_MARKS) != 0)
        explore_fail("a mark was left behind");
    drop_reference(fp_ref_peek(&ref));
    drop_reference(second);
}

static void load_ref(void) { drop_reference(fp_ref_load(&ref, &counting)); }
static void store_ref(struct object *o) { drop_reference(fp_ref_exchange(&ref, o, &counting)); }

/* Takes the object out and puts it back: others meet it in two incarnations. */
static void bounce_ref(void) {
    add_reference(second);
    struct object *mine = fp_ref_exchange(&ref, second, &counting);
    drop_reference(fp_ref_exchange(&ref, mine, &counting));
}

static void swap_ref(void) {
    struct object *found = fp_ref_load(&ref, &counting), *fresh = new_object();
    bool done = fp_ref_compare_exchange(&ref, found, fresh, &counting);
    drop_reference(done ? found : fresh);
    drop_reference(found);
}

static void ref_load_store(int self) {
    if (self == 0)
        store_ref(new_object());
    else
        load_ref();
}

static void ref_bounce(int self) {
    if (self == 0)
        bounce_ref();
    else
        load_ref();
}

static void ref_stores(int self) {
    if (self < 2)
        store_ref(new_object());
    else
        load_ref();
}

static void ref_swaps(int self) {
    if (self < 2)
        swap_ref();
    else
        load_ref();
}

/* The integer's loops, and the flag's wake-up. ---------------------------------------------------
 */

static struct fp_int number;
static struct fp_flag flag;

static void number_before(void) { fp_int_init(&number, 0); }
static void number_thread(int self) {
    if (fp_int_fetch_max(&number, self + 1) > self + 1 && fp_int_load(&number) <= self + 1)
        explore_fail("a maximum went down");
}
static void number_after(void) {
    if (fp_int_load(&number) != 3)
        explore_fail("the maximum is %ld", (long)fp_int_load(&number));
}

static void flag_before(void) {
    forks = 0;
    fp_flag_init(&flag);
}
static void flag_thread(int self) {
    if (self == 0)
        fp_flag_exchange(&flag, true);
    else if (fp_flag_wait(&flag, true, FP_FOREVER, &explore_host) != FP_OK)
        explore_fail("waiting failed");
}
static void flag_after(void) {
    if (!fp_flag_test(&flag) || fp_event_waiters(&flag.changed) != 0)
        explore_fail("the flag was lost");
}

/* The limiter: never more tokens than were due, and a call that fails takes none. The clock of the
 * explorer goes on by a nanosecond each time that somebody looks: here, four looks to a token. ----
 */

static struct fp_gcra limiter;
static int64_t limiter_begin;
static fp_u64 tokens;

static void limiter_before(void) {
    forks = 0;
    tokens = 0;
    limiter_begin = fp_now();
    fp_gcra_init(&limiter, 2.5e8, 1, limiter_begin);
}

static void limiter_after(void) {
    int64_t looks = fp_now() - limiter_begin;
    if ((double)tokens > 1 + 0.25 * (double)looks)
        explore_fail("%lu tokens after %ld looks", (unsigned long)tokens, (long)looks);
    if (fp_u64_load_relaxed(&limiter.granted) != tokens)
        explore_fail("the count of tokens is wrong");
    if ((int64_t)(limiter.used - ((uint64_t)tokens << limiter.scale)) < -(int64_t)limiter.depth)
        explore_fail("more tokens than the word tells");
}

static void try_limiter(void) {
    if (fp_gcra_try(&limiter, 1, &fp_system_clock) == FP_OK)
        fp_u64_fetch_add_seq_cst(&tokens, 1);
}

static void wait_limiter(int64_t patience) {
    explore_allow_interrupt(true);
    enum fp_status s =
        fp_gcra_acquire(&limiter, 1, fp_now() + patience, &fp_system_clock, &explore_interruptible);
    explore_allow_interrupt(false);
    if (s == FP_OK)
        fp_u64_fetch_add_seq_cst(&tokens, 1);
    else if (s != FP_TIMED_OUT && s != FP_INTERRUPTED)
        explore_fail("acquire answers %d", (int)s);
}

static void limiter_tries(int self) {
    (void)self;
    try_limiter();
    try_limiter();
}

static void limiter_mixed(int self) {
    if (self == 0)
        limiter_tries(self);
    else
        wait_limiter(1000);
}

/* News of light stores: two wait for one each of what a third posts, and one of them may give up.
 * What is posted and not taken must not be left with somebody asleep. ----------------------------
 */

static struct fp_event news;
static fp_u64 posted, taken;

static void news_before(void) {
    forks = 0;
    posted = taken = 0;
    fp_event_init_light(&news, true);
}

static bool news_left(void *arg) {
    (void)arg;
    uint64_t so_far = fp_u64_load_seq_cst(&taken);
    return fp_u64_load_seq_cst(&posted) > so_far;
}

static enum fp_status take_news(void *arg) {
    uint64_t so_far = fp_u64_load_seq_cst(&taken);
    while (fp_u64_load_seq_cst(&posted) > so_far)
        if (fp_u64_cas_seq_cst(&taken, &so_far, so_far + 1))
            return FP_OK;
    return (void)arg, FP_EMPTY;
}

static void news_thread(int self) {
    const struct fp_attempt op = {take_news, news_left, NULL};
    if (self == 2) {
        for (uint64_t i = 1; i <= 2; i++) {
            fp_u64_store_light(&posted, i, true);
            fp_event_notify_light(&news, true);
        }
    } else if (take_news(NULL) != FP_OK) {
        fp_wait(&news, &op, self == 0 ? EXPLORE_DEADLINE : FP_FOREVER, &explore_host);
    }
}

static void news_after(void) {
    if (taken == 0 || taken > posted || fp_event_waiters(&news) != 0)
        explore_fail("%lu of %lu taken", (unsigned long)taken, (unsigned long)posted);
}

static const struct explore_program programs[] = {
    {"epoch: a reader, a writer", 2, 4, epoch_before, epoch_one_reader, NULL, epoch_after},
    {"epoch: a reader, a writer, a collector", 3, 3, epoch_before, epoch_collector, NULL,
     epoch_after},
    {"epoch: two reads, two writers", 3, 2, epoch_before, epoch_twice, NULL, epoch_after},
    {"lock: two threads", 2, 3, lock_before, lock_thread, NULL, lock_after},
    {"lock: three threads", 3, 2, lock_before, lock_thread, NULL, lock_after},
    {"lock: a forked child's threads", 2, 3, lock_before_as_child, lock_thread, NULL, lock_after},
    {"reference: a store, a load", 2, 5, ref_before, ref_load_store, NULL, ref_after},
    {"reference: a store, two loads", 3, 4, ref_before, ref_load_store, NULL, ref_after},
    {"reference: out and in again, a load", 2, 5, ref_before, ref_bounce, NULL, ref_after},
    {"reference: out and in again, two loads", 3, 3, ref_before, ref_bounce, NULL, ref_after},
    {"reference: two stores, a load", 3, 3, ref_before, ref_stores, NULL, ref_after},
    {"reference: two swaps, two loads", 4, 2, ref_before, ref_swaps, NULL, ref_after},
    {"integer: three maxima", 3, 4, number_before, number_thread, NULL, number_after},
    {"flag: two wait", 3, 3, flag_before, flag_thread, NULL, flag_after},
    {"news: two wait, one with a time-out", 3, 4, news_before, news_thread, NULL, news_after},
    {"limiter: three try", 3, 3, limiter_before, limiter_tries, NULL, limiter_after},
    {"limiter: one tries, two wait", 3, 2, limiter_before, limiter_mixed, NULL, limiter_after},
    {"roles: closing with discarding", 2, 3, roles_before, discard_thread, NULL, roles_after},
    {"roles: a first get beside discarding", 2, 4, discard_before, first_get_thread, NULL,
     roles_after},
    {"roles: release by a stranger", 3, 3, roles_before, roles_thread, NULL, roles_after},
};

const int special_count = sizeof programs / sizeof *programs;

const char *special_name(int which) { return programs[which].name; }

int special_work(int which, double seconds) {
    return explore(&programs[which], seconds, 1) ? 0 : 1;
}
