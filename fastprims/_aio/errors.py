"""QueueShutDown, on every Python version."""

from __future__ import annotations

import sys

from fastprims._errors import ShutDown

__all__ = ["QueueShutDown"]

if sys.version_info >= (3, 13):
    from asyncio import QueueShutDown
else:

    class QueueShutDown(ShutDown):
        """Raised by the end for event loops of a queue after shutdown(); asyncio's own from Python
        3.13 on."""
