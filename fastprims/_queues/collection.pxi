# Garbage collection of cycles through the items of a queue: of all classes of this module, each of
# which has functions of its own by Cython, for its attributes.


cdef struct Attributes:
    PyTypeObject* cls
    traverseproc traverse
    inquiry clear

# Written by collect_items() while the module is imported.
cdef enum: MOST_COLLECTED = 8
cdef Attributes attributes[MOST_COLLECTED]


cdef Attributes* attributes_of(PyObject* self) noexcept:
    """Of the nearest class of this module; a class that was made in Python derives from one."""
    cdef PyTypeObject* cls = Py_TYPE(self)
    cdef Attributes* found
    while True:
        found = attributes
        while found.cls != NULL:
            if found.cls == cls:
                return found
            found += 1
        cls = cls.tp_base


cdef struct Visit:
    visitproc fn
    void* arg


cdef int visit_item(uint64_t item, void* arg) noexcept:
    return (<Visit*>arg).fn(<PyObject*>item, (<Visit*>arg).arg)


# Runs while all other threads are stopped, outside of the structure's functions, or wait for the
# GIL, and changes nothing.
cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef Visit visit = [fn, arg]
    cdef int answer = (<BaseQueue>self).ops.visit((<BaseQueue>self).core, visit_item, &visit)
    return answer if answer else attributes_of(self).traverse(self, fn, arg)


# Others may be using the queue: on free-threaded builds the threads run again, and whoever asks the
# collector for all objects finds garbage, too. What is called here allows for it. The attributes of
# a subclass are cleared as those of any class: they must not be used at that very moment.
cdef int clear(PyObject* self) noexcept:
    (<BaseQueue>self).ops.abandon((<BaseQueue>self).core, False)
    (<BaseQueue>self).clear()
    return attributes_of(self).clear(self)


cdef int collect_items(type cls) except -1:
    """For each class: a class has copied the functions of its base before the module runs."""
    cdef int i = 0
    while attributes[i].cls != NULL:
        i += 1
    assert i + 1 < MOST_COLLECTED
    fp_set_gc(cls, traverse, clear, &attributes[i].traverse, &attributes[i].clear)
    attributes[i].cls = <PyTypeObject*>cls
    return 0


collect_items(BaseQueue)
collect_items(QueueWithState)
collect_items(SimpleQueue)
collect_items(NativeQueue)
collect_items(MPMCRing)
collect_items(SPSCRing)
collect_items(BoundedChannel)
