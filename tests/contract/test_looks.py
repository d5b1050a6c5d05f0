"""Whoever asks a class or an object what it has, hears what the standard one says."""

from __future__ import annotations

import inspect
import pydoc
import queue as std
from collections.abc import Callable
from inspect import Parameter
from typing import Any
from unittest import mock

import pytest

import fastprims

NAMES = ["Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"]
PROTOCOL = {"try_put", "try_get", "put_many", "get_many", "stats", "shutdown", "is_shutdown"}
PROPERTIES = {"is_shutdown", "async_q", "sync_q"}
PROTOCOL |= PROPERTIES
EXTRA = dict.fromkeys(NAMES, PROTOCOL)
EXTRA["SimpleQueue"] = PROTOCOL | {"full", "maxsize"}

Pair = tuple[Any, Any]
members = getattr(inspect, "getmembers_static", inspect.getmembers)  # from 3.11 on


def pairs(name: str) -> list[Pair]:
    """The two classes, and an object of each."""
    theirs, ours = getattr(std, name), getattr(fastprims, name)
    return [(theirs, ours), (theirs(), ours())]


def public(names: Any) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def parameters(function: Callable[..., object]) -> list[Parameter]:
    """By name and default: `self` of a method in C can't be named."""
    found = inspect.signature(function).parameters.values()
    kind = Parameter.POSITIONAL_OR_KEYWORD
    return [p.replace(kind=kind, annotation=Parameter.empty) for p in found]


looks = pytest.mark.parametrize("name", NAMES)


@looks
def test_dir_lists_what_the_standard_one_has_and_what_is_ours(name: str) -> None:
    cls, instance = pairs(name)
    for theirs, ours in (cls, instance):
        assert set(dir(theirs)) <= set(dir(ours))
        assert public(dir(ours)) - public(dir(theirs)) <= EXTRA[name]
    # What the standard library gives to objects only, classes don't list.
    if name != "SimpleQueue":
        assert {"maxsize", "is_shutdown"} <= public(dir(instance[1])) - public(dir(cls[1]))


@looks
def test_what_dir_lists_is_there_and_what_is_not_there_is_not(name: str) -> None:
    every = {n for theirs, _ in pairs(name) for n in dir(theirs)}
    for theirs, ours in pairs(name):
        for attribute in sorted(every):
            assert hasattr(ours, attribute) == hasattr(theirs, attribute), attribute
        assert [n for n in dir(ours) if not hasattr(ours, n)] == []


@looks
def test_members_are_found_without_calling_anything(name: str) -> None:
    for theirs, ours in pairs(name):
        found = {n for n, _ in members(ours)}
        assert {n for n, _ in members(theirs)} <= found
        assert public(found) - public(n for n, _ in members(theirs)) <= EXTRA[name]


@looks
def test_signatures_are_the_standard_ones(name: str) -> None:
    """What is more comes at the end, and may be left out: join() has a timeout."""
    for theirs, ours in pairs(name):
        for method in sorted(n for n in public(dir(theirs)) if callable(getattr(theirs, n))):
            expected, found = (parameters(getattr(o, method)) for o in (theirs, ours))
            assert found[: len(expected)] == expected, method
            assert all(p.default is None for p in found[len(expected) :]), method
            assert len(found) == len(expected) or method == "join"
    classes = pairs(name)[0]
    assert parameters(classes[0]) == parameters(classes[1])


@looks
def test_mocks_of_them_have_what_they_have(name: str) -> None:
    for theirs, ours in pairs(name):
        expected, found = (set(dir(mock.create_autospec(o, spec_set=True))) for o in (theirs, ours))
        assert expected <= found
        assert public(found) - public(expected) <= EXTRA[name]
    imitation = mock.create_autospec(getattr(fastprims, name), spec_set=True)()
    imitation.put(1, timeout=2)
    imitation.put.assert_called_once_with(1, timeout=2)
    for missing in ("mutex", "nonsense"):
        with pytest.raises(AttributeError):
            getattr(imitation, missing)
        with pytest.raises(AttributeError):
            setattr(imitation, missing, 1)


@looks
def test_help_describes_every_method(name: str) -> None:
    cls = getattr(fastprims, name)
    for shown in (cls, cls()):
        text = pydoc.plain(pydoc.render_doc(shown))
        for method in public(dir(getattr(std, name))) | PROTOCOL - PROPERTIES:
            assert f" {method}(" in text, method


@looks
def test_objects_know_their_module(name: str) -> None:
    for _, ours in pairs(name):
        assert ours.__module__ == "fastprims"
