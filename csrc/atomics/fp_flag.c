/* fp_flag.c - see fp_flag.h. */
#include "atomics/fp_flag.h"

struct wish {
    struct fp_flag *flag;
    bool value;
};

static enum fp_status fulfilled(void *arg) {
    struct wish *w = arg;
    return fp_flag_test(w->flag) == w->value ? FP_OK : FP_NOT_YET;
}

/* Every change wakes all. */
static bool never(void *arg) {
    (void)arg;
    return false;
}

enum fp_status fp_flag_wait(struct fp_flag *f, bool value, int64_t deadline,
                            const struct fp_host *host) {
    struct wish w = {f, value};
    const struct fp_attempt op = {fulfilled, never, &w};
    enum fp_status s = fulfilled(&w);
    return s == FP_OK ? s : fp_wait(&f->changed, &op, deadline, host);
}
