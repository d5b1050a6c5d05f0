"""CPython's own tests of its queue module, run over fastprims.queue.

The interpreter's `test.test_queue` keeps its tests in mix-ins that look their
classes up in a module attribute `queue`; each concrete class is made again here
with that attribute pointing at fastprims.queue.
"""

from __future__ import annotations

import sys
import unittest

import pytest

from fastprims import queue as fast_queue

# Some distributions ship the interpreter without its tests.
test_queue = pytest.importorskip("test.test_queue", reason="the interpreter has no test package")
support = pytest.importorskip("test.support")

EXCLUDED = {
    # Overrides _put and _get to make them fail: there is no Python-level hook in
    # the C core, and overriding one is refused when the class is made.
    "FailingQueueTest": "needs overridable _put and _get",
}


class FastSimpleQueueTest(test_queue.CSimpleQueueTest):
    """The C class's tests, re-entrancy from __del__ included."""

    queue = fast_queue

    @classmethod
    def setUpClass(cls) -> None:
        assert cls.queue.SimpleQueue.__module__ == "fastprims"


def _adapt(base: type) -> type[unittest.TestCase]:
    return type(f"Fast{base.__name__}", (base, unittest.TestCase), {"queue": fast_queue})


FastQueueTest = _adapt(test_queue.QueueTest)
FastLifoQueueTest = _adapt(test_queue.LifoQueueTest)
FastPriorityQueueTest = _adapt(test_queue.PriorityQueueTest)

ADAPTED = [FastQueueTest, FastLifoQueueTest, FastPriorityQueueTest, FastSimpleQueueTest]


@pytest.fixture(autouse=True)
def room_for_fifty_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lift a guard that asks for 5 GB before it starts fifty threads."""
    monkeypatch.setattr(support, "real_max_memuse", 1 << 33, raising=False)


def test_nothing_is_left_out_but_what_is_listed() -> None:
    """A test class added by a later CPython must be adopted or excluded with a reason."""
    theirs = {
        name[1:]
        for name, cls in vars(test_queue).items()
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase) and name.startswith("C")
    }
    adopted = {cls.__name__.removeprefix("Fast") for cls in ADAPTED}
    assert theirs == adopted | set(EXCLUDED)


def test_enough_tests_are_run() -> None:
    loader = unittest.defaultTestLoader
    counts = {cls.__name__: len(loader.getTestCaseNames(cls)) for cls in ADAPTED}
    # 3.13 added the tests of shutdown().
    least = 23 if sys.version_info >= (3, 13) else 6
    assert all(count >= least for name, count in counts.items() if name != "FastSimpleQueueTest")
    assert counts["FastSimpleQueueTest"] >= 9, counts
