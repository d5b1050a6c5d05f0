/* explore.h - runs a few threads of the C core under every schedule: a deterministic scheduler
 * with a depth-first search over its choices.
 *
 * The core is compiled against the fp_atomic.h of explore/base, so each access to a shared word is
 * a point at which the scheduler may let another thread run. The search is exhaustive up to
 * `preemptions` switches away from a thread that could have gone on (switches at the end of a
 * thread or at a sleep are free), unless the time allowed runs out; then random schedules follow.
 *
 * A schedule fails in these cases: all remaining threads sleep without reason (a lost wake-up); it
 * takes far too many steps; a thread touches freed memory; memory leaks; the program calls
 * explore_fail. */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "base/fp_atomic.h"

enum {
    EXPLORE_THREADS = 4,
    EXPLORE_DEADLINE = 1000000 /* for a wait with a time-out; the schedule chooses when it comes */
};

struct explore_program {
    const char *name;
    int threads;
    int preemptions;
    void (*before)(void); /* sets up; not interleaved */
    void (*thread)(int self); /* interleaved */
    /* Called when all remaining threads sleep. True: they may; those that can run now go on. NULL:
     * they may not. */
    bool (*asleep)(void);
    void (*after)(void); /* checks and tears down; not interleaved */
};

/* True: no schedule failed. Prints one line, and the failing schedule. */
bool explore(const struct explore_program *program, double seconds, unsigned long seed);

/* Reports the present schedule as wrong and ends the process. */
__attribute__((noreturn, format(printf, 1, 2))) void explore_fail(const char *format, ...);

/* Do only the answers of calls count? Then nothing is freed. For mutants that their use of memory
 * would give away first: the environment has EXPLORE_ANSWERS. */
bool explore_answers_only(void);

/* True: the world stands still, except for the running thread. False: it goes on. */
void explore_stop_the_world(bool yes);

/* The running thread, -1 outside. */
int explore_self(void);

/* The next moment, for histories. */
unsigned explore_clock(void);

/* Sets *end to this moment. If the running thread has a late store (fp_atomic.h), *end becomes the
 * moment at which other threads see that store. */
void explore_when_seen(unsigned *end);

/* May light stores be late? If not, fp_fence_prepare answers false. */
extern bool explore_light;

/* The word on which the thread sleeps; NULL: it does not sleep. */
const void *explore_sleeps_on(int thread);

/* The next sleep of this thread may end by its time-out, or by an interrupt. */
void explore_allow_interrupt(bool yes);

/* Hosts with nothing to give up for a sleep: the first is never interrupted, the second may be, and
 * the third may be and watches before it sleeps. */
struct fp_host;
extern const struct fp_host explore_host, explore_interruptible, explore_watching;

/* From fp_thread.c; the build makes it visible. */
extern fp_sync_u64 forks;

#endif
