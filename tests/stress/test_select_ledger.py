"""Selects that time out and are cancelled at random, with a ledger: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.loops import MAIN_LOOPS, run
from support.threads import DEADLINE, Task, spawn

import fastprims
from fastprims import AtomicFlag, BoundedChannel, MPMCRing, Queue, Selector, SimpleQueue, aio

pytestmark = pytest.mark.stress

SWITCH_INTERVAL = 5e-5  # seconds; see conftest.py

Scale = Callable[[int], int]


class Book:
    """Four queues, what was stored in them, and what was received."""

    def __init__(self, bound: int, calls: int) -> None:
        self.queues: list[Any] = [Queue(bound), MPMCRing(bound), BoundedChannel(bound)]
        self.queues.append(SimpleQueue())
        self.done = AtomicFlag()
        self.calls = calls
        self.sent: list[int] = []
        self.got: list[int] = []
        self.given_up = 0
        self.lock = threading.Lock()

    def close(self, sent: list[int], got: list[int], given_up: int) -> None:
        with self.lock:
            self.sent += sent
            self.got += got
            self.given_up += given_up

    def some(self, rng: random.Random) -> list[Any]:
        return rng.sample(self.queues, rng.randint(1, len(self.queues)))

    def check(self) -> None:
        assert not any(q.qsize() for q in self.queues)
        lost, extra = Counter(self.sent) - Counter(self.got), Counter(self.got) - Counter(self.sent)
        assert not lost and not extra, f"lost {sorted(lost)[:9]}, too many {sorted(extra)[:9]}"
        assert self.given_up > 0, "nothing was given up"


def storing_thread(book: Book, first: int) -> None:
    rng, sent, given_up = random.Random(first), [], 0
    for n in range(first, first + book.calls):
        operations = [(q.put, n) for q in book.some(rng)]
        answer = fastprims.select(*operations, timeout=rng.choice((0, 1e-5, 3e-4, 1)))
        if answer is None:
            given_up += 1
        else:
            sent.append(n)
    book.close(sent, [], given_up)


def taking_thread(book: Book, seed: int) -> None:
    """By a Selector, of which operations come and go."""
    rng, got, given_up = random.Random(seed), [], 0
    selector = Selector(book.done)
    places = [selector.add(q.get) for q in book.queues]
    while True:
        answer = selector.select(rng.choice((1e-5, 3e-4, 1)))
        if answer is None:
            given_up += 1
        elif answer.source is book.done:
            break
        else:
            got.append(answer.value)
        if rng.random() < 0.05:
            which = rng.randrange(len(places))
            selector.remove(places[which])
            places[which] = selector.add(book.queues[which].get)
    book.close([], got, given_up)


async def storing_task(book: Book, first: int) -> None:
    rng, sent, given_up = random.Random(first), [], 0

    async def store(n: int) -> None:
        if await aio.select(*[(q.put, n) for q in book.some(rng)]) is not None:
            sent.append(n)

    for n in range(first, first + book.calls):
        given_up += await cancelled_at_random(store(n), rng)
    book.close(sent, [], given_up)


async def taking_task(book: Book, seed: int) -> None:
    rng, got, given_up = random.Random(seed), [], 0
    over = False
    selector = Selector(*[q.get for q in book.queues], book.done)

    async def take() -> None:
        nonlocal over
        answer = await selector.select_async(rng.choice((None, 3e-4)))
        if answer is not None and answer.source is book.done:
            over = True
        elif answer is not None:
            got.append(answer.value)

    while not over:
        given_up += await cancelled_at_random(take(), rng)
    book.close([], got, given_up)


async def cancelled_at_random(call: Any, rng: random.Random) -> bool:
    task = asyncio.ensure_future(call)
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        await asyncio.sleep(0)
    if rng.random() < 0.5:
        await asyncio.wait([task], timeout=rng.random() * 1e-3)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


@pytest.mark.parametrize("loop_kind", MAIN_LOOPS)
@pytest.mark.parametrize("bound", [1, 3])
def test_nothing_is_lost(bound: int, loop_kind: str, scale: Scale) -> None:
    book = Book(bound, scale(4000))
    limit = DEADLINE * max(1, scale(1000) / 1000)

    async def storing() -> None:
        await asyncio.gather(*(storing_task(book, (n + 1) << 24) for n in range(2)))

    async def taking() -> None:
        await asyncio.gather(*(taking_task(book, n) for n in range(2)))

    takers: list[Task[Any]] = [spawn(lambda: run(taking, loop_kind, limit))]
    takers += [spawn(taking_thread, book, n) for n in range(2)]
    storers: list[Task[Any]] = [spawn(lambda: run(storing, loop_kind, limit))]
    storers += [spawn(storing_thread, book, (n + 9) << 24) for n in range(2)]
    for storer in storers:
        storer.result(limit)
    empty = threading.Event()
    while any(q.qsize() for q in book.queues):
        empty.wait(0.001)
    book.done.test_and_set()
    for taker in takers:
        taker.result(limit)
    book.check()


@pytest.mark.parametrize("loop_kind", MAIN_LOOPS)
def test_selects_meet_selects(loop_kind: str, scale: Scale) -> None:
    """Both sides select, over queues for one item: no two of them wait for each other for ever."""
    count = scale(5000)
    there = [Queue[int](1) for _ in range(2)]
    back = [MPMCRing[int](1) for _ in range(2)]

    def serve() -> None:
        selector = Selector(*[q.get for q in there])
        for _ in range(count):
            request = selector.select(60)
            assert request is not None
            assert fastprims.select(*[(q.put, request.value + 1) for q in back], timeout=60)

    async def ask() -> int:
        selector = Selector(*[q.get for q in back])
        right = 0
        for n in range(count):
            assert await aio.select(*[(q.put, n) for q in there], timeout=60)
            answer = await selector.select_async(60)
            assert answer is not None
            right += answer.value == n + 1
        return right

    server = spawn(serve)
    assert run(ask, loop_kind) == count
    server.result()
