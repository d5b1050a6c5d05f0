"""Queues that are opened while threads put and get in every style: exactly once, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import pytest
from support.kinds import Kind, on
from support.threads import blocked, run_threads, spawn, switch_interval
from support.traffic import CONSUMERS, PRODUCERS, check, flow

pytestmark = pytest.mark.stress

Scale = Callable[[int], int]

OPENERS: list[Callable[[Any], object]] = [
    lambda q: len(q.queue),
    lambda q: q.mutex.acquire() and q.mutex.release(),
    lambda q: setattr(q, "_put", q._put),
]


@pytest.mark.parametrize("bound", [1, 3, 0])
@pytest.mark.parametrize("threads", [1, 3])
@on("tasks", ours=True)
def test_nothing_is_lost_doubled_or_overtaken(
    kind: Kind, bound: int, threads: int, scale: Scale
) -> None:
    n = scale(150)
    for moment in (1, 5, 40, 100):
        q = kind.make(bound)

        def open_it(q: Any = q, moment: int = moment) -> None:
            while q.stats().gets < moment:
                pass
            run_threads(*(lambda opener=o: opener(q) for o in OPENERS[:threads]))

        with switch_interval(2e-5):
            opening = spawn(open_it)
            received = flow(
                q, list(islice(cycle(PRODUCERS), 3)), list(islice(cycle(CONSUMERS), 3)), n
            )
            opening.result()
        check(received, 3, n, kind.order == "fifo")
        assert q.stats().open
        assert (q.qsize(), q.unfinished_tasks) == (0, 3 * n)


@pytest.mark.parametrize("bound", [2, 0])
@on("tasks", ours=True)
def test_sizes_keep_to_the_bound_over_the_opening(kind: Kind, bound: int, scale: Scale) -> None:
    n = scale(40)
    for moment in range(scale(5)):
        q = kind.make(bound)

        def observe(q: Any = q) -> None:
            while not q.is_shutdown:
                time.sleep(0)
                size = q.qsize()
                assert 0 <= size <= (bound or 5 * n)
                assert q.unfinished_tasks <= 5 * n
                q.empty(), q.full(), len(q)

        def open_it(q: Any = q, moment: int = moment) -> None:
            while q.stats().gets < 9 * moment:
                time.sleep(0)
            with q.not_full:
                assert len(q.queue) <= (bound or 5 * n)

        with switch_interval(2e-5):
            received = flow(q, PRODUCERS, CONSUMERS, n, beside=[observe, open_it])
        check(received, 5, n, kind.order == "fifo")
        assert (q.qsize(), q.unfinished_tasks, q.maxsize) == (0, 5 * n, bound)


class Dropped:
    """An item whose release looks inside its queue: from within shutdown(), at the latest."""

    def __init__(self, q: Any, rank: int) -> None:
        self.q, self.rank = q, rank

    def __lt__(self, other: Dropped) -> bool:
        return self.rank < other.rank

    def __del__(self) -> None:
        if not self.q.stats().open:  # a standard queue releases them with the mutex held
            with self.q.mutex:
                len(self.q.queue)


@pytest.mark.parametrize("released", [False, True])
@on("tasks", ours=True)
def test_what_an_immediate_shutdown_drops_stays_dropped(
    kind: Kind, released: bool, scale: Scale
) -> None:
    queues = [kind.make() for _ in range(scale(60))]
    ready = threading.Barrier(2)

    def open_them() -> None:
        ready.wait()
        for q in queues:
            with q.mutex:
                pass

    def drop() -> None:
        # A free-threaded interpreter has what another thread made released by that thread, one
        # item's finalizer within another's: thousands would exceed the recursion limit.
        for q in queues:
            q.put_many(Dropped(q, i) if released else i for i in range(100))
        ready.wait()
        for q in queues:
            q.shutdown(immediate=True)
            assert q.qsize() == 0

    def join() -> None:
        for q in queues:
            q.join()

    run_threads(open_them, drop, join)
    for q in queues:
        assert (q.qsize(), q.unfinished_tasks, q.is_shutdown) == (0, 0, True)
        with q.mutex:
            assert len(q.queue) == 0


@on("tasks", ours=True)
def test_an_opening_overtakes_an_immediate_shutdown(kind: Kind) -> None:
    """So many items that the one is in the middle of dropping, the other of moving them."""
    for _ in range(8):
        q = kind.make()
        q.put_many(range(300_000))

        def open_it(q: Any = q) -> None:
            while not q.is_shutdown:
                pass
            with q.mutex:
                pass

        def drop(q: Any = q) -> None:
            q.shutdown(immediate=True)
            assert q.qsize() == 0

        run_threads(open_it, drop)
        assert (q.qsize(), q.unfinished_tasks) == (0, 0)


@pytest.mark.parametrize("name", ["unfinished_tasks", "maxsize", "is_shutdown", "mutex", "queue"])
@on("tasks", ours=True)
def test_a_look_inside_beside_an_opening_finds_it(kind: Kind, name: str, scale: Scale) -> None:
    queues = [kind.make() for _ in range(scale(200))]

    def look() -> None:
        for q in queues:
            for _ in range(5):
                getattr(q, name)

    def open_them() -> None:
        for q in queues:
            q.put(1)
            with q.mutex:
                assert len(q.queue) == 1

    run_threads(look, look, open_them)


@on("tasks", ours=True)
def test_tasks_are_counted_over_the_opening(kind: Kind, scale: Scale) -> None:
    for _ in range(scale(10)):
        q = kind.make()
        n = 200
        q.put_many(range(n))
        joining = blocked(q.join)
        ready = threading.Barrier(3)

        def work(q: Any = q, ready: threading.Barrier = ready) -> None:
            ready.wait()
            for _ in range(n // 2):
                q.get()
                q.task_done()

        def open_it(q: Any = q, ready: threading.Barrier = ready) -> None:
            ready.wait()
            len(q.queue)

        run_threads(work, work, open_it)
        joining.result()
        assert q.unfinished_tasks == 0
        with pytest.raises(ValueError, match="task_done"):
            q.task_done()
