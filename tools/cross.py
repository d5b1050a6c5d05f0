"""Other systems: the core compiles for them without a warning, and links."""

from __future__ import annotations

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.lint import C_BUILDS, WARNINGS
from tools.venvs import ROOT, Stop, say

ZIG = ROOT / "tools" / "zig"

# What clang calls the system, and what a program on it is linked with.
TARGETS = {
    "x86_64-windows-gnu": ["-lapi-ms-win-core-synch-l1-2-0"],
    "aarch64-windows-gnu": ["-lapi-ms-win-core-synch-l1-2-0"],
    "x86_64-macos": [],
    "aarch64-macos": [],
    "x86_64-linux-musl": [],
    "aarch64-linux-musl": [],
}


def _compile(command: list[str | Path]) -> str:
    """What the compiler says; empty: nothing, and it succeeded."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).strip()
    return said or (f"exit status {done.returncode}" if done.returncode else "")


def _build(target: str, options: list[str], folder: Path) -> list[str]:
    """Compiles and links the core; returns the compiler's complaints."""
    command: list[str | Path] = [ZIG, "cc", "-target", target, "-std=c11", "-O2", "-fPIC", "-Icsrc"]
    if target.startswith("x86_64") and "-DFP_CAS16=0" not in options:
        command.append("-mcx16")
    sources = sorted((ROOT / "csrc").glob("*/*.c"))
    objects = [folder / f"{source.parent.name}-{source.stem}.o" for source in sources]
    pairs = zip(sources, objects, strict=True)
    jobs: list[list[str | Path]] = [
        [*command, *WARNINGS, *options, "-c", source, "-o", o] for source, o in pairs
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [answer for answer in pool.map(_compile, jobs) if answer]
    libraries = TARGETS[target]
    link: list[str | Path] = [
        ZIG,
        "cc",
        "-target",
        target,
        "-shared",
        *objects,
        "-o",
        folder / "core",
        *libraries,
    ]
    return complaints or [answer for answer in [_compile(link)] if answer]


def main() -> int:
    if subprocess.run([ZIG, "version"], stdout=subprocess.DEVNULL, check=False).returncode:
        raise Stop("this job needs zig, and pip could not get it (tools/zig)")
    failed = 0
    for target in TARGETS:
        for title in ("atomics", "plain"):  # the other options change nothing that a system has
            options = C_BUILDS[title]
            with tempfile.TemporaryDirectory(prefix="cross-") as folder:
                complaints = _build(target, options, Path(folder))
            for complaint in complaints:
                print(complaint, flush=True)
            say(f"{target}, {title}: {'FAILED' if complaints else 'compiles and links'}")
            failed += bool(complaints)
    return int(failed > 0)
