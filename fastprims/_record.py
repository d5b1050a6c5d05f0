"""The records that stats() returns. Their module takes long to import, so that is done when the
first one is made.
"""

from __future__ import annotations

from sys import is_finalizing
from types import SimpleNamespace

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["record"]

_module: Any = None


def record(kind: str, **fields: Any) -> Any:
    """A fastprims._stats.<kind>. When the interpreter exits and can't import that any more, an
    object with the same attributes.
    """
    global _module
    if _module is None:
        try:
            from fastprims import _stats
        except ImportError:
            if not is_finalizing():
                raise
            return SimpleNamespace(**fields)
        _module = _stats
    return getattr(_module, kind)(**fields)
