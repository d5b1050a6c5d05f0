"""fork: the child's queues work, whatever the parent's threads were doing."""

from __future__ import annotations

import pytest
from support.isolate import needs_fork, run_child
from support.kinds import OURS, Kind

pytestmark = needs_fork

kinds = pytest.mark.parametrize("kind", OURS, ids=str)


def use_thoroughly(q, cls: str) -> None:
    """Everything that may hang: both directions, with and without waiting, with threads."""
    import threading
    import time

    import fastprims

    while not q.empty():
        q.get(timeout=30)
    q.put(1, timeout=30)
    assert q.get(timeout=30) == 1
    try:
        q.get(timeout=0.01)
    except fastprims.Empty:
        pass
    else:
        raise AssertionError("there was nothing to get")
    if cls == "SPSCRing":
        q.release_producer()

    def produce() -> None:
        for n in range(50):
            q.put(n, timeout=30)
        if cls == "SPSCRing":
            q.release_producer()

    thread = threading.Thread(target=produce)
    thread.start()
    assert sorted(q.get(timeout=30) for _ in range(50)) == list(range(50))
    thread.join()
    if cls == "SPSCRing":
        q.release_consumer()
    getter = threading.Thread(target=lambda: q.get(timeout=30))
    getter.start()
    time.sleep(0.02)
    q.put("late")
    getter.join()
    q.shutdown(immediate=True)


def fork_beside_sleepers(cls: str) -> list[int]:
    import threading
    import time

    from support.forks import in_child

    import fastprims

    make = getattr(fastprims, cls)
    empty = make() if cls == "SimpleQueue" else make(2)
    full = make() if cls == "SimpleQueue" else make(2)
    full.put_many([1, 2])
    if cls == "SPSCRing":
        full.release_producer()
        full.release_consumer()
    got: list[int] = []
    sleepers = [threading.Thread(target=lambda: got.append(empty.get())) for _ in range(4)]
    sleepers += [threading.Thread(target=lambda n=n: full.put(n)) for n in range(3, 7)]
    if cls == "SPSCRing":
        sleepers = [sleepers[0], sleepers[4]]
    for sleeper in sleepers:
        sleeper.daemon = True
        sleeper.start()
    time.sleep(0.1)
    for _ in range(3):
        in_child(use_thoroughly, empty, cls)
        in_child(use_thoroughly, full, cls)
    # The parent's sleepers did not notice, and are woken as ever.
    getters = 1 if cls == "SPSCRing" else 4
    for n in range(getters):
        empty.put(n)
    left = [full.get(timeout=10) for _ in range(2 + getters)]  # the putters are as many
    for sleeper in sleepers:
        sleeper.join(20)
        assert not sleeper.is_alive()
    assert sorted(got) == list(range(getters))
    return sorted(left)


@kinds
def test_fork_beside_sleepers(kind: Kind) -> None:
    left = run_child(fork_beside_sleepers, kind.cls.__name__, helpers=(use_thoroughly,), timeout=80)
    assert left == ([1, 2, 3] if kind.roles else [1, 2, 3, 4, 5, 6])


def fork_beside_traffic(cls: str, forks: int) -> int:
    import time

    from support.forks import busy, in_child
    from support.threads import wait_until

    import fastprims

    def produce(q, sleep, full) -> None:
        if q.qsize() > 1000:
            sleep(0.001)  # an unbounded backlog would take the child long to drain
        try:
            q.put((1, "item"), timeout=0.05)
        except full:
            pass

    def consume(q, empty) -> None:
        try:
            q.get(timeout=0.05)
        except empty:
            pass

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(3)
    ends = 1 if cls == "SPSCRing" else 2
    with busy(consume, q, fastprims.Empty, threads=ends):
        with busy(produce, q, time.sleep, fastprims.Full, threads=ends):
            for _ in range(forks):
                in_child(use_thoroughly, q, cls)
        wait_until(q.empty, "the consumers are to take what is left")
    stats = q.stats()
    return stats.puts - stats.gets


@kinds
def test_fork_beside_traffic(kind: Kind) -> None:
    """A thread that the fork left in the middle of an operation never finishes it."""
    left = run_child(
        fork_beside_traffic, kind.cls.__name__, 12, helpers=(use_thoroughly,), timeout=80
    )
    assert left == 0


def fork_keeps_items(cls: str) -> bool:
    """Items put before the fork are in both processes, and each takes its own."""
    from support.forks import in_child

    import fastprims

    make = getattr(fastprims, cls)
    q = make() if cls == "SimpleQueue" else make(10)
    items = [[n] for n in range(10)]
    q.put_many(items)

    def take() -> None:
        assert sorted(q.get_nowait()[0] for _ in range(10)) == list(range(10))
        assert q.empty()

    for _ in range(3):
        in_child(take)
    assert q.qsize() == 10
    take()
    return True


@kinds
def test_parent_and_child_have_queues_of_their_own(kind: Kind) -> None:
    assert run_child(fork_keeps_items, kind.cls.__name__)
