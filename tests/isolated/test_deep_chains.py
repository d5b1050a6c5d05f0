"""Chains of objects that own each other are released without a deep stack, in a small thread."""

from __future__ import annotations

import sys

import pytest
from support.isolate import run_child


def release(kind: str, links: int) -> bool:
    import operator
    import threading

    import fastprims

    trie = fastprims.TopicTrie()

    def queue(o):
        q = fastprims.Queue()
        q.put(o)
        return q

    def ring(o):
        q = fastprims.SPSCRing(2)
        q.put(o)
        return q

    def heap(o):
        q = fastprims.LifoQueue()
        q.put(o)
        return q

    def leased(o):
        pool = fastprims.ObjectPool(lambda: [o])
        pool.acquire()
        return pool

    def idle(o):
        pool = fastprims.ObjectPool(lambda: (o,))
        pool.prefill(1)
        return pool

    def subscription(o):
        made = trie.subscribe("a", o)
        trie.unsubscribe(made)
        return made

    def topics(o):
        made = fastprims.TopicTrie()
        made.subscribe("a", o)
        return made

    # An itemgetter has no protection of its own against deep recursion.
    links_of = {
        "queue": [queue],
        "ring": [ring],
        "heap": [heap],
        "reference": [fastprims.AtomicRef],
        "idle": [idle],
        "leased": [leased],
        "factory": [lambda o: fastprims.ObjectPool(operator.itemgetter(o))],
        "reset": [lambda o: fastprims.ObjectPool(list, reset=operator.itemgetter(o))],
        "on_pressure": [lambda o: fastprims.BoundedChannel(1, on_pressure=operator.itemgetter(o))],
        "size_of": [lambda o: fastprims.BoundedChannel(1, size_of=operator.itemgetter(o))],
        "lease": [lambda o: fastprims.ObjectPool(list).lease(True, o)],
        "subscription": [subscription],
        "map": [lambda o: fastprims.Ctrie({1: o})],
        "topics": [topics],
    }
    links_of["all"] = [made for makers in list(links_of.values()) for made in makers]
    makers = links_of[kind]

    def chain() -> None:
        last = object()
        for i in range(links):
            last = makers[i % len(makers)](last)
        for _ in range(100):  # what subscribers had is released a little later
            trie.unsubscribe(trie.subscribe("b", None))
        del last

    threading.stack_size(256 << 10)
    thread = threading.Thread(target=chain)
    thread.start()
    thread.join(100)
    return not thread.is_alive()


KINDS = ["queue", "ring", "heap", "reference", "idle", "leased", "factory", "reset", "on_pressure"]
KINDS += ["size_of", "lease", "subscription", "map", "topics", "all"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_chain_is_released_in_a_small_thread(kind: str) -> None:
    instrumented = "SANITIZE" in "".join(sys.modules["os"].environ)
    assert run_child(release, kind, 1500 if instrumented else 15_000)
