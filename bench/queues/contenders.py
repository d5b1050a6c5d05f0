"""The contenders: the standard library's queues, fastprims' queues, and an empty loop."""

from __future__ import annotations

import collections
import queue
import threading
from collections.abc import Callable
from typing import Any

from bench.run.case import BASELINE, FASTPRIMS, STDLIB, Contender, fastprims


class LockedDeque:
    """A deque and the lock that guards it; the workloads spell out ``with lock:``."""

    def __init__(self) -> None:
        self.items: collections.deque[Any] = collections.deque()
        self.lock = threading.Lock()

    def put(self, item: Any) -> None:
        with self.lock:
            self.items.append(item)

    def get(self) -> Any:
        with self.lock:
            return self.items.popleft()

    def __len__(self) -> int:
        return len(self.items)


def _trying(key: str, make: Callable[[int], Any], column: str) -> Contender:
    return Contender(key, FASTPRIMS, make, "try_put", "try_get", "try_put/try_get", column=column)


RING_SLOTS = 1024  # for rings in cases without a bound: there is no unbounded ring

NOOP = Contender(
    "empty loop", BASELINE, lambda bound: [], "append", "pop", "none", column="empty\nloop"
)


class EmptyCalls:
    """Two methods in C that do next to nothing: the cost of the calls of a pair by themselves."""

    put = staticmethod(callable)

    def __init__(self) -> None:
        self.get = fastprims.AtomicFlag().test


EMPTY_CALLS = Contender("empty calls", BASELINE, lambda bound: EmptyCalls(), column="empty\ncalls")

STD_QUEUE = Contender("queue.Queue", STDLIB, queue.Queue, column="Queue", over="over\nQueue")
STD_SIMPLE = Contender(
    "queue.SimpleQueue",
    STDLIB,
    lambda bound: queue.SimpleQueue(),
    column="Simple\nQueue",
    over="over\nSimple-\nQueue",
)
# In the columns of the plain queues: no case has both.
STD_LIFO = Contender("queue.LifoQueue", STDLIB, queue.LifoQueue, column="Queue")
STD_PRIORITY = Contender("queue.PriorityQueue", STDLIB, queue.PriorityQueue, column="Queue")
DEQUE = Contender(
    "deque",
    STDLIB,
    lambda bound: collections.deque(),
    "append",
    "popleft",
    "append/popleft",
    column="deque",
)
LOCKED_DEQUE = Contender(
    "deque + Lock", STDLIB, lambda bound: LockedDeque(), calls="locked", column="deque\n+ Lock"
)

FP_QUEUE = Contender("fastprims.Queue", FASTPRIMS, fastprims.Queue, column="Queue")
FP_SIMPLE = Contender(
    "fastprims.SimpleQueue",
    FASTPRIMS,
    lambda bound: fastprims.SimpleQueue(),
    column="Simple\nQueue",
)
FP_LIFO = Contender("fastprims.LifoQueue", FASTPRIMS, fastprims.LifoQueue, column="Queue")
FP_PRIORITY = Contender(
    "fastprims.PriorityQueue", FASTPRIMS, fastprims.PriorityQueue, column="Queue"
)


def _spsc(bound: int) -> Any:
    return fastprims.SPSCRing(bound or RING_SLOTS)


def _mpmc(bound: int) -> Any:
    return fastprims.MPMCRing(bound or RING_SLOTS)


def _channel(bound: int, **options: Any) -> Any:
    return fastprims.BoundedChannel(bound or RING_SLOTS, **options)


def _flooded(overflow: str, put: str = "put") -> Contender:
    return Contender(
        f"fastprims.BoundedChannel {overflow}",
        FASTPRIMS,
        lambda bound: _channel(bound, overflow=overflow),
        put,
        keeps="newest" if overflow == "drop_oldest" else "oldest",
    )


class DropOldest:
    """The usual code around a queue.Queue to drop its oldest item."""

    def __init__(self, bound: int) -> None:
        self.queue: queue.Queue[Any] = queue.Queue(bound)
        self.get, self.qsize = self.queue.get, self.queue.qsize

    def put(self, item: Any) -> None:
        while True:
            try:
                return self.queue.put_nowait(item)
            except queue.Full:
                try:
                    self.queue.get_nowait()
                except queue.Empty:
                    pass


FP_CHANNEL = Contender("fastprims.BoundedChannel", FASTPRIMS, _channel)
FP_CHANNEL_SIZED = Contender(
    "fastprims.BoundedChannel, sizes checked",
    FASTPRIMS,
    lambda bound: _channel(bound, max_item_size=64, size_of=int.bit_length),
)
FP_CHANNEL_PACED = Contender(
    "fastprims.BoundedChannel, with a rate", FASTPRIMS, lambda bound: _channel(bound, rate=1e9)
)
FP_REJECT = _flooded("reject", "try_put")
FP_DROP_NEWEST = _flooded("drop_newest")
FP_DROP_OLDEST = _flooded("drop_oldest")
STD_DROP_OLDEST = Contender("queue.Queue, drop oldest", STDLIB, DropOldest, keeps="newest")
BOUNDED_DEQUE = Contender(
    "deque(maxlen)",
    STDLIB,
    lambda bound: collections.deque(maxlen=bound),
    "append",
    "popleft",
    "append/popleft",
    keeps="newest",
)

FP_SPSC = Contender("fastprims.SPSCRing", FASTPRIMS, _spsc, column="SPSC\nRing")
FP_MPMC = Contender("fastprims.MPMCRing", FASTPRIMS, _mpmc, column="MPMC\nRing")
FP_SPSC_TRY = _trying("fastprims.SPSCRing try_*", _spsc, "SPSC\ntry_*")
FP_MPMC_TRY = _trying("fastprims.MPMCRing try_*", _mpmc, "MPMC\ntry_*")
