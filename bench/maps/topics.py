"""Topic matching over a thousand subscriptions, read-only and while subscriptions change.

An operation is one match. In the mixed cases every tenth or every second operation removes a
subscription and makes it anew instead. Each thread changes subscriptions of its own.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from bench.run.case import (
    BASELINE,
    FASTPRIMS,
    FRESH,
    STDLIB,
    Case,
    Contender,
    Pairing,
    Trial,
    fastprims,
    own_copy,
)
from bench.run.harness import BenchmarkFailure, Role

SUBSCRIPTIONS = 1000
THREADS = (1, 2, 4)

Loop = Callable[[Any, list[str], list[tuple[str, Any]], int, int], int]


def made_patterns(count: int) -> list[str]:
    """NATS patterns of two to five tokens, a third with wildcards; the same in every run."""
    rng = random.Random(7)
    patterns = []
    for _ in range(count):
        tokens = [rng.choice("abcdefghij") + rng.choice("xyz") for _ in range(rng.randrange(2, 6))]
        if rng.random() < 0.25:
            tokens[rng.randrange(len(tokens))] = "*"
        if rng.random() < 0.1:
            tokens[-1] = ">"
        patterns.append(".".join(tokens))
    return patterns


PATTERNS = made_patterns(SUBSCRIPTIONS)
TOPICS = [p.replace("*", "ax").replace(">", "bx.cy") for p in PATTERNS[::4]]


def pattern_matches(tokens: list[str], words: list[str]) -> bool:
    if tokens[-1] == ">":
        if len(words) < len(tokens):
            return False
        tokens, words = tokens[:-1], words[: len(tokens) - 1]
    if len(tokens) != len(words):
        return False
    return all(token in ("*", word) for token, word in zip(tokens, words, strict=True))


class NaiveTopics:
    """A list of patterns under a lock: the simplest implementation."""

    def __init__(self) -> None:
        self.patterns: dict[object, tuple[list[str], Any]] = {}
        self.lock = threading.Lock()

    def subscribe(self, pattern: str, subscriber: Any) -> object:
        key = object()
        with self.lock:
            self.patterns[key] = (pattern.split("."), subscriber)
        return key

    def unsubscribe(self, key: object) -> bool:
        with self.lock:
            return self.patterns.pop(key, None) is not None

    def match(self, topic: str) -> list[Any]:
        words = topic.split(".")
        with self.lock:
            return [s for tokens, s in self.patterns.values() if pattern_matches(tokens, words)]

    def __len__(self) -> int:
        return len(self.patterns)


class LockedTrie:
    """A trie of dicts under a lock, as it is usually written in Python."""

    def __init__(self) -> None:
        self.root: dict[Any, Any] = {}  # the subscribers of a node are under ""
        self.size = 0
        self.lock = threading.Lock()

    def subscribe(self, pattern: str, subscriber: Any) -> tuple[str, object]:
        key = object()
        with self.lock:
            node = self.root
            for token in pattern.split("."):
                node = node.setdefault(token, {})
            node.setdefault("", {})[key] = subscriber
            self.size += 1
        return pattern, key

    def unsubscribe(self, subscription: tuple[str, object]) -> bool:
        pattern, key = subscription
        with self.lock:
            path = [self.root]
            tokens = [*pattern.split("."), ""]
            for token in tokens:
                path.append(path[-1].get(token, {}))
            if path.pop().pop(key, None) is None:
                return False
            for node, token in zip(reversed(path), reversed(tokens), strict=True):
                if node[token]:
                    break
                del node[token]
            self.size -= 1
        return True

    def match(self, topic: str) -> list[Any]:
        found: list[Any] = []
        with self.lock:
            nodes = [self.root]
            for word in topic.split("."):
                following = []
                for node in nodes:
                    if ">" in node:
                        found += node[">"][""].values()
                    if "*" in node:
                        following.append(node["*"])
                    if word in node:
                        following.append(node[word])
                nodes = following
            for node in nodes:
                if "" in node:
                    found += node[""].values()
        return found

    def __len__(self) -> int:
        return self.size


def filled(make: Callable[[], Any]) -> Callable[[int], Any]:
    def fill(bound: int) -> Any:
        topics = make()
        for number, pattern in enumerate(PATTERNS):
            topics.subscribe(pattern, number)
        return topics

    return fill


def spin(
    subject: Any, topics: list[str], own: list[tuple[str, Any]], every: int, count: int
) -> int:
    for n in range(count):
        topics[n % len(topics)]
    return 0


def read(
    subject: Any, topics: list[str], own: list[tuple[str, Any]], every: int, count: int
) -> int:
    match, found = subject.match, 0
    for n in range(count):
        found += len(match(topics[n % len(topics)]))
    return found


def churn(
    subject: Any, topics: list[str], own: list[tuple[str, Any]], every: int, count: int
) -> int:
    match, found = subject.match, 0
    subscribe, unsubscribe = subject.subscribe, subject.unsubscribe
    for n in range(count):
        if n % every:
            found += len(match(topics[n % len(topics)]))
        else:
            pattern, subscription = own[n % len(own)]
            unsubscribe(subscription)
            own[n % len(own)] = pattern, subscribe(pattern, n)
    return found


def topics_trial(case: Case, contender: Contender, kind: str, count: int, collect: bool) -> Trial:
    """Every thread makes its share of the calls; afterwards all subscriptions are still there."""
    subject = contender.make(case.bound)
    every = CHANGES[case.key]
    loop: Loop = spin if contender.empty_loop else churn if every else read
    loop = own_copy(loop)
    share = count // case.threads
    if collect:  # a verifying run; the slowest takes half a millisecond for each
        share = min(share, 40)
    totals: list[int] = []
    own: list[list[tuple[str, Any]]] = [[] for _ in range(case.threads)]
    if every and not contender.empty_loop:
        for number, mine in enumerate(own):
            for pattern in PATTERNS[number :: 4 * case.threads]:
                mine.append((pattern, subject.subscribe(pattern, -1)))
    there = SUBSCRIPTIONS + sum(map(len, own))

    def role(number: int) -> Role:
        topics = TOPICS[number:] + TOPICS[:number]
        return f"thread {number}", lambda: totals.append(
            loop(subject, topics, own[number], every, share)
        )

    def check() -> None:
        if len(subject) != there:
            raise BenchmarkFailure(f"{case.key}: {contender.key} holds {len(subject)} of {there}")
        wanted = reads(share, case.threads)
        if not every and sum(totals) != wanted:
            raise BenchmarkFailure(
                f"{case.key}: {contender.key} found {sum(totals)} of {wanted} subscribers"
            )

    roles = [role(i) for i in range(case.threads)]
    return Trial(roles, (), count, (lambda: None) if contender.empty_loop else check)


_FOUND: list[int] = []


def reads(share: int, threads: int) -> int:
    """The number of subscribers that the threads of a read-only case must find together."""
    if not _FOUND:
        split = [pattern.split(".") for pattern in PATTERNS]
        for topic in TOPICS:
            words = topic.split(".")
            _FOUND.append(sum(pattern_matches(tokens, words) for tokens in split))
    rounds, rest = divmod(share, len(_FOUND))
    ends = (sum((_FOUND[i:] + _FOUND[:i])[:rest]) for i in range(threads))
    return rounds * sum(_FOUND) * threads + sum(ends)


EMPTY = Contender("empty loop", BASELINE, lambda bound: [])
NAIVE = Contender("list of patterns + Lock", STDLIB, filled(NaiveTopics))
LOCKED = Contender("trie of dicts + Lock", STDLIB, filled(LockedTrie))
FP_TRIE = Contender("fastprims.TopicTrie", FASTPRIMS, filled(lambda: fastprims.TopicTrie()))

MIXES = {"read": ("read only", 0), "90-10": ("10 % changes", 10), "50-50": ("50 % changes", 2)}


BRIEF = ("topics-read-1", "topics-90-10-2")  # every run measures these; the others need --full
CHANGES: dict[str, int] = {}  # by case: operations per change; 0: no changes


def _case(mix: str, threads: int) -> Case:
    key = f"topics-{mix}-{threads}"
    title, CHANGES[key] = MIXES[mix]
    return Case(
        key,
        f"match a topic, {SUBSCRIPTIONS} subscriptions, {title}, "
        f"{threads} thread{'s' if threads > 1 else ''}",
        topics_trial,
        (EMPTY, NAIVE, LOCKED, FP_TRIE),
        (Pairing(FP_TRIE, LOCKED),),
        unit="operation",
        producers=threads,
        consumers=threads,
        threads=threads,
        kinds=(FRESH,),  # there are no items
        only_full=key not in BRIEF,
    )


TOPIC_CASES = tuple(_case(mix, threads) for mix in MIXES for threads in THREADS)
