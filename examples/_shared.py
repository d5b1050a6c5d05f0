"""The common code of the examples: their input, their options and their tables."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = {"stdlib": "queue", "fastprims": "fastprims.queue"}


def queue_module(name: str) -> ModuleType:
    """The module for a name on the command line; imported only when asked for."""
    return importlib.import_module(MODULES[name])


def python_files(root: Path | None, limit: int | None) -> list[Path]:
    """The .py files below `root` (default: the standard library), in a fixed order."""
    found: list[Path] = []
    for folder, subfolders, files in os.walk(root or sysconfig.get_path("stdlib")):
        # Installed packages differ from machine to machine; the library itself does not.
        subfolders[:] = sorted(set(subfolders) - {"site-packages", "dist-packages", "__pycache__"})
        found.extend(Path(folder, name) for name in sorted(files) if name.endswith(".py"))
    return found[:limit]


def at_least(minimum: int) -> Any:
    """An argparse type: an integer no smaller than `minimum`."""

    def parse(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is less than {minimum}")
        return value

    parse.__name__ = "integer"
    return parse


def interpreter() -> str:
    """The interpreter and the machine, without which a time means nothing."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return (
        f"CPython {platform.python_version()}, GIL {'on' if gil else 'off'}, {os.cpu_count()} CPUs"
    )


def median_ratio(base: Sequence[float], other: Sequence[float]) -> str:
    """How many times faster `other` is; the median over rounds, and the spread if there is one."""
    if other is base:
        return "1"
    ratios = [ours / theirs for ours, theirs in zip(base, other, strict=True)]
    text = f"{statistics.median(ratios):.2f} x"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.2f} to {max(ratios):.2f})"


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns: the first to the left, the others (numbers) to the right."""
    lines = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    for first, *others in lines:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  " + "   ".join(cells).rstrip())


def write_json(path: Path | None, data: dict[str, Any]) -> None:
    if path is not None:
        text = json.dumps({"interpreter": interpreter(), **data}, indent=2, sort_keys=True)
        path.write_text(text + "\n", encoding="utf-8")
