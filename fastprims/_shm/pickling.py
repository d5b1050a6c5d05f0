"""ShmQueueCore as the records of a ShmQueue: what becomes of them, pickled, and how they come back."""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
from multiprocessing.reduction import ForkingPickler
from typing import Any

__all__ = ["BYTES", "PICKLE", "decode_framed", "encode"]

# What a record's first word says of the rest: a pickle; the very bytes; or 1 + n: the lengths of a
# pickle and of the n buffers that it leaves out, the pickle, and the buffers.
PICKLE, BYTES = 0, 1
_ALIGNMENT = 16  # of each buffer: what NumPy's types ask for
_PADDING = bytes(_ALIGNMENT)


def _padding(size: int) -> bytes:
    return _PADDING[: -size % _ALIGNMENT]


class _Pickler:
    """multiprocessing's pickler, which knows how to send connections, sockets and the like, with
    buffers out of band. To be used by one thread at a time: making one takes longer than using it.
    """

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._buffers: list[pickle.PickleBuffer] = []
        self._pickler = ForkingPickler(self._file, 5, True, self._buffers.append)
        # It copies the tables of reducers when it is made, and modules register theirs later.
        self._tables = copyreg.dispatch_table, ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        self._known = self._registered()

    def _registered(self) -> list[int]:
        return [len(table) for table in self._tables]

    def is_current(self) -> bool:
        """Whether no reducer was registered since it was made."""
        return self._known == self._registered()

    def dumps(self, obj: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
        self._pickler.dump(obj)
        data, buffers = self._file.getvalue(), self._buffers[:]
        self._pickler.clear_memo()
        self._buffers.clear()
        self._file.seek(0)
        self._file.truncate()
        return data, buffers


_spare: list[_Pickler] = []


def _spare_pickler() -> _Pickler:
    try:
        pickler = _spare.pop()
    except IndexError:  # not asked beforehand: other threads take them as well
        return _Pickler()
    return pickler if pickler.is_current() else _Pickler()


def encode(obj: object) -> tuple[int, list[Any]]:
    """The first word, and the parts of the rest; large buffers are left where they are."""
    if type(obj) is bytes:
        return BYTES, [obj]
    pickler = _spare_pickler()
    data, buffers = pickler.dumps(obj)  # if that raises, this one is not used again
    _spare.append(pickler)
    if not buffers:
        return PICKLE, [data]
    raw = [buffer.raw() for buffer in buffers]
    sizes = struct.pack(f"={1 + len(raw)}Q", len(data), *(view.nbytes for view in raw))
    parts: list[Any] = [sizes, data, _padding(len(sizes) + len(data))]
    for view in raw:
        parts += [view, _padding(view.nbytes)]
    return 1 + len(raw), parts


def decode_framed(tag: int, rest: Any) -> Any:
    """The object of a record whose first word is neither of the two."""
    data, *buffers = _frames(memoryview(rest), tag)
    return pickle.loads(data, buffers=buffers)


def _frames(view: memoryview, count: int) -> list[memoryview]:
    """The pickle and the buffers that lie behind their sizes, and fill the record."""
    at = 8 * count
    frames: list[memoryview] = []
    for size in struct.unpack_from(f"={count}Q", view) if at <= len(view) else ():
        if frames:
            at += -at % _ALIGNMENT
        frames.append(view[at : at + size])
        at += size
    if not frames or at + -at % _ALIGNMENT != len(view):
        raise pickle.UnpicklingError("a damaged record of a ShmQueue: no put() has written it")
    return frames
