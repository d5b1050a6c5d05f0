"""What a Ctrie promises: dict's behaviour, the atomic extras, snapshots, and plain refusals."""

from __future__ import annotations

import copy
import pickle
import sys
import weakref
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest

from fastprims import Ctrie, CtrieSnapshot


def test_it_is_made_like_a_dict() -> None:
    assert Ctrie() == {}
    assert Ctrie({1: 2}) == {1: 2}
    assert Ctrie([(1, 2), (3, 4)]) == {1: 2, 3: 4}
    assert Ctrie({"a": 1}, b=2) == {"a": 1, "b": 2}
    assert Ctrie(Ctrie(a=1)) == {"a": 1}
    with pytest.raises(TypeError):
        Ctrie(7)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        Ctrie({}, {})  # type: ignore[call-overload]


def test_it_is_registered_as_a_mapping() -> None:
    t = Ctrie(a=1)
    assert isinstance(t, MutableMapping)
    s = t.readonly_snapshot()
    assert isinstance(s, Mapping)
    assert not isinstance(s, MutableMapping)


def test_a_missing_key_is_named() -> None:
    for m in (Ctrie(), Ctrie().readonly_snapshot()):
        with pytest.raises(KeyError) as caught:
            m[(1, 2)]
        assert caught.value.args == ((1, 2),)
        assert m.get("x") is None
        assert m.get("x", 5) == m.get("x", default=5) == 5
        assert "x" not in m


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 5000])
def test_get_many_answers_as_get_does(size: int) -> None:
    t = Ctrie((str(n), n) for n in range(size))
    for m in (t, t.readonly_snapshot(), t.snapshot()):
        keys = [str(3 * n % (size + 5)) for n in range(100)]
        assert m.get_many(keys) == [m.get(key) for key in keys]
        assert m.get_many(iter(keys), -1) == [m.get(key, -1) for key in keys]
        assert m.get_many(dict.fromkeys(keys), default=t) == [
            m.get(k, t) for k in dict.fromkeys(keys)
        ]
        assert m.get_many(()) == []
        with pytest.raises(TypeError):
            m.get_many(5)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="unhashable"):
            m.get_many(["0", []])


def test_get_many_goes_by_the_keys_that_it_was_given() -> None:
    keys: list[Any] = [1, 2, 3]

    class Empties:
        def __hash__(self) -> int:
            keys.clear()
            return 2

        def __eq__(self, other: object) -> bool:
            keys.clear()
            return other == 2

    keys.insert(1, Empties())
    assert Ctrie({1: "a", 2: "b", 3: "c"}).get_many(keys) == ["a", "b", "b", "c"]


@pytest.mark.parametrize("call", ["get", "pop", "setdefault", "__getitem__", "__contains__"])
def test_unhashable_keys_are_refused(call: str) -> None:
    t: Any = Ctrie(a=1)
    with pytest.raises(TypeError, match="unhashable"):
        getattr(t, call)([])
    with pytest.raises(TypeError, match="unhashable"):
        t[[]] = 1
    with pytest.raises(TypeError, match="unhashable"):
        t.compare_and_set([], 1, 2)
    assert t == {"a": 1}


def test_equal_keys_are_one_key_and_the_first_stays() -> None:
    t: Ctrie[Any, Any] = Ctrie()
    t[1] = "int"
    t[1.0] = "float"
    t[True] = "bool"
    assert len(t) == 1
    assert t[1] == "bool"
    assert type(next(iter(t))) is int
    t["a"] = 1
    t[b"a"] = 2
    assert (t["a"], t[b"a"]) == (1, 2)


def test_nan_is_found_by_identity() -> None:
    nan, other = float("nan"), float("nan")
    t = Ctrie({nan: 1, other: 2})
    assert (t[nan], t[other], len(t)) == (1, 2, 2)
    assert t.get(float("nan")) is None


def test_put_if_absent_and_replace() -> None:
    t = Ctrie(a=1)
    assert t.put_if_absent("a", 2) is False
    assert t.put_if_absent("b", 2) is True
    assert t.replace("c", 3) is False
    assert t.replace("a", 3) is True
    assert t == {"a": 3, "b": 2}


