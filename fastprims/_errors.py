"""ShutDown, on every Python version, and ItemTooLarge."""

from __future__ import annotations

import sys

__all__ = ["ItemTooLarge", "ShutDown"]

if sys.version_info >= (3, 13):
    from queue import ShutDown
else:

    class ShutDown(Exception):
        """Raised by put and get after shutdown(); the standard library's own from 3.13 on."""


class ItemTooLarge(ValueError):
    """Raised by the puts of a BoundedChannel, a ShmRing, a ShmQueue and a raw.SPSCBytes for an item
    larger than their max_item_size.

    Errors: it is a ValueError.
    Complexity: O(1).
    Progress: the put that raises it has stored nothing, and stops no other thread.
    Source: an exception; fastprims/_errors.py.
    Example:
        >>> from fastprims import BoundedChannel, ItemTooLarge
        >>> try:
        ...     BoundedChannel(1, max_item_size=2).put("abc")
        ... except ItemTooLarge as error:
        ...     print(str(error)[:25])
        an item of size 3 is more
    """
