/* torture_gcra.c - the rate limiter. */
#include "torture.h"

#include "limits/fp_gcra.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

/* A clock that the test sets. */
static _Atomic int64_t told;
static bool read_told(void *arg, int64_t *now) {
    (void)arg;
    *now = atomic_load(&told);
    return *now != -77; /* a clock that fails */
}
static const struct fp_clock clock_told = {read_told, NULL};

static const double rates[] = {1e9,    1e6,  3,           1 / 3.0, 0.1,
                               7.7e-9, 1e-9, 999999999.0, 1000,    12345.678};
enum { RATES = sizeof rates / sizeof *rates };

static uint64_t drain(struct fp_gcra *g) {
    uint64_t n = 0;
    while (fp_gcra_try(g, 1, &clock_told) == FP_OK)
        n++;
    return n;
}

/* Token number i after the first burst is there at i / rate seconds, rounded down to nanoseconds:
 * not a nanosecond earlier, and at most three later, however large i is. */
static void no_drift(void) {
    for (int k = 0; k < RATES; k++) {
        struct fp_gcra g;
        const double rate = rates[k];
        const int64_t starts[] = {0, -5, INT64_MIN, INT64_MAX - 5};
        for (int start = 0; start < 4; start++) {
            atomic_store(&told, starts[start]);
            CHECK(fp_gcra_init(&g, rate, 2, starts[start]) == FP_OK, "refused %g", rate);
            CHECK(drain(&g) == 2, "the first burst");
            long double due = 0;
            for (int i = 1; i < scaled(2000); i++) {
                due = (long double)i / (long double)rate * 1e9L;
                if (due > 9e18L)
                    break;
                int64_t exact = (int64_t)due;
                int64_t delay = 0;
                CHECK(fp_gcra_delay(&g, 1, &clock_told, &delay) == FP_OK, "delay");
                int64_t at = (int64_t)((uint64_t)atomic_load(&told) + (uint64_t)delay);
                int64_t since = (int64_t)((uint64_t)at - (uint64_t)starts[start]);
                CHECK(since >= exact && since <= exact + 3,
                      "rate %g: token %d after %lld ns, not %lld", rate, i, (long long)since,
                      (long long)exact);
                if (delay > 0) {
                    atomic_store(&told, (int64_t)((uint64_t)at - 1));
                    CHECK(fp_gcra_try(&g, 1, &clock_told) == FP_FULL, "a token came early");
                }
                atomic_store(&told, at);
                CHECK(fp_gcra_try(&g, 1, &clock_told) == FP_OK, "a token did not come");
            }
        }
    }
}

/* Long times without any call in between, and times past the end of the word. */
static void long_runs(void) {
    struct fp_gcra g;
    atomic_store(&told, 0);
    CHECK(fp_gcra_init(&g, 3, 1000000000, 0) == FP_OK, "refused");
    CHECK(fp_gcra_try(&g, 1000000000, &clock_told) == FP_OK, "the first burst");
    uint64_t got = 0;
    const int64_t day = (int64_t)86400 * 1000000000;
    for (int64_t now = 0; now < 80000 * day; now += 1000 * day) { /* 219 years */
        atomic_store(&told, now);
        uint64_t there;
        CHECK(fp_gcra_available(&g, &clock_told, &there) == FP_OK, "available");
        if (there != 0)
            CHECK(fp_gcra_try(&g, there, &clock_told) == FP_OK, "what was there was not given");
        CHECK(drain(&g) == 0, "more than was there");
        got += there;
        uint64_t due = (uint64_t)(now / 1000000000) * 3;
        CHECK(got <= due && got + 1 >= due, "%llu tokens instead of %llu", (unsigned long long)got,
              (unsigned long long)due);
    }
}

