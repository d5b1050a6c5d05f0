"""CPython's own tests of its queue module, run over fastprims.queue.

The interpreter's `test.test_queue` keeps its tests in mix-ins that look their
classes up in a module attribute `queue`; each concrete class is made again here
with that attribute pointing at fastprims.queue.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import types
import unittest
from typing import Any

import pytest

from fastprims import queue as fast_queue

# Some distributions ship the interpreter without its tests.
test_queue = pytest.importorskip("test.test_queue", reason="the interpreter has no test package")
support = pytest.importorskip("test.support")


class FastSimpleQueueTest(test_queue.CSimpleQueueTest):
    """The C class's tests, re-entrancy from __del__ included."""

    queue = fast_queue
    test_simplequeue_sizeof = None  # 3.15's, of the layout of the standard class

    @classmethod
    def setUpClass(cls) -> None:
        assert cls.queue.SimpleQueue.__module__ == "fastprims"


def _adapt(base: type, module: object = fast_queue, name: str = "Fast") -> type[unittest.TestCase]:
    return type(f"{name}{base.__name__}", (base, unittest.TestCase), {"queue": module})


FastQueueTest = _adapt(test_queue.QueueTest)
FastLifoQueueTest = _adapt(test_queue.LifoQueueTest)
FastPriorityQueueTest = _adapt(test_queue.PriorityQueueTest)
FastFailingQueueTest = _adapt(test_queue.FailingQueueTest)

ADAPTED = [FastQueueTest, FastLifoQueueTest, FastPriorityQueueTest, FastSimpleQueueTest]
ADAPTED += [FastFailingQueueTest]


def _open(q: Any) -> None:
    len(q.queue)


class OpenFromTheStart:
    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)  # type: ignore[call-arg]
        _open(self)


class OpenedInTheMiddle:
    """By the third put."""

    calls = 0

    def put(self, *args: Any, **kwargs: Any) -> None:
        self.calls += 1
        if self.calls == 3:
            _open(self)
        super().put(*args, **kwargs)  # type: ignore[misc]


class OpenedByAnotherThread:
    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)  # type: ignore[call-arg]
        threading.Timer(0.003, _open, [self]).start()


def _module_of(how: type) -> types.SimpleNamespace:
    """fastprims.queue with other queues."""
    names = {name: getattr(fast_queue, name) for name in fast_queue.__all__}
    for name in ("Queue", "LifoQueue", "PriorityQueue"):
        names[name] = type(name, (how, names[name]), {})
    return types.SimpleNamespace(**names)


for _how in (OpenFromTheStart, OpenedInTheMiddle, OpenedByAnotherThread):
    for _base in ("QueueTest", "LifoQueueTest", "PriorityQueueTest", "FailingQueueTest"):
        _case = _adapt(getattr(test_queue, _base), _module_of(_how), _how.__name__)
        globals()[_case.__name__] = _case
del _case


@pytest.fixture(autouse=True)
def room_for_fifty_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift a guard that asks for 5 GB before it starts fifty threads."""
    monkeypatch.setattr(support, "real_max_memuse", 1 << 33, raising=False)
    # 3.15 would do it in a process, which would not find the classes that are made here.
    with contextlib.suppress(ImportError):
        monkeypatch.setattr("test.support.isolation.runningInSubprocess", True)


def test_nothing_is_left_out() -> None:
    """A test class added by a later CPython must be adopted."""
    theirs = {
        name[1:]
        for name, cls in vars(test_queue).items()
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase) and name.startswith("C")
    }
    adopted = {cls.__name__.removeprefix("Fast") for cls in ADAPTED}
    assert theirs == adopted


def test_enough_tests_are_run() -> None:
    loader = unittest.defaultTestLoader
    counts = {cls.__name__: len(loader.getTestCaseNames(cls)) for cls in ADAPTED}
    # 3.13 added the tests of shutdown().
    least = 23 if sys.version_info >= (3, 13) else 6
    few = ("FastSimpleQueueTest", "FastFailingQueueTest")
    assert all(count >= least for name, count in counts.items() if name not in few)
    assert counts["FastSimpleQueueTest"] >= 9, counts
