# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""How arguments become numbers, how threads wait, and other code that all wings use.

One module, in parts; each part builds on those before it.
"""

from libc.math cimport HUGE_VAL, ceil, isnan
from libc.stdint cimport int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_attempt, fp_bool, fp_status
from fastprims._common.cpython_compat cimport (
    COMPILER, FREE_THREADED, HAND_OVER, PyDict_Contains, PyErr_CheckSignals, PyErr_SetString,
    PyFloat_AsDouble, PyImport_GetModuleDict, PyList_New, PyNumber_AsSsize_t, PySequence_List,
    fp_hide_list, fp_host_restore, fp_host_save, fp_is_unshared, fp_propagate, fp_show_list,
)

import sys
from operator import index
from queue import Empty, Full

from fastprims._common.hub import name_of_hub
from fastprims._errors import ShutDown

include "numbers.pxi"
include "waiting.pxi"
include "lists.pxi"
include "refusals.pxi"
include "build_info.pxi"
