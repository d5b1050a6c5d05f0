"""Loops that are closed, stop, or lose their thread while calls wait: their turns pass on."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.ends import EndKind, on
from support.loops import LOOPS, passes, run, settle, spawn_loop
from support.threads import blocked, run_threads, spawn

LONG = 30.0

# A loop that is closed with tasks left is what these tests are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


class Abandoned:
    """A loop with tasks that wait, and that nobody runs any more."""

    def __init__(self, loop_kind: str, waits: list[Callable[[], Any]], close: bool = True) -> None:
        self.loop = LOOPS[loop_kind]()
        self.loop.set_exception_handler(lambda *_: None)

        async def start() -> list[asyncio.Task[Any]]:
            tasks = [asyncio.ensure_future(wait()) for wait in waits]
            await settle(*tasks)
            return tasks

        self.tasks = self.loop.run_until_complete(start())
        if close:
            self.loop.close()


async def patient_get(ends: Any) -> Any:
    task = asyncio.ensure_future(ends.a.get())
    done, _ = await asyncio.wait([task], timeout=LONG)
    assert done, "the turn was lost with the loop"
    return task.result()


@on("shared", ours=True)
def test_turns_of_a_closed_loop_pass_on_to_another_loop(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get] * 3)

    async def main() -> Any:
        getter = asyncio.create_task(patient_get(ends))
        await settle(getter)
        await asyncio.get_running_loop().run_in_executor(None, ends.s.put, 1)
        return await getter

    assert run(main, loop_kind) == 1
    assert len(gone.tasks) == 3


@on("shared", ours=True)
def test_turns_of_a_closed_loop_pass_on_to_a_thread(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get] * 3)
    getters = [blocked(ends.s.get) for _ in range(2)]
    ends.s.put(1)
    ends.s.put(2)
    assert sorted(getter.result(LONG) for getter in getters) == [1, 2]
    assert len(gone.tasks) == 3


@on("shared", "bounded", ours=True)
def test_room_is_not_kept_for_a_closed_loop(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make(1)
    ends.s.put(0)
    gone = Abandoned(loop_kind, [lambda: ends.a.put(1)] * 3)
    putter = blocked(ends.s.put, 2)
    assert ends.s.get() == 0
    putter.result(LONG)
    assert ends.s.get() == 2
    assert ends.queue.qsize() == 0
    assert len(gone.tasks) == 3


@on(ours=True)
def test_a_queue_is_shut_down_under_a_closed_loop(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get])
    ends.s.put(1)
    ends.s.shutdown()
    kind.hand_over(ends)
    assert ends.s.get() == 1
    assert len(gone.tasks) == 1


@on("tasks", ours=True)
def test_a_join_of_a_closed_loop_holds_nobody_up(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    ends.s.put(1)
    gone = Abandoned(loop_kind, [ends.a.join])
    thread = blocked(ends.s.join)
    ends.s.get()
    ends.s.task_done()
    thread.result(LONG)
    assert len(gone.tasks) == 1


@on("shared", ours=True)
def test_items_put_before_the_loop_was_closed_are_not_lost(kind: EndKind, loop_kind: str) -> None:
    """The task had been told, and never ran."""
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get] * 2, close=False)
    thread = blocked(ends.s.get)
    ends.s.put(1)
    assert thread.result(LONG) == 1
    ends.s.put(2)
    gone.loop.close()
    assert ends.s.get(timeout=LONG) == 2
    assert len(gone.tasks) == 2


@on("shared", ours=True)
def test_a_loop_that_is_closed_after_it_was_told_passes_the_turn_on(
    kind: EndKind, loop_kind: str
) -> None:
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get], close=False)
    told = threading.Event()

    async def main() -> Any:
        getter = asyncio.create_task(patient_get(ends))
        await settle(getter)
        ends.s.put(1)  # for the task that came first
        told.set()
        await passes()
        gone.loop.close()
        # Whoever closes a loop without ending its tasks drops them sooner or later.
        gone.tasks.clear()
        gc.collect()
        return await getter

    assert run(main, loop_kind) == 1


@on("shared", ours=True)
def test_a_loop_that_stops_and_goes_on_gets_its_item(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    stopped = Abandoned(loop_kind, [ends.a.get], close=False)
    ends.s.put(1)
    assert stopped.loop.run_until_complete(stopped.tasks[0]) == 1
    again = stopped.loop.create_task(ends.a.get())
    stopped.loop.run_until_complete(passes())
    thread = spawn(ends.s.put, 2)
    assert stopped.loop.run_until_complete(again) == 2
    thread.result()
    stopped.loop.close()


@on("shared", ours=True)
def test_turns_of_a_loop_whose_thread_died_pass_on(kind: EndKind, loop_kind: str) -> None:
    """Its loop is not even closed."""
    ends = kind.make()
    gone = spawn(lambda: Abandoned(loop_kind, [ends.a.get] * 2, close=False)).result()
    getter = blocked(ends.s.get)
    ends.s.put(1)
    assert getter.result(LONG) == 1
    gone.loop.close()
    assert len(gone.tasks) == 2


@on("shared", ours=True)
def test_turns_of_dropped_loops_pass_on(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    gone = Abandoned(loop_kind, [ends.a.get] * 3)
    del gone
    gc.collect()
    getter = blocked(ends.s.get)
    ends.s.put(1)
    assert getter.result(LONG) == 1


@on(ours=True)
def test_a_loop_is_not_kept_by_the_queues_it_used(kind: EndKind) -> None:
    ends = kind.make()

    class Loop(asyncio.SelectorEventLoop):  # has weak references
        pass

    async def use() -> None:
        getter = asyncio.ensure_future(ends.a.get())
        await settle(getter)
        await ends.a.put(1)
        await getter

    loop = Loop()
    seen = weakref.ref(loop)
    loop.run_until_complete(use())
    loop.close()
    del loop
    gc.collect()
    assert seen() is None


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@on("shared", ours=True)
def test_loops_that_come_and_go_leave_no_descriptor_open(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()

    async def use() -> None:
        getter = asyncio.ensure_future(ends.a.get())
        await settle(getter)
        await asyncio.get_running_loop().run_in_executor(None, ends.s.put, 1)
        assert await getter == 1

    def one() -> None:
        spawn_loop(use, loop_kind).result()

    one()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        one()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_queues_share_the_descriptors_of_a_loop(loop_kind: str) -> None:
    from support.ends import having

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        many = [kind.make() for kind in having("shared", ours=True) for _ in range(50)]
        getters = [asyncio.create_task(ends.a.get()) for ends in many]
        await settle(*getters)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        for ends in many:
            ends.s.put(1)
        assert await asyncio.gather(*getters) == [1] * len(many)

    run(main, loop_kind)


@on("shared", ours=True)
def test_loops_are_closed_beside_threads_that_put(kind: EndKind, loop_kind: str) -> None:
    """With calls of every state: not begun, waiting, told, timed out."""
    ends = kind.make(4 if kind.bounded else 0)
    stop = threading.Event()
    sent: list[int] = []
    got: list[int] = []

    def produce(first: int) -> None:
        from queue import Full

        n = first
        while not stop.is_set():
            try:
                ends.s.put(n, timeout=0.01)
            except Full:
                continue
            sent.append(n)
            n += 1

    def come_and_go() -> None:
        for _ in range(15):
            loop = LOOPS[loop_kind]()
            loop.set_exception_handler(lambda *_: None)

            async def consume() -> None:
                while True:
                    got.append(await ends.a.get())
                    await asyncio.sleep(0)  # else it need not wait for a long time

            async def some_moments() -> None:
                tasks = [asyncio.ensure_future(consume()) for _ in range(3)]
                await asyncio.sleep(0.002)
                assert tasks

            loop.run_until_complete(some_moments())
            loop.close()
            gc.collect()

    producers = [spawn(produce, first) for first in (0, 1 << 20)]
    try:
        run_threads(come_and_go, come_and_go)
    finally:
        stop.set()
    for producer in producers:
        producer.result()
    while ends.queue.qsize():
        got.append(ends.s.get_nowait())
    assert sorted(got) == sorted(sent)


@on(ours=True)
def test_a_task_destroyed_with_its_loop_takes_nothing(kind: EndKind, loop_kind: str) -> None:
    ends = kind.make()
    Abandoned(loop_kind, [ends.a.get])
    gc.collect()
    kind.hand_over(ends)
    ends.s.put(1)
    assert ends.s.get(timeout=LONG) == 1


@on("shared", ours=True)
def test_a_call_begun_in_one_loop_is_not_continued_in_another(
    kind: EndKind, loop_kind: str
) -> None:
    """The standard library's error of futures, and nothing is lost."""
    ends = kind.make()
    gone = LOOPS[loop_kind]()
    call = ends.a.get()

    async def begin() -> Any:
        return call.send(None)

    gone.run_until_complete(begin())

    async def go_on() -> None:
        with pytest.raises(RuntimeError):
            await call

    run(go_on, loop_kind)
    call.close()
    gone.close()
    ends.s.put(1)
    assert ends.s.get_nowait() == 1


@pytest.mark.parametrize("told", [False, True], ids=["waiting", "told"])
@on("shared", ours=True)
def test_a_task_and_a_queue_that_only_know_each_other_are_freed(
    kind: EndKind, loop_kind: str, told: bool
) -> None:
    """A cycle through the list of those that wait: queue, call, future, task, and the queue again."""

    class Mark:
        pass

    async def wait(ends: Any, mark: Mark) -> None:
        await ends.a.get()

    async def start() -> weakref.ref[Mark]:
        ends, mark = kind.make(), Mark()
        task = asyncio.ensure_future(wait(ends, mark))
        await settle(task)
        if told:
            await asyncio.get_running_loop().run_in_executor(None, ends.s.put, 1)
        return weakref.ref(mark)

    loop = LOOPS[loop_kind]()
    loop.set_exception_handler(lambda *_: None)  # it reports a task destroyed while it waits
    seen = loop.run_until_complete(start())
    if told:
        loop.run_until_complete(settle())  # the task takes its item and ends
    gc.collect()
    assert seen() is None
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
