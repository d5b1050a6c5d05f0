/* pin.h - a processor for each thread, where there are enough: the scheduler of a busy machine may
 * leave two threads that wait for each other on one, and then nothing of what passes between two
 * processors is measured. _GNU_SOURCE has to be defined before the first system header. */
#include <sched.h>

/* Keeps the calling thread on the processor of this number among those that the process may use;
 * false, and nothing happens, if there are fewer than `threads`. */
static bool pin(int number, int threads) {
#if defined(__linux__)
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < threads)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && number-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0;
        }
#endif
    return (void)number, (void)threads, false;
}
