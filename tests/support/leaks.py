"""What calls leave behind, for child processes (isolate.py)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable


def blocks_that_stay(act: Callable[[], object], rounds: int, laps: int = 5) -> list[int]:
    """How many blocks of memory the interpreter has more after each lap of so many calls."""
    stayed = []
    for _ in range(laps):
        before = sys.getallocatedblocks()
        for _ in range(rounds):
            act()
        gc.collect()
        stayed.append(sys.getallocatedblocks() - before)
    return stayed


def growth(resident: list[int]) -> float:
    """By what part memory has grown from the first half of the rounds to the second. Heaps swing from
    round to round, and keep what they had at most; what leaks goes on growing."""
    half = len(resident) // 2
    return min(resident[half:]) / max(resident[:half]) - 1
