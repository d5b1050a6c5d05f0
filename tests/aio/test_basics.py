"""What every end for coroutines does: items go in and come out, calls wait and are woken."""

from __future__ import annotations

import asyncio
import collections.abc
import inspect
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import passes, settle, soon


@on()
async def test_items_come_out_in_the_order_of_the_kind(kind: EndKind) -> None:
    a = kind.make().a
    for item in (2, 1, 3):
        await a.put(item)
    assert [await a.get() for _ in range(3)] == kind.ordered([2, 1, 3])


@on()
async def test_the_calls_that_do_not_wait(kind: EndKind) -> None:
    a = kind.make().a
    for item in (2, 1, 3):
        assert a.put_nowait(item) is None
    assert [a.get_nowait() for _ in range(3)] == kind.ordered([2, 1, 3])
    with pytest.raises(asyncio.QueueEmpty):
        a.get_nowait()


@on("bounded")
async def test_put_nowait_refuses_at_the_bound(kind: EndKind) -> None:
    a = kind.make(2).a
    a.put_nowait(1)
    a.put_nowait(2)
    with pytest.raises(kind.full):
        a.put_nowait(3)
    assert a.qsize() == 2
    a.get_nowait()
    a.put_nowait(3)


@on()
async def test_put_returns_none(kind: EndKind) -> None:
    assert await kind.make().a.put(1) is None


@on("unordered")
async def test_any_object_is_an_item_and_comes_out_itself(kind: EndKind) -> None:
    a = kind.make().a
    items: list[Any] = [
        None,
        (),
        asyncio.QueueEmpty(),
        StopIteration(7),
        object,
        a,
        "text",
        1 << 90,
    ]
    for item in items:
        await a.put(item)
        got = await a.get()
        assert got is item
    for item in items:
        a.put_nowait(item)
        assert a.get_nowait() is item


@on("unordered")
async def test_a_result_that_is_an_exception_is_returned_also_after_a_wait(kind: EndKind) -> None:
    """A coroutine returns by StopIteration, which has a way of its own with tuples and exceptions."""
    a = kind.make().a
    for item in ((1, 2), StopIteration((3,)), ValueError("x"), None, ()):
        getter = asyncio.create_task(a.get())
        await settle(getter)
        await a.put(item)
        assert await soon(getter) is item


@on()
async def test_what_the_queue_says_of_itself(kind: EndKind) -> None:
    a = kind.make().a
    assert (a.qsize(), a.empty(), a.full()) == (0, True, False)
    await a.put(1)
    await a.put(2)
    assert (a.qsize(), a.empty(), a.full()) == (2, False, False)


@on("bounded")
async def test_full_and_maxsize(kind: EndKind) -> None:
    a = kind.make(2).a
    assert a.maxsize == 2
    await a.put(1)
    assert not a.full()
    await a.put(2)
    assert a.full()


@on("bounded", "unbounded")
async def test_a_bound_below_one_is_none(kind: EndKind) -> None:
    for bound in (0, -1):
        a = kind.make(bound).a
        for item in range(100):
            a.put_nowait(item)
        assert not a.full()
        assert a.qsize() == 100


