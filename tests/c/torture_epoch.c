/* torture_epoch.c - reclamation: nobody meets freed memory, and nothing stays in limbo. */
#include "torture.h"

#include "base/fp_mem.h"
#include "reclaim/fp_epoch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLACES = 4, ALIVE = 0x600D600D };

struct node {
    struct fp_retired retired;
    uint64_t magic;
    uint64_t filling[5];
};

static fp_ptr place[PLACES];
static atomic_long freed, made;

static void free_node(struct fp_retired *r) {
    struct node *n = (struct node *)(void *)r;
    CHECK(n->magic == ALIVE, "freed twice");
    n->magic = 0;
    atomic_fetch_add(&freed, 1);
    fp_mem_free(n, sizeof *n);
}

/* bytes: what the node claims to weigh; a heavy one makes a collection worth while. */
static struct node *new_node(size_t bytes) {
    struct node *n = fp_mem_alloc(sizeof *n);
    CHECK(n != NULL, "no memory");
    n->retired.free = free_node;
    n->retired.bytes = bytes;
    n->magic = ALIVE;
    atomic_fetch_add(&made, 1);
    return n;
}

static void replace(struct fp_epoch_record *pin, int where, size_t bytes) {
    struct node *fresh = new_node(bytes), *old = fp_ptr_load_seq_cst(&place[where]);
    void *expected = old;
    while (!fp_ptr_cas_seq_cst(&place[where], &expected, fresh))
        old = expected;
    if (old != NULL)
        fp_epoch_retire(pin, &old->retired);
}

static void fill(void) {
    for (int i = 0; i < PLACES; i++)
        fp_ptr_store_relaxed(&place[i], new_node(64));
}

static void empty(void) {
    for (int i = 0; i < PLACES; i++) {
        struct node *n = fp_ptr_load_acquire(&place[i]);
        free_node(&n->retired);
    }
    for (int i = 0; i < 3; i++)
        fp_epoch_collect();
    CHECK(fp_epoch_limbo_bytes() == 0, "%zu bytes in limbo", fp_epoch_limbo_bytes());
    CHECK(atomic_load(&freed) == atomic_load(&made), "%ld made, %ld freed", atomic_load(&made),
          atomic_load(&freed));
}

static void alone(void) {
    fill();
    for (int i = 0; i < 10000; i++) {
        struct fp_epoch_record *pin = fp_epoch_pin();
        CHECK(pin != NULL, "no memory");
        replace(pin, i % PLACES, 4096);
        fp_epoch_unpin(pin);
    }
    CHECK(fp_epoch_limbo_bytes() < 1000000, "limbo grew to %zu", fp_epoch_limbo_bytes());
    empty();
}

#if !FP_PLAIN

static void no_memory(int id, void *arg) {
    (void)id, (void)arg;
    torture_fail_allocation(1);
    CHECK(fp_epoch_pin() == NULL, "a failed allocation went unnoticed");
    torture_fail_allocation(0);
    struct fp_epoch_record *pin = fp_epoch_pin();
    CHECK(pin != NULL, "no memory");
    fp_epoch_unpin(pin);
}

static void first_use_fails(void) { torture_threads(1, no_memory, NULL); }

static void read_and_replace(int id, void *arg) {
    const int rounds = *(int *)arg;
    for (int i = 0; i < rounds; i++) {
        struct fp_epoch_record *pin = fp_epoch_pin();
        CHECK(pin != NULL, "no memory");
        for (int k = 0; k < PLACES; k++) {
            struct node *n = fp_ptr_load_seq_cst(&place[k]);
            CHECK(n->magic == ALIVE, "a reader met a freed node");
        }
        if (id % 2 == 0) /* heavy: every retirement collects */
            replace(pin, (int)torture_random(PLACES), torture_random(8) == 0 ? 200000 : 64);
        struct node *n = fp_ptr_load_seq_cst(&place[i % PLACES]);
        if (torture_random(64) == 0)
            usleep(10);
        CHECK(n->magic == ALIVE, "a reader's node was freed");
        fp_epoch_unpin(pin);
        if (torture_random(100) == 0)
            fp_epoch_collect();
    }
}

