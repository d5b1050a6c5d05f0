# select: of several operations, the one that can take place first.
#
# The selecting thread or task makes all attempts itself, one after the other, and stops at the
# first that succeeds. Nobody else completes an operation for it, so exactly one takes place, and
# the losers' items stay where they are.
#
# An entry stands for each operation. It is either ready, which means that it has to be tried, or
# listed on its event, after an attempt that failed. A notification makes it ready. So a call costs
# what its ready entries cost, not what all of them do. Between calls the entries stay listed, but
# swallow no turns: the hub of a thread is AWAY (csrc/wait/fp_hub.h); that of a loop hears of it at
# once, in resolve().


cdef enum Operation:
    TAKE
    STORE
    WATCH  # an AtomicFlag


@cython.no_gc_clear  # entries use it until they end
cdef class Ready:
    """What a Selector shares with its entries."""

    # The entries to be tried, in this order, and those among them that got a turn during the call;
    # linked by themselves, so that nothing can fail once an operation took place. An entry is in
    # the first list only while it is in the set, which keeps it; the second list keeps it itself.
    cdef PyObject* first
    cdef PyObject* last
    cdef PyObject* turns
    cdef bint in_order  # of the set; else of their coming
    cdef bint asked  # a call is at work
    cdef object future  # what the calling task waits for

    # A loop adds its entries while another thread, which does not ask, changes the set.

    cdef void add(self, Entry entry) noexcept:
        cdef PyObject* before
        with cython.critical_section(self):
            if entry.left or entry.is_ready:
                return
            entry.is_ready = True
            before = self.last
            if self.in_order and before != NULL:
                if entry.place < (<Entry>self.first).place:
                    before = NULL
                while before != NULL and (<Entry>before).place > entry.place:
                    before = (<Entry>before).previous
            entry.previous = before
            entry.following = self.first if before == NULL else (<Entry>before).following
            self.link(before, entry.following, <PyObject*>entry, <PyObject*>entry)

    cdef void remove(self, Entry entry) noexcept:
        with cython.critical_section(self):
            if entry.is_ready:
                entry.is_ready = False
                self.link(entry.previous, entry.following, entry.following, entry.previous)

    cdef void send_back(self, Entry entry) noexcept:
        """It had its chance: the others come first, unless their order counts."""
        if not self.in_order:
            self.remove(entry)
            self.add(entry)

    cdef void link(self, PyObject* before, PyObject* behind, PyObject* first,
                   PyObject* last) noexcept:
        """What comes between these two begins and ends so."""
        if before == NULL:
            self.first = first
        else:
            (<Entry>before).following = first
        if behind == NULL:
            self.last = last
        else:
            (<Entry>behind).previous = last

    cdef void add_turn(self, Entry entry) noexcept:
        if not entry.in_turns:
            entry.in_turns = True
            entry.next_turn = self.turns
            self.turns = <PyObject*>entry
            INCREF(self.turns)

    cdef void refuse_turns(self) noexcept:
        """Those that the call has not used pass on."""
        cdef PyObject* taken
        while self.turns != NULL:
            taken = self.turns
            entry = <Entry>taken
            self.turns = entry.next_turn
            entry.in_turns = False
            entry.refuse_turn()
            DECREF(taken)


