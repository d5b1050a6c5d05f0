# BoundedChannel over fp_channel: which items enter, which are dropped, and how on_pressure is told.


cdef extern from "_queues/later.h":
    object fp_take_error()
    void fp_raise_later(object, fp_bool)

cdef enum Overflow:  # in the order of channel_options.OVERFLOW
    BLOCK
    REJECT
    DROP_NEWEST
    DROP_OLDEST

# As enum fp_drop_reason.
REASONS = ("full", "overflow-newest", "overflow-oldest", "oversized", "rate", "shutdown")


# fastprims._stats.PressureReport. Loaded before it is needed: the last report may be made when the
# interpreter exits and can import nothing any more.
cdef object report_class = None


cdef int load_report() except -1:
    global report_class
    if report_class is None:
        from fastprims._stats import PressureReport
        report_class = PressureReport
    return 0


# One item, and the operation on it that fp_wait() repeats.
cdef struct Offer:
    _core.fp_channel* channel
    uint64_t item


cdef fp_status run_offer(void* arg) noexcept:
    return _core.fp_channel_store((<Offer*>arg).channel, (<Offer*>arg).item)


cdef fp_bool has_room_for_offer(void* arg) noexcept:
    cdef uint64_t puts, gets
    _core.fp_channel_ops.count((<Offer*>arg).channel, &puts, &gets)
    return puts - gets < _core.fp_channel_ops.limit((<Offer*>arg).channel)


