/* fp_shm.h - FIFO queue of byte records between processes, each of which may be killed at any
 * point.
 *
 * A segment is a file of shared memory: a header, and a number of lanes (fp_spsc_bytes.h). Each
 * process that writes has a lane of its own, taken at its first write; readers go round the lanes.
 * So records of one writer come in order; those of different writers in any.
 *
 * A process is one member of a segment, however many handles of it there are: they share its
 * mapping, its number (fp_process.h) and its lane. With the last handle the lane is given back. If
 * there are records in it that nobody has read yet, the process remembers it, and goes on with that
 * lane when it comes again, or waits until those records are gone: they stay in order. Others take
 * such a lane last.
 *
 * Who owns what is said by single words that hold the number of a process or 0: a lane's `owner`
 * may write to it, its `reader` is reading a record of it now, and `turn` (only if there is a
 * limit) is counting the records. A word is taken by a compare-and-swap from 0 and given back by a
 * store of 0; from a process that has gone anyone may take it away, and there is nothing to be put
 * right: a lane is always as its two words say. It is never taken away from a process that lives,
 * however long it is stopped: it might go on. One that executes another program has gone.
 *
 * What a killed process takes with it:
 *   writer   the records that it had not published
 *   reader   nothing, or the records whose taking it had completed: a record is there for others
 *            until the store of the head, which is the last thing that taking does
 *   any      the news of what it did last: others look by themselves every FP_SHM_EVENT_SLICE
 * What a stopped process stops: the lane that it was reading at that moment, for other readers; its
 * own lane, which nobody else writes to; with a limit, and stopped within a few instructions, other
 * writers.
 *
 * Trust. The geometry is read once, checked against the size of the file, and kept privately; the
 * words of the lanes are checked by fp_spsc_bytes; an owner word decides only who waits for whom. A
 * process that may write to the segment can lose records, or keep others waiting, but not make them
 * touch memory outside. (It can truncate the file, which no check can see: the segment is for one
 * user's processes, mode 0600, and refuses files of others unless asked.)
 *
 * Closing as in fp_spsc_bytes.h, lane by lane; whoever sees the state closed closes the rest.
 *
 * Within a process any thread may use any handle. A forked child is a process of its own, with the
 * handles that it inherits: it has no lane, and what the parent was doing is the parent's. Linux
 * only.
 */
#ifndef FP_SHM_H
#define FP_SHM_H

#include "queues/fp_spsc_bytes.h"
#include "shm/fp_process.h"
#include "shm/fp_shm_event.h"
#include "wait/fp_wait.h"

#define FP_SHM_FOLDER "/dev/shm/fastprims."
#define FP_SHM_MOST_NAME 200
#define FP_SHM_MOST_LANES 4096
#define FP_SHM_LINE 128 /* in files, whatever FP_CACHELINE is */

/* The file: this header, the lanes, and from the next page on the lanes' data. The first eight
 * fields are written before the file has a name, and never again. */
struct fp_shm_header {
    alignas(FP_SHM_LINE) uint64_t magic;
    uint64_t layout;
    uint64_t lanes;
    uint64_t units; /* of each lane */
    uint64_t most;  /* bytes of the largest record */
    uint64_t limit; /* most records at a time; 0: as many as fit */
    uint64_t made;  /* fp_now(): with the inode, which may be used again, it names the segment */
    uint64_t spare;
    alignas(FP_SHM_LINE) fp_sync_u64 state; /* FP_SHM_CLOSED … */
    fp_sync_u64 used; /* lanes that ever had an owner come before this one */
    fp_sync_u64 numbers; /* of processes that were drawn */
    alignas(FP_SHM_LINE) struct fp_shm_event items; /* for readers */
    alignas(FP_SHM_LINE) fp_sync_u64 turn; /* who counts the records, to write one more */
    struct fp_shm_event room; /* for writers, if there is a limit */
};

struct fp_shm_lane {
    alignas(FP_SHM_LINE) fp_sync_u64 tail;
    fp_sync_u64 owner;
    alignas(FP_SHM_LINE) fp_sync_u64 head;
    fp_sync_u64 reader;
    alignas(FP_SHM_LINE) struct fp_shm_event room; /* for the owner's threads */
    alignas(FP_SHM_LINE) fp_sync_u64 spare;
};

#define FP_SHM_CLOSED ((uint64_t)1)
#define FP_SHM_DISCARDING ((uint64_t)2)

/* What a process has of a segment; fp_shm_member.c. */
struct fp_shm_member {
    struct fp_shm_header *shared;
    struct fp_shm_lane *lane;
    size_t bytes;                                 /* of the mapping */
    uint64_t lanes, units, most, limit;           /* as checked */
    uint64_t device, inode, made;                 /* which segment */
    char path[sizeof FP_SHM_FOLDER + FP_SHM_MOST_NAME + 1]; /* which it had once */
    fp_sync_u64 fd;                               /* for fp__shm_fd */
    struct fp_process me;
    struct fp_spsc_bytes_reader *readers; /* one for each lane, for who holds `reader` */
    struct fp_spsc_bytes_writer writer; /* for who holds `writing` */
    fp_sync_u64 mine; /* the lane written to, or FP_SHM_NO_LANE */
    fp_sync_u64 writing; /* the thread (fp_thread.h) that is using the lane, 0: none */
    fp_sync_u64 next; /* lane to look at first */
    fp_sync_u64 known; /* 1 + a lane that had more, 0: none */
    fp_sync_u64 checked; /* when owners were last looked after */
    fp_sync_u64 open; /* handles that were not released; changed under the table's lock */
    uint64_t handles; /* the table's, as the next one */
    struct fp_shm_member *after;
};

