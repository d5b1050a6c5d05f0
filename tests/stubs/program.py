"""A user's program, for the type checkers: `dev.py lint user-types` gives it to mypy and to pyright.

assert_type() says what the stubs have to promise. A line that ignores an error has to be one: both
checkers refuse an ignore that is not needed.
"""

from __future__ import annotations

import queue as std
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping
from typing import Any

from typing_extensions import assert_type

import fastprims
from fastprims import (
    AtomicFlag,
    AtomicInt,
    AtomicRef,
    BoundedChannel,
    Ctrie,
    CtrieSnapshot,
    MPMCRing,
    ObjectPool,
    PriorityQueue,
    Queue,
    RateLimiter,
    ShmQueue,
    ShmRing,
    SimpleQueue,
    SPSCRing,
    Subscription,
    TopicTrie,
    metrics,
    queue,
)


def queues() -> None:
    jobs: Queue[int] = Queue(maxsize=10)
    standard: std.Queue[int] = jobs  # a drop-in is one
    jobs.put(1, timeout=0.5)
    assert_type(jobs.get(), int)
    assert_type(jobs.get(block=False), int)
    assert_type(jobs.try_get(), int | None)
    assert_type(jobs.try_get("none"), int | str)
    assert_type(jobs.try_put(2), bool)
    assert_type(jobs.put_many(range(3), block=False), int)
    assert_type(jobs.get_many(10), list[int])
    assert_type(jobs.join(timeout=1.0), bool)
    assert_type(jobs.stats().put_waits, int)
    assert_type(jobs.maxsize, int)
    assert_type(len(jobs), int)
    jobs.put("text")  # type: ignore[arg-type]
    jobs.get(timeout="1")  # type: ignore[arg-type]
    same: queue.Queue[int] = jobs
    assert_type(queue.opened["mutex"], int)
    ranked: PriorityQueue[tuple[int, str]] = PriorityQueue()
    assert_type(ranked.get(), tuple[int, str])
    simple: SimpleQueue[bytes] = SimpleQueue()
    assert_type(simple.get_nowait(), bytes)
    try:
        standard.put_nowait(3)
        same.put_nowait(3)
    except (queue.Full, fastprims.ShutDown):
        pass


def rings() -> None:
    ring: MPMCRing[str] = MPMCRing(100)
    assert_type(ring.get_many(4), list[str])
    MPMCRing("100")  # type: ignore[arg-type]
    pair: SPSCRing[str] = SPSCRing(8)
    pair.release_producer(force=True)
    ring.release_producer()  # type: ignore[attr-defined]


def channel() -> None:
    reports: list[dict[str, int]] = []
    readings: BoundedChannel[str] = BoundedChannel(
        10,
        overflow="drop_oldest",
        size_of=len,
        rate=(100, 10),
        on_pressure=lambda report: reports.append(dict(report.drops)),
    )
    assert_type(readings.stats().offered, int)
    assert_type(readings.get(), str)


def atomics() -> None:
    served = AtomicInt()
    served += 1
    assert_type(served.fetch_add(2), int)
    assert_type(served.update(lambda n: n * 2), int)
    served.store("text")  # type: ignore[arg-type]
    config: AtomicRef[dict[str, int]] = AtomicRef({"workers": 1})
    assert_type(config.load(), dict[str, int])
    assert_type(config.compare_exchange({}, {"workers": 2}), bool)
    assert_type(AtomicFlag().wait(timeout=1), bool)


def maps() -> None:
    sessions: Ctrie[str, int] = Ctrie(alice=1)
    mapping: MutableMapping[str, int] = sessions
    assert_type(sessions["alice"], int)
    assert_type(sessions.get("bob"), int | None)
    assert_type(sessions.setdefault("bob", 2), int)
    assert_type(sessions.compare_and_set("bob", 2, 3), bool)
    before = sessions.readonly_snapshot()
    assert_type(before, CtrieSnapshot[str, int])
    frozen: Mapping[str, int] = before
    draft: Ctrie[str, int] = before.snapshot()
    before["alice"] = 2  # type: ignore[index]
    del before["alice"]  # type: ignore[attr-defined]
    items: ItemsView[str, int] = draft.items()
    keys: Iterator[str] = iter(sessions)
    sessions[1] = 1  # type: ignore[index]
    print(mapping, frozen, items, keys)


def topics() -> None:
    trie: TopicTrie[str] = TopicTrie("mqtt")
    entry = trie.subscribe("plant/+", "pager")
    assert_type(entry, Subscription[str])
    assert_type(trie.match("plant/7"), list[str])
    assert_type(trie.unsubscribe(entry), bool)
    assert_type(trie.snapshot().match("plant/7"), list[str])
    trie.snapshot().subscribe("plant/#", "archive")  # type: ignore[attr-defined]
    TopicTrie("kafka")  # type: ignore[arg-type]


def limits() -> None:
    pool: ObjectPool[bytearray] = ObjectPool(bytearray, reset=bytearray.clear, max_size=4)
    with pool.lease(timeout=1) as buffer:
        assert_type(buffer, bytearray)
    assert_type(pool.acquire(), bytearray)
    limiter = RateLimiter(rate=100, burst=10)
    assert_type(limiter.try_acquire(), bool)
    assert_type(limiter.retry_after(), float)


def processes() -> None:
    with ShmRing.create(capacity=4096) as ring:
        assert_type(ring.get(timeout=0), bytes)
        with ring.reserve(10) as view:
            assert_type(view, memoryview)
        ring.put("text")  # type: ignore[arg-type]
    jobs: ShmQueue[dict[str, int]] = ShmQueue(maxsize=10)
    assert_type(jobs.get(), dict[str, int])


def the_rest() -> None:
    shared = fastprims.share(Queue[int]())
    assert_type(shared, Queue[int])
    info: dict[str, Any] = dict(fastprims.build_info())
    metrics.register("shared", shared)
    assert_type(metrics.samples(), list[metrics.Sample])
    assert_type(fastprims.get_include(), str)
    print(info)
