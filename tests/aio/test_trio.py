"""The ends and select in tasks of trio, and of anyio on both of its backends."""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.ends import having
from support.threads import blocked, spawn

import fastprims
from fastprims import AtomicFlag, BoundedChannel, Queue, Selector, aio

trio = pytest.importorskip("trio")
pytest.importorskip("trio.testing")

CLASSES = ["Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "MPMCRing", "BoundedChannel"]
SHUT_DOWN = next(kind.closed for kind in having("tasks", ours=True))


def make(name: str) -> Any:
    cls = getattr(fastprims, name)
    return cls(16) if name in ("MPMCRing", "BoundedChannel") else cls()


def run(main: Callable[[], Any], **options: Any) -> Any:
    async def limited() -> Any:
        with trio.fail_after(60):
            return await main()

    return trio.run(limited, **options)


@pytest.mark.parametrize("name", [*CLASSES, "SPSCRing"])
def test_an_item_passes(name: str) -> None:
    async def main() -> None:
        end = (fastprims.SPSCRing(4) if name == "SPSCRing" else make(name)).async_q
        await end.put(1)
        assert await end.get() == 1
        assert await end.put_many([2, 3]) == 2
        assert sorted(await end.get_many(5)) == [2, 3]

    run(main)


@pytest.mark.parametrize("name", CLASSES)
def test_threads_and_tasks_wake_each_other(name: str) -> None:
    async def main() -> None:
        q = make(name)
        got: list[int] = []
        async with trio.open_nursery() as nursery:

            async def take() -> None:
                got.append(await q.async_q.get())

            for _ in range(3):
                nursery.start_soon(take)
            await trio.testing.wait_all_tasks_blocked()
            await trio.to_thread.run_sync(q.put_many, [1, 2, 3])
        assert sorted(got) == [1, 2, 3]
        getter = blocked(q.get)
        await q.async_q.put(4)
        assert await trio.to_thread.run_sync(getter.result) == 4

    run(main)


def test_a_put_waits_for_room() -> None:
    async def main() -> None:
        q = Queue[int](1)
        await q.async_q.put(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(q.async_q.put, 2)
            await trio.testing.wait_all_tasks_blocked()
            assert q.get_nowait() == 1
        assert q.get_nowait() == 2

    run(main)


def test_tasks_are_served_in_their_order() -> None:
    async def main() -> None:
        end, got = Queue[int]().async_q, list[tuple[int, int]]()
        async with trio.open_nursery() as nursery:

            async def take(n: int) -> None:
                got.append((n, await end.get()))

            for n in range(5):
                nursery.start_soon(take, n)
                await trio.testing.wait_all_tasks_blocked()
            for n in range(5):
                end.put_nowait(n)
                await trio.testing.wait_all_tasks_blocked()  # trio mixes those that run together
        assert sorted(got) == [(n, n) for n in range(5)]

    run(main)


def test_until_shutdown() -> None:
    async def main() -> None:
        end, got = Queue[int]().async_q, list[int]()
        async with trio.open_nursery() as nursery:

            async def take() -> None:
                async for item in end:
                    got.append(item)

            nursery.start_soon(take)
            await end.put_many([1, 2])
            await trio.testing.wait_all_tasks_blocked()
            end.shutdown()
        assert got == [1, 2]
        with pytest.raises(SHUT_DOWN):
            await end.put(3)

    run(main)


def test_join() -> None:
    async def main() -> None:
        end = Queue[int]().async_q
        await end.put(1)
        assert await end.join(timeout=0.01) is False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.join)
            await trio.testing.wait_all_tasks_blocked()
            end.task_done()

    run(main)


def test_time_outs_go_by_the_clock_of_trio() -> None:
    async def main() -> None:
        end = Queue[int](1).async_q
        with pytest.raises(asyncio.QueueEmpty):
            await end.get(timeout=1000)
        assert await aio.select(end.get, timeout=1000) is None
        await end.put(1)
        with pytest.raises(asyncio.QueueFull):
            await end.put(2, timeout=1000)
        assert 2999 < trio.current_time() < 3001

    run_at_once = trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, clock=run_at_once)


# Trio's conventions. -----------------------------------------------------------------------------


def test_each_call_is_a_checkpoint() -> None:
    async def main() -> None:
        q = Queue[int]()
        end = q.async_q
        calls: list[Callable[[], Any]] = [
            lambda: end.put(1),
            lambda: end.put_many([2]),
            end.get,
            lambda: end.get_many(1),
            lambda: aio.select((end.put, 3)),
            lambda: aio.select(end.get),
            Selector((q.put, 4)).select_async,
        ]
        for call in calls:
            before = q.qsize()
            with trio.CancelScope() as scope:
                scope.cancel()
                await call()
            assert scope.cancelled_caught and q.qsize() == before
            with trio.testing.assert_checkpoints():
                await call()
            assert q.qsize() != before

    run(main)


def test_a_cancelled_call_passes_its_turn_on() -> None:
    async def main() -> None:
        q, got = Queue[int](), list[int]()
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def give_up() -> None:
                with scope:
                    got.append(await q.async_q.get())

            async def take() -> None:
                got.append(await q.async_q.get())

            nursery.start_soon(give_up)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(take)
            await trio.testing.wait_all_tasks_blocked()
            q.put(1)
            scope.cancel()
        assert got == [1]

    run(main)


