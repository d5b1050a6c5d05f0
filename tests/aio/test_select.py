"""select and Selector, as a thread and as tasks of every kind of loop ask them."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.loops import run
from support.selects import Ask, taken
from support.threads import SETTLE, blocked, spawn

import fastprims
from fastprims import (
    AtomicFlag,
    BoundedChannel,
    LifoQueue,
    MPMCRing,
    PriorityQueue,
    Queue,
    Selected,
    Selector,
    SimpleQueue,
    SPSCRing,
    aio,
)

BOUNDED: dict[str, Callable[[], Any]] = {
    "Queue": lambda: Queue(2),
    "LifoQueue": lambda: LifoQueue(2),
    "PriorityQueue": lambda: PriorityQueue(2),
    "MPMCRing": lambda: MPMCRing(2),
    "SPSCRing": lambda: SPSCRing(2),
    "BoundedChannel": lambda: BoundedChannel(2),
    "aio.Queue": lambda: aio.Queue(2).sync_q,
}
ALL = BOUNDED | {"SimpleQueue": SimpleQueue}


# What can take place at once. -------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_get(ask: Ask, name: str) -> None:
    empty, q = ALL[name](), ALL[name]()
    q.put(7)
    answer = ask(empty.get, q.get)
    assert taken(answer) == (1, 7, False)
    assert answer is not None and answer.source is q
    assert q.qsize() == empty.qsize() == 0


@pytest.mark.parametrize("name", ALL)
def test_a_put(ask: Ask, name: str) -> None:
    q, empty = ALL[name](), Queue[int]()
    assert taken(ask(empty.get, (q.put, 7))) == (1, None, False)
    assert q.get_nowait() == 7


def test_a_flag(ask: Ask) -> None:
    flag, empty = AtomicFlag(), Queue[int]()
    assert ask(empty.get, flag, timeout=0) is None
    flag.test_and_set()
    answer = ask(empty.get, flag)
    assert taken(answer) == (1, True, False)
    assert answer is not None and answer.source is flag


def test_a_timer(ask: Ask) -> None:
    tick, empty = fastprims.after(0.02), Queue[int]()
    began = time.monotonic()
    answer = ask(empty.get, tick)
    assert taken(answer) == (1, None, False)
    assert answer is not None and answer.source is tick
    assert time.monotonic() - began > 0.015


def test_an_end_stands_for_its_queue(ask: Ask) -> None:
    q = Queue[int](1)
    end = q.async_q
    answer = ask((end.put, 3))
    assert answer is not None and answer.source is end
    assert taken(ask(end.get)) == (0, 3, False)
    with pytest.raises(ValueError, match="in the set already"):
        ask(end.get, (q.put, 1))


def test_one_takes_place_and_the_others_do_not(ask: Ask) -> None:
    queues = [Queue[int](1) for _ in range(5)]
    for n, q in enumerate(queues):
        q.put(n)
    outlet = Queue[int](1)
    left = {0, 1, 2, 3, 4, 5}
    for _ in range(6):
        index, value, _ = taken(ask(*[q.get for q in queues], (outlet.put, 9), timeout=0))
        assert value == (None if index == 5 else index)
        left.remove(index)
        assert [q.qsize() for q in queues] == [int(n in left) for n in range(5)]
        assert outlet.qsize() == int(5 not in left)
    assert ask(*[q.get for q in queues], (outlet.put, 9), timeout=0) is None


@pytest.mark.parametrize("name", ALL)
def test_a_queue_that_was_shut_down_counts_as_ready(ask: Ask, name: str) -> None:
    q, empty = ALL[name](), Queue[int]()
    q.put(1)
    q.shutdown()
    assert taken(ask(empty.get, (q.put, 2))) == (1, None, True)
    assert taken(ask(empty.get, q.get)) == (1, 1, False)
    assert taken(ask(empty.get, q.get)) == (1, None, True)


def test_time_outs(ask: Ask) -> None:
    full, empty = Queue[int](1), Queue[int]()
    full.put(1)
    assert ask(empty.get, (full.put, 2), timeout=0) is None
    began = time.monotonic()
    assert ask(empty.get, (full.put, 2), timeout=0.05) is None
    assert 0.04 < time.monotonic() - began < 5
    assert full.qsize() == 1


# Waiting. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_put_wakes(ask: Ask, name: str) -> None:
    q, empty = ALL[name](), Queue[int]()
    asking = blocked(ask, empty.get, q.get)
    q.put(7)
    assert taken(asking.result()) == (1, 7, False)
    assert q.qsize() == 0


@pytest.mark.parametrize("name", BOUNDED)
def test_a_get_wakes(ask: Ask, name: str) -> None:
    q, empty = BOUNDED[name](), Queue[int]()
    q.put(1)
    q.put(2)
    if isinstance(q, SPSCRing):
        q.release_producer()
    asking = blocked(ask, empty.get, (q.put, 3))
    got = [q.get()]
    assert taken(asking.result()) == (1, None, False)
    got += [q.get(timeout=0), q.get(timeout=0)]
    assert sorted(got) == [1, 2, 3]


def test_a_change_of_a_flag_wakes(ask: Ask) -> None:
    flag, empty = AtomicFlag(), Queue[int]()
    asking = blocked(ask, empty.get, flag)
    flag.test_and_set()
    assert taken(asking.result()) == (1, True, False)


@pytest.mark.parametrize("name", ALL)
def test_shutdown_wakes(ask: Ask, name: str) -> None:
    q, empty = ALL[name](), Queue[int]()
    asking = blocked(ask, empty.get, q.get)
    q.shutdown()
    assert taken(asking.result()) == (1, None, True)


def test_an_open_queue_is_polled(ask: Ask) -> None:
    q, empty = Queue[int](), Queue[int]()
    with q.mutex:
        pass
    asking = blocked(ask, empty.get, q.get)
    q.put(7)
    assert taken(asking.result()) == (1, 7, False)


def test_a_queue_that_is_opened_meanwhile(ask: Ask) -> None:
    q, empty = Queue[int](), Queue[int]()
    asking = blocked(ask, empty.get, q.get)
    with q.mutex:
        pass
    q.put(7)
    assert taken(asking.result()) == (1, 7, False)


def test_a_channel_with_a_rate(ask: Ask) -> None:
    q, empty = BoundedChannel[int](8, rate=(50, 1)), Queue[int]()
    q.put(0)
    began = time.monotonic()
    assert taken(ask(empty.get, (q.put, 1))) == (1, None, False)
    assert time.monotonic() - began > 0.01
    assert q.get_many(9) == [0, 1]


def test_a_class_of_ones_own(ask: Ask) -> None:
    class Doubling(Queue[int]):
        def get(self, block: bool = True, timeout: float | None = None) -> int:
            return 2 * super().get(block, timeout)

    q, empty = Doubling(), Queue[int]()
    asking = blocked(ask, empty.get, q.get)
    q.put(4)
    assert taken(asking.result()) == (1, 8, False)


# Order. -----------------------------------------------------------------------------------------


def test_chance_decides_among_those_that_are_ready(ask: Ask) -> None:
    calls = 200
    a, b, c = Queue[int](), Queue[int](), Queue[int]()
    a.put_many([0] * calls)
    c.put_many([0] * calls)
    seen = Counter(taken(ask(a.get, b.get, c.get))[0] for _ in range(calls))
    assert set(seen) == {0, 2}
    assert min(seen.values()) > calls // 5  # by chance less often than once in 10**18


def test_biased_keeps_to_the_order(ask: Ask) -> None:
    a, b = Queue[int](), Queue[int]()
    a.put_many([0] * 5)
    b.put_many([0] * 5)
    seen = [taken(ask(a.get, b.get, biased=True))[0] for _ in range(10)]
    assert seen == [0] * 5 + [1] * 5


def test_a_selector_goes_round(ask: Ask) -> None:
    queues = [Queue[int]() for _ in range(4)]
    selector = Selector(*[q.get for q in queues])
    assert ask(selector, timeout=0) is None
    for q in (*queues[:2], queues[3]):
        q.put_many([0] * 6)
    seen = [taken(ask(selector))[0] for _ in range(18)]
    assert Counter(seen[:9]) == Counter(seen[9:]) == {0: 3, 1: 3, 3: 3}


def test_a_biased_selector(ask: Ask) -> None:
    queues = [Queue[int]() for _ in range(3)]
    selector = Selector(*[q.get for q in queues], biased=True)
    assert ask(selector, timeout=0) is None
    for q in reversed(queues):
        q.put_many([0, 0])
    assert [taken(ask(selector))[0] for _ in range(6)] == [0, 0, 1, 1, 2, 2]
    queues[2].put(0)
    assert taken(ask(selector))[0] == 2
    queues[2].put(0)
    queues[0].put(0)
    assert taken(ask(selector))[0] == 0


def test_classes_that_know_their_arguments(ask: Ask) -> None:
    class Urgent(Selector):
        def __init__(self) -> None:
            super().__init__(*[q.get for q in queues], biased=True)

    class Soon(fastprims.after):
        def __init__(self) -> None:
            super().__init__(0.02)

    queues = [Queue[int]() for _ in range(2)]
    for q in queues:
        q.put_many([0, 0])
    selector = Urgent()
    assert [taken(ask(selector))[0] for _ in range(4)] == [0, 0, 1, 1]
    tick = Soon()
    assert tick.seconds == 0.02 and ask(queues[0].get, tick, timeout=0) is None
    answer = ask(queues[0].get, tick)
    assert answer is not None and answer.source is tick


# A set. -----------------------------------------------------------------------------------------


def test_what_happens_once_leaves_the_set(ask: Ask) -> None:
    q, inlet, closed = Queue[int](), Queue[int](2), Queue[int]()
    closed.shutdown()
    selector = Selector((inlet.put, 5), fastprims.after(0), closed.get, q.get)
    assert len(selector) == 4
    assert {taken(ask(selector, timeout=1))[0] for _ in range(3)} == {0, 1, 2}
    assert len(selector) == 1 and inlet.qsize() == 1
    assert ask(selector, timeout=0) is None
    q.put(1)
    assert taken(ask(selector)) == (3, 1, False)
    assert len(selector) == 1


def test_a_set_changes(ask: Ask) -> None:
    a, b = Queue[int](), Queue[int]()
    selector = Selector(a.get)
    assert ask(selector, timeout=0) is None
    assert selector.add(b.get) == 1
    b.put(1)
    assert taken(ask(selector)) == (1, 1, False)
    selector.remove(1)
    with pytest.raises(KeyError):
        selector.remove(1)
    b.put(2)
    assert ask(selector, timeout=0) is None and b.qsize() == 1
    assert selector.add((b.put, 3)) == 2
    assert taken(ask(selector)) == (2, None, False)
    assert selector.add(b.get) == 3
    assert taken(ask(selector)) == (3, 2, False)


def test_threads_and_tasks_ask_the_same_selector(loop_kind: str) -> None:
    a, b = Queue[int](), Queue[int]()
    selector = Selector(a.get, b.get)
    for n in range(3):
        b.put(n)
        assert taken(selector.select()) == (1, n, False)
        asking = blocked(run, lambda: selector.select_async(), loop_kind)
        a.put(n)
        assert taken(asking.result()) == (0, n, False)
        asking = blocked(selector.select)
        b.put(n)
        assert taken(asking.result()) == (1, n, False)


def test_one_asks_at_a_time() -> None:
    q = Queue[int]()
    selector = Selector(q.get)
    asking = blocked(selector.select)
    with pytest.raises(RuntimeError, match="another thread or task"):
        selector.select(0)
    with pytest.raises(RuntimeError, match="another thread or task"):
        selector.add(Queue[int]().get)
    with pytest.raises(RuntimeError, match="another thread or task"):
        run(lambda: selector.select_async(0))
    q.put(1)
    assert taken(asking.result()) == (0, 1, False)
    assert selector.select(0) is None


# Turns. -----------------------------------------------------------------------------------------


async def ask_in_thread(selector: Selector) -> Selected | None:
    return selector.select(0)


async def ask_in_task(selector: Selector) -> Selected | None:
    return await selector.select_async(0)


@pytest.mark.parametrize("ask_once", [ask_in_thread, ask_in_task])
@pytest.mark.parametrize("name", ALL)
async def test_an_idle_selector_takes_no_turn(name: str, ask_once: Any) -> None:
    if name == "SPSCRing":
        pytest.skip("one consumer")
    q = ALL[name]()
    selector = Selector(q.get)
    assert await ask_once(selector) is None
    getter = asyncio.create_task(q.async_q.get())
    await asyncio.sleep(0)
    q.put(7)
    assert await asyncio.wait_for(getter, 20) == 7
    assert await ask_once(selector) is None


async def test_a_turn_that_is_not_used_passes_on() -> None:
    a, b = Queue[int](), Queue[int]()
    asking = asyncio.create_task(aio.select(a.get, b.get, biased=True))
    await asyncio.sleep(0)
    getter = asyncio.create_task(b.async_q.get())
    await asyncio.sleep(0)
    b.put(1)  # the turn is the selecting task's
    a.put(2)  # but this comes first there
    assert taken(await asking) == (0, 2, False)
    assert await asyncio.wait_for(getter, 20) == 1


async def test_a_cancelled_call_passes_its_turn_on() -> None:
    q, empty = Queue[int](), Queue[int]()
    asking = asyncio.create_task(aio.select(empty.get, q.get))
    await asyncio.sleep(0)
    getter = asyncio.create_task(q.async_q.get())
    await asyncio.sleep(0)
    q.put(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.wait_for(getter, 20) == 1


def test_a_thread_that_waits_too_is_woken(ask: Ask) -> None:
    q, empty = Queue[int](), Queue[int]()
    asking = blocked(ask, empty.get, q.get)
    getting = blocked(q.get)
    q.put_many([1, 2])
    assert {taken(asking.result())[1], getting.result()} == {1, 2}


def test_one_notification_for_many_items(ask: Ask) -> None:
    q = Queue[int]()
    asking = [blocked(ask, q.get) for _ in range(3)]
    q.put_many([1, 2, 3])
    assert sorted(taken(task.result())[1] for task in asking) == [1, 2, 3]


# Ends. ------------------------------------------------------------------------------------------


def test_selectors_keep_nothing_alive(ask: Ask) -> None:
    class Thing:
        pass

    q, empty = Queue[Thing](1), Queue[Thing]()
    q.put(Thing())
    thing = Thing()
    gone = weakref.ref(thing)
    selector = Selector(empty.get, (q.put, thing))
    assert ask(selector, timeout=0.01) is None
    del selector, thing
    gc.collect()
    assert gone() is None
    kept = weakref.ref(empty)
    selector = Selector(empty.get)
    assert ask(selector, timeout=0.01) is None
    del empty
    assert kept() is not None
    del selector
    gc.collect()
    assert kept() is None


def test_a_cycle_through_a_selector_is_collected(ask: Ask) -> None:
    class Holder:
        selector: Selector

    q = Queue[Any](1)
    q.put(0)
    holder = Holder()
    holder.selector = Selector((q.put, holder), AtomicFlag())
    assert ask(holder.selector, timeout=0.01) is None
    gone, queue_gone = weakref.ref(holder), weakref.ref(q)
    del holder, q
    gc.collect()
    assert gone() is None and queue_gone() is None


def test_the_loop_is_closed_while_listed(loop_kind: str) -> None:
    q, empty = Queue[int](), Queue[int]()
    selector = Selector(empty.get, q.get)
    assert run(lambda: selector.select_async(0.01), loop_kind) is None
    getter = blocked(q.get)
    q.put(1)
    assert getter.result() == 1
    q.put(2)
    assert taken(selector.select(0)) == (1, 2, False)
    assert run(lambda: selector.select_async(0.01), loop_kind) is None


def test_the_asking_task_is_dropped_with_its_loop() -> None:
    q = Queue[int]()
    loop = asyncio.new_event_loop()
    selector = Selector(q.get)

    async def main() -> None:
        task = asyncio.ensure_future(selector.select_async())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()

    loop.run_until_complete(main())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    q.put(1)
    assert taken(selector.select(0)) == (0, 1, False)


def test_a_thread_that_ends_leaves_the_selector_to_others() -> None:
    q = Queue[int]()
    selector = Selector(q.get)
    assert spawn(selector.select, 0.01).result() is None
    q.put(1)
    assert taken(spawn(selector.select).result()) == (0, 1, False)


def test_many_threads_select_over_the_same_queues() -> None:
    queues = [Queue[int](2) for _ in range(3)]
    got: list[list[int]] = [[] for _ in range(8)]
    done = AtomicFlag()

    def take(mine: list[int]) -> None:
        selector = Selector(*[q.get for q in queues], done)
        while True:
            answer = selector.select(timeout=60)
            assert answer is not None
            if answer.source is done:
                return
            mine.append(answer.value)

    takers = [spawn(take, mine) for mine in got]

    def give(n: int) -> None:
        for i in range(300):
            item = n * 1000 + i
            answer = fastprims.select(*[(q.put, item) for q in queues], timeout=60)
            assert answer is not None

    for giver in [spawn(give, n) for n in range(4)]:
        giver.result()
    deadline = time.monotonic() + 60
    while any(q.qsize() for q in queues) and time.monotonic() < deadline:
        time.sleep(SETTLE)
    done.test_and_set()
    for taker in takers:
        taker.result()
    assert sorted(n for mine in got for n in mine) == sorted(
        n * 1000 + i for n in range(4) for i in range(300)
    )


def test_repr() -> None:
    q = Queue[int]()
    q.put(3)
    selector = Selector(q.get, fastprims.after(1.5))
    assert "fastprims.Selector of 2 operations" in repr(selector)
    assert "value=3, closed=False" in repr(selector.select())
    assert repr(fastprims.after(1.5)) == "fastprims.after(1.5)"
