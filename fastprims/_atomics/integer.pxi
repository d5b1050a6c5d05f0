# AtomicInt over fp_int.


cdef extern from "atomics/fp_int.h":
    struct fp_int:
        fp_u64 retries
    int64_t fp_int_load(fp_int*)
    void fp_int_store(fp_int*, int64_t)
    int64_t fp_int_exchange(fp_int*, int64_t)
    bint fp_int_compare_exchange(fp_int*, int64_t*, int64_t)
    int64_t fp_int_fetch_add(fp_int*, int64_t)
    int64_t fp_int_fetch_sub(fp_int*, int64_t)
    int64_t fp_int_fetch_and(fp_int*, int64_t)
    int64_t fp_int_fetch_or(fp_int*, int64_t)
    int64_t fp_int_fetch_xor(fp_int*, int64_t)
    int64_t fp_int_fetch_max(fp_int*, int64_t)
    int64_t fp_int_fetch_min(fp_int*, int64_t)


cdef int64_t convert(object value) except? -1:
    """to_word() for anything but a small int."""
    cdef int overflow = 0
    try:
        value = index(value)
    except TypeError:
        raise TypeError(
            f"an AtomicInt holds and takes integers, not {type(value).__name__}") from None
    cdef int64_t word = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow:
        raise OverflowError(
            "an AtomicInt holds and takes integers of 64 bits, from -2**63 to 2**63 - 1; reduce "
            "the number first, or use an int and a lock")
    return word


cdef inline int64_t to_word(object value) except? -1:
    cdef int64_t word
    if _core.FP_LIKELY(fp_small_int(<PyObject*>value, &word)):
        return word
    return convert(value)


cdef inline object new_int(int64_t value):
    return fp_steal(PyLong_FromLongLong(value))


# The new value; it wraps around, as the machine computes it.
cdef inline int64_t add(int64_t a, int64_t b) noexcept:
    return <int64_t>(<uint64_t>a + <uint64_t>b)


cdef inline int64_t subtract(int64_t a, int64_t b) noexcept:
    return <int64_t>(<uint64_t>a - <uint64_t>b)


cdef class AtomicInt:
    """AtomicInt(value=0)

    A 64-bit signed integer that any number of threads read and change without a lock.

    Arithmetic wraps around: 2**63 - 1 plus 1 is -2**63. The operations that change it take effect
    at one instant. All are sequentially consistent, as by default in C++ and Java.

    `a += n` and the like change the object itself, atomically. There is no `a + n`: write
    `a.load() + n`, which is a plain int. Comparisons are by value, each with one load, so it is
    not hashable. int(), float(), round() and the like, str() and format() use the value: f"{a:,}".

    Errors: OverflowError: an argument outside of 64 bits. TypeError: an argument that is no
        integer; copying or pickling. update raises what its function raises. Then nothing is
        changed.
    Complexity: O(1), update plus its function; 16 bytes beside the object.
    Progress: wait-free, except fetch_max, fetch_min and update, which try again while other threads
        change the value (lock-free).
    Source: the processor's atomic instructions; csrc/atomics/fp_int.h.
    Example:
        >>> from fastprims import AtomicInt
        >>> n = AtomicInt(5)
        >>> n.fetch_add(2), n.fetch_sub(1), n.load()  # the value before, twice
        (5, 7, 6)
        >>> n.add_fetch(), n.sub_fetch(2)  # the value after
        (7, 5)
        >>> n.fetch_max(9), n.fetch_min(8), n.exchange(12)
        (5, 9, 8)
        >>> n.fetch_and(6), n.fetch_or(1), n.fetch_xor(7), n.load()
        (12, 4, 5, 2)
        >>> n.compare_exchange(2, 10), n.compare_exchange(2, 11)
        (True, False)
        >>> n.update(lambda value: value * value), n.stats().retries
        (100, 0)
        >>> n.store(0)
        >>> n += 1
        >>> n
        AtomicInt(1)
    """

    cdef fp_int core
    # Never written. It makes Cython build a type that the garbage collector knows, for share().
    cdef object _collected
    cdef object __weakref__

    def __init__(self, value=0):
        fp_int_store(&self.core, to_word(value))

    def load(self):
        """The value."""
        return new_int(fp_int_load(&self.core))

    def store(self, value, /):
        """Set the value."""
        fp_int_store(&self.core, to_word(value))

    def exchange(self, value, /):
        """Set the value and return the one before."""
        return new_int(fp_int_exchange(&self.core, to_word(value)))

    def compare_exchange(self, expected, desired, /):
        """If the value is `expected`, set it to `desired` and return True, otherwise return False.
        """
        cdef int64_t found = to_word(expected)
        return fp_int_compare_exchange(&self.core, &found, to_word(desired))

    def fetch_add(self, n=1, /):
        """Add `n` and return the value before."""
        return new_int(fp_int_fetch_add(&self.core, to_word(n)))

    def fetch_sub(self, n=1, /):
        """Subtract `n` and return the value before."""
        return new_int(fp_int_fetch_sub(&self.core, to_word(n)))

    def add_fetch(self, n=1, /):
        """Add `n` and return the value after."""
        cdef int64_t by = to_word(n)
        return new_int(add(fp_int_fetch_add(&self.core, by), by))

    def sub_fetch(self, n=1, /):
        """Subtract `n` and return the value after."""
        cdef int64_t by = to_word(n)
        return new_int(subtract(fp_int_fetch_sub(&self.core, by), by))

    def fetch_and(self, n, /):
        """Keep only the bits that are set in `n`; return the value before."""
        return new_int(fp_int_fetch_and(&self.core, to_word(n)))

    def fetch_or(self, n, /):
        """Set the bits of `n`; return the value before."""
        return new_int(fp_int_fetch_or(&self.core, to_word(n)))

    def fetch_xor(self, n, /):
        """Flip the bits of `n`; return the value before."""
        return new_int(fp_int_fetch_xor(&self.core, to_word(n)))

    def fetch_max(self, n, /):
        """Raise the value to `n` if it is less; return the value before."""
        return new_int(fp_int_fetch_max(&self.core, to_word(n)))

    def fetch_min(self, n, /):
        """Lower the value to `n` if it is more; return the value before."""
        return new_int(fp_int_fetch_min(&self.core, to_word(n)))

    def update(self, fn, /):
        """Set the value to fn(value) and return that. If another thread (or `fn` itself) changes
        the value meanwhile, `fn` is called again with the new value, so `fn` should have no other
        effect. If it raises, nothing is changed.
        """
        cdef int64_t found = fp_int_load(&self.core), wanted
        while True:
            wanted = to_word(fn(new_int(found)))
            if fp_int_compare_exchange(&self.core, &found, wanted):
                return new_int(wanted)
            fp_u64_fetch_add_relaxed(&self.core.retries, 1)

    def stats(self):
        """The value, and how often contention made an operation try again; see AtomicIntStats."""
        return record(
            "AtomicIntStats", value=fp_int_load(&self.core),
            retries=fp_u64_load_relaxed(&self.core.retries))

    def __iadd__(self, n):
        fp_int_fetch_add(&self.core, to_word(n))
        return self

    def __isub__(self, n):
        fp_int_fetch_sub(&self.core, to_word(n))
        return self

    def __iand__(self, n):
        fp_int_fetch_and(&self.core, to_word(n))
        return self

    def __ior__(self, n):
        fp_int_fetch_or(&self.core, to_word(n))
        return self

    def __ixor__(self, n):
        fp_int_fetch_xor(&self.core, to_word(n))
        return self

    def __richcmp__(self, other, int op):
        if isinstance(other, AtomicInt):
            other = fp_int_load(&(<AtomicInt>other).core)
        return PyObject_RichCompare(fp_int_load(&self.core), other, op)

    def __int__(self):
        return fp_int_load(&self.core)

    def __index__(self):
        return fp_int_load(&self.core)

    def __bool__(self):
        return fp_int_load(&self.core) != 0

    # Questions about the number are answered by the int that the object holds now.

    def __round__(self, ndigits=None):
        return round(<object>fp_int_load(&self.core), ndigits)

    def __trunc__(self):
        return fp_int_load(&self.core)

    def __floor__(self):
        return fp_int_load(&self.core)

    def __ceil__(self):
        return fp_int_load(&self.core)

    def __format__(self, spec):
        return int.__format__(fp_int_load(&self.core), spec)

    def __str__(self):
        return f"{fp_int_load(&self.core)}"

    def __repr__(self):
        return f"{type(self).__name__}({fp_int_load(&self.core)})"

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send its value: a.load()")


