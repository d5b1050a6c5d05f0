# The exceptions that classes of several wings raise.


cpdef int raise_for_status(object self, fp_status status) except -1:
    if status == _core.FP_FULL:
        raise Full
    if status == _core.FP_EMPTY:
        raise Empty
    if status == _core.FP_CLOSED:
        raise ShutDown
    if status == _core.FP_NO_MEMORY:
        raise MemoryError
    if status == _core.FP_NOT_OWNER:
        raise RuntimeError(
            f"this side of the {type(self).__name__} belongs to another thread: it allows one "
            "producer thread and one consumer thread. Let the owner call release_producer() or "
            "release_consumer() first, or use a ring for any number of threads")
    return fp_propagate()  # FP_FAILED, FP_INTERRUPTED: the exception is set already


cpdef int check_role(object self, str role, fp_status status) except -1:
    if status != _core.FP_OK:
        raise RuntimeError(
            f"the {role}'s role of this {type(self).__name__} belongs to another thread: only its "
            "owner can give it back. If that thread has ended, use force=True")
    return 0


cdef int refuse_again(object self) except -1:
    raise RuntimeError(f"this {type(self).__name__} was made already; make a new one")


cpdef int refuse_pickle(object self, str instead) except -1:
    name = type(self).__name__
    article = "an" if name[:1] in "AEIOU" else "a"
    raise TypeError(
        f"cannot pickle or copy {article} {name}: it belongs to the threads of one process. "
        f"{instead}")
