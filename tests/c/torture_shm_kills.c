/* torture_shm_kills.c - rings between processes that are killed: after every single store, one
 * scenario at a time, and at random in the middle of traffic. (Without -DFP_TEST_STEPS only the
 * latter, by a signal of the parent.) */
#include "segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef FP_TEST_STEPS
/* Killed after every store ----------------------------------------------------------------------
 */

enum { FEW = 12 };

/* True: the victim inherits a handle, and is a member of the segment from the fork on. False: it
 * becomes a member when it attaches. */
static bool inherits;

static pid_t start_victim(struct fp_shm *h, void (*fn)(int), int step) {
    if (!inherits)
        leave(h);
    pid_t pid = start(fn, 1, step);
    if (!inherits)
        attach(h);
    return pid;
}

static void put_few(int id) {
    struct fp_shm h;
    attach(&h);
    for (long n = 0; n < FEW; n++) {
        atomic_store(&journal->begun[id], n + 1);
        CHECK(put(&h, id, n) == FP_OK, "put");
        atomic_store(&journal->done[id], n + 1);
    }
    leave(&h);
}

/* Puts in batches, and in place, too. */
static void put_otherwise(int id) {
    struct fp_shm h;
    struct record r[FEW];
    struct fp_shm_part parts[FEW];
    void *where;
    size_t done = 0;
    attach(&h);
    atomic_store(&journal->begun[id], FEW);
    uint64_t size = fill(&r[0], id, 0);
    CHECK(fp_shm_reserve(&h, size, &where) == FP_OK, "reserve");
    memcpy(where, &r[0], (size_t)size);
    CHECK(fp_shm_commit(&h, size) == FP_OK, "commit");
    atomic_store(&journal->done[id], 1);
    for (int n = 1; n < FEW; n++)
        parts[n] = (struct fp_shm_part){&r[n], fill(&r[n], id, n)};
    CHECK(fp_shm_put_many(&h, parts + 1, FEW - 1, &done) == FP_OK && done == FEW - 1, "put_many");
    atomic_store(&journal->done[id], FEW);
    leave(&h);
}

static bool kill_a_writer(void (*fn)(int), int step) {
    struct fp_shm h;
    make(&h, 8192, the_limit);
    CHECK(put(&h, 0, 0) == FP_OK, "put");
    clear_journal();
    bool killed = finish(start_victim(&h, fn, step));
    expect(&h, 0, 0);
    long there = (long)fp_shm_records(&h);
    CHECK(there >= atomic_load(&journal->done[1]) && there <= atomic_load(&journal->begun[1]),
          "step %d: %ld records, %ld to %ld were put", step, there, atomic_load(&journal->done[1]),
          atomic_load(&journal->begun[1]));
    for (long n = 0; n < there; n++)
        expect(&h, 1, n);
    /* The next writer can put, whatever the killed one left behind. */
    CHECK(!finish(start(put_few, 2, 0)), "killed");
    for (long n = 0; n < FEW; n++)
        expect(&h, 2, n);
    CHECK(fp_shm_records(&h) == 0, "records out of nothing");
    leave(&h);
    return killed;
}

static void get_few(int id) {
    struct fp_shm h;
    struct fp_shm_view v;
    int writer;
    long number;
    attach(&h);
    for (int n = 0; n < FEW; n += 2) {
        CHECK(peek(&h, &v, SECOND) == FP_OK, "peek");
        check(&v, &writer, &number);
        atomic_store(&journal->begun[id], number + 1);
        if (n % 4 == 0 && fp_shm_next(&h, &v)) { /* takes two at once, or one after the other */
            atomic_store(&journal->begun[id], number + 2);
        } else {
            fp_shm_accept(&h, &v);
            atomic_store(&journal->done[id], number + 1);
            CHECK(peek(&h, &v, SECOND) == FP_OK, "peek");
            atomic_store(&journal->begun[id], number + 2);
        }
        fp_shm_accept(&h, &v);
        atomic_store(&journal->done[id], number + 2);
    }
    leave(&h);
}

static bool kill_a_reader(void (*fn)(int), int step) {
    struct fp_shm h;
    make(&h, 8192, the_limit);
    for (long n = 0; n < FEW + 1; n++)
        CHECK(put(&h, 0, n) == FP_OK, "put");
    clear_journal();
    bool killed = finish(start_victim(&h, fn, step));
    long taken = FEW + 1 - (long)fp_shm_records(&h);
    CHECK(taken >= atomic_load(&journal->done[1]) && taken <= atomic_load(&journal->begun[1]),
          "step %d: %ld records are gone, %ld to %ld were taken", step, taken,
          atomic_load(&journal->done[1]), atomic_load(&journal->begun[1]));
    for (long n = taken; n < FEW + 1; n++)
        expect(&h, 0, n);
    CHECK(put(&h, 0, 0) == FP_OK, "put");
    expect(&h, 0, 0);
    leave(&h);
    return killed;
}

