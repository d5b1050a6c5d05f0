/* fp_wait.h - turns a non-blocking operation into one that waits.
 *
 * The core does not know what it is embedded in, so whatever has to happen around a sleep (give up
 * the interpreter, look for signals) comes from the host as three functions. */
#ifndef FP_WAIT_H
#define FP_WAIT_H

#include "wait/fp_event.h"

/* How the embedding program sleeps. */
struct fp_host {
    void *(*before_sleep)(void);         /* lets other threads of the host run */
    void (*after_sleep)(void *);         /* undoes it */
    bool (*interrupted)(void);           /* true: stop waiting, the host has something to raise */
    unsigned spin;  /* attempts with a pause between them, before all that */
    int64_t watch;  /* nanoseconds of watching between before_sleep and the sleep, at most */
    int64_t settle; /* then, if news came: for at most so many nanoseconds more, let their sender
                       go on until it waits itself or falls silent. For a host of which one thread
                       runs at a time; 0: no such */
};

/* The operation: FP_FULL, FP_EMPTY, FP_BUSY and FP_NOT_YET mean "wait", everything else is final.
 * `more` tells whether the next waiter could succeed too. */
struct fp_attempt {
    enum fp_status (*run)(void *arg);
    bool (*more)(void *arg);
    void *arg;
};

/* Runs the operation until its answer is final, `deadline` passes (FP_TIMED_OUT), or the host is
 * interrupted (FP_INTERRUPTED). In the last two cases the operation has been tried once more and
 * had no effect: nothing is lost. Expects that one attempt has failed already. */
enum fp_status fp_wait(struct fp_event *e, const struct fp_attempt *op, int64_t deadline,
                       const struct fp_host *host);

#endif
