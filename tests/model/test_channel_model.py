"""BoundedChannel with every policy against a list: random calls, one answer allowed."""

from __future__ import annotations

from collections import Counter
from queue import Empty, Full
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fastprims import BoundedChannel, ItemTooLarge, ShutDown

MOST = 5  # the largest item let in

sizes = st.integers(0, MOST + 1)


class ChannelMachine(RuleBasedStateMachine):
    """Items are strings of the given size. Never blocks."""

    overflow: str

    @initialize(limit=st.integers(1, 5), measured=st.booleans(), interval=st.sampled_from([0, 99]))
    def make(self, limit: int, measured: bool, interval: float) -> None:
        self.limit, self.measured = limit, measured
        self.model: list[str] = []
        self.drops: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.closed = False
        self.puts = self.gets = self.offered = self.serial = 0
        self.q: Any = BoundedChannel(
            limit,
            overflow=self.overflow,
            max_item_size=MOST if measured else None,
            on_pressure=lambda report: self.told.update(report.drops),
            pressure_interval=interval,
        )

    # What a list would do.

    def item(self, size: int) -> str:
        self.serial += 1
        return chr(0x100 + self.serial) * size

    def store(self, item: str) -> bool:
        """Whether the item was stored."""
        if len(self.model) == self.limit:
            if self.overflow != "drop_oldest":
                silent = self.overflow == "drop_newest"
                self.drops["overflow-newest" if silent else "full"] += 1
                return False
            self.model.pop(0)
            self.drops["overflow-oldest"] += 1
        self.model.append(item)
        self.puts += 1
        return True

    def too_large(self, *items: str) -> bool:
        if self.measured and any(len(item) > MOST for item in items):
            self.offered += 1
            self.drops["oversized"] += 1
            return True
        return False

    # The calls.

    @rule(size=sizes, how=st.sampled_from(["put", "put_nowait"]))
    def put(self, size: int, how: str) -> None:
        item = self.item(size)
        call = self.q.put_nowait if how == "put_nowait" else lambda x: self.q.put(x, timeout=0)
        expected: type[Exception] | None = None
        if self.too_large(item):
            expected = ItemTooLarge
        elif self.closed:
            expected = ShutDown
        else:
            self.offered += 1
            if not self.store(item) and self.overflow != "drop_newest":
                expected = Full
        if expected is None:
            assert call(item) is None
        else:
            with pytest.raises(expected):
                call(item)

    @rule(size=sizes)
    def try_put(self, size: int) -> None:
        item = self.item(size)
        if self.too_large(item):
            with pytest.raises(ItemTooLarge):
                self.q.try_put(item)
        elif self.closed:
            with pytest.raises(ShutDown):
                self.q.try_put(item)
        else:
            self.offered += 1
            assert self.q.try_put(item) is self.store(item)

    @rule(lengths=st.lists(sizes, max_size=9))
    def put_many(self, lengths: list[int]) -> None:
        items = [self.item(size) for size in lengths]
        if self.too_large(*items):
            with pytest.raises(ItemTooLarge):
                self.q.put_many(items, block=False)
        elif not items or self.closed:
            if items:
                with pytest.raises(ShutDown):
                    self.q.put_many(items, block=False)
        else:
            self.offered += len(items)
            stored = sum(self.store(item) for item in items)
            if stored or self.overflow == "drop_newest":
                assert self.q.put_many(items, block=False) == stored
            else:
                with pytest.raises(Full):
                    self.q.put_many(items, block=False)

    @rule()
    def get(self) -> None:
        if self.model:
            assert self.q.get() is self.model.pop(0)
            self.gets += 1
        else:
            with pytest.raises(ShutDown if self.closed else Empty):
                self.q.get_nowait()

    @rule(n=st.integers(1, 9))
    def get_many(self, n: int) -> None:
        expected, self.model = self.model[:n], self.model[n:]
        self.gets += len(expected)
        if expected:
            assert self.q.get_many(n) == expected
        else:
            with pytest.raises(ShutDown if self.closed else Empty):
                self.q.get_many(n, block=False)

    @rule()
    def wait_in_vain(self) -> None:
        if not self.model and not self.closed:
            with pytest.raises(Empty):
                self.q.get(timeout=1e-9)
            assert self.told == self.drops

    @rule(immediate=st.booleans(), chance=st.integers(0, 9))
    def shutdown(self, immediate: bool, chance: int) -> None:
        if chance == 9:  # rarely, or little else would be seen
            self.q.shutdown(immediate)
            self.closed = True
            if immediate:
                self.drops["shutdown"] += len(self.model)
                self.model.clear()
            assert self.told == self.drops

    @invariant()
    def it_adds_up(self) -> None:
        stats = self.q.stats()
        assert +Counter(stats.drops) == +self.drops
        assert (stats.puts, stats.gets, stats.size) == (self.puts, self.gets, len(self.model))
        assert stats.offered == self.offered
        assert stats.offered == stats.gets + stats.size + sum(stats.drops.values())
        assert all(self.told[reason] <= n for reason, n in stats.drops.items())
        assert self.q.full() is (len(self.model) == self.limit)
        assert self.q.is_shutdown is self.closed

    def teardown(self) -> None:
        if hasattr(self, "q"):
            del self.q
            assert self.told == self.drops


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_newest", "drop_oldest"])
def test_a_channel_answers_like_a_list(overflow: str, scale: Any) -> None:
    machine = type(f"{overflow}_machine", (ChannelMachine,), {"overflow": overflow})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=scale(60), stateful_step_count=50, deadline=None),
    )
