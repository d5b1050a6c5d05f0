"""Queues that are opened while something else goes wrong, in processes of their own."""

from __future__ import annotations

import sys
import sysconfig

import pytest
from support.isolate import needs_fork, run_child
from support.kinds import Kind, on

drop_in = on("tasks", ours=True)

WAYS = ["mutex", "queue", "hook", "state"]


def opener(q, way: str):
    """A call that opens the queue, and its mutex, got before."""
    mutex = q.mutex
    if way == "mutex":
        return mutex.__enter__, mutex
    if way == "queue":
        return lambda: q.queue, mutex
    if way == "hook":
        return lambda: setattr(q, "_put", q._put), mutex
    return lambda: setattr(q, "unfinished_tasks", q.unfinished_tasks), mutex


def filled(cls: str):
    """Three items, of which one was taken and done, one taken, and one is left."""
    import fastprims

    q = getattr(fastprims, cls)(4)
    q.put_many([1, 2, 3])
    q.get()
    q.get()
    q.task_done()
    return q


def check_filled(q, cls: str) -> None:
    """Nothing of it was lost or doubled, nobody holds its mutex, and all of it works."""
    left = 1 if cls == "LifoQueue" else 3
    assert (q.qsize(), q.unfinished_tasks, q.maxsize) == (1, 2, 4), vars(q)
    q.maxsize = 3
    assert (q.maxsize, q.is_shutdown) == (3, False)
    q.put_many([4, 5], timeout=10)
    assert q.full()
    with q.mutex:
        assert sorted(q.queue) == sorted([left, 4, 5])
    assert q.stats().open
    assert sorted(q.get(timeout=10) for _ in range(3)) == sorted([left, 4, 5])
    for _ in range(4):
        q.task_done()
    assert q.join(10)
    with q.not_empty:
        assert not q.not_empty.wait(0)


def interrupted_openings(cls: str, way: str) -> int:
    from support.interrupts import acting_at_every_step, interrupted

    for _ in range(2):  # what is worked out once, for the class, was then
        opener(filled(cls), way)[0]()
    now: list = []

    def start():
        q = filled(cls)
        call, mutex = opener(q, way)
        now[:] = [q, mutex]
        return call, interrupted

    interrupts = 0
    for whole, _ in acting_at_every_step(start):
        q, mutex = now
        if whole and way == "mutex":
            mutex.release()
        interrupts += not whole
        assert not mutex.locked(), f"locked after interrupt {interrupts}"
        check_filled(q, cls)
    return interrupts


@pytest.mark.parametrize("way", WAYS)
@drop_in
def test_an_opening_may_be_interrupted_at_every_step(kind: Kind, way: str) -> None:
    interrupts = run_child(
        interrupted_openings, kind.cls.__name__, way, helpers=(opener, filled, check_filled)
    )
    assert interrupts > 20


def interrupted_batches(cls: str, others_wait: bool) -> int:
    from functools import partial
    from threading import Lock

    from support.interrupts import acting_at_every_step, interrupted

    import fastprims

    q = getattr(fastprims, cls)()
    items = list(range(9))

    def start():
        while q.qsize():
            q.get()
        for i in items:
            q.put(i)
        if others_wait:
            for _ in range(3):
                waiter = Lock()
                waiter.acquire()
                q.not_full._waiters.append(waiter)
        return partial(q.get_many, 3), interrupted

    with q.mutex:
        pass
    interrupts = 0
    for whole, found in acting_at_every_step(start):
        interrupts += not whole
        assert not q.mutex.locked(), f"locked after interrupt {interrupts}"
        assert sorted([*(found or []), *q.queue]) == items, f"after interrupt {interrupts}"
        assert len(found or []) == (3 if whole else 0)
    return interrupts


@pytest.mark.parametrize("others_wait", [False, True])
@drop_in
def test_a_batch_from_an_open_queue_may_be_interrupted_at_every_step(
    kind: Kind, others_wait: bool
) -> None:
    interrupts = run_child(interrupted_batches, kind.cls.__name__, others_wait)
    assert interrupts > 3


def openings_in_an_opening(cls: str, way: str, inner: str) -> int:
    from support.interrupts import acting_at_every_step

    queues: list = []

    def use(q) -> None:
        q.put(9, timeout=10)
        q.task_done()
        call, mutex = opener(q, inner)
        call()
        if inner == "mutex":
            mutex.release()
        q.put(0, timeout=10)

    def start():
        q = filled(cls)
        call, mutex = opener(q, way)
        queues[:] = [q, mutex]
        return call, lambda: use(q)

    rounds = 0
    for _ in acting_at_every_step(start):
        q, mutex = queues
        if mutex.locked():
            mutex.release()
        rounds += 1
        if q.qsize() == 3:  # else `use` had no turn
            assert sorted(q.get(timeout=10) for _ in range(3))[1:] == sorted(
                [1 if cls == "LifoQueue" else 3, 9]
            )
            assert q.unfinished_tasks == 3
            with q.mutex:
                assert len(q.queue) == 0
    return rounds


@pytest.mark.parametrize("inner", ["mutex", "queue"])
@pytest.mark.parametrize("way", ["mutex", "queue"])
@drop_in
def test_a_handler_may_use_and_open_the_queue_at_every_step(
    kind: Kind, way: str, inner: str
) -> None:
    """As a finalizer that the collector runs there may."""
    rounds = run_child(
        openings_in_an_opening, kind.cls.__name__, way, inner, helpers=(opener, filled)
    )
    assert rounds > 20


