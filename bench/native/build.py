"""Compiles the programs, with the compilers and libraries that are installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.native.contenders import FASTPRIMS, Native
from bench.run.environment import ROOT

PROGRAMS = Path(__file__).resolve().parent / "programs"
CORE = ROOT / "csrc"
CORE_FILES = (
    *("base/*.c", "wait/*.c", "capi/*.c"),
    *("queues/fp_spsc_bytes.c", "queues/fp_mpmc*.c", "queues/fp_queue.c", "queues/fp_spsc.c"),
)
OPTIONS = ("-O3", "-pthread", "-w", "-D_GNU_SOURCE")
LIMIT = 120.0


@dataclass
class Programs:
    """The programs that could be built, and why the others could not."""

    paths: dict[str, Path] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def compilers() -> tuple[str | None, str | None]:
    """The compilers for C and for C++."""
    c = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    cxx = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    return c, cxx


def _has(compiler: str, header: str) -> bool:
    """True if the compiler finds it."""
    command = [*compiler.split(), "-E", "-x", "c++" if "++" in compiler else "c", "-"]
    done = subprocess.run(
        command, input=f"#include <{header}>\n", capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def build(contenders: Iterable[Native], folder: Path) -> Programs:
    """Compile each program once; a peer whose library is missing is skipped, and named."""
    programs = Programs()
    c, cxx = compilers()
    for contender in contenders:
        is_cxx = contender.source.endswith(".cc")
        compiler = cxx if is_cxx else c
        if compiler is None:
            reason = f"there is no {'C++' if is_cxx else 'C'} compiler"
        elif contender.header and not _has(compiler, contender.header):
            reason = f"<{contender.header}> is not installed (Debian: {contender.package})"
        else:
            path = folder / f"program{len(programs.paths)}"
            reason = _compile(compiler, contender, path)
        if reason:
            programs.skipped.append(f"{contender.key}: {reason}")
        else:
            programs.paths[contender.key] = path
    return programs


def _compile(compiler: str, contender: Native, path: Path) -> str:
    """The reason why it does not compile; nothing if it does."""
    command = [
        *compiler.split(),
        "-std=c++17" if contender.source.endswith(".cc") else "-std=gnu11",
    ]
    command += [*OPTIONS, *contender.options, "-I", str(CORE), "-I", str(CORE / "capi")]
    command.append(str(PROGRAMS / contender.source))
    if platform.machine() in ("x86_64", "AMD64"):
        command.append("-mcx16")
    if contender.side == FASTPRIMS:
        command += [str(file) for name in CORE_FILES for file in sorted(CORE.glob(name))]
    command += ["-o", str(path), *contender.libraries]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it could not be compiled: {error}"
    if done.returncode:
        return f"it does not compile: {(done.stderr.strip().splitlines() or ['?'])[0]}"
    return ""
