/* explore.c - see explore.h. */
#include "explore.h"

#include "base/fp_mem.h"
#include "base/fp_park.h"
#include "reclaim/fp_epoch.h"
#include "wait/fp_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

enum {
    STACK = 64 * 1024,
    MOST_CHOICES = 20000,
    MOST_STEPS = 8000,
    MOST_BLOCKS = 2048,
    MOST_LOADS = 40,
    MOST_ENDS = 8
};

enum status { READY, PAUSED, PARKED, DONE };

static struct thread {
    enum status status;
    int loads; /* since it last did anything else */
    const void *word; /* PARKED: on what */
    bool may_time_out, may_stir, may_interrupt, interrupted;
    enum fp_status woke;
    jmp_buf at;
    ucontext_t context;
    uint64_t *late; /* a word to which a store is still to come; NULL: none */
    uint64_t late_value;
    unsigned *ends[MOST_ENDS]; /* of calls that are over but for that */
    int end_count;
    uint64_t serial; /* the core's thread-local variables */
    struct fp_epoch_record *record;
    alignas(16) char stack[STACK];
} threads[EXPLORE_THREADS];

static struct choice {
    unsigned short taken, of;
} choices[MOST_CHOICES];

static const struct explore_program *program;
static int depth, replayed, self = -1, bound, budget; /* preemptions: allowed, left */
static unsigned steps, now, alone; /* alone: accesses while no thread runs */
static int64_t looks_at_the_clock;
static bool random_mode, stopped; /* stopped: only the running thread goes on */
static unsigned long rng;
static jmp_buf driver;

static struct event {
    signed char thread;
    const char *what;
    const volatile void *word;
} trace[MOST_STEPS + 1];

/* Memory ----------------------------------------------------------------------------------------
 */

static alignas(4096) char arena[1 << 20];
static size_t arena_used, arena_kept;
static struct block {
    char *start;
    size_t bytes;
    bool freed;
} blocks[MOST_BLOCKS];
static int block_count, block_kept;

void *fp_mem_alloc(size_t bytes) {
    size_t whole = (bytes + 127) & ~(size_t)127;
    if (arena_used + whole > sizeof arena || block_count == MOST_BLOCKS)
        explore_fail("the arena is full");
    char *p = arena + arena_used;
    arena_used += whole;
    blocks[block_count++] = (struct block){p, bytes, false};
    memset(p, 0, bytes);
    return p;
}

static struct block *block_of(const volatile void *p) {
    const char *at = (const char *)(uintptr_t)p;
    if (at < arena || at >= arena + sizeof arena)
        return NULL;
    for (int i = block_count; i-- > 0;)
        if (at >= blocks[i].start)
            return at < blocks[i].start + blocks[i].bytes ? &blocks[i] : NULL;
    return NULL;
}

void fp_mem_free(void *p, size_t bytes) {
    if (p == NULL || explore_answers_only())
        return;
    struct block *b = block_of(p);
    if (b == NULL || b->start != p || b->bytes != bytes || b->freed)
        explore_fail("freed twice, or with a wrong size");
    b->freed = true;
    memset(p, 0xDD, bytes);
}

/* The scheduler ---------------------------------------------------------------------------------
 */

bool explore_answers_only(void) {
    static int yes = -1;
    if (yes < 0)
        yes = getenv("EXPLORE_ANSWERS") != NULL;
    return yes;
}

void explore_stop_the_world(bool yes) { stopped = yes; }

int explore_self(void) { return self; }
unsigned explore_clock(void) { return ++now; }

void explore_allow_interrupt(bool yes) {
    threads[self].may_interrupt = yes;
    threads[self].interrupted = false;
}

static void *nothing(void) { return NULL; }
static void nothing_back(void *state) { (void)state; }
static bool never(void) { return false; }
static bool was_interrupted(void) { return threads[self].interrupted; }

const struct fp_host explore_host = {
    .before_sleep = nothing, .after_sleep = nothing_back, .interrupted = never};
const struct fp_host explore_interruptible = {
    .before_sleep = nothing, .after_sleep = nothing_back, .interrupted = was_interrupted};
const struct fp_host explore_watching = {.before_sleep = nothing,
                                         .after_sleep = nothing_back,
                                         .interrupted = was_interrupted,
                                         .spin = 1,
                                         .watch = 2};

static unsigned draw(unsigned below) {
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng >> 11) % below;
}

