# Which library runs the task that is running. A run of trio is an event loop like any other, by way
# of trio_run.py. That module is imported only if the program has imported trio.


cdef str TRIO = sys.intern("trio")
cdef object trio_run = None, here_in_trio = None  # the module, once imported, and a function of it


cdef object trio_here():
    """The loop of trio in which a task is running here, or None. Costs little where there is no
    trio."""
    global here_in_trio, trio_run
    if not PyDict_Contains(PyImport_GetModuleDict(), TRIO):
        return None
    if here_in_trio is None:
        # Another module of that name, None (which forbids its import), or not imported to its end.
        if not hasattr(sys.modules.get(TRIO), "lowlevel"):
            return None
        try:
            from fastprims._aio import trio_run as module
        except (AttributeError, ImportError):  # one that is too old
            return None
        trio_run, here_in_trio = module, module.loop_here
    return here_in_trio()


cdef object loop_here():
    """The loop in which a task is running here, or None."""
    found = trio_here()
    return asyncio_here() if found is None else found


cdef object running_loop():
    """The same; raises RuntimeError if there is none."""
    found = trio_here()
    return get_running_loop() if found is None else found
