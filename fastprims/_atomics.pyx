# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""AtomicInt over fp_int, AtomicRef over fp_ref, AtomicFlag over fp_flag."""

from cpython.object cimport PyObject, PyObject_RichCompare
from libc.stdint cimport int64_t, uint64_t

from fastprims cimport _base, _core
from fastprims._core cimport fp_bool, fp_status

from operator import index
from types import GenericAlias

cdef extern from "Python.h":
    void INCREF "Py_INCREF"(PyObject*)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    PyObject* PyLong_FromLongLong(long long)

cdef extern from "_slots.h":
    ctypedef PyObject* (*fp_fastcall)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    int fp_set_fastcall(object, const char*, fp_fastcall, fp_fastcall*) except -1
    bint fp_small_int(PyObject*, int64_t*) noexcept
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    void fp_set_gc(object, traverseproc, inquiry, traverseproc*, inquiry*)
    int fp_publish(object, const char*, tuple) except -1
    int fp_propagate() except -1
    object fp_steal(PyObject*)

cdef extern from "fp_atomic.h":
    ctypedef struct fp_u64:
        pass
    uint64_t fp_u64_load_relaxed(fp_u64*)
    uint64_t fp_u64_fetch_add_relaxed(fp_u64*, uint64_t)

cdef extern from "fp_int.h":
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

cdef extern from "fp_ref.h":
    struct fp_counting:
        pass
    struct fp_ref:
        fp_u64 retries
    bint fp_ref_fits(void*)
    void fp_ref_init(fp_ref*, void*)
    void* fp_ref_peek(fp_ref*)
    void* fp_ref_load(fp_ref*, const fp_counting*)
    void* fp_ref_exchange(fp_ref*, void*, const fp_counting*)
    bint fp_ref_compare_exchange(fp_ref*, void*, void*, const fp_counting*)

cdef extern from "fp_flag.h":
    struct fp_flag:
        _core.fp_event changed
    void fp_flag_init(fp_flag*)
    bint fp_flag_test(fp_flag*)
    bint fp_flag_exchange(fp_flag*, fp_bool)
    fp_status fp_flag_wait(fp_flag*, fp_bool, int64_t, const _core.fp_host*)

cdef extern from "_counting.h":
    const fp_counting fp_python_counting

cdef extern from "_drop.h":
    void fp_drop(PyObject*)


cdef int refuse_pickle(object self, str instead) except -1:
    raise TypeError(
        f"cannot pickle or copy an {type(self).__name__}: it belongs to the threads of one "
        f"process. {instead}")


cdef int64_t convert(object value) except? -1:
    """Anything but an int that fits."""
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


# The new value, as the machine computes it.
cdef inline int64_t add(int64_t a, int64_t b) noexcept:
    return <int64_t>(<uint64_t>a + <uint64_t>b)


cdef inline int64_t subtract(int64_t a, int64_t b) noexcept:
    return <int64_t>(<uint64_t>a - <uint64_t>b)


cdef class AtomicInt:
    """AtomicInt(value=0)

    A 64-bit signed integer that any number of threads read and change without a lock.

    Arithmetic wraps around: 2**63 - 1 plus 1 is -2**63. Arguments outside of 64 bits raise
    OverflowError, other types than integers TypeError; nothing is changed then.

    The operations that change it take effect at one instant, O(1). They are wait-free, but for
    fetch_max, fetch_min and update, which try again while others change the value (lock-free).
    All are sequentially consistent, as by default in C++ and Java.

    `a += n` and the like change this very object, atomically. There is no `a + n`: write
    `a.load() + n`, which is a plain int. Comparisons are by value, each with one load, so it is
    not hashable.

    csrc/fp_int.h.
    """

    cdef fp_int core
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
        """Keep the bits that `n` has too; return the value before."""
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
        the value meanwhile, `fn` is called again with the new one, so it should have no other
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
        from fastprims._stats import AtomicIntStats

        return AtomicIntStats(
            value=fp_int_load(&self.core), retries=fp_u64_load_relaxed(&self.core.retries))

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

    def __repr__(self):
        return f"{type(self).__name__}({fp_int_load(&self.core)})"

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send its value: a.load()")


# The short way of the hot methods (see _slots.h): no argument or a small one.
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


cdef void* to_ref(object value) except NULL:
    """The object with a new reference."""
    if not fp_ref_fits(<void*>value):
        raise RuntimeError(
            "this object lies at an address of more than 48 bits, which an AtomicRef cannot "
            "hold; use an attribute and a lock")
    INCREF(<PyObject*>value)
    return <void*>value


