/* fp_epoch.c - see fp_epoch.h for the argument; (D) below is the load it names. */
#include "reclaim/fp_epoch.h"

#if !FP_PLAIN

#include "base/fp_mem.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <pthread.h>
#endif

/* The epoch goes up by two, so that `epoch | 1` is never 0, "not pinned". */
enum { STEP = 2, GRACE = 2 * STEP };

/* A collection looks at every thread's record; this many retired bytes make that worth while. */
#define COLLECT_BYTES ((size_t)128 * 1024)

fp_u64 fp__epoch_now = STEP;
FP_THREAD_LOCAL struct fp_epoch_record *fp__epoch_mine = NULL;

fp_ptr fp__epoch_records;

/* Thread exit and fork ------------------------------------------------------------------------ */

static bool try_own(struct fp_epoch_record *r) {
    uint64_t expected = 0;
    return fp_u64_cas_seq_cst(&r->owned, &expected, 1);
}

static void disown(struct fp_epoch_record *r) {
    fp_u64_store_release(&r->owned, 0); /* pairs with try_own: hands `first` and `last` over */
}

#if defined(_WIN32)
static DWORD exit_key = FLS_OUT_OF_INDEXES;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

static VOID NTAPI on_thread_exit(PVOID record) {
    if (record != NULL)
        disown(record);
}
static BOOL CALLBACK set_up(PINIT_ONCE o, PVOID a, PVOID *c) {
    (void)o, (void)a, (void)c;
    exit_key = FlsAlloc(on_thread_exit);
    return exit_key != FLS_OUT_OF_INDEXES;
}
static bool watch_exit(struct fp_epoch_record *r) {
    return InitOnceExecuteOnce(&once, set_up, NULL, NULL) && FlsSetValue(exit_key, r);
}
#else
static pthread_key_t exit_key;
static bool exit_key_made;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_thread_exit(void *record) {
    fp__epoch_mine = NULL; /* a later use, in another destructor, registers anew */
    disown(record);
}

/* The other threads do not exist in the child. What they had retired is leaked: one of them may
 * have been changing its list at the moment of the fork. */
static void in_child(void) {
    struct fp_epoch_record *r = fp_ptr_load_relaxed(&fp__epoch_records);
    for (; r != NULL; r = r->next) {
        if (r == fp__epoch_mine)
            continue;
        r->first = r->last = NULL;
        fp_u64_store_relaxed(&r->limbo_bytes, 0);
        fp_u64_store_relaxed(&r->state, 0);
        disown(r);
    }
}

static void set_up(void) {
    exit_key_made = pthread_key_create(&exit_key, on_thread_exit) == 0;
    pthread_atfork(NULL, NULL, in_child);
}
static bool watch_exit(struct fp_epoch_record *r) {
    pthread_once(&once, set_up);
    return exit_key_made && pthread_setspecific(exit_key, r) == 0;
}
#endif

static struct fp_epoch_record *new_record(void) {
    struct fp_epoch_record *r = fp_mem_alloc(sizeof *r);
    if (r == NULL)
        return NULL;
    fp_u64_store_relaxed(&r->state, 0);
    fp_u64_store_relaxed(&r->owned, 1);
    fp_u64_store_relaxed(&r->limbo_bytes, 0);
    fp_u64_store_relaxed(&r->era, 0);
    fp_u64_store_relaxed(&r->limit, 0);
    r->handed = 0;
    r->first = r->last = NULL;
    void *head = fp_ptr_load_acquire(&fp__epoch_records);
    do
        r->next = head;
    while (!fp_ptr_cas_seq_cst(&fp__epoch_records, &head, r));
    return r;
}

struct fp_epoch_record *fp__epoch_register(void) {
    struct fp_epoch_record *r = fp_ptr_load_acquire(&fp__epoch_records);
    while (r != NULL && !try_own(r))
        r = r->next;
    if (r == NULL)
        r = new_record();
    if (r != NULL && !watch_exit(r)) {
        disown(r);
        return NULL;
    }
    fp__epoch_mine = r;
    return r;
}

/* Collection ---------------------------------------------------------------------------------- */

static void advance(void) {
    uint64_t now = fp_u64_load_seq_cst(&fp__epoch_now);
    struct fp_epoch_record *r = fp_ptr_load_seq_cst(&fp__epoch_records);
    for (; r != NULL; r = r->next) {
        uint64_t state = fp_u64_load_seq_cst(&r->state); /* (D) */
        if (state != 0 && state != (now | 1))
            return;
        FP_STEP();
    }
    fp_u64_cas_seq_cst(&fp__epoch_now, &now, now + STEP);
}

/* The caller owns the record. */
static void free_old(struct fp_epoch_record *r) {
    uint64_t now = fp_u64_load_seq_cst(&fp__epoch_now);
    size_t freed = 0;
    while (r->first != NULL && r->first->epoch + GRACE <= now) {
        struct fp_retired *node = r->first;
        r->first = node->next;
        if (r->first == NULL)
            r->last = NULL;
        freed += node->bytes;
        node->free(node);
    }
    if (freed != 0)
        fp_u64_store_relaxed(&r->limbo_bytes, fp_u64_load_relaxed(&r->limbo_bytes) - freed);
}

/* What ended threads left behind. */
static void free_orphans(void) {
    struct fp_epoch_record *r = fp_ptr_load_acquire(&fp__epoch_records);
    for (; r != NULL; r = r->next) {
        if (fp_u64_load_relaxed(&r->limbo_bytes) == 0 || !try_own(r))
            continue;
        free_old(r);
        disown(r);
    }
}

/* A read-modify-write reads the newest epoch, never a stale one: too low a stamp would free a node
 * while a reader of the true epoch holds it. */
static uint64_t stamp(void) { return fp_u64_fetch_add_seq_cst(&fp__epoch_now, 0); }

void fp_epoch_retire(struct fp_epoch_record *r, struct fp_retired *node) {
    node->epoch = stamp();
    node->next = NULL;
    if (r->last != NULL)
        r->last->next = node;
    else
        r->first = node;
    r->last = node;
    uint64_t limbo = fp_u64_load_relaxed(&r->limbo_bytes) + node->bytes;
    fp_u64_store_relaxed(&r->limbo_bytes, limbo);
    if (limbo >= COLLECT_BYTES) {
        advance();
        free_old(r);
        free_orphans();
    }
}

void fp_epoch_collect(void) {
    advance();
    advance();
    if (fp__epoch_mine != NULL)
        free_old(fp__epoch_mine);
    free_orphans();
}

size_t fp_epoch_limbo_bytes(void) {
    size_t sum = 0;
    struct fp_epoch_record *r = fp_ptr_load_acquire(&fp__epoch_records);
    for (; r != NULL; r = r->next)
        sum += (size_t)fp_u64_load_relaxed(&r->limbo_bytes);
    return sum;
}

#endif
