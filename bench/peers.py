"""Other packages' atomics, measured beside ours where they are installed ('fastprims[peers]')."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from typing import Any

from bench.environment import gil_enabled

SKIPPED: list[str] = []
"""Which of them are left out, and why."""


def load(name: str) -> Any:
    """The module, or None if it is not there or would spoil the other measurements."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        SKIPPED.append(f"{name}: not installed (pip install 'fastprims[peers]')")
    elif not gil_enabled() and not _leaves_the_gil_off(name):
        SKIPPED.append(f"{name}: cannot be imported, or switches the GIL back on")
    else:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            SKIPPED.append(f"{name}: cannot be imported ({error})")
    return None


def _leaves_the_gil_off(name: str) -> bool:
    """Tried in a process of its own, since it cannot be undone."""
    program = f"import sys, {name}; sys.exit(sys._is_gil_enabled())"
    tried = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    return tried.returncode == 0


cereggii = load("cereggii")
ft_utils = load("ft_utils.concurrency")
