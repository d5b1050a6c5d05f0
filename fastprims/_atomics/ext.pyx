# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""AtomicInt, AtomicRef and AtomicFlag.

One module, in parts; each part builds on those before it.
"""

from cpython.object cimport PyObject, PyObject_RichCompare
from libc.stdint cimport int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport (
    fp_listener, fp_status, fp_u64, fp_u64_fetch_add_relaxed, fp_u64_load_relaxed,
)
from fastprims._common.cpython_compat cimport (
    INCREF, PyLong_AsLongLongAndOverflow, PyLong_FromLongLong, fp_drop, fp_drop_listeners,
    fp_fastcall, fp_propagate, fp_publish, fp_set_fastcall, fp_set_gc, fp_small_int, fp_steal,
    fp_visit_listeners, inquiry, traverseproc, visitproc,
)
from fastprims._common.ext cimport check_timeout, deadline_of, host, is_bool, refuse_pickle, to_bool

from operator import index
from types import GenericAlias

from fastprims._common.record import record

include "integer.pxi"
include "reference.pxi"
include "flag.pxi"
