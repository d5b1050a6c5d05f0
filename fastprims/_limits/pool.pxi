# ObjectPool over fp_pool, and its leases.


cdef extern from "limits/fp_pool.h":
    const uint64_t FP_POOL_MOST
    struct fp_pool_item:
        uint32_t node
        uint64_t object "object"
    struct fp_pool_counts:
        uint64_t size, leased, joined, left
    struct fp_pool:
        uint64_t max_size, max_idle
        _core.fp_event available
    fp_status fp_pool_init(fp_pool*, uint64_t, uint64_t, const _core.fp_host*)
    void fp_pool_destroy(fp_pool*)
    fp_status fp_pool_take(fp_pool*, fp_pool_item*)
    fp_status fp_pool_wait(fp_pool*, fp_pool_item*, long long, const _core.fp_host*)
    void fp_pool_lease(fp_pool*, const fp_pool_item*)
    fp_status fp_pool_reserve(fp_pool*)
    void fp_pool_cancel(fp_pool*)
    fp_status fp_pool_adopt(fp_pool*, uint64_t, fp_pool_item*)
    fp_status fp_pool_claim(fp_pool*, uint64_t, fp_pool_item*)
    fp_status fp_pool_give(fp_pool*, const fp_pool_item*)
    void fp_pool_discard(fp_pool*, const fp_pool_item*)
    fp_bool fp_pool_take_idle(fp_pool*, fp_bool, fp_pool_item*)
    void fp_pool_age(fp_pool*)
    void fp_pool_count(fp_pool*, fp_pool_counts*)
    int fp_pool_visit(fp_pool*, _core.fp_item_visitor, void*)
    void fp_pool_clear(fp_pool*, void (*)(uint64_t) noexcept)
    size_t fp_pool_memory(fp_pool*)


cdef fp_bool never() noexcept:
    return False


# For the pool's lock, which is held for a few steps only: a waiter need not look for signals.
cdef _core.fp_host patient = host
patient.interrupted = never


cdef uint64_t to_bound(object value, str name, int least) except? 0:
    if value is None:
        return UINT64_MAX
    bound = to_index(value, name)
    if bound < least:
        raise ValueError(f"{name} must be {least} or more, or None for no limit, not {bound}")
    if bound > INT64_MAX:
        raise OverflowError(f"{name} {bound} is too large; use None for no limit")
    return bound


cdef void drop_object(uint64_t o) noexcept:
    fp_drop(<PyObject*>o)


cdef void free_pool(fp_pool* core) noexcept:
    fp_pool_destroy(core)
    fp_mem_free(core, sizeof(fp_pool))


