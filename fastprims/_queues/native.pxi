# NativeQueue: the base of Queue, LifoQueue and PriorityQueue, and their code until they are open.
#
# The classes themselves are in dropin.py, the functions of open queues in opened.py.


# `done` of a queue that is open, or being opened.
cdef uint64_t OPEN_OR_OPENING = UINT64_MAX


cdef fp_status run_join(void* queue) noexcept:
    if _core.fp_sync_u64_load_seq_cst(&(<NativeQueue>queue).done) == OPEN_OR_OPENING:
        return _core.FP_MOVED
    return _core.FP_OK if (<NativeQueue>queue).unfinished() == 0 else _core.FP_NOT_YET


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
    INCREF(<PyObject*>item)
    to.items[to.count] = item
    to.count += 1
    return 0


cdef fp_bool signalled() noexcept:
    return PyErr_CheckSignals() != 0


# For threads that wait while another one opens the queue. That takes microseconds, so it may block
# the greenlets of a waiting thread.
cdef _core.fp_host patient = host
patient.interrupted = signalled

# The attributes that only an open queue has; before, the native structure keeps their contents.
cdef tuple OPEN_ONLY = (*opened.STATE, "queue")
# Versions of classes whose operations need no Python code; the value says whether put() and get()
# are the native ones.
cdef dict plain_classes = {}
cdef enum: MOST_CLASSES = 256


