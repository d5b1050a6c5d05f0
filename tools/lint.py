"""The static checks, one per language and question."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.venvs import ROOT, Environment, Interpreter, Stop, run, say

PYTHON = ["dev.py", "setup.py", "bench", "examples", "fastprims", "tests", "tools", "docs"]

WARNINGS = shlex.split(
    "-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wwrite-strings "
    "-Wstrict-prototypes -Wmissing-prototypes -Wdouble-promotion -Wformat=2 -Werror"
)

# Each of these options compiles other lines of csrc/.
C_BUILDS = {
    "atomics": ["-DFP_PLAIN=0"],
    "plain": ["-DFP_PLAIN=1"],
    "no 16-byte compare-and-swap": ["-DFP_PLAIN=0", "-DFP_CAS16=0"],
    "no fences by the kernel": ["-DFP_PLAIN=0", "-DFP_LIGHT=0"],
    "16-byte lines": ["-DFP_PLAIN=0", "-DFP_CACHELINE=16"],
    "delays at the interesting points": ["-DFP_PLAIN=0", "-DFP_TEST_STEPS"],
}

# Not the other way round: names that only the modules have are private.
STUBTEST = ["--concise", "--ignore-missing-stub", "--ignore-disjoint-bases"]
STUBTEST += ["--allowlist", str(ROOT / "tools" / "stubtest-allowed")]

WORKFLOWS = ".github/workflows"

LINK = re.compile(r"\]\(<?([^)#>\s]+)")


class Tools:
    """The programs of the environment that lint.main prepared."""

    def __init__(self, python: Path, fix: bool) -> None:
        self.python = python
        self.fix = fix
        # Some of these programs start others by name.
        self.env = {"PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])}

    def __call__(self, name: str, *arguments: str | Path) -> bool:
        return run([self.python.with_name(name), *arguments], env=self.env) == 0

    def module(self, name: str, *arguments: str | Path) -> bool:
        return run([self.python, "-m", name, *arguments], env=self.env) == 0


def _c_files(*folders: str) -> list[Path]:
    found = (file for folder in folders for file in (ROOT / folder).rglob("*.[ch]"))
    return sorted(file for file in found if "build" not in file.relative_to(ROOT).parts)


def python_format(tools: Tools) -> bool:
    """ruff format: the layout of Python code"""
    return tools("ruff", "format", *([] if tools.fix else ["--check", "--quiet"]), *PYTHON)


def python_lint(tools: Tools) -> bool:
    """ruff: mistakes in Python code"""
    scripts = _scripts("python3?")  # ruff does not format these: some contain tables
    return tools("ruff", "check", *(["--fix"] if tools.fix else []), *PYTHON, *scripts)


def types(tools: Tools) -> bool:
    """mypy --strict: the package, the benchmark and the tools"""
    return tools.module("mypy", "fastprims", "bench", "tools", "dev.py")


def stubs(tools: Tools) -> bool:
    """stubtest: the .pyi files say what the compiled modules do"""
    return tools.module(
        "mypy.stubtest", *STUBTEST, "--mypy-config-file", "pyproject.toml", "fastprims"
    )


def user_types(tools: Tools) -> bool:
    """mypy and pyright: what the stubs promise to a user's program"""
    program = "tests/stubs/program.py"
    good = tools.module("mypy", "--strict", program)
    return tools("basedpyright", "--project", "tests/stubs/pyrightconfig.json") and good


def cython(tools: Tools) -> bool:
    """cython-lint: mistakes and layout in .pyx, .pxi and .pxd files"""
    files = sorted(f for f in (ROOT / "fastprims").rglob("*") if f.suffix in CYTHON)
    return tools("cython-lint", *files)


def c_format(tools: Tools) -> bool:
    """clang-format: the layout of C code"""
    how = ["-i"] if tools.fix else ["--dry-run", "--Werror"]
    return tools(
        "clang-format", *how, *_c_files("csrc", "fastprims", "tests/c", "examples", "bench")
    )


def c_warnings(tools: Tools) -> bool:
    """gcc and clang, if they are installed: csrc/ in all its builds, warnings are errors"""
    named = os.environ.get("CC")
    compilers = [named] if named else [name for name in ("gcc", "clang") if shutil.which(name)]
    if not compilers:
        raise Stop("no C compiler found (Debian: apt-get install build-essential)")
    good = True
    for compiler in compilers:
        for title, options in C_BUILDS.items():
            command = [*shlex.split(compiler), "-std=c11", "-O2", "-Icsrc", "-c", "-o", os.devnull]
            command += [*WARNINGS, *options, *_wide_swap(compiler, options)]
            for file in sorted((ROOT / "csrc").rglob("*.c")):
                if run([*command, file.relative_to(ROOT)]):
                    say(f"{compiler}, {title}: {file.name}")
                    good = False
    return good


def _wide_swap(compiler: str, options: list[str]) -> list[str]:
    """-mcx16, if the target has it and this build uses it."""
    if "-DFP_CAS16=0" in options:
        return []
    answer = subprocess.run(
        [*shlex.split(compiler), "-dumpmachine"], capture_output=True, text=True, check=False
    )
    return ["-mcx16"] if answer.stdout.startswith("x86_64") else []


