"""References and memory: nothing stays behind, whatever happened to the queue."""

from __future__ import annotations

from typing import Any

import pytest
from support.isolate import run_child
from support.kinds import OURS, Kind

SCENARIOS = [
    "put and get",
    "make and drop",
    "drop with items",
    "full and empty",
    "batches",
    "shut down",
    "shut down at once",
    "bad input",
    "time-outs",
    "handed between threads",
    "cycle",
]


def exercise(cls: str, scenario: str) -> Any:
    """One round of the scenario; nothing of it may be alive afterwards."""
    import contextlib
    import gc
    import threading

    import fastprims

    make: Any = getattr(fastprims, cls)

    def fresh() -> Any:
        return make() if cls == "SimpleQueue" else make(8)

    def items(n: int) -> list[Any]:
        return [(i, "item", str(i)) for i in range(n)]

    refusals = (fastprims.Full, fastprims.Empty, fastprims.ShutDown, TypeError, ValueError)
    q = fresh()
    if scenario == "put and get":
        for item in items(8):
            q.put(item)
        for _ in range(8):
            q.get()
    elif scenario == "make and drop":
        for _ in range(5):
            fresh()
    elif scenario == "drop with items":
        q.put_many(items(8))
    elif scenario == "full and empty":
        q.put_many(items(8))
        for call in (lambda: q.put_nowait((9,)), lambda: q.put((9,), timeout=0)):
            with contextlib.suppress(*refusals):
                call()
        q.try_put((9,))
        q.get_many(10)
        for call in (q.get_nowait, lambda: q.get(timeout=0), lambda: q.get_many(3, block=False)):
            with contextlib.suppress(*refusals):
                call()
        q.try_get((0, "default"))
    elif scenario == "batches":
        q.put_many(items(12), block=False)
        q.put_many(iter(items(12)), timeout=0) if cls == "SimpleQueue" else None
        q.get_many(5)
        q.put_many(tuple(items(2)))
        q.get_many(3)
        with contextlib.suppress(ZeroDivisionError):
            q.put_many(1 // (2 - i) for i in range(5))
    elif scenario == "shut down":
        q.put_many(items(6))
        q.shutdown()
        for call in (lambda: q.put((1,)), lambda: q.try_put((1,)), lambda: q.put_many(items(3))):
            with contextlib.suppress(*refusals):
                call()
        q.get_many(3)
    elif scenario == "shut down at once":
        q.put_many(items(6))
        q.shutdown(immediate=True)
        with contextlib.suppress(*refusals):
            q.get()
    elif scenario == "bad input":
        for call in (
            lambda: q.put((1,), True, "x"),
            lambda: q.put((1,), wait=(1,)),
            lambda: q.put_many(7),
            lambda: q.get_many("x"),
            lambda: q.get(timeout=-1),
            lambda: make("x"),
            lambda: make(-1) if "Ring" in cls else make([]),
        ):
            with contextlib.suppress(*refusals):
                call()
    elif scenario == "time-outs":
        with contextlib.suppress(*refusals):
            q.get(timeout=1e-4)
        q.put_many(items(8))
        with contextlib.suppress(*refusals):
            q.put_many(items(3), timeout=1e-4)
    elif scenario == "handed between threads":
        thread = threading.Thread(target=lambda: q.put_many(items(20)))
        thread.start()
        for _ in range(20):
            q.get()
        thread.join()
    elif scenario == "cycle":
        q.put((0, q))
        holder = [q]
        q.put((1, holder))
        del q, holder
        gc.collect()
    else:
        raise AssertionError(scenario)
    return None


def blocks_that_stay(cls: str, scenarios: list[str]) -> dict[str, list[int]]:
    """Memory blocks the interpreter has more after each of some equal series of rounds."""
    from functools import partial

    from support import leaks

    series = {}
    for scenario in scenarios:
        rounds = 30 if scenario in ("handed between threads", "cycle") else 150
        series[scenario] = leaks.blocks_that_stay(partial(exercise, cls, scenario), rounds, laps=6)
    return series


@pytest.mark.parametrize("kind", OURS, ids=str)
def test_no_reference_is_leaked(kind: Kind) -> None:
    series = run_child(
        blocks_that_stay, kind.cls.__name__, SCENARIOS, helpers=(exercise,), timeout=80
    )
    # One leaked object per round would show as 30 or 150; caches settle in the first series.
    leaks = {scenario: counts for scenario, counts in series.items() if min(counts[1:]) >= 15}
    assert not leaks


def leak_on_purpose() -> list[int]:
    import gc
    import sys

    kept = []
    series = []
    for _ in range(6):
        before = sys.getallocatedblocks()
        for i in range(150):
            kept.append((i, str(i)))
        gc.collect()
        series.append(sys.getallocatedblocks() - before)
    return series


def test_a_leak_would_be_seen() -> None:
    assert min(run_child(leak_on_purpose)[1:]) >= 150


def released(cls: str, how: str) -> list[int]:
    """For every item, how often its finalizer ran, once the queue is done with it."""
    import gc
    import threading
    import time

    import fastprims

    gone: list[int] = []  # not under a lock: see test_shutdown_midway.py

    class Item:
        def __init__(self, n: int) -> None:
            self.n = n

        def __del__(self) -> None:
            gone.append(self.n)

        def __lt__(self, other: Item) -> bool:
            return self.n < other.n

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(400)
    q.put_many([Item(n) for n in range(400)])
    if how == "get":
        for _ in range(400):
            q.get()
    elif how == "another thread":
        q.release_consumer() if cls == "SPSCRing" else None
        thread = threading.Thread(target=lambda: [q.get() for _ in range(400)] and None)
        thread.start()
        thread.join()
    elif how == "get_many":
        while not q.empty():
            q.get_many(7)
    elif how == "shutdown":
        q.shutdown(immediate=True)
    elif how == "drop":
        del q
    elif how == "collect":
        q.get_nowait()
        q.put((q,)) if cls in ("Queue", "SimpleQueue", "MPMCRing", "SPSCRing") else None
        q.put_many([]) if cls in ("LifoQueue", "PriorityQueue") else None
        del q
    gc.collect()
    deadline = time.monotonic() + 5
    while len(gone) < 400 and time.monotonic() < deadline:
        time.sleep(0.01)
    return [gone.count(n) for n in range(400)]


def released_by_all(cls: str, ways: list[str]) -> dict[str, list[int]]:
    return {how: released(cls, how) for how in ways}


@pytest.mark.parametrize("kind", OURS, ids=str)
def test_every_item_is_finalized_exactly_once(kind: Kind) -> None:
    ways = ["get", "another thread", "get_many", "shutdown", "drop", "collect"]
    counts = run_child(released_by_all, kind.cls.__name__, ways, helpers=(released,))
    for how in ways:
        assert counts[how] == [1] * 400, how
