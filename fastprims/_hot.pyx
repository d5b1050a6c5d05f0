# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""The short way of the queues' hot methods: for the call with nothing but an item, or nothing at
all, when there is room, or an item. See _slots.h; whatever else is for the methods of BaseQueue.
"""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from fastprims cimport _core
from fastprims._base cimport OPEN, BaseQueue, give, raised
from fastprims._core cimport fp_status

from fastprims import _open

cdef extern from "_slots.h":
    ctypedef PyObject* (*fp_fastcall)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    int fp_set_fastcall(object, const char*, fp_fastcall, fp_fastcall*) except -1
    uint64_t fp_class_version(PyObject*)
    PyObject* fp_call_method(PyObject*, PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    PyObject* fp_constant(object)

# Of which each class has descriptors of its own; see fp_publish.
HOT_METHODS = ("put", "get", "put_nowait", "get_nowait", "try_put", "try_get")

cdef fp_fastcall slow_put, slow_get, slow_put_nowait, slow_try_put, slow_try_get


# Of open queues.
cdef PyObject* open_put = <PyObject*>_open.put
cdef PyObject* open_get = <PyObject*>_open.get


# Has nobody put Python code in the way of this queue's operations since it was looked for?
cdef inline bint unchanged(PyObject* self) noexcept:
    return _core.fp_sync_u64_load_relaxed(&(<BaseQueue>self).checked) == fp_class_version(self)


cdef inline bint is_open(PyObject* self) noexcept:
    return _core.fp_sync_u64_load_seq_cst(&(<BaseQueue>self).checked) == <uint64_t>OPEN


# The arguments are passed on by what is known of them, so that they need not be kept meanwhile.
cdef inline PyObject* put_slowly(fp_fastcall slow, PyObject* self, PyObject* item,
                                 fp_status status) noexcept:
    return NULL if raised(status) else slow(self, &item, 1, NULL)


cdef inline PyObject* get_slowly(fp_fastcall slow, PyObject* self, fp_status status) noexcept:
    return NULL if raised(status) else slow(self, NULL, 0, NULL)


cdef PyObject* fast_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(None)
        return put_slowly(slow_put, self, item, status)
    return slow_put(self, args, n, names) if not is_open(self) else fp_call_method(
        open_put, self, args, n, names)


cdef PyObject* fast_put_nowait(PyObject* self, PyObject* const* args, Py_ssize_t n,
                               PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self) and not (<BaseQueue>self).indirect):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(None)
        return put_slowly(slow_put_nowait, self, item, status)
    return slow_put_nowait(self, args, n, names)


cdef PyObject* fast_try_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(True)
        if status == _core.FP_FULL:
            return fp_constant(False)
        return put_slowly(slow_try_put, self, item, status)
    return slow_try_put(self, args, n, names)


cdef PyObject* fast_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        PyObject* names) noexcept:
    cdef uint64_t word
    cdef fp_status status
    if _core.FP_LIKELY(n == 0 and names == NULL and unchanged(self)):
        status = (<BaseQueue>self).get_one((<BaseQueue>self).core, &word)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return <PyObject*>word
        return get_slowly(slow_get, self, status)
    return slow_get(self, args, n, names) if not is_open(self) else fp_call_method(
        open_get, self, args, n, names)


cdef PyObject* fast_try_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) noexcept:
    cdef uint64_t word
    cdef fp_status status
    if _core.FP_LIKELY(n == 0 and names == NULL and unchanged(self)):
        status = (<BaseQueue>self).get_one((<BaseQueue>self).core, &word)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return <PyObject*>word
        if status == _core.FP_EMPTY:
            return fp_constant(None)
        return get_slowly(slow_try_get, self, status)
    return slow_try_get(self, args, n, names)


fp_set_fastcall(BaseQueue, "put", fast_put, &slow_put)
fp_set_fastcall(BaseQueue, "get", fast_get, &slow_get)
fp_set_fastcall(BaseQueue, "put_nowait", fast_put_nowait, &slow_put_nowait)
fp_set_fastcall(BaseQueue, "try_put", fast_try_put, &slow_try_put)
fp_set_fastcall(BaseQueue, "try_get", fast_try_get, &slow_try_get)