static void jumping_clock(void) {
    struct fp_gcra g;
    atomic_store(&told, 1000000000000);
    CHECK(fp_gcra_init(&g, 1000, 10, 1000000000000) == FP_OK, "refused");
    CHECK(drain(&g) == 10, "the first burst");
    atomic_store(&told, INT64_MAX);
    CHECK(drain(&g) == 10, "after a jump forward");
    const int64_t year = (int64_t)366 * 86400 * 1000000000;
    const int64_t back[] = {5, 0, -1, -130 * year, -130 * year - 20000000, -200 * year};
    for (int i = 0; i < 6; i++) {
        atomic_store(&told, back[i]);
        CHECK(drain(&g) == 0, "tokens for a jump back");
        int64_t delay;
        CHECK(fp_gcra_delay(&g, 10, &clock_told, &delay) == FP_OK, "delay");
        CHECK(delay <= 20000000, "%lld ns after a jump back", (long long)delay);
        atomic_store(&told, back[i] + delay);
        CHECK(drain(&g) == 10, "after a jump back");
    }
    /* The end of the clock, 292 years after the first reading. */
    atomic_store(&told, 0);
    CHECK(fp_gcra_init(&g, 3e-9, 1, 0) == FP_OK && drain(&g) == 1, "the first");
    for (int64_t third = 1; third < 3; third++) { /* in steps: more than 136 years are too many */
        atomic_store(&told, INT64_MAX / 3 * third);
        CHECK(drain(&g) == 1, "after 97 years");
    }
    for (int64_t step = 3; step >= 0; step--) {
        int64_t delay;
        atomic_store(&told, INT64_MAX - step);
        CHECK(drain(&g) == (step == 3), "at the end of the clock");
        CHECK(fp_gcra_delay(&g, 1, &clock_told, &delay) == FP_OK && delay > 0, "delay");
    }
    atomic_store(&told, INT64_MIN);
    CHECK(drain(&g) <= 1, "past the end of the clock");
    /* A small step back of the clock delays by as much, and grants no extra tokens. */
    atomic_store(&told, 0);
    CHECK(fp_gcra_init(&g, 1000, 10, 0) == FP_OK && drain(&g) == 10, "the first burst");
    atomic_store(&told, 3000000);
    CHECK(drain(&g) == 3, "three more");
    atomic_store(&told, 1000000);
    CHECK(drain(&g) == 0, "given twice");
    atomic_store(&told, 4000000);
    CHECK(drain(&g) == 1, "after a small step back");
}

static void out_of_range(void) {
    struct fp_gcra g;
    const double bad[] = {0, -1, 1e-10, 2e9, INFINITY, NAN};
    for (int i = 0; i < 6; i++)
        CHECK(fp_gcra_init(&g, bad[i], 1, 0) == FP_FAILED, "a rate of %g", bad[i]);
    CHECK(fp_gcra_init(&g, 1, 0, 0) == FP_FAILED, "no burst");
    CHECK(fp_gcra_init(&g, 1, UINT64_MAX, 0) == FP_FAILED, "a burst without end");
    CHECK(fp_gcra_init(&g, 1, (uint64_t)1 << 30, 0) == FP_OK, "2^30 at 1 a second");
    CHECK(fp_gcra_init(&g, 1e-9, 2, 0) == FP_OK, "two in 68 years");
    CHECK(fp_gcra_init(&g, 1e-9, 3, 0) == FP_FAILED, "three in 102 years");
    CHECK(fp_gcra_init(&g, 1, 1, 0) == FP_OK, "one");
    uint64_t n;
    int64_t delay;
    atomic_store(&told, -77);
    CHECK(fp_gcra_try(&g, 1, &clock_told) == FP_FAILED, "a clock that fails");
    CHECK(fp_gcra_delay(&g, 1, &clock_told, &delay) == FP_FAILED, "a clock that fails");
    CHECK(fp_gcra_available(&g, &clock_told, &n) == FP_FAILED, "a clock that fails");
    CHECK(fp_gcra_acquire(&g, 1, FP_FOREVER, &clock_told, &torture_host) == FP_FAILED,
          "a clock that fails");
}

/* The clock is within the glance's bounds, which are close together, however long it waits. */
static void glances(void) {
    const int64_t end = fp_now() + scaled(300) * (int64_t)1000000;
    for (int64_t before = 0, after = 0; after < end;) {
        before = fp_now();
        struct fp_glance g = fp_glance();
        after = fp_now();
        CHECK(g.early <= after && g.late >= before,
              "a glance of %lld .. %lld between %lld and %lld", (long long)g.early,
              (long long)g.late, (long long)before, (long long)after);
        CHECK(g.late >= g.early && g.late - g.early < 7000, "a glance %lld ns wide",
              (long long)(g.late - g.early));
        if (torture_random(20000) == 0)
            usleep((unsigned)torture_random(3000));
    }
}

