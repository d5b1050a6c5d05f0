# Records in place.

from libc.stdint cimport uint64_t

from fastprims cimport _base, _core
from fastprims._shmsegment cimport Segment, fp_shm_view


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
    cdef _base.Layout layout


cdef class ShmView(_Span):
    cdef fp_shm_view record  # as `ring`; when `ended` is set, by who has set it
    cdef bint take  # as `ring`
