"""Concurrency primitives for Python that are fast under the GIL and scale without it."""

from queue import Empty, Full

from fastprims._atomics import AtomicFlag, AtomicRef
from fastprims._base import build_info
from fastprims._channel import BoundedChannel
from fastprims._ctrie import Ctrie, CtrieSnapshot
from fastprims._errors import ItemTooLarge, ShutDown
from fastprims._integer import AtomicInt
from fastprims._limiter import RateLimiter
from fastprims._pool import ObjectPool
from fastprims._queue import LifoQueue, PriorityQueue, Queue, SimpleQueue
from fastprims._rings import MPMCRing, SPSCRing

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
    "ShutDown",
    "SimpleQueue",
    "build_info",
]

__version__ = "0.1.0"
