"""The workloads: the contenders of each situation, and the proof that a run has lost nothing.

A workload turns (case, contender, kind of item, count) into a `Trial`: the thread roles of one run
and a check after it. `verify` runs the same threads once more, keeping every item received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, cycle, islice, repeat
from math import lcm
from typing import Any

from bench import contenders as who
from bench import loops
from bench.contenders import Contender, size_of
from bench.harness import BenchmarkFailure, Crew, Role, release

FRESH, SMALL = "fresh", "small"
KINDS = (FRESH, SMALL)
KIND_TITLES = {FRESH: "fresh int per item", SMALL: "one small int"}

FRESH_BASE = 10**9  # far above the cached integers, but still one digit of CPython's int
SMALL_ITEM = 7
WINDOW = 2048


@dataclass(frozen=True)
class Pairing:
    """A named ratio: `contender` over `baseline`, with the project's goals, if any."""

    contender: Contender
    baseline: Contender
    goal_gil: float | None = None
    goal_free_threaded: float | None = None


@dataclass(frozen=True)
class Case:
    key: str
    title: str
    workload: Workload
    contenders: tuple[Contender, ...]
    pairings: tuple[Pairing, ...]
    unit: str = "item"
    bound: int = 0
    producers: int = 1
    consumers: int = 1
    style: str = "local"
    fifo: bool = True
    lossy: bool = False  # items are dropped, and the trials check which
    threads: int = 1
    kinds: tuple[str, ...] = KINDS
    step: int = 0  # operations come in multiples of this; 0: what the threads can share
    only_full: bool = False  # too long for the other efforts
    pictured: bool = False  # in the picture of a run that measured it

    def __post_init__(self) -> None:
        for pairing in self.pairings:
            for contender in (pairing.contender, pairing.baseline):
                if contender not in self.contenders:
                    raise ValueError(f"{self.key}: {contender.key} is in a ratio, but not measured")

    @property
    def least_count(self) -> int:
        """Enough items to fill the bound a few times and to keep every thread busy for a while."""
        if self.workload is handoff_trial:
            return max(4 * self.bound, 20 * self.threads)
        return max(1, self.step)

    def round_count(self, wanted: int) -> int:
        """`wanted`, rounded down to a count that all threads of the case can share (at least one
        step)."""
        step = self.step or lcm(self.producers, self.consumers)
        if self.workload is batch_trial:
            step = loops.BATCH
        return max(step, wanted - wanted % step)


@dataclass
class Trial:
    """One run, ready to start: the role of each thread, and the check that follows."""

    roles: list[Role]
    queues: tuple[Any, ...]
    count: int
    check: Callable[[], None] = lambda: None
    received: list[list[Any]] = field(default_factory=list)


Workload = Callable[[Case, Contender, str, int, bool], Trial]


def ready_items_of(kind: str, count: int) -> Iterable[int]:
    """`count` items made beforehand: a list of ordinary integers repeated, or the small one."""
    if kind == FRESH:
        window = list(items_of(FRESH, 0, min(count, WINDOW)))
        return islice(chain.from_iterable(repeat(window)), count)
    return repeat(SMALL_ITEM, count)


def items_of(kind: str, start: int, count: int) -> Iterable[int]:
    """`count` items from a C iterator: new objects from `start` on, or one small integer."""
    if kind == FRESH:
        return range(FRESH_BASE + start, FRESH_BASE + start + count)
    return repeat(SMALL_ITEM, count)


def last_of(kind: str, count: int) -> int:
    return FRESH_BASE + count - 1 if kind == FRESH else SMALL_ITEM


def last_ready_of(kind: str, count: int) -> int:
    return FRESH_BASE + (count - 1) % WINDOW if kind == FRESH else SMALL_ITEM


@cache
def _loop(function: Callable[..., Any], *owner: str) -> Callable[..., Any]:
    return loops.own_copy(function)


def _expect(condition: bool, case: Case, contender: Contender, what: str) -> None:
    if not condition:
        raise BenchmarkFailure(f"{case.key}: {contender.key} {what}")


