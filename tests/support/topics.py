"""The rules of the three topic syntaxes, plainly: what the trie is compared with."""

from __future__ import annotations

from functools import cache

SYNTAXES = ("nats", "mqtt", "amqp")
SEPARATOR = {"nats": ".", "mqtt": "/", "amqp": "."}
ONE = {"nats": "*", "mqtt": "+", "amqp": "*"}
REST = {"nats": ">", "mqtt": "#", "amqp": "#"}


def split(syntax: str, text: str) -> list[str]:
    return text.split(SEPARATOR[syntax]) if text else []


def matches(syntax: str, pattern: str, topic: str) -> bool:
    """Does the pattern match the topic? Both are valid."""
    tokens, words = split(syntax, pattern), split(syntax, topic)
    if syntax == "mqtt" and topic.startswith("$") and tokens[0] in ("+", "#"):
        return False
    least = 1 if syntax == "nats" else 0

    @cache
    def rest(i: int, j: int) -> bool:
        """Does what is left of the one match what is left of the other?"""
        if i == len(tokens):
            return j == len(words)
        if tokens[i] == REST[syntax]:
            return any(rest(i + 1, k) for k in range(j + least, len(words) + 1))
        return j < len(words) and tokens[i] in (ONE[syntax], words[j]) and rest(i + 1, j + 1)

    return rest(0, 0)
