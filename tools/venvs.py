"""Virtual environments of the checkout, one per interpreter, with fastprims installed in place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venv"
NOT_COPIED = (
    ".git",
    ".venv",
    "build",
    "_build",
    "dist",
    "bench-results",
    "*.so",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
)

# The folders that a build puts into the package beside its modules; see setup.py.
BUILT_FOLDERS = ("include", "lib")

# A build with one of these set is a separate build, with its own folder and copy of the tree.
KNOBS = (
    "FASTPRIMS_ATOMICS",
    "FASTPRIMS_CACHELINE",
    "FASTPRIMS_SANITIZE",
    "CC",
    "CFLAGS",
    "LDFLAGS",
)

# Written so that an old interpreter, too, can run it as far as telling its version.
PROBE = """
import json, platform, sys, sysconfig
try:
    import ensurepip, venv
    can = True
except ImportError:
    can = False
given = sysconfig.get_config_var("CONFIG_ARGS") or ""
kinds = [kind for kind in ("address", "thread") if "--with-%s-sanitizer" % kind in given]
print(json.dumps([platform.python_implementation(), platform.python_version(),
                  bool(sysconfig.get_config_var("Py_GIL_DISABLED")), platform.machine(),
                  sysconfig.get_config_var("EXT_SUFFIX"), can, list(sys.version_info[:2]),
                  getattr(sys, "base_prefix", ""), "".join(kinds)]))
