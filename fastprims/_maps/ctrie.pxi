# Ctrie and CtrieSnapshot: a map for many threads, with constant-time snapshots.


cdef Ctrie branch(CtrieBase source, type kind):
    """A map that starts with the present contents of `source`. It has no trie of its own before its
    first change: many a copy is only read."""
    # The function of Ctrie would make an empty trie. This one gives the object the C methods of
    # CtrieBase: Ctrie must not have others.
    cdef Ctrie copy = <Ctrie>(<PyTypeObject*>CtrieBase).tp_new(kind, <PyObject*>(), NULL)
    copy.show(source)
    return copy


cdef class Ctrie(CtrieBase):
    """Ctrie(mapping=(), /, **kwargs)

    A mutable mapping for any number of threads. Any of them can take a snapshot, writable or
    read-only, in constant time. Made like a dict: from a mapping or an iterable of pairs, and
    keywords. Keys are hashable objects; the order of iteration is arbitrary.

    Every method takes effect at one instant between call and return (linearizable); update(), and
    the constructor, one key at a time. Iteration goes over a snapshot: it shows one instant, and
    never raises because of a change. len() is exact. Hash and equality of the keys, and finalizers,
    may use the same map.

    A replaced or removed value is released at once if no snapshot can see it. On free-threaded
    builds that may take some more writes by the same thread (about sixty), or gc.collect(), since
    another thread could still be reading the value.

    Errors: KeyError: `map[key]`, del and pop of an absent key, popitem of an empty map. TypeError:
        a key that is not hashable. Also what the keys' __hash__ and __eq__ raise. Then nothing is
        changed.
    Complexity: O(log n) with base 32: a look-up among a million keys passes four levels. Snapshots
        and clear are O(1). len() is O(1) under the GIL; on free-threaded builds it counts a
        snapshot, and stores the counts in the nodes: O(n) at first, then O(changes since). About 48
        bytes a key.
    Progress: storing, removing, snapshots and reading are lock-free (a thread suspended at any
        point stops no other), and reading writes nothing. A thread that loses its processor in the
        middle of a call delays the release of what it may be reading, but of nothing that is stored
        after the next snapshot.
    Source: Prokopec, Bronson, Bagwell and Odersky, "Concurrent Tries with Efficient Non-Blocking
        Snapshots", PPoPP'12; csrc/maps/fp_ctrie.h has the algorithm, and its differences.
    Example:
        >>> from fastprims import Ctrie
        >>> map = Ctrie(a=1)
        >>> map.put_if_absent("b", 2), map.put_if_absent("b", 3), map["b"]
        (True, False, 2)
        >>> map.replace("b", 4), map.compare_and_set("b", 4, 5), map.compare_and_delete("b", 4)
        (True, True, False)
        >>> before = map.readonly_snapshot()
        >>> draft = map.snapshot()
        >>> map.setdefault("c", 6), map.pop("b"), map.get("b"), len(map)
        (6, 5, None, 2)
        >>> sorted(before.items()), sorted(map.keys()), sorted(map.values())
        ([('a', 1), ('b', 5)], ['a', 'c'], [1, 6])
        >>> draft.clear()
        >>> draft.update(Ctrie.fromkeys("x"))
        >>> draft.copy() == draft, draft.popitem(), draft.stats().size
        (True, ('x', None), 0)
    """

    def __cinit__(self, *args, **kwargs):
        self.grow_trie()

    def __init__(self, *args, **kwargs):
        self.update(*args, **kwargs)

    def __setitem__(self, key, value):
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_STORE, <PyObject*>key, <PyObject*>value, NULL, False)

    def __delitem__(self, key):
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_REMOVE, <PyObject*>key, NULL, NULL, False)
        if not c.changed:
            raise KeyError(key)

    def setdefault(self, key, default=None):
        """Return the value of `key`; if there is none, store `default` and return that. Atomic."""
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_ADD, <PyObject*>key, <PyObject*>default, NULL, True)
        return fp_steal(<PyObject*>c.old) if c.found else default

    def put_if_absent(self, key, value):
        """Store `value` if `key` is absent, and return whether it was. Atomic."""
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_ADD, <PyObject*>key, <PyObject*>value, NULL, False)
        return bool(c.changed)

    def replace(self, key, value):
        """Store `value` if `key` is there, and return whether it was. Atomic."""
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_REPLACE, <PyObject*>key, <PyObject*>value, NULL, False)
        return bool(c.changed)

    def compare_and_set(self, key, expected, new):
        """Store `new` if `key` is there and its value is `expected` or equal to it. Returns
        whether it was stored. Atomic.
        """
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_REPLACE, <PyObject*>key, <PyObject*>new,
                    <PyObject*>expected, False)
        return bool(c.changed)

    def compare_and_delete(self, key, expected):
        """Remove `key` if its value is `expected` or equal to it. Returns whether it was removed.
        Atomic.
        """
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_REMOVE, <PyObject*>key, NULL, <PyObject*>expected, False)
        return bool(c.changed)

    def pop(self, key, default=MISSING):
        """pop(key[, default])

        Remove `key` and return its value. If it is absent, return `default`, or raise KeyError
        if none is given. Atomic.
        """
        cdef fp_ctrie_change_t c
        self.change(&c, _core.FP_CTRIE_REMOVE, <PyObject*>key, NULL, NULL, True)
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
        if not self.take_any(&c):
            raise KeyError("popitem(): the Ctrie is empty")
        return fp_steal(<PyObject*>c.old_key), fp_steal(<PyObject*>c.old)

    def clear(self):
        """Remove all keys, at one instant, in O(1); releasing them takes O(n)."""
        self.remove_all()

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
        """The same as snapshot(). For a subclass, the copy is an instance of it and has the
        attributes (as with pickle, by __getstate__ and __setstate__); __init__ is not called.
        """
        cdef Ctrie copy = branch(self, type(self))
        if type(self) is not Ctrie:
            restore(copy, object.__reduce_ex__(self, 2)[2])
        return copy

    def __copy__(self):
        return self.copy()

    def snapshot(self):
        """Return a Ctrie with the present contents, in O(1), at one instant between call and
        return. From then on it and this map change independently; the copy makes nodes of its own
        from its first change on. As long as it exists, it keeps the present contents, even those
        that have changed since.
        """
        return branch(self, Ctrie)

    def readonly_snapshot(self):
        """Return an immutable mapping with the present contents, in O(1), at one instant between
        call and return. It keeps these contents until it is dropped. As long as the map does not
        change, its snapshots share what they keep.
        """
        cdef CtrieSnapshot snapshot = CtrieSnapshot.__new__(CtrieSnapshot)
        snapshot.show(self)
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

    def __getnewargs__(self):
        return ()

    def __reduce_ex__(self, protocol):
        """A pickle contains the pairs of a snapshot and, for a subclass, the attributes. __init__
        is not called again.
        """
        if type(self).__reduce__ is not object.__reduce__:
            return self.__reduce__()
        made = object.__reduce_ex__(self, max(protocol, 2))
        return *made[:4], self.iterate(2)


