# SimpleQueue over fp_segq.


# The largest bound. A larger maxsize becomes this one, and not FP_UNBOUNDED, since only a put into
# a queue with a bound checks its time-out.
MOST = _core.FP_UNBOUNDED - 1


cdef uint64_t to_limit(object maxsize) except 0:
    """The bound for a `maxsize`; FP_UNBOUNDED if that is 0 or less."""
    if isinstance(maxsize, float):
        if not maxsize > 0:
            return _core.FP_UNBOUNDED
        value = MOST if maxsize >= MOST else ceil(maxsize)
    else:
        value = to_index(maxsize, "maxsize")
    return min(value, MOST) if value > 0 else _core.FP_UNBOUNDED


cdef class SimpleQueue(QueueWithState):
    """SimpleQueue()

    Unbounded FIFO queue for any number of threads; drop-in for queue.SimpleQueue, and with the
    rest of the queue protocol.

    put and get may be called from __del__, weakref callbacks and signal handlers. Each takes effect
    at one instant between call and return. `put` never waits; its `block` and `timeout` are
    ignored.

    Errors: gets raise Empty if no item came in time; puts raise ShutDown after shutdown(), gets
        once the queue is drained. ValueError: a negative timeout. MemoryError: no memory for a
        segment.
    Complexity: O(1) for each item; 8 bytes an item, in segments that are freed as it shrinks.
    Progress: lock-free (a thread suspended at any point stops no other), except waiting for an
        item.
    Source: segmented array queue with single-use slots, as in Queue; csrc/queues/fp_segq.h.
    Example:
        >>> from fastprims import SimpleQueue
        >>> q = SimpleQueue()
        >>> q.put("a")
        >>> q.get(), q.try_get(), q.maxsize, q.is_shutdown
        ('a', None, 0, False)
    """

    cdef Layout layout

    def __cinit__(self):
        self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def __init__(self):
        pass

    cdef bint truth_of(self, object value, str name) except -1:
        return value

    cdef object get_item(self, bint block, object timeout):
        if block and timeout is not None:
            check_timeout(timeout)
            deadline_of(timeout)  # a time-out too large is refused even if there is an item
        return BaseQueue.get_item(self, block, timeout)

    @property
    def maxsize(self):
        """0: unbounded."""
        return 0
