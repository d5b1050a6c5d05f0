# The end of a queue for event loops.


cdef class AsyncEnd:
    """AsyncEnd(queue)

    The end of a queue for tasks of event loops: what `queue.async_q` is. It has the interface of
    asyncio.Queue, and batches, time-outs and `async for` until shutdown. It belongs to no loop:
    tasks of any number of loops, in any threads, use it beside the threads that use the queue.

    A task that finds no item (no room) waits without blocking its loop. Tasks get their turns in
    the order of their coming. The item is taken by the call that returns it, as its last step: a
    task that is cancelled, or whose time-out passes, has taken or stored nothing, and its turn
    passes on to the next one that waits, as do the turns of a loop that is closed or whose thread
    has ended. (A loop that is merely stopped keeps its turns until it runs again.)

    The calls without `await` serve threads, too. A loop needs add_reader(): any of asyncio on Unix,
    and uvloop. A run of trio is a loop, too; there, each call is a checkpoint. An open queue (see
    `Queue`) is polled, every 20 ms at most.

    Errors: gets raise asyncio.QueueEmpty, puts asyncio.QueueFull, if they could not go on in time;
        both raise QueueShutDown after shutdown(), gets once the queue is drained. RuntimeError: no
        running loop where a call has to wait, one that cannot watch file descriptors, or that
        belongs to the parent of a forked process; a call that is awaited twice. AttributeError:
        join() and task_done() of a queue that counts no tasks. Also what the queue raises.
    Complexity: as the queue's. A call that need not wait makes no future. A notification is O(1),
        whatever number of tasks waits; it writes to a file descriptor, of which each loop has one,
        only if nothing else is due in that loop.
    Progress: as the queue's; while tasks wait, a short lock orders them, and a thread suspended
        while it holds the lock stops others that notify.
    Source: an eventcount with listeners; csrc/wait/fp_listener.h and csrc/wait/fp_hub.h.
    Example:
        >>> import asyncio
        >>> from fastprims import Queue
        >>> async def main(queue):
        ...     end = queue.async_q
        ...     await end.put("a")
        ...     end.put_nowait("b")
        ...     queue.put("c")  # as any thread may do
        ...     print(await end.get(), end.get_nowait(), await end.get_many(10))
        ...     for _ in range(end.unfinished_tasks):
        ...         end.task_done()
        ...     print(await end.join(timeout=1), end.sync_q is queue, end.async_q is end)
        ...     await end.put_many("de")
        ...     print(end.qsize(), end.empty(), end.full(), end.maxsize)
        ...     end.shutdown()
        ...     print([item async for item in end], end.is_shutdown, end.closed)
        >>> asyncio.run(main(Queue(maxsize=5)))
        a b ['c']
        True True True
        2 False False 5
        ['d', 'e'] True True
    """

    cdef readonly BaseQueue sync_q
    """The queue: its end for threads."""
    cdef object __weakref__

    def __init__(self, BaseQueue queue not None):
        queue.check_open()  # raises if there is no structure
        cdef bint first
        with cython.critical_section(self):
            first = self.sync_q is None
            if first:
                self.sync_q = queue
        if not first:
            refuse_again(self)

    cdef BaseQueue queue(self):
        if self.sync_q is None:
            raise RuntimeError(
                f"this {type(self).__name__} was not initialised: a subclass that defines __init__ "
                "must call super().__init__() with what the class needs")
        return self.sync_q

    @property
    def async_q(self):
        """This object."""
        return self

    def get(self, timeout=None):
        """Await it to remove and return the next item. If there is none, wait, at most `timeout`
        seconds. Raises asyncio.QueueEmpty if none came in time, QueueShutDown after shutdown() once
        the queue is drained.
        """
        return new_call(self.queue(), GET, None, timeout)

    def put(self, item, timeout=None):
        """Await it to store `item`. If there is no room, wait, at most `timeout` seconds. Raises
        asyncio.QueueFull if there was no room in time, QueueShutDown after shutdown().
        """
        return new_call(self.queue(), PUT, item, timeout)

    def get_many(self, max_items, timeout=None):
        """Await it to wait for the first item as get() does, then take the items that are there,
        `max_items` at most, and get them as a list.
        """
        to_most(max_items)
        return new_call(self.queue(), GET_MANY, max_items, timeout)

    def put_many(self, iterable, timeout=None):
        """Await it to store the items one after the other, and get their number: all, or fewer if
        there was no room in time or the queue was shut down meanwhile. Raises asyncio.QueueFull
        (QueueShutDown) if not a single item could be stored. The iterable is read to its end at
        once. After a cancellation, the items stored so far remain in the queue.
        """
        return new_call(self.queue(), PUT_MANY, list(iterable), timeout)

    def join(self, timeout=None):
        """Await it to wait until task_done() was called for every item put. With a timeout in
        seconds, the result tells whether that happened in time.
        """
        self.check_counts("join")
        return new_call(self.queue(), JOIN, None, timeout)

    def __aiter__(self):
        """`async for` takes item after item, until shutdown() and the queue is drained."""
        return Items(self)

    cdef int check_counts(self, str method) except -1:
        if self.queue().all_done_event() == NULL:
            raise AttributeError(
                f"{method}() is for queues that count tasks, which a "
                f"{type(self.sync_q).__name__} does not: use a Queue", name=method, obj=self)
        return 0

    def get_nowait(self):
        """Remove and return the next item, or raise asyncio.QueueEmpty."""
        cdef BaseQueue queue = self.queue()
        cdef Hub hub = begin_own_beside(queue.ops.not_full(queue.core))
        cdef PyObject* item = NULL
        cdef fp_status status
        try:
            status = queue.attempt_get(&item)
        except BaseException as error:
            raise_as_loops_do(False, error)
        finally:
            end_own(hub)
        if status != _core.FP_OK:
            raise QueueEmpty
        return fp_steal(item)

    def put_nowait(self, item):
        """Store `item` if there is room now, else raise asyncio.QueueFull."""
        cdef BaseQueue queue = self.queue()
        cdef Hub hub = begin_own_beside(queue.ops.not_empty(queue.core))
        cdef Offered offered = [<PyObject*>item, False, False, 0]
        cdef fp_status status
        try:
            status = queue.attempt_put(&offered)
            if status != _core.FP_OK:
                queue.give_up(&offered)
        except BaseException as error:
            raise_as_loops_do(False, error)
        finally:
            end_own(hub)
        if status != _core.FP_OK:
            raise QueueFull

    def task_done(self):
        """Report that an item has been processed. Raises ValueError if called more often than items
        were put.
        """
        self.check_counts("task_done")
        cdef Hub hub = begin_own()
        try:
            self.queue().task_done()
        finally:
            end_own(hub)

    @property
    def unfinished_tasks(self):
        """How many items were put for which task_done() has not been called."""
        self.check_counts("unfinished_tasks")
        return self.queue().unfinished_tasks

    def qsize(self):
        """The number of items."""
        return self.queue().qsize()

    def empty(self):
        """True if there was no item at some moment during the call."""
        return self.queue().empty()

    def full(self):
        """True if there was no room at some moment during the call."""
        return self.queue().full()

    @property
    def maxsize(self):
        """The queue's."""
        return self.queue().maxsize

    def shutdown(self, immediate=False):
        """From now on every put raises QueueShutDown; gets deliver the items that are left and then
        raise it too. immediate=True drops these items. Wakes all that wait, tasks and threads.
        """
        cdef Hub hub = begin_own()
        try:
            self.queue().shutdown(immediate)
        finally:
            end_own(hub)

    @property
    def is_shutdown(self):
        """True once shutdown() was called."""
        return bool(self.queue().is_shutdown)

    @property
    def closed(self):
        """The same, by janus's name."""
        return self.is_shutdown

    def __repr__(self):
        return (f"<{type(self).__module__}.{type(self).__qualname__} of {self.sync_q!r} "
                f"at {<size_t><PyObject*>self:#x}>")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: AsyncEnd[int]."""
        return types.GenericAlias(cls, item)

    def __reduce_ex__(self, protocol, /):
        refuse_pickle(self, "Send its items, or use a queue made for processes")


@cython.final
cdef class Items:
    """The iterator of `async for`."""

    cdef AsyncEnd end

    # Written before another thread can have the object.
    def __cinit__(self, AsyncEnd end=None):
        self.end = end

    def __init__(self, AsyncEnd end not None):
        pass

    def __aiter__(self):
        return self

    def __anext__(self):
        if self.end is None:
            raise RuntimeError("this iterator was not made by `async for`")
        return new_call(self.end.queue(), NEXT, None, None)


fp_publish(AsyncEnd, "fastprims.aio.AsyncEnd", ())
