"""Bytes per key of the maps, without keys and values, as the interpreter's allocators count them."""

from __future__ import annotations

import gc
import tracemalloc

from bench.maps import ctrie as maps
from bench.run.case import Contender
from bench.run.runner import FULL, Effort, Emit

MEASURED = (maps.DICT, maps.LOCKED_MAP, maps.FP_CTRIE)


def bytes_per_key(contender: Contender, pairs: dict[int, int]) -> float:
    """Fill a map and measure by how much the traced memory grows."""
    fill = maps.LOOPS["insert"][contender.calls]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        subject = contender.make(0)
        fill(subject, pairs)
        return (tracemalloc.get_traced_memory()[0] - before) / len(pairs)
    finally:
        tracemalloc.stop()


def run_memory(effort: Effort, emit: Emit) -> None:
    """Report each map's memory, with a number of keys that suits the effort."""
    keys = {"quick": 10_000, FULL.name: 1_000_000}.get(effort.name, 100_000)
    pairs = maps.pairs(keys)
    per_key = {c.key: bytes_per_key(c, pairs) for c in maps.present(*MEASURED)}
    emit({"event": "memory", "keys": keys, "bytes_per_key": per_key})
