"""Rings of 64-bit words and of bytes that C threads share: no Python objects in them.

`fastprims.raw` needs cffi (``pip install 'fastprims[shm]'``) when fastprims is built and when it is
used; without it, importing this module raises ImportError. The structures are those of
`fastprims.h`, the header for C and C++ (`fastprims.get_include()`), compiled with real atomics even
under the GIL: whoever has the address of a ring may use it, from any thread, through cffi, ctypes
or C:

- `ring.handle` is the cffi pointer, `ring.address` the same as an integer, for
  ``ctypes.c_void_p(ring.address)``;
- `lib` and `ffi` have the functions of the header for cffi, `library` is the path of the shared
  library that has them, for ``ctypes.CDLL``.

cffi gives up the GIL around every call, so a call costs more than one of `fastprims.SPSCRing` or
`fastprims.MPMCRing`. These rings are for what comes from, or goes to, threads that know no Python.

What all classes have is the queue protocol: `put`, `get` with `block` and `timeout` (seconds),
`put_nowait`, `get_nowait`, `try_put`, `try_get`, `put_many`, `get_many`, `qsize`, `shutdown`. A wait
ends within 100 ms of a Ctrl-C. A time-out or an interrupt loses nothing: if a signal handler raises
after something was taken and before it was returned, the next get of this object returns it. (A put
that is interrupted at the very end may have stored its item, as if the signal had come after it.)
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import repeat, starmap
from math import isnan
from operator import index
from queue import Empty, Full
from typing import Any, Generic, NoReturn, TypeVar, overload

from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._stats import QueueStats

__all__ = ["MPMCWords", "SPSCBytes", "SPSCWords", "ffi", "lib", "library"]


def _load() -> Any:
    try:
        import_module("_cffi_backend")  # what _raw needs, for a sentence of its own
    except ImportError as missing:
        raise ImportError(
            "fastprims.raw needs cffi, which is not installed: pip install 'fastprims[shm]' (on a "
            "free-threaded Python from 3.14 on)"
        ) from missing
    try:
        return import_module("fastprims._raw")
    except ImportError as missing:
        raise ImportError(
            "this copy of fastprims was built without cffi and has no fastprims.raw: install "
            "fastprims again, now that cffi is there"
        ) from missing


_raw = _load()

ffi: Any = _raw.ffi
"""The functions of fastprims.h for cffi: `lib.fastprims_ring_put(ring.handle, 1, 0)`."""
lib: Any = _raw.lib

library: str = _raw.__file__
"""The path of the shared library that has the functions of fastprims.h, for ctypes.CDLL."""

_T = TypeVar("_T")
_D = TypeVar("_D")

_OK, _FULL, _EMPTY = int(lib.FASTPRIMS_OK), int(lib.FASTPRIMS_FULL), int(lib.FASTPRIMS_EMPTY)
_CLOSED, _TOO_LARGE = int(lib.FASTPRIMS_CLOSED), int(lib.FASTPRIMS_TOO_LARGE)
_NOT_OWNER, _DAMAGED = int(lib.FASTPRIMS_NOT_OWNER), int(lib.FASTPRIMS_DAMAGED)

_FOREVER_NS = -1
_SLICE = 0.05
"""Seconds that the main thread waits at a time: signal handlers run in between."""
_LONGEST = 9e9
"""Seconds; what fits into 63 bits of nanoseconds."""


def _end_of(timeout: float | None) -> float | None:
    """The monotonic time at which a wait has to end; None: never."""
    if timeout is None:
        return None
    if isnan(timeout):
        raise ValueError("'timeout' must be a number of seconds, not nan")
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number of seconds")
    if timeout > _LONGEST:
        raise OverflowError(
            f"timeout value is too large: at most {_LONGEST:.0f} seconds; use None to wait without "
            "limit"
        )
    return time.monotonic() + timeout


def _wait(call: Callable[[int], int], unmet: int, end: float | None) -> int:
    """Repeat the call, giving it the nanoseconds it may wait, until it answers something else."""
    in_slices = threading.current_thread() is threading.main_thread()
    while True:
        left = _LONGEST if end is None else max(0.0, end - time.monotonic())
        if in_slices and left > _SLICE:
            status = call(int(_SLICE * 1e9))
        else:
            status = call(_FOREVER_NS if end is None else int(left * 1e9))
        if status != unmet or left == 0.0:
            return status


def _to_size(value: int, name: str, most: int) -> int:
    try:
        size = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if size < 1:
        raise ValueError(f"{name} must be 1 or more, not {size}")
    if size > most:
        raise OverflowError(f"{name} {size} is more than memory can hold; at most {most}")
    return size


class _Ring(Generic[_T]):
    """What the rings have in common: the reference to a C structure, and the protocol."""

    # The C functions of the structure.
    _release: Any
    _close: Any
    _is_closed: Any
    _count: Any
    _waits: Any

    def __init__(self, handle: Any) -> None:
        if handle == ffi.NULL:
            raise MemoryError(f"no memory for the {type(self).__name__}")
        self._handle = ffi.gc(handle, self._release)
        # Items that were taken and not returned, because a signal handler raised in between.
        self._kept: deque[_T] = deque()

    @property
    def handle(self) -> Any:
        """The ring as cffi has it. It is freed with this object, unless C code holds a reference
        of its own (`fastprims_ring_retain`, `fastprims_bytes_retain`).
        """
        return self._handle

    @property
    def address(self) -> int:
        """The same as an integer: the pointer that C functions and ctypes take."""
        return int(ffi.cast("uintptr_t", self._handle))

    def _take_kept(self, most: int) -> list[_T]:
        taken: list[_T] = []
        try:  # one call in C: no signal handler runs between taking and storing
            taken.extend(starmap(self._kept.popleft, repeat((), most)))
        except IndexError:  # that was all
            pass
        except BaseException:
            self._kept.extendleft(reversed(taken))
            raise
        return taken

    def _refuse(self, status: int) -> NoReturn:
        if status == _FULL:
            raise Full
        if status == _EMPTY:
            raise Empty
        if status == _CLOSED:
            raise ShutDown
        if status == _NOT_OWNER:
            raise RuntimeError(
                f"this side of the {type(self).__name__} belongs to another thread: it allows one "
                "producer thread and one consumer thread. Let the owner call release_producer() or "
                "release_consumer() first"
            )
        raise RuntimeError(
            f"the memory of this {type(self).__name__} was overwritten by C code (status {status}); "
            "make a new one"
        )

    # Supplied by the subclasses. `end` is a time, None for ever; 0.0 does not wait.

    def _put(self, item: Any, end: float | None) -> int:
        raise NotImplementedError

    def _get(self, end: float | None) -> tuple[int, _T | None]:
        raise NotImplementedError

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Store the item. If there is no room: wait, at most `timeout` seconds; with block=False
        don't wait. Raises Full if there was no room in time, ShutDown after shutdown().
        """
        status = self._put(item, _end_of(timeout) if block else 0.0)
        if status != _OK:
            self._refuse(status)

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        """Remove and return the next item. If there is none: wait, at most `timeout` seconds; with
        block=False don't wait. Raises Empty if none came in time, ShutDown after shutdown() once
        the ring is drained.
        """
        status, item = self._get(_end_of(timeout) if block else 0.0)
        if item is None:
            self._refuse(status)
        return item

    def put_nowait(self, item: Any) -> None:
        """Store the item if there is room now, else raise Full."""
        self.put(item, block=False)

    def get_nowait(self) -> _T:
        """Remove and return the next item, or raise Empty."""
        return self.get(block=False)

    def try_put(self, item: Any) -> bool:
        """Store the item and return True, or return False if there is no room. Raises ShutDown
        after shutdown().
        """
        status = self._put(item, 0.0)
        if status == _FULL:
            return False
        if status != _OK:
            self._refuse(status)
        return True

    @overload
    def try_get(self) -> _T | None: ...
    @overload
    def try_get(self, default: _D) -> _T | _D: ...
    def try_get(self, default: Any = None) -> Any:
        """Remove and return the next item, or return `default` if there is none. Raises ShutDown
        after shutdown() once the ring is drained.
        """
        status, item = self._get(0.0)
        if item is not None:
            return item
        if status != _EMPTY:
            self._refuse(status)
        return default

    def qsize(self) -> int:
        """Items in the ring, at some moment during the call."""
        puts, gets = self._pair(self._count)
        return puts - gets + len(self._kept)

    def __len__(self) -> int:
        return self.qsize()

    def __bool__(self) -> bool:
        return True

    def empty(self) -> bool:
        """True if there was no item at some moment during the call."""
        return self.qsize() == 0

    def shutdown(self, immediate: bool = False) -> None:
        """From now on every put raises ShutDown; gets deliver what is left and then raise it too.
        immediate=True drops what is left. Wakes all waiting threads, those of C included.
        """
        self._close(self._handle, bool(immediate))
        if immediate:
            self._kept.clear()

    @property
    def is_shutdown(self) -> bool:
        """True once shutdown() was called, or fastprims_ring_close by C code."""
        return bool(self._is_closed(self._handle))

    def _bound(self) -> str:
        raise NotImplementedError

    def _most(self) -> int:
        raise NotImplementedError

    def stats(self) -> QueueStats:
        """Counts since the ring was made, what C threads did included."""
        puts, gets = self._pair(self._count)
        put_waits, get_waits = self._pair(self._waits)
        return QueueStats(puts, gets, puts - gets, self._most(), put_waits, get_waits)

    def _pair(self, call: Callable[[Any, Any, Any], None]) -> tuple[int, int]:
        numbers = ffi.new("uint64_t[2]")
        call(self._handle, numbers, numbers + 1)
        return numbers[0], numbers[1]

    def __repr__(self) -> str:
        state = " shut down" if self.is_shutdown else ""
        return (
            f"<{type(self).__module__}.{type(self).__qualname__} {self._bound()} "
            f"size={self.qsize()}{state} at {self.address:#x}>"
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"cannot pickle or copy a {type(self).__name__}: it belongs to the threads of one "
            "process"
        )


