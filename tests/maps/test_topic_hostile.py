"""Deep, wide and nested patterns; finalizers that use the trie they come from."""

from __future__ import annotations

import gc
import itertools
import threading
from typing import Any

import pytest
from support.threads import spawn
from support.topics import ONE, REST, SEPARATOR, SYNTAXES

from fastprims import Subscription, TopicTrie


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("tokens", [10_000, 32_768])
def test_deep_patterns_need_no_stack(syntax: Any, tokens: int) -> None:
    """Made, matched, collected, counted and removed on a thread with a small stack."""
    separator = SEPARATOR[syntax]
    before = threading.stack_size(256 * 1024)
    answers: list[Any] = []

    def work() -> None:
        t: TopicTrie[int] = TopicTrie(syntax)
        literal = separator.join("a" * tokens)
        wild = separator.join(ONE[syntax] * (tokens - 1) + REST[syntax])
        subscriptions = [t.subscribe(literal, 1), t.subscribe(wild, 2)]
        snapshot = t.snapshot()
        gc.collect()
        answers.append(sorted(t.match(literal)))
        answers.append(t.match(literal[:-2] + separator + "b"))
        answers.append(t.match(literal[:-4]))
        answers.append(t.stats().patterns)
        answers.append([t.unsubscribe(s) for s in subscriptions])
        answers.append(t.stats() == TopicTrie(syntax).stats())
        answers.append(sorted(snapshot.match(literal)))

    try:
        task = spawn(work)
    finally:
        threading.stack_size(before)
    task.result()
    assert answers == [[1, 2], [2], [], 2, [True, True], True, [1, 2]]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_topics_that_are_longer_than_any_pattern(syntax: Any) -> None:
    t: TopicTrie[int] = TopicTrie(syntax)
    separator = SEPARATOR[syntax]
    for n in range(20):
        t.subscribe(separator.join(["a", *ONE[syntax] * n]), n)
    t.subscribe(separator.join(["a", REST[syntax]]), 100)
    assert t.match(separator.join("a" * 10_000)) == [100]


def test_many_places_reached_at_once() -> None:
    """All 2**12 patterns of literals and wildcards match, each once."""
    t: TopicTrie[str] = TopicTrie()
    patterns = [".".join(tokens) for tokens in itertools.product("a*", repeat=12)]
    for pattern in patterns:
        t.subscribe(pattern, pattern)
    assert sorted(t.match(".".join("a" * 12))) == sorted(patterns)
    assert t.match(".".join("b" * 12)) == [".".join("*" * 12)]


def test_wildcards_for_any_number_of_words_are_not_exponential() -> None:
    """There are more ways to match these than a search through all of them could ever try."""
    t: TopicTrie[int] = TopicTrie("amqp")
    for n in range(100):
        t.subscribe(".".join(["#", "a"] * n + ["#"]), n)
    t.subscribe(".".join(["#", "a"] * 100 + ["b"]), -1)
    t.subscribe(".".join(["#"] * 1000), -2)
    t.subscribe(".".join(["#", "*"] * 300), -3)
    words = ".".join("a" * 400)
    assert sorted(t.match(words)) == [-3, -2, *range(100)]
    assert sorted(t.match(words + ".b")) == [-3, -2, -1, *range(100)]
    assert sorted(t.match("a.a")) == [-2, 0, 1, 2]
    assert sorted(t.match("")) == [-2, 0]


@pytest.mark.parametrize("pattern", ["#.a.#", "#.#.a.#.#", "#.*.#.a.#", "#.a.#.a.#"])
def test_a_subscription_is_found_once_however_often_it_matches(pattern: str) -> None:
    t: TopicTrie[str] = TopicTrie("amqp")
    t.subscribe(pattern, "it")
    assert t.match("a.a.a.a.a.a") == ["it"]


def test_many_subscribers_of_one_pattern_and_many_tokens_of_one_place() -> None:
    t: TopicTrie[int] = TopicTrie()
    same = [t.subscribe("same", n) for n in range(3000)]
    wide = [t.subscribe(f"wide.{n}", n) for n in range(3000)]
    assert sorted(t.match("same")) == list(range(3000))
    assert all(t.match(f"wide.{n}") == [n] for n in range(3000))
    for s in same[::2] + wide[::2]:
        assert t.unsubscribe(s)
    assert sorted(t.match("same")) == list(range(1, 3000, 2))
    assert [t.match(f"wide.{n}") for n in range(4)] == [[], [1], [], [3]]
    assert t.stats().patterns == 1 + 1500


def test_long_tokens_that_differ_late() -> None:
    t: TopicTrie[int] = TopicTrie("mqtt")
    long = "x" * 20_000
    for n in range(20):
        t.subscribe(f"{long}{n}/+", n)
    assert [t.match(f"{long}{n}/y") for n in range(20)] == [[n] for n in range(20)]
    assert t.match(f"{long}/y") == t.match(f"{long}1") == []


class Tidy:
    """A subscriber that uses the trie when it goes."""

    gone = 0

    def __init__(self, trie: TopicTrie[Any]) -> None:
        self.trie = trie

    def __del__(self) -> None:
        Tidy.gone += 1
        self.trie.match("a.b")
        if Tidy.gone < 200:
            s = self.trie.subscribe("a.*", None)
            self.trie.snapshot().match("a.b")
            self.trie.unsubscribe(s)


def test_a_finalizer_may_use_the_trie_it_comes_from() -> None:
    t: TopicTrie[Any] = TopicTrie()
    Tidy.gone = 0
    for n in range(100):
        s = t.subscribe(f"a.{'b' * (n % 5)}c", Tidy(t))
        assert t.unsubscribe(s)
        del s
    gc.collect()
    for _ in range(1_000):  # with real atomics, the last ones are released by later changes
        if Tidy.gone == 100:
            break
        t.unsubscribe(t.subscribe("z", object()))
    assert Tidy.gone == 100
    assert len(t) == 0


def test_a_subscription_outlives_its_trie() -> None:
    kept: list[Subscription[Any]] = []
    for _ in range(10):
        t: TopicTrie[Any] = TopicTrie()
        kept.append(t.subscribe("a", object()))
        del t
    gc.collect()
    later: TopicTrie[Any] = TopicTrie()
    for s in kept:
        with pytest.raises(ValueError, match="another"):
            later.unsubscribe(s)
