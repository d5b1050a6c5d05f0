from libc.stdint cimport int64_t

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
