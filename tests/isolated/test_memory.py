"""Memory: small when idle, given back after a burst, refused politely when there is none."""

from __future__ import annotations

import sys

import pytest
from support.isolate import needs_proc, run_child
from support.kinds import OURS, Kind

kinds = pytest.mark.parametrize("kind", OURS, ids=str)
growing = pytest.mark.parametrize("kind", [k for k in OURS if k.unbounded], ids=str)
rings = pytest.mark.parametrize("kind", [k for k in OURS if k.preallocated], ids=str)


def idle_bytes(cls: str, maxsize: int, n: int) -> list[float]:
    """Bytes per idle queue: as the system sees it, and as the object says."""
    import gc
    import sys

    from support.leaks import resident

    import fastprims

    make = getattr(fastprims, cls)

    def fresh():
        return make() if cls == "SimpleQueue" else make(maxsize)

    warm = [fresh() for _ in range(10)]
    gc.collect()
    before = resident()
    queues = [fresh() for _ in range(n)]
    for q in queues:  # used once, so that lazily made parts are counted
        q.put(1)
        q.get()
    after = resident()
    said = sys.getsizeof(queues[0])
    del warm
    return [(after - before) / n, said]


@needs_proc
@growing
def test_an_idle_queue_is_small(kind: Kind) -> None:
    seen, said = run_child(idle_bytes, kind.cls.__name__, 0, 1000)
    assert seen <= 16 * 1024, f"{seen:.0f} bytes per idle queue"
    assert said <= 16 * 1024


@pytest.mark.parametrize(("capacity", "n"), [(1, 2000), (2, 2000), (10, 2000), (100_000, 20)])
@needs_proc
@rings
def test_a_ring_is_as_large_as_its_capacity(kind: Kind, capacity: int, n: int) -> None:
    seen, said = run_child(idle_bytes, kind.cls.__name__, capacity, n)
    bound = 32 * capacity + 1024
    assert said <= bound
    # Unused pages of a large ring are not resident; the object has to own up to them anyway.
    assert said >= 8 * capacity
    assert seen <= bound + 512, f"{seen:.0f} bytes for {capacity} items"


@growing
def test_sizeof_follows_the_items(kind: Kind) -> None:
    q = kind.cls()
    q.put(0)
    small = sys.getsizeof(q)
    q.put_many(range(100_000))
    large = sys.getsizeof(q)
    assert large >= small + 8 * 100_000
    assert large <= small + 40 * 100_000
    while not q.empty():
        q.get_many(1000)
    assert sys.getsizeof(q) <= small + 64 * 1024


def burst(cls: str) -> list[int]:
    """Resident memory before and after a million items went through; measured warm."""
    import gc

    from support.leaks import resident

    import fastprims

    q = getattr(fastprims, cls)()

    def wave(n: int) -> None:
        for _ in range(n):
            q.put(None if cls != "PriorityQueue" else 1)
        assert q.qsize() == n
        for _ in range(n):
            q.get()

    wave(1000)
    gc.collect()
    before = resident()
    for _ in range(2):
        wave(1_000_000)
    gc.collect()
    q.put(1)
    q.get()
    return [before, resident()]


@needs_proc
@growing
def test_a_burst_is_given_back(kind: Kind) -> None:
    before, after = run_child(burst, kind.cls.__name__)
    assert after <= before * 1.1, f"{before} bytes before, {after} after"


def churn(cls: str, rounds: int) -> list[int]:
    """Resident memory while queues and threads come and go."""
    import gc
    import threading

    from support.leaks import resident

    import fastprims

    make = getattr(fastprims, cls)

    def one() -> None:
        q = make() if cls == "SimpleQueue" else make(100)
        thread = threading.Thread(target=q.put_many, args=(range(50),))
        thread.start()
        q.get_many(20)
        thread.join()

    def queues() -> None:
        for _ in range(2000):
            q = make() if cls == "SimpleQueue" else make(100)
            q.put_many(range(50))

    sizes = []
    for _ in range(rounds):
        for _ in range(100):
            one()
        queues()
        gc.collect()
        sizes.append(resident())
    return sizes


@needs_proc
@kinds
def test_queues_and_threads_that_end_leave_nothing(kind: Kind) -> None:
    sizes = run_child(churn, kind.cls.__name__, 6, timeout=150)
    # 2,100 queues a round: a leak of one cache line each would be 250 KiB a round.
    assert sizes[-1] - sizes[2] < 300_000, sizes


