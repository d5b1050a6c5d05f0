"""The records that stats() returns. Imported on first use: dataclasses is slow to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "AtomicFlagStats",
    "AtomicIntStats",
    "AtomicRefStats",
    "ChannelStats",
    "CtrieStats",
    "PoolStats",
    "PressureReport",
    "QueueStats",
    "RateLimiterStats",
    "ShmStats",
    "TopicStats",
]

# For fastprims.metrics: a field that only grows, and one that is no metric. All others are gauges.
COUNTER = {"metric": "counter"}
NO_METRIC = {"metric": "none"}


@dataclass(frozen=True)
class QueueStats:
    """The counts of one queue, since it was made; all except the waits are from one moment.

    Puts and gets cost nothing: they are the positions that the algorithm keeps anyway. A wait costs
    one atomic addition, each time a thread that found no room, or no item, announces itself.
    """

    puts: int = field(metadata=COUNTER)
    """Items stored."""
    gets: int = field(metadata=COUNTER)
    """Items taken, including those that shutdown(immediate=True) dropped. (ChannelStats: not
    including what was dropped.)"""
    size: int
    """Items in the queue: puts - gets."""
    maxsize: int
    """The largest number of items at a time; 0 or less: unbounded."""
    put_waits: int = field(metadata=COUNTER)
    """Times a thread announced that it waits for room; one call that waits long counts several."""
    get_waits: int = field(metadata=COUNTER)
    """The same for an item."""
    open: bool = field(default=False, kw_only=True, metadata=NO_METRIC)
    """True if the use of its inside made it a standard queue. Since then nothing is counted, and
    `size` is the number of items that were moved then."""


@dataclass(frozen=True)
class ChannelStats(QueueStats):
    """The counts of one BoundedChannel, since it was made.

    They add up: each item offered was taken, is still there, or was kept out for one of the
    reasons. In each record, `offered == gets + size + sum(drops.values())`. An item that another
    thread is dropping at this moment may count under `gets` until the next record.

    Here `gets` are the items delivered. The reasons:

    - "full": not stored, since there was no room: Full was raised, try_put() answered False, or
      put_many() stored fewer. The caller was told and has the item.
    - "overflow-newest": the same, but the put dropped the item and returned.
    - "overflow-oldest": stored, and then dropped to make room for a newer item.
    - "oversized": ItemTooLarge was raised.
    - "rate": not stored, since too many came: Full was raised, try_put() answered False, or the put
      dropped the item.
    - "shutdown": stored, and then dropped by shutdown(immediate=True).
    """

    drops: Mapping[str, int] = field(metadata={**COUNTER, "label": "reason"})
    """Items that were not delivered, by reason; it has all reasons, even those without items."""

    @property
    def offered(self) -> int:
        """Items for which put was called and did not end in an error or in ShutDown."""
        stored_first = ("overflow-oldest", "shutdown")
        refused = sum(n for reason, n in self.drops.items() if reason not in stored_first)
        return self.puts + refused


@dataclass(frozen=True)
class PressureReport:
    """The argument with which a BoundedChannel calls on_pressure."""

    drops: Mapping[str, int]
    """Items not delivered since the last report, by reason (as in ChannelStats); only the reasons
    that have occurred."""
    size: int
    """Items in the channel now."""
    maxsize: int
    """The largest number of items at a time."""


@dataclass(frozen=True)
class AtomicIntStats:
    """One AtomicInt, and its contention."""

    value: int
    """The value."""
    retries: int = field(metadata=COUNTER)
    """Times fetch_max, fetch_min or update tried again because the value had changed."""


@dataclass(frozen=True)
class AtomicRefStats:
    """The contention of one AtomicRef."""

    retries: int = field(metadata=COUNTER)
    """Times an operation tried again because another thread had changed the reference."""


@dataclass(frozen=True)
class AtomicFlagStats:
    """One AtomicFlag, and how often threads waited for it."""

    value: bool
    """True if it is set."""
    waits: int = field(metadata=COUNTER)
    """Times a thread prepared to sleep."""


@dataclass(frozen=True)
class RateLimiterStats:
    """The counts of one RateLimiter, since it was made."""

    rate: float
    """Tokens per second."""
    burst: int
    """The largest number of tokens at once."""
    available: int
    """Tokens that are there now."""
    granted: int = field(metadata=COUNTER)
    """Tokens given."""
    refused: int = field(metadata=COUNTER)
    """Calls that returned False."""
    waits: int = field(metadata=COUNTER)
    """Times a thread prepared to sleep."""


@dataclass(frozen=True)
class PoolStats:
    """The counts of one ObjectPool, since it was made; under concurrent use, at about one moment."""

    size: int
    """Objects of the pool: leased + idle."""
    leased: int
    """Objects that were acquired and not yet given back."""
    idle: int
    """Objects that can be acquired, and those being released."""
    max_size: int | None
    """The largest number of objects; None: no bound."""
    max_idle: int | None
    """The largest number of idle objects; None: no bound."""
    made: int = field(metadata=COUNTER)
    """Objects that the factory made."""
    dropped: int = field(metadata=COUNTER)
    """Objects that left the pool: discarded, drained, too many, or because reset raised."""
    waits: int = field(metadata=COUNTER)
    """Times a thread prepared to sleep because all objects were leased."""


@dataclass(frozen=True)
class CtrieStats:
    """The size of a Ctrie at one moment."""

    size: int
    """Keys."""
    bytes: int
    """Memory of the nodes, including those shared with snapshots, without the keys and values."""


@dataclass(frozen=True)
class TopicStats:
    """The size of a TopicTrie at one moment."""

    size: int
    """Subscriptions."""
    patterns: int
    """Different patterns among them."""
    bytes: int
    """Memory of the nodes, including those shared with snapshots, without the subscribers."""


@dataclass(frozen=True)
class ShmStats:
    """One ShmRing or ShmQueue, and the waits of this process's object."""

    size: int
    """Records that are there to get."""
    maxsize: int
    """The largest number of records at a time; 0: as many as fit."""
    capacity: int
    """Bytes of each lane."""
    lanes: int
    """The number of processes that may put at the same time."""
    put_waits: int = field(metadata=COUNTER)
    """Times a thread announced that it waits for room; one call that waits long counts several."""
    get_waits: int = field(metadata=COUNTER)
    """Times a thread prepared to sleep because there was no record."""
