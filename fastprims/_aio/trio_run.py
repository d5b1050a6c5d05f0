"""What calls and hubs need of an event loop, for a run of trio.

Imported when a call is awaited in a task of trio; nothing here is asked before.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

import trio
from trio.lowlevel import Abort, RunVar

__all__ = ["TrioLoop", "loop_here", "run_call", "run_coroutine"]

T = TypeVar("T")


class TrioFuture:
    """What one task waits for, as much of a future as waiters use."""

    def __init__(self) -> None:
        self._task: Any = None
        self._done = False

    def done(self) -> bool:
        return self._done

    def set_result(self, result: None) -> None:
        self._done = True
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        if self._done:
            return

        def abort(raise_cancel: Any) -> Abort:
            self._task = None
            return Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def __await__(self) -> Generator[Any, Any, None]:
        return self.wait().__await__()


class TrioTimer:
    """A call at a later time, which can be taken back."""

    def __init__(self, seconds: float, call: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._scope = trio.CancelScope()
        self._seconds, self._call, self._args = seconds, call, args
        trio.lowlevel.spawn_system_task(self._run, name="fastprims time-out")

    async def _run(self) -> None:
        with self._scope:
            await trio.sleep(self._seconds)
            self._call(*self._args)

    def cancel(self) -> None:
        self._scope.cancel()


class TrioLoop:
    """One for each run of trio that has had need of it. Ends with the run."""

    def create_future(self) -> TrioFuture:
        return TrioFuture()

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> TrioTimer:
        return TrioTimer(seconds, call, args)

    def call_soon(self, call: Callable[..., object], *args: Any) -> None:
        """An exception that would end the run as a whole is a signal's as a rule, and becomes one
        again: trio delivers it where it can be caught."""

        def run() -> None:
            try:
                call(*args)
            except KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)

        trio.lowlevel.current_trio_token().run_sync_soon(run)

    def add_reader(self, descriptor: int, call: Callable[[], object]) -> None:
        """Until the run ends. Nothing else may keep `call`: its end is that of the hub."""
        trio.lowlevel.spawn_system_task(_watch, descriptor, call, name="fastprims wake-ups")


async def _watch(descriptor: int, call: Callable[[], object]) -> None:
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        call()


_loop: RunVar[TrioLoop | None] = RunVar("fastprims", None)


def loop_here() -> TrioLoop | None:
    """That of the task that runs here; None if that is no task of trio."""
    if not trio.lowlevel.in_trio_task():
        return None
    loop = _loop.get()
    if loop is None:
        loop = TrioLoop()
        _loop.set(loop)
    return loop


# Trio's conventions: a call can be cancelled before it has had an effect, and lets other tasks run
# once it has.


async def _run_call(step: Callable[[], TrioFuture | None]) -> None:
    """A call of an end, which has the result."""
    await trio.lowlevel.checkpoint_if_cancelled()
    while (future := step()) is not None:
        await future.wait()
    await trio.lowlevel.cancel_shielded_checkpoint()


async def _run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Any other."""
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
    except BaseException:
        coroutine.close()
        raise
    value = await coroutine
    await trio.lowlevel.cancel_shielded_checkpoint()
    return value


# An interrupt must not come between effect and answer.
run_call = trio.lowlevel.enable_ki_protection(_run_call)
run_coroutine = trio.lowlevel.enable_ki_protection(_run_coroutine)
