"""SPSCRing: one producer thread and one consumer thread, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.threads import blocked, run_threads, spawn

from fastprims import ShutDown, SPSCRing

PRODUCING: dict[str, Callable[[Any], Any]] = {
    "put": lambda q: q.put(1),
    "put_nowait": lambda q: q.put_nowait(1),
    "try_put": lambda q: q.try_put(1),
    "put_many": lambda q: q.put_many([1]),
    "release_producer": lambda q: q.release_producer(),
}

CONSUMING: dict[str, Callable[[Any], Any]] = {
    "get": lambda q: q.get(timeout=1),
    "get_nowait": lambda q: q.get_nowait(),
    "try_get": lambda q: q.try_get(),
    "get_many": lambda q: q.get_many(1),
    "release_consumer": lambda q: q.release_consumer(),
}


@pytest.mark.parametrize("call", PRODUCING.values(), ids=PRODUCING)
def test_a_second_producer_is_refused(call: Callable[[Any], Any]) -> None:
    q: SPSCRing[Any] = SPSCRing(4)
    q.put("mine")
    with pytest.raises(RuntimeError) as caught:
        spawn(call, q).result()
    assert "producer" in str(caught.value)
    assert q.qsize() == 1
    q.put("mine too")
    assert q.get_many(9) == ["mine", "mine too"]


@pytest.mark.parametrize("call", CONSUMING.values(), ids=CONSUMING)
def test_a_second_consumer_is_refused(call: Callable[[Any], Any]) -> None:
    q: SPSCRing[Any] = SPSCRing(4)
    q.put_many([1, 2, 3])
    assert q.get() == 1
    with pytest.raises(RuntimeError) as caught:
        spawn(call, q).result()
    assert "consumer" in str(caught.value)
    assert q.get_many(9) == [2, 3]


def test_the_roles_may_lie_with_two_threads_or_one() -> None:
    q: SPSCRing[int] = SPSCRing(2)
    q.put(1)
    assert q.get() == 1  # both here
    q.release_consumer()
    q.put(2)
    assert spawn(q.get).result() == 2  # the consumer elsewhere
    q.put(3)  # and this thread still produces


def test_a_released_role_can_be_taken_by_another_thread() -> None:
    q: SPSCRing[int] = SPSCRing(8)
    q.put(1)
    q.release_producer()

    def produce_and_release() -> None:
        q.put(2)
        q.release_producer()

    spawn(produce_and_release).result()
    q.put(3)
    assert q.get() == 1
    q.release_consumer()

    def consume_and_release() -> list[int]:
        got = [q.get()]
        q.release_consumer()
        return got

    assert spawn(consume_and_release).result() == [2]
    assert q.get() == 3


def test_releasing_a_role_nobody_has_is_no_error() -> None:
    q: SPSCRing[int] = SPSCRing(1)
    q.release_producer()
    q.release_consumer()
    q.release_producer()
    q.put(1)
    assert q.get() == 1


def test_a_refused_claim_claims_nothing() -> None:
    """Looking at the queue takes no role, and neither does shutting it down."""
    q: SPSCRing[int] = SPSCRing(4)

    def look() -> None:
        for call in (q.qsize, q.empty, q.full, q.stats, q.__len__, q.__repr__):
            call()
        assert q.maxsize == 4 and q.is_shutdown is False

    spawn(look).result()
    q.put(1)
    look()
    assert q.get() == 1
    spawn(look).result()
    spawn(q.shutdown).result()
    assert q.is_shutdown


def test_only_one_of_many_rivals_gets_a_role() -> None:
    for _ in range(50):
        q: SPSCRing[int] = SPSCRing(64)

        def claim() -> bool:
            try:
                return q.try_put(1)
            except RuntimeError:
                return False

        assert sum(run_threads(*[claim] * 4)) == 1
        assert q.qsize() == 1


def test_shutdown_from_a_third_thread_wakes_both_ends() -> None:
    q: SPSCRing[int] = SPSCRing(1)
    getter = blocked(q.get)
    spawn(q.shutdown).result()
    with pytest.raises(ShutDown):
        getter.result()


def test_the_handed_over_ring_keeps_order_and_count() -> None:
    """A role that wanders from thread to thread loses and repeats nothing."""
    q: SPSCRing[int] = SPSCRing(3)
    got: list[int] = []

    def produce(start: int) -> None:
        for n in range(start, start + 10):
            q.put(n)
        q.release_producer()

    def consume() -> None:
        for _ in range(10):
            got.append(q.get())
        q.release_consumer()

    for lap in range(30):
        run_threads(lambda lap=lap: produce(10 * lap), consume)
    assert got == list(range(300))
