// boost_spsc.cc - boost::lockfree::spsc_queue.
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <new>

typedef boost::lockfree::spsc_queue<std::uint64_t> Queue;

static void *queue_make(std::uint64_t capacity) { return new (std::nothrow) Queue(capacity); }
static inline bool queue_put(void *q, std::uint64_t item) {
    return static_cast<Queue *>(q)->push(item);
}
static inline bool queue_get(void *q, std::uint64_t *item) {
    return static_cast<Queue *>(q)->pop(*item);
}

#include "drive.h"
