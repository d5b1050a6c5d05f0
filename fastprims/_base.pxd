from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims cimport _core
from fastprims._core cimport fp_status

cdef extern from "Python.h":
    void INCREF "Py_INCREF"(PyObject*)
    void DECREF "Py_DECREF"(PyObject*)


cdef _core.fp_host host

cdef object to_index(object value, str name)

# A list for which nobody else can have a reference: of the items of `source`, if room < 0, or with
# room for so many, to be shown with as many as were filled in.
cdef list hidden(object source, Py_ssize_t room)


cdef extern from "_slots.h":
    const uint64_t UNCHECKED "FP_UNCHECKED"
    const uint64_t OPEN "FP_OPEN"


cdef class BaseQueue:
    # The C structure and its functions (csrc/fp_queue.h); `put` and `get` are copies of two of
    # them, one load nearer. Set by adopt(): to no queue when the object is made, then once more.
    cdef void* core
    cdef const _core.fp_queue_ops* ops
    cdef fp_status (*put_one)(void*, uint64_t) noexcept
    cdef fp_status (*get_one)(void*, uint64_t*) noexcept
    # The version of the class for which this object was found to do without any Python code of
    # its own; or one of the two below.
    cdef _core.fp_sync_u64 checked
    cdef bint indirect  # put_nowait() and get_nowait() go through the public put() and get()
    # Never used; it makes Cython build a type that the garbage collector knows.
    cdef object _collected
    cdef object __weakref__

    cdef int adopt(self, void* core, const _core.fp_queue_ops* ops) except -1
    # For classes whose structure is made by __init__: it cannot be made twice.
    cdef int check_new(self) except -1
    # Called after `n` items were dropped undelivered.
    cdef int discarded(self, size_t n) except -1
    # Are the items in another container, or is the class one for which they must be? If not, the
    # short ways of _hot.pyx are open from now on.
    cdef bint elsewhere(self) except -1
    # Calls the public method on the other container, once they are there.
    cdef object moved(self, str method, tuple args)
    # Raises what `status` means.
    cdef int refuse(self, fp_status status) except -1
    cdef int clear(self) except -1

    cdef fp_status wait(self, _core.fp_event* event, _core.fp_attempt* op,
                        object timeout) except *
    cdef int put_item(self, object item, bint block, object timeout) except -1
    cdef size_t put_list(self, list items, size_t before, bint block,
                         object timeout) except? -1
    cdef object get_item(self, bint block, object timeout)


# Raises TypeError; `instead` is what to do.
cdef int refuse_pickle(object self, str instead) except -1

cdef int64_t deadline_of(object timeout) except? -1
cdef object left_of(object timeout, int64_t began)
cdef int check_timeout(object timeout) except -1


cdef inline fp_status give(BaseQueue self, PyObject* item) noexcept:
    INCREF(item)
    cdef fp_status status = self.put_one(self.core, <uint64_t>item)
    if _core.FP_UNLIKELY(status != _core.FP_OK):
        DECREF(item)
    return status


cdef inline bint raised(fp_status status) noexcept:
    return status == _core.FP_FAILED or status == _core.FP_INTERRUPTED
