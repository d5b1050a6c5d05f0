# What all queue-like classes share: the queue protocol over a C structure's table of functions.
#
# A subclass owns a C structure and supplies its table (see ext.pxd); nothing here depends on which
# structure it is. Items are strong references, handed to the structure and taken out of it as
# 64-bit words. Once a function that stores answers FP_OK, the reference belongs to the structure.


cdef class BaseQueue:
    """The methods that every fastprims queue has. Not to be instantiated."""

    def __cinit__(self, *args, **kwargs):
        self.become(NULL, &_core.fp_no_queue_ops)
        _core.fp_sync_u64_store_relaxed(&self.checked, UNCHECKED)

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} cannot be instantiated; use one of its subclasses")

    def __dealloc__(self):
        self.ops.abandon(self.core, True)
        self.clear()
        self.ops.destroy(self.core)

    cdef void become(self, void* core, const _core.fp_queue_ops* ops) noexcept:
        self.core = core
        self.ops = ops
        self.put_one = ops.put
        self.get_one = ops.get

    cdef int adopt(self, void* core, const _core.fp_queue_ops* ops) except -1:
        cdef bint first
        if core == NULL:
            raise MemoryError("no memory for the queue")
        with cython.critical_section(self):
            first = self.core == NULL
            if first:
                self.become(core, ops)
        if not first:
            ops.destroy(core)
            self.check_new()
        return 0

    cdef int check_new(self) except -1:
        if self.core != NULL:
            refuse_again(self)
        return 0

    cdef int count_discarded(self, size_t n) except -1:
        return 0

    cdef bint truth_of(self, object value, str name) except -1:
        return to_bool(value, name)

    cdef const _core.fp_queue_ops* table(self) noexcept:
        """The table of functions. The caller reads the core after this call, never before it."""
        with cython.critical_section(self):
            return self.ops

    cdef bint check_open(self) except -1:
        """See ext.pxd. Here, only whether the structure is there."""
        cdef bint made
        cdef uint64_t version = fp_class_version(<PyObject*>self)
        if not unchanged(<PyObject*>self):
            with cython.critical_section(self):  # waits for a thread that is in become()
                made = self.core != NULL
            if not made:
                raise RuntimeError(
                    f"this {type(self).__name__} was not initialised: a subclass that defines "
                    "__init__ must call super().__init__() with what the class needs")
            # Release: pairs with the load in unchanged(), after which the core is used.
            _core.fp_sync_u64_store_release(&self.checked, version)
        return False

    cdef object call_open(self, str method, tuple args):
        raise SystemError(f"{method}() of a queue that cannot be open")

    cdef int raise_for_status(self, fp_status status) except -1:
        if status == _core.FP_REENTERED:
            raise RuntimeError(
                f"{type(self).__name__} was used again from within a comparison of its own items")
        return raise_for_status(self, status)

    cdef int check_wait(self, object timeout, bint stores) except -1:
        cdef uint64_t puts, gets
        try:
            return check_timeout(timeout)
        except (TypeError, ValueError):
            self.ops.count(self.core, &puts, &gets)
            if not self.ops.is_closed(self.core) or (puts != gets and not stores):
                raise
        return self.raise_for_status(_core.FP_CLOSED)

    cdef fp_status wait(self, _core.fp_event* event, fp_attempt* op, Wait* wait) except *:
        cdef int64_t deadline = until(wait)
        sleep = sleep_of_hub() if may_poll() else None
        return (_core.fp_wait(event, op, deadline, &host) if sleep is None
                else poll(op, deadline, sleep))

    cdef int put_item(self, object item, bint block, object timeout) except -1:
        cdef Wait wait = [block, <PyObject*>timeout, 0]
        if self.check_open():
            self.call_open("put", (item, block, timeout))
            return 0
        cdef Single single = [self.core, self.ops, <uint64_t><PyObject*>item]
        cdef fp_attempt op = [run_put, has_room, &single]
        if block and timeout is not None and self.ops.limit(self.core) != _core.FP_UNBOUNDED:
            self.check_wait(timeout, True)
        fp_hand_over(<PyObject*>item, &self.crossing)
        cdef fp_status status = _core.FP_FAILED
        try:
            status = run_put(&single)
            if status == _core.FP_FULL and block:
                status = self.wait(self.ops.not_full(self.core), &op, &wait)
        finally:
            if status != _core.FP_OK:
                DECREF(<PyObject*>item)
        if status == _core.FP_MOVED:
            self.call_open("put", (item, block, rest_of(&wait)))
        elif status != _core.FP_OK:
            self.raise_for_status(_core.FP_FULL if status == _core.FP_TIMED_OUT else status)
        return 0

    cdef object get_item(self, bint block, object timeout):
        cdef Wait wait = [block, <PyObject*>timeout, 0]
        if self.check_open():
            return self.call_open("get", (block, timeout))
        cdef Single single = [self.core, self.ops, 0]
        cdef fp_attempt op = [run_get, has_items, &single]
        if block and timeout is not None:
            self.check_wait(timeout, False)
        cdef fp_status status = run_get(&single)
        if status == _core.FP_EMPTY and block:
            status = self.wait(self.ops.not_empty(self.core), &op, &wait)
        if status == _core.FP_MOVED:
            return self.call_open("get", (block, rest_of(&wait)))
        if status != _core.FP_OK:
            self.raise_for_status(_core.FP_EMPTY if status == _core.FP_TIMED_OUT else status)
        return fp_steal(fp_receive(<PyObject*>single.item, &self.crossing))

    cdef size_t put_list(self, list items, size_t before, bint block, object timeout) except? -1:
        """Stores the items of an untracked list and returns how many it stored. The caller has
        stored `before` items already."""
        cdef size_t n = <size_t>len(items)
        cdef Batch batch = [self.core, self.ops, fp_list_buffer(items), n, 0]
        cdef fp_attempt op = [run_put_many, has_room, &batch]
        cdef fp_status status = _core.FP_OK
        cdef Wait wait = [block, <PyObject*>timeout, 0]
        fp_hand_over_all(batch.items, n, &self.crossing)
        try:
            if n != 0:
                status = run_put_many(&batch)
            if status == _core.FP_FULL and block:
                status = self.wait(self.ops.not_full(self.core), &op, &wait)
        finally:
            fp_forget_front(items, batch.done)
        if status == _core.FP_MOVED:
            try:
                return batch.done + <size_t>self.call_open(
                    "put_many", (items, block, rest_of(&wait)))
            except opened.refusals():
                if before + batch.done == 0:
                    raise
                return batch.done
        if status == _core.FP_TIMED_OUT:
            status = _core.FP_FULL
        if raised(status) or (status != _core.FP_OK and before + batch.done == 0):
            self.raise_for_status(status)
        return batch.done

    # For event loops. -----------------------------------------------------------------------------

    cdef fp_status conclude_attempt(self, fp_status status) except *:
        """Raises what isn't an answer of an attempt."""
        if status != _core.FP_OK and not must_wait(status):
            self.raise_for_status(status)
        return status

    cdef fp_status attempt_get(self, PyObject** item) except *:
        cdef uint64_t word = 0
        if self.check_open() or self.indirect:
            return self.get_publicly(item)
        cdef fp_status status = self.get_one(self.core, &word)
        if status == _core.FP_OK:
            item[0] = fp_receive(<PyObject*>word, &self.crossing)
            return status
        if status == _core.FP_MOVED:
            return self.get_publicly(item)
        return self.conclude_attempt(status)

    cdef fp_status attempt_put(self, Offered* offered) except *:
        if self.check_open() or self.indirect:
            return self.put_publicly(<object>offered.item)
        cdef fp_status status = give(self, offered.item)
        if status == _core.FP_MOVED:
            return self.put_publicly(<object>offered.item)
        return self.conclude_attempt(status)

    cdef fp_status get_publicly(self, PyObject** item) except *:
        try:
            found = self.get(False)
        except (Empty, opened.known_as(Empty)):
            return _core.FP_EMPTY
        item[0] = fp_new_reference(found)
        return _core.FP_OK

    cdef fp_status put_publicly(self, object item) except *:
        try:
            self.put(item, False)
        except (Full, opened.known_as(Full)):
            return _core.FP_FULL
        return _core.FP_OK

    cdef int give_up(self, Offered* offered) except -1:
        return 0

    cdef int measure_all(self, list items) except -1:
        return 0

    cdef bint never_waits(self) noexcept:
        return False

    cdef _core.fp_event* token_event(self) noexcept:
        return NULL

    cdef int before_wait(self) except -1:
        return 0

    cdef _core.fp_event* all_done_event(self) noexcept:
        return NULL

    cdef bint is_all_done(self) except -1:
        return True

    cdef _core.fp_event* event_number(self, int i) noexcept:
        if i == 0:
            return self.ops.not_empty(self.core)
        return self.ops.not_full(self.core) if i == 1 else NULL

    @property
    def async_q(self):
        """The end of this queue for event loops: `await q.async_q.get()`. See fastprims.aio."""
        self.check_open()  # raises if there is no structure
        return end_of(self)

    @property
    def sync_q(self):
        """The queue itself: its end for threads."""
        return self

    # The protocol. --------------------------------------------------------------------------------

    def put(self, item, block=True, timeout=None):
        """Store `item`. If there is no room, wait, at most `timeout` seconds; with block=False,
        don't wait. Raises Full if there was no room in time, ShutDown after shutdown(), ValueError
        for a negative timeout. An interrupted or failed call has stored nothing.
        """
        self.put_item(item, self.truth_of(block, "block"), timeout)

    def get(self, block=True, timeout=None):
        """Remove and return the next item. If there is none, wait, at most `timeout` seconds; with
        block=False, don't wait. Raises Empty if none came in time, ShutDown after shutdown() once
        the queue is drained, ValueError for a negative timeout. An interrupted or failed call has
        taken nothing.
        """
        return self.get_item(self.truth_of(block, "block"), timeout)

    def put_nowait(self, item):
        """Store `item` if there is room now, else raise Full. Never waits for room."""
        if self.check_open() or self.indirect:
            return self.put(item, block=False)
        self.put_item(item, False, None)

    def get_nowait(self):
        """Remove and return the next item, or raise Empty. Never waits for one."""
        indirect = self.check_open() or self.indirect
        return self.get(block=False) if indirect else self.get_item(False, None)

    def try_put(self, item):
        """Store `item` and return True, or return False if there is no room. Raises ShutDown after
        shutdown().
        """
        if self.check_open():
            return self.call_open("try_put", (item,))
        cdef fp_status status = give(self, <PyObject*>item)
        if status == _core.FP_OK:
            return True
        if status == _core.FP_MOVED:
            return self.call_open("try_put", (item,))
        if status != _core.FP_FULL:
            self.raise_for_status(status)
        return False

    def try_get(self, default=None):
        """Remove and return the next item, or return `default` if there is none. Raises ShutDown
        after shutdown() once the queue is drained.
        """
        cdef uint64_t word = 0
        if self.check_open():
            return self.call_open("try_get", (default,))
        cdef fp_status status = self.get_one(self.core, &word)
        if status == _core.FP_OK:
            return fp_steal(fp_receive(<PyObject*>word, &self.crossing))
        if status == _core.FP_MOVED:
            return self.call_open("try_get", (default,))
        if status != _core.FP_EMPTY:
            self.raise_for_status(status)
        return default

    def put_many(self, iterable, block=True, timeout=None):
        """Store the items one after the other and return how many were stored: all, or fewer
        if there was no room in time (block=False: at once) or the queue was shut down meanwhile.
        Raises Full (ShutDown) if not a single item could be stored. Items of other threads may come
        between. The iterable is read to its end before the first item is stored; if reading it
        raises, nothing is stored. After an interrupt, the items stored so far remain in the queue.
        """
        cdef size_t done = 0
        cdef bint may_wait = to_bool(block, "block")
        if self.check_open():
            return self.call_open("put_many", (iterable, may_wait, timeout))
        if may_wait and self.ops.limit(self.core) != _core.FP_UNBOUNDED:
            self.check_wait(timeout, True)
        # Under the GIL no other thread runs while put_in_place() uses `iterable`: the list need not
        # be copied, and the references may be counted after the items were stored.
        if _core.FP_PLAIN and type(iterable) is list and not self.ops.calls_host:
            done = put_in_place(self, iterable)
            if done == <size_t>len(iterable):
                return done
            iterable = iterable[done:]
        return done + self.put_list(untracked_list(iterable, -1), done, may_wait, timeout)

    def get_many(self, max_items, block=True, timeout=None):
        """Wait for the first item as get() does, then take the items that are there, `max_items` at
        most, and return them as a list, in the order of get(). Raises what get() raises; then it
        has taken nothing.
        """
        cdef bint may_wait = to_bool(block, "block")
        if self.check_open():
            return self.call_open("get_many", (max_items, may_wait, timeout))
        cdef Py_ssize_t most = to_most(max_items)
        if may_wait:
            self.check_wait(timeout, False)
        if most == 0:
            return []
        cdef uint64_t puts, gets
        self.ops.count(self.core, &puts, &gets)
        # The list is allocated first: an allocation that fails after the taking would lose items.
        cdef uint64_t chunk = puts - gets if self.ops.calls_host else <uint64_t>CHUNK
        cdef size_t room = min(<size_t>most, max(<size_t>64, min(puts - gets, chunk)))
        cdef list items = untracked_list(None, <Py_ssize_t>room)
        cdef Batch batch = [self.core, self.ops, fp_list_buffer(items), room, 0]
        cdef fp_attempt op = [run_get_many, has_items, &batch]
        cdef fp_status status = run_get_many(&batch)
        cdef size_t have = 0
        cdef Wait wait = [may_wait, <PyObject*>timeout, 0]
        try:
            if status == _core.FP_EMPTY and may_wait:
                status = self.wait(self.ops.not_empty(self.core), &op, &wait)
            have = batch.done
            # Not where a comparison may fail: the items taken so far would be lost.
            while (not self.ops.calls_host and batch.done == batch.size
                   and have < <size_t>most):
                items = take_more(items, <size_t>most, &batch)
                have += batch.done
        finally:
            fp_receive_all(fp_list_buffer(items), have, &self.crossing)
            fp_show_list(items, have)
        if status == _core.FP_MOVED:
            return self.call_open("get_many", (most, may_wait, rest_of(&wait)))
        if status != _core.FP_OK:
            self.raise_for_status(_core.FP_EMPTY if status == _core.FP_TIMED_OUT else status)
        return items

    def qsize(self):
        """The number of items; under concurrent use, the number at some moment during the call."""
        cdef uint64_t puts, gets
        if self.check_open():
            return self.call_open("qsize", ())
        self.ops.count(self.core, &puts, &gets)
        return puts - gets

    def __len__(self):
        return self.qsize()

    def __bool__(self):
        return True  # as the standard queues, which have no len(): `if q:` asks for presence

    def empty(self):
        """True if there was no item at some moment during the call."""
        cdef uint64_t puts, gets
        if self.check_open():
            return self.call_open("empty", ())
        self.ops.count(self.core, &puts, &gets)
        return puts == gets

    def full(self):
        """True if there was no room at some moment during the call."""
        cdef uint64_t puts, gets
        if self.check_open():
            return self.call_open("full", ())
        self.ops.count(self.core, &puts, &gets)
        return puts - gets >= self.ops.limit(self.core)

    def shutdown(self, immediate=False):
        """From now on every put raises ShutDown; gets deliver the items that are left and then
        raise it too. immediate=True drops these items. Wakes all waiting threads. A concurrent put
        either takes effect before (its item is delivered) or raises.
        """
        cdef bint discard = self.truth_of(immediate, "immediate")
        if self.check_open():
            self.call_open("shutdown", (discard,))
            return
        cdef fp_status status = self.ops.close(self.core, discard)
        if status == _core.FP_MOVED:
            self.call_open("shutdown", (discard,))
            return
        if status != _core.FP_OK:
            self.raise_for_status(status)
        if discard and self.clear():  # the rest has moved to another container meanwhile
            self.call_open("shutdown", (True,))

    def stats(self):
        """The counts since the queue was made; see QueueStats."""
        cdef uint64_t puts, gets
        cdef const _core.fp_queue_ops* ops = self.table()
        ops.count(self.core, &puts, &gets)
        return record(
            "QueueStats", puts=puts, gets=gets, size=puts - gets, maxsize=self.maxsize,
            open=_core.fp_sync_u64_load_seq_cst(&self.checked) == OPEN,
            put_waits=_core.fp_sync_u64_load_relaxed(&ops.not_full(self.core).waits),
            get_waits=_core.fp_sync_u64_load_relaxed(&ops.not_empty(self.core).waits))

    cdef bint clear(self) except -1:
        """Drops all items. Returns True if the rest has moved to another container meanwhile."""
        cdef uint64_t items[64]
        cdef size_t n = 1, i
        cdef fp_status status = _core.FP_EMPTY
        while n != 0:
            status = self.ops.discard(self.core, items, 64, &n)
            for i in range(n):
                fp_drop(<PyObject*>items[i])  # may run any code, this queue's methods included
            if n != 0:
                self.count_discarded(n)
            if raised(status):
                fp_propagate()
        return status == _core.FP_MOVED

    # Special methods. -----------------------------------------------------------------------------

    def __repr__(self):
        cdef uint64_t puts, gets
        cdef const _core.fp_queue_ops* ops = self.table()
        ops.count(self.core, &puts, &gets)
        state = " shut down" if ops.is_closed(self.core) else ""
        return (f"<{type(self).__module__}.{type(self).__qualname__} maxsize={self.maxsize} "
                f"size={puts - gets}{state} at {<size_t><PyObject*>self:#x}>")

    def __sizeof__(self):
        cdef const _core.fp_queue_ops* ops = self.table()
        return object.__sizeof__(self) + ops.memory(self.core)

    def __reduce_ex__(self, protocol, /):
        refuse_pickle(self, "Send its items, or use a queue made for processes")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: Queue[int]."""
        return GenericAlias(cls, item)


cdef class QueueWithState(BaseQueue):
    """A BaseQueue with the two attributes that the drop-in classes, as the standard ones, have on
    instances only. Not to be instantiated."""

    @property
    def maxsize(self):
        """The largest number of items at a time."""
        cdef const _core.fp_queue_ops* ops = self.table()
        return ops.limit(self.core)

    @property
    def is_shutdown(self):
        """True once shutdown() was called."""
        cdef const _core.fp_queue_ops* ops = self.table()
        return bool(ops.is_closed(self.core))
