"""The checker itself: it must accept what is right and refuse what is wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest
from linearizability import (
    CLOSED,
    EMPTY,
    FULL,
    OK,
    Call,
    QueueModel,
    State,
    Undecided,
    in_steps,
    linearize,
    render,
)


def history(*rows: tuple[Any, ...]) -> list[Call]:
    """Rows of (thread, call, result, began, ended); a call is "put x", "get", ..."""
    calls = []
    for thread, what, result, began, ended in rows:
        name, _, argument = what.partition(" ")
        if name == "shutdown":
            argument = argument == "now"
        if name == "get" and result not in (EMPTY, CLOSED):
            result = (OK, result)
        calls.append(Call(thread, name, argument or None, result, began, ended))
    return calls


GOOD = {
    "an opening that finds what is there": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", OK, 2, 10),
            (1, "open", ("a",), 3, 9),
            (1, "get", "a", 11, 12),
            (2, "open", ("b",), 13, 14),
        ),
    ),
    "an opening of a heap": (
        {"order": "priority"},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", OK, 2, 3),
            (0, "put c", OK, 4, 5),
            (1, "open", ("a", "c", "b"), 6, 7),
        ),
    ),
    "nothing at all": ({}, history()),
    "one after the other": (
        {},
        history((0, "put a", OK, 0, 1), (0, "put b", OK, 2, 3), (1, "get", "a", 4, 5)),
    ),
    "overlapping puts in either order": (
        {},
        history(
            (0, "put a", OK, 0, 10),
            (1, "put b", OK, 1, 9),
            (2, "get", "b", 11, 12),
            (2, "get", "a", 13, 14),
        ),
    ),
    "a get that sees a put not yet returned": (
        {},
        history((0, "put a", OK, 0, 100), (1, "get", "a", 10, 20)),
    ),
    "empty beside a put": (
        {},
        history((0, "put a", OK, 0, 10), (1, "get", EMPTY, 5, 6), (1, "get", "a", 7, 8)),
    ),
    "full beside a get": (
        {"capacity": 1},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", FULL, 2, 10),
            (1, "get", "a", 3, 9),
        ),
    ),
    "a put that waited for room": (
        {"capacity": 1},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", OK, 2, 10),
            (1, "get", "a", 5, 6),
            (1, "get", "b", 7, 12),
        ),
    ),
    "last in, first out": (
        {"order": "lifo"},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", OK, 2, 3),
            (1, "get", "b", 4, 5),
            (1, "get", "a", 6, 7),
        ),
    ),
    "smallest first": (
        {"order": "priority"},
        history((0, "put b", OK, 0, 1), (0, "put a", OK, 2, 3), (1, "get", "a", 4, 5)),
    ),
    "drained after shutdown": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "shutdown", None, 2, 3),
            (0, "put b", CLOSED, 4, 5),
            (1, "get", "a", 6, 7),
            (1, "get", CLOSED, 8, 9),
        ),
    ),
    "dropped by shutdown": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "shutdown now", None, 2, 3),
            (1, "get", CLOSED, 4, 5),
        ),
    ),
    "a size in between": (
        {},
        history((0, "put a", OK, 0, 10), (1, "size", 0, 1, 2), (1, "size", 1, 3, 4)),
    ),
}

BAD = {
    "an opening that overlooks an item": (
        {},
        history((0, "put a", OK, 0, 1), (1, "open", (), 2, 3), (1, "get", "a", 4, 5)),
    ),
    "an opening that finds what was taken": (
        {},
        history((0, "put a", OK, 0, 1), (1, "get", "a", 2, 3), (1, "open", ("a",), 4, 5)),
    ),
    "an opening that finds another order": (
        {},
        history((0, "put a", OK, 0, 1), (0, "put b", OK, 2, 3), (1, "open", ("b", "a"), 4, 5)),
    ),
    "an item from nowhere": ({}, history((0, "get", "a", 0, 1))),
    "an item twice": (
        {},
        history((0, "put a", OK, 0, 1), (1, "get", "a", 2, 3), (2, "get", "a", 2, 3)),
    ),
    "an item lost": (
        {},
        history((0, "put a", OK, 0, 1), (1, "get", EMPTY, 2, 3)),
    ),
    "overtaken": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "put b", OK, 2, 3),
            (1, "get", "b", 4, 5),
            (1, "get", "a", 6, 7),
        ),
    ),
    "overtaken by another producer's later put": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (1, "put b", OK, 2, 3),
            (2, "get", "b", 4, 8),
            (3, "get", "a", 9, 10),
        ),
    ),
    "two consumers that disagree on the order": (
        {},
        history(
            (0, "put a", OK, 0, 10),
            (1, "put b", OK, 11, 20),
            (2, "get", "b", 5, 30),
            (3, "get", "a", 31, 40),
        ),
    ),
    "beyond the bound": (
        {"capacity": 1},
        history((0, "put a", OK, 0, 1), (0, "put b", OK, 2, 3)),
    ),
    "full though there was room": (
        {"capacity": 2},
        history((0, "put a", OK, 0, 1), (0, "put b", FULL, 2, 3)),
    ),
    "full though nobody overlaps the get that made room": (
        {"capacity": 1},
        history(
            (0, "put a", OK, 0, 1),
            (1, "get", "a", 2, 3),
            (0, "put b", FULL, 4, 5),
        ),
    ),
    "first in, first out, where the last was due": (
        {"order": "lifo"},
        history((0, "put a", OK, 0, 1), (0, "put b", OK, 2, 3), (1, "get", "a", 4, 5)),
    ),
    "not the smallest": (
        {"order": "priority"},
        history((0, "put b", OK, 0, 1), (0, "put a", OK, 2, 3), (1, "get", "b", 4, 5)),
    ),
    "a put after shutdown": (
        {},
        history((0, "shutdown", None, 0, 1), (0, "put a", OK, 2, 3)),
    ),
    "empty after shutdown": (
        {},
        history((0, "shutdown", None, 0, 1), (0, "get", EMPTY, 2, 3)),
    ),
    "closed before it was drained": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "shutdown", None, 2, 3),
            (1, "get", CLOSED, 4, 5),
        ),
    ),
    "closed before shutdown": (
        {},
        history((0, "get", CLOSED, 0, 1), (0, "shutdown", None, 2, 3)),
    ),
    "kept by an immediate shutdown": (
        {},
        history(
            (0, "put a", OK, 0, 1),
            (0, "shutdown now", None, 2, 3),
            (1, "get", "a", 4, 5),
        ),
    ),
    "a size that never was": (
        {},
        history((0, "put a", OK, 0, 1), (1, "size", 0, 2, 3)),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_explained(name: str) -> None:
    options, calls = GOOD[name]
    model = QueueModel(**options)
    order = linearize(calls, model)
    assert order is not None, render(calls)
    assert set(order) == set(calls) and len(order) == len(calls)
    state = model.initial
    for call in order:
        state = model.step(state, call)
        assert state is not None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_refused(name: str) -> None:
    options, calls = BAD[name]
    assert linearize(calls, QueueModel(**options)) is None, render(calls)


def simulate(
    rng: random.Random,
    model: QueueModel,
    threads: int,
    calls: int,
    shutdown_at: int | None = None,
) -> list[Call]:
    """A history that is right by construction: every call takes effect at its point `now`.

    An immediate shutdown begins before the call of that number and drops one item after the
    other between the calls that follow.
    """
    state, now, made = model.initial, 0, []
    clocks = [0] * threads
    for n in range(calls):
        now = max(now + 10, min(clocks))
        if n == shutdown_at:
            state, shut = State(state.items, closed=True), now
        if state.closed and rng.random() < 0.3:
            state = model.step(state, Call(threads, "drop", n, None, now, now)) or state
        thread = rng.choice([t for t, clock in enumerate(clocks) if clock <= now])
        if rng.random() < 0.5:
            answers, name, argument = (OK, FULL, CLOSED), "put", n
        else:
            answers, name, argument = (EMPTY, CLOSED, *((OK, i) for i in state.items)), "get", None
        began = rng.randint(max(clocks[thread], now - 60), now)
        ended = rng.randint(now, now + 60)
        for answer in answers:
            call = Call(thread, name, argument, answer, began, ended)
            after = model.step(state, call)
            if after is not None:
                state = after
                made.append(call)
                clocks[thread] = ended + 1
                break
    if shutdown_at is not None:
        made.append(Call(threads, "shutdown", True, None, shut, now + 10))
    return made


@pytest.mark.parametrize("order", ["fifo", "lifo", "priority"])
@pytest.mark.parametrize("capacity", [1, 2, 5, None])
def test_random_good_histories_are_explained(order: str, capacity: int | None) -> None:
    rng = random.Random(f"{order} {capacity}")
    model = QueueModel(capacity, order)
    for _ in range(30):
        calls = simulate(rng, model, threads=4, calls=60)
        assert linearize(calls, model) is not None, render(calls)


@pytest.mark.parametrize("order", ["fifo", "lifo", "priority"])
@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_random_shutdowns_in_steps_are_explained(order: str, capacity: int) -> None:
    rng = random.Random(f"{order} {capacity} shutdown")
    model = QueueModel(capacity, order)
    for _ in range(50):
        calls = simulate(rng, model, threads=4, calls=40, shutdown_at=rng.randrange(10, 35))
        assert linearize(in_steps(calls, capacity), model) is not None, render(calls)


def damaged(rng: random.Random, calls: list[Call]) -> list[Call]:
    """The history with one taken item replaced by an item that another get took."""
    gets = [i for i, call in enumerate(calls) if call.name == "get" and call.result != EMPTY]
    a, b = rng.sample(gets, 2)
    out = list(calls)
    out[a] = out[a]._replace(result=out[b].result)
    return out


def test_random_damage_is_always_found() -> None:
    rng = random.Random(7)
    model = QueueModel(4)
    for _ in range(50):
        calls = damaged(rng, simulate(rng, model, threads=4, calls=60))
        assert linearize(calls, model) is None, render(calls)


def test_an_order_swapped_between_distant_gets_is_found() -> None:
    rng = random.Random(8)
    model = QueueModel()
    found = 0
    for _ in range(50):
        calls = simulate(rng, model, threads=3, calls=60)
        gets = [i for i, c in enumerate(calls) if c.name == "get" and c.result != EMPTY]
        a, b = gets[0], gets[-1]
        results = calls[a].result, calls[b].result
        calls[a] = calls[a]._replace(result=results[1])
        calls[b] = calls[b]._replace(result=results[0])
        found += linearize(calls, model) is None
    assert found == 50


def test_the_search_gives_up_loudly() -> None:
    tangle = [Call(n, "put", n, OK, 0, 1000) for n in range(12)]
    tangle.append(Call(99, "get", None, EMPTY, 2000, 2001))
    with pytest.raises(Undecided):
        linearize(tangle, QueueModel(), budget=500)


def test_an_initial_state_counts() -> None:
    model = QueueModel(2, initial=State(("x",)))
    assert linearize(history((0, "get", "x", 0, 1)), model) is not None
    assert linearize(history((0, "get", EMPTY, 0, 1)), model) is None


def test_a_shutdown_in_steps_may_be_overtaken_but_not_outlived() -> None:
    model = QueueModel(1)
    during = history(
        (0, "put a", OK, 0, 1),
        (0, "shutdown now", None, 2, 20),
        (1, "put b", CLOSED, 4, 5),
        (1, "get", "a", 6, 7),
        (1, "get", CLOSED, 8, 9),
    )
    assert linearize(during, model) is None
    assert linearize(in_steps(during, 1), model) is not None
    behind_what_was_dropped = history(
        (0, "put a", OK, 0, 1),
        (0, "put b", OK, 2, 3),
        (0, "shutdown now", None, 4, 20),
        (1, "get", "b", 6, 7),
    )
    assert linearize(in_steps(behind_what_was_dropped, 2), QueueModel(2)) is not None
    behind_what_was_not = history(
        (0, "put a", OK, 0, 1),
        (0, "put b", OK, 2, 3),
        (1, "get", "b", 4, 5),
        (0, "shutdown now", None, 6, 20),
    )
    assert linearize(in_steps(behind_what_was_not, 2), QueueModel(2)) is None
    after = history(
        (0, "put a", OK, 0, 1),
        (0, "shutdown now", None, 2, 3),
        (1, "get", "a", 6, 7),
    )
    assert linearize(in_steps(after, 1), model) is None
    before = history(
        (1, "put a", OK, 0, 1),
        (1, "get", EMPTY, 2, 3),
        (0, "shutdown now", None, 4, 5),
    )
    assert linearize(in_steps(before, 1), model) is None
