"""Stand-ins for classes that this platform cannot have, so that fastprims can be imported anywhere."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["ShmQueue", "ShmReservation", "ShmRing", "ShmView"]


class _Absent:
    def __init__(self, *args: object, **kwargs: object) -> None:
        self._refuse()

    @classmethod
    def _refuse(cls, *args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f"{cls.__name__} is for Linux: between processes it waits by futex, and looks up in "
            f"/proc who is alive; {sys.platform} has neither. Use multiprocessing.Queue here"
        )

    create = attach = _refuse


class ShmRing(_Absent):
    """A FIFO queue of byte records between processes. Linux only."""


class ShmQueue(_Absent):
    """A FIFO queue of objects between processes. Linux only."""


class ShmReservation(_Absent):
    """Room for a record of a ShmRing. Linux only."""


class ShmView(_Absent):
    """A record of a ShmRing, read in place. Linux only."""
