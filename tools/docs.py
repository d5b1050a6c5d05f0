"""The reference as HTML, from the docstrings; and the Python code in README and guide, run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tools.venvs import ROOT, Environment, Interpreter, run, say

OUTPUT = ROOT / "docs" / "_build"
WITH_CODE = ["README.md", "docs/guide.md"]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT = 60.0
"""Seconds for one block of code; a block that hangs is a failure."""


def run_code(python: Path, document: Path) -> bool:
    """Run each block by itself, as a reader would run a copy of it."""
    good = True
    text = document.read_text(encoding="utf-8")
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "block.py")
            file.write_text(block[1], encoding="utf-8")
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
                failure = answer.stderr if answer.returncode else ""
            except subprocess.TimeoutExpired:
                failure = f"still running after {LIMIT:g} s"
        if failure:
            print(f"{document.relative_to(ROOT)}:{line}: {failure}")
            good = False
    return good


def main(interpreter: Interpreter) -> int:
    python = Environment(interpreter, ["docs", "raw"]).ensure()
    good = [run_code(python, ROOT / name) for name in WITH_CODE]
    status = run([python, "-m", "pdoc", "--output-directory", OUTPUT, "fastprims"])
    if status == 0:
        say(f"reference: {OUTPUT.relative_to(ROOT)}/index.html")
    return status or int(not all(good))
