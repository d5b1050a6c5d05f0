"""Topic tries and their snapshots against a list of patterns: random programs, one answer allowed."""

from __future__ import annotations

import gc
import sys
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.topics import ONE, REST, SEPARATOR, SYNTAXES, matches

from fastprims import Subscription, TopicTrie

WORDS = ["a", "b", "ab", "ü"]


class Token:
    """A subscriber whose references are counted at the end."""


def topics(syntax: str) -> st.SearchStrategy[str]:
    words = WORDS if syntax == "nats" else [*WORDS, "", "$"]
    texts = st.lists(st.sampled_from(words), min_size=1, max_size=7).map(SEPARATOR[syntax].join)
    return texts.filter(lambda text: text != "" or syntax == "amqp")


def patterns(syntax: str) -> st.SearchStrategy[str]:
    one, rest, separator = ONE[syntax], REST[syntax], SEPARATOR[syntax]
    words = [*(WORDS[:3] if syntax == "nats" else [*WORDS[:3], ""]), one, one]
    if syntax == "amqp":
        words += [rest, rest]
    texts = st.lists(st.sampled_from(words), max_size=6)
    ends = st.sampled_from([*words, rest])
    made = st.tuples(texts, ends).map(lambda parts: separator.join([*parts[0], parts[1]]))
    return made.filter(lambda text: text != "" or syntax == "amqp")


class TopicMachine(RuleBasedStateMachine):
    syntax: Any

    def __init__(self) -> None:
        super().__init__()
        self.trie: TopicTrie[Token] = TopicTrie(self.syntax)
        self.there: list[Subscription[Token]] = []
        self.gone: list[Subscription[Token]] = []
        self.frozen: list[tuple[Any, list[Subscription[Token]]]] = []
        self.tokens: list[Token] = []

    @rule(data=st.data(), same=st.booleans())
    def subscribe(self, data: st.DataObject, same: bool) -> None:
        if not (same and self.tokens):
            self.tokens.append(Token())
        pattern = data.draw(patterns(self.syntax))
        self.there.append(self.trie.subscribe(pattern, self.tokens[-1]))

    @precondition(lambda self: self.there)
    @rule(at=st.integers(0, 100))
    def unsubscribe(self, at: int) -> None:
        subscription = self.there.pop(at % len(self.there))
        assert self.trie.unsubscribe(subscription) is True
        self.gone.append(subscription)

    @precondition(lambda self: self.gone)
    @rule(at=st.integers(0, 100))
    def unsubscribe_again(self, at: int) -> None:
        assert self.trie.unsubscribe(self.gone[at % len(self.gone)]) is False

    @rule()
    def freeze(self) -> None:
        self.frozen.append((self.trie.snapshot(), list(self.there)))

    @precondition(lambda self: self.frozen)
    @rule(at=st.integers(0, 100))
    def drop(self, at: int) -> None:
        del self.frozen[at % len(self.frozen)]

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        topic = data.draw(topics(self.syntax))
        for trie, subscriptions in [(self.trie, self.there), *self.frozen]:
            expected = [s for s in subscriptions if matches(self.syntax, s.pattern, topic)]
            found = sorted(id(token) for token in trie.match(topic))
            assert found == sorted(id(s.subscriber) for s in expected)

    @invariant()
    def sizes_agree(self) -> None:
        for trie, subscriptions in [(self.trie, self.there), *self.frozen[-2:]]:
            assert len(trie) == len(subscriptions)
            stats = trie.stats()
            assert stats.size == len(subscriptions)
            assert stats.patterns == len({s.pattern for s in subscriptions})

    def teardown(self) -> None:
        """Every reference that the tries took was given back."""
        del self.trie
        self.frozen.clear()
        self.there.clear()
        self.gone.clear()
        gc.collect()
        reference = [Token()]
        expected = sys.getrefcount(reference[0])
        counts = [sys.getrefcount(self.tokens[i]) for i in range(len(self.tokens))]
        assert counts == [expected] * len(counts)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_tries_answer_like_lists_of_patterns(syntax: str, scale: Any) -> None:
    machine = type("Machine", (TopicMachine,), {"syntax": syntax})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=scale(25), stateful_step_count=40, deadline=None)
    )
