/* fp_raw_internal.h - what the files behind fastprims.h share. */
#ifndef FP_RAW_INTERNAL_H
#define FP_RAW_INTERNAL_H

#include "capi/fastprims.h"

#include "wait/fp_wait.h"

/* The public numbers are for good; so they are compared, and not translated at each call. */
_Static_assert((int)FASTPRIMS_OK == FP_OK && (int)FASTPRIMS_FULL == FP_FULL &&
                   (int)FASTPRIMS_EMPTY == FP_EMPTY && (int)FASTPRIMS_CLOSED == FP_CLOSED &&
                   (int)FASTPRIMS_NOT_OWNER == FP_NOT_OWNER &&
                   (int)FASTPRIMS_TOO_LARGE == FP_TOO_LARGE && (int)FASTPRIMS_DAMAGED == FP_DAMAGED,
               "fastprims.h numbers the answers of the core otherwise");

static inline enum fastprims_status fp__raw_answer(enum fp_status s) {
    return (enum fastprims_status)s;
}

/* How threads without a host wait (fp_wait.h). */
const struct fp_host *fp__raw_host(void);

/* By fp_now's clock. */
int64_t fp__raw_deadline(int64_t timeout_ns);

#endif
