"""The objects of the tests' pools."""

from __future__ import annotations

from typing import Any

from fastprims import ObjectPool


class Thing:
    """An object of a pool; the newest is the highest number."""

    made = 0

    def __init__(self) -> None:
        Thing.made += 1
        self.number = Thing.made


def counts(pool: ObjectPool[Any]) -> tuple[int, int, int]:
    stats = pool.stats()
    assert stats.size == stats.leased + stats.idle == stats.made - stats.dropped
    return stats.size, stats.leased, stats.idle
