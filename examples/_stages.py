"""A pipeline: threads in stages, joined by bounded queues of either library."""

from __future__ import annotations

import queue as stdlib_queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

STOP = object()


class Aborted(Exception):
    """Another thread failed, or Ctrl-C was pressed: this thread ends silently."""


class WorkerFailed(Exception):
    """A thread of the pipeline ended with an exception, which is the cause of this one."""


class Pipeline:
    """Threads in stages, joined by bounded queues; the main thread watches over them.

    A sentinel announces the end, not `shutdown()`: `queue.Queue` has that only from Python 3.13 on,
    and the comparison needs one program for both libraries. One STOP is enough for any number of
    readers: it is the last item of its queue, and each reader that takes it puts it back.
    """

    def __init__(self, queues: ModuleType, bound: int) -> None:
        self._queues = queues
        self._bound = bound
        self._links: list[Any] = []
        self._threads: list[threading.Thread] = []
        self._ended = queues.SimpleQueue()
        self._aborted = False
        self._lock = threading.Lock()

    def link(self) -> Any:
        link = self._queues.Queue(self._bound)
        self._links.append(link)
        return link

    def stage(
        self,
        name: str,
        work: Callable[[Any], Iterable[Any]],
        items: Iterable[Any] | None = None,
        inbox: Any = None,
        outbox: Any = None,
        workers: int = 1,
    ) -> None:
        """Add threads that send `work(item)`, one by one, for each of `items` or of `inbox`."""
        busy = workers

        def body() -> None:
            nonlocal busy
            for item in self._receive(inbox) if items is None else items:
                for result in work(item):
                    outbox.put(result)
                    if self._aborted:
                        raise Aborted
            with self._lock:
                busy -= 1
                last = not busy
            if last and outbox is not None:
                outbox.put(STOP)

        for number in range(workers):
            # Daemon threads: a second Ctrl-C, during the clean-up, still ends the program.
            thread = threading.Thread(
                target=self._guard, args=(body,), name=f"{name}-{number}", daemon=True
            )
            self._threads.append(thread)

    def _receive(self, inbox: Any) -> Iterator[Any]:
        while True:
            item = inbox.get()
            if self._aborted:
                raise Aborted
            if item is STOP:
                inbox.put(STOP)  # never waits: STOP was the last item, so there is room for it
                return
            yield item

    def _guard(self, body: Callable[[], None]) -> None:
        failure: BaseException | None = None
        try:
            body()
        except Aborted:
            pass
        except BaseException as error:  # noqa: BLE001 - run() raises it again, in the main thread
            failure = error
        self._ended.put((threading.current_thread().name, failure))

    def run(self) -> None:
        """Return when every thread has ended; raise WorkerFailed as soon as one has failed."""
        try:
            for thread in self._threads:
                thread.start()
            for _ in self._threads:
                name, failure = self._ended.get()
                if failure is not None:
                    reason = f"{name} failed: {type(failure).__name__}: {failure}"
                    raise WorkerFailed(reason) from failure
        except BaseException:
            self._abort()
            raise
        for thread in self._threads:
            thread.join()

    def _abort(self) -> None:
        """Release the threads that wait for a full or an empty queue, until none is left."""
        self._aborted = True
        while any(thread.is_alive() for thread in self._threads):
            for link in self._links:
                with suppress(stdlib_queue.Empty):
                    while True:
                        link.get_nowait()
            # Pause here as well: in a queue of one place, a STOP that follows at once would take
            # the place that a waiting put() was about to get, again and again.
            time.sleep(0.005)
            for link in self._links:
                with suppress(stdlib_queue.Full):
                    link.put_nowait(STOP)
            time.sleep(0.005)
