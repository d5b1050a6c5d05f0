# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False, auto_pickle=False
"""Ctrie and CtrieSnapshot over fp_ctrie: a map of many threads with constant-time snapshots."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from fastprims cimport _core
from fastprims._core cimport fp_ctrie_change_t, fp_status

import gc
from collections.abc import Mapping, MutableMapping
from types import GenericAlias

from fastprims._views import CtrieItems, CtrieKeys, CtrieValues, show

cdef extern from "Python.h":
    void INCREF "Py_INCREF"(PyObject*)
    Py_ssize_t PyObject_Hash(PyObject*) except? -1
    Py_ssize_t raw_hash "PyObject_Hash"(PyObject*) noexcept

cdef extern from "_slots.h":
    ctypedef PyObject* (*fp_fastcall)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    ctypedef PyObject* (*binaryfunc)(PyObject*, PyObject*) noexcept
    void fp_set_gc(object, traverseproc, inquiry, traverseproc*, inquiry*)
    int fp_set_fastcall(object, const char*, fp_fastcall, fp_fastcall*) except -1
    void fp_set_subscript(object, binaryfunc, binaryfunc*)
    int fp_publish(object, const char*, tuple) except -1
    int fp_propagate() except -1
    object fp_steal(PyObject*)
    enum: FREE_THREADED "FP_FREE_THREADED"

cdef extern from "_compare.h":
    const _core.fp_ctrie_host fp_object_host
    void fp_drop(PyObject*)
    int fp_traverse_ctrie(_core.fp_ctrie*, visitproc, void*) noexcept
    void fp_clear_ctrie(_core.fp_ctrie*) noexcept

cdef object MISSING = object()


cdef uint32_t hash_of(PyObject* key) except? 0xFFFFFFFF:
    return _core.fp_ctrie_hash(<uint64_t>PyObject_Hash(key))


cdef int refuse(fp_status status) except -1:
    if status == _core.FP_NO_MEMORY:
        raise MemoryError("no memory for the Ctrie")
    return fp_propagate()  # FP_FAILED: the comparison has raised


cdef class Lineage:
    """Owns, for the garbage collector, the keys and values of a Ctrie and of its snapshots."""

    cdef _core.fp_ctrie* core
    cdef Lineage base  # of the snapshot that it branched off

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_lineage_drop(&self.core.line)


cdef Lineage new_lineage(_core.fp_version* version, Lineage base):
    """A new trie; its live end is the caller's. The reference to the version passes to it."""
    cdef Lineage lineage = Lineage.__new__(Lineage)
    lineage.core = _core.fp_ctrie_create(&fp_object_host, version)
    if lineage.core == NULL:
        if version != NULL:
            _core.fp_version_release(version)
        raise MemoryError("no memory for a Ctrie")
    lineage.base = base
    _core.fp_lineage_hold(&lineage.core.line)
    return lineage


