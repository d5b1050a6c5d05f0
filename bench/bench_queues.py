"""The suite's workloads under pytest-benchmark: ``pytest bench/``.

Each benchmark times one whole run. All contenders of a case perform the same number of operations;
the extra information gives that number and the nanoseconds per operation. For ratios use
``python -m bench``, which alternates the contenders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.run.case import KINDS, Case, Contender, Trial, prepare, run_trial, verify
from bench.run.harness import Crew
from bench.run.runner import QUICK, no_collector
from bench.suite import SUITE

ROUNDS = 7
OPERATIONS = 10_000
ROUND_TRIPS = 500
WORKLOADS = [
    pytest.param(case, contender, id=f"{case.key}-{contender.key}")
    for case in SUITE
    for contender in case.contenders
]


@pytest.fixture
def crew(case: Case) -> Iterator[Crew]:
    with no_collector(), Crew(case.threads) as threads:
        yield threads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("case", "contender"), WORKLOADS)
def test_queue(benchmark: Any, crew: Crew, case: Case, contender: Contender, kind: str) -> None:
    verify(case, contender, crew, QUICK.verify_count, QUICK.watchdog_s)
    wanted = ROUND_TRIPS if case.passes_one_item else OPERATIONS
    count = case.round_count(max(wanted, case.least_count))
    times: list[float] = []

    def fresh_trial() -> tuple[tuple[Trial], dict[str, Any]]:
        return (prepare(case, contender, kind, count),), {}

    def run(trial: Trial) -> None:
        times.append(run_trial(trial, crew, QUICK.watchdog_s))

    benchmark.group = f"{case.title}, {kind} items"
    benchmark.pedantic(run, setup=fresh_trial, rounds=ROUNDS, warmup_rounds=1)
    benchmark.extra_info.update(operations=count, ns_per_operation=min(times))
