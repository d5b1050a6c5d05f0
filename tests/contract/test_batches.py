"""put_many, get_many, try_put and try_get."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty, Full

import pytest
from support.kinds import Kind, on
from support.threads import blocked, run_threads, spawn

LONG = 30.0

ours = on(ours=True)
bounded = on("bounded", ours=True)


@ours
def test_try_get_gives_the_default_when_empty(kind: Kind) -> None:
    q, default = kind.make(), object()
    assert q.try_get() is None
    assert q.try_get(default) is default
    assert q.try_get(default=default) is default
    q.put(0)
    assert q.try_get(default) == 0


@ours
def test_try_get_tells_a_stored_none_by_its_default(kind: Kind) -> None:
    q, default = kind.make(), object()
    q.put(None)
    assert q.try_get(default) is None
    assert q.try_get(default) is default


@bounded
def test_try_put_says_whether_it_stored(kind: Kind) -> None:
    q = kind.make(2)
    assert q.try_put(1) is True
    assert q.try_put(2) is True
    assert q.try_put(3) is False
    assert q.qsize() == 2
    q.get()
    assert q.try_put(3) is True


@ours
def test_try_put_without_a_bound_always_stores(kind: Kind) -> None:
    q = kind.make()
    assert all(q.try_put(n) is True for n in range(3000))
    assert q.qsize() == 3000


@ours
def test_try_methods_check_their_arguments(kind: Kind) -> None:
    q = kind.make()
    for call in (
        q.try_put,
        lambda: q.try_put(1, 2),
        lambda: q.try_get(1, 2),
        q.put_many,
        q.get_many,
    ):
        with pytest.raises(TypeError):
            call()
    assert q.qsize() == 0


@pytest.mark.parametrize("shape", [list, tuple, iter, dict.fromkeys, lambda r: (n for n in r)])
@ours
def test_put_many_takes_any_iterable(kind: Kind, shape: object) -> None:
    q = kind.make()
    assert q.put_many(shape(range(10))) == 10
    assert q.qsize() == 10
    assert [q.get() for _ in range(10)] == kind.ordered(range(10))


@ours
def test_an_empty_batch_is_no_work(kind: Kind) -> None:
    q = kind.make()
    assert q.put_many([]) == 0
    assert q.put_many(iter(()), block=False) == 0
    assert q.put_many((), timeout=0) == 0
    assert q.qsize() == 0


@bounded
def test_an_empty_batch_fits_into_a_full_queue(kind: Kind) -> None:
    q = kind.make(1)
    q.put(1)
    assert q.put_many([]) == 0
    assert q.put_many([], block=False) == 0


@ours
def test_put_many_wants_an_iterable(kind: Kind) -> None:
    q = kind.make()
    for wrong in (None, 5, object()):
        with pytest.raises(TypeError):
            q.put_many(wrong)
    assert q.qsize() == 0


@pytest.mark.parametrize("maxsize", [1, 2, 3, 5])
@bounded
def test_put_many_stores_what_fits(kind: Kind, maxsize: int) -> None:
    q = kind.make(maxsize)
    assert q.put_many(range(maxsize + 7), block=False) == maxsize
    assert q.qsize() == maxsize
    with pytest.raises(Full):
        q.put_many([9], block=False)
    assert q.get_many(100) == kind.ordered(range(maxsize))
    assert q.put_many(range(maxsize + 7), timeout=0.01) == maxsize
    with pytest.raises(Full):
        q.put_many([9], timeout=0.01)
    with pytest.raises(Full):
        q.put_many([9], timeout=0)
    assert q.qsize() == maxsize


@bounded
def test_put_many_waits_until_all_is_stored(kind: Kind) -> None:
    q = kind.make(3)
    putter = blocked(q.put_many, range(50))
    got = [q.get(timeout=LONG) for _ in range(50)]
    assert putter.result() == 50
    assert sorted(got) == list(range(50))
    if kind.order == "fifo":
        assert got == list(range(50))


@bounded
def test_put_many_with_a_timeout_waits_for_part_of_the_batch(kind: Kind) -> None:
    q = kind.make(2)
    began = time.monotonic()
    assert q.put_many(range(5), timeout=0.08) == 2
    assert 0.07 <= time.monotonic() - began < 2.0


@ours
def test_put_many_wakes_every_getter_it_serves(kind: Kind) -> None:
    n = 1 if kind.roles else 6
    q = kind.make()
    getters = [blocked(q.get) for _ in range(n)]
    q.put_many(range(n))
    assert sorted(getter.result() for getter in getters) == list(range(n))


@bounded
def test_get_many_wakes_every_putter_it_makes_room_for(kind: Kind) -> None:
    n = 1 if kind.roles else 6
    q = kind.make(n)
    q.put_many(range(n))
    kind.hand_over_producer(q)
    putters = [blocked(q.put, n + i) for i in range(n)]
    assert len(q.get_many(n)) == n
    for putter in putters:
        putter.result()
    assert q.qsize() == n


@ours
def test_get_many_takes_what_is_there(kind: Kind) -> None:
    q = kind.make()
    q.put_many(range(10))
    expected = kind.ordered(range(10))
    assert q.get_many(4) == expected[:4]
    assert q.get_many(max_items=100) == expected[4:]
    assert q.empty()


@ours
def test_get_many_beyond_all_bounds_is_fine(kind: Kind) -> None:
    q = kind.make()
    q.put_many(range(5))
    assert q.get_many(2**31) == kind.ordered(range(5))
    q.put(1)
    assert q.get_many(2**62) == [1]


@ours
def test_get_many_waits_for_the_first_item_only(kind: Kind) -> None:
    q = kind.make()
    getter = blocked(q.get_many, 10)
    q.put("only")
    assert getter.result() == ["only"]


@ours
def test_get_many_says_empty_in_time(kind: Kind) -> None:
    q = kind.make()
    with pytest.raises(Empty):
        q.get_many(3, block=False)
    with pytest.raises(Empty):
        q.get_many(3, timeout=0)
    began = time.monotonic()
    with pytest.raises(Empty):
        q.get_many(3, timeout=0.06)
    assert 0.05 <= time.monotonic() - began < 2.0


@ours
def test_get_many_checks_its_numbers(kind: Kind) -> None:
    q = kind.make()
    q.put_many(range(3))
    with pytest.raises(ValueError):
        q.get_many(-1)
    for wrong in ("3", None, 2.5, []):
        with pytest.raises(TypeError):
            q.get_many(wrong)
    with pytest.raises(ValueError):
        q.get_many(1, timeout=-1)
    with pytest.raises(TypeError):
        q.get_many(1, timeout="1")
    assert q.qsize() == 3


@bounded
def test_put_many_checks_its_timeout(kind: Kind) -> None:
    q = kind.make(2)
    with pytest.raises(ValueError):
        q.put_many([1], timeout=-1)
    with pytest.raises(TypeError):
        q.put_many([1], timeout="1")
    assert q.qsize() == 0


class Interrupted(Exception):
    pass


def three_then_fail() -> Iterator[int]:
    yield from range(3)
    raise Interrupted


@ours
def test_an_iterable_that_fails_leaves_a_clean_queue(kind: Kind) -> None:
    """Its error comes through, and what was stored is a prefix stored once."""
    q = kind.make()
    with pytest.raises(Interrupted):
        q.put_many(three_then_fail())
    size = q.qsize()
    left = [q.get() for _ in range(size)]
    assert sorted(left) == list(range(size))
    if kind.tasks:
        assert q.unfinished_tasks == size
    q.put(1)
    assert q.get() == 1


@ours
def test_an_iterable_may_use_the_queue_it_feeds(kind: Kind) -> None:
    q = kind.make()

    def from_the_queue() -> Iterator[int]:
        for n in range(5):
            q.put(100 + n)
            yield n

    assert q.put_many(from_the_queue()) == 5
    assert sorted(q.get_many(100)) == [*range(5), *range(100, 105)]


@ours
def test_a_list_changed_while_its_batch_waits_is_safe(kind: Kind) -> None:
    q = kind.make(2) if kind.bounded else kind.make()
    batch = list(range(20))
    putter = spawn(q.put_many, batch)
    if kind.bounded:
        blocked(lambda: putter.result())
    batch.clear()
    got: list[int] = []
    while putter.running or not q.empty():
        try:
            got += q.get_many(3, timeout=0.2)
        except Empty:
            continue
    assert putter.result() == len(got)
    assert sorted(got) == list(range(len(got)))


@ours
def test_batches_and_single_items_mix(kind: Kind) -> None:
    q = kind.make(7) if kind.bounded else kind.make()

    def produce() -> None:
        sent = 0
        while sent < 3000:
            if sent % 3:
                q.put(sent)
                sent += 1
            else:
                batch = range(sent, min(sent + 11, 3000))
                assert q.put_many(batch) == len(batch)
                sent += len(batch)

    def consume() -> list[int]:
        got: list[int] = []
        while len(got) < 3000:
            if len(got) % 2:
                got.append(q.get())
            else:
                got += q.get_many(5)
        return got

    _, got = run_threads(produce, consume)
    assert sorted(got) == list(range(3000))
    if kind.order == "fifo":
        assert got == list(range(3000))
    assert q.empty()
