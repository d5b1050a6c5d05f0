# The parts of this module that the other wings' modules use.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_attempt, fp_host, fp_status

# The conversions. Each raises for what it cannot convert, in a sentence that names the argument.

# Any whole number: an object with __index__.
cpdef object to_index(object value, str name)
# The same, of which there is a least one.
cpdef object to_count(object value, str name, long least)
# The size of something that is allocated: at least 1.
cpdef object to_size(object value, str name, uint64_t most)
# The `max_items` of get_many(); a number that is too large becomes the largest one.
cdef Py_ssize_t to_most(object max_items) except -1
# Any real number: an int, float, Decimal, Fraction, NumPy scalar; `what` describes it in the
# sentence. A number too large for a double becomes infinite.
cpdef double to_number(object value, str name, str what) except? -1
# True or False, or NumPy's, or any false object: as `block`, 0 means not to wait, as a time-out of
# 0 does. Any other object was meant for another parameter.
cpdef bint to_bool(object value, str name) except -1
cdef bint is_bool(object value)

# A time-out is None, or a number of seconds that is not negative.
cpdef int check_timeout(object timeout) except -1
# The time by fp_now() at which the time-out will have passed.
cpdef int64_t deadline_of(object timeout) except? -1

# Whether, and how long, a call may wait. The time-out is the caller's reference.
cdef struct Wait:
    bint may
    PyObject* timeout
    int64_t deadline  # until() computes it; 0: not yet
# The same for a call that does not wait. Never written: zero.
cdef Wait AT_ONCE
# Checks the arguments of a call, and writes them to `wait`.
cdef inline int set_wait(Wait* wait, object block, object timeout) except -1:
    wait.may = block is True or to_bool(block, "block")
    wait.timeout, wait.deadline = <PyObject*>timeout, 0
    return check_timeout(timeout) if wait.may and timeout is not None else 0
# The deadline, computed when it is first needed: a call that need not wait reads no clock, and a
# call that waits twice has one deadline for both.
cdef int64_t until(Wait* wait) except? -1
# What is left of the time-out, as a time-out; all of it if the call has not waited yet.
cdef object rest_of(Wait* wait)

# The functions that the core calls around a sleep (csrc/wait/fp_wait.h). Written once, by
# waiting.pxi.
cdef fp_host host
# True if a library of greenlets is loaded; then sleep_of_hub() tells whether it is in use.
cdef bint may_poll() except -1
cdef fp_status poll(fp_attempt* op, int64_t deadline, object sleep) except *

# True if the attempt that gave this answer is to be repeated.
cdef inline bint must_wait(fp_status status) noexcept:
    return (status == _core.FP_FULL or status == _core.FP_EMPTY
            or status == _core.FP_BUSY or status == _core.FP_NOT_YET)

# A list to which no other code can have a reference. room < 0: with the items of `source`.
# Otherwise empty with that much room; the caller fills it, and shows as many items as it filled in.
cdef list untracked_list(object source, Py_ssize_t room)

# These raise an exception in the name of `self`.

# What `status` means to a queue.
cpdef int raise_for_status(object self, fp_status status) except -1
# RuntimeError if a role could not be given back.
cpdef int check_role(object self, str role, fp_status status) except -1
# RuntimeError: __init__ was called a second time.
cdef int refuse_again(object self) except -1
# TypeError: the object belongs to the threads of one process; `instead` says what to do instead.
cpdef int refuse_pickle(object self, str instead) except -1

# The type of a field for classes that have no other field of their own. Never written. The field
# changes the size of the object, by which the interpreter tells sister classes apart: it refuses a
# class that derives from two of them, and an assignment of __class__ or __bases__ from one to the
# other ("lay-out conflict").
ctypedef void* Layout
