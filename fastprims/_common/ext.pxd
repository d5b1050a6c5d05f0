# The parts of this module that the other wings' modules use.

from libc.stdint cimport int64_t

from fastprims._common.core cimport fp_attempt, fp_host, fp_status

# The conversions. Each raises for what it cannot convert, in a sentence that names the argument.

# Any whole number: an object with __index__.
cpdef object to_index(object value, str name)
# The same, of which there is a least one.
cpdef object to_count(object value, str name, long least)
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
# The time left until a deadline, as a time-out.
cdef object timeout_until(int64_t deadline)

# The functions that the core calls around a sleep (csrc/wait/fp_wait.h). Written once, by
# waiting.pxi.
cdef fp_host host
# True if a library of greenlets is loaded; then sleep_of_hub() tells whether it is in use.
cdef bint may_poll() except -1
cdef fp_status poll(fp_attempt* op, int64_t deadline, object sleep) except *
cdef object left_of(object timeout, int64_t began)

# A list to which no other code can have a reference. room < 0: with the items of `source`.
# Otherwise empty with that much room; the caller fills it, and shows as many items as it filled in.
cdef list untracked_list(object source, Py_ssize_t room)

# Raises TypeError; `instead` says what to do instead.
cdef int refuse_pickle(object self, str instead) except -1

# The type of a field for classes that have no other field of their own. Never written. The field
# changes the size of the object, by which the interpreter tells sister classes apart: it refuses a
# class that derives from two of them, and an assignment of __class__ or __bases__ from one to the
# other ("lay-out conflict").
ctypedef void* Layout
