"""Producers and consumers of every style, and the check that nothing got lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from queue import Empty, Full
from typing import Any

import fastprims

from .threads import DEADLINE, Task, dump_threads, run_threads, spawn

LONG = 30.0

Producer = Callable[[Any, Sequence[Any]], None]
Consumer = Callable[[Any], list[Any]]

# Producers: store every item of a sequence, in order.


def put_each(q: Any, items: Sequence[Any]) -> None:
    for item in items:
        q.put(item)


def put_each_in_time(q: Any, items: Sequence[Any]) -> None:
    """Time-outs so short that many of them pass; then the item must not be stored."""
    rng = random.Random(len(items))
    for item in items:
        while True:
            try:
                q.put(item, timeout=rng.random() * 2e-4)
            except Full:
                continue
            break


def put_each_at_once(q: Any, items: Sequence[Any]) -> None:
    for item in items:
        while not q.try_put(item):
            time.sleep(0)


def put_in_batches(q: Any, items: Sequence[Any]) -> None:
    rng, i = random.Random(len(items)), 0
    while i < len(items):
        batch = items[i : i + rng.randint(1, 9)]
        assert q.put_many(batch) == len(batch)
        i += len(batch)


def put_in_batches_in_time(q: Any, items: Sequence[Any]) -> None:
    rng, i = random.Random(len(items)), 0
    while i < len(items):
        try:
            i += q.put_many(items[i : i + rng.randint(1, 9)], timeout=rng.random() * 2e-4)
        except Full:
            continue


PRODUCERS: list[Producer] = [
    put_each,
    put_in_batches,
    put_each_in_time,
    put_each_at_once,
    put_in_batches_in_time,
]

# Consumers: take what there is until the queue was shut down and is drained.


def get_each(q: Any) -> list[Any]:
    got = []
    try:
        while True:
            got.append(q.get())
    except fastprims.ShutDown:
        return got


def get_each_in_time(q: Any) -> list[Any]:
    got: list[Any] = []
    rng = random.Random(5)
    while True:
        try:
            got.append(q.get(timeout=rng.random() * 2e-4))
        except Empty:
            continue
        except fastprims.ShutDown:
            return got


def get_each_at_once(q: Any) -> list[Any]:
    got: list[Any] = []
    nothing = object()
    try:
        while True:
            item = q.try_get(nothing)
            if item is nothing:
                time.sleep(0)
            else:
                got.append(item)
    except fastprims.ShutDown:
        return got


def get_in_batches(q: Any) -> list[Any]:
    got: list[Any] = []
    rng = random.Random(7)
    try:
        while True:
            got += q.get_many(rng.randint(1, 9))
    except fastprims.ShutDown:
        return got


def get_in_batches_in_time(q: Any) -> list[Any]:
    got: list[Any] = []
    rng = random.Random(9)
    while True:
        try:
            got += q.get_many(rng.randint(1, 9), timeout=rng.random() * 2e-4)
        except Empty:
            continue
        except fastprims.ShutDown:
            return got


CONSUMERS: list[Consumer] = [
    get_each,
    get_in_batches,
    get_each_in_time,
    get_each_at_once,
    get_in_batches_in_time,
]

_STRIDE = 1 << 20


def items_of(producer: int, n: int) -> range:
    """Items that tell who sent them and in which order."""
    return range(producer * _STRIDE, producer * _STRIDE + n)


def flow(
    q: Any,
    producers: Sequence[Producer],
    consumers: Sequence[Consumer],
    n: int,
    beside: Sequence[Callable[[], None]] = (),
    timeout: float = DEADLINE,
) -> list[list[int]]:
    """Send `n` items from every producer, shut down, and return what each consumer got.

    Whatever runs `beside` the traffic has to end once the queue is shut down.
    """
    takers = [spawn(consumer, q) for consumer in consumers]
    others = [spawn(other) for other in beside]
    try:
        senders = [
            lambda produce=produce, i=i: produce(q, items_of(i, n))
            for i, produce in enumerate(producers)
        ]
        run_threads(*senders, timeout=timeout)
    except BaseException:
        for taker in takers:
            if taker.error is not None:
                raise taker.error from None
        raise
    finally:
        q.shutdown()
    _finish(others, timeout)
    return _finish(takers, timeout)


def _finish(tasks: list[Task[Any]], timeout: float) -> list[Any]:
    deadline = time.monotonic() + timeout
    if not all(task.join(max(0.0, deadline - time.monotonic())) for task in tasks):
        dump_threads()
    return [task.result(0) for task in tasks]


def check(received: list[list[int]], producers: int, n: int, fifo: bool) -> None:
    """Every item exactly once; in FIFO queues nobody saw a producer's items out of order."""
    expected = Counter(item for i in range(producers) for item in items_of(i, n))
    counted = Counter(item for got in received for item in got)
    lost, extra = expected - counted, counted - expected
    assert not lost and not extra, f"lost {sorted(lost)[:9]}, too many {sorted(extra)[:9]}"
    if fifo:
        for got in received:
            last: dict[int, int] = {}
            for item in got:
                producer = item // _STRIDE
                assert item > last.get(producer, -1), f"{item} after {last[producer]}"
                last[producer] = item
