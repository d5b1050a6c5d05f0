# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""RateLimiter, ObjectPool and its leases.

One module, in parts; each part builds on those before it.
"""

cimport cython
from cpython.object cimport PyObject
from libc.math cimport HUGE_VAL, nextafter
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint32_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport (
    fp_bool, fp_lock, fp_mem_alloc, fp_mem_free, fp_status, fp_u64, fp_u64_load_relaxed,
)
from fastprims._common.cpython_compat cimport (
    FREE_THREADED, INCREF, fp_constant, fp_drop, fp_fastcall, fp_keep, fp_propagate, fp_publish,
    fp_set_fastcall, fp_set_gc, fp_steal, inquiry, traverseproc, visitproc,
)
from fastprims._common.ext cimport (
    check_timeout, deadline_of, host, refuse_again, refuse_pickle, to_bool, to_count, to_index,
    to_number,
)

import gc
import sys
from _weakref import ref as weakref  # built in; the module weakref would be one more to import
from queue import Empty
from types import GenericAlias

from fastprims._common.record import record

include "limiter.pxi"
include "pool.pxi"
