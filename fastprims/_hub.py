"""gevent switches between greenlets when one of them sleeps or waits by its functions. A thread that
sleeps in the kernel would hold up all of its greenlets, perhaps for ever.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["sleep_of_hub"]


def sleep_of_hub() -> Callable[[float], object] | None:
    """gevent.sleep, where gevent has replaced the standard library's; else None."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None:
        return None
    patched = monkey.is_module_patched("time") or monkey.is_module_patched("threading")
    sleep: Callable[[float], object] = sys.modules["gevent"].sleep
    return sleep if patched else None
