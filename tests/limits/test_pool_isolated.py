"""ObjectPool and the rest of the interpreter: collector, memory, signals, fork, shutdown."""

from __future__ import annotations

import signal

import pytest
from support.isolate import needs_fork, run_child, run_source


def cycles() -> list[int]:
    import gc
    import weakref

    from fastprims import ObjectPool

    class Thing:
        pass

    class Sub(ObjectPool):
        pass

    gc.disable()
    alive = []
    for make in (ObjectPool, Sub):
        pool = make(Thing)
        leased, idle = pool.acquire(), pool.acquire()
        leased.pool = idle.pool = pool
        pool.release(idle)
        assert gc.is_tracked(pool)
        assert sum(type(x) is Thing for x in gc.get_referents(pool)) == 2
        refs = [weakref.ref(x) for x in (pool, leased, idle)]
        del pool, leased, idle
        gc.collect()
        alive.append(sum(ref() is not None for ref in refs))

    # Through the factory, and with a callback of the collector.
    class Factory:
        def __call__(self):
            return []

    before = len(gc.callbacks)
    factory = Factory()
    factory.pool = ObjectPool(factory, drain_on_gc=True)
    ref = weakref.ref(factory.pool)
    del factory
    gc.collect()
    alive.append(int(ref() is not None) + len(gc.callbacks) - before)
    return alive


def test_cycles_through_objects_are_collected() -> None:
    assert run_child(cycles) == [0, 0, 0]


def collect_all_the_time() -> int:
    import gc
    import threading

    from fastprims import ObjectPool

    class Thing:
        def __init__(self):
            self.me = self
            self.data = [{}]

    gc.set_threshold(1)
    pool = ObjectPool(Thing, max_size=8, drain_on_gc=True)

    def work():
        for i in range(300):
            with pool.lease() as thing:
                thing.data.append([i])
            if i % 50 == 0:
                gc.collect()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return pool.stats().leased


def test_a_collection_at_every_allocation() -> None:
    assert run_child(collect_all_the_time) == 0


def blocks_that_stay() -> dict[str, list[int]]:
    import contextlib
    import gc
    import threading
    from queue import Empty

    from support import leaks

    from fastprims import ObjectPool

    def fail(*args):
        raise ZeroDivisionError

    def use() -> None:
        pool = ObjectPool(list, max_size=3, max_idle=1)
        things = [pool.acquire() for _ in range(3)]
        with contextlib.suppress(Empty):
            pool.acquire(timeout=1e-5)
        pool.release(things[0])
        pool.release(things[1])
        pool.discard(things[2])
        for wrong in (things[0], things[2], [], 5):
            with contextlib.suppress(ValueError):
                pool.release(wrong)
        with pool.lease():
            pass
        pool.prefill(3)
        pool.drain()
        pool.stats()
        pool.acquire().append(pool)

    def failures() -> None:
        for pool in (ObjectPool(fail), ObjectPool(list, reset=fail)):
            with contextlib.suppress(ZeroDivisionError):
                pool.release(pool.acquire())
        shared = []
        pool = ObjectPool(lambda: shared)
        with contextlib.suppress(ValueError):
            pool.acquire()
            pool.acquire()

    def threads() -> None:
        pool = ObjectPool(list, max_size=2)
        work = [
            threading.Thread(target=lambda: [pool.release(pool.acquire()) for _ in range(20)])
            for _ in range(3)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()

    def collections() -> None:
        pool = ObjectPool(list, drain_on_gc=True)
        pool.prefill(3)
        gc.collect()
        gc.collect()

    rounds = {use: 150, failures: 150, threads: 20, collections: 20}
    return {act.__name__: leaks.blocks_that_stay(act, n) for act, n in rounds.items()}


def test_no_reference_is_leaked() -> None:
    series = run_child(blocks_that_stay)
    assert not {name: counts for name, counts in series.items() if min(counts[1:]) >= 15}


def interrupted() -> list[float]:
    from support.interrupts import interrupt

    from fastprims import ObjectPool

    delays = []
    for timeout in (None, 20, None, 20):
        pool = ObjectPool(list, max_size=1)
        thing = pool.acquire()
        delays.append(interrupt(pool.acquire, timeout=timeout))
        pool.release(thing)
        assert pool.acquire(False) is thing
        assert pool.stats().size == 1
    return delays


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_control_c_ends_a_wait_and_loses_nothing() -> None:
    delays = run_child(interrupted)
    assert min(delays) < 0.1


def interrupted_many_times() -> int:
    from support.interrupts import storm

    from fastprims import ObjectPool

    pool = ObjectPool(list, max_size=1)
    thing = pool.acquire()
    interrupts = storm(pool.acquire, timeout=5)
    pool.release(thing)
    assert pool.acquire(False) is thing
    assert pool.stats().size == 1
    return interrupts


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_interrupted_waits_lease_nothing() -> None:
    assert run_child(interrupted_many_times) > 20


def fork_beside_threads() -> int:
    import threading

    from support.forks import busy, in_child

    from fastprims import ObjectPool

    def work(pool) -> None:
        thing = pool.acquire()
        thing.append(1)
        give = pool.discard if len(thing) > 5 else pool.release
        give(thing)

    def use(pool) -> None:
        # Two threads of the parent had one object each in their hands, or were making one.
        things = [pool.acquire(timeout=30) for _ in range(6)]
        assert len({id(thing) for thing in things}) == 6
        for thing in things:
            pool.release(thing)
        thing = pool.acquire(timeout=30)
        pool.discard(thing)
        helper = threading.Thread(target=lambda: pool.release(pool.acquire(timeout=30)))
        helper.start()
        helper.join(30)
        assert not helper.is_alive()

    pool = ObjectPool(list, max_size=8)
    pool.prefill(8)
    with busy(work, pool):
        for _ in range(6):
            in_child(use, pool)
    return pool.stats().leased


@needs_fork
def test_a_forked_child_can_use_the_pool() -> None:
    assert run_child(fork_beside_threads, timeout=80) == 0


def test_alive_at_interpreter_shutdown() -> None:
    run_source(
        "import sys, threading, time, fastprims\n"
        "class Late:\n"
        "    def __del__(self): pool.stats() if pool else None\n"
        "pool = fastprims.ObjectPool(Late, max_size=2, drain_on_gc=True)\n"
        "sys.kept = pool.acquire()\n"
        "pool.release(pool.acquire())\n"
        "pool.acquire()\n"
        "threading.Thread(target=pool.acquire, daemon=True).start()\n"
        "time.sleep(0.05)\n"
    )


def idle_after_automatic_collections() -> int:
    import gc

    import fastprims

    pool = fastprims.ObjectPool(list, drain_on_gc=True)
    pool.prefill(10)
    gc.set_threshold(50, 2, 2)
    keep = []
    for i in range(200_000):
        cycle: list[object] = []
        cycle.append(cycle)
        if i % 3 == 0:
            keep.append([i])
        if pool.stats().idle == 0:
            break
    return pool.stats().idle


def test_automatic_collections_drain_a_pool() -> None:
    """On free-threaded builds they say that they are of generation 0."""
    assert run_child(idle_after_automatic_collections) == 0
