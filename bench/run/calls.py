"""Cases without items: each thread repeats one call, or a pair of calls, on one subject.

A wing names its loops in a table; a contender's `calls` says which of them is its own. `kind` has
no meaning for these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any

from bench.run.case import (
    BASELINE,
    FRESH,
    Case,
    Contender,
    Pairing,
    Trial,
    Workload,
    fastprims,
    own_copy,
)
from bench.run.harness import BenchmarkFailure

Loop = Callable[[Any, int], None]
Check = Callable[[Contender, Any, int], str]
"""What is wrong with the subject after so many calls; empty: nothing."""


def _spin(subject: Any, count: int) -> None:
    for _ in repeat(None, count):
        pass


def _test(subject: Any, count: int) -> None:
    method = subject.test
    for _ in repeat(None, count):
        method()


LOOPS: dict[str, Loop] = {"none": _spin, "test()": _test}

EMPTY = Contender("empty loop", BASELINE, lambda bound: None, calls="none")
EMPTY_CALL = Contender(  # a method compiled by Cython that does next to nothing
    "empty call (AtomicFlag.test)", BASELINE, lambda bound: fastprims.AtomicFlag(), calls="test()"
)


def _unchecked(contender: Contender, subject: Any, count: int) -> str:
    return ""


def _repeat_trial(table: Mapping[str, Loop], fault: Check) -> Workload:
    """Every thread makes its share of the calls on one subject."""

    def trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
        subject = contender.make(case.bound)
        loop = own_copy({**LOOPS, **table}[contender.calls])
        share = count // case.threads

        def check() -> None:
            found = "" if contender.empty_loop else fault(contender, subject, count)
            if found:
                raise BenchmarkFailure(f"{case.key}: {contender.key} {found}")

        roles = [(f"thread {i}", lambda: loop(subject, share)) for i in range(case.threads)]
        return Trial(roles, (), count, check)

    return trial


def calls_case(
    key: str,
    title: str,
    contenders: tuple[Contender, ...],
    pairings: tuple[Pairing, ...],
    unit: str,
    table: Mapping[str, Loop],
    fault: Check = _unchecked,
    threads: int = 1,
) -> Case:
    return Case(
        key,
        title,
        _repeat_trial(table, fault),
        contenders,
        pairings,
        unit=unit,
        producers=threads,
        consumers=threads,
        threads=threads,
        kinds=(FRESH,),  # there are no items
    )
