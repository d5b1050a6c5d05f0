# The declarations of csrc/ that the Cython modules use. The contracts are in the headers.

from libc.stdint cimport int64_t, uint32_t, uint64_t

ctypedef int (*fp_less)(uint64_t, uint64_t) noexcept
ctypedef int (*fp_item_visitor)(uint64_t item, void* arg) noexcept

cdef extern from "base/fp_config.h" nogil:
    enum: FP_CACHELINE
    enum: FP_PLAIN
    enum: FP_CAS16
    ctypedef bint fp_bool "bool"
    enum fp_status:
        FP_OK
        FP_FULL
        FP_EMPTY
        FP_CLOSED
        FP_NOT_OWNER
        FP_NO_MEMORY
        FP_TIMED_OUT
        FP_INTERRUPTED
        FP_BUSY
        FP_FAILED
        FP_TOO_LARGE
        FP_DAMAGED
        FP_MOVED
        FP_NOT_YET
        FP_RETRY
        FP_REENTERED
    bint FP_LIKELY(bint)
    bint FP_UNLIKELY(bint)

cdef extern from "base/fp_atomic.h" nogil:
    ctypedef struct fp_sync_u64:
        pass
    uint64_t fp_sync_u64_load_seq_cst(fp_sync_u64*)
    uint64_t fp_sync_u64_load_acquire(fp_sync_u64*)
    uint64_t fp_sync_u64_load_relaxed(fp_sync_u64*)
    void fp_sync_u64_store_relaxed(fp_sync_u64*, uint64_t)
    void fp_sync_u64_store_release(fp_sync_u64*, uint64_t)
    void fp_sync_u64_store_seq_cst(fp_sync_u64*, uint64_t)
    bint fp_sync_u64_cas_seq_cst(fp_sync_u64*, uint64_t*, uint64_t)
    uint64_t fp_sync_u64_fetch_add_relaxed(fp_sync_u64*, uint64_t)
    uint64_t fp_sync_u64_fetch_add_seq_cst(fp_sync_u64*, uint64_t)
    ctypedef struct fp_u64:
        pass
    uint64_t fp_u64_load_relaxed(fp_u64*)
    uint64_t fp_u64_fetch_add_relaxed(fp_u64*, uint64_t)
    ctypedef struct fp_ptr:
        pass
    void* fp_ptr_load_acquire(fp_ptr*)
    void fp_ptr_store_release(fp_ptr*, void*)

cdef extern from "base/fp_mem.h" nogil:
    void* fp_mem_alloc(size_t)
    void fp_mem_free(void*, size_t)

cdef extern from "base/fp_park.h" nogil:
    const int64_t FP_FOREVER
    int64_t fp_now()
    unsigned fp_cpu_count()
    const char* fp_park_name()

cdef extern from "wait/fp_event.h" nogil:
    struct fp_event:
        fp_sync_u64 waits
    uint32_t fp_event_waiters(fp_event*)
    bint fp_event_has_listeners(fp_event*)
    void fp_event_notify(fp_event*)
    void fp_event_notify_all(fp_event*)

cdef extern from "wait/fp_listener.h":
    enum fp_listener_place:
        FP_LISTENER_IDLE
        FP_LISTENER_LISTED
        FP_LISTENER_CHOSEN
    struct fp_listener:
        fp_listener* next
        fp_event* event
        fp_bool (*notify)(fp_listener*) noexcept
        void* context
        void* owner
    ctypedef int (*fp_listener_visitor)(fp_listener*, void*) noexcept
    void fp_event_listen(fp_event*, fp_listener*, bint)
    bint fp_event_unlisten(fp_listener*)
    fp_listener* fp_event_drop_listeners(fp_event*)
    int fp_event_visit_listeners(fp_event*, fp_listener_visitor, void*)
    fp_listener_place get_place "fp_listener_place"(fp_listener*)

cdef extern from "wait/fp_wait.h":
    struct fp_host:
        void* (*before_sleep)() noexcept
        void (*after_sleep)(void*) noexcept
        fp_bool (*interrupted)() noexcept
        unsigned spin
        int64_t watch
        int64_t settle
    struct fp_attempt:
        fp_status (*run)(void*) noexcept
        fp_bool (*more)(void*) noexcept
        void* arg
    fp_status fp_wait(fp_event*, const fp_attempt*, int64_t, const fp_host*)