/* A reader and a writer wait, and are killed on the way to sleep or after waking. */
static void wait_for_one(int id) {
    struct fp_shm h;
    struct fp_shm_view v;
    attach(&h);
    atomic_store(&journal->answer, 1);
    CHECK(peek(&h, &v, SECOND / 1000) == FP_TIMED_OUT, "peek");
    CHECK(put(&h, id, 0) == FP_OK, "put");
    leave(&h);
}

static bool kill_a_waiter(void (*fn)(int), int step) {
    struct fp_shm h;
    make(&h, 4096, the_limit);
    clear_journal();
    bool killed = finish(start_victim(&h, fn, step));
    if (fp_shm_records(&h) != 0)
        expect(&h, 1, 0);
    pid_t pid = start(put_few, 2, 0);
    for (long n = 0; n < FEW; n++)
        expect(&h, 2, n);
    CHECK(!finish(pid), "killed");
    leave(&h);
    return killed;
}

static void create_one(int id) {
    struct fp_shm h;
    (void)id;
    make(&h, 4096, the_limit);
    CHECK(put(&h, 1, 0) == FP_OK, "put");
    leave(&h);
}

/* There is either no segment of that name, or a whole one. */
static bool kill_a_creator(void (*fn)(int), int step) {
    struct fp_shm h;
    fp_shm_unlink(name);
    bool killed = finish(start(fn, 1, step));
    if (fp_shm_attach(&h, name, false) == FP_SHM_FINE) {
        if (fp_shm_records(&h) != 0)
            expect(&h, 1, 0);
    } else {
        CHECK(errno == ENOENT, "attach: %s", strerror(errno));
        make(&h, 4096, the_limit);
    }
    CHECK(put(&h, 0, 0) == FP_OK, "put");
    expect(&h, 0, 0);
    leave(&h);
    return killed;
}

static void close_it(int id) {
    struct fp_shm h;
    attach(&h);
    atomic_store(&journal->begun[id], 1);
    fp_shm_close(&h, false);
    leave(&h);
}

static void get_until_closed(int id) {
    struct fp_shm h;
    struct fp_shm_view v;
    enum fp_status s;
    attach(&h);
    while ((s = peek(&h, &v, (int64_t)PATIENCE * SECOND)) == FP_OK) {
        fp_shm_accept(&h, &v);
        atomic_fetch_add(&journal->done[id], 1);
    }
    CHECK(s == FP_CLOSED, "peek: %d", (int)s);
}

/* If closing stops half-way, the processes that see it complete it. */
static bool kill_a_closer(void (*fn)(int), int step) {
    struct fp_shm h;
    make(&h, 4096, the_limit);
    CHECK(put(&h, 0, 0) == FP_OK, "put");
    clear_journal();
    bool killed = finish(start_victim(&h, fn, step));
    CHECK(fp_shm_is_closed(&h) || atomic_load(&journal->begun[1]) == 0, "step %d: not closed",
          step);
    fp_shm_close(&h, false);
    pid_t pid = start(get_until_closed, 2, 0);
    CHECK(!finish(pid), "killed");
    CHECK(atomic_load(&journal->done[2]) == 1, "the record is lost");
    CHECK(put(&h, 0, 1) == FP_CLOSED, "put after close");
    leave(&h);
    return killed;
}

/* Kills at one step after the other, until the victim ends by itself: then every step was tried. */
static void every_step(bool (*scenario)(void (*)(int), int), void (*victim)(int), int least) {
    for (int way = 0; way < 4; way++) {
        the_limit = way % 2 * 20;
        inherits = way / 2 != 0;
        int step = 1;
        while (scenario(victim, step))
            step++;
        CHECK(step > least, "the victim takes only %d steps", step);
    }
    fp_shm_unlink(name);
}

static void killed_writer(void) { every_step(kill_a_writer, put_few, 3 * FEW); }
static void killed_batch(void) { every_step(kill_a_writer, put_otherwise, 2 * FEW); }
static void killed_reader(void) { every_step(kill_a_reader, get_few, 2 * FEW); }
static void killed_waiter(void) { every_step(kill_a_waiter, wait_for_one, 4); }
static void killed_creator(void) { every_step(kill_a_creator, create_one, 5); }
static void killed_closer(void) { every_step(kill_a_closer, close_it, SIDES); }
#endif

/* Killed in the middle of traffic ----------------------------------------------------------------
 */

enum { WRITERS = 2, READERS = 2 };

static void write_on(int id) {
    struct fp_shm h;
    attach(&h);
    for (long n = atomic_load(&journal->begun[id]); n < RECORDS; n++) {
        atomic_store(&journal->begun[id], n + 1);
        enum fp_status s = put(&h, id, n);
        if (s == FP_CLOSED)
            break;
        CHECK(s == FP_OK, "put: %d", (int)s);
        atomic_store(&journal->done[id], n + 1);
    }
    leave(&h);
}

