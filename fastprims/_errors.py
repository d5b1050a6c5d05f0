"""ShutDown on every Python version, and attributes that refuse with a reason."""

from __future__ import annotations

import sys

__all__ = ["Refused", "ShutDown"]

if sys.version_info >= (3, 13):
    from queue import ShutDown
else:

    class ShutDown(Exception):
        """Raised by put and get after shutdown(); the standard library's own from 3.13 on."""


class Refused:
    """A name that the standard library's class has and ours cannot honour.

    Reading it from an instance raises AttributeError with the reason (so hasattr() says False);
    a subclass or an instance may still define the name for itself.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def __get__(self, instance: object, owner: type) -> Refused:
        if instance is None:
            return self
        raise AttributeError(f"{type(instance).__name__} has no {self.name!r}: {self.reason}")
