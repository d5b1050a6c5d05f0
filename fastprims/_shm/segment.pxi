# A segment of shared memory, fp_shm: making, finding, naming and waiting; and the errors.


cdef extern from "shm/fp_shm.h" nogil:
    struct fp_shm_options:
        uint64_t capacity, most, lanes, limit
    enum fp_shm_fault:
        FP_SHM_FINE
        FP_SHM_SYSTEM
        FP_SHM_NO_PROC
        FP_SHM_GEOMETRY
        FP_SHM_FOREIGN
        FP_SHM_NOT_OURS
        FP_SHM_BROKEN
    const char* FP_SHM_FOLDER
    uint64_t FP_SHM_MOST_NAME, FP_SHM_MOST_LANES, FP_SPSC_BYTES_MOST_UNITS
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
    bint fp_shm_is_discarding(fp_shm*)
    uint64_t fp_shm_records(fp_shm*)
    bint fp_shm_has_room(fp_shm*)
    uint64_t fp_shm_forks()
    bint fp_shm_is_from_here(uint64_t)
    bint fp_shm_is_used(const char*)
    int fp_shm_remove_unused(const char*, uint64_t)

cdef extern from "shm/fp_shm.h":
    fp_status fp_shm_wait(fp_shm*, bint, const _core.fp_attempt*, int64_t, const _core.fp_host*)


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
    if why == FP_SHM_NO_PROC:
        raise RuntimeError(
            "/proc is not there, or another PID namespace's, and shared memory gets its name by "
            "it: mount it")
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
    number = to_count(value, what, <long>least)
    if number > most:
        raise OverflowError(f"{what} must be {most} or less, not {number}")
    return number


# The operations that fp_shm_wait() repeats. -------------------------------------------------------

cdef struct Put:
    fp_shm* core
    const fp_shm_part* parts
    size_t count
    size_t done
    uint64_t size
    void* room


cdef struct Get:
    fp_shm* core
    _core.fp_sync_u64* kept
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
    # Seq_cst: pairs with the store of the thread that has raised the number.
    if g.kept != NULL and _core.fp_sync_u64_load_seq_cst(g.kept) != 0:
        g.view.start = NULL
        return _core.FP_OK
    return fp_shm_peek(g.core, &g.view)


cdef fp_status repeat(fp_shm* core, bint writer, fp_status (*run)(void*) noexcept nogil, void* arg,
                      fp_status status, Wait* wait) except *:
    """The operation has answered `status`. If that is not final: waits until it is; or, if the call
    may not wait, tries once more if a process that has died may be the cause."""
    cdef _core.fp_attempt op = [run, NULL, arg]
    if not must_wait(status):
        return status
    if wait.may:
        return fp_shm_wait(core, writer, &op, until(wait), &host)
    # A process that has died may hold the lane.
    return run(arg) if status == _core.FP_BUSY and fp_shm_rescue(core) else status


# For python -m fastprims shm. ---------------------------------------------------------------------

def is_used(str name):
    """True if any process has the segment, of whatever user or PID namespace, or if that cannot be
    known."""
    return fp_shm_is_used(to_name(name))


def remove_unused(str name, uint64_t inode):
    """Remove the name if it belongs to that file, and no process has the file or gets it meanwhile;
    else raise OSError."""
    cdef int error = fp_shm_remove_unused(to_name(name), inode)
    if error != 0:
        system_error(error, name)


