"""Hand-off latency: from just before `put` until `get` has returned in another thread.

The producer paces itself, so the consumer is normally waiting, and a sample measures one wake-up,
not the depth of a backlog. Samples go into an HdrHistogram; its percentiles and encoded form are
reported.
"""

from __future__ import annotations

import time
from time import perf_counter_ns

from bench.queues.cases import BOUND, LATENCY_CONTENDERS
from bench.run.case import Contender
from bench.run.harness import Crew, release
from bench.run.runner import Effort, Emit, hard_limit, no_collector

PACE_S = 20e-6
SLICE = 2500


def handoff_slice(contender: Contender, count: int, crew: Crew, limit_s: float) -> list[int]:
    """`count` hand-offs through a new queue: their latencies in nanoseconds."""
    queue = contender.make(BOUND)
    put, get = getattr(queue, contender.put), getattr(queue, contender.get)
    taken: list[int] = []

    def produce() -> None:
        for _ in range(count):
            time.sleep(PACE_S)
            put(perf_counter_ns())

    def consume() -> None:
        for _ in range(count):
            sent = get()
            taken.append(perf_counter_ns() - sent)

    try:
        crew.run([("consumer", consume), ("producer", produce)], limit_s)
    finally:
        release((queue,))
    return taken


def run_latency(effort: Effort, emit: Emit) -> None:
    """Alternate slices among the contenders until each has the effort's number of samples."""
    slices = max(1, effort.latency_samples // SLICE)
    size = min(SLICE, effort.latency_samples)
    samples: dict[str, list[int]] = {contender.key: [] for contender in LATENCY_CONTENDERS}
    label = {"case": "latency", "title": "hand-off latency", "kind": "paced"}
    with no_collector(), Crew(2) as crew:
        for index in range(slices):
            for contender in LATENCY_CONTENDERS:
                with hard_limit(2 * effort.watchdog_s):
                    samples[contender.key] += handoff_slice(
                        contender, size, crew, effort.watchdog_s
                    )
            emit({"event": "progress", "done": (index + 1) / slices, **label})
    for key, values in samples.items():
        emit({"event": "latency", "contender": key, "ns": values, "pace_s": PACE_S})
