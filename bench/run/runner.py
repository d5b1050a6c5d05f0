"""Measuring: calibration, alternating rounds, and the rule for when to stop.

The contenders of a case take turns (A B C, B C A, …) in one process, so that other load of the
machine affects all of them. Each round gives one ratio per pairing; the result is the median of the
ratios. Rounds end when the interquartile range of every pairing's ratios is below a bound relative
to the median, or when the limit of rounds or of time is reached; the result tells which.
"""

from __future__ import annotations

import faulthandler
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

from bench.run.case import FRESH, Case, Contender, Pairing, measure, verify
from bench.run.environment import gil_enabled
from bench.run.harness import Crew
from bench.run.stats import speedups, summarize

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Effort:
    """How long to measure. Times in seconds; `spread_bound` relative to the median.

    `case_s` is the longest time for one case, `run_s` the time for all cases of all interpreters
    together (approximate: no case has fewer than `min_rounds`).
    """

    name: str
    sample_s: float
    threaded_sample_s: float
    crowd_sample_s: float
    min_rounds: int
    max_rounds: int
    case_s: float
    run_s: float
    spread_bound: float
    latency_samples: int
    with_latency: bool = False
    verify_count: int = 4000
    watchdog_s: float = 60.0

    def sample_seconds(self, case: Case) -> float:
        if case.threads == 1:
            return self.sample_s
        return self.threaded_sample_s if case.threads < CROWD else self.crowd_sample_s

    def round_seconds(self, case: Case) -> float:
        return len(case.contenders) * self.sample_seconds(case)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


CROWD = 32  # threads; from here on, starting them costs so much that runs must be longer

QUICK = Effort("quick", 0.004, 0.012, 0.04, 3, 9, 0.45, 45, 0.15, 2_500)
DEFAULT = Effort("default", 0.010, 0.040, 0.10, 5, 25, 2.6, 90, 0.08, 10_000)
FULL = Effort("full", 0.025, 0.100, 0.30, 15, 101, 15.0, 7200, 0.04, 100_000, True)
EFFORTS = {effort.name: effort for effort in (QUICK, DEFAULT, FULL)}

MAX_COUNT = 4_000_000  # an unbounded queue may hold a whole run's items