class _Words(_Ring[int]):
    """Rings of 64-bit words."""

    _release = lib.fastprims_ring_release
    _close = lib.fastprims_ring_close
    _is_closed = lib.fastprims_ring_is_closed
    _count = lib.fastprims_ring_count
    _waits = lib.fastprims_ring_waits
    _kind: int

    def __init__(self, capacity: int) -> None:
        size = _to_size(capacity, "capacity", 2**63 // 32)
        super().__init__(lib.fastprims_ring_new(self._kind, size))

    def _most(self) -> int:
        return int(lib.fastprims_ring_capacity(self._handle))

    def _bound(self) -> str:
        return f"maxsize={self._most()}"

    @property
    def maxsize(self) -> int:
        """Most words at a time."""
        return self._most()

    def full(self) -> bool:
        """True if there was no room at some moment during the call."""
        puts, gets = self._pair(self._count)
        return puts - gets >= self._most()

    def _put(self, item: int, end: float | None) -> int:
        ring = self._handle
        status: int = lib.fastprims_ring_put(ring, item, 0)
        if status == _FULL and end != 0.0:
            status = _wait(lambda ns: int(lib.fastprims_ring_put(ring, item, ns)), _FULL, end)
        return status

    def _get(self, end: float | None) -> tuple[int, int | None]:
        if self._kept and (kept := self._take_kept(1)):
            return _OK, kept[0]
        ring, box = self._handle, ffi.new("struct word_box *")
        try:
            status = lib.take_word(ring, box, 0)
            if status == _EMPTY and end != 0.0:
                status = _wait(lambda ns: int(lib.take_word(ring, box, ns)), _EMPTY, end)
            return status, (box.word if box.taken else None)
        except BaseException:
            if box.taken:
                self._kept.append(box.word)
            raise

    def put_many(
        self, words: Iterable[int], block: bool = True, timeout: float | None = None
    ) -> int:
        """Store the words one after the other and return how many were stored: all, or fewer if
        there was no room in time (block=False: at once) or the ring was shut down meanwhile. Raises
        Full (ShutDown) if not a single one could be stored. An `array` or buffer of unsigned 64-bit
        integers is read in place. An interrupt leaves those stored so far in the ring.
        """
        end = _end_of(timeout) if block else 0.0
        ring, done, stored = self._handle, ffi.new("size_t *"), 0
        items = _words_of(words)

        def store(ns: int) -> int:
            nonlocal stored
            status = lib.fastprims_ring_put_many(
                ring, items + stored, len(items) - stored, done, ns
            )
            stored += done[0]
            return int(status)

        status = store(0)
        if status == _FULL and end != 0.0:
            status = _wait(store, _FULL, end)
        if status != _OK and stored == 0:
            self._refuse(status)
        return stored

    def get_many(
        self, max_items: int, block: bool = True, timeout: float | None = None
    ) -> list[int]:
        """Wait for the first word as get() does, then take what is there, `max_items` at most, and
        return it as a list. Raises what get() raises, with nothing taken.
        """
        most = _most_items(max_items)
        end = _end_of(timeout) if block else 0.0
        if most == 0:
            return []
        if self._kept and (kept := self._take_kept(most)):
            return kept
        ring, done = self._handle, ffi.new("size_t *")
        puts, gets = self._pair(self._count)
        room = min(most, max(64, puts - gets))
        words = ffi.new("uint64_t[]", room)

        def take(ns: int) -> int:
            return int(lib.fastprims_ring_get_many(ring, words, room, done, ns))

        try:
            status = take(0)
            if status == _EMPTY and end != 0.0:
                status = _wait(take, _EMPTY, end)
            if done[0]:
                return list(ffi.unpack(words, done[0]))
        except BaseException:
            self._kept.extend(ffi.unpack(words, done[0]))
            raise
        self._refuse(status)


class MPMCWords(_Words):
    """Bounded FIFO ring of 64-bit words (0 … 2⁶⁴ - 1) for any number of threads: exactly `capacity`
    of them (1 or more), 16 bytes each, allocated at once and never again.

    put and get are lock-free on targets with a 16-byte compare-and-swap (x86-64, ARM64:
    `lib.fastprims_is_lock_free()`); elsewhere a thread suspended inside an operation stops those
    that reach its slot. O(1). Each takes effect at one instant between call and return; Full and
    Empty were true at one such instant. A word out of range raises OverflowError, what is no
    integer TypeError, and nothing is stored.

    csrc/fp_mpmc.h has the algorithm (the family of Shann, Huang and Chen).
    """

    _kind = int(lib.FASTPRIMS_MPMC)


class _Roles:
    """One producer thread and one consumer thread."""

    _handle: Any
    _release_producer: Any
    _release_consumer: Any

    def release_producer(self, *, force: bool = False) -> None:
        """Give the producer's role back: the next thread that puts has it. Raises RuntimeError if
        another thread has it, unless force=True, which takes it away: only for a thread that has
        ended or will certainly not use the ring again.
        """
        self._give_back(self._release_producer, "producer", force)

    def release_consumer(self, *, force: bool = False) -> None:
        """Give the consumer's role back, as release_producer()."""
        self._give_back(self._release_consumer, "consumer", force)

    def _give_back(self, call: Callable[[Any, bool], int], role: str, force: bool) -> None:
        if call(self._handle, bool(force)) != _OK:
            raise RuntimeError(
                f"the {role}'s role of this {type(self).__name__} belongs to another thread: only "
                "its owner can give it back. If that thread has ended, use force=True"
            )


class SPSCWords(_Words, _Roles):
    """Bounded FIFO ring of 64-bit words (0 … 2⁶⁴ - 1) from one producer thread to one consumer
    thread: exactly `capacity` of them (1 or more), 8 bytes each, allocated at once and never again.

    What doesn't wait is wait-free and O(1). The first thread that puts, be it one of C or of
    Python, owns the producer's role, the first that gets the consumer's; another thread gets
    RuntimeError (in C: FASTPRIMS_NOT_OWNER) until the owner has handed the role over. A word out of
    range raises OverflowError, what is no integer TypeError, and nothing is stored.

    csrc/fp_spsc.h has the algorithm (Lamport's ring with cached indices).
    """

    _kind = int(lib.FASTPRIMS_SPSC)
    _release_producer = lib.fastprims_ring_release_producer
    _release_consumer = lib.fastprims_ring_release_consumer


class SPSCBytes(_Ring[bytes], _Roles):
    """FIFO ring of byte records from one producer thread to one consumer thread, in one piece of
    memory of `room` bytes, rounded up to a power of two (32 B … 512 MiB).

    A record is anything with the buffer interface, of 0 … `max_item_size` bytes, which is
    room / 2 - 8 at most and by default; a longer one raises ItemTooLarge, and nothing is stored. It
    takes its size, rounded up to 8, and 8 bytes more, and lies in one piece, so Full depends on its
    size. `get` returns bytes, `get_into` copies to where you say.

    What doesn't wait is wait-free but for the copying, O(bytes). Roles are those of SPSCWords.

    csrc/fp_lane.h has the algorithm; C code may write and read records in place
    (`fastprims_bytes_reserve`, `fastprims_bytes_peek`).
    """

    _release = lib.fastprims_bytes_release
    _close = lib.fastprims_bytes_close
    _is_closed = lib.fastprims_bytes_is_closed
    _count = lib.fastprims_bytes_count
    _waits = lib.fastprims_bytes_waits
    _release_producer = lib.fastprims_bytes_release_producer
    _release_consumer = lib.fastprims_bytes_release_consumer

    def __init__(self, room: int, max_item_size: int | None = None) -> None:
        size = max(32, _to_size(room, "room", 2**29))
        limit = (1 << (size - 1).bit_length()) // 2 - 8
        most = limit if max_item_size is None else _to_size(max_item_size, "max_item_size", 2**29)
        if most > limit:
            raise ValueError(
                f"records of {most} bytes need room={2 * most + 16} or more, not {room}: one may "
                "take half of the room"
            )
        super().__init__(lib.fastprims_bytes_new(size, most))

    def _most(self) -> int:
        return self.room // 8

    def _bound(self) -> str:
        return f"room={self.room} max_item_size={self.max_item_size}"

    @property
    def room(self) -> int:
        """Bytes of memory for records and their headers."""
        return int(lib.fastprims_bytes_room(self._handle))

    @property
    def max_item_size(self) -> int:
        """Bytes of the largest record."""
        return int(lib.fastprims_bytes_most(self._handle))

    def _put(self, item: Any, end: float | None) -> int:
        ring, data = self._handle, ffi.from_buffer(item)
        size = len(data)
        status: int = lib.fastprims_bytes_put(ring, data, size, 0)
        if status == _FULL and end != 0.0:
            status = _wait(
                lambda ns: int(lib.fastprims_bytes_put(ring, data, size, ns)), _FULL, end
            )
        if status == _TOO_LARGE:
            raise ItemTooLarge(
                f"a record of {size} bytes is larger than max_item_size={self.max_item_size}"
            )
        return status

    def _look(self, box: Any, end: float | None) -> int:
        ring = self._handle
        status: int = lib.look_at_record(ring, box, 0)
        if status == _EMPTY and end != 0.0:
            status = _wait(lambda ns: int(lib.look_at_record(ring, box, ns)), _EMPTY, end)
        return status

    def _get(self, end: float | None) -> tuple[int, bytes | None]:
        if self._kept and (kept := self._take_kept(1)):
            return _OK, kept[0]
        data, box = b"", ffi.new("struct record_box *")
        try:
            while (status := self._look(box, end)) == _OK:
                data = bytes(ffi.buffer(box.where, box.size))
                lib.take_record(self._handle, box)
                if box.taken:
                    return status, data
                # A signal handler has taken it meanwhile.
        except BaseException:
            if box.taken:
                self._kept.append(data)
            raise
        return status, None

    def get_into(self, buffer: Any, block: bool = True, timeout: float | None = None) -> int:
        """Remove the next record, copy it to the start of the writable `buffer` (bytearray, array,
        memoryview …) and return its size in bytes. Waits and raises as get(); if the record is
        larger than the buffer, ValueError, and it stays in the ring.
        """
        end = _end_of(timeout) if block else 0.0
        with memoryview(buffer).cast("B") as target:
            if target.readonly:
                raise TypeError("the buffer to copy to must be writable, not read-only")
            return self._copy_into(target, end)

    def _copy_into(self, target: memoryview, end: float | None) -> int:
        if self._kept and (kept := self._take_kept(1)):
            size = len(kept[0])
            if size <= len(target):
                target[:size] = kept[0]
                return size
            self._kept.appendleft(kept[0])
            raise _too_small(target, size)
        box = ffi.new("struct record_box *")
        try:
            while (status := self._look(box, end)) == _OK:
                size = int(box.size)
                if size > len(target):
                    raise _too_small(target, size)
                target[:size] = ffi.buffer(box.where, size)
                lib.take_record(self._handle, box)
                if box.taken:
                    return size
        except BaseException:
            if box.taken:
                self._kept.append(bytes(target[:size]))
            raise
        self._refuse(status)

    def put_many(
        self, records: Iterable[Any], block: bool = True, timeout: float | None = None
    ) -> int:
        """Store the records one after the other and return how many were stored, as
        SPSCWords.put_many. A record that is too large or no buffer raises, and those before it stay
        in the ring.
        """
        end = _end_of(timeout) if block else 0.0
        stored = 0
        for record in list(records):
            status = self._put(record, end)
            if status != _OK:
                if stored == 0:
                    self._refuse(status)
                break
            stored += 1
        return stored

    def get_many(
        self, max_items: int, block: bool = True, timeout: float | None = None
    ) -> list[bytes]:
        """Wait for the first record as get() does, then take what is there, `max_items` at most,
        and return it as a list. Raises what get() raises, with nothing taken.
        """
        most = _most_items(max_items)
        end = _end_of(timeout) if block else 0.0
        taken: list[bytes] = []
        try:
            while len(taken) < most:
                status, data = self._get(0.0 if taken else end)
                if data is None:
                    if not taken:
                        self._refuse(status)
                    break
                taken += (data,)
        except BaseException:
            self._kept.extendleft(reversed(taken))
            raise
        return taken


def _most_items(max_items: int) -> int:
    try:
        most = index(max_items)
    except TypeError:
        raise TypeError(f"max_items must be an integer, not {type(max_items).__name__}") from None
    if most < 0:
        raise ValueError(f"max_items must be 0 or more, not {most}")
    return most


def _too_small(target: memoryview, size: int) -> ValueError:
    return ValueError(
        f"the next record has {size} bytes, the buffer {len(target)}: it stays in the ring"
    )


def _words_of(words: Iterable[int]) -> Any:
    """A C array of them; of a buffer of unsigned 64-bit integers without a copy."""
    try:
        with memoryview(words) as view:  # type: ignore[arg-type] # most iterables are no buffers
            in_place = view.itemsize == 8 and view.format in ("Q", "L", "N")
    except TypeError:
        in_place = False
    return ffi.from_buffer("uint64_t[]", words) if in_place else ffi.new("uint64_t[]", list(words))
