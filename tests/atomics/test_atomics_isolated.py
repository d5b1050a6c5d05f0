"""Atomics and the rest of the interpreter: collector, memory, signals, fork, shutdown."""

from __future__ import annotations

import signal

import pytest
from support.isolate import needs_fork, run_child, run_source


def cycles() -> list[int]:
    import gc
    import weakref

    from fastprims import AtomicRef

    class Thing:
        pass

    class Sub(AtomicRef):
        pass

    gc.disable()
    alive = []
    for make in (AtomicRef, Sub):
        thing = Thing()
        thing.ref = make(thing)
        itself = make()
        itself.store(itself)
        two = make(make())
        two.load().store(two)
        refs = [weakref.ref(x) for x in (thing, thing.ref, itself, two, two.load())]
        assert gc.get_referents(itself).count(itself) == 1
        del thing, itself, two
        gc.collect()
        alive.append(sum(ref() is not None for ref in refs))
    held = AtomicRef([1])
    gc.collect()
    assert held.load() == [1]
    return alive


def test_cycles_through_a_reference_are_collected() -> None:
    assert run_child(cycles) == [0, 0]


def blocks_that_stay() -> dict[str, list[int]]:
    import contextlib
    import threading

    from support import leaks

    from fastprims import AtomicFlag, AtomicInt, AtomicRef

    def ints() -> None:
        a = AtomicInt(10**15)
        a.fetch_add(10**14)
        a.update(lambda n: n + 10**10)
        a += 10**12
        for bad in (2**70, "x", 1.5):
            for call in (a.fetch_add, a.store, lambda v: a.compare_exchange(1, v)):
                with contextlib.suppress(OverflowError, TypeError):
                    call(bad)
        assert a != object()

    def refs() -> None:
        r = AtomicRef((1, str(1)))
        r.store([r])
        r.compare_exchange((), [2])
        r.compare_exchange(r.load(), [3])
        r.exchange({4})
        r.update(lambda old: (old,))
        with contextlib.suppress(ZeroDivisionError):
            r.update(lambda old: 1 // 0)
        r.__init__(["again"])

    def threads() -> None:
        r = AtomicRef()
        work = [threading.Thread(target=lambda: [r.store([i]) for i in range(50)]) for _ in "ab"]
        for thread in work:
            thread.start()
        for _ in range(100):
            r.load()
        for thread in work:
            thread.join()

    def flags() -> None:
        f = AtomicFlag()
        f.wait(timeout=1e-5)
        f.test_and_set()
        f.stats()

    rounds = {ints: 150, refs: 150, threads: 20, flags: 150}
    return {act.__name__: leaks.blocks_that_stay(act, n) for act, n in rounds.items()}


def test_no_reference_is_leaked() -> None:
    series = run_child(blocks_that_stay)
    assert not {name: counts for name, counts in series.items() if min(counts[1:]) >= 15}


def interrupted_wait() -> list[float]:
    from support.interrupts import interrupt

    from fastprims import AtomicFlag

    delays = []
    for timeout in (None, 20, None, 20):
        flag = AtomicFlag()
        delays.append(interrupt(flag.wait, timeout=timeout))
        flag.test_and_set()
        assert flag.wait()
    return delays


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_control_c_ends_a_wait_within_a_tenth_of_a_second() -> None:
    assert min(run_child(interrupted_wait)) < 0.1


def interrupted_many_times() -> int:
    from support.interrupts import storm

    from fastprims import AtomicFlag

    flag = AtomicFlag()
    interrupts = storm(flag.wait, timeout=5)
    assert flag.wait(timeout=0.001) is False
    flag.test_and_set()
    assert flag.wait()
    return interrupts


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_interrupted_waits_leave_the_flag_as_it_was() -> None:
    assert run_child(interrupted_many_times) > 20


def fork_beside_threads() -> int:
    import threading

    from support.forks import busy, in_child

    from fastprims import AtomicFlag, AtomicInt, AtomicRef

    def work(a, r) -> None:
        a.fetch_add()
        r.store([r.load()[0] + 1])

    def use(a, r, f) -> None:
        before = a.load()
        assert a.fetch_add() == before and r.load()[0] >= 0
        r.store("child")
        assert r.load() == "child"
        assert f.wait(timeout=0.001) is False
        child = threading.Thread(target=f.wait)
        child.start()
        f.test_and_set()
        child.join(30)
        assert not child.is_alive()

    a, r, f = AtomicInt(), AtomicRef([0]), AtomicFlag()
    sleepers = [threading.Thread(target=f.wait) for _ in range(2)]
    for sleeper in sleepers:
        sleeper.start()
    with busy(work, a, r):
        for _ in range(6):
            in_child(use, a, r, f)
    f.test_and_set()
    for sleeper in sleepers:
        sleeper.join()
    return 0


@needs_fork
def test_a_forked_child_can_use_all_of_them() -> None:
    assert run_child(fork_beside_threads, timeout=80) == 0


def test_alive_at_interpreter_shutdown() -> None:
    run_source(
        "import sys, threading, fastprims\n"
        "r = fastprims.AtomicRef()\n"
        "class Late:\n"
        "    def __del__(self, r=r): r.store(r.load())\n"
        "r.store(Late())\n"
        "sys.keep = fastprims.AtomicRef(r)\n"
        "f = fastprims.AtomicFlag()\n"
        "threading.Thread(target=f.wait, daemon=True).start()\n"
    )
