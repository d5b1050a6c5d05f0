// tbb.cc - tbb::concurrent_bounded_queue.
#include <cstdint>
#include <new>
#include <tbb/concurrent_queue.h>

typedef tbb::concurrent_bounded_queue<std::uint64_t> Queue;

static void *queue_make(std::uint64_t capacity) {
    Queue *q = new (std::nothrow) Queue;
    if (q)
        q->set_capacity(static_cast<std::ptrdiff_t>(capacity));
    return q;
}
static inline bool queue_put(void *q, std::uint64_t item) {
    return static_cast<Queue *>(q)->try_push(item);
}
static inline bool queue_get(void *q, std::uint64_t *item) {
    return static_cast<Queue *>(q)->try_pop(*item);
}

#include "drive.h"
