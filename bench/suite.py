"""The suite: every case there is, and what --only may name besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from bench.aio import AIO
from bench.atomics import ATOMICS
from bench.limits import LIMITS
from bench.maps.ctrie import MAPS
from bench.maps.topics import TOPIC_CASES
from bench.queues.cases import QUEUES
from bench.run.case import Case
from bench.run.runner import FULL, Effort
from bench.select import SELECT

SUITE: tuple[Case, ...] = (*QUEUES, *SELECT, *AIO, *ATOMICS, *LIMITS, *MAPS, *TOPIC_CASES)


def _is_full(effort: Effort) -> bool:
    return effort.name == FULL.name


# What is no case, and whether a run without --only includes it.
OTHERS: dict[str, Callable[[Effort], bool]] = {
    "latency": lambda effort: effort.with_latency,
    "map-memory": lambda effort: True,
    "native": _is_full,
    "shm": _is_full,
}


def wants(name: str, effort: Effort, only: Sequence[str]) -> bool:
    """True if `name`, one of OTHERS, is to be measured: it is named, or nothing is."""
    by_default = OTHERS[name](effort)
    return any(fnmatchcase(name, pattern) for pattern in only) if only else by_default


def unknown_names(patterns: list[str]) -> list[str]:
    """Those that match nothing that is measured."""
    names = [*(case.key for case in SUITE), *OTHERS]
    return [p for p in patterns if not any(fnmatchcase(name, p) for name in names)]


def select(patterns: list[str]) -> tuple[Case, ...]:
    """The cases whose key matches any of the shell-style patterns; without a pattern, all."""
    if not patterns:
        return SUITE
    return tuple(c for c in SUITE if any(fnmatchcase(c.key, p) for p in patterns))
