"""share(): threads use one object, and count no references to it."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import pytest
from support.misuse import public_classes
from support.threads import run_threads

import fastprims

DEFERS = sys.version_info >= (3, 14) and fastprims.build_info()["threading"] == "free-threaded"


def make(name: str) -> Any:
    cls = getattr(fastprims, name)
    for args in ((), (4,), (list,), (4.0, 4)):
        try:
            return cls(*args)
        except TypeError:
            pass
    pytest.skip("made by others")


@pytest.mark.parametrize("name", public_classes())
def test_a_shared_object_is_the_same_and_released_by_the_collector(name: str) -> None:
    o = make(name)
    assert fastprims.share(fastprims.share(o)) is o
    gone = weakref.ref(o)
    del o
    if not DEFERS:
        assert gone() is None
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not DEFERS, reason="reference counts are exact here")
def test_its_references_are_not_counted() -> None:
    o = fastprims.share(fastprims.AtomicInt())
    gone = weakref.ref(o)
    del o
    assert gone() is not None


def test_threads_use_a_shared_map_and_queue() -> None:
    trie = fastprims.share(fastprims.Ctrie())
    q = fastprims.share(fastprims.Queue())

    def use() -> None:
        for n in range(1000):
            trie[n % 10] = n
            q.put(trie[n % 10])
            q.get()

    run_threads(use, use, use)
    assert len(trie) == 10
    assert q.empty()


def test_items_of_a_shared_queue_go_with_it() -> None:
    q = fastprims.share(fastprims.SimpleQueue())
    item = fastprims.AtomicInt()
    gone = weakref.ref(item)
    q.put(item)
    del q, item
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("value", [5, "text", None, 1.5, b""])
def test_what_the_collector_does_not_know_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="garbage collector"):
        fastprims.share(value)
