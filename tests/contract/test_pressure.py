"""on_pressure: every drop is told once, from outside, and not more often than asked for."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from queue import Empty, Full
from typing import Any

import pytest
from support.threads import blocked, run_threads, spawn, wait_until

from fastprims import BoundedChannel, ItemTooLarge, ShutDown


class Ear:
    """Collects reports; has to hear of every drop once."""

    def __init__(self) -> None:
        self.reports: list[Any] = []

    def __call__(self, report: Any) -> None:
        self.reports.append(report)

    @property
    def heard(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.drops)
        return dict(total)


def told(q: Any) -> dict[str, int]:
    return {reason: n for reason, n in q.stats().drops.items() if n}


def channel(overflow: str, ear: Any, interval: float = 3600, maxsize: int = 1, **more: Any) -> Any:
    return BoundedChannel(
        maxsize, overflow=overflow, on_pressure=ear, pressure_interval=interval, **more
    )


def test_the_first_drop_is_told_at_once() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear, maxsize=2)
    q.put_many([1, 2])
    assert ear.reports == []
    q.put(3)
    [report] = ear.reports
    assert report.drops == {"overflow-oldest": 1}
    assert (report.size, report.maxsize) == (2, 2)


def test_a_flood_of_drops_is_not_a_flood_of_calls() -> None:
    ear = Ear()
    q = channel("drop_newest", ear)
    for n in range(1000):
        q.put(n)
    assert len(ear.reports) == 1
    q.shutdown()
    assert len(ear.reports) == 2
    assert ear.heard == told(q) == {"overflow-newest": 999}


def test_after_the_interval_the_next_drop_is_told_with_those_before() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear, interval=0.05)
    for n in range(4):
        q.put(n)
    time.sleep(0.06)
    q.put(4)
    assert [report.drops["overflow-oldest"] for report in ear.reports] == [1, 3]


def test_an_interval_of_zero_tells_every_drop() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear, interval=0)
    for n in range(11):
        q.put(n)
    assert [report.drops for report in ear.reports] == [{"overflow-oldest": 1}] * 10


def test_calls_are_as_rare_as_said() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear, interval=0.05)
    began = time.monotonic()
    while time.monotonic() - began < 0.3:
        q.put(1)
    took = time.monotonic() - began
    assert 2 <= len(ear.reports) <= took / 0.05 + 1
    q.shutdown()
    assert ear.heard == told(q)


def test_a_consumer_that_finds_nothing_ends_the_episode() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear)
    for n in range(5):
        q.put(n)
    assert q.get() == 4
    with pytest.raises(Empty):
        q.get(timeout=0.001)
    assert [report.drops["overflow-oldest"] for report in ear.reports] == [1, 3]
    assert ear.reports[-1].size == 0


def test_every_reason_is_told() -> None:
    ear = Ear()
    q = channel("reject", ear, interval=0, maxsize=2, max_item_size=1)
    q.put("a")
    q.put("b")
    with pytest.raises(ItemTooLarge):
        q.put("long")
    with pytest.raises(Full):
        q.put("c")
    assert not q.try_put("d")
    q.shutdown(immediate=True)
    assert ear.heard == told(q) == {"oversized": 1, "full": 2, "shutdown": 2}


def test_a_put_in_vain_is_told_when_its_time_is_up() -> None:
    ear = Ear()
    q = channel("block", ear)
    q.put(1)
    task = blocked(q.put, 2)
    assert ear.reports == []  # waiting is what "block" is for
    q.get()
    task.result()
    with pytest.raises(Full):
        q.put(3, timeout=0.01)
    assert ear.heard == {"full": 1}


def test_a_deleted_channel_tells_the_rest() -> None:
    ear = Ear()
    q = channel("drop_newest", ear)
    for n in range(6):
        q.put(n)
    del q
    assert ear.heard == {"overflow-newest": 5}


def test_nothing_is_told_when_nothing_was_dropped() -> None:
    ear = Ear()
    q = channel("drop_oldest", ear)
    q.put(1)
    q.get()
    with pytest.raises(Empty):
        q.get(timeout=0.001)
    q.shutdown()
    del q
    assert ear.reports == []


# What the callback may do.


def test_the_callback_may_put_into_the_channel() -> None:
    ear = Ear()

    def on_pressure(report: Any) -> None:
        ear(report)
        with suppress(ShutDown):
            for n in range(3):
                q.put(-n)

    q = channel("drop_oldest", on_pressure, interval=0, maxsize=2)
    for n in range(20):
        q.put(n)
    assert q.qsize() == 2
    q.shutdown()
    assert ear.heard == told(q)
    assert q.stats().puts == 20 + 3 * (len(ear.reports) - 1)  # the last one finds it shut down


def test_the_callback_may_use_everything() -> None:
    ear = Ear()

    def on_pressure(report: Any) -> None:
        ear(report)
        q.try_get()
        q.stats()
        repr(q)
        if len(ear.reports) == 5:
            q.shutdown()

    q = channel("drop_oldest", on_pressure, interval=0)
    with pytest.raises(ShutDown):
        for n in range(100):
            q.put(n)
    assert ear.heard == told(q)


def test_the_callback_is_outside_of_every_critical_region() -> None:
    """Others go on while it sleeps; their drops are told afterwards."""
    ear, inside, leave = Ear(), threading.Event(), threading.Event()

    def on_pressure(report: Any) -> None:
        ear(report)
        if len(ear.reports) == 1:
            inside.set()
            assert leave.wait(30)

    q = channel("drop_oldest", on_pressure, interval=0)
    q.put(0)
    slow = spawn(q.put, 1)
    assert inside.wait(30)
    for n in range(2, 50):
        q.put(n)
    assert q.get() == 49
    assert len(ear.reports) == 1  # never two at a time
    leave.set()
    slow.result()
    q.shutdown()
    assert ear.heard == told(q) == {"overflow-oldest": 49}


def test_a_shutdown_during_a_call_leaves_the_rest_to_it() -> None:
    ear, inside, leave = Ear(), threading.Event(), threading.Event()

    def on_pressure(report: Any) -> None:
        ear(report)
        inside.set()
        assert leave.wait(30)

    q = channel("drop_newest", on_pressure)
    q.put(0)
    slow = spawn(q.put, 1)
    assert inside.wait(30)
    q.put(2)
    q.shutdown(immediate=True)
    assert len(ear.reports) == 1
    leave.set()
    slow.result()
    assert ear.heard == told(q) == {"overflow-newest": 2, "shutdown": 1}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError])
def test_an_exception_goes_to_the_hook_and_not_to_the_caller(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda args: seen.append((args.exc_type, args.object))
    )

    def on_pressure(report: Any) -> None:
        raise error

    q = channel("drop_oldest", on_pressure, interval=0)
    for n in range(4):
        q.put(n)
    assert seen == [(error, on_pressure)] * 3
    assert q.get() == 3
    with pytest.raises(Empty):
        q.get_nowait()
    q.shutdown()
    assert len(seen) == 3


def test_items_that_use_the_channel_when_they_are_dropped() -> None:
    class Phoenix:
        def __init__(self, lives: int) -> None:
            self.lives = lives

        def __del__(self) -> None:
            if self.lives:
                with suppress(ShutDown):
                    q.put(Phoenix(self.lives - 1))

    ear = Ear()
    q = channel("drop_oldest", ear, interval=0, maxsize=2)
    for _ in range(50):
        q.put(Phoenix(3))
    stats = q.stats()
    assert stats.size == 2
    assert stats.puts == stats.size + stats.drops["overflow-oldest"]
    assert stats.puts > 150
    q.shutdown(immediate=True)
    assert ear.heard == told(q)


# Many threads.


@pytest.mark.stress
@pytest.mark.parametrize("interval", [0, 0.001, 3600])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "reject"])
def test_a_hundred_threads_and_every_drop_is_told_once(
    overflow: str, interval: float, scale: Any
) -> None:
    ear, inside = Ear(), [0]
    most_inside = []

    def on_pressure(report: Any) -> None:
        inside[0] += 1
        most_inside.append(inside[0])
        ear(report)
        inside[0] -= 1

    q = channel(overflow, on_pressure, interval=interval, maxsize=3)

    def put() -> None:
        for n in range(scale(60)):
            q.try_put(n)

    def get() -> int:
        got = 0
        try:
            while True:
                q.get()
                got += 1
        except ShutDown:
            return got

    takers = [spawn(get) for _ in range(5)]
    run_threads(*[put] * 100)
    q.shutdown()
    got = sum(taker.result() for taker in takers)
    wait_until(lambda: ear.heard == told(q), "all drops told")
    assert set(most_inside) == {1}
    stats = q.stats()
    assert stats.gets == got
    assert stats.size == 0
    assert stats.offered == 100 * scale(60) == got + sum(stats.drops.values())
