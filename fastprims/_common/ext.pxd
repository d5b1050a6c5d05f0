# What the other wings' modules use of this one.

from libc.stdint cimport int64_t

from fastprims._common.core cimport fp_attempt, fp_host, fp_status

# Each raises, with a sentence that names the argument, what cannot be converted.

# Any whole number: what has __index__.
cpdef object to_index(object value, str name)
# Any real number: an int, float, Decimal, Fraction, NumPy scalar; `what` says so in the sentence.
# What is too large for a double is infinite.
cpdef double to_number(object value, str name, str what) except? -1
# True or False, or NumPy's, or what is false: not to wait, for a time-out of 0 too. Anything else
# was meant for another parameter.
cpdef bint to_bool(object value, str name) except -1
cdef bint is_bool(object value)

# A time-out is None, or a number of seconds that is not negative.
cpdef int check_timeout(object timeout) except -1
# The time of fp_now() at which it will have passed.
cpdef int64_t deadline_of(object timeout) except? -1
# What is left until a deadline, as a time-out.
cdef object timeout_until(int64_t deadline)

# What the core calls around a sleep (csrc/wait/fp_wait.h). Written once, by waiting.pxi.
cdef fp_host host
# Is a library of greenlets loaded, so that sleep_of_hub() is to be asked?
cdef bint may_poll() except -1
cdef fp_status poll(fp_attempt* op, int64_t deadline, object sleep) except *
cdef object left_of(object timeout, int64_t began)

# A list for which nobody else can have a reference: of the items of `source`, if room < 0, or with
# room for so many, to be shown with as many as were filled in.
cdef list untracked_list(object source, Py_ssize_t room)

# Raises TypeError; `instead` is what to do.
cdef int refuse_pickle(object self, str instead) except -1

# In front of each structure's fields where a class would have none of its own: by its size the
# interpreter tells it from its sisters, and refuses a class that derives from two of them, and an
# assignment of __class__ or __bases__ from one to the other ("lay-out conflict"). Never written.
ctypedef void* Layout
