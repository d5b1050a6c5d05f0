"""RateLimiter against a bucket of exact fractions, by a clock that goes on at random."""

from __future__ import annotations

import math
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fastprims import RateLimiter

SECOND = 10**9


class LimiterMachine(RuleBasedStateMachine):
    """The model's bucket holds `level` tokens, a fraction. Where the answer depends on less than
    what the clock can tell apart, either one is right, and the model follows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0

    @initialize(
        rate=st.one_of(
            st.floats(1e-9, 1e9), st.integers(1, 10**6), st.sampled_from([0.1, 1 / 3, 1e9, 1e-9])
        ),
        burst=st.one_of(st.integers(1, 3), st.integers(1, 10**6)),
        start=st.integers(-(2**62), 2**62),
    )
    def make(self, rate: float, burst: int, start: int) -> None:
        self.rate = Fraction(rate) / SECOND
        self.burst = burst if burst / rate < 30 * 365 * 86400 else 1
        self.now = start
        self.real = RateLimiter(rate, self.burst, clock=lambda: self.now)
        self.level = Fraction(self.burst)
        self.given = 0
        self.passed = 0

    def margin(self) -> Fraction:
        return 2 * self.rate  # what comes in two nanoseconds

    @rule(n=st.integers(1, 10**6), wait=st.one_of(st.just(0), st.floats(0, 3)))
    def take(self, n: int, wait: float) -> None:
        """Wait for about so many times what a token needs, then take."""
        step = min(int(wait / self.rate), 2**58, 2**62 - self.passed)  # 146 years are enough
        self.now += step
        self.passed += step
        self.level = min(Fraction(self.burst), self.level + step * self.rate)
        n = min(n, self.burst)
        before = self.real.retry_after(n)
        done = self.real.try_acquire(n)
        assert done is (before == 0)
        if done:
            assert self.level - n >= -self.margin()
            self.level -= n
            self.given += n
        else:
            assert self.level - n <= self.margin()
            missing = (n - self.level) / self.rate
            assert abs(Fraction(before) * SECOND - missing) <= 4 + missing / 2**50

    @invariant()
    def never_more_than_due(self) -> None:
        if self.now:
            assert self.given <= self.burst + self.rate * self.passed + self.margin()
            assert abs(self.real.stats().available - max(0, math.floor(self.level))) <= 1 + (
                self.margin()
            )


def test_a_limiter_gives_what_a_bucket_of_fractions_gives() -> None:
    run_state_machine_as_test(
        LimiterMachine,
        settings=settings(max_examples=80, stateful_step_count=40, deadline=None),
    )
