"""The layers that make up the time of one call: from an empty loop to calls on each ring."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import repeat
from time import perf_counter_ns
from typing import Any

from bench.run.case import fastprims, own_copy
from bench.run.runner import Effort, Emit
from bench.run.stats import summarize

Loop = Callable[[int], None]


def _nothing(n: int) -> None:
    for _ in repeat(None, n):
        pass


def _call(f: Callable[[], Any], n: int) -> None:
    for _ in repeat(None, n):
        f()


def _pair(put: Callable[[int], Any], get: Callable[[], Any], n: int) -> None:
    for _ in repeat(None, n):
        put(7)
        get()


def _pair_of_cffi(put: Any, get: Any, ring: Any, word: Any, n: int) -> None:
    for _ in repeat(None, n):
        put(ring, 7, 0)
        get(ring, word, 0)


def _calling(f: Callable[[], Any]) -> Loop:
    loop = own_copy(_call)
    return lambda n: loop(f, n)


def _pairing(ring: Any) -> Loop:
    loop = own_copy(_pair)
    return lambda n: loop(ring.put, ring.get, n)


def layers() -> tuple[dict[str, Loop], list[str]]:
    """The layers to measure, and those that cannot be measured here."""
    table: dict[str, Loop] = {
        "empty loop": _nothing,
        "built-in function that reads a flag (gc.isenabled)": _calling(gc.isenabled),
        "Cython method that reads a word (AtomicFlag.test)": _calling(fastprims.AtomicFlag().test),
        "SPSCRing: put + get": _pairing(fastprims.SPSCRing(64)),
        "MPMCRing: put + get": _pairing(fastprims.MPMCRing(64)),
        "Queue: put + get": _pairing(fastprims.Queue()),
    }
    try:
        from fastprims import raw
    except ImportError as reason:
        return table, [str(reason)]
    ring, word = raw.SPSCWords(64), raw.ffi.new("uint64_t *")
    put, get, handle = raw.lib.fastprims_ring_put, raw.lib.fastprims_ring_get, ring.handle
    loop = own_copy(_pair_of_cffi)
    table["cffi function that returns a number"] = _calling(raw.lib.fastprims_api_version)
    table["cffi: fastprims_ring_put + _get (SPSC)"] = lambda n: loop(put, get, handle, word, n)
    table["raw.SPSCWords: put + get"] = _pairing(raw.SPSCWords(64))
    table["raw.MPMCWords: put + get"] = _pairing(raw.MPMCWords(64))
    return table, []


def run_layers(effort: Effort, emit: Emit) -> None:
    """Alternate among the layers; returns the medians."""
    table, skipped = layers()
    series: dict[str, list[float]] = {name: [] for name in table}
    counts = dict.fromkeys(table, 100)
    for name, loop in table.items():
        while (took := _timed(loop, counts[name])) < effort.sample_s * 2e8:
            counts[name] = max(2 * counts[name], int(counts[name] * effort.sample_s * 4e8 / took))
    for _ in range(max(5, effort.min_rounds)):
        for name, loop in table.items():
            series[name].append(_timed(loop, counts[name]) / counts[name])
    rows = [
        {"layer": name, "ns": values, **summarize(values).as_dict()}
        for name, values in series.items()
    ]
    emit({"event": "layers", "rows": rows, "skipped": skipped})


def _timed(loop: Loop, n: int) -> float:
    began = perf_counter_ns()
    loop(n)
    return max(1.0, float(perf_counter_ns() - began))
