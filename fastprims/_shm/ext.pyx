# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""ShmRing, and the segment of shared memory under it and under ShmQueue.

One module, in parts; each part builds on those before it.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_status, fp_sync_u64_fetch_add_seq_cst
from fastprims._common.cpython_compat cimport fp_publish
from fastprims._common.ext cimport (
    AT_ONCE, Wait, host, must_wait, raise_for_status, refuse_again, set_wait, to_bool, to_count,
    to_most, until,
)

import os
from _weakref import ref  # built in; weakref would be one more module to import
from queue import Empty, Full

from fastprims._common.record import record
from fastprims._errors import ItemTooLarge

include "segment.pxi"
include "copy.pxi"
include "span.pxi"
include "ring.pxi"
