"""What `import fastprims` brings along, and what it must not touch."""

from __future__ import annotations

import sysconfig

import pytest
from support.isolate import run_child

# Each of these costs milliseconds, or drags in packages that do.
HEAVY = {
    "asyncio",
    "concurrent.futures",
    "contextlib",
    "ctypes",
    "dataclasses",
    "email",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "multiprocessing",
    "numpy",
    "pathlib",
    "re",
    "socket",
    "subprocess",
    "tempfile",
    "typing",
    "unittest",
}


def imported(name: str) -> list[str]:
    """The modules an import adds to those of the bare interpreter with `queue` in it."""
    import importlib
    import queue
    import sys

    before = set(sys.modules)
    importlib.import_module(name)
    del queue
    return sorted(set(sys.modules) - before)


def test_importing_brings_in_nothing_heavy() -> None:
    gained = run_child(imported, "fastprims")
    assert not HEAVY & set(gained), gained
    gained = run_child(imported, "fastprims.queue")
    assert not HEAVY & set(gained), gained
    # `math` may be a package that brings parts of its own.
    others = [name for name in gained if not name.startswith(("fastprims", "math."))]
    assert len(others) <= 5, others


def gil_after_import() -> bool:
    import sys

    import fastprims
    import fastprims.queue

    fastprims.Queue().put(1)
    return sys._is_gil_enabled()


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this interpreter has a GIL"
)
def test_importing_leaves_the_gil_off() -> None:
    assert run_child(gil_after_import) is False
    assert run_child(gil_after_import, options=("-W", "error")) is False


def side_effects() -> list[str]:
    """Threads started, signal handlers changed, or the switch interval moved by the import."""
    import signal
    import sys
    import threading

    numbers = range(1, signal.NSIG)
    handlers = {n: signal.getsignal(n) for n in numbers}
    interval = sys.getswitchinterval()
    import fastprims

    q = fastprims.Queue()
    q.put(1)
    q.get()
    found = []
    if threading.active_count() != 1:
        found.append("threads")
    if {n: signal.getsignal(n) for n in numbers} != handlers:
        found.append("signal handlers")
    if sys.getswitchinterval() != interval:
        found.append("switch interval")
    return found


def test_importing_has_no_side_effects() -> None:
    assert run_child(side_effects) == []


def in_subinterpreter() -> str:
    """A second interpreter either gets a working module or a clear ImportError."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    import fastprims

    fastprims.Queue().put(1)
    code = "import fastprims; q = fastprims.Queue(); q.put(1); assert q.get() == 1"
    other = interpreters.create()
    try:
        failure = interpreters.run_string(other, f"try:\n    {code}\nexcept ImportError: pass")
        return "" if failure is None else str(failure)
    finally:
        interpreters.destroy(other)


def test_a_subinterpreter_is_served_or_refused_without_a_crash() -> None:
    assert run_child(in_subinterpreter) == ""


def records_within_the_import() -> tuple[list[str], list[str]]:
    """A finalizer may run in the middle of any import, of that of the records too.

    Answers with the imports that one ran in, and with the classes of all records.
    """
    import gc
    import sys

    import fastprims

    q: fastprims.Queue[int] = fastprims.Queue()
    q.put(1)
    made = []

    class Looks:
        def __del__(self) -> None:
            made.append(q.stats())

    interrupted = []

    class Finder:
        @staticmethod
        def find_spec(name: str, *rest: object) -> None:
            if name in ("fastprims._stats", "dataclasses", "inspect") and name not in interrupted:
                interrupted.append(name)
                Looks()
                gc.collect()

    sys.meta_path.insert(0, Finder)
    made.append(q.stats())
    assert all(s.puts == s.size == 1 and not s.open for s in made), made
    return interrupted, [type(s).__name__ for s in made]


def test_a_finalizer_within_the_import_of_the_records_gets_its_record() -> None:
    interrupted, kinds = run_child(records_within_the_import)
    assert {"fastprims._stats", "dataclasses"} <= {*interrupted}  # not every version needs inspect
    assert len(kinds) == 1 + len(interrupted)
    assert kinds[-1] == "QueueStats"
