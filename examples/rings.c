/* rings.c - C threads over the rings of fastprims: several threads square numbers and pass them on
 * through a ring of words; one thread reads lines of text from a ring of byte records.
 *
 *     cc -std=c11 examples/rings.c -o rings -pthread \
 *        -I "$(python3 -c 'import fastprims; print(fastprims.get_include())')" \
 *        "$(python3 -c 'import fastprims; print(fastprims.get_library())')"
 *     ./rings 1000000
 */
#include <fastprims.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, LINES = 1000 };

static uint64_t numbers; /* 1 … numbers are squared */
static fastprims_ring *jobs, *results;
static fastprims_bytes *lines;

/* Waits for work until the ring is closed and drained. */
static void *work(void *unused) {
    uint64_t n;
    while (fastprims_ring_get(jobs, &n, FASTPRIMS_FOREVER) == FASTPRIMS_OK)
        if (fastprims_ring_put(results, n * n, FASTPRIMS_FOREVER) != FASTPRIMS_OK)
            abort();
    return unused;
}

static void *feed(void *unused) {
    for (uint64_t n = 1; n <= numbers; n++)
        if (fastprims_ring_put(jobs, n, FASTPRIMS_FOREVER) != FASTPRIMS_OK)
            abort();
    fastprims_ring_close(jobs, false); /* the words in it are still delivered */
    return unused;
}

/* Writes each line in place, into the ring's own memory. */
static void *tell(void *unused) {
    for (int i = 0; i < LINES; i++) {
        void *where;
        if (fastprims_bytes_reserve(lines, 64, &where, FASTPRIMS_FOREVER) != FASTPRIMS_OK)
            abort();
        int size = snprintf(where, 64, "line %d", i);
        if (fastprims_bytes_commit(lines, (size_t)size) != FASTPRIMS_OK)
            abort();
    }
    fastprims_bytes_close(lines, false);
    return unused;
}

static uint64_t square_all(void) {
    pthread_t feeder, workers[WORKERS];
    uint64_t sum = 0, square;
    pthread_create(&feeder, NULL, feed, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, work, NULL);
    for (uint64_t i = 0; i < numbers; i++) {
        if (fastprims_ring_get(results, &square, FASTPRIMS_FOREVER) != FASTPRIMS_OK)
            abort();
        sum += square;
    }
    pthread_join(feeder, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    return sum;
}

static size_t read_all(void) {
    pthread_t teller;
    const void *line;
    size_t size, total = 0;
    pthread_create(&teller, NULL, tell, NULL);
    while (fastprims_bytes_peek(lines, &line, &size, FASTPRIMS_FOREVER) == FASTPRIMS_OK) {
        total += size; /* the line may be read here, in place … */
        fastprims_bytes_take(lines); /* … and leaves the ring now */
    }
    pthread_join(teller, NULL);
    return total;
}

int main(int argc, char **argv) {
    numbers = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    jobs = fastprims_ring_new(FASTPRIMS_MPMC, 1000);
    results = fastprims_ring_new(FASTPRIMS_MPMC, 1000);
    lines = fastprims_bytes_new(4096, 0);
    if (jobs == NULL || results == NULL || lines == NULL) {
        fputs("out of memory\n", stderr);
        return 1;
    }
    printf("sum of squares: %" PRIu64 "\n", square_all());
    printf("bytes of text: %zu\n", read_all());
    fastprims_ring_release(jobs);
    fastprims_ring_release(results);
    fastprims_bytes_release(lines);
    return 0;
}