def openings_without_memory(cls: str, way: str) -> int:
    import _testcapi

    call, mutex = opener(filled(cls), way)
    call()
    failures = number = in_a_row = 0
    while in_a_row < 20:
        q = filled(cls)
        call, mutex = opener(q, way)
        failed = False
        _testcapi.set_nomemory(number, number + 1)
        try:
            call()
        except (MemoryError, SystemError):  # the latter from the interpreter's own modules
            failed = True
        finally:
            _testcapi.remove_mem_hooks()
        if mutex.locked():
            mutex.release()
        check_filled(q, cls)
        number += 1
        failures += failed
        in_a_row = 0 if failed else in_a_row + 1
    return failures


@pytest.mark.skipif(
    sys.version_info < (3, 14) and bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="after a failed allocation, 3.13t's own lists and dicts crash now and then",
)
@pytest.mark.parametrize("way", ["mutex", "queue"])
@drop_in
def test_an_opening_without_memory_leaves_the_queue_as_it_was(kind: Kind, way: str) -> None:
    pytest.importorskip("_testcapi")
    failures = run_child(
        openings_without_memory, kind.cls.__name__, way, helpers=(opener, filled, check_filled)
    )
    assert failures > 2


def comparison_beside_an_opening(act: str) -> list[str]:
    """A comparison is under way, for which an opening waits; meanwhile, `act`."""
    import signal
    import threading

    from support.forks import in_child
    from support.threads import blocked, spawn

    import fastprims

    seen: list[str] = []
    comparing, go_on = threading.Event(), threading.Event()

    class Item:
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def __lt__(self, other: Item) -> bool:
            if not go_on.is_set():
                comparing.set()
                go_on.wait(30)
                if act == "compare":
                    try:
                        with q.mutex:
                            seen.append("opened")
                    except RuntimeError as error:
                        seen.append(str(error).split("was ")[1])
                go_on.set()
            return self.rank < other.rank

    q = fastprims.PriorityQueue()
    q.put(Item(2))
    putting = spawn(lambda: q.put(Item(1)))
    assert comparing.wait(30)

    def use() -> None:
        go_on.set()
        with q.mutex:
            seen.append(f"{len(q.queue)} in the queue")
        q.put(Item(3))
        seen.append(str(q.get().rank))

    if act == "signal":  # in the main thread, which is waiting for the comparison
        signal.signal(signal.SIGALRM, lambda *_: use())
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with q.mutex:
            pass
    elif act == "interrupt":
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with q.mutex:
                pass
        except KeyboardInterrupt:
            seen.append("interrupted")
        assert not q.stats().open
        use()
    else:
        opening = blocked(q.mutex.__enter__)
        if act == "fork":
            in_child(child, q, go_on)
        go_on.set()
        opening.result()
        q.mutex.release()
    putting.result()
    seen.append(f"{q.qsize()} left")
    return seen


def child(q, go_on) -> None:
    go_on.set()
    assert q.qsize() == 1
    q.put(q.get())
    with q.mutex:
        assert len(q.queue) == 1
    assert q.get(timeout=10).rank == 2


def test_a_comparison_that_looks_inside_while_another_thread_opens_is_told_so() -> None:
    seen = run_child(comparison_beside_an_opening, "compare")
    assert seen == ["used again from within a comparison of its own items", "2 left"]


def test_a_handler_opens_what_the_interrupted_thread_waits_to_open() -> None:
    seen = run_child(comparison_beside_an_opening, "signal")
    assert seen == ["2 in the queue", "1", "2 left"]


def test_an_opening_that_waits_for_a_comparison_may_be_interrupted() -> None:
    seen = run_child(comparison_beside_an_opening, "interrupt")
    assert seen[0] == "interrupted"
    assert seen[-1] == "2 left"


@needs_fork
def test_a_child_opens_what_a_thread_of_its_parent_was_opening() -> None:
    seen = run_child(comparison_beside_an_opening, "fork", helpers=(child,))
    assert seen == ["2 left"]


def forks_beside_openings(cls: str, forks: int) -> int:
    """A thread opens one queue after the other, while another forks and uses what it finds."""
    from support.forks import busy, in_child
    from support.threads import wait_until

    import fastprims

    def step(make, place) -> None:
        q = make()
        q.put(1)
        q.put(2)
        place.store(q)
        q.get()
        len(q.queue)

    make = getattr(fastprims, cls)
    place = fastprims.AtomicRef()
    with busy(step, make, place, threads=1):
        wait_until(lambda: place.load() is not None, "the first queue")
        for _ in range(forks):
            in_child(use_native, place.load())
    return forks


def use_native(q) -> None:
    """Where it was open already, a thread of the parent may have had its mutex, as ever."""
    if q.stats().open:
        return
    n = q.qsize()
    assert n in (1, 2)
    q.put(3, timeout=20)
    with q.mutex:
        assert len(q.queue) == n + 1, (n, list(q.queue))
    assert q.get(timeout=20) in (1, 2, 3)


@needs_fork
@drop_in
def test_fork_beside_openings(kind: Kind) -> None:
    assert run_child(forks_beside_openings, kind.cls.__name__, 40, helpers=(use_native,)) == 40
