"""The paths of the files for C programs."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["get_include", "get_library"]

_PACKAGE = Path(__file__).parent.parent


def get_include() -> str:
    """The folder of fastprims.h, the header for C and C++ programs: for `cc -I`.

    Errors: none.
    Complexity: O(1).
    Progress: wait-free.
    Source: the path of the package.
    Example:
        >>> import os, fastprims
        >>> os.path.isfile(os.path.join(fastprims.get_include(), "fastprims.h"))
        True
    """
    return str(_PACKAGE / "include")


def get_library() -> str:
    """The static library that belongs to fastprims.h: for `cc`, with -pthread.

    Errors: none.
    Complexity: O(1).
    Progress: wait-free.
    Source: the path of the package.
    Example:
        >>> import os, fastprims
        >>> os.path.isfile(fastprims.get_library())
        True
    """
    return str(_PACKAGE / "lib" / ("fastprims.lib" if os.name == "nt" else "libfastprims.a"))
