"""Objects as the records of a ShmQueue: how they are pickled, and how they are restored."""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
from multiprocessing.reduction import ForkingPickler
from typing import Any

__all__ = ["BYTES", "PICKLE", "decode_framed", "encode"]

# A record's first word tells what follows. PICKLE: a pickle. BYTES: the bytes object itself. 1 + n:
# the lengths of a pickle and of the n buffers that it leaves out, the pickle, and the buffers.
PICKLE, BYTES = 0, 1
_ALIGNMENT = 16  # of each buffer: NumPy's types require it
_PADDING = bytes(_ALIGNMENT)


def _padding(size: int) -> bytes:
    return _PADDING[: -size % _ALIGNMENT]


class _Pickler:
    """multiprocessing's pickler, which can send connections, sockets and the like, with buffers out
    of band. One is used again and again, since making it takes longer than using it; by one thread
    at a time.
    """

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._buffers: list[pickle.PickleBuffer] = []
        self._pickler = ForkingPickler(self._file, 5, True, self._buffers.append)
        # A pickler copies the tables of reducers when it is made; modules may add to them later.
        self._tables = copyreg.dispatch_table, ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        self._known = self._registered()

    def _registered(self) -> list[int]:
        return [len(table) for table in self._tables]

    def is_current(self) -> bool:
        """True if no reducer was registered since the pickler was made."""
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
    except IndexError:  # a check beforehand would not do: other threads take spare ones, too
        return _Pickler()
    return pickler if pickler.is_current() else _Pickler()


def encode(obj: object) -> tuple[int, list[Any]]:
    """The first word, and the parts of the rest; large buffers are not copied."""
    if type(obj) is bytes:
        return BYTES, [obj]
    pickler = _spare_pickler()
    data, buffers = pickler.dumps(obj)  # if that raises, this pickler is not used again
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
    """The object of a record whose first word is neither PICKLE nor BYTES."""
    data, *buffers = _frames(memoryview(rest), tag)
    return pickle.loads(data, buffers=buffers)


def _frames(view: memoryview, count: int) -> list[memoryview]:
    """The pickle and the buffers, which follow their sizes and fill the record."""
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