cdef extern from "wait/fp_hub.h":
    const uint64_t FP_HUB_CLOSED
    const uint64_t FP_HUB_AWAY
    struct fp_hub:
        int read_fd
    fp_status fp_hub_open(fp_hub*)
    void fp_hub_open_for_thread(fp_hub*)
    fp_status fp_hub_wait(fp_hub*, int64_t, const fp_host*)
    fp_bool fp_hub_notify(fp_listener*)
    void fp_hub_clear(fp_hub*)
    fp_listener* fp_hub_take(fp_hub*)
    void fp_hub_return(fp_listener*)
    void fp_hub_own(fp_hub*)
    bint fp_hub_has_due(fp_hub*)
    void fp_hub_set_away(fp_hub*, bint)
    uint64_t fp_hub_state(fp_hub*)
    void fp_hub_close(fp_hub*)
    void fp_hub_end(fp_hub*)
    int fp_hub_visit(fp_hub*, fp_listener_visitor, void*)

cdef extern from "wait/fp_lock.h":
    struct fp_lock:
        fp_event released
    void fp_lock_init(fp_lock*)
    fp_status fp_lock_acquire(fp_lock*, uint64_t, const fp_host*)
    void fp_lock_release(fp_lock*)

cdef extern from "base/fp_thread.h" nogil:
    uint64_t fp_thread_serial()
    uint64_t fp_thread_forks()
    void fp_thread_watch_forks()

cdef extern from "queues/fp_queue.h":
    const uint64_t FP_UNBOUNDED
    struct fp_queue_ops:
        fp_status (*put)(void*, uint64_t) noexcept
        fp_status (*get)(void*, uint64_t*) noexcept
        fp_status (*put_many)(void*, const uint64_t*, size_t, size_t*) noexcept
        fp_status (*get_many)(void*, uint64_t*, size_t, size_t*) noexcept
        fp_status (*discard)(void*, uint64_t*, size_t, size_t*) noexcept
        fp_status (*close)(void*, fp_bool) noexcept
        fp_bool (*is_closed)(void*) noexcept
        uint64_t (*limit)(void*) noexcept
        void (*count)(void*, uint64_t*, uint64_t*) noexcept
        int (*visit)(void*, fp_item_visitor, void*) noexcept
        size_t (*memory)(void*) noexcept
        fp_event* (*not_empty)(void*) noexcept
        fp_event* (*not_full)(void*) noexcept
        void (*abandon)(void*, fp_bool) noexcept
        void (*destroy)(void*) noexcept
        void (*set_limit)(void*, uint64_t) noexcept
        fp_status (*move)(void*) noexcept
        fp_status (*end_move)(void*, bint) noexcept
        fp_bool calls_host
    const fp_queue_ops fp_no_queue_ops
    const fp_queue_ops fp_segq_ops, fp_mpmc_ops, fp_spsc_ops, fp_ordered_ops
    void* fp_segq_create(uint64_t limit)
    void* fp_mpmc_create(uint64_t capacity)
    void* fp_spsc_create(uint64_t capacity)
    void* fp_ordered_create(fp_less, const fp_host*)

cdef extern from "queues/fp_segq.h":
    fp_status fp_segq_put(void*, uint64_t)

cdef extern from "queues/fp_ordered.h":
    bint fp_ordered_compares(void*)

cdef extern from "queues/fp_spsc.h":
    fp_status fp_spsc_release_producer(void*, uint64_t, bint)
    fp_status fp_spsc_release_consumer(void*, uint64_t, bint)

cdef extern from "queues/fp_channel.h":
    enum fp_drop_reason:
        FP_DROP_FULL
        FP_DROP_NEWEST
        FP_DROP_OLDEST
        FP_DROP_OVERSIZED
        FP_DROP_RATE
        FP_DROP_SHUTDOWN
        FP_DROPS
    struct fp_channel:
        fp_bool evicts
        fp_event token_event
    const fp_queue_ops fp_channel_ops
    fp_channel* fp_channel_create(uint64_t limit, fp_bool evicts, fp_bool gated)
    fp_status fp_channel_set_rate(fp_channel*, double rate, uint64_t burst)
    fp_status fp_channel_pace(fp_channel*, int64_t, const fp_host*)
    int64_t fp_channel_delay(fp_channel*)
    fp_status fp_channel_store(fp_channel*, uint64_t)
    size_t fp_channel_trim(fp_channel*, uint64_t*, size_t)
    void fp_channel_count_drop(fp_channel*, fp_drop_reason, uint64_t)
    uint64_t fp_channel_drops(fp_channel*, int)
    fp_bool fp_channel_begin_report(fp_channel*, uint64_t, fp_bool, uint64_t*)
    void fp_channel_tell(fp_channel*, const uint64_t*, int64_t)
    fp_bool fp_channel_end_report(fp_channel*)

