"""Odd time-outs: each class keeps the conventions of its namesake.

`Queue` and its like look at a time-out only when the call may block: `get` always
may, `put` only where there is a bound. `SimpleQueue.put` never looks; its `get`
converts the number first, and so refuses what the clock cannot hold.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from queue import Empty, Full

import pytest
from support.kinds import Kind, having, on
from support.threads import SETTLE, blocked, spawn

HUGE = [float("inf"), 1e10, 1e300]
NAN = float("nan")

SIMPLE = [k for k in having() if k.cls.__name__ == "SimpleQueue"]
QUEUES = [k for k in having("tasks")]

simple = pytest.mark.parametrize("kind", SIMPLE, ids=str)
queues = pytest.mark.parametrize("kind", QUEUES, ids=str)


@pytest.mark.parametrize("timeout", [-1, -0.5, -1e-9])
@on()
def test_get_refuses_a_negative_timeout(kind: Kind, timeout: float) -> None:
    q = kind.make()
    with pytest.raises(ValueError):
        q.get(timeout=timeout)
    q.put("item")
    with pytest.raises(ValueError):
        q.get(True, timeout)
    assert q.qsize() == 1
    assert q.get(False, timeout) == "item"


@pytest.mark.parametrize("timeout", [-1, -0.5])
@on("bounded")
def test_put_refuses_a_negative_timeout_if_bounded(kind: Kind, timeout: float) -> None:
    q = kind.make(2)
    with pytest.raises(ValueError):
        q.put(1, timeout=timeout)
    assert q.qsize() == 0
    q.put(1)
    q.put(2)
    with pytest.raises(ValueError):
        q.put(3, True, timeout)
    assert q.qsize() == 2


@on("unbounded")
def test_put_without_a_bound_ignores_the_timeout(kind: Kind) -> None:
    q = kind.make()
    for n, timeout in enumerate((-1, NAN, 0, *HUGE)):
        q.put(n, True, timeout)
    assert q.qsize() == 3 + len(HUGE)


@on()
def test_minus_zero_is_zero(kind: Kind) -> None:
    q = kind.make()
    with pytest.raises(Empty):
        q.get(timeout=-0.0)


@pytest.mark.parametrize("timeout", ["1", b"1", [], {}, object(), 1j], ids=repr)
@on()
def test_a_timeout_must_be_a_number(kind: Kind, timeout: object) -> None:
    q = kind.make()
    with pytest.raises(TypeError):
        q.get(timeout=timeout)
    q.put("item")
    with pytest.raises(TypeError):
        q.get(True, timeout)
    assert q.get() == "item"


@pytest.mark.parametrize("timeout", ["1", [], object()], ids=["str", "list", "object"])
@on("bounded")
def test_a_put_timeout_must_be_a_number(kind: Kind, timeout: object) -> None:
    q = kind.make(1)
    q.put("item")
    with pytest.raises(TypeError):
        q.put("more", True, timeout)
    assert q.qsize() == 1


@pytest.mark.parametrize("timeout", [*HUGE, NAN])
@queues
def test_an_odd_timeout_is_fine_if_nothing_has_to_wait(kind: Kind, timeout: float) -> None:
    q = kind.make(1)
    q.put("item", timeout=timeout)
    assert q.get(timeout=timeout) == "item"


@simple
def test_simple_queue_refuses_what_its_clock_cannot_hold(kind: Kind) -> None:
    for filled in (False, True):
        q = kind.make()
        if filled:
            q.put("item")
        for timeout in HUGE:
            with pytest.raises(OverflowError):
                q.get(timeout=timeout)
        with pytest.raises(ValueError):
            q.get(timeout=NAN)
        assert q.qsize() == int(filled)


@queues
def test_a_fraction_is_a_number(kind: Kind) -> None:
    q = kind.make(1)
    with pytest.raises(Empty):
        q.get(timeout=Fraction(1, 100))
    q.put(1, timeout=Fraction(1, 100))
    with pytest.raises(Full):
        q.put(2, timeout=Fraction(1, 100))


@pytest.mark.parametrize("timeout", [True, 1, 1.0])
@on()
def test_whole_and_true_timeouts_wait(kind: Kind, timeout: float) -> None:
    q = kind.make()
    getter = blocked(q.get, True, timeout)
    q.put("item")
    assert getter.result() == "item"


@pytest.mark.parametrize("timeout", [1e-9, 1e-6, 5e-324])
@on()
def test_the_smallest_timeouts_end(kind: Kind, timeout: float) -> None:
    if kind.name == "std.SimpleQueue" and sys.version_info < (3, 12):
        pytest.skip("seldom, such a get of CPython 3.11's own SimpleQueue never ends")
    q = kind.make()
    began = time.monotonic()
    with pytest.raises(Empty):
        q.get(timeout=timeout)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("timeout", HUGE)
@on(ours=True)
def test_a_huge_timeout_waits_or_is_refused_at_once(kind: Kind, timeout: float) -> None:
    """Never an early Empty: that would claim that a century has passed."""
    q = kind.make()
    getter = spawn(q.get, True, timeout)
    time.sleep(SETTLE)
    q.put("item")
    try:
        assert getter.result() == "item"
    except OverflowError:
        pass


@on(ours=True)
def test_a_timeout_that_is_no_number_never_hangs_a_get(kind: Kind) -> None:
    """The standard Queue spins for ever here; ours says at once what is wrong."""
    q = kind.make()
    with pytest.raises((ValueError, Empty)):
        q.get(timeout=NAN)
