"""The pytest plugin, which installs the replacement before the tests are imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.isolate import child_env, run_child


def run_pytest(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=child_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return f"{done.stdout}{done.stderr}\nstatus {done.returncode}"


def test_the_plugin_installs_before_conftest_and_only_if_asked(tmp_path: Path) -> None:
    conftest = "import sys, queue\nfrom queue import Queue\n"
    conftest += "loaded = sorted(m for m in sys.modules if m.partition('.')[0] == 'fastprims')\n"
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    test = "import conftest, queue\n\ndef test_it():\n"
    test += "    print('class', conftest.Queue.__module__, conftest.queue.Queue.__module__)\n"
    test += "    print('loaded', len(conftest.loaded))\n"
    (tmp_path / "test_it.py").write_text(test, encoding="utf-8")
    without = run_pytest(tmp_path, "-s")
    assert "class queue queue" in without
    assert "loaded 0" in without
    assert "fastprims:" not in without
    with_it = run_pytest(tmp_path, "-s", "-p", "fastprims.pytest_plugin")
    assert "class fastprims fastprims" in with_it
    assert "fastprims: queue is fastprims's" not in without
    assert "\nfastprims: queue is fastprims" in with_it
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -p fastprims.pytest_plugin\n", encoding="utf-8"
    )
    assert "class fastprims fastprims" in run_pytest(tmp_path, "-s")


def in_process(folder: str) -> list[object]:
    import queue

    import pytest

    standard = queue.Queue
    status = pytest.main([folder, "-q", "-p", "fastprims.pytest_plugin", "-p", "no:cacheprovider"])
    seen = [int(status), queue.Queue is standard]
    import fastprims

    fastprims.install()
    pytest.main([folder, "-q", "-p", "fastprims.pytest_plugin", "-p", "no:cacheprovider"])
    return [*seen, queue.Queue is fastprims.Queue]


def test_the_plugin_takes_back_what_it_did_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import queue\ndef test_it():\n    assert queue.Queue.__module__ == 'fastprims'\n",
        encoding="utf-8",
    )
    assert run_child(in_process, str(tmp_path)) == [0, True, True]
