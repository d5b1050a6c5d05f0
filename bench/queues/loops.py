"""The timed loops, one per way of calling a queue.

In the body of each loop only the queue operation takes time; items come from a C iterator, whose
cost is in the empty loop, too. *Fresh* items are ordinary integers. If one thread puts and gets,
they are made beforehand. If there are several threads, the producer makes each item when it puts
it, so that the last reference to the item passes to the consumer, which drops it. *Small* items are
one cached integer, immortal from Python 3.12 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

BATCH = 64
_batch_range = range(BATCH)


# One thread: put one, get one. Each returns the last item it got, for the caller to check.


def pair_empty(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for out in items:
        pass
    return out


def pair_local(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for item in items:
        put(item)
        out = get()
    return out


def pair_attribute_put(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for item in items:
        queue.put(item)
        out = queue.get()
    return out


def pair_attribute_try(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for item in items:
        queue.try_put(item)
        out = queue.try_get()
    return out


def pair_attribute_append(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for item in items:
        queue.append(item)
        out = queue.popleft()
    return out


def pair_locked(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    lock, append, popleft = queue.lock, queue.items.append, queue.items.popleft
    out = None
    for item in items:
        with lock:
            append(item)
        with lock:
            out = popleft()
    return out


def pair_locked_attribute(queue: Any, put: Any, get: Any, items: Iterable[Any]) -> Any:
    out = None
    for item in items:
        with queue.lock:
            queue.items.append(item)
        with queue.lock:
            out = queue.items.popleft()
    return out


PAIR_LOCAL: dict[str, Callable[..., Any]] = {
    "none": pair_empty,
    "put/get": pair_local,
    "try_put/try_get": pair_local,
    "append/popleft": pair_local,
    "locked": pair_locked,
}
PAIR_ATTRIBUTE: dict[str, Callable[..., Any]] = {
    "none": pair_empty,
    "put/get": pair_attribute_put,
    "try_put/try_get": pair_attribute_try,
    "append/popleft": pair_attribute_append,
    "locked": pair_locked_attribute,
}


# Several threads.


def produce(put: Any, items: Iterable[Any]) -> None:
    for item in items:
        put(item)


def consume(get: Any, count: int) -> None:
    for _ in repeat(None, count):
        get()


def consume_into(get: Any, count: int, received: list[Any]) -> None:
    for _ in repeat(None, count):
        received.append(get())


def spin_items(put: Any, items: Iterable[Any]) -> None:
    for _ in items:
        pass


def spin_count(get: Any, count: int) -> None:
    for _ in repeat(None, count):
        pass


def ping(put: Any, get: Any, items: Iterable[Any]) -> Any:
    back = None
    for item in items:
        put(item)
        back = get()
    return back


def pong(get: Any, put: Any, count: int) -> None:
    for _ in repeat(None, count):
        put(get())


# One thread, 64 items at a time. Each returns the last item or batch it got.


def batch_empty(queue: Any, chunks: Iterable[list[Any]]) -> Any:
    for chunk in chunks:
        for _ in chunk:
            pass
        for _ in _batch_range:
            pass
    return None


def batch_one_by_one(queue: Any, chunks: Iterable[list[Any]]) -> Any:
    put, get = queue.put, queue.get
    out = None
    for chunk in chunks:
        for item in chunk:
            put(item)
        for _ in _batch_range:
            out = get()
    return out


def batch_many(queue: Any, chunks: Iterable[list[Any]]) -> Any:
    put_many, get_many = queue.put_many, queue.get_many
    out: list[Any] = [None]
    for chunk in chunks:
        put_many(chunk)
        out = get_many(BATCH)
    return out[-1]


def batch_locked(queue: Any, chunks: Iterable[list[Any]]) -> Any:
    lock, items = queue.lock, queue.items
    out: list[Any] = [None]
    for chunk in chunks:
        with lock:
            items.extend(chunk)
        with lock:
            out = list(items)
            items.clear()
    return out[-1]


def collect_pairs(put: Any, get: Any, items: Iterable[Any], received: list[Any]) -> None:
    """The pair loop of a verifying run: it keeps every item it gets."""
    for item in items:
        put(item)
        received.append(get())
