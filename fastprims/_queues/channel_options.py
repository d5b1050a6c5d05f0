"""Checks and converts the limits that BoundedChannel is given."""

from __future__ import annotations

from math import isfinite

from fastprims._common.ext import to_count, to_number, to_size

OVERFLOW = ("block", "reject", "drop_newest", "drop_oldest")
"""In the order of enum Overflow in channel.pxi."""

MOST_ITEMS = 2**63 - 2
MOST_SECONDS = 1e9


def to_policy(overflow: object) -> int:
    if overflow not in OVERFLOW:
        raise ValueError(f"overflow must be one of {', '.join(OVERFLOW)}, not {overflow!r}")
    return OVERFLOW.index(str(overflow))


def to_maxsize(maxsize: int) -> int:
    if maxsize < 1:
        raise ValueError(
            f"maxsize must be 1 or more, not {maxsize}: a channel is bounded. For a queue without "
            "a bound use Queue()"
        )
    return to_size(maxsize, "maxsize", MOST_ITEMS)


def to_rate(rate: float | tuple[float, int]) -> tuple[float, int]:
    """Items per second, and items at once: unless given, as many as one second brings."""
    what = "a number of items per second, or a tuple (rate, burst)"
    if isinstance(rate, tuple):
        if len(rate) != 2:
            raise ValueError(f"rate must be {what}, not {len(rate)} values")
        number, burst = to_number(rate[0], "rate", what), to_count(rate[1], "burst", 1)
    else:
        number = to_number(rate, "rate", what)
        burst = max(1, int(number)) if isfinite(number) else 1
    if not 1e-9 <= number <= 1e9:
        raise ValueError(f"rate must be from 1e-9 to 1e9 items per second, not {number:g}")
    if burst / number > MOST_SECONDS:
        raise OverflowError(
            f"burst {burst} is too large for this rate: it must not take more than "
            f"{MOST_SECONDS:g} seconds to come"
        )
    return number, burst


def to_nanoseconds(seconds: float, name: str) -> int:
    number = to_number(seconds, name, "a number of seconds")
    if not isfinite(number) or number < 0:
        raise ValueError(f"{name} must be a finite number of seconds, 0 or more, not {seconds}")
    return int(min(number, MOST_SECONDS) * 1e9)
