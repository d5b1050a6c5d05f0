"""The ends for event loops: threads and tasks over one queue, beside what is usually written for
that, and beside janus and culsans if they are installed.

A trial's event loops are made before its time begins and closed after it. A task awaits each call by
itself, but in the cases that say otherwise.
"""

from __future__ import annotations

import asyncio
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from bench.queues.loops import BATCH, consume, consume_into, pong, produce
from bench.run import peers
from bench.run.case import (
    FASTPRIMS,
    FRESH,
    PEER,
    STDLIB,
    Case,
    Contender,
    Pairing,
    Trial,
    expect_drained,
    fastprims,
    items_of,
    own_copy,
)
from bench.run.harness import Role

BOUND = 1024
CROWD = 1000  # tasks


class Ends:
    """A queue with both ends, as the trials use it."""

    def __init__(self, whole: Any, a: Any, s: Any) -> None:
        self.whole, self.a, self.s = whole, a, s

    def qsize(self) -> int:
        return int(self.a.qsize())

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called with the loop that will use it."""

    def shutdown(self, immediate: bool) -> None:
        if hasattr(self.whole, "shutdown"):
            self.whole.shutdown(immediate)


class FromAnyThread(Ends):
    """asyncio.Queue, fed by the loop's own call for other threads. It has no bound: the call cannot
    wait for room."""

    def __init__(self) -> None:
        own: asyncio.Queue[Any] = asyncio.Queue()
        super().__init__(own, own, self)
        self._put = own.put_nowait
        self.loop: Any = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def put(self, item: Any) -> None:
        self.loop.call_soon_threadsafe(self._put, item)

    def shutdown(self, immediate: bool) -> None:
        """There is no thread to be woken."""


class ThroughThreads(Ends):
    """A queue for threads, each call in a thread of the loop's pool."""

    def __init__(self, whole: Any) -> None:
        super().__init__(whole, self, whole)

    def qsize(self) -> int:
        return int(self.whole.qsize())

    async def get(self) -> Any:
        return await asyncio.to_thread(self.whole.get)

    async def put(self, item: Any) -> None:
        await asyncio.to_thread(self.whole.put, item)

    async def get_many(self, most: int) -> Any:
        return await asyncio.to_thread(self.whole.get_many, most)


class Bell:
    """A descriptor that wakes the loop, and nothing else: what a thread needs at least in order to
    answer a task."""

    def __init__(self) -> None:
        self.receiver, self.sender = (
            (os.eventfd(0, os.EFD_NONBLOCK),) * 2 if hasattr(os, "eventfd") else os.pipe()
        )
        self.item: Any = None
        self.future: Any = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        loop.add_reader(self.receiver, self.rung)

    def ring(self, item: Any) -> None:
        self.item = item
        os.write(self.sender, b"\1\0\0\0\0\0\0\0")

    def rung(self) -> None:
        os.read(self.receiver, 8)
        self.future.set_result(None)

    def close(self) -> None:
        self.loop.remove_reader(self.receiver)
        for descriptor in {self.receiver, self.sender}:
            os.close(descriptor)


# What tasks do. --------------------------------------------------------------------------------


async def take(get: Any, count: int) -> None:
    for _ in repeat(None, count):
        await get()


async def take_into(get: Any, count: int, received: list[Any]) -> None:
    for _ in repeat(None, count):
        received.append(await get())


async def take_batches(get_many: Any, count: int) -> None:
    left = count
    while left:
        left -= len(await get_many(min(left, BATCH)))


async def take_batches_into(get_many: Any, count: int, received: list[Any]) -> None:
    while len(received) < count:
        received += await get_many(min(count - len(received), BATCH))


async def give(put: Any, items: Iterable[Any]) -> None:
    for item in items:
        await put(item)


async def give_and_take(put: Any, get: Any, items: Iterable[Any]) -> None:
    for item in items:
        await put(item)
        await get()


async def give_and_take_into(put: Any, get: Any, items: Iterable[Any], received: list[Any]) -> None:
    for item in items:
        await put(item)
        received.append(await get())


async def ring_and_wait(bell: Bell, put: Any, items: Iterable[Any], received: list[Any]) -> None:
    make = bell.loop.create_future
    for item in items:
        bell.future = make()
        put(item)
        await bell.future
        received.append(bell.item)


async def together(coroutines: list[Any]) -> None:
    await asyncio.gather(*coroutines)


# Trials. -----------------------------------------------------------------------------------------


class Loop:
    """An event loop for one role of a trial."""

    def __init__(self, *bound: Any) -> None:
        self.loop = asyncio.new_event_loop()
        for each in bound:
            each.bind(self.loop)

    def role(self, name: str, main: Callable[[], Any]) -> Role:
        return name, lambda: self.loop.run_until_complete(main())

    def close(self) -> None:
        self.loop.run_until_complete(self.end())
        self.loop.close()

    async def end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}  # janus has some of its own
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.loop.shutdown_default_executor()


