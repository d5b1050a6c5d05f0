# A segment of fp_shm as an object; records in and out of Python's objects; records in place.

from libc.stdint cimport uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_status
from fastprims._common.ext cimport Layout

cdef extern from "shm/fp_shm.h" nogil:
    struct fp_shm:
        uint64_t lanes, units, most, limit
        _core.fp_sync_u64 released, put_waits, get_waits
    struct fp_shm_part:
        const void* start
        uint64_t size
    struct fp_shm_view:
        uint64_t lane, forks
        const void* start
        uint64_t size
    uint64_t FP_SPSC_BYTES_UNIT

# From so many bytes on other threads may run while they are copied.
cdef enum: LARGE = 1 << 16

cdef uint64_t to_number(object value, str what, uint64_t least, uint64_t most) except? 0


cdef class Segment:
    cdef fp_shm core  # by fp_shm; see there
    # The rest: written by make() or find(), which a segment sees once, before anybody else has it.
    cdef bint made
    cdef bint anyone
    cdef str label
    cdef uint64_t home  # the forks of the process that made the segment, if it was by this object
    cdef object __weakref__  # the interpreter's

    cdef int make(self, object name, object capacity, object most, object lanes,
                  uint64_t limit) except -1
    cdef int find(self, object name, bint anyone) except -1
    cdef int remove_name(self) except -1
    cdef int check(self) except -1
    cdef int check_new(self) except -1
    # Raises what `status` means.
    cdef int raise_for_status(self, fp_status status, bint writer, uint64_t size) except -1

    # Stores a record of these parts. False: there was no room (unless `quiet`, that raises Full).
    cdef bint put_parts(self, const fp_shm_part* parts, size_t count, uint64_t size, bint block,
                        object timeout, bint quiet=*) except? False
    # Stores a record of each part, as many as there is room for; how many.
    cdef size_t put_records(self, const fp_shm_part* records, size_t count, bint block,
                            object timeout) except? 0
    cdef void* reserve_room(self, uint64_t size, bint block, object timeout) except NULL
    cdef int commit_room(self, uint64_t size) except -1
    cdef void abort_room(self) noexcept
    # For a record of the largest size, now.
    cdef bint has_room(self) noexcept

    # Holds the next record, to be accepted or rejected. False: there is none (as above). If the
    # number `elsewhere` says that there is one (not 0): True, none is held, `start` is NULL.
    cdef bint peek_record(self, fp_shm_view* view, bint block, object timeout, bint quiet=*,
                          _core.fp_sync_u64* elsewhere=*) except? False
    cdef bint next_record(self, fp_shm_view* view) noexcept
    cdef void accept_record(self, fp_shm_view* view) noexcept
    cdef void reject_record(self, fp_shm_view* view) noexcept

    cdef uint64_t forks(self) noexcept
    cdef bint is_from_here(self, uint64_t forks) noexcept
    cdef uint64_t records(self) noexcept
    cdef void shut(self, bint discard) noexcept
    cdef bint is_shut(self) noexcept
    cdef bint is_discarding(self) noexcept
    cdef void release(self) noexcept
    cdef bint is_released(self) noexcept


# The record but for its first `skip` bytes.
cdef bytes to_bytes(const fp_shm_view* view, uint64_t skip)
cdef bytearray to_bytearray(const fp_shm_view* view, uint64_t skip)


# Written by __cinit__ alone.
cdef class Parts:
    cdef Py_buffer* views
    cdef fp_shm_part* parts
    cdef size_t count
    cdef uint64_t size  # of all


cdef class _Span:
    # What is common to a record that is being written and to one that is being read. Up to
    # `readonly`: written by begin(), before anybody else has the object.
    cdef Segment ring
    cdef void* start
    cdef uint64_t size
    cdef uint64_t forks  # what a process holds, the children that it forks must not touch
    cdef bint readonly
    # A weak reference to the memoryview of the `with` block, which refers to this object: an
    # interrupt may keep __exit__ from being called, and nothing but these two then ends the record.
    # By any thread, within the critical section.
    cdef object shown
    # By any thread: atomic. Who sets `ended` has the record to himself.
    cdef _core.fp_sync_u64 ended, exports

    # Raises RuntimeError for what no method of ShmRing has made.
    cdef int check(self) except -1
    cdef int begin(self, Segment ring, void* start, uint64_t size, uint64_t forks) except -1
    cdef bint from_here(self) noexcept
    # The caller may do what ends the record: nobody has a buffer, nor gets one. False: it was done.
    cdef bint end(self) except? False
    # For __dealloc__, where nobody else is left.
    cdef bint abandoned(self) noexcept
    cdef int must(self, bint ended) except -1


cdef class ShmReservation(_Span):
    cdef Layout layout


cdef class ShmView(_Span):
    cdef fp_shm_view record  # as `ring`; when `ended` is set, by who has set it
    cdef bint take  # as `ring`
