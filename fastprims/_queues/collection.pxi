# Garbage collection of cycles through the items of a queue, for all classes of this module. Cython
# has given each class collector functions of its own, for its attributes; these call them.


cdef struct Attributes:
    PyTypeObject* cls
    traverseproc traverse
    inquiry clear

# Written by collect_items() while the module is imported.
cdef enum: MOST_COLLECTED = 8
cdef Attributes attributes[MOST_COLLECTED]


cdef Attributes* attributes_of(PyObject* self) noexcept:
    """The entry of the nearest class of this module; a class made in Python derives from one."""
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


# What waits for a queue stays alive by that: the list of an event owns a reference.
cdef int visit_listeners(BaseQueue self, visitproc fn, void* arg) noexcept:
    cdef int i = 0, answer = 0
    cdef _core.fp_event* event = self.event_number(i)
    while event != NULL and answer == 0:
        answer = fp_visit_listeners(event, fn, arg)
        i += 1
        event = self.event_number(i)
    return answer


cdef void drop_listeners(BaseQueue self) noexcept:
    cdef int i = 0
    cdef _core.fp_event* event = self.event_number(i)
    while event != NULL:
        fp_drop_listeners(event)
        i += 1
        event = self.event_number(i)


# Runs while every other thread waits for the GIL or is stopped outside of the structure's
# functions. Changes nothing.
cdef int traverse(PyObject* self, visitproc fn, void* arg) noexcept:
    cdef Visit visit = [fn, arg]
    cdef int answer = (<BaseQueue>self).ops.visit((<BaseQueue>self).core, visit_item, &visit)
    if answer == 0:
        answer = visit_listeners(<BaseQueue>self, fn, arg)
    return answer if answer else attributes_of(self).traverse(self, fn, arg)


# Other threads may be using the queue: on free-threaded builds the threads run again by now, and a
# thread that asks the collector for all objects finds garbage, too. The functions called here allow
# for that. The attributes of a subclass are cleared as those of any class: no thread may be using
# them at that moment.
cdef int clear(PyObject* self) noexcept:
    (<BaseQueue>self).ops.abandon((<BaseQueue>self).core, False)
    (<BaseQueue>self).clear()
    drop_listeners(<BaseQueue>self)
    return attributes_of(self).clear(self)


cdef int collect_items(type cls) except -1:
    """Called for each class: classes copied the functions of their bases before the module ran."""
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
