"""dev.py compiles again when a source has changed, and only then."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # at the end: the installed fastprims goes first

from tools import venvs

SOURCES = ["pyproject.toml", "setup.py", "csrc/base/a.c", "csrc/base/a.h", "fastprims/_a/ext.pyx"]
SOURCES += ["fastprims/_a/part.pxi", "fastprims/_a/a.pxd", "fastprims/_a/a.h"]


def write(tree: Path, *names: str, text: str = "") -> None:
    for name in names:
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path, *SOURCES)
    return tmp_path


def test_what_a_build_adds_changes_nothing(tree: Path) -> None:
    before = venvs.fingerprint(tree)
    write(tree, "fastprims/include/fastprims.h", "fastprims/lib/libfastprims.a")
    write(tree, "fastprims/_a/ext.so", "fastprims/_a/module.py")
    assert venvs.fingerprint(tree) == before


@pytest.mark.parametrize("name", [*SOURCES, "csrc/base/b.c", "fastprims/_a/new.pxi"])
def test_every_source_counts(tree: Path, name: str) -> None:
    before = venvs.fingerprint(tree)
    write(tree, name, text="changed")
    assert venvs.fingerprint(tree) != before
