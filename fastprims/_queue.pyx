# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""The drop-ins: Queue and SimpleQueue over fp_segq, LifoQueue and PriorityQueue over fp_ordered."""

from cpython.object cimport Py_LT, PyObject
from libc.math cimport isinf
from libc.stdint cimport INT64_MIN, int64_t, uint64_t

from fastprims cimport _base, _core, _numbers
from fastprims._core cimport fp_attempt, fp_bool, fp_status

from fastprims._errors import Refused
from fastprims._hot import HOT_METHODS

cdef extern from "Python.h":
    int PyObject_RichCompareBool(PyObject*, PyObject*, int) noexcept

cdef extern from "_slots.h":
    int fp_set_attribute(object, const char*, object) except -1
    int fp_publish(object, const char*, tuple) except -1
    void fp_drop_dict(object)
    bint fp_is_heap_type(PyObject*)

NO_LOCK = (
    "its operations are atomic by themselves, there is no lock or condition to share. Use the "
    "methods, or a lock of your own")

HOOKS = ("_init", "_put", "_get", "_qsize")


cdef int64_t to_maxsize(object maxsize) except? -1:
    if isinstance(maxsize, float) and isinf(maxsize):
        return 0  # the standard library's queues take it for what it says: no bound
    value = _numbers.to_index(maxsize, "maxsize")
    if value > <int64_t>_core.FP_UNBOUNDED:
        raise OverflowError(f"maxsize {value} is too large; use 0 for an unbounded queue")
    return max(value, INT64_MIN)


cdef class SimpleQueue(_base.BaseQueue):
    """SimpleQueue()

    Unbounded FIFO queue for any number of threads; drop-in for queue.SimpleQueue, with the whole
    queue protocol besides.

    put and get are lock-free (a thread suspended at any point stops no other), O(1), and may be
    called from __del__, weakref callbacks and signal handlers. Each takes effect at one instant
    between call and return. `put` never waits; its `block` and `timeout` are ignored.

    Segmented array queue with single-use slots; csrc/fp_segq.h has the algorithm.
    """

    cdef _base.Layout layout

    def __cinit__(self):
        self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def __init__(self):
        pass

    cdef bint truth_of(self, object value, str name) except -1:
        return value

    cdef object get_item(self, bint block, object timeout):
        if block and timeout is not None:
            _numbers.check_timeout(timeout)
            _numbers.deadline_of(timeout)  # as the standard one: refused even if an item is waiting
        return _base.BaseQueue.get_item(self, block, timeout)

    @property
    def maxsize(self):
        """0: unbounded."""
        return 0


cdef fp_status run_join(void* queue) noexcept:
    return _core.FP_OK if (<Queue>queue).unfinished() == 0 else _core.FP_BUSY


cdef fp_bool never(void* queue) noexcept:
    return False  # the last task_done() wakes all


cdef int less(uint64_t a, uint64_t b) noexcept:
    # Both are alive: the heap holds one, the heap or the caller the other, and the lock is held.
    return PyObject_RichCompareBool(<PyObject*>a, <PyObject*>b, Py_LT)


