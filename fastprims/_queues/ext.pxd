# The base class of all queues, and what the short ways in fastcall.pxi do of it themselves.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_status
from fastprims._common.cpython_compat cimport DECREF, INCREF, fp_class_version


cdef class BaseQueue:
    # The C structure and its functions (csrc/queues/fp_queue.h); `put_one` and `get_one` are copies
    # of two of them, one load nearer. Written by become(): to no queue when the object is made,
    # before anybody else has it; then once more, within the critical section, by the first __init__
    # that gets there. Other threads may be using the object then, so nobody reads them before
    # elsewhere() has said that they are all there, or but for hooks().
    cdef void* core
    cdef const _core.fp_queue_ops* ops
    cdef fp_status (*put_one)(void*, uint64_t) noexcept
    cdef fp_status (*get_one)(void*, uint64_t*) noexcept
    # The version of the class for which this object was found to do without any Python code of
    # its own; or one of the two above. By any thread: atomic.
    cdef _core.fp_sync_u64 checked
    # put_nowait() and get_nowait() go through the public put() and get(): set, never cleared, by
    # any thread. A call that comes too early for it came before the change that it stands for.
    cdef bint indirect
    # Never written; it makes Cython build a type that the garbage collector knows.
    cdef object _collected
    cdef object __weakref__  # the interpreter's

    # Whatever an object has for its structure is written once: __init__ works all of it out first,
    # which may run any code, and then stores it within the critical section, if nobody did before.
    cdef void become(self, void* core, const _core.fp_queue_ops* ops) noexcept
    # Takes a new structure (NULL: MemoryError); or frees it, and raises RuntimeError, if there was
    # one.
    cdef int adopt(self, void* core, const _core.fp_queue_ops* ops) except -1
    # Raises RuntimeError if there is a structure.
    cdef int check_new(self) except -1
    # Called after `n` items were dropped undelivered.
    cdef int discarded(self, size_t n) except -1
    # What an argument means that is to be True or False, of a method that the standard library's
    # queues have, too: there, any object will do.
    cdef bint truth_of(self, object value, str name) except -1
    # Are the items in another container, or is the class one for which they must be? If not, the
    # short ways of fastcall.pxi are open from now on. Raises RuntimeError if there is no structure.
    cdef bint elsewhere(self) except -1
    cdef const _core.fp_queue_ops* hooks(self) noexcept
    # Calls the public method on the other container, once they are there.
    cdef object moved(self, str method, tuple args)
    # Raises what `status` means.
    cdef int raise_for_status(self, fp_status status) except -1
    cdef bint clear(self) except -1

    # check_timeout() for a call that stores, or takes. A queue that has been shut down says that
    # first, as the standard library's do.
    cdef int check_wait(self, object timeout, bint stores) except -1

    cdef fp_status wait(self, _core.fp_event* event, _core.fp_attempt* op,
                        object timeout) except *
    cdef fp_status wait_until(self, _core.fp_event* event, _core.fp_attempt* op,
                              int64_t deadline) except *
    cdef int put_item(self, object item, bint block, object timeout) except -1
    cdef size_t put_list(self, list items, size_t before, bint block,
                         object timeout) except? -1
    cdef object get_item(self, bint block, object timeout)


cdef class QueueWithState(BaseQueue):
    pass


# Has nobody put Python code in the way of this queue's operations since it was looked for?
# Acquire: pairs with the store in BaseQueue.elsewhere(), before which the structure was there.
cdef inline bint unchanged(PyObject* self) noexcept:
    return (_core.fp_sync_u64_load_acquire(&(<BaseQueue>self).checked)
            == fp_class_version(self))


cdef inline fp_status give(BaseQueue self, PyObject* item) noexcept:
    INCREF(item)
    cdef fp_status status = self.put_one(self.core, <uint64_t>item)
    if _core.FP_UNLIKELY(status != _core.FP_OK):
        DECREF(item)
    return status


cdef inline bint raised(fp_status status) noexcept:
    return status == _core.FP_FAILED or status == _core.FP_INTERRUPTED