@cython.no_gc_clear
cdef class Entry(Waiter):
    """An operation of a Selector."""

    cdef Operation kind
    cdef object index  # in the set
    cdef object source  # what the user named: a queue, an end, a flag
    cdef object item
    cdef Offered offered
    cdef object key  # under which its part is known in the set
    cdef Py_ssize_t place  # the index, to compare
    cdef Ready ready
    cdef PyObject* previous
    cdef PyObject* following
    cdef PyObject* next_turn
    cdef bint is_ready, in_turns  # it is in that list
    cdef bint left  # the set

    cdef int resolve(self) except -1:
        """The hub has given the node back."""
        if self.left:
            self.refuse_turn()
            return 0
        self.ready.add(self)
        if not self.ready.asked:
            self.refuse_turn()
            return 0
        self.ready.add_turn(self)
        future = self.ready.future
        if future is not None and not future.done():
            future.set_result(None)
        return 0

    cdef void refuse_turn(self) noexcept:
        if self.has_turn:
            self.has_turn = False
            self.pass_turn()

    cdef void leave_set(self) noexcept:
        with cython.critical_section(self.ready):
            self.left = True
        self.ready.remove(self)
        if self.leave():
            self.pass_turn()

    cdef fp_event* event(self) noexcept:
        if self.offered.delay != 0:
            return self.queue.token_event()
        return event_of(self.queue, self.kind == TAKE)

    cdef bint is_polled(self) except -1:
        """No event tells when to try again."""
        return self.queue.check_open()

    cdef bint is_timed(self) except -1:
        """It is to be tried again whatever its event tells: no event tells of it, or it waits for a
        token, or it got a turn in the meantime."""
        return self.has_turn or self.offered.delay != 0 or self.is_polled()

    cdef object part(self):
        """That of which there may be one operation only."""
        return self.source if self.kind == WATCH else self.queue

    cdef Entry copy(self):
        cdef Entry other = type(self).__new__(type(self))
        other.kind, other.index, other.source = self.kind, self.index, self.source
        other.key, other.place = self.key, self.place
        other.queue, other.item, other.offered = self.queue, self.item, self.offered
        return other

    cdef bint attempt(self, PyObject** value) except -1:
        cdef fp_status status
        cdef Hub hub = begin_own_beside(event_of(self.queue, self.kind != TAKE))
        try:
            if self.kind == TAKE:
                status = self.queue.attempt_get(value)
            else:
                self.offered.item = <PyObject*>self.item
                status = self.queue.attempt_put(&self.offered)
                if status == _core.FP_OK:
                    value[0] = fp_constant(None)
        finally:
            end_own(hub)
        return status == _core.FP_OK

    cdef bint settle(self, PyObject** value) except -1:
        """Tries it. False: it could not take place, and is listed, due in its hub, or timed."""
        if self.attempt(value):
            return True
        if self.kind == TAKE:
            self.queue.before_wait()
        while not self.is_polled() and self.list_again(self.event()):
            if self.attempt(value):
                return True
            if not self.has_turn and self.node.event == self.event():
                break
        return False

    cdef void succeeded(self) noexcept:
        """One notification may stand for many items: if there are more, the next one gets a turn.
        """
        cdef fp_event* event
        self.leave()
        if self.kind != WATCH:
            event = self.event()
            if _core.fp_event_waiters(event) and has_more(self.queue, self.kind == TAKE):
                pass_turn(event)


@cython.no_gc_clear
cdef class FlagEntry(Entry):
    cdef void listen(self, fp_event* event, bint in_front) noexcept:
        listen_to_flag(<AtomicFlag>self.source, &self.node)

    cdef bint unlisten(self) noexcept:
        return unlisten_to_flag(&self.node)

    cdef void pass_turn(self) noexcept:
        pass  # a change of the flag notifies all

    cdef fp_event* event(self) noexcept:
        return &(<AtomicFlag>self.source).core.changed

    cdef bint is_polled(self) except -1:
        return False

    cdef bint attempt(self, PyObject** value) except -1:
        if not test_flag(<AtomicFlag>self.source):
            return False
        value[0] = fp_constant(True)
        return True

    cdef bint settle(self, PyObject** value) except -1:
        if self.attempt(value):
            return True
        return self.list_again(self.event()) and self.attempt(value)


