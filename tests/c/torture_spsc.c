/* torture_spsc.c - the single-producer, single-consumer ring and its roles. */
#include "flows.h"

#include "base/fp_fence.h"
#include "base/fp_thread.h"
#include "queues/fp_spsc.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#if defined(__linux__)
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t capacities[] = {1, 2, 3, 7, 1000};
enum { CAPACITIES = sizeof capacities / sizeof *capacities };

static void model(void) {
    for (int i = 0; i < CAPACITIES; i++)
        flow_model(subject_spsc(capacities[i]), scaled(100000));
}

static void roles(void) {
    struct fp_spsc r;
    uint64_t item;
    CHECK(fp_spsc_init(&r, UINT64_MAX / 4) == FP_NO_MEMORY, "memory without end");
    torture_fail_allocation(1);
    CHECK(fp_spsc_init(&r, 5) == FP_NO_MEMORY, "a failed allocation went unnoticed");
    torture_fail_allocation(0);
    CHECK(fp_spsc_init(&r, 2) == FP_OK, "init");
    CHECK(fp_spsc_put(&r, 11, 1) == FP_OK && fp_spsc_put(&r, 12, 2) == FP_NOT_OWNER, "producer");
    CHECK(fp_spsc_get(&r, 12, &item) == FP_OK && item == 1, "consumer");
    CHECK(fp_spsc_get(&r, 11, &item) == FP_NOT_OWNER, "consumer");
    CHECK(fp_spsc_release_producer(&r, 12, false) == FP_NOT_OWNER, "release by a stranger");
    CHECK(fp_spsc_release_producer(&r, 11, false) == FP_OK, "release");
    CHECK(fp_spsc_put(&r, 12, 3) == FP_OK, "the new producer");
    CHECK(fp_spsc_release_producer(&r, 11, true) == FP_OK, "release by force");
    CHECK(fp_spsc_put(&r, 11, 4) == FP_OK && fp_spsc_put(&r, 11, 5) == FP_FULL, "capacity");
    fp_spsc_close(&r, true);
    CHECK(fp_spsc_put(&r, 11, 4) == FP_CLOSED, "put after close");
    CHECK(fp_spsc_get(&r, 12, &item) == FP_CLOSED, "discarding");
    uint64_t left[5];
    size_t n;
    CHECK(fp_spsc_discard(&r, 12, left, 5, &n) == FP_OK && n == 2 && left[0] == 3 && left[1] == 4,
          "discard");
    CHECK(fp_spsc_discard(&r, 12, left, 5, &n) == FP_CLOSED && n == 0, "nothing left to discard");
    fp_spsc_destroy(&r);
    CHECK(torture_memory_bytes() == 0, "%ld bytes were not given back", torture_memory_bytes());
}

#if !FP_PLAIN
static void load(int items, int mode) {
    for (int i = 0; i < CAPACITIES; i++)
        flow(subject_spsc(capacities[i]), 1, 1, scaled(items), mode);
}
static void singles(void) { load(200000, FLOW_OBSERVE); }
static void batches(void) { load(200000, FLOW_BATCHES); }
static void closing(void) {
    for (int round = 0; round < scaled(40); round++)
        load(3000, FLOW_CLOSE | FLOW_BATCHES | FLOW_OBSERVE);
}
static void waiting(void) { load(10000, FLOW_WAIT | FLOW_BATCHES); }
static void waiting_closed(void) { load(5000, FLOW_WAIT | FLOW_CLOSE); }
static void moody(void) { load(5000, FLOW_MOODY | FLOW_BATCHES); }
static void one_core(void) {
    torture_one_core();
    load(3000, FLOW_WAIT | FLOW_BATCHES);
}
static void delayed(void) {
    torture_random_steps(true);
    load(20000, FLOW_BATCHES);
    load(3000, FLOW_WAIT);
}

/* The producer's role goes round; each holder puts some numbers and gives it back. */
static struct fp_spsc ring;
static uint32_t next_number; /* of the role's holder */
static atomic_uint last_number;

