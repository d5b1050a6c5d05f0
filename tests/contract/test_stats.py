"""stats(): counts that add up."""

from __future__ import annotations

import dataclasses
from queue import Empty, Full

import pytest
from support.kinds import Kind, on
from support.threads import blocked, run_threads

ours = on(ours=True)
FIELDS = {"puts", "gets", "size", "maxsize", "put_waits", "get_waits"}


@ours
def test_stats_is_a_frozen_dataclass(kind: Kind) -> None:
    stats = kind.make().stats()
    assert dataclasses.is_dataclass(stats)
    assert FIELDS <= {field.name for field in dataclasses.fields(stats)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.puts = 5
    assert stats == kind.make().stats()


@ours
def test_a_fresh_queue_counts_nothing(kind: Kind) -> None:
    q = kind.make(9) if kind.bounded else kind.make()
    stats = q.stats()
    assert (stats.puts, stats.gets, stats.size) == (0, 0, 0)
    assert (stats.put_waits, stats.get_waits) == (0, 0)
    assert stats.maxsize == q.maxsize


@ours
def test_puts_gets_and_size_add_up(kind: Kind) -> None:
    q = kind.make()
    for n in range(5):
        q.put(n)
    q.put_nowait(5)
    q.try_put(6)
    q.put_many([7, 8, 9])
    assert q.stats().puts == 10
    q.get()
    q.get_nowait()
    q.try_get()
    q.get_many(4)
    stats = q.stats()
    assert (stats.puts, stats.gets, stats.size) == (10, 7, 3)
    assert q.stats() == stats


@on("bounded", ours=True)
def test_failures_are_not_counted(kind: Kind) -> None:
    q = kind.make(1)
    with pytest.raises(Empty):
        q.get_nowait()
    assert q.try_get() is None
    q.put(1)
    with pytest.raises(Full):
        q.put_nowait(2)
    assert q.try_put(2) is False
    stats = q.stats()
    assert (stats.puts, stats.gets, stats.size) == (1, 0, 1)


@on("bounded", ours=True)
def test_waits_are_counted_where_they_happen(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    assert q.stats().put_waits == 0
    with pytest.raises(Full):
        q.put(1, timeout=0.05)
    q.get()
    with pytest.raises(Empty):
        q.get(timeout=0.05)
    stats = q.stats()
    assert stats.put_waits >= 1
    assert stats.get_waits >= 1


@ours
def test_a_served_wait_is_counted(kind: Kind) -> None:
    q = kind.make()
    getter = blocked(q.get, True, 10.0)
    q.put(1)
    getter.result()
    assert q.stats().get_waits >= 1


@ours
def test_counts_are_exact_after_a_race(kind: Kind) -> None:
    q = kind.make(3) if kind.bounded else kind.make()
    n, pairs = 2000, 1 if kind.roles else 3

    def produce() -> None:
        for i in range(n):
            q.put(i)

    def consume() -> None:
        for _ in range(n):
            q.get()

    run_threads(*[produce] * pairs, *[consume] * pairs)
    stats = q.stats()
    assert (stats.puts, stats.gets, stats.size) == (n * pairs, n * pairs, 0)
