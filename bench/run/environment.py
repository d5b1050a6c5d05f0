"""The environment of a measurement: interpreter, GIL state, machine, and build of fastprims."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _is_checkout(entry: str) -> bool:
    try:
        return Path(entry or os.curdir).resolve() == ROOT
    except OSError:
        return False


def load_fastprims() -> ModuleType:
    """Import the installed fastprims, even from within a checkout that holds an unbuilt one.

    ``python -m`` puts the current folder first on the path, where the source tree would hide the
    installed package. The tree itself (an in-place build) is tried only if nothing is installed.
    """
    if "fastprims" in sys.modules:
        return sys.modules["fastprims"]
    original = list(sys.path)
    sys.path[:] = [entry for entry in original if not _is_checkout(entry)]
    try:
        installed = importlib.util.find_spec("fastprims") is not None
        if not installed:
            sys.path[:] = original
        return importlib.import_module("fastprims")
    except ImportError as error:
        raise ImportError(
            f"the benchmark needs fastprims installed for {sys.executable}: "
            f"run 'pip install .' in the checkout with that interpreter ({error})"
        ) from error
    finally:
        sys.path[:] = original


def gil_enabled() -> bool:
    """True if the GIL is on now (an extension can switch it back on at import)."""
    probe = getattr(sys, "_is_gil_enabled", None)
    return True if probe is None else bool(probe())


def cpu_model() -> str:
    """The processor's name, as far as the platform tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> list[float] | None:
    """The machine's load over 1, 5 and 15 minutes: other work makes every figure less certain."""
    try:
        return list(os.getloadavg())
    except (AttributeError, OSError):
        return None


def describe() -> dict[str, Any]:
    """The environment as it goes into results.json."""
    fastprims = load_fastprims()
    free_threaded_build = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    enabled = gil_enabled()
    return {
        "implementation": platform.python_implementation(),
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "free_threaded_build": free_threaded_build,
        "gil_enabled": enabled,
        "name": f"{platform.python_implementation()} {platform.python_version()}, "
        + ("GIL" if enabled else "free-threaded"),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "load_average": load_average(),
        "switch_interval_s": sys.getswitchinterval(),
        "fastprims_version": str(getattr(fastprims, "__version__", "unknown")),
        "build_info": {key: _plain(value) for key, value in fastprims.build_info().items()},
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
