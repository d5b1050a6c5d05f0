"""Atomics under many threads: no change is lost, no object freed early or kept."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.threads import run_threads, switch_interval

from fastprims import AtomicFlag, AtomicInt, AtomicRef

pytestmark = pytest.mark.stress

Scale = Callable[[int], int]


@pytest.mark.parametrize("threads", [4, 100])
def test_no_change_of_an_integer_is_lost(threads: int, scale: Scale) -> None:
    n = scale(40_000 // threads)
    total, most, tripled = AtomicInt(), AtomicInt(), AtomicInt()
    tickets: list[list[int]] = [[] for _ in range(threads)]

    def work(i: int) -> None:
        counter = total
        for k in range(n):
            tickets[i].append(total.fetch_add(1))
            counter += 2
            most.fetch_max(k * threads + i)
            tripled.update(lambda v: v + 3)

    with switch_interval(1e-5):
        run_threads(*[lambda i=i: work(i) for i in range(threads)])
    assert total.load() == 3 * n * threads
    assert most.load() == n * threads - 1
    assert tripled.load() == 3 * n * threads
    drawn = [ticket for mine in tickets for ticket in mine]
    assert len(set(drawn)) == len(drawn), "two threads drew the same number"
    for mine in tickets:
        assert mine == sorted(mine)


class Counted:
    """Knows whether it was finalized."""

    made = AtomicInt()
    gone = AtomicInt()

    def __init__(self, payload: int) -> None:
        self.payload = payload
        self.alive = True
        Counted.made.fetch_add()

    def __del__(self) -> None:
        self.alive = False
        Counted.gone.fetch_add()


@pytest.mark.parametrize("threads", [3, 60])
def test_objects_loaded_are_alive_and_all_are_released(threads: int, scale: Scale) -> None:
    n = scale(30_000 // threads)
    places: list[AtomicRef[Any]] = [AtomicRef(Counted(-1)) for _ in range(2)]

    def work(i: int) -> None:
        for k in range(n):
            place = places[k % 2]
            found = place.load()
            assert found.alive
            if k % 5 == i % 5:
                place.store(Counted(k))
            elif k % 7 == 0:
                place.compare_exchange(found, places[1 - k % 2].load())
            elif k % 11 == 0:
                assert place.exchange(Counted(k)).alive
            assert found.alive

    with switch_interval(1e-5):
        run_threads(*[lambda i=i: work(i) for i in range(threads)])
    for place in places:
        place.store(None)
    gc.collect()
    assert Counted.made.load() == Counted.gone.load()


def test_updates_of_a_reference_are_not_lost(scale: Scale) -> None:
    n = scale(2000)
    r: AtomicRef[tuple[int, ...]] = AtomicRef((0,))

    def work() -> None:
        for _ in range(n):
            r.update(lambda old: (old[0] + 1,))

    with switch_interval(1e-5):
        run_threads(*[work] * 4)
    assert r.load() == (4 * n,)


def test_exactly_one_thread_sets_a_flag(scale: Scale) -> None:
    for _ in range(scale(100)):
        flag = AtomicFlag()
        answers = run_threads(*[flag.test_and_set] * 8)
        assert sorted(answers) == [False] + [True] * 7


def test_a_flag_serves_as_a_lock(scale: Scale) -> None:
    flag, inside = AtomicFlag(), []
    n = scale(1000)

    def work() -> None:
        for _ in range(n):
            while flag.test_and_set():
                flag.wait(False)
            inside.append(threading.get_ident())
            assert len(inside) == 1
            inside.pop()
            flag.clear()

    run_threads(*[work] * 4)
