"""One end in threads, the other in tasks, on one loop or on several."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import in_thread, passes, run, settle, soon, spawn_loop
from support.threads import SETTLE, blocked, run_threads, spawn

LONG = 30.0


@on("threads")
async def test_a_thread_wakes_a_task(kind: EndKind) -> None:
    ends = kind.make()
    getter = asyncio.create_task(ends.a.get())
    await settle(getter)
    await in_thread(ends.s.put, 1)
    assert await soon(getter) == 1


@on("threads", "bounded", "shared")
async def test_a_thread_that_takes_wakes_a_task_that_stores(kind: EndKind) -> None:
    ends = kind.make(1)
    await ends.a.put(1)
    putter = asyncio.create_task(ends.a.put(2))
    await settle(putter)
    assert await in_thread(ends.s.get) == 1
    await soon(putter)
    assert await in_thread(ends.s.get) == 2


@on("threads")
async def test_a_task_wakes_a_thread(kind: EndKind) -> None:
    ends = kind.make()
    getter = blocked(ends.s.get)
    await ends.a.put(1)
    assert await in_thread(getter.result) == 1


@on("threads", "bounded", "shared")
async def test_a_task_that_takes_wakes_a_thread_that_stores(kind: EndKind) -> None:
    ends = kind.make(1)
    await in_thread(ends.s.put, 1)
    putter = blocked(ends.s.put, 2)
    assert await ends.a.get() == 1
    await in_thread(putter.result)
    assert await ends.a.get() == 2


@on("threads", "tasks")
async def test_a_thread_ends_the_join_of_a_task(kind: EndKind) -> None:
    ends = kind.make()
    ends.a.put_nowait(1)
    join = asyncio.create_task(ends.a.join())
    await settle(join)

    def work() -> None:
        ends.s.get()
        ends.s.task_done()

    await in_thread(work)
    await soon(join)


@on("threads", "tasks")
async def test_a_task_ends_the_join_of_a_thread(kind: EndKind) -> None:
    ends = kind.make()
    ends.a.put_nowait(1)
    join = blocked(ends.s.join)
    await ends.a.get()
    ends.a.task_done()
    await in_thread(join.result)


@pytest.mark.parametrize("immediate", [False, True])
@on("threads", "shutdown")
async def test_a_thread_ends_the_waits_of_tasks(kind: EndKind, immediate: bool) -> None:
    ends = kind.make()
    getters = [asyncio.create_task(ends.a.get()) for _ in range(5 if kind.shared else 1)]
    await settle(*getters)
    await in_thread(ends.s.shutdown, immediate)
    for getter in getters:
        with pytest.raises(kind.closed):
            await soon(getter)


@on("threads", "shutdown")
async def test_a_task_ends_the_waits_of_threads(kind: EndKind) -> None:
    ends = kind.make()
    getters = [blocked(ends.s.get) for _ in range(3 if kind.shared else 1)]
    ends.a.shutdown()
    for getter in getters:
        with pytest.raises(kind.thread_closed):
            await in_thread(getter.result)


@on("threads", "fifo")
async def test_a_thread_sends_and_a_task_receives_in_order(kind: EndKind) -> None:
    count = 3000 if kind.fast else 300
    ends = kind.make(7 if kind.bounded else 0)
    sender = spawn(lambda: [ends.s.put(n) for n in range(count)])
    got = [await ends.a.get() for _ in range(count)]
    assert got == list(range(count))
    await in_thread(sender.result)


@on("threads", "fifo")
async def test_a_task_sends_and_a_thread_receives_in_order(kind: EndKind) -> None:
    count = 3000 if kind.fast else 300
    ends = kind.make(7 if kind.bounded else 0)
    receiver = spawn(lambda: [ends.s.get() for _ in range(count)])
    for n in range(count):
        await ends.a.put(n)
    assert await in_thread(receiver.result) == list(range(count))


@on("threads", "shared")
async def test_questions_and_answers(kind: EndKind) -> None:
    """Each waits for the other at every step."""
    count = 300 if kind.fast else 50
    there, back = kind.make(), kind.make()

    def answer() -> None:
        for _ in range(count):
            back.s.put(there.s.get() + 1)

    answering = spawn(answer)
    for n in range(count):
        await there.a.put(n)
        assert await soon(back.a.get()) == n + 1
    await in_thread(answering.result)


@on("threads", "shared")
async def test_tasks_and_threads_at_both_ends(kind: EndKind) -> None:
    each = 200 if kind.fast else 30
    ends = kind.make(3 if kind.bounded else 0)
    got: list[int] = []

    async def produce(first: int) -> None:
        for n in range(first, first + each):
            await ends.a.put(n)

    async def consume() -> None:
        for _ in range(each):
            got.append(await ends.a.get())

    producers = [spawn(lambda k=k: [ends.s.put(k + n) for n in range(each)]) for k in (0, 1000)]
    consumers = [spawn(lambda: [ends.s.get() for _ in range(each)]) for _ in range(2)]
    await soon(asyncio.gather(produce(2000), produce(3000), consume(), consume()), timeout=60)
    for producer in producers:
        await in_thread(producer.result)
    for consumer in consumers:
        got += await in_thread(consumer.result)
    assert sorted(got) == sorted(k + n for k in (0, 1000, 2000, 3000) for n in range(each))


# --- a loop that is busy harms nobody else


@on("threads", "shared", ours=True)
async def test_threads_are_served_while_the_loop_is_busy(kind: EndKind) -> None:
    """A task that was chosen cannot run: a thread that waits, too, takes the item."""
    ends = kind.make()
    task = asyncio.create_task(ends.a.get())
    await settle(task)
    thread = blocked(ends.s.get)
    ends.s.put(1)
    assert thread.result(LONG) == 1  # the loop stands still meanwhile
    await settle(task)
    ends.s.put(2)
    assert await soon(task) == 2


@on("threads", "shared", ours=True)
async def test_a_thread_beside_a_waiting_task_is_woken_at_once(kind: EndKind) -> None:
    """Not when it looks for signals, as threads that sleep do in longer and longer intervals: by
    now half a second. A busy machine may delay one try, or two.
    """
    delays = []
    for _ in range(4):
        ends = kind.make()
        task = asyncio.create_task(ends.a.get())
        await settle(task)
        thread = spawn(ends.s.get)
        await asyncio.sleep(0.8)
        began = time.monotonic()
        ends.s.put(1)
        assert thread.result(LONG) == 1  # the loop stands still meanwhile
        delays.append(time.monotonic() - began)
        task.cancel()
        if delays[-1] < 0.3:
            break
    assert min(delays) < 0.3, delays


@on("threads", "shared", ours=True)
async def test_threads_are_served_while_the_loop_is_busy_item_by_item(kind: EndKind) -> None:
    ends = kind.make()
    tasks = [asyncio.create_task(ends.a.get()) for _ in range(5)]
    await settle(*tasks)
    taker = spawn(lambda: [ends.s.get(timeout=LONG) for _ in range(20)])
    for n in range(20):
        time.sleep(0.001)  # noqa: ASYNC251 - the loop is to stand still
        ends.s.put(n)
    got = taker.result(LONG)
    assert sorted(got) == list(range(20))
    await settle(*tasks)
    await ends.a.put_many(range(5))
    assert sorted(await soon(asyncio.gather(*tasks))) == list(range(5))


@on("threads", "shared", "bounded", ours=True)
async def test_threads_that_store_are_served_while_the_loop_is_busy(kind: EndKind) -> None:
    ends = kind.make(1)
    ends.s.put(0)
    task = asyncio.create_task(ends.a.put(1))
    await settle(task)
    thread = blocked(ends.s.put, 2)
    assert ends.s.get() == 0
    thread.result(LONG)
    assert ends.s.get() == 2
    await soon(task)
    assert ends.s.get() == 1


@on("threads", "shared", ours=True)
async def test_a_thread_that_gives_up_leaves_the_item_to_a_task(kind: EndKind) -> None:
    ends = kind.make()
    for _ in range(30):
        thread = spawn(_get_in_time, ends.s, 0.002)
        task = asyncio.create_task(ends.a.get())
        await asyncio.sleep(0.0015)
        ends.s.put(1)
        taken = await in_thread(thread.result)
        if taken:
            await settle(task)
            ends.s.put(2)
            assert await soon(task) == 2
        else:
            assert await soon(task) == 1


def _get_in_time(s: Any, timeout: float) -> bool:
    from queue import Empty

    try:
        s.get(timeout=timeout)
    except Empty:
        return False
    return True


@on("threads", "shared", ours=True)
async def test_a_cancelled_task_leaves_the_item_to_a_thread(kind: EndKind) -> None:
    ends = kind.make()
    for _ in range(20):
        task = asyncio.create_task(ends.a.get())
        await passes(2)
        thread = spawn(ends.s.get)
        await asyncio.sleep(0.001)
        ends.a.put_nowait(1)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            assert thread.result(LONG) == 1
        else:
            ends.a.put_nowait(2)
            assert thread.result(LONG) == 2


# --- several loops


@on("threads", "loops", "shared")
def test_tasks_of_several_loops_wait_on_one_queue(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    count = 50

    async def consume() -> list[int]:
        return [await ends.a.get() for _ in range(count)]

    loops = [spawn_loop(consume, loop_kind) for _ in range(4)]
    for n in range(4 * count):
        ends.s.put(n)
    got = [item for loop in loops for item in loop.result()]
    assert sorted(got) == list(range(4 * count))


@on("threads", "loops", "shared")
def test_one_loop_sends_to_another(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make(3 if kind.bounded else 0)
    count = 300 if kind.fast else 60

    async def produce() -> None:
        for n in range(count):
            await ends.a.put(n)

    async def consume() -> list[int]:
        return [await ends.a.get() for _ in range(count)]

    consumer, producer = spawn_loop(consume, loop_kind), spawn_loop(produce, loop_kind)
    producer.result()
    assert sorted(consumer.result()) == list(range(count))


@on("threads", "loops", "shared")
def test_loops_of_several_kinds_and_threads_together(kind: EndKind) -> None:
    from support.loops import LOOPS

    ends = kind.make(2 if kind.bounded else 0)
    count = 200 if kind.fast else 30

    def consumer() -> Any:
        async def consume() -> list[int]:
            return [await ends.a.get() for _ in range(count)]

        return consume

    loops = [spawn_loop(consumer(), name) for name in LOOPS]
    thread = spawn(lambda: [ends.s.get() for _ in range(count)])
    total = (len(loops) + 1) * count
    for n in range(total):
        ends.s.put(n)
    got = [item for one in (*loops, thread) for item in one.result()]
    assert sorted(got) == list(range(total))


@on("threads", "loops", "shared", "tasks")
def test_joins_of_several_loops_end_together(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    ends.s.put(1)

    async def join() -> str:
        await ends.a.join()
        return "joined"

    loops = [spawn_loop(join, loop_kind) for _ in range(3)]
    time.sleep(SETTLE)
    assert all(loop.running for loop in loops)
    ends.s.get()
    ends.s.task_done()
    assert [loop.result() for loop in loops] == ["joined"] * 3


@on("threads", "loops", "shared", "shutdown")
def test_waits_of_several_loops_end_together(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()

    async def wait() -> str:
        try:
            await ends.a.get()
        except kind.closed:
            return "closed"
        return "item"

    loops = [spawn_loop(wait, loop_kind) for _ in range(3)]
    time.sleep(SETTLE)
    ends.s.shutdown()
    assert [loop.result() for loop in loops] == ["closed"] * 3


@on("threads", "loops", "shared", ours=True)
def test_one_loop_is_busy_and_the_other_is_served(kind: EndKind, loop_kind: str) -> None:
    """A task of the busy loop was there first; the item is taken by it later, or by the other."""
    ends = kind.make()
    waiting, go_on = threading.Event(), threading.Event()

    async def first() -> Any:
        getter = asyncio.create_task(ends.a.get())
        await settle(getter)
        waiting.set()
        assert go_on.wait(LONG)  # stands still
        return await getter

    async def second() -> Any:
        return await ends.a.get()

    busy = spawn_loop(first, loop_kind)
    assert waiting.wait(LONG)
    other = spawn_loop(second, loop_kind)
    time.sleep(SETTLE)
    ends.s.put(1)
    ends.s.put(2)  # one for each: the other need not wait for the busy one
    assert other.result(LONG) in (1, 2)
    go_on.set()
    assert busy.result() in (1, 2)


# --- without a loop


@on("loops", "threads", "unordered")
def test_the_calls_that_do_not_wait_need_no_loop(kind: EndKind) -> None:
    a = kind.make().a
    a.put_nowait(1)
    assert (a.get_nowait(), a.qsize(), a.empty()) == (1, 0, True)
    with pytest.raises(asyncio.QueueEmpty):
        a.get_nowait()


@on(ours=True)
def test_a_call_that_would_wait_without_a_loop_says_so(kind: EndKind) -> None:
    ends = kind.make()
    call = ends.a.get()
    with pytest.raises(RuntimeError, match="loop"):
        call.send(None)
    ends.a.put_nowait(1)
    assert ends.a.get_nowait() == 1


@on("loops", "threads")
def test_an_end_is_made_anywhere_and_used_anywhere(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()

    async def use() -> Any:
        getter = asyncio.create_task(ends.a.get())
        await settle(getter)
        await ends.a.put(1)
        item = await getter
        kind.hand_over(ends)
        return item

    for _ in range(3):
        assert run(use, loop_kind) == 1
        assert spawn_loop(use, loop_kind).result() == 1


@on(ours=True)
def test_the_ends_are_made_once(kind: EndKind) -> None:
    for _ in range(20):
        ends = kind.make()
        found = run_threads(*[lambda: ends.queue.async_q] * 8)
        assert all(end is found[0] for end in found)
        assert ends.queue.sync_q is ends.queue.sync_q
        assert ends.a is ends.queue.async_q or ends.a is ends.queue


@on(ours=True)
def test_an_end_keeps_its_queue(kind: EndKind) -> None:
    import gc

    ends = kind.make()
    a = ends.a
    a.put_nowait(1)
    del ends
    gc.collect()
    assert a.get_nowait() == 1


@on("threads", "loops", "shared", ours=True)
def test_a_queue_with_ends_is_freed(kind: EndKind) -> None:
    import gc
    import weakref

    class Item:
        def __lt__(self, other: object) -> bool:
            return False

    async def use(ends: Any) -> None:
        getter = asyncio.create_task(ends.a.get())
        await passes(2)
        ends.a.put_nowait(Item())
        await getter

    ends = kind.make()
    run(use(ends))
    item = Item()
    seen = weakref.ref(item)
    ends.a.put_nowait(item)
    del item, ends
    gc.collect()
    assert seen() is None
