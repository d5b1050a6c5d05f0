"""A service under more load than it can take: with limits, and without.

    python examples/service.py
    python examples/service.py --load 3 --seconds 5 --plot service.png

A socket server on the loopback hands requests to a few worker threads, each of which takes a fixed
time for one request. A load generator sends more requests than they can serve. It does so twice;
only the queue in front of the workers differs:

    without   queue.Queue(): every request is accepted, and waits. The longer the load lasts, the
              longer each request waits, and the more memory the waiting requests take.
    with      fastprims.BoundedChannel(bound, overflow="reject"): a request that finds no room gets
              the answer "not now" at once, and is counted. Accepted requests are served as quickly
              as ever.

The program prints a line for each part of the load; a picture needs matplotlib. At the end every
request must be accounted for, by the generator and by the channel.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import queue
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from _load import ANSWER, REQUEST, Load, percentile, receive
from _shared import at_least, interpreter, print_table, write_json

import fastprims

PARTS = 8  # of a load; each is a line of the table
PATIENCE = 30.0  # seconds for the last answers


@dataclass
class Request:
    number: int
    body: bytes
    line: Line


class Line:
    """A client's connection; the workers answer over it, one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def answer(self, number: int, served: bool) -> None:
        with self._lock, contextlib.suppress(OSError):  # the client may have gone
            self.connection.sendall(ANSWER.pack(number, served))


class Gate(Protocol):
    """The queue between the connections and the workers."""

    def offer(self, request: Request) -> bool: ...
    def take(self) -> Request | None: ...
    def waiting(self) -> int: ...
    def close(self, workers: int) -> None: ...


class WithoutLimits:
    def __init__(self) -> None:
        self.queue: queue.Queue[Request | None] = queue.Queue()
        self.take = self.queue.get
        self.waiting = self.queue.qsize

    def offer(self, request: Request) -> bool:
        self.queue.put(request)
        return True

    def close(self, workers: int) -> None:
        for _ in range(workers):
            self.queue.put(None)


class WithLimits:
    def __init__(self, bound: int, largest: int) -> None:
        self.reports: list[Any] = []
        self.channel = fastprims.BoundedChannel[Request](
            bound,
            overflow="reject",
            max_item_size=largest,
            size_of=lambda request: len(request.body),
            on_pressure=self.reports.append,  # a service would log it
        )
        self.waiting = self.channel.qsize

    def offer(self, request: Request) -> bool:
        try:
            return self.channel.try_put(request)
        except fastprims.ItemTooLarge:
            return False

    def take(self) -> Request | None:
        try:
            return self.channel.get()
        except fastprims.ShutDown:
            return None

    def close(self, workers: int) -> None:
        self.channel.shutdown()


