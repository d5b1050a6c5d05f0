"""The common parts of the rings of fastprims.raw: waiting, the queue protocol, the two roles."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import repeat, starmap
from typing import Any, Generic, NoReturn, TypeVar, overload

from fastprims._common.ext import (
    FOREVER,
    check_role,
    check_timeout,
    deadline_of,
    now,
    raise_for_status,
    refuse_pickle,
    to_bool,
)
from fastprims._common.hub import sleep_of_hub
from fastprims._raw.lib import CLOSED, EMPTY, FULL, NOT_OWNER, OK, ffi
from fastprims._stats import QueueStats

__all__ = ["AT_ONCE", "Ring", "Roles", "end_of", "wait"]

_T = TypeVar("_T")
_D = TypeVar("_D")

_FOREVER_NS = -1
_SLICE_NS = 50_000_000
"""How long the main thread waits at a time: signal handlers run in between."""
_HUB_PAUSE = 0.01
"""Seconds for which other greenlets run in between."""
AT_ONCE = 0
"""The `end` of a call that does not wait."""


def end_of(block: bool, timeout: float | None) -> int:
    """The time by the core's clock at which a wait must end; or FOREVER or AT_ONCE."""
    if not to_bool(block, "block"):
        return AT_ONCE
    check_timeout(timeout)
    return deadline_of(timeout)


def wait(call: Callable[[int], int], unmet: int, end: int) -> int:
    """Repeat the call until it does not answer `unmet`, or the time is up. Its argument is the
    nanoseconds that it may wait."""
    if (sleep := sleep_of_hub()) is not None:
        while (status := call(0)) == unmet and now() < end:
            sleep(_HUB_PAUSE)
        return status
    in_slices = threading.current_thread() is threading.main_thread()
    while True:
        left = max(0, end - now())
        if in_slices and left > _SLICE_NS:
            status = call(_SLICE_NS)
        else:
            status = call(_FOREVER_NS if end == FOREVER else left)
        if status != unmet or left == 0:
            return status


class Ring(Generic[_T]):
    """The common base of the rings: the reference to a C structure, and the protocol."""

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
        # Items that were taken but not returned, because a signal handler raised in between.
        self._kept: deque[_T] = deque()

    @property
    def handle(self) -> Any:
        """The ring as a cffi pointer. The ring is freed with this object, unless C code holds a
        reference of its own (`fastprims_ring_retain`, `fastprims_bytes_retain`).
        """
        return self._handle

    @property
    def address(self) -> int:
        """The pointer as an integer, as C functions and ctypes take it."""
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

    def _raise_for_status(self, status: int) -> NoReturn:
        if status in (FULL, EMPTY, CLOSED, NOT_OWNER):
            raise_for_status(self, status)
        raise RuntimeError(
            f"the memory of this {type(self).__name__} was overwritten by C code (status {status}); "
            "make a new one"
        )

    # Supplied by the subclasses. `end` is an answer of end_of().

    def _put(self, item: Any, end: int) -> int:
        raise NotImplementedError

    def _get(self, end: int) -> tuple[int, _T | None]:
        raise NotImplementedError

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Store the item. If there is no room, wait, at most `timeout` seconds; with block=False,
        don't wait. Raises Full if there was no room in time, ShutDown after shutdown().
        """
        status = self._put(item, end_of(block, timeout))
        if status != OK:
            self._raise_for_status(status)

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        """Remove and return the next item. If there is none, wait, at most `timeout` seconds; with
        block=False, don't wait. Raises Empty if none came in time, ShutDown after shutdown() once
        the ring is drained.
        """
        status, item = self._get(end_of(block, timeout))
        if item is None:
            self._raise_for_status(status)
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
        status = self._put(item, AT_ONCE)
        if status == FULL:
            return False
        if status != OK:
            self._raise_for_status(status)
        return True

    @overload
    def try_get(self) -> _T | None: ...
    @overload
    def try_get(self, default: _D) -> _T | _D: ...
    def try_get(self, default: Any = None) -> Any:
        """Remove and return the next item, or return `default` if there is none. Raises ShutDown
        after shutdown() once the ring is drained.
        """
        status, item = self._get(AT_ONCE)
        if item is not None:
            return item
        if status != EMPTY:
            self._raise_for_status(status)
        return default

    def qsize(self) -> int:
        """The number of items in the ring, at some moment during the call."""
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
        """From now on every put raises ShutDown; gets deliver the items that are left and then
        raise it too. immediate=True drops these items. Wakes all waiting threads, C threads
        included.
        """
        discard = to_bool(immediate, "immediate")
        self._close(self._handle, discard)
        if discard:
            self._kept.clear()

    @property
    def is_shutdown(self) -> bool:
        """True once shutdown(), or fastprims_ring_close() in C, was called."""
        return bool(self._is_closed(self._handle))

    def _bound(self) -> str:
        raise NotImplementedError

    def _most(self) -> int:
        raise NotImplementedError

    def stats(self) -> QueueStats:
        """The counts since the ring was made, the operations of C threads included."""
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
        refuse_pickle(self, "Send its items, or use a queue made for processes")


class Roles:
    """One producer thread and one consumer thread."""

    _handle: Any
    _release_producer: Any
    _release_consumer: Any

    def release_producer(self, *, force: bool = False) -> None:
        """Give the producer's role back: the next thread that puts gets it. Raises RuntimeError if
        another thread has it. force=True takes it from that thread: only for a thread that has
        ended or will certainly not use the ring again.
        """
        check_role(self, "producer", self._release_producer(self._handle, to_bool(force, "force")))

    def release_consumer(self, *, force: bool = False) -> None:
        """Give the consumer's role back, as release_producer()."""
        check_role(self, "consumer", self._release_consumer(self._handle, to_bool(force, "force")))
