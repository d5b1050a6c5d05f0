"""The records that stats() returns. Imported on first use: dataclasses is slow to import."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AtomicFlagStats",
    "AtomicIntStats",
    "AtomicRefStats",
    "PoolStats",
    "QueueStats",
    "RateLimiterStats",
]


@dataclass(frozen=True)
class QueueStats:
    """Counts of one queue, since it was made; all but the waits from one moment.

    Counting costs nothing: puts and gets are the positions that the algorithm keeps anyway.
    """

    puts: int
    """Items stored."""
    gets: int
    """Items taken, those that shutdown(immediate=True) dropped included."""
    size: int
    """Items in the queue: puts - gets."""
    maxsize: int
    """Most items at a time; 0 or less: unbounded."""
    put_waits: int
    """Times a thread got ready to sleep because there was no room."""
    get_waits: int
    """Times a thread got ready to sleep because there was no item."""


@dataclass(frozen=True)
class AtomicIntStats:
    """One AtomicInt, and its contention."""

    value: int
    """The value."""
    retries: int
    """Times fetch_max, fetch_min or update tried again because the value had changed."""


@dataclass(frozen=True)
class AtomicRefStats:
    """The contention of one AtomicRef."""

    retries: int
    """Times an operation tried again because another thread had come between."""


@dataclass(frozen=True)
class AtomicFlagStats:
    """One AtomicFlag, and how often it was waited for."""

    value: bool
    """Whether it is set."""
    waits: int
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
    granted: int
    """Tokens given."""
    refused: int
    """Calls that returned False."""
    waits: int
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
    made: int
    """Objects that the factory made."""
    dropped: int
    """Objects that left the pool: discarded, drained, too many, or not to be reset."""
    waits: int
    """Times a thread got ready to sleep because all were leased."""
