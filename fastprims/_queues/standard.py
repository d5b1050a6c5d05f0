"""The standard library's queue classes, even if gevent, eventlet or a test has put others into the
module `queue` before fastprims was imported.
"""

from __future__ import annotations

import queue

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "SimpleQueue"]


def _module() -> ModuleType:
    if all(vars(queue)[name].__module__ in ("queue", "_queue") for name in __all__):
        return queue
    from importlib.util import module_from_spec

    spec = queue.__spec__
    assert spec is not None
    assert spec.loader is not None
    fresh = module_from_spec(spec)
    spec.loader.exec_module(fresh)
    for name in ("Empty", "Full", "ShutDown"):  # the program catches those of `queue`
        if hasattr(queue, name):
            setattr(fresh, name, getattr(queue, name))
    return fresh


_found = _module()
LifoQueue = _found.LifoQueue
PriorityQueue = _found.PriorityQueue
Queue = _found.Queue
SimpleQueue = _found.SimpleQueue
