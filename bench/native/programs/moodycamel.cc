// moodycamel.cc - moodycamel::ConcurrentQueue. No bound, and FIFO for each producer only.
#include <concurrentqueue/concurrentqueue.h>
#include <cstdint>
#include <new>

typedef moodycamel::ConcurrentQueue<std::uint64_t> Queue;

static void *queue_make(std::uint64_t capacity) { return new (std::nothrow) Queue(capacity); }
static inline bool queue_put(void *q, std::uint64_t item) {
    return static_cast<Queue *>(q)->enqueue(item);
}
static inline bool queue_get(void *q, std::uint64_t *item) {
    return static_cast<Queue *>(q)->try_dequeue(*item);
}

#include "drive.h"
