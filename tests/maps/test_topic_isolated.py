"""Processes of their own: memory that goes back, collected cycles, forks, failing allocations."""

from __future__ import annotations

from typing import Any

import pytest
from support.isolate import SMALL_STACK, needs_fork, needs_proc, run_child, run_source
from support.leaks import growth


def rounds_of_life(subscriptions: int, rounds: int) -> list[list[int]]:
    """Subscriptions, snapshots, changes, closing in any order, removal; memory after each round."""
    import gc
    import random
    import tracemalloc

    from support.leaks import resident

    import fastprims

    tracemalloc.start()
    rng = random.Random(1)
    t = fastprims.TopicTrie("amqp")
    sizes = []
    for n in range(rounds + 1):
        count = subscriptions if n else 500  # the first round warms up
        kept = [t.subscribe(f"{k % 100}.*.{k}.#", k) for k in range(count)]
        snapshots = []
        for k in range(20):
            snapshots.append(t.snapshot())
            for at in range(k, count, 20):
                t.unsubscribe(kept[at])
                kept[at] = t.subscribe(f"{at % 100}.#.{at}", at)
        assert snapshots[10].match("10.x.10") == [10]
        rng.shuffle(snapshots)
        while snapshots:
            snapshots.pop()
        for s in kept:
            assert t.unsubscribe(s)
        assert len(t) == 0
        del kept, s
        gc.collect()
        sizes.append([tracemalloc.get_traced_memory()[0], resident()])
    return sizes


@needs_proc
def test_memory_follows_the_live_subscriptions() -> None:
    sizes = run_child(rounds_of_life, 6_000, 8, timeout=85)
    start = sizes[0][0]
    assert all(allocated <= start * 1.1 + 20_000 for allocated, _ in sizes), sizes
    assert growth([resident for _, resident in sizes[1:]]) <= 0.1, sizes


def subscribers_die(case: str) -> int:
    """How many subscribers are alive when nobody can see them any more."""
    import gc
    import random
    import weakref

    import fastprims

    class Subscriber:
        pass

    refs = []

    def subscriber():
        s = Subscriber()
        refs.append(weakref.ref(s))
        return s

    rng = random.Random(case)
    t = fastprims.TopicTrie()
    kept = [t.subscribe(f"a.{n % 50}.*", subscriber()) for n in range(200)]
    if case == "removed":
        for s in kept:
            t.unsubscribe(s)
        del s
        kept.clear()
    elif case == "dropped":
        kept.clear()
        t = None
    elif case == "snapshots":
        snapshots = []
        for _ in range(30):
            snapshots.append(t.snapshot())
            for n in range(50):
                t.unsubscribe(kept.pop(rng.randrange(len(kept))))
                kept.append(t.subscribe(f"a.{n}.*", subscriber()))
            rng.shuffle(snapshots)
            if len(snapshots) > 5:
                snapshots.pop()
        kept.clear()
        t = None
        snapshots.clear()
    elif case == "live end first":
        snapshot = t.snapshot()
        kept.clear()
        t = None
        gc.collect()
        assert sum(r() is not None for r in refs) == 200
        del snapshot
    elif case == "matches":
        found = t.match("a.7.x")
        kept.clear()
        t = None
        gc.collect()
        assert sum(r() is not None for r in refs) == len(found) == 4
        del found
    if fastprims.build_info()["threading"] != "GIL":
        gc.collect()
    return sum(r() is not None for r in refs)


@pytest.mark.parametrize("case", ["removed", "dropped", "snapshots", "live end first", "matches"])
def test_subscribers_are_released_when_nobody_sees_them(case: str) -> None:
    assert run_child(subscribers_die, case) == 0


def cycles(shape: str) -> int:
    import gc
    import weakref

    import fastprims

    class Subscriber:
        pass

    s = Subscriber()
    ref = weakref.ref(s)
    t = fastprims.TopicTrie()
    subscription = t.subscribe("a.*", s)
    if shape == "trie":
        s.t = t
    elif shape == "subscription":
        s.subscription = subscription
        s.t = t
    elif shape == "snapshot":
        s.snapshot = t.snapshot()
    elif shape == "in an old snapshot only":
        s.snapshot = t.snapshot()
        t.unsubscribe(subscription)
    elif shape == "bound method":
        t.subscribe("a.b", t.match)
        s.t = t
    elif shape == "subclass":
        own = type("Own", (fastprims.TopicTrie,), {})()
        own.me = own
        own.subscribe("a", own)
        own.subscribe("a", s)
        s.own = own
        del own
    gc.collect()
    assert ref() is not None
    del t, s, subscription
    gc.collect()
    gc.collect()
    return int(ref() is not None)


SHAPES = ["trie", "subscription", "snapshot", "in an old snapshot only", "bound method", "subclass"]


@pytest.mark.parametrize("shape", SHAPES)
def test_cycles_are_collected(shape: str) -> None:
    assert run_child(cycles, shape) == 0