cdef class after:
    """after(seconds)

    A moment, so many seconds from now, as an operation of `select`: ready from then on. In a
    Selector it is ready once.

    Errors: ValueError: the number is negative or not a number. TypeError: not a number.
    Complexity: O(1).
    Progress: wait-free.
    Source: fp_now() in csrc/base/fp_park.h: the monotonic clock.
    Example:
        >>> from fastprims import after, select
        >>> tick = after(0.01)
        >>> select(tick).source is tick, tick.seconds
        (True, 0.01)
    """

    # Written once; within the critical section, since another thread may have the object by then.
    cdef int64_t deadline
    cdef double length
    cdef bint made
    # Never written. It makes Cython build a type that the garbage collector knows, for share().
    cdef object _collected
    cdef object __weakref__

    def __init__(self, seconds):
        cdef bint first
        cdef int64_t deadline
        cdef double length
        if seconds is None:
            raise TypeError("after() takes a number of seconds, not None")
        check_timeout(seconds)
        deadline, length = deadline_of(seconds), float(seconds)
        with cython.critical_section(self):
            first = not self.made
            if first:
                self.made, self.deadline, self.length = True, deadline, length
        if not first:
            refuse_again(self)

    @property
    def seconds(self):
        """The argument."""
        cdef double length
        with cython.critical_section(self):
            length = self.length
        return length

    cdef int64_t moment(self) noexcept:
        with cython.critical_section(self):
            return self.deadline

    def __repr__(self):
        return f"fastprims.after({self.seconds})"


cdef object operation_of(object operation):
    """(source, queue, kind, item) of what a user gives to select."""
    item = None
    method = operation
    if type(operation) is tuple:
        if len(<tuple>operation) != 2:
            raise TypeError(f"a put in select is a pair (q.put, item), not {operation!r}")
        method, item = operation
    source = getattr(method, "__self__", None)
    queue = (<AsyncEnd>source).queue() if isinstance(source, AsyncEnd) else source
    name = getattr(method, "__name__", None)
    if isinstance(queue, BaseQueue):
        if name == "get" and method is operation:
            return source, queue, TAKE, None
        if name == "put" and method is not operation:
            return source, queue, STORE, item
    raise TypeError(
        "select takes q.get, (q.put, item), an AtomicFlag or after(seconds), where q is a queue, "
        f"ring or channel of this process, or its async_q; not {operation!r}")


cdef Entry new_entry(object operation, Py_ssize_t index):
    cdef Entry entry
    if isinstance(operation, AtomicFlag):
        entry = FlagEntry.__new__(FlagEntry)
        entry.source, entry.kind = operation, WATCH
    else:
        entry = Entry.__new__(Entry)
        entry.source, queue, entry.kind, entry.item = operation_of(operation)
        (<BaseQueue>queue).check_open()  # raises if there is no structure
        entry.queue = queue
    entry.index, entry.place = index, index
    entry.key = id(entry.part())
    return entry


cdef class Selected:
    """What select() did. Only select() makes such objects.

    Errors: TypeError: instantiation.
    Complexity: O(1).
    Progress: wait-free.
    Source: fastprims/_aio/select.pxi.
    Example:
        >>> from fastprims import Queue, select
        >>> q = Queue()
        >>> q.put("an item")
        >>> answer = select(q.get)
        >>> answer.index, answer.source is q, answer.value, answer.closed
        (0, True, 'an item', False)
    """

    cdef readonly object index
    """The operation's place among the arguments, or the answer of Selector.add()."""
    cdef readonly object source
    """What the operation is of: the queue or end, the flag, or the answer of after()."""
    cdef readonly object value
    """The item of a get; True for a flag; else None."""
    cdef readonly bint closed
    """True: the queue was shut down, and nothing was done."""

    def __init__(self, *args):
        raise TypeError("Selected is what select() returns")

    def __repr__(self):
        return (f"Selected(index={self.index!r}, source={self.source!r}, value={self.value!r}, "
                f"closed={self.closed})")


# How often what no event tells of is tried: at first, and at last; in seconds.
cdef double FIRST_PAUSE = 0.001, LAST_PAUSE = 0.02


