/* fastprims.c - our rings through their C face. KIND: FASTPRIMS_SPSC or FASTPRIMS_MPMC; WAITS: 1 if
 * a call is to wait, 0 if it is to refuse. */
#include <fastprims.h>

static void *queue_make(uint64_t capacity) { return fastprims_ring_new(KIND, capacity); }

static inline bool queue_put(void *q, uint64_t item) {
    return fastprims_ring_put((fastprims_ring *)q, item, WAITS ? FASTPRIMS_FOREVER : 0) ==
           FASTPRIMS_OK;
}

static inline bool queue_get(void *q, uint64_t *item) {
    return fastprims_ring_get((fastprims_ring *)q, item, WAITS ? FASTPRIMS_FOREVER : 0) ==
           FASTPRIMS_OK;
}

#include "drive.h"
