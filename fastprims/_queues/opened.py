"""The functions of an open queue: the standard library's own, on the attributes that they know.

And those that the standard class lacks: shutdown() before Python 3.13, and the rest of fastprims'
queue protocol.
"""

from __future__ import annotations

import os
import queue as standard
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, Full

from fastprims._atomics.ext import AtomicInt
from fastprims._errors import ShutDown
from fastprims._queues.standard import LifoQueue, PriorityQueue, Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOOKS = ("_init", "_put", "_get", "_qsize")
CONDITIONS = ("not_empty", "not_full", "all_tasks_done")
STATE = ("maxsize", "unfinished_tasks", "is_shutdown")
INSIDE = ("mutex", *CONDITIONS, "queue", *STATE)
# Assigning to one of these opens the queue. `maxsize` can change without that.
OPENING = frozenset({*HOOKS, *INSIDE} - {"maxsize"})


class Inside:
    """The lock and the conditions of one queue, made when the program first asks for one."""

    def __init__(self, mutex: Any) -> None:
        self.mutex = mutex
        self.lock = mutex.lock
        self.not_empty = threading.Condition(mutex)
        self.not_full = threading.Condition(mutex)
        self.all_tasks_done = threading.Condition(mutex)
        # The attributes that each condition copied from its lock, with their values for the real
        # lock: set when the queue is opened.
        self.bindings = [
            (condition, name, self.lock if name == "_lock" else getattr(self.lock, name))
            for condition in (self.not_empty, self.not_full, self.all_tasks_done)
            for name in ("_lock", "acquire", "release", "locked")
            if name in vars(condition)
        ]


class OpenedWarning(UserWarning):
    """A queue became a standard queue, and slow, at the line that the warning names. Only with
    FASTPRIMS_WARN_OPEN=1 in the environment.

    Errors: it is a UserWarning; it is raised where a filter makes warnings errors.
    Complexity: O(depth of the stack), once for each queue that opens.
    Progress: as the opening of a queue: blocking.
    Source: fastprims/_queues/opened.py.
    Example:
        >>> import warnings
        >>> from fastprims.queue import OpenedWarning
        >>> warnings.simplefilter("error", OpenedWarning)  # then the traceback leads to the line
    """

    __module__ = "fastprims.queue"