def taker(contender: Contender, a: Any, received: list[Any] | None) -> Callable[[int], Any]:
    """How one task takes its share of the items."""
    get, batches = getattr(a, contender.get), contender.get == "get_many"
    if received is None:
        loop = own_copy(take_batches if batches else take)
        return lambda count: loop(get, count)
    keep = take_batches_into if batches else take_into
    return lambda count: keep(get, count, received)


def to_task_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """A thread puts; one task, or many of one loop, get."""
    ends = contender.make(case.bound)
    loop, received = Loop(ends), [list[Any]() for _ in range(case.consumers)]
    share = count // len(received)
    takers = [taker(contender, ends.a, mine if collect else None) for mine in received]
    feed = own_copy(produce)
    items = items_of(kind, 0, count)

    def check() -> None:
        loop.close()
        expect_drained(case, contender, ends)

    return Trial(
        [
            loop.role("tasks", lambda: together([each(share) for each in takers])),
            ("thread", lambda: feed(ends.s.put, items)),
        ],
        (ends,),
        count,
        check,
        received if collect else [],
    )


def to_thread_trial(
    case: Case, contender: Contender, kind: str, count: int, collect: bool
) -> Trial:
    """A task puts, a thread gets."""
    ends = contender.make(case.bound)
    loop, received = Loop(ends), list[Any]()
    feed, drain = own_copy(give), own_copy(consume)
    items = items_of(kind, 0, count)

    def check() -> None:
        loop.close()
        expect_drained(case, contender, ends)

    def get_all() -> None:
        if collect:
            consume_into(ends.s.get, count, received)
        else:
            drain(ends.s.get, count)

    return Trial(
        [loop.role("task", lambda: feed(ends.a.put, items)), ("thread", get_all)],
        (ends,),
        count,
        check,
        [received] if collect else [],
    )


def within_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """Two tasks of one loop."""
    ends = contender.make(case.bound)
    loop, received = Loop(ends), list[Any]()
    get_all = taker(contender, ends.a, received if collect else None)
    feed = own_copy(give)
    items = items_of(kind, 0, count)

    def check() -> None:
        loop.close()
        expect_drained(case, contender, ends)

    return Trial(
        [loop.role("tasks", lambda: together([get_all(count), feed(ends.a.put, items)]))],
        (ends,),
        count,
        check,
        [received] if collect else [],
    )


def alone_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """One task puts an item and takes it out again: nobody waits."""
    ends = contender.make(case.bound)
    loop, received = Loop(ends), list[Any]()
    items = items_of(kind, 0, count)
    both = own_copy(give_and_take)

    async def main() -> None:
        if collect:
            await give_and_take_into(ends.a.put, ends.a.get, items, received)
        else:
            await both(ends.a.put, ends.a.get, items)

    def check() -> None:
        loop.close()
        expect_drained(case, contender, ends)

    return Trial([loop.role("task", main)], (ends,), count, check, [received] if collect else [])


def round_trip_trial(
    case: Case, contender: Contender, kind: str, count: int, collect: bool
) -> Trial:
    """A task asks, a thread answers."""
    items, received = items_of(kind, 0, count), list[Any]()
    answer = own_copy(pong)
    if contender.calls == "descriptor":
        bell: Bell = contender.make(case.bound)
        asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        loop = Loop(bell)

        def close() -> None:
            bell.close()
            loop.close()

        return Trial(
            [
                loop.role("task", lambda: ring_and_wait(bell, asked.put, items, received)),
                ("thread", lambda: answer(asked.get, bell.ring, count)),
            ],
            (),
            count,
            close,
            [received] if collect else [],
        )
    there, back = contender.make(case.bound), contender.make(case.bound)
    loop = Loop(there, back)
    ask = own_copy(give_and_take)

    async def main() -> None:
        if collect:
            await give_and_take_into(there.a.put, back.a.get, items, received)
        else:
            await ask(there.a.put, back.a.get, items)

    def check() -> None:
        loop.close()
        expect_drained(case, contender, there, back)

    return Trial(
        [loop.role("task", main), ("thread", lambda: answer(there.s.get, back.s.put, count))],
        (there, back),
        count,
        check,
        [received] if collect else [],
    )


# Contenders and cases. ---------------------------------------------------------------------------


def _ours(name: str, put: Callable[[int], Any], **options: Any) -> Contender:
    def make(bound: int) -> Ends:
        whole = put(bound)
        return Ends(whole, whole.async_q, whole.sync_q)

    return Contender(name, FASTPRIMS, make, **options)


