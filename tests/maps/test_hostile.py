"""Keys that collide, raise, or use the map they are in."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from fastprims import Ctrie


class Key:
    """A key with a hash of one's choice; `on_eq` and `on_hash` run first."""

    on_eq: Callable[[], object] | None = None
    on_hash: Callable[[], object] | None = None

    def __init__(self, name: int, hashed: int) -> None:
        self.name = name
        self.hashed = hashed

    def __hash__(self) -> int:
        if Key.on_hash is not None:
            Key.on_hash()
        return self.hashed

    def __eq__(self, other: object) -> bool:
        if Key.on_eq is not None:
            Key.on_eq()
        return isinstance(other, Key) and self.name == other.name


@pytest.fixture(autouse=True)
def no_hooks() -> Any:
    yield
    Key.on_eq = Key.on_hash = None


HASHES: dict[str, Callable[[int], int]] = {
    "one for all": lambda n: 7,
    "two": lambda n: n % 2,
    "top bits only": lambda n: (n % 32) << 58,
    "steps of 2**32": lambda n: n << 32,
    "small": lambda n: n,
    "minus one": lambda n: -1,
}


@pytest.mark.parametrize("name", HASHES)
def test_hostile_hashes_behave_like_dict(name: str) -> None:
    rng = random.Random(name)
    t: Ctrie[Key, int] = Ctrie()
    model: dict[Key, int] = {}
    snapshots = []
    for step in range(1500):
        number = rng.randrange(40)
        key = Key(number, HASHES[name](number))
        if rng.random() < 0.6:
            t[key] = model[key] = step
        else:
            assert t.pop(key, None) == model.pop(key, None)
        if step % 300 == 0:
            snapshots.append((t.readonly_snapshot(), dict(model)))
    assert t == model
    assert len(t) == len(model)
    for snapshot, then in snapshots:
        assert snapshot == then


class Broken(Exception):
    pass


def broken() -> None:
    raise Broken


CALLS: list[Callable[[Ctrie[Any, Any], Any], object]] = [
    lambda t, k: t[k],
    lambda t, k: t.get(k),
    lambda t, k: t.get_many([next(iter(t)), k]),
    lambda t, k: k in t,
    lambda t, k: t.__setitem__(k, 1),
    lambda t, k: t.__delitem__(k),
    lambda t, k: t.pop(k),
    lambda t, k: t.setdefault(k, 1),
    lambda t, k: t.put_if_absent(k, 1),
    lambda t, k: t.replace(k, 1),
    lambda t, k: t.compare_and_set(k, 1, 2),
    lambda t, k: t.compare_and_delete(k, 1),
    lambda t, k: t.readonly_snapshot()[k],
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("hook", ["on_eq", "on_hash"])
def test_what_a_key_raises_comes_through_and_nothing_changes(call: Any, hook: str) -> None:
    keys = [Key(n, 5) for n in range(10)]
    t = Ctrie((key, key.name) for key in keys)
    setattr(Key, hook, broken)
    with pytest.raises(Broken):
        call(t, Key(20, 5))
    Key.on_eq = Key.on_hash = None
    assert t == {key: key.name for key in keys}
    assert len(t) == 10


def test_a_value_that_cannot_be_compared_changes_nothing() -> None:
    class Value:
        def __eq__(self, other: object) -> bool:
            raise Broken

        __hash__ = None  # type: ignore[assignment]

    value = Value()
    t = Ctrie(a=value)
    with pytest.raises(Broken):
        t.compare_and_set("a", 1, 2)
    with pytest.raises(Broken):
        t.compare_and_delete("a", 1)
    assert t["a"] is value
    assert t.compare_and_set("a", value, 2)  # identity needs no comparison


@pytest.mark.parametrize("call", CALLS[:-1])
def test_a_comparison_may_use_the_same_map(call: Any) -> None:
    t: Ctrie[Any, Any] = Ctrie((Key(n, n % 3), n) for n in range(30))
    budget = 40

    def use() -> None:
        nonlocal budget
        if budget:
            budget -= 1
            hashed = budget % 3
            t[Key(100 + budget, hashed)] = budget
            t.pop(Key(budget % 30, hashed), None)
            t.readonly_snapshot()
            len(t)
            if budget == 20:
                t.clear()

    Key.on_eq = use
    for n in range(30):
        try:
            call(t, Key(n, n % 3))
        except KeyError:
            pass
    Key.on_eq = None
    assert budget == 0
    assert len(t) == len(list(t))
    pairs = list(t.items())
    assert [t.get(key) for key, _ in pairs] == [value for _, value in pairs]


def test_a_comparison_that_removes_what_it_compares() -> None:
    t: Ctrie[Any, Any] = Ctrie()
    stored = Key(1, 1)
    t[stored] = "value"
    Key.on_eq = lambda: t.clear()
    # The candidate is gone when the answer is known, so the key is absent.
    assert t.get(Key(1, 1)) is None
    Key.on_eq = None
    assert len(t) == 0


def test_values_may_use_the_map_when_they_die() -> None:
    t: Ctrie[int, Any] = Ctrie()
    died = 0

    class Value:
        def __del__(self) -> None:
            nonlocal died
            died += 1
            t[died % 7] = died
            t.pop((died + 1) % 7, None)
            len(t.readonly_snapshot())

    for n in range(100):
        t[n % 10] = Value()
    for n in range(10):
        t.pop(n, None)
    t.clear()
    import gc

    gc.collect()
    assert died == 100


def test_classes_that_compare_by_identity_are_never_asked() -> None:
    class Plain:
        __slots__ = ("hashed",)

        def __hash__(self) -> int:
            return 3

    keys = [Plain() for _ in range(50)]
    t = Ctrie((key, n) for n, key in enumerate(keys))
    assert [t[key] for key in keys] == list(range(50))
    assert Plain() not in t
