"""A queue of which a program uses the inside becomes a standard queue; its end for coroutines goes on,
or says at once that it cannot. It never waits in vain.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.loops import in_thread, settle, soon
from support.threads import blocked

import fastprims
from fastprims import aio

CLASSES = ["Queue", "LifoQueue", "PriorityQueue"]
classes = pytest.mark.parametrize("name", CLASSES)


def look(q: Any) -> None:
    assert len(q.queue) >= 0


def lock(q: Any) -> None:
    with q.mutex:
        pass


def wait_on_condition(q: Any) -> None:
    with q.not_empty:
        q.not_empty.notify_all()


OPENINGS: dict[str, Callable[[Any], None]] = {
    "queue": look,
    "mutex": lock,
    "not_empty": wait_on_condition,
}
openings = pytest.mark.parametrize("how", OPENINGS)


@openings
@classes
async def test_an_open_queue_has_an_end(name: str, how: str) -> None:
    q: Any = getattr(fastprims, name)(2)
    OPENINGS[how](q)
    a = q.async_q
    await a.put(1)
    assert await a.get() == 1
    getter = asyncio.create_task(a.get())
    await settle(getter)
    await in_thread(q.put, 2)
    assert await soon(getter) == 2
    getter = asyncio.create_task(a.get())
    await settle(getter)
    a.put_nowait(3)
    assert await soon(getter) == 3


@openings
@classes
async def test_room_of_an_open_queue_is_told(name: str, how: str) -> None:
    q: Any = getattr(fastprims, name)(1)
    OPENINGS[how](q)
    a = q.async_q
    await a.put(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    assert await in_thread(q.get) == 1
    await soon(putter)
    putter = asyncio.create_task(a.put(3))
    await settle(putter)
    assert a.get_nowait() == 2
    await soon(putter)


@openings
@classes
async def test_a_queue_that_opens_while_tasks_wait(name: str, how: str) -> None:
    """In another thread, as a program does that looks from time to time."""
    q: Any = getattr(fastprims, name)()
    a = q.async_q
    getters = [asyncio.create_task(a.get()) for _ in range(3)]
    await settle(*getters)
    await in_thread(OPENINGS[how], q)
    await settle(*getters)
    for item in range(3):
        await in_thread(q.put, item)
    assert sorted(await soon(asyncio.gather(*getters))) == [0, 1, 2]


@classes
async def test_a_queue_that_opens_while_puts_wait(name: str) -> None:
    q: Any = getattr(fastprims, name)(1)
    a = q.async_q
    await a.put(0)
    putters = [asyncio.create_task(a.put(n)) for n in (1, 2)]
    await settle(*putters)
    await in_thread(look, q)
    await settle(*putters)
    assert [await in_thread(q.get) for _ in range(3)].count(0) == 1
    await soon(asyncio.gather(*putters))


@pytest.mark.parametrize("immediate", [False, True])
@classes
async def test_an_open_queue_is_shut_down(name: str, immediate: bool) -> None:
    q: Any = getattr(fastprims, name)()
    a = q.async_q
    look(q)
    getter = asyncio.create_task(a.get())
    await settle(getter)
    await in_thread(q.shutdown, immediate)
    with pytest.raises(aio.QueueShutDown):
        await soon(getter)
    with pytest.raises(aio.QueueShutDown):
        await a.put(1)


@classes
async def test_joins_of_an_open_queue_end(name: str) -> None:
    q: Any = getattr(fastprims, name)()
    a = q.async_q
    a.put_nowait(1)
    early = asyncio.create_task(a.join())
    await settle(early)
    look(q)
    late = asyncio.create_task(a.join())
    await settle(early, late)
    await in_thread(q.get)
    await in_thread(q.task_done)
    await soon(asyncio.gather(early, late))


@classes
async def test_cancelled_waits_on_an_open_queue_lose_nothing(name: str) -> None:
    q: Any = getattr(fastprims, name)()
    a = q.async_q
    look(q)
    first, second = asyncio.create_task(a.get()), asyncio.create_task(a.get())
    await settle(first, second)
    q.put(1)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert await soon(second) == 1
    with pytest.raises(asyncio.QueueEmpty):
        await a.get(timeout=0.01)
    thread = blocked(q.get)
    a.put_nowait(2)
    assert await in_thread(thread.result) == 2


@classes
async def test_items_put_by_the_programs_own_hands(name: str) -> None:
    """As debuggers and some libraries do: under the lock, with a notification."""
    q: Any = getattr(fastprims, name)()
    a = q.async_q
    getter = asyncio.create_task(a.get())
    await settle(getter)

    def by_hand() -> None:
        with q.not_empty:
            q.queue.append(1)
            q.not_empty.notify()

    await in_thread(by_hand)
    assert await soon(getter) == 1


@classes
async def test_a_class_with_hooks_of_its_own(name: str) -> None:
    """It is open from the start."""
    base: Any = getattr(fastprims, name)
    seen: list[int] = []

    class Hooked(base):  # type: ignore[misc]
        def _put(self, item: int) -> None:
            seen.append(item)
            super()._put(item)

    q = Hooked(2)
    a = q.async_q
    getter = asyncio.create_task(a.get())
    await settle(getter)
    await in_thread(q.put, 1)
    assert await soon(getter) == 1
    await a.put(2)
    assert await a.get() == 2
    assert seen == [1, 2]


@classes
async def test_a_wait_stops_no_thread_that_uses_the_lock(name: str) -> None:
    q: Any = getattr(fastprims, name)()
    getter = asyncio.create_task(q.async_q.get())
    await settle(getter)
    done = threading.Event()

    def use() -> None:
        for _ in range(100):
            with q.mutex:
                pass
        done.set()

    await in_thread(use)
    assert done.is_set()
    q.put(1)
    assert await soon(getter) == 1