def visited() -> list[int]:
    """Every owned reference is seen once, also those that only old snapshots see."""
    import gc

    import fastprims

    class Subscriber:
        pass

    t = fastprims.TopicTrie()
    kept = [t.subscribe(f"a.{n}", Subscriber()) for n in range(100)]
    everything = t.snapshot()
    for s in kept[:50]:
        t.unsubscribe(s)
    half = t.snapshot()
    kept += [t.subscribe("a.*", Subscriber()) for n in range(25)]
    gc.collect()
    owner = next(r for r in gc.get_referents(t) if type(r).__name__ == "Subscribers")
    counts = [sum(type(r) is Subscriber for r in gc.get_referents(owner))]
    del everything
    gc.collect()
    counts.append(sum(type(r) is Subscriber for r in gc.get_referents(owner)))
    for _ in range(3):
        gc.collect()
    assert [len(half.match(f"a.{n}")) for n in (0, 49, 50, 99)] == [0, 0, 1, 1]
    assert [len(t.match(f"a.{n}")) for n in (0, 49, 50, 99)] == [25, 25, 26, 26]
    return counts


def test_every_reference_is_visited_once() -> None:
    assert run_child(visited) == [125, 75]


def nest(depth: int, end: str) -> int:
    import gc
    import weakref

    import fastprims

    gc.disable()
    innermost = outer = fastprims.TopicTrie()
    ref = weakref.ref(innermost)
    for n in range(depth):
        inner, outer = outer, fastprims.TopicTrie()
        outer.subscribe("a", inner.snapshot() if n % 3 == 0 else inner)
        if n % 3 == 0:
            outer.subscribe("b", inner)
    if end == "cycle":
        innermost.subscribe("a", outer)
    del innermost, inner
    outer = None
    gc.collect()
    return int(ref() is not None)


@pytest.mark.parametrize("end", ["drop", "cycle"])
def test_a_deep_nest_is_taken_down_without_a_crash(end: str) -> None:
    assert run_child(nest, 20_000, end, timeout=80) == 0


def chain(kind: str, depth: int, stack: int) -> str:
    """A chain whose links each hold the one before; made and dropped by a thread with little stack."""
    import threading

    import fastprims

    def work() -> None:
        link: Any = None
        for _ in range(depth):
            t: Any = fastprims.TopicTrie()
            link = t.subscribe("a", link)
            link = {"subscriptions": link, "tries": t, "snapshots": t.snapshot()}[kind]
        del link, t
        ended.append("ended")

    ended: list[str] = []
    threading.stack_size(stack * 1024)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return ended[0]


@pytest.mark.parametrize("kind", ["subscriptions", "tries", "snapshots"])
def test_a_chain_of_any_length_is_dropped_by_a_thread_with_little_stack(kind: str) -> None:
    assert run_child(chain, kind, 40_000, SMALL_STACK, timeout=80) == "ended"


def outlive(seconds: float) -> int:
    """Threads that share nothing: each makes a trie, drops it, and matches in a snapshot of it."""
    import time

    from support.threads import run_threads

    import fastprims

    def run() -> None:
        n = 0
        # A busy machine gives little time, and the lives of some ten thousand tries are needed.
        while (now := time.monotonic()) < end or (n < 4000 and now < end + 30):
            n += 1
            t: Any = fastprims.TopicTrie()
            for k in range(30):
                t.subscribe(f"a.{k}.*", k)
            s = t.snapshot()
            del t
            if any(s.match(f"a.{k}.x") != [k] for k in range(30)):
                return
        good.append(True)

    good: list[bool] = []
    end = time.monotonic() + seconds
    run_threads(*[run] * 4)
    return len(good)


def test_a_snapshot_that_outlives_its_trie_keeps_its_contents() -> None:
    assert run_child(outlive, 4.0, timeout=60) == 4


def garbage_beside_sweeps(seconds: float) -> bool:
    """Tries that are garbage and are used by finalizers, while threads match, and drop tries."""
    import gc
    import time

    from support.threads import run_threads

    import fastprims

    class Uses:
        def __init__(self, t: Any) -> None:
            self.t = t

        def __del__(self) -> None:
            self.t.unsubscribe(self.t.subscribe("a.*", self))

    def match() -> None:
        while time.monotonic() < end:
            other.match("a.1.x")

    def make_garbage() -> None:
        while time.monotonic() < end:
            t: Any = fastprims.TopicTrie()
            for k in range(300):
                t.subscribe(f"a.{k}", Uses(t))
            t.subscribe("b", t.snapshot())
            del t
            gc.collect()

    def drop() -> None:
        while time.monotonic() < end:
            fastprims.TopicTrie()

    other = fastprims.TopicTrie()
    for k in range(300):
        other.subscribe(f"a.{k}.*", k)
    end = time.monotonic() + seconds
    gc.disable()
    run_threads(match, match, make_garbage, drop, drop)
    return True


