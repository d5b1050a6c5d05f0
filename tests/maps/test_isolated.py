"""Processes of their own: memory that goes back, collected cycles, forks, failing allocations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.isolate import run_child, run_source
from support.leaks import growth

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
SMALL_STACK = 64 if "FASTPRIMS_SANITIZE" not in os.environ else 1024  # KiB
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")


def resident() -> int:
    import pathlib
    import resource

    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def rounds_of_life(keys: int, rounds: int) -> list[list[int]]:
    """Inserts, snapshots, updates, closing in any order, removal; memory after each round: what is
    allocated, and what is resident (the interpreter's own allocator keeps some)."""
    import gc
    import random
    import tracemalloc

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
    sizes = run_child(rounds_of_life, 100_000, 4, helpers=(resident,), timeout=85)
    start = sizes[0][0]
    assert all(allocated <= start * 1.1 + 20_000 for allocated, _ in sizes), sizes
    assert growth([resident for _, resident in sizes[1:]]) <= 0.1, sizes


def back_to_the_start(keys: int, rounds: int) -> dict[str, list[int]]:
    """What is resident at the start, at the height and at the end of each round. The keys and values
    are there before, so only what belongs to the map comes and goes."""
    import array
    import gc
    import random

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
    sizes = run_child(back_to_the_start, 500_000, 4, helpers=(resident,), timeout=85, env=env)
    (start,) = sizes["start"]
    assert min(sizes["heights"]) > 2 * start, sizes
    assert max(sizes["ends"]) <= start * 1.1, sizes


def values_die(case: str) -> int:
    """How many values are alive when nobody can see them any more."""
    import gc
    import random
    import weakref

    import fastprims

    class Value:
        pass

    refs = []

    def value():
        v = Value()
        refs.append(weakref.ref(v))
        return v

    rng = random.Random(case)
    t = fastprims.Ctrie((n, value()) for n in range(200))
    if case == "replaced":
        for n in range(200):
            t[n] = None
    elif case == "removed":
        for n in range(200):
            del t[n]
    elif case == "cleared":
        t.clear()
    elif case == "dropped":
        t = None
    elif case == "snapshots":
        kept = []
        for _ in range(30):
            kept.append(rng.choice([t.readonly_snapshot, t.snapshot])())
            for n in range(50):
                t[rng.randrange(200)] = value()
            if rng.random() < 0.1:
                t.clear()
            rng.shuffle(kept)
            if len(kept) > 5:
                kept.pop()
        t.clear()
        kept.clear()
    elif case == "live end first":
        s = t.readonly_snapshot()
        for n in range(100):
            t[n] = value()
        t = None
        assert sum(r() is not None for r in refs) >= 200
        del s
    elif case == "clone outlives":
        c = t.snapshot()
        t = None
        for n in range(200):
            c[n] = value()
        del c
    elif case == "iterator":
        it = iter(t.values())
        next(it)
        t.clear()
        assert sum(r() is not None for r in refs) == 200
        del it
    elif case == "chain":
        for _ in range(300):
            t = t.snapshot()
            t[rng.randrange(200)] = value()
        t = None
    if fastprims.build_info()["threading"] != "GIL":
        gc.collect()
    return sum(r() is not None for r in refs)


CASES = ["replaced", "removed", "cleared", "dropped", "snapshots", "live end first"]
CASES += ["clone outlives", "iterator", "chain"]


@pytest.mark.parametrize("case", CASES)
def test_values_are_released_when_nobody_sees_them(case: str) -> None:
    assert run_child(values_die, case) == 0


def cycles(shape: str) -> int:
    import gc
    import weakref

    import fastprims

    class Value:
        pass

    v = Value()
    ref = weakref.ref(v)
    t = fastprims.Ctrie(v=v)
    if shape == "itself":
        t["t"] = t
    elif shape == "snapshot":
        v.s = t.readonly_snapshot()
    elif shape == "closed snapshot":
        v.t = t
        s = t.readonly_snapshot()
        t["v"] = None
        del s
        t["v"] = v
    elif shape == "value in an old snapshot only":
        s = t.readonly_snapshot()
        v.s = s
        t.clear()
        del s
    elif shape == "clone":
        v.c = t.snapshot()
    elif shape == "clone of a clone":
        v.c = t.snapshot().snapshot()
        v.c["more"] = v
    elif shape == "iterator":
        v.i = iter(t.items())
    elif shape == "view":
        v.k = t.keys()
    elif shape == "subclass":
        cls = type("Own", (fastprims.Ctrie,), {})
        own = cls(v=v)
        own.me = own
        v.own = own
        del own, cls
    elif shape == "key":
        t[v] = t
    gc.collect()
    assert ref() is not None
    del t, v
    gc.collect()
    gc.collect()
    return int(ref() is not None)


SHAPES = ["itself", "snapshot", "closed snapshot", "value in an old snapshot only", "clone"]
SHAPES += ["clone of a clone", "iterator", "view", "subclass", "key"]


@pytest.mark.parametrize("shape", SHAPES)
def test_cycles_are_collected(shape: str) -> None:
    assert run_child(cycles, shape) == 0


def visited() -> list[int]:
    """Every owned reference is seen once, also those that only old snapshots see."""
    import gc

    import fastprims

    t = fastprims.Ctrie((n, [n]) for n in range(100))
    kept = [t.readonly_snapshot()]
    for n in range(50):
        t[n] = [n]
    kept.append(t.snapshot())
    for n in range(25):
        t[n] = [n]
    kept[1][0] = [0]
    gc.collect()
    counts = []
    for m in (t, kept[1]):
        owner = gc.get_referents(m)[0]
        assert type(owner).__name__ == "Lineage"
        counts.append(sum(type(r) is list for r in gc.get_referents(owner)))
    for _ in range(3):
        gc.collect()
    assert [kept[0][n] for n in range(100)] == [[n] for n in range(100)]
    return counts


def test_every_reference_is_visited_once() -> None:
    assert run_child(visited) == [175, 1]


def nest(depth: int, end: str) -> int:
    import gc
    import weakref

    import fastprims

    gc.disable()
    innermost = outer = fastprims.Ctrie()
    ref = weakref.ref(innermost)
    for n in range(depth):
        outer = fastprims.Ctrie([(0, outer)])
        if n % 3 == 0:
            outer = fastprims.Ctrie([(0, outer.readonly_snapshot())])
    if end == "cycle":
        innermost[0] = outer
    del innermost
    outer = None
    gc.collect()
    return int(ref() is not None)


@pytest.mark.parametrize("end", ["drop", "cycle"])
def test_a_deep_nest_is_taken_down_without_a_crash(end: str) -> None:
    assert run_child(nest, 50_000, end, timeout=80) == 0


def chain(kind: str, depth: int, stack: int) -> str:
    """A chain whose links each hold the one before; made and dropped by a thread with little stack."""
    import gc
    import threading

    import fastprims

    class Box:
        def __init__(self, value: object) -> None:
            self.value = value

    def link(c: Any, n: int) -> Any:
        if kind == "branches":
            return c.snapshot()
        if kind == "branches of snapshots":
            c = c.readonly_snapshot().snapshot()
            c[n % 7] = n
            return c
        if kind == "branches with values":
            branch = c.snapshot()
            branch[n % 5] = c
            return branch
        if kind == "iterators":
            return fastprims.Ctrie({1: iter(c.items())})
        if kind == "snapshots":
            return fastprims.Ctrie({1: c}).readonly_snapshot()
        if kind == "keys":
            return fastprims.Ctrie({fastprims.AtomicRef(c): None})
        q: Any = fastprims.Queue()
        q.put(c)
        t: Any = fastprims.TopicTrie()
        t.subscribe("a", Box(c))
        return fastprims.Ctrie({1: [Box([c]), (c,), q, {2: t.snapshot()}][n % 4]}).snapshot()

    def work() -> None:
        c: Any = fastprims.Ctrie({1: 1})
        for n in range(depth):
            c = link(c, n)
        del c
        ended.append("ended")

    gc.disable()
    ended: list[str] = []
    threading.stack_size(stack * 1024)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return ended[0]


CHAINS = ["branches", "branches of snapshots", "branches with values", "iterators", "snapshots"]
CHAINS += ["keys", "everything"]


@pytest.mark.parametrize("kind", CHAINS)
def test_a_chain_of_any_length_is_dropped_by_a_thread_with_little_stack(kind: str) -> None:
    assert run_child(chain, kind, 40_000, SMALL_STACK, timeout=80) == "ended"


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
        for make in (t.snapshot, t.readonly_snapshot, t.copy, t.__iter__, t.items().__iter__):
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
        del t, make
        gc.collect()
        gc.collect()
    return [failed, Value.alive]


def test_a_failed_allocation_loses_no_version() -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    failed, alive = run_child(lost_versions, 12, timeout=80)
    assert failed > 10
    assert alive == 0


def outlive(kind: str, seconds: float) -> int:
    """Threads that share nothing: each makes a map, drops it, and reads a snapshot of it."""
    import threading
    import time

    import fastprims

    def run() -> None:
        n = 0
        # A busy machine gives little time, and the lives of some ten thousand maps are needed.
        while (now := time.monotonic()) < end or (n < 4000 and now < end + 30):
            c: Any = fastprims.Ctrie((k, k) for k in range(60))
            n += 1
            s: Any = c.readonly_snapshot() if kind == "read-only" else c.snapshot()
            if kind == "cleared":
                c.clear()
            del c
            if dict(s.items()) != {k: k for k in range(60)}:
                wrong.append(n)
                return
        counts.append(n)

    wrong: list[int] = []
    counts: list[int] = []
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, "the contents of a snapshot are wrong"
    return len(counts)


@pytest.mark.parametrize("kind", ["read-only", "writable", "cleared"])
def test_a_snapshot_that_outlives_its_map_keeps_its_contents(kind: str) -> None:
    assert run_child(outlive, kind, 4.0, timeout=60) == 4


def garbage_beside_sweeps(seconds: float) -> bool:
    """Maps that are garbage and are cleared by finalizers, while threads read, and drop maps."""
    import gc
    import threading
    import time

    import fastprims

    class Clears:
        def __init__(self, c: Any) -> None:
            self.c = c

        def __del__(self) -> None:
            self.c.clear()

    def read() -> None:
        while time.monotonic() < end:
            for n in range(0, 5000, 7):
                other.get(n)

    def make_garbage() -> None:
        values = [[n] for n in range(2000)]
        while time.monotonic() < end:
            c: Any = fastprims.Ctrie(zip(range(2000), values))
            c["snapshot"] = c.readonly_snapshot()
            c["clears"] = Clears(c)
            del c
            gc.collect()

    def drop() -> None:
        while time.monotonic() < end:
            fastprims.Ctrie()

    other = fastprims.Ctrie((n, n) for n in range(5000))
    end = time.monotonic() + seconds
    gc.disable()
    targets = [read, read, read, make_garbage, drop, drop]
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return True


def test_garbage_is_cleared_beside_sweeps() -> None:
    assert run_child(garbage_beside_sweeps, 6.0, timeout=60)


def garbage_below_a_reader(seconds: float, least: int) -> int:
    """What a finalizer clears has to wait for a thread that reads another map for long; then that
    thread sweeps it, while the collector clears the map."""
    import gc
    import sys
    import threading
    import time

    import fastprims

    class Clears:
        def __init__(self, c: Any) -> None:
            self.c = c

        def __del__(self) -> None:
            self.c.clear()

    def read() -> None:
        while not over.is_set():
            sys.getsizeof(snapshot)
            fastprims.Ctrie()

    other: Any = fastprims.Ctrie((n, n) for n in range(200_000))
    for n in range(20):  # so it is younger than the garbage, and its reader might see that
        other[n] = -n
        other.readonly_snapshot()
    snapshot = other.readonly_snapshot()
    over = threading.Event()
    threads = [threading.Thread(target=read) for _ in range(2)]
    gc.disable()
    for thread in threads:
        thread.start()
    values = [[n] for n in range(100_000)]
    rounds = 0
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end or (rounds < least and now < end + 30):
        c: Any = fastprims.Ctrie(zip(range(100_000), values))
        c["clears"] = Clears(c)
        del c
        gc.collect()
        rounds += 1
    over.set()
    for thread in threads:
        thread.join()
    return rounds


def test_garbage_is_cleared_beside_the_sweep_that_it_waited_for() -> None:
    assert run_child(garbage_below_a_reader, 4.0, 10, timeout=80) > 5


def churn(rounds: int) -> list[int]:
    """Threads that come and go, using one map; resident memory."""
    import gc
    import threading

    import fastprims

    t = fastprims.Ctrie()
    sizes = []

    def use(n: int) -> None:
        for k in range(200):
            t[n, k % 20] = [k]
            if k % 50 == 0:
                t.readonly_snapshot()
        for k in range(20):
            t.pop((n, k), None)

    for _ in range(rounds):
        for _ in range(20):
            threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        gc.collect()
        sizes.append(resident())
    assert len(t) == 0
    return sizes


@needs_proc
def test_threads_that_end_strand_nothing() -> None:
    sizes = run_child(churn, 8, helpers=(resident,), timeout=80)
    assert sizes[-1] <= sizes[2] * 1.05 + 500_000, sizes


def fork_beside_writers(forks: int) -> int:
    import time

    from support.forks import busy, in_child

    import fastprims

    def write(t, steps) -> None:
        step = steps.fetch_add()
        t[step % 1000] = step % 1000
        if step % 7 == 0:
            t.readonly_snapshot()

    def use(t) -> None:
        assert dict(t.items()) == {n: n for n in range(1000)}
        s = t.readonly_snapshot()
        for n in range(1000):
            t[n] = -n
        for n in range(0, 1000, 2):
            del t[n]
        assert len(t) == 500 and len(s) == 1000 and s[3] == 3
        c = s.snapshot()
        c.clear()
        t.clear()

    t = fastprims.Ctrie((n, n) for n in range(1000))
    with busy(write, t, fastprims.AtomicInt()):
        for _ in range(forks):
            time.sleep(0.005)
            in_child(use, t)
    return len(t)


@needs_fork
def test_fork_beside_writers() -> None:
    assert run_child(fork_beside_writers, 6, timeout=80) == 1000


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


SHUTDOWN = """
import threading, fastprims
t = fastprims.Ctrie((n, [n]) for n in range(1000))
s, c, it = t.readonly_snapshot(), t.snapshot(), iter(t.items())
next(it)
t["self"] = t

class AtExit:
    def __del__(self):
        t[1] = s.get(1)
        t.clear()

t["late"] = AtExit()

def write():
    n = 0
    while True:
        n += 1
        t[n % 100] = n
        t.readonly_snapshot()

threading.Thread(target=write, daemon=True).start()
print("done")
"""


def test_the_interpreter_ends_with_maps_in_use() -> None:
    for _ in range(3):
        assert "done" in run_source(SHUTDOWN)
