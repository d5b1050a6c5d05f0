# cython: language_level=3, binding=False, freethreading_compatible=True, auto_pickle=False
# cython: embedsignature=True, embedsignature.format=clinic
# cython: profile=False, linetrace=False, boundscheck=False, wraparound=False
"""Objects in the records of a segment: the calls of ShmQueue that move them.

The calls are compiled. In a Python function, a signal handler may run, and raise, between any two
steps: after a record was taken, but before it is returned. Here handlers run only while Python code
runs: while an object is pickled, before anything is stored; and while one is unpickled, when a
failure keeps the record for the next call.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport UINT64_MAX, uint64_t
from libc.string cimport memcpy

from fastprims._common cimport core as _core
from fastprims._common.ext cimport AT_ONCE, Wait, refuse_again, set_wait, to_most
from fastprims._shm.ext cimport (
    Parts, Segment, fp_shm_part, fp_shm_view, to_bytearray, to_bytes,
)

from _signal import NSIG as _NSIG  # without the Python functions that signal puts around it
from _signal import getsignal
from functools import partial
from opcode import opmap
from pickle import loads
from queue import Full
from types import FunctionType, GenericAlias, MethodType

from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._shm.pickling import BYTES as _BYTES
from fastprims._shm.pickling import PICKLE as _PICKLE
from fastprims._shm.pickling import decode_framed, encode

cdef int NSIG = _NSIG
cdef int CO_VARARGS = 0x04
cdef frozenset RAISES = frozenset([opmap["RAISE_VARARGS"], opmap["RERAISE"]])
cdef uint64_t BYTES = _BYTES
cdef uint64_t PICKLE = _PICKLE


@cython.final
@cython.freelist(8)
@cython.trashcan(True)  # a batch that was kept is a long chain
cdef class Record:
    """A record that was taken from a ring, until its object is returned. Written by the thread that
    has taken it, from the ring or from the kept records; `next` of a kept record is written within
    the queue's critical section."""
    cdef uint64_t tag
    cdef uint64_t forks  # of the process that has taken it
    cdef object rest  # the object itself, if the tag is BYTES
    cdef bint failed  # unpickling has failed once, for a reason that may pass
    cdef Record next


cdef Record to_record(const fp_shm_view* view):
    """A record too short for a tag gets the largest tag and an empty rest; decode() refuses it."""
    cdef Record record = Record.__new__(Record)
    record.forks = view.forks
    if view.size < sizeof(record.tag):
        record.tag = UINT64_MAX
        record.rest = b""
        return record
    memcpy(&record.tag, view.start, sizeof(record.tag))
    if record.tag == BYTES or record.tag == PICKLE:
        record.rest = to_bytes(view, sizeof(record.tag))
    else:
        record.rest = to_bytearray(view, sizeof(record.tag))
    return record


cdef object decode(Record record):
    if record.tag == PICKLE:
        return loads(record.rest)
    return decode_framed(record.tag, record.rest)


# Why unpickling failed. This part runs no Python code, so no signal handler either. ---------------

cdef bint is_handler(object code):
    """True if that is the code of an installed signal handler."""
    cdef int number
    for number in range(1, NSIG):
        handler = getsignal(number)
        while type(handler) is partial or type(handler) is MethodType:
            handler = handler.func if type(handler) is partial else handler.__func__
        if type(handler) is FunctionType and handler.__code__ is code:
            return True
    return False


cdef bint is_called_as_handler(object frame):
    """True if two arguments in a row are the number of a signal and the interrupted frame. This
    recognizes a handler that is no longer installed, or that is no plain function."""
    code = frame.f_code
    cdef Py_ssize_t i, count = code.co_argcount
    arguments = []
    for i in range(count + ((code.co_flags & CO_VARARGS) != 0)):
        if i == count:  # *args comes after the keyword-only arguments
            i += code.co_kwonlyargcount
        value = frame.f_locals.get(code.co_varnames[i])
        if i < count:
            arguments.append(value)
        elif type(value) is tuple:
            arguments += value
    for i in range(len(arguments) - 1):
        if isinstance(arguments[i], int) and arguments[i + 1] is frame.f_back:
            return frame.f_back is not None
    return False


cdef bint is_from_handler(object error):
    trace = error.__traceback__
    while trace is not None:
        if is_called_as_handler(trace.tb_frame) or is_handler(trace.tb_frame.f_code):
            return True
        trace = trace.tb_next
    return False


