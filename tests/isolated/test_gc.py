"""The garbage collector sees the items; finalizers may use the queue they were in."""

from __future__ import annotations

import pytest
from support.isolate import run_child
from support.kinds import OURS, Kind

kinds = pytest.mark.parametrize("kind", OURS, ids=str)

SHAPES = ["itself", "in an item", "two queues", "subclass", "after laps", "after a shutdown"]


def cycle(cls: str, shape: str) -> int:
    """How many of the cycle's members are alive after a collection."""
    import gc
    import weakref

    import fastprims

    base = getattr(fastprims, cls)

    class Sub(base):
        pass

    def make(kind=base):
        return kind() if cls == "SimpleQueue" else kind(5)

    class Item:
        def __lt__(self, other):
            return id(self) < id(other)

    gc.collect()
    gc.disable()
    q = make(Sub if shape == "subclass" else base)
    item = Item()
    item.queue = q
    refs = [weakref.ref(q), weakref.ref(item)]
    if shape == "after laps":
        for n in range(23):
            q.put(n)
            q.get()
    if shape == "itself":
        q.put(q)
    elif shape == "two queues":
        other = make()
        other.put(q)
        q.put(other)
        refs.append(weakref.ref(other))
        del other
    elif shape == "subclass":
        q.me = q
        q.put(item)
    else:
        q.put(item)
        q.put(item)
        q.put(item)
    if shape == "after a shutdown":
        q.get()
        q.shutdown()
    assert all(ref() is not None for ref in refs)
    assert q in gc.get_objects() and gc.is_tracked(q)
    del q, item
    gc.collect()
    gc.collect()
    return sum(ref() is not None for ref in refs)


def cycles(cls: str, shapes: list[str]) -> dict[str, int]:
    return {shape: cycle(cls, shape) for shape in shapes}


@kinds
def test_a_cycle_through_items_is_collected(kind: Kind) -> None:
    alive = run_child(cycles, kind.cls.__name__, SHAPES, helpers=(cycle,))
    assert alive == dict.fromkeys(SHAPES, 0)


def reachable(cls: str) -> list[int]:
    """A queue that is in use keeps all its items, whatever the collector does."""
    import gc

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(300)
    for n in range(300):
        q.put([n])
    for _ in range(3):
        gc.collect()
    referents = gc.get_referents(q)
    assert sum(type(r) is list for r in referents) == 300, len(referents)
    q.get_many(100)
    assert sum(type(r) is list for r in gc.get_referents(q)) == 200
    gc.collect()
    return sorted(q.get()[0] for _ in range(200))


@kinds
def test_every_item_is_visited_exactly_once(kind: Kind) -> None:
    left = run_child(reachable, kind.cls.__name__)
    assert left == (list(range(200)) if kind.order == "lifo" else list(range(100, 300)))


def collect_all_the_time(cls: str) -> int:
    """Traffic with a collection at every allocation, and cyclic items."""
    import gc
    import threading

    import fastprims

    class Item:
        def __init__(self, n):
            self.n = n
            self.me = self

        def __lt__(self, other):
            return self.n < other.n

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(3)
    gc.set_threshold(3, 2, 2)
    total = 0

    def produce():
        for n in range(600):
            q.put(Item(n))

    thread = threading.Thread(target=produce)
    thread.start()
    for _ in range(600):
        total += q.get().n
    thread.join()
    return total


@kinds
def test_collections_during_traffic_harm_nothing(kind: Kind) -> None:
    assert run_child(collect_all_the_time, kind.cls.__name__) == sum(range(600))


def reenter(cls: str, by: str, way: str) -> int:
    """Finalizers and weak-reference callbacks that use the queue their item was in."""
    import contextlib
    import gc
    import weakref

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(64)
    budget = 200
    fired = 0

    def use():
        nonlocal budget, fired
        fired += 1
        if budget > 0:
            budget -= 1
            with contextlib.suppress(
                fastprims.Full, fastprims.Empty, fastprims.ShutDown, RuntimeError
            ):
                q.try_put(Item())
                q.try_get()
                q.put_many([Item(), Item()], block=False)
                q.get_many(2, block=False)
                len(q), q.full(), repr(q), q.stats()

    class Item:
        def __init__(self):
            if by == "callback":
                self.finalizer = weakref.finalize(self, use)
                self.finalizer.atexit = False

        def __lt__(self, other):
            return id(self) < id(other)

    if by == "__del__":
        Item.__del__ = lambda self: use()
    for _ in range(20):
        q.put(Item())
    if way == "get":
        while not q.empty():
            q.get()
    elif way == "get_many":
        while not q.empty():
            q.get_many(3)
    elif way == "try_put":
        q.get_many(64)
        for _ in range(200):
            q.try_put(Item())
    elif way == "shutdown":
        q.shutdown(immediate=True)
    elif way == "drop":
        del q
        q = make() if cls == "SimpleQueue" else make(64)
    budget = 0
    while not q.empty():
        q.get()
    gc.collect()
    return fired


def reenter_all(cls: str, by: str, ways: list[str]) -> list[int]:
    return [reenter(cls, by, way) for way in ways]


@pytest.mark.parametrize("by", ["__del__", "callback"])
@kinds
def test_items_may_use_the_queue_when_they_die(kind: Kind, by: str) -> None:
    ways = ["get", "get_many", "try_put", "shutdown", "drop"]
    fired = run_child(reenter_all, kind.cls.__name__, by, ways, helpers=(reenter,), timeout=30)
    assert min(fired) >= 20


def resurrect(cls: str) -> int:
    """Items that put themselves back when they die."""
    import contextlib

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(10)
    lives = 0

    class Phoenix:
        def __del__(self):
            nonlocal lives
            lives += 1
            with contextlib.suppress(fastprims.ShutDown):
                q.try_put(self)

        def __lt__(self, other):
            return id(self) < id(other)

    for _ in range(10):
        q.put(Phoenix())
    taken = q.get_many(10)
    del taken  # a finalizer runs once only: from now on they are mortal
    assert (q.qsize(), lives) == (10, 10)
    q.shutdown(immediate=True)
    assert q.qsize() == 0
    return lives


@kinds
def test_an_item_may_rise_again(kind: Kind) -> None:
    assert run_child(resurrect, kind.cls.__name__) == 10


def nest(cls: str, depth: int, end: str) -> int:
    """Drop a queue that holds a queue that holds a queue, a hundred thousand deep."""
    import gc
    import weakref

    import fastprims

    make = getattr(fastprims, cls)

    def fresh():
        return make() if cls == "SimpleQueue" else make(1)

    gc.disable()
    innermost = outer = fresh()
    ref = weakref.ref(innermost)
    for _ in range(depth):
        q = fresh()
        q.put(outer)
        outer = q
    if end == "cycle":
        innermost.put(outer)
    del innermost, q
    if end == "shutdown":
        outer.shutdown(immediate=True)
    elif end == "get":
        for _ in range(depth // 2):
            outer = outer.get()
    outer = None
    gc.collect()
    return int(ref() is not None)


def nests(cls: str, depth: int, ends: list[str]) -> dict[str, int]:
    alive = {}
    for end in ends:
        print(end, flush=True)  # says how far it came if it crashes
        alive[end] = nest(cls, depth, end)
    return alive


@kinds
def test_a_deep_nest_is_taken_down_without_a_crash(kind: Kind) -> None:
    ends = ["drop", "cycle", "shutdown", "get"]
    alive = run_child(nests, kind.cls.__name__, 100_000, ends, helpers=(nest,), timeout=80)
    assert alive == dict.fromkeys(ends, 0)
