"""shutdown() in every form, join() and task_done(), and iteration until the end."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import passes, settle, soon

import fastprims
from fastprims import aio

NEW = sys.version_info >= (3, 13)


# --- shutdown


@on("shutdown")
async def test_put_is_refused_after_shutdown(kind: EndKind) -> None:
    a = kind.make().a
    await a.put(1)
    a.shutdown()
    with pytest.raises(kind.closed):
        await a.put(2)
    with pytest.raises(kind.closed):
        a.put_nowait(2)
    assert a.qsize() == 1


@on("shutdown")
async def test_get_drains_and_then_says_shut_down(kind: EndKind) -> None:
    a = kind.make().a
    for item in range(4):
        await a.put(item)
    a.shutdown()
    got = [await a.get(), a.get_nowait(), await a.get(), a.get_nowait()]
    assert got == kind.ordered(range(4))
    with pytest.raises(kind.closed):
        await a.get()
    with pytest.raises(kind.closed):
        a.get_nowait()


@on("shutdown", "bounded")
async def test_a_full_queue_that_is_shut_down_says_so(kind: EndKind) -> None:
    a = kind.make(1).a
    a.put_nowait(1)
    a.shutdown()
    with pytest.raises(kind.closed):
        a.put_nowait(2)
    with pytest.raises(kind.closed):
        await soon(a.put(2))


@pytest.mark.parametrize("immediate", [False, True])
@on("shutdown")
async def test_waiting_gets_end(kind: EndKind, immediate: bool) -> None:
    a = kind.make().a
    getters = [asyncio.create_task(a.get()) for _ in range(20 if kind.shared else 1)]
    await settle(*getters)
    a.shutdown(immediate)
    for getter in getters:
        with pytest.raises(kind.closed):
            await soon(getter)


@pytest.mark.parametrize("immediate", [False, True])
@on("shutdown", "bounded")
async def test_waiting_puts_end_and_store_nothing(kind: EndKind, immediate: bool) -> None:
    a = kind.make(1).a
    a.put_nowait(0)
    putters = [asyncio.create_task(a.put(n)) for n in range(1, 20 if kind.shared else 2)]
    await settle(*putters)
    a.shutdown(immediate)
    for putter in putters:
        with pytest.raises(kind.closed):
            await soon(putter)
    assert a.qsize() == (0 if immediate else 1)


@on("shutdown", "direct")
async def test_within_a_loop_one_pass_brings_the_end(kind: EndKind) -> None:
    a = kind.make().a
    getter = asyncio.create_task(a.get())
    await asyncio.sleep(0)
    a.shutdown()
    await asyncio.sleep(0)
    assert getter.done()
    with pytest.raises(kind.closed):
        getter.result()


@on("shutdown")
async def test_an_immediate_shutdown_drops_what_is_left(kind: EndKind) -> None:
    a = kind.make().a
    for item in range(5):
        a.put_nowait(item)
    a.shutdown(immediate=True)
    assert a.qsize() == 0
    with pytest.raises(kind.closed):
        a.get_nowait()
    with pytest.raises(kind.closed):
        await a.get()


@on("shutdown")
async def test_shutdown_may_be_repeated(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    a.shutdown()
    a.shutdown(False)
    assert a.get_nowait() == 1
    a.shutdown(immediate=True)
    a.shutdown()
    with pytest.raises(kind.closed):
        a.get_nowait()


@on("shutdown")
async def test_shut_down_is_neither_empty_nor_full(kind: EndKind) -> None:
    assert not issubclass(kind.closed, (asyncio.QueueEmpty, asyncio.QueueFull))


@on("shared", ours=True)
async def test_a_woken_get_that_finds_the_queue_shut_down_takes_what_is_left(kind: EndKind) -> None:
    a = kind.make().a
    getters = [asyncio.create_task(a.get()) for _ in range(3)]
    await settle(*getters)
    a.put_nowait(1)
    a.shutdown()
    await asyncio.wait(getters, timeout=30)
    outcomes = [g.exception() or g.result() for g in getters]
    assert outcomes.count(1) == 1
    assert sum(isinstance(outcome, kind.closed) for outcome in outcomes) == 2


@on(ours=True)
async def test_both_ends_and_the_queue_are_shut_down_together(kind: EndKind) -> None:
    for end in ("a", "s", "queue"):
        ends = kind.make()
        getattr(ends, end).shutdown()
        with pytest.raises(kind.closed):
            ends.a.get_nowait()
        with pytest.raises(kind.closed):
            await ends.a.get()
        with pytest.raises(kind.closed):
            await ends.a.get(timeout=1)
        with pytest.raises(kind.thread_closed):
            ends.s.get_nowait()
        with pytest.raises(kind.thread_closed):
            ends.s.get(timeout=1)
        with pytest.raises(kind.thread_closed):
            ends.s.put(1)
        assert ends.a.is_shutdown
        assert ends.s.is_shutdown


def test_the_exceptions_are_those_of_asyncio_where_it_has_them() -> None:
    assert aio.QueueEmpty is asyncio.QueueEmpty
    assert aio.QueueFull is asyncio.QueueFull
    if NEW:
        assert aio.QueueShutDown is asyncio.QueueShutDown  # type: ignore[attr-defined,unused-ignore]
    assert issubclass(aio.QueueShutDown, Exception)


def test_an_exception_of_the_other_end_is_not_caught_by_mistake() -> None:
    """queue.Empty and asyncio.QueueEmpty are unrelated; so it is with ours."""
    assert not issubclass(asyncio.QueueEmpty, fastprims.Empty)
    assert not issubclass(fastprims.Empty, asyncio.QueueEmpty)


# --- join and task_done


@on("tasks")
async def test_task_done_too_often_is_refused(kind: EndKind) -> None:
    a = kind.make().a
    with pytest.raises(ValueError):
        a.task_done()
    a.put_nowait(1)
    a.get_nowait()
    a.task_done()
    with pytest.raises(ValueError):
        a.task_done()


@on("tasks")
async def test_join_of_a_queue_without_tasks_returns(kind: EndKind) -> None:
    a = kind.make().a
    await soon(a.join())
    a.put_nowait(1)
    a.get_nowait()
    a.task_done()
    await soon(a.join())


@on("tasks")
async def test_join_waits_for_the_last_task(kind: EndKind) -> None:
    a = kind.make().a
    for item in range(3):
        a.put_nowait(item)
    joins = [asyncio.create_task(a.join()) for _ in range(5)]
    for _ in range(3):
        await settle(*joins)
        await a.get()
        await settle(*joins)
        a.task_done()
    await soon(asyncio.gather(*joins))


@on("tasks", "direct")
async def test_within_a_loop_one_pass_ends_join(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    join = asyncio.create_task(a.join())
    await asyncio.sleep(0)
    a.get_nowait()
    a.task_done()
    await asyncio.sleep(0)
    assert join.done()


@on("tasks")
async def test_workers_and_a_join(kind: EndKind) -> None:
    """The usual program."""
    a = kind.make(3).a
    done: list[int] = []

    async def work() -> None:
        while True:
            item = await a.get()
            await asyncio.sleep(0)
            done.append(item)
            a.task_done()

    workers = [asyncio.create_task(work()) for _ in range(3)]
    for item in range(60):
        await a.put(item)
    await soon(a.join())
    assert sorted(done) == list(range(60))
    for worker in workers:
        worker.cancel()


@on("tasks")
async def test_a_cancelled_join_harms_no_other(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    joins = [asyncio.create_task(a.join()) for _ in range(3)]
    await settle(*joins)
    joins[0].cancel()
    await passes()
    a.get_nowait()
    a.task_done()
    await soon(asyncio.gather(*joins[1:]))
    assert joins[0].cancelled()


@on("tasks", "shutdown")
async def test_an_immediate_shutdown_ends_join(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    a.put_nowait(2)
    join = asyncio.create_task(a.join())
    await settle(join)
    a.get_nowait()
    a.shutdown(immediate=True)
    await settle(join)
    a.task_done()
    await soon(join)


@on("tasks", "shutdown")
async def test_a_shutdown_leaves_join_waiting_for_what_is_left(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    join = asyncio.create_task(a.join())
    await settle(join)
    a.shutdown()
    await settle(join)
    await a.get()
    a.task_done()
    await soon(join)


# --- iteration


async def collect(a: Any) -> list[Any]:
    return [item async for item in a]


@on(ours=True)
async def test_iteration_ends_with_the_queue(kind: EndKind) -> None:
    a = kind.make().a
    for item in (2, 1, 3):
        a.put_nowait(item)
    a.shutdown()
    assert await collect(a) == kind.ordered([2, 1, 3])
    assert await collect(a) == []


@on(ours=True)
async def test_iteration_waits(kind: EndKind) -> None:
    a = kind.make().a
    collecting = asyncio.create_task(collect(a))
    for item in range(5):
        await settle(collecting)
        a.put_nowait(item)
    await settle(collecting)
    a.shutdown()
    assert await soon(collecting) == list(range(5))


@on("shared", "fifo", ours=True)
async def test_iterations_share_the_items(kind: EndKind) -> None:
    a = kind.make().a
    collecting = [asyncio.create_task(collect(a)) for _ in range(4)]
    await settle(*collecting)
    for item in range(100):
        a.put_nowait(item)
        if item % 10 == 0:
            await passes(1)
    a.shutdown()
    lists = await soon(asyncio.gather(*collecting))
    assert sorted(item for one in lists for item in one) == list(range(100))
    assert all(one == sorted(one) for one in lists)


@on(ours=True)
async def test_iteration_that_is_left_has_taken_only_what_it_gave(kind: EndKind) -> None:
    a = kind.make().a
    for item in range(5):
        a.put_nowait(item)
    async for _ in a:
        break
    assert a.qsize() == 4


@on(ours=True)
async def test_iteration_that_is_cancelled_has_taken_only_what_it_gave(kind: EndKind) -> None:
    a = kind.make().a
    seen: list[Any] = []

    async def read() -> None:
        async for item in a:
            seen.append(item)

    reading = asyncio.create_task(read())
    a.put_nowait(1)
    await settle(reading)
    a.put_nowait(2)
    reading.cancel()
    await asyncio.wait([reading])
    assert seen == [1]
    assert a.get_nowait() == 2


@on(ours=True)
async def test_the_end_of_an_iteration_hides_no_other_exception(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    a.shutdown()
    with pytest.raises(kind.closed):
        async for _ in a:
            raise kind.closed


@on(ours=True)
def test_an_end_for_coroutines_has_no_other_iteration(kind: EndKind) -> None:
    """`x in q` and `for x in q` would take the items away."""
    a = kind.make().a
    a.put_nowait(1)
    with pytest.raises(TypeError):
        iter(a)
    with pytest.raises(TypeError):
        1 in a  # noqa: B015
    assert a.qsize() == 1
