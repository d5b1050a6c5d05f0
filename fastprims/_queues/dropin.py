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

    put and get may be called from __del__, weakref callbacks and signal handlers. Each takes effect
    at one instant between call and return; Full and Empty were true at one such instant.

    A program that takes the mutex or a condition, uses `queue`, or overrides a hook (`_init`,
    `_put`, `_get`, `_qsize`) opens this one queue: it becomes a standard queue, with all its items,
    waiting threads and counts, and with the standard library's guarantees instead of these.

    Errors: puts raise Full, gets raise Empty, if they could not go on in time; both raise ShutDown
        after shutdown(), gets once the queue is drained. ValueError: a negative timeout, a
        task_done() too many. TypeError: copying or pickling.
    Complexity: O(1) for each item; 8 bytes an item, in segments that are freed as it shrinks.
    Progress: lock-free (a thread suspended at any point stops no other), except waiting.
    Source: segmented array queue with single-use slots, after the array queues of Ramalhete and
        Correia (2016) and of Yang and Mellor-Crummey (2016), without their tickets;
        csrc/queues/fp_segq.h.
    Example:
        >>> from fastprims import Queue
        >>> q = Queue(maxsize=3)
        >>> q.put("a")
        >>> q.put_nowait("b")
        >>> q.try_put("c"), q.try_put("d")
        (True, False)
        >>> q.qsize(), q.full(), q.empty(), q.maxsize
        (3, True, False, 3)
        >>> q.get(timeout=1), q.get_nowait(), q.try_get(), q.try_get("none")
        ('a', 'b', 'c', 'none')
        >>> q.put_many("de"), q.get_many(10)
        (2, ['d', 'e'])
        >>> q.join(timeout=0.01)  # nobody has called task_done() yet
        False
        >>> for _ in range(q.unfinished_tasks):
        ...     q.task_done()
        >>> q.join(timeout=0.01), q.stats().puts
        (True, 5)
        >>> q.async_q.sync_q is q.sync_q is q  # its end for event loops: fastprims.aio
        True
        >>> q.shutdown()
        >>> q.is_shutdown
        True
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
    """The newest item first; otherwise as Queue, and drop-in for queue.LifoQueue.

    Errors: as Queue.
    Complexity: O(1), amortized; 8 bytes an item, in an array that doubles.
    Progress: under the GIL its operations are single steps. On free-threaded builds it is blocking:
        a short lock orders the operations, and a thread suspended while it holds the lock stops
        others.
    Source: a stack under a lock; csrc/queues/fp_ordered.h.
    Example:
        >>> from fastprims import LifoQueue
        >>> q = LifoQueue()
        >>> q.put_many("abc")
        3
        >>> q.get(), q.get()
        ('c', 'b')
    """

    __module__ = "fastprims"


class PriorityQueue(Queue, StandardPriorityQueue):
    """The least item first, by `<`; otherwise as Queue, and drop-in for queue.PriorityQueue. Items
    of equal rank come in any order.

    A comparison that raises leaves the queue as it was.

    Errors: as Queue; also what a comparison raises, and RuntimeError, instead of a deadlock, for a
        comparison that uses the same queue.
    Complexity: O(log n) comparisons for put and get; 8 bytes an item, in an array that doubles.
    Progress: blocking: a lock is held while items are compared, since a comparison is the items'
        own code. A thread suspended while it holds the lock stops others.
    Source: binary heap under a lock; csrc/queues/fp_heap.h and csrc/queues/fp_ordered.h.
    Example:
        >>> from fastprims import PriorityQueue
        >>> q = PriorityQueue()
        >>> q.put_many([(2, "later"), (1, "now")])
        2
        >>> q.get()
        (1, 'now')
    """

    __module__ = "fastprims"


for _class in (Queue, LifoQueue, PriorityQueue):
    own_methods(_class, HOT_METHODS)
