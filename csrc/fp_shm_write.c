/* fp_shm_write.c - the writers' half of fp_shm.h. FP_STEP() stands behind every shared store. */
#if defined(__linux__)
#define _GNU_SOURCE
#include "fp_shm.h"

#include "fp_backoff.h"
#include "fp_process.h"
#include "fp_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Takes a lane that has no owner, or a dead one. */
static bool take(struct fp_shm *h, struct fp_shm_lane *lane) {
    uint64_t owner = fp_sync_u64_load_seq_cst(&lane->owner);
    if (owner != 0 && !fp_process_is_dead(owner))
        return false;
    /* Acquire half: what the last owner published; pairs with fp__shm_give_lane_back. A dead one
     * has published whatever can be seen: its stores came before its end. */
    bool taken = fp_sync_u64_cas_seq_cst(&lane->owner, &owner, h->me);
    FP_STEP();
    return taken;
}

/* Memory for lane number i. What cannot be had later would be a signal, not an error. */
static bool has_memory(struct fp_shm *h, const struct fp_lane *at) {
    off_t where = (char *)at->data - (char *)h->shared;
    int error;
    do
        error = posix_fallocate(h->fd, where, (off_t)(h->units * FP_LANE_UNIT));
    while (error == EINTR);
    return error == 0;
}

/* Readers look at the first `used` lanes: to be raised before the first record. */
static void raise_used(struct fp_shm *h, uint64_t least) {
    uint64_t used = fp_sync_u64_load_seq_cst(&h->shared->used);
    while (used < least && !fp_sync_u64_cas_seq_cst(&h->shared->used, &used, least))
        ;
    FP_STEP();
}

static FP_NOINLINE enum fp_status claim(struct fp_shm *h) {
    for (uint64_t i = 0; i < h->lanes; i++) {
        if (!take(h, &h->lane[i]))
            continue;
        const struct fp_lane at = fp__shm_at(h, i);
        enum fp_status s = has_memory(h, &at) ? fp_lane_writer_open(&h->writer, &at) : FP_NO_MEMORY;
        if (s != FP_OK) {
            fp_sync_u64_store_seq_cst(&h->lane[i].owner, 0);
            FP_STEP();
            return s;
        }
        raise_used(h, i + 1);
        fp_sync_u64_store_relaxed(&h->mine, i);
        return FP_OK;
    }
    return FP_FAILED;
}

/* A thread that waits for the first write of another one, which has no lane yet, waits at the wrong
 * bell: until it looks by itself, once. */
struct fp_bell *fp__shm_room(struct fp_shm *h) {
    uint64_t mine = fp_sync_u64_load_relaxed(&h->mine);
    return h->limit == 0 && mine != FP_SHM_NO_LANE ? &h->lane[mine].room : &h->shared->room;
}

static void end(struct fp_shm *h) {
    struct fp_bell *bell = fp__shm_room(h);
    /* Release half: `writer`; pairs with begin. Seq_cst: pairs with fp_shm_release, and with who
     * waits for the lane. */
    fp_sync_u64_store_seq_cst(&h->writing, 0);
    fp_bell_ring_all(bell); /* some wait for this, some for room */
    uint64_t nobody = 0;
    if (FP_UNLIKELY(fp_sync_u64_load_seq_cst(&h->released) != 0) &&
        fp_sync_u64_cas_seq_cst(&h->writing, &nobody, fp_thread_serial()))
        fp__shm_give_lane_back(h);
}

static enum fp_status begin(struct fp_shm *h) {
    if (FP_UNLIKELY(!fp__shm_enter(h)))
        return FP_NO_MEMORY;
    if (fp_sync_u64_load_seq_cst(&h->shared->state) != 0 ||
        fp_sync_u64_load_seq_cst(&h->released) != 0)
        return FP_CLOSED;
    uint64_t me = fp_thread_serial(), owner = 0;
    struct fp_backoff pause = {0};
    /* Acquire half: pairs with end. Most of the time it is a matter of a few copied bytes. */
    while (!fp_sync_u64_cas_seq_cst(&h->writing, &owner, me)) {
        if (owner == me)
            return FP_NOT_OWNER;
        if (!fp_backoff_pause(&pause))
            return FP_BUSY;
        owner = 0;
    }
    enum fp_status s = fp_sync_u64_load_relaxed(&h->mine) == FP_SHM_NO_LANE ? claim(h) : FP_OK;
    if (s != FP_OK)
        end(h);
    return s;
}