/* A handle. */
struct fp_shm {
    struct fp_shm_member *member;
    uint64_t lanes, units, most, limit; /* the member's */
    fp_sync_u64 released; /* 1: no more use */
    fp_sync_u64 put_waits, get_waits;
};

#define FP_SHM_NO_LANE UINT64_MAX

struct fp_shm_options {
    uint64_t capacity; /* bytes of each lane; rounded up to what is possible */
    uint64_t most; /* bytes of the largest record; UINT64_MAX: what capacity allows */
    uint64_t lanes;
    uint64_t limit;
};

/* Why there is no handle; errno tells more for the first. */
enum fp_shm_fault {
    FP_SHM_FINE = 0,
    FP_SHM_SYSTEM, /* errno */
    FP_SHM_NO_PROC, /* /proc cannot be read, which making one takes */
    FP_SHM_GEOMETRY, /* options that are impossible */
    FP_SHM_FOREIGN, /* belongs to another user */
    FP_SHM_NOT_OURS, /* not a file, not a segment, or of another version */
    FP_SHM_BROKEN /* header and size contradict each other */
};

/* Makes a segment; nobody sees it before it is complete. `name` has no slash and is at most
 * FP_SHM_MOST_NAME bytes long. EEXIST: there is one. */
enum fp_shm_fault fp_shm_create(struct fp_shm *h, const char *name,
                                const struct fp_shm_options *options);
/* `anyone`: also one that belongs to another user. ENOENT: there is none. */
enum fp_shm_fault fp_shm_attach(struct fp_shm *h, const char *name, bool anyone);
/* Removes the name; handles remain usable. 0 or errno. */
int fp_shm_unlink(const char *name);

/* Does any process have it, of whatever user or namespace? In cases of doubt (it may not be
 * opened), yes; errno. */
bool fp_shm_is_used(const char *name);
/* Removes the name if it is that inode's, and no process has it, nor comes to have it meanwhile. 0
 * or errno; EBUSY: some process has it. */
int fp_shm_remove_unused(const char *name, uint64_t inode);

/* No more calls but the last one; with the last handle of the process its lane is given back.
 * `fp_shm_detach`: nobody uses the handle. */
void fp_shm_release(struct fp_shm *h);
void fp_shm_detach(struct fp_shm *h);

/* Writing. -------------------------------------------------------------------------------------
 * FP_OK; FP_FULL; FP_BUSY (another thread is at it, or counting); FP_CLOSED; FP_TOO_LARGE;
 * FP_NOT_OWNER: this thread has a reservation; FP_FAILED: all lanes have living owners;
 * FP_NO_MEMORY: none left for the lane (or no descriptor); FP_DAMAGED. */

struct fp_shm_part {
    const void *start;
    uint64_t size;
};

/* A record of some parts, one after the other. */
enum fp_status fp_shm_put(struct fp_shm *h, const struct fp_shm_part *parts, size_t count);

/* A record of each part. As many as fit are published at once; `done`: how many. */
enum fp_status fp_shm_put_many(struct fp_shm *h, const struct fp_shm_part *records, size_t count,
                               size_t *done);

/* Room for a record, to be filled in place (only without a limit). The lane is this thread's until
 * commit, which may make the record smaller, or abort. */
enum fp_status fp_shm_reserve(struct fp_shm *h, uint64_t size, void **where);
enum fp_status fp_shm_commit(struct fp_shm *h, uint64_t size);
void fp_shm_abort(struct fp_shm *h);

/* Reading. -------------------------------------------------------------------------------------
 * Peek holds the lane of the record, which remains in place: go on with next, and end with accept
 * or reject. FP_OK; FP_EMPTY; FP_BUSY: others are reading all there is; FP_CLOSED (drained);
 * FP_DAMAGED. */

struct fp_shm_view {
    uint64_t lane;
    uint64_t forks; /* whose view it is */
    const void *start;
    uint64_t size;
};

enum fp_status fp_shm_peek(struct fp_shm *h, struct fp_shm_view *v);
/* Takes the record, and peeks at the next one of the same lane. False: there is none. */
bool fp_shm_next(struct fp_shm *h, struct fp_shm_view *v);
/* Takes the record and all before it: they are gone. Reject: only those before it. */
void fp_shm_accept(struct fp_shm *h, struct fp_shm_view *v);
void fp_shm_reject(struct fp_shm *h, struct fp_shm_view *v);

/* Waiting. -------------------------------------------------------------------------------------
 * As fp_wait: repeats the operation while it says FULL, EMPTY, BUSY or NOT_YET. */
enum fp_status fp_shm_wait(struct fp_shm *h, bool writer, const struct fp_attempt *op,
                           int64_t deadline, const struct fp_host *host);

/* Takes away what dead processes hold; at most every 10 ms. True: something was. */
bool fp_shm_rescue(struct fp_shm *h);

/* Anyone. -------------------------------------------------------------------------------------- */

/* Nothing is written any more. discard: nor read. */
void fp_shm_close(struct fp_shm *h, bool discard);
bool fp_shm_is_closed(struct fp_shm *h);
bool fp_shm_is_discarding(struct fp_shm *h);
/* Records to be read; the lanes are counted one after the other, and the sum is at most the limit.
 * While nobody writes it is no less than what there is at the end. */
uint64_t fp_shm_records(struct fp_shm *h);

/* Would a record of the largest size find room now? Changes nothing: no lane is taken to know. */
bool fp_shm_has_room(struct fp_shm *h);

/* The number of forks that led to this process, and whether what was started with such a number
 * (fp_shm_view) is this process's. */
uint64_t fp_shm_forks(void);
bool fp_shm_is_from_here(uint64_t forks);

#endif
