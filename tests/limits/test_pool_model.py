"""ObjectPool against a list of idle objects and a list of leased ones."""

from __future__ import annotations

import sys
from queue import Empty
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fastprims import ObjectPool


class Token:
    """An object whose references are counted."""


def references(tokens: list[Token]) -> list[int]:
    return [sys.getrefcount(token) for token in tokens]


class Failure(Exception):
    pass


class PoolMachine(RuleBasedStateMachine):
    """One thread, so the pool is a stack and every answer is certain."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Token] = []
        self.idle: list[Token] = []
        self.leased: list[Token] = []
        self.gone: list[Token] = []
        self.failing = False
        self.real: ObjectPool[Any]
        self.most = self.most_idle = 0

    @initialize(
        most=st.one_of(st.none(), st.integers(1, 5)),
        most_idle=st.one_of(st.none(), st.integers(0, 4)),
        resets=st.booleans(),
    )
    def make(self, most: int | None, most_idle: int | None, resets: bool) -> None:
        self.most = 10**9 if most is None else most
        self.most_idle = 10**9 if most_idle is None else most_idle
        self.resets = resets
        self.real = ObjectPool(
            self.factory,
            reset=self.reset if resets else None,
            max_size=most,
            max_idle=most_idle,
        )

    def factory(self) -> Token:
        if self.failing:
            raise Failure
        self.all.append(Token())
        return self.all[-1]

    def reset(self, token: Token) -> None:
        if self.failing:
            raise Failure

    @rule(failing=st.booleans())
    def fail(self, failing: bool) -> None:
        self.failing = failing

    @rule()
    def acquire(self) -> None:
        full = len(self.leased) == self.most
        error = Empty if full else Failure if not self.idle and self.failing else None
        if error is not None:
            with pytest.raises(error):
                self.real.acquire(False)
        else:
            token = self.real.acquire(timeout=0)
            assert token is (self.idle.pop() if self.idle else self.all[-1])
            self.leased.append(token)

    def returned(self, token: Token) -> None:
        if len(self.idle) < self.most_idle:
            self.idle.append(token)
        else:
            self.gone.append(token)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        token = self.leased.pop(data.draw(st.integers(0, len(self.leased) - 1)))
        if self.resets and self.failing:
            with pytest.raises(Failure):
                self.real.release(token)
            self.gone.append(token)
        else:
            self.real.release(token)
            self.returned(token)

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        token = self.leased.pop(data.draw(st.integers(0, len(self.leased) - 1)))
        self.real.discard(token)
        self.gone.append(token)

    @rule(data=st.data(), discard=st.booleans())
    def wrong(self, data: st.DataObject, discard: bool) -> None:
        call = self.real.discard if discard else self.real.release
        with pytest.raises(ValueError):
            call(Token())
        for tokens, words in ((self.idle, "not leased"), (self.gone, "does not belong")):
            if tokens:
                with pytest.raises(ValueError, match=words):
                    call(tokens[data.draw(st.integers(0, len(tokens) - 1))])

    @rule(n=st.integers(0, 4))
    def prefill(self, n: int) -> None:
        before = len(self.all)
        room = min(self.most - len(self.leased) - len(self.idle), n)
        if self.failing and room > 0:
            with pytest.raises(Failure):
                self.real.prefill(n)
            return
        made = self.real.prefill(n)
        assert made == min(room, max(0, self.most_idle - len(self.idle)))
        fresh = self.all[before:]
        self.idle += fresh[:made]
        self.gone += fresh[made:]
        assert len(fresh) - made <= 1

    @rule()
    def drain(self) -> None:
        assert self.real.drain() == len(self.idle)
        self.gone += self.idle
        self.idle = []

    @invariant()
    def counts(self) -> None:
        if not self.most:
            return
        stats = self.real.stats()
        assert (stats.leased, stats.idle) == (len(self.leased), len(self.idle))
        assert (stats.made, stats.dropped) == (len(self.all), len(self.gone))
        assert len(self.idle) <= self.most_idle
        assert len(self.idle) + len(self.leased) <= self.most

    def teardown(self) -> None:
        in_one_list = references([Token()])[0]
        for tokens, others in ((self.gone, 1), (self.idle, 2), (self.leased, 2)):
            # The list of all, and the pool.
            assert references(tokens) == [in_one_list + others] * len(tokens)


def test_a_pool_behaves_like_two_lists() -> None:
    run_state_machine_as_test(
        PoolMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
    )
