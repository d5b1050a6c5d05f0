# Records in place.

from libc.stdint cimport uint64_t

from fastprims cimport _core
from fastprims._shmsegment cimport Segment, fp_shm_view


cdef class _Span:
    # What is common to a record that is being written and to one that is being read.
    cdef Segment ring
    cdef void* start
    cdef uint64_t size
    cdef uint64_t forks  # what a process holds, the children that it forks must not touch
    cdef bint readonly
    # A weak reference to the memoryview of the `with` block, which refers to this object: an
    # interrupt may keep __exit__ from being called, and nothing but these two then ends the record.
    cdef object shown
    cdef _core.fp_sync_u64 ended, exports

    cdef int begin(self, Segment ring, void* start, uint64_t size, uint64_t forks) except -1
    cdef bint from_here(self) noexcept
    # The caller may do what ends the record: nobody has a buffer, nor gets one. False: it was done.
    cdef bint end(self) except? False
    # For __dealloc__, where nobody else is left.
    cdef bint abandoned(self) noexcept
    cdef int must(self, bint ended) except -1


cdef class ShmReservation(_Span):
    pass


cdef class ShmView(_Span):
    cdef fp_shm_view record
    cdef bint take