@cython.no_gc_clear  # __dealloc__ needs the entries
cdef class Selector:
    """Selector(*operations, biased=False)

    Several operations, of which each call of select() does one: the first that can take place.

    An operation is `q.get`, a pair `(q.put, item)`, an AtomicFlag (ready while it is set), or
    `after(seconds)`; `q` is any queue, ring or channel of this process, or its `async_q`. The
    others have no effect; their items stay where they are. A queue that was shut down counts as
    ready, and the answer says `closed`.

    Among several that are ready, the Selector goes round, so that each gets its turn; with
    biased=True the one that was given first is done. What can happen only once leaves the set when
    it has: a put, the moment of after(), a queue that is closed. The rest stays.

    One thread or task at a time asks it; it may be another one each time. Any number of Selectors,
    and of other calls, use the same queues beside it. A ring that has one consumer (or producer)
    counts the thread that selects as that one.

    Errors: TypeError: something else than an operation. ValueError: the same queue or flag twice,
        or no operation in a call. RuntimeError: asked by two at once; no running loop. Also what
        the operations raise; after such an error none has taken place.
    Complexity: O(n) when made, O(1) for each call and each operation that became ready since the
        last one (with biased=True, O(r) if r others are ready).
    Progress: as the operations'. A notification of a queue costs O(1) more.
    Source: attempts by the selecting thread itself, told by listeners; csrc/wait/fp_hub.h.
    Example:
        >>> from fastprims import Queue, Selector
        >>> orders, results = Queue(), Queue()
        >>> both = Selector(orders.get, results.get)
        >>> results.put("done")
        >>> answer = both.select()
        >>> answer.source is results, answer.value, answer.index
        (True, 'done', 1)
        >>> both.select(timeout=0.01) is None
        True
        >>> orders.shutdown()
        >>> both.select().closed, len(both)
        (True, 1)
        >>> index = both.add((orders.put, "too late"))
        >>> both.remove(index)
        >>> import asyncio
        >>> results.put("more")
        >>> asyncio.run(both.select_async()).value
        'more'
    """

    cdef dict entries  # by index
    cdef dict timers  # by index
    cdef dict taking_part  # id of a queue or flag: that object
    cdef Py_ssize_t next_index
    cdef bint made, is_for_one_call
    cdef Ready ready
    cdef Hub hub  # of the thread or loop that asked last
    cdef Hub own  # for threads
    cdef uint64_t forks
    cdef _core.fp_sync_u64 busy
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        self.entries, self.timers, self.taking_part = {}, {}, {}
        self.ready = Ready.__new__(Ready)

    def __init__(self, *operations, biased=False):
        cdef bint first
        cdef bint in_order = to_bool(biased, "biased")
        with cython.critical_section(self):
            first = not self.made
            self.made = True
        if not first:
            refuse_again(self)
        self.enter()  # another thread may have the object
        self.ready.in_order = in_order
        self.leave()
        for operation in operations:
            self.add(operation)

    def __dealloc__(self):
        if self.entries is not None:
            for entry in self.entries.values():
                (<Entry>entry).leave_set()
        if self.own is not None:
            self.own.close()

    # Only one at a time. --------------------------------------------------------------------------

    cdef int enter(self) except -1:
        # Marked by the number of forks, since the child has not the thread that was asking.
        cdef uint64_t seen = _core.fp_sync_u64_load_relaxed(&self.busy)
        cdef uint64_t mine = _core.fp_thread_forks() + 1
        # Acquire half: pairs with leave().
        if seen == mine or not _core.fp_sync_u64_cas_seq_cst(&self.busy, &seen, mine):
            raise RuntimeError(
                "another thread or task is asking this Selector: make one for each of them")
        return 0

    cdef void leave(self) noexcept:
        _core.fp_sync_u64_store_release(&self.busy, 0)  # release: pairs with enter()

    # The set. -------------------------------------------------------------------------------------

    def add(self, operation):
        """Put an operation into the set. Returns its index, which the answers have; the first one's
        is 0. Raises TypeError and ValueError as the class does.
        """
        self.enter()
        try:
            index = self.next_index
            if isinstance(operation, after):
                self.timers[index] = operation
            else:
                self.take_in(new_entry(operation, index), operation)
            self.next_index = index + 1
            return index
        finally:
            self.leave()

    def remove(self, index):
        """Take the operation with that index out of the set. Raises KeyError if it is not there."""
        self.enter()
        try:
            self.drop(index)
        finally:
            self.leave()

    def __len__(self):
        return len(self.entries) + len(self.timers)

    def __repr__(self):
        return (f"<{type(self).__module__}.{type(self).__qualname__} of {len(self)} "
                f"operations at {<size_t><PyObject*>self:#x}>")

    def __reduce_ex__(self, protocol, /):
        refuse_pickle(self, "Make one there")

    cdef int take_in(self, Entry entry, object operation) except -1:
        if entry.key in self.taking_part:
            raise ValueError(
                f"{operation!r} is of something that is in the set already: a queue or flag takes "
                "part once")
        entry.ready = self.ready
        if self.hub is not None:
            entry.belong_to(self.hub)
        self.taking_part[entry.key] = entry.part()
        self.entries[entry.index] = entry
        self.ready.add(entry)
        return 0

    cdef int drop(self, object index) except -1:
        cdef Entry entry
        if self.timers.pop(index, None) is None:
            entry = self.entries.pop(index)
            del self.taking_part[entry.key]
            entry.leave_set()
        return 0

    cdef int move_to(self, Hub hub) except -1:
        """The calls are told by this hub from now on: new entries take the places of those that
        another one knows."""
        cdef Entry entry, other
        cdef Ready ready
        if self.hub is not None:
            ready = Ready.__new__(Ready)
            ready.in_order = self.ready.in_order
            entries = {index: (<Entry>each).copy() for index, each in self.entries.items()}
            while self.ready.first != NULL:
                entry = <Entry>self.ready.first
                self.ready.remove(entry)
                other = entries[entry.index]
                ready.add(other)
            for entry in self.entries.values():
                entry.leave_set()
            self.ready = ready
            self.entries.update(entries)  # the dict stays: len() looks at it in any thread
        self.hub, self.forks = hub, _core.fp_thread_forks()
        for entry in self.entries.values():
            entry.ready = self.ready
            entry.belong_to(hub)
            self.ready.add(entry)
        return 0

    # A call. --------------------------------------------------------------------------------------

    cdef int begin(self, Hub hub) except -1:
        if not self.entries and not self.timers:
            raise ValueError("select of no operation would wait for ever")
        if self.hub is not hub or self.forks != _core.fp_thread_forks():
            self.move_to(hub)
        self.ready.asked = True
        if hub is self.own:
            _core.fp_hub_set_away(&hub.core, False)
        return 0

    cdef int finish(self) except -1:
        self.ready.asked = False
        self.ready.future = None
        if self.hub is self.own:
            _core.fp_hub_set_away(&self.own.core, True)
            self.hub.wake()
        self.ready.refuse_turns()
        return 0

    cdef bint pick(self, Selected answer) except -1:
        """True if an operation took place. Nothing is allocated after that, and no Python code
        runs, so nothing can fail then."""
        if _core.fp_hub_has_due(&self.hub.core):
            self.hub.wake()
        # For a single call, nothing need be listed if an operation can take place at once.
        return (self.is_for_one_call and self.go_through(False, answer)
                or self.go_through(True, answer) or self.passed_timer(answer))

    cdef bint go_through(self, bint lists, Selected answer) except -1:
        """Tries those that are ready."""
        cdef Entry entry
        cdef PyObject* each = self.ready.first
        cdef PyObject* value = NULL
        cdef bint done, closed
        while each != NULL:
            entry, closed = <Entry>each, False
            try:
                done = entry.settle(&value) if lists else entry.attempt(&value)
            except (ShutDown, opened.known_as(ShutDown)):
                done = closed = True
                value = fp_constant(None)
            except BaseException:
                self.ready.send_back(entry)
                raise
            if done:
                answer.index, answer.source, answer.closed = entry.index, entry.source, closed
                answer.value = fp_steal(value)
                self.conclude(entry, closed)
                return True
            each = entry.following
            if lists and not entry.is_timed():
                self.ready.remove(entry)
        return False

    cdef int conclude(self, Entry entry, bint closed) except -1:
        if not closed:
            entry.succeeded()
        if closed or entry.kind == STORE:
            self.drop(entry.index)
        else:
            self.ready.send_back(entry)
        return 0

    cdef bint passed_timer(self, Selected answer) except -1:
        cdef int64_t now
        if not self.timers:
            return False
        now = _core.fp_now()
        for index, timer in self.timers.items():
            if (<after>timer).moment() <= now:
                answer.index, answer.source = index, timer
                del self.timers[index]
                return True
        return False

    cdef int64_t wake_by(self, int64_t deadline, double pause) except? -1:
        """When there is something to do even if no event tells of it."""
        cdef PyObject* each = self.ready.first
        cdef int64_t now
        for timer in self.timers.values():
            deadline = min(deadline, (<after>timer).moment())
        if each != NULL:
            now = _core.fp_now()
        while each != NULL:
            deadline = min(
                deadline, now + ((<Entry>each).offered.delay or <int64_t>(pause * 1e9)))
            each = (<Entry>each).following
        return deadline

    def select(self, timeout=None):
        """Do the first operation that can take place, and return a `Selected`. Wait for that, at
        most `timeout` seconds (0: not at all); then return None. An interrupted or failed call has
        done nothing.
        """
        cdef int64_t deadline, until
        cdef double pause = FIRST_PAUSE
        cdef Selected answer = Selected.__new__(Selected)
        cdef fp_status status = _core.FP_OK
        if timeout is not None:
            check_timeout(timeout)
        deadline = deadline_of(timeout)
        self.enter()
        try:
            if self.own is None or self.own.forks != _core.fp_thread_forks():
                self.own = Hub(True)
            self.begin(self.own)
            try:
                while True:
                    if self.pick(answer):
                        return answer
                    if deadline != _core.FP_FOREVER and _core.fp_now() >= deadline:
                        return None
                    until = self.wake_by(deadline, pause)
                    status = self.sleep(until, pause)
                    if status == _core.FP_INTERRUPTED:
                        fp_propagate()
                    pause = min(pause + FIRST_PAUSE, LAST_PAUSE)
            finally:
                self.finish()
        finally:
            self.leave()

    cdef fp_status sleep(self, int64_t until, double pause) except *:
        greenlets = sleep_of_hub() if may_poll() else None
        if greenlets is None:
            return _core.fp_hub_wait(&self.own.core, until, &host)
        greenlets(min(pause, max(0, (until - _core.fp_now()) / 1e9)))
        return _core.FP_OK

    async def select_async(self, timeout=None):
        """The same for a task, to be awaited: its event loop runs meanwhile. A cancelled call has
        done nothing.
        """
        if trio_here() is not None:
            return await trio_run.run_coroutine(ask(self, timeout))
        return await ask(self, timeout)


