"""The queues with an end for coroutines that tests/aio runs over: asyncio's own, those of janus and
culsans where they are installed, and ours.

A test names the promises it needs, as in kinds.py. What the other packages pass proves that a test
asks for nothing that only we would do.
"""

from __future__ import annotations

import asyncio
import importlib
import queue as std
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

import fastprims
from fastprims import aio

NO_SHUTDOWN = type("NoShutDown", (Exception,), {})
"""What a queue without shutdown() never raises."""


class Ends(NamedTuple):
    """One queue: the end for coroutines, and the one for threads (None: it has none)."""

    a: Any
    s: Any
    queue: Any


@dataclass(frozen=True)
class EndKind:
    """One class of queues, and the promises that tests may hold it to."""

    name: str
    build: Callable[..., Any]  # (maxsize)
    ends: Callable[[Any], tuple[Any, Any]]
    order: str = "fifo"  # or "lifo" or "priority"
    ours: bool = False
    bounded: bool = True
    unbounded: bool = True
    tasks: bool = True  # task_done() and join()
    shutdown: bool = True
    threads: bool = True  # has an end for threads
    loops: bool = True  # any number of loops at once
    direct: bool = True  # put_nowait() and get_nowait() wake who waits, within the loop
    roles: bool = False  # one producer and one consumer
    drops: bool = True  # shutdown(immediate=True)
    lossless: bool = True  # a cancelled call leaves no trace
    turns: bool = True  # waiting calls are served in the order in which they came
    fast: bool = True  # enough for long loops
    full: type[Exception] = asyncio.QueueFull
    closed: type[Exception] = NO_SHUTDOWN
    thread_closed: type[Exception] = NO_SHUTDOWN

    def __str__(self) -> str:
        return self.name

    @property
    def fifo(self) -> bool:
        return self.order == "fifo"

    @property
    def shared(self) -> bool:
        """Any number of threads and tasks at both ends."""
        return not self.roles

    @property
    def unordered(self) -> bool:
        """Takes items that cannot be compared."""
        return self.order != "priority"

    def make(self, maxsize: int = 0) -> Ends:
        """A queue of this bound; 0 asks for an unbounded one, or a roomy ring."""
        if not self.bounded:
            assert maxsize <= 0, f"{self.name} has no bound"
        elif maxsize <= 0 and not self.unbounded:
            maxsize = 1 << 12
        queue = self.build(maxsize)
        return Ends(*self.ends(queue), queue)

    def hand_over(self, ends: Ends) -> None:
        """Let other threads take the roles the calling thread has claimed."""
        if self.roles:
            ends.queue.release_producer()
            ends.queue.release_consumer()

    def ordered(self, items: Iterable[Any]) -> list[Any]:
        """The order in which items that were all put first come out again."""
        items = list(items)
        if self.fifo:
            return items
        return items[::-1] if self.order == "lifo" else sorted(items)


ORDERS = {"Queue": "fifo", "LifoQueue": "lifo", "PriorityQueue": "priority"}


def _alone(queue: Any) -> tuple[Any, Any]:
    return queue, None


def _both(queue: Any) -> tuple[Any, Any]:
    return queue.async_q, queue.sync_q


def _own(queue: Any) -> tuple[Any, Any]:
    """fastprims.aio: the queue itself is the end for coroutines."""
    return queue, queue.sync_q


def _asyncio() -> list[EndKind]:
    new = sys.version_info >= (3, 13)
    return [
        EndKind(
            f"asyncio.{name}",
            getattr(asyncio, name),
            _alone,
            order,
            shutdown=new,
            threads=False,
            loops=False,
            closed=asyncio.QueueShutDown if new else NO_SHUTDOWN,  # type: ignore[attr-defined,unused-ignore]
        )
        for name, order in ORDERS.items()
    ]


def _peer(package: str, **promises: Any) -> list[EndKind]:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return []
    return [
        EndKind(
            f"{package}.{name}",
            getattr(module, name),
            _both,
            order,
            fast=False,
            closed=module.AsyncQueueShutDown,
            thread_closed=module.SyncQueueShutDown,
            **promises,
        )
        for name, order in ORDERS.items()
    ]


def _fastprims(name: str, **promises: Any) -> EndKind:
    cls = getattr(fastprims, name)
    bounded = promises.get("bounded", True)
    return EndKind(
        f"fastprims.{name}",
        cls if bounded else lambda maxsize: cls(),
        _both,
        ours=True,
        closed=aio.QueueShutDown,
        thread_closed=fastprims.ShutDown,
        **promises,
    )


OURS: list[EndKind] = [
    *(_fastprims(name, order=order) for name, order in ORDERS.items()),
    _fastprims("SimpleQueue", bounded=False, tasks=False),
    _fastprims("MPMCRing", unbounded=False, tasks=False),
    _fastprims("SPSCRing", unbounded=False, tasks=False, roles=True),
    _fastprims("BoundedChannel", unbounded=False, tasks=False),
    *(
        EndKind(
            f"fastprims.aio.{name}",
            getattr(aio, name),
            _own,
            order,
            ours=True,
            closed=aio.QueueShutDown,
            thread_closed=fastprims.ShutDown,
        )
        for name, order in ORDERS.items()
    ),
]

OTHERS: list[EndKind] = [
    *_asyncio(),
    # janus tells its waiters by a task of its own, and holds a lock across the wait.
    *_peer("janus", loops=False, direct=False, turns=False),
    *_peer("culsans", direct=False, turns=False),
]

ALL = OTHERS + OURS

Empty, Full = std.Empty, std.Full  # what the ends for threads raise


def having(*names: str, ours: bool = False) -> list[EndKind]:
    """The kinds for which every named promise holds."""
    return [k for k in (OURS if ours else ALL) if all(getattr(k, name) for name in names)]


def on(*names: str, ours: bool = False) -> pytest.MarkDecorator:
    """Run a test once for every kind that has the named promises."""
    return pytest.mark.parametrize("kind", having(*names, ours=ours), ids=str)
