"""The queue kinds the contract suite runs over, the standard library's included.

A kind knows how to make a queue and which promises it gives, so that a test asks
for what it needs (`bounded`, `tasks`, ...) and runs on every kind that has it.
"""

from __future__ import annotations

import queue as std
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

import fastprims

ShutDown: type[Exception] = fastprims.ShutDown


@dataclass(frozen=True)
class Kind:
    """One queue class and the promises that tests may hold it to."""

    name: str
    cls: type
    order: str  # "fifo", "lifo" or "priority"
    ours: bool
    bounded: bool  # can be given a bound
    unbounded: bool  # can be made without a bound
    tasks: bool  # task_done() and join()
    shutdown: bool
    resizable: bool  # maxsize may be assigned
    roles: bool = False  # one producer thread and one consumer thread

    def __str__(self) -> str:
        return self.name

    @property
    def shared(self) -> bool:
        """Any number of threads at both ends."""
        return not self.roles

    @property
    def unordered(self) -> bool:
        """Takes items that cannot be compared."""
        return self.order != "priority"

    @property
    def ring(self) -> bool:
        return not self.unbounded

    @property
    def preallocated(self) -> bool:
        """Memory for all items is taken at once."""
        return self.cls in (fastprims.SPSCRing, fastprims.MPMCRing)

    @property
    def counts_drops(self) -> bool:
        """stats() tells what was dropped from what was delivered."""
        return self.cls is fastprims.BoundedChannel

    @property
    def bound(self) -> str:
        """What the class calls its bound."""
        return "capacity" if self.preallocated else "maxsize"

    def make(self, maxsize: int = 0) -> Any:
        """A queue of this bound; 0 asks for an unbounded one, or a roomy ring."""
        if not self.bounded:
            assert maxsize <= 0, f"{self.name} has no bound"
            return self.cls()
        if maxsize <= 0 and not self.unbounded:
            return self.cls(1 << 12)
        return self.cls(maxsize)

    def hand_over(self, q: Any) -> None:
        """Let other threads take the roles the calling thread has claimed."""
        if self.roles:
            q.release_producer()
            q.release_consumer()

    def hand_over_producer(self, q: Any) -> None:
        if self.roles:
            q.release_producer()

    def hand_over_consumer(self, q: Any) -> None:
        if self.roles:
            q.release_consumer()

    def ordered(self, items: Iterable[Any]) -> list[Any]:
        """The order in which items that were all put first come out again."""
        items = list(items)
        if self.order == "fifo":
            return items
        return items[::-1] if self.order == "lifo" else sorted(items)


def _std(cls: type, order: str, *, simple: bool = False) -> Kind:
    return Kind(
        name=f"std.{cls.__name__}",
        cls=cls,
        order=order,
        ours=False,
        bounded=not simple,
        unbounded=True,
        tasks=not simple,
        shutdown=not simple and hasattr(cls, "shutdown"),
        resizable=not simple,
    )


def _ours(cls: type, order: str, *, shape: str = "queue") -> Kind:
    return Kind(
        name=f"fastprims.{cls.__name__}",
        cls=cls,
        order=order,
        ours=True,
        bounded=shape != "simple",
        unbounded=shape != "ring",
        tasks=shape == "queue",
        shutdown=True,
        resizable=shape == "queue",
        roles=cls is fastprims.SPSCRing,
    )


STDLIB: list[Kind] = [
    _std(std.Queue, "fifo"),
    _std(std.SimpleQueue, "fifo", simple=True),
    _std(std.LifoQueue, "lifo"),
    _std(std.PriorityQueue, "priority"),
]

OURS: list[Kind] = [
    _ours(fastprims.Queue, "fifo"),
    _ours(fastprims.SimpleQueue, "fifo", shape="simple"),
    _ours(fastprims.LifoQueue, "lifo"),
    _ours(fastprims.PriorityQueue, "priority"),
    _ours(fastprims.MPMCRing, "fifo", shape="ring"),
    _ours(fastprims.SPSCRing, "fifo", shape="ring"),
    _ours(fastprims.BoundedChannel, "fifo", shape="ring"),
]

ALL: list[Kind] = STDLIB + OURS


def having(*names: str, ours: bool = False) -> list[Kind]:
    """The kinds for which every named promise holds."""
    return [k for k in (OURS if ours else ALL) if all(getattr(k, name) for name in names)]


def on(*names: str, ours: bool = False) -> pytest.MarkDecorator:
    """Run a test once for every kind that has the named promises."""
    return pytest.mark.parametrize("kind", having(*names, ours=ours), ids=str)
