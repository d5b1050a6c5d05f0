"""Queue, LifoQueue and PriorityQueue: ordinary Python classes over the native queue.

They derive from the standard classes, for isinstance() and for the hooks. Their methods are the
native ones until a queue is opened.
"""

from __future__ import annotations

import sys

from fastprims._queues.ext import (
    HOT_METHODS,
    Hidden,
    NativeQueue,
    OwnAttributes,
    assign,
    delete,
    hide_inside,
    own_attributes,
    own_methods,
    start,
)
from fastprims._queues.opened import INSIDE
from fastprims._queues.standard import LifoQueue as StandardLifoQueue
from fastprims._queues.standard import PriorityQueue as StandardPriorityQueue
from fastprims._queues.standard import Queue as StandardQueue


class Queue(NativeQueue, StandardQueue):  # type: ignore[misc]
    """FIFO queue for any number of threads; drop-in for queue.Queue. `maxsize` bounds the number of
    items exactly, and may be changed at any time; 0 or less: unbounded.

    put and get are lock-free (a thread suspended at any point stops no other), O(1), and may be
    called from __del__, weakref callbacks and signal handlers. Each takes effect at one instant
    between call and return; Full and Empty were true at one such instant.

    A program that takes the mutex or a condition, uses `queue`, or overrides a hook (`_init`,
    `_put`, `_get`, `_qsize`) opens this one queue: it becomes a standard queue, with all its items,
    waiting threads and counts, and with the standard library's guarantees instead of these.

    Segmented array queue with single-use slots; csrc/queues/fp_segq.h has the algorithm.
    """

    __module__ = "fastprims"
    __dict__ = OwnAttributes()
    __setattr__ = assign
    __delattr__ = delete

    def __init__(self, maxsize=0):  # type: ignore[no-untyped-def]
        if start(self, maxsize):
            return
        StandardQueue.__init__(self, maxsize)
        if sys.version_info < (3, 13):
            self.is_shutdown = False

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *own_attributes(self), *INSIDE})


# On the standard class, dir() and hasattr() find these names on instances only; so they do here.
hide_inside(Queue, type("Inside", (), {name: Hidden(name) for name in INSIDE}))


class LifoQueue(Queue, StandardLifoQueue):
    """The newest item first; otherwise as Queue, and drop-in for queue.LifoQueue. O(1), amortized.

    Under the GIL its operations are single steps. On free-threaded builds it blocks inside: a
    short lock orders the operations, and a thread suspended while it holds the lock stops others.
    """

    __module__ = "fastprims"


class PriorityQueue(Queue, StandardPriorityQueue):
    """The least item first, by `<`; otherwise as Queue, and drop-in for queue.PriorityQueue. Items
    of equal rank come in any order. O(log n) comparisons for put and get.

    It blocks inside: a lock is held while items are compared, since a comparison is the items' own
    code. A comparison that raises leaves the queue as it was. A comparison that uses the same queue
    gets RuntimeError instead of a deadlock.

    Binary heap; csrc/queues/fp_heap.h.
    """

    __module__ = "fastprims"


for _class in (Queue, LifoQueue, PriorityQueue):
    own_methods(_class, HOT_METHODS)
