"""ShmQueue: objects between processes, pickled into the records of a ShmRing."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from operator import index
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fastprims._common.record import load
from fastprims._shm.ext import ShmRing
from fastprims._shm.objects import ShmQueueCore

if TYPE_CHECKING:
    from typing_extensions import Self

    from fastprims._stats import ShmStats

__all__ = ["ShmQueue"]

_T = TypeVar("_T")

load()


def _unlink(ring: ShmRing, process: int) -> None:
    if os.getpid() == process:
        with suppress(FileNotFoundError):
            ring.unlink()


def _when_gone(queue: object, ring: ShmRing) -> Callable[[], object]:
    """Unlinks the ring when the queue is dropped, when its process ends, or when called."""
    # A child of multiprocessing may end by os._exit(), which skips atexit, and so weakref.finalize.
    # But it runs multiprocessing's finalizers first. A priority below 0: after it has joined its
    # own children.
    finalize = getattr(sys.modules.get("multiprocessing.util"), "Finalize", None)
    if finalize is not None:
        return cast(
            "Callable[[], object]", finalize(queue, _unlink, (ring, os.getpid()), exitpriority=-10)
        )
    return weakref.finalize(queue, _unlink, ring, os.getpid())


class ShmQueue(ShmQueueCore[_T]):
    """ShmQueue(maxsize=0, *, capacity=4194304, lanes=64, name=None)

    A FIFO queue of objects between processes: multiprocessing.Queue's interface, without its
    thread, its locks and its pipe. Once put() has returned, the object is stored, whatever happens
    to the process. put() raises the errors of pickling.

    Objects are pickled (protocol 5). `bytes`, and buffers that a class passes out of band, as
    NumPy's arrays do, are copied once into shared memory, and once out of it. Unpickling runs
    code: a queue is for processes that trust each other, and its memory is for this user only.

    Order, death, threads, forks and limits are those of ShmRing: each process that puts has
    `capacity` bytes, an object may take nearly half of it (`max_item_size`, else ItemTooLarge), and
    `lanes` processes may put at a time. `maxsize` is exact, over all processes; 0: as many as fit.

    An interrupt, by Ctrl-C or by whatever a signal handler raises, loses no object. An object that
    is being unpickled at that moment has left shared memory. The next get of this queue object, in
    any thread, returns it first, and only once: a forked child does not get it as well. It is lost
    with close() and with the process.

    A queue can be sent to processes that are started, by any method, or attached to by name. The
    name is removed when the process that made the queue ends, or drops or closes its object;
    processes that are attached by then go on. (A process that is killed, or itself calls os._exit()
    or os.exec...(), leaves the name to `python -m fastprims shm clean`; children of multiprocessing
    remove it.) Linux only.

    Errors: puts raise Full, gets raise Empty, if they could not go on in time; puts raise ShutDown
        after shutdown(), gets once the queue is drained. ItemTooLarge: a pickle above
        max_item_size. ValueError: after close(), sizes that are impossible. Also what pickling and
        unpickling raise. attach: as ShmRing.attach().
    Complexity: O(size) for each object, its pickling included; `capacity` bytes of shared memory
        for each process that puts.
    Progress: as ShmRing. With a `maxsize`, a process that is stopped within a few instructions of a
        put, while it counts, stops the other puts until it goes on or dies.
    Source: pickle's protocol 5 over a ShmRing; csrc/shm/fp_shm.h.
    Example:
        >>> from fastprims import ShmQueue
        >>> q = ShmQueue(maxsize=10, capacity=4096, lanes=2)
        >>> same = ShmQueue.attach(q.name)  # in another process, as a rule
        >>> q.put({"n": 1}), same.get(timeout=1)
        (None, {'n': 1})
        >>> q.maxsize, q.capacity, q.lanes, q.max_item_size, q.is_shutdown
        (10, 4096, 2, 2032, False)
        >>> same.close()
        >>> same.closed, q.join_thread(), q.cancel_join_thread()
        (True, None, None)
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
        ring = ShmRing._create_limited(name, capacity, lanes, limit)
        try:
            ShmQueueCore._adopt(self, ring)
        except BaseException:  # this object has a ring already, or is no ShmQueueCore
            ring.unlink()
            raise
        self._unlink = _when_gone(self, ring)

    @classmethod
    def attach(cls, name: str, *, anyone: bool = False) -> Self:
        """The queue of that name; raises what ShmRing.attach() raises."""
        self = cls.__new__(cls)
        self._adopt(ShmRing.attach(name, anyone=anyone))
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

    def qsize(self) -> int:
        """The number of objects in the queue. Under concurrent use it is approximate: the lanes are
        counted one after the other. Objects that an interrupted get has kept count in its process.
        """
        return self._ring.qsize() + self._count_kept()

    def __len__(self) -> int:
        return self.qsize()

    def __bool__(self) -> bool:
        return True

    def empty(self) -> bool:
        """True if each lane was empty at the moment it was counted."""
        return self.qsize() == 0

    def full(self) -> bool:
        """True if there are `maxsize` objects; one kept by an interrupted get takes no room."""
        return 0 < self.maxsize <= self._ring.qsize()

    @property
    def maxsize(self) -> int:
        """The largest number of objects at a time; 0: as many as fit."""
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
        """The number of processes that may put at the same time."""
        return self._ring.lanes

    @property
    def name(self) -> str:
        """The name that attach() takes."""
        return self._ring.name

    def shutdown(self, immediate: bool = False) -> None:
        """From now on every put, of all processes, raises ShutDown; gets deliver the objects that
        are left and then raise it too. immediate=True drops these objects. Wakes all waiting
        threads.
        """
        self._ring.shutdown(immediate)

    @property
    def is_shutdown(self) -> bool:
        """True once a process has called shutdown()."""
        return self._ring.is_shutdown

    def stats(self) -> ShmStats:
        """The queue's state, and this process's waits; see ShmStats."""
        return replace(self._ring.stats(), size=self.qsize())

    # Further methods of multiprocessing.Queue.

    def close(self) -> None:
        """End this process's use of the queue: other calls raise ValueError. The objects that it
        has put are stored already. In the process that made the queue, the name is removed. May be
        called any number of times.
        """
        finalizer = getattr(self, "_unlink", None)
        if finalizer is not None:
            finalizer()
        self._ring.close()
        self._drop_kept()

    @property
    def closed(self) -> bool:
        """True once close() was called."""
        return self._ring.closed

    def join_thread(self) -> None:
        """Returns at once: there is no thread, and put() returns when the object is stored."""

    def cancel_join_thread(self) -> None:
        """Returns at once, as join_thread()."""

    def __repr__(self) -> str:
        if not self._made:
            return f"<{type(self).__module__}.{type(self).__qualname__} not made>"
        state = " closed" if self.closed else " shut down" if self.is_shutdown else ""
        size = "" if self.closed else f" size={self.qsize()}"
        cls = type(self)
        name = f"{cls.__module__}.{cls.__qualname__} {self.name!r}"
        return f"<{name} maxsize={self.maxsize}{size}{state}>"


def _attach(cls: type[ShmQueue[Any]], ring: ShmRing) -> ShmQueue[Any]:
    self = cls.__new__(cls)
    self._adopt(ring)
    return self


ShmQueue.__module__ = "fastprims"
_attach.__module__ = "fastprims._shmqueue"  # where pickles look for it
