"""Every queue against a list: random sequences of calls, one answer allowed."""

from __future__ import annotations

import sys
from queue import Empty, Full
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
from support.kinds import ALL, Kind, ShutDown


class Token:
    """A unique item with a rank; its references are counted at the end."""

    __slots__ = ("rank",)

    def __init__(self, rank: int, serial: int) -> None:
        self.rank = (rank, serial)

    def __lt__(self, other: Token) -> bool:
        return self.rank < other.rank

    def __repr__(self) -> str:
        return f"Token{self.rank}"


class QueueMachine(RuleBasedStateMachine):
    """Calls a queue and says what a list would have answered. Never blocks."""

    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        self.model: list[Token] = []
        self.tokens: list[Token] = []
        self.limit = 0
        self.closed = False
        self.unfinished = 0
        self.puts = self.gets = 0

    # Set-up and what a list would do.

    @initialize(limit=st.integers(-1, 6))
    def make(self, limit: int) -> None:
        if not self.kind.bounded:
            limit = 0
        elif not self.kind.unbounded:
            limit = max(limit, 1)
        self.limit = limit
        self.q: Any = self.kind.cls(limit) if self.kind.bounded else self.kind.cls()

    def token(self, rank: int) -> Token:
        self.tokens.append(Token(rank, len(self.tokens)))
        return self.tokens[-1]

    @property
    def room(self) -> int:
        return max(self.limit - len(self.model), 0) if self.limit > 0 else 10**9

    def stored(self, token: Token) -> None:
        self.model.append(token)
        self.unfinished += 1
        self.puts += 1

    def take(self) -> Token:
        if self.kind.order == "lifo":
            index = len(self.model) - 1
        elif self.kind.order == "priority":
            index = self.model.index(min(self.model))
        else:
            index = 0
        self.gets += 1
        return self.model.pop(index)

    # Single items.

    def check_put(self, call: Any, rank: int) -> None:
        token = self.token(rank)
        expected: type[Exception] | None = None
        if self.closed:
            expected = ShutDown
        elif not self.room:
            expected = Full
        if expected is not None:
            with pytest.raises(expected):
                call(token)
            return
        assert call(token) is None
        self.stored(token)

    def check_get(self, call: Any) -> None:
        if not self.model:
            with pytest.raises(ShutDown if self.closed else Empty):
                call()
            return
        assert call() is self.take()

    @rule(rank=st.integers(0, 5))
    def put_nowait(self, rank: int) -> None:
        self.check_put(self.q.put_nowait, rank)

    @rule(rank=st.integers(0, 5))
    def put_with_no_time(self, rank: int) -> None:
        self.check_put(lambda token: self.q.put(token, timeout=0), rank)

    @precondition(lambda self: self.room or self.closed)
    @rule(rank=st.integers(0, 5))
    def put_that_need_not_wait(self, rank: int) -> None:
        self.check_put(self.q.put, rank)

    @rule()
    def get_nowait(self) -> None:
        self.check_get(self.q.get_nowait)

    @rule()
    def get_with_no_time(self) -> None:
        self.check_get(lambda: self.q.get(timeout=0))

    @precondition(lambda self: self.model or self.closed)
    @rule()
    def get_that_need_not_wait(self) -> None:
        self.check_get(self.q.get)

    # What only fastprims has.

    @precondition(lambda self: self.kind.ours)
    @rule(rank=st.integers(0, 5))
    def try_put(self, rank: int) -> None:
        token = self.token(rank)
        if self.closed:
            with pytest.raises(ShutDown):
                self.q.try_put(token)
        elif self.room:
            assert self.q.try_put(token) is True
            self.stored(token)
        else:
            assert self.q.try_put(token) is False

    @precondition(lambda self: self.kind.ours)
    @rule()
    def try_get(self) -> None:
        if self.closed and not self.model:
            with pytest.raises(ShutDown):
                self.q.try_get()
        else:
            expected = self.take() if self.model else self
            assert self.q.try_get(self) is expected

    @precondition(lambda self: self.kind.ours)
    @rule(ranks=st.lists(st.integers(0, 5), max_size=9), timed=st.booleans())
    def put_many(self, ranks: list[int], timed: bool) -> None:
        tokens = [self.token(rank) for rank in ranks]
        options: dict[str, Any] = {"timeout": 0} if timed else {"block": False}
        expected = min(len(tokens), self.room)
        if tokens and (self.closed or not expected):
            with pytest.raises(ShutDown if self.closed else Full):
                self.q.put_many(tokens, **options)
        elif tokens or not self.closed:
            assert self.q.put_many(tokens, **options) == expected
            for token in tokens[:expected]:
                self.stored(token)

    @precondition(lambda self: self.kind.ours)
    @rule(n=st.integers(1, 9), timed=st.booleans())
    def get_many(self, n: int, timed: bool) -> None:
        options: dict[str, Any] = {"timeout": 0} if timed else {"block": False}
        if not self.model:
            with pytest.raises(ShutDown if self.closed else Empty):
                self.q.get_many(n, **options)
        else:
            expected = [self.take() for _ in range(min(n, len(self.model)))]
            assert self.q.get_many(n, **options) == expected

    # Tasks, bounds, the end.

    @precondition(lambda self: self.kind.tasks)
    @rule()
    def task_done(self) -> None:
        if self.unfinished:
            self.q.task_done()
            self.unfinished -= 1
        else:
            with pytest.raises(ValueError):
                self.q.task_done()
            self.q.join()

    @precondition(lambda self: self.kind.resizable)
    @rule(limit=st.integers(-1, 8))
    def move_the_bound(self, limit: int) -> None:
        self.q.maxsize = limit
        self.limit = limit

    @precondition(lambda self: self.kind.shutdown)
    @rule(immediate=st.booleans(), chance=st.integers(0, 7))
    def shutdown(self, immediate: bool, chance: int) -> None:
        if chance == 7:  # rarely, or little else would be seen
            self.q.shutdown(immediate)
            self.closed = True
            if immediate:
                self.unfinished = max(self.unfinished - len(self.model), 0)
                self.gets += 0 if self.kind.counts_drops else len(self.model)
                self.model.clear()

    # What holds after every step.

    @invariant()
    def sizes_agree(self) -> None:
        assert self.q.qsize() == len(self.model)
        assert self.q.empty() is (not self.model)
        if self.kind.bounded:
            assert self.q.maxsize == self.limit
            assert self.q.full() is (0 < self.limit <= len(self.model))

    @invariant()
    def counts_agree(self) -> None:
        if self.kind.shutdown:
            assert self.q.is_shutdown is self.closed
        if self.kind.tasks:
            assert self.q.unfinished_tasks == self.unfinished
        if self.kind.ours:
            stats = self.q.stats()
            assert (stats.puts, stats.gets, stats.size) == (
                self.puts,
                self.gets,
                len(self.model),
            )

    def teardown(self) -> None:
        """Every reference the queue took was given back exactly once."""
        self.model.clear()
        del self.q
        reference = [Token(0, 0)]
        expected = sys.getrefcount(reference[0])
        # Counted outside the assert statement, which pytest lets keep references of its own.
        counts = [sys.getrefcount(self.tokens[i]) for i in range(len(self.tokens))]
        assert counts == [expected] * len(counts)


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_a_queue_answers_like_a_list(kind: Kind, scale: Any) -> None:
    machine = type(f"{kind.cls.__name__}Machine", (QueueMachine,), {"kind": kind})
    examples = scale(50 if kind.ours else 10)
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=60, deadline=None)
    )