class Service:
    """Serves on a port of the loopback until it is closed."""

    def __init__(self, gate: Gate, workers: int, work: float) -> None:
        self.gate, self.workers, self.work = gate, workers, work
        self.served = 0  # by all workers
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve) for _ in range(workers)]
        self._threads.append(threading.Thread(target=self._accept))
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        readers = []
        while True:
            connection, _ = self._listener.accept()
            if connection.getpeername() == self._wake_up:
                connection.close()
                break
            readers.append(threading.Thread(target=self._read, args=(connection,)))
            readers[-1].start()
        for reader in readers:
            reader.join()

    _wake_up: tuple[str, int] | None = None  # the address of the connection that means "close"

    def _read(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            line = Line(connection)
            while header := receive(connection, REQUEST.size):
                number, size = REQUEST.unpack(header)
                request = Request(number, receive(connection, size), line)
                if not self.gate.offer(request):
                    line.answer(number, False)

    def _serve(self) -> None:
        while (request := self.gate.take()) is not None:
            time.sleep(self.work)  # stands for a call of a database, for example
            with self._counting:
                self.served += 1
            request.line.answer(request.number, True)

    def close(self) -> None:
        """To be called after the clients have gone."""
        with socket.socket() as last:
            last.bind(("127.0.0.1", 0))
            self._wake_up = last.getsockname()
            last.connect(("127.0.0.1", self.port))
            self.gate.close(self.workers)
            for thread in self._threads:
                thread.join()
        self._listener.close()


def watch(gate: Gate, load: Load, stop: threading.Event, seen: list[tuple[float, int]]) -> None:
    """How many requests wait, over time."""
    began = time.monotonic()
    while not stop.wait(load.seconds / PARTS / 5):
        seen.append((time.monotonic() - began, gate.waiting()))


def run(gate: Gate, options: argparse.Namespace) -> dict[str, Any]:
    """One load on one service; the figures of each part, and the sums."""
    capacity = options.workers / (options.work / 1000)
    load = Load(capacity * options.load, options.seconds, bytes(options.body))
    service = Service(gate, options.workers, options.work / 1000)
    stop, seen = threading.Event(), list[tuple[float, int]]()
    watcher = threading.Thread(target=watch, args=(gate, load, stop, seen))
    watcher.start()
    try:
        load.run(service.port, options.connections, PATIENCE)
    finally:
        stop.set()
        watcher.join()
        service.close()
    parts = []
    for part in range(PARTS):
        start, end = (options.seconds * each / PARTS for each in (part, part + 1))
        latencies = load.latencies(start, end)
        waiting = max((n for at, n in seen if start <= at < end), default=0)
        parts.append(
            {
                "until": end,
                "offered": sum(start <= at < end for at in load.planned),
                "served": len(latencies),
                "p50": percentile(latencies, 50),
                "p99": percentile(latencies, 99),
                "waiting": waiting,
                "waiting_bytes": waiting * options.body,
            }
        )
    return {
        "parts": parts,
        "offered": len(load.planned),
        "served": load.served,
        "shed": load.shed,
        "served_by_workers": service.served,
        "p99": percentile(load.latencies(0, options.seconds), 99),
    }


def show(title: str, result: dict[str, Any]) -> None:
    def ms(seconds: float | None) -> str:
        return "-" if seconds is None else f"{seconds * 1000:.0f} ms"

    print(f"\n{title}:\n")
    print_table(
        ["until", "offered", "served", "p50", "p99", "waiting", "memory"],
        [
            [
                f"{part['until']:.2f} s",
                part["offered"],
                part["served"],
                ms(part["p50"]),
                ms(part["p99"]),
                part["waiting"],
                f"{part['waiting_bytes'] / 1024:,.0f} KiB",
            ]
            for part in result["parts"]
        ],
    )
    print(
        f"\n  {result['offered']} offered, {result['served']} served, {result['shed']} shed; "
        f"99 % of those served within {ms(result['p99'])}"
    )


def plot(path: Path, results: dict[str, dict[str, Any]]) -> None:
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    figure, panels = importlib.import_module("matplotlib.pyplot").subplots(
        1, 2, figsize=(10, 4), layout="constrained"
    )
    for title, result in results.items():
        until = [part["until"] for part in result["parts"]]
        # A part in which no request was served has no latency, and a gap in the curve.
        slowest = [float("nan") if p["p99"] is None else p["p99"] * 1e3 for p in result["parts"]]
        panels[0].plot(until, slowest, marker="o", label=title)
        memory = [part["waiting_bytes"] / 2**20 for part in result["parts"]]
        panels[1].plot(until, memory, marker="o", label=title)
    for panel, what in zip(panels, ("99th percentile, ms", "waiting, MiB"), strict=True):
        panel.set(xlabel="seconds of load", ylabel=what, ylim=(0, None))
        panel.legend()
    figure.savefig(path)
    print(f"\n{path}")


def check(limited: WithLimits, results: dict[str, dict[str, Any]]) -> list[str]:
    """The requests that are not accounted for."""
    wrong = []
    for title, result in results.items():
        if result["served"] + result["shed"] != result["offered"]:
            wrong.append(f"{title}: {result['offered']} offered, not as many answered")
        if result["served"] != result["served_by_workers"]:
            wrong.append(f"{title}: the workers served {result['served_by_workers']}")
    stats, seen = limited.channel.stats(), results["with limits"]
    if (stats.offered, stats.gets) != (seen["offered"], seen["served"]):
        wrong.append(f"the channel counts {stats.offered} offered, {stats.gets} served")
    if sum(stats.drops.values()) != seen["shed"]:
        wrong.append(f"the channel counts {dict(stats.drops)}, the clients {seen['shed']}")
    if sum(sum(report.drops.values()) for report in limited.reports) != seen["shed"]:
        wrong.append("not every drop was told")
    return wrong


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=at_least(1), default=4)
    parser.add_argument("--work", type=at_least(1), default=5, metavar="MS", help="for one request")
    parser.add_argument("--load", type=float, default=2.0, help="times what the workers can do")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of the two loads")
    parser.add_argument("--connections", type=at_least(1), default=8)
    parser.add_argument("--bound", type=at_least(1), default=16, help="of the channel")
    parser.add_argument("--body", type=at_least(1), default=4096, help="bytes of a request")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it; needs matplotlib")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(arguments)
    if not 0 < options.load <= 10 or not 0 < options.seconds <= 60:
        parser.error("--load goes up to 10, --seconds up to 60")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    capacity = options.workers * 1000 // options.work
    print(
        f"{interpreter()}\n\n{options.workers} workers, {options.work} ms for a request: "
        f"{capacity} a second at most. Offered: {options.load:g} times as many."
    )
    limited = WithLimits(options.bound, options.body)
    results = {}
    for title, gate in (("without limits", WithoutLimits()), ("with limits", limited)):
        results[title] = run(gate, options)
        show(title, results[title])
    told = len(limited.reports)
    print(f"\n  on_pressure was called {told} times for {results['with limits']['shed']} drops")
    if options.plot is not None:
        try:
            plot(options.plot, results)
        except ImportError:
            print("service: --plot needs matplotlib: pip install matplotlib", file=sys.stderr)
            return 1
    write_json(options.json, {"results": results, "reports": told})
    wrong = check(limited, results)
    for line in wrong:
        print(f"service: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
