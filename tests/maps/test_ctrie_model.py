"""Ctries, their snapshots and clones against dicts: random programs, one answer allowed."""

from __future__ import annotations

import gc
import sys
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fastprims import Ctrie


class Key:
    """Few hashes, so that all kinds of nodes arise; equal by number."""

    __slots__ = ("number",)
    hashes = 1 << 61

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number % self.hashes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.number == self.number

    def __repr__(self) -> str:
        return f"Key({self.number})"


class Token:
    """A value whose references are counted at the end."""


numbers = st.integers(0, 40)
which = st.integers(0, 7)


class MapMachine(RuleBasedStateMachine):
    key: Any = Key

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[tuple[Any, dict[Any, Any]]] = [(Ctrie(), {})]
        self.frozen: list[tuple[Any, dict[Any, Any]]] = []
        self.tokens: list[Token] = []

    def token(self) -> Token:
        self.tokens.append(Token())
        return self.tokens[-1]

    def pick(self, at: int) -> tuple[Any, dict[Any, Any]]:
        return self.maps[at % len(self.maps)]

    @rule(at=which, numbers=st.lists(numbers, min_size=1, max_size=12))
    def store(self, at: int, numbers: list[int]) -> None:
        t, d = self.pick(at)
        for number in numbers:
            t[self.key(number)] = d[self.key(number)] = self.token()

    @rule(at=which, numbers=st.lists(numbers, min_size=1, max_size=12))
    def remove(self, at: int, numbers: list[int]) -> None:
        t, d = self.pick(at)
        for number in numbers:
            assert t.pop(self.key(number), None) is d.pop(self.key(number), None)

    @rule(at=which, number=numbers)
    def conditional(self, at: int, number: int) -> None:
        t, d = self.pick(at)
        key, new = self.key(number), self.token()
        assert t.put_if_absent(key, new) is (key not in d)
        d.setdefault(key, new)
        assert t.setdefault(key, None) is d[key]
        assert not t.compare_and_set(key, self.token(), new)
        newer = self.token()
        assert t.compare_and_set(key, d[key], newer)
        d[key] = newer

    @rule(at=which, number=numbers, there=st.booleans())
    def conditional_removal(self, at: int, number: int, there: bool) -> None:
        t, d = self.pick(at)
        key = self.key(number)
        expected = d.get(key) if there else object()
        assert t.replace(key, d.get(key)) is (key in d)
        assert t.compare_and_delete(key, expected) is (there and key in d)
        if there:
            d.pop(key, None)

    @rule(at=which)
    def popitem(self, at: int) -> None:
        t, d = self.pick(at)
        if d:
            key, value = t.popitem()
            assert d.pop(key) is value
        else:
            with pytest.raises(KeyError):
                t.popitem()

    @rule(at=which, chance=st.integers(0, 3))
    def clear(self, at: int, chance: int) -> None:
        if chance == 3:
            t, d = self.pick(at)
            t.clear()
            d.clear()

    @rule(at=which)
    def freeze(self, at: int) -> None:
        t, d = self.pick(at)
        self.frozen.append((t.readonly_snapshot(), dict(d)))

    @rule(at=which)
    def clone(self, at: int) -> None:
        if len(self.maps) < 6:
            t, d = self.pick(at)
            self.maps.append((t.snapshot(), dict(d)))

    @rule(at=which)
    def thaw(self, at: int) -> None:
        if self.frozen and len(self.maps) < 6:
            s, d = self.frozen[at % len(self.frozen)]
            self.maps.append((s.snapshot(), dict(d)))

    @rule(at=which, frozen=st.booleans())
    def drop(self, at: int, frozen: bool) -> None:
        if frozen and self.frozen:
            del self.frozen[at % len(self.frozen)]
        elif len(self.maps) > 1:
            del self.maps[at % len(self.maps)]

    @rule(at=which)
    def look(self, at: int) -> None:
        t, d = self.pick(at)
        assert dict(t.items()) == d
        for number in range(41):
            assert t.get(self.key(number)) is d.get(self.key(number))

    @invariant()
    def sizes_agree(self) -> None:
        for t, d in self.maps:
            assert len(t) == len(d)

    @invariant()
    def snapshots_stay(self) -> None:
        for s, d in self.frozen[-2:]:
            assert len(s) == len(d)
            assert dict(s.items()) == d

    def teardown(self) -> None:
        """Every reference the maps took was given back."""
        self.maps += self.frozen
        self.frozen.clear()
        while self.maps:
            t, d = self.maps.pop()
            assert dict(t.items()) == d
        del t, d
        gc.collect()
        reference = [Token()]
        expected = sys.getrefcount(reference[0])
        counts = [sys.getrefcount(self.tokens[i]) for i in range(len(self.tokens))]
        assert counts == [expected] * len(counts)


@pytest.mark.parametrize("hashes", [1, 3, 1 << 61])
def test_maps_answer_like_dicts(hashes: int, scale: Any) -> None:
    key = type("Key", (Key,), {"hashes": hashes, "__slots__": ()})
    machine = type("Machine", (MapMachine,), {"key": key})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=scale(40), stateful_step_count=50, deadline=None)
    )


def test_maps_of_ints_answer_like_dicts(scale: Any) -> None:
    machine = type("IntMachine", (MapMachine,), {"key": int})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=scale(40), stateful_step_count=50, deadline=None)
    )
