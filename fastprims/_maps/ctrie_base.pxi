# CtrieBase over fp_ctrie: what Ctrie and CtrieSnapshot share. For maps, only this part calls the
# core.


cdef extern from "_maps/compare.h":
    const _core.fp_ctrie_host fp_object_host
    int fp_traverse_ctrie(_core.fp_ctrie*, visitproc, void*) noexcept
    void fp_clear_ctrie(_core.fp_ctrie*) noexcept


cdef uint32_t hash_of(PyObject* key) except? 0xFFFFFFFF:
    return _core.fp_ctrie_hash(<uint64_t>PyObject_Hash(key))


cdef int raise_for_status(fp_status status) except -1:
    if status == _core.FP_NO_MEMORY:
        raise MemoryError("no memory for the Ctrie")
    return fp_propagate()  # FP_FAILED: a comparison has raised


cdef class Lineage:
    """Owns, for the garbage collector, the keys and values of a Ctrie and of its snapshots."""

    def __dealloc__(self):
        if self.core != NULL:
            _core.fp_lineage_drop(&self.core.line)
        cdef PyObject* base = fp_keep(<PyObject*>self.base)
        self.base = None
        fp_drop(base)  # does not recurse: a chain of branches may have any length


cdef Lineage new_lineage(CtrieBase source):
    """A new trie with the present contents of `source` (None: empty). The caller owns its live end.
    """
    cdef Lineage lineage = Lineage.__new__(Lineage)  # first: a failure now loses no version
    cdef _core.fp_version* version = NULL
    if source is not None:
        version = source.take_snapshot()
        lineage.base = present(source)
    lineage.core = _core.fp_ctrie_create(&fp_object_host, version)
    if lineage.core == NULL:
        if version != NULL:
            _core.fp_version_release(version)
        raise MemoryError("no memory for a Ctrie")
    _core.fp_lineage_hold(&lineage.core.line)
    return lineage


cdef inline _core.fp_ctrie* live_of(CtrieBase self) noexcept:
    """Acquire: pairs with the store in CtrieBase.grow_trie."""
    return <_core.fp_ctrie*>_core.fp_ptr_load_acquire(&self.live)


cdef inline Lineage present(CtrieBase self):
    """The lineage of what the object contains now. It also keeps what a version shows that was
    taken just before the trie came: it holds the lineage that it branched off."""
    return self.own if live_of(self) != NULL else self.lineage


cdef inline fp_status find(CtrieBase self, PyObject* key, uint32_t hashed,
                           uint64_t* value) noexcept:
    cdef _core.fp_ctrie* live = live_of(self)
    if _core.FP_LIKELY(live != NULL):
        return _core.fp_ctrie_get(live, <uint64_t>key, hashed, value)
    if self.shown != NULL:
        return _core.fp_ctrie_version_get(self.shown, <uint64_t>key, hashed, value)
    return _core.FP_EMPTY


cdef inline void fetch(CtrieBase self, const uint32_t* hashes, size_t n) noexcept:
    """Before look-ups or changes of these keys: lets their cache misses overlap."""
    cdef _core.fp_ctrie* live = live_of(self)
    if live != NULL:
        _core.fp_ctrie_fetch(live, hashes, n)
    elif self.shown != NULL:
        _core.fp_ctrie_version_fetch(self.shown, hashes, n)


