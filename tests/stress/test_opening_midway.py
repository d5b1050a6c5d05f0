"""Queues that are opened while threads put and get in every style: exactly once, in order."""

from __future__ import annotations

import threading
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