async def ask(Selector self, timeout):
    """What select_async() does."""
    cdef int64_t deadline, until
    cdef double pause = FIRST_PAUSE
    cdef bint expired = False
    cdef Selected answer = Selected.__new__(Selected)
    if timeout is not None:
        check_timeout(timeout)
    deadline = deadline_of(timeout)
    loop = running_loop()
    self.enter()
    try:
        self.begin(hub_of(loop))
        try:
            while True:
                self.ready.future = None
                if self.pick(answer):
                    return answer
                if expired or (deadline != _core.FP_FOREVER and _core.fp_now() >= deadline):
                    return None
                until = self.wake_by(deadline, pause)
                # By the loop's clock, which need not be the core's.
                expired = await told(self.ready, loop, until) and until == deadline
                pause = min(pause + FIRST_PAUSE, LAST_PAUSE)
        finally:
            self.finish()
    finally:
        self.leave()


async def told(Ready ready, loop, int64_t until):
    """Waits until a listener is due, or that moment. True: that moment has come."""
    future = ready.future = loop.create_future()
    if until == _core.FP_FOREVER:
        await future
        return False
    passed = []
    timer = loop.call_later(max(0, (until - _core.fp_now()) / 1e9), expire, future, passed)
    try:
        await future
    finally:
        timer.cancel()
    return bool(passed)