cdef class AtomicRef:
    """AtomicRef(value=None)

    A reference to any object that any number of threads load and replace without a lock.

    Every operation takes effect at one instant and is lock-free, O(1) (a thread suspended at any
    point stops no other). compare_exchange compares by identity, `is`, and never runs code of the
    objects; what is replaced is released after the operation, so its `__del__` may use the same
    AtomicRef. The garbage collector sees the object.

    Sequentially consistent. csrc/fp_ref.h has the algorithm (split reference counts) and the
    argument why a loaded object cannot be gone.
    """

    cdef fp_ref core
    # Never used; it makes Cython build a type that the garbage collector knows.
    cdef object _collected
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        fp_ref_init(&self.core, to_ref(None))

    def __init__(self, value=None):
        self.swap(value)

    def __dealloc__(self):
        fp_drop(<PyObject*>fp_ref_peek(&self.core))

    cdef int swap(self, object value) except -1:
        cdef void* old = fp_ref_exchange(&self.core, to_ref(value), &fp_python_counting)
        fp_drop(<PyObject*>old)  # may run any code
        return 0

    cdef bint compare_swap(self, object expected, object desired) except -1:
        cdef void* wanted = to_ref(desired)
        cdef bint done = fp_ref_compare_exchange(
            &self.core, <void*>expected, wanted, &fp_python_counting)
        # Of the two, the one that is not in there has a reference too many.
        fp_drop(<PyObject*>expected if done else <PyObject*>wanted)
        return done

    def load(self):
        """The object."""
        return fp_steal(<PyObject*>fp_ref_load(&self.core, &fp_python_counting))

    def store(self, value, /):
        """Set the object."""
        self.swap(value)

    def exchange(self, value, /):
        """Set the object and return the one before."""
        return fp_steal(
            <PyObject*>fp_ref_exchange(&self.core, to_ref(value), &fp_python_counting))

    def compare_exchange(self, expected, desired, /):
        """If the object is `expected` itself, set it to `desired` and return True, otherwise return
        False. Equal is not enough; beware of numbers and strings, whose identity means little.
        """
        return self.compare_swap(expected, desired)

    def update(self, fn, /):
        """Set the object to fn(object) and return that. If another thread (or `fn` itself) replaces
        the object meanwhile, `fn` is called again with the new one, so it should have no other
        effect; it must return a new object rather than change the one it is given. If it raises,
        nothing is changed.
        """
        while True:
            found = fp_steal(<PyObject*>fp_ref_load(&self.core, &fp_python_counting))
            wanted = fn(found)
            if self.compare_swap(found, wanted):
                return wanted
            fp_u64_fetch_add_relaxed(&self.core.retries, 1)

    def stats(self):
        """How often contention made an operation try again; see AtomicRefStats."""
        from fastprims._stats import AtomicRefStats

        return AtomicRefStats(retries=fp_u64_load_relaxed(&self.core.retries))

    def __repr__(self):
        return (f"<{type(self).__module__}.{type(self).__qualname__} of "
                f"{type(self.load()).__name__} at {<size_t><PyObject*>self:#x}>")

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send the object: r.load()")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: AtomicRef[int]."""
        return GenericAlias(cls, item)


cdef class AtomicFlag:
    """AtomicFlag()

    A flag, clear at first, that any number of threads set, clear and test without a lock, and that
    a thread can wait for.

    test_and_set, clear and test take effect at one instant and are wait-free, O(1), sequentially
    consistent; they wake those who wait, so there is no notify. A waiting thread sleeps, has
    released the GIL, and answers to Ctrl-C. Compared by identity.

    csrc/fp_flag.h.
    """

    cdef fp_flag core
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        fp_flag_init(&self.core)

    def __init__(self):
        pass

    def test_and_set(self):
        """Set the flag and return whether it was set before: of several threads that call it on a
        clear flag, exactly one gets False.
        """
        return bool(fp_flag_exchange(&self.core, True))

    def clear(self):
        """Clear the flag and return whether it was set before."""
        return bool(fp_flag_exchange(&self.core, False))

    def test(self):
        """Whether the flag is set."""
        return bool(fp_flag_test(&self.core))

    def wait(self, bint value=True, timeout=None):
        """Wait until the flag is set (value=False: clear), and return True; or return False if
        `timeout` seconds passed first. The flag may have changed again by the time it returns;
        a change that is undone before a sleeping thread wakes up may go unnoticed. Raises
        ValueError for a negative timeout.
        """
        _base.check_timeout(timeout)
        cdef int64_t deadline = _base.deadline_of(timeout)
        cdef fp_status status = fp_flag_wait(&self.core, value, deadline, &_base.host)
        if status == _core.FP_INTERRUPTED:
            fp_propagate()
        return status == _core.FP_OK

    def stats(self):
        """The flag, and how often a thread got ready to sleep; see AtomicFlagStats."""
        from fastprims._stats import AtomicFlagStats

        return AtomicFlagStats(
            value=bool(fp_flag_test(&self.core)),
            waits=_core.fp_sync_u64_load_relaxed(&self.core.changed.waits))

    def __bool__(self):
        return bool(fp_flag_test(&self.core))

    def __repr__(self):
        state = "set" if fp_flag_test(&self.core) else "clear"
        return (f"<{type(self).__module__}.{type(self).__qualname__} {state} "
                f"at {<size_t><PyObject*>self:#x}>")

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send its state: f.test()")


cdef traverseproc cython_traverse
cdef inquiry cython_clear


# Runs while all other threads are stopped or wait for the GIL: no load is under way.
cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fn(<PyObject*>fp_ref_peek(&(<AtomicRef>self).core), arg)
    return answer if answer else cython_traverse(self, fn, arg)


cdef int clear(PyObject* self) noexcept:
    INCREF(<PyObject*>None)
    fp_drop(<PyObject*>fp_ref_exchange(
        &(<AtomicRef>self).core, <void*>None, &fp_python_counting))
    return cython_clear(self)


fp_set_gc(AtomicRef, traverse, clear, &cython_traverse, &cython_clear)
fp_publish(AtomicInt, "fastprims.AtomicInt", ())
fp_publish(AtomicRef, "fastprims.AtomicRef", ())
fp_publish(AtomicFlag, "fastprims.AtomicFlag", ())
