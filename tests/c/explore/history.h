/* history.h - what the threads of one schedule did to a queue, and whether a sequential queue
 * could have answered the same (linearizability, Wing and Gong's search). */
#ifndef HISTORY_H
#define HISTORY_H

#include "base/fp_config.h"

enum call_kind { CALL_PUT, CALL_GET, CALL_CLOSE, CALL_COUNT, CALL_LIMIT };

enum order { OLDEST_FIRST, NEWEST_FIRST, PRIORITY_FIRST /* the least number */ };

enum { MOST_CALLS = 24, MOST_TAKEN = 4 };

struct call {
    enum call_kind kind;
    enum fp_status status;
    uint64_t item[MOST_TAKEN]; /* put: one; get: `taken` items, adjacent; count: puts, gets */
    int taken;
    unsigned begin, end; /* moments */
    int after;           /* index of a call that comes before this one in any case, or -1 */
};

struct history {
    struct call call[MOST_CALLS];
    int count;
    uint64_t limit;
    enum order order;
    bool evicts; /* a put into a full queue drops the oldest item */
};

struct call *history_add(struct history *h, enum call_kind kind, unsigned begin);
bool history_is_linearizable(const struct history *h);
void history_print(const struct history *h);

#endif