static void read_on(int id) {
    struct fp_shm h;
    struct fp_shm_view v;
    enum fp_status s;
    /* By lane, since a writer that replaces a killed one may take another lane. */
    long last[SIDES][SIDES];
    memset(last, -1, sizeof last);
    attach(&h);
    while ((s = peek(&h, &v, (int64_t)PATIENCE * SECOND)) == FP_OK) {
        int writer;
        long number;
        check(&v, &writer, &number);
        CHECK(number > last[v.lane][writer], "record %ld of writer %d comes after %ld", number,
              writer, last[v.lane][writer]);
        last[v.lane][writer] = number;
        atomic_store(&journal->taking[id], 1 + writer * (long)RECORDS + number);
        fp_shm_accept(&h, &v);
        atomic_fetch_add(&journal->taken[writer][number], 1);
        atomic_store(&journal->taking[id], 0);
    }
    CHECK(s == FP_CLOSED, "peek: %d", (int)s);
    leave(&h);
}

/* Records that may be missing: a killed writer had begun, or a killed reader was taking them. */
static atomic_uchar unsure[SIDES][RECORDS];

static void bury(int id) {
    if (id < WRITERS) {
        long n = atomic_load(&journal->begun[id]);
        if (n > atomic_load(&journal->done[id]))
            atomic_store(&unsure[id][n - 1], 1);
    } else {
        long n = atomic_exchange(&journal->taking[id], 0);
        if (n != 0)
            atomic_store(&unsure[(n - 1) / RECORDS][(n - 1) % RECORDS], 1);
    }
}

static void begin_side(pid_t *pids, int id) {
    bool steps = false;
#ifdef FP_TEST_STEPS
    steps = true;
#endif
    pids[id] =
        start(id < WRITERS ? write_on : read_on, id, steps ? 1 + (int)torture_random(400) : 0);
}

/* Kills, reaps and replaces one process after the other; then lets the last ones end by themselves,
 * and accounts for every record. */
static void slaughter(int kills) {
    struct fp_shm h;
    pid_t pids[WRITERS + READERS];
    make(&h, 4096, the_limit);
    clear_journal();
    memset(unsure, 0, sizeof unsure);
    for (int id = 0; id < WRITERS + READERS; id++)
        begin_side(pids, id);
    for (int n = 0; n < kills; n++) {
        int id = (int)torture_random(WRITERS + READERS);
#ifndef FP_TEST_STEPS
        usleep(torture_random(2000));
#else
        usleep(200 + torture_random(2000)); /* some kill themselves, at a step */
#endif
        kill(pids[id], SIGKILL);
        if (finish(pids[id]))
            bury(id);
        begin_side(pids, id);
    }
    fp_shm_close(&h, false);
    for (int id = 0; id < WRITERS + READERS; id++)
        if (finish(pids[id]))
            bury(id);
    struct fp_shm_view v;
    enum fp_status s;
    while ((s = peek(&h, &v, (int64_t)PATIENCE * SECOND)) == FP_OK) {
        int writer;
        long number;
        check(&v, &writer, &number);
        fp_shm_accept(&h, &v);
        atomic_fetch_add(&journal->taken[writer][number], 1);
    }
    CHECK(s == FP_CLOSED, "at the end: %d", (int)s);
    for (int id = 0; id < WRITERS; id++)
        for (long n = 0; n < RECORDS; n++) {
            unsigned times = atomic_load(&journal->taken[id][n]);
            bool put = n < atomic_load(&journal->done[id]);
            CHECK(times <= 1, "record %ld of writer %d came %u times", n, id, times);
            CHECK(times == 1 || !put || atomic_load(&unsure[id][n]),
                  "record %ld of writer %d is lost", n, id);
            CHECK(times == 0 || n < atomic_load(&journal->begun[id]), "a record out of nothing");
        }
    leave(&h);
    fp_shm_unlink(name);
}

static void many_kills(void) {
    const char *text = getenv("TORTURE_KILLS");
    int left = text ? (int)strtol(text, NULL, 10) : scaled(1000);
    for (the_limit = 0; left > 0; left -= 50, the_limit = the_limit ? 0 : 5)
        slaughter(left < 50 ? left : 50);
}

static const struct torture_case cases[] = {
#ifdef FP_TEST_STEPS
    {"a writer killed at every step", killed_writer},
    {"a batch and a reservation killed at every step", killed_batch},
    {"a reader killed at every step", killed_reader},
    {"a waiting process killed at every step", killed_waiter},
    {"a creator killed at every step", killed_creator},
    {"a process that closes, killed at every step", killed_closer},
#endif
    {"killed in the middle of traffic", many_kills},
};

int main(int argc, char **argv) {
    open_journal();
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
