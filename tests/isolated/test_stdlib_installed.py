"""CPython's own tests of what is built on `queue`, with the replacement installed.

Those that take long are left to `dev.py verify stdlib`, which sets FASTPRIMS_STDLIB=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import unittests
from support.isolate import child_env

PROGRAM = Path(unittests.__file__)
LIMIT = 900.0


@dataclass(frozen=True)
class Suite:
    modules: tuple[str, ...]
    patterns: tuple[str, ...] = ("",)
    """Parts of the ids of the tests to run."""
    least: int = 1
    """So many must pass, or the patterns have missed what they are for."""
    slow: bool = False


MANAGERS = ("WithManagerTestQueue", "WithManagerTestPool", "WithManagerTestMyManager")
MANAGERS += (
    "TestSyncManagerTypes",
    "WithManagerTestManagerRestart",
    "WithManagerTestRemoteManager",
)
SUITES = {
    "sched": Suite(("test.test_sched",), least=5),
    "queue": Suite(("test.test_queue",), least=30, slow=True),
    "logging": Suite(("test.test_logging",), ("Queue",), least=5),
    "asyncio": Suite(("test.test_asyncio.test_threads",), least=3),
    "executor": Suite(
        ("test.test_concurrent_futures",), ("ThreadPoolExecutorTest", "ThreadPoolInit"), least=10
    ),
    "dummy": Suite(("test.test_multiprocessing_fork",), ("WithThreadsTestQueue",), least=3),
    "manager": Suite(("test.test_multiprocessing_fork",), ("WithManagerTestQueue",), least=3),
    "logging, all": Suite(("test.test_logging",), least=100, slow=True),
    "executor, all": Suite(("test.test_concurrent_futures",), ("ThreadPool",), 40, slow=True),
    "executor, processes": Suite(
        ("test.test_concurrent_futures",), ("ProcessPoolForkProcessPool",), slow=True
    ),
    "asyncio, loops": Suite(
        ("test.test_asyncio.test_base_events", "test.test_asyncio.test_events")
        + ("test.test_asyncio.test_runners", "test.test_asyncio.test_queues"),
        least=100,
        slow=True,
    ),
    "socketserver": Suite(("test.test_socketserver",), slow=True),
    "threading": Suite(("test.test_threading", "test.test_threading_local"), least=50, slow=True),
    "pulldom": Suite(("test.test_urllib2_localnet", "test.test_xmlrpc"), slow=True),
}
for _method in ("fork", "spawn", "forkserver"):
    _module = (f"test.test_multiprocessing_{_method}",)
    SUITES[f"dummy, {_method}"] = Suite(_module, ("WithThreads",), 40, slow=True)
    SUITES[f"manager, {_method}"] = Suite(_module, MANAGERS, 10, slow=True)
ALL = bool(os.environ.get("FASTPRIMS_STDLIB"))


def outcomes(
    installed: bool, modules: list[str], patterns: list[str], folder: Path
) -> tuple[dict[str, str], str]:
    """Each test's outcome, and the output."""
    file = folder / "outcomes.json"
    file.unlink(missing_ok=True)
    how = ["-m", "fastprims", "run"] if installed else []
    command = [sys.executable, "-W", "ignore", *how, str(PROGRAM), str(file), ",".join(patterns)]
    done = subprocess.run(
        [*command, *modules],
        cwd=folder,
        env=child_env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT,
    )
    assert file.exists(), done.stdout[-5000:]
    return json.loads(file.read_text(encoding="utf-8")), done.stdout


@pytest.mark.timeout(2 * LIMIT)
@pytest.mark.parametrize("name", SUITES)
def test_the_standard_library_goes_on_as_before(name: str, tmp_path: Path) -> None:
    """What fails is tried again, with both: some tests need more than this machine has, or luck."""
    suite = SUITES[name]
    if suite.slow and not ALL:
        pytest.skip("takes long; dev.py verify stdlib")
    modules = [module for module in suite.modules if _there(module)]
    if not modules:
        pytest.skip("the interpreter does not have these tests")
    results, output = outcomes(True, modules, list(suite.patterns), tmp_path)
    assert list(results.values()).count("passed") >= suite.least, output[-5000:]
    for _ in range(3):
        failed = [test for test, outcome in results.items() if outcome == "failed"]
        if not failed:
            return
        names = [test.rpartition(" ")[2].strip("()") for test in failed]
        standard, _ = outcomes(False, modules, names, tmp_path)
        again, output = outcomes(True, modules, names, tmp_path)
        results = {test: again.get(test, "") for test in failed if standard.get(test) == "passed"}
    assert not [test for test, outcome in results.items() if outcome == "failed"], output[-9000:]


def _there(module: str) -> bool:
    if module == unittests.FORKING:
        module = "test._test_multiprocessing"  # of which unittests.py makes it
    return unittests.is_there(module)
