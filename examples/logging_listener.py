"""Run `logging.handlers.QueueHandler` and `QueueListener`, unchanged, on fastprims queues.

    python examples/logging_listener.py
    python examples/logging_listener.py --threads 16 --records 5000 --rounds 5

Many threads log; one listener thread takes the records from the queue. The program checks that
each record arrives exactly once and in the order of the thread that logged it. Making a record
costs far more than any queue does, so a second column gives the rate of the queue alone: the same
number of ready-made records, from the same threads, without `logging` around it.
"""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _shared import (
    MODULES,
    at_least,
    interpreter,
    median_ratio,
    print_table,
    queue_module,
    write_json,
)

KINDS = ("SimpleQueue", "Queue")
LOGGER = "fastprims.example"


class Checker(logging.Handler):
    """The listener's handler: counts the records that arrive, and those out of turn."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.received = [0] * threads
        self.out_of_turn = 0

    def emit(self, record: logging.LogRecord) -> None:
        thread, number = map(int, record.getMessage().split())
        # A thread numbers its records: if one is lost, doubled or overtaken, a number differs from
        # the count.
        self.out_of_turn += number != self.received[thread]
        self.received[thread] += 1


def in_threads(count: int, body: Callable[[int], None]) -> list[threading.Thread]:
    """Start `count` threads that begin `body(number)` together."""
    barrier = threading.Barrier(count)

    def wait_and_run(number: int) -> None:
        barrier.wait()
        body(number)

    threads = [threading.Thread(target=wait_and_run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def log_through(records_queue: Any, threads: int, records: int) -> tuple[Checker, float]:
    """`threads` threads log `records` records each. The seconds until the listener has them all."""
    checker = Checker(threads)
    logger = logging.getLogger(LOGGER)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.handlers.QueueHandler(records_queue)
    listener = logging.handlers.QueueListener(records_queue, checker)

    def log(thread: int) -> None:
        for number in range(records):
            logger.info("%d %d", thread, number)

    logger.addHandler(handler)
    listener.start()
    start = time.perf_counter()
    try:
        for thread in in_threads(threads, log):
            thread.join()
    finally:
        listener.stop()  # after the last record: returns when the listener has emptied the queue
        logger.removeHandler(handler)
    return checker, time.perf_counter() - start


def queue_alone(records_queue: Any, threads: int, records: int) -> float:
    """Seconds for the same traffic with nothing but put_nowait() and get()."""
    ready = logging.makeLogRecord({"name": LOGGER, "msg": "ready-made"})

    def fill(thread: int) -> None:
        put = records_queue.put_nowait
        for _ in range(records):
            put(ready)

    start = time.perf_counter()
    fillers = in_threads(threads, fill)
    for _ in range(threads * records):
        records_queue.get()
    seconds = time.perf_counter() - start
    for thread in fillers:
        thread.join()
    return seconds


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queue", choices=[*MODULES, "both"], default="both")
    parser.add_argument("--threads", type=at_least(1), default=8)
    parser.add_argument("--records", type=at_least(1), default=5_000, help="records per thread")
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    modules = list(MODULES) if options.queue == "both" else [options.queue]
    contenders = [(module, kind) for kind in KINDS for module in modules]
    total = options.threads * options.records
    logged: dict[tuple[str, str], list[float]] = {each: [] for each in contenders}
    alone: dict[tuple[str, str], list[float]] = {each: [] for each in contenders}
    for _ in range(options.rounds):
        for module, kind in contenders:
            make = getattr(queue_module(module), kind)
            checker, seconds = log_through(make(), options.threads, options.records)
            if checker.out_of_turn or checker.received != [options.records] * options.threads:
                print(
                    f"logging_listener: {module} {kind} lost, doubled or reordered records: "
                    f"{sum(checker.received):,} of {total:,} arrived, "
                    f"{checker.out_of_turn:,} out of turn",
                    file=sys.stderr,
                )
                return 1
            logged[module, kind].append(seconds)
            alone[module, kind].append(queue_alone(make(), options.threads, options.records))
    print(
        f"{interpreter()}; {options.threads} threads x {options.records:,} records, "
        f"median of {options.rounds} rounds\n"
    )
    rows = []
    for module, kind in contenders:
        cells = [f"{module} {kind}"]
        for times in (logged, alone):
            cells.append(f"{total / statistics.median(times[module, kind]):,.0f}/s")
            cells.append(median_ratio(times[modules[0], kind], times[module, kind]))
        rows.append(cells)
    print_table(["queue", "logged", "to stdlib's", "queue alone", "to stdlib's"], rows)
    print("\n  every record arrived once and in its thread's order")
    write_json(
        options.json,
        {
            "records": total,
            "seconds": {" ".join(each): times for each, times in logged.items()},
            "seconds_queue_alone": {" ".join(each): times for each, times in alone.items()},
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
