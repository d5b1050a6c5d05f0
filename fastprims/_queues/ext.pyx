# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""The queues for threads: SimpleQueue, the base of the drop-in classes, the rings, the channel.

One module, in parts; each part builds on those before it.
"""

cimport cython
from cpython.object cimport Py_LT, PyObject
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint64_t

from fastprims._common cimport core as _core
from fastprims._common.core cimport (
    fp_attempt, fp_bool, fp_lock, fp_lock_acquire, fp_lock_init, fp_lock_release, fp_status,
)
from fastprims._common.cpython_compat cimport (
    DECREF, INCREF, OPEN, PyErr_CheckSignals, PyErr_ExceptionMatches, PyErr_WriteUnraisable,
    PyObject_CallOneArg, PyObject_RichCompareBool, PyThread_get_thread_ident, PyTypeObject, Py_TYPE,
    UNCHECKED, XDECREF, fp_attributes, fp_call_method, fp_class_version, fp_constant,
    fp_delete_plainly, fp_drop, fp_drop_listeners, fp_fastcall, fp_forget_front, fp_hand_over,
    fp_hand_over_all, fp_inherit_secretly, fp_is_heap_type, fp_keep, fp_list_buffer, fp_move_items,
    fp_new_reference, fp_overrides_len, fp_own_methods, fp_pause_collector, fp_propagate,
    fp_publish, fp_receive, fp_receive_all, fp_remove_plainly, fp_resume_collector,
    fp_set_attributes, fp_set_fastcall, fp_set_gc, fp_set_plainly, fp_show_list, fp_small_int,
    fp_steal, fp_take_attribute, fp_visit_listeners, inquiry, traverseproc, visitproc,
)
from fastprims._common.ext cimport (
    AT_ONCE, Layout, Wait, check_role, check_timeout, deadline_of, host, may_poll, must_wait, poll,
    raise_for_status, refuse_again, refuse_pickle, rest_of, to_bool, to_count, to_index, to_most,
    to_size, until, untracked_list,
)

import copyreg
import threading
from _weakref import ref
from collections import deque
from functools import partial
from heapq import heappop
from math import ceil
from queue import Empty, Full
from threading import Condition, main_thread
from types import GenericAlias

from fastprims._common.hub import sleep_of_hub
from fastprims._common.record import record
from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._queues import channel_options, opened
from fastprims._queues.standard import LifoQueue, PriorityQueue, Queue

include "attempts.pxi"
include "listening.pxi"
include "base.pxi"
include "fastcall.pxi"
include "simple.pxi"
include "inside.pxi"
include "native.pxi"
include "rings.pxi"
include "channel.pxi"
include "collection.pxi"
