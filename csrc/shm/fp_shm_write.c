/* fp_shm_write.c - the writers' half of fp_shm.h. FP_STEP() stands behind every shared store. */
#if defined(__linux__)
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "shm/fp_shm_internal.h"

#include "base/fp_backoff.h"
#include "base/fp_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool has_owner(struct fp_shm_member *m, uint64_t owner) {
    return owner != 0 && !fp__shm_is_gone(m, owner);
}

/* Takes lane number i if it has no owner, or one that has gone. */
static bool take(struct fp_shm_member *m, uint64_t i) {
    uint64_t owner = fp_sync_u64_load_seq_cst(&m->lane[i].owner);
    if (has_owner(m, owner))
        return false;
    /* Acquire half: what the last owner published; pairs with give_back. One that has gone has
     * published whatever can be seen: its stores came before its end. */
    bool taken = fp_sync_u64_cas_seq_cst(&m->lane[i].owner, &owner, fp__shm_me(m));
    FP_STEP();
    return taken;
}

/* Memory for lane number i. What cannot be had later would be a signal, not an error. */
static bool has_memory(struct fp_shm_member *m, const struct fp_spsc_bytes *at) {
    off_t where = (char *)at->data - (char *)m->shared;
    int error;
    do
        error = posix_fallocate(fp__shm_fd(m), where, (off_t)(m->units * FP_SPSC_BYTES_UNIT));
    while (error == EINTR);
    return error == 0;
}

/* Readers look at the first `used` lanes: to be raised before the first record. */
static void raise_used(struct fp_shm_member *m, uint64_t least) {
    uint64_t used = fp_sync_u64_load_seq_cst(&m->shared->used);
    while (used < least && !fp_sync_u64_cas_seq_cst(&m->shared->used, &used, least))
        ;
    FP_STEP();
}

/* Makes lane number i, which was taken, the one to be written to. */
static enum fp_status open_lane(struct fp_shm_member *m, uint64_t i) {
    const struct fp_spsc_bytes at = fp__shm_at(m, i);
    enum fp_status s =
        has_memory(m, &at) ? fp_spsc_bytes_writer_open(&m->writer, &at) : FP_NO_MEMORY;
    if (s != FP_OK) {
        fp_sync_u64_store_seq_cst(&m->lane[i].owner, 0);
        FP_STEP();
        return s;
    }
    raise_used(m, i + 1);
    fp_sync_u64_store_relaxed(&m->mine, i);
    return FP_OK;
}

/* Has somebody given the lane back with records in it, after which he might come again? */
static bool is_left(struct fp_shm_member *m, uint64_t i) {
    const struct fp_spsc_bytes at = fp__shm_at(m, i);
    return fp_sync_u64_load_seq_cst(&m->lane[i].owner) == 0 && !fp_spsc_bytes_is_empty(&at);
}

static FP_NOINLINE enum fp_status claim(struct fp_shm_member *m) {
    uint64_t before;
    if (fp__shm_left_lane(m, &before)) /* another lane's records could overtake those in it */
        return take(m, before) ? open_lane(m, before) : FP_FULL;
    enum fp_status s = FP_FAILED;
    for (int left = 0; left <= 1; left++)
        for (uint64_t i = 0; i < m->lanes; i++) {
            if (is_left(m, i) != left || !take(m, i))
                continue;
            s = open_lane(m, i);
            if (s != FP_NO_MEMORY)
                return s;
            break; /* the next ones need some, too, but those that were used before */
        }
    return s;
}

static void end(struct fp_shm_member *m) {
    struct fp_shm_event *bell = fp__shm_room(m);
    /* Release half: `writer`; pairs with begin. Seq_cst: pairs with fp_shm_release, and with who
     * waits for the lane. */
    fp_sync_u64_store_seq_cst(&m->writing, 0);
    fp_shm_event_notify_all(bell); /* some wait for this, some for room */
    if (FP_UNLIKELY(fp_sync_u64_load_seq_cst(&m->open) == 0))
        fp__shm_leave(m);
}

static enum fp_status begin(struct fp_shm *h) {
    struct fp_shm_member *m = h->member;
    if (FP_UNLIKELY(!fp__shm_enter(m)))
        return FP_NO_MEMORY;
    if (fp_sync_u64_load_seq_cst(&m->shared->state) != 0 ||
        fp_sync_u64_load_seq_cst(&h->released) != 0)
        return FP_CLOSED;
    uint64_t me = fp_thread_serial(), owner = 0;
    struct fp_backoff pause = {0};
    /* Acquire half: pairs with end. Most of the time it is a matter of a few copied bytes. */
    while (!fp_sync_u64_cas_seq_cst(&m->writing, &owner, me)) {
        if (owner == me)
            return FP_NOT_OWNER;
        if (!fp_backoff_pause(&pause))
            return FP_BUSY;
        owner = 0;
    }
    enum fp_status s = fp_sync_u64_load_relaxed(&m->mine) == FP_SHM_NO_LANE ? claim(m) : FP_OK;
    if (s != FP_OK)
        end(m);
    return s;
}

