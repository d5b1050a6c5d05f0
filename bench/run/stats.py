"""Medians, quartiles and ratios of repeated measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from statistics import quantiles
from typing import Any

PERCENTILES = (50.0, 99.0, 99.9, 99.99)
HIGHEST_NS = 60 * 10**9
SIGNIFICANT_DIGITS = 3


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


def histogram_record(contender: str, values: Sequence[int], pace_s: float) -> dict[str, Any]:
    """Percentiles of one contender's samples (ImportError without the hdrhistogram package)."""
    histogram = import_module("hdrh.histogram").HdrHistogram(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
    for value in values:
        histogram.record_value(max(1, value))
    return {
        "contender": contender,
        "samples": len(values),
        "pace_s": pace_s,
        "percentiles_ns": {
            f"{percentile:g}": histogram.get_value_at_percentile(percentile)
            for percentile in PERCENTILES
        },
        "max_ns": max(values),
        "histogram": histogram.encode().decode("ascii"),
    }
