# What waits in the list of an event, on behalf of a call.


@cython.no_gc_clear  # it keeps the event while listed; the queue's own clear takes it off
cdef class Waiter:
    cdef fp_listener node
    cdef Hub hub
    cdef BaseQueue queue  # keeps the event
    cdef object loop, future
    cdef object limit  # the handle of the time-out's timer; None: there is none
    cdef object poll  # the handle of another timer
    cdef bint has_turn  # the node came back from the hub, and the call has not tried since
    cdef bint expired  # the time-out has passed

    # For events of other modules than the queues' these are overridden: each module has its own
    # copy of the core.

    cdef void listen(self, fp_event* event, bint in_front) noexcept:
        listen(event, &self.node, in_front)

    cdef bint unlisten(self) noexcept:
        return unlisten(&self.node)

    cdef void pass_turn(self) noexcept:
        # Writes to the descriptor even of the own loop: futures must not be resolved here, since
        # the call may be ending in a finalizer.
        pass_turn(self.node.event)

    cdef int resolve(self) except -1:
        future = self.future
        if future is not None and not future.done():
            future.set_result(None)
        return 0

    def expire(self):
        self.expired = True
        self.resolve()

    def poke(self):
        self.poll = None
        self.resolve()

    cdef object wait(self):
        """The future to wait for."""
        if self.future is None or self.future.done():
            self.future = self.loop.create_future()
        self.future._asyncio_future_blocking = True  # as Future.__await__() does
        return self.future

    cdef int wait_at_most(self, double seconds) except -1:
        """Wakes the call after that time, whatever happens."""
        if self.poll is None:
            self.poll = self.loop.call_later(seconds, self.poke)
        return 0

    cdef bint list_again(self, fp_event* event) except -1:
        """True: it is in the list of this event now, and the caller has to try once more."""
        elsewhere = self.node.event != event
        if elsewhere and self.unlisten():
            DECREF(<PyObject*>self)  # the caller has another reference
        if _core.get_place(&self.node) != _core.FP_LISTENER_IDLE:
            return False
        if elsewhere and self.has_turn:
            self.pass_turn()
        in_front = self.has_turn and not elsewhere
        self.has_turn = False
        INCREF(<PyObject*>self)  # the list's
        self.listen(event, in_front)
        return True

    cdef bint leave(self) noexcept:
        """Takes it off the list. True: it had a turn."""
        turn = False
        if self.unlisten():
            DECREF(<PyObject*>self)  # the caller has another reference
        else:
            turn = _core.get_place(&self.node) == _core.FP_LISTENER_CHOSEN
        # Afterwards: the hub sets it before it gives the node back, in another thread perhaps.
        turn = turn or self.has_turn
        self.has_turn = False
        return turn

    cdef int cancel_timers(self) except -1:
        limit, poll = self.limit, self.poll
        self.limit = self.poll = None
        if limit is not None:
            limit.cancel()
        if poll is not None:
            poll.cancel()
        return 0

    cdef void belong_to(self, Hub hub) noexcept:
        self.hub = hub
        self.node.notify = _core.fp_hub_notify
        self.node.context = &hub.core
        self.node.owner = <void*>self


cdef Waiter new_waiter(BaseQueue queue, object loop):
    cdef Waiter waiter = Waiter.__new__(Waiter)
    waiter.queue, waiter.loop = queue, loop
    waiter.belong_to(hub_of(loop))
    return waiter
