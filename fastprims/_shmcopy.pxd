# Records in and out of Python's objects.

from libc.stdint cimport uint64_t

from fastprims._shmsegment cimport fp_shm_part, fp_shm_view

# The record but for its first `skip` bytes.
cdef bytes to_bytes(const fp_shm_view* view, uint64_t skip)
cdef bytearray to_bytearray(const fp_shm_view* view, uint64_t skip)


# Written by __cinit__ alone.
cdef class Parts:
    cdef Py_buffer* views
    cdef fp_shm_part* parts
    cdef size_t count
    cdef uint64_t size  # of all
