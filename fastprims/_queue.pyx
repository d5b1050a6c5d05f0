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

import queue as standard
import threading
from _weakref import ref
from math import ceil
from queue import Empty, Full

from fastprims import _open
from fastprims._errors import ShutDown
from fastprims._hot import HOT_METHODS
from fastprims._standard import LifoQueue, PriorityQueue

cdef extern from "Python.h":
    int PyObject_RichCompareBool(PyObject*, PyObject*, int) noexcept

cdef extern from "_slots.h":
    int fp_inherit_secretly(object, object) except -1
    int fp_own_methods(object, tuple) except -1
    int fp_publish(object, const char*, tuple) except -1
    int fp_set_plainly(object, object, object) except -1
    int fp_delete_plainly(object, object) except -1
    void fp_remove_plainly(object, object)
    uint64_t* fp_list_buffer(list)
    void fp_show_list(list, size_t)
    uint64_t fp_class_version(PyObject*)
    int fp_pause_collector()
    void fp_resume_collector(int)
    int PyErr_CheckSignals()

cdef extern from "wait/fp_lock.h":
    struct fp_lock:
        pass
    void fp_lock_init(fp_lock*)
    fp_status fp_lock_acquire(fp_lock*, uint64_t, const _core.fp_host*)
    void fp_lock_release(fp_lock*)


# The largest bound: of a queue that has one, which asks for time-outs that make sense.
MOST = _core.FP_UNBOUNDED - 1


cdef uint64_t to_limit(object maxsize) except 0:
    """The bound that a number means, and FP_UNBOUNDED for none."""
    if isinstance(maxsize, float):
        if not maxsize > 0:
            return _core.FP_UNBOUNDED
        value = MOST if maxsize >= MOST else ceil(maxsize)
    else:
        value = _numbers.to_index(maxsize, "maxsize")
    return min(value, MOST) if value > 0 else _core.FP_UNBOUNDED


