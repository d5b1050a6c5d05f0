"""RateLimiter: what each call answers, exactly, by a clock that the test sets."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import time
import weakref
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from support.threads import blocked, run_threads, spawn

import fastprims
from fastprims import RateLimiter

SECOND = 10**9


class Clock:
    """Stands still until it is told."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def drain(limiter: RateLimiter) -> int:
    n = 0
    while limiter.try_acquire():
        n += 1
    return n


def test_it_starts_full_and_fills_at_its_rate() -> None:
    clock = Clock(12345)
    limiter = RateLimiter(1000, 5, clock=clock)
    assert drain(limiter) == 5
    clock.now += 999_999
    assert drain(limiter) == 0
    clock.now += 1
    assert drain(limiter) == 1
    clock.now += 3_500_000
    assert drain(limiter) == 3
    clock.now += 500_000
    assert drain(limiter) == 1
    clock.now += 3600 * SECOND
    assert drain(limiter) == 5


def test_several_tokens_are_taken_together_or_not_at_all() -> None:
    clock = Clock()
    limiter = RateLimiter(10, 10, clock=clock)
    assert limiter.try_acquire(8)
    assert not limiter.try_acquire(3)
    assert limiter.try_acquire(2)
    clock.now = SECOND // 2
    assert not limiter.try_acquire(6)
    assert limiter.try_acquire(5)


@pytest.mark.parametrize(
    "rate", [1, 3, 7, 1000, 999_983, 1e9, 0.1, 1 / 3, math.pi, 2.5e-4, 123456.789]
)
def test_no_drift_in_the_long_run(rate: float) -> None:
    """Token i comes i / rate after the burst, to the nanosecond, for the billionth as well."""
    exact = Fraction(rate)
    for i in (1, 2, 3, 10, 1000, 999_999, 10**6, 10**9):
        due = 5 + math.ceil(i / exact * SECOND)
        if i / rate > 30 * 365 * 86400 or i >= rate * 10**9:
            continue
        clock = Clock(5)
        limiter = RateLimiter(rate, i + 1, clock=clock)
        assert limiter.try_acquire(i + 1)
        clock.now = due - 2
        assert not limiter.try_acquire(i)
        clock.now = due
        assert limiter.try_acquire(i)
        assert not limiter.try_acquire()


def test_a_bucket_that_is_never_full_gives_exactly_what_is_due() -> None:
    clock = Clock()
    rate = 1e6 / 7
    limiter = RateLimiter(rate, 10**6, clock=clock)
    assert limiter.try_acquire(10**6)
    given = 0
    for step in range(1, 3000):
        clock.now += 1_000_003 + step
        given += drain(limiter)
        assert given == math.floor(Fraction(rate) * clock.now / SECOND)


def test_retry_after_is_exact_and_takes_nothing() -> None:
    clock = Clock()
    limiter = RateLimiter(3, 6, clock=clock)
    assert limiter.retry_after() == limiter.retry_after(6) == 0.0
    assert limiter.try_acquire(6)
    for n in (1, 2, 6):
        delay = limiter.retry_after(n)
        assert delay == pytest.approx(n / 3, abs=1e-9)
        clock.now = math.ceil(delay * SECOND)
        assert limiter.retry_after(n) == 0.0
        clock.now -= 2
        assert 0 < limiter.retry_after(n) < 1e-8
        clock.now = 0
    assert not limiter.try_acquire()


def test_a_clock_that_jumps() -> None:
    clock = Clock(10**15)
    limiter = RateLimiter(100, 10, clock=clock)
    assert drain(limiter) == 10
    clock.now = 4 * 10**18
    assert drain(limiter) == 10, "forward: a full bucket, no more"
    for now in (10**12, 0, -(10**12)):
        clock.now = now
        assert drain(limiter) == 0, "back: nothing for it"
        assert limiter.retry_after(10) <= 0.1
        clock.now += SECOND // 10
        assert drain(limiter) == 10, "and full again after burst / rate seconds"
    clock.now += SECOND // 10
    assert limiter.try_acquire(10)
    clock.now -= SECOND // 20
    assert 0.05 <= limiter.retry_after() <= 0.07, "a small step back delays by as much"