@pytest.mark.parametrize("name", CLASSES)
def test_cancellations_lose_and_double_nothing(name: str) -> None:
    sent: list[int] = []
    got: list[int] = []

    async def main() -> None:
        q = BoundedChannel[int](2) if name == "BoundedChannel" else make(name)
        rng = random.Random(1)

        async def at_random(call: Callable[[], Any]) -> tuple[bool, Any]:
            done, value = False, None
            with trio.move_on_after(rng.choice((0, 0, 1e-5, 1e-4, 1e-3))):
                value = await call()
                done = True
            return done, value

        async def store(first: int) -> None:
            for n in range(first, first + 300):
                done, _ = await at_random(lambda n=n: q.async_q.put(n))
                if done:
                    sent.append(n)

        async def take() -> None:
            while True:
                done, value = await at_random(q.async_q.get)
                if done and value is None:
                    return
                if done:
                    got.append(value)

        def store_from_a_thread() -> None:
            for n in range(9000, 9300):
                q.put(n, timeout=60)
                sent.append(n)

        async with trio.open_nursery() as takers:
            for _ in range(3):
                takers.start_soon(take)
            async with trio.open_nursery() as storers:
                for n in range(3):
                    storers.start_soon(store, 1000 * n)
                storers.start_soon(trio.to_thread.run_sync, store_from_a_thread)
            while q.qsize():
                await trio.sleep(0.001)
            takers.cancel_scope.cancel()

    run(main)
    assert Counter(got) == Counter(sent) and len(sent) > 300


# Runs. -------------------------------------------------------------------------------------------


def test_a_run_that_ends_leaves_no_waiter() -> None:
    q = Queue[int]()

    async def main() -> None:
        with trio.move_on_after(0.01):
            await q.async_q.get()

    for n in range(3):
        run(main)
        q.put(n)
        assert q.get(timeout=20) == n


def test_a_run_that_fails_passes_its_turns_on() -> None:
    q = Queue[int]()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(q.async_q.get)
            await trio.testing.wait_all_tasks_blocked()
            q.put(1)  # the task has the turn
            raise ZeroDivisionError

    with pytest.raises(BaseException):  # noqa: B017  a group of exceptions
        run(main)
    assert q.get(timeout=20) == 1


def test_runs_loops_and_threads_share_a_queue() -> None:
    q = Queue[int](3)
    count, got = 300, list[list[int]]()

    async def take_with_trio() -> None:
        mine: list[int] = []
        got.append(mine)
        async for item in q.async_q:
            mine.append(item)

    async def take_with_asyncio() -> None:
        await take_with_trio()

    async def store(first: int) -> None:
        for n in range(first, first + count):
            await q.async_q.put(n)

    takers = [spawn(run, take_with_trio), spawn(run, take_with_trio)]
    takers.append(spawn(lambda: asyncio.run(take_with_asyncio())))
    storers = [spawn(run, lambda n=n: store(n * 1000)) for n in range(2)]
    storers.append(spawn(lambda: asyncio.run(store(5000))))
    storers.append(spawn(lambda: [q.put(n, timeout=60) for n in range(9000, 9000 + count)]))
    for storer in storers:
        storer.result()
    q.shutdown()
    for taker in takers:
        taker.result()
    wanted = [n + i for n in (0, 1000, 5000, 9000) for i in range(count)]
    assert sorted(n for mine in got for n in mine) == wanted


def test_a_guest_of_asyncio() -> None:
    q, back = Queue[int](), Queue[int]()

    async def guest() -> int:
        item = await q.async_q.get()
        await back.async_q.put(item + 1)
        return item

    async def host() -> int:
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=ended.set_result,
        )
        await asyncio.sleep(0.02)
        await q.async_q.put(1)
        assert await asyncio.wait_for(back.async_q.get(), 20) == 2
        return int((await ended).unwrap())

    assert asyncio.run(host()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT can be sent to one process there")
def test_ctrl_c_ends_a_wait_and_loses_nothing() -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals go to the main thread")
    q = Queue[int]()
    threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        trio.run(q.async_q.get)
    q.put(1)
    assert trio.run(q.async_q.get) == 1


def test_objects_of_a_run_are_collected() -> None:
    async def main() -> None:
        with trio.move_on_after(0.001):
            await Queue[int]().async_q.get()

    run(main)
    gc.collect()
    from fastprims._aio.trio_run import TrioLoop

    assert not [o for o in gc.get_objects() if isinstance(o, TrioLoop)]


# select. -----------------------------------------------------------------------------------------


def test_select() -> None:
    async def main() -> None:
        a, b, flag = Queue[int](), Queue[int](), AtomicFlag()
        selector = Selector(a.get, b.get, flag)
        answers: list[Any] = []
        for wake in (lambda: b.put(7), flag.test_and_set):
            async with trio.open_nursery() as nursery:

                async def ask() -> None:
                    answers.append(await selector.select_async())

                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                await trio.to_thread.run_sync(wake)
        assert [(x.index, x.value) for x in answers] == [(1, 7), (2, True)]
        flag.clear()
        a.put(1)
        answer = selector.select(0)  # the same Selector, for a thread
        assert answer is not None and answer.value == 1
        with trio.move_on_after(0.01) as scope:
            await selector.select_async()
        assert scope.cancelled_caught

    run(main)


# anyio. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend: str) -> None:
    anyio = pytest.importorskip("anyio")

    async def main() -> None:
        q, got = Queue[int](2), list[int]()
        with anyio.move_on_after(0.01) as scope:
            await q.async_q.get()
        assert scope.cancel_called and q.qsize() == 0
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:

            async def take() -> None:
                async for item in q.async_q:
                    got.append(item)

            group.start_soon(take)
            for n in range(10):
                await q.async_q.put(n)
            await anyio.to_thread.run_sync(q.put, 10)
            answer = await aio.select((q.put, 11))
            assert answer is not None
            while q.qsize():
                await anyio.sleep(0.001)
            with anyio.move_on_after(0.01):
                await aio.select(Queue[int]().get)
            q.async_q.shutdown()
        assert sorted(got) == list(range(12))

    anyio.run(main, backend=backend)
