"""fastprims.queue stands in for the standard library's module."""

from __future__ import annotations

import queue as std

import fastprims
import fastprims.queue


def test_it_has_exactly_the_names_of_the_standard_module() -> None:
    # ShutDown came with 3.13; it is there on every version here.
    own = {"ShutDown", "OpenedWarning", "opened"}
    assert set(fastprims.queue.__all__) == set(std.__all__) | own
    for name in fastprims.queue.__all__:
        assert hasattr(fastprims.queue, name)


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