def test_compare_and_set_and_delete() -> None:
    t = Ctrie(a=1)
    assert t.compare_and_set("a", 2, 3) is False
    assert t.compare_and_set("b", None, 3) is False  # absent is not None
    assert t.compare_and_set("a", 1.0, 3) is True  # equal is enough
    assert t.compare_and_delete("a", 1) is False
    assert t == {"a": 3}
    assert t.compare_and_delete("a", 3) is True
    assert t.compare_and_delete("a", 3) is False
    assert t == {}


def test_setdefault_pop_popitem_clear() -> None:
    t: Ctrie[str, Any] = Ctrie(a=1)
    assert t.setdefault("a", 2) == 1
    assert t.setdefault("b") is None
    assert t.pop("b", 5) is None
    assert t.pop("b", 5) == 5
    with pytest.raises(KeyError, match="b"):
        t.pop("b")
    assert t.popitem() == ("a", 1)
    with pytest.raises(KeyError, match="empty"):
        t.popitem()
    t.update(x=1)
    t.clear()
    t.clear()
    assert (len(t), list(t)) == (0, [])


def test_popitem_empties_a_large_map() -> None:
    t = Ctrie((n, -n) for n in range(5000))
    popped = [t.popitem() for _ in range(5000)]
    assert sorted(popped) == [(n, -n) for n in range(5000)]
    assert len(t) == 0


def test_merging() -> None:
    t = Ctrie(a=1, b=2)
    assert t | {"b": 3, "c": 4} == {"a": 1, "b": 3, "c": 4}
    assert {"b": 3, "c": 4} | t == {"a": 1, "b": 2, "c": 4}
    assert type(t | {}) is type({} | t) is Ctrie
    assert t == {"a": 1, "b": 2}
    t |= [("z", 9)]  # type: ignore[arg-type]
    assert t == {"a": 1, "b": 2, "z": 9}
    with pytest.raises(TypeError):
        t | [("z", 9)]  # type: ignore[operator]


def test_views_are_live_and_set_like() -> None:
    t = Ctrie(a=1, b=2)
    keys, values, items = t.keys(), t.values(), t.items()
    assert keys == {"a", "b"}
    assert keys & {"a", "x"} == {"a"}
    assert sorted(values) == [1, 2]
    assert ("a", 1) in items
    assert ("a", 2) not in items
    t["c"] = 3
    assert (len(keys), len(values), len(items)) == (3, 3, 3)
    assert 3 in values
    assert items == {("a", 1), ("b", 2), ("c", 3)}


def test_an_iteration_shows_the_moment_of_its_start() -> None:
    t = Ctrie((n, n) for n in range(1000))
    items = iter(t.items())
    values = iter(t.values())
    keys = iter(t)
    for n in range(1000):
        t[n] = -1
        t[n + 1000] = 0
        if n % 2:
            del t[n]
    assert sorted(items) == [(n, n) for n in range(1000)]
    assert sorted(values) == sorted(keys) == list(range(1000))
    with pytest.raises(StopIteration):
        next(keys)


def test_a_snapshot_does_not_change() -> None:
    t = Ctrie((n, n) for n in range(300))
    s = t.readonly_snapshot()
    for n in range(300):
        t[n] += 1
    t.clear()
    assert s == {n: n for n in range(300)}
    assert (len(s), s[7], s.get(300)) == (300, 7, None)
    for write in (lambda: s.__setitem__(1, 2), lambda: s.__delitem__(1)):
        with pytest.raises(TypeError, match="snapshot"):
            write()
    for name in ("pop", "clear", "update", "setdefault", "popitem", "compare_and_set"):
        assert not hasattr(s, name)
    assert s.readonly_snapshot() is s


