# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""ShmRing over fp_shm."""

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer)
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastprims cimport _base, _core
from fastprims._core cimport fp_status

import os
from queue import Empty, Full

from fastprims._errors import ItemTooLarge, ShutDown

cdef extern from "_slots.h":
    int fp_publish(object, const char*, tuple) except -1
    int fp_propagate() except -1

cdef extern from "fp_shm.h" nogil:
    struct fp_shm:
        uint64_t lanes, units, most, limit, maker, me
        _core.fp_sync_u64 forks, released, put_waits, get_waits
    struct fp_shm_options:
        uint64_t capacity, most, lanes, limit
    struct fp_shm_part:
        const void* start
        uint64_t size
    struct fp_shm_view:
        uint64_t lane, forks
        const void* start
        uint64_t size
    enum fp_shm_fault:
        FP_SHM_FINE
        FP_SHM_SYSTEM
        FP_SHM_NO_PROC
        FP_SHM_GEOMETRY
        FP_SHM_FOREIGN
        FP_SHM_NOT_OURS
        FP_SHM_BROKEN
        FP_SHM_SPACE
    const char* FP_SHM_FOLDER
    uint64_t FP_SHM_MOST_NAME, FP_SHM_MOST_LANES, FP_LANE_UNIT, FP_LANE_MOST_UNITS
    fp_shm_fault fp_shm_create(fp_shm*, const char*, const fp_shm_options*)
    fp_shm_fault fp_shm_attach(fp_shm*, const char*, bint)
    int fp_shm_unlink(const char*)
    void fp_shm_release(fp_shm*)
    void fp_shm_detach(fp_shm*)
    fp_status fp_shm_put(fp_shm*, const fp_shm_part*, size_t)
    fp_status fp_shm_put_many(fp_shm*, const fp_shm_part*, size_t, size_t*)
    fp_status fp_shm_reserve(fp_shm*, uint64_t, void**)
    fp_status fp_shm_commit(fp_shm*, uint64_t)
    void fp_shm_abort(fp_shm*)
    fp_status fp_shm_peek(fp_shm*, fp_shm_view*)
    bint fp_shm_next(fp_shm*, fp_shm_view*)
    void fp_shm_accept(fp_shm*, fp_shm_view*)
    void fp_shm_reject(fp_shm*, fp_shm_view*)
    bint fp_shm_rescue(fp_shm*)
    void fp_shm_close(fp_shm*, bint)
    bint fp_shm_is_closed(fp_shm*)
    uint64_t fp_shm_records(fp_shm*)
    bint fp_shm_is_from_here(fp_shm*, uint64_t)

cdef extern from "fp_shm.h":
    fp_status fp_shm_wait(fp_shm*, bint, const _core.fp_attempt*, int64_t, const _core.fp_host*)

cdef extern from "fp_atomic.h" nogil:
    uint64_t fp_sync_u64_fetch_add_seq_cst "fp_sync_u64_fetch_add_seq_cst"(
        _core.fp_sync_u64*, uint64_t)

# From so many bytes on other threads may run while they are copied.
cdef enum: LARGE = 1 << 16


cdef int system_error(int number, str name) except -1:
    raise OSError(number, os.strerror(number), (<bytes>FP_SHM_FOLDER).decode() + name)


cdef int fault(fp_shm_fault why, str name) except -1:
    if why == FP_SHM_FINE:
        return 0
    if why == FP_SHM_SYSTEM:
        system_error(errno, name)
    if why == FP_SHM_FOREIGN:
        raise PermissionError(
            f"the shared memory {name!r} belongs to another user, who could change anything in it; "
            "attach(..., anyone=True) accepts that")
    if why == FP_SHM_NOT_OURS:
        raise ValueError(
            f"the shared memory {name!r} was not made by this version of fastprims; unlink it, and "
            "make a new one")
    if why == FP_SHM_BROKEN:
        raise ValueError(
            f"the shared memory {name!r} is damaged: its header does not fit its size; unlink it, "
            "and make a new one")
    if why == FP_SHM_SPACE:
        raise RuntimeError(
            f"the shared memory {name!r} was made in another PID namespace (container): the two "
            "cannot tell which of the other's processes are alive. Let them share one")
    if why == FP_SHM_NO_PROC:
        raise RuntimeError(
            "/proc cannot be read, by which processes tell whether the others are alive: mount it")
    raise ValueError("impossible sizes")  # checked before


