# What a thread does around a sleep in the core, and what it does instead where it has greenlets.


host.before_sleep = fp_host_save
host.after_sleep = fp_host_restore

# About what going to sleep and being woken costs; with a GIL, where the other side can't answer
# before this one's turn is over, the time to fill or empty a ring of a thousand.
host.watch = 10000
if not FREE_THREADED:
    host.watch = host.settle = 100000
if _core.fp_cpu_count() > 1 and not getattr(sys, "_is_gil_enabled", lambda: True)():
    host.spin = 12  # polls of the queue: about two microseconds


cdef str GEVENT = sys.intern("gevent.monkey")
cdef str EVENTLET = sys.intern("eventlet.patcher")


cdef bint may_poll() except -1:
    """Is one of these there? The modules are asked without a reference to their dictionary, the
    count of which all threads that wait would share."""
    return (PyDict_Contains(PyImport_GetModuleDict(), GEVENT)
            or PyDict_Contains(PyImport_GetModuleDict(), EVENTLET))


cdef fp_status poll(fp_attempt* op, int64_t deadline, object sleep) except *:
    """As fp_wait(), letting other greenlets run; see _hub.py. Announces nothing, so that no news is
    meant for this one.
    """
    cdef fp_status status
    cdef double pause = 0.0
    while True:
        status = op.run(op.arg)
        if (status != _core.FP_FULL and status != _core.FP_EMPTY
                and status != _core.FP_BUSY and status != _core.FP_NOT_YET):
            return status
        left = timeout_until(deadline)
        if left == 0:
            return _core.FP_TIMED_OUT
        sleep(pause if left is None else min(pause, left))
        pause = min(pause + 0.001, 0.02)


cdef fp_bool interrupted() noexcept:
    """What waits without polling is interrupted, with an exception, where there are greenlets."""
    if PyErr_CheckSignals() != 0:
        return True
    hub = name_of_hub() if may_poll() else None
    if hub is None:
        return False
    why = (f"this call would block all greenlets of the thread, for {hub} cannot switch while it "
           f"waits: repeat a call that does not wait, with {hub}.sleep(), or use a queue, whose "
           "put() and get() do that")
    PyErr_SetString(RuntimeError, why.encode())
    return True


host.interrupted = interrupted


cdef object left_of(object timeout, int64_t began):
    """What is left of a time-out that began then; 0: it did not."""
    if timeout is None or began == 0:
        return timeout
    return timeout_until(deadline_of(timeout) - (_core.fp_now() - began))
