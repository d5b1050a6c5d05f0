# cython: language_level=3, binding=False, freethreading_compatible=True
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""How dict(ctrie), {**ctrie}, f(**ctrie) and dict.update(ctrie) see one instant.

The interpreter asks for keys(), makes a list of them, and asks for the value of each: one after the
other, in that order, with these very objects, and all of it within one instruction of one frame. No
two statements of a program look like that, so this is what we go by: if keys() was called, and what
it returned is iterated over, at the same place (fp_place), a merge begins, with a second iterator
over the snapshot that the keys come from. As long as the values that are asked for at that place
are those of its keys, in turn, it is the snapshot that answers. The first one that is not, and the
last one, end it. What a merge leaves unfinished, because the dict has raised, is let go of by the
next one of its thread.
"""

cimport cython

from fastprims cimport _core

cdef extern from "fp_atomic.h":
    void fp_sync_u64_store_relaxed(_core.fp_sync_u64*, size_t)

MISSING = object()


@cython.final
cdef class Merge:
    cdef fp_place place
    cdef size_t mapping  # its address
    cdef object pairs
    cdef tuple following


# All of them. Used within its critical section.
cdef list merges = []


cdef int begin(object mapping, const fp_place* place, object pairs) except -1:
    cdef Merge merge = Merge.__new__(Merge), other
    cdef list dropped = []
    merge.place = place[0]
    merge.mapping = <size_t><void*>mapping
    merge.pairs = pairs
    merge.following = next(pairs, None)
    with cython.critical_section(merges):
        for other in list(merges):
            if other.place.thread == place.thread and (
                    other.place.frame == place.frame or not fp_place_is_active(&other.place)):
                merges.remove(other)
                dropped.append(other)
        if merge.following is not None:
            merges.append(merge)
        fp_sync_u64_store_relaxed(&under_way, len(merges))
    return 0  # what was dropped goes now, which may run any code


cdef object take(object mapping, object key):
    cdef fp_place here = fp_place_here(False)
    cdef Merge merge, found = None
    cdef object value = MISSING
    with cython.critical_section(merges):
        for merge in merges:
            if (merge.mapping == <size_t><void*>mapping
                    and fp_place_is_same(&merge.place, &here)):
                found = merge
                break
    if found is None:
        return MISSING
    # No other thread has it: it is of this one.
    if found.following[0] is key:
        value = found.following[1]
        found.following = next(found.pairs, None)
    if value is MISSING or found.following is None:
        with cython.critical_section(merges):
            if found in merges:
                merges.remove(found)
            fp_sync_u64_store_relaxed(&under_way, len(merges))
    return value
