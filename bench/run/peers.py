"""Third-party packages to measure against: used if they are installed, else named as missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
from functools import cache
from typing import Any

PEERS = ("cereggii", "culsans", "ft_utils.concurrency", "immutables", "janus")
# Extensions that do not declare support for running without the GIL: importing one switches the GIL
# on, unless the interpreter was told to keep it off.
NEEDS_GIL = {"faster_fifo", "immutables"}


def keeps_gil_off() -> bool:
    """True if an import will leave the GIL as it is."""
    return not sysconfig.get_config_var("Py_GIL_DISABLED") or sys.flags.gil == 0  # type: ignore[attr-defined, unused-ignore]


@cache
def load(name: str) -> tuple[Any, str]:
    """The module; and, if there is none, the reason."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        return None, f"{name}: not installed (pip install 'fastprims[peers]')"
    if name in NEEDS_GIL and not keeps_gil_off():
        return None, f"{name}: importing it would switch the GIL on; set PYTHON_GIL=0"
    try:
        return importlib.import_module(name), ""
    except ImportError as error:
        return None, f"{name}: {error}"


def missing() -> list[str]:
    """One sentence for each peer that is left out."""
    return [reason for name in PEERS for module, reason in [load(name)] if module is None]


def keep_gil_off(module: str, arguments: list[str]) -> None:
    """Start the module anew with the GIL kept off, if a peer would switch it on."""
    if not keeps_gil_off() and any(importlib.util.find_spec(name) for name in NEEDS_GIL):
        command = [sys.executable, "-m", module, *arguments]
        os.execve(sys.executable, command, os.environ | {"PYTHON_GIL": "0"})
