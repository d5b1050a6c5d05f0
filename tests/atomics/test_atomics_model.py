"""Atomics against an ordinary variable: random sequences of calls, one answer allowed."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fastprims import AtomicFlag, AtomicInt, AtomicRef

LEAST, MOST = -(2**63), 2**63 - 1
words = st.one_of(
    st.integers(LEAST, MOST),
    st.integers(-3, 3),
    st.sampled_from([LEAST, LEAST + 1, MOST - 1, MOST, 2**30, -(2**30), 2**60]),
)
FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "max": max,
    "min": min,
}


def wrapped(n: int) -> int:
    return (n - LEAST) % 2**64 + LEAST


class IntMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.real = AtomicInt()
        self.model = 0

    @rule(n=words)
    def store(self, n: int) -> None:
        self.real.store(n)
        self.model = n

    @rule(n=words)
    def exchange(self, n: int) -> None:
        assert self.real.exchange(n) == self.model
        self.model = n

    @rule(n=words, hit=st.booleans(), other=words)
    def compare_exchange(self, n: int, hit: bool, other: int) -> None:
        expected = self.model if hit else other
        done = self.real.compare_exchange(expected, n)
        assert done is (expected == self.model)
        if done:
            self.model = n

    @rule(name=st.sampled_from(sorted(FUNCTIONS)), n=words)
    def fetch(self, name: str, n: int) -> None:
        assert getattr(self.real, f"fetch_{name}")(n) == self.model
        self.model = wrapped(FUNCTIONS[name](self.model, n))

    @rule(n=words, sign=st.sampled_from(["add", "sub"]))
    def after(self, n: int, sign: str) -> None:
        self.model = wrapped(FUNCTIONS[sign](self.model, n))
        assert getattr(self.real, f"{sign}_fetch")(n) == self.model

    @rule(n=words, name=st.sampled_from(["iadd", "isub", "iand", "ior", "ixor"]))
    def in_place(self, n: int, name: str) -> None:
        assert getattr(operator, name)(self.real, n) is self.real
        self.model = wrapped(FUNCTIONS[name[1:]](self.model, n))

    @rule(n=words)
    def update(self, n: int) -> None:
        self.model = wrapped(self.model * 3 + n)
        assert self.real.update(lambda v: wrapped(v * 3 + n)) == self.model

    @rule(n=words)
    def compare(self, n: int) -> None:
        for relation in ("eq", "ne", "lt", "le", "gt", "ge"):
            function = getattr(operator, relation)
            assert function(self.real, n) is function(self.model, n)
            assert function(n, self.real) is function(n, self.model)

    @invariant()
    def same(self) -> None:
        assert self.real.load() == int(self.real) == self.model
        assert bool(self.real) is bool(self.model)


class Token:
    """An object whose references are counted at the end."""


class RefMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = [Token() for _ in range(4)]
        self.counts = [sys.getrefcount(token) for token in self.tokens]
        self.real: AtomicRef[Any] = AtomicRef(self.tokens[0])
        self.model = 0

    @rule(i=st.integers(0, 3))
    def store(self, i: int) -> None:
        self.real.store(self.tokens[i])
        self.model = i

    @rule(i=st.integers(0, 3))
    def exchange(self, i: int) -> None:
        assert self.real.exchange(self.tokens[i]) is self.tokens[self.model]
        self.model = i

    @rule(expected=st.integers(0, 3), i=st.integers(0, 3))
    def compare_exchange(self, expected: int, i: int) -> None:
        done = self.real.compare_exchange(self.tokens[expected], self.tokens[i])
        assert done is (expected == self.model)
        if done:
            self.model = i

    @rule(i=st.integers(0, 3), disturb=st.booleans())
    def update(self, i: int, disturb: bool) -> None:
        calls = 0

        def choose(old: Token) -> Token:
            nonlocal calls
            calls += 1
            if disturb and calls == 1:
                self.real.store(self.tokens[(self.tokens.index(old) + 1) % 4])
            return self.tokens[i]

        assert self.real.update(choose) is self.tokens[i]
        assert calls == 1 + disturb
        self.model = i

    @invariant()
    def same(self) -> None:
        assert self.real.load() is self.tokens[self.model]

    def teardown(self) -> None:
        counts = [sys.getrefcount(token) for token in self.tokens]
        self.counts[self.model] += 1
        assert counts == self.counts
        self.real.store(None)


class FlagMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.real = AtomicFlag()
        self.model = False

    @rule()
    def set(self) -> None:
        assert self.real.test_and_set() is self.model
        self.model = True

    @rule()
    def clear(self) -> None:
        assert self.real.clear() is self.model
        self.model = False

    @rule(value=st.booleans())
    def wait(self, value: bool) -> None:
        assert self.real.wait(value, 0) is (value == self.model)

    @invariant()
    def same(self) -> None:
        assert self.real.test() is bool(self.real) is self.model


def run(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )


def test_an_integer_behaves_like_a_64_bit_variable() -> None:
    run(IntMachine)


def test_a_reference_behaves_like_a_variable() -> None:
    run(RefMachine)


def test_a_flag_behaves_like_a_variable() -> None:
    run(FlagMachine)