cdef class ObjectPool:
    """ObjectPool(factory, *, reset=None, max_size=None, max_idle=None, drain_on_gc=False)

    Keeps objects that are costly to make for the next user. `factory()` makes one when none is
    idle. `reset(obj)` is called with each object that is released. `max_size` bounds the number of
    objects exactly, leased and idle together: at the bound, acquire waits. `max_idle` bounds the
    idle objects: an object released beyond it leaves the pool. None: no bound but 2**27 - 1.
    With `drain_on_gc`, an object that has been idle from one full garbage collection to the next
    leaves the pool then (as with Go's sync.Pool). On free-threaded builds every collection is a
    full one. The incremental collector of CPython 3.14 makes no full collection by itself; twenty
    of its increments count as one.

    `factory` and `reset` run outside of every lock and may use the pool. Each thread has a cache of
    its own. A thread whose cache is empty takes from the caches of the others, so no object is
    stranded when a thread ends.

    The pool owns its objects: an object that is leased and forgotten stays alive and counts until
    the pool is gone; discard() removes one for good. release() of an object that is not leased from
    this pool raises ValueError. (If another thread has leased the object again meanwhile, a second
    release cannot be told from that thread's own; lease() excludes this mistake.)

    Errors: acquire and lease raise queue.Empty if no object was there in time, and what the factory
        raises. ValueError: release or discard of an object that is not leased, a negative timeout,
        bounds that are impossible. release raises what `reset` raises; the object has then left.
    Complexity: O(1), and the factory's or reset's time; 32 bytes an object, 128 for each cache.
    Progress: acquire and release of existing objects are lock-free (a thread suspended at any point
        stops no other). Making an object and taking it out of the pool hold a lock for a moment.
    Source: Treiber's stack (1986), one for each thread, after Bonwick's magazines (2001), and a
        table of addresses; csrc/limits/fp_pool.h.
    Example:
        >>> from fastprims import ObjectPool
        >>> pool = ObjectPool(bytearray, reset=bytearray.clear, max_size=2, max_idle=2)
        >>> pool.prefill(1), pool.max_size, pool.max_idle
        (1, 2, 2)
        >>> with pool.lease() as buffer:
        ...     buffer += b"payload"
        >>> buffer = pool.acquire(timeout=1)
        >>> buffer, pool.stats().leased
        (bytearray(b''), 1)
        >>> pool.release(buffer)
        >>> pool.discard(pool.acquire())  # a broken one
        >>> pool.drain(), pool.stats().size
        (0, 0)
    """

    # Written by the first __init__ that enters the critical section. After that, the garbage
    # collector may clear the two functions; nothing else changes.
    cdef fp_pool* core
    cdef object factory, reset
    cdef unsigned int increments  # by collected(), under the GIL
    cdef object __weakref__  # the interpreter's

    def __init__(self, factory, *, reset=None, max_size=None, max_idle=None, drain_on_gc=False):
        self.check_new()
        if not callable(factory):
            raise TypeError("factory must be a function that makes an object")
        if reset is not None and not callable(reset):
            raise TypeError("reset must be a function of an object, or None")
        cdef uint64_t most = to_bound(max_size, "max_size", 1)
        cdef bint drains = to_bool(drain_on_gc, "drain_on_gc")
        cdef uint64_t idle = to_bound(max_idle, "max_idle", 0)
        cdef fp_pool* core = <fp_pool*>fp_mem_alloc(sizeof(fp_pool))
        if core == NULL or fp_pool_init(core, most, idle, &patient) != _core.FP_OK:
            fp_mem_free(core, sizeof(fp_pool))
            raise MemoryError
        cdef bint first
        with cython.critical_section(self):
            first = self.core == NULL
            if first:
                self.factory = factory
                self.reset = reset
                self.core = core
        if not first:
            free_pool(core)
            self.check_new()
        if drains:
            watch_collections(self)

    def __dealloc__(self):
        cdef PyObject* old
        if self.core != NULL:
            fp_pool_clear(self.core, drop_object)
            free_pool(self.core)
        old = fp_keep(<PyObject*>self.factory)
        self.factory = None
        fp_drop(old)
        old = fp_keep(<PyObject*>self.reset)
        self.reset = None
        fp_drop(old)

    cdef int check_new(self) except -1:
        if self.core != NULL:
            refuse_again(self)
        return 0

    cdef int check(self) except -1:
        if self.core == NULL:
            raise RuntimeError(
                f"this {type(self).__name__} was not initialised: a subclass that defines __init__ "
                "must call super().__init__() with what the class needs")
        return 0

    cdef int make(self, fp_pool_item* item) except -1:
        """Makes an object for a reserved place."""
        cdef fp_status status
        try:
            made = self.factory()
        except BaseException:
            fp_pool_cancel(self.core)
            raise
        INCREF(<PyObject*>made)
        status = fp_pool_adopt(self.core, <uint64_t><PyObject*>made, item)
        if status != _core.FP_OK:
            fp_drop(<PyObject*>made)
            if status == _core.FP_NO_MEMORY:
                raise MemoryError
            raise ValueError(
                "the factory returned an object that belongs to the pool already; it must make a "
                "new one each time")
        return 0

    cdef object finish(self, fp_pool_item* item):
        """Leases and returns the object of an item from fp_pool_take(); makes it if there is none.
        """
        if item.node == 0:
            self.make(item)
        INCREF(<PyObject*>item.object)
        fp_pool_lease(self.core, item)
        return fp_steal(<PyObject*>item.object)

    cdef int let_go(self, const fp_pool_item* item) except -1:
        fp_pool_discard(self.core, item)
        fp_drop(<PyObject*>item.object)  # may run any code
        return 0

    cdef int claim(self, object obj, fp_pool_item* item) except -1:
        self.check()
        cdef fp_status status = fp_pool_claim(self.core, <uint64_t><PyObject*>obj, item)
        if status == _core.FP_FAILED:
            raise ValueError(
                f"this {type(obj).__name__} is not leased: it was released to the pool already")
        if status != _core.FP_OK:
            raise ValueError(
                f"this {type(obj).__name__} does not belong to the pool: release only what its "
                "acquire() or lease() returned")
        return 0

    def acquire(self, block=True, timeout=None):
        """Lease an object: an idle one, or a new one if there is none. If `max_size` are leased,
        wait until one is released, at most `timeout` seconds; with block=False, don't wait. Raises
        queue.Empty if none was there in time, ValueError for a negative timeout, and what the
        factory raises. An interrupted or failed call has leased nothing.
        """
        return self.lend(to_bool(block, "block"), timeout)

    cdef object lend(self, bint block, object timeout):
        cdef fp_pool_item item
        cdef fp_status status
        self.check()
        if block:
            check_timeout(timeout)
        status = fp_pool_take(self.core, &item)
        if status == _core.FP_FULL and block:
            status = fp_pool_wait(self.core, &item, deadline_of(timeout), &host)
        if status == _core.FP_INTERRUPTED:
            fp_propagate()
        if status != _core.FP_OK:
            raise Empty
        return self.finish(&item)

    def release(self, obj, /):
        """Give a leased object back. Calls reset(obj) first; if that raises, the object leaves the
        pool and the exception propagates. Raises ValueError if the object is not leased.
        """
        self.take_back(obj)

    cdef int take_back(self, object obj, bint quiet=False) except -1:
        """`quiet`: does not raise if the object is not leased any more, since it was discarded."""
        cdef fp_pool_item item
        try:
            self.claim(obj, &item)
        except ValueError:
            if quiet:
                return 0
            raise
        if self.reset is not None:
            try:
                self.reset(obj)
            except BaseException:
                self.let_go(&item)
                raise
        if fp_pool_give(self.core, &item) != _core.FP_OK:
            self.let_go(&item)
        return 0

    def discard(self, obj, /):
        """Take a leased object, for example a broken connection, out of the pool for good. Another
        may be made in its place. Raises ValueError if the object is not leased.
        """
        cdef fp_pool_item item
        self.claim(obj, &item)
        self.let_go(&item)

    def lease(self, block=True, timeout=None):
        """A context manager that acquires an object, as acquire() does, and releases it at the end:
        `with pool.lease() as obj:`. If the block raises, its exception propagates, even if the
        block has discarded the object.
        """
        self.check()
        cdef Lease lease = Lease.__new__(Lease)
        lease.pool = self
        lease.block = to_bool(block, "block")
        lease.timeout = timeout
        return lease

    def prefill(self, n, /):
        """Make up to `n` objects and keep them idle; return how many were made: fewer if `max_size`
        or `max_idle` is reached. If the factory raises, the objects made before are kept.
        """
        cdef fp_pool_item item
        self.check()
        wanted = to_count(n, "n", 0)
        made = 0
        while made < wanted and fp_pool_reserve(self.core) == _core.FP_OK:
            self.make(&item)
            if fp_pool_give(self.core, &item) != _core.FP_OK:
                self.let_go(&item)
                break
            made += 1
        return made

    def drain(self):
        """Remove all idle objects from the pool; return how many there were."""
        return self.drop_idle(False)

    cdef object drop_idle(self, bint aged):
        cdef fp_pool_item item
        cdef fp_pool_counts counts
        self.check()
        fp_pool_count(self.core, &counts)
        cdef uint64_t most = counts.size, dropped = 0  # ends, even if others keep releasing objects
        while dropped < most and fp_pool_take_idle(self.core, aged, &item):
            self.let_go(&item)
            dropped += 1
        return dropped

    cdef int collected(self, bint full) except -1:
        """After a garbage collection, full or an increment of one."""
        if not full:
            self.increments += 1
            if self.increments < INCREMENTS:
                return 0
        if INCREMENTAL:
            self.increments = 0
        self.drop_idle(True)
        fp_pool_age(self.core)
        return 0

    @property
    def max_size(self):
        """The largest number of objects, or None."""
        self.check()
        return None if self.core.max_size == FP_POOL_MOST else self.core.max_size

    @property
    def max_idle(self):
        """The largest number of idle objects, or None."""
        self.check()
        return None if self.core.max_idle == UINT64_MAX else self.core.max_idle

    def stats(self):
        """The counts since the pool was made; see PoolStats."""
        cdef fp_pool_counts counts
        self.check()
        fp_pool_count(self.core, &counts)
        return record(
            "PoolStats", size=counts.size, leased=min(counts.leased, counts.size),
            idle=counts.size - min(counts.leased, counts.size),
            max_size=self.max_size, max_idle=self.max_idle,
            made=counts.joined, dropped=counts.left,
            waits=_core.fp_sync_u64_load_relaxed(&self.core.available.waits))

    def __repr__(self):
        cdef fp_pool_counts counts = [0, 0, 0, 0]
        if self.core != NULL:
            fp_pool_count(self.core, &counts)
        return (f"<{type(self).__module__}.{type(self).__qualname__} size={counts.size} "
                f"leased={counts.leased} at {<size_t><PyObject*>self:#x}>")

    def __sizeof__(self):
        return object.__sizeof__(self) + (fp_pool_memory(self.core) if self.core != NULL else 0)

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Make one there, with the same factory")

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: ObjectPool[Connection]."""
        return GenericAlias(cls, item)


cdef enum:
    FREE  # as it is made
    CHANGING
    USED


cdef class Lease:
    """The context manager that ObjectPool.lease() returns; for one `with` at a time."""

    # Written by ObjectPool.lease(), before another thread has the object.
    cdef ObjectPool pool
    cdef bint block
    cdef object timeout
    # Any thread may change it, by compare-and-swap. The thread that sets CHANGING owns `leased`
    # exclusively until it stores another state. (The collector clears `leased` only when no thread
    # can be in a `with`.)
    cdef _core.fp_sync_u64 state
    cdef object leased

    def __init__(self):
        raise TypeError("a Lease is made by ObjectPool.lease()")

    def __dealloc__(self):
        cdef PyObject* old
        old = fp_keep(<PyObject*>self.pool)
        self.pool = None
        fp_drop(old)
        old = fp_keep(<PyObject*>self.timeout)
        self.timeout = None
        fp_drop(old)
        old = fp_keep(<PyObject*>self.leased)
        self.leased = None
        fp_drop(old)

    cdef ObjectPool check(self):
        if self.pool is None:
            raise RuntimeError("this Lease has no pool: it is made by ObjectPool.lease()")
        return self.pool

    cdef bint change(self, uint64_t state) noexcept:
        return _core.fp_sync_u64_cas_seq_cst(&self.state, &state, CHANGING)

    def __enter__(self):
        cdef ObjectPool pool = self.check()
        if not self.change(FREE):
            raise RuntimeError("this lease is in use; call lease() for each `with`")
        cdef uint64_t state = FREE
        try:
            obj = self.leased = pool.lend(self.block, self.timeout)
            state = USED
        finally:
            # Seq_cst: pairs with the next swap; the thread that makes it sees our `leased`.
            _core.fp_sync_u64_store_seq_cst(&self.state, state)
        return obj

    def __exit__(self, kind, error, traceback):
        cdef ObjectPool pool = self.check()
        if not self.change(USED):
            raise RuntimeError("this lease is not in use")
        obj = self.leased
        self.leased = None
        _core.fp_sync_u64_store_seq_cst(&self.state, FREE)  # as above
        pool.take_back(obj, error is not None)


# Garbage collections, for pools that these drain. -------------------------------------------------

# Whether automatic collections are increments, each of some of the old objects, and how many will
# have seen nearly all.
cdef bint INCREMENTAL = sys.version_info[:2] == (3, 14) and not FREE_THREADED
cdef unsigned int INCREMENTS = 20

# Weak references to these pools, by their addresses. gc.callbacks has one function for all of them:
# without the GIL, the collector reads that list beside a thread that changes it.
cdef dict watched = {}


def forget(ref):
    watched.pop(id(ref), None)


def watch_collections(pool):
    """Tells the pool of each full collection, for as long as it lives."""
    ref = weakref(pool, forget)
    watched[id(ref)] = ref


def watch(phase, info):
    """For gc.callbacks."""
    cdef ObjectPool pool
    if phase != "stop":
        return
    # Free-threaded builds know no generations: their automatic collections say that it was 0.
    cdef bint full = FREE_THREADED or info["generation"] == 2
    if full or (INCREMENTAL and info["generation"] == 1):
        for ref in list(watched.values()):
            pool = ref()
            if pool is not None:
                pool.collected(full)


gc.callbacks.append(watch)


# The fast path of acquire (see cpython_compat.h). -------------------------------------------------

cdef fp_fastcall slow_acquire


cdef PyObject* fast_acquire(PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) noexcept:
    cdef fp_pool_item item
    cdef fp_pool* core = (<ObjectPool>self).core
    if _core.FP_LIKELY(n == 0 and names == NULL and core != NULL):
        if _core.FP_LIKELY(fp_pool_take(core, &item) == _core.FP_OK):
            if _core.FP_LIKELY(item.node != 0):
                INCREF(<PyObject*>item.object)
                fp_pool_lease(core, &item)
                return <PyObject*>item.object
            fp_pool_cancel(core)
    return slow_acquire(self, args, n, names)


# Garbage collection of cycles through the objects. ------------------------------------------------

cdef traverseproc cython_traverse
cdef inquiry cython_clear


cdef struct Visit:
    visitproc fn
    void* arg


cdef int visit_object(uint64_t o, void* arg) noexcept:
    return (<Visit*>arg).fn(<PyObject*>o, (<Visit*>arg).arg)


# Runs while all other threads are stopped or wait for the GIL, and changes nothing.
cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef Visit visit = [fn, arg]
    cdef int answer = 0
    if (<ObjectPool>self).core != NULL:
        answer = fp_pool_visit((<ObjectPool>self).core, visit_object, &visit)
    return answer if answer else cython_traverse(self, fn, arg)


# May run beside any other use of the pool, as in _queues/collection.pxi.
cdef int clear(PyObject* self) noexcept:
    if (<ObjectPool>self).core != NULL:
        fp_pool_clear((<ObjectPool>self).core, drop_object)
    return cython_clear(self)


fp_set_gc(ObjectPool, traverse, clear, &cython_traverse, &cython_clear)
fp_set_fastcall(ObjectPool, "acquire", fast_acquire, &slow_acquire)
fp_publish(ObjectPool, "fastprims.ObjectPool", ())
