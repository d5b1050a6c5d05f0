"""The queues of the standard library, also where others have taken their names in the module queue:
gevent's classes do when it patches, and a class cannot derive from them and from ours.
"""

from __future__ import annotations

import queue

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from queue import LifoQueue, PriorityQueue, Queue
    from types import ModuleType

__all__ = ["LifoQueue", "PriorityQueue", "Queue"]


def _standard() -> ModuleType:
    """The module; a copy of it if it has been patched. What it raises stays the same."""
    if all(getattr(queue, name).__module__ == "queue" for name in __all__):
        return queue
    import importlib.util

    spec = importlib.util.find_spec("queue")
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    for name in ("Empty", "Full", "ShutDown"):
        if hasattr(queue, name):
            setattr(copy, name, getattr(queue, name))
    return copy


if not TYPE_CHECKING:
    _found = _standard()
    LifoQueue, PriorityQueue, Queue = (getattr(_found, name) for name in __all__)
