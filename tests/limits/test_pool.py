"""ObjectPool: what each call does."""

from __future__ import annotations

import copy
import dataclasses
import gc
import inspect
import pickle
import threading
import time
import types
import weakref
from collections.abc import Callable
from queue import Empty
from typing import Any

import pytest
from support.pools import Thing, counts
from support.threads import blocked, run_threads, spawn, wait_until

import fastprims
from fastprims import ObjectPool

FREE_THREADED = fastprims.build_info()["threading"] == "free-threaded"


def test_objects_are_made_when_needed_and_used_again() -> None:
    pool = ObjectPool(Thing)
    a = pool.acquire()
    b = pool.acquire()
    assert type(a) is Thing and a is not b
    assert counts(pool) == (2, 2, 0)
    assert pool.release(a) is None
    assert pool.acquire() is a
    pool.release(b)
    pool.release(a)
    assert counts(pool) == (2, 0, 2)
    assert {pool.acquire(), pool.acquire()} == {a, b}
    assert pool.stats().made == 2


def test_the_last_one_released_comes_first() -> None:
    pool = ObjectPool(Thing)
    things = [pool.acquire() for _ in range(5)]
    for thing in things:
        pool.release(thing)
    assert [pool.acquire() for _ in range(5)] == things[::-1]


def test_max_size_is_exact() -> None:
    pool = ObjectPool(Thing, max_size=3)
    things = [pool.acquire() for _ in range(3)]
    with pytest.raises(Empty):
        pool.acquire(block=False)
    with pytest.raises(Empty):
        pool.acquire(timeout=0.01)
    with pytest.raises(Empty):
        pool.acquire(timeout=0)
    with pytest.raises(ValueError, match="timeout"):
        pool.acquire(timeout=-1)
    assert counts(pool) == (3, 3, 0)
    pool.release(things[0])
    assert pool.acquire(False) is things[0]
    assert pool.stats().waits >= 1


def test_acquire_waits_for_a_release() -> None:
    pool = ObjectPool(Thing, max_size=1)
    thing = pool.acquire()
    waiting = blocked(pool.acquire)
    pool.release(thing)
    assert waiting.result() is thing


def test_acquire_waits_for_a_place() -> None:
    pool = ObjectPool(Thing, max_size=1)
    thing = pool.acquire()
    waiting = blocked(pool.acquire, True, 50)
    pool.discard(thing)
    assert waiting.result().number > thing.number


def test_a_waiting_thread_may_make_the_object_when_another_s_factory_fails() -> None:
    gate, calls = threading.Event(), []

    def factory() -> Thing:
        calls.append(1)
        if len(calls) == 1:
            gate.wait(30)
            raise ZeroDivisionError
        return Thing()

    pool = ObjectPool(factory, max_size=1)
    first = spawn(pool.acquire)
    wait_until(lambda: len(calls) == 1, "the factory runs")
    second = blocked(pool.acquire)
    gate.set()
    with pytest.raises(ZeroDivisionError):
        first.result()
    assert type(second.result()) is Thing
    assert counts(pool) == (1, 1, 0)


def test_max_idle_is_exact() -> None:
    pool = ObjectPool(Thing, max_idle=2)
    things = [pool.acquire() for _ in range(5)]
    refs = [weakref.ref(thing) for thing in things]
    while things:
        pool.release(things.pop(0))
    assert counts(pool) == (2, 0, 2)
    assert pool.stats().dropped == 3
    assert sum(ref() is not None for ref in refs) == 2
    none = ObjectPool(Thing, max_idle=0)
    none.release(none.acquire())
    assert counts(none) == (0, 0, 0)


def test_prefill_makes_idle_objects() -> None:
    pool = ObjectPool(Thing, max_size=5)
    assert pool.prefill(3) == 3
    assert counts(pool) == (3, 0, 3)
    assert pool.prefill(5) == 2
    assert pool.prefill(1) == pool.prefill(0) == 0
    assert counts(pool) == (5, 0, 5)
    for _ in range(5):
        pool.acquire(False)
    assert pool.stats().made == 5
    idle = ObjectPool(Thing, max_idle=2)
    assert idle.prefill(7) == 2
    assert counts(idle) == (2, 0, 2)
    with pytest.raises(ValueError, match="0 or more"):
        pool.prefill(-1)
    with pytest.raises(TypeError):
        pool.prefill("x")  # type: ignore[arg-type]


def test_prefill_wakes_a_waiting_thread() -> None:
    pool = ObjectPool(Thing, max_size=2)
    held = [pool.acquire(), pool.acquire()]
    waiting = blocked(pool.acquire)
    pool.discard(held.pop())
    assert waiting.result()


def test_drain_drops_what_is_idle() -> None:
    pool = ObjectPool(Thing)
    kept = pool.acquire()
    pool.prefill(4)
    assert pool.drain() == 4
    assert pool.drain() == 0
    assert counts(pool) == (1, 1, 0)
    pool.release(kept)
    assert pool.acquire() is kept


