"""fastprims.queue stands in for the standard library's module."""

from __future__ import annotations

import queue as std
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from support.kinds import Kind, on

import fastprims
import fastprims.queue

MODULES = [std, fastprims.queue]


class Other(Exception):
    """What a program puts in the place of one of the module's exceptions."""


def refusals(kind: Kind, opened: bool) -> list[tuple[str, Callable[[], object]]]:
    """What raises each exception."""
    queues = full, empty, closed = kind.make(1), kind.make(1), kind.make(1)
    full.put(1)
    if opened:
        for q in queues:
            len(q.queue)
    calls: list[tuple[str, Callable[[], object]]] = [
        ("Full", lambda: full.put(2, timeout=0.001)),
        ("Full", lambda: full.put_nowait(2)),
        ("Full", lambda: full.put(2, False)),
        ("Empty", lambda: empty.get(timeout=0.001)),
        ("Empty", lambda: empty.get_nowait()),
        ("Empty", lambda: empty.get(False)),
    ]
    if kind.shutdown:
        closed.shutdown()
        calls += [("ShutDown", lambda: closed.put(1)), ("ShutDown", lambda: closed.get())]
    return calls


def replaced(module: ModuleType, name: str) -> Any:
    # install() puts ShutDown into the module where the standard library has none
    return mock.patch.object(module, name, Other, create=not hasattr(module, name))


@pytest.mark.parametrize("opened", [False, True])
@on("tasks")
def test_exceptions_replaced_in_the_standard_module_are_raised(kind: Kind, opened: bool) -> None:
    """As by the standard classes, which look them up there by name when they raise them."""
    for name, refuse in refusals(kind, opened):
        with replaced(std, name), pytest.raises(Other):
            refuse()
        with pytest.raises(getattr(fastprims.queue, name)):
            refuse()


@pytest.mark.parametrize("opened", [False, True])
@on("tasks", ours=True)
def test_exceptions_replaced_in_the_module_of_the_same_names_are_raised(
    kind: Kind, opened: bool
) -> None:
    for name, refuse in refusals(kind, opened):
        with replaced(fastprims.queue, name), pytest.raises(Other) as caught:
            refuse()
        assert caught.value.__context__ is None


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@on("tasks", ours=True)
def test_what_raises_nothing_goes_on_with_replaced_exceptions(
    kind: Kind, module: ModuleType, opened: bool
) -> None:
    q = kind.make(2)
    if opened:
        len(q.queue)
    with replaced(module, "Full"), replaced(module, "Empty"), replaced(module, "ShutDown"):
        assert q.put_many([1, 2, 3], block=False) == 2
        assert not q.try_put(4)
        assert len(q.get_many(9)) == 2
        assert q.try_get() is None


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("cls", [std.SimpleQueue, fastprims.SimpleQueue])
def test_a_simple_queue_raises_the_exception_that_it_knows(cls: type, module: ModuleType) -> None:
    empty = std.Empty
    with replaced(module, "Empty"), pytest.raises(empty):
        cls().get_nowait()


def test_it_has_exactly_the_names_of_the_standard_module() -> None:
    # ShutDown came with 3.13; it is there on every version here.
    own = {"ShutDown", "OpenedWarning", "opened"}
    assert set(fastprims.queue.__all__) == set(std.__all__) | own
    for name in fastprims.queue.__all__:
        assert hasattr(fastprims.queue, name)


def test_what_it_lacks_is_that_of_the_standard_module() -> None:
    for name in ("deque", "threading", "time", "heappush", "_PySimpleQueue"):
        assert getattr(fastprims.queue, name) is getattr(std, name)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = fastprims.queue.no_such_name


def test_the_exceptions_are_the_standard_ones() -> None:
    """`except queue.Empty` in other people's code must keep catching."""
    assert fastprims.queue.Empty is fastprims.Empty is std.Empty
    assert fastprims.queue.Full is fastprims.Full is std.Full
    if hasattr(std, "ShutDown"):
        assert fastprims.ShutDown is std.ShutDown
    assert fastprims.queue.ShutDown is fastprims.ShutDown
    assert issubclass(fastprims.ShutDown, Exception)
    assert not issubclass(fastprims.ShutDown, (std.Empty, std.Full))


def test_the_classes_are_the_public_ones() -> None:
    for name in ("Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"):
        assert getattr(fastprims.queue, name) is getattr(fastprims, name)


def test_class_relations_are_the_standard_ones() -> None:
    """`isinstance(q, queue.Queue)` is how programs tell a queue."""
    assert issubclass(fastprims.queue.LifoQueue, fastprims.queue.Queue)
    assert issubclass(fastprims.queue.PriorityQueue, fastprims.queue.Queue)
    assert not issubclass(fastprims.queue.SimpleQueue, fastprims.queue.Queue)


def test_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from fastprims import *", names)
    for name in fastprims.__all__:
        assert name in names
    public = {"Queue", "SimpleQueue", "LifoQueue", "PriorityQueue", "SPSCRing", "MPMCRing"}
    assert public | {"Empty", "Full", "ShutDown", "build_info"} <= set(fastprims.__all__)
