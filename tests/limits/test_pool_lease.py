"""ObjectPool: leases."""

from __future__ import annotations

import queue
import threading
from queue import Empty

import pytest
from support.pools import Thing, counts

import fastprims
from fastprims import ObjectPool


def test_lease_releases_whatever_happens() -> None:
    pool = ObjectPool(Thing, max_size=1)
    with pool.lease() as thing:
        assert counts(pool) == (1, 1, 0)
        with pytest.raises(Empty), pool.lease(False):
            raise AssertionError("not reached")
        with pytest.raises(Empty), pool.lease(timeout=0.001):
            raise AssertionError("not reached")
    with pytest.raises(ZeroDivisionError), pool.lease() as again:
        assert again is thing
        raise ZeroDivisionError
    assert counts(pool) == (1, 0, 1)


def test_a_lease_is_for_one_with_at_a_time() -> None:
    pool = ObjectPool(Thing)
    lease = pool.lease()
    with lease, pytest.raises(RuntimeError, match="in use"):
        lease.__enter__()
    assert counts(pool) == (1, 0, 1)
    with pytest.raises(RuntimeError, match="not in use"):
        lease.__exit__(None, None, None)
    with lease as thing:
        assert type(thing) is Thing
    with pytest.raises(ValueError, match="not leased"), pool.lease() as thing:
        pool.release(thing)
    with pytest.raises(ValueError, match="does not belong"), pool.lease() as thing:
        pool.discard(thing)
    assert counts(pool) == (0, 0, 0)


@pytest.mark.parametrize("end", ["discard", "release"])
def test_the_error_of_the_block_is_the_one_that_a_lease_lets_through(end: str) -> None:
    pool = ObjectPool(Thing, max_size=1)
    with pytest.raises(ConnectionError, match="went away"), pool.lease() as thing:
        getattr(pool, end)(thing)
        raise ConnectionError("went away")
    assert counts(pool) == ((0, 0, 0) if end == "discard" else (1, 0, 1))


def test_a_lease_lets_one_thread_in_also_when_two_wait():
    """Its check came before the wait; the pool then handed out an object that was in use."""
    pool = fastprims.ObjectPool(object, max_size=2)
    first, second = pool.acquire(), pool.acquire()
    lease = pool.lease(timeout=30)
    inside = queue.SimpleQueue()
    leave = threading.Event()

    def use() -> None:
        try:
            with lease as o:
                inside.put(o)
                leave.wait(30)
        except RuntimeError as error:
            inside.put(error)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert isinstance(inside.get(timeout=30), RuntimeError)
    pool.release(first)
    pool.release(second)
    assert not isinstance(inside.get(timeout=30), RuntimeError)
    leave.set()
    for thread in threads:
        thread.join(30)
    assert inside.empty()
    assert pool.stats().leased == 0


def test_a_lease_whose_acquire_failed_can_be_used_again():
    pool = fastprims.ObjectPool(object, max_size=1)
    held = pool.acquire()
    lease = pool.lease(block=False)
    with pytest.raises(queue.Empty):
        lease.__enter__()
    pool.release(held)
    with lease as o:
        assert o is held


def test_a_lease_of_no_pool_is_refused():
    kind = type(fastprims.ObjectPool(object).lease())
    with pytest.raises(TypeError, match="made by"):
        kind()
    with pytest.raises(RuntimeError, match="no pool"):
        kind.__new__(kind).__enter__()
