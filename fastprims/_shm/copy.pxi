# Copies of records, and the buffers of the objects from which records are made.


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
    """The buffers of some objects; it keeps them for as long as it exists."""

    def __cinit__(self, list items, size_t before=0):
        """`before`: how many parts in front the caller will fill in."""
        cdef tuple all = tuple(items)  # stays the same while code of the buffers' objects runs
        cdef size_t n = <size_t>len(all)
        self.views = <Py_buffer*>malloc((n + 1) * sizeof(Py_buffer))
        self.parts = <fp_shm_part*>malloc((n + before + 1) * sizeof(fp_shm_part))
        if self.views == NULL or self.parts == NULL:
            raise MemoryError
        for item in all:
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