/* One of `of` ways to go on; the first is the one that needs no reason. */
static int choose(int of) {
    if (of == 1)
        return 0;
    if (depth == MOST_CHOICES)
        explore_fail("too many choices");
    struct choice *c = &choices[depth];
    if (depth >= replayed) {
        c->of = (unsigned short)of;
        c->taken = 0;
        if (random_mode && draw(5) == 0)
            c->taken = (unsigned short)draw((unsigned)of);
        replayed = depth + 1;
    } else if (c->of != of) {
        explore_fail("the program is not deterministic (%d ways instead of %d)", of, c->of);
    }
    depth++;
    return c->taken;
}

static void resume(int next) {
    if (next == self)
        return;
    jmp_buf *from = &driver;
    if (self >= 0) {
        threads[self].serial = fp__thread_serial;
        threads[self].record = fp__epoch_mine;
        from = &threads[self].at;
    }
    if (_setjmp(*from) == 0) {
        self = next;
        if (next < 0)
            _longjmp(driver, 1);
        fp__thread_serial = threads[next].serial;
        fp__epoch_mine = threads[next].record;
        _longjmp(threads[next].at, 1);
    }
}

/* Gives the processor to somebody: to the caller again, to another thread that can run, or to a
 * sleeper whose time-out or interrupt comes now. A sleeper may also stir, because its slice of
 * sleep is over, but only while something else could go on: else stirring would hide that it was
 * lost. */
static void reschedule(void) {
    int way[3 * EXPLORE_THREADS], ways = 0, unasked = 0;
    bool can_go_on = self >= 0 && threads[self].status == READY;
    if (can_go_on)
        way[ways++] = self;
    for (int i = 0; i < program->threads; i++)
        if (i != self && threads[i].status == READY)
            way[ways++] = i;
    /* Only pausing threads are left: in turn, each may have missed the last change. */
    for (int i = 1; ways == 0 && i <= EXPLORE_THREADS; i++)
        if (threads[(self + i) % EXPLORE_THREADS].status == PAUSED)
            way[ways++] = (self + i) % EXPLORE_THREADS;
    unasked = ways;
    for (int i = 0; i < program->threads; i++) {
        if (threads[i].status == PARKED && threads[i].may_time_out)
            way[ways++] = i;
        if (threads[i].status == PARKED && threads[i].may_interrupt)
            way[ways++] = i + EXPLORE_THREADS;
    }
    if (ways == 0) {
        resume(-1); /* all have ended, or sleep */
        return;
    }
    int reasons = ways;
    for (int i = 0; i < program->threads && budget > 0; i++)
        if (threads[i].status == PARKED && threads[i].may_stir)
            way[ways++] = i;
    /* A switch that nothing forces costs one of the budget; so does an early time-out, or a stir.
     */
    int open = budget > 0 ? ways : can_go_on ? 1 : unasked > 0 ? unasked : ways;
    int taken = choose(open), next = way[taken];
    if (taken > 0 && (can_go_on || taken >= reasons || (taken >= unasked && unasked > 0)))
        budget--;
    bool interrupted = next >= EXPLORE_THREADS;
    next %= EXPLORE_THREADS;
    threads[next].interrupted |= interrupted;
    if (threads[next].status == PARKED)
        threads[next].woke = interrupted ? FP_INTERRUPTED : FP_TIMED_OUT;
    threads[next].status = READY;
    resume(next);
}

/* Late stores ------------------------------------------------------------------------------------
 */

bool explore_light = true;

static void wake_pausing(void) {
    for (int i = 0; i < program->threads; i++)
        if (threads[i].status == PAUSED)
            threads[i].status = READY;
}

/* The thread's late store, if it has one, is seen from now on. */
static void let_through(struct thread *t) {
    if (t->late == NULL)
        return;
    *t->late = t->late_value;
    t->late = NULL;
    while (t->end_count > 0)
        *t->ends[--t->end_count] = ++now;
    wake_pausing();
}

void explore_store_late(uint64_t *word, uint64_t value) {
    explore_access(word, "store");
    if (self < 0 || budget == 0 || choose(2) == 0) {
        *word = value;
        return;
    }
    budget--;
    threads[self].late = word;
    threads[self].late_value = value;
}

bool explore_is_late(const volatile void *word, uint64_t *value) {
    if (self < 0 || threads[self].late != word)
        return false;
    *value = threads[self].late_value;
    return true;
}

void explore_when_seen(unsigned *end) {
    struct thread *t = self < 0 ? NULL : &threads[self];
    *end = ++now;
    if (t == NULL || t->late == NULL)
        return;
    if (t->end_count == MOST_ENDS)
        explore_fail("too many calls behind one late store");
    *end = UINT32_MAX;
    t->ends[t->end_count++] = end;
}