cdef class Segment:

    def __dealloc__(self):
        if self.made:
            fp_shm_release(&self.core)
            fp_shm_detach(&self.core)

    cdef int make(self, object name, object capacity, object most, object lanes,
                  uint64_t limit) except -1:
        cdef fp_shm_options options
        cdef uint64_t largest = FP_SPSC_BYTES_MOST_UNITS * FP_SPSC_BYTES_UNIT
        cdef bytes encoded = to_name(os.urandom(8).hex() if name is None else name)
        options.capacity = to_number(capacity, "capacity", 1, largest)
        options.lanes = to_number(lanes, "lanes", 1, FP_SHM_MOST_LANES)
        options.limit = limit
        options.most = UINT64_MAX
        if most is not None:
            options.most = to_number(most, "max_item_size", 0, largest // 2 - 8)
        self.check_new()  # __new__ of a subclass may have returned an old object
        cdef fp_shm_fault why = fp_shm_create(&self.core, encoded, &options)
        if why == FP_SHM_GEOMETRY:
            raise ValueError(
                f"max_item_size={most} takes a capacity of {2 * (most + 8)} bytes or more, "
                f"not {capacity}")
        self.label = encoded.decode()
        fault(why, self.label)
        self.made = True
        self.home = self.forks()
        return 0

    cdef int find(self, object name, bint anyone) except -1:
        cdef bytes encoded = to_name(name)
        self.check_new()
        fault(fp_shm_attach(&self.core, encoded, anyone), name)
        self.made = True
        self.label = name
        self.anyone = anyone
        self.home = UINT64_MAX
        return 0

    cdef int remove_name(self) except -1:
        cdef bytes encoded = to_name(self.label)
        cdef int error = fp_shm_unlink(encoded)
        if error != 0:
            system_error(error, self.label)
        return 0

    cdef int check(self) except -1:
        if not self.made:
            raise RuntimeError(
                f"this {type(self).__name__} was not made: use {type(self).__name__}.create() or "
                "attach()")
        return 0

    cdef int raise_for_status(self, fp_status status, bint writer, uint64_t size) except -1:
        if must_wait(status) or status == _core.FP_TIMED_OUT:
            raise Full if writer else Empty
        if status == _core.FP_CLOSED and self.is_released():
            raise ValueError(f"this {type(self).__name__} was closed; attach to it again")
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
            capacity = self.core.units * FP_SPSC_BYTES_UNIT
            raise MemoryError(
                f"/dev/shm has no room for {capacity} bytes (or the process has no file descriptor "
                "left, or has closed those of the unlinked memory): make it larger, or the "
                "capacity smaller")
        if status == _core.FP_DAMAGED:
            raise RuntimeError(
                f"the shared memory {self.label!r} is damaged: it holds what no process writes by "
                "the rules. Unlink it, and make a new one")
        return raise_for_status(self, status)

    cdef int check_new(self) except -1:
        if self.made:
            refuse_again(self)
        return 0

    # Writing. -------------------------------------------------------------------------------------

    cdef bint put_parts(self, const fp_shm_part* parts, size_t count, uint64_t size, Wait* wait,
                        bint quiet=False) except? False:
        cdef Put put = [&self.core, parts, count, 0, size, NULL]
        cdef fp_status status
        self.check()
        if size >= LARGE:
            with nogil:
                status = run_put(&put)
        else:
            status = run_put(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_put, &put, status, wait)
            if quiet and must_wait(status):
                return False
            if status != _core.FP_OK:
                self.raise_for_status(status, True, size)
        return True

    cdef size_t put_records(self, const fp_shm_part* records, size_t count,
                            Wait* wait) except? 0:
        cdef Put put = [&self.core, records, count, 0, 0, NULL]
        cdef size_t i
        for i in range(count):
            if records[i].size > self.core.most:
                self.raise_for_status(_core.FP_TOO_LARGE, True, records[i].size)
        if count == 0:
            return 0
        cdef fp_status status = run_put_many(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_put_many, &put, status, wait)
        if status != _core.FP_OK and (put.done == 0 or status == _core.FP_INTERRUPTED):
            self.raise_for_status(status, True, 0)
        return put.done

    cdef void* reserve_room(self, uint64_t size, Wait* wait) except NULL:
        cdef Put put = [&self.core, NULL, 0, 0, size, NULL]
        self.check()
        cdef fp_status status = run_reserve(&put)
        if status != _core.FP_OK:
            status = repeat(&self.core, True, run_reserve, &put, status, wait)
            if status != _core.FP_OK:
                self.raise_for_status(status, True, size)
        return put.room

    cdef int commit_room(self, uint64_t size) except -1:
        cdef fp_status status = fp_shm_commit(&self.core, size)
        if status != _core.FP_OK:
            self.raise_for_status(status, True, size)
        return 0

    cdef void abort_room(self) noexcept:
        fp_shm_abort(&self.core)

    # True if there is room for a record of the largest size now.
    cdef bint has_room(self) noexcept:
        return fp_shm_has_room(&self.core)

    # Reading. -------------------------------------------------------------------------------------

    cdef bint peek_record(self, fp_shm_view* view, Wait* wait, bint quiet=False,
                          _core.fp_sync_u64* kept=NULL) except? False:
        cdef Get get
        get.core, get.kept = &self.core, kept
        self.check()
        cdef fp_status status = run_peek(&get)
        if status != _core.FP_OK:
            status = repeat(&self.core, False, run_peek, &get, status, wait)
            if quiet and must_wait(status):
                return False
            if status != _core.FP_OK:
                self.raise_for_status(status, False, 0)
        view[0] = get.view
        return True

    cdef bint next_record(self, fp_shm_view* view) noexcept:
        return fp_shm_next(&self.core, view)

    cdef void accept_record(self, fp_shm_view* view) noexcept:
        fp_shm_accept(&self.core, view)

    cdef void reject_record(self, fp_shm_view* view) noexcept:
        fp_shm_reject(&self.core, view)

    # Either side. ---------------------------------------------------------------------------------

    cdef uint64_t forks(self) noexcept:
        return fp_shm_forks()

    cdef bint is_from_here(self, uint64_t forks) noexcept:
        return fp_shm_is_from_here(forks)

    cdef uint64_t records(self) noexcept:
        return fp_shm_records(&self.core)

    cdef void shut(self, bint discard) noexcept:
        fp_shm_close(&self.core, discard)

    cdef bint is_shut(self) noexcept:
        return fp_shm_is_closed(&self.core)

    cdef bint is_discarding(self) noexcept:
        return fp_shm_is_discarding(&self.core)

    cdef void release(self) noexcept:
        fp_shm_release(&self.core)

    cdef bint is_released(self) noexcept:
        return _core.fp_sync_u64_load_seq_cst(&self.core.released) != 0
