/* fp_wait.h - turns a non-blocking operation into one that waits.
 *
 * The core does not know its host. The host's part of a sleep (giving up the interpreter, looking
 * for signals) is given as three functions. */
#ifndef FP_WAIT_H
#define FP_WAIT_H

#include "wait/fp_event.h"

/* How the embedding program sleeps. */
struct fp_host {
    void *(*before_sleep)(void);         /* lets other threads of the host run */
    void (*after_sleep)(void *);         /* undoes it */
    bool (*interrupted)(void);           /* true: stop waiting, the host has something to raise */
    unsigned spin;  /* attempts with a pause between them, before all of the above */
    int64_t watch;  /* nanoseconds of watching between before_sleep and the sleep, at most */
    int64_t settle; /* if news came: for at most so many more nanoseconds, let the sender of the
                       news go on until it waits itself or falls silent. For a host that runs one
                       thread at a time; 0: for any other host */
};

/* A signal that arrives between the last look for one and the sleep does not end the sleep. So the
 * sleep is cut into slices. Each slice is twice as long as the one before if that was slept to its
 * end. Such a signal is noticed after 50 ms, or after twice the time waited so far, at the price
 * of a few wake-ups in all. */
#define FP_FIRST_SLICE (50 * 1000000) /* nanoseconds */

/* The operation: FP_FULL, FP_EMPTY, FP_BUSY and FP_NOT_YET mean "wait", everything else is final.
 * `more` tells whether the next waiter could succeed too. */
struct fp_attempt {
    enum fp_status (*run)(void *arg);
    bool (*more)(void *arg);
    void *arg;
};

/* Repeats the operation until its answer is final, `deadline` passes (FP_TIMED_OUT), or the host is
 * interrupted (FP_INTERRUPTED). In the last two cases the operation has been tried once more and
 * had no effect: nothing is lost. The caller must have made one failed attempt before. */
enum fp_status fp_wait(struct fp_event *e, const struct fp_attempt *op, int64_t deadline,
                       const struct fp_host *host);

#endif
