"""dev.py docs: code that does not do what a page says is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # at the end: the installed fastprims goes first

from tools import docs
from tools.venvs import Stop

PAGE = """# Title

```python
assert 1 + 1 == {sum}
```

    not run
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    return tmp_path / "page.md"


def test_code_that_is_right_passes(page: Path) -> None:
    page.write_text(PAGE.format(sum=2), encoding="utf-8")
    assert docs.run_code(Path(sys.executable), [page])


def test_code_that_fails_is_named_by_its_line(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page.write_text(PAGE.format(sum=3), encoding="utf-8")
    assert not docs.run_code(Path(sys.executable), [page])
    printed = capsys.readouterr().out
    assert "page.md:3: " in printed and "AssertionError" in printed


def test_code_that_hangs_is_a_failure(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "LIMIT", 0.3)
    text = PAGE.replace("assert 1 + 1 == {sum}", "import time\ntime.sleep(30)")
    page.write_text(text, encoding="utf-8")
    assert not docs.run_code(Path(sys.executable), [page])


def test_code_that_would_not_be_run_is_refused(page: Path) -> None:
    page.write_text("- a list\n\n  ```python\n  assert False\n  ```\n", encoding="utf-8")
    with pytest.raises(Stop, match="indented"):
        docs.run_code(Path(sys.executable), [page])


def test_a_page_without_code_alone_is_not_a_success(page: Path) -> None:
    page.write_text("# Title\n", encoding="utf-8")
    assert not docs.run_code(Path(sys.executable), [page])


def test_every_page_and_the_readme_are_read() -> None:
    names = {file.relative_to(ROOT).as_posix() for file in docs.documents()}
    assert {"README.md", "docs/tutorial.md", "docs/howto/full-queue.md"} <= names
    assert not any("_build" in name for name in names)