cdef extern from "reclaim/fp_lineage.h":
    struct fp_lineage:
        pass
    struct fp_version:
        fp_sync_u64 hash
    uint64_t fp_lineage_generation()
    void fp_lineage_hold(fp_lineage*)
    void fp_lineage_drop(fp_lineage*)
    void fp_lineage_collect()
    void fp_version_retain(fp_version*)
    void fp_version_release(fp_version*)

cdef extern from "maps/fp_ctrie.h":
    struct fp_ctrie_host:
        pass
    struct fp_ctrie:
        fp_lineage line
    enum fp_ctrie_mode:
        FP_CTRIE_STORE
        FP_CTRIE_ADD
        FP_CTRIE_REPLACE
        FP_CTRIE_REMOVE
    struct fp_ctrie_change_t "fp_ctrie_change":
        fp_ctrie_mode mode
        uint32_t hash
        uint64_t key, value, expected
        fp_bool wants_old
        fp_bool changed, found
        uint64_t old, old_key
    struct fp_ctrie_walk:
        int depth
    uint32_t fp_ctrie_hash(uint64_t)
    fp_ctrie* fp_ctrie_create(const fp_ctrie_host*, fp_version*)
    void fp_ctrie_end(fp_ctrie*)
    fp_status fp_ctrie_get(fp_ctrie*, uint64_t, uint32_t, uint64_t*)
    fp_status fp_ctrie_version_get(fp_version*, uint64_t, uint32_t, uint64_t*)
    enum:
        FP_CTRIE_GROUP
    void fp_ctrie_fetch(fp_ctrie*, const uint32_t*, size_t)
    void fp_ctrie_version_fetch(fp_version*, const uint32_t*, size_t)
    fp_status fp_ctrie_change(fp_ctrie*, fp_ctrie_change_t*)
    fp_status fp_ctrie_pop(fp_ctrie*, fp_ctrie_change_t*)
    fp_status fp_ctrie_clear(fp_ctrie*)
    fp_version* fp_ctrie_snapshot(fp_ctrie*)
    fp_status fp_ctrie_size(fp_ctrie*, uint64_t*)
    fp_status fp_ctrie_version_size(fp_version*, uint64_t*)
    void fp_ctrie_walk_start(fp_ctrie_walk*, fp_version*)
    fp_status fp_ctrie_walk_next(fp_ctrie_walk*, uint64_t*, uint64_t*, fp_bool)
    size_t fp_ctrie_memory(fp_version*)

cdef extern from "maps/fp_topic.h":
    struct fp_topic_host:
        pass
    enum fp_topic_fault:
        FP_TOPIC_GOOD
        FP_TOPIC_NOTHING
        FP_TOPIC_EMPTY_TOKEN
        FP_TOPIC_NUL
        FP_TOPIC_SPACE
        FP_TOPIC_TOO_LONG
        FP_TOPIC_PART
        FP_TOPIC_NOT_LAST
        FP_TOPIC_NOT_LITERAL
    enum:
        FP_TOPIC_SYNTAXES
    struct fp_topic_syntax:
        const char* name
        fp_bool hides_dollar
        char separator, one, rest
    struct fp_topic:
        fp_lineage line
    struct fp_memory:
        pass
    struct fp_words:
        size_t count
    struct fp_topic_counts:
        uint64_t subscriptions, patterns
    const size_t FP_TOPIC_BYTES
    const fp_topic_syntax fp_topic_syntaxes[3]
    fp_topic_fault fp_topic_check(const fp_topic_syntax*, const char*, size_t, fp_bool)
    fp_topic* fp_topic_create(const fp_topic_host*, const fp_topic_syntax*)
    void fp_topic_end(fp_topic*)
    fp_status fp_topic_subscribe(fp_topic*, const char*, size_t, uint64_t, uint64_t*)
    fp_status fp_topic_unsubscribe(fp_topic*, const char*, size_t, uint64_t)
    fp_status fp_topic_match(fp_topic*, const char*, size_t, fp_words*)
    fp_status fp_topic_version_match(fp_version*, const char*, size_t, fp_words*)
    fp_version* fp_topic_snapshot(fp_topic*)
    fp_bool fp_topic_count(fp_topic*, fp_topic_counts*)
    fp_topic_counts fp_topic_version_count(fp_version*)
    size_t fp_topic_memory(fp_version*)
    void fp_words_init(fp_words*, const fp_memory*)
    void fp_words_free(fp_words*)
