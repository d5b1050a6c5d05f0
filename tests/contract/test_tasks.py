"""task_done, join and unfinished_tasks."""

from __future__ import annotations

import time
from queue import Full

import pytest
from support.kinds import Kind, on
from support.threads import blocked, run_threads

LONG = 30.0


@on("tasks")
def test_unfinished_tasks_counts_puts_less_task_done(kind: Kind) -> None:
    q = kind.make()
    assert q.unfinished_tasks == 0
    for n in range(3):
        q.put(n)
        assert q.unfinished_tasks == n + 1
    for n in range(3):
        q.get()
    assert q.unfinished_tasks == 3
    for n in reversed(range(3)):
        assert q.task_done() is None
        assert q.unfinished_tasks == n


@on("tasks")
def test_one_task_done_too_many_is_an_error(kind: Kind) -> None:
    q = kind.make()
    with pytest.raises(ValueError):
        q.task_done()
    q.put(1)
    q.task_done()  # the item need not have been taken
    with pytest.raises(ValueError):
        q.task_done()
    assert q.unfinished_tasks == 0
    assert q.get() == 1
    q.put(2)
    assert q.unfinished_tasks == 1


@on("tasks")
def test_join_returns_at_once_if_nothing_is_open(kind: Kind) -> None:
    q = kind.make()
    assert q.join() is None
    q.put(1)
    q.get()
    q.task_done()
    assert q.join() is None


@on("tasks")
def test_join_waits_for_the_last_task(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    q.put(2)
    joiners = [blocked(q.join) for _ in range(3)]
    q.get()
    q.task_done()
    time.sleep(0.02)
    assert all(joiner.running for joiner in joiners)
    q.get()
    q.task_done()
    assert [joiner.result() for joiner in joiners] == [None] * 3


@on("tasks")
def test_join_may_be_used_again(kind: Kind) -> None:
    q = kind.make()
    for n in range(5):
        q.put(n)
        joiner = blocked(q.join)
        q.get()
        q.task_done()
        joiner.result()


@on("tasks")
def test_a_failed_put_opens_no_task(kind: Kind) -> None:
    q = kind.make(1)
    q.put(1)
    with pytest.raises(Full):
        q.put_nowait(2)
    with pytest.raises(Full):
        q.put(2, timeout=0.01)
    assert q.unfinished_tasks == 1


@on("tasks")
def test_workers_and_join(kind: Kind) -> None:
    """join returns after every task was finished, never before."""
    q = kind.make(4)
    finished: list[int] = []
    stop = 10**6

    def work() -> None:
        while (item := q.get()) != stop:
            finished.append(item)
            q.task_done()
        q.task_done()

    def produce() -> None:
        for n in range(200):
            q.put(n)
        q.join()
        assert sorted(finished) == list(range(200))
        for _ in range(3):
            q.put(stop)
        q.join()

    run_threads(work, work, work, produce)
    assert q.unfinished_tasks == 0


@on("tasks", ours=True)
def test_join_with_a_timeout_tells_whether_all_is_done(kind: Kind) -> None:
    q = kind.make()
    assert q.join(timeout=0) is True
    assert q.join(0.01) is True
    q.put(1)
    began = time.monotonic()
    assert q.join(timeout=0.05) is False
    assert 0.04 <= time.monotonic() - began < 2.0
    assert q.join(timeout=0) is False
    joiner = blocked(q.join, LONG)
    q.get()
    q.task_done()
    assert joiner.result() is True


@on("tasks", ours=True)
def test_join_refuses_an_odd_timeout(kind: Kind) -> None:
    q = kind.make()
    q.put(1)
    with pytest.raises(ValueError):
        q.join(-1)
    with pytest.raises(TypeError):
        q.join("1")
    with pytest.raises(ValueError):
        q.join(float("nan"))


@on("tasks", ours=True)
def test_batches_open_one_task_per_item(kind: Kind) -> None:
    q = kind.make(5)
    assert q.put_many(range(9), block=False) == 5
    assert q.unfinished_tasks == 5
    assert len(q.get_many(9)) == 5
    assert q.unfinished_tasks == 5
    assert q.try_put(1) is True
    assert q.unfinished_tasks == 6
    for _ in range(6):
        q.task_done()
    with pytest.raises(ValueError):
        q.task_done()
