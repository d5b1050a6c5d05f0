"""Threads: recorded histories have a sequential explanation, snapshots show one instant."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from linearizability import Call, Recorder, linearize, render
from support.threads import run_threads

from fastprims import Ctrie

pytestmark = pytest.mark.stress

KEYS = "abcd"


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@dataclass(frozen=True)
class MapModel:
    """The sequential map; its state is a frozenset of pairs."""

    order: str = "none"
    initial: Any = frozenset()

    def step(self, state: Any, call: Call) -> Any:
        now = dict(state)
        if call.name == "snapshot":
            return state if now == call.result else None
        if call.name == "len":
            return state if len(now) == call.result else None
        if call.name == "popitem":
            if call.result is None:
                return state if not now else None
            key, value = call.result
            if now.pop(key, None) != value:
                return None
            return frozenset(now.items())
        if call.name == "clear":
            return frozenset()
        key, *rest = call.argument
        expected = MODEL[call.name](now, key, *rest)
        return frozenset(now.items()) if expected == call.result else None


def _set(now: dict[str, int], key: str, value: int) -> None:
    now[key] = value


def _cas(now: dict[str, int], key: str, old: int, new: int) -> bool:
    found = now.get(key) == old
    if found:
        now[key] = new
    return found


def _cad(now: dict[str, int], key: str, old: int) -> bool:
    found = now.get(key) == old
    if found:
        del now[key]
    return found


MODEL: dict[str, Callable[..., Any]] = {
    "set": _set,
    "get": lambda now, key: now.get(key),
    "pop": lambda now, key: now.pop(key, None),
    "setdefault": lambda now, key, value: now.setdefault(key, value),
    "compare_and_set": _cas,
    "compare_and_delete": _cad,
}


def perform(t: Any, recorder: Recorder, rng: random.Random, kept: list[Any]) -> None:
    key, value = rng.choice(KEYS), rng.randrange(3)
    name = rng.choice(
        ["set", "set", "get", "get", "pop", "setdefault", "compare_and_set", "compare_and_delete"]
        + ["snapshot", "snapshot", "len", "popitem", "clear"]
    )
    call = recorder.call
    if name == "set":
        call(name, (key, value), lambda: t.__setitem__(key, value))
    elif name == "get":
        call(name, (key,), lambda: t.get(key))
    elif name == "pop":
        call(name, (key,), lambda: t.pop(key, None))
    elif name == "setdefault":
        call(name, (key, value), lambda: t.setdefault(key, value))
    elif name == "compare_and_set":
        call(name, (key, value, 3 - value), lambda: t.compare_and_set(key, value, 3 - value))
    elif name == "compare_and_delete":
        call(name, (key, value), lambda: t.compare_and_delete(key, value))
    elif name == "snapshot":
        # Taken within the call, read later: it must still be what it was.
        s = rng.choice([t.readonly_snapshot, t.snapshot])
        kept.append((len(recorder.calls), call(name, None, s)))
    elif name == "len":
        call(name, None, lambda: len(t))
    elif name == "clear" and rng.random() < 0.3:
        call(name, None, t.clear)
    elif name == "popitem":
        call(name, None, lambda: pop_or_none(t))


def pop_or_none(t: Any) -> Any:
    try:
        return t.popitem()
    except KeyError:
        return None


@pytest.mark.parametrize("contents", [{}, {"a": 1, "b": 2}])
@pytest.mark.parametrize("threads", [2, 3])
def test_histories_are_linearizable(threads: int, contents: dict[str, int], scale: Any) -> None:
    """Also of a copy that has never changed: its threads compete for the first change."""
    for seed in range(scale(120)):
        t: Ctrie[str, int] = Ctrie(contents)
        if contents:
            t = t.snapshot()
        recorders = [Recorder(n) for n in range(threads)]
        kept: list[list[Any]] = [[] for _ in recorders]
        gate = threading.Barrier(threads)

        def work(n: int) -> None:
            rng = random.Random(seed * 10 + n)
            gate.wait()
            for _ in range(12):
                perform(t, recorders[n], rng, kept[n])

        run_threads(*[lambda n=n: work(n) for n in range(threads)])
        for recorder, snapshots in zip(recorders, kept, strict=True):
            for at, snapshot in snapshots:
                recorder.calls[at] = recorder.calls[at]._replace(result=dict(snapshot.items()))
        history = [call for recorder in recorders for call in recorder.calls]
        model: Any = MapModel(initial=frozenset(contents.items()))
        assert linearize(history, model) is not None, render(history)


def test_threads_that_change_a_fresh_copy_first_share_it(scale: Any) -> None:
    source = Ctrie((n, n) for n in range(40))
    before = dict(source.items())
    for _ in range(scale(300)):
        copy = source.snapshot()

        def change(n: int, copy: Ctrie[int, int] = copy) -> None:
            assert copy.pop(n) == n
            copy[100 + n] = n
            assert (copy.get(n), copy[100 + n], copy[10 + n]) == (None, n, 10 + n)

        run_threads(*[lambda n=n: change(n) for n in range(4)])
        assert len(copy) == 40
        assert dict(copy.items()) == {
            **{n: n for n in range(4, 40)},
            **{100 + n: n for n in range(4)},
        }
    assert dict(source.items()) == before


def test_no_update_is_lost_beside_snapshots(scale: Any) -> None:
    t: Ctrie[int, int] = Ctrie((n, 0) for n in range(50))
    rounds = scale(2000)

    def count(seed: int) -> None:
        rng = random.Random(seed)
        for step in range(rounds):
            key = rng.randrange(50)
            while not t.compare_and_set(key, now := t[key], now + 1):
                pass
            if step % 10 == 0:
                (t.snapshot if step % 20 else t.readonly_snapshot)()

    run_threads(*[lambda n=n: count(n) for n in range(4)])
    assert sum(t.values()) == 4 * rounds


def test_a_snapshot_shows_one_instant(scale: Any) -> None:
    """A writer stores n under every key in turn: values never rise along the keys."""
    t: Ctrie[int, int] = Ctrie((n, 0) for n in range(100))
    done = False

    def write() -> None:
        nonlocal done
        for n in range(1, scale(150)):
            for key in range(100):
                t[key] = n
        done = True

    def look() -> None:
        last = 0
        while not done:
            for s in (t.readonly_snapshot(), t.snapshot(), dict(t.items())):
                values = [s[key] for key in range(100)]
                assert values == sorted(values, reverse=True)
                assert values[0] - values[-1] <= 1
                assert values[0] >= last
                last = values[0]
                assert len(s) == 100

    run_threads(write, look, look)


def test_popitem_gives_each_pair_to_one_thread(scale: Any) -> None:
    t = Ctrie((n, n) for n in range(scale(5000)))
    taken: list[list[Any]] = [[] for _ in range(4)]

    def take(n: int) -> None:
        while (pair := pop_or_none(t)) is not None:
            taken[n].append(pair)

    run_threads(*[lambda n=n: take(n) for n in range(4)])
    assert sorted(pair for pairs in taken for pair in pairs) == [(n, n) for n in range(scale(5000))]


def test_a_hundred_threads(scale: Any) -> None:
    t = Ctrie((n, n) for n in range(500))

    def use(n: int) -> None:
        for step in range(scale(20)):
            s = t.readonly_snapshot()
            t[n] = step
            t[1000 + n] = step
            assert s[400] == 400
            del t[1000 + n]

    run_threads(*[lambda n=n: use(n) for n in range(100)])
    assert len(t) == 500


def test_threads_that_share_an_iterator_get_each_item_once(scale: Any) -> None:
    t = Ctrie((n, n) for n in range(20_000))
    for _ in range(scale(5)):
        shared = iter(t.items())
        first, second = run_threads(*[lambda shared=shared: list(shared)] * 2)
        assert sorted(first + second) == [(n, n) for n in range(20_000)]


def test_threads_that_hash_a_snapshot_at_the_same_time_agree(scale: Any) -> None:
    for _ in range(scale(50)):
        snapshot = Ctrie((str(n), n) for n in range(50)).readonly_snapshot()
        hashes = run_threads(*[lambda snapshot=snapshot: hash(snapshot)] * 4)
        assert set(hashes) == {hash(frozenset(snapshot.items()))}
