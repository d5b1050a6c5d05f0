/* torture.c - see torture.h. */
#define _GNU_SOURCE
#include "torture.h"

#include "base/fp_mem.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned case_seconds = 120;

static const char *program_name, *case_name;

void torture_fail(const char *file, int line, const char *format, ...) {
    char text[600];
    const char *base = strrchr(file, '/');
    int n = snprintf(text, sizeof text, "FAIL %s: %s: %s:%d: ", program_name, case_name,
                     base ? base + 1 : file, line);
    va_list args;
    va_start(args, format);
    n += vsnprintf(text + n, sizeof text - (size_t)n - 1, format, args);
    va_end(args);
    if (n > (int)sizeof text - 2)
        n = (int)sizeof text - 2;
    text[n++] = '\n';
    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
    _exit(TORTURE_SAID_WHY);
}

void torture_rename_case(const char *name) { case_name = name; }

static void on_alarm(int number) {
    (void)number;
    torture_fail(__FILE__, __LINE__, "still running after %d s: somebody sleeps or spins for ever",
                 (int)case_seconds);
}

static double seconds_now(void) { return 1e-9 * (double)fp_now(); }

static bool run_case(const struct torture_case *c) {
    double begin = seconds_now();
    case_name = c->name;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, on_alarm);
        alarm(case_seconds);
        c->run();
        exit(0); /* not _exit: the leak checker runs at exit */
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok   %s: %s (%.1f s)\n", program_name, c->name, seconds_now() - begin);
        return true;
    }
    if (WIFSIGNALED(status))
        printf("FAIL %s: %s: killed by signal %d\n", program_name, c->name, WTERMSIG(status));
    else if (WEXITSTATUS(status) != TORTURE_SAID_WHY)
        printf("FAIL %s: %s: exit status %d\n", program_name, c->name, WEXITSTATUS(status));
    return false;
}

int torture_main(int argc, char **argv, const struct torture_case *cases, size_t count) {
    const char *slash = strrchr(argv[0], '/');
    program_name = slash ? slash + 1 : argv[0];
    int failed = 0;
    const bool stop = getenv("TORTURE_STOP") != NULL;
    if (getenv("TORTURE_SECONDS") != NULL)
        case_seconds = (unsigned)strtoul(getenv("TORTURE_SECONDS"), NULL, 10);
    for (size_t i = 0; i < count && !(stop && failed); i++)
        if (argc < 2 || strstr(cases[i].name, argv[1]))
            failed += !run_case(&cases[i]);
    return failed != 0;
}

int scaled(int n) {
    const char *text = getenv("TORTURE_SCALE");
    long percent = text ? strtol(text, NULL, 10) : 100;
    long result = n * percent / 100;
    return result < 1 ? 1 : (int)result;
}

unsigned torture_random(unsigned below) {
    static _Atomic uint64_t seeds;
    static _Thread_local uint64_t state;
    if (state == 0)
        state = (atomic_fetch_add(&seeds, 1) + 1) * 0x9E3779B97F4A7C15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

/* Threads
 * ------------------------------------------------------------------------------------------ */

struct job {
    pthread_t thread;
    void (*fn)(int, void *);
    void *arg;
    int id;
};

static void *run_job(void *arg) {
    struct job *j = arg;
    j->fn(j->id, j->arg);
    return NULL;
}

void torture_threads(int count, void (*fn)(int id, void *arg), void *arg) {
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    for (int i = 0; i < count; i++) {
        jobs[i] = (struct job){.fn = fn, .arg = arg, .id = i};
        int error = pthread_create(&jobs[i].thread, &attr, run_job, &jobs[i]);
        CHECK(error == 0, "thread %d: %s", i, strerror(error));
    }
    for (int i = 0; i < count; i++)
        pthread_join(jobs[i].thread, NULL);
    pthread_attr_destroy(&attr);
    free(jobs);
}

void torture_one_core(void) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    int first = 0;
    while (!CPU_ISSET(first, &set))
        first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0, "cannot stay on one core");
}

