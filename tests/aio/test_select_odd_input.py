"""What select does with what it cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.selects import Ask, taken

import fastprims
from fastprims import AtomicFlag, MPMCRing, Queue, Selected, Selector, aio


def test_select_of_nothing(ask: Ask) -> None:
    with pytest.raises(ValueError, match="no operation"):
        ask()
    with pytest.raises(ValueError, match="no operation"):
        ask(Selector(), timeout=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda q, f: (q.get, q.get),
        lambda q, f: (q.get, (q.put, 1)),
        lambda q, f: (f, q.get, f),
    ],
)
def test_the_same_twice(ask: Ask, make: Callable[..., tuple[Any, ...]]) -> None:
    q = Queue[int]()
    q.put(1)
    with pytest.raises(ValueError, match="takes part once"):
        ask(*make(q, AtomicFlag()))
    assert q.qsize() == 1


def test_foreign_objects(ask: Ask) -> None:
    import queue

    q = Queue[int]()
    q.put(1)
    theirs: Any = queue.Queue()
    bad: list[Any] = [None, 5, "get", theirs.get, q, q.put, q.get_nowait, (q.get, 1), (q.put,)]
    bad += [(q.put, 1, 2), [q.put, 1], Queue.get, (theirs.put, 1), fastprims.AtomicInt()]
    for operation in bad:
        with pytest.raises(TypeError, match="select"):
            ask(q.get, operation)
    assert q.qsize() == 1


def test_bad_time_outs(ask: Ask) -> None:
    q = Queue[int]()
    q.put(1)
    for timeout, error in ((-1, ValueError), (float("nan"), ValueError), ("1", TypeError)):
        with pytest.raises(error):
            ask(q.get, timeout=timeout)
    for seconds, error in ((-1, ValueError), (float("nan"), ValueError), (None, TypeError)):
        with pytest.raises(error):
            fastprims.after(seconds)
    assert q.qsize() == 1


def test_objects_made_by_hand() -> None:
    with pytest.raises(ValueError, match="no operation"):
        Selector.__new__(Selector).select()
    with pytest.raises(TypeError):
        Selected()
    bare = MPMCRing.__new__(MPMCRing)
    with pytest.raises(RuntimeError, match="not initialised"):
        fastprims.select(bare.get, timeout=0)
    tick = fastprims.after(5)
    with pytest.raises(RuntimeError):
        tick.__init__(6)  # type: ignore[misc]
    assert tick.seconds == 5
    selector = Selector(Queue[int]().get)
    with pytest.raises(RuntimeError):
        selector.__init__(Queue[int]().get)  # type: ignore[misc]
    assert selector.select(0) is None


def test_what_an_operation_raises_takes_no_effect(ask: Ask) -> None:
    class Failing(Queue[int]):
        fails = True

        def get(self, block: bool = True, timeout: float | None = None) -> int:
            if self.fails:
                raise ZeroDivisionError
            return super().get(block, timeout)

    q, other = Failing(), Queue[int]()
    q.put(1)
    selector = Selector(q.get, other.get)
    with pytest.raises(ZeroDivisionError):
        ask(selector)
    q.fails = False
    assert taken(ask(selector)) == (0, 1, False)


def test_what_raises_again_and_again_leaves_the_others_their_turns(ask: Ask) -> None:
    class Failing(Queue[int]):
        def get(self, block: bool = True, timeout: float | None = None) -> int:
            raise ZeroDivisionError

    bad, good = Failing(), Queue[int]()
    good.put_many([1, 2])
    selector = Selector(bad.get, good.get)
    found = []
    for _ in range(4):
        try:
            found.append(taken(ask(selector))[1])
        except ZeroDivisionError:
            found.append(0)
    assert sorted(found) == [0, 0, 1, 2]


async def test_without_a_loop_that_runs() -> None:
    call = aio.select(Queue[int]().get)
    with pytest.raises(RuntimeError, match="no running event loop"):
        await asyncio.to_thread(call.send, None)
