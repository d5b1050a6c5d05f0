"""Queue, LifoQueue and PriorityQueue of fastprims.aio."""

from __future__ import annotations

from fastprims._aio.ext import AsyncEnd
from fastprims._queues import dropin
from fastprims._queues.ext import set_end

HOOKS = ("_init", "_get", "_put")


class Queue(AsyncEnd):
    """FIFO queue for tasks of any number of event loops, and by its `sync_q` for threads: drop-in for
    asyncio.Queue, and for janus.Queue. `maxsize` bounds the number of items; 0 or less: unbounded.

    It is an `AsyncEnd`, and that has the calls. `sync_q` is a fastprims.Queue, of which this object
    is the `async_q`. As janus's queues have, it has close(), which is shutdown(immediate=True),
    wait_closed() and aclose(). It has no `_getters`, `_putters`, `_queue`; a class that derives from
    it and overrides the hooks `_init`, `_put` or `_get` is refused.

    Errors: as AsyncEnd. TypeError: a class that overrides a hook.
    Complexity: as fastprims.Queue.
    Progress: as AsyncEnd.
    Source: fastprims.Queue and AsyncEnd; fastprims/_aio/classes.py.
    Example:
        >>> import asyncio, threading
        >>> from fastprims import aio
        >>> async def main():
        ...     queue = aio.Queue(maxsize=2)
        ...     threading.Thread(target=queue.sync_q.put, args=["from a thread"]).start()
        ...     print(await queue.get())
        ...     queue.close()
        ...     await queue.wait_closed()
        ...     await queue.aclose()  # both
        >>> asyncio.run(main())
        from a thread
    """

    __module__ = "fastprims.aio"
    _kind = dropin.Queue

    def __init_subclass__(cls) -> None:
        for name in HOOKS:
            if any(name in vars(base) for base in cls.__mro__):
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which the queues of fastprims.aio do not "
                    "call: derive from asyncio.Queue, or wrap a LifoQueue or PriorityQueue"
                )
        super().__init_subclass__()

    def __init__(self, maxsize=0):  # type: ignore[no-untyped-def]
        super().__init__(self._kind(maxsize))
        set_end(self.sync_q, self)

    def close(self):  # type: ignore[no-untyped-def]
        """Shut the queue down, and drop the items that are left."""
        self.shutdown(immediate=True)

    async def wait_closed(self):  # type: ignore[no-untyped-def]
        """Nothing is left to wait for once the queue is closed; raises RuntimeError if it is not."""
        if not self.is_shutdown:
            raise RuntimeError("wait_closed() waits for the end of close(): call that first")

    async def aclose(self):  # type: ignore[no-untyped-def]
        """close() and wait_closed()."""
        self.close()
        await self.wait_closed()


class LifoQueue(Queue):
    """The newest item first; otherwise as Queue, and drop-in for asyncio.LifoQueue.

    Errors: as Queue.
    Complexity: as fastprims.LifoQueue.
    Progress: as fastprims.LifoQueue, and AsyncEnd.
    Source: fastprims.LifoQueue and AsyncEnd; fastprims/_aio/classes.py.
    Example:
        >>> from fastprims import aio
        >>> queue = aio.LifoQueue()
        >>> for item in "abc":
        ...     queue.put_nowait(item)
        >>> queue.get_nowait()
        'c'
    """

    __module__ = "fastprims.aio"
    _kind = dropin.LifoQueue


class PriorityQueue(Queue):
    """The least item first, by `<`; otherwise as Queue, and drop-in for asyncio.PriorityQueue.

    Errors: as Queue; also what a comparison raises.
    Complexity: as fastprims.PriorityQueue.
    Progress: as fastprims.PriorityQueue, and AsyncEnd.
    Source: fastprims.PriorityQueue and AsyncEnd; fastprims/_aio/classes.py.
    Example:
        >>> from fastprims import aio
        >>> queue = aio.PriorityQueue()
        >>> for item in (3, 1, 2):
        ...     queue.put_nowait(item)
        >>> queue.get_nowait()
        1
    """

    __module__ = "fastprims.aio"
    _kind = dropin.PriorityQueue