cdef bytes to_name(object name):
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    encoded = name.encode()
    if not 0 < len(encoded) <= FP_SHM_MOST_NAME or b"/" in encoded or b"\0" in encoded:
        raise ValueError(
            f"{name!r} is no name for shared memory: at most {FP_SHM_MOST_NAME} bytes, and no '/'")
    return encoded


cdef uint64_t to_number(object value, str what, uint64_t least, uint64_t most) except? 0:
    number = _base.to_index(value, what)
    if number < least:
        raise ValueError(f"{what} must be {least} or more, not {number}")
    if number > most:
        raise OverflowError(f"{what} must be {most} or less, not {number}")
    return number


# What fp_shm_wait() repeats. ----------------------------------------------------------------------

cdef struct Put:
    fp_shm* core
    const fp_shm_part* parts
    size_t count
    size_t done
    uint64_t size
    void* room


cdef struct Get:
    fp_shm* core
    fp_shm_view view


cdef fp_status run_put(void* arg) noexcept nogil:
    cdef Put* p = <Put*>arg
    return fp_shm_put(p.core, p.parts, p.count)


cdef fp_status run_put_many(void* arg) noexcept nogil:
    cdef Put* p = <Put*>arg
    cdef size_t done = 0
    cdef fp_status status = fp_shm_put_many(p.core, p.parts + p.done, p.count - p.done, &done)
    p.done += done
    return status


cdef fp_status run_reserve(void* arg) noexcept nogil:
    cdef Put* p = <Put*>arg
    return fp_shm_reserve(p.core, p.size, &p.room)


cdef fp_status run_peek(void* arg) noexcept nogil:
    cdef Get* g = <Get*>arg
    return fp_shm_peek(g.core, &g.view)


cdef inline bint must_wait(fp_status status) noexcept:
    return status == _core.FP_FULL or status == _core.FP_EMPTY or status == _core.FP_BUSY


cdef fp_status repeat(fp_shm* core, bint writer, fp_status (*run)(void*) noexcept nogil, void* arg,
                      fp_status status, bint block, object timeout) except *:
    """The operation has answered `status`: wait until it answers something final."""
    cdef _core.fp_attempt op = [run, NULL, arg]
    if not must_wait(status):
        return status
    if block:
        return fp_shm_wait(core, writer, &op, _base.deadline_of(timeout), &_base.host)
    # Held by a process that has died, perhaps.
    return run(arg) if status == _core.FP_BUSY and fp_shm_rescue(core) else status


cdef int copy(char* to, const fp_shm_view* view, uint64_t skip) noexcept:
    cdef const char* start = <const char*>view.start + skip
    cdef size_t size = view.size - skip
    if size >= LARGE:
        with nogil:
            memcpy(to, start, size)
    elif size != 0:
        memcpy(to, start, size)
    return 0


cdef bytes to_bytes(const fp_shm_view* view, uint64_t skip):
    cdef bytes item = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(view.size - skip))
    copy(PyBytes_AS_STRING(item), view, skip)
    return item


cdef bytearray to_bytearray(const fp_shm_view* view, uint64_t skip):
    cdef bytearray item = PyByteArray_FromStringAndSize(NULL, <Py_ssize_t>(view.size - skip))
    copy(PyByteArray_AS_STRING(item), view, skip)
    return item


