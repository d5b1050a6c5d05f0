# The fast paths of the queues' hot methods: put(item) when there is room, get() when there is an
# item, and the like. fp_set_fastcall() (cpython_compat.h) puts each function in front of the method
# of BaseQueue (base.pxi), which handles every other call.


# Each class has descriptors of its own for these; see fp_publish.
HOT_METHODS = ("put", "get", "put_nowait", "get_nowait", "try_put", "try_get")

cdef fp_fastcall slow_put, slow_get, slow_put_nowait, slow_try_put, slow_try_get


# Open queues: these do what the standard library's functions do when there is room, or an item, and
# the condition is still a plain Condition. Every other case is left to the standard functions.
cdef object standard_put = opened.put
cdef object standard_get = opened.get


cdef inline int notify(object condition) except -1:
    if type(condition) is not Condition or condition._waiters:
        condition.notify()
    return 0


cdef object put_openly(object self, object item):
    not_full = self.not_full
    if type(not_full) is Condition:
        lock = not_full._lock
        lock.acquire()
        try:
            maxsize = self.maxsize
            if not self.is_shutdown and not (maxsize > 0 and self._qsize() >= maxsize):
                self._put(item)
                self.unfinished_tasks += 1
                notify(self.not_empty)
                return None
        finally:
            lock.release()
    return standard_put(self, item)


cdef object get_openly(object self):
    not_empty = self.not_empty
    if type(not_empty) is Condition:
        lock = not_empty._lock
        lock.acquire()
        try:
            if self._qsize():
                item = self._get()
                notify(self.not_full)
                return item
        finally:
            lock.release()
    return standard_get(self)


# get_many() of an open queue. It is compiled, so that no signal handler runs between the taking of
# an item and the end of the call, unless a hook or a condition is the program's own.
cdef object MISSING = object()


cdef object taker(object self):
    """A function that takes an item; a compiled one, unless a hook or the container was changed."""
    hook = self._get
    function, content = getattr(hook, "__func__", None), getattr(self, "queue", None)
    if type(content) is deque:
        return content.popleft if function is Queue._get else hook
    if type(content) is list:
        if function is LifoQueue._get:
            return content.pop
        if function is PriorityQueue._get:
            return partial(heappop, content)
    return hook


cdef list take_openly(object self, Py_ssize_t most):
    """Takes what is there, at most so many."""
    cdef list items = []
    not_full = self.not_full
    lock = not_full._lock if type(not_full) is Condition else not_full
    lock.acquire()
    try:
        take = taker(self)
        while len(items) < most and self._qsize():
            items.append(MISSING)  # allocates first
            items[len(items) - 1] = take()
            notify(not_full)
    except BaseException as error:
        if items and items[len(items) - 1] is MISSING:
            items.pop()
        if not isinstance(error, Exception):
            opened.give_back(self, items)
            raise
        if not items:  # else it came from a comparison or hook, and what was taken is not lost
            raise
    finally:
        lock.release()
    return items


cdef list get_many_openly(object self, object max_items, bint block, object timeout):
    cdef Py_ssize_t most = to_most(max_items)
    cdef list items = []
    end = None
    if most == 0:
        return items
    opened.refuse_negative(block, timeout)
    if block and timeout is not None:
        end = opened.now() + timeout
    while True:
        items = take_openly(self, most)
        if items:
            return items
        opened.await_item(self, block, None if end is None else max(0.0, end - opened.now()))


cdef PyObject* raising_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                           PyObject* names) except NULL:
    try:
        if n == 1 and names == NULL:
            return fp_new_reference(put_openly(<object>self, <object>args[0]))
        return fp_call_method(<PyObject*>standard_put, self, args, n, names)
    except opened.EXCEPTIONS as error:
        known = opened.known_as(type(error))
        if known is type(error):
            raise
    raise known


cdef PyObject* raising_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                           PyObject* names) except NULL:
    try:
        if n == 0 and names == NULL:
            return fp_new_reference(get_openly(<object>self))
        return fp_call_method(<PyObject*>standard_get, self, args, n, names)
    except opened.EXCEPTIONS as error:
        known = opened.known_as(type(error))
        if known is type(error):
            raise
    raise known


# The same functions, declared without Cython's exception check: their callers only return the NULL.
cdef fp_fastcall open_put = <fp_fastcall>raising_put
cdef fp_fastcall open_get = <fp_fastcall>raising_get


cdef inline bint is_open(PyObject* self) noexcept:
    return _core.fp_sync_u64_load_seq_cst(&(<BaseQueue>self).checked) == <uint64_t>OPEN


# These rebuild the arguments from what is known of them, so that the caller need not keep them.
cdef inline PyObject* put_slowly(fp_fastcall slow, PyObject* self, PyObject* item,
                                 fp_status status) noexcept:
    return NULL if raised(status) else slow(self, &item, 1, NULL)


cdef inline PyObject* get_slowly(fp_fastcall slow, PyObject* self, fp_status status) noexcept:
    return NULL if raised(status) else slow(self, NULL, 0, NULL)


cdef PyObject* fast_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(None)
        return put_slowly(slow_put, self, item, status)
    return open_put(self, args, n, names) if is_open(self) else slow_put(self, args, n, names)


cdef PyObject* fast_put_nowait(PyObject* self, PyObject* const* args, Py_ssize_t n,
                               PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)
                       and not (<BaseQueue>self).indirect):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(None)
        return put_slowly(slow_put_nowait, self, item, status)
    return slow_put_nowait(self, args, n, names)


cdef PyObject* fast_try_put(PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) noexcept:
    cdef PyObject* item
    cdef fp_status status
    if _core.FP_LIKELY(n == 1 and names == NULL and unchanged(self)):
        item = args[0]
        status = give(<BaseQueue>self, item)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_constant(True)
        if status == _core.FP_FULL:
            return fp_constant(False)
        return put_slowly(slow_try_put, self, item, status)
    return slow_try_put(self, args, n, names)


cdef PyObject* fast_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        PyObject* names) noexcept:
    cdef uint64_t word
    cdef fp_status status
    if _core.FP_LIKELY(n == 0 and names == NULL and unchanged(self)):
        status = (<BaseQueue>self).get_one((<BaseQueue>self).core, &word)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_receive(<PyObject*>word, &(<BaseQueue>self).crossing)
        return get_slowly(slow_get, self, status)
    return open_get(self, args, n, names) if is_open(self) else slow_get(self, args, n, names)


cdef PyObject* fast_try_get(PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) noexcept:
    cdef uint64_t word
    cdef fp_status status
    if _core.FP_LIKELY(n == 0 and names == NULL and unchanged(self)):
        status = (<BaseQueue>self).get_one((<BaseQueue>self).core, &word)
        if _core.FP_LIKELY(status == _core.FP_OK):
            return fp_receive(<PyObject*>word, &(<BaseQueue>self).crossing)
        if status == _core.FP_EMPTY:
            return fp_constant(None)
        return get_slowly(slow_try_get, self, status)
    return slow_try_get(self, args, n, names)


fp_set_fastcall(BaseQueue, "put", fast_put, &slow_put)
fp_set_fastcall(BaseQueue, "get", fast_get, &slow_get)
fp_set_fastcall(BaseQueue, "put_nowait", fast_put_nowait, &slow_put_nowait)
fp_set_fastcall(BaseQueue, "try_put", fast_try_put, &slow_try_put)
fp_set_fastcall(BaseQueue, "try_get", fast_try_get, &slow_try_get)
