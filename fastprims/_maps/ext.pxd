# The classes under Ctrie, and how a merge into a dict is told from other calls.

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t, uintptr_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_ctrie_change_t, fp_ctrie_mode

cdef extern from "_maps/merging.h":
    struct fp_place:
        unsigned long thread
        uintptr_t frame
        int instruction
    fp_place fp_place_here(bint)
    bint fp_place_is_same(const fp_place*, const fp_place*)
    bint fp_place_is_active(const fp_place*)

# How many merges are under way. Relaxed: only the thread of a merge has to see it, and counted it.
cdef _core.fp_sync_u64 under_way

# A merge of `mapping` begins at that place; `pairs` iterates over what it is to see.
cdef int begin(object mapping, const fp_place* place, object pairs) except -1
# The value that the merge under way at this very place asks for; MISSING: it does not ask.
cdef object take(object mapping, object key)
cdef object MISSING


cdef class Lineage:
    # Written once, before anybody else has the object.
    cdef _core.fp_ctrie* core
    cdef Lineage base  # of the snapshot that it branched off


cdef class CtrieBase:
    # Up to `shown`: written before anybody else has the object.
    cdef Lineage lineage
    # One of them, or, where a class was instantiated behind its own back, none.
    cdef _core.fp_ctrie* live
    cdef _core.fp_version* shown
    # Of a snapshot; here since only what has this class's size is on its free list. 0: unknown.
    # By any thread: atomic.
    cdef _core.fp_sync_u64 hashed
    cdef object __weakref__  # the interpreter's

    # To a map that changes: an empty one (None), or one that starts with what another one contains
    # now.
    cdef int become_map(self, CtrieBase source) except -1
    # To what another map contains now.
    cdef int become_snapshot(self, CtrieBase other) except -1
    # The map as it is now; the reference is the caller's.
    cdef _core.fp_version* take_snapshot(self) except NULL
    cdef CtrieIterator iterate(self, int what)

    cdef int check_live(self) except -1
    # What can be done to a map that changes; TypeError for a snapshot, in a class that has lost its
    # way to one. See fp_ctrie_change; value and expected may be NULL.
    cdef int change(self, fp_ctrie_change_t* c, fp_ctrie_mode mode, PyObject* key, PyObject* value,
                    PyObject* expected, bint wants_old) except -1
    # Removes some pair; False if there is none.
    cdef bint take_any(self, fp_ctrie_change_t* c) except -1
    cdef int remove_all(self) except -1


cdef class CtrieIterator:
    cdef Lineage lineage  # written once, before anybody else has the object
    # By any thread, within the critical section.
    cdef _core.fp_version* version
    cdef _core.fp_ctrie_walk walk
    cdef int what  # as `lineage`. 0: keys, 1: values, 2: pairs

    cdef void start(self, _core.fp_version* version, Lineage lineage, int what) noexcept