cdef class BoundedChannel(QueueWithState):
    """
    BoundedChannel(maxsize, *, overflow="block", max_item_size=None, size_of=len, \
rate=None, on_pressure=None, pressure_interval=1.0)

    FIFO queue for any number of threads with explicit limits: at most `maxsize` items (1 or more,
    exact); no item for which `size_of(item)` is more than `max_item_size` (put raises ItemTooLarge,
    a ValueError); and `rate` items per second. `rate` is a number, and then as many items may come
    at once (at least one), or a pair (rate, burst). If there is no room, a put does this:

    - "block": it waits, as a Queue does;
    - "reject": it raises Full at once, whatever `block` and `timeout` say;
    - "drop_newest": it drops its own item and returns;
    - "drop_oldest": it stores its item and drops the oldest one, in one step: never more items than
      necessary, and none while there is room.

    When items come too fast, "block" waits, "reject" raises Full, and the others drop the new item.
    The rate counts the items that ask for room, whether they find it or not, but not those that
    are too large.

    Items that a limit keeps out are counted by reason; see ChannelStats. `on_pressure(report)` is
    called with a PressureReport, which has the counts since the last report: at once for the first
    drop, then every `pressure_interval` seconds at most while drops go on. Counts that are still
    unreported are reported when a consumer finds nothing and waits, by shutdown(), and when the
    channel is deleted; no drop remains unreported. The thread that caused the report calls it, with
    no lock held, so it may use the channel. Calls never overlap. An Exception goes to
    sys.unraisablehook, never to the caller; anything else, such as the SystemExit of a signal
    handler, is raised after the call has returned.

    put and get take effect at one instant between call and return.

    Errors: ItemTooLarge: the item is larger than `max_item_size`. Full and Empty: the call could
        not go on in time; when puts raise Full depends on `overflow`. ShutDown: after shutdown(),
        gets once the channel is drained. ValueError: limits that are impossible, a negative
        timeout. Also what `size_of` raises; then nothing is stored.
    Complexity: O(1) for each item, the same as a Queue's as long as no limit is hit; a rate adds
        one reading of the clock. 8 bytes an item, in segments.
    Progress: put and get are lock-free (a thread suspended at any point stops no other), except
        waiting.
    Source: segmented array queue that can be trimmed; csrc/queues/fp_channel.h. The rate is that of
        RateLimiter; csrc/limits/fp_gcra.h.
    Example:
        >>> from fastprims import BoundedChannel
        >>> channel = BoundedChannel(2, overflow="drop_oldest", max_item_size=10)
        >>> channel.put_many(["one", "two", "three"])
        3
        >>> channel.get_many(9), channel.stats().drops["overflow-oldest"]
        (['two', 'three'], 1)
        >>> channel.overflow, channel.maxsize, channel.max_item_size, channel.rate
        ('drop_oldest', 2, 10, None)
        >>> channel.put("eleven long")
        Traceback (most recent call last):
        ...
        fastprims._errors.ItemTooLarge: ...
        >>> channel.is_shutdown
        False
    """

    # All of these are written by the first __init__ that enters the critical section, before there
    # is a structure. After that only the garbage collector clears them (collection.pxi).
    cdef Overflow policy
    cdef bint measured, has_rate
    cdef bint measured_by_len
    cdef object most
    cdef int64_t most_word  # the same, or INT64_MAX if it is larger
    cdef object size_of
    cdef readonly object rate
    """Items per second and items at once, as a pair; None: no limit."""
    cdef object on_pressure
    cdef int64_t interval

    def __init__(self, maxsize, *, overflow="block", max_item_size=None, size_of=len, rate=None,
                 on_pressure=None, pressure_interval=1.0):
        self.check_new()
        cdef uint64_t limit = channel_options.to_maxsize(to_index(maxsize, "maxsize"))
        cdef Overflow policy = <Overflow><int>channel_options.to_policy(overflow)
        check_callable(size_of, "size_of")
        if on_pressure is not None:
            check_callable(on_pressure, "on_pressure")
            load_report()
        cdef bint measured = max_item_size is not None, has_rate = rate is not None
        most = to_count(max_item_size, "max_item_size", 0) if measured else None
        cdef int64_t most_word = min(most or 0, INT64_MAX)
        cdef int64_t interval = channel_options.to_nanoseconds(
            pressure_interval, "pressure_interval")
        if has_rate:
            rate = channel_options.to_rate(rate)
        cdef _core.fp_channel* channel = _core.fp_channel_create(
            limit, policy == DROP_OLDEST, measured or has_rate)
        if channel != NULL and has_rate:
            set_rate(channel, rate)
        if channel == NULL:
            raise MemoryError("no memory for the queue")
        cdef bint first
        with cython.critical_section(self):
            first = self.core == NULL
            if first:
                self.policy, self.measured, self.has_rate = policy, measured, has_rate
                self.most, self.most_word = most, most_word
                self.size_of, self.measured_by_len = size_of, size_of is len
                self.rate, self.on_pressure, self.interval = rate, on_pressure, interval
                self.indirect = fp_is_heap_type(<PyObject*>self)  # may override put() or get()
                self.become(channel, &_core.fp_channel_ops)
        if not first:
            _core.fp_channel_ops.destroy(channel)
            self.check_new()

    def __dealloc__(self):
        cdef PyObject* old
        old = fp_keep(<PyObject*>self.size_of)
        self.size_of = None
        fp_drop(old)
        old = fp_keep(<PyObject*>self.on_pressure)
        self.on_pressure = None
        fp_drop(old)

    def __del__(self):
        if self.core != NULL:
            self.report(True)

    cdef _core.fp_channel* channel(self) noexcept:
        return <_core.fp_channel*>self.core

    # Putting. -------------------------------------------------------------------------------------

    cdef int measure(self, object item) except -1:
        """Raises ItemTooLarge, or what size_of raises."""
        cdef int64_t word
        if not self.measured:
            return 0
        if self.measured_by_len:
            word = len(item)
            if word <= self.most_word:
                return 0
            size = word
        else:
            size = self.size_of(item)
            if fp_small_int(<PyObject*>size, &word) and word <= self.most_word:
                return 0
            size = to_index(size, "what size_of returns")
        if size > self.most:
            self.count_drop(_core.FP_DROP_OVERSIZED, 1)
            raise ItemTooLarge(
                f"an item of size {size} is more than this channel takes (max_item_size="
                f"{self.most}): send it in parts, or allow larger items")
        return 0

    cdef int measure_all(self, list items) except -1:
        if self.measured:
            for item in items:
                self.measure(item)
        return 0

    cdef fp_status offer(self, object item, Wait* wait, bint has_token) except *:
        """FP_OK: stored; FP_FULL: not stored, and counted. `has_token`: the item has its token."""
        cdef Offer offer = [self.channel(), <uint64_t><PyObject*>item]
        cdef fp_attempt op = [run_offer, has_room_for_offer, &offer]
        cdef fp_status status
        if self.has_rate and not has_token:
            status = self.pace(wait)
            if status != _core.FP_OK:
                return status
        fp_hand_over(<PyObject*>item, &self.crossing)
        status = _core.FP_FAILED
        try:
            status = run_offer(&offer)
            if status == _core.FP_FULL and wait.may and self.policy == BLOCK:
                status = self.wait(self.ops.not_full(self.core), &op, wait)
        finally:
            if status != _core.FP_OK:
                DECREF(<PyObject*>item)
        if self.policy == DROP_OLDEST:
            self.trim()
        elif status == _core.FP_TIMED_OUT or status == _core.FP_FULL:
            status = _core.FP_FULL
            self.count_drop(
                _core.FP_DROP_NEWEST if self.policy == DROP_NEWEST else _core.FP_DROP_FULL, 1)
        return status

    cdef fp_status pace(self, Wait* wait) except *:
        """FP_OK: took a token; FP_FULL: there was none, and the drop is counted."""
        cdef fp_status status = _core.fp_channel_pace(self.channel(), 0, NULL)
        if status == _core.FP_FULL and wait.may and self.policy == BLOCK:
            status = _core.fp_channel_pace(self.channel(), until(wait), &host)
        if status == _core.FP_TIMED_OUT or status == _core.FP_FULL:
            status = _core.FP_FULL
            self.count_drop(_core.FP_DROP_RATE, 1)
        return status

    cdef int put_item(self, object item, bint block, object timeout) except -1:
        cdef Wait wait = [block, <PyObject*>timeout, 0]
        self.check_open()  # raises if there is no channel
        if block and timeout is not None and self.policy == BLOCK:
            self.check_wait(timeout, True)
        self.measure(item)
        return self.conclude(self.offer(item, &wait, False))

    cdef fp_status attempt_put(self, Offered* offered) except *:
        cdef fp_status status
        cdef Wait wait = AT_ONCE
        self.check_open()
        offered.delay = 0
        if self.indirect and type(self).put is not BoundedChannel.put:
            if self.policy != BLOCK:
                self.put(<object>offered.item, False)  # what it raises is the answer
                return _core.FP_OK
            status = self.put_publicly(<object>offered.item)
            if status == _core.FP_FULL and self.has_rate:
                offered.delay = _core.fp_channel_delay(self.channel())  # 0: it lacks room
            return status
        if self.policy != BLOCK:
            if not offered.measured:
                self.measure(<object>offered.item)
            status = self.offer(<object>offered.item, &wait, False)
            self.conclude(status)
            return _core.FP_OK if status == _core.FP_FULL else status
        if not offered.measured:
            self.measure(<object>offered.item)
            offered.measured = True
        if self.has_rate and not offered.has_token:
            status = _core.fp_channel_pace(self.channel(), 0, NULL)
            if status == _core.FP_FULL:
                offered.delay = _core.fp_channel_delay(self.channel())
                return self.conclude_attempt(
                    _core.FP_CLOSED if self.ops.is_closed(self.core) else _core.FP_NOT_YET)
            offered.has_token = True
        fp_hand_over(offered.item, &self.crossing)
        status = _core.fp_channel_store(self.channel(), <uint64_t>offered.item)
        if status != _core.FP_OK:
            DECREF(offered.item)
        return self.conclude_attempt(status)

    cdef int give_up(self, Offered* offered) except -1:
        lacks_token = self.has_rate and not offered.has_token
        return self.count_drop(_core.FP_DROP_RATE if lacks_token else _core.FP_DROP_FULL, 1)

    cdef bint never_waits(self) noexcept:
        return self.policy != BLOCK

    cdef _core.fp_event* token_event(self) noexcept:
        # The collector asks for it at any moment, before there is a structure, too.
        return &self.channel().token_event if self.core != NULL else NULL

    cdef _core.fp_event* event_number(self, int i) noexcept:
        return self.token_event() if i == 2 else BaseQueue.event_number(self, i)

    cdef int before_wait(self) except -1:
        self.report(True)  # as in wait()
        return 0

    cdef int conclude(self, fp_status status) except -1:
        """Raises what put() raises for this status."""
        if status != _core.FP_OK and (status != _core.FP_FULL or self.policy < DROP_NEWEST):
            self.raise_for_status(status)
        return 0

    def put(self, item, block=True, timeout=None):
        """Store `item`. If there is no room, `overflow` decides: "block" waits, at most `timeout`
        seconds, or with block=False not at all, and then raises Full; "reject" raises Full;
        "drop_newest" and "drop_oldest" drop and count an item, and return. Raises ItemTooLarge,
        ShutDown after shutdown(), and what size_of raises. A call that raises has stored nothing.
        """
        self.put_item(item, to_bool(block, "block"), timeout)

    def try_put(self, item):
        """Store `item` and return True, or return False if there was no room or the rate was
        exceeded. Raises ItemTooLarge, and ShutDown after shutdown().
        """
        self.check_open()  # raises if there is no channel
        self.measure(item)
        cdef fp_status status = self.offer(item, &AT_ONCE, False)
        if status != _core.FP_OK and status != _core.FP_FULL:
            self.raise_for_status(status)
        return status == _core.FP_OK

    def put_many(self, iterable, block=True, timeout=None):
        """Store the items one after the other and return how many were stored. If there is no
        room, `overflow` decides: "block" (once its time is up) and "reject" stop there, and raise
        Full if not a single item could be stored; "drop_newest" drops the rest; "drop_oldest"
        stores all, except those beyond the rate.
        The iterable is read to its end and every item measured before the first is stored; if that
        raises, nothing is stored. After shutdown: ShutDown, or the number stored before it.
        """
        self.check_open()  # raises if there is no channel
        cdef bint may_wait = to_bool(block, "block") and self.policy == BLOCK
        if may_wait:
            self.check_wait(timeout, True)
        # The list is hidden while size_of, on_pressure and finalizers run: the items that are
        # stored are the ones that were measured.
        cdef list items = untracked_list(iterable, -1)
        cdef size_t n = <size_t>len(items), done = 0
        self.measure_all(items)
        if self.policy == DROP_OLDEST or self.has_rate:
            return self.put_each(items, may_wait, timeout)
        cdef bint silent = self.policy == DROP_NEWEST
        try:
            done = self.put_list(items, 0, may_wait, timeout)
        except Full:
            if not silent:
                self.count_drop(_core.FP_DROP_FULL, n)
                raise
        if done < n and not self.ops.is_closed(self.core):
            self.count_drop(_core.FP_DROP_NEWEST if silent else _core.FP_DROP_FULL, n - done)
        return done

    cdef size_t put_each(self, list items, bint block, object timeout) except? -1:
        """Stores the items of a hidden list one by one; returns how many were stored."""
        cdef Wait wait = [block, <PyObject*>timeout, 0]
        cdef size_t done = 0, n = <size_t>len(items), i
        cdef fp_status status
        for i in range(n):
            status = self.offer(items[i], &wait, False)
            if status == _core.FP_OK:
                done += 1
            elif status == _core.FP_FULL and self.policy < DROP_NEWEST:
                if i + 1 < n:  # the others were offered too
                    self.count_drop(_core.FP_DROP_FULL, n - i - 1)
                if done == 0:
                    self.raise_for_status(status)
                break
            elif status != _core.FP_FULL:
                if done == 0 or status != _core.FP_CLOSED:
                    self.raise_for_status(status)
                break
        return done

    cdef int trim(self) except -1:
        """Drops the items beyond the bound; fp_channel.h says which calls must do this."""
        cdef uint64_t items[16]
        cdef size_t n = 16, i, total = 0
        while n == 16:
            n = _core.fp_channel_trim(self.channel(), items, 16)
            for i in range(n):
                fp_drop(<PyObject*>items[i])  # may run any code, this channel's methods included
            total += n
        if total != 0:
            self.report(False)
        return 0

    def shutdown(self, immediate=False):
        """From now on every put raises ShutDown; gets deliver the items that are left and then
        raise it too. immediate=True drops these items. Wakes all waiting threads. A concurrent put
        either takes effect before (its item is delivered) or raises. Reports to on_pressure what
        was not reported yet.
        """
        BaseQueue.shutdown(self, immediate)
        if self.policy == DROP_OLDEST:
            self.trim()
        self.report(True)

    @property
    def is_shutdown(self):
        """True once shutdown() was called."""
        cdef const _core.fp_queue_ops* ops = self.table()
        cdef bint closed = ops.is_closed(self.core)
        if closed and self.policy == DROP_OLDEST:
            self.trim()
        return closed

    # Counting and reporting. ----------------------------------------------------------------------

    cdef int count_discarded(self, size_t n) except -1:
        if n != 0:
            _core.fp_channel_count_drop(self.channel(), _core.FP_DROP_SHUTDOWN, n)
        return 0

    cdef int count_drop(self, _core.fp_drop_reason reason, uint64_t n) except -1:
        _core.fp_channel_count_drop(self.channel(), reason, n)
        self.report(False)
        return 0

    cdef fp_status wait(self, _core.fp_event* event, fp_attempt* op, Wait* wait) except *:
        if event == self.ops.not_empty(self.core):
            self.report(True)  # nothing to take: the pressure, if there was any, is over
        return BaseQueue.wait(self, event, op, wait)

    cdef void report(self, bint urgent) noexcept:
        """Calls on_pressure, if a report is due and no other thread is making one."""
        cdef uint64_t news[<int>_core.FP_DROPS]
        cdef PyObject* result
        cdef bint again = self.on_pressure is not None
        while again and _core.fp_channel_begin_report(
                self.channel(), _core.fp_thread_serial(), urgent, news):
            try:
                report = self.report_of(news)
            except BaseException as error:  # no memory, or Ctrl-C: a later call reports it
                if not isinstance(error, Exception):
                    raise_later(error)
                _core.fp_channel_end_report(self.channel())
                break
            _core.fp_channel_tell(self.channel(), news, self.interval)
            result = PyObject_CallOneArg(self.on_pressure, report)
            if result == NULL and PyErr_ExceptionMatches(Exception):
                PyErr_WriteUnraisable(<PyObject*>self.on_pressure)
            elif result == NULL:
                raise_later(fp_take_error())
            XDECREF(result)
            again = _core.fp_channel_end_report(self.channel())

    cdef object report_of(self, const uint64_t* news):
        drops = {REASONS[i]: news[i] for i in range(<int>_core.FP_DROPS) if news[i] != 0}
        return report_class(drops=drops, size=self.qsize(), maxsize=self.maxsize)

    def stats(self):
        """The counts since the channel was made; see ChannelStats."""
        cdef uint64_t puts, gets, evicted, discarded
        cdef const _core.fp_queue_ops* ops = self.table()
        # A drop is counted after its item was taken, so the drops are read before the gets: a drop
        # that is not counted yet appears as a get.
        drops = {REASONS[i]: 0 for i in range(<int>_core.FP_DROPS)}
        if self.core != NULL:
            for i in range(<int>_core.FP_DROPS):
                drops[REASONS[i]] = _core.fp_channel_drops(self.channel(), i)
        ops.count(self.core, &puts, &gets)
        evicted = drops["overflow-oldest"]
        discarded = drops["shutdown"]
        if gets < evicted + discarded:
            raise MemoryError  # the counts could not be read
        return record(
            "ChannelStats", puts=puts, gets=gets - evicted - discarded, size=puts - gets,
            maxsize=self.maxsize,
            put_waits=_core.fp_sync_u64_load_relaxed(&ops.not_full(self.core).waits),
            get_waits=_core.fp_sync_u64_load_relaxed(&ops.not_empty(self.core).waits),
            drops=drops)

    @property
    def overflow(self):
        """What a put does when there is no room: "block", "reject", "drop_newest" or "drop_oldest".
        """
        return channel_options.OVERFLOW[self.policy]

    @property
    def max_item_size(self):
        """The largest size_of(item) that is accepted; None: any."""
        return self.most


