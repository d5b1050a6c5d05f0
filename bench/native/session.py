"""Native measurements: programs that take turns, and the record for results.json.

Each contender of a case is a program of its own (programs/), run anew for every sample, so that
contenders share no memory and no threads. Otherwise the method is that of runner.py: rounds in
which all take turns, ratios round by round, their median, and a stop rule. A program that does not
end (a peer that spins for a thread that has no processor) is reported as such.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.native.build import build
from bench.native.contenders import CAPACITY, CASES, REFERENCE, Native, NativeCase
from bench.run.runner import Effort
from bench.run.stats import speedups, summarize

ROUND_TRIP = Native("cache line round trip", REFERENCE, "round_trip.c")
SAMPLE_S = {"quick": 0.02, "default": 0.05, "full": 0.15}
CASE_S = {"quick": 3.0, "default": 8.0, "full": 40.0}
"""Seconds: for a sample, and at most for a case. There are six cases, with up to ten contenders."""
Progress = Callable[[str, float], None]


class NativeFailure(Exception):
    """A program crashed, or found that items were lost."""


def sample(program: Path, arguments: Sequence[str], limit: float) -> float | None:
    """The figures that the program prints; None if it did not end in time."""
    try:
        done = subprocess.run(
            [str(program), *arguments], capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise NativeFailure(f"{program.name}: status {done.returncode}: {done.stderr.strip()}")
    return float(done.stdout)


def arguments_of(case: NativeCase, seconds: float) -> list[str]:
    shape = [str(case.producers), str(case.consumers)] if case.producers else ["pair"]
    return [*shape, str(CAPACITY), f"{seconds:g}"]


def run_case(
    case: NativeCase, paths: dict[str, Path], effort: Effort, progress: Progress
) -> dict[str, Any]:
    """Run rounds until every ratio is steady or a limit is reached; returns the record."""
    seconds = SAMPLE_S.get(effort.name, 0.002)
    limit, most = 20 * seconds + 5, CASE_S.get(effort.name, 0.1)
    series: dict[str, list[float]] = {c.key: [] for c in case.contenders if c.key in paths}
    unfinished: list[str] = []
    pairings = [p for p in case.pairings if {p.contender.key, p.baseline.key} <= set(series)]
    began, ended_by = perf_counter(), "round limit"
    for rounds in range(1, effort.max_rounds + 1):
        names = [name for name in series if name not in unfinished]
        if not names:
            break
        turn = rounds % len(names)
        for name in names[turn:] + names[:turn]:
            ns = sample(paths[name], arguments_of(case, seconds), limit)
            if ns is None:
                unfinished.append(name)
            else:
                series[name].append(ns)
        kept = [p for p in pairings if not {p.contender.key, p.baseline.key} & set(unfinished)]
        spreads = [
            summarize(speedups(series[p.contender.key], series[p.baseline.key])).spread
            for p in kept
        ]
        spent = perf_counter() - began
        progress(case.title, min(1.0, max(rounds / effort.max_rounds, spent / most)))
        if rounds >= effort.min_rounds:
            if max(spreads, default=0.0) <= effort.spread_bound:
                ended_by = "spread"
                break
            if spent >= most:
                ended_by = "time limit"
                break
    return {
        "key": case.key,
        "title": case.title,
        "producers": case.producers,
        "consumers": case.consumers,
        "capacity": CAPACITY,
        "rounds": rounds,
        "ended_by": ended_by,
        "spread_bound": effort.spread_bound,
        "unfinished": unfinished,
        "contenders": [
            {
                "key": c.key,
                "side": c.side,
                "ns": series[c.key],
                **summarize(series[c.key]).as_dict(),
            }
            for c in case.contenders
            if c.key in series and c.key not in unfinished
        ],
        "ratios": [
            {
                "contender": p.contender.key,
                "baseline": p.baseline.key,
                "goal": p.goal,
                **_ratio(series[p.contender.key], series[p.baseline.key], p.goal),
            }
            for p in kept
        ],
    }


def _ratio(ours: list[float], theirs: list[float], goal: float | None) -> dict[str, Any]:
    ratios = speedups(ours, theirs)
    summary = summarize(ratios)
    reached = None if goal is None else summary.median >= goal
    return {"ratios": ratios, **summary.as_dict(), "reached": reached}


def run_native(
    effort: Effort,
    progress: Progress = lambda title, done: None,
    cases: Sequence[NativeCase] = CASES,
) -> dict[str, Any]:
    """Build and measure; `skipped` names what is missing."""
    contenders = list(dict.fromkeys(c for case in cases for c in case.contenders))
    with tempfile.TemporaryDirectory() as folder:
        progress("compiling", 0.0)
        programs = build([*contenders, ROUND_TRIP], Path(folder))
        trip = programs.paths.get(ROUND_TRIP.key)
        round_trip = (
            None if trip is None else sample(trip, [f"{effort.threaded_sample_s * 10:g}"], 60.0)
        )
        records = [
            run_case(case, programs.paths, effort, progress)
            for case in cases
            if any(c.key in programs.paths for c in case.contenders)
        ]
    return {"round_trip_ns": round_trip, "cases": records, "skipped": programs.skipped}
