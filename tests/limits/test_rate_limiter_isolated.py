"""RateLimiter and the rest of the interpreter: signals, fork, memory, collector."""

from __future__ import annotations

import signal

import pytest
from support.isolate import needs_fork, run_child


def interrupted() -> list[float]:
    from support.interrupts import interrupt

    from fastprims import RateLimiter

    delays = []
    for timeout in (None, 200.0, None, 200.0):
        limiter = RateLimiter(0.01, 5)
        assert limiter.try_acquire(5)
        before = limiter.retry_after(5)
        delays.append(interrupt(limiter.acquire, 1, timeout))
        assert limiter.retry_after(5) <= before, "an interrupted call keeps tokens"
        assert limiter.stats().granted == 5
        # The turn is free again.
        assert limiter.acquire(1, 0.001) is False
    return delays


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_control_c_ends_a_wait_and_gives_the_tokens_back() -> None:
    delays = run_child(interrupted)
    assert min(delays) < 0.1


def interrupted_many_times() -> int:
    from support.interrupts import storm

    from fastprims import RateLimiter

    limiter = RateLimiter(0.01, 5)
    assert limiter.try_acquire(5)
    before = limiter.retry_after(5)
    interrupts = storm(limiter.acquire, 5, 1000)
    assert limiter.retry_after(5) <= before, "an interrupted call keeps tokens"
    return interrupts


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_interrupted_waits_take_no_token() -> None:
    assert run_child(interrupted_many_times) > 20


def fork_beside_waiting_threads() -> int:
    import threading
    import time

    from support.forks import in_child

    from fastprims import RateLimiter

    def use(limiter) -> None:
        # The turn of the parent's thread is taken over.
        assert limiter.acquire(1, 10) and limiter.acquire(1, 10)

    limiter = RateLimiter(20, 1)
    assert limiter.try_acquire()
    threads = [threading.Thread(target=limiter.acquire) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.01)
    for _ in range(5):
        in_child(use, limiter)
    for thread in threads:
        thread.join()
    return 0


@needs_fork
def test_a_forked_child_takes_the_turn_over() -> None:
    assert run_child(fork_beside_waiting_threads) == 0


def blocks_that_stay() -> list[int]:
    import contextlib

    from support import leaks

    from fastprims import RateLimiter

    def scenario() -> None:
        answers = [10**12, 2 * 10**12]
        limiter = RateLimiter(1e3, 2, clock=lambda: answers[-1])
        limiter.try_acquire(2)
        limiter.try_acquire()
        limiter.retry_after()
        limiter.stats()
        answers.append("x")
        for call in (limiter.try_acquire, limiter.acquire, lambda: RateLimiter(1, 0)):
            with contextlib.suppress(TypeError, ValueError):
                call()
        answers.append(3 * 10**12)
        limiter.acquire(timeout=0)

    return leaks.blocks_that_stay(scenario, 150)


def test_no_reference_is_leaked() -> None:
    series = run_child(blocks_that_stay)
    assert min(series[1:]) < 15, series


def a_cycle_through_the_clock() -> bool:
    import gc
    import weakref

    from fastprims import RateLimiter

    class Clock:
        def __call__(self) -> int:
            return 0

    clock = Clock()
    clock.limiter = RateLimiter(1, 1, clock=clock)
    refs = [weakref.ref(clock), weakref.ref(clock.limiter)]
    del clock
    gc.collect()
    return all(ref() is None for ref in refs)


def test_a_cycle_through_the_clock_is_collected() -> None:
    assert run_child(a_cycle_through_the_clock)