cdef class SimpleQueue(_base.QueueWithState):
    """SimpleQueue()

    Unbounded FIFO queue for any number of threads; drop-in for queue.SimpleQueue, with the whole
    queue protocol besides.

    put and get are lock-free (a thread suspended at any point stops no other), O(1), and may be
    called from __del__, weakref callbacks and signal handlers. Each takes effect at one instant
    between call and return. `put` never waits; its `block` and `timeout` are ignored.

    Segmented array queue with single-use slots; csrc/queues/fp_segq.h has the algorithm.
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
    uint64_t* items
    size_t count


cdef int copy_item(uint64_t item, void* arg) noexcept:
    cdef Filling* to = <Filling*>arg
    _base.INCREF(<PyObject*>item)
    to.items[to.count] = item
    to.count += 1
    return 0


cdef fp_bool signalled() noexcept:
    return PyErr_CheckSignals() != 0


# Of those who wait while a queue is opened. That takes microseconds: all greenlets may wait.
cdef _core.fp_host patient = _base.host
patient.interrupted = signalled

# What an open queue has for attributes that before were no one's but the native queue's.
cdef tuple MOVED = (*_open.STATE, "queue")
# The standard classes, but for SimpleQueue, look up what they raise in their module when they raise
# it: a program may have put an exception of its own there.
cdef list modules = [vars(standard)]


def also_known_in(dict module):
    """Raise what goes by the names of exceptions in this module, where that was replaced."""
    modules.append(module)


cdef object known_as(str name, object original):
    for module in modules:
        found = (<dict>module).get(name, original)
        if found is not original:
            return found
    return original


# Classes that need no Python code of their own for their operations: by version, whether put() and
# get() are the native ones.
cdef dict plain_classes = {}
cdef enum: MOST_CLASSES = 256


cdef class NativeQueue(_base.BaseQueue):
    """What Queue, LifoQueue and PriorityQueue share. Not to be instantiated.

    Opening. The native structure is ended by FP_MOVED (csrc/queues/fp_segq.h), an answer that operations
    meet where they would meet FP_CLOSED; then the items are copied, and `checked` says OPEN. All of
    it under the lock `opening`, for which everybody waits who was told FP_MOVED. No code of anybody
    runs between the ending and OPEN, and whatever fails in between is undone, so nobody is told
    FP_MOVED by a thread that waits for itself. Nor is the mutex of the open queue held meanwhile:
    what a signal handler, a finalizer or a comparison does with it is as ever.

    After a fork, the first in the child who wants the lock has it, if a thread of the parent had it
    before, and undoes what that had begun.
    """

    cdef _core.fp_sync_u64 done  # by any thread: atomic
    cdef _core.fp_event all_done  # the same
    # maxsize, as it was set, if that was a number: by any thread, within the critical section
    cdef object given
    # _open.Inside, once somebody looked for it: written once, within the critical section
    cdef object inside
    cdef fp_lock opening
    # Under that lock: is the native structure being ended? And `done`, as it was before.
    cdef bint ending
    cdef uint64_t done_before

    def __cinit__(self, *args, **kwargs):
        self.given = 0
        fp_lock_init(&self.opening)
        if isinstance(self, PriorityQueue):
            self.adopt(_core.fp_ordered_create(less, &_base.host), &_core.fp_ordered_ops)
        elif isinstance(self, LifoQueue):
            self.adopt(_core.fp_ordered_create(NULL, &_base.host), &_core.fp_ordered_ops)
        else:
            self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def _start(self, maxsize):
        """The constructor of a queue that can do without Python code: True. False: it is open, and
        the standard constructor's turn, which makes it empty."""
        cdef uint64_t puts, gets
        if self.elsewhere():
            return False
        self.ops.count(self.core, &puts, &gets)
        if puts != 0 or self.ops.is_closed(self.core):  # not the first time
            self.open("queue")
            return False
        try:
            self.bound(maxsize)
        except TypeError:  # the standard class may have a use for it
            self.open("maxsize")
            return False
        return True

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

    cdef int refuse(self, fp_status status) except -1:
        if status == _core.FP_FULL:
            raise known_as("Full", Full)
        if status == _core.FP_EMPTY:
            raise known_as("Empty", Empty)
        if status == _core.FP_CLOSED:
            raise known_as("ShutDown", ShutDown)
        return _base.BaseQueue.refuse(self, status)

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
            made = _open.Inside(Mutex(self))
            with cython.critical_section(self):
                if self.inside is None:
                    self.inside = made
                found = self.inside
        return found

    cdef object get_given(self):
        with cython.critical_section(self):
            return self.given

    cdef int open(self, str name) except -1:
        cdef list _moved = None
        cdef bint opens = False
        if self.is_open():
            return 0
        if self.ops != &_core.fp_segq_ops and _core.fp_ordered_compares(self.core):
            self.refuse(_core.FP_BUSY)  # whoever has the lock may be waiting for this comparison
        inside = self.get_inside()
        make = _open.KINDS[_open.kind_of(self)]
        if not self.begin_opening():
            # In a signal handler or __del__ that runs while this thread opens the queue already.
            self.move(inside, make)
            return 0
        try:
            opens = not self.is_open()
            if opens:
                _moved = self.move(inside, make)
        finally:
            fp_lock_release(&self.opening)
        if opens:
            _open.tell(self, name)
        return 0  # and with the lock free, the items are released: that may run any code

    cdef bint begin_opening(self) except -1:
        """Takes the lock. False: this thread has it."""
        cdef fp_status status = fp_lock_acquire(
            &self.opening, _core.fp_thread_serial(), &patient)
        if status == _core.FP_BUSY:
            return False
        if status != _core.FP_OK:
            self.refuse(status)
        if self.ending and not self.is_open():  # by a thread that fork left behind
            status = self.go_back()
            if status != _core.FP_OK:
                fp_lock_release(&self.opening)
                self.refuse(status)
        return True

    cdef list move(self, object inside, object make):
        """Opens, with the lock held. Returns the items, which the caller is to release."""
        cdef list items
        # The same as before, until the end.
        fp_set_plainly(self, "mutex", inside.mutex)
        for name in _open.CONDITIONS:
            fp_set_plainly(self, name, getattr(inside, name))
        if self.is_open():
            return None
        self.ending = True
        cdef fp_status status = (
            _core.fp_segq_move(self.core) if self.ops == &_core.fp_segq_ops
            else _core.fp_ordered_move(self.core))
        if status != _core.FP_OK:
            self.ending = False
            if status == _core.FP_MOVED:  # by somebody who came in between, in this thread
                return None
            self.refuse(status)
        cdef int collector = fp_pause_collector()
        try:
            items = self.copy_out(make)
            for condition, name, value in inside.bindings:
                fp_set_plainly(condition, name, value)
            fp_set_plainly(self, "mutex", inside.lock)
        except BaseException:
            self.go_back()
            raise
        else:
            _core.fp_sync_u64_store_seq_cst(&self.checked, OPEN)
            self.end_move(True)
        finally:
            fp_resume_collector(collector)
        for item in items:
            _base.DECREF(<PyObject*>item)  # the structure's reference; the list has one too
        return items

    cdef list copy_out(self, object make):
        """Sets the attributes of an open queue; returns the items, of which it has copies."""
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        self.done_before = done
        while not _core.fp_sync_u64_cas_seq_cst(&self.done, &done, ELSEWHERE):
            self.done_before = done
        self.ops.count(self.core, &puts, &gets)
        cdef list items = _base.hidden(None, <Py_ssize_t>(puts - gets))
        cdef Filling filling = [fp_list_buffer(items), 0]
        self.ops.visit(self.core, copy_item, &filling)
        fp_show_list(items, filling.count)
        content = make(items)
        fp_set_plainly(self, "maxsize", self.get_given())
        fp_set_plainly(self, "unfinished_tasks", puts - done if puts > done else 0)
        fp_set_plainly(self, "is_shutdown", bool(self.ops.is_closed(self.core)))
        fp_set_plainly(self, "queue", content)
        return items

    cdef fp_status go_back(self) noexcept:
        """Everything as it was before the ending."""
        for name in MOVED:
            fp_remove_plainly(self, name)
        if _core.fp_sync_u64_load_seq_cst(&self.done) == ELSEWHERE:
            _core.fp_sync_u64_store_seq_cst(&self.done, self.done_before)
        return self.end_move(False)

    cdef fp_status end_move(self, bint keep) noexcept:
        cdef fp_status status = (
            _core.fp_segq_end_move(self.core, keep) if self.ops == &_core.fp_segq_ops
            else _core.fp_ordered_end_move(self.core, keep))
        self.ending = status != _core.FP_OK
        _core.fp_event_notify_all(&self.all_done)
        return status

    cdef int await_opening(self) except -1:
        if self.begin_opening():
            fp_lock_release(&self.opening)
        return 0

    cdef object moved(self, str method, tuple args):
        if not self.is_open():
            self.await_opening()
        if self.is_open():
            return getattr(_open, method)(self, *args)
        return getattr(NativeQueue, method)(self, *args)  # it could not be opened

    cdef object look(self, str name):
        """The attribute `name`, which the class has not, nor had the object in its dictionary."""
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
        # Another thread, or what the class asks for, may have opened the queue since.
        own = self.__dict__
        if name in own:
            return own[name]
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _assign(self, name, value, /):
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

    def _delete(self, name, /):
        """Queue.__delattr__."""
        if name in _open.INSIDE:
            self.open(name)
        fp_delete_plainly(self, name)

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
                if self.is_open():
                    _open.discarded(self, n)
                    return 0
                self.await_opening()
                done = _core.fp_sync_u64_load_seq_cst(&self.done)
                continue
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


cdef class Mutex:
    """The `mutex` of a queue that is not open yet; the first who takes it opens the queue.

    So may one look for it, or make a condition of it, at no cost. It is compiled, so that no signal
    handler comes between the taking of the lock and the block of a `with`.
    """

    cdef object queue  # a weak reference: the queue has this object, and a cycle would outlive it
    cdef readonly object lock
    cdef object __weakref__

    def __init__(self, queue):
        self.queue = ref(queue)
        self.lock = threading.Lock()

    def acquire(self, blocking=True, timeout=-1):
        queue = self.queue()
        if queue is not None:
            (<NativeQueue>queue).open("mutex")
        return self.lock.acquire(blocking, timeout)

    def release(self):
        self.lock.release()

    def locked(self):
        return self.lock.locked()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.lock.release()

    def _at_fork_reinit(self):
        self.lock._at_fork_reinit()

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


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
