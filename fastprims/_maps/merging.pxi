# How dict(ctrie), {**ctrie}, f(**ctrie) and dict.update(ctrie) see one instant.
#
# The interpreter calls keys(), makes a list of them, and looks up the value of each: one after the
# other, in that order, with the same key objects, and all within one instruction of one frame. No
# two statements of a program look like that. So a merge is detected by its place (fp_place): if the
# result of keys() is iterated over at the place where keys() was called, a merge begins, with a
# second iterator over the snapshot that the keys come from. While the look-ups at that place ask
# for its keys in turn, the snapshot answers. The merge ends with the last key, or with the first
# look-up that asks for another one. A merge that stays unfinished, because the dict has raised, is
# dropped by the next merge of its thread, or when the thread ends.


MISSING = object()


@cython.final
cdef class Merge:
    cdef fp_place place
    cdef size_t mapping  # its address
    cdef object pairs
    cdef tuple following

    def __cinit__(self):
        fp_sync_u64_fetch_add_relaxed(&under_way, 1)

    def __dealloc__(self):
        fp_sync_u64_fetch_add_relaxed(&under_way, <uint64_t>-1)


cdef list merges_of_thread():
    """The merges of this thread. No other thread sees them; they end with the thread."""
    cdef PyObject* everything = PyThreadState_GetDict()
    if everything == NULL:
        return []
    return (<dict>everything).setdefault("fastprims.merges", [])


cdef int begin(object mapping, const fp_place* place, object pairs) except -1:
    cdef list merges = merges_of_thread(), dropped = []
    cdef Merge merge = Merge.__new__(Merge), other
    merge.place = place[0]
    merge.mapping = <size_t><void*>mapping
    merge.pairs = pairs
    merge.following = next(pairs, None)
    for other in list(merges):
        if other.place.frame == place.frame or not fp_place_is_active(&other.place):
            merges.remove(other)
            dropped.append(other)
    if merge.following is not None:
        merges.append(merge)
    return 0  # and releases `dropped`: that may run any code


cdef object take(object mapping, object key):
    cdef fp_place here = fp_place_here(False)
    cdef list merges = merges_of_thread()
    cdef Merge merge, found = None
    cdef object value = MISSING
    for merge in merges:
        if merge.mapping == <size_t><void*>mapping and fp_place_is_same(&merge.place, &here):
            found = merge
            break
    if found is None:
        return MISSING
    if found.following[0] is key:
        value = found.following[1]
        found.following = next(found.pairs, None)
    if (value is MISSING or found.following is None) and found in merges:
        merges.remove(found)
    return value
