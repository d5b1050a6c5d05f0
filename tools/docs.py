"""The documentation site: its code is run, it is built, and a browser reads it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.venvs import ROOT, VENVS, Environment, Interpreter, Stop, run, say

SOURCES = ROOT / "docs"
OUTPUT = SOURCES / "_build" / "html"
REQUIREMENTS = SOURCES / "requirements.txt"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 60.0
"""Seconds for one block of code; a block that hangs is a failure."""


def documents() -> list[Path]:
    """What has code for readers to copy."""
    pages = sorted(f for f in SOURCES.rglob("*.md") if "_build" not in f.parts)
    return [ROOT / "README.md", *pages]


class SiteEnvironment(Environment):
    """The generator and the browser's driver, in pinned versions; fastprims comes from the tree.

    They have an environment of their own, so that what they pin is nobody else's concern.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__(interpreter, [])
        self.folder = VENVS / f"docs-{interpreter.tag}"
        self.python = self.python_of(self.folder)

    def ensure(self, current: bool = True) -> Path:
        wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
        with self.lock():
            if not self._usable_venv():
                say(f"creating {self.folder.relative_to(ROOT)}")
                self._create()
            if self._read_stamp().get("requirements") != wanted:
                say(f"installing {REQUIREMENTS.relative_to(ROOT)} for {self.interpreter.tag}")
                self.pip("install", "--prefer-binary", "--requirement", REQUIREMENTS)
                self._write_stamp({"prefix": self.interpreter.prefix, "requirements": wanted})
        return self.python


def run_block(python: Path, place: str, code: str) -> str:
    """Run the block by itself, as a reader would run a copy of it. Returns what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "block.py")
        file.write_text(code, encoding="utf-8")
        try:
            answer = subprocess.run(
                [str(python), "-W", "error", str(file)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{place}: still running after {LIMIT:g} s"
        return f"{place}: {answer.stderr}" if answer.returncode else ""


def run_code(python: Path, files: list[Path]) -> bool:
    blocks = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        found = list(FENCE.finditer(text))
        if len(found) != text.count("```python"):
            raise Stop(f"{file.relative_to(ROOT)} has indented code, which would not be run")
        for block in found:
            line = text.count("\n", 0, block.start()) + 1
            blocks.append((f"{file.relative_to(ROOT)}:{line}", block[1]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda block: run_block(python, *block), blocks))
    failures = [answer for answer in answers if answer]
    print(*failures, sep="\n", end="\n" if failures else "")
    say(f"code: {len(blocks)} blocks, {len(failures)} failed")
    return bool(blocks) and not failures


def build(python: Path) -> bool:
    if OUTPUT.exists():
        shutil.rmtree(OUTPUT)
    doctrees = OUTPUT.parent / "doctrees"
    command: list[str | Path] = [python, "-m", "sphinx", "-q", "-E", "-b", "html"]
    command += ["--fail-on-warning", "--keep-going", "-d", doctrees, SOURCES, OUTPUT]
    good = run(command, env={"PYTHONPATH": str(ROOT)}) == 0
    if good:
        say(f"site: {OUTPUT.relative_to(ROOT)}/index.html")
    return good


def browser() -> str | None:
    """The path of a Chromium, which tools/chromium finds or obtains; None: there is none."""
    try:
        answer = subprocess.run(
            [str(ROOT / "tools" / "chromium")], stdout=subprocess.PIPE, text=True, check=False
        )
    except OSError:
        return None
    return answer.stdout.strip() or None


def check(python: Path) -> bool:
    chromium = browser()
    if chromium is None and os.environ.get("CI"):
        say("the site's tests need a Chromium; see the message above")
        return False
    env = {"PYTHONPATH": str(ROOT), "FASTPRIMS_SITE": str(OUTPUT)}
    if chromium:
        env["FASTPRIMS_CHROMIUM"] = chromium
    # The suite's own conftest.py is for another environment.
    options = ["-q", "-p", "no:cacheprovider", "--confcutdir=tests/documentation"]
    return run([python, "-m", "pytest", *options, "tests/documentation"], env=env) == 0


def main(interpreter: Interpreter) -> int:
    if tuple(map(int, interpreter.version.split(".")[:2])) < (3, 11):
        raise Stop(f"the site's generator needs Python 3.11 or newer, not {interpreter.version}")
    python = Environment(interpreter, ["metrics", "raw"]).ensure()
    site = SiteEnvironment(interpreter).ensure()
    good = [run_code(python, documents()), build(site)]
    if good[1]:
        good.append(check(site))
    return int(not all(good))
