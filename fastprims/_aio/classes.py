"""Queue, LifoQueue and PriorityQueue of fastprims.aio."""

from __future__ import annotations

from fastprims._aio.ext import AsyncEnd
from fastprims._queues import dropin
from fastprims._queues.ext import set_end

HOOKS = ("_init", "_get", "_put")


class Queue(AsyncEnd):
    """FIFO queue for tasks of any number of event loops, and by its `sync_q` for threads."""

    __module__ = "fastprims.aio"
    _kind = dropin.Queue

    def __init_subclass__(cls) -> None:
        for name in HOOKS:
            if any(name in base.__dict__ for base in cls.__mro__):
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which fastprims.aio.Queue does not call: "
                    "derive from asyncio.Queue, or use LifoQueue or PriorityQueue"
                )
        super().__init_subclass__()

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(self._kind(maxsize))
        set_end(self.sync_q, self)

    def close(self) -> None:
        """Shut the queue down and drop the items that are left."""
        self.shutdown(immediate=True)

    async def wait_closed(self) -> None:
        """Return once the queue is closed; raises RuntimeError if it isn't. Nothing is left to wait
        for then."""
        if not self.is_shutdown:
            raise RuntimeError("wait_closed() waits for the end of close(): call that first")

    async def aclose(self) -> None:
        """close() and wait_closed()."""
        self.close()
        await self.wait_closed()


class LifoQueue(Queue):
    """The newest item first; otherwise as Queue."""

    __module__ = "fastprims.aio"
    _kind = dropin.LifoQueue


class PriorityQueue(Queue):
    """The least item first; otherwise as Queue."""

    __module__ = "fastprims.aio"
    _kind = dropin.PriorityQueue
