"""Between two processes: ShmRing and ShmQueue beside multiprocessing's queue and pipe, and
faster-fifo if it is installed. A second process sends, this one receives.

Throughput is the time per record of a round, from the command to the last record. Rounds of all
contenders take turns, and a ratio is the median of the rounds' ratios. Latency is that of records
sent one at a time, at a pace at which no backlog arises. Every record is checked for its length,
and the last one of a round for its content.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.run import peers
from bench.run.harness import BenchmarkFailure
from bench.run.stats import histogram_record

SIZES = (64, 1024, 1 << 16, 1 << 20)
SMALL_TUPLE = (12345, "a short text", 2.5)
ROOM = 16 << 20  # bytes that each contender may hold, if that can be set
PATIENCE_S = 60.0
PACES_S = ((1 << 16, 0.0003), (1 << 62, 0.005))  # between records of up to this many bytes
WARM_UP = 50
QUICK_SCALE = 0.3


@dataclass(frozen=True)
class Channel:
    """One direction of one contender, as an object that can be handed to a process."""

    key: str
    make: Callable[[Any], tuple[Any, Any]]  # context -> (receiver, sender)
    put: str = "put"
    get: str = "get"
    needs: str = ""  # an optional package


def _same(channel: Any) -> tuple[Any, Any]:
    return channel, channel


def _identity(data: Any) -> Any:
    return data


def _ring(context: Any) -> tuple[Any, Any]:
    from fastprims import ShmRing

    return _same(ShmRing.create(capacity=ROOM, lanes=1))


def _shm_queue(context: Any) -> tuple[Any, Any]:
    from fastprims import ShmQueue

    return _same(ShmQueue(capacity=ROOM, lanes=1))


def _fifo(context: Any) -> tuple[Any, Any]:
    module, _ = peers.load("faster_fifo")
    return _same(module.Queue(max_size_bytes=ROOM, loads=bytes, dumps=_identity))


def _fifo_pickling(context: Any) -> tuple[Any, Any]:
    return _same(peers.load("faster_fifo")[0].Queue(max_size_bytes=ROOM))


def _queue(context: Any) -> tuple[Any, Any]:
    return _same(context.Queue())


def _pipe(context: Any) -> tuple[Any, Any]:
    receiver, sender = context.Pipe(duplex=False)
    return receiver, sender


RING = Channel("ShmRing", _ring)
QUEUE = Channel("ShmQueue", _shm_queue)
STD_QUEUE = Channel("multiprocessing.Queue", _queue)
BYTES = (
    RING,
    STD_QUEUE,
    Channel("multiprocessing.Pipe", _pipe, "send_bytes", "recv_bytes"),
    Channel("faster-fifo", _fifo, needs="faster_fifo"),
)
OBJECTS = (
    QUEUE,
    STD_QUEUE,
    Channel("multiprocessing.Pipe", _pipe, "send", "recv"),
    Channel("faster-fifo", _fifo_pickling, needs="faster_fifo"),
)


def _send(channel: Any, put_name: str, payload: Any, commands: Any) -> None:
    """The sending process: a command is a count of records, and the time between them."""
    put = getattr(channel, put_name)
    while True:
        count, pace = commands.recv()
        if count == 0:
            break
        if pace:
            padding = payload[8:]
            for _ in range(count):
                time.sleep(pace)
                put(time.monotonic_ns().to_bytes(8, "little") + padding)
        else:
            for _ in range(count):
                put(payload)
    if hasattr(channel, "join_thread"):
        channel.close()
        channel.join_thread()


class Pair:
    """A contender at work: this process receives the records that the other one sends."""

    def __init__(self, contender: Channel, payload: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.key, self.payload = contender.key, payload
        self.receiver, sender = contender.make(context)
        self.get = getattr(self.receiver, contender.get)
        self.commands, theirs = context.Pipe()
        self.process = context.Process(
            target=_send, args=(sender, contender.put, payload, theirs), daemon=True
        )
        self.process.start()
        self.round(WARM_UP)

    def round(self, count: int) -> float:
        """Nanoseconds per record."""
        get = self.get
        began = time.perf_counter_ns()
        self.commands.send((count, 0.0))
        for _ in range(count - 1):
            get()
        last = get()
        took = time.perf_counter_ns() - began
        if last != self.payload:
            raise BenchmarkFailure(f"{self.key}: the last record is not what was sent")
        return took / count

    def latencies(self, count: int, pace: float) -> list[int]:
        self.commands.send((count, pace))
        taken = []
        for _ in range(count):
            record = self.get()
            now = time.monotonic_ns()
            if len(record) != len(self.payload):
                raise BenchmarkFailure(f"{self.key}: a record of {len(record)} bytes")
            taken.append(now - int.from_bytes(record[:8], "little"))
        return taken

    def close(self) -> None:
        self.commands.send((0, 0.0))
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            raise BenchmarkFailure(f"{self.key}: the sender does not end")
        for name in ("unlink", "close"):
            if hasattr(self.receiver, name):
                getattr(self.receiver, name)()


def _workload(title: str, contenders: tuple[Channel, ...], payload: Any, scale: float) -> Any:
    """The times of each contender, round by round, and the latencies if they can be measured."""
    pairs = [Pair(contender, payload) for contender in contenders]
    size = len(payload) if isinstance(payload, bytes) else 0
    budget = 0.15 * scale * 1e9  # of each round
    counts = {pair.key: max(30, min(200_000, int(budget / pair.round(WARM_UP)))) for pair in pairs}
    rounds = 5 if scale < 1 else 9
    times: dict[str, list[float]] = {pair.key: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            times[pair.key].append(pair.round(counts[pair.key]))
    latency: list[dict[str, Any]] = []
    pace = next(pace for most, pace in PACES_S if size <= most)
    for pair in pairs if size else ():
        samples = pair.latencies(int(min(1500, 1.5 / pace) * scale), pace)
        try:
            latency.append(histogram_record(pair.key, samples, pace))
        except ImportError:  # no hdrhistogram
            break
    for pair in pairs:
        pair.close()
    first = contenders[0].key
    ratios = {
        key: statistics.median(
            theirs / ours for theirs, ours in zip(values, times[first], strict=True)
        )
        for key, values in times.items()
        if key != first
    }
    return {
        "title": title,
        "size": size,
        "ns": times,
        "ratios": {"contender": first, "over": ratios},
        "latency": latency,
    }


def measure(scale: float = 1.0, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """All workloads; `scale` 1 takes about a minute."""
    skipped = []
    present: dict[str, bool] = {}
    for contender in (*BYTES, *OBJECTS):
        if contender.needs and contender.needs not in present:
            module, reason = peers.load(contender.needs)
            present[contender.needs] = module is not None
            if reason:
                skipped.append(reason)

    def usable(contenders: tuple[Channel, ...]) -> tuple[Channel, ...]:
        return tuple(c for c in contenders if not c.needs or present[c.needs])

    workloads = []
    for size in sizes:
        title = f"{size} B" if size < 1024 else f"{size // 1024} KiB"
        workloads.append(_workload(title, usable(BYTES), os.urandom(size), scale))
    workloads.append(_workload("small tuple", usable(OBJECTS), SMALL_TUPLE, scale))
    large = os.urandom(1 << 20)
    workloads.append(_workload("1 MiB of bytes, as an object", usable(OBJECTS), large, scale))
    return {"workloads": workloads, "skipped": skipped}


def tables(results: dict[str, Any]) -> list[Any]:
    """For rich: times with ratios, and latencies."""
    from rich.table import Table

    times = Table(title="between two processes: time per record, and how many times that of ours")
    names = list(dict.fromkeys(key for w in results["workloads"] for key in w["ns"]))
    times.add_column("record")
    for name in names:
        times.add_column(name, justify="right")
    delays = Table(title="latency of single records, in microseconds: median, 99 %, 99.9 %")
    delays.add_column("record")
    for name in names:
        delays.add_column(name, justify="right")
    for workload in results["workloads"]:
        over = workload["ratios"]["over"]
        row = []
        for name in names:
            if name not in workload["ns"]:
                row.append("")
                continue
            text = f"{statistics.median(workload['ns'][name]) / 1000:.2f} us"
            row.append(f"{text}  x {over[name]:.1f}" if name in over else text)
        times.add_row(workload["title"], *row)
        if workload["latency"]:
            found = {
                record["contender"]: record["percentiles_ns"] for record in workload["latency"]
            }
            shown = [
                " / ".join(f"{found[name][p] / 1000:.0f}" for p in ("50", "99", "99.9"))
                if name in found
                else ""
                for name in names
            ]
            delays.add_row(workload["title"], *shown)
    return [times, delays] if delays.rows else [times]
