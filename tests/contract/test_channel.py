"""BoundedChannel: what each overflow policy does at the bound, and what is let in at all."""

from __future__ import annotations

import sys
import time
from queue import Full
from typing import Any

import pytest
from support.threads import blocked, run_threads

import fastprims
from fastprims import BoundedChannel, ItemTooLarge, ShutDown

POLICIES = ["block", "reject", "drop_newest", "drop_oldest"]
every_policy = pytest.mark.parametrize("overflow", POLICIES)

REASONS = {"full", "overflow-newest", "overflow-oldest", "oversized", "rate", "shutdown"}


def drops(q: Any) -> dict[str, int]:
    """The reasons that came up; checks that everything offered is accounted for."""
    stats = q.stats()
    assert stats.offered == stats.gets + stats.size + sum(stats.drops.values())
    assert set(stats.drops) == REASONS
    return {reason: n for reason, n in stats.drops.items() if n}


def full_channel(overflow: str, n: int = 3, **options: Any) -> Any:
    q: Any = BoundedChannel(n, overflow=overflow, **options)
    for item in range(n):
        q.put(item)
    return q


def content(q: Any) -> list[Any]:
    return [q.get() for _ in range(q.qsize())]


# At the bound.


@every_policy
def test_below_the_bound_all_policies_are_a_queue(overflow: str) -> None:
    q = full_channel(overflow)
    assert q.full()
    assert content(q) == [0, 1, 2]
    assert drops(q) == {}


def test_block_waits_for_room() -> None:
    q = full_channel("block")
    task = blocked(q.put, 3)
    assert q.get() == 0
    task.result()
    assert content(q) == [1, 2, 3]
    assert drops(q) == {}


def test_block_counts_a_put_that_ran_out_of_time() -> None:
    q = full_channel("block")
    began = time.monotonic()
    with pytest.raises(Full):
        q.put(3, timeout=0.03)
    assert time.monotonic() - began >= 0.03
    with pytest.raises(Full):
        q.put_nowait(3)
    assert q.try_put(3) is False
    assert content(q) == [0, 1, 2]
    assert drops(q) == {"full": 3}


def test_reject_never_waits() -> None:
    q = full_channel("reject")
    for call in (q.put, q.put_nowait, lambda item: q.put(item, True, 60)):
        with pytest.raises(Full):
            call(3)
    assert q.try_put(3) is False
    assert content(q) == [0, 1, 2]
    assert drops(q) == {"full": 4}
    assert q.stats().put_waits == 0


def test_drop_newest_drops_the_item_that_comes() -> None:
    q = full_channel("drop_newest")
    assert q.put(3) is None
    assert q.put_nowait(4) is None
    assert q.put(5, timeout=60) is None
    assert q.try_put(6) is False
    assert content(q) == [0, 1, 2]
    assert drops(q) == {"overflow-newest": 4}


def test_drop_oldest_drops_the_item_that_is_first() -> None:
    q = full_channel("drop_oldest")
    assert q.put(3) is None
    assert q.put_nowait(4) is None
    assert q.put(5, timeout=60) is None
    assert q.try_put(6) is True
    assert q.qsize() == 3 and q.full()
    assert content(q) == [4, 5, 6]
    assert drops(q) == {"overflow-oldest": 4}


@pytest.mark.parametrize("n", [1, 2, 600])
def test_drop_oldest_drops_one_for_one(n: int) -> None:
    """Over several segments of the queue, in every phase."""
    q = full_channel("drop_oldest", n)
    for item in range(n, 5 * n + 700):
        q.put(item)
        assert q.qsize() == n
    assert drops(q) == {"overflow-oldest": 4 * n + 700}
    assert content(q) == list(range(4 * n + 700, 5 * n + 700))


def test_a_negative_timeout_is_refused_where_it_would_count() -> None:
    with pytest.raises(ValueError):
        full_channel("block").put(3, timeout=-1)
    assert full_channel("drop_oldest").put(3, timeout=-1) is None  # ignored, as said


# Batches.


def test_batches_block() -> None:
    q = full_channel("block")
    task = blocked(q.put_many, [3, 4, 5])
    assert [q.get() for _ in range(3)] == [0, 1, 2]
    assert task.result() == 3
    assert content(q) == [3, 4, 5]
    q.put(0)
    assert q.put_many([1, 2, 3, 4], timeout=0.02) == 2
    with pytest.raises(Full):
        q.put_many([9, 9], block=False)
    with pytest.raises(ValueError):
        q.put_many([9, 9], timeout=-1)
    assert drops(q) == {"full": 4}


