import queue as std
from threading import Condition, Lock
from typing import TypeVar

from fastprims._queues.ext import NativeQueue

_T = TypeVar("_T")

class Queue(NativeQueue[_T], std.Queue[_T]):
    maxsize: int
    unfinished_tasks: int
    is_shutdown: bool
    mutex: Lock
    not_empty: Condition
    not_full: Condition
    all_tasks_done: Condition
    def __init__(self, maxsize: float = 0) -> None: ...

class LifoQueue(Queue[_T], std.LifoQueue[_T]): ...
class PriorityQueue(Queue[_T], std.PriorityQueue[_T]): ...  # type: ignore[type-var]