def expire(future, passed):
    if not future.done():
        passed.append(True)
        future.set_result(None)


cdef Selector shuffled(tuple operations, object biased):
    """A Selector for one call, fair by chance."""
    cdef Selector selector = Selector(*operations, biased=biased)
    selector.is_for_one_call = True
    cdef list entries
    cdef Py_ssize_t i, j
    if not selector.ready.in_order:
        entries = list(selector.entries.values())
        for i in range(len(entries) - 1, 0, -1):
            j = <Py_ssize_t>(<double>random() * (i + 1))
            entries[i], entries[j] = entries[j], entries[i]
        for entry in entries:
            selector.ready.remove(<Entry>entry)
            selector.ready.add(<Entry>entry)
    return selector


def select(*operations, timeout=None, biased=False):
    """Do the first of several operations that can take place, and return a `Selected`: which one
    (`index`, `source`), and the item of a get (`value`). Wait for that, at most `timeout` seconds
    (0: not at all); then return None. The other operations have no effect.

    An operation is `q.get`, a pair `(q.put, item)`, an AtomicFlag (ready while it is set), or
    `after(seconds)`; `q` is any queue, ring or channel of this process, or its `async_q`. A queue
    that was shut down counts as ready; then `closed` is True. Among several that are ready, chance
    decides, or, with biased=True, their order.

    Errors: as those of Selector. An interrupted or failed call has done nothing.
    Complexity: O(n) for n operations. A program that asks often makes a Selector once.
    Progress: as the operations'.
    Source: as Selector.
    Example:
        >>> from fastprims import Queue, after, select
        >>> jobs, log = Queue(), Queue(maxsize=1)
        >>> select(jobs.get, (log.put, "idle"), after(1)).source is log
        True
        >>> jobs.put("a job")
        >>> answer = select(jobs.get, (log.put, "idle"), timeout=1)
        >>> answer.value, log.qsize()
        ('a job', 1)
        >>> select(log.get, jobs.get, biased=True).index
        0
        >>> select(log.get, jobs.get, timeout=0) is None
        True
    """
    return shuffled(operations, biased).select(timeout)


def select_async(*operations, timeout=None, biased=False):
    """Await it to do what fastprims.select() does, while the event loop goes on.

    Errors: as those of Selector; RuntimeError: no running loop, or one that cannot watch file
        descriptors. A cancelled call has done nothing.
    Complexity: O(n) for n operations.
    Progress: as the operations'.
    Source: as Selector.
    Example:
        >>> import asyncio
        >>> from fastprims import Queue, aio
        >>> jobs, quit = Queue(), Queue()
        >>> async def main():
        ...     jobs.put("a job")
        ...     answer = await aio.select(jobs.get, quit.get, timeout=1)
        ...     print(answer.value, await aio.select(jobs.get, timeout=0))
        >>> asyncio.run(main())
        a job None
    """
    return shuffled(operations, biased).select_async(timeout)


fp_publish(after, "fastprims.after", ())
fp_publish(Selected, "fastprims.Selected", ())
fp_publish(Selector, "fastprims.Selector", ())
