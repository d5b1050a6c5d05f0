"""An interrupt that strikes once a call has had its effect is raised by the loop, an instant later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastprims import Queue


class Struck(asyncio.SelectorEventLoop):
    """Lets an interrupt strike in the next call of call_soon(), or of a timer's cancel()."""

    due = ""  # in which of the two

    def strike(self, where: str) -> None:
        if self.due == where:
            self.due = ""
            raise KeyboardInterrupt

    def call_soon(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        handle = super().call_soon(*args, **kwargs)
        self.strike("call_soon")
        return handle

    def _timer_handle_cancelled(self, handle: Any) -> None:
        super()._timer_handle_cancelled(handle)  # type: ignore[misc]
        self.strike("cancel")


def outcome(main: Callable[[Struck], Any]) -> Any:
    """What main() answers; the interrupt has to come out of the loop meanwhile."""
    loop = Struck()
    try:
        task = loop.create_task(main(loop))
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(task)
        return loop.run_until_complete(task)
    finally:
        loop.close()


def test_a_get_that_wakes_a_task() -> None:
    async def main(loop: Struck) -> list[int]:
        end = Queue[int](1).async_q
        end.put_nowait(1)
        putting = loop.create_task(end.put(2))
        await asyncio.sleep(0)
        loop.due = "call_soon"
        got = [end.get_nowait()]
        await putting
        putting = loop.create_task(end.put(3))
        await asyncio.sleep(0)
        return [*got, await end.get(), await end.get()]

    assert outcome(main) == [1, 2, 3]


def test_an_awaited_get_that_wakes_a_task() -> None:
    async def main(loop: Struck) -> list[int]:
        end = Queue[int](1).async_q
        end.put_nowait(1)
        putting = loop.create_task(end.put(2))
        await asyncio.sleep(0)
        loop.due = "call_soon"
        got = [await end.get()]
        await putting
        return [*got, await end.get()]

    assert outcome(main) == [1, 2]


def test_a_put_that_wakes_a_task() -> None:
    async def main(loop: Struck) -> list[int]:
        end = Queue[int]().async_q
        getting = loop.create_task(end.get())
        await asyncio.sleep(0)
        loop.due = "call_soon"
        end.put_nowait(1)
        return [await getting, end.qsize()]

    assert outcome(main) == [1, 0]


def test_a_get_that_cancels_its_time_out() -> None:
    async def main(loop: Struck) -> list[int]:
        q = Queue[int]()
        getting = loop.create_task(q.async_q.get(timeout=60))
        await asyncio.sleep(0)
        loop.due = "cancel"
        q.put(1)
        return [await getting, q.qsize()]

    assert outcome(main) == [1, 0]


def test_a_shutdown_that_wakes_tasks() -> None:
    async def main(loop: Struck) -> list[str]:
        end = Queue[int]().async_q
        getting = [loop.create_task(end.get()) for _ in range(2)]
        await asyncio.sleep(0)
        loop.due = "call_soon"
        end.shutdown()
        ends = await asyncio.gather(*getting, return_exceptions=True)
        return [type(error).__name__ for error in ends]

    assert outcome(main) == ["QueueShutDown"] * 2
