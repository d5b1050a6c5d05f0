/* fp_shm.h - FIFO queue of byte records between processes, each of which may be killed at any
 * point.
 *
 * A segment is a file of shared memory: a header, and a number of lanes (fp_spsc_bytes.h). Each
 * process that writes takes a lane at its first write, and owns it exclusively; readers go round
 * the lanes. So the records of one writer come in order, those of different writers in any order.
 *
 * A process is one member of a segment, however many handles it has: they share its mapping, its
 * number (fp_process.h) and its lane. With the last handle the lane is given back. If it holds
 * records that no reader has taken yet, the process remembers it. When the process comes again, it
 * goes on with that lane, or waits until those records are gone: so its records stay in order.
 * Other processes take such a lane last.
 *
 * Single words say which process owns what. Each holds the number of a process, or 0: a lane's
 * `owner` may write to it, its `reader` is reading a record of it now, and `turn` (only if there is
 * a limit) is counting the records. A process takes a word by a compare-and-swap from 0 and gives
 * it back by a store of 0. Any process may take a word away from a process that has gone, and need
 * not repair anything: a lane is always as its two words say. A word is never taken away from a
 * process that lives, however long it is stopped: it might go on. A process that executes another
 * program has gone.
 *
 * What a killed process takes with it:
 *   writer   the records that it had not published
 *   reader   nothing, or the records that it had taken completely: a record is there for other
 *            readers until the store of the head, the last step of taking
 *   any      the news of what it did last: others look by themselves every FP_SHM_EVENT_SLICE
 * What a stopped process stops: for other readers, the lane that it was reading at that moment; its
 * own lane, which no other process writes to; and, with a limit, all other writers, if it was
 * stopped within the few instructions in which it held `turn`.
 *
 * Trust. The geometry is read once, checked against the size of the file, and kept privately.
 * fp_spsc_bytes checks the words of the lanes. An owner word decides only which process waits for
 * which. A process that may write to the segment can lose records, or keep others waiting, but not
 * make them touch memory outside. (It can truncate the file, which no check can see. So the segment
 * is for the processes of one user, mode 0600, and attaching refuses files of other users unless
 * asked.)
 *
 * Closing is as in fp_spsc_bytes.h, lane by lane; a reader that sees the state closed closes the
 * remaining lanes.
 *
 * Within a process any thread may use any handle. A forked child is a separate process, with the
 * handles that it inherits. It has no lane, and operations that the parent was in the middle of
 * remain the parent's. Linux only.
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
    fp_sync_u64 used; /* all lanes that ever had an owner come before this one */
    fp_sync_u64 numbers; /* the last process number that was drawn */
    alignas(FP_SHM_LINE) struct fp_shm_event items; /* for readers */
    alignas(FP_SHM_LINE) fp_sync_u64 turn; /* the process that counts the records, to write one */
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

