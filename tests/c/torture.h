/* torture.h - what the torture programs share: cases with a watchdog, threads, delays at the steps
 * of the core, a memory meter, and a ledger of items. */
#ifndef TORTURE_H
#define TORTURE_H

#include "queues/fp_queue.h"

#if defined(__SANITIZE_THREAD__)
#define TORTURE_TSAN 1
#else
#define TORTURE_TSAN 0
#endif

struct torture_case {
    const char *name;
    void (*run)(void);
};

/* Runs each case in a process of its own, so that a crash or a hang is one case's. Prints a line
 * for each; the value is main's. `program [part of a name]` runs the cases that match.
 * Environment: TORTURE_STOP ends it at the first failure; TORTURE_SECONDS is what a case may take.
 */
int torture_main(int argc, char **argv, const struct torture_case *cases, size_t count);

/* Ends the case with a message unless `condition` holds. Any thread. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            torture_fail(__FILE__, __LINE__, __VA_ARGS__);                                         \
    } while (0)
/* How a process ends that has said why; sanitizers end it otherwise. */
enum { TORTURE_SAID_WHY = 3 };

__attribute__((noreturn, format(printf, 3, 4))) void torture_fail(const char *file, int line,
                                                                  const char *format, ...);

/* For messages from now on. */
void torture_rename_case(const char *name);

/* `n` times the effort asked for (TORTURE_SCALE, in percent), at least 1. */
int scaled(int n);

/* Pseudo-random, per thread; 0 .. below - 1. */
unsigned torture_random(unsigned below);

/* Runs fn(0, arg) .. fn(count - 1, arg) on threads of their own, and waits for them. */
void torture_threads(int count, void (*fn)(int id, void *arg), void *arg);

void torture_one_core(void);

/* Hosts: one without spinning or interrupts; one that is interrupted now and then. */
extern const struct fp_host torture_host, torture_moody_host;

/* Steps (only with -DFP_TEST_STEPS): FP_STEP() of the core delays the thread at random, or stops
 * the calling thread at its step number `step` (from 0) until torture_release. */
void torture_random_steps(bool on);
void torture_stall_at(int step);
bool torture_stop_stalling(void); /* by the victim, after its call; true: the step was reached */
bool torture_wait_stalled(int milliseconds); /* until the victim has stopped, or said the above */
void torture_release(void);
/* The process kills itself at its step number `step` (from 1); 0: it does not. */
void torture_kill_at(int step);

/* The memory meter: bytes and pieces got through fp_mem and not given back; and the allocation
 * (counted from 1, fp_mem's and the heap's) that will fail, 0: none. */
long torture_memory_bytes(void);
long torture_memory_pieces(void);
void torture_fail_allocation(long number);
bool torture_allocation_failed(void);

/* Items name their producer and their place in its order. */
static inline uint64_t item_of(int producer, uint32_t number) {
    return (uint64_t)(producer + 1) << 32 | number;
}
static inline int producer_of(uint64_t item) { return (int)(item >> 32) - 1; }
static inline uint32_t number_of(uint64_t item) { return (uint32_t)item; }

struct ledger {
    int producers;
    uint32_t each; /* items of a producer at most */
    _Atomic unsigned char *taken;
    _Atomic long total;
};

void ledger_open(struct ledger *l, int producers, uint32_t each);
/* Checks that the item exists and comes the first time; with `last` (one per producer, of this
 * consumer) also that it comes after those of the same producer. */
void ledger_take(struct ledger *l, uint64_t item, int64_t *last);
/* Were numbers 0 .. each - 1 of the producer all taken, and no other? */
void ledger_check(struct ledger *l, int producer, uint32_t each);
void ledger_close(struct ledger *l);

#endif
