"""Drop-in for the standard library's module `queue`: the same names, classes and exceptions.

    from fastprims import queue

The exceptions are the standard library's own, so existing `except queue.Empty` clauses keep
working whichever module raised. ShutDown is there on every Python version.
"""

import queue as _standard
from queue import Empty, Full

from fastprims._errors import ShutDown
from fastprims._queues.dropin import LifoQueue, PriorityQueue, Queue
from fastprims._queues.ext import SimpleQueue
from fastprims._queues.opened import OpenedWarning, also_known_in, opened

TYPE_CHECKING = False

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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """What else the standard module has: `deque`, `time`, `heappush` and so on."""
        return getattr(_standard, name)
