"""Bounds and capacities that cannot be: refused at once, with the right exception."""

from __future__ import annotations

import sys
from queue import Full

import pytest
from support.kinds import Kind, on

import fastprims

rings = on("ring")


class Indexable:
    def __index__(self) -> int:
        return 3


class FailingIndex:
    def __index__(self) -> int:
        raise ZeroDivisionError


@pytest.mark.parametrize("capacity", [0, -1, -(2**31), -(2**63), -(2**100)])
@rings
def test_a_ring_needs_a_positive_capacity(kind: Kind, capacity: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        kind.cls(capacity)


@pytest.mark.parametrize("capacity", ["3", None, 2.0, 2.5, [], b"1", object()], ids=repr)
@rings
def test_a_capacity_is_a_whole_number(kind: Kind, capacity: object) -> None:
    with pytest.raises(TypeError):
        kind.cls(capacity)


@rings
def test_a_capacity_must_be_given(kind: Kind) -> None:
    with pytest.raises(TypeError):
        kind.cls()
    with pytest.raises(TypeError):
        kind.cls(1, 2)
    with pytest.raises(TypeError):
        kind.cls(size=2)
    assert kind.cls(**{kind.bound: 2}).maxsize == 2


@pytest.mark.parametrize(
    "capacity",
    [2**44, 2**56, 2**59, 2**60, 2**61, 2**62, sys.maxsize - 1, sys.maxsize, 2**63, 2**64, 2**200],
)
@on("preallocated")
def test_a_capacity_beyond_memory_is_refused(kind: Kind, capacity: int) -> None:
    """No overflow in the size computation, and nothing half built behind."""
    with pytest.raises((MemoryError, OverflowError, ValueError)):
        kind.cls(capacity)


@rings
def test_whatever_has_an_index_is_a_capacity(kind: Kind) -> None:
    assert kind.cls(Indexable()).maxsize == 3
    assert kind.cls(True).maxsize == 1
    with pytest.raises(ZeroDivisionError):
        kind.cls(FailingIndex())


@on("resizable", ours=True)
def test_maxsize_is_a_whole_number(kind: Kind) -> None:
    for wrong in ("3", None, [], object()):  # with what the standard class raises, and when
        with pytest.raises(TypeError):
            kind.cls(wrong).put(1)
    q = kind.cls(2.5)
    assert (q.maxsize, q.put_many(range(5), block=False)) == (2.5, 3)
    with pytest.raises(TypeError):
        kind.cls(1, 2)
    with pytest.raises(TypeError):
        kind.cls(size=2)
    assert kind.cls(Indexable()).maxsize == 3
    assert kind.cls(maxsize=4).maxsize == 4


@pytest.mark.parametrize("maxsize", [2**31, 2**40, 2**62, sys.maxsize])
@on("resizable", ours=True)
def test_a_large_bound_costs_nothing_until_it_is_used(kind: Kind, maxsize: int) -> None:
    """The standard library's queues take such a bound, and grow as they fill."""
    q = kind.cls(maxsize)
    assert q.maxsize == maxsize
    for n in range(1000):
        q.put_nowait(n)
    assert not q.full()
    assert sys.getsizeof(q) < 1 << 20
    assert [q.get() for _ in range(1000)] == kind.ordered(range(1000))


def test_simple_queue_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        fastprims.SimpleQueue(3)
    with pytest.raises(TypeError):
        fastprims.SimpleQueue(maxsize=3)
    assert fastprims.SimpleQueue().maxsize == 0
    assert fastprims.SimpleQueue().full() is False


@on("bounded", ours=True)
def test_a_failed_call_leaves_the_queue_usable(kind: Kind) -> None:
    q = kind.make(1)
    for _ in range(50):
        for call in (
            lambda: q.put(1, True, "x"),
            lambda: q.get(True, "x"),
            lambda: q.put_many(3),
            lambda: q.get_many("x"),
        ):
            with pytest.raises(TypeError):
                call()
    q.put(1)
    with pytest.raises(Full):
        q.put_nowait(2)
    assert q.get() == 1
