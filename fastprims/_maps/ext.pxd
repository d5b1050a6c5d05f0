# The base classes of Ctrie, and how a merge into a dict is told from other calls.

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

# How many merges are under way. Relaxed: only the thread of a merge needs to see it, and that
# thread has counted it.
cdef _core.fp_sync_u64 under_way

# Begins a merge of `mapping` at that place; `pairs` iterates over the pairs that it must see.
cdef int begin(object mapping, const fp_place* place, object pairs) except -1
# The value for the merge under way at this place; MISSING: this call does not belong to a merge.
cdef object take(object mapping, object key)
cdef object MISSING


cdef class Lineage:
    # Written once, before another thread has the object.
    cdef _core.fp_ctrie* core
    cdef Lineage base  # that of the snapshot from which this trie branched off


cdef class CtrieBase:
    # What a snapshot shows, or a map that has not changed since it was made as a copy. Written
    # before another thread has the object; a map that changes keeps it, since readers may be there.
    cdef Lineage lineage
    cdef _core.fp_version* shown
    # The trie of a map that changes, and its lineage, which is written before. Written once, by the
    # thread that needs it first: atomic. No trie and nothing shown: a snapshot made by calling
    # __new__() alone.
    cdef Lineage own
    cdef _core.fp_ptr live
    cdef object __weakref__  # the interpreter's

    # Makes this object show the present contents of another map.
    cdef int show(self, CtrieBase other) except -1
    # Gives this map a trie of its own, with the contents that it shows.
    cdef int grow_trie(self) except -1
    # The map as it is now; the reference is the caller's.
    cdef _core.fp_version* take_snapshot(self) except NULL
    cdef CtrieIterator iterate(self, int what)

    # The trie, which is made now if there is none; TypeError for a snapshot (a method of Ctrie may
    # be called with one).
    cdef _core.fp_ctrie* trie(self) except NULL
    # See fp_ctrie_change; value and expected may be NULL.
    cdef int change(self, fp_ctrie_change_t* c, fp_ctrie_mode mode, PyObject* key, PyObject* value,
                    PyObject* expected, bint wants_old) except -1
    # Removes some pair; False if there is none.
    cdef bint take_any(self, fp_ctrie_change_t* c) except -1
    cdef int remove_all(self) except -1


cdef class CtrieIterator:
    cdef Lineage lineage  # written once, before another thread has the object
    # Any thread may change these, within the critical section.
    cdef _core.fp_version* version
    cdef _core.fp_ctrie_walk walk
    cdef int what  # written as `lineage`. 0: keys, 1: values, 2: pairs

    cdef void start(self, _core.fp_version* version, Lineage lineage, int what) noexcept
