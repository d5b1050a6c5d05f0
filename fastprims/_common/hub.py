"""Detects gevent and eventlet. They switch between greenlets when one of them sleeps or waits by
their functions. A thread that sleeps in the kernel would block all of its greenlets, perhaps for
ever.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["name_of_hub", "sleep_of_hub"]

# The library, its module and function that tell whether a module was patched, and the modules that
# matter here.
_HUBS = (
    ("gevent", "gevent.monkey", "is_module_patched", ("time", "threading")),
    ("eventlet", "eventlet.patcher", "is_monkey_patched", ("time", "thread")),
)


def name_of_hub() -> str | None:
    """ "gevent" or "eventlet", where it has replaced parts of the standard library; else None."""
    for name, module, is_patched, parts in _HUBS:
        patcher = sys.modules.get(module)
        if patcher is not None and any(getattr(patcher, is_patched)(part) for part in parts):
            return name
    return None


def sleep_of_hub() -> Callable[[float], object] | None:
    """The sleep() of that library, which lets other greenlets run; None if there is none."""
    name = name_of_hub()
    if name is None:
        return None
    sleep: Callable[[float], object] = sys.modules[name].sleep
    return sleep
