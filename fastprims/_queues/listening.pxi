# What the ends for event loops (fastprims/_aio) ask of a queue: attempts that never wait, and
# listeners on its events.


cdef void listen(_core.fp_event* event, _core.fp_listener* node, bint in_front) noexcept:
    _core.fp_event_listen(event, node, in_front)


cdef bint unlisten(_core.fp_listener* node) noexcept:
    return _core.fp_event_unlisten(node)


cdef void pass_turn(_core.fp_event* event) noexcept:
    _core.fp_event_notify(event)


cdef object make_end = None


def set_end_maker(function):
    """Make the ends of queues by this function: their class is above this module."""
    global make_end
    make_end = function


cdef object end_of(BaseQueue queue):
    """The end for event loops; the queue keeps a weak reference, so that no cycle outlives it."""
    cdef object found
    with cython.critical_section(queue):
        found = queue.end
    found = None if found is None else found()
    if found is None:
        found = set_end(queue, make_end(queue))
    return found


def set_end(BaseQueue queue, made):
    """Make this object the end of the queue, unless it has one. Returns the one it has."""
    cdef object found = None
    weak = ref(made)
    with cython.critical_section(queue):
        if queue.end is not None:
            found = queue.end()
        if found is None:
            queue.end, found = weak, made
    return found