# The fast paths of the hot methods (see cpython_compat.h): no argument or a small one.
cdef fp_fastcall slow_fetch_add, slow_fetch_sub, slow_add_fetch, slow_sub_fetch


cdef inline bint amount(PyObject* const* args, Py_ssize_t n, PyObject* names,
                        int64_t* by) noexcept:
    by[0] = 1
    return names == NULL and (n == 0 or (n == 1 and fp_small_int(args[0], by)))


cdef PyObject* fast_fetch_add(PyObject* self, PyObject* const* args, Py_ssize_t n,
                              PyObject* names) noexcept:
    cdef int64_t by
    if _core.FP_LIKELY(amount(args, n, names, &by)):
        return PyLong_FromLongLong(fp_int_fetch_add(&(<AtomicInt>self).core, by))
    return slow_fetch_add(self, args, n, names)


cdef PyObject* fast_fetch_sub(PyObject* self, PyObject* const* args, Py_ssize_t n,
                              PyObject* names) noexcept:
    cdef int64_t by
    if _core.FP_LIKELY(amount(args, n, names, &by)):
        return PyLong_FromLongLong(fp_int_fetch_sub(&(<AtomicInt>self).core, by))
    return slow_fetch_sub(self, args, n, names)


cdef PyObject* fast_add_fetch(PyObject* self, PyObject* const* args, Py_ssize_t n,
                              PyObject* names) noexcept:
    cdef int64_t by
    if _core.FP_LIKELY(amount(args, n, names, &by)):
        return PyLong_FromLongLong(add(fp_int_fetch_add(&(<AtomicInt>self).core, by), by))
    return slow_add_fetch(self, args, n, names)


cdef PyObject* fast_sub_fetch(PyObject* self, PyObject* const* args, Py_ssize_t n,
                              PyObject* names) noexcept:
    cdef int64_t by
    if _core.FP_LIKELY(amount(args, n, names, &by)):
        return PyLong_FromLongLong(subtract(fp_int_fetch_sub(&(<AtomicInt>self).core, by), by))
    return slow_sub_fetch(self, args, n, names)


fp_set_fastcall(AtomicInt, "fetch_add", fast_fetch_add, &slow_fetch_add)
fp_set_fastcall(AtomicInt, "fetch_sub", fast_fetch_sub, &slow_fetch_sub)
fp_set_fastcall(AtomicInt, "add_fetch", fast_add_fetch, &slow_add_fetch)
fp_set_fastcall(AtomicInt, "sub_fetch", fast_sub_fetch, &slow_sub_fetch)
fp_publish(AtomicInt, "fastprims.AtomicInt", ())
