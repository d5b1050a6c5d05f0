# One call of an end: what `await` runs.
#
# The first attempt is made when the call is awaited, and as a rule it is the last one: then no
# future is made, and the task goes on at once. Taking the item is the last thing that a call does.
# A task that is cancelled throws its exception into the call while that waits; the call has taken
# nothing then.


cdef extern from "_aio/awaiting.h":
    enum:
        PYGEN_RETURN
        PYGEN_NEXT
    ctypedef int (*fp_advance)(PyObject*, PyObject*, PyObject**)
    int fp_set_advance(object type, fp_advance advance) except -1

cdef enum Kind:
    GET
    NEXT  # the same, for `async for`
    GET_MANY
    PUT
    PUT_MANY
    JOIN

cdef tuple NAMES = ("get", "__anext__", "get_many", "put", "put_many", "join")

# Phases of a call. A thread that runs it has changed the phase to RUNNING.
cdef enum:
    NEW
    RUNNING
    WAITING
    DONE


@cython.final
@cython.no_gc_clear  # __dealloc__ needs the waiter; other objects of each cycle can be cleared
cdef class Call:
    """What the methods of an AsyncEnd return: to be awaited, once."""

    cdef _core.fp_sync_u64 phase
    cdef Kind kind
    cdef BaseQueue queue
    cdef object argument  # the item, the list of items, or how many to take
    cdef object timeout
    cdef Waiter waiter  # once the call has had to wait
    cdef Offered offered
    cdef object foreign  # the coroutine that makes this call, in a run of trio
    cdef object result  # which that one has got
    cdef Py_ssize_t done  # how many items were stored
    cdef double pause

    def __dealloc__(self):
        self.leave()

    # What the representation of a task shows.

    @property
    def __name__(self):
        return NAMES[<int>self.kind]

    @property
    def __qualname__(self):
        return f"AsyncEnd.{NAMES[<int>self.kind]}"

    # The interpreter's side. ----------------------------------------------------------------------

    def __await__(self):
        if _core.fp_sync_u64_load_relaxed(&self.phase) != NEW:
            self.refuse()
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)  # of those that call it by name; the interpreter's is set below

    def send(self, value):
        """As a coroutine's: go on, until there is something to wait for or the call ends."""
        cdef PyObject* result = NULL
        if value is not None and _core.fp_sync_u64_load_relaxed(&self.phase) == NEW:
            raise TypeError("can't send non-None value to a just-started coroutine")
        if advance(<PyObject*>self, <PyObject*>value, &result) == PYGEN_NEXT:
            return fp_steal(result)
        raise StopIteration(fp_steal(result))

    def throw(self, kind, value=None, traceback=None):
        """As a coroutine's: end the call, which has no effect then, with this exception."""
        cdef object error = kind
        self.enter()
        self.end()
        if isinstance(kind, type):
            error = value if isinstance(value, BaseException) else (
                kind() if value is None else kind(value))
        if traceback is not None:
            error = error.with_traceback(traceback)
        raise error

    def close(self):
        """As a coroutine's: end the call, which has no effect then."""
        if _core.fp_sync_u64_load_acquire(&self.phase) != DONE:
            self.enter()
            self.end()

    cdef bint enter(self) except -1:
        """Makes this thread the one that runs the call. True: the first one."""
        if self.queue is None:
            raise RuntimeError("this call was not made by a method of an AsyncEnd")
        cdef uint64_t seen = _core.fp_sync_u64_load_relaxed(&self.phase)
        # Acquire half: pairs with the release at the end of advance().
        while seen == NEW or seen == WAITING:
            if _core.fp_sync_u64_cas_seq_cst(&self.phase, &seen, RUNNING):
                return seen == NEW
        self.refuse()

    cdef int refuse(self) except -1:
        when = "has been" if _core.fp_sync_u64_load_relaxed(&self.phase) == DONE else "is being"
        raise RuntimeError(f"this call {when} awaited already: call the method again")

    def step(self):
        """For `foreign`: what to wait for; None once the call is done, and has its result."""
        cdef PyObject* result = NULL
        if _core.fp_sync_u64_load_relaxed(&self.phase) != RUNNING:
            raise RuntimeError("step() is for the coroutine that makes the call")
        if self.advance(&result) == PYGEN_NEXT:
            return fp_steal(result)
        self.result = fp_steal(result)

    cdef int end(self) except -1:
        foreign, self.foreign = self.foreign, None
        if foreign is not None:
            foreign.close()
        self.leave()
        _core.fp_sync_u64_store_release(&self.phase, DONE)
        if self.waiter is not None:
            self.waiter.cancel_timers()
        return 0

    cdef void leave(self) noexcept:
        """Does not wait any more, and had no success: if it had a turn, the next one gets it."""
        if self.waiter is not None and self.waiter.leave():
            self.waiter.pass_turn()

    cdef void leave_with_success(self) noexcept:
        """One notification may stand for many items: if there are more, the next one gets a turn.
        """
        if self.waiter is None:
            return
        self.waiter.leave()
        if self.kind != JOIN and _core.fp_event_waiters(self.waiter.node.event):
            if has_more(self.queue, self.kind < PUT):
                self.waiter.pass_turn()

    # One attempt, and what to do after it. --------------------------------------------------------

    cdef int advance(self, PyObject** result) except -1:
        if self.try_once(result):
            self.leave_with_success()
            return PYGEN_RETURN
        if self.waiter is None:
            self.prepare()
        if self.waiter.expired:
            self.expire(result)
            return PYGEN_RETURN
        while self.list_again():
            if self.try_once(result):
                self.leave_with_success()
                return PYGEN_RETURN
            # It may have got a turn during the attempt, from the own hub; or lacks something else.
            if not self.waiter.has_turn and self.waiter.node.event == self.event():
                break
        self.set_timer()
        result[0] = fp_new_reference(self.waiter.wait())
        return PYGEN_NEXT

    cdef int prepare(self) except -1:
        """The first attempt has failed."""
        if self.kind < PUT:
            self.queue.before_wait()
        if self.kind == NEXT or self.timeout is None:
            seconds = None
        else:
            deadline_of(self.timeout)  # raises if it is too large, or nan
            seconds = float(self.timeout)
        loop = running_loop()
        waiter = new_waiter(self.queue, loop)
        waiter.node.event = self.event()  # where it would be listed
        if seconds is not None:
            if seconds > 0:
                waiter.limit = loop.call_later(seconds, waiter.expire)
            else:
                waiter.expired = True
        self.waiter = waiter
        return 0

    cdef fp_event* event(self) noexcept:
        """What the call waits for."""
        if self.kind == JOIN:
            return self.queue.all_done_event()
        if self.offered.delay != 0:
            return self.queue.token_event()
        return event_of(self.queue, self.kind < PUT)

    cdef bint list_again(self) except -1:
        """True: the waiter is in the list, and the call has to try once more."""
        return not self.queue.check_open() and self.waiter.list_again(self.event())

    cdef int set_timer(self) except -1:
        """Wakes the call when there is something to try that no event tells of."""
        if self.queue.check_open():
            # An open queue has conditions, which know no event loops.
            self.waiter.wait_at_most(self.pause)
            self.pause = min(self.pause + 0.001, 0.02)
        elif self.offered.delay != 0:
            self.waiter.wait_at_most(self.offered.delay / 1e9)
        return 0

    cdef int expire(self, PyObject** result) except -1:
        """The time-out has passed, and the last attempt has failed."""
        if self.kind < PUT:
            raise QueueEmpty
        if self.kind == JOIN:
            result[0] = fp_constant(False)
        elif self.kind == PUT:
            self.queue.give_up(&self.offered)
            raise QueueFull
        else:
            self.give_up_rest()
            if self.done == 0:
                raise QueueFull
            result[0] = fp_new_reference(self.done)
        self.leave()
        return 0

    cdef int give_up_rest(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.done, len(<list>self.argument)):
            self.queue.give_up(&self.offered)
            self.offered.has_token = False
        return 0

    cdef bint try_once(self, PyObject** result) except -1:
        """True: the call is done, and this is its result."""
        cdef Hub hub = begin_own_beside(event_of(self.queue, self.kind >= PUT))
        try:
            return self.attempt(result)
        finally:
            end_own(hub)

    cdef bint attempt(self, PyObject** result) except -1:
        cdef fp_status status
        if self.kind == GET or self.kind == NEXT:
            status = self.queue.attempt_get(result)
            return status == _core.FP_OK
        if self.kind == PUT:
            self.offered.item = <PyObject*>self.argument
            status = self.queue.attempt_put(&self.offered)
            if status == _core.FP_OK:
                result[0] = fp_constant(None)
            return status == _core.FP_OK
        if self.kind == GET_MANY:
            return self.attempt_get_many(result)
        if self.kind == PUT_MANY:
            return self.attempt_put_many(result)
        if self.queue.is_all_done():
            result[0] = fp_constant(None if self.timeout is None else True)
            return True
        return False

    cdef bint attempt_get_many(self, PyObject** result) except -1:
        try:
            items = self.queue.get_many(self.argument, False)
        except (Empty, opened.known_as(Empty)):
            return False
        result[0] = fp_new_reference(items)
        return True

    cdef bint attempt_put_many(self, PyObject** result) except -1:
        cdef list items = self.argument
        cdef fp_status status = _core.FP_OK
        if self.queue.never_waits():
            result[0] = fp_new_reference(self.queue.put_many(items, False))
            return True
        if not self.offered.measured:
            self.queue.measure_all(items)  # before the first is stored
            self.offered.measured = True
        while self.done < len(items) and status == _core.FP_OK:
            self.offered.item = <PyObject*>items[self.done]
            try:
                status = self.queue.attempt_put(&self.offered)
            except Exception as error:
                if self.done == 0 or not is_refusal(error):
                    raise
                break
            if status == _core.FP_OK:
                self.done += 1
                self.offered.has_token = False
        if must_wait(status):
            return False
        result[0] = fp_new_reference(self.done)
        return True


