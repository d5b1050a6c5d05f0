"""shutdown() in the middle of traffic: what was stored is received or dropped, once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from support.kinds import Kind, on
from support.threads import run_threads

import fastprims

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 2e-5  # seconds; see conftest.py

Scale = Callable[[int], int]


class Parcel:
    """An item that counts how many of its kind are alive.

    Not under a lock: a finalizer may run at any instruction of a thread, also at one that holds
    the lock.
    """

    __slots__ = ("__weakref__", "number")
    alive = fastprims.AtomicInt()

    def __init__(self, number: int) -> None:
        self.number = number
        Parcel.alive.fetch_add()

    def __del__(self) -> None:
        Parcel.alive.fetch_sub()

    def __lt__(self, other: Parcel) -> bool:
        return self.number < other.number


def put_until_closed(q: Any, numbers: Iterator[int], style: int) -> list[int]:
    """Puts parcels until refused; returns the numbers of those that were stored."""
    stored: list[int] = []
    try:
        while True:
            if style == 0:
                number = next(numbers)
                q.put(Parcel(number))
                stored.append(number)
            elif style == 1:
                batch = [next(numbers) for _ in range(4)]
                done = q.put_many([Parcel(number) for number in batch])
                stored += batch[:done]
            else:
                number = next(numbers)
                try:
                    q.put(Parcel(number), timeout=1e-4)
                except fastprims.Full:
                    continue
                stored.append(number)
    except fastprims.ShutDown:
        return stored


def get_until_closed(q: Any, style: int) -> list[int]:
    got: list[int] = []
    try:
        while True:
            if style == 0:
                got.append(q.get().number)
            elif style == 1:
                got += [parcel.number for parcel in q.get_many(3)]
            else:
                try:
                    got.append(q.get(timeout=1e-4).number)
                except fastprims.Empty:
                    continue
    except fastprims.ShutDown:
        return got


@pytest.mark.parametrize("immediate", [False, True], ids=["drain", "drop"])
@pytest.mark.parametrize("bound", [1, 2, 3, 40])
@on(ours=True)
def test_stored_is_received_or_dropped(
    kind: Kind, bound: int, immediate: bool, scale: Scale
) -> None:
    ends = 1 if kind.roles else 3
    for lap in range(scale(6)):
        q = kind.make(bound) if kind.bounded else kind.make()
        numbers = [iter(count(i << 32)) for i in range(ends)]

        def close(q: Any = q, lap: int = lap) -> None:
            time.sleep(0.0005 * (lap % 4))
            q.shutdown(immediate)

        results = run_threads(
            *[
                lambda q=q, i=i, own=own: put_until_closed(q, own, (i + lap) % 3)
                for i, own in enumerate(numbers)
            ],
            *[lambda q=q, i=i: get_until_closed(q, (i + lap) % 3) for i in range(ends)],
            close,
        )
        stored = Counter(n for part in results[:ends] for n in part)
        received = Counter(n for part in results[ends:-1] for n in part)
        assert max(received.values(), default=1) == 1
        assert not received - stored, "received what no put reported as stored"
        if not immediate:
            assert received == stored
        stats = q.stats()
        assert (stats.puts, stats.size) == (sum(stored.values()), 0)
        if kind.tasks:
            assert q.unfinished_tasks == sum(received.values())
        del results, q
        assert Parcel.alive.load() == 0


@pytest.mark.parametrize("immediate", [False, True], ids=["drain", "drop"])
@on("shared", ours=True)
def test_a_sleeping_crowd_wakes_up(kind: Kind, immediate: bool, scale: Scale) -> None:
    """Sixty sleepers at once, and none is forgotten."""
    for _ in range(scale(2)):
        q = kind.make(1) if kind.bounded else kind.make()
        started = threading.Barrier(61)

        def sleep(q: Any = q, started: threading.Barrier = started) -> type[Exception]:
            started.wait(30)
            try:
                q.get()
            except fastprims.ShutDown as error:
                return type(error)
            raise AssertionError("there was nothing to get")

        def close(q: Any = q, started: threading.Barrier = started) -> None:
            started.wait(30)
            time.sleep(0.01)
            q.shutdown(immediate)

        run_threads(*[sleep] * 60, close)


@pytest.mark.parametrize("immediate", [False, True], ids=["drain", "drop"])
@on("tasks", ours=True)
def test_rival_shutdowns_and_joins(kind: Kind, immediate: bool, scale: Scale) -> None:
    for _ in range(scale(20)):
        q = kind.make(3)
        q.put_many(range(3))

        def close(q: Any = q) -> None:
            q.shutdown(immediate)

        def finish(q: Any = q) -> int:
            done = 0
            try:
                while True:
                    q.get()
                    q.task_done()
                    done += 1
            except fastprims.ShutDown:
                return done

        def join(q: Any = q) -> None:
            q.join()

        *_, done = run_threads(close, close, join, join, finish)
        assert done == 3 if not immediate else done <= 3
        assert q.unfinished_tasks == 0
