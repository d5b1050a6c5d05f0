"""Drop-in for the standard library's module `queue`: the same names, classes and exceptions.

    from fastprims import queue

The exceptions are the standard library's own, so existing `except queue.Empty` clauses keep
working whichever module raised. ShutDown is there on every Python version.
"""

from queue import Empty, Full

from fastprims._errors import ShutDown
from fastprims._queue import LifoQueue, PriorityQueue, Queue, SimpleQueue

__all__ = [
    "Empty",
    "Full",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "ShutDown",
    "SimpleQueue",
]
