"""Interrupting calls that wait, for child processes (isolate.py): main thread only."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any


def interrupt(wait: Callable[..., Any], *args: Any, **options: Any) -> float:
    """Press Ctrl-C while `wait` waits; the seconds until that was raised."""
    sent = [0.0]

    def press() -> None:
        time.sleep(0.03)
        sent[0] = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    try:
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
