"""Threads whose failures fail the test and whose hangs end it."""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds after which a thread counts as hung."""

SETTLE = 0.02
"""Seconds a thread is given to reach the call in which it is to block."""

_GRACE = 2.0


class Task(Generic[T]):
    """One function on one daemon thread, with its result or its exception."""

    def __init__(self, fn: Callable[[], T], name: str | None = None) -> None:
        self._fn = fn
        self._outcome: list[T] = []
        self.error: BaseException | None = None
        self.elapsed = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._outcome.append(self._fn())
        except BaseException as error:  # handed to whoever asks for the result
            self.error = error
        finally:
            self.elapsed = time.monotonic() - began

    def start(self) -> Task[T]:
        self._thread.start()
        return self

    @property
    def name(self) -> str:
        return self._thread.name

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def result(self, timeout: float = DEADLINE) -> T:
        """The function's result; its exception is raised here, a hang fails."""
        if not self.join(timeout):
            dump_threads()
            raise AssertionError(f"{self.name} still runs after {timeout} s")
        if self.error is not None:
            raise self.error
        return self._outcome[0]


def spawn(fn: Callable[..., T], *args: Any) -> Task[T]:
    """Start `fn(*args)` on a thread of its own."""
    return Task(lambda: fn(*args), name=getattr(fn, "__name__", "worker")).start()


def blocked(fn: Callable[..., T], *args: Any) -> Task[T]:
    """Start `fn(*args)` and insist that it blocks; what it raises is raised here."""
    task = spawn(fn, *args)
    time.sleep(SETTLE)
    if not task.running:
        raise AssertionError(f"{task.name} was to block and returned {task.result(0)!r}")
    return task


def wait_until(condition: Callable[[], bool], what: str, timeout: float = DEADLINE) -> None:
    """Poll until the condition holds; a test whose condition never does fails."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.001)


def run_threads(*fns: Callable[[], T], timeout: float = DEADLINE) -> list[T]:
    """Run every function on its own thread, all released by one barrier.

    The results come in the order of the functions. The first exception of any
    of them is raised here; threads that outlive the deadline fail the test,
    after the stacks of all threads were written to stderr.
    """
    barrier = threading.Barrier(len(fns))

    def released(fn: Callable[[], T]) -> T:
        barrier.wait(timeout)
        return fn()

    tasks = [
        Task(lambda fn=fn: released(fn), name=f"{getattr(fn, '__name__', 'worker')}-{i}")
        for i, fn in enumerate(fns)
    ]
    for task in tasks:
        task.start()
    deadline = time.monotonic() + timeout
    while any(task.running for task in tasks) and time.monotonic() < deadline:
        if any(task.error is not None for task in tasks):
            # A failed worker often leaves its partners waiting for ever.
            deadline = min(deadline, time.monotonic() + _GRACE)
        for task in tasks:
            task.join(0.05 if deadline - time.monotonic() > 0.05 else 0.0)
            if time.monotonic() >= deadline:
                break
    _raise_first(tasks)
    hung = [task.name for task in tasks if task.running]
    if hung:
        dump_threads()
        raise AssertionError(f"threads still running after {timeout} s: {hung}")
    return [task.result(0) for task in tasks]


def _raise_first(tasks: list[Task[Any]]) -> None:
    errors = [task.error for task in tasks if task.error is not None]
    # A broken barrier is another worker's failure seen from here.
    real = [e for e in errors if not isinstance(e, threading.BrokenBarrierError)]
    if errors:
        raise (real or errors)[0]


def dump_threads() -> None:
    """Write every thread's stack to the real stderr."""
    faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)


@contextmanager
def switch_interval(seconds: float) -> Iterator[None]:
    """Let the interpreter change threads as often as `seconds` says."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