cdef bint is_raised_by_statement(object error):
    """True if the innermost Python frame is at a `raise`; for Ctrl-C it is not."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_code
    return 0 <= trace.tb_lasti < len(code) and code[trace.tb_lasti] in RAISES


cdef bint is_at_fault(Record record, object error):
    """True if unpickling would fail again. If that is unknown, it is tried once more."""
    cdef bint again = record.failed
    if is_from_handler(error):
        return False
    if isinstance(error, KeyboardInterrupt) and not is_raised_by_statement(error):
        return False
    if isinstance(error, (MemoryError, RecursionError)) or not isinstance(error, Exception):
        record.failed = True
        return again
    return True


@cython.no_gc_clear  # the ring is needed to the end; a cycle is broken at the Records
cdef class ShmQueueCore:
    """The half of ShmQueue that must not be interrupted."""

    cdef Segment ring  # written once, by _adopt()
    # Records that were taken and not returned, in the order of the ring: a thread adds records in
    # front, and takes one from the ring only if there is none here. Any thread may change it,
    # within the critical section.
    cdef Record kept
    # How many there are. Written within the critical section. Waiters read it outside; each reads
    # it again after at most FP_SHM_EVENT_SLICE of sleep, so no thread has to wake them.
    cdef _core.fp_sync_u64 count

    @classmethod
    def __class_getitem__(cls, item):
        """Generic alias: ShmQueue[int]."""
        return GenericAlias(cls, item)

    cdef int check(self) except -1:
        if self.ring is None:
            raise RuntimeError(f"this {type(self).__name__} was not made: call __init__() first")
        return 0

    def _adopt(self, Segment ring):
        cdef bint first
        if ring is None:
            raise TypeError("a ring is needed, not None")
        with cython.critical_section(self):
            first = self.ring is None
            if first:
                self.ring = ring
        if not first:
            refuse_again(self)

    @property
    def _ring(self):
        self.check()
        return self.ring

    @property
    def _made(self):
        return self.ring is not None

    # Records that an interrupt has left. ----------------------------------------------------------

    cdef void keep(self, Record first, Record last, uint64_t count) noexcept:
        with cython.critical_section(self):
            last.next = self.kept
            self.kept = first
            count += _core.fp_sync_u64_load_relaxed(&self.count)
            # Seq_cst: pairs with the load in run_peek(), which Segment.peek_record() repeats.
            _core.fp_sync_u64_store_seq_cst(&self.count, count)

    cdef bint is_for_us(self, Record record) noexcept:
        """False: the parent process has the record, or it is to be dropped."""
        return (self.ring.is_from_here(record.forks) and not self.ring.is_discarding()
                and not self.ring.is_released())

    cdef Record next_kept(self):
        cdef Record record
        # Relaxed: a hint; the records themselves are read within the critical section.
        while _core.fp_sync_u64_load_relaxed(&self.count) != 0:
            with cython.critical_section(self):
                record = self.kept
                if record is not None:
                    self.kept = record.next
                    _core.fp_sync_u64_store_seq_cst(
                        &self.count, _core.fp_sync_u64_load_relaxed(&self.count) - 1)
            if record is None:
                break
            record.next = None
            if self.is_for_us(record):
                return record
        return None

    def _count_kept(self):
        cdef Record record
        cdef uint64_t count = 0
        self.check()
        if _core.fp_sync_u64_load_relaxed(&self.count) != 0:  # relaxed: as above
            with cython.critical_section(self):
                record = self.kept
                while record is not None:
                    count += self.is_for_us(record)
                    record = record.next
        return count

    def _drop_kept(self):
        cdef Record dropped
        with cython.critical_section(self):
            dropped = self.kept
            self.kept = None
            _core.fp_sync_u64_store_seq_cst(&self.count, 0)
        del dropped  # may run any code

    # Taking. --------------------------------------------------------------------------------------

    cdef Record take(self, Wait* wait, bint quiet):
        """The next record: a kept one, or else one of the ring. `quiet`: None if there is none."""
        cdef fp_shm_view view
        cdef Record record
        self.check()
        while True:
            record = self.next_kept()
            if record is not None:
                return record
            if not self.ring.peek_record(&view, wait, quiet, &self.count):
                return None
            if view.start != NULL:
                break
            # Another thread's call has kept a record meanwhile: take that one.
        try:
            record = to_record(&view)
        except MemoryError:
            self.ring.reject_record(&view)
            raise
        self.ring.accept_record(&view)
        return record

    cdef object take_object(self, Wait* wait, bint quiet, object default):
        cdef Record record = self.take(wait, quiet)
        if record is None:
            return default
        if record.tag == BYTES:
            return record.rest
        try:
            return decode(record)
        except BaseException as error:
            if not is_at_fault(record, error):
                self.keep(record, record, 1)
            raise

    cdef list take_objects(self, Py_ssize_t most, Wait* wait):
        cdef Record first = self.take(wait, False)
        cdef Record last = first, before = None, record = None
        cdef Py_ssize_t i, count = 1
        cdef list objects
        try:
            while count < most:
                record = self.take(&AT_ONCE, True)
                if record is None:
                    break
                last.next = record
                last = record
                count += 1
        except Exception:  # not of a handler: none runs. If the cause lasts, the next call raises.
            pass
        record = None
        try:
            for _ in range(count):
                record = first if before is None else before.next
                if record.tag != BYTES:
                    record.rest = decode(record)
                    record.tag = BYTES
                before = record
            # Made only now: code that runs while an object is unpickled could find a list, and
            # change it.
            record = None
            objects = [None] * count
            record = first
            for i in range(count):
                objects[i] = record.rest
                record = record.next
        except BaseException as error:
            if record is not None and is_at_fault(record, error):
                count -= 1
                if record is last:
                    last = before
                if before is None:
                    first = record.next
                else:
                    before.next = record.next
            if count != 0:
                self.keep(first, last, <uint64_t>count)
            raise
        return objects

    def get(self, bint block=True, timeout=None):
        """Remove the next object and return it. If there is none, wait, at most `timeout` seconds;
        with block=False, don't wait. Raises Empty, ShutDown once the queue is drained, ValueError
        after close(); then it has taken nothing.

        Raises what unpickling raises, and pickle.UnpicklingError for a record whose parts do not
        fit together, which no put() has written. Such an object is gone, and the next get goes on
        with the one after it. But an interrupt of unpickling (Ctrl-C, or whatever a signal handler
        raises) leaves the object to this process's next get. So does, once, an exception that may
        have another cause: MemoryError, RecursionError, and any that is no Exception, such as
        SystemExit.
        """
        cdef Wait wait
        set_wait(&wait, block, timeout)
        return self.take_object(&wait, False, None)

    def get_nowait(self):
        """get(block=False)."""
        return self.take_object(&AT_ONCE, False, None)

    def try_get(self, default=None):
        """Remove and return the next object, or `default` if there is none."""
        return self.take_object(&AT_ONCE, True, default)

    def get_many(self, max_items, block=True, timeout=None):
        """Wait for the first object as get() does, then take the objects that are there,
        `max_items` at most. Unpickling begins when all are taken. Raises what get() raises; if
        unpickling one object raises, the others are left to this process's next gets.
        """
        cdef Py_ssize_t most = to_most(max_items)
        cdef Wait wait
        set_wait(&wait, block, timeout)
        return self.take_objects(most, &wait) if most != 0 else []

    # Storing. -------------------------------------------------------------------------------------

    cdef bint store(self, uint64_t tag, list items, Wait* wait, bint quiet) except? False:
        cdef fp_shm_part two[2]
        cdef Parts all
        self.check()
        two[0] = [&tag, sizeof(tag)]
        if len(items) == 1 and type(items[0]) is bytes:  # nearly always
            two[1] = [PyBytes_AS_STRING(items[0]), <uint64_t>PyBytes_GET_SIZE(items[0])]
            return self.ring.put_parts(two, 2, two[1].size + sizeof(tag), wait, quiet)
        all = Parts(items, 1)
        all.parts[0] = two[0]
        return self.ring.put_parts(
            all.parts, all.count + 1, all.size + sizeof(tag), wait, quiet)

    def put(self, obj, bint block=True, timeout=None):
        """Pickle `obj` and store it. If there is no room, wait, at most `timeout` seconds; with
        block=False, don't wait. Raises Full, ShutDown, ItemTooLarge, ValueError after close(), and
        what pickling raises; a call that raises has stored nothing.
        """
        cdef Wait wait
        tag, parts = encode(obj)
        set_wait(&wait, block, timeout)
        self.store(tag, parts, &wait, False)

    def put_nowait(self, obj):
        """put(obj, block=False)."""
        tag, parts = encode(obj)
        self.store(tag, parts, &AT_ONCE, False)

    def try_put(self, obj):
        """Store `obj` and return True, or False if there is no room."""
        tag, parts = encode(obj)
        return self.store(tag, parts, &AT_ONCE, True)

    def put_many(self, iterable, block=True, timeout=None):
        """Store the objects one after the other and return how many were stored: all, or fewer if
        there was no room in time or the queue was shut down meanwhile. Raises Full (ShutDown) if
        not a single object could be stored. All are pickled before the first is stored; if that
        raises, or one is too large, nothing is stored. An interrupt can then come only while the
        call waits for room; the objects stored so far remain.
        """
        self.check()
        cdef list encoded = [encode(obj) for obj in iterable]
        cdef size_t stored = 0
        cdef Wait wait
        set_wait(&wait, block, timeout)
        cdef uint64_t most = self.ring.core.most - sizeof(uint64_t)
        for number, (_, parts) in enumerate(encoded):
            size = sum([memoryview(part).nbytes for part in parts])
            if size > most:
                raise ItemTooLarge(
                    f"object {number} takes {size} bytes; max_item_size is {most}: "
                    "make the queue with a larger capacity")
        for tag, parts in encoded:
            try:
                self.store(tag, parts, &wait, False)
            except (Full, ShutDown):
                if stored == 0:
                    raise
                break
            stored += 1
        return stored
