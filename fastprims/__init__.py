"""Concurrency primitives for Python that are fast under the GIL and scale without it."""

import sys
from queue import Empty, Full

from fastprims._interpreter import share  # isort: skip # first: it may refuse; see there
from fastprims._atomics import AtomicFlag, AtomicRef
from fastprims._channel import BoundedChannel
from fastprims._ctrie import Ctrie, CtrieSnapshot
from fastprims._dropin import LifoQueue, PriorityQueue, Queue
from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._install import build_info, install, uninstall
from fastprims._integer import AtomicInt
from fastprims._limiter import RateLimiter
from fastprims._native import get_include, get_library
from fastprims._pool import ObjectPool
from fastprims._queue import SimpleQueue
from fastprims._rings import MPMCRing, SPSCRing
from fastprims._topic import Subscription, TopicSnapshot, TopicTrie

if sys.platform == "linux":
    from fastprims._shm import ShmRing
    from fastprims._shmspan import ShmReservation, ShmView
else:  # no futex
    from fastprims._elsewhere import ShmQueue, ShmReservation, ShmRing, ShmView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fastprims._shmqueue import ShmQueue

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


def __getattr__(name: str) -> object:
    """What takes long to import is imported when it is first used."""
    if name != "ShmQueue":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    global ShmQueue
    from fastprims._shmqueue import ShmQueue

    return ShmQueue
