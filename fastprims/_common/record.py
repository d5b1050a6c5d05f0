"""The records that stats() returns. Their module takes long to import, so that is done when the
first one is made.
"""

from __future__ import annotations

from sys import is_finalizing
from types import SimpleNamespace

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["load", "record"]

_module: Any = None


def load() -> None:
    """Import it, for what is slow to import itself or needs it when the interpreter exits."""
    global _module
    if _module is None:
        from fastprims import _stats

        _module = _stats


def record(kind: str, **fields: Any) -> Any:
    """A fastprims._stats.<kind>. When the interpreter exits and can't import that any more, an
    object with the same attributes.
    """
    try:
        load()
    except ImportError:
        if not is_finalizing():
            raise
        return SimpleNamespace(**fields)
    return getattr(_module, kind)(**fields)
