/* segments.c - see segments.h. */
#include "segments.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

char name[64];
uint64_t the_limit;
struct journal *journal;

void open_journal(void) {
    journal =
        mmap(NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(journal != MAP_FAILED, "no memory");
    snprintf(name, sizeof name, "torture-%d", (int)getpid());
}

void clear_journal(void) { memset(journal, 0, sizeof *journal); }

void make(struct fp_shm *h, uint64_t capacity, uint64_t limit) {
    const struct fp_shm_options o = {capacity, UINT64_MAX, SIDES, limit};
    fp_shm_unlink(name);
    enum fp_shm_fault fault = fp_shm_create(h, name, &o);
    CHECK(fault == FP_SHM_FINE, "create: %d, %s", (int)fault, strerror(errno));
}

void attach(struct fp_shm *h) {
    enum fp_shm_fault fault = fp_shm_attach(h, name, false);
    CHECK(fault == FP_SHM_FINE, "attach: %d, %s", (int)fault, strerror(errno));
}

void leave(struct fp_shm *h) {
    fp_shm_release(h);
    fp_shm_detach(h);
}

pid_t start(void (*fn)(int id), int id, int step) {
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

bool finish(pid_t pid) {
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

uint64_t fill(struct record *r, int writer, long number) {
    uint64_t extra = (uint64_t)(number * 37 + writer * 11) % sizeof r->bytes;
    r->writer = (uint64_t)writer;
    r->number = (uint64_t)number;
    for (uint64_t i = 0; i < extra; i++)
        r->bytes[i] = (unsigned char)(number + writer + (long)i);
    return offsetof(struct record, bytes) + extra;
}

void check(const struct fp_shm_view *v, int *writer, long *number) {
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

enum fp_status put(struct fp_shm *h, int writer, long number) {
    struct record r;
    struct call c = {.h = h, .part = {&r, fill(&r, writer, number)}};
    const struct fp_attempt op = {.run = run_put, .arg = &c};
    enum fp_status s = run_put(&c);
    if (s == FP_FULL || s == FP_BUSY)
        s = fp_shm_wait(h, true, &op, fp_now() + (int64_t)PATIENCE * SECOND, &torture_host);
    return s;
}

enum fp_status peek(struct fp_shm *h, struct fp_shm_view *v, int64_t patience) {
    struct call c = {.h = h};
    const struct fp_attempt op = {.run = run_peek, .arg = &c};
    enum fp_status s = run_peek(&c);
    if (s == FP_EMPTY || s == FP_BUSY)
        s = fp_shm_wait(h, false, &op, fp_now() + patience, &torture_host);
    *v = c.view;
    return s;
}

void expect(struct fp_shm *h, int writer, long number) {
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
