"""The compiled half of fastprims.raw: the functions of fastprims.h, and their answers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "CLOSED",
    "EMPTY",
    "FULL",
    "MPMC",
    "NOT_OWNER",
    "OK",
    "SPSC",
    "TOO_LARGE",
    "ffi",
    "lib",
    "library",
]


def _load() -> Any:
    try:
        import_module("_cffi_backend")  # ext needs it; this gives its absence its own message
    except ImportError as missing:
        raise ImportError(
            "fastprims.raw needs cffi, which is not installed: pip install 'fastprims[raw]' (on a "
            "free-threaded Python from 3.14 on)"
        ) from missing
    try:
        return import_module("fastprims._raw.ext")
    except ImportError as missing:
        raise ImportError(
            "this copy of fastprims was built without cffi and has no fastprims.raw: install "
            "fastprims again, now that cffi is there"
        ) from missing


_raw = _load()

ffi: Any = _raw.ffi
lib: Any = _raw.lib
library: str = _raw.__file__

OK, FULL, EMPTY = int(lib.FASTPRIMS_OK), int(lib.FASTPRIMS_FULL), int(lib.FASTPRIMS_EMPTY)
CLOSED, TOO_LARGE = int(lib.FASTPRIMS_CLOSED), int(lib.FASTPRIMS_TOO_LARGE)
NOT_OWNER = int(lib.FASTPRIMS_NOT_OWNER)
SPSC, MPMC = int(lib.FASTPRIMS_SPSC), int(lib.FASTPRIMS_MPMC)