cdef class Queue(_base.BaseQueue):
    """Queue(maxsize=0)

    FIFO queue for any number of threads; drop-in for queue.Queue. `maxsize` bounds the number of
    items exactly, and may be changed at any time; 0 or less: unbounded.

    put and get are lock-free (a thread suspended at any point stops no other), O(1), and may be
    called from __del__, weakref callbacks and signal handlers. Each takes effect at one instant
    between call and return; Full and Empty were true at one such instant.

    Segmented array queue with single-use slots; csrc/fp_segq.h has the algorithm.
    """

    cdef _core.fp_sync_u64 done  # by any thread: atomic
    cdef _core.fp_event all_done  # the same
    cdef _core.fp_sync_u64 unbounded  # the last maxsize that said so: an int64_t; by any thread
    cdef dict __dict__  # the interpreter's

    mutex = Refused("mutex", NO_LOCK)
    not_empty = Refused("not_empty", NO_LOCK)
    not_full = Refused("not_full", NO_LOCK)
    all_tasks_done = Refused("all_tasks_done", NO_LOCK)
    queue = Refused(
        "queue",
        "the container is not exposed. Use get_many() to take items, qsize() to count them")

    def __cinit__(self, *args, **kwargs):
        fp_drop_dict(self)
        if isinstance(self, PriorityQueue):
            self.adopt(_core.fp_ordered_create(less, &_base.host), &_core.fp_ordered_ops)
        elif isinstance(self, LifoQueue):
            self.adopt(_core.fp_ordered_create(NULL, &_base.host), &_core.fp_ordered_ops)
        else:
            self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def __init__(self, maxsize=0):
        self.bound(maxsize)

    @property
    def maxsize(self):
        """Most items at a time; 0 or less: no bound. May be changed at any time; a put that is
        under way may still go by the old one."""
        cdef uint64_t limit = self.ops.limit(self.core)
        if limit != _core.FP_UNBOUNDED:
            return limit
        # Relaxed: a number by itself; it says what the bound's absence was called.
        return <int64_t>_core.fp_sync_u64_load_relaxed(&self.unbounded)

    @maxsize.setter
    def maxsize(self, value):
        self.bound(value)

    cdef int bound(self, object value) except -1:
        cdef int64_t bound = to_maxsize(value)
        cdef uint64_t limit = bound if bound > 0 else _core.FP_UNBOUNDED
        if limit == _core.FP_UNBOUNDED:
            _core.fp_sync_u64_store_relaxed(&self.unbounded, <uint64_t>bound)
        if self.ops == &_core.fp_segq_ops:
            _core.fp_segq_set_limit(self.core, limit)
        else:
            _core.fp_ordered_set_limit(self.core, limit)
        return 0

    cdef bint truth_of(self, object value, str name) except -1:
        return value

    cdef bint nowait_is_put(self) noexcept:
        return fp_is_heap_type(<PyObject*>self)  # of a subclass, which may override put() or get()

    cdef uint64_t unfinished(self) noexcept:
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        self.ops.count(self.core, &puts, &gets)
        return puts - done if puts > done else 0

    @property
    def unfinished_tasks(self):
        """Items put for which task_done() was not called yet."""
        return self.unfinished()

    def task_done(self):
        """Tell that an item taken with get() has been dealt with. Raises ValueError if called more
        often than items were put.
        """
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while True:
            self.ops.count(self.core, &puts, &gets)
            if done >= puts:
                raise ValueError("task_done() called too many times: more often than put()")
            if _core.fp_sync_u64_cas_seq_cst(&self.done, &done, done + 1):
                break
        if done + 1 == puts:
            _core.fp_event_notify_all(&self.all_done)

    cdef int discarded(self, size_t n) except -1:
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while True:
            self.ops.count(self.core, &puts, &gets)
            if _core.fp_sync_u64_cas_seq_cst(&self.done, &done, min(done + n, puts)):
                break
        _core.fp_event_notify_all(&self.all_done)
        return 0

    def join(self, timeout=None):
        """Wait until task_done() was called for every item put. With a timeout in seconds: return
        True then, or False if the time is up first.
        """
        cdef fp_attempt op = [run_join, never, <PyObject*>self]
        cdef fp_status status
        _numbers.check_timeout(timeout)
        if self.unfinished() != 0:
            status = self.wait(&self.all_done, &op, timeout)
            if status == _core.FP_TIMED_OUT:
                return False
            if status != _core.FP_OK:
                self.refuse(status)
        return None if timeout is None else True


cdef class LifoQueue(Queue):
    """LifoQueue(maxsize=0)

    The newest item first; otherwise as Queue, and drop-in for queue.LifoQueue. O(1), amortized.

    Under the GIL its operations are single steps. On free-threaded builds it blocks inside: a
    short lock orders the operations, and a thread that is suspended while holding it stops others.
    """


cdef class PriorityQueue(Queue):
    """PriorityQueue(maxsize=0)

    The least item first, by `<`; otherwise as Queue, and drop-in for queue.PriorityQueue. Items of
    equal rank come in any order. O(log n) comparisons for put and get.

    It blocks inside: the comparisons are the items' own code, so they run under a lock. A
    comparison that raises leaves the queue as it was. One that uses the same queue gets
    RuntimeError instead of a deadlock.

    Binary heap; csrc/fp_heap.h.
    """


def refuse_hooks(cls, **kwargs):
    """Queue.__init_subclass__."""
    super(Queue, cls).__init_subclass__(**kwargs)
    overridden = []
    for base in cls.__mro__[:cls.__mro__.index(Queue)]:  # those that would come first
        overridden += [name for name in HOOKS if name in base.__dict__]
    if overridden:
        raise TypeError(
            f"{cls.__name__} overrides {', '.join(overridden)}, which a fastprims queue "
            "never calls. Override put() and get(), or derive from queue.Queue")
    if any("maxsize" in base.__dict__ for base in cls.__mro__[:cls.__mro__.index(Queue)]):
        raise TypeError(
            f"{cls.__name__} overrides maxsize, which a fastprims queue would not look at. Give "
            "the bound to super().__init__(), or set it on the object")


fp_publish(SimpleQueue, "fastprims.SimpleQueue", HOT_METHODS)
fp_publish(Queue, "fastprims.Queue", HOT_METHODS)
fp_publish(LifoQueue, "fastprims.LifoQueue", HOT_METHODS)
fp_publish(PriorityQueue, "fastprims.PriorityQueue", HOT_METHODS)
fp_set_attribute(Queue, "__init_subclass__", classmethod(refuse_hooks))