def test_drain_on_gc_drops_what_is_idle_for_a_whole_cycle() -> None:
    callbacks = list(gc.callbacks)
    pool = ObjectPool(Thing, drain_on_gc=True)
    busy = pool.acquire()
    pool.prefill(3)
    gc.collect()
    assert counts(pool) == (4, 1, 3), "idle since this collection"
    used = pool.acquire()
    pool.release(used)
    if not FREE_THREADED:  # which knows no generations
        gc.collect(0)
        assert counts(pool) == (4, 1, 3), "a young collection is no reason"
    gc.collect()
    assert counts(pool) == (2, 1, 1), "what was used in between stays"
    gc.collect()
    assert counts(pool) == (1, 1, 0)
    pool.release(busy)
    assert gc.callbacks == callbacks, "which the collector reads beside other threads"


def test_objects_idle_through_collections_can_be_acquired() -> None:
    pool = ObjectPool(Thing, drain_on_gc=True, max_size=3)
    pool.prefill(3)
    gc.collect()
    things = [pool.acquire(False) for _ in range(3)]
    assert len(set(things)) == 3 and pool.stats().made == 3


def test_threads_that_end_strand_nothing() -> None:
    pool = ObjectPool(Thing, max_size=20)

    def work() -> None:
        for thing in [pool.acquire() for _ in range(2)]:
            pool.release(thing)

    for _ in range(3):
        run_threads(*[work] * 10)
    size = pool.stats().size
    assert len({pool.acquire(False) for _ in range(size)}) == size
    assert pool.stats().made == size


def test_acquired_here_released_there() -> None:
    pool = ObjectPool(Thing, max_size=4)
    handed = fastprims.SimpleQueue()

    def take() -> None:
        for _ in range(2000):
            handed.put(pool.acquire())

    def give() -> None:
        for _ in range(2000):
            pool.release(handed.get())

    run_threads(take, give)
    assert pool.stats().leased == 0 and pool.stats().size <= 4


def test_many_objects() -> None:
    pool = ObjectPool(Thing)
    things = [pool.acquire() for _ in range(5000)]
    assert len(set(map(id, things))) == 5000
    for thing in things[::2]:
        pool.discard(thing)
    for thing in things[1::2]:
        pool.release(thing)
    for thing in things[::2]:
        with pytest.raises(ValueError, match="does not belong"):
            pool.release(thing)
    assert counts(pool) == (2500, 0, 2500)


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(TypeError, match="factory"):
        ObjectPool(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="reset"):
        ObjectPool(Thing, reset=5)  # type: ignore[arg-type]
    for name, least in (("max_size", 1), ("max_idle", 0)):
        with pytest.raises(ValueError, match=name):
            ObjectPool(Thing, **{name: least - 1})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=name):
            ObjectPool(Thing, **{name: 1.5})  # type: ignore[arg-type]
        with pytest.raises(OverflowError, match=name):
            ObjectPool(Thing, **{name: 2**63})  # type: ignore[arg-type]
        assert getattr(ObjectPool(Thing), name) is None
        assert getattr(ObjectPool(Thing, **{name: 7}), name) == 7  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        ObjectPool(Thing, 5)  # type: ignore[misc]
    pool = ObjectPool(Thing)
    for call in (pool.release, pool.discard):
        with pytest.raises(TypeError):
            call()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        pool.acquire(wait=1)  # type: ignore[call-arg]


def test_as_an_object() -> None:
    pool: ObjectPool[Thing] = ObjectPool[Thing](Thing, max_size=9)
    assert isinstance(ObjectPool[int], types.GenericAlias)
    pool.release(pool.acquire())
    assert "size=1 leased=0" in repr(pool)
    assert (ObjectPool.__module__, ObjectPool.__qualname__) == ("fastprims", "ObjectPool")
    assert "ObjectPool" in fastprims.__all__
    attempts: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, pickle.dumps]
    for attempt in attempts:
        with pytest.raises(TypeError, match="one process"):
            attempt(pool)
    with pytest.raises(RuntimeError, match="made already"):
        pool.__init__(Thing)  # type: ignore[misc]
    stats = pool.stats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.size = 1  # type: ignore[misc]
    empty = pool.__sizeof__()
    pool.prefill(9)
    assert pool.__sizeof__() >= empty > 500
    ref = weakref.ref(pool)
    del pool
    assert ref() is None

    class Careless(ObjectPool[Thing]):
        def __init__(self) -> None:
            pass

    careless = Careless()
    assert "Careless" in repr(careless)
    for call in (
        careless.acquire,
        lambda: careless.release(Thing()),
        careless.lease,
        careless.drain,
        careless.stats,
        lambda: careless.prefill(1),
        lambda: careless.max_size,
    ):
        with pytest.raises(RuntimeError, match="not initialised"):
            call()  # type: ignore[operator]
    for name in dir(ObjectPool):
        if not name.startswith("_"):
            assert inspect.getdoc(getattr(ObjectPool, name)), name


def test_objects_die_with_the_pool_if_nobody_holds_them() -> None:
    pool = ObjectPool(Thing)
    leased = pool.acquire()
    pool.prefill(2)
    idle = [weakref.ref(thing) for thing in gc.get_referents(pool) if isinstance(thing, Thing)]
    assert len(idle) == 3
    del pool
    assert sum(ref() is not None for ref in idle) == 1
    assert leased.number


def test_a_forgotten_object_stays_with_the_pool() -> None:
    pool = ObjectPool(Thing, max_size=1)
    pool.acquire()
    gc.collect()
    assert counts(pool) == (1, 1, 0)
    began = time.monotonic()
    with pytest.raises(Empty):
        pool.acquire(timeout=0.02)
    assert time.monotonic() - began >= 0.02
