"""The workloads of queues: the threads of each situation, and the checks after a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain, cycle, islice, repeat
from typing import Any

from bench.queues import loops
from bench.run.case import (
    FASTPRIMS,
    FRESH,
    FRESH_BASE,
    SMALL_ITEM,
    Case,
    Contender,
    Trial,
    expect,
    expect_drained,
    items_of,
    own_copy,
    size_of,
)
from bench.run.harness import Role

WINDOW = 2048


def ready_items_of(kind: str, count: int) -> Iterable[int]:
    """`count` items made beforehand: a list of ordinary integers repeated, or the small one."""
    if kind == FRESH:
        window = list(items_of(FRESH, 0, min(count, WINDOW)))
        return islice(chain.from_iterable(repeat(window)), count)
    return repeat(SMALL_ITEM, count)


def last_of(kind: str, count: int) -> int:
    return FRESH_BASE + count - 1 if kind == FRESH else SMALL_ITEM


def last_ready_of(kind: str, count: int) -> int:
    return FRESH_BASE + (count - 1) % WINDOW if kind == FRESH else SMALL_ITEM


@cache
def _loop(function: Callable[..., Any], *owner: str) -> Callable[..., Any]:
    return own_copy(function)


def pair_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """One thread puts an item and takes it out again."""
    queue = contender.make(case.bound)
    put, get = getattr(queue, contender.put), getattr(queue, contender.get)
    if collect:
        items, received = items_of(kind, 0, count), list[Any]()
        return Trial(
            [("worker", lambda: loops.collect_pairs(put, get, items, received))],
            (queue,),
            count,
            received=[received],
        )
    table = loops.PAIR_LOCAL if case.style == "local" else loops.PAIR_ATTRIBUTE
    loop = _loop(table[contender.calls], case.key, contender.key, kind)
    out: list[Any] = []

    def check() -> None:
        if contender.empty_loop:
            return
        expect(out == [last_ready_of(kind, count)], case, contender, f"gave {out} as its last item")
        expect_drained(case, contender, queue)

    def work() -> None:  # on objects of its own: without the GIL, another thread's cost more
        out.append(loop(queue, put, get, ready_items_of(kind, count)))

    return Trial([("worker", work)], (queue,), count, check)


def flood_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """One thread puts items into a full queue, which keeps the oldest or the newest items."""
    queue = contender.make(case.bound)
    put, get = getattr(queue, contender.put), getattr(queue, contender.get)
    source = loops.spin_items if contender.empty_loop else loops.produce
    loop = _loop(source, case.key, contender.key, kind)
    ready = list(items_of(kind, 0, case.bound + count))
    for item in ready[: case.bound]:
        put(item)
    flood = ready[case.bound :]

    def check() -> None:
        if not contender.empty_loop:
            kept = ready[-case.bound :] if contender.keeps == "newest" else ready[: case.bound]
            got = [get() for _ in range(size_of(queue))]
            expect(got == kept, case, contender, f"has not kept the {contender.keeps} items")

    return Trial([("worker", lambda: loop(put, flood))], (queue,), count, check)


def handoff_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """Producers put, consumers get, each an equal share, through one queue."""
    queue = contender.make(case.bound)
    put, get = getattr(queue, contender.put), getattr(queue, contender.get)
    source, sink = loops.produce, loops.consume
    if contender.empty_loop:
        source, sink = loops.spin_items, loops.spin_count
    produce = _loop(source, case.key, contender.key, kind)
    consume = _loop(sink, case.key, contender.key, kind)
    share, portion = count // case.producers, count // case.consumers
    received: list[list[Any]] = [[] for _ in range(case.consumers)] if collect else []

    def producer(index: int) -> Role:
        items = items_of(kind, index * share, share)
        return f"producer {index}", lambda: produce(put, items)

    def consumer(index: int) -> Role:
        if collect:
            mine = received[index]
            return f"consumer {index}", lambda: loops.consume_into(get, portion, mine)
        return f"consumer {index}", lambda: consume(get, portion)

    roles = [consumer(i) for i in range(case.consumers)] + [
        producer(i) for i in range(case.producers)
    ]

    def check() -> None:
        expect_drained(case, contender, queue)

    return Trial(roles, (queue,), count, check, received)


def pingpong_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """Two threads pass one item back and forth over two queues; an operation is one round trip."""
    there, back = contender.make(case.bound), contender.make(case.bound)
    put_there, get_there = getattr(there, contender.put), getattr(there, contender.get)
    put_back, get_back = getattr(back, contender.put), getattr(back, contender.get)
    items = items_of(kind, 0, count)
    if contender.empty_loop:
        return Trial(
            [
                ("ping", lambda: loops.spin_items(None, items)),
                ("pong", lambda: loops.spin_count(None, count)),
            ],
            (),
            count,
        )
    pong = _loop(loops.pong, case.key, contender.key, kind)
    pong_role: Role = ("pong", lambda: pong(get_there, put_back, count))
    if collect:
        received: list[Any] = []
        collecting: Role = (
            "ping",
            lambda: loops.collect_pairs(put_there, get_back, items, received),
        )
        return Trial([collecting, pong_role], (there, back), count, received=[received])
    ping = _loop(loops.ping, case.key, contender.key, kind)
    out: list[Any] = []

    def check() -> None:
        expect(out == [last_of(kind, count)], case, contender, f"returned {out} at the end")
        expect_drained(case, contender, there, back)

    ping_role: Role = ("ping", lambda: out.append(ping(put_there, get_back, items)))
    return Trial([ping_role, pong_role], (there, back), count, check)


def batch_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """One thread puts 64 items and takes 64 out; an operation is one item.

    The batches are lists that the thread makes first; a few distinct ones are used in turn.
    """
    queue = contender.make(case.bound)
    batches = count // loops.BATCH
    distinct = batches if collect else min(batches, WINDOW // loops.BATCH)

    def chunks() -> list[list[Any]]:
        return [list(items_of(kind, i * loops.BATCH, loops.BATCH)) for i in range(distinct)]

    if collect:
        received: list[Any] = []
        return Trial(
            [("worker", lambda: _collect_batches(queue, chunks(), received))],
            (queue,),
            count,
            received=[received],
        )
    loop = _loop(_batch_loop(contender), case.key, contender.key, kind)
    out: list[Any] = []

    def work() -> None:  # as in pair_trial, on objects of its own
        out.append(loop(queue, islice(cycle(chunks()), batches)))

    def check() -> None:
        last = last_of(kind, ((batches - 1) % distinct + 1) * loops.BATCH)
        if not contender.empty_loop:
            expect(out == [last], case, contender, f"gave {out} as its last item, not {last}")
        expect_drained(case, contender, queue)

    return Trial([("worker", work)], (queue,), count, check)


def _batch_loop(contender: Contender) -> Callable[..., Any]:
    if contender.empty_loop:
        return loops.batch_empty
    if contender.calls == "locked":
        return loops.batch_locked
    return loops.batch_many if contender.side == FASTPRIMS else loops.batch_one_by_one


def _collect_batches(queue: Any, chunks: Iterable[list[Any]], received: list[Any]) -> None:
    for chunk in chunks:
        if hasattr(queue, "put_many"):
            queue.put_many(chunk)
            received += queue.get_many(loops.BATCH)
        else:
            for item in chunk:
                queue.put(item)
            received += [queue.get() for _ in chunk]