class Openings(Mapping[str, int]):
    """How many queues this process has opened so far, by what was used: `opened["mutex"]`, or
    "class" for a class that overrides a hook. A read-only mapping; total() is the sum.

    Errors: KeyError: a name that opens nothing.
    Complexity: O(1) for one name.
    Progress: wait-free.
    Source: one AtomicInt for each name; fastprims/_queues/opened.py.
    Example:
        >>> from fastprims import queue
        >>> before = queue.opened["mutex"], queue.opened.total()
        >>> q = queue.Queue()
        >>> with q.mutex:
        ...     pass
        >>> queue.opened["mutex"] - before[0], queue.opened.total() - before[1]
        (1, 1)
    """

    def __init__(self) -> None:
        names = (*HOOKS, *INSIDE, "__dict__", "class")
        self._counts = {name: AtomicInt() for name in names}

    def __getitem__(self, name: str) -> int:
        return self._counts[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def total(self) -> int:
        """The sum of all counts."""
        return sum(self.values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({ {name: n for name, n in self.items() if n} })"


opened = Openings()


def tell(queue: Any, name: str) -> None:
    """Count an opening, and warn with its line if the environment asks for that."""
    opened._counts[name].fetch_add(1)
    if os.environ.get("FASTPRIMS_WARN_OPEN", "0") in ("", "0"):
        return
    frame = sys._getframe()
    while frame.f_back is not None and _is_library(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    why = "its class overrides the inside" if name == "class" else f"{name!r} was used"
    warnings.warn_explicit(
        f"this {type(queue).__name__} has become a standard queue, and slow: {why}. See "
        "docs/howto/replace-queue.md for what opens a queue, and how to do without",
        OpenedWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
    )


def _is_library(module: str) -> bool:
    return module in ("queue", "threading") or module.split(".")[0] == "fastprims"


# The standard classes, except SimpleQueue, look up the exception that they raise in their module when
# they raise it: a program may have put an exception of its own there.
EXCEPTIONS = (Empty, Full, ShutDown)
_modules: list[dict[str, Any]] = [vars(standard)]


def also_known_in(module: dict[str, Any]) -> None:
    """Let queues raise the exceptions of this module, too, where a program has replaced them."""
    _modules.append(module)


def known_as(exception: type[Exception]) -> Any:
    """What a program has put in place of an exception of the module `queue`, or that itself."""
    name = exception.__name__
    for module in _modules:
        found = module.get(name, exception)
        if found is not exception:
            return found
    return exception


def refusals() -> tuple[type[Exception], ...]:
    """What a put() that stores nothing may raise."""
    return Full, ShutDown, known_as(Full), known_as(ShutDown)


# What a queue of each kind is made of, and what its class may override without opening it. --------


def lookup(cls: type, name: str) -> object:
    """What instances find under `name` in their class, without calling a descriptor."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


KINDS: dict[type, Callable[[list[Any]], Any]] = {
    PriorityQueue: list,
    LifoQueue: list,
    Queue: deque,
}
_ORIGINAL = {kind: [lookup(kind, name) for name in HOOKS] for kind in KINDS}


def kind_of(queue: Any) -> type:
    for kind in KINDS:  # the last kind is the base of the others
        if isinstance(queue, kind):
            break
    return kind


def is_plain(cls: type, kind: type, ours: type) -> bool:
    """True if the class overrides nothing that native methods could not honour."""
    for name, original in zip(HOOKS, _ORIGINAL[kind], strict=True):
        if lookup(cls, name) is not original:
            return False
    for name in INSIDE:
        if lookup(cls, name) is not lookup(ours, name):
            return False
    return (
        lookup(cls, "__setattr__") is ours.__dict__.get("__setattr__")
        and lookup(cls, "__delattr__") is ours.__dict__.get("__delattr__")
        and lookup(cls, "__getattribute__") is object.__getattribute__
    )


# The methods. They look up in `queue` the same names as the standard ones, which are code of it.


def now() -> float:
    return standard.time()  # type: ignore[attr-defined,no-any-return]


def refuse_negative(block: bool, timeout: float | None) -> None:
    if block and timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")


qsize = Queue.qsize
empty = Queue.empty
full = Queue.full
task_done = Queue.task_done

if sys.version_info >= (3, 13):
    # These raise what the module `queue` has, not fastprims.queue.
    put = Queue.put
    get = Queue.get
    shutdown = Queue.shutdown
else:

    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        with self.not_full:
            if self.maxsize > 0 and not self.is_shutdown:
                refuse_negative(block, timeout)
                if self._qsize() >= self.maxsize and not (
                    block
                    and _wait(
                        self.not_full,
                        lambda: self.is_shutdown or self._qsize() < self.maxsize,
                        timeout,
                    )
                ):
                    raise known_as(Full)
            if self.is_shutdown:
                raise known_as(ShutDown)
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()

    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        with self.not_empty:
            _await_item(self, block, timeout)
            item = self._get()
            self.not_full.notify()
            return item

    def shutdown(self: Any, immediate: bool = False) -> None:
        with self.mutex:
            self.is_shutdown = True
            if immediate:
                while self._qsize():
                    self._get()
                    if self.unfinished_tasks > 0:
                        self.unfinished_tasks -= 1
                self.all_tasks_done.notify_all()
            self.not_empty.notify_all()
            self.not_full.notify_all()


def _wait(condition: threading.Condition, ready: Callable[[], bool], timeout: Any) -> bool:
    if timeout is None:
        while not ready():
            condition.wait()
        return True
    end = now() + timeout
    while not ready():
        left = end - now()
        if left <= 0:
            return False
        condition.wait(left)
    return True


def _await_item(self: Any, block: bool, timeout: float | None) -> None:
    """The first half of get(), under the lock."""
    refuse_negative(block, timeout)
    if self._qsize():
        return
    if self.is_shutdown:
        raise known_as(ShutDown)
    if not (block and _wait(self.not_empty, lambda: self.is_shutdown or self._qsize(), timeout)):
        raise known_as(Empty)
    if not self._qsize():
        raise known_as(ShutDown)


def join(self: Any, timeout: float | None = None) -> bool | None:
    if timeout is None:
        Queue.join(self)
        return None
    end = now() + timeout
    with self.all_tasks_done:
        while self.unfinished_tasks:
            left = end - now()
            if left <= 0:
                return False
            self.all_tasks_done.wait(left)
    return True


def try_put(self: Any, item: Any) -> bool:
    try:
        put(self, item, False)
    except (Full, known_as(Full)):
        return False
    return True


def try_get(self: Any, default: Any = None) -> Any:
    try:
        return get(self, False)
    except (Empty, known_as(Empty)):
        return default


def put_many(
    self: Any, iterable: Iterable[Any], block: bool = True, timeout: float | None = None
) -> int:
    items = list(iterable)
    if self.maxsize > 0:
        refuse_negative(block, timeout)
    end = None if timeout is None else now() + timeout
    for stored, item in enumerate(items):
        try:
            put(self, item, block, None if end is None else max(0.0, end - now()))
        except refusals():
            if stored == 0:
                raise
            return stored
    return len(items)


def await_item(self: Any, block: bool, timeout: float | None) -> None:
    """Return once there may be an item."""
    with self.not_empty:
        try:
            _await_item(self, block, timeout)
        except BaseException:
            # It may have been woken for an item that another thread waits for.
            if self._qsize():
                self.not_empty.notify()
            raise


def give_back(self: Any, items: list[Any]) -> None:
    """An interrupt leaves them where they were: in front, unless a hook decides. Under the lock."""
    put_back = self._put
    is_fifo = getattr(put_back, "__func__", None) is _ORIGINAL[Queue][HOOKS.index("_put")]
    if is_fifo and isinstance(self.queue, deque):
        put_back = self.queue.appendleft
    for item in reversed(items):
        put_back(item)
    self.not_empty.notify(len(items))


def discarded(self: Any, n: int) -> None:
    """Subtract `n` items, which were taken from the native queue and dropped, from the tasks."""
    with self.mutex:
        self.unfinished_tasks = max(0, self.unfinished_tasks - n)
        self.all_tasks_done.notify_all()
