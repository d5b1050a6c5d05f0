"""What matches what, as the messaging systems publish it; and what is no pattern or topic at all."""

from __future__ import annotations

from typing import Any

import pytest
from support.topics import SYNTAXES, matches

from fastprims import TopicTrie

# Pattern, topics that it matches, topics that it does not match.
NATS = [
    ("foo", ["foo"], ["bar", "foo.bar", "fo", "foo2", "FOO"]),
    ("foo.bar", ["foo.bar"], ["foo", "bar", "foo.bar.baz", "foo.baz"]),
    ("time.us.east", ["time.us.east"], ["time.us", "time.us.east.atlanta"]),
    ("*", ["foo", "1", "$SYS"], ["foo.bar"]),
    (
        "time.*.east",
        ["time.us.east", "time.eu.east"],
        ["time.us.west", "time.east", "time.a.b.east"],
    ),
    ("foo.*", ["foo.bar", "foo.baz"], ["foo", "foo.bar.baz", "bar.foo"]),
    ("*.*", ["a.b"], ["a", "a.b.c"]),
    (">", ["foo", "foo.bar", "$SYS.a.b.c"], []),
    ("time.us.>", ["time.us.east", "time.us.east.atlanta"], ["time.us", "time.eu.east"]),
    ("foo.>", ["foo.bar", "foo.bar.baz"], ["foo", "bar.foo"]),
    ("*.*.east.>", ["time.us.east.atlanta", "a.b.east.c.d"], ["time.us.east", "a.b.west.c"]),
    ("*.>", ["a.b", "a.b.c"], ["a"]),
    ("a-b_c.1", ["a-b_c.1"], ["a-b_c.2"]),
    ("größe.*", ["größe.m"], ["grösse.m", "größe"]),
    ("#.+", ["#.+"], ["a.b"]),
]

# MQTT 3.1.1 and 5, section 4.7; the comments there are the examples here.
MQTT = [
    ("sport/tennis/player1", ["sport/tennis/player1"], ["sport/tennis", "sport/tennis/player2"]),
    (
        "sport/tennis/player1/#",
        ["sport/tennis/player1", "sport/tennis/player1/ranking"]
        + ["sport/tennis/player1/score/wimbledon", "sport/tennis/player1/"],
        ["sport/tennis/player2", "sport/tennis", "sport/tennis/player12"],
    ),
    ("sport/#", ["sport", "sport/", "sport/a/b"], ["sports", "/sport", "a/sport"]),
    ("#", ["a", "a/b", "/", "/finance", "a//b"], ["$SYS", "$SYS/a", "$"]),
    ("sport/tennis/+", ["sport/tennis/player1", "sport/tennis/"], ["sport/tennis/player1/ranking"]),
    ("sport/+", ["sport/"], ["sport", "sport/a/b"]),
    ("+", ["a", "finance"], ["/finance", "a/b", "$SYS"]),
    (
        "+/tennis/#",
        ["a/tennis", "a/tennis/b/c", "/tennis"],
        ["tennis", "a/b/tennis", "$a/tennis/b"],
    ),
    ("sport/+/player1", ["sport/tennis/player1", "sport//player1"], ["sport/player1"]),
    ("+/+", ["/finance", "a/b", "/"], ["a", "a/b/c", "$SYS/a"]),
    ("/+", ["/finance", "/"], ["finance", "a/finance"]),
    ("+/monitor/Clients", ["a/monitor/Clients"], ["$SYS/monitor/Clients"]),
    ("$SYS/#", ["$SYS", "$SYS/a", "$SYS/a/b"], ["SYS/a", "a/$SYS/b"]),
    ("$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$SYS/a/Clients"]),
    ("a/+/#", ["a/$b", "a/$b/c", "a/", "a/b"], ["a", "b/c"]),
    ("/", ["/"], ["a", "//", "a/", "/a"]),
    ("Accounts payable", ["Accounts payable"], ["ACCOUNTS payable", "Accounts"]),
    ("a//b", ["a//b"], ["a/b", "a///b"]),
    ("a.*.>", ["a.*.>"], ["a.b.c"]),
    ("\ufeffa/\u6c34", ["\ufeffa/\u6c34"], ["a/\u6c34"]),
]

