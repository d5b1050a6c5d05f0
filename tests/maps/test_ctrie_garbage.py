"""Ctrie, in processes of their own: what nobody sees is released; cycles, nests and chains."""

from __future__ import annotations

from typing import Any

import pytest
from support.isolate import SMALL_STACK, run_child


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
        owner = [r for r in gc.get_referents(m) if type(r).__name__ == "Lineage"][-1]
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


def garbage_beside_sweeps(seconds: float) -> bool:
    """Maps that are garbage and are cleared by finalizers, while threads read, and drop maps."""
    import gc
    import time

    from support.threads import run_threads

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
    run_threads(read, read, read, make_garbage, drop, drop)
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
