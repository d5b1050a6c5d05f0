# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""SimpleQueue, and what Queue, LifoQueue and PriorityQueue are until somebody looks inside.

The classes themselves are in _dropin.py; what they run when they are open, in _open.py.
"""

cimport cython
from cpython.object cimport Py_LT, PyObject
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from fastprims cimport _base, _core, _numbers
from fastprims._base cimport OPEN, UNCHECKED
from fastprims._core cimport fp_attempt, fp_bool, fp_status

from math import ceil

from fastprims import _open
from fastprims._hot import HOT_METHODS
from fastprims._standard import LifoQueue, PriorityQueue

cdef extern from "Python.h":
    int PyObject_RichCompareBool(PyObject*, PyObject*, int) noexcept

cdef extern from "_slots.h":
    int fp_inherit_secretly(object, object) except -1
    int fp_own_methods(object, tuple) except -1
    int fp_publish(object, const char*, tuple) except -1
    int fp_set_plainly(object, object, object) except -1
    uint64_t fp_class_version(PyObject*)
    int fp_pause_collector()
    void fp_resume_collector(int)
    void PyList_SET_ITEM(PyObject*, Py_ssize_t, PyObject*)


cdef uint64_t to_limit(object maxsize) except 0:
    """The bound that a number means, and FP_UNBOUNDED for none; OverflowError is for the caller."""
    if isinstance(maxsize, float):
        if not 0 < maxsize < _core.FP_UNBOUNDED:
            return _core.FP_UNBOUNDED
        value = ceil(maxsize)
    else:
        value = _numbers.to_index(maxsize, "maxsize")
    return min(value, _core.FP_UNBOUNDED) if value > 0 else _core.FP_UNBOUNDED


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


# `done` of a queue that is open, or being opened.
cdef uint64_t ELSEWHERE = UINT64_MAX


cdef fp_status run_join(void* queue) noexcept:
    if _core.fp_sync_u64_load_seq_cst(&(<NativeQueue>queue).done) == ELSEWHERE:
        return _core.FP_MOVED
    return _core.FP_OK if (<NativeQueue>queue).unfinished() == 0 else _core.FP_BUSY


cdef fp_bool never(void* queue) noexcept:
    return False  # the last task_done() wakes all


cdef int less(uint64_t a, uint64_t b) noexcept:
    # Both are alive: the heap holds one, the heap or the caller the other, and the lock is held.
    return PyObject_RichCompareBool(<PyObject*>a, <PyObject*>b, Py_LT)


cdef struct Filling:
    PyObject* items
    Py_ssize_t count


cdef int copy_item(uint64_t item, void* arg) noexcept:
    cdef Filling* to = <Filling*>arg
    _base.INCREF(<PyObject*>item)
    PyList_SET_ITEM(to.items, to.count, <PyObject*>item)
    to.count += 1
    return 0


# Classes that need no Python code of their own for their operations: by version, whether put() and
# get() are the native ones.
cdef dict plain_classes = {}
cdef enum: MOST_CLASSES = 256


cdef class NativeQueue(_base.BaseQueue):
    """What Queue, LifoQueue and PriorityQueue share. Not to be instantiated.

    Opening. The native structure is ended by FP_MOVED (csrc/fp_segq.h), an answer that operations
    meet where they would meet FP_CLOSED; then the items are copied, and `checked` says OPEN. All of
    it with the queue's future mutex held, for which everybody waits who was told FP_MOVED. No code
    of anybody runs between the ending and OPEN, so nobody can be told FP_MOVED by a thread that
    waits for itself.
    """

    cdef _core.fp_sync_u64 done  # by any thread: atomic
    cdef _core.fp_event all_done  # the same
    # maxsize, as it was set, if that was a number: by any thread, within the critical section
    cdef object given
    # _open.Inside, once somebody looked for it: written once, within the critical section
    cdef object inside
    cdef _core.fp_sync_u64 opener  # the thread that holds the mutex to open; atomic

    def __cinit__(self, *args, **kwargs):
        self.given = 0
        if isinstance(self, PriorityQueue):
            self.adopt(_core.fp_ordered_create(less, &_base.host), &_core.fp_ordered_ops)
        elif isinstance(self, LifoQueue):
            self.adopt(_core.fp_ordered_create(NULL, &_base.host), &_core.fp_ordered_ops)
        else:
            self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def _start(self, maxsize):
        """The constructor of a queue that can do without Python code: True. False: it is open, and
        empty, and the standard constructor's turn."""
        if not self.elsewhere():
            try:
                self.bound(maxsize)
                return True
            except TypeError:  # the standard class may have a use for it
                self.open("maxsize")
        return False

    cdef int bound(self, object value) except -1:
        cdef uint64_t limit = to_limit(value)
        value = value if isinstance(value, (int, float)) else _numbers.to_index(value, "maxsize")
        with cython.critical_section(self):
            self.given = value
        if self.ops == &_core.fp_segq_ops:
            _core.fp_segq_set_limit(self.core, limit)
        else:
            _core.fp_ordered_set_limit(self.core, limit)
        return 0

    cdef bint truth_of(self, object value, str name) except -1:
        return value

    # The inside. ----------------------------------------------------------------------------------

    cdef bint is_open(self) noexcept:
        return _core.fp_sync_u64_load_seq_cst(&self.checked) == OPEN

    cdef bint elsewhere(self) except -1:
        cdef uint64_t seen = _core.fp_sync_u64_load_seq_cst(&self.checked)
        if seen == fp_class_version(<PyObject*>self):
            return False
        if seen != OPEN:
            self.check_class()
        return self.is_open()

    cdef int check_class(self) except -1:
        """Opens the queue if its class asks for it."""
        cls = type(self)
        getattr(cls, "put", None)  # makes the interpreter give it a version
        cdef uint64_t version = fp_class_version(<PyObject*>self)
        direct = plain_classes.get(version)
        if direct is None:
            if not _open.is_plain(cls, _open.kind_of(self), OURS):
                self.open("class")
                return 0
            direct = all(isinstance(_open.lookup(cls, name), METHOD) for name in ("put", "get"))
            if version == 0 or version != fp_class_version(<PyObject*>self):
                version = UNCHECKED  # look again next time
            else:
                if len(plain_classes) >= MOST_CLASSES:
                    plain_classes.clear()
                plain_classes[version] = direct
        if not direct:
            self.indirect = True
        cdef uint64_t seen = _core.fp_sync_u64_load_seq_cst(&self.checked)
        if seen != OPEN:
            _core.fp_sync_u64_cas_seq_cst(&self.checked, &seen, version)
        return 0

    cdef object get_inside(self):
        cdef object found
        with cython.critical_section(self):
            found = self.inside
        if found is None:
            made = _open.Inside(self)
            with cython.critical_section(self):
                if self.inside is None:
                    self.inside = made
                found = self.inside
        return found

    cdef object get_given(self):
        with cython.critical_section(self):
            return self.given

    def _open(self, str name):
        """Open the queue, because somebody touched `name`."""
        self.open(name)

    cdef int open(self, str name) except -1:
        cdef uint64_t me = _core.fp_thread_serial()
        if self.is_open():
            return 0
        inside = self.get_inside()
        if _core.fp_sync_u64_load_relaxed(&self.opener) == me:
            # In a signal handler or __del__ that runs while this thread opens the queue already,
            # or from a comparison, which is told so.
            self.move(inside)
            return 0
        cdef bint opens = False
        cdef list _moved = None
        inside.lock.acquire()
        try:
            _core.fp_sync_u64_store_relaxed(&self.opener, me)
            opens = not self.is_open()
            if opens:
                _moved = self.move(inside)  # released with the mutex free: it may run any code
        finally:
            _core.fp_sync_u64_store_relaxed(&self.opener, 0)
            inside.lock.release()
        if opens:
            _open.tell(self, name)
        return 0

    cdef list move(self, object inside):
        """Opens, with the mutex held. Returns the items, which the caller is to release."""
        cdef fp_status status
        # The same as before, until the end.
        fp_set_plainly(self, "mutex", inside.mutex)
        for name in _open.CONDITIONS:
            fp_set_plainly(self, name, getattr(inside, name))
        make = _open.KINDS[_open.kind_of(self)]
        if self.is_open():
            return None
        if self.ops == &_core.fp_segq_ops:
            status = _core.fp_segq_move(self.core)
        else:
            status = _core.fp_ordered_move(self.core)
        if status == _core.FP_MOVED:  # by somebody who came in between, in this thread
            return None
        if status != _core.FP_OK:
            self.refuse(status)
        cdef int collector = fp_pause_collector()
        cdef bint kept = False
        cdef uint64_t done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while not _core.fp_sync_u64_cas_seq_cst(&self.done, &done, ELSEWHERE):
            pass
        try:
            items = self.copy_out(make, done)
            kept = True
            for condition, name, value in inside.bindings:
                fp_set_plainly(condition, name, value)
            fp_set_plainly(self, "mutex", inside.lock)
            _core.fp_sync_u64_store_seq_cst(&self.checked, OPEN)
        finally:
            if not kept:
                _core.fp_sync_u64_store_seq_cst(&self.done, done)
            if self.ops == &_core.fp_segq_ops:
                _core.fp_segq_end_move(self.core, kept)
            else:
                _core.fp_ordered_end_move(self.core, kept)
            _core.fp_event_notify_all(&self.all_done)
            fp_resume_collector(collector)
        for item in items:
            _base.DECREF(<PyObject*>item)  # the structure's reference; the list has one too
        return items

    cdef list copy_out(self, object make, uint64_t done):
        """Sets the attributes of an open queue; returns the items, of which it has copies."""
        cdef uint64_t puts, gets
        self.ops.count(self.core, &puts, &gets)
        cdef list items = [None] * <Py_ssize_t>(puts - gets)
        cdef Filling filling = [<PyObject*>items, 0]
        self.ops.visit(self.core, copy_item, &filling)
        fp_set_plainly(self, "maxsize", self.get_given())
        fp_set_plainly(self, "unfinished_tasks", puts - done if puts > done else 0)
        fp_set_plainly(self, "is_shutdown", bool(self.ops.is_closed(self.core)))
        fp_set_plainly(self, "queue", make(items))
        return items

    cdef int await_opening(self) except -1:
        lock = self.get_inside().lock
        lock.acquire()
        lock.release()
        return 0

    cdef object moved(self, str method, tuple args):
        if not self.is_open():
            self.await_opening()
        if self.is_open():
            return getattr(_open, method)(self, *args)
        return getattr(NativeQueue, method)(self, *args)  # it could not be opened

    cdef object look(self, str name):
        """The attribute `name`, which the class has not, nor has the object in its dictionary."""
        cdef uint64_t unfinished = 0
        if not self.elsewhere():
            if name == "maxsize":
                return self.get_given()
            if name == "is_shutdown":
                return bool(self.ops.is_closed(self.core))
            if name == "unfinished_tasks":
                unfinished = self.unfinished()
                if unfinished != ELSEWHERE:
                    return unfinished
                self.await_opening()
            elif name == "queue":
                self.open(name)
            else:
                return getattr(self.get_inside(), name)
            return getattr(self, name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _assign(self, name, value):
        """Queue.__setattr__."""
        if not self.is_open():
            if name in _open.OPENING:
                self.open(name)
            elif name == "maxsize":
                if self.assign_maxsize(value):
                    return
            elif name in ("put", "get"):
                self.indirect = True
        fp_set_plainly(self, name, value)

    cdef bint assign_maxsize(self, object value) except -1:
        """False: the queue is open, and its attribute the one that counts."""
        if self.elsewhere():
            return False
        try:
            self.bound(value)
        except TypeError:
            self.open("maxsize")
            return False
        # Whoever opens sets `done` before he reads the bound: either it was this one, or we see it.
        if _core.fp_sync_u64_load_seq_cst(&self.done) == ELSEWHERE:
            self.await_opening()
            return not self.is_open()
        return True

    # Tasks. ---------------------------------------------------------------------------------------

    cdef uint64_t unfinished(self) noexcept:
        """ELSEWHERE, if they are counted there."""
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        if done == ELSEWHERE:
            return ELSEWHERE
        self.ops.count(self.core, &puts, &gets)
        return puts - done if puts > done else 0

    def task_done(self):
        """Tell that an item taken with get() has been dealt with. Raises ValueError if called more
        often than items were put.
        """
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while True:
            if done == ELSEWHERE or self.elsewhere():
                self.moved("task_done", ())
                return
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
            if done == ELSEWHERE:
                self.moved("discarded", (n,))
                return 0
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
        cdef int64_t began
        _numbers.check_timeout(timeout)
        if self.elsewhere():
            return self.moved("join", (timeout,))
        if self.unfinished() != 0:
            began = _core.fp_now()
            status = self.wait(&self.all_done, &op, timeout)
            if status == _core.FP_MOVED:
                return self.moved("join", (_base.left_of(timeout, began),))
            if status == _core.FP_TIMED_OUT:
                return False
            if status != _core.FP_OK:
                self.refuse(status)
        return None if timeout is None else True

    def __repr__(self):
        if not self.is_open():
            return _base.BaseQueue.__repr__(self)
        return (f"<{type(self).__module__}.{type(self).__qualname__} open, as a standard queue, "
                f"at {<size_t><PyObject*>self:#x}>")


cdef class Hidden:
    """An attribute that instances have and the class has not, as far as anybody can tell by asking
    for it. What is in the dictionary of the instance comes first."""

    cdef str name

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner):
        if instance is None:
            raise AttributeError(
                f"type object {owner.__name__!r} has no attribute {self.name!r}",
                name=self.name, obj=owner)
        return (<NativeQueue?>instance).look(self.name)


METHOD = type(_base.BaseQueue.put)
OURS = None


def hide_inside(cls, hidden):
    """Let instances of Queue, and of no other class before it, find what `hidden` has."""
    global OURS
    OURS = cls
    fp_inherit_secretly(cls, hidden)


def own_methods(cls, names):
    """Give a drop-in its own descriptors of its hot methods."""
    fp_own_methods(cls, names)


fp_publish(SimpleQueue, "fastprims.SimpleQueue", HOT_METHODS)