static void readers_and_writers(void) {
    int rounds = scaled(30000);
    fill();
    torture_threads(4, read_and_replace, &rounds);
    rounds = scaled(3000);
    torture_threads(20, read_and_replace, &rounds);
    torture_random_steps(true);
    torture_threads(4, read_and_replace, &rounds);
    empty();
}

static void short_lived(void) {
    int rounds = 20;
    fill();
    for (int i = 0; i < scaled(300); i++)
        torture_threads(6, read_and_replace, &rounds);
    CHECK(torture_memory_pieces() < 10000, "%ld pieces held", torture_memory_pieces());
    empty();
    CHECK(torture_memory_pieces() <= 7, "%ld records for 7 threads", torture_memory_pieces());
}

/* A destructor of the thread's own may use the queues after the record was handed on. */
static pthread_key_t late_key;

static void late_use(void *arg) {
    (void)arg;
    struct fp_epoch_record *pin = fp_epoch_pin();
    replace(pin, 0, 64);
    fp_epoch_unpin(pin);
}

static void use_then_end(int id, void *arg) {
    (void)arg;
    pthread_setspecific(late_key, &late_key);
    struct fp_epoch_record *pin = fp_epoch_pin();
    replace(pin, id % PLACES, 64);
    fp_epoch_unpin(pin);
}

static void late_destructors(void) {
    pthread_key_create(&late_key, late_use);
    fill();
    for (int i = 0; i < scaled(100); i++)
        torture_threads(4, use_then_end, NULL);
    empty();
}

/* A pinned thread delays frees and nothing else. */
static atomic_int stage;

static void *stay_pinned(void *arg) {
    (void)arg;
    struct fp_epoch_record *pin = fp_epoch_pin();
    struct node *n = fp_ptr_load_seq_cst(&place[0]);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2)
        usleep(100);
    CHECK(n->magic == ALIVE, "a pinned reader's node was freed");
    fp_epoch_unpin(pin);
    atomic_store(&stage, 3);
    while (atomic_load(&stage) != 4)
        usleep(100);
    return NULL;
}

static void pinned_for_long(void) {
    pthread_t thread;
    fill();
    pthread_create(&thread, NULL, stay_pinned, NULL);
    while (atomic_load(&stage) != 1)
        usleep(100);
    for (int i = 0; i < 1000; i++) {
        struct fp_epoch_record *pin = fp_epoch_pin();
        replace(pin, i % PLACES, 64);
        fp_epoch_unpin(pin);
        fp_epoch_collect();
    }
    CHECK(fp_epoch_limbo_bytes() > 0, "freed beside a pinned reader");
#if !TORTURE_TSAN
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) { /* the pinned thread is not here: frees go on */
        for (int i = 0; i < 10; i++) {
            struct fp_epoch_record *pin = fp_epoch_pin();
            replace(pin, i % PLACES, 64);
            fp_epoch_unpin(pin);
        }
        fp_epoch_collect();
        fp_epoch_collect();
        CHECK(fp_epoch_limbo_bytes() == 0, "child: %zu bytes in limbo", fp_epoch_limbo_bytes());
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed (%d)", status);
#endif
    atomic_store(&stage, 2);
    while (atomic_load(&stage) != 3)
        usleep(100);
    fp_epoch_collect();
    CHECK(fp_epoch_limbo_bytes() == 0, "%zu bytes in limbo", fp_epoch_limbo_bytes());
    atomic_store(&stage, 4);
    pthread_join(thread, NULL);
    empty();
}
#endif

static const struct torture_case cases[] = {
    {"one thread", alone},
#if !FP_PLAIN
    {"the first use finds no memory", first_use_fails},
    {"readers and writers", readers_and_writers},
    {"short-lived threads", short_lived},
    {"use in a late destructor", late_destructors},
    {"a thread pinned for long", pinned_for_long},
#endif
};

int main(int argc, char **argv) {
    return torture_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
