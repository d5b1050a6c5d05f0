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

# For fastprims.metrics: what only grows, and what is none. Everything else is a gauge.
COUNTER = {"metric": "counter"}
NO_METRIC = {"metric": "none"}


@dataclass(frozen=True)
class QueueStats:
    """Counts of one queue, since it was made; all but the waits from one moment.

    Counting costs nothing: puts and gets are the positions that the algorithm keeps anyway.
    """

    puts: int = field(metadata=COUNTER)
    """Items stored."""
    gets: int = field(metadata=COUNTER)
    """Items taken, those that shutdown(immediate=True) dropped included."""
    size: int
    """Items in the queue: puts - gets."""
    maxsize: int
    """Most items at a time; 0 or less: unbounded."""
    put_waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep because there was no room."""
    get_waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep because there was no item."""
    open: bool = field(default=False, kw_only=True, metadata=NO_METRIC)
    """Whether somebody's use of its inside made it a standard queue. Since then nothing is counted,
    and `size` is what was moved."""


@dataclass(frozen=True)
class ChannelStats(QueueStats):
    """Counts of one BoundedChannel, since it was made.

    They add up: everything offered was taken, is still there, or was kept out for one of the
    reasons: `offered == gets + size + sum(drops.values())`, in each record. An item that another
    thread is dropping at this very moment may count under `gets` until the next record.

    Here `gets` are the items delivered. Reasons:

    - "full": not stored, since there was no room: Full was raised, try_put() answered False, or
      put_many() stored fewer. The caller was told and has the item.
    - "overflow-newest": the same, but the put dropped the item and returned.
    - "overflow-oldest": was stored, and dropped to make room for a newer one.
    - "oversized": ItemTooLarge was raised.
    - "rate": not stored, since too many came: Full was raised, try_put() answered False, or the put
      dropped the item.
    - "shutdown": was stored, and dropped by shutdown(immediate=True).
    """

    drops: Mapping[str, int] = field(metadata={**COUNTER, "label": "reason"})
    """Items that were not delivered, by reason; all reasons, also those that never came up."""

    @property
    def offered(self) -> int:
        """Items for which put was called, and did not end in an error or in ShutDown."""
        stored_first = ("overflow-oldest", "shutdown")
        refused = sum(n for reason, n in self.drops.items() if reason not in stored_first)
        return self.puts + refused


@dataclass(frozen=True)
class PressureReport:
    """What a BoundedChannel tells on_pressure."""

    drops: Mapping[str, int]
    """Items not delivered since the last report, by reason (as ChannelStats has them); only the
    reasons that came up."""
    size: int
    """Items in the channel now."""
    maxsize: int
    """Most items at a time."""


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
    """Times an operation tried again because another thread had come between."""


@dataclass(frozen=True)
class AtomicFlagStats:
    """One AtomicFlag, and how often it was waited for."""

    value: bool
    """Whether it is set."""
    waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep."""


@dataclass(frozen=True)
class RateLimiterStats:
    """Counts of one RateLimiter, since it was made."""

    rate: float
    """Tokens per second."""
    burst: int
    """Most tokens at once."""
    available: int
    """Tokens that could be had now."""
    granted: int = field(metadata=COUNTER)
    """Tokens given."""
    refused: int = field(metadata=COUNTER)
    """Calls that returned False."""
    waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep."""


@dataclass(frozen=True)
class PoolStats:
    """Counts of one ObjectPool, since it was made; under concurrent use, of about one moment."""

    size: int
    """Objects of the pool: leased + idle."""
    leased: int
    """Objects that were acquired and not yet given back."""
    idle: int
    """Objects that are there to be acquired, and those being released."""
    max_size: int | None
    """Most objects; None: no bound."""
    max_idle: int | None
    """Most idle objects; None: no bound."""
    made: int = field(metadata=COUNTER)
    """Objects that the factory made."""
    dropped: int = field(metadata=COUNTER)
    """Objects that left the pool: discarded, drained, too many, or not to be reset."""
    waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep because all were leased."""


@dataclass(frozen=True)
class CtrieStats:
    """What a Ctrie consists of at one moment."""

    size: int
    """Keys."""
    bytes: int
    """Memory of the nodes, keys and values excluded; what is shared with snapshots included."""


@dataclass(frozen=True)
class TopicStats:
    """What a TopicTrie consists of at one moment."""

    size: int
    """Subscriptions."""
    patterns: int
    """Different patterns among them."""
    bytes: int
    """Memory of the nodes, subscribers excluded; what is shared with snapshots included."""


@dataclass(frozen=True)
class ShmStats:
    """One ShmRing or ShmQueue, and the waits of this process's object."""

    size: int
    """Records to be got."""
    maxsize: int
    """Most records at a time; 0: as many as fit."""
    capacity: int
    """Bytes of each lane."""
    lanes: int
    """Processes that may put at the same time."""
    put_waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep because there was no room."""
    get_waits: int = field(metadata=COUNTER)
    """Times a thread got ready to sleep because there was no record."""
