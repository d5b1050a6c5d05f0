# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""Ctrie and TopicTrie, and their snapshots.

One module, in parts; each part builds on those before it.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint32_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport (
    fp_bool, fp_ctrie_change_t, fp_ctrie_mode, fp_status, fp_sync_u64_fetch_add_relaxed,
    fp_sync_u64_fetch_add_seq_cst,
)
from fastprims._common.cpython_compat cimport (
    FREE_THREADED, INCREF, PyObject_Hash, PyThreadState_GetDict, PyUnicode_FromObject, binaryfunc,
    destructor, enter_recursion, fp_drop, fp_fastcall, fp_keep, fp_propagate, fp_publish,
    fp_set_attribute, fp_set_dealloc, fp_set_fastcall, fp_set_gc, fp_set_mapping, fp_set_subscript,
    fp_steal, inquiry, leave_recursion, raw_hash, traverseproc, visitproc,
)
from fastprims._common.ext cimport refuse_again, refuse_pickle

import gc
import os
from collections.abc import Mapping, MutableMapping
from types import GenericAlias

from fastprims._common.record import record
from fastprims._maps.views import CtrieItems, CtrieKeys, CtrieValues, show

include "merging.pxi"
include "ctrie_base.pxi"
include "ctrie.pxi"
include "topic.pxi"
include "sweeping.pxi"
