/* fp_backoff.h - stands in for csrc/base/fp_backoff.h: a pausing thread gives way to the others,
 * since it waits for one of them. */
#ifndef FP_BACKOFF_H
#define FP_BACKOFF_H

#include "base/fp_config.h"

void explore_pause(void);

static inline void fp_pause(void) { explore_pause(); }
static inline void fp_give_way(void) { explore_pause(); }

struct fp_backoff {
    unsigned round;
};

static inline bool fp_backoff_pause(struct fp_backoff *b) {
    fp_pause();
    return ++b->round < 3;
}

#endif