cdef int raise_later(object error) except -1:
    fp_raise_later(error, PyThread_get_thread_ident() == main_thread().ident)
    return 0


cdef int check_callable(object value, str name) except -1:
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")
    return 0


cdef int set_rate(_core.fp_channel* channel, tuple rate) except -1:
    """Gives the channel a rate, or frees it and raises."""
    if _core.fp_channel_set_rate(channel, rate[0], rate[1]) != _core.FP_OK:
        _core.fp_channel_ops.destroy(channel)
        raise MemoryError  # to_rate() has checked the rest
    return 0


# The fast path of put and try_put (see cpython_compat.h): there is room, and a token. -------------

cdef fp_fastcall slow_channel_put, slow_channel_try_put


cdef inline fp_status enter(BoundedChannel self, PyObject* item,
                            bint may_wait) except? _core.FP_FAILED:
    """Does what measure() and offer() do."""
    cdef Wait wait = [may_wait, <PyObject*>None, 0]
    cdef bint has_token = False
    cdef fp_status status = _core.FP_OK
    if self.measured:
        self.measure(<object>item)
    if self.has_rate:
        status = _core.fp_channel_pace(self.channel(), 0, NULL)
        has_token = status == _core.FP_OK
    if _core.FP_LIKELY(status == _core.FP_OK):
        fp_hand_over(item, &self.crossing)
        status = _core.fp_segq_put(self.core, <uint64_t>item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return status
        DECREF(item)
    return self.offer(<object>item, &wait, has_token)


cdef PyObject* fast_channel_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                                PyObject* names) except NULL:
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        status = enter(<BoundedChannel>self, args[0], True)
        if _core.FP_UNLIKELY(status != _core.FP_OK):
            (<BoundedChannel>self).conclude(status)
        return fp_constant(None)
    return slow_channel_put(self, args, n, names)


cdef PyObject* fast_channel_try_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                                    PyObject* names) except NULL:
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        status = enter(<BoundedChannel>self, args[0], False)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(True)
        if status != _core.FP_FULL:
            (<BoundedChannel>self).raise_for_status(status)
        return fp_constant(False)
    return slow_channel_try_put(self, args, n, names)


fp_set_fastcall(BoundedChannel, "put", <fp_fastcall>fast_channel_put, &slow_channel_put)
fp_set_fastcall(BoundedChannel, "try_put", <fp_fastcall>fast_channel_try_put, &slow_channel_try_put)
fp_publish(BoundedChannel, "fastprims.BoundedChannel", HOT_METHODS)