def test_batches_are_rejected_from_the_bound_on() -> None:
    q: Any = BoundedChannel(3, overflow="reject")
    assert q.put_many(range(5)) == 3
    with pytest.raises(Full):
        q.put_many([5, 6])
    assert content(q) == [0, 1, 2]
    assert drops(q) == {"full": 4}


def test_batches_drop_what_does_not_fit() -> None:
    q: Any = BoundedChannel(3, overflow="drop_newest")
    assert q.put_many(range(5)) == 3
    assert q.put_many([5, 6]) == 0
    assert content(q) == [0, 1, 2]
    assert drops(q) == {"overflow-newest": 4}


def test_batches_drop_the_oldest() -> None:
    q: Any = BoundedChannel(3, overflow="drop_oldest")
    assert q.put_many(range(5)) == 5
    assert q.put_many([]) == 0
    assert content(q) == [2, 3, 4]
    assert drops(q) == {"overflow-oldest": 2}


@every_policy
def test_a_batch_that_cannot_be_read_stores_nothing(overflow: str) -> None:
    def items() -> Any:
        yield 1
        raise ZeroDivisionError

    q: Any = BoundedChannel(3, overflow=overflow)
    with pytest.raises(ZeroDivisionError):
        q.put_many(items())
    assert q.empty()
    assert drops(q) == {}


# After shutdown.


@every_policy
def test_after_shutdown_no_policy_stores_or_drops(overflow: str) -> None:
    q = full_channel(overflow)
    q.shutdown()
    for call in (q.put, q.put_nowait, q.try_put, lambda item: q.put_many([item])):
        with pytest.raises(ShutDown):
            call(3)
    assert q.is_shutdown
    assert content(q) == [0, 1, 2]
    assert drops(q) == {}


@every_policy
def test_an_immediate_shutdown_counts_what_it_drops(overflow: str) -> None:
    q = full_channel(overflow)
    q.get()
    q.shutdown(immediate=True)
    assert drops(q) == {"shutdown": 2}
    stats = q.stats()
    assert (stats.puts, stats.gets, stats.size) == (3, 1, 0)


# Sizes.


@every_policy
def test_an_oversized_item_is_refused(overflow: str) -> None:
    q: Any = BoundedChannel(2, overflow=overflow, max_item_size=3)
    for call in (q.put, q.put_nowait, q.try_put, lambda item: q.put_many(["ok", item])):
        with pytest.raises(ItemTooLarge, match="size 4 is more than .*max_item_size=3"):
            call("four")
    assert q.empty()  # of a batch too, nothing was stored
    q.put("abc")
    q.put(b"")
    assert content(q) == ["abc", b""]
    assert drops(q) == {"oversized": 4}
    assert issubclass(ItemTooLarge, ValueError)


@every_policy
def test_the_bound_holds_for_measured_items_too(overflow: str) -> None:
    q: Any = BoundedChannel(1, overflow=overflow, max_item_size=3)
    q.put("a")
    if overflow in ("block", "reject"):
        with pytest.raises(Full):
            q.put("b", timeout=0)
    else:
        q.put("b")
    assert q.get() == ("b" if overflow == "drop_oldest" else "a")
    assert sum(drops(q).values()) == 1


def test_sizes_come_from_size_of() -> None:
    q: Any = BoundedChannel(9, max_item_size=10, size_of=lambda item: item * 2)
    q.put(5)
    with pytest.raises(ItemTooLarge, match="size 12"):
        q.put(6)
    q.put(-1)
    with pytest.raises(ItemTooLarge):
        q.put(10**30)
    assert content(q) == [5, -1]


def test_without_max_item_size_nothing_is_measured() -> None:
    def never(item: object) -> int:
        raise AssertionError

    q: Any = BoundedChannel(2, size_of=never)
    q.put(5)
    assert q.get() == 5
    assert q.max_item_size is None


@pytest.mark.parametrize("limit", [2**31, sys.maxsize, 2**100])
def test_a_size_limit_may_be_as_large_as_one_likes(limit: int) -> None:
    q: Any = BoundedChannel(2, max_item_size=limit)
    q.put("a")
    assert q.try_put("b")
    assert q.max_item_size == limit


