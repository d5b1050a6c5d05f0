"""python -m fastprims run: programs that start with the replacement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.isolate import child_env


def run_program(
    *arguments: str | Path, cwd: Path, options: tuple[str, ...] = (), input: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-m", "fastprims", "run", *map(str, arguments)],
        cwd=cwd,
        env=child_env(),
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
    )


def plain(*arguments: str | Path, cwd: Path, options: tuple[str, ...] = ()) -> list[str]:
    """The same without fastprims."""
    command = [sys.executable, *options, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=child_env(), capture_output=True, text=True, timeout=60
    )
    return [done.stdout, str(done.returncode)]


TELL = """
import sys, queue
names = set(dir()) - {"__annotations__", "__cached__"}  # which come and go with the versions
print(sys.argv, __name__, __file__, __package__, sys.path[0], sorted(names))
print(__spec__ and __spec__.name, __doc__, __builtins__ is __import__("builtins"))
print(sys.modules["__main__"].__dict__ is globals(), sys.warnoptions, sys.flags.dev_mode)
def f(x: Missing): pass  # our own __future__ is not the program's
"""


@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-X", "dev"), ("-I",)])
def test_a_program_sees_what_it_would_see_without(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Only the classes differ. An isolated interpreter keeps the program's folder off the path."""
    if options == ("-I",) and not find_fastprims_isolated(tmp_path):
        pytest.skip("an isolated interpreter does not find fastprims here")
    folder = tmp_path / "a folder"
    (folder / "pack").mkdir(parents=True)
    for name in ("program.py", "pack/__main__.py", "pack/part.py", "pack/__init__.py"):
        (folder / name).write_text(TELL.replace(": Missing", ""), encoding="utf-8")
    for arguments in (
        ("a folder/program.py", "-x", "--", "run"),
        (folder / "program.py",),
        ("a folder/pack", "one"),
    ):
        done = run_program(*arguments, cwd=tmp_path, options=options)
        expected = plain(*arguments, cwd=tmp_path, options=options)
        assert [done.stdout, str(done.returncode)] == expected
    if options != ("-I",):
        for arguments in (("-m", "pack.part", "-m", "x"), ("-m", "pack", "y")):
            done = run_program(*arguments, cwd=folder, options=options)
            expected = plain(*arguments, cwd=folder, options=options)
            assert [done.stdout, str(done.returncode)] == expected


def find_fastprims_isolated(folder: Path) -> bool:
    command = [sys.executable, "-I", "-c", "import fastprims"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def test_the_program_has_the_replacement_from_its_first_line(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from queue import Queue\nprint(Queue.__module__)", encoding="utf-8")
    assert run_program(program, cwd=tmp_path).stdout == "fastprims\n"
    assert run_program("-m", "program", cwd=tmp_path).stdout == "fastprims\n"
    code = "import queue, sys; print(queue.LifoQueue.__module__, sys.argv)"
    assert run_program("-c", code, "a", cwd=tmp_path).stdout == "fastprims ['-c', 'a']\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit('text')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -2),
        ("import os; os._exit(3)", 3),
        ("def f(x: missing): pass", 0 if sys.version_info >= (3, 14) else 1),
        ("this is no Python", 1),
        ("import atexit; atexit.register(print, 'at exit'); raise SystemExit(2)", 2),
    ],
)
def test_exit_statuses_are_those_without(tmp_path: Path, code: str, status: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    done = run_program(program, cwd=tmp_path)
    assert [done.stdout, str(done.returncode)] == plain(program, cwd=tmp_path)
    if status >= 0 or sys.platform != "win32":
        assert done.returncode == status, done.stderr


@pytest.mark.parametrize("arguments", [(), ("-m",), ("missing.py",), ("-x", "y")])
def test_nothing_to_run_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_program(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage:" in done.stderr or "missing.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_thread_that_outlives_the_main_code_still_has_its_names(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import threading, time, pickle\n"
        "class Thing: pass\n"
        "def later():\n"
        "    time.sleep(0.3)\n"
        "    print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)\n"
        "threading.Thread(target=later).start()\n",
        encoding="utf-8",
    )
    assert run_program(program, cwd=tmp_path).stdout == "True\n"


CHILDREN = """
import multiprocessing, queue, sys
from queue import Queue

class Sub(Queue):
    pass

def work(_):
    import fastprims
    info = fastprims.build_info()
    return queue.SimpleQueue.__module__, Sub.__mro__[1].__module__, info["installed_by"], sys.argv

if __name__ == "__main__":
    for method in multiprocessing.get_all_start_methods():
        with multiprocessing.get_context(method).Pool(1) as pool:
            print(*pool.map(work, [0])[0])
"""


def test_processes_that_multiprocessing_starts_have_the_replacement(tmp_path: Path) -> None:
    """Sub is made again in the child, by the import of the program: before that it must be there."""
    program = tmp_path / "program.py"
    program.write_text(CHILDREN, encoding="utf-8")
    for arguments in ((program, "x"), ("-m", "program", "x")):
        done = run_program(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines, done.stderr
        for line in lines:
            assert line.startswith("fastprims fastprims "), done.stdout
            assert line.endswith("program.py', 'x']")
