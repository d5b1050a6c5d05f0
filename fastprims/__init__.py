"""Concurrency primitives for Python that are fast under the GIL and scale without it."""

import sys
from importlib import import_module
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
    from fastprims._aio.ext import AsyncEnd, Selected, Selector, after, select
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
    "Selected",
    "Selector",
    "ShmQueue",
    "ShmReservation",
    "ShmRing",
    "ShmView",
    "ShutDown",
    "SimpleQueue",
    "Subscription",
    "TopicSnapshot",
    "TopicTrie",
    "after",
    "build_info",
    "get_include",
    "get_library",
    "install",
    "select",
    "share",
    "uninstall",
]

__version__ = "0.1.0"


def _async_end(queue: "BaseQueue[object]") -> "AsyncEnd[object]":
    """What makes `queue.async_q`. Imports asyncio when that is first used, since it takes long."""
    from fastprims._aio.ext import AsyncEnd

    return AsyncEnd(queue)


set_end_maker(_async_end)


# What is imported when it is first used, since that takes long.
_LATER = {
    "ShmQueue": "fastprims._shm.queue",
    "Selected": "fastprims._aio.ext",
    "Selector": "fastprims._aio.ext",
    "after": "fastprims._aio.ext",
    "select": "fastprims._aio.ext",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value
