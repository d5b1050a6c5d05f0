# The rings: SPSCRing over fp_spsc, MPMCRing over fp_mpmc.


cdef uint64_t to_capacity(object capacity) except 0:
    return to_size(capacity, "capacity", INT64_MAX // 32)


cdef class MPMCRing(QueueWithState):
    """MPMCRing(capacity)

    Bounded FIFO ring for any number of threads: exactly `capacity` items (1 or more).

    Each operation takes effect at one instant between call and return; Full and Empty were true at
    one such instant.

    Errors: puts raise Full, gets raise Empty, if they could not go on in time; puts raise ShutDown
        after shutdown(), gets once the ring is drained. ValueError: a capacity below 1, a negative
        timeout. MemoryError: no memory for the slots, when the ring is made.
    Complexity: O(1) for each item; 16 bytes a slot (64 where it is not lock-free), all allocated
        when the ring is made.
    Progress: put and get are lock-free on targets with a 16-byte compare-and-swap (build_info()
        tells): a thread suspended at any point stops no other. On other targets a thread suspended
        inside an operation stops the threads that reach its slot.
    Source: the family of Shann, Huang and Chen (2000) and of Colvin and Groves (2005), with the
        stamps of crossbeam's ArrayQueue; without that compare-and-swap, Vyukov's bounded queue.
        csrc/queues/fp_mpmc.h.
    Example:
        >>> from fastprims import MPMCRing
        >>> ring = MPMCRing(2)
        >>> ring.put_many("abc", block=False), ring.maxsize
        (2, 2)
        >>> ring.try_put("d")
        False
        >>> ring.shutdown()
        >>> ring.get_many(10), ring.is_shutdown
        (['a', 'b'], True)
    """

    cdef Layout layout

    def __init__(self, capacity):
        self.check_new()
        self.adopt(_core.fp_mpmc_create(to_capacity(capacity)), &_core.fp_mpmc_ops)


cdef void* spsc_of(BaseQueue ring) except NULL:
    ring.check_open()  # raises if there is no ring
    return ring.core


cdef class SPSCRing(QueueWithState):
    """SPSCRing(capacity)

    Bounded FIFO ring from one producer thread to one consumer thread: exactly `capacity` items
    (1 or more).

    The first thread that puts owns the producer's role, the first that gets the consumer's (one
    thread may have both). Another thread gets RuntimeError until the owner has handed the role
    over with release_producer() or release_consumer(). shutdown(), qsize() and the like may be
    called by any thread. If the caller of shutdown(immediate=True) isn't the consumer, the
    consumer's next call releases the dropped items.

    Errors: RuntimeError: a call of a thread that does not have the role. Puts raise Full, gets
        raise Empty, if they could not go on in time; puts raise ShutDown after shutdown(), gets
        once the ring is drained. ValueError: a capacity below 1, a negative timeout. MemoryError:
        no memory for the slots, when the ring is made.
    Complexity: O(1) for each item; 8 bytes a slot, all allocated when the ring is made.
    Progress: try_put, try_get and the other calls that don't wait are wait-free: a bounded number
        of steps, whatever the other side does.
    Source: Lamport's ring (1977) with cached indices, as in Rigtorp's SPSCQueue;
        csrc/queues/fp_spsc.h.
    Example:
        >>> from fastprims import SPSCRing
        >>> ring = SPSCRing(2)
        >>> ring.try_put("a"), ring.try_get(), ring.maxsize, ring.is_shutdown
        (True, 'a', 2, False)
        >>> ring.release_producer()  # now another thread may put
        >>> ring.release_consumer()  # and another one get
    """

    cdef Layout layout

    def __init__(self, capacity):
        self.check_new()
        self.adopt(_core.fp_spsc_create(to_capacity(capacity)), &_core.fp_spsc_ops)

    cdef int raise_for_status(self, fp_status status) except -1:
        if status == _core.FP_CLOSED:
            self.clear()  # the items that shutdown(immediate=True) left to the consumer, if any
        return BaseQueue.raise_for_status(self, status)

    def release_producer(self, *, force=False):
        """Give the producer's role back: the next thread that puts gets it. Raises RuntimeError if
        another thread has it. force=True takes it from that thread: only for a thread that has
        ended or will certainly not use the ring again.
        """
        check_role(self, "producer", _core.fp_spsc_release_producer(
            spsc_of(self), _core.fp_thread_serial(), to_bool(force, "force")))

    def release_consumer(self, *, force=False):
        """Give the consumer's role back, as release_producer()."""
        check_role(self, "consumer", _core.fp_spsc_release_consumer(
            spsc_of(self), _core.fp_thread_serial(), to_bool(force, "force")))


fp_publish(MPMCRing, "fastprims.MPMCRing", HOT_METHODS)
fp_publish(SPSCRing, "fastprims.SPSCRing", HOT_METHODS)