/* Publishes what was staged; with a limit, only if there are not too many records. */
static enum fp_status publish(struct fp_shm *h) {
    if (h->limit == 0)
        return fp_lane_publish(&h->writer);
    uint64_t nobody = 0;
    enum fp_status s = FP_BUSY;
    if (fp_sync_u64_cas_seq_cst(&h->shared->turn, &nobody, h->me)) {
        FP_STEP();
        s = fp_shm_records(h) < h->limit ? FP_OK : FP_FULL;
        FP_STEP(); /* another one who counted now would find the same room */
        if (s == FP_OK)
            s = fp_lane_publish(&h->writer);
        fp_sync_u64_store_seq_cst(&h->shared->turn, 0);
        FP_STEP(); /* the others are told by end() */
    }
    fp_lane_withdraw(&h->writer);
    return s;
}

static enum fp_status stage(struct fp_shm *h, const struct fp_shm_part *parts, size_t count) {
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > h->most - size)
            return FP_TOO_LARGE;
        size += parts[i].size;
    }
    void *where;
    enum fp_status s = fp_lane_reserve(&h->writer, size, &where);
    if (s != FP_OK)
        return s;
    char *to = where;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size != 0)
            memcpy(to, parts[i].start, (size_t)parts[i].size);
        to += parts[i].size;
    }
    FP_STEP();
    fp_lane_stage(&h->writer, size);
    return FP_OK;
}

enum fp_status fp_shm_put(struct fp_shm *h, const struct fp_shm_part *parts, size_t count) {
    enum fp_status s = begin(h);
    if (s != FP_OK)
        return s;
    if (h->limit != 0 && fp_shm_records(h) >= h->limit)
        s = FP_FULL; /* no need to copy it */
    else
        s = stage(h, parts, count);
    if (s == FP_OK)
        s = publish(h);
    if (s == FP_OK)
        fp_bell_ring(&h->shared->items);
    end(h);
    return s;
}

enum fp_status fp_shm_put_many(struct fp_shm *h, const struct fp_shm_part *records, size_t count,
                               size_t *done) {
    *done = 0;
    if (h->limit != 0) {
        enum fp_status s = FP_OK;
        while (*done < count && (s = fp_shm_put(h, &records[*done], 1)) == FP_OK)
            (*done)++;
        return s;
    }
    enum fp_status s = begin(h);
    if (s != FP_OK)
        return s;
    size_t staged = 0;
    while (staged < count && (s = stage(h, &records[staged], 1)) == FP_OK)
        staged++;
    if (staged != 0) {
        enum fp_status published = publish(h);
        if (published == FP_OK) {
            *done = staged;
            fp_bell_ring(&h->shared->items);
        } else {
            s = published;
        }
    }
    end(h);
    return s;
}

enum fp_status fp_shm_reserve(struct fp_shm *h, uint64_t size, void **where) {
    enum fp_status s = begin(h);
    if (s != FP_OK)
        return s;
    s = fp_lane_reserve(&h->writer, size, where);
    if (s != FP_OK)
        end(h);
    return s;
}

enum fp_status fp_shm_commit(struct fp_shm *h, uint64_t size) {
    fp_lane_stage(&h->writer, size);
    enum fp_status s = publish(h);
    if (s == FP_OK)
        fp_bell_ring(&h->shared->items);
    end(h);
    return s;
}

void fp_shm_abort(struct fp_shm *h) { end(h); }

#else
/* An empty file is not C. */
typedef int fp_shm_write_is_for_linux;
#endif