"""


class Stop(Exception):
    """Ends the run; the user sees only the message."""


def say(text: str) -> None:
    print(f"dev.py: {text}", flush=True)


def run(command: Sequence[str | Path], cwd: Path = ROOT, env: dict[str, str] | None = None) -> int:
    """Run in the foreground; returns the exit status."""
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, check=False
    ).returncode


def run_logged(
    command: Sequence[str | Path], log: Path, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> None:
    """Run a command that installs or builds; Stop with the reason, from its output, if it fails."""
    with log.open("w", encoding="utf-8") as output:
        status = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status:
        raise Stop(explain(log.read_text(encoding="utf-8", errors="replace"), log))


@dataclass(frozen=True)
class Interpreter:
    path: str
    version: str
    free_threaded: bool
    machine: str
    suffix: str
    """of its extension modules"""
    prefix: str
    """where it is installed: tells two of the same version apart, whatever their names"""
    sanitizer: str
    """the sanitizer that instruments the interpreter itself: "address", "thread", or nothing"""

    @property
    def tag(self) -> str:
        kind = f"{'t' if self.free_threaded else ''}-{self.machine}"
        return f"cpython-{self.version}{kind}{self.sanitizer and '-' + self.sanitizer}"


def inspect(python: str) -> Interpreter:
    """The properties of this interpreter; Stop if it cannot be used."""
    try:
        answer = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, check=True)
        answers = json.loads(answer.stdout)
        kind, version, free, machine, suffix, can, (major, minor), prefix, sanitizer = answers
    except (OSError, subprocess.CalledProcessError, ValueError):
        raise Stop(f"{python} is not a Python interpreter that runs here.") from None
    if kind != "CPython" or (major, minor) < (3, 10):
        raise Stop(f"fastprims needs CPython 3.10 or newer; {python} is {kind} {version}.")
    if not can:
        raise Stop(
            f"{python} has no venv or ensurepip module. On Debian and Ubuntu: "
            f"apt-get install python3-venv (or python{major}.{minor}-venv)"
        )
    return Interpreter(python, version, free, machine, suffix, prefix, sanitizer)


def tool_path(name: str, *arguments: str) -> str | None:
    """The path that this script of tools/ prints; nothing if it prints none, or no shell is here."""
    command = ["bash", str(ROOT / "tools" / name), *arguments]
    try:
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() or None


def find_free_threaded(*which: str) -> str | None:
    """A free-threaded interpreter that is installed already; builds nothing.

    `which` are arguments of tools/freethreaded-python, as "3.15t" or "--asan"; none: 3.14t first.
    """
    if which or shutil.which("bash"):
        return tool_path("freethreaded-python", "--find", *which)
    return os.environ.get("FASTPRIMS_FREETHREADED_PYTHON")


def _knobs(extra: dict[str, str]) -> dict[str, str]:
    merged = {**os.environ, **extra}
    return {name: merged[name] for name in KNOBS if merged.get(name)}


class Environment:
    """A virtual environment with fastprims and some of its extras."""

    def __init__(
        self, interpreter: Interpreter, extras: Sequence[str], knobs: dict[str, str] | None = None
    ) -> None:
        self.interpreter = interpreter
        # hdrhistogram, in `bench`, would switch the GIL back on; see pyproject.toml.
        names = {"report" if e == "bench" and interpreter.free_threaded else e for e in extras}
        if interpreter.free_threaded and interpreter.version < "3.14":
            names.discard("raw")  # cffi does not install there
        self.extras = sorted(names)
        self.env = _knobs(knobs or {})
        suffix = "".join(f"-{_slug(name, value)}" for name, value in self.env.items())
        self.folder = VENVS / (interpreter.tag + suffix)
        self.tree = self.folder / "tree" if self.env else ROOT
        self.python = self.python_of(self.folder)

    @staticmethod
    def python_of(venv: Path) -> Path:
        return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def ensure(self, current: bool = True) -> Path:
        """Create or refresh it if necessary; returns its interpreter.

        With current=False an old build of fastprims will do: for tools that only read the sources.
        """
        with self.lock():
            if not self._usable_venv():
                say(f"creating {self.folder.relative_to(ROOT)}")
                self._create()
            if not self._has_extras() or (current and not self._up_to_date()):
                self._install()
        return self.python

    def lock(self) -> contextlib.AbstractContextManager[None]:
        self.folder.parent.mkdir(exist_ok=True)
        return _lock(VENVS / f"{self.folder.name}.lock")

    def pip(self, *arguments: str | Path) -> None:
        """Run pip; Stop with the reason if it fails."""
        command = [self.python, "-m", "pip", "--no-input", *arguments]
        run_logged(command, self.folder / "pip.log", cwd=self.tree, env=self.env)

    @property
    def _stamp(self) -> Path:
        return self.folder / "fastprims.json"

    def _read_stamp(self) -> dict[str, object]:
        try:
            stamp: dict[str, object] = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp

    def _usable_venv(self) -> bool:
        stamp = self._read_stamp()
        return self.python.exists() and stamp.get("prefix") == self.interpreter.prefix

    def _create(self) -> None:
        answer = subprocess.run(
            [self.interpreter.path, "-m", "venv", "--clear", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            reason = (answer.stderr or answer.stdout).strip().splitlines() or ["no reason given"]
            raise Stop(f"{self.interpreter.path} could not create {self.folder}: {reason[-1]}")
        self._write_stamp({"prefix": self.interpreter.prefix})

    def _write_stamp(self, stamp: dict[str, object]) -> None:
        self._stamp.write_text(json.dumps(stamp, indent=1), encoding="utf-8")

    def _has_extras(self) -> bool:
        installed = self._read_stamp().get("extras")
        return isinstance(installed, list) and set(self.extras) <= set(installed)

    def _up_to_date(self) -> bool:
        stamp = self._read_stamp()
        if stamp.get("sources") != fingerprint(ROOT) or stamp.get("modules") != self._modules():
            return False
        if self.tree != ROOT:  # only a copy needs this: otherwise Python files are used in place
            self._copy_tree(keep_modules=True)
        return True

    def _modules(self) -> dict[str, list[int]]:
        """The state of the compiled modules: another build may have replaced them."""
        found = sorted((self.tree / "fastprims").rglob(f"*{self.interpreter.suffix}"))
        package = self.tree / "fastprims"
        return {
            file.relative_to(package).as_posix(): [file.stat().st_mtime_ns, file.stat().st_size]
            for file in found
        }

    def _copy_tree(self, keep_modules: bool) -> None:
        kept = {}
        if keep_modules:
            package = self.tree / "fastprims"
            folders = [name for name in BUILT_FOLDERS if (package / name).is_dir()]
            for name in [*self._modules(), *folders]:
                kept[name] = self.folder / f"kept-{name.replace('/', '-')}"
                shutil.move(package / name, kept[name])
        if self.tree.exists():
            shutil.rmtree(self.tree)
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for name in BUILT_FOLDERS:  # those of another build
            shutil.rmtree(self.tree / "fastprims" / name, ignore_errors=True)
        for name, place in kept.items():
            shutil.move(place, self.tree / "fastprims" / name)

    def _install(self) -> None:
        if self.tree != ROOT:
            self._copy_tree(keep_modules=False)
        stamp = self._read_stamp()
        before = stamp.get("extras")
        extras = sorted({*self.extras, *(before if isinstance(before, list) else [])})
        for name in self._modules():  # one that has moved since would be found in the old place
            (self.tree / "fastprims" / name).unlink()
        sources = fingerprint(ROOT)  # before, so that an edit during the build is noticed next time
        target = f".[{','.join(extras)}]" if extras else "."
        say(f"installing {target} for {self.interpreter.tag}")
        # One at a time: they all write the package's metadata and its C library into the tree.
        with _lock(VENVS / "install.lock"):
            # Wheels first: if a newer release has none for this interpreter, an older one will do.
            self.pip("install", "--prefer-binary", "--editable", target)
        self._write_stamp(
            {
                "prefix": self.interpreter.prefix,
                "sources": sources,
                "extras": extras,
                "modules": self._modules(),
            }
        )


def _slug(name: str, value: str) -> str:
    short = name.removeprefix("FASTPRIMS_").lower()
    return f"{short}-{hashlib.sha256(value.encode()).hexdigest()[:6]}"


def fingerprint(tree: Path) -> str:
    """A hash of everything that the compiled modules and the dependencies are made from."""
    files = [tree / "pyproject.toml", tree / "setup.py", *sorted((tree / "csrc").rglob("*.[ch]"))]
    package = tree / "fastprims"
    files += [
        file
        for file in sorted(package.rglob("*"))
        if file.suffix in (".pyx", ".pxi", ".pxd", ".c", ".h")
        # A build puts these there: in a new checkout, they would ask for a second one.
        and file.relative_to(package).parts[0] not in BUILT_FOLDERS
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(tree)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """A lock for two runs at once: the second one waits, and finds everything ready."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


