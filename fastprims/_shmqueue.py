"""ShmQueue: objects between processes, pickled into the records of a ShmRing."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from operator import index
from queue import Empty, Full
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._shm import ShmRing
from fastprims._shmtagged import get_tagged, put_tagged

if TYPE_CHECKING:
    from typing_extensions import Self

    from fastprims._stats import ShmStats

__all__ = ["ShmQueue"]

_T = TypeVar("_T")

# What a record's first word says of the rest: a pickle; the very bytes; or 1 + n: the lengths of a
# pickle and of the n buffers that it leaves out, the pickle, and the buffers.
_PICKLE, _BYTES = 0, 1
_ALIGNMENT = 16  # of each buffer: what NumPy's types ask for
_PADDING = bytes(_ALIGNMENT)


def _padding(size: int) -> bytes:
    return _PADDING[: -size % _ALIGNMENT]


class _Pickler:
    """multiprocessing's pickler, which knows how to send connections, sockets and the like, with
    buffers out of band. To be used by one thread at a time: making one takes longer than using it.
    """

    def __init__(self) -> None:
        from multiprocessing.reduction import ForkingPickler

        self._file = io.BytesIO()
        self._buffers: list[pickle.PickleBuffer] = []
        self._pickler = ForkingPickler(self._file, 5, True, self._buffers.append)
        # It copies the tables of reducers when it is made, and modules register theirs later.
        self._tables = copyreg.dispatch_table, ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        self._known = self._registered()

    def _registered(self) -> list[int]:
        return [len(table) for table in self._tables]

    def is_current(self) -> bool:
        """Whether no reducer was registered since it was made."""
        return self._known == self._registered()

    def dumps(self, obj: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
        self._pickler.dump(obj)
        data, buffers = self._file.getvalue(), self._buffers[:]
        self._pickler.clear_memo()
        self._buffers.clear()
        self._file.seek(0)
        self._file.truncate()
        return data, buffers


_spare: list[_Pickler] = []


def _spare_pickler() -> _Pickler:
    try:
        pickler = _spare.pop()
    except IndexError:  # not asked beforehand: other threads take them as well
        return _Pickler()
    return pickler if pickler.is_current() else _Pickler()


def _encode(obj: object) -> tuple[int, list[Any]]:
    """The first word, and the parts of the rest; large buffers are left where they are."""
    if type(obj) is bytes:
        return _BYTES, [obj]
    pickler = _spare_pickler()
    data, buffers = pickler.dumps(obj)  # if that raises, this one is not used again
    _spare.append(pickler)
    if not buffers:
        return _PICKLE, [data]
    raw = [buffer.raw() for buffer in buffers]
    sizes = struct.pack(f"={1 + len(raw)}Q", len(data), *(view.nbytes for view in raw))
    parts: list[Any] = [sizes, data, _padding(len(sizes) + len(data))]
    for view in raw:
        parts += [view, _padding(view.nbytes)]
    return 1 + len(raw), parts


def _decode(tag: int, rest: Any) -> Any:
    if tag == _PICKLE:
        return pickle.loads(rest)
    if tag == _BYTES:
        return rest
    data, *buffers = _frames(memoryview(rest), tag)
    return pickle.loads(data, buffers=buffers)


def _frames(view: memoryview, count: int) -> list[memoryview]:
    """The pickle and the buffers that lie behind their sizes, and fill the record."""
    at = 8 * count
    frames: list[memoryview] = []
    for size in struct.unpack_from(f"={count}Q", view) if at <= len(view) else ():
        if frames:
            at += -at % _ALIGNMENT
        frames.append(view[at : at + size])
        at += size
    if not frames or at + -at % _ALIGNMENT != len(view):
        raise pickle.UnpicklingError("a damaged record of a ShmQueue: no put() has written it")
    return frames


def _unlink(ring: ShmRing, process: int) -> None:
    if os.getpid() == process:
        with suppress(FileNotFoundError):
            ring.unlink()


class ShmQueue(Generic[_T]):
    """ShmQueue(maxsize=0, *, capacity=4194304, lanes=64, name=None)

    A FIFO queue of objects between processes: multiprocessing.Queue's interface, without its
    thread, its locks and its pipe. What put() has returned from is stored, whatever happens to the
    process; errors of pickling are raised by put().

    Objects are pickled (protocol 5). `bytes`, and buffers that a class hands out of band, as
    NumPy's arrays do, are copied once into shared memory, and once out of it. Unpickling runs
    code: a queue is for processes that trust each other, and its memory is for this user only.

    Order, death, threads, forks and limits are those of ShmRing: each process that puts has
    `capacity` bytes, an object may take nearly half of it (`max_item_size`, else ItemTooLarge), and
    `lanes` processes may put at a time. `maxsize` is exact, over all processes; 0: as many as fit.
    A process that is stopped while it counts, a few instructions of a put with a maxsize, stops the
    other puts until it goes on or dies.

    To be sent to processes that are started, by any method, or attached to by name. The name is
    removed when the process that made the queue ends, or drops or closes its object; who is
    attached by then goes on. Linux only.
    """

    def __init__(
        self,
        maxsize: int = 0,
        *,
        capacity: int = 1 << 22,
        lanes: int = 64,
        name: str | None = None,
    ) -> None:
        limit = max(0, index(maxsize))
        self._ring = ShmRing._create_limited(name, capacity, lanes, limit)
        self._unlink = weakref.finalize(self, _unlink, self._ring, os.getpid())

    @classmethod
    def attach(cls, name: str, *, anyone: bool = False) -> Self:
        """The queue of that name; raises what ShmRing.attach() raises."""
        self = cls.__new__(cls)
        self._ring = ShmRing.attach(name, anyone=anyone)
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _attach, (type(self), self._ring)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The protocol.

    def put(self, obj: _T, block: bool = True, timeout: float | None = None) -> None:
        """Pickle `obj` and store it. If there is no room: wait, at most `timeout` seconds; with
        block=False don't wait. Raises Full, ShutDown, ItemTooLarge, ValueError after close(), and
        what pickling raises; nothing is stored then.
        """
        tag, parts = _encode(obj)
        put_tagged(self._ring, tag, parts, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        """Remove the next object and return it. If there is none: wait, at most `timeout` seconds;
        with block=False don't wait. Raises Empty, ShutDown once all is drained, ValueError after
        close(); nothing is taken then. Raises what unpickling raises, and pickle.UnpicklingError
        for a record whose parts do not fit together, which no put() has written: it is gone.
        """
        return cast(_T, _decode(*get_tagged(self._ring, block, timeout)))

    def put_nowait(self, obj: _T) -> None:
        """put(obj, block=False)."""
        self.put(obj, False)

    def get_nowait(self) -> _T:
        """get(block=False)."""
        return self.get(False)

    def try_put(self, obj: _T) -> bool:
        """Store `obj` and return True, or False if there is no room."""
        try:
            self.put(obj, False)
        except Full:
            return False
        return True

    def try_get(self, default: Any = None) -> Any:
        """Remove and return the next object, or `default` if there is none."""
        try:
            return self.get(False)
        except Empty:
            return default

    def put_many(
        self, iterable: Iterable[_T], block: bool = True, timeout: float | None = None
    ) -> int:
        """Store the objects one after the other and return how many were stored: all, or fewer if
        there was no room in time or the queue was shut down meanwhile; Full (ShutDown) if not a
        single one. All are pickled before the first is stored; if that raises, or one is too large,
        nothing is stored.
        """
        encoded = [_encode(obj) for obj in iterable]
        for number, (_, parts) in enumerate(encoded):
            size = sum(memoryview(part).nbytes for part in parts)
            if size > self.max_item_size:
                raise ItemTooLarge(
                    f"object {number} takes {size} bytes; max_item_size is {self.max_item_size}: "
                    "make the queue with a larger capacity"
                )
        end = None if timeout is None else time.monotonic() + timeout
        stored = 0
        for tag, parts in encoded:
            left = None if end is None else max(0.0, end - time.monotonic()) if stored else timeout
            try:
                put_tagged(self._ring, tag, parts, block, left)
            except (Full, ShutDown):
                if stored:
                    return stored
                raise
            stored += 1
        return stored

    def get_many(
        self, max_items: int, block: bool = True, timeout: float | None = None
    ) -> list[_T]:
        """Wait for the first object as get() does, then take what is there, `max_items` at most.
        All are unpickled when all are taken; if that raises, they are gone.
        """
        most = index(max_items)
        if most < 0:
            raise ValueError(f"max_items must be 0 or more, not {most}")
        if most == 0:
            return []
        taken = [get_tagged(self._ring, block, timeout)]
        with suppress(Empty, ShutDown):
            while len(taken) < most:
                taken.append(get_tagged(self._ring, False, None))
        return [_decode(tag, rest) for tag, rest in taken]

    def qsize(self) -> int:
        """Objects in the queue; while others put and get, about so many: the lanes are counted one
        after the other."""
        return self._ring.qsize()

    def __len__(self) -> int:
        return self._ring.qsize()

    def __bool__(self) -> bool:
        return True

    def empty(self) -> bool:
        """True if no lane had an object when it was looked at."""
        return self._ring.empty()

    def full(self) -> bool:
        """True if qsize() is `maxsize`."""
        return 0 < self.maxsize <= self.qsize()

    @property
    def maxsize(self) -> int:
        """Most objects at a time; 0: as many as fit."""
        return self._ring.maxsize

    @property
    def max_item_size(self) -> int:
        """Bytes of the largest object, pickled."""
        return self._ring.max_item_size - 8

    @property
    def capacity(self) -> int:
        """Bytes for the objects of each process that puts."""
        return self._ring.capacity

    @property
    def lanes(self) -> int:
        """Processes that may put at the same time."""
        return self._ring.lanes

    @property
    def name(self) -> str:
        """What attach() takes."""
        return self._ring.name

    def shutdown(self, immediate: bool = False) -> None:
        """From now on every put, of all processes, raises ShutDown; gets deliver what is left and
        then raise it too. immediate=True drops what is left. Wakes all who wait.
        """
        self._ring.shutdown(immediate)

    @property
    def is_shutdown(self) -> bool:
        """True once some process has called shutdown()."""
        return self._ring.is_shutdown

    def stats(self) -> ShmStats:
        """The queue's state, and this process's waits; see ShmStats."""
        return self._ring.stats()

    # What multiprocessing.Queue has beside that.

    def close(self) -> None:
        """This process will not use the queue any more: other calls raise ValueError. What it has
        put is stored already. In the process that made the queue, its name is removed. Any number
        of times.
        """
        finalizer = getattr(self, "_unlink", None)
        if finalizer is not None:
            finalizer()
        self._ring.close()

    @property
    def closed(self) -> bool:
        """True once close() was called."""
        return self._ring.closed

    def join_thread(self) -> None:
        """Returns at once: there is no thread, and put() returns when the object is stored."""

    def cancel_join_thread(self) -> None:
        """Returns at once, as join_thread()."""

    def __repr__(self) -> str:
        state = " closed" if self.closed else " shut down" if self.is_shutdown else ""
        size = "" if self.closed else f" size={self.qsize()}"
        cls = type(self)
        name = f"{cls.__module__}.{cls.__qualname__} {self.name!r}"
        return f"<{name} maxsize={self.maxsize}{size}{state}>"


def _attach(cls: type[ShmQueue[Any]], ring: ShmRing) -> ShmQueue[Any]:
    self = cls.__new__(cls)
    self._ring = ring
    return self


ShmQueue.__module__ = "fastprims"
