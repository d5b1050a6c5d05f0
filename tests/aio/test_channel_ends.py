"""What the ends of channels promise beyond those of other queues: tokens, policies, whole batches."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
import weakref
from typing import Any

import pytest

from fastprims import BoundedChannel, ItemTooLarge, Queue, aio


def test_a_put_that_lacks_a_token_leaves_the_room_to_others() -> None:
    async def main() -> int:
        q: BoundedChannel[str] = BoundedChannel(1, rate=(2, 1))
        end = q.async_q
        await end.put("full")
        first = asyncio.create_task(end.put("late", timeout=0.8))  # lacks its token
        await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - nothing else is to run meanwhile
        second = asyncio.create_task(end.put("in time"))  # takes that token, and lacks room
        await asyncio.sleep(0.05)
        assert q.get_nowait() == "full"
        with pytest.raises(asyncio.QueueFull):
            await first
        await asyncio.wait_for(second, 5)
        return q.qsize()

    assert asyncio.run(main()) == 1


class Intruding(asyncio.SelectorEventLoop):
    """Takes items from a channel when a call of an end makes the timer of its time-out."""

    channel: Any = None

    def call_later(self, delay: float, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        if delay == 100 and self.channel is not None:
            channel, self.channel = self.channel, None
            channel.get_many(2)
        return super().call_later(delay, *args, **kwargs)


def test_a_batch_that_finds_room_but_no_token_is_woken_when_that_is_due() -> None:
    q: BoundedChannel[int] = BoundedChannel(2, rate=(50, 3))

    async def main() -> int:
        await q.async_q.put_many([0, 0])
        loop.channel = q
        return await asyncio.wait_for(q.async_q.put_many([1, 2], timeout=100), 5)

    loop = Intruding()
    try:
        assert loop.run_until_complete(main()) == 2
    finally:
        loop.close()


class Overriding(BoundedChannel[int]):
    def put(self, item: int, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)


def test_a_class_that_overrides_put_is_asked_and_keeps_its_policy() -> None:
    async def main() -> None:
        paced = Overriding(10, rate=(50, 1))
        for n in range(3):
            await asyncio.wait_for(paced.async_q.put(n), 5)
        rejecting = Overriding(1, overflow="reject")
        await rejecting.async_q.put(1)
        with pytest.raises(asyncio.QueueFull):
            await asyncio.wait_for(rejecting.async_q.put(2), 5)

    asyncio.run(main())


@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
@pytest.mark.parametrize("rate", [None, (1, 2)])
def test_a_batch_is_stored_and_counted_as_by_a_thread(overflow: Any, rate: Any) -> None:
    one, other = (BoundedChannel[int](2, overflow=overflow, rate=rate) for _ in range(2))
    stored = one.put_many(range(5))

    async def main() -> int:
        return await other.async_q.put_many(range(5))

    assert asyncio.run(main()) == stored
    assert one.stats().drops == other.stats().drops


@pytest.mark.parametrize("overflow", ["block", "reject"])
def test_a_batch_with_an_item_that_is_too_large_stores_nothing(overflow: Any) -> None:
    q: BoundedChannel[str] = BoundedChannel(9, max_item_size=1, overflow=overflow)

    async def main() -> None:
        await q.async_q.put_many(["a", "b", "long"])

    with pytest.raises(ItemTooLarge):
        asyncio.run(main())
    assert q.qsize() == 0


def test_a_shutdown_ends_a_wait_for_a_token() -> None:
    async def main() -> None:
        q: BoundedChannel[int] = BoundedChannel(9, rate=(0.01, 1))
        await q.async_q.put(1)
        putting = asyncio.create_task(q.async_q.put(2))
        await asyncio.sleep(0)
        q.shutdown()
        with pytest.raises(aio.QueueShutDown):
            await asyncio.wait_for(putting, 5)

    asyncio.run(main())


@pytest.mark.parametrize("closes", [False, True])
def test_loops_that_are_dropped_with_a_task_that_is_due_are_collected(closes: bool) -> None:
    def one() -> weakref.ref[Any]:
        loop = asyncio.new_event_loop()
        q: Queue[int] = Queue()

        async def wait() -> None:
            loop.create_task(q.async_q.get())
            await asyncio.sleep(0)

        loop.run_until_complete(wait())
        if closes:
            loop.close()
        q.put(1)
        return weakref.ref(loop)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loops = [one() for _ in range(5)]
        gc.collect()
        gc.collect()
    assert sum(loop() is not None for loop in loops) <= 1  # asyncio's policy keeps the last one


def test_objects_that_no_method_has_made_are_refused() -> None:
    async def main() -> None:
        end = Queue[int]().async_q
        call: Any = end.get()
        made_by_hand: Any = type(call)
        steps: list[Any] = [
            lambda c: c.send(None),
            next,
            lambda c: c.throw(ValueError),
            lambda c: c.close(),
        ]
        for step in steps:
            with pytest.raises(RuntimeError, match="method of an AsyncEnd"):
                step(made_by_hand())
        call.close()
        items: Any = type(end.__aiter__())
        with pytest.raises(TypeError):
            items(None)
        with pytest.raises(RuntimeError, match="async for"):
            items.__new__(items).__anext__()

    asyncio.run(main())
