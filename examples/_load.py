"""The measuring side of service.py: a load generator for its protocol, and percentiles.

A request is a number and a body, an answer is the number and a verdict. The generator sends at the
times of a fixed plan, whatever comes back (an open loop): a slow service must not slow down its own
measurement. Latency counts from the planned time.
"""

from __future__ import annotations

import importlib
import importlib.util
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

REQUEST = struct.Struct("!II")  # number, bytes of the body that follows
ANSWER = struct.Struct("!I?")  # number, served or shed


def receive(connection: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes, or b"" if the connection ends."""
    parts = []
    while count:
        part = connection.recv(count)
        if not part:
            return b""
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


@dataclass
class Load:
    """A plan for one load, and its results; times in seconds from its start."""

    rate: float
    seconds: float
    body: bytes
    planned: list[float] = field(default_factory=list)
    answered: dict[int, tuple[float, bool]] = field(default_factory=dict)

    def run(self, port: int, connections: int, patience: float) -> None:
        """Send everything, then wait for the last answers, `patience` seconds at most."""
        count = int(self.rate * self.seconds)
        self.planned = [number / self.rate for number in range(count)]
        began = time.monotonic()
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        try:
            threads = []
            for index, line in enumerate(lines):
                mine = range(index, count, connections)
                for job in (self._send, self._listen):
                    threads.append(threading.Thread(target=job, args=(line, mine, began)))
            for line in lines:
                line.settimeout(self.seconds + patience)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            for line in lines:
                line.close()

    def _send(self, line: socket.socket, numbers: range, began: float) -> None:
        for number in numbers:
            ahead = began + self.planned[number] - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            try:
                line.sendall(REQUEST.pack(number, len(self.body)) + self.body)
            except OSError:
                return  # the rest is not sent, so its answers will be missing

    def _listen(self, line: socket.socket, numbers: range, began: float) -> None:
        for _ in numbers:
            try:
                answer = receive(line, ANSWER.size)
            except OSError:
                return
            if not answer:
                return
            number, served = ANSWER.unpack(answer)
            self.answered[number] = (time.monotonic() - began, served)

    @property
    def served(self) -> int:
        return sum(served for _, served in self.answered.values())

    @property
    def shed(self) -> int:
        return len(self.answered) - self.served

    def latencies(self, start: float, end: float) -> list[float]:
        """The latencies of the requests that were planned in this span and served."""
        return [
            at - self.planned[number]
            for number, (at, served) in self.answered.items()
            if served and start <= self.planned[number] < end
        ]


def _may_import_hdrhistogram() -> bool:
    """False where its C module would switch the GIL of a free-threaded interpreter back on."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return bool(gil) and importlib.util.find_spec("hdrh") is not None


def percentile(seconds: Sequence[float], percent: float) -> float | None:
    """By HdrHistogram if it is installed, else by sorting. None: there were no latencies."""
    if not seconds:
        return None
    if _may_import_hdrhistogram():
        histogram = importlib.import_module("hdrh.histogram").HdrHistogram(1, 10**9, 3)
        for each in seconds:
            histogram.record_value(max(1, round(each * 1e6)))
        return float(histogram.get_value_at_percentile(percent)) / 1e6
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
