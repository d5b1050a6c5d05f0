"""Builds the wheel and the sdist, checks their contents, and installs each in an empty environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.venvs import ROOT, Environment, Interpreter, Stop, explain, run, say

DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
DOCUMENTS += ["CODE_OF_CONDUCT.md", "CITATION.cff"]
BUILD_FILES = ["pyproject.toml", "setup.py", "dev.py", "Makefile"]
HEADER = "fastprims/include/fastprims.h"
FOLDERS = ["csrc", "fastprims", "tests", "bench", "examples", "docs", "tools"]

SMOKE = """
import os, sys, fastprims
from fastprims import queue
assert os.path.commonpath([fastprims.__file__, sys.prefix]) == sys.prefix, fastprims.__file__
for kind in (fastprims.Queue, fastprims.SimpleQueue, fastprims.LifoQueue, fastprims.PriorityQueue):
    q = kind()
    q.put(1)
    assert q.get() == 1 and q.try_get() is None, kind
for ring in (fastprims.SPSCRing(1), fastprims.MPMCRing(1)):
    assert ring.try_put(1) and not ring.try_put(2) and ring.try_get() == 1, ring
assert queue.Queue is fastprims.Queue
assert os.path.isfile(os.path.join(fastprims.get_include(), "fastprims.h"))
assert os.path.isfile(fastprims.get_library())
try:
    import fastprims.raw
except ImportError as error:
    assert "fastprims[raw]" in str(error), error  # nothing is required, so cffi is not there
else:
    raise AssertionError("fastprims.raw without cffi")
probe = getattr(sys, "_is_gil_enabled", None)
print(fastprims.build_info())
if probe and "t" in sys.abiflags:
    assert not probe(), "importing fastprims switched the GIL back on"
"""


def _files(folder: str, *patterns: str) -> set[str]:
    base = ROOT / folder
    found = {file for pattern in patterns for file in base.rglob(pattern)}
    return {file.relative_to(ROOT).as_posix() for file in found}


def check_wheel(wheel: Path, extras: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        required = [
            line
            for line in archive.read(metadata).decode().splitlines()
            if line.startswith("Requires-Dist:") and "extra ==" not in line
        ]
    if required:
        raise Stop(f"{wheel.name} has run-time dependencies: {required}")
    if strangers := sorted(n for n in names if not n.startswith(("fastprims/", "fastprims-"))):
        raise Stop(f"{wheel.name} installs files outside the package: {strangers}")
    sources = {n for n in names if Path(n).suffix in (".c", ".h", ".pyx", ".pxi")} - {HEADER}
    if sources:
        raise Stop(f"{wheel.name} contains sources: {sorted(sources)}")
    wanted = {HEADER, *_files("fastprims", "*.py", "*.pyi", "*.pxd", "py.typed")}
    if missing := sorted(wanted - names):
        raise Stop(f"{wheel.name} lacks {missing}")
    modules = {Path(n).with_suffix("") for n in _files("fastprims", "*.pyx", "*.c")}
    modules |= {Path("fastprims/_raw/ext")} if "raw" in extras else set()
    for module in sorted(modules):
        if not any(n.startswith(f"{module.as_posix()}.") and ".pyi" not in n for n in names):
            raise Stop(f"{wheel.name} lacks the compiled module {module}")
    if not any(Path(n).match("fastprims/lib/*fastprims.*") for n in names):
        raise Stop(f"{wheel.name} lacks the static library")


def check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*DOCUMENTS, *BUILD_FILES}
    for folder in FOLDERS:
        wanted |= _files(folder, "*.py", "*.pyi", "*.pyx", "*.px[di]", "*.[ch]", "*.md", "*.svg")
    built = ("docs/_build", "tests/c/build", "fastprims/include")
    wanted = {n for n in wanted if not n.startswith(built)}
    if missing := sorted(wanted - names):
        raise Stop(f"{sdist.name} lacks {missing}")
    ours = (".ci", ".github", ".clang-format", ".editorconfig", ".pre-commit-config.yaml")
    hidden = {n for n in names if re.search(r"(^|/)\.", n) and not n.startswith(ours)}
    compiled = {n for n in names if n.endswith((".so", ".pyd", ".o", ".a", ".lib", ".pyc"))}
    if strangers := sorted(hidden | compiled):
        raise Stop(f"{sdist.name} contains what was left behind by a tool: {strangers[:10]}")


def check_installs(interpreter: Interpreter, archive: Path) -> None:
    """Installs and imports in an empty environment, from an empty folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if run([interpreter.path, "-m", "venv", folder / "venv"]):
            raise Stop("could not create an empty environment")
        python = Environment.python_of(folder / "venv")
        log = ROOT / "dist" / "install.log"
        with log.open("w", encoding="utf-8") as output:
            install = [str(python), "-m", "pip", "install", str(archive)]
            status = subprocess.run(
                install, cwd=folder, stdout=output, stderr=subprocess.STDOUT, check=False
            ).returncode
        if status:
            raise Stop(explain(log.read_text(encoding="utf-8", errors="replace"), log))
        log.unlink()
        if run([python, "-c", SMOKE], cwd=folder):
            raise Stop(f"{archive.name} installs, but does not work")
    say(f"{archive.name}: installs and works in an empty environment")


def main(interpreter: Interpreter) -> int:
    environment = Environment(interpreter, ["dev", "raw"])
    python = environment.ensure()
    dist = ROOT / "dist"
    if dist.exists():
        shutil.rmtree(dist)
    dist.mkdir()
    log = dist / "build.log"
    say("building the sdist, and the wheel from it")
    with log.open("w", encoding="utf-8") as output:
        command = [str(python), "-m", "build", "--outdir", str(dist), str(ROOT)]
        status = subprocess.run(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    if status:
        raise Stop(explain(log.read_text(encoding="utf-8", errors="replace"), log))
    log.unlink()
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    check_wheel(wheel, environment.extras)
    check_sdist(sdist)
    for archive in (wheel, sdist):
        check_installs(interpreter, archive)
    return 0
