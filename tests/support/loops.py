"""Event loops for tests: every kind that is here, with a watchdog and an ear for what goes wrong."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import selectors
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from .threads import DEADLINE, SETTLE, Task, dump_threads, spawn

T = TypeVar("T")

HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # type: ignore[import-not-found,unused-ignore]

    return uvloop.new_event_loop()  # type: ignore[no-any-return,unused-ignore]


def _selecting() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "asyncio-select": _selecting,
}
if HAS_UVLOOP:
    LOOPS["uvloop"] = _uvloop

MAIN_LOOPS = [name for name in LOOPS if name != "asyncio-select"]
"""Those that are worth running every test on."""


class LoopTrouble(AssertionError):
    """The loop's handler for exceptions was called."""


def run(
    main: Callable[[], Coroutine[Any, Any, T]] | Coroutine[Any, Any, T],
    kind: str = "asyncio",
    timeout: float = DEADLINE,
) -> T:
    """Run a coroutine on a loop of its own to its end, cancel the tasks it leaves, close the loop.

    Anything that the loop only reports (an exception in a callback, a task destroyed while it waits)
    fails the test.
    """
    trouble: list[dict[str, Any]] = []
    loop = LOOPS[kind]()
    loop.set_exception_handler(lambda _, context: trouble.append(context))
    coroutine = main if inspect.iscoroutine(main) else main()  # type: ignore[operator]
    stopped = threading.Event()

    def watch() -> None:
        if not stopped.wait(timeout):
            dump_threads()
            loop.call_soon_threadsafe(lambda: [t.cancel() for t in asyncio.all_tasks(loop)])

    watchdog = threading.Thread(target=watch, daemon=True)
    watchdog.start()
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(coroutine)
    finally:
        stopped.set()
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
            watchdog.join()
    if trouble:
        raise LoopTrouble(trouble) from trouble[0].get("exception")
    return result


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def spawn_loop(main: Callable[[], Coroutine[Any, Any, T]], kind: str = "asyncio") -> Task[T]:
    """The same in a thread of its own."""
    return spawn(lambda: run(main, kind))


async def settle(*tasks: asyncio.Future[Any]) -> None:
    """Give other tasks the time to reach the call in which they are to wait, and insist they do."""
    await asyncio.sleep(SETTLE)
    for task in tasks:
        assert not task.done(), f"it was to wait, and ended: {task!r}"


async def passes(rounds: int = 5) -> None:
    """Let every task that can run do so, without any time passing."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], what: str, timeout: float = DEADLINE) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        await asyncio.sleep(0.001)


async def soon(awaitable: Awaitable[T], timeout: float = DEADLINE / 2) -> T:
    """Its result; to wait much longer for it fails the test with the stacks of all threads.

    Not by asyncio.wait_for, which asks for a result that is lost on Python 3.11 and older if both
    come at once.
    """
    task = asyncio.ensure_future(awaitable)
    done, _ = await asyncio.wait([task], timeout=timeout)
    if not done:
        dump_threads()
        task.cancel()
        raise AssertionError(f"still waiting after {timeout} s: {task!r}")
    return task.result()


async def in_thread(fn: Callable[..., T], *args: Any) -> T:
    """Call it in a thread of its own and wait for it without stopping the loop."""
    task = spawn(fn, *args)
    while task.running:
        await asyncio.sleep(0.001)
    return task.result(0)
