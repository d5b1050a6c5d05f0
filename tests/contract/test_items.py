"""What goes in comes out: order, identity, counts and references."""

from __future__ import annotations

import gc
import random
import sys
import weakref
from queue import Empty, Full

import pytest
from support.kinds import Kind, on


class Falsy:
    """False, and equal to nothing."""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


ODD_ITEMS = [None, False, 0, 0.0, "", b"", (), [], {}, Falsy(), Ellipsis, NotImplemented, Empty]


@on()
def test_items_come_out_in_the_kinds_order(kind: Kind) -> None:
    q = kind.make()
    items = random.Random(1).sample(range(10_000), 500)
    for item in items:
        q.put(item)
    assert [q.get() for _ in items] == kind.ordered(items)


@on()
def test_order_holds_when_puts_and_gets_alternate(kind: Kind) -> None:
    rng = random.Random(2)
    q, held = kind.make(), []
    for step in range(3_000):
        if held and rng.random() < 0.5:
            expected = kind.ordered(held)[0]
            held.remove(expected)
            assert q.get() == expected
        elif len(held) < 64:
            item = rng.randrange(10**9)
            held.append(item)
            q.put(item)
        assert q.qsize() == len(held), step
    assert [q.get() for _ in range(len(held))] == kind.ordered(held)


@pytest.mark.parametrize("item", ODD_ITEMS, ids=lambda item: type(item).__name__)
@on()
def test_any_object_is_an_item(kind: Kind, item: object) -> None:
    q = kind.make()
    for _ in range(3):
        q.put(item)
        assert not q.empty()
        assert q.qsize() == 1
        assert q.get() is item
        assert q.empty()


@on()
def test_the_same_object_may_be_queued_many_times(kind: Kind) -> None:
    q, item = kind.make(), (1, 2)
    before = sys.getrefcount(item)
    for _ in range(100):
        q.put(item)
    assert all(q.get() is item for _ in range(100))
    assert sys.getrefcount(item) == before


@on("unordered")
def test_none_runs_like_any_item_through_a_full_cycle(kind: Kind) -> None:
    """A stored None must be told from an empty slot."""
    q = kind.make()
    for _ in range(50):
        q.put(None)
    assert q.qsize() == 50
    for left in reversed(range(50)):
        assert q.get_nowait() is None
        assert q.qsize() == left
    with pytest.raises(Empty):
        q.get_nowait()


@on()
def test_an_item_is_released_as_soon_as_it_leaves(kind: Kind) -> None:
    class Item:
        def __lt__(self, other: Item) -> bool:
            return id(self) < id(other)

    q = kind.make()
    refs = []
    for _ in range(20):
        item = Item()
        refs.append(weakref.ref(item))
        q.put(item)
    del item
    assert all(ref() is not None for ref in refs)
    for left in reversed(range(20)):
        q.get()
        assert sum(ref() is not None for ref in refs) == left


@on()
def test_a_dropped_queue_releases_its_items(kind: Kind) -> None:
    class Item:
        def __lt__(self, other: Item) -> bool:
            return id(self) < id(other)

    q = kind.make()
    refs = []
    for _ in range(10):
        item = Item()
        refs.append(weakref.ref(item))
        q.put(item)
    q.get()
    del item, q
    gc.collect()
    assert [ref() for ref in refs] == [None] * 10


@on()
def test_empty_and_qsize_follow_the_items(kind: Kind) -> None:
    q = kind.make()
    assert q.empty() and q.qsize() == 0
    for n in range(1, 200):
        q.put(n)
        assert not q.empty() and q.qsize() == n
    for n in reversed(range(199)):
        q.get()
        assert q.qsize() == n and q.empty() == (n == 0)


@on()
def test_an_empty_queue_is_true(kind: Kind) -> None:
    """`self.q = q or Queue()` must not throw an empty queue away."""
    q = kind.make()
    assert bool(q)
    q.put(1)
    assert bool(q)


@pytest.mark.parametrize("maxsize", [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1000])
@on("bounded")
def test_the_bound_is_exact(kind: Kind, maxsize: int) -> None:
    q = kind.make(maxsize)
    assert q.maxsize == maxsize
    for _ in range(3):  # more than one lap of a ring
        for n in range(maxsize):
            assert q.full() is False
            q.put_nowait(n)
            assert q.qsize() == n + 1
        assert q.full() is True
        with pytest.raises(Full):
            q.put_nowait(-1)
        assert q.qsize() == maxsize
        got = [q.get_nowait() for _ in range(maxsize)]
        assert got == kind.ordered(range(maxsize))
        with pytest.raises(Empty):
            q.get_nowait()


@pytest.mark.parametrize("maxsize", [1, 2, 3, 5])
@on("bounded")
def test_a_queue_kept_full_goes_round_many_times(kind: Kind, maxsize: int) -> None:
    q = kind.make(maxsize)
    for n in range(maxsize):
        q.put_nowait(n)
    for n in range(maxsize, 5_000):
        with pytest.raises(Full):
            q.put_nowait(n)
        got = q.get_nowait()
        if kind.order == "lifo":
            assert got == (maxsize - 1 if n == maxsize else n - 1)
        else:
            assert got == n - maxsize
        q.put_nowait(n)
        assert q.full()


@pytest.mark.parametrize("maxsize", [0, -1, -1000])
@on("bounded", "unbounded")
def test_no_positive_bound_means_no_bound(kind: Kind, maxsize: int) -> None:
    q = kind.cls(maxsize)
    assert q.maxsize == maxsize
    for n in range(20_000):
        q.put_nowait(n)
    assert q.full() is False
    assert q.qsize() == 20_000
    assert [q.get() for _ in range(20_000)] == kind.ordered(range(20_000))


@on()
def test_put_and_nowait_return_none(kind: Kind) -> None:
    q = kind.make()
    assert q.put(1) is None
    assert q.put_nowait(2) is None
