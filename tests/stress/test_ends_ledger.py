"""Random cancellations and time-outs at both ends, with a ledger: whatever was stored is received
once, and nothing else is.

The quick form makes some thousand calls a case, `--stress 500` a million.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, Full
from typing import Any

import pytest
from support.ends import EndKind, Ends, having
from support.loops import MAIN_LOOPS, run, spawn_loop
from support.threads import DEADLINE, spawn

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 5e-5  # seconds; see conftest.py

Scale = Callable[[int], int]


@dataclass
class Ledger:
    """What one actor has stored and received, and how many of its calls came to nothing."""

    first: int
    sent: list[int] = field(default_factory=list)
    got: list[int] = field(default_factory=list)
    given_up: int = 0

    def next_item(self) -> int:
        return self.first + len(self.sent)


@dataclass
class Book:
    """The ledgers of one run."""

    kind: EndKind
    ends: Ends
    calls: int  # of each actor
    ledgers: list[Ledger] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ledger(self) -> Ledger:
        with self.lock:
            self.ledgers.append(Ledger(len(self.ledgers) << 24))
            return self.ledgers[-1]

    def check(self) -> None:
        sent = Counter(n for ledger in self.ledgers for n in ledger.sent)
        got = Counter(n for ledger in self.ledgers for n in ledger.got)
        lost, extra = sent - got, got - sent
        assert not lost and not extra, f"lost {sorted(lost)[:9]}, too many {sorted(extra)[:9]}"
        if self.kind.fifo:
            for ledger in self.ledgers:
                newest: dict[int, int] = {}
                for n in ledger.got:
                    assert n > newest.get(n >> 24, -1), "a producer's items changed places"
                    newest[n >> 24] = n
        assert sum(ledger.given_up for ledger in self.ledgers) > 0, "nothing was given up"


async def cancelled_at_random(
    call: Callable[[], Any], rng: random.Random, done: Callable[[Any], None], ledger: Ledger
) -> None:
    """One call in a task that is cancelled after some passes of the loop or some time, or is not.

    What the call returned is entered by the task itself: it has it, whatever comes after.
    """

    async def body() -> None:
        done(await call())

    task = asyncio.ensure_future(body())
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 5))):
        await asyncio.sleep(0)
    if rng.random() < 0.3 and not task.done():
        await asyncio.sleep(rng.random() * 3e-4)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        ledger.given_up += 1


async def in_a_timeout_block(
    call: Callable[[], Any], rng: random.Random, done: Callable[[Any], None], ledger: Ledger
) -> None:
    """The same by asyncio.timeout(), or, where there is none, by the call's own time-out."""
    if sys.version_info < (3, 11):
        await cancelled_at_random(call, rng, done, ledger)
        return
    try:
        async with asyncio.timeout(rng.choice((0, 0, 1e-4, 5e-4))):
            done(await call())
    except TimeoutError:
        ledger.given_up += 1


GIVING_UP = (cancelled_at_random, in_a_timeout_block)


async def producing_tasks(book: Book, seed: int) -> None:
    """Puts that are cancelled, that time out, and batches, until all calls are made."""
    rng, ledger, a = random.Random(seed), book.ledger(), book.ends.a
    own = book.kind.ours

    def stored(count: Any) -> None:
        ledger.sent.append(ledger.next_item())

    for _ in range(book.calls):
        item = ledger.next_item()
        how = rng.randrange(5 if own else 3)
        if how < 2:
            await GIVING_UP[how](lambda item=item: a.put(item), rng, stored, ledger)
        elif how == 2:
            try:
                a.put_nowait(item)
                stored(None)
            except asyncio.QueueFull:
                ledger.given_up += 1
                await asyncio.sleep(0)
        elif how == 3:
            try:
                await a.put(item, timeout=rng.choice((0, 1e-5, 3e-4)))
                stored(None)
            except asyncio.QueueFull:
                ledger.given_up += 1
        else:
            size = rng.randrange(1, 6)
            try:
                count = await a.put_many(range(item, item + size), timeout=rng.choice((0, 3e-4)))
            except asyncio.QueueFull:
                ledger.given_up += 1
            else:
                ledger.sent.extend(range(item, item + count))


async def consuming_tasks(book: Book, seed: int) -> None:
    """Gets of the same kinds, until the queue is shut down and empty."""
    rng, ledger, a = random.Random(seed), book.ledger(), book.ends.a
    own = book.kind.ours
    while True:
        try:
            how = rng.randrange(5 if own else 3)
            if how < 2:
                await GIVING_UP[how](a.get, rng, ledger.got.append, ledger)
            elif how == 2:
                try:
                    ledger.got.append(a.get_nowait())
                except asyncio.QueueEmpty:
                    await asyncio.sleep(0)
            elif how == 3:
                try:
                    ledger.got.append(await a.get(timeout=rng.choice((0, 1e-5, 3e-4))))
                except asyncio.QueueEmpty:
                    ledger.given_up += 1
                    await asyncio.sleep(0)
            else:
                try:
                    got = await a.get_many(rng.randrange(1, 6), timeout=rng.choice((0, 3e-4)))
                    ledger.got.extend(got)
                except asyncio.QueueEmpty:
                    ledger.given_up += 1
                    await asyncio.sleep(0)
        except book.kind.closed:
            return


