"""The live view: one progress bar per interpreter, and each case's result as it arrives."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.report.tables import format_ns, format_ratio

REFRESHES_PER_SECOND = 3  # drawing takes a core away from the measurement


class LiveDisplay:
    """Listens to the workers' events; use as a context manager around the session."""

    def __init__(self, console: Console, pythons: list[str], latency: bool) -> None:
        self._console = console
        self._latency = latency
        self._native: TaskID | None = None
        self._expected = 1
        self._finished = 0
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[now]}"),
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._tasks: dict[str, TaskID] = {
            python: self._progress.add_task(python, total=1.0, start=False, now="waiting")
            for python in pythons
        }

    def __enter__(self) -> LiveDisplay:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show_native(self, title: str, done: float) -> None:
        """Progress of the measurements without an interpreter."""
        if self._native is None:
            self._native = self._progress.add_task("no interpreter", total=1.0, now="")
        self._progress.update(self._native, completed=done, now=title)

    def __call__(self, python: str, event: dict[str, Any]) -> None:
        task = self._tasks[python]
        name = event["event"]
        if name == "start":
            self._finished = 0
            self._expected = event["records"] + (2 if self._latency else 0)
            self._progress.start_task(task)
            self._progress.update(task, description=event["environment"]["name"], now="starting")
        elif name == "progress":
            done = (self._finished + 0.98 * event["done"]) / self._expected
            self._progress.update(task, completed=done, now=f"{event['title']} · {event['kind']}")
        elif name == "case":
            self._finished += 1
            self._progress.update(task, completed=self._finished / self._expected)
            self._progress.console.print(case_line(event["record"]), soft_wrap=True)
        elif name == "end":
            self._progress.update(task, completed=1.0, now="done")
            self._progress.stop_task(task)


def case_line(record: dict[str, Any]) -> Text:
    """One finished case: the best contender of either library, and the first ratio."""
    ranked = sorted(record["contenders"], key=lambda contender: float(contender["median"]))
    parts = []
    for side in ("stdlib", "fastprims"):
        for best in [c for c in ranked if c["side"] == side][:1]:  # the library may have none
            parts.append(f"{best['key']} {format_ns(best['median'])}")
    first = record["ratios"][0]
    line = Text(f"  {record['key']:<15}{record['kind']:<7}", style="bold")
    line.append(f"{' · '.join(parts)}   ", style="not bold")
    line.append(
        f"{first['contender']} {format_ratio(first['median'])} as fast as {first['baseline']}",
        style="not bold green" if first["median"] >= 1 else "not bold yellow",
    )
    return line