@on()
async def test_get_waits_for_an_item(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await settle(getter)
    await a.put("item")
    assert await soon(getter) == "item"
    assert a.empty()


@on()
async def test_a_waiting_get_is_woken_by_put_nowait(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await settle(getter)
    a.put_nowait("item")
    assert await soon(getter) == "item"


@on("bounded")
async def test_put_waits_for_room(kind: EndKind) -> None:
    a = kind.make(1).a
    await a.put(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    assert a.qsize() == 1
    assert await a.get() == 1
    await soon(putter)
    assert await a.get() == 2


@on("bounded")
async def test_a_waiting_put_is_woken_by_get_nowait(kind: EndKind) -> None:
    a = kind.make(1).a
    await a.put(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    assert a.get_nowait() == 1
    await soon(putter)
    assert a.get_nowait() == 2


@on("direct")
async def test_within_a_loop_one_pass_brings_the_news(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await asyncio.sleep(0)
    a.put_nowait("item")
    await asyncio.sleep(0)
    assert getter.done()


@on("direct", "bounded")
async def test_within_a_loop_one_pass_brings_the_news_of_room(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(1)
    putter = asyncio.create_task(a.put(2))
    await asyncio.sleep(0)
    a.get_nowait()
    await asyncio.sleep(0)
    assert putter.done()


@on()
async def test_a_call_that_need_not_wait_does_not(kind: EndKind) -> None:
    """Nothing else runs in between."""
    if kind.name.startswith("culsans"):
        pytest.skip("culsans lets others run at each call")
    a = kind.make().a
    ran = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    await a.put(1)
    assert await a.get() == 1
    assert ran == []


@on(ours=True)
async def test_a_call_that_need_not_wait_is_done_by_one_step(kind: EndKind) -> None:
    a = kind.make().a
    put = a.put("item")
    with pytest.raises(StopIteration) as stopped:
        put.send(None)
    assert stopped.value.value is None
    get = a.get()
    with pytest.raises(StopIteration) as stopped:
        get.send(None)
    assert stopped.value.value == "item"


@on()
async def test_what_a_call_returns_is_a_coroutine(kind: EndKind) -> None:
    """For asyncio.create_task, which takes nothing else."""
    a = kind.make().a
    for call in (a.put(1), a.get()):
        assert isinstance(call, collections.abc.Coroutine)
        assert inspect.isawaitable(call)
        assert asyncio.iscoroutine(call)
        await call
    await asyncio.gather(a.put(1), a.put(2))
    assert set(await asyncio.gather(a.get(), a.get())) == {1, 2}
    await asyncio.wait_for(a.put(1), 10)
    assert await asyncio.wait_for(a.get(), 10) == 1
    await asyncio.shield(a.put(1))
    assert await asyncio.ensure_future(a.get()) == 1


@on()
async def test_a_call_is_awaited_once(kind: EndKind) -> None:
    a = kind.make().a
    for make in (lambda: a.put(1), a.get):
        call = make()
        await call
        with pytest.raises(RuntimeError):
            await call
    assert a.empty()


@on(ours=True)
async def test_a_call_that_waits_cannot_be_awaited_a_second_time(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    getter = asyncio.create_task(call)
    await settle(getter)
    with pytest.raises(RuntimeError):
        await call
    await a.put(1)
    assert await soon(getter) == 1


@on()
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
async def test_a_call_that_is_not_awaited_does_nothing(kind: EndKind) -> None:
    a = kind.make().a
    a.put(1).close()
    del_only = a.put(2)
    del del_only
    assert a.empty()
    await a.put(3)
    a.get().close()
    assert a.qsize() == 1


@on()
async def test_many_tasks_at_both_ends(kind: EndKind) -> None:
    if not kind.shared:
        pytest.skip("one producer and one consumer")
    bound = 2 if kind.bounded else 0
    a = kind.make(bound).a
    got: list[int] = []

    async def produce(first: int) -> None:
        for item in range(first, first + 20):
            await a.put(item)

    async def consume() -> None:
        for _ in range(20):
            got.append(await a.get())

    await asyncio.gather(*(produce(100 * n) for n in range(5)), *(consume() for _ in range(5)))
    assert sorted(got) == sorted(100 * n + m for n in range(5) for m in range(20))
    assert a.empty()


@on("shared")
async def test_as_many_calls_wait_as_you_like(kind: EndKind) -> None:
    count = 1000 if kind.fast else 50
    a = kind.make().a
    getters = [asyncio.create_task(a.get()) for _ in range(count)]
    await passes()
    for item in range(count):
        a.put_nowait(item)
    got = await soon(asyncio.gather(*getters))
    assert sorted(got) == list(range(count))


@on("turns", "fifo", "shared")
async def test_waiting_gets_are_served_in_their_order(kind: EndKind) -> None:
    a = kind.make().a
    getters = []
    for _ in range(50):
        getters.append(asyncio.create_task(a.get()))
        await passes(1)
    for item in range(50):
        a.put_nowait(item)
    assert await soon(asyncio.gather(*getters)) == list(range(50))


@on("turns", "fifo", "shared")
async def test_waiting_gets_are_served_in_their_order_one_by_one(kind: EndKind) -> None:
    a = kind.make().a
    getters = []
    for _ in range(20):
        getters.append(asyncio.create_task(a.get()))
        await passes(1)
    for item, getter in enumerate(getters):
        a.put_nowait(item)
        assert await soon(getter) == item
        assert sum(g.done() for g in getters) == item + 1


@on("turns", "fifo", "bounded", "shared")
async def test_waiting_puts_are_served_in_their_order(kind: EndKind) -> None:
    a = kind.make(1).a
    await a.put(-1)
    putters = []
    for item in range(50):
        putters.append(asyncio.create_task(a.put(item)))
        await passes(1)
    assert [await soon(a.get()) for _ in range(51)] == list(range(-1, 50))
    await soon(asyncio.gather(*putters))


@on("shared")
async def test_a_get_that_does_not_wait_leaves_the_waiting_ones_in_place(kind: EndKind) -> None:
    """It may take the item for which another was woken: then that one waits on, in its place."""
    a = kind.make().a
    first = asyncio.create_task(a.get())
    await settle(first)
    a.put_nowait(1)
    assert a.get_nowait() == 1
    await settle(first)
    second = asyncio.create_task(a.get())
    await settle(second)
    a.put_nowait(2)
    if kind.turns:
        assert await soon(first) == 2
        a.put_nowait(3)
        assert await soon(second) == 3
    else:
        a.put_nowait(3)
        assert {await soon(first), await soon(second)} == {2, 3}


@on("shared", ours=True)
async def test_a_call_that_was_woken_for_nothing_keeps_its_place(kind: EndKind) -> None:
    """asyncio's own queue sends it to the end of the line."""
    a = kind.make().a
    getters = []
    for _ in range(3):
        getters.append(asyncio.create_task(a.get()))
        await passes(1)
    for _ in range(3):
        a.put_nowait("taken by another")
        assert a.get_nowait() == "taken by another"
        await settle(*getters)
    for item, getter in enumerate(getters):
        a.put_nowait(item)
        assert await soon(getter) == item


@on("shared", "bounded", ours=True)
async def test_a_put_that_was_woken_for_nothing_keeps_its_place(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(9)
    putters = []
    for item in range(3):
        putters.append(asyncio.create_task(a.put(item)))
        await passes(1)
    for _ in range(3):
        a.get_nowait()
        a.put_nowait(9)  # into the room that was free for a moment
        await settle(*putters)
    assert a.get_nowait() == 9
    for item, putter in enumerate(putters):
        await soon(putter)
        assert await soon(a.get()) == item
