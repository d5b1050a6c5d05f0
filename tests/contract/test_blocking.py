"""Waiting: who blocks, for how long, and who is woken."""

from __future__ import annotations

import time
from queue import Empty, Full

import pytest
from support.kinds import Kind, on
from support.threads import blocked, run_threads, spawn

SHORT = 0.08
"""A time-out that is certain to pass."""

LONG = 30.0
"""A time-out that must not pass."""

SLACK = 2.0
"""What a loaded machine may add to a time-out."""


@on()
def test_get_waits_for_a_put(kind: Kind) -> None:
    q = kind.make()
    getter = blocked(q.get)
    q.put("item")
    assert getter.result() == "item"
    assert q.empty()


@on()
def test_get_with_a_timeout_waits_for_a_put(kind: Kind) -> None:
    q = kind.make()
    getter = blocked(q.get, True, LONG)
    q.put("item")
    assert getter.result() == "item"


@pytest.mark.parametrize("timeout", [None, LONG])
@pytest.mark.parametrize("maxsize", [1, 2, 3])
@on("bounded")
def test_put_waits_for_room(kind: Kind, maxsize: int, timeout: float | None) -> None:
    q = kind.make(maxsize)
    for n in range(maxsize):
        q.put(n)
    kind.hand_over_producer(q)
    putter = blocked(q.put, maxsize, True, timeout)
    assert q.qsize() == maxsize
    first = q.get()
    putter.result()
    assert q.qsize() == maxsize
    rest = [q.get() for _ in range(maxsize)]
    assert sorted([first, *rest]) == list(range(maxsize + 1))


@on()
def test_get_times_out(kind: Kind) -> None:
    q = kind.make()
    began = time.monotonic()
    with pytest.raises(Empty):
        q.get(timeout=SHORT)
    assert SHORT - 0.01 <= time.monotonic() - began < SHORT + SLACK
    q.put(1)
    assert q.get() == 1


@on("bounded")
def test_put_times_out(kind: Kind) -> None:
    q = kind.make(1)
    q.put("in")
    began = time.monotonic()
    with pytest.raises(Full):
        q.put("out", timeout=SHORT)
    assert SHORT - 0.01 <= time.monotonic() - began < SHORT + SLACK
    assert q.qsize() == 1
    assert q.get() == "in"
    assert q.empty()


@on()
def test_a_timed_out_get_takes_nothing_later(kind: Kind) -> None:
    q = kind.make()
    getter = spawn(q.get, True, 0.01)
    with pytest.raises(Empty):
        getter.result()
    q.put("kept")
    time.sleep(0.02)
    assert q.qsize() == 1


@on()
def test_timeout_zero_does_not_wait(kind: Kind) -> None:
    q = kind.make()
    began = time.monotonic()
    with pytest.raises(Empty):
        q.get(timeout=0)
    with pytest.raises(Empty):
        q.get(True, 0.0)
    assert time.monotonic() - began < SLACK
    q.put("item")
    assert q.get(timeout=0) == "item"


@on("bounded")
def test_put_with_timeout_zero_does_not_wait(kind: Kind) -> None:
    q = kind.make(1)
    q.put(1, timeout=0)
    began = time.monotonic()
    with pytest.raises(Full):
        q.put(2, timeout=0)
    with pytest.raises(Full):
        q.put(2, True, 0.0)
    assert time.monotonic() - began < SLACK


@pytest.mark.parametrize("block", [False, 0, None, "", []], ids=repr)
@on()
def test_any_false_block_means_no_waiting(kind: Kind, block: object) -> None:
    q = kind.make()
    with pytest.raises(Empty):
        q.get(block)
    q.put("item", block)
    assert q.get(block) == "item"


@on("bounded")
def test_block_false_ignores_the_timeout(kind: Kind) -> None:
    q = kind.make(1)
    began = time.monotonic()
    for timeout in (LONG, -1, float("nan")):
        with pytest.raises(Empty):
            q.get(False, timeout)
    q.put(1, False, -1)
    for timeout in (LONG, -1, float("nan")):
        with pytest.raises(Full):
            q.put(2, False, timeout)
    assert time.monotonic() - began < LONG / 2
    assert q.get(False, -1) == 1


@on()
def test_arguments_have_their_names(kind: Kind) -> None:
    q = kind.make()
    q.put(item=1, block=True, timeout=None)
    assert q.get(block=True, timeout=None) == 1
    q.put(2, block=False)
    assert q.get(timeout=LONG) == 2
    q.put_nowait(item=3)
    assert q.get_nowait() == 3


@on()
def test_wrong_arguments_are_type_errors(kind: Kind) -> None:
    q = kind.make()
    for call in (
        lambda: q.put(),
        lambda: q.put(1, True, None, 4),
        lambda: q.put(1, wait=True),
        lambda: q.get(True, None, 3),
        lambda: q.get(wait=True),
        lambda: q.get_nowait(1),
        lambda: q.put_nowait(),
        lambda: q.qsize(1),
    ):
        with pytest.raises(TypeError):
            call()
    assert q.qsize() == 0


@on("shared")
def test_every_blocked_getter_gets_one_item(kind: Kind) -> None:
    q = kind.make()
    getters = [blocked(q.get) for _ in range(8)]
    for n in range(8):
        q.put(n)
    assert sorted(getter.result() for getter in getters) == list(range(8))
    assert q.empty()


@on("bounded", "shared")
def test_every_blocked_putter_gets_its_turn(kind: Kind) -> None:
    q = kind.make(1)
    q.put(-1)
    putters = [blocked(q.put, n) for n in range(8)]
    got = [q.get(timeout=LONG) for _ in range(9)]
    for putter in putters:
        putter.result()
    assert sorted(got) == list(range(-1, 8))
    assert q.empty()


@on("shared")
def test_a_burst_wakes_enough_getters(kind: Kind) -> None:
    """Wake-ups must not be merged: n puts serve n sleepers, however close together."""
    for _ in range(20):
        q = kind.make()
        getters = [spawn(q.get, True, LONG) for _ in range(5)]
        for n in range(5):
            q.put(n)
        assert sorted(getter.result(LONG / 2) for getter in getters) == list(range(5))


@on("shared")
def test_mixed_timeouts_leave_nobody_behind(kind: Kind) -> None:
    """A sleeper that times out must not swallow the wake-up of one that does not."""

    def patient() -> object:
        return q.get(timeout=LONG)

    def hasty() -> object:
        try:
            return q.get(timeout=0.01)
        except Empty:
            return None

    def feed() -> None:
        time.sleep(0.01)
        for n in range(4):
            q.put(n)

    for _ in range(10):
        q = kind.make()
        results = run_threads(patient, hasty, patient, hasty, feed, timeout=LONG / 2)
        taken = [r for r in results if r is not None]
        taken += [q.get_nowait() for _ in range(q.qsize())]
        assert sorted(taken) == list(range(4))


@on("bounded")
def test_one_thread_can_ping_pong_with_another(kind: Kind) -> None:
    ping, pong = kind.make(1), kind.make(1)

    def echo() -> None:
        for _ in range(300):
            pong.put(ping.get(timeout=LONG))

    def call() -> None:
        for n in range(300):
            ping.put(n)
            assert pong.get(timeout=LONG) == n

    run_threads(echo, call)
    assert ping.empty() and pong.empty()
