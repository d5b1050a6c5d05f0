"""Signals: Ctrl-C ends a wait within 100 ms, and no interrupt loses an item."""

from __future__ import annotations

import signal

import pytest
from support.isolate import run_child
from support.kinds import OURS, Kind

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="the platform has no interval timers"
)

kinds = pytest.mark.parametrize("kind", OURS, ids=str)
CALLS = ["get", "timed get", "put", "timed put", "get_many", "put_many", "join", "timed join"]


def interrupt_delays(cls: str, calls: list[str]) -> dict[str, float]:
    """For every blocking call, the time from a Ctrl-C to its KeyboardInterrupt (the best of 5)."""
    import os
    import signal
    import threading
    import time

    import fastprims

    make = getattr(fastprims, cls)

    def delay(call: str) -> float:
        q = make() if cls == "SimpleQueue" else make(1)
        putting = "put" in call or "join" in call
        if putting:
            q.put("there")
        act = {
            "get": q.get,
            "timed get": lambda: q.get(timeout=20),
            "put": lambda: q.put("lost"),
            "timed put": lambda: q.put("lost", timeout=20),
            "get_many": lambda: q.get_many(3),
            "put_many": lambda: q.put_many(["lost", "lost"]),
            "join": getattr(q, "join", None),
            "timed join": lambda: q.join(20),
        }[call]
        sent = 0.0
        started = threading.Event()

        def interrupt() -> None:
            nonlocal sent
            started.wait()  # an interrupt inside start() would strike the test, not the queue
            time.sleep(0.03)
            sent = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        started.set()
        try:
            act()
        except KeyboardInterrupt:
            late = time.monotonic() - sent
        else:
            raise AssertionError(f"{call} came back")
        # Neither side of the queue is damaged, and what was interrupted had no effect.
        assert q.qsize() == int(putting)
        if putting:
            assert q.get_nowait() == "there"
        q.put("fine")
        assert q.get() == "fine"
        assert q.stats().puts == 1 + putting
        return late

    return {call: min(delay(call) for _ in range(5)) for call in calls}


@kinds
def test_control_c_ends_every_wait_within_a_tenth_of_a_second(kind: Kind) -> None:
    calls = [
        call
        for call in CALLS
        if (kind.bounded or "put" not in call) and (kind.tasks or "join" not in call)
    ]
    delays = run_child(interrupt_delays, kind.cls.__name__, calls)
    assert max(delays.values()) < 0.1, delays


def wait_through_signals(cls: str) -> list[float]:
    """Handlers that return: the wait goes on, and its time-out is neither cut nor stretched."""
    import signal
    import threading
    import time

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(1)
    handled = 0

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    began = time.monotonic()
    try:
        q.get(timeout=0.3)
    except fastprims.Empty:
        timed = time.monotonic() - began
    threading.Timer(0.3, q.put, ["item"]).start()
    assert q.get() == "item"
    signal.setitimer(signal.ITIMER_REAL, 0)
    return [timed, handled]


@kinds
def test_a_handler_that_returns_lets_the_wait_go_on(kind: Kind) -> None:
    timed, handled = run_child(wait_through_signals, kind.cls.__name__)
    assert 0.29 <= timed < 2.0
    assert handled > 20


def feed_oneself(cls: str) -> list[int]:
    """A handler that puts into the queue its own thread waits at, and one that takes from it."""
    import signal

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(1)
    results = []
    for n in range(30):
        signal.signal(signal.SIGALRM, lambda *_, n=n: q.put(n))
        signal.setitimer(signal.ITIMER_REAL, 0.003)
        results.append(q.get())
    if cls != "SimpleQueue":
        q.put(100)
        for n in range(30):
            signal.signal(signal.SIGALRM, lambda *_: results.append(q.get()))
            signal.setitimer(signal.ITIMER_REAL, 0.003)
            q.put(101 + n)
        q.get()
    return results


@kinds
def test_a_handler_may_serve_the_wait_it_interrupted(kind: Kind) -> None:
    results = run_child(feed_oneself, kind.cls.__name__)
    assert results == [*range(30), *(range(100, 130) if kind.bounded else ())]


def signals_before_sleep(cls: str, trials: int) -> int:
    """How often a signal just before the sleep is noticed only when the sleep is over."""
    import random
    import signal

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(1)
    signal.signal(signal.SIGALRM, lambda *_: q.put("woken"))
    rng = random.Random(1)
    missed = 0
    for _ in range(trials):
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 1.2e-4))
        try:
            q.get(timeout=5)
        except fastprims.Empty:
            missed += 1
            q.get()
    return missed


@kinds
def test_a_signal_on_the_way_to_sleep_is_not_slept_through(kind: Kind) -> None:
    assert run_child(signals_before_sleep, kind.cls.__name__, 150) == 0


# The storms. Their loops run in C (`extend` over an iterator, `deque` over a `map`), so that an
# interrupt can only strike inside a call of the queue, never between the call and the use of its
# result, where Python itself would lose the item. Every alarm is set for one shot, so that none
# strikes while an earlier one is dealt with.