/* A decision at a glance is the one that the clock would give, wherever between the bounds it is.
 * But a bucket that may be full counts as full only as of the latest bound. */
static void decisions(void) {
    int answers[FP_STATUSES] = {0};
    for (int i = 0; i < scaled(300000); i++) {
        struct fp_gcra g, exact;
        const double rate = rates[torture_random(RATES)];
        const uint64_t burst = rate < 1e-6 ? 1 : 1 + torture_random(1000);
        CHECK(fp_gcra_init(&g, rate, burst, 0) == FP_OK, "refused");
        const double full = (double)burst / rate * 1e9; /* nanoseconds until the bucket is full */
        const int64_t now = (int64_t)(full / 1000 * (double)torture_random(3000));
        const int64_t width = torture_random(4) == 0 ? 0 : torture_random(10000);
        const int64_t early = now - (width > 0 ? torture_random((uint32_t)width + 1) : 0);
        const uint64_t n = 1 + torture_random((uint32_t)burst);
        atomic_store(&told, 0);
        CHECK(fp_gcra_try(&g, 1 + torture_random((uint32_t)burst), &clock_told) == FP_OK, "full");
        if (torture_random(8) == 0) /* perhaps a state from the future */
            fp_u64_fetch_add_relaxed(&g.used, 2 * g.depth);
        exact = g;
        atomic_store(&told, now);
        const uint64_t used = fp_u64_load_relaxed(&g.used);
        const struct fp_glance between = {early, early + width};
        enum fp_status s = fp__gcra_try_between(&g, n, used, between);
        enum fp_status truth = fp_gcra_try(&exact, n, &clock_told);
        answers[s]++;
        if (s == FP_RETRY) {
            CHECK(fp_u64_load_relaxed(&g.used) == used, "undecided, and yet tokens were taken");
            continue;
        }
        CHECK(s == truth, "%d at a glance, %d by the clock", (int)s, (int)truth);
        uint64_t more = fp_u64_load_relaxed(&g.used) - fp_u64_load_relaxed(&exact.used);
        CHECK((double)more <= (double)width * 2.148 + 1, "%llu units lost in %lld ns",
              (unsigned long long)more, (long long)width);
        CHECK(fp_u64_load_relaxed(&g.granted) == fp_u64_load_relaxed(&exact.granted) &&
                  fp_u64_load_relaxed(&g.refused) == fp_u64_load_relaxed(&exact.refused),
              "the counts");
    }
    CHECK(answers[FP_OK] != 0 && answers[FP_FULL] != 0 && answers[FP_RETRY] != 0, "one-sided");
    struct fp_gcra g; /* as if another thread had changed the word */
    CHECK(fp_gcra_init(&g, 1, 2, 0) == FP_OK, "refused");
    const struct fp_glance begin = {0, 0};
    const uint64_t used = fp_u64_load_relaxed(&g.used);
    CHECK(fp__gcra_try_between(&g, 1, used, begin) == FP_OK, "the first");
    CHECK(fp__gcra_try_between(&g, 1, used, begin) == FP_RETRY, "the same one again");
}

static void waiting_alone(void) {
    struct fp_gcra g;
    int64_t begin = fp_now();
    CHECK(fp_gcra_init(&g, 1000, 5, begin) == FP_OK, "refused");
    for (int i = 0; i < 25; i++)
        CHECK(fp_gcra_acquire(&g, 1, FP_FOREVER, &fp_system_clock, &torture_host) == FP_OK, "wait");
    int64_t took = fp_now() - begin;
    CHECK(took >= 20000000, "20 tokens in %lld ns", (long long)took);
    CHECK(fp_gcra_acquire(&g, 5, begin, &fp_system_clock, &torture_host) == FP_TIMED_OUT, "late");
    CHECK(fp_gcra_acquire(&g, 5, fp_now() + 500000, &fp_system_clock, &torture_host) ==
              FP_TIMED_OUT,
          "too soon");
    CHECK(fp_gcra_acquire(&g, 5, fp_now() + 1000000000, &fp_system_clock, &torture_host) == FP_OK,
          "in time");
    CHECK(fp_u64_load_relaxed(&g.granted) == 30 && fp_u64_load_relaxed(&g.refused) == 2, "counts");
}

