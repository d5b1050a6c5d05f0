/* explore.h - runs a few threads of the C core under every schedule: a deterministic scheduler
 * with a depth-first search over its choices.
 *
 * The core is compiled against the fp_atomic.h of this directory, so each access to a shared word
 * is a point at which the scheduler may let another thread run. The search is exhaustive up to
 * `preemptions` switches away from a thread that could have gone on (switches at the end of a
 * thread or at a sleep are free), unless the time allowed runs out; then random schedules follow.
 *
 * A schedule fails if all remaining threads sleep without reason (a lost wake-up), if it takes
 * absurdly many steps, if freed memory is touched or memory leaks, or if the program calls
 * explore_fail. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "base/fp_atomic.h"

enum {
    EXPLORE_THREADS = 4,
    EXPLORE_DEADLINE = 1000000 /* for a wait with a time-out; when it comes is up to the schedule */
};

struct explore_program {
    const char *name;
    int threads;
    int preemptions;
    void (*before)(void); /* sets up; not interleaved */
    void (*thread)(int self); /* interleaved */
    /* All that are left sleep. True: they may; whoever could run now will. NULL: they may not. */
    bool (*asleep)(void);
    void (*after)(void); /* checks and tears down; not interleaved */
};

/* True: no schedule failed. Prints one line, and the failing schedule. */
bool explore(const struct explore_program *program, double seconds, unsigned long seed);

/* Reports the present schedule as wrong and ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void explore_fail(const char *format, ...);

/* Does only count what calls answer? Then nothing is freed. For mutants whose use of memory would
 * give them away first: the environment has EXPLORE_ANSWERS. */
bool explore_answers_only(void);

/* Until it is let go on, the world stands still but for the running thread. */
void explore_stop_the_world(bool yes);

/* The running thread, -1 outside. */
int explore_self(void);

/* Moments, for histories. */
unsigned explore_clock(void);

/* *end is that moment; if the running thread has a late store (fp_atomic.h), it becomes the one at
 * which others see that. */
void explore_when_seen(unsigned *end);

/* May light stores be late? If not, fp_fence_prepare says no. */
extern bool explore_light;

/* On what the thread sleeps; NULL: it doesn't. */
const void *explore_sleeps_on(int thread);

/* The next sleep of this thread may end by its time-out, or by an interrupt. */
void explore_allow_interrupt(bool yes);

/* Hosts with nothing to give up for a sleep: one is never interrupted, one may be, and one may be
 * and watches before it sleeps. */
struct fp_host;
extern const struct fp_host explore_host, explore_interruptible, explore_watching;

/* Of fp_thread.c; made visible by the build. */
extern fp_sync_u64 forks;

#endif
