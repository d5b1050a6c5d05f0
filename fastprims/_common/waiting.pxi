# What a thread does around a sleep in the core, and what it does instead if it has greenlets.


host.before_sleep = fp_host_save
host.after_sleep = fp_host_restore

# About the cost of going to sleep and being woken. With a GIL, where the other side can't answer
# before this thread's turn is over: the time to fill or empty a ring of a thousand.
host.watch = 10000
if not FREE_THREADED:
    host.watch = host.settle = 100000
if _core.fp_cpu_count() > 1 and not getattr(sys, "_is_gil_enabled", lambda: True)():
    host.spin = 12  # polls of the queue: about two microseconds


cdef str GEVENT = sys.intern("gevent.monkey")
cdef str EVENTLET = sys.intern("eventlet.patcher")


cdef bint may_poll() except -1:
    """True if one of these modules is loaded. Looks into sys.modules without counting a reference
    to it, since all waiting threads would share that count."""
    return (PyDict_Contains(PyImport_GetModuleDict(), GEVENT)
            or PyDict_Contains(PyImport_GetModuleDict(), EVENTLET))


cdef fp_status poll(fp_attempt* op, int64_t deadline, object sleep) except *:
    """Does what fp_wait() does, and lets other greenlets run; see hub.py. It does not announce a
    waiter, so that no notifier wakes this one instead of a sleeping thread.
    """
    cdef fp_status status
    cdef double pause = 0.0
    while True:
        status = op.run(op.arg)
        if not must_wait(status):
            return status
        left = timeout_until(deadline)
        if left == 0:
            return _core.FP_TIMED_OUT
        sleep(pause if left is None else min(pause, left))
        pause = min(pause + 0.001, 0.02)


cdef fp_bool interrupted() noexcept:
    """True, with an exception set, if a signal handler has raised, or if greenlets are in use: a
    call that waits without polling would block all greenlets of the thread."""
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
