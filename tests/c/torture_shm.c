/* torture_shm.c - rings between processes that are killed: after every single store, one scenario
 * at a time, and at random in the middle of traffic. (Without -DFP_TEST_STEPS only the latter, by a
 * signal of the parent.) */
#include "torture.h"

#include "shm/fp_process.h"
#include "shm/fp_shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDES = 8, RECORDS = 400000, SECOND = 1000000000 };

/* Shared memory in which the processes of a case note what they do. */
static struct journal {
    atomic_long begun[SIDES], done[SIDES]; /* records that a writer has begun to put, and has put */
    atomic_long taking[SIDES]; /* 1 + the record that a reader is about to take */
    atomic_uchar taken[SIDES][RECORDS]; /* by writer and number */
    atomic_long answer;
} *journal;

static char name[64];

static void open_journal(void) {
    journal =
        mmap(NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(journal != MAP_FAILED, "no memory");
    snprintf(name, sizeof name, "torture-%d", (int)getpid());
}

static void clear_journal(void) { memset(journal, 0, sizeof *journal); }

static void make(struct fp_shm *h, uint64_t capacity, uint64_t limit) {
    const struct fp_shm_options o = {capacity, UINT64_MAX, SIDES, limit};
    fp_shm_unlink(name);
    enum fp_shm_fault fault = fp_shm_create(h, name, &o);
    CHECK(fault == FP_SHM_FINE, "create: %d, %s", (int)fault, strerror(errno));
}

static void attach(struct fp_shm *h) {
    enum fp_shm_fault fault = fp_shm_attach(h, name, false);
    CHECK(fault == FP_SHM_FINE, "attach: %d, %s", (int)fault, strerror(errno));
}

static void leave(struct fp_shm *h) {
    fp_shm_release(h);
    fp_shm_detach(h);
}

/* Starts a child that runs fn and ends, or that kills itself at its step number `step`. */
static pid_t start(void (*fn)(int id), int id, int step) {
    fflush(stdout);
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing case leaves nobody, stopped or not */
        if (getppid() != parent)
            _exit(0);
        torture_kill_at(step);
        fn(id);
        _exit(0);
    }
    return pid;
}

/* Waits for the child. True: it was killed. */
static bool finish(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended with status %x",
          (unsigned)status);
    return false;
}

/* Records: writer, number, and bytes that follow from both. ------------------------------------ */

struct record {
    uint64_t writer, number;
    unsigned char bytes[400];
};

static uint64_t fill(struct record *r, int writer, long number) {
    uint64_t extra = (uint64_t)(number * 37 + writer * 11) % sizeof r->bytes;
    r->writer = (uint64_t)writer;
    r->number = (uint64_t)number;
    for (uint64_t i = 0; i < extra; i++)
        r->bytes[i] = (unsigned char)(number + writer + (long)i);
    return offsetof(struct record, bytes) + extra;
}

static void check(const struct fp_shm_view *v, int *writer, long *number) {
    struct record r, expected;
    CHECK(v->size >= offsetof(struct record, bytes) && v->size <= sizeof r, "%llu bytes",
          (unsigned long long)v->size);
    memcpy(&r, v->start, (size_t)v->size);
    CHECK(r.writer < SIDES && r.number < RECORDS, "a record that nobody wrote");
    *writer = (int)r.writer;
    *number = (long)r.number;
    uint64_t size = fill(&expected, *writer, *number);
    CHECK(size == v->size && memcmp(&r, &expected, (size_t)size) == 0,
          "record %ld of writer %d is torn", *number, *writer);
}

/* Waiting calls. */
struct call {
    struct fp_shm *h;
    struct fp_shm_part part;
    struct fp_shm_view view;
};
static enum fp_status run_put(void *arg) {
    struct call *c = arg;
    return fp_shm_put(c->h, &c->part, 1);
}
static enum fp_status run_peek(void *arg) {
    struct call *c = arg;
    return fp_shm_peek(c->h, &c->view);
}

