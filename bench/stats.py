"""Medians, quartiles and ratios of repeated measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Median and quartiles of a series; `spread` is the interquartile range over the median."""

    median: float
    q1: float
    q3: float
    spread: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(values: Sequence[float]) -> Summary:
    """The summary of a series of at least one value (quartiles by linear interpolation)."""
    if not values:
        raise ValueError("nothing was measured")
    if len(values) == 1:
        q1 = median = q3 = float(values[0])
    else:
        q1, median, q3 = quantiles(values, n=4, method="inclusive")
    return Summary(median, q1, q3, (q3 - q1) / median if median else 0.0)


def speedups(contender: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """For each round, how many times as fast as the baseline the contender was."""
    return [theirs / ours for ours, theirs in zip(contender, baseline, strict=True)]
