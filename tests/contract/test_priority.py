"""PriorityQueue: the comparisons are user code, and may do anything."""

from __future__ import annotations

import random
from typing import Any

import pytest
from support.isolate import run_child
from support.kinds import Kind, having

PRIORITY = [k for k in having() if k.order == "priority"]
both = pytest.mark.parametrize("kind", PRIORITY, ids=str)
ours = pytest.mark.parametrize("kind", [k for k in PRIORITY if k.ours], ids=str)


class Boom(Exception):
    pass


class Item:
    """Compares by `rank`, and raises while `armed`."""

    armed = False

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: Item) -> bool:
        if Item.armed:
            raise Boom
        return self.rank < other.rank


@pytest.fixture(autouse=True)
def disarm() -> Any:
    Item.armed = False
    yield
    Item.armed = False


@both
def test_the_smallest_comes_first(kind: Kind) -> None:
    rng = random.Random(3)
    for size in (1, 2, 3, 7, 8, 100, 1000):
        q = kind.make()
        items = [rng.randrange(50) for _ in range(size)]
        for item in items:
            q.put(item)
        assert [q.get() for _ in items] == sorted(items)


@both
def test_only_less_than_is_asked(kind: Kind) -> None:
    q = kind.make()
    for rank in (3, 1, 2):
        q.put(Item(rank))
    assert [q.get().rank for _ in range(3)] == [1, 2, 3]


@both
def test_pairs_are_the_usual_items(kind: Kind) -> None:
    q = kind.make()
    for pair in ((2, "b"), (1, "z"), (1, "a"), (3, "")):
        q.put(pair)
    assert [q.get() for _ in range(4)] == [(1, "a"), (1, "z"), (2, "b"), (3, "")]


@both
def test_what_cannot_be_compared_is_a_type_error(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    with pytest.raises(TypeError):
        q.put("one")


@ours
def test_a_put_whose_comparison_fails_stores_nothing(kind: Kind) -> None:
    q = kind.make(10)
    for rank in (5, 3, 8, 1):
        q.put(Item(rank))
    Item.armed = True
    for call in (q.put, q.put_nowait, q.try_put, lambda item: q.put_many([item])):
        with pytest.raises(Boom):
            call(Item(0))
    assert q.qsize() == 4
    assert q.unfinished_tasks == 4
    Item.armed = False
    q.put(Item(4))
    assert [q.get().rank for _ in range(5)] == [1, 3, 4, 5, 8]


@ours
def test_a_get_whose_comparison_fails_takes_nothing(kind: Kind) -> None:
    q = kind.make()
    for rank in (5, 3, 8, 1, 9, 2):
        q.put(Item(rank))
    Item.armed = True
    for call in (q.get, q.get_nowait, q.try_get, lambda: q.get_many(1)):
        with pytest.raises(Boom):
            call()
    assert q.qsize() == 6
    Item.armed = False
    assert [q.get().rank for _ in range(6)] == [1, 2, 3, 5, 8, 9]


@ours
def test_a_get_many_that_fails_midway_loses_nothing(kind: Kind) -> None:
    class Fuse(Item):
        left = 0

        def __lt__(self, other: Item) -> bool:
            Fuse.left -= 1
            if Fuse.left == 0:
                raise Boom
            return self.rank < other.rank

    for fuse in range(1, 40):
        q = kind.make()
        Fuse.left = -1
        q.put_many([Fuse(n) for n in (5, 3, 8, 1, 9, 2, 7, 4)])
        Fuse.left = fuse
        try:
            got = [item.rank for item in q.get_many(8)]
        except Boom:
            got = []
        Fuse.left = -1
        got += [q.get().rank for _ in range(q.qsize())]
        assert sorted(got) == [1, 2, 3, 4, 5, 7, 8, 9]


@ours
def test_a_put_many_that_fails_midway_keeps_what_it_stored(kind: Kind) -> None:
    q = kind.make()
    with pytest.raises(TypeError):
        q.put_many([3, 1, "x", 2])
    size = q.qsize()
    assert q.unfinished_tasks == size
    assert {q.get() for _ in range(size)} <= {1, 2, 3}


def reenter(action: str) -> int:
    """Put items whose comparison uses the queue it is in; returns what came out."""
    import fastprims

    q = fastprims.PriorityQueue()
    budget = 200

    class Nosy:
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def __lt__(self, other: Nosy) -> bool:
            nonlocal budget
            if budget > 0:
                budget -= 1
                try:
                    if action == "put":
                        q.put(Nosy(1000 + budget))
                    elif action == "get":
                        q.try_get()
                    elif action == "size":
                        len(q), q.full(), repr(q), q.stats()
                    elif action == "shutdown":
                        q.shutdown(immediate=True)
                    elif action == "resize":
                        q.maxsize = budget + 50
                except (RuntimeError, fastprims.ShutDown):
                    pass
            return self.rank < other.rank

    for n in range(40):
        try:
            q.put(Nosy(n * 7 % 40))
        except (RuntimeError, fastprims.ShutDown):
            break
    budget = 0
    count = 0
    while True:
        try:
            q.get_nowait()
        except (fastprims.Empty, fastprims.ShutDown):
            break
        count += 1
    assert q.qsize() == 0
    return count


@pytest.mark.parametrize("action", ["put", "get", "size", "shutdown", "resize"])
def test_a_comparison_may_use_its_own_queue(action: str) -> None:
    """Neither a crash nor a deadlock: it works, or it raises."""
    count = run_child(reenter, action, timeout=30)
    if action in ("size", "resize"):
        assert count == 40