enum { PATIENCE = 20 }; /* seconds: a machine may be busy; the detection time is 0.05 s */

static enum fp_status put(struct fp_shm *h, int writer, long number) {
    struct record r;
    struct call c = {.h = h, .part = {&r, fill(&r, writer, number)}};
    const struct fp_attempt op = {.run = run_put, .arg = &c};
    enum fp_status s = run_put(&c);
    if (s == FP_FULL || s == FP_BUSY)
        s = fp_shm_wait(h, true, &op, fp_now() + (int64_t)PATIENCE * SECOND, &torture_host);
    return s;
}

static enum fp_status peek(struct fp_shm *h, struct fp_shm_view *v, int64_t patience) {
    struct call c = {.h = h};
    const struct fp_attempt op = {.run = run_peek, .arg = &c};
    enum fp_status s = run_peek(&c);
    if (s == FP_EMPTY || s == FP_BUSY)
        s = fp_shm_wait(h, false, &op, fp_now() + patience, &torture_host);
    *v = c.view;
    return s;
}

static void expect(struct fp_shm *h, int writer, long number) {
    struct fp_shm_view v;
    enum fp_status s = peek(h, &v, (int64_t)PATIENCE * SECOND);
    CHECK(s == FP_OK, "record %ld of writer %d does not come: %d", number, writer, (int)s);
    int from;
    long found;
    check(&v, &from, &found);
    CHECK(from == writer && found == number, "record %ld of writer %d instead of %ld of %d", found,
          from, number, writer);
    fp_shm_accept(h, &v);
}

/* One process after the other -------------------------------------------------------------------
 */

static uint64_t the_limit;

static void end_without_release(int id) {
    struct fp_shm h;
    attach(&h);
    CHECK(put(&h, id, 0) == FP_OK, "put");
    _exit(0);
}

