"""Recorded histories of small races, every one of which some order must explain."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from queue import Empty, Full
from typing import Any

import pytest
from linearizability import (
    CLOSED,
    EMPTY,
    FULL,
    OK,
    Call,
    QueueModel,
    Recorder,
    in_steps,
    linearize,
    render,
)
from support.kinds import ShutDown, having
from support.threads import run_threads

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 1e-6  # seconds; see conftest.py

CALLS = 20
"""Calls of each thread in one history."""


def answer(act: Callable[[], Any]) -> Any:
    """What a call answered, exceptions included, in the checker's words."""
    try:
        return act()
    except Full:
        return FULL
    except Empty:
        return EMPTY
    except ShutDown:
        return CLOSED


def put(q: Any, item: int, style: int) -> str:
    def act() -> str:
        if style == 0:
            q.put_nowait(item)
        elif style == 1:
            return OK if q.try_put(item) else FULL
        elif style == 2:
            q.put(item, timeout=2e-5)
        else:
            q.put_many([item], timeout=2e-5 if item % 2 else 0)
        return OK

    return answer(act)


def get(q: Any, style: int) -> Any:
    def act() -> Any:
        if style == 0:
            return OK, q.get_nowait()
        if style == 1:
            item = q.try_get()
            return EMPTY if item is None else (OK, item)
        if style == 2:
            return OK, q.get(timeout=2e-5)
        return OK, q.get_many(1, timeout=2e-5)[0]

    return answer(act)


def look_inside(q: Any) -> tuple[Any, ...]:
    with q.mutex:
        return tuple(q.queue)


def work(
    q: Any,
    recorder: Recorder,
    seed: int,
    puts: float,
    *,
    styles: int,
    drops: bool,
    sizes: bool,
    opens: bool,
) -> None:
    """Random calls, a late shutdown among them; `puts` is the share of puts."""
    ends = hasattr(q, "shutdown")
    rng = random.Random(seed)
    first = rng.randrange(CALLS)
    for n in range(CALLS):
        style = rng.randrange(styles)
        if ends and n > CALLS // 2 and rng.random() < 0.1:
            immediate = drops and rng.random() < 0.4
            recorder.call("shutdown", immediate, lambda: q.shutdown(immediate))
            ends = False
        elif sizes and rng.random() < 0.1:
            recorder.call("size", None, q.qsize)
        elif opens and n >= first and rng.random() < 0.2:
            recorder.call("open", None, lambda: look_inside(q))
        elif rng.random() < puts:
            item = recorder.thread * 1000 + n
            recorder.call("put", item, lambda: put(q, item, style))
        else:
            recorder.call("get", None, lambda: get(q, style))


def race(q: Any, shares: list[float], seed: int, **options: Any) -> list[Call]:
    recorders = [Recorder(thread) for thread in range(len(shares))]
    run_threads(
        *[
            lambda r=r, share=share: work(q, r, seed + r.thread, share, **options)
            for r, share in zip(recorders, shares, strict=True)
        ]
    )
    return [call for recorder in recorders for call in recorder.calls]


def cases() -> list[Any]:
    found = []
    for kind in having(ours=True):
        for bound in (1, 2, 3, 0) if kind.bounded else (0,):
            if bound or kind.unbounded:
                found.append(pytest.param(kind, bound, id=f"{kind}-{bound}"))
    return found


@pytest.mark.parametrize(("kind", "bound"), cases())
def test_every_history_can_be_explained(kind: Any, bound: int, scale: Callable[[int], int]) -> None:
    model = QueueModel(bound or None, kind.order)
    overlapping = 0
    for lap in range(scale(100)):
        q = kind.make(bound)
        if kind.roles:
            shares = [1.0, 0.0]
        else:
            shares = [0.5] * 4 if lap % 2 else [0.9, 0.9, 0.1]
        # Dropping step by step makes histories that are too long to check if there is no bound,
        # and a ring for two leaves it to the consumer's next call.
        drops = bound > 0 and not kind.roles
        opens = kind.tasks and lap % 4 >= 2
        calls = race(
            q, shares, seed=lap * 100, styles=4, drops=drops, sizes=lap % 3 == 0, opens=opens
        )
        overlapping += overlaps(calls)
        calls = in_steps(calls, bound)
        assert linearize(calls, model) is not None, render(calls)
    assert overlapping, "no two calls overlapped: the histories show nothing"


def overlaps(calls: list[Call]) -> int:
    ordered = sorted(calls, key=lambda call: call.began)
    return sum(a.ended > b.began for a, b in pairwise(ordered))


class Racy:
    """A bounded queue that looks before it leaps, as queues without a lock do."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.items: deque[Any] = deque()

    def put_nowait(self, item: Any) -> None:
        if len(self.items) >= self.maxsize:
            raise Full
        time.sleep(0)
        self.items.append(item)

    def get_nowait(self) -> Any:
        try:
            item = self.items[0]
        except IndexError:
            raise Empty from None
        time.sleep(0)
        with suppress(IndexError):
            self.items.popleft()
        return item


def test_a_racy_queue_is_found_out() -> None:
    """The same race over a queue that is wrong: or the test above would prove little."""
    for lap in range(200):
        calls = race(Racy(2), [0.5] * 4, seed=lap, styles=1, drops=False, sizes=False, opens=False)
        if linearize(calls, QueueModel(2)) is None:
            return
    pytest.fail("two hundred histories of a broken queue were all found good")
