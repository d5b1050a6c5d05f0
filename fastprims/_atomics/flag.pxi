# AtomicFlag over fp_flag.


cdef class AtomicFlag:
    """AtomicFlag()

    A flag, clear at first, that any number of threads set, clear and test without a lock, and
    that a thread can wait for.

    test_and_set, clear and test take effect at one instant and are sequentially consistent. A
    change wakes the waiting threads, so there is no notify. A waiting thread sleeps, has released
    the GIL, and answers to Ctrl-C. Compared by identity.

    Errors: wait raises ValueError for a negative timeout. TypeError: copying or pickling.
    Complexity: O(1); 24 bytes beside the object.
    Progress: wait-free, except wait. A thread that waits may miss a change that is undone before it
        wakes up.
    Source: one word of an eventcount; csrc/atomics/fp_flag.h.
    Example:
        >>> from fastprims import AtomicFlag
        >>> done = AtomicFlag()
        >>> done.test_and_set(), done.test_and_set()  # exactly one caller gets False
        (False, True)
        >>> done.wait(timeout=1), done.test()
        (True, True)
        >>> done.clear(), done.wait(0.01), done.stats().value
        (True, False, False)
    """

    def __cinit__(self, *args, **kwargs):
        fp_flag_init(&self.core)

    def __init__(self):
        pass

    def test_and_set(self):
        """Set the flag and return whether it was set before. Of several threads that call it on a
        clear flag, exactly one gets False.
        """
        return bool(fp_flag_exchange(&self.core, True))

    def clear(self):
        """Clear the flag and return whether it was set before."""
        return bool(fp_flag_exchange(&self.core, False))

    def test(self):
        """Whether the flag is set."""
        return bool(fp_flag_test(&self.core))

    def wait(self, value=True, timeout=None):
        """Wait until the flag is set (value=False: clear) and return True, or return False if
        `timeout` seconds pass first. The flag may have changed again by the time the call returns;
        a change that is undone before a sleeping thread wakes up may go unnoticed. Raises
        ValueError for a negative timeout.

        A single argument that is neither True nor False is the timeout, as with threading.Event:
        wait(0.2).
        """
        cdef bint wanted = True
        if timeout is None and not is_bool(value):
            timeout = value
        else:
            wanted = to_bool(value, "value")
        check_timeout(timeout)
        cdef int64_t deadline = deadline_of(timeout)
        cdef fp_status status = fp_flag_wait(&self.core, wanted, deadline, &host)
        if status == _core.FP_INTERRUPTED:
            fp_propagate()
        return status == _core.FP_OK

    def stats(self):
        """The flag, and how often a thread prepared to sleep; see AtomicFlagStats."""
        return record(
            "AtomicFlagStats", value=bool(fp_flag_test(&self.core)),
            waits=_core.fp_sync_u64_load_relaxed(&self.core.changed.waits))

    def __bool__(self):
        return bool(fp_flag_test(&self.core))

    def __repr__(self):
        state = "set" if fp_flag_test(&self.core) else "clear"
        return (f"<{type(self).__module__}.{type(self).__qualname__} {state} "
                f"at {<size_t><PyObject*>self:#x}>")

    def __reduce_ex__(self, protocol):
        refuse_pickle(self, "Send its state: f.test()")


# For select (fastprims/_aio), as in _queues/listening.pxi.

cdef void listen_to_flag(AtomicFlag flag, fp_listener* node) noexcept:
    _core.fp_event_listen(&flag.core.changed, node, False)


cdef bint unlisten_to_flag(fp_listener* node) noexcept:
    return _core.fp_event_unlisten(node)


cdef bint test_flag(AtomicFlag flag) noexcept:
    return fp_flag_test(&flag.core)


cdef traverseproc traverse_flag_attributes
cdef inquiry clear_flag_attributes


cdef int traverse_flag(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fp_visit_listeners(&(<AtomicFlag>self).core.changed, fn, arg)
    return answer if answer else traverse_flag_attributes(self, fn, arg)


cdef int clear_flag(PyObject* self) noexcept:
    fp_drop_listeners(&(<AtomicFlag>self).core.changed)
    return clear_flag_attributes(self)


fp_set_gc(AtomicFlag, traverse_flag, clear_flag, &traverse_flag_attributes, &clear_flag_attributes)
fp_publish(AtomicFlag, "fastprims.AtomicFlag", ())
