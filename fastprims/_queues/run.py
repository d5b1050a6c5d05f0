"""python -m fastprims run: runs a program as the interpreter would, with install() first."""

from __future__ import annotations

import io
import os
import pkgutil
import runpy
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType

from fastprims._queues.install import install_as

__all__ = ["USAGE", "run"]

USAGE = "usage: python -m fastprims run {program.py | -m module | -c code} [argument ...]"


def run(arguments: list[str]) -> int:
    """Run the program that the arguments name, in a __main__ of its own. Exceptions of the program
    propagate, SystemExit included. Returns the exit status: 0, or 2 if there is none to run.
    """
    kind, rest = "", arguments
    if arguments[:1] in (["-m"], ["-c"]):
        kind, rest = arguments[0], arguments[1:]
    if not rest or (not kind and rest[0].startswith("-")):
        asked = arguments[:1] in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    install_as("python -m fastprims run")
    # As with `python program.py`, the module is never restored: threads may outlive this call, and
    # pickle looks names up in it.
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    name = rest[0]
    sys.argv[:] = [kind or name, *rest[1:]]
    if kind == "-m":
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]
    elif kind == "-c":
        exec(compile(name, "<string>", "exec", dont_inherit=True), main.__dict__)  # noqa: S102
    elif pkgutil.get_importer(name) is not None:  # a folder or an archive, with a __main__.py
        _first_on_path(os.path.abspath(name), always=True)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
    else:
        return _run_file(name, main)
    return 0


def _run_file(name: str, main: ModuleType) -> int:
    try:
        with io.open_code(os.path.abspath(name)) as file:
            data = file.read()
    except OSError as error:
        print(f"fastprims: can't open {name!r}: {error.strerror}", file=sys.stderr)
        return 2  # as the interpreter
    _first_on_path(os.path.dirname(os.path.realpath(name)))
    main.__file__ = path = os.path.abspath(name)
    main.__loader__ = SourceFileLoader("__main__", path)
    code = pkgutil.read_code(io.BytesIO(data))
    if code is None:
        code = compile(data, path, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102
    return 0


def _first_on_path(folder: str, always: bool = False) -> None:
    """Replaces the current folder, if `python -m` has put that in sys.path; else inserts `folder`
    if `always`."""
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path[0] = folder
    elif always:
        sys.path.insert(0, folder)
