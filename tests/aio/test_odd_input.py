"""What an end refuses, with the standard exception and a sentence."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import passes, run, settle, soon

import fastprims
from fastprims import aio


@on(ours=True)
async def test_arguments_that_do_not_exist(kind: EndKind) -> None:
    a = kind.make().a
    for call in (
        lambda: a.put(),
        lambda: a.put(1, 2, 3, 4),
        lambda: a.put(1, nonsense=2),
        lambda: a.get(1, 2, 3),
        lambda: a.get(nonsense=2),
        lambda: a.put_nowait(),
        lambda: a.get_nowait(1),
        lambda: a.get_many(),
        lambda: a.put_many(),
    ):
        with pytest.raises(TypeError):
            await call()  # type: ignore[misc]
    assert a.empty()


@on(ours=True)
def test_an_end_is_not_made_by_hand(kind: EndKind) -> None:
    a = kind.make().a
    if type(a).__module__ == "fastprims.aio" and type(a).__name__ in aio.__all__:
        return
    with pytest.raises(TypeError):
        type(a)()


@on(ours=True)
def test_an_end_is_neither_copied_nor_pickled(kind: EndKind) -> None:
    a = kind.make().a
    for call in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            call(a)


@on(ours=True)
async def test_a_call_is_neither_copied_nor_pickled(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            act(call)
    call.close()


@on(ours=True)
def test_the_ends_cannot_be_replaced(kind: EndKind) -> None:
    queue = kind.make().queue
    for name in ("async_q", "sync_q"):
        with pytest.raises(AttributeError):
            setattr(queue, name, 1)


@on(ours=True)
async def test_the_first_value_sent_into_a_call_is_none(kind: EndKind) -> None:
    a = kind.make().a
    call = a.get()
    with pytest.raises(TypeError):
        call.send(1)
    call.close()
    a.put_nowait(1)
    assert await a.get() == 1


@on(ours=True)
async def test_a_call_may_be_driven_by_name(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(7)
    for step in ("__next__", "send"):
        call: Any = a.get()
        with pytest.raises(StopIteration) as ended:
            getattr(call, step)(*[None] * (step == "send"))
        assert ended.value.value == 7
        a.put_nowait(7)


@on(ours=True)
def test_what_an_end_says_of_itself(kind: EndKind) -> None:
    a = kind.make().a
    text = repr(a)
    assert text.startswith("<")
    assert "Queue" in text or "Ring" in text or "Channel" in text
    assert type(a)[int]  # type: ignore[index]


@pytest.mark.parametrize("name", ["Queue", "LifoQueue", "PriorityQueue"])
def test_maxsize_is_a_number(name: str) -> None:
    cls: Any = getattr(aio, name)
    for wrong in ("3", [], object()):

        async def use(wrong: Any = wrong) -> None:
            q = cls(wrong)
            await q.put(1)

        with pytest.raises(TypeError):
            run(use)
    with pytest.raises(TypeError):
        cls(1, 2)
    with pytest.raises(TypeError):
        cls(size=2)
    assert cls(maxsize=2).maxsize == 2


@pytest.mark.parametrize("name", ["Queue", "LifoQueue", "PriorityQueue"])
def test_the_argument_loop_is_gone_as_in_the_standard_class(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(aio, name)(loop=None)


async def test_items_that_cannot_be_compared() -> None:
    """The comparison's own exception reaches whoever asked for it, and the queue stays whole."""
    q: Any = aio.PriorityQueue()
    q.put_nowait(1)
    with pytest.raises(TypeError):
        await q.put("text")
    with pytest.raises(TypeError):
        q.put_nowait("text")
    assert (q.qsize(), await q.get()) == (1, 1)


async def test_an_item_that_fails_to_compare_in_a_call_that_waited() -> None:
    class Failing:
        def __lt__(self, other: object) -> bool:
            raise ZeroDivisionError

    q: Any = aio.PriorityQueue(2)
    q.put_nowait(Failing())
    putters = []
    full: Any = fastprims.PriorityQueue(2)
    full.put(1)
    full.put(2)
    putters.append(asyncio.create_task(full.async_q.put("text")))
    await settle(*putters)
    full.get()
    with pytest.raises(TypeError):
        await soon(putters[0])
    assert full.qsize() == 1
    # The room for which it was woken is another's.
    await soon(full.async_q.put(3))
    assert full.qsize() == 2


async def test_a_channel_refuses_what_it_refuses_threads() -> None:
    a: Any = fastprims.BoundedChannel(2, max_item_size=2, size_of=len).async_q
    with pytest.raises(fastprims.ItemTooLarge):
        await a.put("long")
    with pytest.raises(fastprims.ItemTooLarge):
        a.put_nowait("long")
    await a.put("ok")
    assert await a.get() == "ok"


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_a_channel_that_drops_never_lets_a_task_wait(overflow: str) -> None:
    channel = fastprims.BoundedChannel(2, overflow=overflow)
    a: Any = channel.async_q
    for n in range(10):
        await soon(a.put(n))
    assert await a.get_many(10) == ([8, 9] if overflow == "drop_oldest" else [0, 1])


async def test_a_channel_that_rejects_says_full_at_once() -> None:
    a: Any = fastprims.BoundedChannel(1, overflow="reject").async_q
    await a.put(1)
    with pytest.raises(asyncio.QueueFull):
        await soon(a.put(2))


async def test_a_channel_with_a_rate_lets_the_others_run_meanwhile() -> None:
    """A put waits for its turn in the rate as it waits for room: without stopping the loop."""
    a: Any = fastprims.BoundedChannel(10, rate=(50.0, 1)).async_q
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    beating = asyncio.create_task(beat())
    for n in range(4):
        await soon(a.put(n))
    beating.cancel()
    assert beats >= 10
    assert await a.get_many(10) == [0, 1, 2, 3]


async def test_a_put_that_waits_for_its_rate_is_cancelled() -> None:
    a: Any = fastprims.BoundedChannel(10, rate=(0.1, 1)).async_q
    await a.put(1)
    putter = asyncio.create_task(a.put(2))
    await settle(putter)
    putter.cancel()
    await asyncio.wait([putter])
    assert putter.cancelled()
    with pytest.raises(asyncio.QueueFull):
        await a.put(2, timeout=0.01)
    await passes()
    assert a.qsize() == 1


async def test_the_ring_for_two_names_the_thread_that_may() -> None:
    """The role belongs to the thread of the loop, whichever task calls."""
    from support.loops import in_thread

    ring: Any = fastprims.SPSCRing(4)
    await ring.async_q.put(1)
    await asyncio.create_task(ring.async_q.put(2))

    def intrude() -> None:
        with pytest.raises(RuntimeError):
            ring.put(3)

    await in_thread(intrude)
    assert await ring.async_q.get_many(4) == [1, 2]