def _expect_drained(case: Case, contender: Contender, *queues: Any) -> None:
    for queue in queues:
        left = size_of(queue)
        _expect(left == 0, case, contender, f"still holds {left} items after all were received")


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
        _expect(
            out == [last_ready_of(kind, count)], case, contender, f"gave {out} as its last item"
        )
        _expect_drained(case, contender, queue)

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
            _expect(got == kept, case, contender, f"has not kept the {contender.keeps} items")

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
        _expect_drained(case, contender, queue)

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
        _expect(out == [last_of(kind, count)], case, contender, f"returned {out} at the end")
        _expect_drained(case, contender, there, back)

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
            _expect(out == [last], case, contender, f"gave {out} as its last item, not {last}")
        _expect_drained(case, contender, queue)

    return Trial([("worker", work)], (queue,), count, check)


def _batch_loop(contender: Contender) -> Callable[..., Any]:
    if contender.empty_loop:
        return loops.batch_empty
    if contender.calls == "locked":
        return loops.batch_locked
    return loops.batch_many if contender.side == who.FASTPRIMS else loops.batch_one_by_one


def _collect_batches(queue: Any, chunks: Iterable[list[Any]], received: list[Any]) -> None:
    for chunk in chunks:
        if hasattr(queue, "put_many"):
            queue.put_many(chunk)
            received += queue.get_many(loops.BATCH)
        else:
            for item in chunk:
                queue.put(item)
            received += [queue.get() for _ in chunk]


def verify(case: Case, contender: Contender, crew: Crew, count: int, limit_s: float) -> None:
    """Run the case's threads once, keep all items, and check: each exactly once and in order."""
    if contender.empty_loop:
        return
    count = case.round_count(count if case.workload is not pingpong_trial else count // 10)
    trial = case.workload(case, contender, FRESH, count, True)
    try:
        crew.run(trial.roles, limit_s)
        if case.lossy:
            return trial.check()
    except BenchmarkFailure as failure:
        release(trial.queues)
        arrived = sum(map(len, trial.received))
        raise BenchmarkFailure(
            f"{case.key}: {contender.key}: {failure}; {arrived} of {count} items received"
        ) from failure
    if not trial.received:  # not a queue: there is only the trial's own check
        trial.check()
        return
    got = sorted(chain.from_iterable(trial.received))
    wanted = list(items_of(FRESH, 0, count))
    if got != wanted:
        lost, extra = len(set(wanted) - set(got)), len(got) - len(set(got) & set(wanted))
        raise BenchmarkFailure(
            f"{case.key}: {contender.key} lost {lost} of {count} items and made up {extra}"
        )
    if case.fifo:
        share = count // case.producers
        for mine in trial.received:
            _expect(_in_order(mine, share), case, contender, "reordered a producer's items")
    _expect_drained(case, contender, *trial.queues)


def _in_order(received: list[int], share: int) -> bool:
    newest: dict[int, int] = {}
    for item in received:
        producer = (item - FRESH_BASE) // share
        if newest.get(producer, -1) >= item:
            return False
        newest[producer] = item
    return True


def prepare(case: Case, contender: Contender, kind: str, count: int) -> Trial:
    """A timed run, ready to start. `count` must come from `Case.round_count`."""
    return case.workload(case, contender, kind, count, False)


def run_trial(trial: Trial, crew: Crew, limit_s: float) -> float:
    """Run a prepared trial and its check: nanoseconds per operation."""
    try:
        elapsed = crew.run(trial.roles, limit_s)
        trial.check()
    except BenchmarkFailure:
        release(trial.queues)
        raise
    return elapsed / trial.count


def measure(
    case: Case, contender: Contender, kind: str, count: int, crew: Crew, limit_s: float
) -> float:
    """One timed run: nanoseconds per operation."""
    try:
        return run_trial(prepare(case, contender, kind, count), crew, limit_s)
    except BenchmarkFailure as failure:
        raise BenchmarkFailure(f"{case.key}, {kind}: {contender.key}: {failure}") from failure
