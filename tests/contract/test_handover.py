"""References of items that change threads: each is counted once, wherever it is counted.

A free-threaded build counts the references that an object's own thread takes apart from those of
all other threads; a queue whose items change threads adds to the second count.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import sysconfig
import weakref
from collections.abc import Callable
from queue import Full
from typing import Any

import pytest
from support.kinds import Kind, ShutDown, on
from support.threads import run_threads, spawn

import fastprims

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
LOCAL, SHARED = 12, 16
"""Where an object has its two counts."""
QUEUED = 2
"""The state of an object that waits for its thread to merge the counts."""


class Item:
    def __init__(self, number: int = 0) -> None:
        self.number = number

    def __lt__(self, other: Item) -> bool:
        return self.number < other.number


def local_of(thing: object) -> int:
    return ctypes.c_uint32.from_address(id(thing) + LOCAL).value


def shared_of(thing: object) -> int:
    return ctypes.c_ssize_t.from_address(id(thing) + SHARED).value


def elsewhere(fn: Callable[..., Any], *args: Any) -> Any:
    """The result of a call in another thread, which ends."""
    return spawn(fn, *args).result()


def crossed(kind: Kind, maxsize: int = 0) -> Any:
    """An empty queue in which an item has changed threads."""
    q = kind.make(maxsize)
    q.put(Item())
    kind.hand_over_producer(q)
    elsewhere(q.get)
    if kind.roles:
        q.release_consumer(force=True)
    return q


PUTS: list[Callable[[Any, Item], object]] = [
    lambda q, item: q.put(item),
    lambda q, item: q.put(item, timeout=5),
    lambda q, item: q.put_nowait(item),
    lambda q, item: q.try_put(item),
    lambda q, item: q.put_many([item]),
]
GETS: list[Callable[[Any], object]] = [
    lambda q: q.get(),
    lambda q: q.get(timeout=5),
    lambda q: q.get_nowait(),
    lambda q: q.try_get(),
    lambda q: q.get_many(1)[0],
]


@on(ours=True)
def test_every_way_through_a_queue_keeps_the_number_of_references(kind: Kind) -> None:
    item = Item()
    q = crossed(kind)
    before = sys.getrefcount(item)
    for put in PUTS:
        for get in GETS:
            put(q, item)
            assert get(q) is item
            assert sys.getrefcount(item) == before
            put(q, item)
            kind.hand_over(q)
            assert elsewhere(get, q) is item
            assert sys.getrefcount(item) == before
            if kind.roles:
                q.release_consumer(force=True)


@on(ours=True)
def test_items_that_changed_threads_are_released_by_whoever_is_last(kind: Kind) -> None:
    q, alive = kind.make(64 if kind.bounded else 0), weakref.WeakSet[Item]()

    def until_stored(put: Callable[[Any, Item], object], item: Item) -> None:
        while True:
            try:
                if put(q, item) is not False:
                    return
            except Full:
                pass

    def produce() -> None:
        for number in range(1_500):
            item = Item(number)
            alive.add(item)
            until_stored(PUTS[number % len(PUTS)], item)
        batch = [Item(n) for n in range(500)]
        for item in batch:
            alive.add(item)
        done = 0
        while done < len(batch):
            done += q.put_many(batch[done:])

    def consume() -> None:
        taken = 0
        while taken < 2_000:
            taken += len(q.get_many(7)) if taken % 2 else q.get() is not None

    run_threads(produce, consume)
    gc.collect()
    assert len(alive) == 0


@on("bounded", ours=True)
def test_a_put_that_fails_gives_the_reference_back(kind: Kind) -> None:
    q, item = crossed(kind, 1), Item()
    q.put(Item())
    before = sys.getrefcount(item)
    for call in (
        lambda: q.put_nowait(item),
        lambda: q.put(item, timeout=0.001),
        lambda: q.put_many([item], block=False),
    ):
        with pytest.raises(Full):
            call()
    assert not q.try_put(item)
    q.shutdown()
    with pytest.raises(ShutDown):
        q.put(item)
    assert sys.getrefcount(item) == before


@on(ours=True)
def test_items_left_in_a_queue_go_with_it(kind: Kind) -> None:
    q, alive = crossed(kind), weakref.WeakSet[Item]()
    for number in range(10):
        item = Item(number)
        alive.add(item)
        q.put(item)
    del item, q
    gc.collect()
    assert len(alive) == 0


@pytest.mark.skipif(not FREE_THREADED, reason="objects have one count")
@on(ours=True)
def test_a_thread_that_gets_its_own_items_counts_them_as_its_own(kind: Kind) -> None:
    q, item = crossed(kind), Item()
    for put in PUTS:
        for get in GETS:
            put(q, item)
            get(q)
    assert shared_of(item) == 0
    assert local_of(item) < 5


@pytest.mark.skipif(
    fastprims.build_info()["items"] == "Py_INCREF", reason="the fallback leaves it to the producer"
)
@pytest.mark.parametrize("put", PUTS)
@on(ours=True)
def test_a_consumer_that_releases_an_item_leaves_its_producer_nothing_to_do(
    kind: Kind, put: Callable[[Any, Item], object]
) -> None:
    q, item = crossed(kind), Item()
    put(q, item)
    kind.hand_over(q)
    elsewhere(lambda: q.get() and None)
    assert shared_of(item) & QUEUED == 0
