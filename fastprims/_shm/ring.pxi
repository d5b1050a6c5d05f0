# ShmRing: records of bytes between processes, over a segment of shared memory.


cdef class ShmRing(Segment):
    """ShmRing()

    A FIFO queue of byte records between processes, in shared memory. Made by ShmRing.create(), and
    opened in other processes by ShmRing.attach(name). It can be sent to a process that is being
    started, and is inherited by fork.

    Each process that puts has a lane of its own (of `capacity` bytes) from its first put until it
    closes the ring or ends. All objects that it has of one ring share this lane. Records of one
    process come out in order, whichever of its objects put them, even if each was closed before
    the next one was opened. (In that case, if another process has got the lane since, a put may
    have to wait until the process's earlier records are read.) Records of different processes come
    in any order. A forked child is another process, and so is a program that a process executes. A
    record is from 0 to `max_item_size` bytes long. Any number of processes and threads may get;
    each record is delivered once.

    Death: SIGKILL at any point loses no record whose put has returned, and delivers none twice or
    in part. A process that dies within get() either has taken its record, or another process gets
    it. Whatever it held is free again within 0.05 s; the same holds for a process that executes
    another program. A stopped process is not taken for dead: what it holds, at most the lane that
    it was reading at that moment, waits for it; other lanes go on. The processes may be in
    different PID namespaces (containers) with one /dev/shm.

    The memory has mode 0600, for this user only. A process that may write to it can lose records,
    but cannot make other processes access anything outside of it. Linux only.

    Errors: puts raise Full, gets raise Empty, if they could not go on in time; puts raise ShutDown
        after shutdown(), gets once the ring is drained. ItemTooLarge: a record above max_item_size.
        ValueError: after close(), sizes that are impossible. RuntimeError: all lanes have owners,
        or the memory is damaged. create and attach: FileExistsError, FileNotFoundError,
        PermissionError.
    Complexity: O(size) for each record. Each process that puts has a lane of `capacity` bytes; a
        record takes its size, rounded up to 8, and 8 bytes more. Small records are copied under the
        GIL, large ones without it.
    Progress: put and get are wait-free between processes, except for waiting and for other threads
        of the same process that put. A stopped process holds back at most the lane that it was
        reading.
    Source: a single-producer ring of byte records (after Lamport) for each process that puts, with
        owners by locks that the kernel drops at their death; csrc/shm/fp_shm.h and
        csrc/queues/fp_spsc_bytes.h.
    Example:
        >>> from fastprims import ShmRing
        >>> ring = ShmRing.create(capacity=4096, lanes=2)
        >>> reader = ShmRing.attach(ring.name)  # in another process, as a rule
        >>> ring.put(b"hello"), reader.get(timeout=1)
        (None, b'hello')
        >>> with ring.reserve(2) as view:
        ...     view[:] = b"hi"
        >>> with reader.peek() as view:
        ...     bytes(view)
        b'hi'
        >>> with reader.get_view() as view:
        ...     bytes(view)
        b'hi'
        >>> ring.capacity, ring.lanes, ring.max_item_size, ring.maxsize, ring.is_shutdown
        (4096, 2, 2040, 0, False)
        >>> ring.unlink()
        >>> reader.close()
        >>> reader.closed
        True
    """

    def __init__(self):
        raise TypeError(
            f"use {type(self).__name__}.create() to make one, or {type(self).__name__}.attach() "
            "to open one that another process has made")

    @classmethod
    def create(cls, name=None, capacity=1 << 20, *, max_item_size=None, lanes=64):
        """Make a ring. `capacity`: bytes for the records of each process that puts, where each
        record takes 8 bytes more than its own; rounded up to a power of two (4096 or more).
        `max_item_size`: bytes of the largest record; at most, and by default, half of the capacity
        less 8. `lanes`: how many processes may put at the same time. Memory is taken when a process
        first puts. Without a name, the ring gets one that is not in use.

        Raises FileExistsError if the name is taken, ValueError for sizes that are impossible.
        """
        cdef ShmRing self = cls.__new__(cls)
        self.make(name, capacity, max_item_size, lanes, 0)
        return self

    @classmethod
    def attach(cls, name, *, anyone=False):
        """Open the ring of that name. Raises FileNotFoundError if there is none, ValueError if it
        is damaged or is no ring, and PermissionError if it belongs to another user, unless
        anyone=True.
        """
        cdef ShmRing self = cls.__new__(cls)
        self.find(name, to_bool(anyone, "anyone"))
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind=None, error=None, trace=None):
        """Closes the ring; in the process that made it, unlinks it, too."""
        self.close()
        if self.is_from_here(self.home):
            try:
                self.unlink()
            except FileNotFoundError:
                pass

    def close(self):
        """End the use of this object: from now on other calls raise ValueError, waiting ones
        included. With its last object of the ring, the process gives up its lane. Records that were
        put remain. May be called any number of times. The memory is unmapped with the last
        reference to the process's last object.
        """
        if self.made:
            self.release()

    def unlink(self):
        """Remove the name: no process can attach any more; attached processes go on. The memory is
        freed when the last of them is gone. Raises FileNotFoundError if there is no such name.
        """
        self.check()
        self.remove_name()

    @property
    def name(self):
        """The name that attach() takes."""
        return self.label

    @property
    def closed(self):
        """True once close() was called."""
        return not self.made or self.is_released()

    @property
    def capacity(self):
        """Bytes of each lane."""
        return self.core.units * FP_SPSC_BYTES_UNIT

    @property
    def max_item_size(self):
        """Bytes of the largest record."""
        return self.core.most

    @property
    def lanes(self):
        """The number of processes that may put at the same time."""
        return self.core.lanes

    @property
    def maxsize(self):
        """The largest number of records at a time; 0: as many as fit."""
        return self.core.limit

    cdef bint put_item(self, object item, Wait* wait, bint quiet=False) except? False:
        cdef Py_buffer view
        cdef fp_shm_part part
        if type(item) is bytes:
            part = [PyBytes_AS_STRING(item), <uint64_t>PyBytes_GET_SIZE(item)]
            return self.put_parts(&part, 1, part.size, wait, quiet)
        PyObject_GetBuffer(item, &view, PyBUF_SIMPLE)
        try:
            part = [view.buf, <uint64_t>view.len]
            return self.put_parts(&part, 1, part.size, wait, quiet)
        finally:
            PyBuffer_Release(&view)

    cdef object get_item(self, Wait* wait, bint quiet=False, object default=None):
        cdef fp_shm_view view
        cdef object item
        if not self.peek_record(&view, wait, quiet):
            return default
        try:
            item = to_bytes(&view, 0)
        except MemoryError:
            self.reject_record(&view)
            raise
        self.accept_record(&view)
        return item

    # The protocol. --------------------------------------------------------------------------------

    def put(self, item, block=True, timeout=None):
        """Store a copy of `item`, any bytes-like object. If there is no room in this process's
        lane, wait, at most `timeout` seconds; with block=False, don't wait. Raises Full if there
        was no room in time (or, with block=False, while another thread of this process puts),
        ShutDown after shutdown(), ItemTooLarge, RuntimeError if all lanes have owners, MemoryError
        if there is no memory for the lane. A call that raises has stored nothing.
        """
        cdef Wait wait
        set_wait(&wait, block, timeout)
        self.put_item(item, &wait)

    def get(self, block=True, timeout=None):
        """Remove and return the next record, as bytes. If there is none, wait, at most `timeout`
        seconds; with block=False, don't wait. Raises Empty if none came in time (or, with
        block=False, while other readers hold all lanes that have records), ShutDown after
        shutdown() once the ring is drained, RuntimeError if the memory is damaged. A call that
        raises has taken nothing.
        """
        cdef Wait wait
        set_wait(&wait, block, timeout)
        return self.get_item(&wait)

    def put_nowait(self, item):
        """put(item, block=False)."""
        self.put_item(item, &AT_ONCE)

    def get_nowait(self):
        """get(block=False)."""
        return self.get_item(&AT_ONCE)

    def try_put(self, item):
        """As put_nowait(), but return True, or False instead of raising Full."""
        return self.put_item(item, &AT_ONCE, True)

    def try_get(self, default=None):
        """As get_nowait(), but return `default` instead of raising Empty."""
        return self.get_item(&AT_ONCE, True, default)

    def put_many(self, iterable, block=True, timeout=None):
        """Store copies of the items one after the other and return how many were stored: all, or
        fewer if there was no room in time (block=False: at once) or the ring was shut down
        meanwhile. Raises Full (ShutDown) if not a single item could be stored. Records of other
        callers may come between. The iterable is read to its end before the first item is stored;
        if that raises, or an item is too large, nothing is stored. After an interrupt, the items
        stored so far remain.
        """
        cdef Wait wait
        self.check()
        set_wait(&wait, block, timeout)
        cdef list items = list(iterable)
        cdef Parts batch = Parts(items)
        return self.put_records(batch.parts, batch.count, &wait)

    def get_many(self, max_items, block=True, timeout=None):
        """Wait for the first record as get() does, then take the records that are there from the
        same process, `max_items` at most, and return them as a list. Raises what get() raises; then
        it has taken nothing.
        """
        cdef Py_ssize_t most = to_most(max_items)
        cdef fp_shm_view view
        cdef list items = []
        cdef Wait wait
        set_wait(&wait, block, timeout)
        if most == 0:
            return items
        self.peek_record(&view, &wait)
        cdef bint more = True
        try:
            items.append(to_bytes(&view, 0))
            while more and len(items) < most:
                more = self.next_record(&view)
                if more:
                    items.append(to_bytes(&view, 0))
        except MemoryError:
            # next_record() has taken the records copied so far; this one remains.
            self.reject_record(&view)
            if not items:
                raise
            return items
        if more:
            self.accept_record(&view)
        else:
            self.reject_record(&view)
        return items

    def reserve(self, size, block=True, timeout=None):
        """Reserve room for a record of `size` bytes, to be written in place; see ShmReservation.
        Waits and raises as put() does. Until the reservation is committed or aborted, the puts of
        other threads of this process wait.
        """
        cdef uint64_t wanted = to_number(size, "size", 0, UINT64_MAX)
        cdef Wait wait
        set_wait(&wait, block, timeout)
        cdef ShmReservation reservation = ShmReservation.__new__(ShmReservation)
        reservation.begin(self, self.reserve_room(wanted, &wait), wanted, self.forks())
        return reservation

    def get_view(self, block=True, timeout=None):
        """The next record, to be read in place; see ShmView. Waits and raises as get() does. The
        record is taken when the `with` block ends; if an exception leaves the block, the record
        remains.
        """
        return self.view(True, block, timeout)

    def peek(self, block=True, timeout=None):
        """As get_view(), but the record remains, unless accept() is called."""
        return self.view(False, block, timeout)

    cdef object view(self, bint take, object block, object timeout):
        cdef Wait wait
        set_wait(&wait, block, timeout)
        cdef ShmView view = ShmView.__new__(ShmView)
        self.peek_record(&view.record, &wait)
        view.take = take
        view.begin(self, <void*>view.record.start, view.record.size, view.record.forks)
        return view

    @classmethod
    def _create_limited(cls, name, capacity, lanes, uint64_t limit):
        # For ShmQueue.
        cdef ShmRing self = cls.__new__(cls)
        self.make(name, capacity, None, lanes, limit)
        return self

    def qsize(self):
        """The number of records in the ring. Under concurrent use it is approximate: the lanes are
        counted one after the other."""
        self.check()
        return self.records()

    def __len__(self):
        return self.qsize()

    def __bool__(self):
        return True

    def empty(self):
        """True if each lane was empty at the moment it was counted."""
        return self.qsize() == 0

    def full(self):
        """True if there is no room now for a record of max_item_size: in this process's lane, or,
        if it has none, in a lane that it could take. The call does not take one."""
        self.check()
        return not self.has_room()

    def shutdown(self, immediate=False):
        """From now on every put, of all processes, raises ShutDown; gets deliver the records that
        are left and then raise it too. immediate=True drops these records. Wakes all waiting
        threads. A concurrent put either takes effect before (its record is delivered) or raises. A
        shutdown cannot be undone.
        """
        self.check()
        self.shut(to_bool(immediate, "immediate"))

    @property
    def is_shutdown(self):
        """True once a process has called shutdown()."""
        self.check()
        return self.is_shut()

    def stats(self):
        """The ring's state, and this object's waits; see ShmStats."""
        return record(
            "ShmStats", size=self.qsize(), maxsize=self.maxsize, capacity=self.capacity,
            lanes=self.lanes,
            put_waits=_core.fp_sync_u64_load_relaxed(&self.core.put_waits),
            get_waits=_core.fp_sync_u64_load_relaxed(&self.core.get_waits))

    # Special methods. -----------------------------------------------------------------------------

    def __repr__(self):
        if not self.made:
            return f"<{type(self).__module__}.{type(self).__qualname__} not made>"
        state = " closed" if self.closed else " shut down" if self.is_shut() else ""
        return (f"<{type(self).__module__}.{type(self).__qualname__} {self.label!r} "
                f"capacity={self.capacity} size={self.records()}{state}>")

    def __reduce_ex__(self, protocol):
        """Pickled by name: a process that unpickles it attaches."""
        self.check()
        return _attach, (type(self), self.name, self.anyone)


def _attach(cls, name, anyone):
    return cls.attach(name, anyone=anyone)


fp_publish(ShmRing, "fastprims.ShmRing", ())
