"""ObjectPool under many threads: one user at a time, the bound is exact, nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from queue import Empty
from typing import Any

import pytest
from support.threads import run_threads, switch_interval

from fastprims import AtomicInt, ObjectPool

pytestmark = pytest.mark.stress

Scale = Callable[[int], int]


class Guarded:
    """Notices a second user."""

    def __init__(self, alive: AtomicInt) -> None:
        self.users = AtomicInt()
        self.alive = alive
        alive.fetch_add()

    def __del__(self) -> None:
        self.alive.fetch_sub()


def use(thing: Guarded) -> None:
    assert thing.users.fetch_add() == 0, "two users of one object"
    assert thing.users.fetch_sub() == 1


@pytest.mark.parametrize("max_size", [1, 2, 3, None])
@pytest.mark.parametrize("threads", [4, 100])
def test_one_user_at_a_time(threads: int, max_size: int | None, scale: Scale) -> None:
    n = scale(8000 // threads)
    alive, reset = AtomicInt(), AtomicInt()

    def clean(thing: Guarded) -> None:
        use(thing)
        reset.fetch_add()

    pool = ObjectPool(lambda: Guarded(alive), reset=clean, max_size=max_size)
    leased = AtomicInt()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(n):
            way = rng.random()
            if way < 0.3:
                with pool.lease() as thing:
                    use(thing)
                leased.fetch_add()
                continue
            try:
                thing = pool.acquire(timeout=rng.random() * 1e-3 if way < 0.6 else None)
            except Empty:
                continue
            use(thing)
            if way > 0.95:
                pool.discard(thing)
            else:
                pool.release(thing)
                leased.fetch_add()
            del thing
            if way > 0.99:
                pool.drain()

    with switch_interval(1e-5):
        run_threads(*[lambda i=i: work(i) for i in range(threads)])
    stats = pool.stats()
    assert stats.leased == 0 and reset == leased
    assert max_size is None or stats.size <= max_size
    assert alive.load() == stats.size
    # All of them can be had.
    things: list[Any] = [pool.acquire(False) for _ in range(stats.size)]
    assert pool.stats().made == stats.made
    while things:
        pool.release(things.pop())
    assert pool.drain() == stats.size
    assert alive.load() == 0


def test_never_more_than_max_size(scale: Scale) -> None:
    made, most = AtomicInt(), AtomicInt()

    def factory() -> list[int]:
        most.fetch_max(made.add_fetch())
        return []

    pool = ObjectPool(factory, max_size=3)

    def work() -> None:
        for k in range(scale(500)):
            thing = pool.acquire()
            if k % 3 == 0:
                made.fetch_sub()
                pool.discard(thing)
            else:
                pool.release(thing)

    with switch_interval(1e-5):
        run_threads(*[work] * 8)
    assert 0 < most.load() <= 3
    assert pool.stats().size == made.load()


def test_of_two_releases_one_is_refused(scale: Scale) -> None:
    pool = ObjectPool(list)
    for _ in range(scale(300)):
        thing = pool.acquire()
        refused = AtomicInt()

        def release(thing: Any = thing, refused: AtomicInt = refused) -> None:
            try:
                pool.release(thing)
            except ValueError:
                refused.fetch_add()

        run_threads(release, release)
        assert refused.load() == 1
    assert pool.stats().size == 1


def test_as_many_objects_as_threads_are_always_enough(scale: Scale) -> None:
    pool = ObjectPool(list, max_size=4)

    def work() -> None:
        for _ in range(scale(5000)):
            pool.release(pool.acquire(block=False))

    with switch_interval(1e-5):
        run_threads(*[work] * 4)
    assert pool.stats().leased == 0