def producing_thread(book: Book, seed: int) -> None:
    rng, ledger, s = random.Random(seed), book.ledger(), book.ends.s
    for _ in range(book.calls):
        try:
            s.put(ledger.next_item(), timeout=rng.choice((0, 1e-5, 3e-4, 10)))
        except Full:
            ledger.given_up += 1
        else:
            ledger.sent.append(ledger.next_item())


def consuming_thread(book: Book, seed: int) -> None:
    rng, ledger, s = random.Random(seed), book.ledger(), book.ends.s
    while True:
        try:
            ledger.got.append(s.get(timeout=rng.choice((0, 1e-5, 3e-4, 10))))
        except Empty:
            ledger.given_up += 1
        except book.kind.thread_closed:
            return


def cases() -> list[Any]:
    found = []
    for kind in having("shared", "threads", "loops", "shutdown"):
        for bound in (1, 3, 0):
            if (bound and kind.bounded) or (not bound and kind.unbounded):
                found.append(pytest.param(kind, bound, id=f"{kind}-{bound}"))
    return found


@pytest.mark.parametrize("loop_kind", MAIN_LOOPS)
@pytest.mark.parametrize(("kind", "bound"), cases())
def test_nothing_is_lost_or_doubled(
    kind: EndKind, bound: int, loop_kind: str, scale: Scale
) -> None:
    """Two loops and two threads at each end of one queue."""
    calls = scale(250 if kind.fast else 60)
    book = Book(kind, kind.make(bound), calls)
    limit = DEADLINE * max(1, scale(1000) / 1000)

    async def produce(seed: int) -> None:
        await asyncio.gather(*(producing_tasks(book, seed + n) for n in range(3)))

    async def consume(seed: int) -> None:
        await asyncio.gather(*(consuming_tasks(book, seed + n) for n in range(3)))

    consumers = [
        spawn(lambda: run(lambda: consume(30), loop_kind, limit)),
        spawn(consuming_thread, book, 40),
    ]
    producers = [
        spawn(lambda: run(lambda: produce(10), loop_kind, limit)),
        spawn(producing_thread, book, 50),
    ]
    try:
        for producer in producers:
            producer.result(limit)
    finally:
        book.ends.s.shutdown()
    for consumer in consumers:
        consumer.result(limit)
    book.check()


@pytest.mark.parametrize("loop_kind", MAIN_LOOPS)
@pytest.mark.parametrize(("kind", "bound"), cases())
def test_nothing_is_lost_within_one_loop(
    kind: EndKind, bound: int, loop_kind: str, scale: Scale
) -> None:
    book = Book(kind, kind.make(bound), scale(250 if kind.fast else 60))
    limit = DEADLINE * max(1, scale(1000) / 1000)

    async def main() -> None:
        consumers = [asyncio.ensure_future(consuming_tasks(book, n)) for n in range(3)]
        await asyncio.gather(*(producing_tasks(book, 10 + n) for n in range(3)))
        book.ends.a.shutdown()
        await asyncio.gather(*consumers)

    run(main, loop_kind, limit)
    book.check()


OPENED = [kind for kind in having("tasks", ours=True) if not kind.name.startswith("fastprims.aio")]


@pytest.mark.parametrize("bound", [1, 3, 0])
@pytest.mark.parametrize("kind", OPENED, ids=str)
def test_nothing_is_lost_when_the_queue_opens(kind: EndKind, bound: int, scale: Scale) -> None:
    """A thread uses the queue's inside amid the traffic, which makes it a standard queue."""
    for lap in range(scale(3)):
        book = Book(kind, kind.make(bound), 60)

        async def produce(book: Book = book, lap: int = lap) -> None:
            await asyncio.gather(*(producing_tasks(book, lap + n) for n in range(3)))

        async def consume(book: Book = book, lap: int = lap) -> None:
            await asyncio.gather(*(consuming_tasks(book, lap + n) for n in range(3)))

        consumers = [spawn_loop(consume), spawn(consuming_thread, book, lap)]
        producers = [spawn_loop(produce), spawn(producing_thread, book, lap)]
        threading.Event().wait(0.002 * (lap % 5))
        assert len(book.ends.queue.queue) >= 0
        for producer in producers:
            producer.result()
        book.ends.s.shutdown()
        for consumer in consumers:
            consumer.result()
        book.check()


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize(("kind", "bound"), cases())
def test_a_shutdown_amid_it_all(kind: EndKind, bound: int, immediate: bool, scale: Scale) -> None:
    """What was stored is received, or dropped with the queue; nothing is received twice."""
    for lap in range(scale(3)):
        book = Book(kind, kind.make(bound), 10**9)

        async def produce(book: Book = book, lap: int = lap) -> None:
            tasks = (producing_tasks(book, lap + n) for n in range(3))
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, kind.closed), outcome

        async def consume(book: Book = book, lap: int = lap) -> None:
            await asyncio.gather(*(consuming_tasks(book, lap + n) for n in range(3)))

        actors = [spawn_loop(produce), spawn_loop(consume), spawn(consuming_thread, book, lap)]
        threading.Event().wait(0.01 + 0.005 * lap % 0.05)
        book.ends.s.shutdown(immediate)
        for actor in actors:
            actor.result()
        sent = Counter(n for ledger in book.ledgers for n in ledger.sent)
        got = Counter(n for ledger in book.ledgers for n in ledger.got)
        assert not got - sent
        if not immediate:
            assert not sent - got
