# The hub of an event loop: what is due in it, and how it learns that (csrc/wait/fp_hub.h).
#
# Who owns whom. The loop has the Bell, as the callback of the hub's descriptor, and nothing else
# has. So the Bell's end tells that the loop was closed or is gone. Bell and waiters own the Hub;
# registry and threads know it weakly, since it may have waiters that have the loop. An event's
# list, or the hub's, owns a reference to each Waiter in it; the collector sees these by way of the
# queue, or the hub.


cdef class Hub:
    """One for each event loop, and one for each thread that selects."""

    cdef fp_hub core
    cdef bint made
    cdef uint64_t forks  # before it was made
    cdef PyObject* loop  # only to compare: the hub is closed before the loop's memory is used again
    cdef object _collected  # never written: makes Cython build a type that the collector knows
    cdef object __weakref__

    def __cinit__(self, bint for_thread=False):
        _core.fp_thread_watch_forks()
        self.forks = _core.fp_thread_forks()
        if for_thread:
            _core.fp_hub_open_for_thread(&self.core)
            self.made = True
        else:
            self.made = _core.fp_hub_open(&self.core) == _core.FP_OK
        if not self.made:
            raise OSError(
                "no file descriptor to wake the event loop with: too many are open, or this "
                "platform has neither eventfd nor pipes that an event loop can watch")

    def __dealloc__(self):
        if self.made:
            self.close()
            _core.fp_hub_end(&self.core)

    cdef int wake(self) except -1:
        """Resolves the futures of those that are due. They take their items themselves, later, when
        their tasks run."""
        cdef fp_listener* node = _core.fp_hub_take(&self.core)
        cdef fp_listener* following
        cdef object error = None
        while node != NULL:
            following = node.next
            waiter = <Waiter>node.owner
            DECREF(<PyObject*>node.owner)  # not the last reference
            waiter.has_turn = True
            _core.fp_hub_return(node)
            try:
                waiter.resolve()
            except BaseException as e:  # a signal handler; the others must not suffer
                error = e
            node = following
        if error is not None:
            raise error
        return 0

    cdef int pass_turns(self, bint for_good) noexcept:
        """Those that are due will not run, as far as is known: the next in line get their turns."""
        cdef fp_listener* node = _core.fp_hub_take(&self.core)
        cdef fp_listener* following
        while node != NULL:
            following = node.next
            waiter = <Waiter>node.owner
            if for_good:
                DECREF(<PyObject*>node.owner)
                _core.fp_hub_return(node)
            else:
                _core.fp_hub_notify(node)  # due again, in case that the loop runs again
            waiter.pass_turn()
            node = following
        return 0

    cdef int close(self) noexcept:
        _core.fp_hub_close(&self.core)
        self.pass_turns(True)
        return 0


cdef class Bell:
    """What the loop calls when its descriptor is readable."""

    cdef Hub hub

    def __init__(self, Hub hub):
        self.hub = hub

    def __call__(self):
        if self.hub is None:
            raise RuntimeError("this object was not made for an event loop")
        presence_of(self.hub)
        _core.fp_hub_clear(&self.hub.core)
        self.hub.wake()

    def __dealloc__(self):
        if self.hub is not None:
            self.hub.close()


cdef class Presence:
    """A thread that runs the hub's loop has this, until it ends or runs another loop."""

    cdef object hub  # a weak reference

    def __init__(self, Hub hub):
        self.hub = ref(hub)

    cdef Hub get(self):
        return None if self.hub is None else self.hub()

    def __dealloc__(self):
        hub = self.get()
        if hub is not None:
            _core.fp_hub_set_away(&hub.core, True)
            hub.pass_turns(False)


here = threading.local()
hubs = WeakKeyDictionary()
hubs_lock = threading.RLock()  # a finalizer may run while it is held, and use a loop


cdef int presence_of(Hub hub) except -1:
    """Called by the thread that runs the hub's loop."""
    presence = getattr(here, "presence", None)
    if presence is None or (<Presence>presence).get() is not hub:
        here.presence = Presence(hub)
        _core.fp_hub_set_away(&hub.core, False)
    elif _core.fp_hub_state(&hub.core) & _core.FP_HUB_AWAY:
        _core.fp_hub_set_away(&hub.core, False)
    return 0


cdef Hub own_hub(object loop):
    """The hub of the loop that runs in this thread, if that is the last one that had need of a hub
    here; else None."""
    presence = getattr(here, "presence", None)
    if presence is None:
        return None
    hub = (<Presence>presence).get()
    if (hub is None or hub.loop != <PyObject*>loop or hub.forks != _core.fp_thread_forks()
            or _core.fp_hub_state(&hub.core) != 0):
        return None
    return hub


cdef Hub hub_of(object loop):
    """The hub of the running loop, which is made when it is first needed."""
    cdef Hub hub = own_hub(loop)
    if hub is not None:
        return hub
    with hubs_lock:
        known = hubs.get(loop)
    hub = None if known is None else known()
    if hub is not None and _core.fp_hub_state(&hub.core) & _core.FP_HUB_CLOSED:
        hub = None  # a custom loop has dropped its callbacks
    if hub is None:
        hub = Hub()
        hub.loop = <PyObject*>loop
        try:
            loop.add_reader(hub.core.read_fd, Bell(hub))
        except NotImplementedError:
            raise RuntimeError(
                f"{type(loop).__name__} cannot watch file descriptors (add_reader), which "
                "fastprims needs to wake it: use asyncio.SelectorEventLoop or uvloop") from None
        with hubs_lock:
            hubs[loop] = ref(hub)
    elif hub.forks != _core.fp_thread_forks():
        raise RuntimeError(
            "this event loop belongs to the parent process: make a new one in the forked child, "
            "with asyncio.run() for example")
    presence_of(hub)
    return hub


def rethrow(error):
    raise error


cdef void raise_later(object loop, object error) noexcept:
    """For what an interrupt raises once a call has had its effect: if the call failed now, its item
    would be lost, or stored and offered again. The loop raises it, at its next callback."""
    loop.call_soon(rethrow, error)


# Between these two, a notification of a listener of the own loop costs no system call, and its task
# is scheduled before the second one returns.

cdef Hub begin_own():
    cdef Hub hub = own_hub(loop_here())
    if hub is not None:
        _core.fp_hub_own(&hub.core)
    return hub


cdef inline Hub begin_own_beside(fp_event* notified):
    """For a call that notifies only this event; None if nothing listens there."""
    return begin_own() if _core.fp_event_has_listeners(notified) else None


cdef void end_own(Hub hub) noexcept:
    if hub is None:
        return
    _core.fp_hub_own(NULL)
    if _core.fp_hub_has_due(&hub.core):
        try:
            hub.wake()
        except BaseException as error:
            raise_later(loop_here(), error)


# Garbage collection: what is due in a hub is owned by it. -----------------------------------------

cdef traverseproc traverse_attributes
cdef inquiry clear_attributes


cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef int answer = fp_visit_due(&(<Hub>self).core, fn, arg) if (<Hub>self).made else 0
    return answer if answer else traverse_attributes(self, fn, arg)


cdef int clear(PyObject* self) noexcept:
    if (<Hub>self).made:
        (<Hub>self).close()
    return clear_attributes(self)


fp_set_gc(Hub, traverse, clear, &traverse_attributes, &clear_attributes)
