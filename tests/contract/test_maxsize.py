"""The bound may be moved while the queue is in use."""

from __future__ import annotations

import sys
from queue import Full

import pytest
from support.kinds import Kind, having, on
from support.threads import blocked, wait_until

resizable = on("resizable")


@resizable
def test_shrinking_keeps_the_items_and_refuses_more(kind: Kind) -> None:
    q = kind.make(3)
    for n in range(3):
        q.put(n)
    q.maxsize = 2
    assert q.maxsize == 2
    assert q.full() is True
    assert q.qsize() == 3
    with pytest.raises(Full):
        q.put_nowait(9)
    q.get()
    with pytest.raises(Full):
        q.put_nowait(9)
    q.get()
    q.put_nowait(9)
    assert q.qsize() == 2
    assert q.full()


@resizable
def test_growing_makes_room(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    q.maxsize = 100
    assert q.full() is False
    for n in range(1, 100):
        q.put_nowait(n)
    with pytest.raises(Full):
        q.put_nowait(100)
    assert [q.get() for _ in range(100)] == kind.ordered(range(100))


@resizable
def test_a_bound_can_be_removed_and_set_again(kind: Kind) -> None:
    q = kind.make(2)
    q.put(0)
    q.put(1)
    for unbounded in (0, -1):
        q.maxsize = unbounded
        assert q.maxsize == unbounded
        assert q.full() is False
        for n in range(2, 500):
            q.put_nowait(n)
        for n in range(2, 500):
            q.get_nowait()
    q.maxsize = 2
    assert q.full() is True
    with pytest.raises(Full):
        q.put_nowait(9)


@resizable
def test_an_unbounded_queue_can_be_bounded_below_its_size(kind: Kind) -> None:
    q = kind.make()
    for n in range(1000):
        q.put(n)
    q.maxsize = 10
    with pytest.raises(Full):
        q.put_nowait(0)
    assert [q.get() for _ in range(1000)] == kind.ordered(range(1000))
    for n in range(10):
        q.put_nowait(n)
    with pytest.raises(Full):
        q.put_nowait(10)


@pytest.mark.parametrize("bounds", [(1, 2), (2, 1), (3, 5, 2), (1, 0, 1), (7, 3, 9, 1, 4)])
@resizable
def test_order_survives_moving_the_bound(kind: Kind, bounds: tuple[int, ...]) -> None:
    q = kind.make(bounds[0])
    held: list[int] = []
    counter = 0
    for lap in range(60):
        q.maxsize = bounds[lap % len(bounds)]
        while counter < 10_000:
            try:
                q.put_nowait(counter)
            except Full:
                break
            held.append(counter)
            counter += 1
            if q.maxsize <= 0 and len(held) > 40:
                break
        for _ in range(len(held) // 2 + 1):
            expected = kind.ordered(held)[0]
            held.remove(expected)
            assert q.get_nowait() == expected
    assert [q.get_nowait() for _ in range(len(held))] == kind.ordered(held)


@resizable
def test_a_blocked_putter_sees_the_new_bound_at_the_next_get(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    putter = blocked(q.put, 1)
    q.maxsize = 3
    q.get()
    putter.result()


@on("resizable", ours=True)
def test_growing_wakes_blocked_putters_by_itself(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    putters = [blocked(q.put, n) for n in range(1, 4)]
    q.maxsize = 3
    wait_until(lambda: sum(not p.running for p in putters) == 2, "two putters go on")
    assert q.qsize() == 3
    q.maxsize = 0
    for putter in putters:
        putter.result()
    assert sorted(q.get() for _ in range(4)) == [0, 1, 2, 3]


@on("resizable", ours=True)
def test_the_bound_must_be_a_whole_number(kind: Kind) -> None:
    q = kind.make(2)
    q.maxsize = 2.5
    assert (q.maxsize, q.put_many(range(5), block=False)) == (2.5, 3)
    for wrong in ("3", None, []):  # as the standard class: refused when it is looked at
        q.maxsize = wrong
        assert q.maxsize is wrong
        with pytest.raises(TypeError):
            q.put(1)


@on("resizable", ours=True)
def test_a_bound_beyond_the_address_space_is_kept_or_refused(kind: Kind) -> None:
    """Never silently replaced by another bound."""
    for huge in (sys.maxsize, 2**63, 2**64, 2**200):
        q = kind.make(1)
        try:
            q.maxsize = huge
        except OverflowError:
            assert q.maxsize == 1
        else:
            assert q.maxsize == huge
        q.get(q.put(1))


@pytest.mark.parametrize("kind", [k for k in having(ours=True) if not k.resizable], ids=str)
def test_elsewhere_the_bound_is_fixed(kind: Kind) -> None:
    q = kind.make()
    before = q.maxsize
    with pytest.raises(AttributeError):
        q.maxsize = 5
    assert q.maxsize == before