/* A process's part of a segment; fp_shm_member.c. */
struct fp_shm_member {
    struct fp_shm_header *shared;
    struct fp_shm_lane *lane;
    size_t bytes;                                 /* of the mapping */
    uint64_t lanes, units, most, limit;           /* as checked */
    uint64_t device, inode, made;                 /* which segment */
    char path[sizeof FP_SHM_FOLDER + FP_SHM_MOST_NAME + 1]; /* that it had when it was opened */
    fp_sync_u64 fd;                               /* for fp__shm_fd */
    struct fp_process me;
    struct fp_spsc_bytes_reader *readers; /* one for each lane, for the holder of `reader` */
    struct fp_spsc_bytes_writer writer; /* for the holder of `writing` */
    fp_sync_u64 mine; /* the lane written to, or FP_SHM_NO_LANE */
    fp_sync_u64 writing; /* the thread (fp_thread.h) that is using the lane, 0: none */
    fp_sync_u64 next; /* lane to look at first */
    fp_sync_u64 known; /* 1 + a lane that had more, 0: none */
    fp_sync_u64 checked; /* when the last rescue looked for dead owners */
    fp_sync_u64 open; /* handles that were not released; changed under the table's lock */
    uint64_t handles; /* under the table's lock, as the next one */
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

/* Why there is no handle; for FP_SHM_SYSTEM errno tells more. */
enum fp_shm_fault {
    FP_SHM_FINE = 0,
    FP_SHM_SYSTEM, /* errno */
    FP_SHM_NO_PROC, /* /proc cannot be read, which making a segment takes */
    FP_SHM_GEOMETRY, /* options that are impossible */
    FP_SHM_FOREIGN, /* belongs to another user */
    FP_SHM_NOT_OURS, /* not a file, not a segment, or of another version */
    FP_SHM_BROKEN /* header and size contradict each other */
};

/* Makes a segment; no other process sees it before it is complete. `name` has no slash and is at
 * most FP_SHM_MOST_NAME bytes long. EEXIST: there is a segment of that name. */
enum fp_shm_fault fp_shm_create(struct fp_shm *h, const char *name,
                                const struct fp_shm_options *options);
/* Attaches a segment. `anyone`: also one that belongs to another user. ENOENT: there is none. */
enum fp_shm_fault fp_shm_attach(struct fp_shm *h, const char *name, bool anyone);
/* Removes the name; handles remain usable. 0 or errno. */
int fp_shm_unlink(const char *name);

/* Does any process have the segment, of whatever user or namespace? In cases of doubt (it may not
 * be opened), yes; errno. */
bool fp_shm_is_used(const char *name);
/* Removes the name if it is that inode's, and no process has the segment, nor comes to have it
 * meanwhile. 0 or errno; EBUSY: some process has it. */
int fp_shm_remove_unused(const char *name, uint64_t inode);

/* Release ends the use of the handle: waiting and later puts and peeks answer FP_CLOSED, and only
 * fp_shm_detach is still to be called. With the last handle of the process its lane is given back.
 * Detach: no thread uses the handle any more. */
void fp_shm_release(struct fp_shm *h);
void fp_shm_detach(struct fp_shm *h);

/* Writing. -------------------------------------------------------------------------------------
 * FP_OK; FP_FULL; FP_BUSY (another thread is writing, or a process counting); FP_CLOSED;
 * FP_TOO_LARGE; FP_NOT_OWNER: this thread has a reservation; FP_FAILED: all lanes have living
 * owners; FP_NO_MEMORY: no memory is left for the lane (or no descriptor); FP_DAMAGED. */

struct fp_shm_part {
    const void *start;
    uint64_t size;
};

/* Writes one record, which consists of the parts, one after the other. */
enum fp_status fp_shm_put(struct fp_shm *h, const struct fp_shm_part *parts, size_t count);

/* Writes a record of each part. As many as fit are published at once; `done`: how many. */
enum fp_status fp_shm_put_many(struct fp_shm *h, const struct fp_shm_part *records, size_t count,
                               size_t *done);

/* Room for a record, to be filled in place (only without a limit). This thread owns the lane
 * exclusively until commit, which may make the record smaller, or abort. */
enum fp_status fp_shm_reserve(struct fp_shm *h, uint64_t size, void **where);
enum fp_status fp_shm_commit(struct fp_shm *h, uint64_t size);
void fp_shm_abort(struct fp_shm *h);

/* Reading. -------------------------------------------------------------------------------------
 * Peek holds the lane of the record, which remains in place: go on with next, and end with accept
 * or reject. FP_OK; FP_EMPTY; FP_BUSY: other readers hold every lane that has records; FP_CLOSED
 * (drained); FP_DAMAGED. */

struct fp_shm_view {
    uint64_t lane;
    uint64_t forks; /* which process's view it is: fp_shm_forks() */
    const void *start;
    uint64_t size;
};

enum fp_status fp_shm_peek(struct fp_shm *h, struct fp_shm_view *v);
/* Takes the record, and peeks at the next one of the same lane. False: there is none. */
bool fp_shm_next(struct fp_shm *h, struct fp_shm_view *v);
/* Accept takes the record and all before it: they are gone. Reject takes only those before it. */
void fp_shm_accept(struct fp_shm *h, struct fp_shm_view *v);
void fp_shm_reject(struct fp_shm *h, struct fp_shm_view *v);

/* Waiting. -------------------------------------------------------------------------------------
 * As fp_wait: repeats the operation while it answers FULL, EMPTY or BUSY. */
enum fp_status fp_shm_wait(struct fp_shm *h, bool writer, const struct fp_attempt *op,
                           int64_t deadline, const struct fp_host *host);

/* Takes the words away that dead readers and dead counting writers hold; at most every 10 ms. True:
 * there was one. */
bool fp_shm_rescue(struct fp_shm *h);

/* Anyone. -------------------------------------------------------------------------------------- */

/* From now on nothing is written. discard: nor read. */
void fp_shm_close(struct fp_shm *h, bool discard);
bool fp_shm_is_closed(struct fp_shm *h);
bool fp_shm_is_discarding(struct fp_shm *h);
/* Records to be read. The lanes are counted one after the other; the sum is at most the limit. If
 * no process writes meanwhile, it is no less than the number of records at the end of the call. */
uint64_t fp_shm_records(struct fp_shm *h);

/* Would a record of the largest size find room now? Changes nothing: it takes no lane to know. */
bool fp_shm_has_room(struct fp_shm *h);

/* The number of forks that led to this process; and whether an operation that began with such a
 * number (fp_shm_view) belongs to this process. */
uint64_t fp_shm_forks(void);
bool fp_shm_is_from_here(uint64_t forks);

#endif