def _peer(package: str) -> Iterator[Contender]:
    """It, if it is installed."""
    module = peers.load(package)[0]
    if module is not None:

        def make(bound: int) -> Ends:
            whole = module.Queue(bound)
            return Ends(whole, whole.async_q, whole.sync_q)

        yield Contender(package, PEER, make)


def _alone(bound: int) -> Ends:
    whole: asyncio.Queue[Any] = asyncio.Queue(bound)
    return Ends(whole, whole, None)


def _ring(cls: Any) -> Callable[[int], Any]:
    return lambda bound: cls(bound or BOUND)


STD = Contender("asyncio.Queue", STDLIB, _alone)
STD_SOON = Contender("asyncio.Queue, call_soon_threadsafe", STDLIB, lambda bound: FromAnyThread())
STD_POOL = Contender(
    "queue.Queue, to_thread", STDLIB, lambda bound: ThroughThreads(queue.Queue(bound))
)
FP_POOL_MANY = Contender(
    "fastprims.Queue.get_many, to_thread",
    FASTPRIMS,
    lambda bound: ThroughThreads(fastprims.Queue(bound)),
    get="get_many",
)
DESCRIPTOR = Contender("descriptor + SimpleQueue", STDLIB, lambda bound: Bell(), calls="descriptor")
FP = _ours("fastprims.Queue", fastprims.Queue)
FP_SIMPLE = _ours("fastprims.SimpleQueue", lambda bound: fastprims.SimpleQueue())
FP_MPMC = _ours("fastprims.MPMCRing", _ring(fastprims.MPMCRing))
FP_SPSC = _ours("fastprims.SPSCRing", _ring(fastprims.SPSCRing))
FP_MANY = _ours(f"fastprims.Queue.get_many({BATCH})", fastprims.Queue, get="get_many")
PEERS = tuple(contender for package in ("culsans", "janus") for contender in _peer(package))


def _over_peers(contender: Contender, goal: float) -> tuple[Pairing, ...]:
    return tuple(Pairing(contender, peer, goal, goal) for peer in PEERS)


def _case(
    key: str, title: str, trial: Any, who: tuple[Contender, ...], *ratios: Pairing, **more: Any
) -> Case:
    options: dict[str, Any] = {"bound": BOUND, "least": 4 * BOUND, "kinds": (FRESH,)} | more
    return Case(key, title, trial, who, ratios, **options)


AIO: tuple[Case, ...] = (
    _case(
        "aio-to-task",
        f"a thread puts, a task gets, bound {BOUND}",
        to_task_trial,
        (STD_SOON, *PEERS, FP, FP_SIMPLE, FP_MPMC, FP_SPSC, FP_MANY, FP_POOL_MANY),
        *_over_peers(FP, 8),
        *_over_peers(FP_MANY, 30),
        Pairing(FP, STD_SOON),
        Pairing(FP_MANY, FP_POOL_MANY),
        threads=2,
    ),
    _case(
        "aio-to-thread",
        f"a task puts, a thread gets, bound {BOUND}",
        to_thread_trial,
        (*PEERS, FP, FP_SIMPLE, FP_MPMC, FP_SPSC),
        *_over_peers(FP, 8),
        Pairing(FP, FP_SIMPLE),
        threads=2,
    ),
    _case(
        "aio-loop",
        f"two tasks of one loop, bound {BOUND}",
        within_trial,
        (STD, *PEERS, FP, FP_SIMPLE, FP_MPMC, FP_SPSC),
        Pairing(FP, STD, 1, 1),
        *_over_peers(FP, 8),
    ),
    _case(
        "aio-pair",
        "put + get, one task",
        alone_trial,
        (STD, *PEERS, FP, FP_SIMPLE, FP_MPMC, FP_SPSC),
        Pairing(FP, STD, 1, 1),
    ),
    _case(
        "aio-round-trip",
        "a task asks, a thread answers",
        round_trip_trial,
        (DESCRIPTOR, STD_POOL, *PEERS, FP, FP_SIMPLE, FP_SPSC),
        Pairing(FP, DESCRIPTOR, 1 / 1.3, 1 / 1.3),
        Pairing(FP, STD_POOL, 1, 1),
        *_over_peers(FP, 1),
        unit="round trip",
        least=1,
        threads=2,
    ),
    _case(
        "aio-crowd",
        f"a thread puts, {CROWD} waiting tasks get",
        to_task_trial,
        (STD_SOON, *PEERS, FP, FP_SIMPLE, FP_MPMC),
        Pairing(FP, STD_SOON),
        *_over_peers(FP, 1),
        threads=2,
        consumers=CROWD,
        least=CROWD,
        step=CROWD,
    ),
)
