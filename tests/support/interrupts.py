"""Interrupting calls that wait, for child processes (isolate.py): main thread only."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


def interrupt(wait: Callable[..., Any], *args: Any, **options: Any) -> float:
    """Press Ctrl-C while `wait` waits; the seconds until that was raised."""
    sent = [0.0]
    ready = threading.Event()

    def press() -> None:
        ready.wait()
        time.sleep(0.03)
        sent[0] = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    try:
        ready.set()  # within: on a busy machine Ctrl-C may come before the wait begins
        answer = wait(*args, **options)
    except KeyboardInterrupt:
        return time.monotonic() - sent[0]
    raise AssertionError(f"it was to wait, and returned {answer!r}")


class Interrupt(Exception):
    """What an alarm raises."""


def storm(
    wait: Callable[..., Any], *args: Any, seconds: float = 0.5, least: int = 21, **options: Any
) -> int:
    """Interrupt `wait` again and again; how often that was, at least `least` times."""

    def handle(*_: object) -> None:
        raise Interrupt

    signal.signal(signal.SIGALRM, handle)
    interrupts = 0
    begin = time.monotonic()
    while interrupts < least or time.monotonic() - begin < seconds:
        assert time.monotonic() - begin < 30, f"only {interrupts} interrupts in 30 s"
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            wait(*args, **options)
        except Interrupt:
            interrupts += 1
    return interrupts


def storm_of_gets(
    fetch: Callable[[], Iterator[Any]],
    put: Callable[[int], object],
    shutdown: Callable[[], object],
    seconds: float,
    interrupt: type[BaseException] = Interrupt,
    least: int = 21,
) -> tuple[list[Any], int, int]:
    """A thread puts 0, 1, 2 …, and shuts down after so many seconds (on a busy machine later, after
    the least number of interrupts); this one extends a list by what `fetch()` yields until
    ShutDown, while a handler raises again and again. What was got, how many were put, how many
    interrupts there were.

    The iterator has to be one of C, so that an interrupt can only strike inside a call of the
    queue, never between the call and the use of its result, where Python itself would lose the
    item. Every alarm is set for one shot, so that none strikes while an earlier one is dealt with.
    """
    from fastprims import ShutDown

    rng = random.Random(1)
    interrupts = sent = 0
    drained = False
    got: list[Any] = []
    end = time.monotonic() + seconds

    def handle(*_: object) -> None:
        nonlocal interrupts
        if not drained:
            interrupts += 1
            raise interrupt

    def produce() -> None:
        nonlocal sent
        while (now := time.monotonic()) < end or (interrupts < least and now < end + 30):
            time.sleep(rng.uniform(0, 2e-4))
            put(sent)
            sent += 1
        shutdown()

    signal.signal(signal.SIGALRM, handle)
    thread = threading.Thread(target=produce)
    thread.start()
    while not drained:
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 1e-3))
                got.extend(fetch())
            except ShutDown:
                drained = True
        except interrupt:
            pass
    thread.join()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the last alarm may be on its way still
    return got, sent, interrupts


def interrupted() -> None:
    raise KeyboardInterrupt


def _run_for(call: Callable[[], Any], steps: int, act: Callable[[], object]) -> tuple[Any, int]:
    """Its answer, and how many of the steps are left; at the last one, `act` runs."""
    left = steps

    def step(code: Any, _: object) -> None:
        nonlocal left
        if code is not _run_for.__code__:
            left -= 1
            if left == 0:
                act()

    def trace(frame: Any, event: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            step(frame.f_code, None)
        return trace

    if sys.version_info < (3, 12):
        sys.settrace(trace)
        try:
            return call(), left
        finally:
            sys.settrace(None)
    monitoring = sys.monitoring
    tool, steps_of = monitoring.DEBUGGER_ID, monitoring.events.INSTRUCTION
    monitoring.use_tool_id(tool, "steps")
    monitoring.register_callback(tool, steps_of, step)
    monitoring.set_events(tool, steps_of)
    try:
        return call(), left
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, steps_of, None)
        monitoring.free_tool_id(tool)


def at_every_step(call: Callable[[], Any]) -> Iterator[tuple[bool, Any]]:
    """Calls again and again, interrupted at its first bytecode instruction, at its second, and so
    on, to the end: (True, what it returned), or (False, None) if it was interrupted. It has to take
    as many instructions each time.
    """
    return acting_at_every_step(lambda: (call, interrupted))


def acting_at_every_step(
    start: Callable[[], tuple[Callable[[], Any], Callable[[], object]]],
) -> Iterator[tuple[bool, Any]]:
    """The same with a call that is made anew each time, and an act of one's own for the interrupt,
    which runs as a signal handler or a finalizer would.
    """
    steps = left = 0
    while left <= 0:
        steps += 1
        whole, found = True, None
        call, act = start()
        try:
            found, left = _run_for(call, steps, act)
        except KeyboardInterrupt:
            whole, left = False, 0
        yield whole, found  # when the exception, and what its traceback refers to, is gone