static void calls(void) {
    struct fp_shm a, b;
    struct fp_shm_view v;
    void *where;
    make(&a, 4096, 0);
    attach(&b);
    const struct fp_shm_options again = {4096, UINT64_MAX, 1, 0};
    struct fp_shm c;
    CHECK(fp_shm_create(&c, name, &again) == FP_SHM_SYSTEM && errno == EEXIST, "made twice");
    struct stat st;
    CHECK(fstat(fp__shm_fd(a.member), &st) == 0 && (st.st_mode & 0777) == 0600, "mode %o",
          st.st_mode);
    CHECK(fp_shm_peek(&b, &v) == FP_EMPTY, "empty");
    CHECK(put(&a, 0, 0) == FP_OK, "put");
    CHECK(!finish(start(end_without_release, 1, 0)), "killed");
    CHECK(fp_shm_records(&a) == 2 && fp_shm_records(&b) == 2, "records");
    CHECK(fp_shm_peek(&b, &v) == FP_OK, "peek");
    struct fp_shm_view other;
    CHECK(fp_shm_peek(&a, &other) == FP_OK && other.lane != v.lane, "the other lane");
    struct fp_shm_view third;
    CHECK(fp_shm_peek(&a, &third) == FP_BUSY, "a lane that is held");
    fp_shm_reject(&a, &other);
    CHECK(fp_shm_records(&a) == 2, "a record that was rejected is gone");
    fp_shm_accept(&b, &v);
    CHECK(fp_shm_reserve(&a, 100, &where) == FP_OK, "reserve");
    CHECK(fp_shm_reserve(&a, 100, &where) == FP_NOT_OWNER, "a second reservation");
    fp_shm_abort(&a);
    CHECK(fp_shm_reserve(&a, 2041, &where) == FP_TOO_LARGE, "too large");
    CHECK(fp_shm_reserve(&a, 2040, &where) == FP_OK, "the largest");
    memset(where, 7, 5);
    CHECK(fp_shm_commit(&a, 5) == FP_OK, "commit");
    size_t done;
    struct record r[30];
    struct fp_shm_part parts[30];
    for (int i = 0; i < 30; i++)
        parts[i] = (struct fp_shm_part){&r[i], fill(&r[i], 2, i)};
    CHECK(fp_shm_put_many(&a, parts, 30, &done) == FP_FULL && done > 5, "put_many");
    fp_shm_close(&b, false);
    CHECK(put(&a, 0, 9) == FP_CLOSED && fp_shm_is_closed(&a), "closed");
    uint64_t left = fp_shm_records(&a);
    while (fp_shm_peek(&b, &v) == FP_OK) {
        uint64_t taken = 1;
        while (taken < 3 && fp_shm_next(&b, &v))
            taken++;
        if (taken < 3)
            fp_shm_reject(&b, &v);
        else
            fp_shm_accept(&b, &v);
        left -= taken;
    }
    CHECK(left == 0 && fp_shm_peek(&b, &v) == FP_CLOSED, "not drained: %llu",
          (unsigned long long)left);
    leave(&a);
    leave(&b);
    make(&a, 4096, 0);
    CHECK(put(&a, 0, 0) == FP_OK, "put");
    fp_shm_close(&a, true);
    CHECK(fp_shm_records(&a) == 0 && fp_shm_peek(&a, &v) == FP_CLOSED, "discarding");
    leave(&a);
    CHECK(fp_shm_unlink(name) == 0 && fp_shm_unlink(name) == ENOENT, "unlink");
    CHECK(fp_shm_attach(&a, name, false) == FP_SHM_SYSTEM && errno == ENOENT, "attach to nothing");
    CHECK(fp_shm_attach(&a, "a/b", false) == FP_SHM_SYSTEM && errno == EINVAL, "a name");
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

/* A lane of an ended process is used again, one of a living process never. */
static void keep_a_lane(int id) {
    struct fp_shm h;
    attach(&h);
    CHECK(put(&h, id, 0) == FP_OK, "lane %d", id);
    atomic_fetch_add(&journal->answer, 1);
    for (;;)
        pause();
}

static void await(long answer) {
    while (atomic_load(&journal->answer) != answer)
        sched_yield();
}

static void lanes(void) {
    struct fp_shm h;
    pid_t pids[SIDES];
    make(&h, 4096, 0);
    for (int i = 0; i < 3 * SIDES; i++) {
        CHECK(!finish(start(end_without_release, 1, 0)), "killed");
        expect(&h, 1, 0);
    }
    CHECK(fp__shm_used(h.member) == 1, "the lane of one that has gone was left");
    clear_journal();
    for (int i = 0; i < SIDES; i++)
        pids[i] = start(keep_a_lane, i, 0);
    await(SIDES);
    CHECK(!fp_shm_has_room(&h) && put(&h, 1, 0) == FP_FAILED, "more writers than lanes");
    kill(pids[3], SIGKILL);
    CHECK(finish(pids[3]), "not killed");
    CHECK(fp_shm_has_room(&h) && put(&h, 1, 0) == FP_OK, "a lane was given back");
    for (int i = 0; i < SIDES; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < SIDES; i++)
        if (i != 3)
            finish(pids[i]);
    leave(&h);
    fp_shm_unlink(name);
}

/* All handles of a process share one lane, and no query takes a lane. */
static void one_lane(void) {
    struct fp_shm h, more[3];
    make(&h, 4096, 0);
    for (int i = 0; i < 3; i++)
        attach(&more[i]);
    CHECK(fp_shm_has_room(&h) && fp__shm_used(h.member) == 0, "a question took a lane");
    for (long n = 0; n < 9; n++) {
        CHECK(put(&more[n % 3], 0, n) == FP_OK, "put");
        if (n % 3 == 2) {
            leave(&more[2]);
            attach(&more[2]);
        }
    }
    CHECK(fp__shm_used(h.member) == 1, "a process with two lanes");
    for (long n = 0; n < 9; n++)
        expect(&h, 0, n);
    void *where;
    CHECK(fp_shm_reserve(&h, 2000, &where) == FP_OK && fp_shm_has_room(&more[0]), "reserve");
    CHECK(fp_shm_put(&more[0], &(struct fp_shm_part){"x", 1}, 1) == FP_NOT_OWNER, "reserved");
    fp_shm_release(&h); /* three handles are left: the lane remains */
    CHECK(fp_shm_commit(&h, 2000) == FP_OK && h.member->mine == 0, "commit");
    while (fp_shm_put(&more[0], &(struct fp_shm_part){where, 100}, 1) == FP_OK)
        CHECK(fp_shm_records(&more[0]) < 40, "never full");
    CHECK(!fp_shm_has_room(&more[0]), "full");
    for (int i = 0; i < 3; i++)
        leave(&more[i]);
    CHECK(h.member->mine == FP_SHM_NO_LANE && h.member->lane[0].owner == 0, "the lane is kept");
    fp_shm_detach(&h);
    fp_shm_unlink(name);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

/* A process that comes again, without a handle in between, goes on behind its records. */
static void come_again(int id) {
    struct fp_shm h;
    for (long n = 0; n < 40; n++) {
        attach(&h);
        CHECK(put(&h, id, n) == FP_OK, "put");
        leave(&h);
        if (torture_random(3) == 0)
            sched_yield();
    }
}

static void in_order(void) {
    struct fp_shm h;
    struct fp_shm_view v;
    enum { COMING = SIDES - 1 };
    for (int round = 0; round < scaled(40); round++) {
        const struct fp_shm_options o = {8192, UINT64_MAX, 1 + torture_random(COMING), 0};
        pid_t pids[COMING];
        long last[SIDES];
        memset(last, -1, sizeof last);
        fp_shm_unlink(name);
        CHECK(fp_shm_create(&h, name, &o) == FP_SHM_FINE, "create");
        leave(&h); /* otherwise the children would inherit it, and always have a handle */
        clear_journal();
        for (int id = 0; id < (int)o.lanes; id++)
            pids[id] = start(come_again, id, 0);
        attach(&h);
        for (long n = 0; n < 40 * (long)o.lanes; n++) {
            int writer;
            long number;
            if (torture_random(4) == 0)
                sched_yield();
            CHECK(peek(&h, &v, (int64_t)PATIENCE * SECOND) == FP_OK, "peek");
            check(&v, &writer, &number);
            CHECK(number == last[writer] + 1, "record %ld of process %d comes after %ld", number,
                  writer, last[writer]);
            last[writer] = number;
            fp_shm_accept(&h, &v);
        }
        for (int id = 0; id < (int)o.lanes; id++)
            CHECK(!finish(pids[id]), "killed");
        leave(&h);
    }
    fp_shm_unlink(name);
}

/* Another process owns its old lane by now: it waits until its records are read, and not longer. */
static void lane_of_another(void) {
    struct fp_shm h;
    struct fp_shm_part part = {"x", 1};
    const struct fp_shm_options o = {4096, UINT64_MAX, 2, 0};
    fp_shm_unlink(name);
    CHECK(fp_shm_create(&h, name, &o) == FP_SHM_FINE, "create");
    CHECK(put(&h, 0, 0) == FP_OK, "put");
    leave(&h);
    clear_journal();
    pid_t one = start(keep_a_lane, 1, 0);
    await(1);
    pid_t two = start(keep_a_lane, 2, 0); /* no other lane is left */
    await(2);
    kill(one, SIGKILL);
    finish(one);
    attach(&h);
    CHECK(h.member->lane[0].owner != 0, "the second one has another lane");
    CHECK(fp_shm_put(&h, &part, 1) == FP_FULL && !fp_shm_has_room(&h), "it would overtake itself");
    int writers[3];
    for (int n = 0; n < 2; n++) {
        struct fp_shm_view v;
        long number;
        CHECK(peek(&h, &v, (int64_t)PATIENCE * SECOND) == FP_OK, "peek");
        check(&v, &writers[n], &number);
        fp_shm_accept(&h, &v);
        if (writers[n] == 0)
            break;
        CHECK(n == 0 && writers[0] == 1, "out of order");
    }
    CHECK(fp_shm_has_room(&h) && put(&h, 0, 1) == FP_OK, "put");
    kill(two, SIGKILL);
    finish(two);
    leave(&h);
    fp_shm_unlink(name);
}

/* A process has a number that lives as long as its image. */
static int segment_fd(void) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", FP_SHM_FOLDER, name);
    return open(path, O_RDWR | O_CLOEXEC);
}

static void begin_and_wait(int what) {
    static struct fp_process me;
    char path[128];
    snprintf(path, sizeof path, "%s%s", FP_SHM_FOLDER, name);
    int fd = segment_fd();
    CHECK(fp_process_begin(&me, fd, path, 77) == 0, "begin: %s", strerror(errno));
    for (int other = 3; what == 1 && other < 100; other++)
        close(other);
    if (what == 3 && fork() != 0) { /* the child must not keep it */
        atomic_store(&journal->answer, 1);
        for (;;)
            pause();
    }
    if (what != 3)
        atomic_store(&journal->answer, 1);
    if (what == 2) {
        while (atomic_load(&journal->answer) != 2)
            sched_yield();
        execl("/bin/sleep", "sleep", "20", NULL);
    }
    for (int n = 0; n < 20000 && atomic_load(&journal->answer) != 3; n++)
        usleep(1000);
    _exit(0);
}

static void processes(void) {
    struct fp_shm h;
    make(&h, 4096, 0);
    int fd = segment_fd(), status;
    uint64_t me = fp__shm_me(h.member);
    CHECK(me != 0 && !fp_process_is_gone(fd, me) && fp_process_is_anyone(fd), "alive");
    CHECK(fp_process_is_gone(fd, me + 1) && fp_process_is_gone(fd, 0), "nobody");
    CHECK(fp_process_is_gone(fd, UINT64_MAX) && fp_process_is_gone(fd, (uint64_t)1 << 61),
          "absurd");
    CHECK(!fp_process_is_gone(-1, me + 1) && fp_process_is_anyone(-1), "doubt is no");
    struct fp_process other = {0};
    CHECK(fp_process_begin(&other, fd, "", me) == EAGAIN && other.page == NULL, "a number twice");
    for (int what = 0; what < 4; what++) {
        clear_journal();
        pid_t pid = start(begin_and_wait, what, 0);
        await(1);
        CHECK(!fp_process_is_gone(fd, 77), "%d: a living process has gone", what);
        kill(pid, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        CHECK(!fp_process_is_gone(fd, 77), "%d: a stopped process has gone", what);
        kill(pid, SIGCONT);
        if (what == 2) { /* the same id and start time, but another program */
            atomic_store(&journal->answer, 2);
            for (int n = 0; n < 2000 && !fp_process_is_gone(fd, 77); n++)
                usleep(1000);
            CHECK(fp_process_is_gone(fd, 77), "another program is taken for the last one");
        }
        kill(pid, SIGKILL);
        siginfo_t info;
        CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
        CHECK(fp_process_is_gone(fd, 77), "%d: a zombie is there", what);
        finish(pid);
        atomic_store(&journal->answer, 3);
    }
    leave(&h);
    for (int n = 0; n < 2000 && fp_process_is_anyone(fd); n++)
        usleep(1000); /* until the child that one of them forked has ended */
    CHECK(!fp_process_is_anyone(fd), "somebody is left");
    close(fd);
    fp_shm_unlink(name);
}

/* A process removes an unused segment while others attach: each of these has it, or finds none. */
static void come_and_look(int id) {
    struct fp_shm h;
    while (atomic_load(&journal->answer) == 0) {
        if (fp_shm_attach(&h, name, false) != FP_SHM_FINE) {
            CHECK(errno == ENOENT, "attach: %s", strerror(errno));
            continue;
        }
        CHECK(fp_shm_is_used(name), "used by us");
        enum fp_status s = fp_shm_put(&h, &(struct fp_shm_part){"x", 1}, 1);
        CHECK(s == FP_OK || s == FP_FULL, "put: %d", (int)s);
        struct stat st;
        CHECK(fstat(fp__shm_fd(h.member), &st) == 0 && st.st_nlink == 1, "removed under its user");
        atomic_fetch_add(&journal->done[id], 1);
        leave(&h);
    }
}

static void removed(void) {
    struct fp_shm h;
    struct stat st;
    pid_t pids[2];
    long removals = 0;
    clear_journal();
    torture_random_steps(true);
    for (int id = 0; id < 2; id++)
        pids[id] = start(come_and_look, id, 0);
    for (int n = 0; n < scaled(10000); n++) {
        const struct fp_shm_options o = {4096, UINT64_MAX, SIDES, 0};
        if (fp_shm_create(&h, name, &o) == FP_SHM_FINE) {
            CHECK(fstat(fp__shm_fd(h.member), &st) == 0, "fstat");
            CHECK(fp_shm_remove_unused(name, st.st_ino) == EBUSY, "its maker has it");
            leave(&h);
        }
        CHECK(fp_shm_remove_unused(name, st.st_ino + 1) != 0, "another one's inode");
        int error = fp_shm_remove_unused(name, st.st_ino);
        CHECK(error == 0 || error == EBUSY, "remove: %s", strerror(error));
        removals += error == 0;
    }
    torture_random_steps(false);
    atomic_store(&journal->answer, 1);
    for (int id = 0; id < 2; id++)
        CHECK(!finish(pids[id]), "killed");
    CHECK(removals > 0, "always used");
    fp_shm_unlink(name);
}

/* A stopped reader keeps its lane, and the others go on. A killed reader keeps nothing. */
static void hold_forever(int id) {
    struct fp_shm h;
    struct fp_shm_view v;
    (void)id;
    attach(&h);
    CHECK(fp_shm_peek(&h, &v) == FP_OK, "peek");
    atomic_store(&journal->answer, 1);
    for (;;)
        pause();
}

static void stopped(void) {
    struct fp_shm a, b;
    struct fp_shm_view v;
    make(&a, 4096, 0);
    attach(&b);
    CHECK(put(&a, 0, 0) == FP_OK, "put");
    clear_journal();
    pid_t pid = start(hold_forever, 0, 0);
    while (atomic_load(&journal->answer) == 0)
        sched_yield();
    kill(pid, SIGSTOP);
    CHECK(put(&b, 0, 1) == FP_OK && !finish(start(end_without_release, 1, 0)), "put");
    expect(&a, 1, 0); /* the other lane */
    CHECK(peek(&a, &v, SECOND / 5) == FP_TIMED_OUT, "a record was taken from a living reader");
    kill(pid, SIGKILL);
    CHECK(finish(pid), "not killed");
    expect(&a, 0, 0);
    expect(&a, 0, 1);
    leave(&a);
    leave(&b);
    fp_shm_unlink(name);
}

/* Several processes fill a segment with a limit: not one record too many, nor too few. */
static void fill_up(int id) {
    struct fp_shm h;
    struct record r;
    attach(&h);
    for (int i = 0; i < id; i++)
        torture_random(2); /* so that each process is delayed at other steps */
    for (long n = 0; fp_shm_records(&h) < the_limit;) {
        const struct fp_shm_part part = {&r, fill(&r, id, n)};
        enum fp_status s = fp_shm_put(&h, &part, 1);
        CHECK(s == FP_OK || s == FP_FULL || s == FP_BUSY, "put: %d", (int)s);
        n += s == FP_OK;
        atomic_store(&journal->done[id], n);
    }
    leave(&h);
}

static void filled(void) {
    struct fp_shm h;
    struct fp_shm_view v;
    pid_t pids[3];
    torture_random_steps(true);
    for (int round = 0; round < scaled(1000); round++) {
        the_limit = 1 + (uint64_t)round % 9;
        make(&h, 8192, the_limit);
        clear_journal();
        for (int id = 0; id < 3; id++)
            pids[id] = start(fill_up, id, 0);
        for (int id = 0; id < 3; id++)
            CHECK(!finish(pids[id]), "killed");
        uint64_t stored = 0, there = 0;
        for (int id = 0; id < 3; id++)
            stored += (uint64_t)atomic_load(&journal->done[id]);
        for (; fp_shm_peek(&h, &v) == FP_OK; there++)
            fp_shm_accept(&h, &v);
        CHECK(there == the_limit && stored == the_limit, "limit %d, %d were stored, %d are there",
              (int)the_limit, (int)stored, (int)there);
        leave(&h);
    }
    torture_random_steps(false);
    fp_shm_unlink(name);
}

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

/* Attaching to a file that is no segment
 * ------------------------------------------------------------------ */

static void use(struct fp_shm *h) {
    struct fp_shm_view v;
    const struct fp_shm_part part = {"abcdefgh", torture_random(9)};
    (void)fp_shm_put(h, &part, 1);
    for (int i = 0; i < 3 && fp_shm_peek(h, &v) == FP_OK; i++) {
        uint64_t sum = 0;
        for (uint64_t n = 0; n < v.size; n++)
            sum += ((const unsigned char *)v.start)[n];
        CHECK(sum <= v.size * 255, "impossible");
        fp_shm_accept(h, &v);
    }
    (void)fp_shm_records(h);
}

static void mutate_file(unsigned char *image, size_t size, off_t *length) {
    for (unsigned n = 1 + torture_random(4); n != 0; n--) {
        size_t at = torture_random(3) ? torture_random(64) : torture_random((unsigned)size);
        switch (torture_random(4)) {
        case 0:
            image[at] ^= (unsigned char)(1u << torture_random(8));
            break;
        case 1:
            image[at] = (unsigned char)torture_random(256);
            break;
        case 2: {
            const uint64_t words[] = {0,
                                      1,
                                      UINT64_MAX,
                                      (uint64_t)1 << 63,
                                      FP_SPSC_BYTES_MOST_UNITS,
                                      512,
                                      torture_random(10000)};
            memcpy(image + at / 8 * 8, &words[torture_random(7)], 8);
            break;
        }
        default:
            if (torture_random(8) == 0)
                *length = (off_t)torture_random((unsigned)size + 5000);
        }
    }
}

/* Images of a real segment with a few bytes changed are refused, or usable without a bad access. */
static void fuzz(void) {
    struct fp_shm h;
    const struct fp_shm_options o = {4096, 1000, 2, 0};
    fp_shm_unlink(name);
    CHECK(fp_shm_create(&h, name, &o) == FP_SHM_FINE, "create");
    CHECK(put(&h, 0, 0) == FP_OK && put(&h, 0, 1) == FP_OK, "put");
    const size_t size = h.member->bytes;
    unsigned char *image = malloc(size), *copy = malloc(size);
    memcpy(image, h.member->shared, size);
    leave(&h);
    fp_shm_unlink(name);
    char path[128];
    snprintf(path, sizeof path, "%s%s", FP_SHM_FOLDER, name);
    long refused = 0, accepted = 0;
    for (int round = 0; round < scaled(30000); round++) {
        off_t length = (off_t)size;
        memcpy(copy, image, size);
        mutate_file(copy, size, &length);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        CHECK(fd >= 0 && write(fd, copy, size) == (ssize_t)size && ftruncate(fd, length) == 0,
              "write: %s", strerror(errno));
        close(fd);
        if (fp_shm_attach(&h, name, false) == FP_SHM_FINE) {
            CHECK(h.member->bytes == (size_t)length, "a size that is not the file's");
            use(&h);
            leave(&h);
            accepted++;
        } else {
            refused++;
        }
    }
    fp_shm_unlink(name);
    CHECK(refused > 0 && accepted > 0, "%ld refused, %ld accepted", refused, accepted);
    free(image);
    free(copy);
}

/* Whatever the number of lanes in use seems to be, a get looks at no more than there are. */
static void absurd_use(void) {
    struct fp_shm h;
    make(&h, 4096, 0);
    CHECK(put(&h, 0, 0) == FP_OK && put(&h, 0, 1) == FP_OK, "put");
    const uint64_t words[] = {SIDES + 1, SIDES + 100, (uint64_t)1 << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        fp_sync_u64_store_seq_cst(&h.member->shared->used, words[i]);
        CHECK(fp__shm_used(h.member) == SIDES, "%ju lanes", (uintmax_t)fp__shm_used(h.member));
        CHECK(fp_shm_records(&h) == 2, "%ju records", (uintmax_t)fp_shm_records(&h));
    }
    expect(&h, 0, 0);
    expect(&h, 0, 1);
    struct fp_shm_view v;
    CHECK(peek(&h, &v, 0) == FP_TIMED_OUT, "a record of no lane");
    leave(&h);
    fp_shm_unlink(name);
}

static void strangers(void) {
    struct fp_shm h;
    char path[128];
    snprintf(path, sizeof path, "%s%s", FP_SHM_FOLDER, name);
    fp_shm_unlink(name);
    CHECK(mkdir(path, 0700) == 0, "mkdir");
    CHECK(fp_shm_attach(&h, name, false) != FP_SHM_FINE, "a folder");
    rmdir(path);
    CHECK(mkfifo(path, 0600) == 0, "mkfifo");
    CHECK(fp_shm_attach(&h, name, false) == FP_SHM_NOT_OURS, "a pipe");
    unlink(path);
    CHECK(symlink("/dev/zero", path) == 0, "symlink");
    CHECK(fp_shm_attach(&h, name, false) == FP_SHM_SYSTEM && errno == ELOOP, "a link");
    unlink(path);
    struct fp_shm_options o = {4096, UINT64_MAX, 1, 0};
    CHECK(fp_shm_create(&h, name, &o) == FP_SHM_FINE, "create");
    leave(&h);
    if (geteuid() == 0) { /* only root can give a file to another user */
        CHECK(chown(path, 12345, 12345) == 0, "chown");
        CHECK(fp_shm_attach(&h, name, false) == FP_SHM_FOREIGN, "another user's");
        CHECK(fp_shm_attach(&h, name, true) == FP_SHM_FINE, "another user's, as asked");
        leave(&h);
    }
    fp_shm_unlink(name);
    const struct fp_shm_options bad[] = {
        {4096, 2041, 1, 0},       {UINT64_MAX, UINT64_MAX, 1, 0},      {(uint64_t)1 << 30, 0, 1, 0},
        {4096, UINT64_MAX, 0, 0}, {4096, 0, FP_SHM_MOST_LANES + 1, 0}, {4096, 0, UINT64_MAX, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(fp_shm_create(&h, name, &bad[i]) == FP_SHM_GEOMETRY, "options %d", (int)i);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

static const struct torture_case cases[] = {
    {"calls and answers", calls},
    {"lanes are used again", lanes},
    {"a limit is exact", filled},
    {"one lane for all handles of a process", one_lane},
    {"a process that comes again stays in order", in_order},
    {"a lane that is another's by now", lane_of_another},
    {"processes dead, stopped and alive", processes},
    {"removed beside those who come", removed},
    {"a stopped reader, a killed reader", stopped},
#ifdef FP_TEST_STEPS
    {"a writer killed at every step", killed_writer},
    {"a batch and a reservation killed at every step", killed_batch},
    {"a reader killed at every step", killed_reader},
    {"a waiting process killed at every step", killed_waiter},
    {"a creator killed at every step", killed_creator},
    {"a process that closes, killed at every step", killed_closer},
#endif
    {"killed in the middle of traffic", many_kills},
    {"more lanes in use than there are", absurd_use},
    {"attaching to mutated segments", fuzz},
    {"attaching to what is no segment", strangers},
};

int main(int argc, char **argv) {
    open_journal();
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
