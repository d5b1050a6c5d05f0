from libc.stdint cimport uint64_t, uintptr_t

from fastprims cimport _core

cdef extern from "_merging.h":
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