void explore_fence(void) {
    if (self >= 0 && threads[self].late != NULL)
        explore_access(threads[self].late, "seen");
}

bool fp_fence_prepare(void) { return explore_light; }

void fp_fence_heavy(void) {
    static const int fence;
    explore_access(&fence, "fence");
    for (int i = 0; i < program->threads; i++)
        let_through(&threads[i]);
}

/* -----------------------------------------------------------------------------------------------
 */

void explore_access(const volatile void *word, const char *what) {
    if (self < 0 || stopped) {
        if (++alone > 1000 * MOST_STEPS)
            explore_fail("a call outside the threads does not end");
        return;
    }
    if (++steps > MOST_STEPS)
        explore_fail("no end after %d steps", MOST_STEPS);
    /* Nothing but loads for long: it waits for somebody, even if it does not pause. */
    threads[self].loads = what[0] == 'l' ? threads[self].loads + 1 : 0;
    if (threads[self].loads > MOST_LOADS) {
        let_through(&threads[self]);
        threads[self].status = PAUSED;
    }
    reschedule();
    now++;
    if (what[0] != 'l') {
        let_through(&threads[self]);
        wake_pausing(); /* what they wait for may have come */
    }
    trace[steps] = (struct event){(signed char)self, what, word};
    struct block *b = block_of(word);
    if (b != NULL && b->freed)
        explore_fail("thread %d touches freed memory (%s)", self, what);
}

void explore_pause(void) {
    if (self < 0)
        return;
    let_through(&threads[self]);
    threads[self].status = PAUSED;
    trace[++steps].what = NULL;
    if (steps >= MOST_STEPS)
        explore_fail("no end after %d steps", MOST_STEPS);
    reschedule();
}

static void finish_thread(void) {
    explore_fence();
    threads[self].status = DONE;
    reschedule();
}

/* Sleeping --------------------------------------------------------------------------------------
 */

int64_t fp_now(void) { return ++looks_at_the_clock; }
unsigned fp_cpu_count(void) { return 2; }
void fp_yield(void) { explore_pause(); }
void fp_nap(int64_t nanos) { (void)nanos, explore_pause(); }
const char *fp_park_name(void) { return "explore"; }

enum fp_status fp_park(const void *word, uint32_t expected, int64_t deadline) {
    explore_access(word, "park");
    uint32_t found;
    memcpy(&found, word, sizeof found);
    if (found != expected)
        return FP_OK;
    struct thread *t = &threads[self];
    t->status = PARKED;
    t->word = word;
    t->may_time_out = deadline <= EXPLORE_DEADLINE;
    t->may_stir = !t->may_time_out && deadline != FP_FOREVER;
    t->woke = FP_OK;
    reschedule();
    return t->woke;
}

static int sleepers(const void *word, int *who) {
    int n = 0;
    for (int i = 0; i < program->threads; i++)
        if (threads[i].status == PARKED && threads[i].word == word)
            who[n++] = i;
    return n;
}

void fp_unpark_one(const void *word) {
    explore_access(word, "unpark");
    int who[EXPLORE_THREADS], n = sleepers(word, who);
    if (n > 0)
        threads[who[choose(n)]].status = READY;
}

void fp_unpark_all(const void *word) {
    explore_access(word, "unpark");
    int who[EXPLORE_THREADS];
    for (int n = sleepers(word, who); n-- > 0;)
        threads[who[n]].status = READY;
}

/* The search ------------------------------------------------------------------------------------
 */

static void trampoline(unsigned id) {
    for (;;) {
        program->thread((int)id);
        finish_thread();
    }
}

static void start_threads(void) {
    ucontext_t here;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++) {
        struct thread *t = &threads[i];
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = t->stack;
        t->context.uc_stack.ss_size = STACK;
        t->context.uc_link = &here;
        t->status = DONE;
    }
}

/* Enters each coroutine once, so that later switches are jumps only. */
static void first_entry(unsigned id) {
    if (_setjmp(threads[id].at) == 0)
        _longjmp(driver, 1);
    trampoline(id);
}

static int sleeper(void) {
    for (int i = 0; i < program->threads; i++)
        if (threads[i].status != DONE)
            return i;
    return -1;
}

const void *explore_sleeps_on(int thread) {
    return threads[thread].status == PARKED ? threads[thread].word : NULL;
}