/* Publishes what was staged; with a limit, only if there are not too many records. */
static enum fp_status publish(struct fp_shm *h) {
    struct fp_shm_member *m = h->member;
    if (m->limit == 0)
        return fp_spsc_bytes_publish(&m->writer);
    uint64_t nobody = 0;
    enum fp_status s = FP_BUSY;
    if (fp_sync_u64_cas_seq_cst(&m->shared->turn, &nobody, fp__shm_me(m))) {
        FP_STEP();
        s = fp_shm_records(h) < m->limit ? FP_OK : FP_FULL;
        FP_STEP(); /* another one who counted now would find the same room */
        if (s == FP_OK)
            s = fp_spsc_bytes_publish(&m->writer);
        fp_sync_u64_store_seq_cst(&m->shared->turn, 0);
        FP_STEP(); /* the others are told by end() */
    }
    fp_spsc_bytes_withdraw(&m->writer);
    return s;
}

static enum fp_status stage(struct fp_shm_member *m, const struct fp_shm_part *parts,
                            size_t count) {
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > m->most - size)
            return FP_TOO_LARGE;
        size += parts[i].size;
    }
    void *where;
    enum fp_status s = fp_spsc_bytes_reserve(&m->writer, size, &where);
    if (s != FP_OK)
        return s;
    char *to = where;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size != 0)
            memcpy(to, parts[i].start, (size_t)parts[i].size);
        to += parts[i].size;
    }
    FP_STEP();
    fp_spsc_bytes_stage(&m->writer, size);
    return FP_OK;
}

enum fp_status fp_shm_put(struct fp_shm *h, const struct fp_shm_part *parts, size_t count) {
    enum fp_status s = begin(h);
    if (s != FP_OK)
        return s;
    if (h->limit != 0 && fp_shm_records(h) >= h->limit)
        s = FP_FULL; /* no need to copy it */
    else
        s = stage(h->member, parts, count);
    if (s == FP_OK)
        s = publish(h);
    if (s == FP_OK)
        fp_shm_event_notify(&h->member->shared->items);
    end(h->member);
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
    while (staged < count && (s = stage(h->member, &records[staged], 1)) == FP_OK)
        staged++;
    if (staged != 0) {
        enum fp_status published = publish(h);
        if (published == FP_OK) {
            *done = staged;
            fp_shm_event_notify(&h->member->shared->items);
        } else {
            s = published;
        }
    }
    end(h->member);
    return s;
}

enum fp_status fp_shm_reserve(struct fp_shm *h, uint64_t size, void **where) {
    enum fp_status s = begin(h);
    if (s != FP_OK)
        return s;
    s = fp_spsc_bytes_reserve(&h->member->writer, size, where);
    if (s != FP_OK)
        end(h->member);
    return s;
}

enum fp_status fp_shm_commit(struct fp_shm *h, uint64_t size) {
    fp_spsc_bytes_stage(&h->member->writer, size);
    enum fp_status s = publish(h);
    if (s == FP_OK)
        fp_shm_event_notify(&h->member->shared->items);
    end(h->member);
    return s;
}

void fp_shm_abort(struct fp_shm *h) { end(h->member); }

bool fp_shm_has_room(struct fp_shm *h) {
    struct fp_shm_member *m = h->member;
    if (fp_sync_u64_load_seq_cst(&m->shared->state) != 0 ||
        fp_sync_u64_load_seq_cst(&h->released) != 0 ||
        (h->limit != 0 && fp_shm_records(h) >= h->limit))
        return false;
    uint64_t mine = fp_sync_u64_load_relaxed(&m->mine), i = 0, end = m->lanes;
    bool is_ours = mine != FP_SHM_NO_LANE;
    if (is_ours || fp__shm_left_lane(m, &mine)) {
        i = mine;
        end = mine + 1;
    }
    for (; i < end; i++) {
        const struct fp_spsc_bytes at = fp__shm_at(m, i);
        if (fp_spsc_bytes_has_room(&at, m->most) &&
            (is_ours || !has_owner(m, fp_sync_u64_load_seq_cst(&m->lane[i].owner))))
            return true;
    }
    return false;
}

#else
/* An empty file is not C. */
typedef int fp_shm_write_is_for_linux;
#endif
