"""The tables and results.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench import shm
from bench.run.case import BASELINE, FASTPRIMS, KIND_TITLES, PEER, STDLIB

SIDES = (STDLIB, PEER, FASTPRIMS, BASELINE)  # from left to right


def format_ns(value: float) -> str:
    """A readable time: three significant digits and a unit."""
    for limit, scale, unit in ((1e3, 1.0, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if value < limit:
            scaled = value / scale
            return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"
    return f"{value / 1e9:.3g} s"


def format_ratio(value: float) -> str:
    """A readable ratio: two digits after the point below 10, fewer above."""
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}×"


def column_of(contender: dict[str, Any]) -> tuple[str, str]:
    """What tells its column from the others: the side, and the heading."""
    return contender["side"], contender["column"]


def has_columns(case: dict[str, Any]) -> bool:
    """Whether its contenders are those of the table of queues."""
    return any(c["column"] and c["side"] != BASELINE for c in case["contenders"])


def other_times_table(result: dict[str, Any]) -> Table | None:
    """Median time per operation of the cases that have contenders of their own."""
    cases = [case for case in result["cases"] if not has_columns(case)]
    if not cases:
        return None
    table = Table(
        title=f"{result['environment']['name']}: median time per operation; bold: fastest",
        box=box.SIMPLE_HEAD,
        title_style="bold",
    )
    for title in ("case", "contender", "time", "per"):
        table.add_column(title, justify="right" if title == "time" else "left", no_wrap=True)
    for case in cases:
        rivals = [c for c in case["contenders"] if c["key"] != "empty loop"]
        fastest = min(c["median"] for c in rivals if c["side"] != "baseline")
        for c in rivals:
            table.add_row(
                case["key"] if c is rivals[0] else "",
                Text(c["key"], style="cyan" if c["side"] == "fastprims" else ""),
                Text(format_ns(c["median"]), style="bold" if c["median"] == fastest else ""),
                case["unit"] if c is rivals[0] else "",
            )
        table.add_section()
    return table


def memory_line(memory: dict[str, Any]) -> str:
    """The memory of the maps without keys and values."""
    parts = [f"{key} {value:.0f} B" for key, value in memory["bytes_per_key"].items()]
    return f"memory per key, of {memory['keys']:,}: {', '.join(parts)}"


def times_table(result: dict[str, Any]) -> Table:
    """Median time per operation: a row per case and kind of item, a column per contender."""
    environment = result["environment"]
    table = Table(
        title=f"{environment['name']} · {environment['cores']} cores · {environment['cpu']}\n"
        "median time per item (ping-pong: per round trip); bold: fastest of the row",
        box=box.SIMPLE_HEAD,
        title_style="bold",
        padding=(0, 1),
    )
    table.add_column("case", no_wrap=True)
    table.add_column("items", no_wrap=True)
    cases = list(filter(has_columns, result["cases"]))
    found = dict.fromkeys(column_of(c) for case in cases for c in case["contenders"] if c["column"])
    columns = sorted(found, key=lambda column: SIDES.index(column[0]))
    for side, heading in columns:
        style = {FASTPRIMS: "cyan", BASELINE: "dim"}.get(side)
        table.add_column(heading, justify="right", no_wrap=True, style=style)
    previous = None
    for case in cases:
        cells = {column_of(c): c["median"] for c in case["contenders"]}
        fastest = min(c["median"] for c in case["contenders"] if c["side"] != BASELINE)
        texts = [
            Text(format_ns(cells[column]), style="bold" if cells[column] == fastest else "")
            if column in cells
            else Text("")
            for column in columns
        ]
        if previous not in (None, case["key"]):
            table.add_section()
        table.add_row(case["key"] if case["key"] != previous else "", case["kind"], *texts)
        previous = case["key"]
    return table


def named_ratios(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The case and ratio row of each named pairing, in the suite's order."""
    for case in result["cases"]:
        for row in case["ratios"]:
            if row["named"]:
                yield case, row


def ratios_table(result: dict[str, Any]) -> Table:
    """The named pairings: ratio and spread for each kind of item, and the goal if there is one."""
    rows: dict[tuple[str, str, str], dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {}
    for case, row in named_ratios(result):
        rows.setdefault((case["key"], row["contender"], row["baseline"]), {})[case["kind"]] = (
            case,
            row,
        )
    kinds = list(dict.fromkeys(case["kind"] for case in result["cases"]))
    table = Table(
        title=f"{result['environment']['name']}: times as fast "
        "(median of the rounds' ratios, ± half the interquartile range)",
        caption="* the rounds ended by the limit, before the spread was below "
        f"{result['cases'][0]['spread_bound']:.0%}",
        box=box.SIMPLE_HEAD,
        title_style="bold",
        caption_style="dim",
    )
    for title in ("case", "contender", "over"):
        table.add_column(title, no_wrap=True)
    for kind in kinds:
        table.add_column(f"{kind}: {KIND_TITLES[kind]}", justify="right", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    previous = None
    for (key, contender, baseline), by_kind in rows.items():
        if previous not in (None, key):
            table.add_section()
        cells = [_ratio_cell(*by_kind[kind]) if kind in by_kind else Text("") for kind in kinds]
        goal = next(iter(by_kind.values()))[1]["goal"]
        table.add_row(
            key if key != previous else "",
            contender,
            baseline,
            *cells,
            "" if goal is None else format_ratio(goal),
        )
        previous = key
    return table


def _ratio_cell(case: dict[str, Any], row: dict[str, Any]) -> Text:
    reached = row["reached"]
    mark = {None: " ", True: "✓", False: "✗"}[reached]
    style = {None: "", True: "green", False: "red"}[reached]
    half = (row["q3"] - row["q1"]) / 2
    star = " " if case["ended_by"] == "spread" else "*"
    return Text(f"{format_ratio(row['median'])} ± {half:.2g}{star} {mark}", style=style)


def latency_table(result: dict[str, Any]) -> Table | None:
    """Hand-off latency percentiles, if they were recorded."""
    rows = result["latency"]
    if not rows:
        return None
    names = list(rows[0]["percentiles_ns"])
    table = Table(
        title=f"{result['environment']['name']}: paced hand-off between two threads, "
        f"{rows[0]['samples']:,} samples each",
        box=box.SIMPLE_HEAD,
        title_style="bold",
    )
    table.add_column("contender", no_wrap=True)
    for name in names:
        table.add_column(f"{name} %", justify="right")
    table.add_column("max", justify="right")
    for row in rows:
        times = [format_ns(row["percentiles_ns"][name]) for name in names]
        table.add_row(row["contender"], *times, format_ns(row["max_ns"]))
    return table


def print_report(console: Console, results: dict[str, Any]) -> None:
    """Every interpreter's tables, and what was left out."""
    for result in results["interpreters"]:
        if any(map(has_columns, result["cases"])):
            console.print(times_table(result))
        others = other_times_table(result)
        if others is not None:
            console.print(others)
        if result["cases"]:
            console.print(ratios_table(result))
        latency = latency_table(result)
        if latency is not None:
            console.print(latency)
        if result.get("memory"):
            console.print(memory_line(result["memory"]), highlight=False)
        for reason in result["skipped"]:
            console.print(f"[yellow]skipped:[/] {escape(reason)}")
    if "processes" in results:
        for table in shm.tables(results["processes"]):
            console.print(table)
        for reason in results["processes"]["skipped"]:
            console.print(f"[yellow]skipped:[/] {escape(reason)}")


def write_json(results: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