cdef fp_event* event_of(BaseQueue queue, bint takes) noexcept:
    """What a get, or a put, waits for."""
    return (queue.ops.not_empty(queue.core) if takes else queue.ops.not_full(queue.core))


cdef bint has_more(BaseQueue queue, bint takes) noexcept:
    """Another get, or put, could succeed now."""
    cdef uint64_t puts, gets
    queue.ops.count(queue.core, &puts, &gets)
    return puts != gets if takes else puts - gets < queue.ops.limit(queue.core)


cdef bint is_refusal(object error) except -1:
    return isinstance(error, opened.refusals())


cdef int raise_as_loops_do(bint iterates, object error) except -1:
    """The exceptions of the ends for threads become those of asyncio."""
    if isinstance(error, (ShutDown, opened.known_as(ShutDown))):
        if iterates:
            raise StopAsyncIteration
        if not isinstance(error, QueueShutDown):
            raise QueueShutDown from None
    elif isinstance(error, (Empty, opened.known_as(Empty))):
        raise QueueEmpty from None
    elif isinstance(error, (Full, opened.known_as(Full))):
        raise QueueFull from None
    raise error


cdef int advance(PyObject* object, PyObject* value, PyObject** result) except -1:
    cdef Call call = <Call>object
    cdef int answer
    if call.enter() and trio_here() is not None:
        call.foreign = trio_run.run_call(call.step)
    if call.foreign is not None:
        return advance_foreign(call, <object>value, result)
    if call.waiter is not None and not call.waiter.future.done():
        # Another task than the one that waits. Release: as below.
        _core.fp_sync_u64_store_release(&call.phase, WAITING)
        call.refuse()
    try:
        answer = call.advance(result)
    except BaseException as error:
        call.end()
        raise_as_loops_do(call.kind == NEXT, error)
    conclude(call, answer == PYGEN_RETURN)
    return answer


cdef void conclude(Call call, bint done) noexcept:
    if not done:
        # Release: pairs with enter().
        _core.fp_sync_u64_store_release(&call.phase, WAITING)
        return
    _core.fp_sync_u64_store_release(&call.phase, DONE)
    if call.waiter is not None:
        try:
            call.waiter.cancel_timers()
        except BaseException as error:
            raise_later(call.waiter.loop, error)


cdef int advance_foreign(Call call, object value, PyObject** result) except -1:
    done = False
    try:
        answer = call.foreign.send(value)
    except StopIteration:
        done, answer = True, call.result
        call.foreign = call.result = None
    except BaseException as error:
        call.end()
        raise_as_loops_do(call.kind == NEXT, error)
    result[0] = fp_new_reference(answer)
    conclude(call, done)
    return PYGEN_RETURN if done else PYGEN_NEXT


fp_set_advance(Call, <fp_advance>advance)


cdef Call new_call(BaseQueue queue, Kind kind, object argument, object timeout):
    cdef Call call = Call.__new__(Call)
    if timeout is not None:
        check_timeout(timeout)
    call.queue, call.kind, call.argument, call.timeout = queue, kind, argument, timeout
    return call
