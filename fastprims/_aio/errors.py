"""QueueShutDown, on every Python version."""

from __future__ import annotations

import sys

from fastprims._errors import ShutDown

__all__ = ["QueueShutDown"]

if sys.version_info >= (3, 13):
    from asyncio import QueueShutDown
else:

    class QueueShutDown(ShutDown):
        """Raised by the ends of queues for event loops after shutdown(); asyncio's own from Python
        3.13 on.

        Errors: it is a ShutDown.
        Complexity: O(1).
        Progress: the call that raises it has taken or stored nothing.
        Source: an exception; fastprims/_aio/errors.py.
        Example:
            >>> from fastprims import ShutDown, aio
            >>> queue = aio.Queue()
            >>> queue.shutdown()
            >>> try:
            ...     queue.get_nowait()
            ... except aio.QueueShutDown:
            ...     print("no more")
            no more
        """

        __module__ = "fastprims.aio"
