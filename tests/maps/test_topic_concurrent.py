"""Threads: recorded histories have a sequential explanation; a match shows one instant."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from linearizability import Call, Recorder, linearize, render
from support.threads import run_threads, switch_interval
from support.topics import SYNTAXES, matches

from fastprims import Subscription, TopicTrie

pytestmark = pytest.mark.stress

PATTERNS = {
    "nats": ["a", "a.b", "a.*", "*.b", ">", "a.>", "a.b.c"],
    "mqtt": ["a", "a/b", "a/+", "+/b", "#", "a/#", "a/b/c"],
    "amqp": ["a", "a.b", "a.*", "*.b", "#", "#.b", "a.#.c"],
}
TOPICS = {
    "nats": ["a", "a.b", "a.b.c", "b"],
    "mqtt": ["a", "a/b", "a/b/c", "b"],
    "amqp": ["a", "a.b", "a.b.c", "b"],
}


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    with switch_interval(1e-6):
        yield


@dataclass(frozen=True)
class TopicModel:
    """The sequential trie; its state is the set of (pattern, subscriber) that are there."""

    syntax: str
    order: str = "none"
    initial: Any = frozenset()

    def step(self, state: Any, call: Call) -> Any:
        if call.name == "subscribe":
            return state | {call.argument}
        if call.name == "unsubscribe":
            return state - {call.argument} if call.result == (call.argument in state) else None
        if call.name == "len":
            return state if call.result == len(state) else None
        if call.name == "snapshot":
            good = all(self.answer(state, topic) == found for topic, found in call.result)
        else:
            good = self.answer(state, call.argument) == call.result
        return state if good else None

    def answer(self, state: Any, topic: str) -> list[int]:
        return sorted(number for pattern, number in state if matches(self.syntax, pattern, topic))


@dataclass
class Worker:
    trie: TopicTrie[int]
    recorder: Recorder
    rng: random.Random
    shared: list[Subscription[int]]
    kept: list[tuple[int, Any]]
    number: int

    def perform(self) -> None:
        trie, rng, call = self.trie, self.rng, self.recorder.call
        what = rng.randrange(100)
        if what < 35:
            pattern = rng.choice(PATTERNS[trie.syntax])
            self.number += 1
            mine = self.number
            call("subscribe", (pattern, mine), lambda: self.add(pattern, mine))
        elif what < 60 and self.shared:
            s = rng.choice(self.shared)  # anybody's; more than one may try
            call("unsubscribe", (s.pattern, s.subscriber), lambda: trie.unsubscribe(s))
        elif what < 65:
            call("len", None, lambda: len(trie))
        elif what < 75:
            # Taken within the call, read later: it must still be what it was.
            self.kept.append((len(self.recorder.calls), call("snapshot", None, trie.snapshot)))
        else:
            topic = rng.choice(TOPICS[trie.syntax])
            call("match", topic, lambda: sorted(trie.match(topic)))

    def add(self, pattern: str, number: int) -> None:
        self.shared.append(self.trie.subscribe(pattern, number))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("threads", [2, 3])
def test_histories_are_linearizable(syntax: Any, threads: int, scale: Any) -> None:
    for seed in range(scale(12)):
        t: TopicTrie[int] = TopicTrie(syntax)
        shared: list[Subscription[int]] = []
        workers = [
            Worker(t, Recorder(n), random.Random(seed * 10 + n), shared, [], n * 1000)
            for n in range(threads)
        ]

        def work(worker: Worker) -> None:
            for _ in range(12):
                worker.perform()

        run_threads(*[lambda w=w: work(w) for w in workers])
        for worker in workers:
            for at, snapshot in worker.kept:
                seen = [(topic, sorted(snapshot.match(topic))) for topic in TOPICS[syntax]]
                worker.recorder.calls[at] = worker.recorder.calls[at]._replace(result=seen)
        history = [call for worker in workers for call in worker.recorder.calls]
        assert linearize(history, TopicModel(syntax)) is not None, render(history)  # type: ignore[arg-type]


def test_a_match_shows_one_instant_in_all_branches(scale: Any) -> None:
    """One subscription wanders around the patterns that match: subscribed anew before the old one
    is given up, so one or two are there at any time, next to each other in the circle."""
    t: TopicTrie[int] = TopicTrie("amqp")
    circle = ["a.b.c", "*.b.c", "a.*.c", "#", "a.#", "#.c", "a.b.#", "#.b.#"]
    ready, done = threading.Event(), threading.Event()

    def wander() -> None:
        last = t.subscribe(circle[0], 0)
        ready.set()
        try:
            for n in range(1, scale(800)):
                following = t.subscribe(circle[n % len(circle)], n)
                assert t.unsubscribe(last)
                last = following
        finally:
            done.set()

    def look() -> None:
        ready.wait(60)
        newest = 0
        for step in range(scale(800)):
            if done.is_set():
                return
            for trie in (t, t) if step % 4 else (t.snapshot(), t):
                found = sorted(trie.match("a.b.c"))
                assert len(found) in (1, 2), found
                assert found[-1] - found[0] == len(found) - 1, found
                assert found[-1] >= newest, "time goes backwards"
                newest = found[-1]

    run_threads(wander, look, look)
    assert len(t) == 1


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_subscription_is_lost_at_the_root(syntax: Any, scale: Any) -> None:
    """A lock-free port lost 7 of 100 that came at the same time."""
    patterns = PATTERNS[syntax]
    threads, each = 4, scale(60)
    t: TopicTrie[tuple[int, int]] = TopicTrie(syntax)

    def subscribe(n: int) -> list[Subscription[tuple[int, int]]]:
        return [t.subscribe(f"{k % 7}" if k % 2 else patterns[k % 7], (n, k)) for k in range(each)]

    kept = run_threads(*[lambda n=n: subscribe(n) for n in range(threads)])
    assert len(t) == threads * each
    for topic in [*TOPICS[syntax], *"0123456"]:
        expected = {
            s.subscriber for part in kept for s in part if matches(syntax, s.pattern, topic)
        }
        assert set(t.match(topic)) == expected

    def unsubscribe(n: int) -> int:
        return sum(t.unsubscribe(s) for part in kept for s in part[n % 2 :: 2])

    counts = run_threads(*[lambda n=n: unsubscribe(n) for n in range(threads)])
    assert sum(counts) == threads * each, "each was removed by exactly one thread"
    assert len(t) == 0
    assert t.stats() == TopicTrie(syntax).stats()


def test_a_hundred_threads(scale: Any) -> None:
    t: TopicTrie[int] = TopicTrie("mqtt")
    fixed = [t.subscribe(f"fixed/{n}/#", n) for n in range(50)]

    def use(n: int) -> None:
        for step in range(scale(3)):
            mine = [t.subscribe(f"own/{n}/+", n), t.subscribe(f"own/+/{step}", n)]
            assert t.match(f"own/{n}/{step}").count(n) == 2
            assert t.match(f"fixed/{n % 50}") == [n % 50]
            s = t.snapshot()
            assert all(t.unsubscribe(subscription) for subscription in mine)
            assert s.match(f"own/{n}/{step}").count(n) == 2
            assert n not in t.match(f"own/{n}/{step}")

    run_threads(*[lambda n=n: use(n) for n in range(100)])
    assert len(t) == len(fixed)
    assert t.stats().patterns == len(fixed)
