"""get_many() and put_many() for coroutines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import in_thread, passes, settle, soon


@on(ours=True)
async def test_get_many_takes_what_is_there_up_to_the_number(kind: EndKind) -> None:
    a = kind.make().a
    for item in (2, 1, 3, 5, 4):
        a.put_nowait(item)
    wanted = kind.ordered([2, 1, 3, 5, 4])
    assert await a.get_many(2) == wanted[:2]
    assert await a.get_many(10) == wanted[2:]
    assert a.empty()


@on(ours=True)
async def test_get_many_waits_for_the_first_item_only(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get_many(10))
    await settle(getter)
    a.put_nowait(1)
    assert await soon(getter) == [1]


@on(ours=True)
async def test_get_many_gives_up_after_its_time(kind: EndKind) -> None:
    a = kind.make().a
    for timeout in (0, 0.01):
        with pytest.raises(asyncio.QueueEmpty):
            await a.get_many(3, timeout=timeout)


@on(ours=True)
async def test_put_many_stores_all_and_tells_how_many(kind: EndKind) -> None:
    a = kind.make().a
    assert await a.put_many([2, 1, 3]) == 3
    assert await a.put_many([]) == 0
    assert await a.get_many(5) == kind.ordered([2, 1, 3])
    assert await a.put_many(n for n in range(4)) == 4
    assert a.qsize() == 4


@on("bounded", ours=True)
async def test_put_many_waits_for_room_until_all_are_stored(kind: EndKind) -> None:
    a = kind.make(2).a
    putter = asyncio.create_task(a.put_many(range(7)))
    got: list[Any] = []
    while len(got) < 7:
        await passes(3)
        assert a.qsize() <= 2
        got += await soon(a.get_many(2))
    assert await soon(putter) == 7
    assert sorted(got) == list(range(7))
    if kind.fifo:
        assert got == list(range(7))


@on("bounded", ours=True)
async def test_put_many_whose_time_is_over_tells_how_many_it_stored(kind: EndKind) -> None:
    a = kind.make(2).a
    assert await a.put_many(range(5), timeout=0.01) == 2
    with pytest.raises(asyncio.QueueFull):
        await a.put_many(range(5), timeout=0.01)
    with pytest.raises(asyncio.QueueFull):
        await a.put_many(range(5), timeout=0)
    assert a.qsize() == 2


@on("bounded", ours=True)
async def test_a_cancelled_put_many_has_stored_its_first_items(kind: EndKind) -> None:
    a = kind.make(2).a
    putter = asyncio.create_task(a.put_many(range(5)))
    await settle(putter)
    a.get_nowait()
    await settle(putter)
    putter.cancel()
    await asyncio.wait([putter])
    assert putter.cancelled()
    left = [a.get_nowait() for _ in range(a.qsize())]
    assert len(left) == 2
    assert set(left) <= {0, 1, 2}
    await passes()
    assert a.empty()


@on(ours=True)
async def test_a_cancelled_get_many_takes_nothing(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get_many(5))
    await settle(getter)
    for item in range(3):
        a.put_nowait(item)
    getter.cancel()
    await asyncio.wait([getter])
    assert getter.cancelled()
    assert a.qsize() == 3


@on("shared", ours=True)
async def test_a_batch_wakes_all_that_wait_for_its_items(kind: EndKind) -> None:
    a = kind.make().a
    getters = [asyncio.create_task(a.get()) for _ in range(20)]
    await settle(*getters)
    await a.put_many(range(20))
    assert sorted(await soon(asyncio.gather(*getters))) == list(range(20))


@on("shared", ours=True)
async def test_a_batch_of_a_thread_wakes_all_that_wait_for_its_items(kind: EndKind) -> None:
    ends = kind.make()
    getters = [asyncio.create_task(ends.a.get()) for _ in range(20)]
    await settle(*getters)
    await in_thread(ends.s.put_many, list(range(20)))
    assert sorted(await soon(asyncio.gather(*getters))) == list(range(20))


@on("shared", "bounded", ours=True)
async def test_a_batch_taken_by_a_thread_wakes_all_that_wait_for_its_room(kind: EndKind) -> None:
    ends = kind.make(10)
    await ends.a.put_many(range(10))
    putters = [asyncio.create_task(ends.a.put(n)) for n in range(10)]
    await settle(*putters)
    assert len(await in_thread(ends.s.get_many, 10)) == 10
    await soon(asyncio.gather(*putters))
    assert ends.a.qsize() == 10


@on("shared", "bounded", ours=True)
async def test_a_batch_taken_wakes_all_that_wait_for_its_room(kind: EndKind) -> None:
    a = kind.make(10).a
    await a.put_many(range(10))
    putters = [asyncio.create_task(a.put(n)) for n in range(10)]
    await settle(*putters)
    assert len(await a.get_many(10)) == 10
    await soon(asyncio.gather(*putters))
    assert a.qsize() == 10


@pytest.mark.parametrize("immediate", [False, True])
@on("bounded", ours=True)
async def test_batches_and_the_end(kind: EndKind, immediate: bool) -> None:
    a = kind.make(2).a
    putter = asyncio.create_task(a.put_many(range(5)))
    await settle(putter)
    a.shutdown(immediate)
    try:
        assert await soon(putter) == 2  # as many as were stored
    except kind.closed:
        pytest.fail("put_many() has stored items and did not tell")
    if not immediate:
        assert len(await a.get_many(5)) == 2
    with pytest.raises(kind.closed):
        await a.get_many(5)
    with pytest.raises(kind.closed):
        await a.put_many([1])


@on("unordered", ours=True)
async def test_put_many_of_something_that_fails_on_the_way(kind: EndKind) -> None:
    def some() -> Any:
        yield 1
        raise ZeroDivisionError

    a = kind.make().a
    with pytest.raises(ZeroDivisionError):
        await a.put_many(some())
    assert a.qsize() == 0


@pytest.mark.parametrize("wrong", ["3", None, 2.5, [], object()], ids=repr)
@on(ours=True)
async def test_the_number_of_items_is_a_whole_number(kind: EndKind, wrong: Any) -> None:
    a = kind.make().a
    a.put_nowait(1)
    with pytest.raises(TypeError):
        await a.get_many(wrong)
    assert a.qsize() == 1


@pytest.mark.parametrize("wrong", [0, -1, -(2**70)])
@on(ours=True)
async def test_the_number_of_items_answers_as_for_threads(kind: EndKind, wrong: int) -> None:
    ends = kind.make()
    ends.s.put_nowait(1)
    kind.hand_over(ends)
    try:
        expected: Any = ends.s.get_many(wrong)
    except (ValueError, OverflowError) as error:
        with pytest.raises(type(error)):
            await ends.a.get_many(wrong)
    else:
        assert await ends.a.get_many(wrong) == expected
    assert ends.a.qsize() == 1


@on(ours=True)
async def test_put_many_of_what_is_no_iterable(kind: EndKind) -> None:
    a = kind.make().a
    for wrong in (None, 3, object()):
        with pytest.raises(TypeError):
            await a.put_many(wrong)
    assert a.empty()
