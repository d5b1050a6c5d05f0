"""The records that stats() returns. Imported on first use: dataclasses is slow to import."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CtrieStats", "QueueStats"]


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
class CtrieStats:
    """What a Ctrie consists of at one moment."""

    size: int
    """Keys."""
    bytes: int
    """Memory of the nodes, keys and values excluded; what is shared with snapshots included."""