def test_a_writable_snapshot_goes_its_own_way() -> None:
    t = Ctrie((n, n) for n in range(300))
    copies = [t.snapshot(), t.copy(), copy.copy(t), t.readonly_snapshot().snapshot()]
    for k, other in enumerate(copies):
        for n in range(300):
            if n % 4 == k:
                del other[n]
            else:
                other[n] = (k, n)
    assert t == {n: n for n in range(300)}
    for k, other in enumerate(copies):
        assert type(other) is Ctrie
        assert other == {n: (k, n) for n in range(300) if n % 4 != k}


def test_snapshots_of_snapshots_of_snapshots() -> None:
    t: Ctrie[int, int] = Ctrie()
    kept = []
    for n in range(200):
        t = t.snapshot()
        t[n] = n
        kept.append(t.readonly_snapshot())
    for n in (0, 50, 199):
        assert kept[n] == {k: k for k in range(n + 1)}


def test_a_snapshot_is_hashable_if_its_contents_are() -> None:
    one, other = Ctrie(a=1, b=2), Ctrie([("b", 2), ("a", 1)])
    s = one.readonly_snapshot()
    assert hash(s) == hash(s) == hash(other.readonly_snapshot())
    assert {s: 1}[other.readonly_snapshot()] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ctrie(a=[]).readonly_snapshot())
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_equality() -> None:
    t = Ctrie(a=1)
    assert t == {"a": 1} == t
    assert t == t.readonly_snapshot() == Ctrie(a=1)
    assert t != {"a": 2}
    assert t != {}
    assert t != [("a", 1)]


def test_repr_is_a_dict_display_and_stops_at_itself() -> None:
    t: Ctrie[Any, Any] = Ctrie(a=1)
    assert repr(t) == "{'a': 1}"
    assert repr(t.readonly_snapshot()) == "CtrieSnapshot({'a': 1})"
    t["a"] = t
    assert repr(t) == "{'a': {...}}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_copies_a_snapshot(protocol: int) -> None:
    t: Ctrie[Any, Any] = Ctrie((n, str(n)) for n in range(100))
    assert pickle.loads(pickle.dumps(t, protocol)) == t
    s = pickle.loads(pickle.dumps(t.readonly_snapshot(), protocol))
    assert type(s) is CtrieSnapshot
    assert s == t
    t["self"] = t
    loaded = pickle.loads(pickle.dumps(t, protocol))
    assert loaded["self"] is loaded


def test_deepcopy() -> None:
    t: Ctrie[str, Any] = Ctrie(a=[1])
    other = copy.deepcopy(t)
    other["a"].append(2)
    assert t == {"a": [1]}


class Named(Ctrie):  # type: ignore[type-arg]
    label = "none"


def test_subclasses() -> None:
    t = Named(a=1)
    t.label = "own"
    copied = pickle.loads(pickle.dumps(t))
    assert type(copied) is Named
    assert copied.label == "own"
    assert copied == {"a": 1}
    assert type(Named.fromkeys("ab")) is Named


def test_weak_references_and_generic_alias() -> None:
    t = Ctrie(a=1)
    s = t.readonly_snapshot()
    assert weakref.ref(t)() is t
    assert weakref.ref(s)() is s
    assert str(Ctrie[str, int]) == "fastprims.Ctrie[str, int]"


def test_a_snapshot_is_not_made_directly() -> None:
    with pytest.raises(TypeError, match="readonly_snapshot"):
        CtrieSnapshot()
    empty = CtrieSnapshot.__new__(CtrieSnapshot)
    assert len(empty) == 0
    assert empty.get(1) is None
    with pytest.raises(TypeError, match="readonly_snapshot"):
        list(empty)


def test_stats_and_sizeof_follow_the_keys() -> None:
    t = Ctrie((n, n) for n in range(10_000))
    stats = t.stats()
    assert stats.size == 10_000
    assert 40 * 10_000 < stats.bytes < 70 * 10_000
    assert sys.getsizeof(t) > stats.bytes
    t.clear()
    assert t.stats().size == 0
    assert t.stats().bytes < 1000


def test_a_new_keyword_or_method_does_not_reach_over_the_initial_arguments() -> None:
    t = Ctrie(a=1)
    t.__init__(b=2)  # type: ignore[misc]
    assert t == {"a": 1, "b": 2}