# AMQP 0-9-1, section 3.1.3.3, and RabbitMQ for what it leaves open: the key "" has no words, and
# words may be empty.
AMQP = [
    ("stock.usd.nyse", ["stock.usd.nyse"], ["stock.usd", "stock.usd.nyse.ibm"]),
    (
        "*.stock.#",
        ["usd.stock", "eur.stock.db", "a.stock.b.c"],
        ["stock.nasdaq", "stock", "a.b.stock"],
    ),
    (
        "*.orange.*",
        ["quick.orange.rabbit", "lazy.orange.elephant"],
        ["orange", "quick.orange.male.rabbit"],
    ),
    ("*.*.rabbit", ["quick.orange.rabbit"], ["rabbit", "quick.orange.new.rabbit"]),
    (
        "lazy.#",
        ["lazy", "lazy.pink.rabbit", "lazy.orange.new.rabbit"],
        ["quick.brown.fox", "lazyx"],
    ),
    ("#", ["", "a", "a.b.c", "."], []),
    ("*", ["a"], ["", "a.b", "."]),
    ("", [""], ["a", "."]),
    ("#.b", ["b", "a.b", "b.b", "a.c.b"], ["", "a", "b.a"]),
    ("a.#.b", ["a.b", "a.c.b", "a.b.b", "a.a.b.b", "a.b.c.b"], ["a", "b", "a.b.c", "c.a.b"]),
    ("#.#", ["", "a", "a.b"], []),
    ("#.a.#", ["a", "b.a", "a.b", "b.a.b", "a.a.a"], ["", "b", "b.c"]),
    ("#.*", ["a", "a.b"], [""]),
    ("*.#", ["a", "a.b"], [""]),
    ("#.*.#", ["a", "a.b.c"], [""]),
    ("*.#.*", ["a.b", "a.b.c"], ["", "a"]),
    ("a.#.#.b.#", ["a.b", "a.x.y.b", "a.b.z", "a.b.b"], ["a", "b.a"]),
    ("a.*.#.b", ["a.x.b", "a.b.b", "a.x.y.b"], ["a.b", "a.b.x"]),
    ("a..b", ["a..b"], ["a.b", "a...b"]),
    ("a.*", ["a.", "a.b"], ["a", "a.b."]),
    ("$x.*", ["$x.y"], ["x.y"]),
    ("a b.c>", ["a b.c>"], ["ab.c"]),
]

TABLE = [
    pytest.param(syntax, *row, id=f"{syntax} {row[0]}")
    for syntax, rows in (("nats", NATS), ("mqtt", MQTT), ("amqp", AMQP))
    for row in rows
]


@pytest.mark.parametrize(("syntax", "pattern", "good", "bad"), TABLE)
def test_a_pattern_matches_what_it_should(
    syntax: Any, pattern: str, good: list[str], bad: list[str]
) -> None:
    t: TopicTrie[str] = TopicTrie(syntax)
    subscription = t.subscribe(pattern, "it")
    expected = {topic: ["it"] for topic in good} | {topic: [] for topic in bad}
    assert {topic: t.match(topic) for topic in expected} == expected
    assert {topic: matches(syntax, pattern, topic) for topic in good + bad} == {
        topic: bool(found) for topic, found in expected.items()
    }, "the plain rules, which the model tests use"
    assert t.unsubscribe(subscription)
    assert {topic: t.match(topic) for topic in expected} == {topic: [] for topic in expected}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_all_patterns_at_once(syntax: Any) -> None:
    rows = {"nats": NATS, "mqtt": MQTT, "amqp": AMQP}[syntax]
    t: TopicTrie[str] = TopicTrie(syntax)
    for pattern, _, _ in rows:
        t.subscribe(pattern, pattern)
    for topic in sorted({topic for _, good, bad in rows for topic in good + bad}):
        expected = [pattern for pattern, _, _ in rows if matches(syntax, pattern, topic)]
        assert sorted(t.match(topic)) == sorted(expected), topic


