"""The paths of the files for C programs."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["get_include", "get_library"]

_PACKAGE = Path(__file__).parent.parent


def get_include() -> str:
    """The folder of fastprims.h, the header for C and C++ programs: for `cc -I`."""
    return str(_PACKAGE / "include")


def get_library() -> str:
    """The static library that belongs to fastprims.h: for `cc`, with -pthread."""
    return str(_PACKAGE / "lib" / ("fastprims.lib" if os.name == "nt" else "libfastprims.a"))
