"""The build backend: setuptools', and cffi for fastprims.raw wherever cffi can be installed."""

from __future__ import annotations

import sys
import sysconfig
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, Any] | None

# cffi supports free-threaded interpreters from 3.14 on; before, it cannot even be installed.
WITH_CFFI = not sysconfig.get_config_var("Py_GIL_DISABLED") or sys.version_info >= (3, 14)
CFFI = ["cffi>=1.16"] if WITH_CFFI else []


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_wheel(config_settings), *CFFI]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_editable(config_settings), *CFFI]