cdef int restore(Ctrie copy, object state) except -1:
    """Does what copy.copy() does with the state of an object."""
    slots = None
    if state is None:
        return 0
    if hasattr(copy, "__setstate__"):
        copy.__setstate__(state)
        return 0
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        copy.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(copy, name, value)
    return 0


cdef class CtrieSnapshot(CtrieBase):
    """An immutable mapping: what a Ctrie contained at one instant. Made by
    Ctrie.readonly_snapshot(). Hashable if its values are.

    snapshot() makes a Ctrie of it. Contents that only this snapshot shows are released when the
    last reference to it is gone, and no iteration over it and no Ctrie made of it is left.

    Errors: KeyError: `snapshot[key]` of an absent key. TypeError: making one without a Ctrie, a key
        that is not hashable, hash() if a value is not. Also what the keys' __hash__ and __eq__
        raise.
    Complexity: reading is O(log n) with base 32; snapshot() is O(1). len() is O(1) under the GIL;
        on free-threaded builds it counts, once.
    Progress: lock-free, as a Ctrie; reading writes nothing.
    Source: as Ctrie; csrc/maps/fp_ctrie.h, and csrc/reclaim/fp_lineage.h for the memory of
        versions.
    Example:
        >>> from fastprims import Ctrie
        >>> prices = Ctrie(apple=3).readonly_snapshot()
        >>> prices["apple"], prices.get("pear"), prices.readonly_snapshot() is prices
        (3, None, True)
        >>> list(prices.keys()), list(prices.values()), list(prices.items()), prices.stats().size
        (['apple'], [3], [('apple', 3)], 1)
        >>> draft = prices.snapshot()
        >>> draft["apple"] = 4
        >>> dict(prices), dict(draft)
        ({'apple': 3}, {'apple': 4})
    """

    def snapshot(self):
        """Return a Ctrie with these contents, in O(1), which changes independently. As long as it
        exists, it keeps the contents of the snapshot.
        """
        return branch(self, Ctrie)

    def __copy__(self):
        return self.snapshot()

    def readonly_snapshot(self):
        """Return this snapshot itself."""
        return self

    def __setitem__(self, key, value):
        raise TypeError("a CtrieSnapshot does not change; use snapshot() for a copy that does")

    def __delitem__(self, key):
        raise TypeError("a CtrieSnapshot does not change; use snapshot() for a copy that does")

    def __hash__(self):
        cdef _core.fp_version* shown = self.shown
        if shown == NULL:
            self.take_snapshot()  # raises
        # Several snapshots show this version, and several threads may come first: one hash wins.
        cdef uint64_t unknown = 0, hashed = _core.fp_sync_u64_load_relaxed(&shown.hash)
        if hashed == 0:
            enter_recursion(" while hashing a CtrieSnapshot")  # of snapshots of snapshots of ...
            try:
                hashed = <uint64_t><Py_hash_t>hash(frozenset(self.iterate(2)))
            finally:
                leave_recursion()
            if not _core.fp_sync_u64_cas_seq_cst(&shown.hash, &unknown, hashed):
                hashed = unknown
        return <Py_hash_t>hashed

    def __eq__(self, other):
        return CtrieBase.__eq__(self, other)

    def __repr__(self):
        return f"CtrieSnapshot({show(self)})"

    def __reduce__(self):
        return snapshot_of, (dict(self.iterate(2)),)