@contextmanager
def hard_limit(seconds: float) -> Iterator[None]:
    """End the process with a traceback if even the watchdog's own thread cannot run any more.

    This covers what a Python-level deadline can't: native code that never releases the GIL.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or 2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep the cyclic collector out of the timed regions (it tracks none of the items)."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class Bench:
    """The settings for measuring one case: the effort, the kind of item, and the threads."""

    case: Case
    kind: str
    effort: Effort
    crew: Crew

    def sample(self, contender: Contender, count: int) -> float:
        """One watched, timed run in nanoseconds per operation."""
        limit = self.effort.watchdog_s
        with hard_limit(2 * limit):
            return measure(self.case, contender, self.kind, count, self.crew, limit)

    def calibrate(self, contender: Contender) -> int:
        """The count of operations that takes about the effort's time; this is also a warm-up.

        All contenders run for the same time rather than the same count. Then the cost of starting
        the threads is the same share of every figure, and does not affect the ratios. (If that time
        is too short for the case's least count, a slow contender runs for longer.)
        """
        target_ns = self.effort.sample_seconds(self.case) * 1e9
        count = self.case.round_count(20 * self.case.threads)
        for _ in range(8):
            per_operation = self.sample(contender, count)
            took = per_operation * count
            wanted = min(MAX_COUNT, int(target_ns / max(per_operation, 0.1)))
            wanted = max(wanted, self.case.least_count)
            if took >= 0.6 * target_ns or count >= MAX_COUNT:
                return self.case.round_count(wanted)
            # Start-up weighs heavily on short runs, so grow in steps until the run is long enough.
            count = self.case.round_count(min(MAX_COUNT, max(2 * count, min(wanted, 16 * count))))
        return count

    def at_most(self, count: int, per_operation: float) -> int:
        """The count, or less if it took much longer than the effort's time.

        Some contenders are sometimes fast and sometimes fifty times slower, and may have been
        calibrated while fast.
        """
        target_ns = self.effort.sample_seconds(self.case) * 1e9
        if per_operation * count <= 4 * target_ns:
            return count
        return self.case.round_count(max(int(target_ns / per_operation), self.case.least_count))


def ratio_row(case: Case, pairing: Pairing, series: dict[str, list[float]]) -> dict[str, Any]:
    """A pairing's ratio, its spread, and the goal that applies to this interpreter, if any."""
    ratios = speedups(series[pairing.contender.key], series[pairing.baseline.key])
    goal = pairing.goal_gil if gil_enabled() else pairing.goal_free_threaded
    summary = summarize(ratios)
    return {
        "case": case.key,
        "contender": pairing.contender.key,
        "baseline": pairing.baseline.key,
        "ratios": ratios,
        **summary.as_dict(),
        "goal": goal,
        "reached": None if goal is None else summary.median >= goal,
    }


def all_ratios(case: Case, series: dict[str, list[float]]) -> list[dict[str, Any]]:
    """The named pairings first, then every other fastprims contender over every other baseline."""
    named = list(case.pairings)
    known = {(pairing.contender.key, pairing.baseline.key) for pairing in named}
    for ours in (c for c in case.contenders if c.side == "fastprims"):
        for theirs in (c for c in case.contenders if c.side == "stdlib"):
            if (ours.key, theirs.key) not in known:
                named.append(Pairing(ours, theirs))
    rows = [ratio_row(case, pairing, series) for pairing in named]
    for index, row in enumerate(rows):
        row["named"] = index < len(case.pairings)
    return rows


def worst_spread(case: Case, series: dict[str, list[float]]) -> float:
    """The largest relative spread among the case's named pairings."""
    return max(
        summarize(speedups(series[p.contender.key], series[p.baseline.key])).spread
        for p in case.pairings
    )


def run_rounds(
    bench: Bench, counts: dict[str, int], began: float, progress: Callable[[float], None]
) -> tuple[dict[str, list[float]], str]:
    """Alternate the contenders until the stop rule holds; the series, and the reason for the end."""
    case, effort = bench.case, bench.effort
    series: dict[str, list[float]] = {contender.key: [] for contender in case.contenders}
    for rounds in range(1, effort.max_rounds + 1):
        turn = rounds % len(case.contenders)
        for contender in case.contenders[turn:] + case.contenders[:turn]:
            per_operation = bench.sample(contender, counts[contender.key])
            series[contender.key].append(per_operation)
            counts[contender.key] = bench.at_most(counts[contender.key], per_operation)
        spent = perf_counter() - began
        progress(min(1.0, max(rounds / effort.max_rounds, spent / effort.case_s)))
        if rounds >= effort.min_rounds:
            if worst_spread(case, series) <= effort.spread_bound:
                return series, "spread"
            if spent >= effort.case_s:
                return series, "time limit"
    return series, "round limit"


def run_case(
    case: Case, kind: str, effort: Effort, progress: Callable[[float], None] = lambda done: None
) -> dict[str, Any]:
    """Verify, calibrate and measure one case with one kind of item; the record for results.json."""
    began = perf_counter()
    with no_collector(), Crew(case.threads) as crew:
        bench = Bench(case, kind, effort, crew)
        if kind == FRESH:
            for contender in case.contenders:
                with hard_limit(2 * effort.watchdog_s):
                    verify(case, contender, crew, effort.verify_count, effort.watchdog_s)
        counts = {c.key: bench.calibrate(c) for c in case.contenders}
        series, ended_by = run_rounds(bench, counts, began, progress)
    return {
        "key": case.key,
        "title": case.title,
        "pictured": case.pictured,
        "kind": kind,
        "unit": case.unit,
        "style": case.style,
        "bound": case.bound,
        "producers": case.producers,
        "consumers": case.consumers,
        "threads": case.threads,
        "rounds": len(next(iter(series.values()))),
        "ended_by": ended_by,
        "spread_bound": effort.spread_bound,
        "worst_spread": worst_spread(case, series),
        "contenders": [
            {
                "key": contender.key,
                "side": contender.side,
                "column": contender.column,
                "over": contender.over,
                "operations_per_round": counts[contender.key],
                "ns": series[contender.key],
                **summarize(series[contender.key]).as_dict(),
            }
            for contender in case.contenders
        ],
        "ratios": all_ratios(case, series),
    }


def planned_kinds(case: Case, kinds: Sequence[str], effort: Effort) -> list[str]:
    """The kinds of items with which the case is measured in this run; may be empty."""
    if case.only_full and effort.name != FULL.name:
        return []
    return [kind for kind in case.kinds if kind in kinds]


def run_suite(cases: Sequence[Case], kinds: Sequence[str], effort: Effort, emit: Emit) -> None:
    """Measure every case with every kind of item, reporting each step through `emit`.

    A case gets a share of the time that is left, by the length of its rounds; so a case that ends
    early leaves more time to the others.
    """
    ends = perf_counter() + effort.run_s
    todo = [(case, kind) for case in cases for kind in planned_kinds(case, kinds, effort)]
    wanted = sum(effort.round_seconds(case) for case, _ in todo)
    for case, kind in todo:
        label = {"case": case.key, "title": case.title, "kind": kind}

        def progress(done: float, label: dict[str, str] = label) -> None:
            emit({"event": "progress", "done": done, **label})

        progress(0.0)
        share = (ends - perf_counter()) * effort.round_seconds(case) / wanted
        wanted -= effort.round_seconds(case)
        limited = replace(effort, case_s=min(effort.case_s, max(share, 1e-3)))
        emit({"event": "case", "record": run_case(case, kind, limited, progress)})
