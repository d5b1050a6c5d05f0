#!/usr/bin/env python3
"""Builds, tests and measures fastprims in environments of its own; needs nothing but Python.

python3 dev.py compare [--quick|--full]   the benchmark: fastprims beside the standard library
python3 dev.py test [pytest arguments]    the test suite; --python PATH: under another interpreter
python3 dev.py lint [check ...]           formatters, linters, type checkers (--list, --fix)
python3 dev.py docs                       the documentation site: runs its code, builds, tests it
python3 dev.py build                      sdist, and the wheel of each Python here; tries them
python3 dev.py verify [job ...]           slow checks (--list: which)
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - an older Python may be the one that is started
    found = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"dev.py: fastprims needs Python 3.10 or newer; this is {found}.")

import argparse
from collections.abc import Callable
from pathlib import Path

from tools import docs, lint, matrix, packaging, verify
from tools.venvs import (
    ROOT,
    Environment,
    Interpreter,
    Stop,
    find_free_threaded,
    inspect,
    run,
    say,
)


def compare(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    extras = ["bench", "peers", "raw"] if options.peers else ["bench", "raw"]
    environment = Environment(interpreter, extras)
    python = environment.ensure()
    command: list[str | Path] = [python, "-m", "bench", "--out", options.out.resolve()]
    other = None if interpreter.free_threaded else find_free_threaded()
    if other:
        command += ["--also", Environment(inspect(other), extras[1:]).ensure()]
    elif not interpreter.free_threaded:
        say("no free-threaded Python here (tools/freethreaded-python builds one); left out")
    if options.effort:
        command.append(f"--{options.effort}")
    status = run([*command, *rest], cwd=environment.tree)
    results = [options.out / name for name in ("comparison.png", "results.json")]
    if status == 0 and all(file.is_file() for file in results):
        say(f"picture: {_shown(results[0])}   figures: {_shown(results[1])}")
    return status


def _shown(path: Path) -> Path:
    path = path.resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def test(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    environment = Environment(interpreter, ["test", "bench", "raw"])
    python = environment.ensure()
    return run([python, "-m", "pytest", *rest], cwd=environment.tree)


def run_lint(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    return lint.main(interpreter, options.names, options.list, options.fix)


def run_docs(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    return docs.main(interpreter)


def build(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    found = [] if options.only else [matrix.find(v, interpreter) for v in matrix.VERSIONS]
    others = [other for other in found if other is not None and other != interpreter]
    return packaging.main([interpreter, *others])


def run_verify(interpreter: Interpreter, options: argparse.Namespace, rest: list[str]) -> int:
    return verify.main(interpreter, options.names, options.list, options.minutes)


Command = Callable[[Interpreter, argparse.Namespace, list[str]], int]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(metavar="command", required=True)

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        tool = {"compare": "python -m bench", "test": "pytest"}.get(name)
        more = f"Other arguments go to {tool}." if tool else None
        sub = commands.add_parser(name, allow_abbrev=False, description=more)
        sub.add_argument("--python", default=sys.executable, metavar="PATH")
        sub.set_defaults(command=command, passes_on=tool is not None)
        return sub

    comparing = add("compare", compare)
    effort = comparing.add_mutually_exclusive_group()
    for name in ("quick", "full"):
        effort.add_argument(f"--{name}", dest="effort", action="store_const", const=name)
    comparing.add_argument(
        "--peers",
        action="store_true",
        help="also beside other packages' atomics, maps and queues (installs them)",
    )
    comparing.add_argument("--out", type=Path, default=ROOT / "bench-results")
    add("test", test)
    for name, command in (("lint", run_lint), ("verify", run_verify)):
        chooses = add(name, command)
        chooses.add_argument("names", nargs="*", metavar="name")
        chooses.add_argument("--list", action="store_true", help="show the names and stop")
        if name == "lint":
            chooses.add_argument("--fix", action="store_true", help="what a tool can, it corrects")
        else:
            chooses.add_argument("--minutes", type=float, help="of chaos and chaos-races (60)")
    add("docs", run_docs)
    building = add("build", build)
    building.add_argument(
        "--only", action="store_true", help="only this interpreter's wheel, not one for each here"
    )
    return top


def main() -> int:
    top = parser()
    options, rest = top.parse_known_args()
    if rest and not options.passes_on:
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        command: Command = options.command
        return command(inspect(options.python), options, rest)
    except Stop as reason:
        print(f"dev.py: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
