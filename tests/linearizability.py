"""Is there an order of the calls that explains every answer?

A history is a set of calls with their results and the times at which they began
and ended. It is linearizable if the calls can be put in one sequence that keeps
the real-time order (a call that ended before another began comes first) and in
which a sequential queue would have given exactly these results.

The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993)
with Lowe's memory ("Testing for linearizability", 2017): try every call that no
unfinished predecessor keeps back, go on with the rest, take back on failure, and
never enter the same pair (calls already placed, state of the queue) twice.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

OK = "ok"
FULL = "full"
EMPTY = "empty"
CLOSED = "closed"


class Call(NamedTuple):
    """One call: `put` (argument: the item), `get`, `size`, `shutdown` (immediate), or `open`.

    The last makes a standard queue of it, and answers with what it finds there, as it lies: the
    oldest item first, or in the order of a heap. So it says more than any other call does.
    `drop` and `drained` are steps of a shutdown that in_steps() took apart.
    """

    thread: int
    name: str
    argument: Any
    result: Any
    began: int
    ended: int


class State(NamedTuple):
    items: tuple[Any, ...] = ()
    closed: bool = False


NOTHING = State()


class Undecided(Exception):
    """The search was given up: the history is too entangled for its budget."""


@dataclass(frozen=True)
class QueueModel:
    """The sequential queue that a concurrent one has to be indistinguishable from."""

    capacity: int | None = None
    order: str = "fifo"
    initial: State = NOTHING

    def step(self, state: State, call: Call) -> State | None:
        """The state after the call, or None if it cannot have answered so here."""
        if call.name == "put":
            return self._put(state, call)
        if call.name == "get":
            return self._get(state, call)
        if call.name == "shutdown":
            return State(() if call.argument else state.items, closed=True)
        if call.name == "size":
            return state if call.result == len(state.items) else None
        if call.name == "open":
            found = sorted(call.result) if self.order == "priority" else call.result
            return state if tuple(found) == state.items else None
        if call.name == "drop":
            return self._drop(state)
        if call.name == "drained":
            return state if state.closed and not state.items else None
        raise ValueError(f"no such call: {call.name}")

    def _put(self, state: State, call: Call) -> State | None:
        items, closed = state
        full = self.capacity is not None and len(items) >= self.capacity
        answer = CLOSED if closed else FULL if full else OK
        if call.result != answer:
            return None
        if answer != OK:
            return state
        if self.order == "priority":
            ranked = list(items)
            insort(ranked, call.argument)
            return State(tuple(ranked), closed)
        return State((*items, call.argument), closed)

    def _get(self, state: State, call: Call) -> State | None:
        items, closed = state
        if not items:
            return state if call.result == (CLOSED if closed else EMPTY) else None
        item, rest = self._next(items)
        return State(rest, closed) if call.result == (OK, item) else None

    def _drop(self, state: State) -> State | None:
        if not state.closed:
            return None
        return State(self._next(state.items)[1], True) if state.items else state

    def _next(self, items: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        return (items[-1], items[:-1]) if self.order == "lifo" else (items[0], items[1:])


def linearize(
    history: Iterable[Call], model: QueueModel, budget: int = 200_000
) -> list[Call] | None:
    """A sequence of all the calls that explains them, or None if there is none."""
    calls = sorted(history, key=lambda call: call.began)
    everything = (1 << len(calls)) - 1
    first = _puts_that_come_first(calls) if model.order == "fifo" else [0] * len(calls)
    seen: set[tuple[int, State]] = set()
    # One frame per call placed: the state after it, what is placed, what may still be tried.
    path: list[int] = []
    frames = [(model.initial, 0, _candidates(calls, first, 0))]
    while frames:
        state, placed, candidates = frames[-1]
        if placed == everything:
            return [calls[i] for i in path]
        if not candidates:
            frames.pop()
            if path:
                path.pop()
            continue
        i = candidates.pop()
        after = model.step(state, calls[i])
        key = (placed | 1 << i, after)
        if after is None or key in seen:
            continue
        if len(seen) >= budget:
            raise Undecided(f"no verdict after {budget} states over {len(calls)} calls")
        seen.add(key)
        path.append(i)
        frames.append((after, key[0], _candidates(calls, first, key[0])))
    return None


def _candidates(calls: list[Call], first: list[int], placed: int) -> list[int]:
    """The calls that may come next: begun before any other one left has ended."""
    found = []
    earliest_end: int | None = None
    for i, call in enumerate(calls):
        if placed >> i & 1:
            continue
        if earliest_end is not None and call.began > earliest_end:
            break
        if not first[i] & ~placed:
            found.append(i)
        if earliest_end is None or call.ended < earliest_end:
            earliest_end = call.ended
    found.reverse()  # tried from the end of the list: the earliest first
    return found


def _puts_that_come_first(calls: list[Call]) -> list[int]:
    """For every put into a FIFO queue, as a mask: the puts that have to precede it.

    Items leave in the order in which they entered. So if b was taken before a was,
    or a never was, then b had entered first: unless a shutdown that drops one item
    after the other had begun, which may have dropped a before b was taken. The search
    would find that out too, but only at the gets, after it had tried all orders of
    overlapping puts.
    """
    stored = {c.argument: i for i, c in enumerate(calls) if c.name == "put" and c.result == OK}
    taken = {c.result[1]: c for c in calls if c.name == "get" and c.result[0] == OK}
    dropping = min((c.began for c in calls if c.name == "drop"), default=inf)
    first = [0] * len(calls)
    if len(stored) != sum(c.name == "put" and c.result == OK for c in calls):
        return first  # items that repeat cannot be told apart
    for item, i in stored.items():
        own = taken.get(item)
        left_from = own.began if own else dropping
        for other, j in stored.items():
            rival = taken.get(other)
            if i != j and rival and rival.ended < left_from:
                first[i] |= 1 << j
    return first


def in_steps(history: Iterable[Call], capacity: int) -> list[Call]:
    """The history with every immediate shutdown as what it promises to others meanwhile.

    It closes the queue and then drops one item after the other; a get that comes
    between the steps may still have an item. When it returns, nothing is left.
    """
    calls = []
    for call in history:
        if call.name == "shutdown" and call.argument:
            calls.append(call._replace(argument=False))
            calls += [call._replace(name="drop", argument=n) for n in range(capacity)]
            calls.append(call._replace(name="drained", argument=None))
        else:
            calls.append(call)
    return calls


@dataclass
class Recorder:
    """Collects one thread's calls; join the threads before reading the histories."""

    thread: int
    calls: list[Call] = field(default_factory=list)

    def call(self, name: str, argument: Any, act: Callable[[], Any]) -> Any:
        began = time.perf_counter_ns()
        result = act()
        ended = time.perf_counter_ns()
        self.calls.append(Call(self.thread, name, argument, result, began, ended))
        return result


def render(history: Iterable[Call]) -> str:
    """The history as text, in order of the beginnings, for a failing test's message."""
    calls = sorted(history, key=lambda call: call.began)
    start = calls[0].began if calls else 0
    return "\n".join(
        f"{call.began - start:>10} .. {call.ended - start:>10} ns  thread {call.thread}  "
        f"{call.name}({'' if call.argument is None else call.argument!r}) -> {call.result!r}"
        for call in calls
    )
