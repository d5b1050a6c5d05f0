"""Concurrency primitives for Python that are fast under the GIL and scale without it."""

from queue import Empty, Full

from fastprims._base import build_info
from fastprims._ctrie import Ctrie, CtrieSnapshot
from fastprims._errors import ShutDown
from fastprims._queue import LifoQueue, PriorityQueue, Queue, SimpleQueue
from fastprims._rings import MPMCRing, SPSCRing

__all__ = [
    "Ctrie",
    "CtrieSnapshot",
    "Empty",
    "Full",
    "LifoQueue",
    "MPMCRing",
    "PriorityQueue",
    "Queue",
    "SPSCRing",
    "ShutDown",
    "SimpleQueue",
    "build_info",
]

__version__ = "0.1.0"