OFFLINE = re.compile(
    r"\(from versions: none\)|name resolution|NewConnectionError|ConnectTimeout|"
    r"ReadTimeout|Max retries|Network is unreachable|ProxyError"
)

COMPILE_ERROR = re.compile(
    r"^\s*(?:error: )?(\S+\.(?:pyx|pxd|[ch]):\d+:\d+: (?!warning|note).+)$", re.MULTILINE
)


def explain(output: str, log: Path) -> str:
    """The essential sentence of pip's output."""
    if ours := re.findall(r"^\s*(?:error: )?fastprims: (.+)$", output, re.MULTILINE):
        return str(ours[-1])
    errors = re.findall(r"^\s*(?:ERROR|error): (.+)$", output, re.MULTILINE)
    wanted = re.findall(r"No matching distribution found for (.+)$", output, re.MULTILINE)
    if OFFLINE.search(output):
        needed = f" to download {wanted[-1]}" if wanted else ""
        return (
            f"pip could not reach a package index{needed}; check the network and pip's settings "
            f"(pip config list). Its output is in {log}"
        )
    if mistakes := COMPILE_ERROR.findall(output):
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        return f"fastprims does not compile: {mistakes[0]}{more}; see {log}"
    reason = errors[-1] if errors else "no reason given"
    return f"pip failed ({reason}); its output is in {log}"


def this_interpreter() -> Interpreter:
    return inspect(sys.executable)
