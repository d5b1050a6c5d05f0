"""What a TopicTrie promises: subscriptions, snapshots, and plain refusals."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest

from fastprims import Subscription, TopicSnapshot, TopicTrie


def test_the_syntax_is_chosen() -> None:
    t: TopicTrie[str] = TopicTrie()
    assert t.syntax == "nats"
    assert TopicTrie("mqtt").syntax == TopicTrie(syntax="mqtt").snapshot().syntax == "mqtt"
    with pytest.raises(ValueError, match="'nats', 'mqtt' or 'amqp'"):
        TopicTrie("stomp")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="str"):
        TopicTrie(None)  # type: ignore[arg-type]


def test_every_subscription_counts() -> None:
    t: TopicTrie[str] = TopicTrie()
    first = t.subscribe("a.b", "x")
    second = t.subscribe("a.b", "x")
    third = t.subscribe("a.*", "x")
    assert first != second
    assert t.match("a.b") == ["x", "x", "x"]
    assert set(t.match("a.b")) == {"x"}
    assert len(t) == 3
    assert (t.stats().size, t.stats().patterns) == (3, 2)
    assert t.unsubscribe(second)
    assert t.match("a.b") == ["x", "x"]
    assert t.unsubscribe(third)
    assert t.match("a.b") == ["x"]
    assert t.unsubscribe(first)
    assert t.match("a.b") == []
    assert len(t) == 0


def test_unsubscribing_twice_is_told() -> None:
    t: TopicTrie[str] = TopicTrie()
    one, other = t.subscribe("a", "x"), t.subscribe("a", "x")
    assert t.unsubscribe(one) is True
    assert t.unsubscribe(one) is False
    assert t.match("a") == ["x"]
    assert t.unsubscribe(other) is True
    assert t.unsubscribe(one) is t.unsubscribe(other) is False
    t.subscribe("a", "x")
    assert t.unsubscribe(one) is False, "another subscription to the same pattern is not this one"
    assert t.match("a") == ["x"]


def test_a_subscription_says_what_it_is_for() -> None:
    t: TopicTrie[Any] = TopicTrie()
    subscriber = object()
    s = t.subscribe(subscriber=subscriber, pattern="a.>")
    assert (s.pattern, s.subscriber) == ("a.>", subscriber)
    assert "'a.>'" in repr(s)
    with pytest.raises(AttributeError):
        s.pattern = "b"  # type: ignore[misc]
    with pytest.raises(TypeError, match="subscribe"):
        Subscription()


def test_a_subscription_of_another_trie_is_refused() -> None:
    t: TopicTrie[str] = TopicTrie()
    other: TopicTrie[str] = TopicTrie()
    theirs = other.subscribe("a", "x")
    t.subscribe("a", "x")
    with pytest.raises(ValueError, match="another TopicTrie"):
        t.unsubscribe(theirs)
    assert len(t) == len(other) == 1
    for wrong in (None, "a", object()):
        with pytest.raises(TypeError, match="Subscription"):
            t.unsubscribe(wrong)  # type: ignore[arg-type]
    assert other.unsubscribe(theirs)


def test_what_cannot_be_hashed_cannot_subscribe() -> None:
    class Broken:
        def __hash__(self) -> int:
            raise ZeroDivisionError

    t: TopicTrie[Any] = TopicTrie()
    with pytest.raises(TypeError, match="unhashable"):
        t.subscribe("a", [])
    with pytest.raises(ZeroDivisionError):
        t.subscribe("a", Broken())
    assert (len(t), t.match("a")) == (0, [])


@pytest.mark.parametrize("subscriber", [None, 0, "", (), print, TopicTrie, float("nan")])
def test_any_object_subscribes(subscriber: Any) -> None:
    t: TopicTrie[Any] = TopicTrie()
    s = t.subscribe("a", subscriber)
    assert t.match("a")[0] is subscriber
    assert s.subscriber is subscriber


def test_subscribers_are_never_compared() -> None:
    class Alike:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        def __hash__(self) -> int:
            return 1

    t: TopicTrie[Alike] = TopicTrie()
    subscriptions = [t.subscribe("a", Alike()) for _ in range(50)]
    assert len(t.match("a")) == 50
    assert all(t.unsubscribe(s) for s in subscriptions)


def test_a_snapshot_stays_as_it_was() -> None:
    t: TopicTrie[int] = TopicTrie()
    subscriptions = [t.subscribe(f"a.{n}.*", n) for n in range(100)]
    everything = t.snapshot()
    for s in subscriptions[:50]:
        t.unsubscribe(s)
    half = t.snapshot()
    t.subscribe("a.>", 1000)
    del subscriptions
    assert [len(everything), len(half), len(t)] == [100, 50, 51]
    for n in range(100):
        assert everything.match(f"a.{n}.x") == [n]
        assert half.match(f"a.{n}.x") == ([n] if n >= 50 else [])
        assert sorted(t.match(f"a.{n}.x")) == ([n, 1000] if n >= 50 else [1000])
    del t
    assert everything.match("a.7.x") == [7]
    assert everything.stats().size == 100


def test_a_snapshot_does_not_change() -> None:
    t: TopicTrie[int] = TopicTrie("amqp")
    subscription = t.subscribe("#", 1)
    s = t.snapshot()
    assert isinstance(s, TopicSnapshot)
    assert s.snapshot() is s
    with pytest.raises(TypeError, match="does not change"):
        s.subscribe("a", 2)
    with pytest.raises(TypeError, match="does not change"):
        s.unsubscribe(subscription)
    assert s.match("") == [1]
    with pytest.raises(TypeError, match="cannot be instantiated"):
        TopicSnapshot()


def test_the_memory_of_a_trie_shrinks_to_nothing() -> None:
    t: TopicTrie[int] = TopicTrie("mqtt")
    empty = t.stats()
    assert (empty.size, empty.patterns) == (0, 0)
    subscriptions = [
        t.subscribe("/".join("abcdefgh"[n % 8 :]) + f"/{n}/+/#", n) for n in range(300)
    ]
    assert t.stats().bytes > empty.bytes + 300 * 100
    assert t.__sizeof__() > t.stats().bytes
    for s in subscriptions:
        assert t.unsubscribe(s)
    assert t.stats() == empty


def test_repr_says_syntax_and_size() -> None:
    t: TopicTrie[int] = TopicTrie("mqtt")
    t.subscribe("a", 1)
    for trie in (t, t.snapshot()):
        assert f"fastprims.{type(trie).__name__} mqtt size=1" in repr(trie)


def test_a_trie_without_subscriptions_is_true() -> None:
    t: TopicTrie[int] = TopicTrie()
    assert t
    assert t.snapshot()


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_and_pickles_are_refused(how: Any) -> None:
    t: TopicTrie[int] = TopicTrie()
    for it in (t, t.snapshot(), t.subscribe("a", 1)):
        with pytest.raises(TypeError, match="cannot pickle or copy") as caught:
            how(it)
        assert len(str(caught.value).split()) > 10


def test_it_can_be_referred_to_weakly_and_named_generically() -> None:
    t: TopicTrie[int] = TopicTrie()
    assert weakref.ref(t)() is t
    assert weakref.ref(t.snapshot())
    assert TopicTrie[int].__origin__ is TopicTrie  # type: ignore[attr-defined]


def test_a_subclass_has_attributes_and_may_forget_to_initialise() -> None:
    class Named(TopicTrie[int]):
        def __init__(self, name: str) -> None:
            super().__init__("amqp")
            self.name = name

    class Forgets(TopicTrie[int]):
        def __init__(self) -> None:
            pass

    named = Named("n")
    named.subscribe("a.#", 1)
    assert (named.name, named.match("a")) == ("n", [1])
    with pytest.raises(RuntimeError, match="made already"):
        named.__init__("m")  # type: ignore[misc]
    assert named.match("a") == [1]
    forgets: Any = Forgets()
    for call in (
        lambda: forgets.match("a"),
        lambda: forgets.subscribe("a", 1),
        lambda: forgets.unsubscribe(None),
        lambda: forgets.snapshot(),
        lambda: forgets.stats(),
        lambda: forgets.syntax,
        lambda: len(forgets),
    ):
        with pytest.raises(RuntimeError, match="super"):
            call()
    assert "not initialised" in repr(forgets)


# What other tries got wrong. --------------------------------------------------------------------


def test_a_branch_whose_parent_was_pruned_can_be_entered_again() -> None:
    """A lock-free port retried for ever here."""
    t: TopicTrie[str] = TopicTrie()
    a, ab = t.subscribe("a", "a"), t.subscribe("a.b", "ab")
    t.unsubscribe(ab)
    assert t.match("a.b") == []
    ac = t.subscribe("a.c", "ac")
    assert [t.match(x) for x in ("a", "a.b", "a.c")] == [["a"], [], ["ac"]]
    t.unsubscribe(a)
    assert t.match("a.c") == ["ac"]
    t.unsubscribe(ac)
    assert t.stats().patterns == 0


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)]
)
def test_pruning_never_takes_a_subscription_along(order: tuple[int, ...]) -> None:
    """Another compressed a branch away with what was in it."""
    t: TopicTrie[int] = TopicTrie()
    patterns = ["a", "a.b.c.d", "a.b"]
    subscriptions = [t.subscribe(pattern, n) for n, pattern in enumerate(patterns)]
    left = {0, 1, 2}
    for n in order:
        t.unsubscribe(subscriptions[n])
        left.remove(n)
        assert [t.match(pattern) == [k] for k, pattern in enumerate(patterns)] == [
            k in left for k in range(3)
        ]


# Shared subscriptions of MQTT 5.


def test_a_group_gets_each_match_once_and_in_turn() -> None:
    t: TopicTrie[str] = TopicTrie("mqtt")
    members = [t.subscribe("$share/group/+/b", name) for name in "xyz"]
    t.subscribe("$share/other/+/b", "alone")
    t.subscribe("a/#", "plain")
    found = [sorted(t.match("a/b")) for _ in range(6)]
    assert found == [sorted(["alone", "plain", name]) for name in "xyzxyz"]
    assert t.match("c") == []
    assert len(t) == 5
    assert members[1].pattern == "$share/group/+/b"
    assert members[1].subscriber == "y"
    assert t.unsubscribe(members[1])
    assert not t.unsubscribe(members[1])
    turns = [t.match("q/b") for _ in range(4)]
    assert {name for turn in turns for name in turn} == {"x", "z", "alone"}
    assert all(len(turn) == 2 for turn in turns)


def test_groups_are_told_apart_by_name_and_filter() -> None:
    t: TopicTrie[str] = TopicTrie("mqtt")
    for pattern in ("$share/g/a/#", "$share/g/a/b", "$share/h/a/b"):
        for member in "12":
            t.subscribe(pattern, pattern + member)
    assert len(t.match("a/b")) == 3
    assert len(t.match("a")) == 1


def test_snapshots_of_shared_subscriptions_show_the_members_of_then() -> None:
    t: TopicTrie[str] = TopicTrie("mqtt")
    first = t.subscribe("$share/g/#", "first")
    before = t.snapshot()
    t.unsubscribe(first)
    t.subscribe("$share/g/#", "second")
    assert before.match("a") == before.match("b") == ["first"]
    assert t.match("a") == ["second"]


def test_a_shared_filter_hides_topics_of_the_server_as_any() -> None:
    t: TopicTrie[str] = TopicTrie("mqtt")
    t.subscribe("$share/g/#", "all")
    t.subscribe("$share/g/$SYS/#", "system")
    assert t.match("$SYS/uptime") == ["system"]


@pytest.mark.parametrize(
    "pattern",
    ["$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a"]
    + ["$share/#", "$share/g/a#", "$share/g/#/b"],
)
def test_what_is_no_shared_subscription_is_refused(pattern: str) -> None:
    t: TopicTrie[str] = TopicTrie("mqtt")
    with pytest.raises(ValueError, match="mqtt pattern"):
        t.subscribe(pattern, "x")
    assert len(t) == 0


def test_share_means_nothing_special_elsewhere() -> None:
    for syntax, separator in (("nats", "."), ("amqp", ".")):
        t: Any = TopicTrie(syntax)  # type: ignore[arg-type]
        pattern = separator.join(["$share", "g", "a"])
        t.subscribe(pattern, "x")
        assert t.match(pattern) == ["x"]
    mqtt: TopicTrie[str] = TopicTrie("mqtt")
    mqtt.subscribe("$shared/g/a", "x")
    assert mqtt.match("$shared/g/a") == ["x"]


def test_a_shared_subscriber_is_released() -> None:
    class Thing:
        pass

    t: TopicTrie[Any] = TopicTrie("mqtt")
    thing = Thing()
    ref = weakref.ref(thing)
    subscription = t.subscribe("$share/g/a", thing)
    assert t.match("a") == [thing]
    t.unsubscribe(subscription)
    del thing, subscription
    gc.collect()
    assert ref() is None
