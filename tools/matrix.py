"""The test suite on every interpreter that is or can be had here, and a table of the results."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from tools.venvs import (
    Environment,
    Interpreter,
    Stop,
    find_free_threaded,
    inspect,
    run,
    say,
    tool_path,
)

WITH_GIL = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
FREE_THREADED = ("3.13t", "3.14t", "3.15t")
VERSIONS = (*WITH_GIL, *FREE_THREADED)
# Newer than those of many systems: tools/debian-python gets them.
UNPACKED = ("3.14", "3.15")


def _candidates(version: str) -> Iterator[str]:
    """The places to look for interpreters with a GIL: the PATH, pyenv's versions, the cache."""
    name = f"python{version}"
    if found := shutil.which(name):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for file in sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True):
        yield str(file)
    if version in UNPACKED and (cached := tool_path("debian-python", "--find", name)):
        yield cached


def find(version: str, default: Interpreter) -> Interpreter | None:
    """The interpreter of this version, if there is one here; `default`, if that is one."""
    free = version.endswith("t")
    known = find_free_threaded(version)
    for candidate in [default.path, *([known] if known else []), *_candidates(version)]:
        try:
            interpreter = inspect(candidate)
        except Stop:  # also for pyenv's stand-in for a version that is not activated
            continue
        numbers = ".".join(interpreter.version.split(".")[:2])
        if (interpreter.free_threaded, numbers) == (free, version.removesuffix("t")):
            return interpreter
    return None


def _obtain(version: str) -> None:
    """Gets or builds this version, once, into the cache outside the checkout, if a tool can."""
    if version in FREE_THREADED:
        tool_path("freethreaded-python", version)
    elif version in UNPACKED:
        tool_path("debian-python", f"python{version}")


def _counts(report: Path) -> str:
    """The counts in pytest's report; empty if pytest did not get so far as to write one."""
    try:
        suite = ET.parse(report).getroot().find("testsuite")
    except (OSError, ET.ParseError):
        return ""
    if suite is None:
        return ""
    total, *others = (int(suite.get(key, 0)) for key in ("tests", "skipped", "failures", "errors"))
    skipped, failed, broken = others
    return f"{total - sum(others)} passed, {skipped} skipped, {failed + broken} failed"


def _suite(interpreter: Interpreter) -> tuple[bool, str]:
    """True if the suite passed; and its counts, or why there are none."""
    try:
        environment = Environment(interpreter, ["test", "bench", "raw"])
        python = environment.ensure()
    except Stop as reason:
        return False, str(reason)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command: list[str | Path] = [python, "-m", "pytest", "-q", f"--junitxml={report}"]
        status = run(command, cwd=environment.tree)
        return status == 0, _counts(report) or f"pytest ended with status {status}"


def main(default: Interpreter) -> int:
    rows: list[tuple[str, str, str]] = []
    failed = 0
    for version in VERSIONS:
        interpreter = find(version, default)
        if interpreter is None:
            _obtain(version)
            interpreter = find(version, default)
        if interpreter is None:
            rows.append((version, "not here", ""))
            continue
        say(f"matrix: {version} ({interpreter.path})")
        began = time.monotonic()
        passed, counts = _suite(interpreter)
        outcome = f"{'passed' if passed else 'FAILED'} in {time.monotonic() - began:.0f} s"
        rows.append((interpreter.tag, outcome, counts))
        failed += not passed
    say("matrix:")
    for tag, outcome, counts in rows:
        print(f"  {tag:28} {outcome:18} {counts}".rstrip())
    return int(failed > 0)
