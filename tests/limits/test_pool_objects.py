"""ObjectPool: factories, resets and objects that misbehave."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from support.pools import Thing, counts

from fastprims import ObjectPool


def test_reset_is_called_with_what_is_released() -> None:
    seen: list[Thing] = []
    pool = ObjectPool(Thing, reset=seen.append)
    thing = pool.acquire()
    assert seen == []
    pool.release(thing)
    assert seen == [thing]
    with pool.lease():
        pass
    assert seen == [thing, thing]
    pool.discard(pool.acquire())
    assert len(seen) == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_reset_that_raises_takes_the_object_out(error: type[BaseException]) -> None:
    def reset(thing: Thing) -> None:
        raise error

    pool = ObjectPool(Thing, reset=reset, max_size=1)
    thing = pool.acquire()
    ref = weakref.ref(thing)
    with pytest.raises(error):
        pool.release(thing)
    assert counts(pool) == (0, 0, 0)
    with pytest.raises(ValueError, match="does not belong"):
        pool.release(thing)
    del thing
    gc.collect()
    assert ref() is None
    assert pool.acquire()


def test_a_reset_that_uses_the_pool() -> None:
    errors: list[BaseException] = []

    def reset(thing: Thing) -> None:
        try:
            pool.release(thing)
        except ValueError as error:
            errors.append(error)
        other = pool.acquire()
        assert other is not thing
        pool.discard(other)

    pool = ObjectPool(Thing, reset=reset)
    thing = pool.acquire()
    pool.release(thing)
    assert "released to the pool already" in str(errors[0])
    assert pool.acquire() is thing


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_factory_that_raises_leaves_the_pool_as_it_was(error: type[BaseException]) -> None:
    failing = True

    def factory() -> Thing:
        if failing:
            raise error
        return Thing()

    pool = ObjectPool(factory, max_size=2)
    for call in (pool.acquire, lambda: pool.acquire(False), lambda: pool.prefill(2)):
        with pytest.raises(error):
            call()
    with pytest.raises(error), pool.lease():
        raise AssertionError("not reached")
    assert counts(pool) == (0, 0, 0)
    failing = False
    assert [type(pool.acquire()) for _ in range(2)] == [Thing, Thing]


def test_a_factory_that_uses_the_pool() -> None:
    depth = 0

    def factory() -> Thing:
        nonlocal depth
        depth += 1
        if depth < 4:
            pool.release(pool.acquire())
        return Thing()

    pool = ObjectPool(factory, max_size=4)
    pool.acquire()
    assert counts(pool) == (4, 1, 3)


def test_a_factory_that_returns_the_same_object_again() -> None:
    shared = Thing()
    pool = ObjectPool(lambda: shared)
    assert pool.acquire() is shared
    with pytest.raises(ValueError, match="new one each time"):
        pool.acquire()
    assert counts(pool) == (1, 1, 0)
    pool.release(shared)
    with pytest.raises(ValueError, match="new one each time"):
        pool.prefill(1)
    assert pool.acquire() is shared


def test_any_object_goes_none_included() -> None:
    values: list[object] = [None, 5, "x", (), Thing(), Thing]
    pool: ObjectPool[Any] = ObjectPool(iter(values).__next__)
    got = [pool.acquire() for _ in values]
    assert all(a is b for a, b in zip(got, values, strict=True))
    with pytest.raises(StopIteration):
        pool.acquire()
    for value in got:
        pool.release(value)
    assert counts(pool) == (6, 0, 6)


def test_a_double_release_is_refused() -> None:
    pool = ObjectPool(Thing)
    thing = pool.acquire()
    pool.release(thing)
    for call in (pool.release, pool.discard):
        with pytest.raises(ValueError, match="not leased"):
            call(thing)
    assert counts(pool) == (1, 0, 1)
    assert pool.acquire() is thing
    assert pool.acquire() is not thing


def test_a_foreign_object_is_refused() -> None:
    pool, other = ObjectPool(Thing), ObjectPool(Thing)
    theirs = other.acquire()
    mine = pool.acquire()
    for foreign in (theirs, Thing(), None, 5, pool):
        for call in (pool.release, pool.discard):
            with pytest.raises(ValueError, match="does not belong"):
                call(foreign)  # type: ignore[arg-type]
    pool.discard(mine)
    with pytest.raises(ValueError, match="does not belong"):
        pool.release(mine)
    assert (counts(pool), counts(other)) == ((0, 0, 0), (1, 1, 0))
    other.release(theirs)


def test_equality_of_the_objects_does_not_matter() -> None:
    class Nasty:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    pool = ObjectPool(Nasty)
    a, b = pool.acquire(), pool.acquire()
    pool.release(b)
    pool.release(a)
    with pytest.raises(ValueError, match="does not belong"):
        pool.release(Nasty())


def test_an_object_kept_alive_by_its_finalizer_is_no_longer_of_the_pool() -> None:
    saved: list[Any] = []

    class Phoenix:
        def __del__(self) -> None:
            saved.append(self)

    pool = ObjectPool(Phoenix)
    pool.prefill(1)
    assert pool.drain() == 1
    assert counts(pool) == (0, 0, 0)
    with pytest.raises(ValueError, match="does not belong"):
        pool.release(saved[0])
    pool.release(pool.acquire())
    assert counts(pool) == (1, 0, 1)


def test_a_finalizer_may_use_the_pool() -> None:
    class Uses:
        def __del__(self) -> None:
            if pool.stats().made < 6:
                pool.release(pool.acquire())
                pool.drain()

    pool = ObjectPool(Uses)
    pool.prefill(1)
    assert pool.drain() == 1
    assert counts(pool)[1] == 0
    assert pool.stats().made == 6
