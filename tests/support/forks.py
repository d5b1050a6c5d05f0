"""Forking beside threads that are at work, for child processes (isolate.py).

A fork copies the locks of the interpreter too. On free-threaded builds each cell, dict and list has
one, and a lock that two threads of the parent were after at that moment stays locked in the child
for good. So whatever works beside a fork here shares nothing with the thread that forks but our own
structures: it gets them as arguments rather than through a closure, and has run for a while, so
that the interpreter's caches are filled.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fastprims

from .threads import DEADLINE, wait_until

WARM = 20
"""Rounds that a worker has made before the first fork."""


def in_child(act: Callable[..., Any], *args: Any, seconds: float = 60.0) -> None:
    """Run `act(*args)` in a forked child; its failure or hang raises here.

    The child writes past the interpreter's files, and leaves without any clean-up.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the point
        pid = os.fork()
    if pid == 0:
        try:
            act(*args)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, f"the child ended with status {status}"
            return
        time.sleep(0.002)
    os.kill(pid, signal.SIGABRT)  # faulthandler tells where it hangs
    os.waitpid(pid, 0)
    raise AssertionError(f"the child hangs: it still ran after {seconds} s")


@contextmanager
def busy(step: Callable[..., Any], *args: Any, threads: int = 2) -> Iterator[None]:
    """Threads that call `step(*args)` all the time, until the end of the block."""
    assert getattr(step, "__closure__", None) is None, "a cell would be shared with the child"
    stop, failed = fastprims.AtomicFlag(), fastprims.AtomicRef()
    rounds = [fastprims.AtomicInt() for _ in range(threads)]
    workers = [
        threading.Thread(target=_repeat, args=(step, args, stop, failed, mine), daemon=True)
        for mine in rounds
    ]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: all(n >= WARM for n in rounds) or failed.load(), "the workers' start")
        yield
    finally:
        stop.test_and_set()
        for worker in workers:
            worker.join(DEADLINE)
            assert not worker.is_alive(), "a worker does not end"
        if failed.load():
            raise failed.load()


def _repeat(step: Any, args: Any, stop: Any, failed: Any, rounds: Any) -> None:
    try:
        while not stop.test():
            step(*args)
            rounds.fetch_add()
    except BaseException as error:  # raised by busy()
        failed.store(error)
