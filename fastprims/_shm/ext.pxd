# A segment of fp_shm as an object; records in and out of Python's objects; records in place.

from libc.stdint cimport uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_status
from fastprims._common.ext cimport Layout, Wait

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

# From this many bytes on, a copy releases the GIL.
cdef enum: LARGE = 1 << 16

cdef uint64_t to_number(object value, str what, uint64_t least, uint64_t most) except? 0


cdef class Segment:
    cdef fp_shm core  # only fp_shm writes it; see there
    # The rest is written by make() or find(), which are called once for a segment, before another
    # thread has it.
    cdef bint made
    cdef bint anyone
    cdef str label
    cdef uint64_t home  # forks() of the process in which make() was called; find(): UINT64_MAX
    cdef object __weakref__  # the interpreter's

    cdef int make(self, object name, object capacity, object most, object lanes,
                  uint64_t limit) except -1
    cdef int find(self, object name, bint anyone) except -1
    cdef int remove_name(self) except -1
    cdef int check(self) except -1
    cdef int check_new(self) except -1
    # Raises what `status` means.
    cdef int raise_for_status(self, fp_status status, bint writer, uint64_t size) except -1

    # Stores a record of these parts. False: there was no room. (Without `quiet`, that raises Full.)
    cdef bint put_parts(self, const fp_shm_part* parts, size_t count, uint64_t size, Wait* wait,
                        bint quiet=*) except? False
    # Stores a record of each part, as many as there is room for; returns how many.
    cdef size_t put_records(self, const fp_shm_part* records, size_t count,
                            Wait* wait) except? 0
    cdef void* reserve_room(self, uint64_t size, Wait* wait) except NULL
    cdef int commit_room(self, uint64_t size) except -1
    cdef void abort_room(self) noexcept
    # True if there is room for a record of the largest size now.
    cdef bint has_room(self) noexcept

    # Holds the next record; the caller must accept or reject it. False: there is none (as above).
    # If `kept` is not 0, the caller has a record: answers True, with `start` NULL, and holds none.
    cdef bint peek_record(self, fp_shm_view* view, Wait* wait, bint quiet=*,
                          _core.fp_sync_u64* kept=*) except? False
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


# The record without its first `skip` bytes.
cdef bytes to_bytes(const fp_shm_view* view, uint64_t skip)
cdef bytearray to_bytearray(const fp_shm_view* view, uint64_t skip)


# Only __cinit__ writes it.
cdef class Parts:
    cdef Py_buffer* views
    cdef fp_shm_part* parts
    cdef size_t count
    cdef uint64_t size  # of all


cdef class _Span:
    # The common base of a record that is being written and of one that is being read. The fields up
    # to `readonly` are written by begin(), before another thread has the object.
    cdef Segment ring
    cdef void* start
    cdef uint64_t size
    cdef uint64_t forks  # of the process that holds the record; its forked children must not use it
    cdef bint readonly
    # A weak reference to the memoryview of the `with` block, which refers to this object. An
    # interrupt may prevent the call of __exit__; then the record ends only when both objects are
    # gone. Any thread may change it, within the critical section.
    cdef object shown
    # Any thread may change these: atomic. The thread that sets `ended` owns the record exclusively.
    cdef _core.fp_sync_u64 ended, exports

    # Raises RuntimeError for an object that no method of ShmRing has made.
    cdef int check(self) except -1
    cdef int begin(self, Segment ring, void* start, uint64_t size, uint64_t forks) except -1
    cdef bint from_here(self) noexcept
    # True: the caller must now end the record; no buffer exists, and none will be given out. False:
    # the record has ended already.
    cdef bint end(self) except? False
    # For __dealloc__, when no other reference is left.
    cdef bint abandoned(self) noexcept
    cdef int must(self, bint ended) except -1


cdef class ShmReservation(_Span):
    cdef Layout layout


cdef class ShmView(_Span):
    cdef fp_shm_view record  # as `ring`; once `ended` is set, by the thread that has set it
    cdef bint take  # written as `ring`
