"""ShutDown on every Python version, and attributes that refuse with a reason."""

from __future__ import annotations

import sys

__all__ = ["ItemTooLarge", "Refused", "ShutDown"]

if sys.version_info >= (3, 13):
    from queue import ShutDown
else:

    class ShutDown(Exception):
        """Raised by put and get after shutdown(); the standard library's own from 3.13 on."""


class ItemTooLarge(ValueError):
    """Raised by the puts of a BoundedChannel for an item larger than its max_item_size."""


class Refused:
    """A name that the standard library's class has and ours cannot honour.

    Reading it from an instance raises AttributeError with the reason (so hasattr() says False), and
    so does assigning to it; a subclass may define the name for itself.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def __get__(self, instance: object, owner: type) -> Refused:
        if instance is None:
            return self
        raise self._error(instance)

    def __set__(self, instance: object, value: object) -> None:
        raise self._error(instance)

    def _error(self, instance: object) -> AttributeError:
        return AttributeError(f"{type(instance).__name__} has no {self.name!r}: {self.reason}")
