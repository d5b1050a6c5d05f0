/* fp_fence.c - see fp_fence.h. Process-wide state: what the kernel said. It stands after fork,
 * since the registration is the memory's, which is copied with it. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/fp_fence.h"

#if FP_LIGHT

#include <sys/syscall.h>
#include <unistd.h>

#include "base/fp_park.h"

/* From <linux/membarrier.h>, which old systems do not have. */
enum { PRIVATE_EXPEDITED = 1 << 3, REGISTER_PRIVATE_EXPEDITED = 1 << 4 };

enum { UNKNOWN, TO_BE_HAD, REFUSED };
static fp_sync_u64 answer;

static bool membarrier(int command) {
#if defined(SYS_membarrier)
    return syscall(SYS_membarrier, command, 0, 0) == 0;
#else
    return (void)command, false;
#endif
}

bool fp_fence_prepare(void) {
    /* Relaxed: who comes at the same time asks, too, and hears the same. */
    uint64_t known = fp_sync_u64_load_relaxed(&answer);
    if (known == UNKNOWN) {
        known = membarrier(REGISTER_PRIVATE_EXPEDITED) ? TO_BE_HAD : REFUSED;
        fp_sync_u64_store_relaxed(&answer, known);
    }
    return known == TO_BE_HAD;
}

/* How long a store may be under way while later loads are done already: microseconds at the very
 * most on any processor there is. (Morrison and Afek, "Temporally bounding TSO for fence-free
 * asymmetric synchronization", ASPLOS'15.) */
enum { UNDER_WAY = 1000000 };

static FP_NOINLINE void wait_instead(void) {
    const int64_t end = fp_now() + UNDER_WAY;
    const uint32_t nobody = 0;
    fp_sync_u64_store_relaxed(&answer, REFUSED);
    while (fp_now() < end)
        fp_park(&nobody, 0, end);
}

void fp_fence_heavy(void) {
    if (FP_UNLIKELY(!membarrier(PRIVATE_EXPEDITED)))
        wait_instead();
}

#else
/* An empty file is not C. */
typedef int fp_fence_is_not_needed;
#endif
