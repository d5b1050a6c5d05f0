"""Structures of two kinds do not meet in one object, and an object gets its structure once."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.misuse import public_classes
from support.threads import run_threads

import fastprims

CLASSES: list[type] = [getattr(fastprims, name) for name in public_classes()]
KIN = (fastprims.LifoQueue, fastprims.PriorityQueue)  # one structure, and the methods of Queue


def related(one: type, other: type) -> bool:
    return issubclass(one, other) or issubclass(other, one) or {one, other} == set(KIN)


PAIRS = [(a, b) for a, b in itertools.permutations(CLASSES, 2) if not related(a, b)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}")
def test_a_class_cannot_derive_from_two_structures(pair: tuple[type, type]) -> None:
    with pytest.raises(TypeError, match=r"conflict|not an acceptable base"):
        type("Both", pair, {})


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}")
def test_an_object_cannot_move_to_another_structure(pair: tuple[type, type]) -> None:
    one, other = (type("Derived", (cls,), {"__slots__": ()}) for cls in pair)
    try:
        o = one.__new__(one)
    except TypeError:
        pytest.skip("made by others alone")
    with pytest.raises(TypeError):
        o.__class__ = other
    with pytest.raises(TypeError):
        one.__bases__ = (pair[1],)


def test_a_snapshot_with_the_methods_of_a_map_does_not_change() -> None:
    class Silent:
        def __init_subclass__(cls) -> None:
            """Keeps the refusal from being asked."""

    class Forced(Silent, fastprims.CtrieSnapshot, fastprims.Ctrie):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

    forced: Any = Forced()
    for change in (
        lambda: forced.setdefault(1, 2),
        lambda: forced.pop(1, None),
        lambda: forced.popitem(),
        lambda: forced.clear(),
        lambda: fastprims.Ctrie.update(forced, {1: 2}),
        lambda: fastprims.Ctrie.__setitem__(forced, 1, 2),
    ):
        with pytest.raises(TypeError, match="does not change"):
            change()
    assert len(forced) == 0


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}")
def test_one_class_cannot_initialise_the_object_of_another(pair: tuple[type, type]) -> None:
    one, other = pair
    try:
        o: Any = one.__new__(one)
    except TypeError:
        pytest.skip("made by others alone")
    with pytest.raises(TypeError):
        other.__init__(o, 4)


class Reentrant:
    """A number that initialises the object whose __init__ asks for it."""

    def __init__(self, start: Any) -> None:
        self.start = start

    def __index__(self) -> int:
        start, self.start = self.start, lambda: None
        start()
        return 3

    __float__ = __index__


class Syntax(str):
    start: Any

    def __eq__(self, other: object) -> bool:
        start, self.start = self.start, lambda: None
        start()
        return str.__eq__(self, other)

    __hash__ = str.__hash__


MAKERS = {
    fastprims.MPMCRing: lambda q, n: q.__init__(n),
    fastprims.SPSCRing: lambda q, n: q.__init__(n),
    fastprims.BoundedChannel: lambda q, n: q.__init__(n),
    fastprims.ObjectPool: lambda q, n: q.__init__(list, max_size=n),
    fastprims.RateLimiter: lambda q, n: q.__init__(3.0, n),
}


@pytest.mark.parametrize("cls", MAKERS, ids=lambda cls: cls.__name__)
def test_init_within_init_makes_one_structure(cls: type) -> None:
    o: Any = cls.__new__(cls)
    make = MAKERS[cls]
    with pytest.raises(RuntimeError, match="made already"):
        make(o, Reentrant(lambda: make(o, 7)))
    bound = next(getattr(o, name) for name in ("maxsize", "max_size", "burst") if hasattr(o, name))
    assert bound == 7, "the first to be complete counts"


def test_init_of_a_topic_trie_within_init_makes_one_structure() -> None:
    trie = fastprims.TopicTrie.__new__(fastprims.TopicTrie)
    syntax = Syntax("mqtt")
    syntax.start = lambda: trie.__init__("amqp")  # type: ignore[misc]
    with pytest.raises(RuntimeError, match="made already"):
        trie.__init__(syntax)  # type: ignore[misc]
    assert trie.syntax == "amqp"


@pytest.mark.parametrize("cls", MAKERS, ids=lambda cls: cls.__name__)
def test_of_several_inits_at_once_one_succeeds(cls: type) -> None:
    for _ in range(20):
        o: Any = cls.__new__(cls)
        gate = threading.Barrier(4)
        outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()

        def start(o: Any = o, gate: Any = gate, outcomes: Any = outcomes) -> None:
            gate.wait(30)
            try:
                MAKERS[cls](o, 5)
                outcomes.put("made")
            except RuntimeError:
                outcomes.put("refused")

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        found = sorted(outcomes.get(timeout=1) for _ in threads)
        assert found == ["made", "refused", "refused", "refused"]


QUICK: dict[str, Callable[[Any], object]] = {
    "qsize": lambda o: o.qsize(),
    "full": lambda o: o.full(),
    "try_get": lambda o: o.try_get(),
    "try_acquire": lambda o: o.try_acquire(),
    "put_nowait": lambda o: o.put_nowait(o),
    "stats": lambda o: o.stats(),
    "maxsize": lambda o: o.maxsize,
    "match": lambda o: o.match("topic"),
    "acquire": lambda o: o.acquire(timeout=0),
}


def use(o: Any) -> None:
    """What an object answers at once; before it is made, that is RuntimeError."""
    for name, call in QUICK.items():
        if hasattr(type(o), name):
            try:
                call(o)
            except (RuntimeError, TimeoutError, queue.Empty, queue.Full):
                pass


@pytest.mark.stress
@pytest.mark.parametrize("cls", [*MAKERS, fastprims.TopicTrie], ids=lambda cls: cls.__name__)
def test_an_object_may_be_used_while_another_thread_makes_it(
    cls: type, pytestconfig: pytest.Config
) -> None:
    make = MAKERS.get(cls, lambda o, _: o.__init__())
    for _ in range(int(300 * pytestconfig.getoption("--stress"))):
        o: Any = cls.__new__(cls)
        made: list[None] = []

        def finish(o: Any = o, made: list[None] = made) -> None:
            make(o, 5)
            made.append(None)

        def use_early(o: Any = o, made: list[None] = made) -> None:
            while not made:
                use(o)

        run_threads(finish, use_early, use_early)
        with pytest.raises(RuntimeError, match="made already"):
            make(o, 7)
