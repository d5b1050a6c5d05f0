"""Worker processes over a `ShmQueue`, some of which are killed in the middle of their work.

    python examples/workers.py --limit 500
    python examples/workers.py --workers 4 --kill 10

The work is hashing the files of the standard library, and then tasks that do nothing: the cost of
these is the way to another process and back. `multiprocessing.Queue` does the same for comparison,
without the killing: a process that is killed while it holds that queue's lock stops all the others
for ever.

A worker that is killed with a task in its hands loses it. The queue cannot know that; the program
has to notice. Here, when no more answers come, the parent puts the open tasks again, and takes the
first answer to each.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty
from typing import Any

from _shared import at_least, interpreter, median_ratio, print_table, python_files, write_json

PATIENCE = 0.5  # seconds without an answer, after which open tasks are put again


def answer(task: str) -> str:
    """The hash of a file; for a number, nothing."""
    return "" if task.isdecimal() else hashlib.sha256(Path(task).read_bytes()).hexdigest()


def work(tasks: Any, results: Any) -> None:
    """A worker: None ends it."""
    while (task := tasks.get()) is not None:
        results.put((task, answer(task)))


class Crew:
    """Processes that take from one queue and put into another; a killed one is replaced."""

    def __init__(self, queue: Callable[[], Any], size: int, method: str) -> None:
        self.context = multiprocessing.get_context(method)
        self.tasks, self.results = queue(), queue()
        self.members = [self._start() for _ in range(size)]
        self.killed = 0

    def _start(self) -> Any:
        process = self.context.Process(target=work, args=(self.tasks, self.results))
        process.start()
        return process

    def kill_one(self) -> None:
        index = random.randrange(len(self.members))
        os.kill(self.members[index].pid, signal.SIGKILL)
        self.members[index].join()
        self.members[index] = self._start()
        self.killed += 1

    def run(self, tasks: Sequence[str], kills: int = 0) -> dict[str, str]:
        """The answer to each task; the tasks are all different."""
        for task in tasks:
            self.tasks.put(task)
        answers: dict[str, str] = {}
        between = max(1, len(tasks) // (kills + 1))
        while len(answers) < len(tasks):
            try:
                task, found = self.results.get(timeout=PATIENCE if kills else None)
            except Empty:
                for task in tasks:
                    if task not in answers:
                        self.tasks.put(task)
                continue
            answers.setdefault(task, found)
            if self.killed < kills and len(answers) >= (self.killed + 1) * between:
                self.kill_one()
        return answers

    def end(self) -> None:
        for _ in self.members:
            self.tasks.put(None)
        for member in self.members:
            member.join()
        for queue in (self.tasks, self.results):
            queue.close()


def queues(method: str) -> dict[str, Callable[[], Any]]:
    from fastprims import ShmQueue

    # All tasks are put before the first answer is read, so there has to be room for them.
    return {
        "stdlib": multiprocessing.get_context(method).Queue,
        "fastprims": lambda: ShmQueue(capacity=1 << 24),
    }


def timed(make: Callable[[], Any], options: argparse.Namespace, tasks: Sequence[str]) -> float:
    crew = Crew(make, options.workers, options.method)
    crew.run(["0"])  # returns when the processes have started
    began = time.perf_counter()
    answers = crew.run(tasks)
    took = time.perf_counter() - began
    crew.end()
    if answers != {task: answer(task) for task in tasks}:
        raise SystemExit("workers: an answer is wrong")
    return took


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=at_least(1), help="files to hash (default: all)")
    parser.add_argument("--tasks", type=at_least(1), default=5000, help="tasks that do nothing")
    parser.add_argument("--workers", type=at_least(1), default=2)
    parser.add_argument("--kill", type=at_least(0), default=5, help="workers to kill, one by one")
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--method", choices=["spawn", "fork", "forkserver"], default="spawn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        print("workers: ShmQueue is for Linux", file=sys.stderr)
        return 1
    files = [str(path) for path in python_files(None, options.limit)]
    numbers = [str(n) for n in range(options.tasks)]

    made = queues(options.method)
    crew = Crew(made["fastprims"], options.workers, options.method)
    answers = crew.run(files, options.kill)
    crew.end()
    if answers != {file: answer(file) for file in files}:
        print("workers: an answer is missing or wrong", file=sys.stderr)
        return 1
    print(f"{len(files)} files hashed by {options.workers} processes, {crew.killed} of them killed")

    seconds: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, make in made.items():
            seconds.setdefault(f"{name}, files", []).append(timed(make, options, files))
            seconds.setdefault(f"{name}, nothing", []).append(timed(make, options, numbers))
    rows = [
        (
            what,
            f"{min(seconds[f'stdlib, {what}']):.2f} s",
            f"{min(seconds[f'fastprims, {what}']):.2f} s",
            median_ratio(seconds[f"stdlib, {what}"], seconds[f"fastprims, {what}"]),
        )
        for what in ("files", "nothing")
    ]
    print(interpreter())
    print_table(("task", "multiprocessing.Queue", "ShmQueue", "times as fast"), rows)
    write_json(options.json, {"files": len(files), "killed": crew.killed, "seconds": seconds})
    return 0


if __name__ == "__main__":
    sys.exit(main())
