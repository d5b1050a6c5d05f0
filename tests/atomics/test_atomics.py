"""AtomicInt, AtomicRef, AtomicFlag: what each call answers, and what is refused."""

from __future__ import annotations

import copy
import dataclasses
import gc
import inspect
import operator
import pickle
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support.threads import blocked, wait_until

import fastprims
from fastprims import AtomicFlag, AtomicInt, AtomicRef

LEAST, MOST = -(2**63), 2**63 - 1

classes = pytest.mark.parametrize("cls", [AtomicInt, AtomicRef, AtomicFlag])


def wrapped(n: int) -> int:
    """The value that 64 bits of two's complement make of it."""
    return (n - LEAST) % 2**64 + LEAST


class Index:
    def __init__(self, n: int) -> None:
        self.n = n

    def __index__(self) -> int:
        return self.n


# All three.


@classes
def test_classes_are_documented_and_name_a_public_home(cls: type) -> None:
    assert (cls.__module__, cls.__qualname__) == ("fastprims", cls.__name__)
    assert cls.__name__ in fastprims.__all__
    assert cls.__doc__ and len(cls.__doc__) > 40
    for name in dir(cls):
        if not name.startswith("_"):
            assert getattr(cls, name).__doc__, name


@classes
def test_copying_and_pickling_are_refused_with_a_reason(cls: type) -> None:
    a = cls()
    attempts: list[Callable[[], Any]] = [lambda: copy.copy(a), lambda: copy.deepcopy(a)]
    attempts += [
        lambda protocol=protocol: pickle.dumps(a, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match="belongs to the threads of one process"):
            attempt()


@classes
def test_weak_references_and_subclasses(cls: type) -> None:
    class Named(cls):  # type: ignore[valid-type,misc]
        pass

    a = Named()
    a.name = "mine"
    assert "Named" in repr(a)
    ref = weakref.ref(a)
    a.me = a
    del a
    gc.collect()
    assert ref() is None
    with pytest.raises(AttributeError):
        cls().name = "none"  # type: ignore[attr-defined]


@classes
def test_stats_is_a_frozen_dataclass(cls: type) -> None:
    stats = cls().stats()
    name = dataclasses.fields(stats)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(stats, name, 1)
    assert stats == cls().stats()


# AtomicInt.


def test_int_starts_where_it_is_told() -> None:
    assert AtomicInt().load() == 0
    assert AtomicInt(5).load() == AtomicInt(value=5).load() == 5
    assert AtomicInt(MOST).load() == MOST and AtomicInt(LEAST).load() == LEAST


def test_int_store_and_exchange() -> None:
    a = AtomicInt(1)
    assert a.store(2) is None
    assert a.exchange(LEAST) == 2
    assert a.load() == LEAST


def test_int_compare_exchange_changes_only_what_is_expected() -> None:
    a = AtomicInt(1)
    assert a.compare_exchange(2, 3) is False
    assert a.load() == 1
    assert a.compare_exchange(1, 3) is True
    assert a.load() == 3


FETCHES: list[tuple[str, Callable[[int, int], int]]] = [
    ("add", operator.add),
    ("sub", operator.sub),
    ("and", operator.and_),
    ("or", operator.or_),
    ("xor", operator.xor),
    ("max", max),
    ("min", min),
]
VALUES = [0, 1, -1, 2, 7, -8, 255, 2**30, -(2**30), 2**31, 2**62, MOST, LEAST, MOST - 1, LEAST + 1]


@pytest.mark.parametrize(("name", "function"), FETCHES)
def test_int_fetches_return_the_value_before_and_wrap_around(
    name: str, function: Callable[[int, int], int]
) -> None:
    for start in VALUES:
        for n in VALUES:
            a = AtomicInt(start)
            assert getattr(a, f"fetch_{name}")(n) == start
            assert a.load() == wrapped(function(start, n)), (start, n)


def test_int_add_fetch_and_sub_fetch_return_the_value_after() -> None:
    for start in VALUES:
        for n in VALUES:
            a = AtomicInt(start)
            assert a.add_fetch(n) == wrapped(start + n) == a.load()
            a.store(start)
            assert a.sub_fetch(n) == wrapped(start - n) == a.load()


def test_int_counts_by_one() -> None:
    a = AtomicInt()
    assert (a.fetch_add(), a.add_fetch(), a.fetch_sub(), a.sub_fetch()) == (0, 2, 2, 0)


@pytest.mark.parametrize("name", [n for n in dir(AtomicInt) if "fetch" in n] + ["store"])
def test_int_refuses_what_is_no_integer_or_does_not_fit(name: str) -> None:
    a = AtomicInt(7)
    method = getattr(a, name)
    for n in (2**63, LEAST - 1, 10**30):
        with pytest.raises(OverflowError, match="64 bits"):
            method(n)
    for wrong in (1.0, "1", None, [1]):
        with pytest.raises(TypeError, match="integers"):
            method(wrong)
    with pytest.raises(TypeError):
        method(1, 2)
    with pytest.raises(TypeError):
        method(n=1)
    assert a.load() == 7
    method(True)
    method(Index(1))


def test_int_refusals_of_the_others_change_nothing() -> None:
    a = AtomicInt(7)
    for call in (
        lambda: AtomicInt(2**63),
        lambda: a.exchange(2**63),
        lambda: a.compare_exchange(7, 2**63),
        lambda: a.compare_exchange(2**63, 7),
        lambda: a.update(lambda n: 2**63),
        lambda: operator.iadd(a, 2**63),
    ):
        with pytest.raises(OverflowError):
            call()
    for call in (
        lambda: AtomicInt(1.5),  # type: ignore[arg-type]
        lambda: a.compare_exchange(7.0, 8),  # type: ignore[arg-type]
        lambda: a.update(lambda n: n / 1),  # type: ignore[arg-type,return-value]
        lambda: operator.ixor(a, "1"),
    ):
        with pytest.raises(TypeError):
            call()
    assert a.load() == 7


def test_int_an_argument_whose_index_raises_or_uses_the_integer() -> None:
    a = AtomicInt(1)

    class Raises:
        def __index__(self) -> int:
            raise ZeroDivisionError

    class Uses:
        def __index__(self) -> int:
            return a.fetch_add(10)

    with pytest.raises(ZeroDivisionError):
        a.fetch_add(Raises())
    assert a.load() == 1
    assert a.fetch_add(Uses()) == 11
    assert a.load() == 12


def test_int_update_applies_a_function() -> None:
    a = AtomicInt(5)
    assert a.update(lambda n: n * 3) == 15 == a.load()
    with pytest.raises(ZeroDivisionError):
        a.update(lambda n: n // 0)
    with pytest.raises(TypeError):
        a.update(5)  # type: ignore[arg-type]
    assert a.load() == 15


def test_int_update_calls_again_if_the_value_changed_meanwhile() -> None:
    a = AtomicInt(1)
    seen: list[int] = []

    def disturbed(n: int) -> int:
        seen.append(n)
        if len(seen) < 3:
            a.fetch_add(100)
        return n + 1

    assert a.update(disturbed) == 202
    assert seen == [1, 101, 201]
    assert a.stats() == fastprims._stats.AtomicIntStats(value=202, retries=2)


def test_int_operators_in_place_change_this_very_object() -> None:
    a = b = AtomicInt(6)
    a += 4
    a -= 1
    a |= 16
    a &= 27
    a ^= 1
    assert a is b
    assert a.load() == ((((6 + 4 - 1) | 16) & 27) ^ 1)
    a += AtomicInt(1)
    assert b.load() == a.load()


def test_int_has_no_other_arithmetic() -> None:
    a = AtomicInt(6)
    for operation in (operator.add, operator.mul, operator.truediv, operator.imul):
        with pytest.raises(TypeError):
            operation(a, 2)
    with pytest.raises(TypeError):
        operator.add(2, a)


def test_int_is_compared_by_value() -> None:
    a, b = AtomicInt(3), AtomicInt(3)
    assert a == b == 3 and 3 == a and a == 3.0
    assert a != 4 and a != AtomicInt(4) and a != "3" and a is not None
    assert a < 4 and 2 < a <= b and a >= b and a > 2.5 and a < AtomicInt(5)
    with pytest.raises(TypeError):
        operator.lt(a, "3")
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_int_converts() -> None:
    a = AtomicInt(3)
    assert int(a) == 3 and operator.index(a) == 3 and "abcd"[a] == "d" and float(a) == 3.0
    assert bool(a) and not bool(AtomicInt(0))
    assert repr(a) == "AtomicInt(3)"
    assert type(int(a)) is int


def test_int_init_again_is_a_store() -> None:
    a = AtomicInt(3)
    a.__init__(9)  # type: ignore[misc]
    assert a.load() == 9
    assert AtomicInt.__new__(AtomicInt).load() == 0


# AtomicRef.


def test_ref_holds_any_object() -> None:
    assert AtomicRef().load() is None
    for value in (None, 0, 10**20, "x", object(), AtomicRef, [1], lambda: None):
        r = AtomicRef(value)
        assert r.load() is value
        assert AtomicRef(value=value).load() is value


def test_ref_store_and_exchange() -> None:
    a, b = object(), object()
    r = AtomicRef(a)
    assert r.store(b) is None
    assert r.exchange(a) is b
    assert r.load() is a
    r.store(r)
    assert r.exchange(None) is r


def test_ref_compare_exchange_is_by_identity() -> None:
    class Nasty:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("an AtomicRef compares by identity")

        __hash__ = None  # type: ignore[assignment]

    a, b = Nasty(), Nasty()
    r: AtomicRef[Any] = AtomicRef(a)
    assert r.compare_exchange(b, None) is False
    assert r.load() is a
    assert r.compare_exchange(a, b) is True
    assert r.load() is b
    one, other = [1], [1]
    r.store(one)
    assert not r.compare_exchange(other, None)
    assert r.compare_exchange(one, one)
    assert r.load() is one


def test_ref_update_applies_a_function() -> None:
    r: AtomicRef[tuple[int, ...]] = AtomicRef(())
    assert r.update(lambda t: (*t, 1)) == (1,) == r.load()
    with pytest.raises(ZeroDivisionError):
        r.update(lambda t: t[0] // 0)  # type: ignore[arg-type,return-value]
    assert r.load() == (1,)


def test_ref_update_calls_again_if_the_object_changed_meanwhile() -> None:
    r: AtomicRef[list[int]] = AtomicRef([1])
    seen = []

    def disturbed(old: list[int]) -> list[int]:
        seen.append(old)
        if len(seen) == 1:
            r.store([2])
        return [*old, 3]

    assert r.update(disturbed) == [2, 3]
    assert seen == [[1], [2]]
    assert r.stats().retries == 1


def test_ref_releases_what_it_replaces_at_once() -> None:
    class Thing:
        pass

    things = [Thing() for _ in range(4)]
    refs = [weakref.ref(thing) for thing in things]
    r: AtomicRef[Any] = AtomicRef(things.pop(0))
    assert refs[0]() is not None
    r.store(things.pop(0))
    assert refs[0]() is None
    r.exchange(things.pop(0))
    assert refs[1]() is None
    assert not r.compare_exchange(None, things[0])
    assert r.compare_exchange(r.load(), things.pop(0))
    assert refs[2]() is None
    del r
    assert refs[3]() is None


def test_ref_a_finalizer_may_use_the_same_reference() -> None:
    seen: list[object] = []
    r: AtomicRef[Any] = AtomicRef()

    class Reentrant:
        def __init__(self, depth: int) -> None:
            self.depth = depth

        def __del__(self) -> None:
            seen.append(r.load())
            if self.depth:
                r.store(Reentrant(self.depth - 1))
            r.store("end")

    r.store(Reentrant(5))
    r.store("first")
    assert r.load() == "end"
    assert len(seen) == 6 and seen[0] == "first"


def test_ref_a_long_chain_is_released_without_recursion() -> None:
    chain: AtomicRef[Any] = AtomicRef()
    for _ in range(200_000):
        chain = AtomicRef(chain)
    del chain


def test_ref_takes_type_arguments_and_is_compared_by_identity() -> None:
    alias = AtomicRef[int]
    assert isinstance(alias, types.GenericAlias)
    assert alias(3).load() == 3
    a, b = AtomicRef(1), AtomicRef(1)
    assert a == a and a != b and len({a, b}) == 2
    assert "int" in repr(a) and "AtomicRef" in repr(a)


def test_ref_repr_does_not_look_at_the_object() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise AssertionError

    r: AtomicRef[Any] = AtomicRef(Shy())
    repr(r)
    r.store(r)
    repr(r)
    r.store(None)


# AtomicFlag.


def test_flag_is_set_and_cleared() -> None:
    f = AtomicFlag()
    assert f.test() is False and not f
    assert f.test_and_set() is False
    assert f.test_and_set() is True
    assert f.test() is True and f
    assert f.clear() is True
    assert f.clear() is False
    assert "clear" in repr(f)
    f.test_and_set()
    assert "set" in repr(f)
    with pytest.raises(TypeError):
        AtomicFlag(True)  # type: ignore[call-arg]


def test_flag_wait_returns_at_once_if_it_is_so_already() -> None:
    f = AtomicFlag()
    assert f.wait(False) is True
    assert f.wait(timeout=0) is False
    f.test_and_set()
    assert f.wait() is True
    assert f.wait(False, 0.001) is False
    for timeout in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            f.wait(timeout=timeout)
    with pytest.raises(TypeError):
        f.wait(True, "soon")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, False])
def test_flag_wakes_all_threads_that_wait_for_the_change(value: bool) -> None:
    f = AtomicFlag()
    change, undo = (f.test_and_set, f.clear) if value else (f.clear, f.test_and_set)
    undo()
    waiting = [blocked(f.wait, value) for _ in range(3)]
    change()
    assert [task.result() for task in waiting] == [True] * 3
    assert f.stats() == fastprims._stats.AtomicFlagStats(value=value, waits=f.stats().waits)
    assert f.stats().waits >= 3


def test_flag_a_waiter_for_the_other_value_goes_on_waiting() -> None:
    f = AtomicFlag()
    f.test_and_set()
    for_clear = blocked(f.wait, False)
    f.test_and_set()
    assert for_clear.running
    before = f.stats().waits
    f.clear()
    assert for_clear.result()
    wait_until(lambda: f.stats().waits >= before, "waits are counted")


def test_flag_is_compared_by_identity() -> None:
    a, b = AtomicFlag(), AtomicFlag()
    assert a == a and a != b and len({a, b}) == 2


@classes
def test_methods_show_their_parameters(cls: type) -> None:
    for name in dir(cls):
        if not name.startswith("_"):
            assert inspect.signature(getattr(cls, name)).parameters["self"]
