/* torture_shm.c - shared memory with processes that come, go, stop and end, and with segments that
 * are none. torture_shm_kills.c has the processes that are killed at every step. */
#include "segments.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One process after the other -------------------------------------------------------------------
 */

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
    {"removed beside processes that attach", removed},
    {"a stopped reader, a killed reader", stopped},
    {"more lanes in use than there are", absurd_use},
    {"attaching to mutated segments", fuzz},
    {"attaching to what is no segment", strangers},
};

int main(int argc, char **argv) {
    open_journal();
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
