"""A program written for janus: its names, its two ends, its ways to close. Also over janus itself."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from support.loops import in_thread, run, settle, soon, spawn_loop
from support.threads import blocked, spawn

from fastprims import aio


def modules() -> list[Any]:
    try:
        return [aio, importlib.import_module("janus")]
    except ImportError:
        return [aio]


both = pytest.mark.parametrize("janus", modules(), ids=lambda module: module.__name__)
classes = pytest.mark.parametrize("name", ["Queue", "LifoQueue", "PriorityQueue"])

PUBLIC = ("maxsize", "closed", "sync_q", "async_q", "shutdown", "close", "wait_closed", "aclose")
OF_AN_END = (
    *("maxsize", "closed", "unfinished_tasks", "qsize", "empty", "full", "task_done", "join"),
    *("put", "get", "put_nowait", "get_nowait", "shutdown"),
)


def is_closed(end: Any) -> bool:
    """Our end for threads is a plain Queue, which calls it as the standard library does."""
    return bool(end.closed if hasattr(end, "closed") else end.is_shutdown)


@both
@classes
def test_the_names_are_there(janus: Any, name: str) -> None:
    q = getattr(janus, name)(2)
    assert [each for each in PUBLIC if not hasattr(q, each)] == []
    assert [each for each in OF_AN_END if not hasattr(q.async_q, each)] == []
    missing = {each for each in OF_AN_END if not hasattr(q.sync_q, each)}
    assert missing <= {"closed"}  # is_closed()


@both
def test_the_exceptions_have_their_names(janus: Any) -> None:
    import queue

    assert janus.SyncQueueEmpty is queue.Empty
    assert janus.SyncQueueFull is queue.Full
    assert janus.AsyncQueueEmpty is asyncio.QueueEmpty
    assert janus.AsyncQueueFull is asyncio.QueueFull
    assert issubclass(janus.SyncQueueShutDown, Exception)
    assert issubclass(janus.AsyncQueueShutDown, Exception)


@both
@classes
def test_the_names_of_types_can_be_parametrised(janus: Any, name: str) -> None:
    assert getattr(janus, name)[int] is not None
    assert janus.SyncQueue[int] is not None
    assert janus.AsyncQueue[int] is not None


@both
async def test_the_program_of_its_readme(janus: Any) -> None:
    def threaded(sync_q: Any) -> None:
        for i in range(100):
            sync_q.put(i)
        sync_q.join()

    async def async_coro(async_q: Any) -> None:
        for i in range(100):
            val = await async_q.get()
            assert val == i
            async_q.task_done()

    queue = janus.Queue()
    loop = asyncio.get_running_loop()
    fut = loop.run_in_executor(None, threaded, queue.sync_q)
    await async_coro(queue.async_q)
    await fut
    await queue.aclose()


@both
@classes
async def test_close_is_an_immediate_shutdown(janus: Any, name: str) -> None:
    q = getattr(janus, name)()
    q.sync_q.put(1)
    getter = asyncio.create_task(q.async_q.get())
    assert await soon(getter) == 1
    waiting = asyncio.create_task(q.async_q.get())
    await settle(waiting)
    thread = blocked(q.sync_q.join)
    q.close()
    with pytest.raises(janus.AsyncQueueShutDown):
        await soon(waiting)
    await soon(q.wait_closed())
    assert q.closed
    assert is_closed(q.sync_q)
    assert q.async_q.closed
    with pytest.raises(janus.SyncQueueShutDown):
        q.sync_q.put(1)
    with pytest.raises(janus.SyncQueueShutDown):
        q.sync_q.get_nowait()
    with pytest.raises(janus.AsyncQueueShutDown):
        await q.async_q.put(1)
    q.async_q.task_done()
    await in_thread(thread.result)


@both
async def test_close_drops_what_is_left(janus: Any) -> None:
    q = janus.Queue()
    q.sync_q.put(1)
    q.close()
    assert q.sync_q.qsize() == 0
    with pytest.raises(janus.AsyncQueueShutDown):
        q.async_q.get_nowait()
    await soon(q.async_q.join())
    await q.aclose()


@both
async def test_wait_closed_wants_a_closed_queue(janus: Any) -> None:
    q = janus.Queue()
    with pytest.raises(RuntimeError):
        await q.wait_closed()
    await q.aclose()
    await q.wait_closed()


@both
async def test_aclose_ends_the_waits_of_threads(janus: Any) -> None:
    q = janus.Queue(1)
    getter = blocked(q.sync_q.get)
    full = janus.Queue(1)
    full.sync_q.put(1)
    putter = blocked(full.sync_q.put, 2)
    await q.aclose()
    await full.aclose()
    for waiting in (getter, putter):
        with pytest.raises(janus.SyncQueueShutDown):
            await in_thread(waiting.result)


@both
async def test_unfinished_tasks_are_counted_for_both_ends(janus: Any) -> None:
    q = janus.Queue()
    q.sync_q.put(1)
    await q.async_q.put(2)
    assert (q.sync_q.unfinished_tasks, q.async_q.unfinished_tasks) == (2, 2)
    await q.async_q.get()
    q.sync_q.get()
    q.async_q.task_done()
    assert (q.sync_q.unfinished_tasks, q.async_q.unfinished_tasks) == (1, 1)
    q.sync_q.task_done()
    await soon(q.async_q.join())
    await in_thread(q.sync_q.join)
    for end in (q.sync_q, q.async_q):
        with pytest.raises(ValueError):
            end.task_done()


@both
async def test_the_end_for_threads_has_time_outs(janus: Any) -> None:
    q = janus.Queue(1)

    def use() -> None:
        with pytest.raises(janus.SyncQueueEmpty):
            q.sync_q.get(timeout=0.01)
        with pytest.raises(janus.SyncQueueEmpty):
            q.sync_q.get(block=False)
        q.sync_q.put(1, timeout=1)
        with pytest.raises(janus.SyncQueueFull):
            q.sync_q.put(2, timeout=0.01)
        with pytest.raises(janus.SyncQueueFull):
            q.sync_q.put(2, False)
        with pytest.raises(ValueError):
            q.sync_q.put(2, timeout=-1)

    await in_thread(use)
    await q.aclose()


@both
def test_a_queue_is_made_without_a_loop(janus: Any) -> None:
    q = janus.Queue(5)
    q.sync_q.put(1)

    async def main() -> Any:
        return await q.async_q.get()

    assert run(main) == 1


def test_ours_is_used_from_a_second_loop() -> None:
    """Where janus says that it is bound to another one."""
    q: Any = aio.Queue()

    async def get() -> Any:
        return await q.async_q.get()

    loops = [spawn_loop(get) for _ in range(3)]
    for n in range(3):
        q.sync_q.put(n)
    assert sorted(loop.result() for loop in loops) == [0, 1, 2]


def test_ours_are_asyncios_queue_and_both_ends_at_once() -> None:
    q: Any = aio.Queue(2)

    async def main() -> None:
        await q.put(1)
        await q.async_q.put(2)
        assert q.sync_q.get() == 1
        assert await q.get() == 2
        putter = spawn(q.sync_q.put, 3)
        assert await q.get() == 3
        putter.result()

    run(main)


@classes
def test_a_class_of_ones_own_may_derive(name: str) -> None:
    base: Any = getattr(aio, name)

    class Mine(base):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.note = "mine"

    q = Mine(1)

    async def main() -> None:
        await q.put(1)
        assert q.sync_q.get() == 1

    run(main)
    assert q.note == "mine"
    assert q.maxsize == 1
