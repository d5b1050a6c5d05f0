"""Whatever is put comes out once, in order, over tiny bounds and many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import pytest
from support.kinds import Kind, having, on
from support.threads import run_threads
from support.traffic import CONSUMERS, PRODUCERS, check, flow, get_each, put_each

import fastprims

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 2e-5  # seconds; see conftest.py

Scale = Callable[[int], int]

BOUNDS = [1, 2, 3, 0]


def shared_with_bounds() -> list[Any]:
    cases = []
    for kind in having("shared", ours=True):
        bounds = BOUNDS if kind.bounded else [0]
        for bound in bounds:
            if bound or kind.unbounded:
                cases.append(pytest.param(kind, bound, id=f"{kind}-{bound}"))
    return cases


shared = pytest.mark.parametrize(("kind", "bound"), shared_with_bounds())


@pytest.mark.parametrize(("p", "c"), [(1, 1), (2, 2), (1, 5), (5, 1), (5, 5)])
@shared
def test_every_style_beside_every_other(
    kind: Kind, bound: int, p: int, c: int, scale: Scale
) -> None:
    n = scale(600 // p)
    q = kind.make(bound)
    received = flow(q, list(islice(cycle(PRODUCERS), p)), list(islice(cycle(CONSUMERS), c)), n)
    check(received, p, n, kind.order == "fifo")
    assert q.qsize() == 0
    stats = q.stats()
    assert (stats.puts, stats.gets) == (p * n, p * n)


@pytest.mark.parametrize("produce", PRODUCERS)
@pytest.mark.parametrize("bound", [1, 2, 3, 64])
def test_the_ring_for_two(produce: Any, bound: int, scale: Scale) -> None:
    n = scale(1500)
    for consume in CONSUMERS:
        q: Any = fastprims.SPSCRing(bound)
        received = flow(q, [produce], [consume], n)
        check(received, 1, n, fifo=True)


@pytest.mark.parametrize("bound", [1, 3, 0])
@on("shared", ours=True)
def test_a_crowd(kind: Kind, bound: int, scale: Scale) -> None:
    """Far more threads than cores, so that most are stopped in the middle of something."""
    if not kind.bounded and bound:
        bound = 0
    n = scale(15)
    q = kind.make(bound)
    received = flow(q, list(islice(cycle(PRODUCERS), 64)), list(islice(cycle(CONSUMERS), 64)), n)
    check(received, 64, n, kind.order == "fifo")


@on("shared", "bounded", ours=True)
def test_the_bound_holds_at_every_moment(kind: Kind, scale: Scale) -> None:
    for bound in (1, 2, 3):
        q = kind.make(bound)
        seen: set[int] = set()

        def watch(q: Any = q, seen: set[int] = seen) -> None:
            while not (q.is_shutdown and q.empty()):
                seen.add(q.qsize())
                seen.add(len(q))

        n = scale(400)
        received = flow(q, [put_each] * 3, [get_each] * 3, n, beside=[watch])
        check(received, 3, n, kind.order == "fifo")
        assert seen <= set(range(bound + 1)), f"bound {bound}, sizes seen {sorted(seen)}"


@on("resizable", ours=True)
def test_the_bound_moves_meanwhile(kind: Kind, scale: Scale) -> None:
    q = kind.make(2)
    largest = 0

    def move() -> None:
        nonlocal largest
        for bound in cycle([1, 5, 2, 4, 3, 1]):
            if q.is_shutdown:
                return
            q.maxsize = bound
            largest = max(largest, q.qsize())
            time.sleep(0)

    n = scale(700)
    received = flow(q, PRODUCERS[:4], CONSUMERS[:4], n, beside=[move])
    check(received, 4, n, kind.order == "fifo")
    assert largest <= 5


@on("resizable", ours=True)
def test_the_bound_comes_and_goes_meanwhile(kind: Kind, scale: Scale) -> None:
    q = kind.make(1)

    def move() -> None:
        for bound in cycle([0, 1, -1, 3]):
            if q.is_shutdown:
                return
            q.maxsize = bound
            time.sleep(1e-4)

    n = scale(700)
    received = flow(q, PRODUCERS[:4], CONSUMERS[:4], n, beside=[move])
    check(received, 4, n, kind.order == "fifo")


@on("tasks", ours=True)
def test_join_waits_for_every_task(kind: Kind, scale: Scale) -> None:
    q = kind.make(3)
    finished: list[int] = []
    rounds, n = scale(30), 20

    def work() -> None:
        while True:
            try:
                items = q.get_many(3)
            except fastprims.ShutDown:
                return
            for item in items:
                finished.append(item)
                q.task_done()

    def produce() -> None:
        for lap in range(1, rounds + 1):
            q.put_many(range(n))
            if lap % 2:
                q.join()
            else:
                assert q.join(timeout=60.0) is True
            assert len(finished) == lap * n
        q.shutdown()

    run_threads(work, work, work, produce)
    assert q.unfinished_tasks == 0


@on("shared", ours=True)
def test_gets_that_time_out_meet_puts(kind: Kind, scale: Scale) -> None:
    """The time-out and the wake-up arrive together again and again; no item vanishes."""
    q = kind.make(2) if kind.bounded else kind.make()
    n = scale(400)

    def produce() -> None:
        for item in range(n):
            q.put(item)
            time.sleep(1e-4)
        q.shutdown()

    def consume() -> list[int]:
        got = []
        while True:
            try:
                got.append(q.get(timeout=1e-4))
            except fastprims.Empty:
                continue
            except fastprims.ShutDown:
                return got

    _, *received = run_threads(produce, *[consume] * 4)
    check(received, 1, n, kind.order == "fifo")


@on("shared", ours=True)
def test_a_lone_sleeper_is_always_woken(kind: Kind, scale: Scale) -> None:
    """Ping-pong: at every moment one side sleeps, so one lost wake-up ends it."""
    ping, pong = (kind.make(1), kind.make(1)) if kind.bounded else (kind.make(), kind.make())
    n = scale(1500)

    def echo() -> None:
        for _ in range(n):
            pong.put(ping.get())

    def call() -> None:
        for item in range(n):
            ping.put(item)
            assert pong.get() == item

    run_threads(echo, call)


@on(ours=True)
def test_queues_come_and_go_between_threads(kind: Kind, scale: Scale) -> None:
    """Two threads' last references to a queue are dropped while one is just woken."""

    def one_way(q: Any) -> Any:
        return q.get(timeout=60.0)

    for n in range(scale(150)):
        q = kind.make(1) if kind.bounded else kind.make()
        thread = threading.Thread(target=one_way, args=(q,), daemon=True)
        thread.start()
        q.put(n)
        del q
        thread.join(60.0)
        assert not thread.is_alive()
