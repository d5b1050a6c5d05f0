# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""The ends of queues for event loops, and select.

One module, in parts; each part builds on those before it.
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims._atomics.ext cimport (
    AtomicFlag, listen_to_flag, test_flag, unlisten_to_flag,
)
from fastprims._common cimport core as _core
from fastprims._common.core cimport fp_event, fp_hub, fp_listener, fp_status
from fastprims._common.cpython_compat cimport (
    DECREF, INCREF, PyDict_Contains, PyImport_GetModuleDict, fp_constant, fp_new_reference,
    fp_propagate, fp_publish, fp_set_gc, fp_steal, fp_visit_due, inquiry, traverseproc, visitproc,
)
from fastprims._common.ext cimport (
    check_timeout, deadline_of, host, may_poll, must_wait, refuse_again, refuse_pickle, to_bool,
    to_most,
)
from fastprims._queues.ext cimport BaseQueue, Offered, listen, pass_turn, unlisten

import sys
import threading
import types
from asyncio import QueueEmpty, QueueFull, get_running_loop
from asyncio import _get_running_loop as asyncio_here
from queue import Empty, Full
from random import random
from weakref import WeakKeyDictionary, ref

from fastprims._aio.errors import QueueShutDown
from fastprims._common.hub import sleep_of_hub
from fastprims._errors import ShutDown
from fastprims._queues import opened

include "trio.pxi"
include "hub.pxi"
include "waiter.pxi"
include "call.pxi"
include "end.pxi"
include "select.pxi"