def test_len_is_asked_once_where_there_is_room() -> None:
    class Counted(str):
        asked = 0

        def __len__(self) -> int:
            Counted.asked += 1
            return 1

    q: Any = BoundedChannel(9, max_item_size=3)
    for n, call in enumerate((q.put, q.try_put, q.put_nowait, lambda item: q.put_many([item]))):
        call(Counted())
        assert Counted.asked == n + 1


def test_zero_is_a_size_limit() -> None:
    q: Any = BoundedChannel(2, max_item_size=0)
    q.put("")
    with pytest.raises(ItemTooLarge):
        q.put("a")


@every_policy
def test_a_size_of_that_fails_stores_nothing(overflow: str) -> None:
    def size_of(item: Any) -> int:
        raise KeyError(item)

    q: Any = BoundedChannel(2, overflow=overflow, max_item_size=3, size_of=size_of)
    for call in (q.put, q.put_nowait, q.try_put, lambda item: q.put_many([item])):
        with pytest.raises(KeyError):
            call("a")
    with pytest.raises(TypeError):
        BoundedChannel(2, max_item_size=3).put(5)  # an int has no len()
    with pytest.raises(TypeError, match="what size_of returns must be an integer"):
        BoundedChannel(2, max_item_size=3, size_of=lambda item: 1.5).put(5)  # type: ignore[arg-type, return-value]
    assert q.empty()
    assert drops(q) == {}


def test_a_size_of_that_uses_the_channel() -> None:
    def size_of(item: int) -> int:
        if item:
            q.put(0)
        return 1

    q: Any = BoundedChannel(2, overflow="drop_oldest", max_item_size=3, size_of=size_of)
    for n in range(1, 6):
        q.put(n)
    assert content(q) == [0, 5]
    assert drops(q) == {"overflow-oldest": 8}


# Making one.


@pytest.mark.parametrize("overflow", ["", "drop", "BLOCK", None, 3])
def test_an_unknown_policy_is_refused(overflow: Any) -> None:
    with pytest.raises(ValueError, match="one of block, reject, drop_newest, drop_oldest"):
        BoundedChannel(3, overflow=overflow)


def test_a_channel_is_bounded() -> None:
    for wrong in (0, -1, -(2**70)):
        with pytest.raises(ValueError, match="1 or more"):
            BoundedChannel(wrong)
    with pytest.raises(OverflowError):
        BoundedChannel(2**63)
    assert BoundedChannel[int](2**40).maxsize == 2**40  # no memory is taken beforehand


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_item_size": -1}, ValueError),
        ({"max_item_size": "3"}, TypeError),
        ({"max_item_size": 1.5}, TypeError),
        ({"size_of": 3}, TypeError),
        ({"size_of": None}, TypeError),
        ({"on_pressure": 3}, TypeError),
        ({"pressure_interval": -1}, ValueError),
        ({"pressure_interval": float("nan")}, ValueError),
        ({"pressure_interval": float("inf")}, ValueError),
        ({"pressure_interval": "1"}, TypeError),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        BoundedChannel(3, **options)


@every_policy
def test_a_channel_shows_its_limits(overflow: str) -> None:
    q: Any = BoundedChannel(3, overflow=overflow, max_item_size=99)
    assert (q.maxsize, q.overflow, q.max_item_size) == (3, overflow, 99)
    for name in ("maxsize", "overflow", "max_item_size"):
        with pytest.raises(AttributeError):
            setattr(q, name, 3)
    with pytest.raises(RuntimeError, match="made already"):
        q.__init__(3)


def test_a_subclass_inherits_the_policy() -> None:
    class Log(BoundedChannel[str]):
        def put(self, item: str, block: bool = True, timeout: float | None = None) -> None:
            super().put(item.upper(), block, timeout)

    log = Log(2, overflow="drop_oldest")
    for word in ("a", "b"):
        log.put(word)
    log.put_nowait("c")
    assert content(log) == ["B", "C"]


def test_many_puts_on_a_full_channel_drop_as_many() -> None:
    """From 100 threads at once: each put drops one item, and one only."""
    q = full_channel("drop_oldest", 7)

    def flood() -> None:
        for n in range(50):
            q.put(n)
            assert q.qsize() == 7

    run_threads(*[flood] * 100)
    assert q.qsize() == 7
    assert drops(q) == {"overflow-oldest": 100 * 50}
    assert fastprims.BoundedChannel is BoundedChannel