@cython.no_gc_clear  # a cycle is broken at the Lineage
cdef class CtrieBase:
    """What Ctrie and CtrieSnapshot share. Not to be instantiated."""

    cdef Lineage lineage
    cdef object __weakref__

    def __init__(self, *args, **kwargs):
        raise TypeError(
            f"{type(self).__name__} cannot be instantiated; use Ctrie, and readonly_snapshot()")

    cdef fp_status find(self, PyObject* key, uint32_t hashed, uint64_t* value) noexcept:
        return _core.FP_EMPTY

    cdef _core.fp_version* version(self) except NULL:
        """The map as it is now; the reference is the caller's."""
        fp_propagate()

    cdef fp_status count(self, uint64_t* size) noexcept:
        return _core.FP_OK

    cdef CtrieIterator iterate(self, int what):
        return new_iterator(self.version(), self.lineage, what)

    def __getitem__(self, key):
        cdef uint64_t value
        cdef fp_status status = self.find(<PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            return fp_steal(<PyObject*>value)
        if status == _core.FP_EMPTY:
            raise KeyError(key)
        refuse(status)

    def get(self, key, default=None):
        """Return the value of `key`, or `default` if there is none. O(1); writes nothing."""
        cdef uint64_t value
        cdef fp_status status = self.find(<PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            return fp_steal(<PyObject*>value)
        if status != _core.FP_EMPTY:
            refuse(status)
        return default

    def __contains__(self, key):
        cdef uint64_t value
        cdef fp_status status = self.find(<PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            fp_drop(<PyObject*>value)
        elif status != _core.FP_EMPTY:
            refuse(status)
        return status == _core.FP_OK

    def __len__(self):
        cdef uint64_t size = 0
        cdef fp_status status = self.count(&size)
        if status != _core.FP_OK:
            refuse(status)
        return size

    def __iter__(self):
        return self.iterate(0)

    def _iterate_values(self):
        return self.iterate(1)

    def _iterate_items(self):
        return self.iterate(2)

    def keys(self):
        """Set-like view of the keys, as dict's. Each iteration over it shows one instant."""
        return CtrieKeys(self)

    def values(self):
        """View of the values, as dict's. Each iteration over it shows one instant."""
        return CtrieValues(self)

    def items(self):
        """Set-like view of the pairs, as dict's. Each iteration over it shows one instant."""
        return CtrieItems(self)

    def snapshot(self):
        """Return a Ctrie with the present contents, in O(1), at one instant between call and
        return. It and this map change independently from then on. As long as the copy exists, it
        keeps what this map contains now, changed since or not.
        """
        cdef Ctrie copy = Ctrie.__new__(Ctrie)
        copy.branch(self.version(), self.lineage)
        return copy

    def __copy__(self):
        return self.snapshot()

    def stats(self):
        """The number of keys and the memory of the nodes, counted now: O(n). See CtrieStats."""
        from fastprims._stats import CtrieStats

        cdef _core.fp_version* v = self.version()
        cdef uint64_t size = 0
        cdef fp_status status = _core.fp_ctrie_version_size(v, &size)
        cdef size_t size_in_bytes = _core.fp_ctrie_bytes(v)
        _core.fp_version_release(v)
        if status != _core.FP_OK:
            refuse(status)
        return CtrieStats(size=size, bytes=size_in_bytes)

    def __sizeof__(self):
        return object.__sizeof__(self) + self.stats().bytes

    def __eq__(self, other):
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self.iterate(2)) == dict(other.items())

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: Ctrie[str, int]."""
        return GenericAlias(cls, item)


cdef class Ctrie(CtrieBase):
    """Ctrie(mapping=(), /, **kwargs)

    A mutable mapping for any number of threads, of which anybody can take a snapshot, writable or
    read-only, in constant time. Made like a dict: from a mapping or an iterable of pairs, and
    keywords. Keys are hashable objects; the order of iteration is arbitrary.

    Every method takes effect at one instant between call and return (linearizable); update(), and
    the constructor, one key at a time. Storing, removing and snapshots are lock-free, reading too,
    and reading writes nothing: a thread suspended at any point stops no other. O(log n) with base
    32: a look-up of one among a million keys meets four levels. Iteration goes over a snapshot: it
    shows one instant, and never raises because of a change. Hash and equality of the keys, and
    finalizers, may use the same map.

    len() is exact. Under the GIL it is O(1); on free-threaded builds it counts a snapshot, and
    remembers what it counted in the nodes: O(n) at first, then O(changes since).

    A value that is replaced or removed is released at once when no snapshot can see it. On
    free-threaded builds it may take some more writes by the same thread (about thirty), or
    gc.collect(): another thread could still be reading it. A thread that loses its processor in the
    middle of a call holds back what it may be reading, nothing that is stored after the next
    snapshot.

    Prokopec, Bronson, Bagwell and Odersky, "Concurrent Tries with Efficient Non-Blocking
    Snapshots", PPoPP'12; csrc/fp_ctrie.h has the algorithm, and what differs.
    """

    cdef _core.fp_ctrie* core

    def __cinit__(self, *args, **kwargs):
        self.lineage = new_lineage(NULL, None)
        self.core = self.lineage.core

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_ctrie_end(self.core)

    def __init__(self, *args, **kwargs):
        self.update(*args, **kwargs)

    cdef int branch(self, _core.fp_version* version, Lineage base) except -1:
        cdef Lineage lineage = new_lineage(version, base)
        _core.fp_ctrie_end(self.core)
        self.core = lineage.core
        self.lineage = lineage
        return 0

    cdef fp_status find(self, PyObject* key, uint32_t hashed, uint64_t* value) noexcept:
        return _core.fp_ctrie_get(self.core, <uint64_t>key, hashed, value)

    cdef _core.fp_version* version(self) except NULL:
        cdef _core.fp_version* v = _core.fp_ctrie_snapshot(self.core)
        if v == NULL:
            raise MemoryError("no memory for a snapshot")
        return v

    cdef int change(self, fp_ctrie_change_t* c, PyObject* key) except -1:
        c.hash = hash_of(key)
        c.key = <uint64_t>key
        cdef fp_status status = _core.fp_ctrie_change(self.core, c)
        if status != _core.FP_OK:
            refuse(status)
        return 0

    def __setitem__(self, key, value):
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_STORE
        c.value = <uint64_t><PyObject*>value
        c.expected = 0
        c.wants_old = False
        self.change(&c, <PyObject*>key)

    def __delitem__(self, key):
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_REMOVE
        c.expected = 0
        c.wants_old = False
        self.change(&c, <PyObject*>key)
        if not c.changed:
            raise KeyError(key)

    cdef fp_status count(self, uint64_t* size) noexcept:
        return _core.fp_ctrie_size(self.core, size)

    def setdefault(self, key, default=None):
        """Return the value of `key`; if there is none, store `default` and return that. Atomic."""
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_ADD
        c.value = <uint64_t><PyObject*>default
        c.wants_old = True
        self.change(&c, <PyObject*>key)
        return fp_steal(<PyObject*>c.old) if c.found else default

    def put_if_absent(self, key, value):
        """Store `value` if `key` is absent, and return whether it was. Atomic."""
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_ADD
        c.value = <uint64_t><PyObject*>value
        c.wants_old = False
        self.change(&c, <PyObject*>key)
        return bool(c.changed)

    def replace(self, key, value):
        """Store `value` if `key` is there, and return whether it was. Atomic."""
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_REPLACE
        c.value = <uint64_t><PyObject*>value
        c.expected = 0
        c.wants_old = False
        self.change(&c, <PyObject*>key)
        return bool(c.changed)

    def compare_and_set(self, key, expected, new):
        """Store `new` if `key` is there and its value is `expected` or equal to it. Returns
        whether it was stored. Atomic.
        """
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_REPLACE
        c.value = <uint64_t><PyObject*>new
        c.expected = <uint64_t><PyObject*>expected
        c.wants_old = False
        self.change(&c, <PyObject*>key)
        return bool(c.changed)

    def compare_and_delete(self, key, expected):
        """Remove `key` if its value is `expected` or equal to it. Returns whether it was removed.
        Atomic.
        """
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_REMOVE
        c.expected = <uint64_t><PyObject*>expected
        c.wants_old = False
        self.change(&c, <PyObject*>key)
        return bool(c.changed)

    def pop(self, key, default=MISSING):
        """Remove `key` and return its value. If it is absent: return `default`, or raise KeyError
        if none is given. Atomic.
        """
        cdef fp_ctrie_change_t c
        c.mode = _core.FP_CTRIE_REMOVE
        c.expected = 0
        c.wants_old = True
        self.change(&c, <PyObject*>key)
        if c.found:
            return fp_steal(<PyObject*>c.old)
        if default is MISSING:
            raise KeyError(key)
        return default

    def popitem(self):
        """Remove some pair and return it as (key, value). Raises KeyError if the map is empty.
        Atomic.
        """
        cdef fp_ctrie_change_t c
        cdef fp_status status = _core.fp_ctrie_pop(self.core, &c)
        if status == _core.FP_EMPTY:
            raise KeyError("popitem(): the Ctrie is empty")
        if status != _core.FP_OK:
            refuse(status)
        return fp_steal(<PyObject*>c.old_key), fp_steal(<PyObject*>c.old)

    def clear(self):
        """Remove all keys, at one instant, in O(1); releasing them takes O(n)."""
        cdef fp_status status = _core.fp_ctrie_clear(self.core)
        if status != _core.FP_OK:
            refuse(status)

    def update(self, other=(), /, **kwargs):
        """Store the pairs of a mapping or an iterable of pairs, then the keywords, one after the
        other. A mapping of this package is read at one instant.
        """
        if isinstance(other, Mapping):
            for key, value in other.items():
                self[key] = value
        elif hasattr(other, "keys"):
            for key in other.keys():
                self[key] = other[key]
        else:
            for key, value in other:
                self[key] = value
        for key, value in kwargs.items():
            self[key] = value

    @classmethod
    def fromkeys(cls, iterable, value=None):
        """A new map with the keys of the iterable, all with the same value."""
        self = cls()
        for key in iterable:
            self[key] = value
        return self

    def copy(self):
        """The same as snapshot(); of a subclass, with the attributes, an instance of that."""
        cdef Ctrie copy = Ctrie.__new__(type(self))
        copy.branch(self.version(), self.lineage)
        if getattr(self, "__dict__", None):
            copy.__dict__.update(self.__dict__)
        return copy

    def __copy__(self):
        return self.copy()

    def readonly_snapshot(self):
        """Return an immutable mapping with the present contents, in O(1), at one instant between
        call and return. It keeps what it shows until it is dropped. As long as the map does not
        change, its snapshots share what they keep.
        """
        cdef CtrieSnapshot snapshot = CtrieSnapshot.__new__(CtrieSnapshot)
        snapshot.lineage = self.lineage
        snapshot.core = self.version()
        return snapshot

    def __or__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        result = self.snapshot()
        result.update(other)
        return result

    def __ror__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        result = Ctrie(other)
        result.update(self)
        return result

    def __ior__(self, other):
        self.update(other)
        return self

    __hash__ = None

    def __repr__(self):
        return show(self)

    def __reduce__(self):
        """A pickle contains the pairs of a snapshot."""
        return type(self), (), getattr(self, "__dict__", None) or None, None, self.iterate(2)


cdef class CtrieSnapshot(CtrieBase):
    """An immutable mapping: what a Ctrie contained at one instant. Made by
    Ctrie.readonly_snapshot(). Hashable if its values are.

    Reading is as in a Ctrie: lock-free, write-free, O(log n). len() is O(1) under the GIL; on
    free-threaded builds it counts, once. snapshot() makes a Ctrie of it, in O(1). What the snapshot
    alone still shows is released when the last reference to it is gone, and no iteration over it
    and no Ctrie made of it is left.
    """

    cdef _core.fp_version* core
    cdef object hashed

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_version_release(self.core)

    cdef fp_status find(self, PyObject* key, uint32_t hashed, uint64_t* value) noexcept:
        if self.core == NULL:
            return _core.FP_EMPTY
        return _core.fp_ctrie_version_get(self.core, <uint64_t>key, hashed, value)

    cdef _core.fp_version* version(self) except NULL:
        if self.core == NULL:
            raise TypeError("a CtrieSnapshot is made by Ctrie.readonly_snapshot()")
        _core.fp_version_retain(self.core)
        return self.core

    cdef fp_status count(self, uint64_t* size) noexcept:
        if self.core == NULL:
            return _core.FP_OK
        return _core.fp_ctrie_version_size(self.core, size)

    def readonly_snapshot(self):
        """Return this very snapshot."""
        return self

    def __setitem__(self, key, value):
        raise TypeError("a CtrieSnapshot does not change; use snapshot() for a copy that does")

    def __delitem__(self, key):
        raise TypeError("a CtrieSnapshot does not change; use snapshot() for a copy that does")

    def __hash__(self):
        if self.hashed is None:
            self.hashed = hash(frozenset(self.iterate(2)))
        return self.hashed

    def __eq__(self, other):
        return CtrieBase.__eq__(self, other)

    def __repr__(self):
        return f"CtrieSnapshot({show(self)})"

    def __reduce__(self):
        return snapshot_of, (dict(self.iterate(2)),)


def snapshot_of(contents):
    """What a pickled CtrieSnapshot becomes."""
    return Ctrie(contents).readonly_snapshot()


@cython.no_gc_clear
cdef class CtrieIterator:
    """Iterates over a snapshot of its own."""

    cdef Lineage lineage
    cdef _core.fp_version* version
    cdef _core.fp_ctrie_walk walk
    cdef int what  # 0: keys, 1: values, 2: pairs

    def __init__(self):
        raise TypeError("CtrieIterator cannot be instantiated; use iter() on a Ctrie")

    def __dealloc__(self):
        if self.version != NULL:
            _core.fp_version_release(self.version)

    def __iter__(self):
        return self

    def __next__(self):
        cdef uint64_t key, value
        cdef fp_status status
        cdef _core.fp_version* version = self.version
        if version == NULL:
            raise StopIteration
        status = _core.fp_ctrie_walk_next(&self.walk, &key, &value, True)
        if status == _core.FP_OK:
            k, v = fp_steal(<PyObject*>key), fp_steal(<PyObject*>value)
            return (k, v) if self.what == 2 else v if self.what == 1 else k
        if status != _core.FP_EMPTY:
            refuse(status)
        self.version = NULL
        _core.fp_version_release(version)
        raise StopIteration


cdef CtrieIterator new_iterator(_core.fp_version* version, Lineage lineage, int what):
    """The reference to the version passes to it."""
    cdef CtrieIterator iterator = CtrieIterator.__new__(CtrieIterator)
    iterator.version = version
    iterator.lineage = lineage
    iterator.what = what
    _core.fp_ctrie_walk_start(&iterator.walk, version)
    return iterator


# The short way of the hot methods (see _slots.h). ------------------------------------------------

cdef fp_fastcall slow_get
cdef binaryfunc slow_subscript, slow_snapshot_subscript


cdef inline fp_status look_up(PyObject* self, PyObject* key, uint64_t* value) noexcept:
    cdef Py_ssize_t hashed = raw_hash(key)
    if _core.FP_UNLIKELY(hashed == -1):
        return _core.FP_FAILED
    return (<CtrieBase>self).find(key, _core.fp_ctrie_hash(<uint64_t>hashed), value)


cdef PyObject* fast_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        PyObject* names) noexcept:
    cdef uint64_t value
    cdef fp_status status
    cdef PyObject* default
    if _core.FP_UNLIKELY(n < 1 or n > 2 or names != NULL):
        return slow_get(self, args, n, names)
    status = look_up(self, args[0], &value)
    if _core.FP_LIKELY(status == _core.FP_OK):
        return <PyObject*>value
    if status == _core.FP_EMPTY:
        default = args[1] if n == 2 else <PyObject*>None
        INCREF(default)
        return default
    return NULL if status == _core.FP_FAILED else slow_get(self, args, n, names)


cdef PyObject* fast_subscript(PyObject* self, PyObject* key) noexcept:
    cdef uint64_t value
    cdef Py_ssize_t hashed = raw_hash(key)
    cdef fp_status status = _core.FP_FAILED
    if _core.FP_LIKELY(hashed != -1):
        status = _core.fp_ctrie_get(
            (<Ctrie>self).core, <uint64_t>key, _core.fp_ctrie_hash(<uint64_t>hashed), &value)
    if _core.FP_LIKELY(status == _core.FP_OK):
        return <PyObject*>value
    return NULL if status == _core.FP_FAILED else slow_subscript(self, key)


cdef PyObject* fast_snapshot_subscript(PyObject* self, PyObject* key) noexcept:
    cdef uint64_t value
    cdef fp_status status = look_up(self, key, &value)
    if _core.FP_LIKELY(status == _core.FP_OK):
        return <PyObject*>value
    return NULL if status == _core.FP_FAILED else slow_snapshot_subscript(self, key)


# Garbage collection. ------------------------------------------------------------------------------

cdef traverseproc cython_traverse
cdef inquiry cython_clear


cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fp_traverse_ctrie((<Lineage>self).core, fn, arg)
    return answer if answer else cython_traverse(self, fn, arg)


cdef int clear(PyObject* self) noexcept:
    fp_clear_ctrie((<Lineage>self).core)
    return 0  # its base goes with it


def collect(phase, info):
    """For gc.callbacks: what waits until no thread can be reading it."""
    _core.fp_lineage_collect()


fp_set_gc(Lineage, traverse, clear, &cython_traverse, &cython_clear)
fp_set_fastcall(CtrieBase, "get", fast_get, &slow_get)
fp_set_subscript(Ctrie, fast_subscript, &slow_subscript)
fp_set_subscript(CtrieSnapshot, fast_snapshot_subscript, &slow_snapshot_subscript)
fp_publish(Ctrie, "fastprims.Ctrie", ("get",))
fp_publish(CtrieSnapshot, "fastprims.CtrieSnapshot", ("get",))
MutableMapping.register(Ctrie)
Mapping.register(CtrieSnapshot)
if FREE_THREADED:
    gc.callbacks.append(collect)