static void *nothing(void) { return NULL; }
static void nothing_back(void *state) { (void)state; }
static bool never(void) { return false; }
static bool sometimes(void) { return torture_random(3) == 0; }
const struct fp_host torture_host = {
    .before_sleep = nothing, .after_sleep = nothing_back, .interrupted = never};
const struct fp_host torture_moody_host = {.before_sleep = nothing,
                                           .after_sleep = nothing_back,
                                           .interrupted = sometimes,
                                           .spin = 3,
                                           .watch = 3000,
                                           .settle = 9000};

/* Steps
 * -------------------------------------------------------------------------------------------- */

static atomic_bool random_steps;
static _Thread_local int stall_in = -1; /* steps until this thread stops; negative: never */
static _Thread_local bool stalled_here;
static atomic_int kill_in; /* steps until this process kills itself; 0: never */
static sem_t stalled, release;
static pthread_once_t semaphores = PTHREAD_ONCE_INIT;

static void make_semaphores(void) {
    sem_init(&stalled, 0, 0);
    sem_init(&release, 0, 0);
}

void torture_random_steps(bool on) {
    atomic_store_explicit(&random_steps, on, memory_order_relaxed);
}

void torture_stall_at(int step) {
    pthread_once(&semaphores, make_semaphores);
    stall_in = step;
    stalled_here = false;
}

bool torture_stop_stalling(void) {
    stall_in = -1;
    if (!stalled_here)
        sem_post(&stalled); /* whoever waits for it need not wait longer */
    return stalled_here;
}

bool torture_wait_stalled(int milliseconds) {
    pthread_once(&semaphores, make_semaphores);
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    int64_t nanos = at.tv_nsec + (int64_t)milliseconds * 1000000;
    at.tv_sec += nanos / 1000000000;
    at.tv_nsec = nanos % 1000000000;
    int answer;
    while ((answer = sem_timedwait(&stalled, &at)) != 0 && errno == EINTR)
        ;
    return answer == 0;
}

void torture_release(void) { sem_post(&release); }

void torture_kill_at(int step) { atomic_store(&kill_in, step); }

void fp_test_step(void);
void fp_test_step(void) {
    if (atomic_load_explicit(&kill_in, memory_order_relaxed) > 0 &&
        atomic_fetch_sub(&kill_in, 1) == 1)
        raise(SIGKILL);
    if (stall_in >= 0 && stall_in-- == 0) {
        stalled_here = true;
        sem_post(&stalled);
        while (sem_wait(&release) != 0)
            ;
        return;
    }
    if (!atomic_load_explicit(&random_steps, memory_order_relaxed))
        return;
    unsigned r = torture_random(4096);
    if (r == 0)
        usleep(30);
    else if (r < 128)
        sched_yield();
    else if (r < 512)
        for (volatile unsigned i = 0; i < r; i++)
            ;
}

#if TORTURE_TSAN && FP_CAS16
/* gcc's ThreadSanitizer does a 16-byte swap under a mutex of its own, which the 8-byte accesses to
 * the same words pass by: a bit set in between would be lost. This does it in one step and tells
 * the sanitizer what it orders (also where it fails, which may hide a race there). The program is
 * linked with --wrap for it. */
void __tsan_acquire(void *word);
void __tsan_release(void *word);
int __wrap___tsan_atomic128_compare_exchange_strong(volatile unsigned __int128 *p,
                                                    unsigned __int128 *expected,
                                                    unsigned __int128 v, int order, int on_failure);

__attribute__((no_sanitize("thread"))) int
__wrap___tsan_atomic128_compare_exchange_strong(volatile unsigned __int128 *p,
                                                unsigned __int128 *expected, unsigned __int128 v,
                                                int order, int on_failure) {
    void *stamp = (char *)(uintptr_t)p + 8;
    (void)order, (void)on_failure;
    __tsan_release(stamp);
    unsigned __int128 found = __sync_val_compare_and_swap(p, *expected, v);
    __tsan_acquire(stamp);
    bool same = found == *expected;
    *expected = found;
    return same;
}
#endif

