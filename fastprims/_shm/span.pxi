# Records of a ShmRing in place: ShmReservation for writing one, ShmView for reading one.


@cython.no_gc_clear  # __dealloc__ needs the ring
cdef class _Span:
    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} is made by the methods of ShmRing")

    cdef int check(self) except -1:
        if self.ring is None:
            raise RuntimeError(
                f"this {type(self).__name__} has no record: it is made by the methods of ShmRing")
        return 0

    cdef int begin(self, Segment ring, void* start, uint64_t size, uint64_t forks) except -1:
        self.ring, self.start, self.size, self.forks = ring, start, size, forks
        return 0

    cdef bint from_here(self) noexcept:
        return self.ring.is_from_here(self.forks)

    cdef bint end(self) except? False:
        cdef uint64_t found = 0
        self.check()
        with cython.critical_section(self):  # a second thread finds the memoryview released
            view = None if self.shown is None else self.shown()
            if view is not None:
                view.release()
            self.shown = None
        if not _core.fp_sync_u64_cas_seq_cst(&self.ended, &found, 1):
            return False
        # __getbuffer__() counts itself, then reads `ended`. Here the order is reversed, so at least
        # one of the two threads sees the other.
        if _core.fp_sync_u64_load_seq_cst(&self.exports) != 0:
            found = 1
            _core.fp_sync_u64_cas_seq_cst(&self.ended, &found, 0)
            raise BufferError(
                "a slice, an array or the like still uses the record's memory: release it before "
                "the record is given up")
        return True

    cdef bint abandoned(self) noexcept:
        cdef uint64_t found = 0
        return (self.ring is not None
                and _core.fp_sync_u64_cas_seq_cst(&self.ended, &found, 1) and self.from_here())

    cdef int must(self, bint ended) except -1:
        if not ended:
            raise ValueError(f"this {type(self).__name__} has ended already")
        if not self.from_here():
            raise RuntimeError(
                f"this {type(self).__name__} belongs to the process that forked this one")
        return 0

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        self.check()
        fp_sync_u64_fetch_add_seq_cst(&self.exports, 1)
        try:
            if _core.fp_sync_u64_load_seq_cst(&self.ended) != 0 or not self.from_here():
                raise BufferError(f"this {type(self).__name__} has ended")
            PyBuffer_FillInfo(
                buffer, self, self.start, <Py_ssize_t>self.size, self.readonly, flags)
        except BaseException:
            fp_sync_u64_fetch_add_seq_cst(&self.exports, UINT64_MAX)
            raise

    def __releasebuffer__(self, Py_buffer* buffer):
        fp_sync_u64_fetch_add_seq_cst(&self.exports, UINT64_MAX)

    def __len__(self):
        return self.size

    def __enter__(self):
        view = memoryview(self)
        shown = ref(view)
        with cython.critical_section(self):
            self.shown = shown
        return view


cdef class ShmReservation(_Span):
    """ShmReservation()

    Room in a ShmRing for a record, to be written in place: `with ring.reserve(n) as view:` gives a
    writable memoryview of n bytes. The record is stored when the block ends, or dropped if an
    exception leaves the block. Without `with`: memoryview(reservation), commit() and abort(). A
    reservation without references is dropped.

    Readers see nothing of the record before the commit. Afterwards the memoryview is released. If a
    slice of it, or an array over it, still exists, BufferError is raised, and the record is dropped
    as soon as that slice or array is gone.

    Errors: commit raises ShutDown if the ring was shut down meanwhile, BufferError if the memory is
        still in use. TypeError: making one without a ring.
    Complexity: O(1); nothing is copied.
    Progress: wait-free. While it is open, the puts of other threads of this process wait.
    Source: as ShmRing; csrc/queues/fp_spsc_bytes.h.
    Example:
        >>> from fastprims import ShmRing
        >>> with ShmRing.create(capacity=4096) as ring:
        ...     reservation = ring.reserve(100)
        ...     memoryview(reservation)[:3] = b"abc"
        ...     reservation.commit(3)
        ...     ring.reserve(100).abort()
        ...     ring.get_many(10)
        [b'abc']
    """

    def __dealloc__(self):
        if self.abandoned():
            self.ring.abort_room()

    def __exit__(self, kind, error, trace):
        if _core.fp_sync_u64_load_seq_cst(&self.ended) == 0:
            if kind is None:
                self.commit()
            else:
                self.abort()

    def commit(self, size=None):
        """Store the record: its first `size` bytes, or all. Raises ShutDown if the ring was shut
        down meanwhile, BufferError if the memory is still in use.
        """
        cdef uint64_t kept = self.size
        if size is not None:
            kept = to_number(size, "size", 0, self.size)
        self.must(self.end())
        self.ring.commit_room(kept)

    def abort(self):
        """Drop the record. May be called any number of times."""
        if self.end() and self.from_here():
            self.ring.abort_room()


cdef class ShmView(_Span):
    """ShmView()

    A record of a ShmRing, read in place: `with ring.get_view() as view:` gives a read-only
    memoryview, and takes the record when the block ends. If an exception leaves the block, or the
    process is killed, the record remains where it was. `with ring.peek()` leaves it in any case.
    Without `with`: memoryview(view), accept() and reject(). A view without references is rejected.

    Meanwhile no other reader gets records of the process that has put this one. Afterwards the
    memoryview is released. If a slice of it, or an array over it, still exists, BufferError is
    raised and the record remains.

    Errors: BufferError: the block ends while the memory is still in use. TypeError: making one
        without a ring.
    Complexity: O(1); nothing is copied.
    Progress: wait-free. While it is open, other readers get no records of the process that put it.
    Source: as ShmRing; csrc/queues/fp_spsc_bytes.h.
    Example:
        >>> from fastprims import ShmRing
        >>> with ShmRing.create(capacity=4096) as ring:
        ...     ring.put(b"abc")
        ...     ring.peek().reject()  # it remains
        ...     view = ring.get_view()
        ...     bytes(memoryview(view))
        ...     view.accept()
        ...     ring.qsize()
        b'abc'
        0
    """

    def __cinit__(self):
        self.readonly = True

    def __dealloc__(self):
        if self.abandoned():
            self.ring.reject_record(&self.record)

    def __exit__(self, kind, error, trace):
        if _core.fp_sync_u64_load_seq_cst(&self.ended) == 0:
            if kind is None and self.take:
                self.accept()
            else:
                self.reject()

    def accept(self):
        """Take the record: it leaves the ring."""
        self.must(self.end())
        self.ring.accept_record(&self.record)

    def reject(self):
        """Leave the record for the next reader. May be called any number of times."""
        if self.end() and self.from_here():
            self.ring.reject_record(&self.record)


fp_publish(ShmReservation, "fastprims.ShmReservation", ())
fp_publish(ShmView, "fastprims.ShmView", ())
