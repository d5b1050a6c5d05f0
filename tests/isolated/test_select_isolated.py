"""select in a process of its own: without memory, after a fork, interrupted."""

from __future__ import annotations

import sys
import sysconfig

import pytest
from support.isolate import needs_fork, run_child

FORMS = ("select", "Selector", "biased")


def without_memory(form: str, depth: int) -> int:
    """Let the interpreter's n-th allocation fail, for every n, in calls that get, put and find a
    queue closed."""
    import _testcapi

    import fastprims
    from fastprims import Queue, Selector

    def asker(*operations):
        if form == "select":
            return lambda: fastprims.select(*operations, timeout=0)
        selector = Selector(*operations, biased=form == "biased")
        for other in others:  # all of which become ready at once
            selector.add(other.get)
        selector.select(0.001)
        for other in others:
            other.put(("other",))
        return lambda: selector.select(0)

    failed = 0
    for n in range(depth):
        for round in range(3):
            others = [Queue() for _ in range(70)]
            items, room = Queue(), Queue(2)
            offered = ("offered",)
            both = [items.get, (room.put, offered)]
            operations = (both, both[1:], both[:1])[round]
            ask = asker(*operations)
            if round != 1:
                items.put(("here",))
            stored = items.qsize() + room.qsize() + sum(q.qsize() for q in others)
            answer = None
            lost = False
            try:
                _testcapi.set_nomemory(n, n + 1)
                try:
                    answer = ask()
                finally:
                    _testcapi.remove_mem_hooks()
            except MemoryError:
                failed += 1
                lost = True
            left = items.qsize() + room.qsize() + sum(q.qsize() for q in others)
            if lost or answer is None:
                assert left == stored, f"{form}, {n}, {round}: a failed call had an effect"
            else:
                expected = stored + (1 if answer.source is room else -1)
                assert left == expected, f"{form}, {n}, {round}: {answer}"
    return failed


@pytest.mark.skipif(
    sys.version_info < (3, 14) and bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="after a failed allocation, 3.13t's own lists and dicts crash now and then",
)
@pytest.mark.parametrize("form", FORMS)
def test_a_failed_allocation_has_no_effect(form: str) -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    assert run_child(without_memory, form, 60, timeout=80) > 0, "no allocation failed"


def asked_in_a_child() -> list[object]:
    """The set is the child's, too, with what was listed and due in the parent."""
    import os

    from fastprims import AtomicFlag, Queue, Selector

    first, second, flag = Queue(), Queue(2), AtomicFlag()
    selector = Selector(first.get, second.get, flag)
    assert selector.select(0.001) is None
    second.put("before")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        taken = [selector.select(1).value]
        first.put("in the child")
        taken.append(selector.select(1).value)
        flag.test_and_set()
        taken.append(selector.select(1).source is flag)
        os.write(writing, repr(taken).encode())
        os._exit(0)
    os.waitpid(child, 0)
    own = selector.select(1).value
    first.put("in the parent")
    return [os.read(reading, 1000).decode(), own, selector.select(1).value]


@needs_fork
def test_a_forked_child_asks_the_same_selector() -> None:
    assert run_child(asked_in_a_child) == [
        "['before', 'in the child', True]",
        "before",
        "in the parent",
    ]


def interrupted(rounds: int) -> list[object]:
    """A signal strikes while the call waits; then what was put is there for the next one."""
    import os
    import signal
    import threading

    from fastprims import Queue, Selector

    queues = [Queue(), Queue()]
    selector = Selector(*[q.get for q in queues])
    seen = []
    for n in range(rounds):
        signals = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
        signals.start()
        try:
            selector.select(timeout=60)
        except KeyboardInterrupt:
            queues[n % 2].put(n)
            seen.append(selector.select(timeout=60).value)
        signals.join()
    return seen


def test_an_interrupted_call_has_no_effect() -> None:
    assert run_child(interrupted, 5) == list(range(5))