def snapshot_of(contents):
    """Makes a CtrieSnapshot again from its pickled contents."""
    return Ctrie(contents).readonly_snapshot()


def refuse_both(cls, **kwargs):
    """CtrieBase.__init_subclass__. Refuses a class that derives from both classes. The interpreter
    does not refuse it, since instances of both have the same size."""
    super(CtrieBase, cls).__init_subclass__(**kwargs)
    if issubclass(cls, Ctrie) and issubclass(cls, CtrieSnapshot):
        raise TypeError(
            f"{cls.__name__} derives from Ctrie and CtrieSnapshot: lay-out conflict, since one "
            "changes and the other does not")


cdef destructor dealloc_as_map


cdef void dealloc_snapshot(PyObject* self) noexcept:
    """Only calls the function of Ctrie. But since it is another function, the interpreter tells the
    two classes of one layout apart, and refuses an assignment of __class__ from one to the other.
    """
    dealloc_as_map(self)


fp_set_dealloc(CtrieSnapshot, dealloc_snapshot, &dealloc_as_map)
snapshot_of.__module__ = "fastprims._ctrie"  # where pickles look for it
fp_set_attribute(CtrieBase, "__init_subclass__", classmethod(refuse_both))
fp_publish(Ctrie, "fastprims.Ctrie", ("get",))
fp_publish(CtrieSnapshot, "fastprims.CtrieSnapshot", ("get",))
# Each class has a table of its own, with the same function in it.
fp_set_subscript(CtrieBase, fast_subscript, &slow_subscript)
fp_set_subscript(Ctrie, fast_subscript, &slow_subscript)
fp_set_subscript(CtrieSnapshot, fast_subscript, &slow_subscript)
fp_set_mapping(Ctrie)
fp_set_mapping(CtrieSnapshot)
MutableMapping.register(Ctrie)
Mapping.register(CtrieSnapshot)