/* Interrupted calls, and calls that time out, take no token. */
static void waiting_in_vain(void) {
    struct fp_gcra g;
    CHECK(fp_gcra_init(&g, 1e-3, 1, fp_now()) == FP_OK, "refused");
    CHECK(fp_gcra_try(&g, 1, &fp_system_clock) == FP_OK, "the first");
    uint64_t before = fp_u64_load_relaxed(&g.used);
    enum fp_status s = FP_OK;
    while (s != FP_INTERRUPTED) {
        s = fp_gcra_acquire(&g, 1, FP_FOREVER, &fp_system_clock, &torture_moody_host);
        CHECK(fp_u64_load_relaxed(&g.used) == before, "tokens were kept");
    }
    /* The clock stands still: only the deadline ends the wait. */
    struct fp_gcra h;
    CHECK(fp_gcra_init(&h, 1000, 1, 0) == FP_OK && drain(&h) == 1, "the first");
    before = fp_u64_load_relaxed(&h.used);
    CHECK(fp_gcra_acquire(&h, 1, fp_now() + 30000000, &clock_told, &torture_host) == FP_TIMED_OUT,
          "a clock that stands still");
    CHECK(fp_u64_load_relaxed(&h.used) == before, "tokens were kept");
}

#if !FP_PLAIN
struct crowd {
    struct fp_gcra g;
    atomic_long got;
    int64_t end;
    int mode;
};

static void crowd_thread(int id, void *arg) {
    struct crowd *c = arg;
    bool waits = c->mode == 2 || (c->mode == 1 && id % 2 == 0);
    do {
        uint64_t n = 1 + torture_random(3);
        enum fp_status s =
            waits ? fp_gcra_acquire(&c->g, n, fp_now() + torture_random(300000), &fp_system_clock,
                                    id % 4 == 0 ? &torture_moody_host : &torture_host)
                  : fp_gcra_try(&c->g, n, &fp_system_clock);
        if (s == FP_OK)
            atomic_fetch_add(&c->got, (long)n);
        else
            CHECK(s == FP_FULL || s == FP_TIMED_OUT || s == FP_INTERRUPTED, "answer %d", (int)s);
    } while (fp_now() < c->end);
}

/* However many threads ask, they never get more than burst + rate * time. */
static void crowd(int threads, int mode, double rate, uint64_t burst) {
    struct crowd c;
    int64_t begin = fp_now();
    CHECK(fp_gcra_init(&c.g, rate, burst, begin) == FP_OK, "refused");
    c.got = 0;
    c.mode = mode;
    c.end = begin + scaled(300) * (int64_t)1000000;
    torture_threads(threads, crowd_thread, &c);
    double most = (double)burst + rate * (double)(fp_now() - begin) * 1e-9;
    CHECK((double)c.got <= most, "%ld tokens, at most %.1f were due", (long)c.got, most);
    CHECK(c.got > 0, "no tokens");
    CHECK(fp_u64_load_relaxed(&c.g.granted) == (uint64_t)c.got, "the count of tokens");
}

static void trying(void) {
    crowd(4, 0, 1e6, 3);
    crowd(4, 0, 1e9, 3);
    crowd(50, 0, 1e5, 1000);
}
static void waiting(void) {
    crowd(4, 2, 1e5, 3);
    crowd(30, 2, 1e6, 100);
}
static void both(void) { crowd(6, 1, 1e5, 5); }
static void delayed(void) {
    torture_random_steps(true);
    crowd(4, 1, 1e6, 3);
    crowd(4, 0, 1e8, 3);
}
#endif

static const struct torture_case cases[] = {
    {"no drift", no_drift},
    {"long runs", long_runs},
    {"a clock that jumps", jumping_clock},
    {"out of range, a clock that fails", out_of_range},
    {"glances at the time", glances},
    {"decided at a glance", decisions},
    {"waiting", waiting_alone},
    {"waiting in vain", waiting_in_vain},
#if !FP_PLAIN
    {"many threads try", trying},
    {"many threads wait", waiting},
    {"some try, some wait", both},
    {"delays at the steps", delayed},
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
