"""The ring of byte records between C threads: SPSCBytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastprims._common.ext import to_count, to_size
from fastprims._errors import ItemTooLarge
from fastprims._raw.lib import EMPTY, FULL, OK, TOO_LARGE, ffi, lib
from fastprims._raw.ring import AT_ONCE, Ring, Roles, end_of, wait

__all__ = ["SPSCBytes"]


class SPSCBytes(Ring[bytes], Roles):
    """FIFO ring of byte records from one producer thread to one consumer thread, in one piece of
    memory of `room` bytes, rounded up to a power of two (32 B … 512 MiB).

    A record is any object with the buffer interface, of 0 … `max_item_size` bytes, which is
    room / 2 - 8 at most and by default; a longer one raises ItemTooLarge, and nothing is stored. A
    record takes its size, rounded up to 8, and 8 bytes more, and lies in one piece, so Full depends
    on its size. `get` returns bytes, `get_into` copies to a buffer of yours.

    Roles are those of SPSCWords.

    Errors: RuntimeError: a call of a thread that does not have the role. Puts raise Full, gets
        raise Empty, if they could not go on in time; puts raise ShutDown after shutdown(), gets
        once the ring is drained. ItemTooLarge: a record above max_item_size. TypeError: no buffer.
    Complexity: O(bytes) for each record, the copying; `room` bytes, allocated when the ring is
        made.
    Progress: wait-free, except waiting and the copying.
    Source: Lamport's ring (1977) over bytes; csrc/queues/fp_spsc_bytes.h. C code may write and read
        records in place (`fastprims_bytes_reserve`, `fastprims_bytes_peek`).
    Example:
        >>> from fastprims import raw
        >>> ring = raw.SPSCBytes(4096)
        >>> ring.put_many([b"any", bytearray(b"buffer")])
        2
        >>> buffer = bytearray(10)
        >>> ring.get(), ring.get_into(buffer), buffer[:6]
        (b'any', 6, bytearray(b'buffer'))
        >>> ring.room, ring.max_item_size, ring.is_shutdown
        (4096, 2040, False)
        >>> ring.address == int(raw.ffi.cast("uintptr_t", ring.handle))
        True
        >>> ring.release_producer()
        >>> ring.release_consumer()
    """

    _release = lib.fastprims_bytes_release
    _close = lib.fastprims_bytes_close
    _is_closed = lib.fastprims_bytes_is_closed
    _count = lib.fastprims_bytes_count
    _waits = lib.fastprims_bytes_waits
    _release_producer = lib.fastprims_bytes_release_producer
    _release_consumer = lib.fastprims_bytes_release_consumer

    def __init__(self, room: int, max_item_size: int | None = None) -> None:
        size = max(32, to_size(room, "room", 2**29))
        limit = (1 << (size - 1).bit_length()) // 2 - 8
        most = limit if max_item_size is None else to_size(max_item_size, "max_item_size", 2**29)
        if most > limit:
            raise ValueError(
                f"records of {most} bytes need room={2 * most + 16} or more, not {room}: one may "
                "take half of the room"
            )
        super().__init__(lib.fastprims_bytes_new(size, most))

    def _most(self) -> int:
        return self.room // 8

    def _bound(self) -> str:
        return f"room={self.room} max_item_size={self.max_item_size}"

    @property
    def room(self) -> int:
        """The bytes of memory for records and their headers."""
        return int(lib.fastprims_bytes_room(self._handle))

    @property
    def max_item_size(self) -> int:
        """The bytes of the largest record."""
        return int(lib.fastprims_bytes_most(self._handle))

    def _put(self, item: Any, end: int) -> int:
        ring, data = self._handle, ffi.from_buffer(item)
        size = len(data)
        status: int = lib.fastprims_bytes_put(ring, data, size, 0)
        if status == FULL and end != AT_ONCE:
            status = wait(lambda ns: int(lib.fastprims_bytes_put(ring, data, size, ns)), FULL, end)
        if status == TOO_LARGE:
            raise ItemTooLarge(
                f"a record of {size} bytes is larger than max_item_size={self.max_item_size}"
            )
        return status

    def _look(self, box: Any, end: int) -> int:
        ring = self._handle
        status: int = lib.look_at_record(ring, box, 0)
        if status == EMPTY and end != AT_ONCE:
            status = wait(lambda ns: int(lib.look_at_record(ring, box, ns)), EMPTY, end)
        return status

    def _get(self, end: int) -> tuple[int, bytes | None]:
        if self._kept and (kept := self._take_kept(1)):
            return OK, kept[0]
        return self._take(end)

    def _take(self, end: int) -> tuple[int, bytes | None]:
        """The next record of the ring, that is, without those in `_kept`."""
        data, box = b"", ffi.new("struct record_box *")
        try:
            while (status := self._look(box, end)) == OK:
                data = bytes(ffi.buffer(box.where, box.size))
                lib.take_record(self._handle, box)
                if box.taken:
                    return status, data
                # A signal handler has taken it meanwhile.
        except BaseException:
            if box.taken:
                self._kept.append(data)
            raise
        return status, None

    def get_into(self, buffer: Any, block: bool = True, timeout: float | None = None) -> int:
        """Remove the next record, copy it to the start of the writable `buffer` (bytearray, array,
        memoryview …) and return its size in bytes. Waits and raises as get(). If the record is
        larger than the buffer, it stays in the ring, and ValueError is raised.
        """
        end = end_of(block, timeout)
        target = memoryview(buffer).cast("B")
        try:
            if target.readonly:
                raise TypeError("the buffer to copy to must be writable, not read-only")
            # No `with`: a signal handler could raise at its end, after the record was taken.
            return self._copy_into(target, end)
        except BaseException:
            target.release()
            raise

    def _copy_into(self, target: memoryview, end: int) -> int:
        if self._kept and (kept := self._take_kept(1)):
            try:
                size = len(kept[0])
                if size > len(target):
                    raise _too_small(target, size)
                target[:size] = kept[0]
                return size
            except BaseException:
                self._kept.appendleft(kept[0])
                raise
        box = ffi.new("struct record_box *")
        try:
            while (status := self._look(box, end)) == OK:
                size = int(box.size)
                if size > len(target):
                    raise _too_small(target, size)
                target[:size] = ffi.buffer(box.where, size)
                lib.take_record(self._handle, box)
                if box.taken:
                    return size
        except BaseException:
            if box.taken:
                self._kept.append(bytes(target[:size]))
            raise
        self._raise_for_status(status)

    def put_many(
        self, records: Iterable[Any], block: bool = True, timeout: float | None = None
    ) -> int:
        """Store the records one after the other and return how many were stored, as
        SPSCWords.put_many. A record that is too large or no buffer raises; the records before it
        stay in the ring.
        """
        end = end_of(block, timeout)
        stored = 0
        for record in list(records):
            status = self._put(record, end)
            if status != OK:
                if stored == 0:
                    self._raise_for_status(status)
                break
            stored += 1
        return stored

    def get_many(
        self, max_items: int, block: bool = True, timeout: float | None = None
    ) -> list[bytes]:
        """Wait for the first record as get() does, then take the records that are there,
        `max_items` at most, and return them as a list. Raises what get() raises; then it has taken
        nothing.
        """
        most = to_count(max_items, "max_items", 0)
        end = end_of(block, timeout)
        if most == 0:
            return []
        while True:
            # The records go to `_kept` until all are there: 3.13 runs signal handlers at the end of
            # a loop's body, too, where no `try` around the loop catches their exceptions.
            status = OK
            while len(self._kept) < most and status == OK:
                status, data = self._take(AT_ONCE if self._kept else end)
                if data is not None:
                    self._kept.append(data)
            if taken := self._take_kept(most):
                return taken
            if status != OK:  # otherwise a signal handler has taken the records
                self._raise_for_status(status)


def _too_small(target: memoryview, size: int) -> ValueError:
    return ValueError(
        f"the next record has {size} bytes, the buffer {len(target)}: it stays in the ring"
    )


SPSCBytes.__module__ = "fastprims.raw"
