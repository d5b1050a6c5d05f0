"""BoundedChannel with a rate: what comes too fast waits, is rejected, or is dropped and counted."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from queue import Full
from typing import Any

import pytest
from support.isolate import run_child
from support.threads import blocked, run_threads, spawn

from fastprims import BoundedChannel, ItemTooLarge, ShutDown

NEVER = 1e-6  # a token in eleven days
POLICIES = ["block", "reject", "drop_newest", "drop_oldest"]
every_policy = pytest.mark.parametrize("overflow", POLICIES)


def drops(q: Any) -> dict[str, int]:
    stats = q.stats()
    assert stats.offered == stats.gets + stats.size + sum(stats.drops.values())
    return {reason: n for reason, n in stats.drops.items() if n}


def slow(overflow: str, burst: int = 3, maxsize: int = 99, **options: Any) -> Any:
    """A channel that takes `burst` items, and then none."""
    return BoundedChannel(maxsize, overflow=overflow, rate=(NEVER, burst), **options)


@every_policy
def test_within_the_rate_it_is_a_queue(overflow: str) -> None:
    q = slow(overflow)
    q.put(0)
    q.put_nowait(1)
    assert q.try_put(2) is True
    assert [q.get() for _ in range(3)] == [0, 1, 2]
    assert drops(q) == {}


@pytest.mark.parametrize("overflow", ["block", "reject"])
def test_beyond_it_full_is_raised(overflow: str) -> None:
    q = slow(overflow, burst=1)
    q.put(0)
    began = time.monotonic()
    calls = [
        q.put_nowait,
        lambda item: q.put(item, timeout=60),
        lambda item: q.put_many([item], True, 60),
    ]
    for call in calls:
        with pytest.raises(Full):
            call(1)
    assert q.try_put(1) is False
    assert time.monotonic() - began < 30  # it is clear at once that no token will come in time
    assert q.get() == 0
    assert drops(q) == {"rate": 4}


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_beyond_it_the_item_that_comes_is_dropped(overflow: str) -> None:
    q = slow(overflow, burst=2)
    assert q.put_many(range(4)) == 2
    assert q.put(4) is None
    assert q.put_nowait(5) is None
    assert q.put(6, timeout=60) is None
    assert q.try_put(7) is False
    assert [q.get() for _ in range(q.qsize())] == [0, 1]
    assert drops(q) == {"rate": 6}


def test_block_waits_for_its_turn() -> None:
    q: Any = BoundedChannel(99, rate=(50, 1))
    began = time.monotonic()
    for n in range(6):
        q.put(n)
    assert time.monotonic() - began >= 5 / 50 - 0.001
    assert q.put_many([6, 7]) == 2
    assert time.monotonic() - began >= 7 / 50 - 0.001
    assert drops(q) == {}


def test_one_timeout_for_both_waits() -> None:
    """First for the rate, then for room."""
    q: Any = BoundedChannel(1, rate=(20, 1))
    q.put(0)
    began = time.monotonic()
    with pytest.raises(Full):
        q.put(1, timeout=0.12)
    took = time.monotonic() - began
    assert 0.12 <= took < 0.17 + 5  # the token after 0.05 s, and no room
    assert drops(q) == {"full": 1}


@pytest.mark.parametrize("options", [{}, {"max_item_size": 9}], ids=["plain", "measured"])
@every_policy
def test_a_token_is_used_once_with_or_without_room(overflow: str, options: Any) -> None:
    q = slow(overflow, burst=4, maxsize=1, **options)
    q.put("a")
    assert q.try_put("b") is (overflow == "drop_oldest")
    try:
        q.put("c", timeout=0)
    except Full:
        assert overflow in ("block", "reject")
    q.get()
    assert q.try_put("d") is True  # the fourth token
    q.get()
    assert q.try_put("e") is False
    found = drops(q)
    assert found.pop("rate") == 1
    assert sum(found.values()) == 2


def test_what_is_too_large_uses_no_token() -> None:
    q = slow("reject", burst=1, max_item_size=1)
    for _ in range(3):
        with pytest.raises(ItemTooLarge):
            q.put("long")
    q.put("a")
    assert drops(q) == {"oversized": 3}


def test_a_batch_is_paced_item_by_item() -> None:
    q = slow("reject", burst=3)
    assert q.put_many(range(5)) == 3
    with pytest.raises(Full):
        q.put_many([5])
    found = drops(q)
    assert sum(found.values()) == 3 and set(found) <= {"rate", "full"}


@every_policy
def test_a_number_allows_what_a_second_brings(overflow: str) -> None:
    assert BoundedChannel(1, overflow=overflow, rate=250).rate == (250, 250)
    assert BoundedChannel(1, overflow=overflow, rate=0.5).rate == (0.5, 1)
    assert BoundedChannel(1, overflow=overflow, rate=(10, 3)).rate == (10, 3)
    assert BoundedChannel(1, overflow=overflow).rate is None


@pytest.mark.parametrize(
    ("rate", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (1e10, ValueError),
        (1e-10, ValueError),
        ((1, 0), ValueError),
        ((1, -1), ValueError),
        ((1, 2, 3), ValueError),
        ((1,), ValueError),
        ((1e-9, 2**70), OverflowError),
        ((1, 2**70), OverflowError),
        ((1e9, 2**63), OverflowError),
        ("fast", (TypeError, ValueError)),
        ([1, 2], TypeError),
        ((1, 2.5), TypeError),
        (("fast", 1), (TypeError, ValueError)),
    ],
    ids=repr,
)
def test_a_rate_that_cannot_be_is_refused(rate: Any, error: Any) -> None:
    with pytest.raises(error):
        BoundedChannel(3, rate=rate)


def test_the_largest_burst_works() -> None:
    q: Any = BoundedChannel(3, rate=(1e9, 10**18))
    q.put(1)
    assert q.get() == 1


def test_shutdown_wakes_threads_that_wait_for_the_rate() -> None:
    q = slow("block", burst=1)
    q.put(0)
    waiting = [blocked(q.put, 1), blocked(q.put_many, [1, 2])]
    waiting.append(blocked(lambda: q.put(1, timeout=1e9)))
    q.shutdown()
    for task in waiting:
        with pytest.raises(ShutDown):
            task.result(10)
    assert q.get() == 0
    assert drops(q) == {}


def test_news_of_room_reaches_a_thread_that_waits_for_room() -> None:
    """And not the many threads that wait for the rate."""
    q = slow("block", burst=2, maxsize=1)
    q.put(0)
    for_room = blocked(q.put, 1)
    for_rate = [spawn(q.put, n) for n in range(2, 22)]
    time.sleep(0.05)
    assert q.get() == 0
    for_room.result(10)
    assert q.get() == 1
    q.shutdown()
    for task in for_rate:
        with pytest.raises(ShutDown):
            task.result(10)


def test_the_rate_is_told() -> None:
    told: Counter[str] = Counter()
    q = slow("drop_oldest", on_pressure=lambda report: told.update(report.drops))
    q.put_many(range(10))
    q.shutdown()
    assert told == {"rate": 7}


@pytest.mark.stress
@every_policy
def test_a_hundred_threads_keep_to_the_rate(overflow: str, scale: Any) -> None:
    q: Any = BoundedChannel(10**6, overflow=overflow, rate=(200, 5))
    stop = threading.Event()

    def put() -> int:
        tried = 0
        while tried == 0 or not stop.is_set():  # the threads may take longer to start
            q.try_put(tried)
            tried += 1
            time.sleep(0.002)
        return tried

    began = time.monotonic()
    stopper = threading.Timer(scale(1) * 0.5, stop.set)
    stopper.start()
    tried = sum(run_threads(*[put] * 100))
    took = time.monotonic() - began
    stopper.join()
    assert 5 <= q.qsize() <= 5 + 200 * took + 1
    assert drops(q) == {"rate": tried - q.qsize()}


def interrupt() -> list[object]:
    """Ctrl-C ends the wait for the rate, with nothing stored and no token used."""
    import os
    import signal
    import threading
    import time

    import fastprims

    signal.signal(signal.SIGINT, signal.default_int_handler)
    q = fastprims.BoundedChannel(9, rate=(1e-6, 1))
    q.put(0)
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    try:
        q.put(1)
    except KeyboardInterrupt:
        pass
    timer.join()
    return [time.monotonic() - began < 5, q.qsize(), sum(q.stats().drops.values())]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_control_c_ends_the_wait_for_the_rate() -> None:
    assert run_child(interrupt) == [True, 1, 0]
