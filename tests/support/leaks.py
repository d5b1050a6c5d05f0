"""What calls leave behind, for child processes (isolate.py)."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path


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


def resident() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def resident_after_threads(use: Callable[[int], None], rounds: int) -> list[int]:
    """Resident bytes after each round of threads that come, call `use`, and end; four at a time."""
    sizes = []
    for _ in range(rounds):
        for _ in range(20):
            threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        gc.collect()
        sizes.append(resident())
    return sizes


def growth(resident: list[int]) -> float:
    """By what part memory has grown from the first half of the rounds to the second. Heaps swing from
    round to round, and keep what they had at most; what leaks goes on growing."""
    half = len(resident) // 2
    return min(resident[half:]) / max(resident[:half]) - 1
