"""The tables of the native measurements, and their picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.native.contenders import FASTPRIMS
from bench.report.tables import format_ns, format_ratio


def _cases(native: dict[str, Any]) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = native["cases"]
    return cases


def times_table(native: dict[str, Any]) -> Table:
    """Median time per item: a row per contender, a column per case."""
    trip = native["round_trip_ns"]
    limit = "" if trip is None else f"; a cache line to the other core and back: {format_ns(trip)}"
    table = Table(
        title=f"no interpreter: C threads, capacity {_cases(native)[0]['capacity']}\n"
        f"median time per item; bold: fastest of the column{limit}",
        caption="–: the program did not come to its end",
        box=box.SIMPLE_HEAD,
        title_style="bold",
        caption_style="dim",
    )
    table.add_column("contender", no_wrap=True)
    for case in _cases(native):
        table.add_column(case["title"].replace(", ", "\n"), justify="right")
    for key, ours in _contenders(native).items():
        cells = [_time_cell(case, key) for case in _cases(native)]
        table.add_row(Text(key, style="cyan" if ours else ""), *cells)
    return table


def _contenders(native: dict[str, Any]) -> dict[str, bool]:
    """All contenders, fastprims' first; and for each, whether it is one of these."""
    found = {
        c["key"]: c["side"] == FASTPRIMS for case in _cases(native) for c in case["contenders"]
    }
    found |= {key: False for case in _cases(native) for key in case["unfinished"]}
    return dict(sorted(found.items(), key=lambda item: not item[1]))


def _time_cell(case: dict[str, Any], key: str) -> Text:
    medians = {c["key"]: c["median"] for c in case["contenders"]}
    if key in case["unfinished"]:
        return Text("–")
    if key not in medians:
        return Text("")
    fastest = medians[key] == min(medians.values())
    return Text(format_ns(medians[key]), style="bold" if fastest else "")


def ratios_table(native: dict[str, Any]) -> Table:
    """How many times as fast, with the goals."""
    table = Table(
        title="no interpreter: times as fast (median of the rounds' ratios, ± half the "
        "interquartile range)",
        caption="* the rounds ended by the limit, before the spread was below "
        f"{_cases(native)[0]['spread_bound']:.0%}",
        box=box.SIMPLE_HEAD,
        title_style="bold",
        caption_style="dim",
    )
    for title in ("case", "contender", "over"):
        table.add_column(title, no_wrap=True)
    table.add_column("ratio", justify="right")
    table.add_column("goal", justify="right")
    for case in _cases(native):
        table.add_section()
        for row in case["ratios"]:
            mark = {None: " ", True: "✓", False: "✗"}[row["reached"]]
            star = " " if case["ended_by"] == "spread" else "*"
            half = (row["q3"] - row["q1"]) / 2
            style = {None: "", True: "green", False: "red"}[row["reached"]]
            table.add_row(
                case["title"],
                row["contender"],
                row["baseline"],
                Text(f"{format_ratio(row['median'])} ± {half:.2g}{star} {mark}", style=style),
                "" if row["goal"] is None else format_ratio(row["goal"]),
            )
    return table


def layers_table(result: dict[str, Any], native: dict[str, Any] | None) -> Table:
    """The share of each layer in the nanoseconds of a call, from C outwards."""
    table = Table(
        title=f"{result['environment']['name']}: what a call costs, one thread",
        box=box.SIMPLE_HEAD,
        title_style="bold",
    )
    table.add_column("layer", no_wrap=True)
    table.add_column("time", justify="right")
    for name, median in [
        *_pairs_in_c(native),
        *((r["layer"], r["median"]) for r in result["layers"]),
    ]:
        table.add_row(name, format_ns(median))
    return table


def _pairs_in_c(native: dict[str, Any] | None) -> Iterator[tuple[str, float]]:
    for case in native["cases"] if native else ():
        if not case["producers"]:
            for contender in case["contenders"]:
                if contender["side"] == FASTPRIMS:
                    yield f"C: {contender['key']}, put + get", contender["median"]


def print_native(console: Console, results: dict[str, Any]) -> None:
    """The tables, and what was left out."""
    native = results.get("native")
    for result in results["interpreters"]:
        if result.get("layers"):
            console.print(layers_table(result, native))
    if native is None:
        return
    if native["cases"]:
        console.print(times_table(native))
        console.print(ratios_table(native))
    for reason in native["skipped"]:
        console.print(f"[yellow]skipped:[/] {reason}")


def draw_native(native: dict[str, Any], path: Path) -> None:
    """A panel per case: bars of the medians, each panel with its own scale."""
    from matplotlib import pyplot

    from bench.report.picture import FASTPRIMS_COLOUR, INK, MUTED, PAPER, STDLIB_COLOUR

    cases = _cases(native)
    heights = [len(case["contenders"]) + 1.5 for case in cases]
    figure, panels = pyplot.subplots(
        len(cases),
        1,
        figsize=(9.5, 0.28 * sum(heights) + 1.2),
        squeeze=False,
        layout="constrained",
        facecolor=PAPER,
        gridspec_kw={"height_ratios": heights},
    )
    for axes, case in zip(panels[:, 0], cases, strict=True):
        rows = sorted(case["contenders"], key=lambda c: float(c["median"]))
        longest = max(row["median"] for row in rows)
        for y, row in enumerate(rows):
            ours = row["side"] == FASTPRIMS
            axes.barh(y, row["median"], color=FASTPRIMS_COLOUR if ours else STDLIB_COLOUR)
            axes.annotate(
                format_ns(row["median"]),
                (row["median"], y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=INK,
            )
        axes.set_yticks(range(len(rows)), [row["key"] for row in rows], fontsize=9)
        axes.set_xlim(0, longest * 1.15)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_title(case["title"], loc="left", fontsize=11, fontweight="bold", color=INK)
    trip = native["round_trip_ns"]
    limit = "" if trip is None else f"; a cache line to the other core and back: {format_ns(trip)}"
    figure.suptitle(
        f"Time per item between C threads, without an interpreter (shorter is faster){limit}",
        x=0.01,
        ha="left",
        fontsize=11,
        color=MUTED,
    )
    figure.savefig(path, dpi=130, facecolor=PAPER)
    pyplot.close(figure)
