"""One thread that listens to several queues: by select, or by a thread for each queue that passes its
items on, which is what programs do without it."""

from __future__ import annotations

import queue
from itertools import repeat
from typing import Any

from bench.queues.loops import consume, consume_into, produce
from bench.run.case import (
    FASTPRIMS,
    FRESH,
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
PRODUCERS = 2
MANY = 64


class Inbox:
    """Several queues, of which as many are busy as there are producers, and a call that takes the
    next item of any of them."""

    get: Any

    def __init__(self, queues: list[Any]) -> None:
        self.queues = queues

    def qsize(self) -> int:
        return sum(int(q.qsize()) for q in self.queues)

    def shutdown(self, immediate: bool) -> None:
        for q in self.queues:
            if hasattr(q, "shutdown"):
                q.shutdown(immediate)

    def forwarders(self, share: int) -> list[Role]:
        """The threads that this way needs beside the producers' and the consumer's. The other way
        has as many that do nothing."""
        return [("idle", lambda: None)] * PRODUCERS


class Selecting(Inbox):
    def __init__(self, bound: int, count: int) -> None:
        super().__init__([fastprims.Queue(bound) for _ in range(count)])
        self._select = fastprims.Selector(*[q.get for q in self.queues]).select

    def get(self) -> Any:
        return self._select().value


class Forwarding(Inbox):
    def __init__(self, bound: int) -> None:
        super().__init__([queue.Queue(bound) for _ in range(PRODUCERS + 1)])
        self.get = self.queues[-1].get

    def forwarders(self, share: int) -> list[Role]:
        put = self.queues[-1].put

        def role(q: queue.Queue[Any]) -> Role:
            def forward() -> None:
                for _ in repeat(None, share):
                    put(q.get())

            return "forwarder", forward

        return [role(q) for q in self.queues[:PRODUCERS]]


def fan_in_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    inbox: Inbox = contender.make(case.bound)
    share, received = count // PRODUCERS, list[Any]()
    feed, drain = own_copy(produce), own_copy(consume)

    def producer(n: int) -> Role:
        items = items_of(kind, n * share, share)
        return f"producer {n}", lambda: feed(inbox.queues[n].put, items)

    def take() -> None:
        if collect:
            consume_into(inbox.get, count, received)
        else:
            drain(inbox.get, count)

    return Trial(
        [*map(producer, range(PRODUCERS)), ("consumer", take), *inbox.forwarders(share)],
        (inbox,),
        count,
        lambda: expect_drained(case, contender, inbox),
        [received] if collect else [],
    )


FORWARDING = Contender("a thread for each queue.Queue", STDLIB, Forwarding)
FEW = Contender(
    f"fastprims.Selector, {PRODUCERS} queues",
    FASTPRIMS,
    lambda bound: Selecting(bound, PRODUCERS),
)
WIDE = Contender(
    f"fastprims.Selector, {MANY} queues", FASTPRIMS, lambda bound: Selecting(bound, MANY)
)

SELECT = (
    Case(
        "select",
        f"{PRODUCERS} threads put into a queue each, one takes from both",
        fan_in_trial,
        (FORWARDING, FEW, WIDE),
        (Pairing(FEW, FORWARDING), Pairing(WIDE, FEW, 0.5, 0.5)),
        bound=BOUND,
        least=4 * BOUND,
        kinds=(FRESH,),
        producers=PRODUCERS,
        threads=2 * PRODUCERS + 1,
    ),
)
