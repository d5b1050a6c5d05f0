/* torture_raw.c - the C API, fastprims.h: rings of words and of records, their references, roles
 * and waiting. Other programs test the structures beneath. */
#include "torture.h"

#include "base/fp_park.h"
#include "capi/fastprims.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* Answers, roles and failing allocations need no second thread. ---------------------------------
 */

static void no_memory(void) {
    for (int kind = FASTPRIMS_SPSC; kind <= FASTPRIMS_MPMC; kind++)
        for (long nth = 1; nth <= 3; nth++) {
            torture_fail_allocation(nth);
            CHECK(fastprims_ring_new((enum fastprims_kind)kind, 5) == NULL, "ring, %ld", nth);
            CHECK(torture_allocation_failed(), "a ring makes fewer than %ld pieces", nth);
        }
    for (long nth = 1; nth <= 2; nth++) {
        torture_fail_allocation(nth);
        CHECK(fastprims_bytes_new(100, 0) == NULL, "records, %ld", nth);
    }
    torture_fail_allocation(0);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

static void dropping(void) {
    const void *where;
    size_t size;
    uint64_t puts, gets;
    fastprims_bytes *b = fastprims_bytes_new(64, 0);
    CHECK(fastprims_bytes_put(b, "abc", 3, 0) == FASTPRIMS_OK, "put");
    fastprims_bytes_close(b, true);
    CHECK(fastprims_bytes_peek(b, &where, &size, 0) == FASTPRIMS_CLOSED, "what was dropped");
    fastprims_bytes_count(b, &puts, &gets);
    CHECK(puts == 1 && gets == 1, "counts after dropping");
    CHECK(fastprims_bytes_put(b, "abc", 3, 0) == FASTPRIMS_CLOSED, "put after closing");
    fastprims_bytes_release(b);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

/* Threads. ------------------------------------------------------------------------------------- */

#if !FP_PLAIN

static fastprims_ring *ring;
static fastprims_bytes *records;
static struct ledger taken;
static int producers, consumers;
static uint32_t each;

static int64_t some_patience(void) {
    return torture_random(3) == 0 ? (int64_t)torture_random(30000) : FASTPRIMS_FOREVER;
}

static void put_words(int id) {
    uint64_t batch[5];
    for (uint32_t n = 0; n < each;) {
        size_t count = 1 + torture_random(5), done;
        if (count > each - n)
            count = each - n;
        for (size_t i = 0; i < count; i++)
            batch[i] = item_of(id, n + (uint32_t)i);
        enum fastprims_status s;
        if (count == 1) {
            s = fastprims_ring_put(ring, batch[0], some_patience());
            done = s == FASTPRIMS_OK;
        } else {
            s = fastprims_ring_put_many(ring, batch, count, &done, some_patience());
        }
        CHECK(s == FASTPRIMS_OK || s == FASTPRIMS_FULL, "put answers %d", (int)s);
        CHECK((s == FASTPRIMS_OK) == (done == count), "%zu of %zu stored: %d", done, count, (int)s);
        n += (uint32_t)done;
    }
}

static void get_words(void) {
    int64_t last[16];
    memset(last, -1, sizeof last);
    for (;;) {
        uint64_t words[4];
        size_t count = 0;
        enum fastprims_status s =
            torture_random(2) ? fastprims_ring_get_many(ring, words, 4, &count, some_patience())
                              : fastprims_ring_get(ring, words, some_patience());
        if (s == FASTPRIMS_CLOSED)
            return;
        CHECK(s == FASTPRIMS_OK || s == FASTPRIMS_EMPTY, "get answers %d", (int)s);
        count = s == FASTPRIMS_OK && count == 0 ? 1 : count;
        for (size_t i = 0; i < count; i++)
            ledger_take(&taken, words[i], last);
    }
}

/* Producers, then consumers; the last producer closes. */
static _Atomic int putting;

static void pass_words(int id, void *unused) {
    (void)unused;
    if (id >= producers) {
        get_words();
        return;
    }
    put_words(id);
    if (--putting == 0)
        fastprims_ring_close(ring, false);
}

static void words(enum fastprims_kind kind, int at_each_end, int items) {
    static const uint64_t capacities[] = {1, 2, 3, 7};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        ring = fastprims_ring_new(kind, capacities[i]);
        putting = producers = consumers = at_each_end;
        each = (uint32_t)scaled(items);
        ledger_open(&taken, producers, each);
        torture_threads(producers + consumers, pass_words, NULL);
        for (int p = 0; p < producers; p++)
            ledger_check(&taken, p, each);
        ledger_close(&taken);
        fastprims_ring_release(ring);
        CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
    }
}
static void spsc(void) { words(FASTPRIMS_SPSC, 1, 8000); }
static void mpmc(void) { words(FASTPRIMS_MPMC, 3, 4000); }
static void one_core(void) {
    torture_one_core();
    words(FASTPRIMS_MPMC, 2, 1000);
}

/* Record n has (n * 7) % 41 bytes, each of value n. */
static size_t size_of_record(uint32_t n) { return n * 7 % 41; }

static void put_record(uint32_t n) {
    unsigned char data[64];
    size_t size = size_of_record(n);
    memset(data, (int)(n & 255), sizeof data);
    for (;;) {
        enum fastprims_status s;
        void *where;
        if (torture_random(2)) {
            s = fastprims_bytes_put(records, data, size, some_patience());
        } else {
            s = fastprims_bytes_reserve(records, 40, &where, some_patience());
            if (s == FASTPRIMS_OK) {
                memcpy(where, data, size);
                s = fastprims_bytes_commit(records, size);
            }
        }
        if (s == FASTPRIMS_OK)
            return;
        CHECK(s == FASTPRIMS_FULL, "put answers %d", (int)s);
    }
}

static void check_record(uint32_t n, const unsigned char *data, size_t size) {
    CHECK(size == size_of_record(n), "record %u has %zu bytes", (unsigned)n, size);
    for (size_t i = 0; i < size; i++)
        CHECK(data[i] == (n & 255), "record %u is torn at %zu", (unsigned)n, i);
}

static uint32_t get_records(void) {
    for (uint32_t n = 0;;) {
        unsigned char copy[64];
        const void *where;
        size_t size;
        bool copies = torture_random(2);
        enum fastprims_status s =
            copies ? fastprims_bytes_get(records, copy, sizeof copy, &size, some_patience())
                   : fastprims_bytes_peek(records, &where, &size, some_patience());
        if (s == FASTPRIMS_CLOSED)
            return n;
        if (s == FASTPRIMS_EMPTY)
            continue;
        CHECK(s == FASTPRIMS_OK, "get answers %d", (int)s);
        check_record(n++, copies ? copy : where, size);
        if (!copies)
            fastprims_bytes_take(records);
    }
}

/* The producer's role goes round among the first threads: one that finds it free puts the next few
 * records. */
static uint32_t next_record; /* the role's owner reads and writes it */

static void pass_records(int id, void *unused) {
    (void)unused;
    if (id == producers) {
        uint32_t got = get_records();
        CHECK(got == each, "%u of %u records", (unsigned)got, (unsigned)each);
        return;
    }
    for (bool more = true; more;) {
        void *where;
        enum fastprims_status s = fastprims_bytes_reserve(records, 0, &where, 1000);
        if (s == FASTPRIMS_CLOSED)
            return;
        if (s != FASTPRIMS_OK) {
            fp_yield();
            continue;
        }
        for (unsigned i = torture_random(20); i > 0 && next_record < each; i--)
            put_record(next_record++);
        more = next_record < each;
        if (!more)
            fastprims_bytes_close(records, false);
        CHECK(fastprims_bytes_release_producer(records, false) == FASTPRIMS_OK, "release");
    }
}

static void bytes(int writers, int items) {
    for (uint64_t room = 128; room <= 1024; room *= 2) {
        records = fastprims_bytes_new(room, 40);
        CHECK(records != NULL, "no records");
        producers = writers;
        next_record = 0;
        each = (uint32_t)scaled(items);
        torture_threads(producers + 1, pass_records, NULL);
        fastprims_bytes_release(records);
        CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
    }
}
static void records_of_one(void) { bytes(1, 20000); }
static void records_of_three(void) { bytes(3, 200000); }

/* One thread puts, one gets, one closes at some moment: just the accepted words are delivered. */
static uint64_t accepted, delivered;

static void race_the_closing(int id, void *unused) {
    (void)unused;
    enum fastprims_status s;
    uint64_t word, next = 0;
    if (id == 2) {
        for (unsigned i = torture_random(40); i > 0; i--)
            fp_yield();
        fastprims_ring_close(ring, false);
        return;
    }
    if (id == 0)
        while ((s = fastprims_ring_put(ring, next, some_patience())) != FASTPRIMS_CLOSED)
            next += s == FASTPRIMS_OK;
    else
        while ((s = fastprims_ring_get(ring, &word, some_patience())) != FASTPRIMS_CLOSED)
            if (s == FASTPRIMS_OK) {
                CHECK(word == next, "%lu instead of %lu", (unsigned long)word, (unsigned long)next);
                next++;
            }
    *(id == 0 ? &accepted : &delivered) = next;
}

static void closing_is_exact(void) {
    for (int round = 0; round < scaled(2000); round++) {
        ring = fastprims_ring_new(FASTPRIMS_SPSC, 1 + torture_random(70));
        torture_threads(3, race_the_closing, NULL);
        CHECK(accepted == delivered, "%lu were accepted, %lu delivered", (unsigned long)accepted,
              (unsigned long)delivered);
        uint64_t puts, gets;
        fastprims_ring_count(ring, &puts, &gets);
        CHECK(puts == accepted && gets == delivered, "counts");
        fastprims_ring_release(ring);
    }
}

/* Both sides are asleep, and only the closing can wake them. */
static void wait_for_close(int id, void *unused) {
    (void)unused;
    uint64_t word;
    const void *where;
    size_t size;
    if (id == 0) {
        enum fastprims_status s = fastprims_ring_get(ring, &word, FASTPRIMS_FOREVER);
        CHECK(s == FASTPRIMS_CLOSED, "get answers %d", (int)s);
    } else if (id == 1) {
        enum fastprims_status s = fastprims_bytes_peek(records, &where, &size, FASTPRIMS_FOREVER);
        CHECK(s == FASTPRIMS_CLOSED, "peek answers %d", (int)s);
    } else {
        struct timespec nap = {0, 300000};
        nanosleep(&nap, NULL);
        fastprims_ring_close(ring, false);
        fastprims_bytes_close(records, false);
    }
}

/* A full ring of records: the closing wakes its producer. */
static void fill_until_closed(int id, void *unused) {
    (void)unused;
    if (id == 0) {
        enum fastprims_status s;
        while ((s = fastprims_bytes_put(records, "12345678", 8, FASTPRIMS_FOREVER)) == FASTPRIMS_OK)
            ;
        CHECK(s == FASTPRIMS_CLOSED, "put answers %d", (int)s);
    } else {
        struct timespec nap = {0, 300000};
        nanosleep(&nap, NULL);
        fastprims_bytes_close(records, false);
    }
}

/* So many that sleeps without a wake-up would use up the time of a case. */
enum { MEETINGS = 1000 };

static void closing_wakes(void) {
    for (int round = 0; round < MEETINGS; round++) {
        ring = fastprims_ring_new(FASTPRIMS_MPMC, 2);
        records = fastprims_bytes_new(64, 0);
        torture_threads(2, fill_until_closed, NULL);
        fastprims_bytes_release(records);
        records = fastprims_bytes_new(64, 0);
        torture_threads(3, wait_for_close, NULL);
        fastprims_bytes_release(records);
        fastprims_ring_release(ring);
    }
    CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
}

/* The two threads wait for each other, every time. */
static fastprims_bytes *back;

static void throw_and_catch(int id, void *unused) {
    (void)unused;
    char byte;
    size_t size;
    for (int i = 0; i < MEETINGS; i++) {
        fastprims_bytes *to = id == 0 ? records : back, *from = id == 0 ? back : records;
        if (id == 0)
            CHECK(fastprims_bytes_put(to, "x", 1, 0) == FASTPRIMS_OK, "there is room");
        CHECK(fastprims_bytes_get(from, &byte, 1, &size, FASTPRIMS_FOREVER) == FASTPRIMS_OK, "get");
        if (id == 1)
            CHECK(fastprims_bytes_put(to, "x", 1, 0) == FASTPRIMS_OK, "there is room");
    }
}

/* The same with full rings: each thread waits until the other takes a record. */
static void take_and_put(int id, void *unused) {
    (void)unused;
    char data[8] = {0};
    size_t size;
    for (int i = 0; i < MEETINGS; i++) {
        fastprims_bytes *to = id == 0 ? records : back, *from = id == 0 ? back : records;
        if (id == 0)
            CHECK(fastprims_bytes_get(from, data, 8, &size, 0) == FASTPRIMS_OK, "it is full");
        CHECK(fastprims_bytes_put(to, data, 8, FASTPRIMS_FOREVER) == FASTPRIMS_OK, "put");
        if (id == 1)
            CHECK(fastprims_bytes_get(from, data, 8, &size, 0) == FASTPRIMS_OK, "it is full");
    }
}

static void fill(fastprims_bytes *ring) {
    while (fastprims_bytes_put(ring, "12345678", 8, 0) == FASTPRIMS_OK)
        ;
    CHECK(fastprims_bytes_release_producer(ring, false) == FASTPRIMS_OK, "release");
}

/* A full ring's producer sleeps, and a take wakes it, before it looks by itself when a slice of its
 * sleep is over (50 ms, fp_wait.c). This holds in most rounds: the thread may run late once in a
 * while. */
enum { NAPS = 15, MILLISECOND = 1000000 };
static atomic_int putting, prompt;

static void sleep_and_wake(int id, void *unused) {
    (void)unused;
    char data[8] = {0};
    size_t size;
    for (int i = 0; i < NAPS; i++) {
        if (id == 0) {
            int64_t start = fp_now();
            atomic_store(&putting, i + 1);
            CHECK(fastprims_bytes_put(records, data, 8, FASTPRIMS_FOREVER) == FASTPRIMS_OK, "put");
            if (fp_now() - start < 40 * MILLISECOND)
                atomic_fetch_add(&prompt, 1);
        } else {
            while (atomic_load(&putting) <= i)
                fp_yield();
            fp_nap(2 * MILLISECOND);
            CHECK(fastprims_bytes_get(records, data, 8, &size, 0) == FASTPRIMS_OK, "it is full");
        }
    }
}

static void take_wakes(void) {
    fill(records = fastprims_bytes_new(64, 0));
    atomic_store(&putting, 0);
    atomic_store(&prompt, 0);
    torture_threads(2, sleep_and_wake, NULL);
    CHECK(atomic_load(&prompt) > NAPS / 2, "a take woke its producer in %d rounds of %d",
          atomic_load(&prompt), (int)NAPS);
    fastprims_bytes_release(records);
    CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
}

static void meetings(void) {
    records = fastprims_bytes_new(64, 0);
    back = fastprims_bytes_new(64, 0);
    torture_one_core(); /* so that the other thread is asleep */
    torture_threads(2, throw_and_catch, NULL);
    fastprims_bytes_release(records);
    fastprims_bytes_release(back);
    fill(records = fastprims_bytes_new(64, 0));
    fill(back = fastprims_bytes_new(64, 0));
    torture_threads(2, take_and_put, NULL);
    fastprims_bytes_release(records);
    fastprims_bytes_release(back);
    CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
}

/* The last holder frees the ring, after all have written. */
static void hold_and_let_go(int id, void *unused) {
    (void)unused;
    for (int i = 0; i < 200; i++) {
        fastprims_ring_retain(ring);
        fastprims_ring_put(ring, (uint64_t)id, 0);
        fastprims_ring_release(ring);
    }
    fastprims_ring_release(ring);
}

static void references(void) {
    for (int round = 0; round < scaled(60); round++) {
        ring = fastprims_ring_new(FASTPRIMS_MPMC, 3);
        for (int i = 1; i < 4; i++)
            fastprims_ring_retain(ring);
        torture_threads(4, hold_and_let_go, NULL);
        CHECK(torture_memory_bytes() == 0, "%ld bytes stay", torture_memory_bytes());
    }
}

static void delayed(void) {
    torture_random_steps(true);
    words(FASTPRIMS_SPSC, 1, 800);
    bytes(2, 800);
}

#endif

int main(int argc, char **argv) {
    static const struct torture_case cases[] = {
        {"raw: failing allocations", no_memory},
        {"raw: records that are dropped", dropping},
#if !FP_PLAIN
        {"raw: words, one to one", spsc},
        {"raw: a take wakes a sleeping writer", take_wakes},
        {"raw: words, three to three", mpmc},
        {"raw: words on one core", one_core},
        {"raw: records, one writer", records_of_one},
        {"raw: records, the role goes round", records_of_three},
        {"raw: closing is exact", closing_is_exact},
        {"raw: closing wakes both sides", closing_wakes},
        {"raw: records, and room for them, wake waiters", meetings},
        {"raw: references", references},
        {"raw: delays at the steps", delayed},
#endif
    };
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
