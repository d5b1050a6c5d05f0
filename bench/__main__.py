"""``python -m bench``: measure, show the tables, write results.json and comparison.png."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench import shm
from bench.run.runner import DEFAULT, FULL, QUICK
from bench.suite import OTHERS, SUITE, unknown_names, wants


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="fastprims' queues beside queue.Queue, queue.SimpleQueue and deque.",
    )
    effort = parser.add_mutually_exclusive_group()
    for choice, text in ((QUICK, "seconds, wide spread"), (FULL, "longer, tighter, with latency")):
        effort.add_argument(
            f"--{choice.name}", dest="effort", action="store_const", const=choice, help=text
        )
    parser.set_defaults(effort=DEFAULT)
    parser.add_argument(
        "--out", type=Path, default=Path("bench-results"), help="folder for the results"
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="PYTHON",
        help="another interpreter with fastprims installed, measured after this one (repeatable)",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CASE",
        help=f"cases to run, as a pattern; also {', '.join(OTHERS)}",
    )
    parser.add_argument(
        "--native",
        action="store_true",
        help="also what needs no interpreter: C threads, C and C++ peers (included in --full)",
    )
    parser.add_argument(
        "--shm",
        action="store_true",
        help="also between processes (Linux; included in --full)",
    )
    parser.add_argument(
        "--redraw", type=Path, metavar="RESULTS", help="only draw and print an earlier results.json"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if unknown := unknown_names(options.only):
        known = ", ".join([*(case.key for case in SUITE), *OTHERS])
        print(f"no case matches {' '.join(unknown)}; there are {known}", file=sys.stderr)
        return 2
    try:
        from rich.console import Console

        from bench.native.report import draw_native, print_native
        from bench.report.display import LiveDisplay
        from bench.report.headline import draw_headline
        from bench.report.picture import draw
        from bench.report.tables import print_report, write_json
    except ImportError as missing:
        print(f"the report needs {missing.name}: pip install 'fastprims[report]'", file=sys.stderr)
        return 2
    from bench.session import WorkerFailure, run_session

    console = Console(width=None if sys.stdout.isatty() else 150)
    if options.redraw:
        results: dict[str, Any] = json.loads(options.redraw.read_text(encoding="utf-8"))
    else:
        pythons = [sys.executable, *options.also]
        native = options.native or wants("native", options.effort, options.only)
        try:
            with LiveDisplay(
                console, pythons, wants("latency", options.effort, options.only)
            ) as display:
                results = run_session(
                    pythons,
                    options.effort,
                    display,
                    only=options.only,
                    arguments=arguments,
                    native=display.show_native if native else None,
                )
        except WorkerFailure as failure:
            console.print(f"[bold red]failed:[/] {failure}", highlight=False)
            return 1
    between = options.shm or wants("shm", options.effort, options.only)
    if between and not options.redraw and sys.platform == "linux":
        results["processes"] = shm.measure(shm.QUICK_SCALE if options.effort is QUICK else 1.0)
    options.out.mkdir(parents=True, exist_ok=True)
    print_report(console, results)
    print_native(console, results)
    if not options.redraw:
        write_json(results, options.out / "results.json")
    if results["interpreters"] and results["interpreters"][0]["cases"]:
        draw(results, options.out / "comparison.png")
        draw_headline(results, options.out / "speed.svg")
    if (results.get("native") or {}).get("cases"):
        draw_native(results["native"], options.out / "native.png")
    written = ", ".join(str(path) for path in sorted(options.out.iterdir()) if path.is_file())
    took = f"{results['seconds']:.0f} s; " if "seconds" in results else ""
    console.print(f"{took}in {options.out}: {written}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
