# A segment of fp_shm as an object. It alone calls fp_shm: in another module's copy of the C files
# threads would have other numbers.

from libc.stdint cimport uint64_t

from fastprims cimport _core
from fastprims._core cimport fp_status

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
    uint64_t FP_LANE_UNIT

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
    cdef int refuse(self, fp_status status, bint writer, uint64_t size) except -1

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