# Syntax, text, and a word of the message: neither a pattern nor a topic.
NEITHER = [
    ("nats", "", "character"),
    ("nats", ".", "empty token"),
    ("nats", ".a", "empty token"),
    ("nats", "a.", "empty token"),
    ("nats", "a..b", "empty token"),
    ("nats", "a b", "white space"),
    ("nats", "a.\t", "white space"),
    ("nats", "a\r\nb", "white space"),
    ("nats", "a\0b", "NUL"),
    ("mqtt", "", "character"),
    ("mqtt", "a/\0", "NUL"),
    ("amqp", "\0", "NUL"),
    ("nats", "a\ud800", "surrogate"),
    ("mqtt", "\udfff/a", "surrogate"),
    ("amqp", "\udc80", "surrogate"),
    ("nats", "a" * 65_536, "65,535"),
    ("mqtt", "a/" * 32_767 + "ab", "65,535"),
    ("mqtt", "é" * 32_768, "65,535"),
    ("amqp", "#" + ".#" * 32_768, "65,535"),
]
NO_PATTERN = [
    ("nats", "a.>.b", "last"),
    ("nats", ">.a", "last"),
    ("nats", ">.>", "last"),
    ("nats", "a>", "whole"),
    ("nats", "a.b*", "whole"),
    ("nats", "**", "whole"),
    ("nats", "a.*b.c", "whole"),
    ("mqtt", "sport/tennis/#/ranking", "last"),
    ("mqtt", "#/", "last"),
    ("mqtt", "sport/tennis#", "whole"),
    ("mqtt", "sport+", "whole"),
    ("mqtt", "a/+b", "whole"),
    ("mqtt", "##", "whole"),
    ("amqp", "a#", "whole"),
    ("amqp", "#a.b", "whole"),
    ("amqp", "a.**.b", "whole"),
]
NO_TOPIC = [
    ("nats", "*", "wildcard"),
    ("nats", "a.>", "wildcard"),
    ("nats", "a>b", "wildcard"),
    ("mqtt", "a/+/b", "wildcard"),
    ("mqtt", "#", "wildcard"),
    ("mqtt", "a#", "wildcard"),
    ("amqp", "#.a", "wildcard"),
    ("amqp", "a.*", "wildcard"),
]


def is_sentence(error: pytest.ExceptionInfo[Exception]) -> bool:
    return 6 < len(str(error.value).split()) < 60 and len(str(error.value)) < 400


@pytest.mark.parametrize(("syntax", "text", "word"), [*NEITHER, *NO_PATTERN])
def test_what_is_no_pattern_is_refused_and_changes_nothing(
    syntax: Any, text: str, word: str
) -> None:
    t: TopicTrie[int] = TopicTrie(syntax)
    t.subscribe("a", 1)
    before = t.stats()
    with pytest.raises(ValueError, match=word) as error:
        t.subscribe(text, 2)
    assert is_sentence(error)
    assert t.stats() == before
    assert t.match("a") == [1]


@pytest.mark.parametrize(("syntax", "text", "word"), [*NEITHER, *NO_TOPIC])
def test_what_is_no_topic_is_refused(syntax: Any, text: str, word: str) -> None:
    t: TopicTrie[int] = TopicTrie(syntax)
    t.subscribe("#" if syntax != "nats" else ">", 1)
    for trie in (t, t.snapshot()):
        with pytest.raises(ValueError, match=word) as error:
            trie.match(text)
        assert is_sentence(error)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("text", [b"a", None, 1, ["a"]])
def test_what_is_no_text_is_refused(syntax: Any, text: Any) -> None:
    t: TopicTrie[int] = TopicTrie(syntax)
    with pytest.raises(TypeError, match="str"):
        t.subscribe(text, 1)
    with pytest.raises(TypeError, match="str"):
        t.match(text)
    assert len(t) == 0


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_longest_pattern_and_topic(syntax: Any) -> None:
    t: TopicTrie[int] = TopicTrie(syntax)
    longest = "é" * 32_767 + "a"
    t.subscribe(longest, 1)
    assert t.match(longest) == [1]
    assert t.match(longest[:-1] + "b") == t.match(longest[:-1]) == []


def test_a_str_of_another_class_is_text() -> None:
    class Name(str):
        __slots__ = ()

    t: TopicTrie[int] = TopicTrie()
    subscription = t.subscribe(Name("a.*"), 1)
    assert t.match(Name("a.b")) == [1]
    assert type(subscription.pattern) is str
    assert t.unsubscribe(subscription)
