# What waits in the list of an event, on behalf of a call.


cdef class Waiter:
    cdef fp_listener node
    cdef Hub hub
    cdef BaseQueue queue  # keeps the event
    cdef object loop, future
    cdef object limit  # the handle of the time-out's timer; None: there is none
    cdef object poll  # the handle of another timer
    cdef bint has_turn  # the node came back from the hub, and the call has not tried since
    cdef bint expired  # the time-out has passed

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
        if elsewhere and unlisten(&self.node):
            DECREF(<PyObject*>self)  # the caller has another reference
        if _core.get_place(&self.node) != _core.FP_LISTENER_IDLE:
            return False
        if elsewhere and self.has_turn:
            pass_turn(self.node.event)
        in_front = self.has_turn and not elsewhere
        self.has_turn = False
        INCREF(<PyObject*>self)  # the list's
        listen(event, &self.node, in_front)
        return True

    cdef bint leave(self) noexcept:
        """Takes it off the list. True: it had a turn."""
        turn = False
        if unlisten(&self.node):
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


cdef Waiter new_waiter(BaseQueue queue, object loop):
    cdef Waiter waiter = Waiter.__new__(Waiter)
    waiter.queue, waiter.loop, waiter.hub = queue, loop, hub_of(loop)
    waiter.node.notify = _core.fp_hub_notify
    waiter.node.context = &waiter.hub.core
    waiter.node.owner = <void*>waiter
    return waiter
