"""Chains of objects that own each other need no deep stack, or say that it is not deep enough."""

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


def recurse(what: str, links: int) -> str:
    """The name of what is raised by a call that goes down the whole chain."""
    import copy
    import pickle

    import fastprims

    def chain(link):
        last = link(0)
        for _ in range(links):
            last = link(last)
        return last

    def snapshot(o):
        return fastprims.Ctrie({1: o}).readonly_snapshot()

    def branch(o):
        return fastprims.Ctrie({1: o})

    def pool(o):
        return fastprims.ObjectPool(o.acquire if o else list)

    calls = {
        "hash": lambda: hash(chain(snapshot)),
        "key": lambda: fastprims.Ctrie().get(chain(snapshot)),
        "equal": lambda: chain(branch) == chain(branch),
        "unequal": lambda: chain(snapshot) != chain(snapshot),
        "items": lambda: chain(branch).items() == chain(branch).items(),
        "in": lambda: chain(branch) in chain(branch).values(),
        "compare_and_set": lambda: branch(chain(branch)).compare_and_set(1, chain(branch), 2),
        "repr": lambda: repr(chain(branch)),
        "repr of a snapshot": lambda: repr(chain(snapshot)),
        "pickle": lambda: pickle.dumps(chain(branch)),
        "pickle of a snapshot": lambda: pickle.dumps(chain(snapshot)),
        "deepcopy": lambda: copy.deepcopy(chain(branch)),
        "ShmQueue.put": lambda: fastprims.ShmQueue().put(chain(branch)),
        "factory": lambda: chain(pool).acquire(),
    }
    try:
        return repr(calls[what]())
    except RecursionError as error:
        return type(error).__name__


RECURSIVE = ["hash", "key", "equal", "unequal", "items", "in", "compare_and_set", "repr"]
RECURSIVE += ["repr of a snapshot", "pickle", "pickle of a snapshot", "deepcopy", "factory"]


@pytest.mark.parametrize(
    "what",
    [
        *RECURSIVE,
        pytest.param(
            "ShmQueue.put", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
        ),
    ],
)
def test_calls_that_go_down_a_chain_raise_recursion_error(what: str) -> None:
    assert run_child(recurse, what, 100_000) == "RecursionError"