@cython.no_gc_clear  # a cycle is broken at the Lineage
@cython.freelist(8)  # for snapshots that are taken and dropped
cdef class CtrieBase:
    """What Ctrie and CtrieSnapshot share. Not to be instantiated."""

    def __init__(self, *args, **kwargs):
        raise TypeError(
            f"{type(self).__name__} cannot be instantiated; use Ctrie, and readonly_snapshot()")

    def __dealloc__(self):
        cdef _core.fp_ctrie* live = live_of(self)
        if live != NULL:
            _core.fp_ctrie_end(live)
        if self.shown != NULL:
            _core.fp_version_release(self.shown)

    cdef int show(self, CtrieBase other) except -1:
        self.shown = other.take_snapshot()
        self.lineage = present(other)
        return 0

    cdef int grow_trie(self) except -1:
        cdef Lineage own = new_lineage(self if self.shown != NULL else None)
        cdef bint late
        with cython.critical_section(self):
            late = self.own is not None
            if not late:
                self.own = own
                # Release: publishes the trie and its lineage. A change of the trie comes later,
                # with seq_cst: a thread that has seen one finds the trie here.
                _core.fp_ptr_store_release(&self.live, own.core)
        if late:  # another thread changes this map for the first time, too
            _core.fp_ctrie_end(own.core)
        return 0

    cdef _core.fp_version* take_snapshot(self) except NULL:
        cdef _core.fp_ctrie* live = live_of(self)
        cdef _core.fp_version* v = self.shown
        if live != NULL:
            v = _core.fp_ctrie_snapshot(live)
            if v == NULL:
                raise MemoryError("no memory for a snapshot")
        elif v != NULL:
            _core.fp_version_retain(v)
        else:
            raise TypeError("a CtrieSnapshot is made by Ctrie.readonly_snapshot()")
        return v

    cdef CtrieIterator iterate(self, int what):
        cdef CtrieIterator iterator = CtrieIterator.__new__(CtrieIterator)
        iterator.start(self.take_snapshot(), present(self), what)
        return iterator

    def __getitem__(self, key):
        cdef uint64_t value
        if _core.FP_UNLIKELY(_core.fp_sync_u64_load_relaxed(&under_way) != 0):
            # A dict is being made of some map, perhaps of this one.
            shown = take(self, key)
            if shown is not MISSING:
                return shown
        cdef fp_status status = find(self, <PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            return fp_steal(<PyObject*>value)
        if status == _core.FP_EMPTY:
            raise KeyError(key)
        raise_for_status(status)

    def get(self, key, default=None):
        """Return the value of `key`, or `default` if there is none. O(1); writes nothing."""
        cdef uint64_t value
        cdef fp_status status = find(self, <PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            return fp_steal(<PyObject*>value)
        if status != _core.FP_EMPTY:
            raise_for_status(status)
        return default

    def get_many(self, keys, default=None):
        """Return a list of the keys' values, in their order, with `default` for absent keys. Each
        key is looked up at an instant of its own; `readonly_snapshot().get_many(keys)` shows one.
        O(keys); the cache misses of several keys overlap, so that a map which does not fit into the
        processor's caches answers two to three times as fast as by get().
        """
        cdef tuple wanted = tuple(keys)  # stays as it is, whatever __hash__ and __eq__ do
        cdef Py_ssize_t n = len(wanted), first, group, i
        cdef uint32_t hashes[_core.FP_CTRIE_GROUP]
        cdef uint64_t value
        cdef fp_status status
        cdef list values = []
        for first in range(0, n, _core.FP_CTRIE_GROUP):
            group = min(<Py_ssize_t>_core.FP_CTRIE_GROUP, n - first)
            for i in range(group):
                hashes[i] = hash_of(<PyObject*>wanted[first + i])
            fetch(self, hashes, group)
            for i in range(group):
                status = find(self, <PyObject*>wanted[first + i], hashes[i], &value)
                if status == _core.FP_OK:
                    values.append(fp_steal(<PyObject*>value))
                elif status == _core.FP_EMPTY:
                    values.append(default)
                else:
                    raise_for_status(status)
        return values

    def __contains__(self, key):
        cdef uint64_t value
        cdef fp_status status = find(self, <PyObject*>key, hash_of(<PyObject*>key), &value)
        if status == _core.FP_OK:
            fp_drop(<PyObject*>value)
        elif status != _core.FP_EMPTY:
            raise_for_status(status)
        return status == _core.FP_OK

    def __len__(self):
        cdef uint64_t size = 0
        cdef fp_status status = _core.FP_OK
        cdef _core.fp_ctrie* live = live_of(self)
        if live != NULL:
            status = _core.fp_ctrie_size(live, &size)
        elif self.shown != NULL:
            status = _core.fp_ctrie_version_size(self.shown, &size)
        if status != _core.FP_OK:
            raise_for_status(status)
        return size

    def __iter__(self):
        return self.iterate(0)

    def _iterate_keys(self, thread, frame, instruction):
        """For CtrieKeys.__iter__: with the place where keys() was called; see merging.pxi."""
        cdef fp_place before = [thread, frame, instruction]
        cdef fp_place here = fp_place_here(True)
        cdef CtrieIterator keys = self.iterate(0), pairs
        if isinstance(self, Ctrie) and fp_place_is_same(&before, &here):
            pairs = CtrieIterator.__new__(CtrieIterator)  # first: a failure now loses no version
            _core.fp_version_retain(keys.version)
            pairs.start(keys.version, keys.lineage, 2)
            begin(self, &here, pairs)
        return keys

    def _iterate_values(self):
        return self.iterate(1)

    def _iterate_items(self):
        return self.iterate(2)

    def keys(self):
        """Set-like view of the keys, as dict's. Each iteration over it shows one instant."""
        cdef fp_place here = fp_place_here(False)
        return CtrieKeys(self, here.thread, here.frame, here.instruction)

    def values(self):
        """View of the values, as dict's. Each iteration over it shows one instant."""
        return CtrieValues(self)

    def items(self):
        """Set-like view of the pairs, as dict's. Each iteration over it shows one instant."""
        return CtrieItems(self)

    def stats(self):
        """The number of keys and the memory of the nodes, counted by this call: O(n). See
        CtrieStats."""
        cdef _core.fp_version* v = self.take_snapshot()
        cdef uint64_t size = 0
        cdef fp_status status = _core.fp_ctrie_version_size(v, &size)
        cdef size_t size_in_bytes = _core.fp_ctrie_memory(v)
        _core.fp_version_release(v)
        if status != _core.FP_OK:
            raise_for_status(status)
        return record("CtrieStats", size=size, bytes=size_in_bytes)

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

    # For Ctrie.

    cdef _core.fp_ctrie* trie(self) except NULL:
        if _core.FP_UNLIKELY(live_of(self) == NULL):
            if isinstance(self, CtrieSnapshot) or not isinstance(self, Ctrie):
                raise TypeError(f"a {type(self).__name__} of these contents does not change")
            self.grow_trie()
        return live_of(self)

    cdef int change(self, fp_ctrie_change_t* c, fp_ctrie_mode mode, PyObject* key, PyObject* value,
                    PyObject* expected, bint wants_old) except -1:
        cdef _core.fp_ctrie* trie = self.trie()
        c.mode = mode
        c.hash = hash_of(key)
        c.key = <uint64_t>key
        c.value = <uint64_t>value
        c.expected = <uint64_t>expected
        c.wants_old = wants_old
        cdef fp_status status = _core.fp_ctrie_change(trie, c)
        if status != _core.FP_OK:
            raise_for_status(status)
        return 0

    cdef bint take_any(self, fp_ctrie_change_t* c) except -1:
        cdef fp_status status = _core.fp_ctrie_pop(self.trie(), c)
        if status != _core.FP_OK and status != _core.FP_EMPTY:
            raise_for_status(status)
        return status == _core.FP_OK

    cdef int remove_all(self) except -1:
        cdef fp_status status = _core.fp_ctrie_clear(self.trie())
        if status != _core.FP_OK:
            raise_for_status(status)
        return 0


@cython.no_gc_clear
cdef class CtrieIterator:
    """Iterates over a snapshot of its own. Threads that share it get each item once."""

    def __init__(self):
        raise TypeError("CtrieIterator cannot be instantiated; use iter() on a Ctrie")

    cdef void start(self, _core.fp_version* version, Lineage lineage, int what) noexcept:
        """Takes over the caller's reference to the version."""
        self.version = version
        self.lineage = lineage
        self.what = what
        _core.fp_ctrie_walk_start(&self.walk, version)

    def __dealloc__(self):
        if self.version != NULL:
            _core.fp_version_release(self.version)

    def __iter__(self):
        return self

    def __next__(self):
        cdef uint64_t key, value
        cdef fp_status status = _core.FP_EMPTY
        cdef _core.fp_version* finished = NULL
        with cython.critical_section(self):  # several threads may share an iterator
            if self.version != NULL:
                status = _core.fp_ctrie_walk_next(&self.walk, &key, &value, True)
                if status == _core.FP_EMPTY:
                    finished = self.version
                    self.version = NULL
        if status == _core.FP_OK:
            k, v = fp_steal(<PyObject*>key), fp_steal(<PyObject*>value)
            return (k, v) if self.what == 2 else v if self.what == 1 else k
        if finished != NULL:
            _core.fp_version_release(finished)
        if status != _core.FP_EMPTY:
            raise_for_status(status)
        raise StopIteration


# The fast paths of the hot methods (see cpython_compat.h). ----------------------------------------

cdef fp_fastcall slow_get
cdef binaryfunc slow_subscript


cdef inline fp_status look_up(PyObject* self, PyObject* key, uint64_t* value) noexcept:
    cdef Py_ssize_t hashed = raw_hash(key)
    if _core.FP_UNLIKELY(hashed == -1):
        return _core.FP_FAILED
    return find(<CtrieBase>self, key, _core.fp_ctrie_hash(<uint64_t>hashed), value)


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
    cdef fp_status status
    if _core.FP_UNLIKELY(_core.fp_sync_u64_load_relaxed(&under_way) != 0):
        return slow_subscript(self, key)
    status = look_up(self, key, &value)
    if _core.FP_LIKELY(status == _core.FP_OK):
        return <PyObject*>value
    return NULL if status == _core.FP_FAILED else slow_subscript(self, key)


# Garbage collection. ------------------------------------------------------------------------------

cdef traverseproc cython_traverse_lineage
cdef inquiry cython_clear_lineage


cdef int traverse_lineage(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fp_traverse_ctrie((<Lineage>self).core, fn, arg)
    return answer if answer else cython_traverse_lineage(self, fn, arg)


cdef int clear_lineage(PyObject* self) noexcept:
    fp_clear_ctrie((<Lineage>self).core)
    return 0  # `base` stays until the object is deallocated


fp_set_gc(Lineage, traverse_lineage, clear_lineage,
          &cython_traverse_lineage, &cython_clear_lineage)
fp_set_fastcall(CtrieBase, "get", fast_get, &slow_get)
