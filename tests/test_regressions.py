"""Mistakes that were made once, each by the way it showed."""

from __future__ import annotations

import gc
import inspect
import queue
import threading
import time
import weakref

import pytest
from support.isolate import needs_fork, run_child

import fastprims
from fastprims._queues.ext import own_attributes


def in_thread(fn):
    result = []
    thread = threading.Thread(target=lambda: result.append(fn()))
    thread.start()
    thread.join()
    return result[0]


def test_get_many_crosses_the_ends_of_segments():
    """It stopped where the array of a segment ended."""
    for size in (80, 81, 200, 5000):
        q = fastprims.Queue()
        assert q.put_many(range(size)) == size
        assert q.get_many(size) == list(range(size))


def test_closing_is_met_by_every_later_put():
    """The hint to the first vacant slot went past the closing marker."""
    q = fastprims.Queue()
    q.put("before")
    q.shutdown()
    for _ in range(3):
        with pytest.raises(fastprims.ShutDown):
            q.put("after")
    assert q.get() == "before"
    with pytest.raises(fastprims.ShutDown):
        q.get()


def test_a_batch_counts_the_room_that_others_took():
    """Room computed for a run of slots was used beyond slots that others had filled."""
    q = fastprims.Queue(3)
    most = 0
    stop = threading.Event()

    def produce():
        while not stop.is_set():
            q.put_many([1, 2, 3], timeout=0.001) if not q.full() else None

    def tolerant():
        while not stop.is_set():
            try:
                produce()
            except fastprims.Full:
                pass

    threads = [threading.Thread(target=tolerant) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20_000):
        most = max(most, q.qsize())
        q.try_get()
    stop.set()
    for thread in threads:
        thread.join()
    assert most <= 3


def test_a_refused_put_on_an_spsc_ring_drops_nothing():
    """A producer that met ShutDown emptied the ring, and took the consumer's role."""
    ring = fastprims.SPSCRing(4)

    def produce():
        ring.put(1)
        ring.put(2)
        ring.shutdown()
        with pytest.raises(fastprims.ShutDown):
            ring.put(3)

    in_thread(produce)
    assert [ring.get(), ring.get()] == [1, 2]
    with pytest.raises(fastprims.ShutDown):
        ring.get()


def test_an_spsc_ring_shut_down_at_once_tells_its_first_consumer():
    """shutdown(immediate=True) by another thread took the consumer's role."""
    ring = fastprims.SPSCRing(4)
    in_thread(lambda: (ring.put(1), ring.shutdown(immediate=True)))
    with pytest.raises(fastprims.ShutDown):
        ring.get()


def test_a_dying_queue_cannot_be_reached_by_its_items():
    """An item's __del__ found the queue through a weak reference while it was being freed."""
    for make in (fastprims.Queue, fastprims.LifoQueue, lambda: fastprims.MPMCRing(4)):
        q = make()
        ref = weakref.ref(q)
        seen = []

        class Item:
            def __del__(self, ref=ref, seen=seen):
                seen.append(ref())

        q.put(Item())
        del q
        gc.collect()
        assert seen == [None]


def test_the_attributes_of_a_queue_cost_nothing_until_used():
    q = fastprims.Queue()
    assert not gc.get_referents(q) or all(type(x) is not dict for x in gc.get_referents(q))
    q.name = "jobs"
    assert own_attributes(q) == {"name": "jobs"}  # q.__dict__ opens the queue


@needs_fork
@pytest.mark.parametrize(
    "source",
    [
        "fastprims.Queue()",
        "fastprims.SimpleQueue()",
        "fastprims.LifoQueue()",
        "fastprims.PriorityQueue()",
        "fastprims.MPMCRing(4)",
    ],
)
def test_a_child_with_ghosts_still_wakes_its_own_sleepers(source):
    """The parent's sleepers kept the child's notifications from being sent."""
    assert run_child(child_of_sleepers, source) == "woken"


def child_of_sleepers(source):
    import os
    import signal
    import threading
    import time
    import warnings

    import fastprims

    warnings.simplefilter("ignore")
    q = eval(source, {"fastprims": fastprims})
    for _ in range(3):
        threading.Thread(target=q.get, daemon=True).start()
    time.sleep(0.2)
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        for n in range(5):
            got = []
            consumer = threading.Thread(target=lambda got=got: got.append(q.get()))
            consumer.start()
            time.sleep(0.1)
            q.put(n)
            consumer.join(30)
            if got != [n]:
                os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    for _ in range(3):
        q.put(0)
    return "woken" if status == 0 else f"status {status}"


def test_put_many_waits_on_a_list_that_nobody_else_has():
    """Code in the iterable may find the list that is being made of it, by way of the collector."""

    class Item:
        pass

    q = fastprims.Queue(2)
    leaked = []

    def items():
        yield Item()
        yield Item()
        leaked.extend(
            o for o in gc.get_objects() if type(o) is list and o and isinstance(o[0], Item)
        )
        for _ in range(1000):
            yield Item()

    thread = threading.Thread(target=lambda: q.put_many(items()))
    thread.start()
    while q.qsize() < 2:
        time.sleep(0.001)
    for found in leaked:
        found.clear()
    spoil = [bytearray(8016) for _ in range(50)]  # of the size of that list's buffer
    for _ in range(1002):
        assert isinstance(q.get(timeout=10), Item)
    thread.join(10)
    assert q.empty() and spoil


def test_a_batch_that_fails_late_takes_nothing():
    """An exception in a comparison - a Ctrl-C, say - was swallowed once an item had been taken."""
    strike = 0

    class Item:
        def __init__(self, number):
            self.number = number

        def __lt__(self, other):
            nonlocal strike
            strike -= 1
            if strike == 0:
                raise KeyboardInterrupt
            return self.number < other.number

    q = fastprims.PriorityQueue()
    q.put_many(Item(n) for n in range(20))
    for when in range(1, 40):
        strike = when
        with pytest.raises(KeyboardInterrupt):
            q.get_many(20)
        assert q.qsize() == 20
    strike = 0
    assert [item.number for item in q.get_many(20)] == list(range(20))


@pytest.mark.parametrize("cls", [fastprims.Queue, queue.Queue])
def test_nowait_passes_its_argument_by_name(cls):
    class Other(cls):
        def put(self, item, *, timeout=None, block=True):
            seen.append(block)
            super().put(item, block, timeout)

        def get(self, *, timeout=None, block=True):
            seen.append(block)
            return super().get(block, timeout)

    seen = []
    q = Other()
    q.put_nowait(1)
    assert q.get_nowait() == 1
    assert seen == [False, False]


@pytest.mark.parametrize("cls", [fastprims.SimpleQueue, queue.SimpleQueue])
def test_a_simple_queues_nowait_does_not_call_what_overrides_put(cls):
    class Other(cls):
        def put(self, item, block=True, timeout=None):
            self.put_nowait(item)

    q = Other()
    q.put(1)
    assert q.get_nowait() == 1


@pytest.mark.parametrize("name", ["Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"])
def test_signatures_are_the_standard_librarys(name):
    theirs = getattr(queue, name)
    expected = "()" if name == "SimpleQueue" else str(inspect.signature(theirs))
    assert str(inspect.signature(getattr(fastprims, name))) == expected