@cython.final
cdef class Parts:
    """The buffers of some objects, for as long as this exists."""

    cdef Py_buffer* views
    cdef fp_shm_part* parts
    cdef size_t count
    cdef uint64_t size  # of all

    def __init__(self, list items, size_t before=0):
        """`before`: parts to be left for the caller to fill in."""
        cdef size_t n = <size_t>len(items)
        self.views = <Py_buffer*>malloc((n + 1) * sizeof(Py_buffer))
        self.parts = <fp_shm_part*>malloc((n + before + 1) * sizeof(fp_shm_part))
        if self.views == NULL or self.parts == NULL:
            raise MemoryError
        for item in items:
            PyObject_GetBuffer(item, &self.views[self.count], PyBUF_SIMPLE)
            self.parts[before + self.count] = [
                self.views[self.count].buf, <uint64_t>self.views[self.count].len]
            self.size += <uint64_t>self.views[self.count].len
            self.count += 1

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.count):
            PyBuffer_Release(&self.views[i])
        free(self.views)
        free(self.parts)


cdef class ShmRing:
    """ShmRing()

    A FIFO queue of byte records between processes, in shared memory. Made by ShmRing.create(), and
    opened in other processes by ShmRing.attach(name); it can be sent to a process that is being
    started, and is inherited by fork.

    Each process that puts has a lane of its own (of `capacity` bytes) from its first put until it
    closes the ring or ends. Records of one process come out in order; those of different ones in
    any. A record is from 0 to `max_item_size` bytes long. Any number of processes and threads may
    get; each record is got once.

    Death: SIGKILL at any point loses no record whose put has returned, nor makes one come twice or
    in part. A process that dies within get() has taken its record, or it has not and another one
    gets it. What it held is free again within 0.05 s. A stopped process is not taken for dead: what
    it holds, at most the lane it was reading at that moment, waits for it; other lanes go on.

    put and get are O(size), and wait-free but for waiting and for other threads of the same
    process that put. Small records are copied under the GIL, large ones without it.

    The memory is mode 0600, this user's alone; processes that may write to it can lose records, but
    not make others touch anything outside. Linux only.

    csrc/fp_shm.h and csrc/fp_lane.h have the algorithm.
    """

    cdef fp_shm core
    cdef bint made
    cdef readonly str name
    """What attach() takes."""
    cdef bint anyone
    cdef uint64_t home  # the forks of the process that made the segment, if it was by this object
    cdef object __weakref__

    def __init__(self):
        raise TypeError(
            f"use {type(self).__name__}.create() to make one, or {type(self).__name__}.attach() "
            "to open one that another process has made")

    def __dealloc__(self):
        if self.made:
            fp_shm_release(&self.core)
            fp_shm_detach(&self.core)

    @classmethod
    def create(cls, name=None, capacity=1 << 20, *, max_item_size=None, lanes=64):
        """Make a ring. `capacity`: bytes for the records of each process that puts, at 8 bytes for
        each record beside its own, rounded up to a power of two (4096 or more). `max_item_size`:
        bytes of the largest record; at most, and by default, half of the capacity less 8. `lanes`:
        how many processes may put at the same time. Memory is taken when a process first puts.
        Without a name, one that nobody has is found.

        Raises FileExistsError if the name is taken, ValueError for sizes that are impossible.
        """
        cdef ShmRing self = cls.__new__(cls)
        self.make(name, capacity, max_item_size, lanes, 0)
        return self

    @classmethod
    def attach(cls, name, *, anyone=False):
        """Open the ring of that name. Raises FileNotFoundError if there is none, ValueError if it
        is damaged or something else, and PermissionError if it belongs to another user, unless
        anyone=True.
        """
        cdef bytes encoded = to_name(name)
        cdef ShmRing self = cls.__new__(cls)
        cdef bint accepts = anyone
        fault(fp_shm_attach(&self.core, encoded, accepts), name)
        self.made = True
        self.name = name
        self.anyone = accepts
        self.home = UINT64_MAX
        return self

    cdef int make(self, object name, object capacity, object most, object lanes,
                  uint64_t limit) except -1:
        cdef fp_shm_options options
        cdef uint64_t largest = FP_LANE_MOST_UNITS * FP_LANE_UNIT
        cdef bytes encoded = to_name(os.urandom(8).hex() if name is None else name)
        options.capacity = to_number(capacity, "capacity", 1, largest)
        options.lanes = to_number(lanes, "lanes", 1, FP_SHM_MOST_LANES)
        options.limit = limit
        options.most = UINT64_MAX
        if most is not None:
            options.most = to_number(most, "max_item_size", 0, largest // 2 - 8)
        cdef fp_shm_fault why = fp_shm_create(&self.core, encoded, &options)
        if why == FP_SHM_GEOMETRY:
            raise ValueError(
                f"max_item_size={most} takes a capacity of {2 * (most + 8)} bytes or more, "
                f"not {capacity}")
        self.name = encoded.decode()
        fault(why, self.name)
        self.made = True
        self.home = _core.fp_sync_u64_load_seq_cst(&self.core.forks)
        return 0

    def __enter__(self):
        return self

    def __exit__(self, kind=None, error=None, trace=None):
        """Closes the ring; in the process that made it, unlinks it, too."""
        self.close()
        if fp_shm_is_from_here(&self.core, self.home):
            try:
                self.unlink()
            except FileNotFoundError:
                pass

    def close(self):
        """Give up this process's lane, and the right to use this object: other calls raise
        ValueError from now on, those that wait included. Records that were put remain. Any number
        of times. The memory is unmapped with the last reference to the object.
        """
        if self.made:
            fp_shm_release(&self.core)

    def unlink(self):
        """Remove the name: nobody can attach any more; who is attached goes on. The memory is freed
        when the last process has gone. Raises FileNotFoundError if there is no such name.
        """
        self.check()
        cdef bytes encoded = to_name(self.name)
        cdef int error = fp_shm_unlink(encoded)
        if error != 0:
            system_error(error, self.name)

    @property
    def closed(self):
        """True once close() was called."""
        return not self.made or _core.fp_sync_u64_load_seq_cst(&self.core.released) != 0

    @property
    def capacity(self):
        """Bytes of each lane."""
        return self.core.units * FP_LANE_UNIT

    @property
    def max_item_size(self):
        """Bytes of the largest record."""
        return self.core.most

    @property
    def lanes(self):
        """Processes that may put at the same time."""
        return self.core.lanes

    @property
    def maxsize(self):
        """Most records at a time; 0: as many as fit."""
        return self.core.limit

    cdef int check(self) except -1:
        if not self.made:
            raise RuntimeError(
                f"this {type(self).__name__} was not made: use {type(self).__name__}.create() or "
                "attach()")
        return 0

    cdef int refuse(self, fp_status status, bint writer, uint64_t size) except -1:
        if must_wait(status) or status == _core.FP_TIMED_OUT:
            raise Full if writer else Empty
        if status == _core.FP_CLOSED:
            if self.closed:
                raise ValueError(f"this {type(self).__name__} was closed; attach to it again")
            raise ShutDown
        if status == _core.FP_TOO_LARGE:
            raise ItemTooLarge(
                f"an item of {size} bytes; max_item_size is {self.core.most}: make the ring with a "
                "larger one, or a larger capacity")
        if status == _core.FP_NOT_OWNER:
            raise RuntimeError(
                "this thread has a reservation of this ring: commit() or abort() it first")
        if status == _core.FP_FAILED:
            raise RuntimeError(
                f"all {self.core.lanes} lanes belong to living processes: make the ring with more "
                "lanes, or let processes that have finished close() it")
        if status == _core.FP_NO_MEMORY:
            raise MemoryError(
                f"/dev/shm has no room for {self.capacity} bytes (or the process has no file "
                "descriptor left): make it larger, or the capacity smaller")
        if status == _core.FP_DAMAGED:
            raise RuntimeError(
                f"the shared memory {self.name!r} is damaged: it holds what no process writes by "
                "the rules. Unlink it, and make a new one")
        return fp_propagate()  # FP_INTERRUPTED: the exception is set already

    # Stores a record of these parts. False: there was no room (unless `quiet`, that raises Full).
    cdef bint put_parts(self, const fp_shm_part* parts, size_t count, uint64_t size, bint block,
                        object timeout, bint quiet=False) except? False:
        cdef Put put = [&self.core, parts, count, 0, size, NULL]
        cdef fp_status status
        self.check()
        if block:
            _base.check_timeout(timeout)
        if size >= LARGE:
            with nogil:
                status = run_put(&put)
        else:
            status = run_put(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_put, &put, status, block, timeout)
            if quiet and must_wait(status):
                return False
            if status != _core.FP_OK:
                self.refuse(status, True, size)
        return True

    cdef bint put_item(self, object item, bint block, object timeout,
                       bint quiet=False) except? False:
        cdef Py_buffer view
        cdef fp_shm_part part
        if type(item) is bytes:
            part = [PyBytes_AS_STRING(item), <uint64_t>PyBytes_GET_SIZE(item)]
            return self.put_parts(&part, 1, part.size, block, timeout, quiet)
        PyObject_GetBuffer(item, &view, PyBUF_SIMPLE)
        try:
            part = [view.buf, <uint64_t>view.len]
            return self.put_parts(&part, 1, part.size, block, timeout, quiet)
        finally:
            PyBuffer_Release(&view)

    # Holds the next record, to be accepted or rejected. False: there is none (as above).
    cdef bint peek_record(self, fp_shm_view* view, bint block, object timeout,
                          bint quiet=False) except? False:
        cdef Get get
        get.core = &self.core
        self.check()
        if block:
            _base.check_timeout(timeout)
        cdef fp_status status = run_peek(&get)
        if status != _core.FP_OK:
            status = repeat(&self.core, False, run_peek, &get, status, block, timeout)
            if quiet and must_wait(status):
                return False
            if status != _core.FP_OK:
                self.refuse(status, False, 0)
        view[0] = get.view
        return True

    cdef object get_item(self, bint block, object timeout, bint quiet=False, object default=None):
        cdef fp_shm_view view
        cdef object item
        if not self.peek_record(&view, block, timeout, quiet):
            return default
        try:
            item = to_bytes(&view, 0)
        except MemoryError:
            fp_shm_reject(&self.core, &view)
            raise
        fp_shm_accept(&self.core, &view)
        return item

    # The protocol. --------------------------------------------------------------------------------

    def put(self, item, block=True, timeout=None):
        """Store a copy of `item`, any bytes-like object. If there is no room in this process's
        lane: wait, at most `timeout` seconds; with block=False don't wait. Raises Full if there was
        no room in time (or, with block=False, while another thread of this process is at it),
        ShutDown after shutdown(), ItemTooLarge, RuntimeError if all lanes have owners, MemoryError
        if there is no memory for the lane. A call that raises has stored nothing.
        """
        self.put_item(item, block, timeout)

    def get(self, block=True, timeout=None):
        """Remove and return the next record, as bytes. If there is none: wait, at most `timeout`
        seconds; with block=False don't wait. Raises Empty if none came in time (or, with
        block=False, while others read all lanes that have one), ShutDown after shutdown() once all
        is drained, RuntimeError if the memory is damaged. A call that raises has taken nothing.
        """
        return self.get_item(block, timeout)

    def put_nowait(self, item):
        """put(item, block=False)."""
        self.put_item(item, False, None)

    def get_nowait(self):
        """get(block=False)."""
        return self.get_item(False, None)

    def try_put(self, item):
        """As put_nowait(), but return True, or False instead of raising Full."""
        return self.put_item(item, False, None, True)

    def try_get(self, default=None):
        """As get_nowait(), but return `default` instead of raising Empty."""
        return self.get_item(False, None, True, default)

    def put_many(self, iterable, block=True, timeout=None):
        """Store copies of the items one after the other and return how many were stored: all, or
        fewer if there was no room in time (block=False: at once) or the ring was shut down
        meanwhile. Raises Full (ShutDown) if not a single one could be stored. Others' records may
        come between. The iterable is read to its end before the first one is stored; if that
        raises, or one of them is too large, nothing is stored. An interrupt leaves those stored so
        far.
        """
        self.check()
        if block:
            _base.check_timeout(timeout)
        cdef list items = list(iterable)
        cdef Parts batch = Parts(items)
        cdef Put put = [&self.core, batch.parts, batch.count, 0, 0, NULL]
        cdef size_t i
        for i in range(batch.count):
            if batch.parts[i].size > self.core.most:
                self.refuse(_core.FP_TOO_LARGE, True, batch.parts[i].size)
        if batch.count == 0:
            return 0
        cdef fp_status status = run_put_many(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_put_many, &put, status, block, timeout)
        if status != _core.FP_OK and (put.done == 0 or status == _core.FP_INTERRUPTED):
            self.refuse(status, True, 0)
        return put.done

    def get_many(self, max_items, block=True, timeout=None):
        """Wait for the first record as get() does, then take what is there of the same process's,
        `max_items` at most, and return them as a list. Raises what get() raises, with nothing
        taken.
        """
        cdef uint64_t most = to_number(max_items, "max_items", 0, UINT64_MAX)
        cdef fp_shm_view view
        cdef list items = []
        if most == 0:
            return items
        self.peek_record(&view, block, timeout)
        cdef bint more = True
        try:
            items.append(to_bytes(&view, 0))
            while more and <uint64_t>len(items) < most:
                more = fp_shm_next(&self.core, &view)
                if more:
                    items.append(to_bytes(&view, 0))
        except MemoryError:
            # Those copied so far were taken one by one, up to this one.
            fp_shm_reject(&self.core, &view)
            if not items:
                raise
            return items
        if more:
            fp_shm_accept(&self.core, &view)
        else:
            fp_shm_reject(&self.core, &view)
        return items

    def reserve(self, size, block=True, timeout=None):
        """Room for a record of `size` bytes, to be written in place; see ShmReservation. Waits and
        raises as put() does. Until it is committed or aborted, other threads of this process wait
        with their puts.
        """
        cdef uint64_t wanted = to_number(size, "size", 0, UINT64_MAX)
        cdef Put put = [&self.core, NULL, 0, 0, wanted, NULL]
        cdef ShmReservation reservation = ShmReservation.__new__(ShmReservation)
        self.check()
        if block:
            _base.check_timeout(timeout)
        cdef fp_status status = run_reserve(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_reserve, &put, status, block, timeout)
            if status != _core.FP_OK:
                self.refuse(status, True, wanted)
        reservation.begin(self, put.room, wanted, _core.fp_sync_u64_load_seq_cst(&self.core.forks))
        return reservation

    def get_view(self, block=True, timeout=None):
        """The next record, to be read in place; see ShmView. Waits and raises as get() does. When
        the `with` block is left, the record is taken; if it is left by an exception, the record
        remains.
        """
        return self.view(True, block, timeout)

    def peek(self, block=True, timeout=None):
        """As get_view(), but the record remains, unless accept() is called."""
        return self.view(False, block, timeout)

    cdef object view(self, bint take, bint block, object timeout):
        cdef ShmView view = ShmView.__new__(ShmView)
        self.peek_record(&view.record, block, timeout)
        view.take = take
        view.begin(self, <void*>view.record.start, view.record.size, view.record.forks)
        return view

    # For ShmQueue: a limit; records that start with a word which says what the rest is.

    @classmethod
    def _create_limited(cls, name, capacity, lanes, uint64_t limit):
        cdef ShmRing self = cls.__new__(cls)
        self.make(name, capacity, None, lanes, limit)
        return self

    def _put_tagged(self, uint64_t tag, list items, block, timeout):
        cdef fp_shm_part two[2]
        cdef Parts all
        cdef bint waits = block
        two[0] = [&tag, sizeof(tag)]
        if len(items) == 1 and type(items[0]) is bytes:  # nearly always
            two[1] = [PyBytes_AS_STRING(items[0]), <uint64_t>PyBytes_GET_SIZE(items[0])]
            self.put_parts(two, 2, two[1].size + sizeof(tag), waits, timeout)
        else:
            all = Parts(items, 1)
            all.parts[0] = two[0]
            self.put_parts(all.parts, all.count + 1, all.size + sizeof(tag), waits, timeout)

    def _get_tagged(self, block, timeout):
        """(tag, the rest: bytes if the tag is 0 or 1, else a bytearray)."""
        cdef fp_shm_view view
        cdef uint64_t tag = 0
        cdef object rest
        self.peek_record(&view, block, timeout)
        try:
            if view.size < sizeof(tag):
                self.refuse(_core.FP_DAMAGED, False, 0)
            memcpy(&tag, view.start, sizeof(tag))
            rest = to_bytes(&view, sizeof(tag)) if tag < 2 else to_bytearray(&view, sizeof(tag))
        except BaseException:
            fp_shm_reject(&self.core, &view)
            raise
        fp_shm_accept(&self.core, &view)
        return tag, rest

    def qsize(self):
        """Records in the ring; while others put and get, about so many: the lanes are counted one
        after the other."""
        self.check()
        return fp_shm_records(&self.core)

    def __len__(self):
        return self.qsize()

    def __bool__(self):
        return True

    def empty(self):
        """True if no lane had a record when it was looked at."""
        return self.qsize() == 0

    def full(self):
        """True if a record of max_item_size would not find room now."""
        self.check()
        cdef void* where
        if self.core.limit != 0 and fp_shm_records(&self.core) >= self.core.limit:
            return True
        cdef fp_status status = fp_shm_reserve(&self.core, self.core.most, &where)
        if status == _core.FP_OK:
            fp_shm_abort(&self.core)
        elif not must_wait(status) and status != _core.FP_CLOSED:
            self.refuse(status, True, 0)
        return status != _core.FP_OK

    def shutdown(self, immediate=False):
        """From now on every put, of all processes, raises ShutDown; gets deliver what is left and
        then raise it too. immediate=True drops what is left. Wakes all who wait. A put that runs at
        the same time either comes before (its record is delivered) or raises. It is not undone.
        """
        self.check()
        cdef bint discard = immediate
        fp_shm_close(&self.core, discard)

    @property
    def is_shutdown(self):
        """True once some process has called shutdown()."""
        self.check()
        return fp_shm_is_closed(&self.core)

    def stats(self):
        """The ring's state, and this object's waits; see ShmStats."""
        from fastprims._stats import ShmStats

        return ShmStats(
            size=self.qsize(), maxsize=self.maxsize, capacity=self.capacity, lanes=self.lanes,
            put_waits=_core.fp_sync_u64_load_relaxed(&self.core.put_waits),
            get_waits=_core.fp_sync_u64_load_relaxed(&self.core.get_waits))

    # Manners. -------------------------------------------------------------------------------------

    def __repr__(self):
        if not self.made:
            return f"<{type(self).__module__}.{type(self).__qualname__} not made>"
        state = " closed" if self.closed else " shut down" if fp_shm_is_closed(&self.core) else ""
        return (f"<{type(self).__module__}.{type(self).__qualname__} {self.name!r} "
                f"capacity={self.capacity} size={fp_shm_records(&self.core)}{state}>")

    def __reduce_ex__(self, protocol):
        """Pickled by name: whoever unpickles it attaches."""
        self.check()
        return _attach, (type(self), self.name, self.anyone)


def _attach(cls, name, anyone):
    return cls.attach(name, anyone=anyone)


# Records in place. --------------------------------------------------------------------------------

@cython.no_gc_clear  # the ring is needed to the end
cdef class _Span:
    # What is common to a record that is being written and to one that is being read.
    cdef ShmRing ring
    cdef void* start
    cdef uint64_t size
    cdef uint64_t forks  # what a process holds, the children that it forks must not touch
    cdef bint readonly
    cdef object shown  # the memoryview of the `with` block
    cdef _core.fp_sync_u64 ended, exports

    def __init__(self, *args, **kwargs):
        raise TypeError(f"{type(self).__name__} is made by the methods of ShmRing")

    cdef int begin(self, ShmRing ring, void* start, uint64_t size, uint64_t forks) except -1:
        self.ring, self.start, self.size, self.forks = ring, start, size, forks
        return 0

    cdef bint from_here(self) noexcept:
        return fp_shm_is_from_here(&self.ring.core, self.forks)

    # The caller may do what ends the record: nobody has a buffer, nor gets one. False: it was done.
    cdef bint end(self) except? False:
        cdef uint64_t found = 0
        if self.shown is not None:
            self.shown.release()
            self.shown = None
        if not _core.fp_sync_u64_cas_seq_cst(&self.ended, &found, 1):
            return False
        # Who asks for a buffer counts itself, then looks at `ended`; here it's the other way round.
        if _core.fp_sync_u64_load_seq_cst(&self.exports) != 0:
            found = 1
            _core.fp_sync_u64_cas_seq_cst(&self.ended, &found, 0)
            raise BufferError(
                "a slice, an array or the like still uses the record's memory: release it before "
                "the record is given up")
        return True

    # For __dealloc__, where nobody else is left.
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
        self.shown = memoryview(self)
        return self.shown


cdef class ShmReservation(_Span):
    """ShmReservation()

    Room in a ShmRing for a record, to be written in place: `with ring.reserve(n) as view:` gives a
    writable memoryview of n bytes, and stores the record when the block is left, or drops it if it
    is left by an exception. Without `with`: memoryview(reservation), commit() and abort(). A
    reservation that nobody refers to any more is dropped.

    Nothing of it can be read before the commit, nor used afterwards: the memoryview is released,
    and if a slice of it, or an array over it, still exists, BufferError is raised and the record is
    dropped as soon as that has gone.
    """

    def __dealloc__(self):
        if self.abandoned():
            fp_shm_abort(&self.ring.core)

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
        cdef fp_status status = fp_shm_commit(&self.ring.core, kept)
        if status != _core.FP_OK:
            self.ring.refuse(status, True, kept)

    def abort(self):
        """Drop the record. Any number of times."""
        if self.end() and self.from_here():
            fp_shm_abort(&self.ring.core)


cdef class ShmView(_Span):
    """ShmView()

    A record of a ShmRing, read in place: `with ring.get_view() as view:` gives a read-only
    memoryview, and takes the record when the block is left; if it is left by an exception, the
    record remains where it was, and so it does if the process is killed. `with ring.peek()` leaves
    it in any case. Without `with`: memoryview(view), accept() and reject(). A view that nobody
    refers to any more is rejected.

    Meanwhile nobody else reads records of the process that has put this one. Afterwards the
    memoryview is released; if a slice of it, or an array over it, still exists, BufferError is
    raised and the record remains.
    """

    cdef fp_shm_view record
    cdef bint take

    def __cinit__(self):
        self.readonly = True

    def __dealloc__(self):
        if self.abandoned():
            fp_shm_reject(&self.ring.core, &self.record)

    def __exit__(self, kind, error, trace):
        if _core.fp_sync_u64_load_seq_cst(&self.ended) == 0:
            if kind is None and self.take:
                self.accept()
            else:
                self.reject()

    def accept(self):
        """Take the record: it is gone."""
        self.must(self.end())
        fp_shm_accept(&self.ring.core, &self.record)

    def reject(self):
        """Leave the record, for whoever reads next. Any number of times."""
        if self.end() and self.from_here():
            fp_shm_reject(&self.ring.core, &self.record)


fp_publish(ShmRing, "fastprims.ShmRing", ())
fp_publish(ShmReservation, "fastprims.ShmReservation", ())
fp_publish(ShmView, "fastprims.ShmView", ())
