"""What the processes of the shared-memory tests run; a module of its own, so that processes that are
started from scratch can import it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import fastprims


def echo(there: Any, back: Any, count: int) -> None:
    """Sends `count` items back."""
    for _ in range(count):
        back.put(there.get(timeout=60))


def echo_and_name(there: Any, back: Any) -> None:
    item = there.get(timeout=60)
    back.put(item + str(os.getpid()).encode())


def numbered(writer: int, number: int) -> bytes:
    """A record whose length and content follow from its first bytes."""
    body = bytes([(number + writer) % 256]) * (number * 13 % 400)
    return bytes([writer]) + number.to_bytes(4, "big") + body


def write_numbers(ring: Any, writer: int, first: int, progress: str) -> None:
    """Puts numbered records until it is killed or the ring is shut down; the file keeps how many
    puts have begun, and how many have returned."""
    fd = os.open(progress, os.O_WRONLY | os.O_CREAT)
    for number in range(first, 1 << 32):
        os.pwrite(fd, (number + 1).to_bytes(8, "big"), 0)
        try:
            ring.put(numbered(writer, number), timeout=60)
        except fastprims.ShutDown:
            return
        os.pwrite(fd, (number + 1).to_bytes(8, "big"), 8)


def read_numbers(ring: Any, log: str) -> None:
    """Writes what it gets to a file, in one system call each, until it is killed or all is read."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        try:
            record = ring.get(timeout=60)
        except fastprims.ShutDown:
            return
        number = int.from_bytes(record[1:5], "big")
        assert record == numbered(record[0], number), "a torn record"
        os.write(fd, record[:5])


def hold_view(ring: Any, back: Any) -> None:
    """Reads a record in place, and does not finish."""
    with ring.get_view(timeout=60) as view:
        back.put(bytes(view))
        time.sleep(600)


def hold_reservation(ring: Any, back: Any) -> None:
    with ring.reserve(10, timeout=60) as view:
        view[:] = b"unfinished"
        back.put(b"holding")
        time.sleep(600)


def end(process: Any) -> None:
    """Kills it for certain."""
    if process.pid is not None and process.exitcode is None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()


kept: list[Any] = []


def make_queue_and_end(pipe: Any) -> None:
    kept.append(fastprims.ShmQueue())
    pipe.send(kept[0].name)


def put_own_number(q: Any, n: int) -> None:
    q.put((os.getpid(), n))
