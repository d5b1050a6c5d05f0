# What select (fastprims/_aio) uses of an AtomicFlag.

from libc.stdint cimport int64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_bool, fp_listener, fp_status


cdef extern from "atomics/fp_flag.h":
    struct fp_flag:
        _core.fp_event changed
    void fp_flag_init(fp_flag*)
    bint fp_flag_test(fp_flag*)
    bint fp_flag_exchange(fp_flag*, fp_bool)
    fp_status fp_flag_wait(fp_flag*, fp_bool, int64_t, const _core.fp_host*)


cdef class AtomicFlag:
    cdef fp_flag core
    # Never written. It makes Cython build a type that the garbage collector knows, for share().
    cdef object _collected
    cdef object __weakref__

cdef bint test_flag(AtomicFlag flag) noexcept
cdef void listen_to_flag(AtomicFlag flag, fp_listener* node) noexcept
cdef bint unlisten_to_flag(fp_listener* node) noexcept