def interrupted_gets(cls: str, seconds: float) -> list[int]:
    """Handlers that raise, all the time, in a thread that gets."""
    from support.interrupts import storm_of_gets

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(2)
    got, sent, interrupts = storm_of_gets(lambda: iter(q.get, None), q.put, q.shutdown, seconds)
    assert sorted(got) == list(range(sent)), "an interrupted get lost or repeated an item"
    return [interrupts, len(got)]


@kinds
def test_a_storm_of_interrupts_loses_no_item_in_get(kind: Kind) -> None:
    interrupts, got = run_child(interrupted_gets, kind.cls.__name__, 0.5)
    assert interrupts > 20, "too few interrupts to show anything"
    assert got > 20, "too little traffic to show anything"


def storm_of_puts(cls: str, seconds: float) -> list[int]:
    """Handlers that raise, all the time, in a thread that puts."""
    import random
    import signal
    import threading
    import time
    from collections import deque

    import fastprims

    q = getattr(fastprims, cls)(2)
    rng = random.Random(1)
    interrupts = emitted = 0
    received: list[int] = []
    stopped: set[int] = set()
    end = time.monotonic() + seconds

    class Stop(Exception):
        pass

    def handle(*_: object) -> None:
        nonlocal interrupts
        if time.monotonic() < end:
            interrupts += 1
            raise Stop

    def numbers():  # remembers what was handed to put last
        nonlocal emitted
        while time.monotonic() < end:
            emitted += 1
            yield emitted

    def consume() -> None:
        try:
            while True:
                received.append(q.get())
                time.sleep(rng.uniform(0, 2e-4))
        except fastprims.ShutDown:
            pass

    signal.signal(signal.SIGALRM, handle)
    thread = threading.Thread(target=consume)
    thread.start()
    while time.monotonic() < end:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 1e-3))
            deque(map(q.put, numbers()), maxlen=0)
        except Stop:
            stopped.add(emitted)
    q.shutdown()
    thread.join()
    # Interrupted between two puts the last number was stored, interrupted in a put it was not.
    lost = set(range(1, emitted + 1)) - set(received)
    assert len(received) == len(set(received)), "an item was stored twice"
    assert lost <= stopped, "an item whose put returned was lost"
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the last alarm may be on its way still
    return [interrupts, len(received)]


@pytest.mark.parametrize("kind", [k for k in OURS if k.bounded], ids=str)
def test_a_storm_of_interrupts_loses_no_item_in_put(kind: Kind) -> None:
    interrupts, received = run_child(storm_of_puts, kind.cls.__name__, 0.5)
    assert interrupts > 20, "too few interrupts to show anything"
    assert received > 20, "too little traffic to show anything"


def interrupted_while_woken(cls: str, seconds: float) -> list[int]:
    """The wake-up of a put goes to a thread that is interrupted at that very moment.

    If it leaves without the item, it has to wake the next sleeper. Otherwise that
    one sleeps on beside an item.
    """
    import random
    import signal
    import threading
    import time
    from functools import partial
    from itertools import islice

    import fastprims

    make = getattr(fastprims, cls)
    rng = random.Random(3)
    laps = interrupts = 0
    armed = False

    class Stop(Exception):
        pass

    def handle(*_: object) -> None:
        if armed:
            raise Stop

    def sleep_in(q, taken: list[str]) -> None:
        taken.append(q.get())

    def put_soon(q, delay: float) -> None:
        time.sleep(delay)
        q.put("item")

    signal.signal(signal.SIGALRM, handle)
    now = begin = time.monotonic()
    # On a busy machine it takes longer to show anything.
    while now < begin + seconds or (min(laps - 15, interrupts) <= 5 and now < begin + 40):
        now = time.monotonic()
        q = make() if cls == "SimpleQueue" else make(4)
        taken: list[str] = []
        mine: list[str] = []
        sleeper = threading.Thread(target=sleep_in, args=(q, taken), daemon=True)
        sleeper.start()
        putter = threading.Thread(target=put_soon, args=(q, rng.uniform(5e-4, 1e-3)))
        putter.start()
        try:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(5e-4, 1e-3))
                mine.extend(islice(iter(partial(q.get, timeout=0.3), None), 1))
            finally:
                armed = False
        except Stop:
            interrupts += 1
            armed = False
        except fastprims.Empty:
            pass
        putter.join()
        if mine:
            q.put("another")
        sleeper.join(20)
        assert not sleeper.is_alive(), "a wake-up was lost with the interrupted thread"
        assert len(taken) == 1
        laps += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the last alarm may be on its way still
    return [laps, interrupts]


@pytest.mark.parametrize("kind", [k for k in OURS if k.shared], ids=str)
def test_an_interrupted_thread_passes_its_wake_up_on(kind: Kind) -> None:
    laps, interrupts = run_child(interrupted_while_woken, kind.cls.__name__, 0.8)
    assert laps > 20
    assert interrupts > 5