static void pass_round(int id, void *arg) {
    const uint32_t total = *(uint32_t *)arg;
    uint64_t me = fp_thread_serial(), item;
    if (id == 0) {
        for (uint32_t expected = 0; expected < total;)
            if (fp_spsc_get(&ring, me, &item) == FP_OK) {
                CHECK(item == expected, "%llu instead of %u", (unsigned long long)item, expected);
                atomic_store_explicit(&last_number, ++expected, memory_order_relaxed);
            }
        return;
    }
    while (atomic_load_explicit(&last_number, memory_order_relaxed) < total) {
        /* A stranger's release while nobody or somebody holds the role changes nothing. */
        if (id == 1)
            fp_spsc_release_producer(&ring, me, false);
        if (fp_spsc_put_many(&ring, me, NULL, 0, &(size_t){0}) != FP_OK)
            continue;
        for (int i = 0; i < 3 && next_number < total; i++)
            if (fp_spsc_put(&ring, me, next_number) == FP_OK)
                next_number++;
        CHECK(fp_spsc_release_producer(&ring, me, false) == FP_OK, "the owner could not release");
    }
}

static void handing_over(void) {
    uint32_t total = (uint32_t)scaled(100000);
    CHECK(fp_spsc_init(&ring, 3) == FP_OK, "init");
    torture_threads(4, pass_round, &total);
    fp_spsc_destroy(&ring);
}

/* No put succeeds after a get has answered "closed". */
static void close_discarding(int id, void *arg) {
    (void)arg;
    uint64_t me = fp_thread_serial(), item;
    if (id == 0) {
        fp_spsc_close(&ring, true);
        return;
    }
    while (fp_spsc_get(&ring, me, &item) != FP_CLOSED)
        sched_yield();
    CHECK(fp_spsc_put(&ring, me, 1) == FP_CLOSED,
          "a put succeeded after a get was told \"closed\"");
}

static void discarding(void) {
    for (int round = 0; round < scaled(5000); round++) {
        CHECK(fp_spsc_init(&ring, 3) == FP_OK, "init");
        torture_threads(2, close_discarding, NULL);
        fp_spsc_destroy(&ring);
    }
}

/* Fences that the kernel makes for all threads: inherited, refused, and forbidden afterwards. ----
 */

#if !TORTURE_TSAN
static void fences_after_fork(void) {
    struct subject s = subject_spsc(2);
    bool light = fp_fence_prepare();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (light) {
            fp_fence_heavy();
            CHECK(fp_fence_prepare(), "the child may not do what the parent registered for");
        }
        flow(s, 1, 1, scaled(3000), FLOW_WAIT | FLOW_CLOSE);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed: %d", status);
    flow(s, 1, 1, scaled(3000), FLOW_WAIT | FLOW_CLOSE);
}
#endif

#if defined(__linux__)
/* From now on the kernel answers EPERM, as in a sandbox. False: it has no such filters. */
static bool forbid_fences(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void fences_refused(void) {
    if (!forbid_fences())
        return;
    CHECK(!fp_fence_prepare(), "fences that the kernel refuses");
    load(3000, FLOW_WAIT | FLOW_BATCHES);
    load(3000, FLOW_WAIT | FLOW_CLOSE);
}

static void fences_forbidden(void) {
    struct subject s[CAPACITIES];
    for (int i = 0; i < CAPACITIES; i++)
        s[i] = subject_spsc(capacities[i]);
    const bool light = fp_fence_prepare();
    if (!forbid_fences())
        return;
    for (int i = 0; i < CAPACITIES; i++)
        flow(s[i], 1, 1, scaled(500), FLOW_WAIT | FLOW_CLOSE | FLOW_OBSERVE);
    if (light)
        fp_fence_heavy();
    CHECK(!fp_fence_prepare(), "a new ring would rely on what is forbidden");
    load(3000, FLOW_WAIT | FLOW_CLOSE);
}
#endif

#ifdef FP_TEST_STEPS
static void stalls(void) {
    for (int i = 0; i < 4; i++)
        flow_stalls(subject_spsc, capacities[i], false);
}
#endif
#endif

static const struct torture_case cases[] = {
    {"answers of one thread agree with a model", model},
    {"roles, closing, memory", roles},
#if !FP_PLAIN
    {"single calls", singles},
    {"batches", batches},
    {"closed in the middle", closing},
    {"waiting threads", waiting},
    {"waiting threads, closed in the middle", waiting_closed},
    {"time-outs, interrupts and signals", moody},
    {"one core", one_core},
    {"delays at the steps", delayed},
    {"the producer's role goes round", handing_over},
    {"closing with discarding", discarding},
#if !TORTURE_TSAN
    {"fences after fork", fences_after_fork},
#endif
#if defined(__linux__)
    {"fences that the kernel refuses", fences_refused},
    {"fences that are forbidden later", fences_forbidden},
#endif
#ifdef FP_TEST_STEPS
    {"a thread stopped at each step", stalls},
#endif
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
