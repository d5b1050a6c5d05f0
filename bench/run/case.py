"""A case: a workload, the contenders, and the proof that a run has lost nothing.

A workload turns (case, contender, kind of item, count) into a `Trial`: the thread roles of one run
and a check after it. `verify` runs the same threads once more, keeping every item received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, repeat
from math import lcm
from types import FunctionType
from typing import Any, TypeVar

from bench.run.environment import load_fastprims
from bench.run.harness import BenchmarkFailure, Crew, Role, release

fastprims = load_fastprims()

STDLIB, FASTPRIMS, PEER, BASELINE = "stdlib", "fastprims", "peer", "baseline"
FRESH, SMALL = "fresh", "small"
KINDS = (FRESH, SMALL)
KIND_TITLES = {FRESH: "fresh int per item", SMALL: "one small int"}

FRESH_BASE = 10**9  # far above the cached integers, but still one digit of CPython's int
SMALL_ITEM = 7

Loop = TypeVar("Loop", bound=Callable[..., Any])


@dataclass(frozen=True)
class Contender:
    """A structure and the methods with which it is measured: of a queue, `put` and `get`.

    `make` takes the bound of the case (0: unbounded) and ignores it if the class has none.
    `calls` names the textual form of the loop if that differs, in a table of its wing.
    """

    key: str
    side: str
    make: Callable[[int], Any]
    put: str = "put"
    get: str = "get"
    calls: str = "put/get"
    keeps: str = "all"  # of what is put when it is full: all (it waits), the oldest, or the newest
    # Its words in the report and the picture. A contender without a column is in the other table.
    column: str = ""  # the heading of its column, beside those of its side, in the table of queues
    over: str = ""  # the heading of the ratios of others over it, in the picture

    @property
    def empty_loop(self) -> bool:
        """True if it does no work; then there is nothing to check."""
        return self.side == BASELINE


def size_of(item: Any) -> int:
    """The number of items that a queue of any contender holds."""
    return len(item) if hasattr(item, "__len__") else int(item.qsize())


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
    least: int = 1  # operations, so that a sample means something
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
        return max(self.least, self.step)

    @property
    def passes_one_item(self) -> bool:
        """Back and forth, so that an operation takes many times as long as a put and a get."""
        return self.unit == "round trip"

    def round_count(self, wanted: int) -> int:
        """`wanted`, rounded down to a count that all threads of the case can share (at least one
        step)."""
        step = self.step or lcm(self.producers, self.consumers)
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


def own_copy(function: Loop) -> Loop:
    """The same function over a code object that shares no inline cache with the original.

    CPython specializes bytecode in place, so two contenders sharing one loop would spoil each
    other's inline caches: every contender of every case gets a copy.
    """
    assert isinstance(function, FunctionType)
    code = function.__code__.replace()
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    return copy  # type: ignore[return-value]


def items_of(kind: str, start: int, count: int) -> Iterable[int]:
    """`count` items from a C iterator: new objects from `start` on, or one small integer."""
    if kind == FRESH:
        return range(FRESH_BASE + start, FRESH_BASE + start + count)
    return repeat(SMALL_ITEM, count)


def expect(condition: bool, case: Case, contender: Contender, what: str) -> None:
    if not condition:
        raise BenchmarkFailure(f"{case.key}: {contender.key} {what}")


def expect_drained(case: Case, contender: Contender, *queues: Any) -> None:
    for queue in queues:
        left = size_of(queue)
        expect(left == 0, case, contender, f"still holds {left} items after all were received")


def verify(case: Case, contender: Contender, crew: Crew, count: int, limit_s: float) -> None:
    """Run the case's threads once, keep all items, and check: each exactly once and in order."""
    if contender.empty_loop:
        return
    count = case.round_count(count if not case.passes_one_item else count // 10)
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
            expect(_in_order(mine, share), case, contender, "reordered a producer's items")
    expect_drained(case, contender, *trial.queues)


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
