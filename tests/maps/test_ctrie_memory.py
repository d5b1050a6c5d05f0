"""Ctrie, in processes of their own: memory that goes back, and allocations that fail."""

from __future__ import annotations

import pytest
from support.isolate import needs_proc, run_child
from support.leaks import growth


def rounds_of_life(keys: int, rounds: int) -> list[list[int]]:
    """Inserts, snapshots, updates, closing in any order, removal; memory after each round: what is
    allocated, and what is resident (the interpreter's own allocator keeps some)."""
    import gc
    import random
    import tracemalloc

    from support.leaks import resident

    import fastprims

    tracemalloc.start()
    rng = random.Random(1)
    t = fastprims.Ctrie()
    sizes = []
    for n in range(rounds + 1):
        count = keys if n else 1000  # the first round warms up
        for key in range(count):
            t[key] = key
        snapshots = []
        for k in range(20):
            snapshots.append(t.readonly_snapshot() if k % 3 else t.snapshot())
            for key in range(k, count, 20):
                t[key] = -key
        assert snapshots[10][10] == 10
        rng.shuffle(snapshots)
        while snapshots:
            snapshots.pop()
        for key in range(count):
            del t[key]
        assert len(t) == 0
        gc.collect()
        sizes.append([tracemalloc.get_traced_memory()[0], resident()])
    return sizes


@needs_proc
def test_memory_follows_the_live_keys() -> None:
    sizes = run_child(rounds_of_life, 100_000, 4, timeout=85)
    start = sizes[0][0]
    assert all(allocated <= start * 1.1 + 20_000 for allocated, _ in sizes), sizes
    assert growth([resident for _, resident in sizes[1:]]) <= 0.1, sizes


def back_to_the_start(keys: int, rounds: int) -> dict[str, list[int]]:
    """What is resident at the start, at the height and at the end of each round. The keys and values
    are there before, so only what belongs to the map comes and goes."""
    import array
    import gc
    import random

    from support.leaks import resident

    import fastprims

    rng = random.Random(1)
    mine = list(range(keys))
    values = list(range(-keys, 0))
    t = fastprims.Ctrie()
    # No object that is made at the height may stay: it would keep an arena full of free nodes.
    heights, ends = (array.array("q", [0] * rounds) for _ in range(2))
    gc.collect()
    start = resident()
    for r in range(rounds):
        for key in mine:
            t[key] = key
        snapshots = []
        for k in range(20):
            snapshots.append(t.readonly_snapshot() if k % 3 else t.snapshot())
            for n in range(k, keys, 20):
                t[mine[n]] = values[n]
        heights[r] = resident()
        rng.shuffle(snapshots)
        while snapshots:
            snapshots.pop()
        for key in mine:
            del t[key]
        assert len(t) == 0
        gc.collect()
        ends[r] = resident()
    return {"start": [start], "heights": list(heights), "ends": list(ends)}


@needs_proc
def test_what_the_nodes_took_is_given_back_to_the_system() -> None:
    # Free-threaded interpreters allocate by mimalloc, which puts off what it gives back until it is
    # called again; with this, at once. Others do not know the variable.
    env = {"MIMALLOC_PURGE_DELAY": "0"}
    sizes = run_child(back_to_the_start, 500_000, 4, timeout=85, env=env)
    (start,) = sizes["start"]
    assert min(sizes["heights"]) > 2 * start, sizes
    assert max(sizes["ends"]) <= start * 1.1, sizes


def lost_versions(rounds: int) -> list[int]:
    """Allocations that fail while a snapshot, a branch or an iterator is made; what is alive then."""
    import _testcapi
    import gc

    import fastprims

    class Value:
        alive = 0

        def __init__(self) -> None:
            Value.alive += 1

        def __del__(self) -> None:
            Value.alive -= 1

    failed = 0
    for n in range(rounds):
        t = fastprims.Ctrie((k, Value()) for k in range(3))

        def changed_copy(t: fastprims.Ctrie = t) -> fastprims.Ctrie:
            copy = t.snapshot()
            copy[1] = None
            return copy

        for make in (
            *(t.snapshot, t.readonly_snapshot, t.copy, t.__iter__, t.items().__iter__),
            changed_copy,
        ):
            t[0] = Value()  # the next snapshot needs a version of its own
            gc.collect(0)
            taken = [t.readonly_snapshot() for _ in range(9)]  # empties the list of free objects
            try:
                _testcapi.set_nomemory(n, n + 1)
                try:
                    made = make()
                finally:
                    _testcapi.remove_mem_hooks()
                del made
            except MemoryError:
                failed += 1
            del taken
        t.clear()
        del t, make, changed_copy
        gc.collect()
        gc.collect()
    return [failed, Value.alive]


def test_a_failed_allocation_loses_no_version() -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    failed, alive = run_child(lost_versions, 12, timeout=80)
    assert failed > 10
    assert alive == 0


def churn(rounds: int) -> list[int]:
    """Threads that come and go, using one map; resident memory."""
    from support.leaks import resident_after_threads

    import fastprims

    t = fastprims.Ctrie()

    def use(n: int) -> None:
        for k in range(200):
            t[n, k % 20] = [k]
            if k % 50 == 0:
                t.readonly_snapshot()
        for k in range(20):
            t.pop((n, k), None)

    sizes = resident_after_threads(use, rounds)
    assert len(t) == 0
    return sizes


@needs_proc
def test_threads_that_end_strand_nothing() -> None:
    sizes = run_child(churn, 12, timeout=80)
    assert growth(sizes[2:]) <= 0.05, sizes


def failing_allocations(depth: int) -> int:
    """Let the n-th allocation fail, for every n, in every call: no effect, and no leak."""
    import _testcapi

    import fastprims

    class Key:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return self.n % 3

        def __eq__(self, other):
            return self.n == other.n

    failed = 0
    keys = [Key(n) for n in range(12)]
    one = Key(100)

    def calls(t):
        yield lambda: t.__setitem__(one, 1)
        yield lambda: t.__setitem__(keys[3], 1)
        yield lambda: t.__delitem__(keys[3])
        yield lambda: t.pop(keys[4])
        yield lambda: t.setdefault(one, 1)
        yield lambda: t.compare_and_set(keys[5], 5, 6)
        yield lambda: t.popitem()
        yield lambda: t.clear()
        yield lambda: t.readonly_snapshot()
        yield lambda: t.snapshot()
        yield lambda: t.get(keys[5])
        yield lambda: list(t)
        yield lambda: len(t)

    for n in range(depth):
        t = fastprims.Ctrie((key, key.n) for key in keys)
        s = t.readonly_snapshot()
        for call in calls(t):
            before = dict(t.items())
            try:
                _testcapi.set_nomemory(n, n + 1)
                try:
                    call()
                finally:
                    _testcapi.remove_mem_hooks()
            except MemoryError:
                failed += 1
                assert dict(t.items()) == before, "a failed call had an effect"
            assert len(t) == len(list(t))
        assert s == {key: key.n for key in keys}
    return failed


def test_a_failed_allocation_has_no_effect() -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    assert run_child(failing_allocations, 25, timeout=80) > 10
