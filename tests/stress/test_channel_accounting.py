"""A flooded BoundedChannel: every item is delivered, dropped and counted, or still there."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

import pytest
from support.threads import run_threads, spawn
from support.traffic import CONSUMERS, items_of

from fastprims import BoundedChannel, ShutDown

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 2e-5  # seconds; see conftest.py

Scale = Callable[[int], int]
POLICIES = ["block", "reject", "drop_newest", "drop_oldest"]


class Witness:
    """An item that tells how often it was released."""

    released: Counter[int]

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        self.released[self.number] += 1


def put_somehow(q: Any, items: Any, rng: random.Random) -> None:
    """Every way to put; a refusal drops the item."""
    for item in items:
        way = rng.randrange(4)
        try:
            if way == 0:
                q.put(item, timeout=rng.random() * 1e-4)
            elif way == 1:
                q.try_put(item)
            elif way == 2:
                q.put_nowait(item)
            else:
                q.put_many([item], timeout=rng.random() * 1e-4)
        except Full:
            continue


@pytest.mark.parametrize("bound", [1, 3, 64])
@pytest.mark.parametrize("overflow", POLICIES)
def test_a_hundred_producers_and_everything_adds_up(
    overflow: str, bound: int, scale: Scale
) -> None:
    n = scale(40)
    told: Counter[str] = Counter()
    q: Any = BoundedChannel(
        bound,
        overflow=overflow,
        on_pressure=lambda report: told.update(report.drops),
        pressure_interval=0.001,
    )
    takers = [spawn(consume, q) for consume in CONSUMERS * 2]

    def look() -> None:
        """Sums hold at any time, and no counter goes back, but for what is just being dropped."""
        before = q.stats()
        while not q.is_shutdown:
            stats = q.stats()
            assert 0 <= stats.size <= bound
            assert stats.offered == stats.gets + stats.size + sum(stats.drops.values())
            assert stats.puts >= before.puts
            assert all(stats.drops[reason] >= count for reason, count in before.drops.items())
            before = stats
            time.sleep(0.0005)

    watcher = spawn(look)
    producers = [
        lambda i=i: put_somehow(q, items_of(i, n), random.Random(i))  # type: ignore[misc]
        for i in range(100)
    ]
    run_threads(*producers)
    q.shutdown()
    received = [taker.result() for taker in takers]
    watcher.result()
    delivered = Counter(item for got in received for item in got)
    assert set(delivered.values()) <= {1}
    for got in received:  # in the order in which each producer put
        for i in range(100):
            mine = [item for item in got if item in items_of(i, n)]
            assert mine == sorted(mine)
    stats = q.stats()
    assert stats.offered == 100 * n
    assert (stats.size, stats.gets) == (0, len(delivered))
    assert sum(stats.drops.values()) == 100 * n - len(delivered)
    assert told == +Counter(stats.drops)


@pytest.mark.parametrize("overflow", POLICIES)
def test_every_item_is_released_once(overflow: str, scale: Scale) -> None:
    n = scale(100)
    released: Counter[int] = Counter()
    kind = type("Mine", (Witness,), {"released": released})
    q: Any = BoundedChannel(2, overflow=overflow)

    def produce(i: int) -> None:
        put_somehow(q, (kind(i * n + k) for k in range(n)), random.Random(i))

    def consume() -> None:
        try:
            while True:
                q.get()
        except ShutDown:
            return

    takers = [spawn(consume) for _ in range(3)]
    run_threads(*[lambda i=i: produce(i) for i in range(20)])  # type: ignore[misc]
    q.shutdown()
    for taker in takers:
        taker.result()
    q = None
    assert len(released) == 20 * n
    assert set(released.values()) == {1}


def test_an_oldest_is_dropped_only_if_there_is_no_room(scale: Scale) -> None:
    """As many puts under way as places are free, at most: then nothing may be dropped."""
    q: Any = BoundedChannel(8, overflow="drop_oldest")

    def in_and_out() -> None:
        for n in range(scale(2000)):
            q.put(n)
            q.get()

    run_threads(*[in_and_out] * 8)
    assert q.stats().drops["overflow-oldest"] == 0
    assert q.empty()


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("overflow", POLICIES)
def test_a_shutdown_in_the_middle(overflow: str, immediate: bool, scale: Scale) -> None:
    for _ in range(scale(5)):
        told: Counter[str] = Counter()
        q: Any = BoundedChannel(
            2, overflow=overflow, on_pressure=lambda report, told=told: told.update(report.drops)
        )

        def produce(q: Any = q) -> int:
            stored = 0
            try:
                while True:
                    q.try_put(stored)
                    stored += 1
                    if stored % 8 == 0:
                        time.sleep(0)  # else ten of them would let nobody else start
            except ShutDown:
                return stored

        def consume(q: Any = q) -> int:
            got = 0
            try:
                while True:
                    try:
                        q.get(timeout=0.01)
                        got += 1
                    except Empty:
                        continue
            except ShutDown:
                return got

        threads = [spawn(produce) for _ in range(10)]
        takers = [spawn(consume) for _ in range(3)]
        time.sleep(0.005)
        q.shutdown(immediate)
        offered = sum(thread.result() for thread in threads)
        got = sum(taker.result() for taker in takers)
        stats = q.stats()
        assert stats.size == 0
        assert stats.gets == got
        assert stats.offered == offered == got + sum(stats.drops.values())
        assert told == +Counter(stats.drops)
