"""Drop-in for the standard library's module `queue`: the same names, classes and exceptions.

    from fastprims import queue

The exceptions are the standard library's own, so existing `except queue.Empty` clauses keep
working whichever module raised. ShutDown is there on every Python version.
"""

from queue import Empty, Full

from fastprims._dropin import LifoQueue, PriorityQueue, Queue
from fastprims._errors import ShutDown
from fastprims._open import OpenedWarning, opened
from fastprims._queue import SimpleQueue, also_known_in

__all__ = [
    "Empty",
    "Full",
    "LifoQueue",
    "OpenedWarning",
    "PriorityQueue",
    "Queue",
    "ShutDown",
    "SimpleQueue",
    "opened",
]

also_known_in(globals())
