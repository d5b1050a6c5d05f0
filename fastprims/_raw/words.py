"""Rings of 64-bit words between C threads: MPMCWords and SPSCWords."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastprims._common.ext import to_count, to_size
from fastprims._raw.lib import EMPTY, FULL, MPMC, OK, SPSC, ffi, lib
from fastprims._raw.ring import AT_ONCE, Ring, Roles, end_of, wait

__all__ = ["MPMCWords", "SPSCWords"]


class _Words(Ring[int]):
    """Rings of 64-bit words."""

    _release = lib.fastprims_ring_release
    _close = lib.fastprims_ring_close
    _is_closed = lib.fastprims_ring_is_closed
    _count = lib.fastprims_ring_count
    _waits = lib.fastprims_ring_waits
    _kind: int

    def __init__(self, capacity: int) -> None:
        size = to_size(capacity, "capacity", 2**63 // 32)
        super().__init__(lib.fastprims_ring_new(self._kind, size))

    def _most(self) -> int:
        return int(lib.fastprims_ring_capacity(self._handle))

    def _bound(self) -> str:
        return f"maxsize={self._most()}"

    @property
    def maxsize(self) -> int:
        """The largest number of words at a time."""
        return self._most()

    def full(self) -> bool:
        """True if there was no room at some moment during the call."""
        puts, gets = self._pair(self._count)
        return puts - gets >= self._most()

    def _put(self, item: int, end: int) -> int:
        ring = self._handle
        status: int = lib.fastprims_ring_put(ring, item, 0)
        if status == FULL and end != AT_ONCE:
            status = wait(lambda ns: int(lib.fastprims_ring_put(ring, item, ns)), FULL, end)
        return status

    def _get(self, end: int) -> tuple[int, int | None]:
        if self._kept and (kept := self._take_kept(1)):
            return OK, kept[0]
        ring, box = self._handle, ffi.new("struct word_box *")
        try:
            status = lib.take_word(ring, box, 0)
            if status == EMPTY and end != AT_ONCE:
                status = wait(lambda ns: int(lib.take_word(ring, box, ns)), EMPTY, end)
            return status, (box.word if box.taken else None)
        except BaseException:
            if box.taken:
                self._kept.append(box.word)
            raise

    def put_many(
        self, words: Iterable[int], block: bool = True, timeout: float | None = None
    ) -> int:
        """Store the words one after the other and return how many were stored: all, or fewer if
        there was no room in time (block=False: at once) or the ring was shut down meanwhile. Raises
        Full (ShutDown) if not a single word could be stored. An `array` or buffer of unsigned
        64-bit integers is read in place. After an interrupt, the words stored so far remain in the
        ring.
        """
        end = end_of(block, timeout)
        ring, done, stored = self._handle, ffi.new("size_t *"), 0
        items = _words_of(words)

        def store(ns: int) -> int:
            nonlocal stored
            status = lib.fastprims_ring_put_many(
                ring, items + stored, len(items) - stored, done, ns
            )
            stored += done[0]
            return int(status)

        status = store(0)
        if status == FULL and end != AT_ONCE:
            status = wait(store, FULL, end)
        if status != OK and stored == 0:
            self._raise_for_status(status)
        return stored

    def get_many(
        self, max_items: int, block: bool = True, timeout: float | None = None
    ) -> list[int]:
        """Wait for the first word as get() does, then take the words that are there, `max_items` at
        most, and return them as a list. Raises what get() raises; then it has taken nothing.
        """
        most = to_count(max_items, "max_items", 0)
        end = end_of(block, timeout)
        if most == 0:
            return []
        if self._kept and (kept := self._take_kept(most)):
            return kept
        ring, done = self._handle, ffi.new("size_t *")
        puts, gets = self._pair(self._count)
        room = min(most, max(64, puts - gets))
        words = ffi.new("uint64_t[]", room)

        def take(ns: int) -> int:
            return int(lib.fastprims_ring_get_many(ring, words, room, done, ns))

        try:
            status = take(0)
            if status == EMPTY and end != AT_ONCE:
                status = wait(take, EMPTY, end)
            if done[0]:
                return list(ffi.unpack(words, done[0]))
        except BaseException:
            self._kept.extend(ffi.unpack(words, done[0]))
            raise
        self._raise_for_status(status)


class MPMCWords(_Words):
    """Bounded FIFO ring of 64-bit words (0 … 2⁶⁴ - 1) for any number of threads: exactly `capacity`
    words (1 or more).

    Each operation takes effect at one instant between call and return; Full and Empty were true at
    one such instant.

    Errors: puts raise Full, gets raise Empty, if they could not go on in time; puts raise ShutDown
        after shutdown(), gets once the ring is drained. OverflowError: a word out of range.
        TypeError: an object that is no integer. Then nothing is stored.
    Complexity: O(1) for each word; 16 bytes a slot (64 where it is not lock-free), all allocated
        when the ring is made.
    Progress: put and get are lock-free on targets with a 16-byte compare-and-swap (x86-64, ARM64:
        `lib.fastprims_is_lock_free()`); elsewhere a thread suspended inside an operation stops the
        threads that reach its slot. Waiting excepted.
    Source: as MPMCRing; csrc/queues/fp_mpmc.h.
    Example:
        >>> from fastprims import raw
        >>> ring = raw.MPMCWords(2)
        >>> ring.put_many([1, 2, 3], block=False), ring.maxsize
        (2, 2)
        >>> ring.address == int(raw.ffi.cast("uintptr_t", ring.handle))
        True
        >>> ring.shutdown()
        >>> ring.get_many(10), ring.is_shutdown
        ([1, 2], True)
    """

    _kind = MPMC


class SPSCWords(_Words, Roles):
    """Bounded FIFO ring of 64-bit words (0 … 2⁶⁴ - 1) from one producer thread to one consumer
    thread: exactly `capacity` words (1 or more).

    The first thread that puts, in C or in Python, owns the producer's role, the first that gets the
    consumer's. Another thread gets RuntimeError (in C: FASTPRIMS_NOT_OWNER) until the owner has
    handed the role over.

    Errors: RuntimeError: a call of a thread that does not have the role. Puts raise Full, gets
        raise Empty, if they could not go on in time; puts raise ShutDown after shutdown(), gets
        once the ring is drained. OverflowError: a word out of range. TypeError: an object that is
        no integer.
    Complexity: O(1) for each word; 8 bytes a slot, all allocated when the ring is made.
    Progress: wait-free, except waiting.
    Source: as SPSCRing; csrc/queues/fp_spsc.h.
    Example:
        >>> from fastprims import raw
        >>> ring = raw.SPSCWords(2)
        >>> ring.put(2**64 - 1)
        >>> ring.get(timeout=1), ring.maxsize, ring.is_shutdown
        (18446744073709551615, 2, False)
        >>> ring.address == int(raw.ffi.cast("uintptr_t", ring.handle))
        True
        >>> ring.release_producer()  # now another thread may put
        >>> ring.release_consumer()  # and another one get
    """

    _kind = SPSC
    _release_producer = lib.fastprims_ring_release_producer
    _release_consumer = lib.fastprims_ring_release_consumer


def _words_of(words: Iterable[int]) -> Any:
    """A C array of the words; a buffer of unsigned 64-bit integers is not copied."""
    try:
        with memoryview(words) as view:  # type: ignore[arg-type] # most iterables are no buffers
            in_place = view.itemsize == 8 and view.format in ("Q", "L", "N")
    except TypeError:
        in_place = False
    return ffi.from_buffer("uint64_t[]", words) if in_place else ffi.new("uint64_t[]", list(words))


MPMCWords.__module__ = SPSCWords.__module__ = "fastprims.raw"