/* The memory meter: the program is linked with --wrap for these three.
 * ------------------------------ */

static atomic_long bytes_held, pieces_held, allocations, failing;
static atomic_bool failed;

long torture_memory_bytes(void) { return atomic_load(&bytes_held); }
long torture_memory_pieces(void) { return atomic_load(&pieces_held); }
bool torture_allocation_failed(void) { return atomic_load(&failed); }

void torture_fail_allocation(long number) {
    atomic_store(&allocations, 0);
    atomic_store(&failed, false);
    atomic_store(&failing, number);
}

static bool fails_now(void) {
    long wanted = atomic_load_explicit(&failing, memory_order_relaxed);
    if (wanted == 0 || atomic_fetch_add(&allocations, 1) + 1 != wanted)
        return false;
    atomic_store(&failed, true);
    return true;
}

void *__real_fp_mem_alloc(size_t bytes);
void __real_fp_mem_free(void *p, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__wrap_fp_mem_alloc(size_t bytes);
void __wrap_fp_mem_free(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);

/* Relaxed: the meter must not order the threads it watches. */
void *__wrap_fp_mem_alloc(size_t bytes) {
    void *p = fails_now() ? NULL : __real_fp_mem_alloc(bytes);
    if (p != NULL) {
        CHECK((uintptr_t)p % FP_CACHELINE == 0, "memory does not start on a cache line");
        atomic_fetch_add_explicit(&bytes_held, (long)bytes, memory_order_relaxed);
        atomic_fetch_add_explicit(&pieces_held, 1, memory_order_relaxed);
    }
    return p;
}

void __wrap_fp_mem_free(void *p, size_t bytes) {
    if (p != NULL) {
        atomic_fetch_sub_explicit(&bytes_held, (long)bytes, memory_order_relaxed);
        atomic_fetch_sub_explicit(&pieces_held, 1, memory_order_relaxed);
        memset(p, 0xDD, bytes < 4096 ? bytes : 4096); /* who still reads it will notice */
    }
    __real_fp_mem_free(p, bytes);
}

void *__wrap_realloc(void *p, size_t bytes) {
    return fails_now() ? NULL : __real_realloc(p, bytes);
}

/* The ledger
 * --------------------------------------------------------------------------------------- */

void ledger_open(struct ledger *l, int producers, uint32_t each) {
    l->producers = producers;
    l->each = each;
    l->taken = calloc((size_t)producers * each + 1, 1);
    atomic_store(&l->total, 0);
}

void ledger_take(struct ledger *l, uint64_t item, int64_t *last) {
    int producer = producer_of(item);
    uint32_t number = number_of(item);
    CHECK(producer >= 0 && producer < l->producers && number < l->each,
          "an item that nobody put: %llx", (unsigned long long)item);
    size_t place = (size_t)producer * l->each + number;
    /* Relaxed: the test must not add the order that the queue has to give. */
    unsigned before = atomic_fetch_add_explicit(&l->taken[place], 1, memory_order_relaxed);
    CHECK(before == 0, "item %u of producer %d came twice", number, producer);
    atomic_fetch_add_explicit(&l->total, 1, memory_order_relaxed);
    if (last == NULL)
        return;
    CHECK((int64_t)number > last[producer], "item %u of producer %d came after %lld", number,
          producer, (long long)last[producer]);
    last[producer] = number;
}

void ledger_check(struct ledger *l, int producer, uint32_t each) {
    for (uint32_t i = 0; i < l->each; i++) {
        unsigned times = atomic_load(&l->taken[(size_t)producer * l->each + i]);
        CHECK(times == (i < each), "item %u of producer %d came %u times (%u were put)", i,
              producer, times, each);
    }
}

void ledger_close(struct ledger *l) { free((void *)l->taken); }
