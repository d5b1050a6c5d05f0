"""CPython's own tests of its asyncio queues, run over fastprims.aio.

Each class of the interpreter's `test.test_asyncio.test_queues` is made again here, with its module's
`asyncio` replaced by one whose queues are ours.
"""

from __future__ import annotations

import asyncio
import sys
import types
import unittest
from typing import Any

import pytest

from fastprims import aio

if sys.version_info < (3, 11):
    pytest.skip("3.10's tests run in a loop that watches no descriptor", allow_module_level=True)

# Some distributions ship the interpreter without its tests.
theirs = pytest.importorskip(
    "test.test_asyncio.test_queues", reason="the interpreter has no test package"
)

NAMES = ("Queue", "LifoQueue", "PriorityQueue", "QueueEmpty", "QueueFull", "QueueShutDown")


class OurAsyncio(types.ModuleType):
    """asyncio, with our queues."""

    def __getattr__(self, name: str) -> Any:
        return getattr(aio if name in NAMES else asyncio, name)


FORMAT = "the text is another: who waits, and the items, are not listed"
WAITERS = "looks into _getters or _putters: lists of futures of one loop, which ours has not"

LEFT_OUT: dict[str, str] = {
    "test_repr": FORMAT,
    "test_str": FORMAT,
    "test_format": FORMAT,
    "test_get_with_putters": WAITERS,
    "test_cancelled_getters_not_being_held_in_self_getters": WAITERS,
    "test_cancelled_puts_not_being_held_in_self_putters": WAITERS,
}
"""Tests of CPython's that ask for the inside of its queues, each with the reason."""


def _adapt(base: type) -> type:
    """The class with its functions in a copy of their module, where `asyncio` is ours."""
    scope = vars(theirs) | {"asyncio": OurAsyncio("asyncio")}
    body: dict[str, Any] = {}
    for cls in reversed(base.__mro__[:-1]):
        if cls.__module__ != theirs.__name__:
            continue
        for name, value in vars(cls).items():
            if isinstance(value, types.FunctionType):
                body[name] = types.FunctionType(
                    value.__code__, scope, name, value.__defaults__, value.__closure__
                )
            elif not name.startswith("__"):
                body[name] = value
    if isinstance(body.get("q_class"), type):
        body["q_class"] = getattr(aio, body["q_class"].__name__)
    for name in [name for name in body if name in LEFT_OUT]:
        del body[name]
    parents = tuple(c for c in base.__mro__ if c.__module__ != theirs.__name__ and c is not object)
    return type(f"Fast{base.__name__}", parents[:1], body | {"__module__": __name__})


CASES = {
    name: _adapt(cls)
    for name, cls in vars(theirs).items()
    if isinstance(cls, type) and issubclass(cls, unittest.TestCase)
}
globals().update({cls.__name__: cls for cls in CASES.values()})


def test_enough_tests_are_run() -> None:
    loader = unittest.defaultTestLoader
    count = sum(len(loader.getTestCaseNames(cls)) for cls in CASES.values())  # type: ignore[arg-type]
    # 3.13 added the tests of shutdown().
    assert count >= (45 if sys.version_info >= (3, 13) else 32)


def test_what_is_left_out_is_still_there() -> None:
    names = {name for cls in vars(theirs).values() if isinstance(cls, type) for name in vars(cls)}
    assert set(LEFT_OUT) <= names


def test_the_tests_really_use_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __init__(self, *_: Any, **__: Any) -> None:
            raise ZeroDivisionError

    monkeypatch.setattr(aio, "LifoQueue", Refusing)
    case = CASES["LifoQueueTests"]("test_order")
    result = unittest.TestResult()
    case.run(result)
    assert len(result.errors) == 1
    assert "ZeroDivisionError" in result.errors[0][1]