def shell(tools: Tools) -> bool:
    """shellcheck: the shell scripts"""
    return tools("shellcheck", "--severity=warning", *_scripts("(ba)?sh"))


def _scripts(language: str) -> Iterator[Path]:
    """The files without an ending whose first line names this interpreter."""
    first_line = re.compile(rf"#!.*\b{language}\n".encode())
    for folder in (".ci", "tools", "tests/c", "tests/c/explore", "tests/litmus"):
        for file in sorted((ROOT / folder).iterdir()):
            if file.is_file() and not file.suffix and first_line.match(file.read_bytes()):
                yield file


# The wings that a wing may use, besides itself. Includes and imports only go downwards.
BELOW: dict[str, set[str]] = {"base": set()}
BELOW["wait"] = {"base"}
BELOW["reclaim"] = BELOW["wait"] | {"wait"}
BELOW["atomics"] = BELOW["limits"] = BELOW["reclaim"] | {"reclaim"}
BELOW["queues"] = BELOW["limits"] | {"limits"}
BELOW["maps"] = BELOW["reclaim"] | {"reclaim"}
BELOW["shm"] = BELOW["capi"] = BELOW["wait"] | {"wait", "queues"}
# In fastprims/, a wing also uses the wing of csrc/ of the same name.
BELOW["_common"] = BELOW["reclaim"] | {"reclaim", "queues", "maps"}  # declared in core.pxd
for wing in ("_atomics", "_limits", "_maps", "_shm"):
    BELOW[wing] = {"_common", wing[1:]}
BELOW["_queues"] = {"_common", "_atomics", "queues"}
BELOW["_aio"] = {"_common", "_atomics", "_queues"}
BELOW["_raw"] = {"_common", "capi"}
CYTHON = {".pyx", ".pxi", ".pxd"}
USES = re.compile(r'(?:#include|cdef extern from) "(\w+)/|(?:from|import) fastprims\.(_\w+)[. ]')


def schemas(tools: Tools) -> bool:
    """check-jsonschema: the workflows, the forms for issues, the citation file"""
    forms = ROOT / ".github" / "ISSUE_TEMPLATE"
    config = forms / "config.yml"
    files = {
        "citation-file-format": [ROOT / "CITATION.cff"],
        "github-issue-config": [config],
        "github-issue-forms": sorted(set(forms.glob("*.yml")) - {config}),
        "github-workflows": sorted((ROOT / WORKFLOWS).glob("*.yml")),
    }
    options = ["--quiet", "--force-filetype", "yaml", "--builtin-schema"]
    answers = [
        tools("check-jsonschema", *options, f"vendor.{name}", *found)
        for name, found in files.items()
    ]
    return all(answers)


def workflows(tools: Tools) -> bool:
    """zizmor: what could be misused in the workflows"""
    return tools("zizmor", "--offline", "-q", WORKFLOWS)


def layers(tools: Tools) -> bool:
    """csrc/ and fastprims/: a wing uses only wings below it"""
    good = True
    endings = CYTHON | {".c", ".h", ".py"}
    for file in sorted([*(ROOT / "csrc").rglob("*"), *(ROOT / "fastprims").rglob("*")]):
        wing = file.parent.name
        if file.suffix not in endings or wing not in BELOW:
            continue  # the modules on top use all wings
        for include, module in USES.findall(file.read_text(encoding="utf-8")):
            used = include or module
            if used in BELOW and used != wing and used not in BELOW[wing]:
                print(f"{file.relative_to(ROOT)}: {wing}/ may not use {used}/")
                good = False
    return good


def links(tools: Tools) -> bool:
    """the files that Markdown files link to exist"""
    good = True
    folders = ("csrc", "docs", "fastprims", "tests")
    documents = [*ROOT.glob("*.md"), *(f for name in folders for f in (ROOT / name).rglob("*.md"))]
    documents = [file for file in documents if "_build" not in file.parts]
    for document in documents:
        for target in LINK.findall(document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                print(f"{document.relative_to(ROOT)}: there is no {target}")
                good = False
    return good


CHECKS: dict[str, Callable[[Tools], bool]] = {
    "python-format": python_format,
    "python": python_lint,
    "types": types,
    "stubs": stubs,
    "user-types": user_types,
    "cython": cython,
    "c-format": c_format,
    "c": c_warnings,
    "layers": layers,
    "shell": shell,
    "links": links,
    "schemas": schemas,
    "workflows": workflows,
}


def main(interpreter: Interpreter, names: list[str], only_list: bool, fix: bool) -> int:
    if only_list:
        for name, check in CHECKS.items():
            print(f"{name:15} {check.__doc__}")
        return 0
    if unknown := set(names) - set(CHECKS):
        raise Stop(f"no such check: {', '.join(sorted(unknown))} (--list: which there are)")
    chosen = names or list(CHECKS)
    environment = Environment(interpreter, ["dev", "test", "bench", "raw"])
    tools = Tools(environment.ensure(current="stubs" in chosen), fix)
    failed = []
    for name in chosen:
        print(f"--- {name}: {CHECKS[name].__doc__}", flush=True)
        if not CHECKS[name](tools):
            failed.append(name)
    say(f"lint: {'failed: ' + ', '.join(failed) if failed else 'all checks passed'}")
    return int(bool(failed))
