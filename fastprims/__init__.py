"""Concurrency primitives for Python that are fast under the GIL and scale without it."""

import sys
from queue import Empty, Full

from fastprims._common.interpreter import share  # isort: skip # first: it may raise; see there
from fastprims._atomics.ext import AtomicFlag, AtomicInt, AtomicRef
from fastprims._common.paths import get_include, get_library
from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._limits.ext import ObjectPool, RateLimiter
from fastprims._maps.ext import Ctrie, CtrieSnapshot, Subscription, TopicSnapshot, TopicTrie
from fastprims._queues.dropin import LifoQueue, PriorityQueue, Queue
from fastprims._queues.ext import BoundedChannel, MPMCRing, SimpleQueue, SPSCRing, set_end_maker
from fastprims._queues.install import build_info, install, uninstall

TYPE_CHECKING = False
if TYPE_CHECKING or sys.platform == "linux":
    from fastprims._shm.ext import ShmReservation, ShmRing, ShmView
else:  # no futex
    from fastprims._shm.unsupported import ShmQueue, ShmReservation, ShmRing, ShmView

if TYPE_CHECKING:
    from fastprims._aio.ext import AsyncEnd
    from fastprims._queues.ext import BaseQueue
    from fastprims._shm.queue import ShmQueue

__all__ = [
    "AtomicFlag",
    "AtomicInt",
    "AtomicRef",
    "BoundedChannel",
    "Ctrie",
    "CtrieSnapshot",
    "Empty",
    "Full",
    "ItemTooLarge",
    "LifoQueue",
    "MPMCRing",
    "ObjectPool",
    "PriorityQueue",
    "Queue",
    "RateLimiter",
    "SPSCRing",
    "ShmQueue",
    "ShmReservation",
    "ShmRing",
    "ShmView",
    "ShutDown",
    "SimpleQueue",
    "Subscription",
    "TopicSnapshot",
    "TopicTrie",
    "build_info",
    "get_include",
    "get_library",
    "install",
    "share",
    "uninstall",
]

__version__ = "0.1.0"


def _async_end(queue: "BaseQueue[object]") -> "AsyncEnd[object]":
    """What makes `queue.async_q`. Imports asyncio when that is first used, since it takes long."""
    from fastprims._aio.ext import AsyncEnd

    return AsyncEnd(queue)


set_end_maker(_async_end)


def __getattr__(name: str) -> object:
    """Imports ShmQueue when it is first used, since that takes long."""
    if name != "ShmQueue":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    global ShmQueue
    from fastprims._shm.queue import ShmQueue

    return ShmQueue
