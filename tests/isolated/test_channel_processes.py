"""BoundedChannel where a process of its own is needed: collection, leaks, fork, signals, exit."""

from __future__ import annotations

import signal

import pytest
from support.isolate import needs_fork, run_child, run_source


def cycles() -> list[int]:
    """Cycles through the callbacks; what was not told yet is told when they are collected."""
    import gc
    import weakref

    import fastprims

    gc.disable()
    heard: list[int] = []
    alive = []
    for shape in ("on_pressure", "size_of", "item", "subclass"):

        class Holder:
            def __call__(self, report_or_item):
                if isinstance(report_or_item, str):
                    return 1
                heard.append(sum(report_or_item.drops.values()))
                self.q.qsize()  # everything is still there
                return None

        class Sub(fastprims.BoundedChannel):
            pass

        holder = Holder()
        base = Sub if shape == "subclass" else fastprims.BoundedChannel
        q = base(
            1,
            overflow="drop_oldest",
            max_item_size=3,
            size_of=holder if shape == "size_of" else lambda item: 0,
            on_pressure=holder if shape != "item" else None,
            pressure_interval=3600,
        )
        holder.q = q
        q.put("a" if shape != "item" else holder)
        for _ in range(4):
            q.put("a" if shape != "item" else holder)
        alive += [weakref.ref(holder), weakref.ref(q)]
        del q, holder
    assert all(ref() is not None for ref in alive)
    before = list(heard)
    gc.collect()
    gc.collect()
    assert all(ref() is None for ref in alive)
    return [sum(before), *sorted(heard[len(before) :])]


def test_a_cycle_through_a_callback_is_collected_and_told() -> None:
    assert run_child(cycles) == [3, 3, 3, 3]  # the first drop at once, the other three at the end


def leaks(scenario: str) -> int:
    """Blocks that some rounds of the scenario leave behind."""
    import contextlib
    import gc
    import sys

    import fastprims

    def fail(*_):
        raise ZeroDivisionError

    sys.unraisablehook = lambda args: None

    def round_() -> None:
        overflow = "drop_newest" if scenario == "newest" else "drop_oldest"
        if scenario in ("block", "shutdown"):
            overflow = "block"
        q = fastprims.BoundedChannel(
            3,
            overflow=overflow,
            max_item_size=2 if scenario in ("oversized", "size_of fails") else None,
            size_of=fail if scenario == "size_of fails" else len,
            on_pressure=fail if scenario == "callback fails" else (lambda report: None),
            pressure_interval=0 if scenario != "untold" else 3600,
        )
        for n in range(40):
            with contextlib.suppress(fastprims.Full, ValueError, ZeroDivisionError):
                q.put((n, str(n)) if scenario != "oversized" else "long" + str(n), timeout=0)
            with contextlib.suppress(fastprims.Full, ValueError, ZeroDivisionError):
                q.put_many([(n, "item"), (n, "other")], block=False)
            q.try_get()
        q.stats()
        if scenario == "shutdown":
            q.shutdown(immediate=True)

    for _ in range(20):
        round_()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        round_()
    gc.collect()
    return sys.getallocatedblocks() - before


@pytest.mark.parametrize(
    "scenario",
    ["block", "newest", "oldest", "oversized", "size_of fails", "callback fails", "untold"]
    + ["shutdown"],
)
def test_nothing_leaks(scenario: str) -> None:
    assert run_child(leaks, scenario) < 100  # of 200 rounds


def fork_inside_a_report() -> list[int]:
    """The child is forked while a thread of the parent is inside of on_pressure."""
    import os
    import threading
    import warnings

    import fastprims

    warnings.simplefilter("ignore", DeprecationWarning)
    inside, leave = threading.Event(), threading.Event()
    heard: list[int] = []

    def on_pressure(report):
        heard.append(report.drops["overflow-oldest"])
        if len(heard) == 1:
            inside.set()
            leave.wait(30)

    q = fastprims.BoundedChannel(
        1, overflow="drop_oldest", on_pressure=on_pressure, pressure_interval=0
    )
    q.put(0)
    thread = threading.Thread(target=q.put, args=(1,))
    thread.start()
    inside.wait(30)
    pid = os.fork()
    if pid == 0:
        q.put(2)
        q.put(3)
        os._exit(0 if heard == [1, 1, 1] and q.get() == 3 else 1)
    status = os.waitpid(pid, 0)[1]
    leave.set()
    thread.join()
    q.put(4)
    return [status, *heard, q.get()]


@needs_fork
def test_a_forked_child_tells_for_itself() -> None:
    assert run_child(fork_inside_a_report) == [0, 1, 1, 4]


def interrupt_in_callback() -> list[object]:
    """Ctrl-C inside of on_pressure is neither lost, nor does it spoil the put that was done."""
    import os
    import signal
    import sys

    import fastprims

    signal.signal(signal.SIGINT, signal.default_int_handler)
    hooked: list[str] = []
    sys.unraisablehook = lambda args: hooked.append(args.exc_type.__name__)

    def on_pressure(report):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100_000):
            pass

    q = fastprims.BoundedChannel(1, overflow="drop_oldest", on_pressure=on_pressure)
    q.put(0)
    interrupted = False
    try:
        q.put(1)
        for _ in range(100_000):
            pass
    except KeyboardInterrupt:
        interrupted = True
    stats = q.stats()
    return [interrupted, hooked, stats.puts, stats.drops["overflow-oldest"], q.get()]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
def test_control_c_in_the_callback_is_raised_outside_of_it() -> None:
    assert run_child(interrupt_in_callback) == [True, [], 2, 1, 1]


def storm(overflow: str, seconds: float) -> list[int]:
    """Interrupts at random moments of puts: what was put is delivered, dropped, or refused."""
    import contextlib
    import random
    import signal
    import threading
    import time

    import fastprims

    class Stop(Exception):
        pass

    def handle(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False  # or the next one could strike while this one is being caught
            raise Stop

    armed = False
    q = fastprims.BoundedChannel(2, overflow=overflow, max_item_size=9, size_of=lambda item: 1)
    got: list[int] = []

    def consume() -> None:
        with contextlib.suppress(fastprims.ShutDown):
            while True:
                got.append(q.get())
                time.sleep(random.random() * 1e-4)

    consumer = threading.Thread(target=consume)
    consumer.start()
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
    n, interrupts, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        n += 1
        try:
            armed = True
            with contextlib.suppress(fastprims.Full):
                q.put(n)
            armed = False
        except Stop:
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    q.shutdown()
    consumer.join()
    stats = q.stats()
    assert got == sorted(set(got))
    assert stats.gets == len(got)
    assert stats.offered == stats.gets + sum(stats.drops.values())
    return [interrupts, n - stats.offered]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals as POSIX has them")
@pytest.mark.parametrize("overflow", ["block", "reject", "drop_newest", "drop_oldest"])
def test_a_storm_of_interrupts_loses_no_item(overflow: str) -> None:
    interrupts, missing = run_child(storm, overflow, 1.0)
    assert interrupts > 10
    # Not offered: those interrupted before they got anywhere.
    assert 0 <= missing <= interrupts


EXIT = """
import fastprims
def tell(report):
    print("told", dict(report.drops))
q = fastprims.BoundedChannel(1, overflow="drop_newest", on_pressure=tell)
for n in range(5):
    q.put(n)
"""


def test_what_is_untold_is_told_when_the_interpreter_exits() -> None:
    assert run_source(EXIT).splitlines() == [
        "told {'overflow-newest': 1}",
        "told {'overflow-newest': 3}",
    ]
