# What a queue shows of its inside before it is opened: objects that open it when they are used.


cdef class Mutex:
    """The `mutex` of a queue that is not open yet. The first thread that acquires it opens the
    queue; a program that only reads the attribute, or makes a condition of it, does not.

    The class is compiled, so that no signal handler runs between the acquiring of the lock and the
    block of a `with`.
    """

    cdef object queue  # a weak reference: the queue has this object, and a cycle would outlive it
    cdef readonly object lock
    cdef object __weakref__

    def __init__(self, queue):
        self.queue = ref(queue)
        self.lock = threading.Lock()

    def acquire(self, blocking=True, timeout=-1):
        queue = self.queue()
        if queue is not None:
            (<NativeQueue>queue).open("mutex")
        return self.lock.acquire(blocking, timeout)

    def release(self):
        self.lock.release()

    def locked(self):
        return self.lock.locked()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exception):
        self.lock.release()

    def _at_fork_reinit(self):
        self.lock._at_fork_reinit()

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


cdef class Hidden:
    """An attribute that instances have, while an access on the class raises AttributeError. An
    entry in the dictionary of the instance takes precedence."""

    cdef str name

    def __init__(self, name):
        self.name = name

    def __get__(self, instance, owner):
        if instance is None:
            raise AttributeError(
                f"type object {owner.__name__!r} has no attribute {self.name!r}",
                name=self.name, obj=owner)
        return (<NativeQueue?>instance).look(self.name)


def own_attributes(queue):
    """The attributes that the queue has so far, without opening it."""
    return fp_attributes(queue)


cdef class OwnAttributes:
    """`__dict__` of a queue. What it has to show is there only once the queue is open."""

    def __get__(self, instance, owner):
        (<NativeQueue?>instance).open("__dict__")
        return fp_attributes(instance)

    def __set__(self, instance, value):
        (<NativeQueue?>instance).open("__dict__")
        fp_set_attributes(instance, value)


METHOD = type(BaseQueue.put)
OURS = None


def hide_inside(cls, hidden):
    """Let instances of Queue find the attributes of `hidden`; its base classes don't have them."""
    global OURS
    OURS = cls
    fp_inherit_secretly(cls, hidden)


def own_methods(cls, names):
    """Give a drop-in its own descriptors of its hot methods."""
    fp_own_methods(cls, names)


fp_publish(SimpleQueue, "fastprims.SimpleQueue", HOT_METHODS)
