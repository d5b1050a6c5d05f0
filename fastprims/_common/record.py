"""The records that stats() returns. Their module takes long to import, so it is imported when the
first record is made.
"""

from __future__ import annotations

from types import SimpleNamespace

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["load", "record"]

_module: Any = None


def load() -> None:
    """Import that module now: for code that is slow to import itself, or that makes records when
    the interpreter exits.
    """
    global _module
    if _module is None:
        from fastprims import _stats

        _module = _stats


def record(kind: str, **fields: Any) -> Any:
    """A fastprims._stats.<kind>; or an object with the same attributes, if that module can't be
    imported any more (the interpreter exits) or not yet (a finalizer that runs in the middle of its
    import asks for a record).
    """
    try:
        load()
    except ImportError:
        pass
    return getattr(_module, kind, SimpleNamespace)(**fields)
