from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from fastprims cimport _core
from fastprims._core cimport fp_ctrie_change_t, fp_ctrie_mode, fp_status


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
    # Of a snapshot; here since only what has the size of this class is on its free list. 0: unknown.
    # By any thread: atomic.
    cdef _core.fp_sync_u64 hashed
    cdef object __weakref__  # the interpreter's

    # To a map that changes: an empty one (None), or one that starts with what another one contains
    # now.
    cdef int become_map(self, CtrieBase source) except -1
    # To what another map contains now.
    cdef int become_snapshot(self, CtrieBase other) except -1
    # The map as it is now; the reference is the caller's.
    cdef _core.fp_version* version(self) except NULL
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
