"""Queues between threads and event loops: drop-ins for asyncio's classes, and for janus's.

    from fastprims import aio

    queue = aio.Queue(maxsize=100)
    await queue.put(item)          # as asyncio.Queue, in any number of event loops
    queue.sync_q.get()             # as queue.Queue, in any number of threads

Every queue of fastprims has such an end: `q.async_q`.
"""

from __future__ import annotations

from asyncio import QueueEmpty, QueueFull
from queue import Empty as SyncQueueEmpty
from queue import Full as SyncQueueFull

from fastprims._aio.classes import LifoQueue, PriorityQueue, Queue
from fastprims._aio.errors import QueueShutDown
from fastprims._aio.ext import AsyncEnd
from fastprims._aio.ext import select_async as select
from fastprims._errors import ShutDown as SyncQueueShutDown
from fastprims._queues.dropin import Queue as SyncQueue

# janus's names.
AsyncQueue = AsyncEnd
AsyncQueueEmpty = QueueEmpty
AsyncQueueFull = QueueFull
AsyncQueueShutDown = QueueShutDown

__all__ = [
    "AsyncEnd",
    "AsyncQueue",
    "AsyncQueueEmpty",
    "AsyncQueueFull",
    "AsyncQueueShutDown",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "SyncQueue",
    "SyncQueueEmpty",
    "SyncQueueFull",
    "SyncQueueShutDown",
    "select",
]