def test_arguments_that_make_no_sense() -> None:
    for rate in (0, -1, 1e-10, 1.1e9, math.inf, math.nan):
        with pytest.raises(ValueError, match="rate"):
            RateLimiter(rate, 1)
    for burst in (0, -1):
        with pytest.raises(ValueError, match="burst"):
            RateLimiter(1, burst)
    for burst in (2**61, 2**100, 2**32):
        with pytest.raises(OverflowError, match="burst"):
            RateLimiter(1, burst)
    for bad in ("1", None, [1]):
        with pytest.raises(TypeError):
            RateLimiter(bad, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            RateLimiter(1, bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        RateLimiter(1, 1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function"):
        RateLimiter(1, 1, clock=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        RateLimiter(1, 1, time.monotonic_ns)  # type: ignore[misc]
    limiter = RateLimiter(1, 5)
    for call in (limiter.try_acquire, limiter.acquire, limiter.retry_after):
        for n in (0, -1):
            with pytest.raises(ValueError, match="1 or more"):
                call(n)
        with pytest.raises(ValueError, match="burst is 5"):
            call(6)
        with pytest.raises(TypeError):
            call(1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="timeout"):
        limiter.acquire(1, -1)
    assert limiter.stats().available == 5


def test_a_clock_that_fails_takes_nothing() -> None:
    answers: list[Any] = [0]

    def clock() -> Any:
        answer = answers[-1]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    limiter = RateLimiter(1, 2, clock=clock)
    calls: list[Callable[[], Any]] = [
        limiter.try_acquire,
        limiter.acquire,
        limiter.retry_after,
        limiter.stats,
        lambda: RateLimiter(1, 1, clock=clock),
    ]
    for answer, error in (
        (ZeroDivisionError(), ZeroDivisionError),
        (1.5, TypeError),
        (None, TypeError),
        (2**63, OverflowError),
    ):
        answers.append(answer)
        for call in calls:
            with pytest.raises(error):
                call()
    answers.append(0)
    assert drain(limiter) == 2


def test_a_clock_that_uses_the_limiter() -> None:
    depth = 0
    limiter: RateLimiter

    def clock() -> int:
        nonlocal depth
        if depth:
            depth -= 1
            limiter.try_acquire()
        return 0

    limiter = RateLimiter(1, 3, clock=clock)
    depth = 1
    assert limiter.try_acquire()
    assert drain(limiter) == 1

    def recursive() -> int:
        if depth:
            limiter.acquire()
        return 0

    limiter = RateLimiter(1, 3, clock=recursive)
    depth = 1
    with pytest.raises(RuntimeError, match="clock"):
        limiter.acquire()
    depth = 0
    assert drain(limiter) == 3


def test_acquire_waits_as_long_as_it_must() -> None:
    limiter = RateLimiter(200, 1)
    began = time.monotonic()
    for _ in range(21):
        assert limiter.acquire() is True
    assert 0.1 <= time.monotonic() - began < 5


def test_acquire_with_a_timeout_fails_as_soon_as_that_is_clear() -> None:
    limiter = RateLimiter(0.1, 2)
    assert limiter.acquire(2, timeout=0) is True
    began = time.monotonic()
    assert limiter.acquire(timeout=5) is False
    assert limiter.acquire(timeout=0) is False
    assert time.monotonic() - began < 2
    assert limiter.stats().refused == 2
    fast = RateLimiter(100, 1)
    assert fast.try_acquire()
    assert fast.acquire(timeout=20) is True


def test_try_acquire_cannot_take_what_a_waiting_thread_has_reserved() -> None:
    limiter = RateLimiter(4, 2)
    assert limiter.try_acquire(2)
    waiting = blocked(limiter.acquire, 2)
    while waiting.running:
        if limiter.try_acquire():
            assert not waiting.running or waiting.join(0.05)
            break
    assert waiting.result() is True


def test_threads_wait_one_after_the_other() -> None:
    limiter = RateLimiter(20, 1)  # slow: a thread that begins late has to wait, too
    began = time.monotonic()
    assert limiter.acquire()
    assert all(run_threads(*[lambda: limiter.acquire(1, 50)] * 10))
    assert time.monotonic() - began >= 10 / 20
    stats = limiter.stats()
    assert (stats.granted, stats.refused) == (11, 0)
    assert stats.waits >= 10


def test_a_thread_in_the_row_gives_up_in_time() -> None:
    limiter = RateLimiter(0.2, 1)
    assert limiter.try_acquire()
    first = spawn(limiter.acquire, 1, 20)
    time.sleep(0.02)
    began = time.monotonic()
    assert limiter.acquire(1, 0.05) is False
    assert 0.05 <= time.monotonic() - began < 3
    assert first.result() is True


def test_waiting_by_a_clock_of_ones_own() -> None:
    clock = Clock()
    limiter = RateLimiter(1, 1, clock=clock)
    assert limiter.acquire()
    waiting = blocked(limiter.acquire)
    clock.now = SECOND - 1
    assert not waiting.join(0.03)
    clock.now = SECOND
    assert waiting.result() is True
    assert limiter.acquire(timeout=0.5) is False, "a second by the clock, half a second to wait"
    standing = blocked(limiter.acquire, 1, 1.5)
    assert standing.result() is False, "the time-out is a real one"
    clock.now = 2 * SECOND
    assert limiter.try_acquire(), "and the tokens are back"
    assert not limiter.try_acquire()


def test_a_clock_that_goes_back_while_a_thread_waits() -> None:
    clock = Clock(100 * SECOND)
    limiter = RateLimiter(10, 1, clock=clock)
    assert limiter.acquire()
    waiting = blocked(limiter.acquire)
    clock.now = 0
    assert not waiting.join(0.05)
    clock.now = SECOND // 10
    assert waiting.result() is True
    assert not limiter.try_acquire()


def test_stats_add_up() -> None:
    clock = Clock()
    limiter = RateLimiter(2.5, 4, clock=clock)
    stats = limiter.stats()
    assert dataclasses.astuple(stats) == (2.5, 4, 4, 0, 0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.granted = 1  # type: ignore[misc]
    assert limiter.try_acquire(3) and not limiter.try_acquire(2)
    clock.now = SECOND
    assert dataclasses.astuple(limiter.stats()) == (2.5, 4, 3, 3, 1, 0)


def test_the_system_clock_and_one_that_says_the_same_agree() -> None:
    quick, slow = RateLimiter(1e4, 50), RateLimiter(1e4, 50, clock=time.monotonic_ns)
    began = time.monotonic()
    counts = [0, 0]
    while time.monotonic() - began < 0.1:
        counts[0] += quick.try_acquire()
        counts[1] += slow.try_acquire()
    most = 50 + (time.monotonic() - began) * 1e4 + 1
    assert max(counts) <= most and min(counts) >= 50


def test_as_an_object() -> None:
    limiter = RateLimiter(rate=2, burst=3)
    assert (limiter.rate, limiter.burst) == (2.0, 3)
    with pytest.raises(AttributeError):
        limiter.rate = 5  # type: ignore[misc]
    assert "rate=2 burst=3" in repr(limiter)
    assert (RateLimiter.__module__, RateLimiter.__qualname__) == ("fastprims", "RateLimiter")
    assert "RateLimiter" in fastprims.__all__
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="one process"):
            attempt(limiter)
    with pytest.raises(RuntimeError, match="made already"):
        limiter.__init__(1, 1)  # type: ignore[misc]
    ref = weakref.ref(limiter)
    del limiter
    assert ref() is None

    class Careless(RateLimiter):
        def __init__(self) -> None:
            pass

    for call in (Careless().try_acquire, Careless().acquire, Careless().stats):
        with pytest.raises(RuntimeError, match="not initialised"):
            call()
    assert "Careless" in repr(Careless())
    for name in dir(RateLimiter):
        if not name.startswith("_"):
            assert inspect.getdoc(getattr(RateLimiter, name)), name