def test_garbage_is_cleared_beside_sweeps() -> None:
    assert run_child(garbage_beside_sweeps, 4.0, timeout=60)


def churn(rounds: int) -> list[int]:
    """Threads that come and go, using one trie; resident memory."""
    from support.leaks import resident_after_threads

    import fastprims

    t = fastprims.TopicTrie()

    def use(n: int) -> None:
        for k in range(100):
            s = t.subscribe(f"{n}.{k % 20}.*", [k].append)
            t.match(f"{n}.{k % 20}.x")
            if k % 50 == 0:
                t.snapshot()
            t.unsubscribe(s)

    sizes = resident_after_threads(use, rounds)
    assert len(t) == 0
    return sizes


@needs_proc
def test_threads_that_end_strand_nothing() -> None:
    sizes = run_child(churn, 12, timeout=80)
    assert growth(sizes[2:]) <= 0.05, sizes


def fork_beside_writers(forks: int) -> int:
    import time

    from support.forks import busy, in_child

    import fastprims

    def write(t, steps) -> None:
        step = steps.fetch_add()
        s = t.subscribe(f"b.{step % 100}.*", step)
        if step % 7 == 0:
            t.snapshot()
        t.unsubscribe(s)

    def use(t, fixed) -> None:
        assert all(t.match(f"a.{n}") == [n] for n in range(200))
        snapshot = t.snapshot()
        assert all(t.unsubscribe(s) for s in fixed[::2])
        assert t.match("a.0") == [] and t.match("a.1") == [1]
        assert snapshot.match("a.0") == [0]
        t.subscribe("a.>", "child")
        assert t.match("a.0") == ["child"]

    t = fastprims.TopicTrie()
    fixed = [t.subscribe(f"a.{n}", n) for n in range(200)]
    with busy(write, t, fastprims.AtomicInt()):
        for _ in range(forks):
            time.sleep(0.005)
            in_child(use, t, fixed)
    return len(t)


@needs_fork
def test_fork_beside_writers() -> None:
    assert run_child(fork_beside_writers, 6, timeout=80) == 200


def failing_allocations(depth: int) -> int:
    """Let the n-th allocation fail, for every n, in every call: no effect, and no leak."""
    import _testcapi
    import gc
    import sys

    import fastprims

    # CPython 3.13t crashes where the items of a list can't be had (PyList_New).
    lists_fail = fastprims.build_info()["threading"] == "GIL"
    failed = 0
    deep = ".".join("abcdefghijklmnopqrstuvwxyz")
    one = object()

    def calls(t, kept):
        return [
            lambda: t.subscribe("a.b", one),
            lambda: t.subscribe(deep, one),
            lambda: t.subscribe("ü.*.>", one),
            lambda: t.unsubscribe(kept[3]),
            lambda: t.unsubscribe(kept[4]),
            lambda: t.snapshot(),
            lambda: t.match("a.b"),
            lambda: t.snapshot().match("a.1"),
        ]

    def contents(t):
        topics = ["a.b", deep, "ü.x.y", *(f"a.{n}" for n in range(12))]
        return [sorted(map(id, t.match(topic))) for topic in topics], len(t)

    for n in range(depth):
        for number in range(8 if lists_fail else 6):
            t = fastprims.TopicTrie()
            kept = [t.subscribe("a.*" if k % 4 == 0 else f"a.{k}", k) for k in range(12)]
            kept += [t.subscribe("a.b", k) for k in range(50)]
            snapshot = t.snapshot()
            before = contents(t)
            call = calls(t, kept)[number]
            try:
                _testcapi.set_nomemory(n, n + 1)
                try:
                    call()
                finally:
                    _testcapi.remove_mem_hooks()
            except MemoryError:
                failed += 1
                assert contents(t) == before, "a failed call had an effect"
            assert contents(snapshot) == before
            assert all(t.unsubscribe(s) for s in kept if s not in (kept[3], kept[4]))
    del t, snapshot, kept, call
    gc.collect()
    return failed if sys.getrefcount(one) < 4 else -sys.getrefcount(one)


def test_a_failed_allocation_has_no_effect() -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    assert run_child(failing_allocations, 25, timeout=80) > 10


SHUTDOWN = """
import threading, fastprims
t = fastprims.TopicTrie()
kept = [t.subscribe(f"a.{n}", [n].append) for n in range(1000)]
s = t.snapshot()
t.subscribe("a.*", t.match)

class AtExit:
    def __del__(self):
        t.match("a.1")
        s.match("a.1")
        t.unsubscribe(kept[1])

t.subscribe("late", AtExit())

def write():
    while True:
        t.unsubscribe(t.subscribe("b.c", 1))
        t.snapshot().match("b.c")

threading.Thread(target=write, daemon=True).start()
print("done")
"""


def test_the_interpreter_ends_with_tries_in_use() -> None:
    for _ in range(3):
        assert "done" in run_source(SHUTDOWN)
