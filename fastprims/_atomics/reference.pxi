# AtomicRef over fp_ref.


cdef extern from "atomics/fp_ref.h":
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

cdef extern from "_atomics/counting.h":
    const fp_counting fp_python_counting


cdef void* to_ref(object value) except NULL:
    """The object, with a new reference counted."""
    if not fp_ref_fits(<void*>value):
        raise RuntimeError(
            "this object lies at an address of more than 48 bits, which an AtomicRef cannot "
            "hold; use an attribute and a lock")
    INCREF(<PyObject*>value)
    return <void*>value


cdef class AtomicRef:
    """AtomicRef(value=None)

    A reference to any object that any number of threads load and replace without a lock.

    Every operation takes effect at one instant and is sequentially consistent. compare_exchange
    compares by identity, `is`, and never runs code of the objects. A replaced object is released
    after the operation, so its `__del__` may use the same AtomicRef. The garbage collector sees the
    object.

    Errors: update raises what its function raises; then nothing is changed. TypeError: copying or
        pickling.
    Complexity: O(1), update plus its function; 16 bytes beside the object.
    Progress: lock-free (a thread suspended at any point stops no other).
    Source: split reference counts (Williams, "C++ Concurrency in Action"); csrc/atomics/fp_ref.h
        has the argument why a loaded object cannot have been freed.
    Example:
        >>> from fastprims import AtomicRef
        >>> one, two = {"workers": 1}, {"workers": 2}
        >>> config = AtomicRef(one)
        >>> config.load(), config.exchange(two)
        ({'workers': 1}, {'workers': 1})
        >>> config.compare_exchange({"workers": 2}, one)  # equal, but not the same object
        False
        >>> config.compare_exchange(two, one)
        True
        >>> config.update(lambda old: {**old, "queue": 100})
        {'workers': 1, 'queue': 100}
        >>> config.store(None)
        >>> config.stats().retries
        0
    """

    cdef fp_ref core
    # Never used. It makes Cython build a type that the garbage collector knows.
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
        # Drop one reference: that of the old object, or that of the one that was not stored.
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
        False. An equal object is not enough: beware of numbers and strings, whose identity means
        little.
        """
        return self.compare_swap(expected, desired)

    def update(self, fn, /):
        """Set the object to fn(object) and return that. If another thread (or `fn` itself) replaces
        the object meanwhile, `fn` is called again with the new one, so `fn` should have no other
        effect: it must return a new object rather than change the one that it gets. If it raises,
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
        return record("AtomicRefStats", retries=fp_u64_load_relaxed(&self.core.retries))

    def __repr__(self):
        return (f"<{type(self).__module__}.{type(self).__qualname__} of "
                f"{type(self.load()).__name__} at {<size_t><PyObject*>self:#x}>")

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send the object: r.load()")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: AtomicRef[int]."""
        return GenericAlias(cls, item)


cdef traverseproc cython_traverse
cdef inquiry cython_clear


# Runs while all other threads are stopped or wait for the GIL, so no load is under way.
cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fn(<PyObject*>fp_ref_peek(&(<AtomicRef>self).core), arg)
    return answer if answer else cython_traverse(self, fn, arg)


cdef int clear(PyObject* self) noexcept:
    INCREF(<PyObject*>None)
    fp_drop(<PyObject*>fp_ref_exchange(
        &(<AtomicRef>self).core, <void*>None, &fp_python_counting))
    return cython_clear(self)


fp_set_gc(AtomicRef, traverse, clear, &cython_traverse, &cython_clear)
fp_publish(AtomicRef, "fastprims.AtomicRef", ())
