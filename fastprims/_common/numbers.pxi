# How an argument becomes a number, a truth value or a deadline, the same for all classes.
#
# Deadlines use the core's clock, never that of the module `time`, which tests freeze and patch.


# time.monotonic() + timeout must fit the clock, as in the threading module.
cdef double LONGEST_TIMEOUT = 9223372036.0

FOREVER = _core.FP_FOREVER


cpdef object to_index(object value, str name):
    try:
        return index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {type(value).__name__}") from None


cpdef object to_count(object value, str name, long least):
    number = to_index(value, name)
    if number < least:
        raise ValueError(f"{name} must be {least} or more, not {number}")
    return number


cpdef object to_size(object value, str name, uint64_t most):
    number = to_count(value, name, 1)
    if number > most:
        raise OverflowError(f"{name} {number} is more than memory can hold; at most {most}")
    return number


cdef Py_ssize_t to_most(object max_items) except -1:
    return PyNumber_AsSsize_t(to_count(max_items, "max_items", 0), NULL)


cdef double convert(object value, str name, str what) except? -1:
    """to_number() for anything but a float."""
    if not isinstance(value, (str, bytes, bytearray)):  # NumPy's subclasses of these would convert
        try:
            return PyFloat_AsDouble(value)
        except OverflowError:
            return -HUGE_VAL if value < 0 else HUGE_VAL
        except TypeError:
            pass
    raise TypeError(f"{name} must be {what}, not {type(value).__name__}")


cpdef double to_number(object value, str name, str what) except? -1:
    return value if type(value) is float else convert(value, name, what)


cpdef bint to_bool(object value, str name) except -1:
    if is_bool(value) or not value:
        return value
    hint = "; how many seconds to wait is for timeout=" if name == "block" else ""
    raise TypeError(f"{name} must be True or False, not {type(value).__name__}{hint}")


cdef bint is_bool(object value):
    if value is True or value is False:
        return True
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")


cdef double to_seconds(object timeout) except? -1:
    return to_number(timeout, "timeout", "a number of seconds, or None")


cpdef int check_timeout(object timeout) except -1:
    if timeout is not None and to_seconds(timeout) < 0:
        raise ValueError("'timeout' must be a non-negative number of seconds")
    return 0


cpdef int64_t deadline_of(object timeout) except? -1:
    if timeout is None:
        return _core.FP_FOREVER
    cdef double seconds = to_seconds(timeout)
    if isnan(seconds):
        raise ValueError("'timeout' must be a number of seconds, not nan")
    if seconds > LONGEST_TIMEOUT:
        raise OverflowError(
            f"timeout value is too large: at most {LONGEST_TIMEOUT:.0f} seconds; "
            "use None to wait without limit")
    if seconds <= 0:
        return _core.fp_now()
    return _core.fp_now() + <int64_t>ceil(min(seconds, LONGEST_TIMEOUT / 2) * 1e9)


cdef object timeout_until(int64_t deadline):
    if deadline == _core.FP_FOREVER:
        return None
    return max(0, deadline - _core.fp_now()) / 1e9


cdef int64_t until(Wait* wait) except? -1:
    if wait.deadline == 0:
        wait.deadline = deadline_of(<object>wait.timeout)
    return wait.deadline


cdef object rest_of(Wait* wait):
    return <object>wait.timeout if wait.deadline == 0 else timeout_until(wait.deadline)


def now():
    """Nanoseconds of the core's clock."""
    return _core.fp_now()
