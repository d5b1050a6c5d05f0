# The base class of all queues, and the parts of it that the fast paths in fastcall.pxi inline.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_status
from fastprims._common.cpython_compat cimport DECREF, fp_class_version, fp_hand_over
from fastprims._common.ext cimport Wait


# An item that waits for room. The caller sets the first field; the queue remembers how far it has
# come, and says when to try again if that isn't a matter of room.
cdef struct Offered:
    PyObject* item  # the caller's reference
    bint measured
    bint has_token
    int64_t delay  # nanoseconds; 0: none

# Listeners (csrc/wait/fp_listener.h) of a queue's events are listed by these, since each module has
# its own copy of the core, with its own count of forks.
cdef void listen(_core.fp_event* event, _core.fp_listener* node, bint in_front) noexcept
cdef bint unlisten(_core.fp_listener* node) noexcept
cdef void pass_turn(_core.fp_event* event) noexcept


cdef class BaseQueue:
    # The C structure and its functions (csrc/queues/fp_queue.h). `put_one` and `get_one` are copies
    # of two of them, which save a load. become() writes all four twice: "no queue" when the object
    # is made, before another thread has it; then the real ones, within the critical section, by the
    # first __init__ that enters it. Other threads may be using the object by then. So a method
    # reads these fields only after check_open() has found them complete, or by way of table().
    cdef void* core
    cdef const _core.fp_queue_ops* ops
    cdef fp_status (*put_one)(void*, uint64_t) noexcept
    cdef fp_status (*get_one)(void*, uint64_t*) noexcept
    # The version of the class for which this object was found to need no Python code of its own;
    # or UNCHECKED or OPEN (cpython_compat.h). Any thread may write it: atomic.
    cdef _core.fp_sync_u64 checked
    # put_nowait() and get_nowait() go through the public put() and get(). Any thread may set it;
    # it is never cleared. A call that misses it is ordered before the change that it stands for.
    cdef bint indirect
    # An item has changed threads in this queue. Any thread writes it, atomically: handover.h.
    cdef unsigned char crossing
    # A weak reference to the end for event loops, once there is one; within the critical section.
    # (It also makes Cython build a type that the garbage collector knows.)
    cdef object end
    cdef object __weakref__  # the interpreter's

    # The fields that go with a structure are written once. __init__ computes all of them first,
    # which may run any code, and then stores them within the critical section, unless an earlier
    # call has done so.
    cdef void become(self, void* core, const _core.fp_queue_ops* ops) noexcept
    # Takes a new structure (NULL: MemoryError). If the object has one already, frees the new one
    # and raises RuntimeError.
    cdef int adopt(self, void* core, const _core.fp_queue_ops* ops) except -1
    # Raises RuntimeError if there is a structure.
    cdef int check_new(self) except -1
    # Called after `n` items were dropped undelivered.
    cdef int count_discarded(self, size_t n) except -1
    # The truth value of an argument that should be True or False, for a method that the standard
    # library's queues have, too. A queue that replaces one of those accepts any object, as they do.
    cdef bint truth_of(self, object value, str name) except -1
    # Every method asks this first. Raises RuntimeError if there is no structure. True if the queue
    # is open (README.md), as only a NativeQueue can be: it is opened here if its class needs that.
    # If it is not open, the fast paths of fastcall.pxi serve this object from now on.
    cdef bint check_open(self) except -1
    cdef const _core.fp_queue_ops* table(self) noexcept
    # Calls the method as an open queue has it. A call that got FP_MOVED waits here for the thread
    # that is opening the queue; if that fails, it calls the method as before.
    cdef object call_open(self, str method, tuple args)
    # Raises what `status` means.
    cdef int raise_for_status(self, fp_status status) except -1
    cdef bint clear(self) except -1

    # check_timeout() for a call that stores, or takes. A queue that was shut down raises ShutDown
    # first, as the standard library's queues do.
    cdef int check_wait(self, object timeout, bint stores) except -1

    # Repeats the attempt until it succeeds. Every blocking call of a queue ends here, except a
    # channel's wait for a token (fp_channel_pace).
    cdef fp_status wait(self, _core.fp_event* event, _core.fp_attempt* op, Wait* wait) except *
    cdef int put_item(self, object item, bint block, object timeout) except -1
    cdef size_t put_list(self, list items, size_t before, bint block,
                         object timeout) except? -1
    cdef object get_item(self, bint block, object timeout)

    # For the ends of event loops (fastprims/_aio): one attempt, which never waits. FP_OK, or an
    # answer for which must_wait() is true; everything else is raised.
    cdef fp_status conclude_attempt(self, fp_status status) except *
    cdef fp_status attempt_get(self, PyObject** item) except *
    # FP_NOT_YET: there is something else to wait for than room; see Offered.
    cdef fp_status attempt_put(self, Offered* offered) except *
    cdef fp_status get_publicly(self, PyObject** item) except *
    cdef fp_status put_publicly(self, object item) except *
    # The item was not stored in time.
    cdef int give_up(self, Offered* offered) except -1
    # Raises what put() would raise of one of these items, whatever the queue contains.
    cdef int measure_all(self, list items) except -1
    # A put that finds no room is refused, or drops, at once.
    cdef bint never_waits(self) noexcept
    # What is notified when a wait for something else than room is to end.
    cdef _core.fp_event* token_event(self) noexcept
    # Nothing to take: called before a call waits for an item.
    cdef int before_wait(self) except -1
    # The event that is notified once no task is unfinished; NULL: the queue counts no tasks.
    cdef _core.fp_event* all_done_event(self) noexcept
    cdef bint is_all_done(self) except -1
    # For each of the queue's events, up to NULL.
    cdef _core.fp_event* event_number(self, int i) noexcept


cdef class QueueWithState(BaseQueue):
    pass


# True while the last check, that no Python code overrides this queue's operations, still holds.
# Acquire: pairs with the store in BaseQueue.check_open(), before which the structure was complete.
cdef inline bint unchanged(PyObject* self) noexcept:
    return (_core.fp_sync_u64_load_acquire(&(<BaseQueue>self).checked)
            == fp_class_version(self))


cdef inline fp_status give(BaseQueue self, PyObject* item) noexcept:
    fp_hand_over(item, &self.crossing)
    cdef fp_status status = self.put_one(self.core, <uint64_t>item)
    if _core.FP_UNLIKELY(status != _core.FP_OK):
        DECREF(item)
    return status


cdef inline bint raised(fp_status status) noexcept:
    return status == _core.FP_FAILED or status == _core.FP_INTERRUPTED
