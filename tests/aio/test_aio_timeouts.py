"""timeout= of the calls for coroutines."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import passes, settle, soon

LONG = 30.0
WRONG: list[Any] = ["1", b"1", [], object(), 1j]


@on(ours=True)
async def test_get_gives_up_after_its_time(kind: EndKind) -> None:
    a = kind.make().a
    began = time.monotonic()
    with pytest.raises(asyncio.QueueEmpty):
        await a.get(timeout=0.05)
    assert time.monotonic() - began >= 0.05 - 0.002


@on("bounded", ours=True)
async def test_put_gives_up_after_its_time(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(1)
    began = time.monotonic()
    with pytest.raises(asyncio.QueueFull):
        await a.put(2, timeout=0.05)
    assert time.monotonic() - began >= 0.05 - 0.002
    assert a.qsize() == 1


@on("bounded", ours=True)
async def test_a_call_that_can_be_done_ignores_how_little_time_it_has(kind: EndKind) -> None:
    a = kind.make(1).a
    await a.put(1, timeout=0)
    assert await a.get(timeout=0) == 1
    await a.put(1, timeout=1e-9)
    assert await a.get(timeout=1e-9) == 1


@on("bounded", ours=True)
async def test_no_time_at_all_is_the_call_that_does_not_wait(kind: EndKind) -> None:
    a = kind.make(1).a
    with pytest.raises(asyncio.QueueEmpty):
        await a.get(timeout=0)
    await a.put(1)
    with pytest.raises(asyncio.QueueFull):
        await a.put(2, timeout=0)


@on("bounded", ours=True)
async def test_a_call_is_woken_before_its_time_is_over(kind: EndKind) -> None:
    a = kind.make(1).a
    getter = asyncio.create_task(a.get(timeout=LONG))
    await settle(getter)
    await a.put(1)
    assert await soon(getter) == 1
    await a.put(2)
    putter = asyncio.create_task(a.put(3, timeout=LONG))
    await settle(putter)
    assert await a.get() == 2
    await soon(putter)
    assert await a.get() == 3


@on("bounded", ours=True)
async def test_a_time_out_that_is_none_is_no_time_out(kind: EndKind) -> None:
    a = kind.make(1).a
    getter = asyncio.create_task(a.get(timeout=None))
    await settle(getter)
    await a.put(1, timeout=None)
    assert await soon(getter) == 1


@pytest.mark.parametrize("forever", [1e10, 1e300, 10**12])
@on(ours=True)
async def test_ages_are_as_good_as_for_ever_or_refused(kind: EndKind, forever: float) -> None:
    """Never an early end."""
    a = kind.make().a
    getter = asyncio.create_task(a.get(timeout=forever))
    await asyncio.sleep(0.02)
    if getter.done():
        with pytest.raises(OverflowError):
            getter.result()
    else:
        a.put_nowait(1)
        assert await soon(getter) == 1


@on("bounded", ours=True)
async def test_a_negative_time_out_is_refused_where_it_would_wait(kind: EndKind) -> None:
    a = kind.make(1).a
    with pytest.raises(ValueError, match="timeout"):
        await a.get(timeout=-1)
    await a.put(1)
    with pytest.raises(ValueError, match="timeout"):
        await a.put(2, timeout=-0.5)
    assert a.qsize() == 1


@on("bounded", ours=True)
async def test_not_a_number_is_no_time_out(kind: EndKind) -> None:
    a = kind.make(1).a
    with pytest.raises(ValueError):
        await a.get(timeout=float("nan"))
    await a.put(1)
    with pytest.raises(ValueError):
        await a.put(2, timeout=float("nan"))
    assert a.qsize() == 1


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@on("bounded", ours=True)
async def test_a_time_out_is_a_number(kind: EndKind, wrong: Any) -> None:
    a = kind.make(1).a
    with pytest.raises(TypeError):
        await a.get(timeout=wrong)
    await a.put(1)
    with pytest.raises(TypeError):
        await a.put(2, timeout=wrong)
    assert a.qsize() == 1


@on("shared", ours=True)
async def test_a_call_whose_time_is_over_leaves_its_turn_to_the_next(kind: EndKind) -> None:
    a = kind.make().a
    short = asyncio.create_task(a.get(timeout=0.03))
    await passes(1)
    patient = asyncio.create_task(a.get())
    with pytest.raises(asyncio.QueueEmpty):
        await short
    a.put_nowait(1)
    assert await soon(patient) == 1


@on("shared", ours=True)
async def test_a_call_that_is_woken_as_its_time_ends_passes_its_turn_on(kind: EndKind) -> None:
    """The loop is kept busy, so that both are due when it looks."""
    for before in (True, False):
        a = kind.make().a
        short = asyncio.create_task(a.get(timeout=0.01))
        await passes(1)
        patient = asyncio.create_task(a.get())
        await passes(1)
        if before:
            a.put_nowait(1)
        time.sleep(0.02)  # noqa: ASYNC251 - the loop is to stand still
        if not before:
            a.put_nowait(1)
        await asyncio.wait([short, patient], timeout=LONG, return_when=asyncio.FIRST_COMPLETED)
        await passes()
        if short.done() and short.exception() is None:
            assert short.result() == 1
            assert not patient.done()
            a.put_nowait(2)
            assert await soon(patient) == 2
        else:
            with pytest.raises(asyncio.QueueEmpty):
                await short
            assert await soon(patient) == 1


@on("shared", ours=True)
async def test_time_outs_of_many_calls_come_in_their_order(kind: EndKind) -> None:
    a = kind.make().a
    ended: list[int] = []

    async def wait(n: int) -> None:
        with pytest.raises(asyncio.QueueEmpty):
            await a.get(timeout=0.02 * n)
        ended.append(n)

    await asyncio.gather(*(wait(n) for n in (3, 1, 5, 2, 4)))
    assert ended == [1, 2, 3, 4, 5]


@on("shared", ours=True)
async def test_a_cancelled_call_leaves_no_timer(kind: EndKind) -> None:
    a = kind.make().a
    loop = asyncio.get_running_loop()
    scheduled = getattr(loop, "_scheduled", None)
    for _ in range(200):
        getter = asyncio.create_task(a.get(timeout=3600))
        await passes(1)
        getter.cancel()
        await asyncio.wait([getter])
    for _ in range(200):
        getter = asyncio.create_task(a.get(timeout=3600))
        await passes(1)
        a.put_nowait(1)
        assert await soon(getter) == 1
    if scheduled is not None:  # uvloop has its own
        live = [timer for timer in scheduled if not timer.cancelled()]
        assert len(live) <= 2


@on("tasks", ours=True)
async def test_join_with_a_time_out_tells_whether_all_was_done(kind: EndKind) -> None:
    a = kind.make().a
    assert await a.join(timeout=0) is True
    await a.put(1)
    assert await a.join(timeout=0) is False
    assert await a.join(timeout=0.01) is False
    await a.get()
    a.task_done()
    assert await a.join(timeout=LONG) is True
    assert await a.join() is None
