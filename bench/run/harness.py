"""Threads that start together and are timed from the first start to the last end, and a watchdog."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

Role = tuple[str, Callable[[], None]]


class BenchmarkFailure(Exception):
    """A workload lost an item, a thread raised, or the watchdog fired: there is no result."""


class Crew:
    """Threads that wait at a start gate, run one role each when it opens, and come back to it.

    Single-threaded workloads use a crew of one, so the watchdog covers them as well: the caller
    waits with a deadline and never runs a workload itself. Every thread has a lock of its own for a
    gate, and lives on between runs: two hundred threads that leave one `threading.Barrier` queue up
    at its condition variable, and ending two hundred threads takes many times as long as waking
    them. Either would take far longer than the measured work.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._roles: Sequence[Role] | None = None
        self._starts = [0] * size
        self._ends = [0] * size
        self._errors: list[tuple[str, BaseException]] = []
        self._working = 0
        self._lock = threading.Lock()
        self._settled = threading.Event()
        self._gates = [threading.Lock() for _ in range(size)]
        for gate in self._gates:
            gate.acquire()
        self._threads = [
            threading.Thread(target=self._serve, args=(i,), name=f"crew {i}", daemon=True)
            for i in range(size)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _serve(self, index: int) -> None:
        while True:
            self._gates[index].acquire()
            roles = self._roles
            if roles is None:
                return
            name, work = roles[index]
            try:
                self._starts[index] = perf_counter_ns()
                work()
                self._ends[index] = perf_counter_ns()
            except BaseException as error:  # any exception must fail the run
                with self._lock:
                    self._errors.append((name, error))
                self._settled.set()
                continue
            with self._lock:
                self._working -= 1
                if not self._working:
                    self._settled.set()

    def run(self, roles: Sequence[Role], limit_s: float) -> float:
        """Open the gate and wait for all threads; the nanoseconds from first start to last end.

        After a failure the crew must not be used again: some of its threads may wait for ever.
        """
        if len(roles) != self.size:
            raise ValueError(f"{len(roles)} roles for {self.size} threads")
        self._roles = roles
        self._working = self.size
        self._ends[:] = [0] * self.size
        self._settled.clear()
        for gate in self._gates:
            gate.release()
        settled = self._settled.wait(limit_s)
        if self._errors:
            name, error = self._errors[0]
            raise BenchmarkFailure(f"{name} failed: {error!r}") from error
        if not settled:
            stuck = [name for (name, _), end in zip(roles, self._ends, strict=True) if not end]
            raise BenchmarkFailure(
                f"watchdog: {len(stuck)} of {self.size} threads unfinished after "
                f"{limit_s:g} s ({', '.join(stuck[:4])}{', …' if len(stuck) > 4 else ''})"
            )
        return float(max(self._ends) - min(self._starts))

    def close(self) -> None:
        """Let the threads end, including those of a failed run that still can."""
        unharmed = not self._errors and self._working == 0
        self._roles = None
        for gate in self._gates:
            if gate.locked():
                gate.release()
        if unharmed:
            for thread in self._threads:
                thread.join()


def release(queues: Sequence[Any]) -> None:
    """Shut all queues down that can be, so that threads left waiting by a failed run can end."""
    for item in queues:
        shutdown = getattr(item, "shutdown", None)
        if shutdown is not None:
            shutdown(True)
