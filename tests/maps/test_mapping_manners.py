"""What C, the syntax, and copy and pickle ask of a mapping."""

from __future__ import annotations

import collections
import copy
import operator
import pickle
import sys
import threading
import types
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import pytest
from support.threads import run_threads

from fastprims import Ctrie, CtrieSnapshot


class Key:
    def __init__(self, n: int) -> None:
        self.n = n

    def __hash__(self) -> int:
        return hash(self.n)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.n == other.n


def by_update(trie: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    made.update(trie)
    return made


def by_ior(trie: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    made |= trie
    return made


DICTS: list[Callable[[Any], Any]] = [
    dict,
    lambda t: {**t},
    by_update,
    by_ior,
    lambda t: dict(types.MappingProxyType(t)),
    lambda t: collections.OrderedDict(t),
    lambda t: Ctrie(t),
    lambda t: {} | t,
    lambda t: t | {},
    lambda t: dict(t.items()),
]


class Sub(Ctrie[Any, Any]):
    pass


@pytest.mark.parametrize("kind", [Ctrie, Sub])
@pytest.mark.parametrize("make", DICTS)
def test_a_dict_of_a_map_that_others_change_shows_one_instant(make: Any, kind: Any) -> None:
    """Two keys are changed together, by removing and storing others in between: b follows a."""
    trie = kind((Key(n), 0) for n in range(40))
    interval, stop = sys.getswitchinterval(), threading.Event()
    sys.setswitchinterval(1e-6)

    def churn() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            for key in range(40):  # in this order, so no value is more than one behind the first
                trie.pop(Key(key), None)
                trie[Key(key)] = n

    def read() -> None:
        try:
            for _ in range(30):
                made = make(trie)
                values = [made.get(Key(key)) for key in range(40)]
                assert values.count(None) <= 1
                found = [v for v in values if v is not None]
                assert found == sorted(found, reverse=True)
                assert found[0] - found[-1] <= 1
        finally:
            stop.set()

    try:
        run_threads(churn, read)
    finally:
        sys.setswitchinterval(interval)


def test_keywords_of_a_call_show_one_instant() -> None:
    def f(**kwargs: Any) -> dict[str, Any]:
        return kwargs

    trie = Ctrie(a=1, b=2)
    assert f(**trie) == {"a": 1, "b": 2}
    assert f(c=3, **trie) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("make", [dict, lambda t: {**t}])
def test_what_the_hash_of_a_key_does_to_the_map_does_not_matter(make: Any) -> None:
    class Clearing(Key):
        armed = False

        def __hash__(self) -> int:
            if Clearing.armed:
                Clearing.armed = False
                assert dict(trie) == before
                trie.clear()
                assert dict(trie) == {}
                trie["new"] = 1
                with pytest.raises(KeyError):
                    trie["old"]
                Clearing.armed = True
            return super().__hash__()

    trie: Any = Ctrie((Clearing(n), n) for n in range(9))
    before = dict(trie)
    Clearing.armed = True
    trie_before = trie.readonly_snapshot()
    Clearing.armed = False
    assert make(trie_before) == before
    Clearing.armed = True
    try:
        made = make(trie)
    finally:
        Clearing.armed = False
    assert made == before


def test_a_look_up_of_a_program_is_never_answered_by_a_snapshot() -> None:
    trie: Any = Ctrie((n, n) for n in range(5))
    keys = list(trie.keys())
    del trie[keys[0]]
    with pytest.raises(KeyError):
        trie[keys[0]]
    view = trie.keys()
    for key in view:
        trie[key] = "new"
        assert trie[key] == operator.getitem(trie, key) == "new"
    made = dict(trie)
    trie.clear()
    for key in made:
        with pytest.raises(KeyError):
            trie[key]


def test_a_dict_that_raises_keeps_nothing_of_the_map() -> None:
    class Value:
        pass

    class Refusing(Key):
        armed = False

        def __hash__(self) -> int:
            if Refusing.armed:
                raise ZeroDivisionError
            return super().__hash__()

    import gc
    import weakref

    trie: Any = Ctrie()
    trie[Refusing(1)] = value = Value()
    ref = weakref.ref(value)
    del value
    Refusing.armed = True
    with pytest.raises(ZeroDivisionError):
        dict(trie)
    Refusing.armed = False
    trie.clear()
    dict(Ctrie(a=1))
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("kind", ["map", "snapshot", "subclass"])
def test_match_takes_it_for_a_mapping_and_for_no_sequence(kind: str) -> None:
    made: Any = {"map": Ctrie, "snapshot": Ctrie, "subclass": Sub}[kind]({0: "zero", 1: "one"})
    m: Any = made.readonly_snapshot() if kind == "snapshot" else made
    match m:
        case {0: value, **rest}:
            assert (value, rest) == ("zero", {1: "one"})
        case _:
            raise AssertionError("no mapping")
    match m:
        case [*_]:
            raise AssertionError("a sequence")
        case {7: _}:
            raise AssertionError("there is no 7")
        case _:
            pass
    with pytest.raises(TypeError, match="not reversible"):
        reversed(m)
    for view in (m.keys(), m.values(), m.items()):
        with pytest.raises(TypeError, match="not reversible"):
            reversed(view)


@pytest.mark.parametrize(("cls", "abc"), [(Ctrie, MutableMapping), (CtrieSnapshot, Mapping)])
def test_registering_gives_what_inheriting_would(cls: type, abc: type) -> None:
    class Inherits(abc):  # type: ignore[misc, valid-type]
        pass

    mapping_flag, sequence_flag = 1 << 6, 1 << 5
    assert cls.__flags__ & mapping_flag
    assert not cls.__flags__ & sequence_flag
    ours = set(dir(cls))
    internal = {"_abc_impl", "__abstractmethods__", "__dict__", "__module__", "__slots__"}
    internal |= {"__weakref__", "__static_attributes__", "__firstlineno__"}
    assert set(dir(Inherits)) - ours - internal == set()
    for name in dir(Inherits):
        if getattr(Inherits, name) is None and name not in ("__doc__", "__hash__"):
            assert getattr(cls, name) is None, name


# Copies.


class Required(Ctrie[Any, Any]):
    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.factory = factory


class Slots(Ctrie[Any, Any]):
    __slots__ = ("extra", "unset")


class Both(Slots):
    pass


class State(Ctrie[Any, Any]):
    def __getstate__(self) -> dict[str, Any]:
        return {"kept": 1}


class Setting(Ctrie[Any, Any]):
    def __getstate__(self) -> Any:
        return ["state"]

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Reducing(Ctrie[Any, Any]):
    def __reduce__(self) -> Any:
        return Reducing, (), None, None, iter([("only", 1)])


def pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda o: pickle.loads(pickle.dumps(o, protocol))


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda o: o.copy(),
    *(pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
]


@pytest.mark.parametrize("call", COPIES)
def test_copies_of_subclasses_have_all_they_had(call: Callable[[Any], Any]) -> None:
    required = Required(list)
    required["a"] = 1
    made = call(required)
    assert (type(made), made.factory, dict(made)) == (Required, list, {"a": 1})
    both: Any = Both(a=1)
    both.extra, both.more = 5, 6
    made = call(both)
    assert (type(made), made.extra, made.more, dict(made)) == (Both, 5, 6, {"a": 1})
    assert not hasattr(made, "unset")
    state: Any = State(a=1)
    state.secret = 2
    made = call(state)
    assert (made.__dict__, dict(made)) == ({"kept": 1}, {"a": 1})
    made = call(Setting(a=1))
    assert (made.state, dict(made)) == (["state"], {"a": 1})
    plain = call(Ctrie(a=1))
    assert (type(plain), dict(plain)) == (Ctrie, {"a": 1})
    made["b"] = 2
    assert len(plain) == 1


@pytest.mark.parametrize("call", [copy.deepcopy, pickled(4)])
def test_a_subclass_may_reduce_itself(call: Callable[[Any], Any]) -> None:
    assert dict(call(Reducing(a=1))) == {"only": 1}
