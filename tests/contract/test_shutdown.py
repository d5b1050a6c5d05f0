"""After shutdown: nothing enters, what is inside drains or is dropped, all wake."""

from __future__ import annotations

import time
import weakref
from queue import Empty

import pytest
from support.kinds import Kind, ShutDown, on
from support.threads import blocked, run_threads

LONG = 30.0


@on("shutdown")
def test_a_fresh_queue_is_not_shut_down(kind: Kind) -> None:
    assert kind.make().is_shutdown is False


@on("shutdown")
def test_shutdown_returns_none_and_may_be_repeated(kind: Kind) -> None:
    q = kind.make()
    for immediate in (False, False, True, False, True):
        assert q.shutdown(immediate) is None
        assert q.is_shutdown is True
    assert q.shutdown(immediate=True) is None


@on("shutdown")
def test_put_is_refused_after_shutdown(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.shutdown()
    for call in (
        lambda: q.put(2),
        lambda: q.put(2, False),
        lambda: q.put(2, timeout=LONG),
        lambda: q.put_nowait(2),
    ):
        with pytest.raises(ShutDown):
            call()
    assert q.qsize() == 1


@on("shutdown", "bounded")
def test_put_on_a_full_queue_says_shut_down_rather_than_full(kind: Kind) -> None:
    q = kind.make(1)
    q.put(1)
    q.shutdown()
    with pytest.raises(ShutDown):
        q.put_nowait(2)
    with pytest.raises(ShutDown):
        q.put(2, timeout=0)


@on("shutdown")
def test_get_drains_and_then_says_shut_down(kind: Kind) -> None:
    q = kind.make()
    for n in range(5):
        q.put(n)
    q.shutdown()
    assert [q.get(), q.get_nowait(), q.get(timeout=LONG), q.get(False), q.get()] == kind.ordered(
        range(5)
    )
    for call in (q.get, q.get_nowait, lambda: q.get(timeout=LONG), lambda: q.get(timeout=0)):
        with pytest.raises(ShutDown):
            call()


@on("shutdown")
def test_shutdown_is_not_empty(kind: Kind) -> None:
    """Closed and empty are two answers."""
    q = kind.make()
    with pytest.raises(Empty):
        q.get_nowait()
    q.shutdown()
    with pytest.raises(ShutDown) as caught:
        q.get_nowait()
    assert not isinstance(caught.value, Empty)


@on("shutdown")
def test_immediate_shutdown_drops_what_is_inside(kind: Kind) -> None:
    class Item:
        def __lt__(self, other: Item) -> bool:
            return id(self) < id(other)

    q = kind.make()
    refs = []
    for _ in range(10):
        item = Item()
        refs.append(weakref.ref(item))
        q.put(item)
    del item
    q.shutdown(immediate=True)
    assert q.empty() and q.qsize() == 0
    assert [ref() for ref in refs] == [None] * 10
    for call in (q.get, q.get_nowait):
        with pytest.raises(ShutDown):
            call()


@on("shutdown")
def test_immediate_shutdown_may_follow_a_gentle_one(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.put(2)
    q.shutdown()
    assert q.get() in (1, 2)
    q.shutdown(immediate=True)
    assert q.qsize() == 0
    with pytest.raises(ShutDown):
        q.get()


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("timeout", [None, LONG])
@on("shutdown")
def test_shutdown_wakes_blocked_getters(kind: Kind, timeout: float | None, immediate: bool) -> None:
    q = kind.make()
    getters = [blocked(q.get, True, timeout) for _ in range(1 if kind.roles else 4)]
    began = time.monotonic()
    q.shutdown(immediate)
    for getter in getters:
        with pytest.raises(ShutDown):
            getter.result(LONG / 2)
    assert time.monotonic() - began < LONG / 2


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("timeout", [None, LONG])
@on("shutdown", "bounded")
def test_shutdown_wakes_blocked_putters(kind: Kind, timeout: float | None, immediate: bool) -> None:
    q = kind.make(1)
    q.put("in")
    kind.hand_over_producer(q)
    putters = [blocked(q.put, n, True, timeout) for n in range(1 if kind.roles else 4)]
    q.shutdown(immediate)
    for putter in putters:
        with pytest.raises(ShutDown):
            putter.result(LONG / 2)
    assert q.qsize() == (0 if immediate else 1)
    if not immediate:
        assert q.get() == "in"
    with pytest.raises(ShutDown):
        q.get()


@on("shutdown", "tasks")
def test_tasks_drained_after_shutdown_can_be_finished(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.put(2)
    q.shutdown()
    joiner = blocked(q.join)
    q.get()
    q.task_done()
    assert joiner.running
    q.get()
    q.task_done()
    joiner.result()
    with pytest.raises(ValueError):
        q.task_done()


@on("shutdown", "tasks")
def test_immediate_shutdown_counts_the_dropped_as_done(kind: Kind) -> None:
    q = kind.make()
    for n in range(4):
        q.put(n)
    q.get()  # taken, and not yet done
    joiner = blocked(q.join)
    q.shutdown(immediate=True)
    assert q.unfinished_tasks == 1
    q.task_done()
    joiner.result()
    with pytest.raises(ValueError):
        q.task_done()
    q.join()


@on("shutdown", "tasks")
def test_immediate_shutdown_lets_join_go(kind: Kind) -> None:
    q = kind.make()
    for n in range(4):
        q.put(n)
    joiners = [blocked(q.join) for _ in range(3)]
    q.shutdown(immediate=True)
    for joiner in joiners:
        joiner.result()
    assert q.unfinished_tasks == 0


@on("shutdown")
def test_no_item_is_lost_when_shutdown_meets_a_put(kind: Kind) -> None:
    """A put either returned, and its item is drained, or raised, and it is not."""

    def produce() -> list[int]:
        stored = []
        for n in range(50_000):
            try:
                q.put(n)
            except ShutDown:
                break
            stored.append(n)
        return stored

    def close() -> None:
        time.sleep(0.002)
        q.shutdown()

    for _ in range(8):
        q = kind.make() if kind.unbounded else kind.cls(1 << 17)
        stored, _ = run_threads(produce, close)
        drained = []
        for _ in range(len(stored)):
            drained.append(q.get_nowait())
        assert sorted(drained) == stored
        with pytest.raises(ShutDown):
            q.get_nowait()


@on(ours=True)
def test_try_methods_after_shutdown(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.shutdown()
    with pytest.raises(ShutDown):
        q.try_put(2)
    assert q.try_get() == 1
    with pytest.raises(ShutDown):
        q.try_get()
    with pytest.raises(ShutDown):
        q.try_get(default=None)


@on(ours=True)
def test_batches_after_shutdown(kind: Kind) -> None:
    q = kind.make()
    q.put_many(range(4))
    q.shutdown()
    with pytest.raises(ShutDown):
        q.put_many([5])
    with pytest.raises(ShutDown):
        q.put_many([5], block=False)
    assert q.get_many(3) == kind.ordered(range(4))[:3]
    assert q.get_many(3) == kind.ordered(range(4))[3:]
    with pytest.raises(ShutDown):
        q.get_many(3)
    with pytest.raises(ShutDown):
        q.get_many(3, block=False)


@on(ours=True)
def test_shutdown_wakes_a_blocked_get_many(kind: Kind) -> None:
    q = kind.make()
    getter = blocked(q.get_many, 5)
    q.shutdown()
    with pytest.raises(ShutDown):
        getter.result()


@on("bounded", ours=True)
def test_shutdown_cuts_a_blocked_put_many_short(kind: Kind) -> None:
    """What was stored before is reported, and can be drained."""
    q = kind.make(3)
    putter = blocked(q.put_many, range(10))
    q.shutdown()
    assert putter.result() == 3
    assert sorted(q.get() for _ in range(3)) == [0, 1, 2]
    with pytest.raises(ShutDown):
        q.get()


@on("bounded", ours=True)
def test_shutdown_refuses_a_blocked_put_many_that_stored_nothing(kind: Kind) -> None:
    q = kind.make(1)
    q.put(0)
    kind.hand_over_producer(q)
    putter = blocked(q.put_many, range(10))
    q.shutdown()
    with pytest.raises(ShutDown):
        putter.result()
    assert q.get() == 0
