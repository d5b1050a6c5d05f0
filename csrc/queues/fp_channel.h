/* fp_channel.h - a bounded FIFO queue that can make room by dropping its oldest items, counts the
 * drops by reason, and decides which thread reports them, and when.
 *
 * It is an fp_segq; a put that finds room is a put of that queue, and nothing else. What is added:
 *
 * Dropping the oldest. A put that finds no room puts its item behind the others nevertheless
 * (force), and then takes the oldest items away as long as more than `limit` stand (trim). A trim
 * takes the item at position i away only by a swap of deq from i to i + 1, and only after more than
 * i + limit items had been put: then, and only then, there is one too many. Looking first and
 * taking afterwards would drop items for which a get had made room in between. Taking before
 * putting would drop one for nothing if the put then failed.
 *
 *   content   positions head .. min(tail, head + limit) - 1. What stands behind was put but does
 *             not count yet. No thread can see it: a get takes at the head, and `count` leaves it
 *             out.
 *   put at t  takes effect at the first moment at which the slot is filled and head > t - limit:
 *             at its own swap if there was room; otherwise when the head moves beyond t - limit.
 *             If a trim moves the head, the oldest item goes at the very moment at which the new
 *             one comes, and there are `limit` items before and after. If a get moves it, the get
 *             comes just before the put, and nothing is dropped.
 *   progress  a trim does the work of all puts that are under way, so no thread waits for a put
 *             that is suspended between force and trim. Lock-free.
 *   closing   a put that was forced before the closing has to count before it, too. So a thread
 *             that closes, or that was told FP_CLOSED, trims before it returns the answer.
 *
 * Memory may hold as many items more than `limit` as there are threads inside of a put.
 *
 * Pacing. A channel may have a rate (fp_gcra.h): each put takes a token first, whether it then
 * finds room or not. A producer that waits for a token sleeps until it is due, on a separate event,
 * since a consumer's news of room is not for such a producer. Closing wakes it.
 *
 * Telling. Counting and telling are apart: a drop adds to a counter; a report takes what was added
 * since the last one. At most one report is under way at a time; begin_report answers whether the
 * caller is to make one now. What it leaves untold goes into a later report. After the closing
 * nothing stays untold: a dropping thread counts the drop, then reads `reporter` (both seq_cst); a
 * reporter that ends clears `reporter`, then reads the counters. One of the two sees the other. A
 * forked child takes over from a reporter that does not exist there.
 *
 * Contract: any thread beside any other; create, set_rate and ops.destroy alone. Everything is
 * lock-free, except that pace may wait. */
#ifndef FP_CHANNEL_H
#define FP_CHANNEL_H

#include "limits/fp_gcra.h"
#include "queues/fp_queue.h"
#include "queues/fp_segq.h"

enum fp_drop_reason {
    FP_DROP_FULL,      /* not stored, for want of room; the caller was told */
    FP_DROP_NEWEST,    /* the same, but the caller was not told */
    FP_DROP_OLDEST,    /* stored, and taken away to make room */
    FP_DROP_OVERSIZED, /* not stored: larger than allowed */
    FP_DROP_RATE,      /* not stored: there were too many lately */
    FP_DROP_SHUTDOWN,  /* stored, and taken away by an immediate shutdown */
    FP_DROPS           /* how many reasons there are */
};

struct fp_channel {
    struct fp_segq q; /* the first member: operations of fp_segq apply */
    bool evicts;      /* a full channel drops its oldest item */
    bool gated;       /* every put takes the long way */
    struct fp_gcra *pace;  /* NULL: no rate */
    struct fp_event token_event; /* for producers that wait for a token; notified by closing only */
    FP_LINE fp_sync_u64 drops[FP_DROPS]; /* only grow */
    fp_sync_u64 told[FP_DROPS]; /* of which were reported; written by the reporter */
    fp_sync_u64 reporter; /* serial number of the thread that reports, 0: none */
    fp_sync_u64 quiet_until; /* no report before this time, unless urgent or closed */
};

extern const struct fp_queue_ops fp_channel_ops;

/* limit >= 1. NULL: out of memory. */
struct fp_channel *fp_channel_create(uint64_t limit, bool evicts, bool gated);

/* From now on at most `burst` puts at once and `rate` a second. FP_OK, FP_NO_MEMORY, FP_FAILED as
 * fp_gcra_init. */
enum fp_status fp_channel_set_rate(struct fp_channel *c, double rate, uint64_t burst);

/* Takes a token of a channel that has a rate. FP_OK; FP_FULL: there is no token, and host is NULL.
 * With a host it waits: FP_TIMED_OUT at once if no token is due by `deadline`, FP_INTERRUPTED,
 * FP_CLOSED; no token was taken then. */
enum fp_status fp_channel_pace(struct fp_channel *c, int64_t deadline, const struct fp_host *host);

/* Nanoseconds until a token is due, of a channel that has a rate: for a host that waits by itself.
 */
int64_t fp_channel_delay(struct fp_channel *c);

/* The short way, ops.put: FP_OK or, with no effect, the answer of fp_segq_put; FP_FULL at once if
 * the channel is gated. */
enum fp_status fp_channel_put(struct fp_channel *c, uint64_t item);

/* The long way, for an item that may enter: FP_OK, FP_FULL (unless the channel evicts), FP_CLOSED,
 * FP_NO_MEMORY. If the channel evicts, the caller then repeats trim until it returns less than its
 * `max`, whatever the answer here was. */
enum fp_status fp_channel_store(struct fp_channel *c, uint64_t item);

/* Takes up to `max` surplus items away, and counts them as dropped; returns how many. */
size_t fp_channel_trim(struct fp_channel *c, uint64_t *items, size_t max);

/* As fp_segq_count, of the content as defined above. */
void fp_channel_count(struct fp_channel *c, uint64_t *puts, uint64_t *gets);

static inline void fp_channel_count_drop(struct fp_channel *c, enum fp_drop_reason reason,
                                         uint64_t n) {
    /* Seq_cst: comes before the load of `reporter` in begin_report; pairs with end_report. */
    fp_sync_u64_fetch_add_seq_cst(&c->drops[reason], n);
}
static inline uint64_t fp_channel_drops(struct fp_channel *c, enum fp_drop_reason reason) {
    return fp_sync_u64_load_relaxed(&c->drops[reason]);
}

/* Is the caller (thread `me`) to make a report now? If so, `news` has what was dropped since the
 * last one, by reason, and the caller has to end the report. False if there is nothing to tell, if
 * another thread is reporting, or if it is too early (unless `urgent` or the channel is closed). */
bool fp_channel_begin_report(struct fp_channel *c, uint64_t me, bool urgent, uint64_t *news);

/* Marks `news` as told. To be called just before the call that tells it, which may run any code. No
 * other report is due within `interval` nanoseconds. */
void fp_channel_tell(struct fp_channel *c, const uint64_t *news, int64_t interval);

/* True: the caller has to begin another report, since no other thread is bound to. */
bool fp_channel_end_report(struct fp_channel *c);

#endif