def many_live(cls: str, n: int) -> int:
    """Per-object resources of the system (such as thread-specific keys) run out soon."""
    import threading

    import fastprims

    make = getattr(fastprims, cls)
    queues = [make() if cls == "SimpleQueue" else make(4) for _ in range(n)]
    if cls == "SPSCRing":
        total = 0
        for q in queues:
            q.put(1)
            total += q.get()
        return total
    threads = [
        threading.Thread(target=lambda: [q.put(1) for q in queues]),
        threading.Thread(target=lambda: [q.put(1) for q in queues]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(len(q.get_many(4)) for q in queues)


@kinds
def test_thousands_of_queues_live_side_by_side(kind: Kind) -> None:
    assert run_child(many_live, kind.cls.__name__, 5000) == (5000 if kind.roles else 10_000)


def out_of_memory(cls: str) -> list[int]:
    """Fill a queue until the address space is exhausted; then take everything out again."""
    import pathlib
    import resource

    import fastprims

    q = getattr(fastprims, cls)()
    item = 7
    for n in range(1000):
        q.put(n)
    while not q.empty():
        q.get()
    chunk = [item] * 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    statm = pathlib.Path("/proc/self/statm").read_text().split()
    used = int(statm[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20), hard))
    stored = 0
    failures = 0
    while failures < 5 and stored < 100_000_000:
        try:
            stored += q.put_many(chunk)
        except MemoryError:
            failures += 1
            stored = q.qsize()
            try:
                q.put(item)
                stored += 1
            except MemoryError:
                pass
    assert q.qsize() == stored, (q.qsize(), stored)
    taken = sum(q.get_nowait() == item for _ in range(1000))
    # The rest with memory again: the interpreter itself is slow without.
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    while not q.empty():
        batch = q.get_many(100_000)
        assert batch == [item] * len(batch)
        taken += len(batch)
    q.put(1)
    assert q.get() == 1
    return [failures, stored, taken]


@needs_proc
@growing
def test_running_out_of_memory_loses_nothing(kind: Kind) -> None:
    failures, stored, taken = run_child(out_of_memory, kind.cls.__name__, timeout=80)
    assert failures == 5, "memory did not run out"
    assert stored == taken


def too_large(cls: str) -> int:
    """A ring that does not fit is refused, again and again, at no cost."""
    import pathlib
    import resource

    import fastprims

    make = getattr(fastprims, cls)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    statm = pathlib.Path("/proc/self/statm").read_text().split()
    used = int(statm[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
    refused = 0
    for _ in range(100):
        try:
            make(1 << 26)
        except MemoryError:
            refused += 1
    q = make(1000)
    assert q.put_many(range(1000)) == 1000
    return refused


@needs_proc
@rings
def test_a_ring_that_does_not_fit_is_refused(kind: Kind) -> None:
    assert run_child(too_large, kind.cls.__name__) == 100


def failing_allocations(cls: str, depth: int) -> int:
    """Let the interpreter's n-th allocation fail, for every n, in every call of the queue."""
    import _testcapi

    import fastprims

    make = getattr(fastprims, cls)
    failed = 0

    def calls(q):
        yield lambda: q.put((1,))
        yield lambda: q.put((2,), timeout=0.001)
        yield lambda: q.put_many([(3,), (4,), (5,)])
        yield lambda: q.put_many(iter([(6,), (7,), (8,)]))
        yield lambda: q.get()
        yield lambda: q.get_many(2)
        yield lambda: q.try_get()
        yield lambda: q.try_put((9,))
        yield lambda: q.get(timeout=0.001)
        yield lambda: q.stats()
        yield lambda: repr(q)
        yield lambda: q.shutdown()

    for n in range(depth):
        try:
            _testcapi.set_nomemory(n, n + 1)
            try:
                q = make() if cls == "SimpleQueue" else make(1000)
            finally:
                _testcapi.remove_mem_hooks()
        except MemoryError:
            failed += 1
    for n in range(depth):
        q = make() if cls == "SimpleQueue" else make(1000)
        for m in range(200):
            q.put((100 + m,))
        for call in calls(q):
            before = q.stats()
            try:
                _testcapi.set_nomemory(n, n + 1)
                try:
                    call()
                finally:
                    _testcapi.remove_mem_hooks()
            except MemoryError:
                failed += 1
                after = q.stats()
                assert after.gets == before.gets, "a failed call took an item"
        left = q.qsize()
        drained = []
        while not q.empty():
            drained.append(q.get_nowait())
        assert len(drained) == left
        assert len(set(drained)) == len(drained)
    return failed


@kinds
def test_a_failed_allocation_loses_nothing(kind: Kind) -> None:
    pytest.importorskip("_testcapi", reason="the interpreter was built without its test modules")
    depth = 25
    failed = run_child(failing_allocations, kind.cls.__name__, depth, timeout=80)
    assert failed > 10, "no allocation failed"
