/* fp_fence.h - a store-load fence of which one side pays the whole price.
 *
 * Two threads that each store, then load what the other one stores, need a full fence between the
 * two, or both may miss the other's store. Where one side comes by a million times a second, and
 * the other one once in a while (to sleep, to close), the fence is put on that other side:
 *
 *      often     fp_u64_store_light(x), fp_u64_load_light(y)    no instruction but the two
 *      seldom    store y, seq_cst; fp_fence_heavy(); load x, seq_cst
 *
 * The heavy fence is one on behalf of all threads of the process: every other thread passes a full
 * fence at some point between its begin and its end. If `often` passes it before its store of x,
 * its load of y comes later still, and finds y. If it passes it after the store, the load of x
 * finds x. There is no third case: so not both miss. (Linux: membarrier, PRIVATE_EXPEDITED, which
 * interrupts the processors on which the other threads run. 12 µs here, 0.3 if none runs.)
 *
 * A structure asks fp_fence_prepare() when it is made, and keeps the answer. False: the light
 * accesses have to be seq_cst ones (which is what those functions do, given the answer), and there
 * is no need for a heavy fence. That is so with FP_PLAIN, where one thread runs at a time and
 * changes of thread are fences; with FP_LIGHT=0; on other systems; and where the kernel is too old
 * (4.14) or refuses the call, as a sandbox may.
 *
 * A process may lock itself into such a sandbox later. Then a heavy fence waits until everything
 * that was under way in any processor has long been done (fp_fence.c), and structures that are made
 * from then on are told to do without.
 */
#ifndef FP_FENCE_H
#define FP_FENCE_H

#include "base/fp_atomic.h"

#ifndef FP_LIGHT
#if defined(__linux__) && !FP_PLAIN
#define FP_LIGHT 1
#else
#define FP_LIGHT 0
#endif
#endif

#if FP_LIGHT
/* May this process use light accesses? The first call asks the kernel, some 10 µs; 10 ms if other
 * threads run. */
bool fp_fence_prepare(void);

/* Only after fp_fence_prepare has said yes. */
void fp_fence_heavy(void);
#else
static inline bool fp_fence_prepare(void) { return false; }
static inline void fp_fence_heavy(void) {}
#endif

#endif