cdef class NativeQueue(BaseQueue):
    """What Queue, LifoQueue and PriorityQueue share. Not to be instantiated.

    Opening. First the opening thread ends the native structure: operations get FP_MOVED where they
    would get FP_CLOSED (csrc/queues/fp_segq.h). Then it copies the items, and sets `checked` to
    OPEN. It holds the lock `opening` all the while; a thread that gets FP_MOVED waits for that
    lock. Between the ending and OPEN no code of the program runs, and a failure is undone; so the
    opening thread never gets FP_MOVED from its own ending. The mutex of the open queue is not held
    meanwhile: signal handlers, finalizers and comparisons may use it as always.

    After a fork, the lock may belong to a thread that the child does not have. The first thread of
    the child that acquires the lock takes it over, and undoes the opening that had begun.
    """

    cdef _core.fp_sync_u64 done  # by any thread: atomic
    cdef _core.fp_event all_done  # the same
    # maxsize as it was set, if that was a number; any thread, within the critical section
    cdef object given
    # opened.Inside, once the program asked for a part of it; written once, in the critical section
    cdef object inside
    cdef fp_lock opening
    # Under that lock: whether the native structure is being ended, and the value of `done` before.
    cdef bint ending
    cdef uint64_t done_before

    def __cinit__(self, *args, **kwargs):
        self.given = 0
        fp_lock_init(&self.opening)
        if isinstance(self, PriorityQueue):
            self.adopt(_core.fp_ordered_create(less, &host), &_core.fp_ordered_ops)
        elif isinstance(self, LifoQueue):
            self.adopt(_core.fp_ordered_create(NULL, &host), &_core.fp_ordered_ops)
        else:
            self.adopt(_core.fp_segq_create(_core.FP_UNBOUNDED), &_core.fp_segq_ops)

    def _start(self, maxsize):
        """The constructor. True: the queue needs no Python code, and is ready. False: the queue is
        open, and the caller must run the standard constructor, which empties it."""
        cdef uint64_t puts, gets
        if self.check_open():
            return False
        self.ops.count(self.core, &puts, &gets)
        if puts != 0 or self.ops.is_closed(self.core):  # __init__ of a queue that was used
            self.open("queue")
            return False
        try:
            self.bound(maxsize)
        except TypeError:  # the standard class may accept it
            self.open("maxsize")
            return False
        return True

    cdef int bound(self, object value) except -1:
        cdef uint64_t limit = to_limit(value)
        value = value if isinstance(value, (int, float)) else to_index(value, "maxsize")
        with cython.critical_section(self):
            self.given = value
        self.ops.set_limit(self.core, limit)
        return 0

    cdef bint truth_of(self, object value, str name) except -1:
        return value

    cdef int raise_for_status(self, fp_status status) except -1:
        if status == _core.FP_FULL:
            raise opened.known_as(Full)
        if status == _core.FP_EMPTY:
            raise opened.known_as(Empty)
        if status == _core.FP_CLOSED:
            raise opened.known_as(ShutDown)
        return BaseQueue.raise_for_status(self, status)

    # Opening. -------------------------------------------------------------------------------------

    cdef bint is_open(self) noexcept:
        return _core.fp_sync_u64_load_seq_cst(&self.checked) == OPEN

    cdef bint check_open(self) except -1:
        cdef uint64_t seen = _core.fp_sync_u64_load_seq_cst(&self.checked)
        if seen == fp_class_version(<PyObject*>self):
            return False
        if seen != OPEN:
            self.check_class()
        return self.is_open()

    cdef int check_class(self) except -1:
        """Opens the queue if its class overrides the inside; else records the class's version."""
        cls = type(self)
        getattr(cls, "put", None)  # makes the interpreter give the class a version
        cdef uint64_t version = fp_class_version(<PyObject*>self)
        direct = plain_classes.get(version)
        if direct is None:
            if not opened.is_plain(cls, opened.kind_of(self), OURS):
                self.open("class")
                return 0
            direct = all(isinstance(opened.lookup(cls, name), METHOD) for name in ("put", "get"))
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
            made = opened.Inside(Mutex(self))
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
            # The thread that has the lock `opening` may be waiting for this comparison.
            self.raise_for_status(_core.FP_REENTERED)
        inside = self.get_inside()
        make = opened.KINDS[opened.kind_of(self)]
        if not self.begin_opening():
            # This is a signal handler or __del__ that interrupted this thread's own opening.
            self.move(inside, make)
            return 0
        try:
            opens = not self.is_open()
            if opens:
                _moved = self.move(inside, make)
        finally:
            fp_lock_release(&self.opening)
        if opens:
            opened.tell(self, name)
        return 0  # and releases the items, without the lock: that may run any code

    cdef bint begin_opening(self) except -1:
        """Takes the lock. False: this thread holds it already."""
        cdef fp_status status = fp_lock_acquire(
            &self.opening, _core.fp_thread_serial(), &patient)
        if status == _core.FP_REENTERED:
            return False
        if status != _core.FP_OK:
            self.raise_for_status(status)
        if self.ending and not self.is_open():  # begun by a thread that the child does not have
            status = self.go_back()
            if status != _core.FP_OK:
                fp_lock_release(&self.opening)
                self.raise_for_status(status)
        return True

    cdef list move(self, object inside, object make):
        """Opens, with the lock held. Returns the items, which the caller must release."""
        cdef list items
        # Until the end, these attributes have the same values as before.
        fp_set_plainly(self, "mutex", inside.mutex)
        for name in opened.CONDITIONS:
            fp_set_plainly(self, name, getattr(inside, name))
        if self.is_open():
            return None
        self.ending = True
        cdef fp_status status = self.ops.move(self.core)
        if status != _core.FP_OK:
            self.ending = False
            if status == _core.FP_MOVED:  # a handler in this thread has opened the queue meanwhile
                return None
            self.raise_for_status(status)
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
            DECREF(<PyObject*>item)  # the structure's reference; the list has its own
        return items

    cdef list copy_out(self, object make):
        """Sets the attributes of an open queue. Returns a list of the items."""
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        self.done_before = done
        while not _core.fp_sync_u64_cas_seq_cst(&self.done, &done, OPEN_OR_OPENING):
            self.done_before = done
        self.ops.count(self.core, &puts, &gets)
        cdef list items = untracked_list(None, <Py_ssize_t>(puts - gets))
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
        """Restores the state before the ending."""
        for name in OPEN_ONLY:
            fp_remove_plainly(self, name)
        if _core.fp_sync_u64_load_seq_cst(&self.done) == OPEN_OR_OPENING:
            _core.fp_sync_u64_store_seq_cst(&self.done, self.done_before)
        return self.end_move(False)

    cdef fp_status end_move(self, bint keep) noexcept:
        cdef fp_status status = self.ops.end_move(self.core, keep)
        self.ending = status != _core.FP_OK
        _core.fp_event_notify_all(&self.all_done)
        return status

    cdef int await_opening(self) except -1:
        if self.begin_opening():
            fp_lock_release(&self.opening)
        return 0

    cdef object call_open(self, str method, tuple args):
        if not self.is_open():
            self.await_opening()
        if self.is_open():
            if method == "get_many":
                return get_many_openly(self, args[0], args[1], args[2])
            try:
                return getattr(opened, method)(self, *args)
            except opened.EXCEPTIONS as error:
                known = opened.known_as(type(error))
                if known is type(error):
                    raise
            raise known
        return getattr(NativeQueue, method)(self, *args)  # the opening failed and was undone

    cdef object look(self, str name):
        """The attribute `name`, which was found neither in the class nor in the object's __dict__.
        """
        cdef uint64_t unfinished = 0
        if not self.check_open():
            if name == "maxsize":
                return self.get_given()
            if name == "is_shutdown":
                return bool(self.ops.is_closed(self.core))
            if name == "unfinished_tasks":
                unfinished = self.unfinished()
                if unfinished != OPEN_OR_OPENING:
                    return unfinished
                self.await_opening()
            elif name == "queue":
                self.open(name)
            else:
                return getattr(self.get_inside(), name)
            return getattr(self, name)
        # Another thread, or check_open() because of the class, may have opened the queue since.
        own = fp_attributes(self)
        if name in own:
            return own[name]
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def _assign(self, name, value, /):
        """Queue.__setattr__."""
        if not self.is_open():
            if name in opened.OPENING:
                self.open(name)
            elif name == "maxsize":
                if self.assign_maxsize(value):
                    return
            elif name in ("put", "get"):
                self.indirect = True
        fp_set_plainly(self, name, value)

    def _delete(self, name, /):
        """Queue.__delattr__."""
        if name in opened.INSIDE:
            self.open(name)
        fp_delete_plainly(self, name)

    cdef bint assign_maxsize(self, object value) except -1:
        """False: the queue is open, and the caller must set its attribute."""
        if self.check_open():
            return False
        try:
            self.bound(value)
        except TypeError:
            self.open("maxsize")
            return False
        # An opening thread sets `done` before it reads the bound: either it has read this bound, or
        # this load sees its `done`.
        if _core.fp_sync_u64_load_seq_cst(&self.done) == OPEN_OR_OPENING:
            self.await_opening()
            return not self.is_open()
        return True

    # Tasks. ---------------------------------------------------------------------------------------

    cdef uint64_t unfinished(self) noexcept:
        """The number of unfinished tasks; OPEN_OR_OPENING if the queue is open or being opened."""
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        if done == OPEN_OR_OPENING:
            return OPEN_OR_OPENING
        self.ops.count(self.core, &puts, &gets)
        return puts - done if puts > done else 0

    def task_done(self):
        """Report that an item taken with get() has been processed. Raises ValueError if called more
        often than items were put.
        """
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while True:
            if done == OPEN_OR_OPENING or self.check_open():
                self.call_open("task_done", ())
                return
            self.ops.count(self.core, &puts, &gets)
            if done >= puts:
                raise ValueError("task_done() called too many times: more often than put()")
            if _core.fp_sync_u64_cas_seq_cst(&self.done, &done, done + 1):
                break
        if done + 1 == puts:
            _core.fp_event_notify_all(&self.all_done)

    cdef int count_discarded(self, size_t n) except -1:
        cdef uint64_t puts, gets, done = _core.fp_sync_u64_load_seq_cst(&self.done)
        while True:
            if done == OPEN_OR_OPENING:
                if self.is_open():
                    opened.discarded(self, n)
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
        """Wait until task_done() was called for every item put. With a timeout in seconds, return
        True if that happened in time, else False.
        """
        cdef fp_attempt op = [run_join, never, <PyObject*>self]
        cdef fp_status status
        cdef Wait wait = [True, <PyObject*>timeout, 0]
        check_timeout(timeout)
        if self.check_open():
            return self.call_open("join", (timeout,))
        if self.unfinished() != 0:
            status = self.wait(&self.all_done, &op, &wait)
            if status == _core.FP_MOVED:
                return self.call_open("join", (rest_of(&wait),))
            if status == _core.FP_TIMED_OUT:
                return False
            if status != _core.FP_OK:
                self.raise_for_status(status)
        return None if timeout is None else True

    cdef _core.fp_event* all_done_event(self) noexcept:
        return &self.all_done

    cdef _core.fp_event* event_number(self, int i) noexcept:
        return &self.all_done if i == 2 else BaseQueue.event_number(self, i)

    cdef bint is_all_done(self) except -1:
        cdef uint64_t unfinished
        if not self.check_open():
            unfinished = self.unfinished()
            if unfinished != OPEN_OR_OPENING:
                return unfinished == 0
            self.await_opening()
        return not self.unfinished_tasks

    def __bool__(self):
        # A standard queue has no len(); a class that adds one decides by it.
        return not fp_overrides_len(self, NativeQueue) or len(self) != 0

    # As the standard queues: copy.copy() makes a queue that shares content and mutex with this one,
    # and a class that derives from this one can make itself fit for pickle.

    def __getstate__(self):
        self.open("__dict__")
        state = dict(fp_attributes(self))
        slots = {name: getattr(self, name)
                 for name in copyreg._slotnames(type(self)) if hasattr(self, name)}
        return (state, slots) if slots else state

    def __reduce_ex__(self, protocol, /):
        # Protocols below 2 call the class's compiled base with the object.
        return object.__reduce_ex__(self, max(protocol, 2))

    def __repr__(self):
        if not self.is_open():
            return BaseQueue.__repr__(self)
        return (f"<{type(self).__module__}.{type(self).__qualname__} open, as a standard queue, "
                f"at {<size_t><PyObject*>self:#x}>")


# The names of these methods are free for the classes that programs derive.
start = fp_take_attribute(NativeQueue, "_start")
assign = fp_take_attribute(NativeQueue, "_assign")
delete = fp_take_attribute(NativeQueue, "_delete")