/* On behalf of every thread: its record is its own, and no collection of others frees from it. */
static void collect_all(void) {
    for (int round = 0; round < 3; round++) {
        fp_epoch_collect();
        for (int i = 0; i < EXPLORE_THREADS; i++) {
            fp__epoch_mine = threads[i].record;
            fp_epoch_collect();
        }
    }
}

static void run_once(void) {
    depth = 0;
    steps = now = alone = 0;
    looks_at_the_clock = 0;
    budget = random_mode ? 1000000 : bound;
    arena_used = arena_kept;
    block_count = block_kept;
    program->before();
    for (int i = 0; i < program->threads; i++) {
        threads[i].status = READY;
        threads[i].loads = 0;
        threads[i].late = NULL;
        threads[i].end_count = 0;
        threads[i].may_interrupt = threads[i].may_time_out = threads[i].interrupted = false;
    }
    struct fp_epoch_record *mine = fp__epoch_mine;
    uint64_t serial = fp__thread_serial;
    reschedule();
    fp__epoch_mine = mine;
    fp__thread_serial = serial;
    if (sleeper() >= 0 && program->asleep != NULL && program->asleep()) {
        reschedule();
        fp__epoch_mine = mine;
        fp__thread_serial = serial;
    }
    if (sleeper() >= 0)
        explore_fail("thread %d sleeps for ever", sleeper());
    program->after();
    collect_all();
    if (fp_epoch_limbo_bytes() != 0)
        explore_fail("%zu retired bytes were never freed", fp_epoch_limbo_bytes());
    fp__epoch_mine = mine;
    for (int i = block_kept; i < block_count && !explore_answers_only(); i++)
        if (!blocks[i].freed)
            explore_fail("%zu bytes were never freed", blocks[i].bytes);
}

/* Makes `choices` the next schedule. False: there is none. */
static bool advance(void) {
    int last = depth;
    while (last > 0 && choices[last - 1].taken + 1 == choices[last - 1].of)
        last--;
    if (last == 0)
        return false;
    choices[last - 1].taken++;
    replayed = last;
    return true;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What every thread has for good: its serial number and its epoch record. */
static void register_threads(void) {
    for (int i = 0; i < EXPLORE_THREADS; i++) {
        fp__thread_serial = 0;
        fp__epoch_mine = NULL;
        fp_epoch_unpin(fp_epoch_pin());
        threads[i].serial = fp_thread_serial();
        threads[i].record = fp__epoch_mine;
    }
    fp__thread_serial = 0;
    fp__epoch_mine = NULL;
    fp_epoch_unpin(fp_epoch_pin());
    fp_thread_serial();
    arena_kept = arena_used;
    block_kept = block_count;
}

bool explore(const struct explore_program *p, double seconds, unsigned long seed) {
    program = p;
    rng = seed * 2654435761UL + 1;
    start_threads();
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        if (_setjmp(driver) == 0) {
            makecontext(&threads[i].context, (void (*)(void))first_entry, 1, i);
            setcontext(&threads[i].context);
        }
    register_threads();
    double begin = seconds_now();
    unsigned long searched = 0, random_runs = 0;
    bool more = false;
    /* With few preemptions first: most mistakes need one or two. */
    for (bound = 1; !more && bound <= p->preemptions; bound++) {
        more = true;
        for (replayed = 0; more && seconds_now() - begin < seconds / 2;)
            for (int i = 0; more && i < 64; i++, searched++) {
                run_once();
                more = advance();
            }
    }
    random_mode = true;
    while (more && seconds_now() - begin < seconds)
        for (int i = 0; i < 64; i++, random_runs++) {
            replayed = 0;
            run_once();
        }
    printf("ok   explore %s: %lu schedules, complete for %d preemptions; %lu random\n", p->name,
           searched, more ? bound - 2 : bound - 1, random_runs);
    return true;
}

static void print_trace(void) {
    for (unsigned i = 1; i <= steps && i <= MOST_STEPS; i++) {
        const char *at = (const char *)(uintptr_t)trace[i].word;
        struct block *b = block_of(at);
        if (trace[i].what == NULL)
            continue;
        if (b != NULL)
            printf("    thread %d  %-8s block %d + %ld\n", trace[i].thread, trace[i].what,
                   (int)(b - blocks), (long)(at - b->start));
        else
            printf("    thread %d  %-8s %p\n", trace[i].thread, trace[i].what, (const void *)at);
    }
}

void explore_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("FAIL explore %s: ", program->name);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    print_trace();
    fflush(stdout);
    _Exit(1);
}
