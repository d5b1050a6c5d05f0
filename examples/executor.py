"""Run `concurrent.futures.ThreadPoolExecutor`, unchanged, on a fastprims queue.

    python examples/executor.py --limit 500
    python examples/executor.py --workers 8 --tasks 50000 --rounds 5

An executor keeps its tasks in a `queue.SimpleQueue`. Two ways to give it another one:

* `FastThreadPoolExecutor` is for code of your own: a subclass, used like the original;
* `executors_on(fastprims.queue)` is for code of others: a context manager, inside which every new
  executor of the process is on fastprims.

The work is hashing the files of the standard library, and then tasks that do nothing. The cost of
these is the executor itself: the queue is a part of it, making a Future and waking its waiter are
the rest.
"""

from __future__ import annotations

import argparse
import concurrent.futures.thread as futures_thread
import hashlib
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from _shared import at_least, interpreter, median_ratio, print_table, python_files, write_json

import fastprims
import fastprims.queue


class FastThreadPoolExecutor(ThreadPoolExecutor):
    """A ThreadPoolExecutor with its tasks in a `fastprims.SimpleQueue`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Safe here and only here: the threads start in submit(), so none has seen the old queue.
        self._work_queue = fastprims.SimpleQueue()  # type: ignore[assignment]


@contextmanager
def executors_on(queues: ModuleType) -> Iterator[None]:
    """Let the executors made inside the block use `queues` in place of the module `queue`.

    Executors made before keep the queue they have, and those made inside keep theirs afterwards.
    The names and the exceptions are the same, so nothing else has to be replaced. The replacement
    is for the whole process, not for one thread: use it around start-up code.
    """
    original = futures_thread.queue  # type: ignore[attr-defined]
    futures_thread.queue = queues  # type: ignore[attr-defined]
    try:
        yield
    finally:
        futures_thread.queue = original  # type: ignore[attr-defined]


@contextmanager
def plain(workers: int) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(workers) as executor:
        yield executor


@contextmanager
def subclassed(workers: int) -> Iterator[ThreadPoolExecutor]:
    with FastThreadPoolExecutor(workers) as executor:
        yield executor


@contextmanager
def patched(workers: int) -> Iterator[ThreadPoolExecutor]:
    with executors_on(fastprims.queue):
        executor = ThreadPoolExecutor(workers)
    with executor:
        yield executor


WAYS = {"plain": plain, "subclass": subclassed, "patched": patched}


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def identity(number: int) -> int:
    return number


def timed(way: str, workers: int, work: Callable[[Any], Any], items: Sequence[Any]) -> Any:
    """The results of `map`, in order, and its time, with starting and ending the threads."""
    start = time.perf_counter()
    with WAYS[way](workers) as executor:
        results = list(executor.map(work, items))
    return results, time.perf_counter() - start


def cancelled_tasks(way: str, waiting: int) -> int:
    """Stop an executor whose only thread is busy; returns how many waiting tasks were cancelled."""
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        release.wait()

    with WAYS[way](1) as executor:
        executor.submit(hold)
        started.wait()
        tasks = [executor.submit(identity, number) for number in range(waiting)]
        executor.shutdown(wait=False, cancel_futures=True)
        release.set()
    return sum(task.cancelled() for task in tasks)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=at_least(1), default=max(2, os.cpu_count() or 2))
    parser.add_argument("--limit", type=at_least(1), metavar="FILES", help="hash only the first")
    parser.add_argument("--tasks", type=at_least(1), default=20_000, help="tasks doing nothing")
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    paths = python_files(None, options.limit)
    loads: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        f"hash {len(paths):,} files": (file_digest, paths),
        f"{options.tasks:,} empty tasks": (identity, range(options.tasks)),
    }
    expected = [[work(item) for item in items] for work, items in loads.values()]
    print(f"{interpreter()}; {options.workers} threads, median of {options.rounds} rounds\n")
    rows, report = [], {}
    for (load, (work, items)), wanted in zip(loads.items(), expected, strict=True):
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                results, seconds = timed(way, options.workers, work, items)
                if results != wanted:
                    print(f"executor: {way} gave other results for {load}", file=sys.stderr)
                    return 1
                times[way].append(seconds)
        for way in WAYS:
            median = statistics.median(times[way])
            rows.append(
                [
                    f"{load}, {way}",
                    f"{median:.3f} s",
                    f"{median / len(items) * 1e6:.1f} us",
                    median_ratio(times["plain"], times[way]),
                ]
            )
        report[load] = times
    print_table(["load, executor", "time", "per task", "plain / this"], rows)
    cancelled = {way: cancelled_tasks(way, 100) for way in WAYS}
    print(
        "\n  same results from all; cancelled by shutdown(cancel_futures=True), of 100 waiting: "
        + ", ".join(f"{way} {count}" for way, count in cancelled.items())
    )
    write_json(
        options.json,
        {
            "files": len(paths),
            "cancelled": cancelled,
            "seconds": report,
            "digest": hashlib.sha256("".join(expected[0]).encode()).hexdigest(),
        },
    )
    return 0 if set(cancelled.values()) == {100} else 1


if __name__ == "__main__":
    sys.exit(main())
