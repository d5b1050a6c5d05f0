"""A cancelled call takes nothing and stores nothing, and passes its turn on."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import passes, settle, soon

TIMEOUT_BLOCKS = pytest.mark.skipif(sys.version_info < (3, 11), reason="no asyncio.timeout")


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Its cancellation has come through."""
    with pytest.raises(asyncio.CancelledError):
        await task


@on()
async def test_a_cancelled_get_takes_nothing(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await settle(getter)
    getter.cancel()
    await cancelled(getter)
    a.put_nowait(1)
    await passes()
    assert a.qsize() == 1
    assert a.get_nowait() == 1


@on("bounded")
async def test_a_cancelled_put_stores_nothing(kind: EndKind) -> None:
    a = kind.make(1).a
    await a.put(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    putter.cancel()
    await cancelled(putter)
    assert a.get_nowait() == 1
    await passes()
    assert a.empty()


@on("bounded")
async def test_a_call_cancelled_before_its_first_step_does_nothing(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(1)
    getter = asyncio.create_task(a.get())
    getter.cancel()
    await cancelled(getter)
    assert a.qsize() == 1
    a.get_nowait()
    putter = asyncio.create_task(a.put(2))
    putter.cancel()
    await cancelled(putter)
    assert a.empty()


@on()
async def test_a_get_that_was_woken_and_then_cancelled_leaves_the_item(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await settle(getter)
    a.put_nowait(1)
    getter.cancel()
    await cancelled(getter)
    assert a.get_nowait() == 1


@on("bounded")
async def test_a_put_that_was_woken_and_then_cancelled_leaves_the_room(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    a.get_nowait()
    putter.cancel()
    await cancelled(putter)
    a.put_nowait(3)
    assert a.get_nowait() == 3
    assert a.empty()


@pytest.mark.parametrize("late", [False, True], ids=["at once", "a pass later"])
@on("shared")
async def test_a_woken_get_that_is_cancelled_passes_its_turn_on(kind: EndKind, late: bool) -> None:
    a = kind.make().a
    first, second = asyncio.create_task(a.get()), asyncio.create_task(a.get())
    await settle(first, second)
    a.put_nowait("item")
    if late:
        await passes(1)  # then it may have taken the item
    first.cancel()
    await asyncio.wait([first])
    if first.cancelled():
        assert await soon(second) == "item"
    else:
        assert first.result() == "item"
        await settle(second)


@on("shared", "bounded")
async def test_a_woken_put_that_is_cancelled_passes_its_turn_on(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(0)
    first, second = asyncio.create_task(a.put(1)), asyncio.create_task(a.put(2))
    await settle(first, second)
    assert a.get_nowait() == 0
    first.cancel()
    await cancelled(first)
    await soon(second)
    assert a.get_nowait() == 2


@on("shared", "turns")
async def test_turns_pass_over_any_number_of_cancelled_calls(kind: EndKind) -> None:
    a = kind.make().a
    getters = [asyncio.create_task(a.get()) for _ in range(40)]
    await settle(*getters)
    for item in range(10):
        a.put_nowait(item)
    for getter in getters[:30]:
        getter.cancel()
    assert sorted(await soon(asyncio.gather(*getters[30:]))) == list(range(10))
    assert all(getter.cancelled() for getter in getters[:30])
    assert a.empty()


@on("shared", "turns", "fifo")
async def test_the_others_keep_their_order_when_one_is_cancelled(kind: EndKind) -> None:
    a = kind.make().a
    getters = []
    for _ in range(12):
        getters.append(asyncio.create_task(a.get()))
        await passes(1)
    for n in (0, 3, 4, 11):
        getters[n].cancel()
    for item in range(8):
        a.put_nowait(item)
    left = [getter for n, getter in enumerate(getters) if n not in (0, 3, 4, 11)]
    assert await soon(asyncio.gather(*left)) == list(range(8))


@on()
async def test_a_task_cancelled_twice_and_one_that_catches_it(kind: EndKind) -> None:
    a = kind.make().a
    caught = 0

    async def stubborn() -> Any:
        nonlocal caught
        while True:
            try:
                return await a.get()
            except asyncio.CancelledError:
                caught += 1

    task = asyncio.create_task(stubborn())
    await settle(task)
    for _ in range(3):
        task.cancel()
        task.cancel()
        await settle(task)
    assert caught == 3
    a.put_nowait(1)
    assert await soon(task) == 1


@on()
async def test_a_group_of_waiting_calls_is_cancelled_together(kind: EndKind) -> None:
    if not kind.shared:
        pytest.skip("one consumer")
    a = kind.make().a
    group = asyncio.gather(*(a.get() for _ in range(20)))
    await passes()
    group.cancel()
    with pytest.raises(asyncio.CancelledError):
        await group
    a.put_nowait(1)
    assert await soon(a.get()) == 1


@TIMEOUT_BLOCKS
@on()
async def test_a_timeout_block_ends_a_wait_and_loses_nothing(kind: EndKind) -> None:
    a = kind.make().a
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.002):  # type: ignore[attr-defined,unused-ignore]
                await a.get()
    a.put_nowait(1)
    async with asyncio.timeout(30):  # type: ignore[attr-defined,unused-ignore]
        assert await a.get() == 1


@on()
async def test_wait_for_ends_a_wait_and_loses_nothing(kind: EndKind) -> None:
    a = kind.make().a
    for _ in range(5):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(a.get(), 0.002)
    a.put_nowait(1)
    assert await asyncio.wait_for(a.get(), 30) == 1


@on(ours=True)
async def test_a_call_that_is_closed_while_it_waits_takes_nothing(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    future = call.send(None)
    assert asyncio.isfuture(future)
    call.close()
    a.put_nowait(1)
    with pytest.raises(RuntimeError):
        call.send(None)
    assert a.get_nowait() == 1


@on("shared", ours=True)
async def test_a_woken_call_that_is_closed_passes_its_turn_on(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    call.send(None)
    getter = asyncio.create_task(a.get())
    await settle(getter)
    a.put_nowait(1)
    call.close()
    assert await soon(getter) == 1


@on("shared", ours=True)
async def test_a_woken_call_that_is_dropped_passes_its_turn_on(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    call.send(None)
    getter = asyncio.create_task(a.get())
    await settle(getter)
    a.put_nowait(1)
    del call
    gc.collect()
    assert await soon(getter) == 1


@on("bounded", "shared", ours=True)
async def test_a_put_that_is_dropped_releases_its_item(kind: EndKind) -> None:
    class Item:
        def __lt__(self, other: object) -> bool:
            return False

    a = kind.make(1).a
    a.put_nowait(Item())
    item = Item()
    seen = weakref.ref(item)
    call = a.put(item)
    call.send(None)
    del item
    assert seen() is not None
    del call
    gc.collect()
    assert seen() is None


@on(ours=True)
async def test_any_exception_may_be_thrown_into_a_waiting_call(kind: EndKind) -> None:
    a = kind.make().a
    for error in (ZeroDivisionError("x"), KeyboardInterrupt(), GeneratorExit(), SystemExit(3)):
        call = a.get()
        call.send(None)
        with pytest.raises(type(error)) as caught:
            call.throw(error)
        assert caught.value is error
    call = a.get()
    call.send(None)
    with pytest.raises(ZeroDivisionError):
        call.throw(ZeroDivisionError)
    # Before the first step, too.
    with pytest.raises(ZeroDivisionError):
        a.get().throw(ZeroDivisionError())
    a.put_nowait(1)
    assert await soon(a.get()) == 1


@on("shared", ours=True)
async def test_cancelled_waiters_leave_nothing_behind(kind: EndKind) -> None:
    """Neither in the queue nor in the loop."""
    a = kind.make().a

    class Mark:
        pass

    async def wait_with(mark: Mark) -> None:
        await a.get()

    seen = []
    for _ in range(50):
        mark = Mark()
        seen.append(weakref.ref(mark))
        task = asyncio.create_task(wait_with(mark))
        await passes(1)
        task.cancel()
        await asyncio.wait([task])
    del mark, task
    gc.collect()
    await passes()
    assert [ref() for ref in seen if ref() is not None] == []
