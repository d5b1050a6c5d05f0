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
    """Raised by the puts of a BoundedChannel for an item larger than its max_item_size."""
