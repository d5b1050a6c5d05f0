"""comparison.png: every case at a glance, one panel per interpreter."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from bench.report.tables import format_ns, format_ratio, memory_line
from bench.run.case import BASELINE, FRESH

INK, MUTED, GRID, PAPER = "#1f2933", "#6b7785", "#e3e7ec", "#ffffff"
STDLIB_COLOUR, FASTPRIMS_COLOUR, SLOWER_COLOUR = "#a9b4c0", "#0e8a7d", "#c2571a"
COLUMN_AT = (1.06, 1.17)  # where the columns of ratios stand, as fractions of a panel's width
GROUP_GAP = 1.7  # rows between two groups, the upper one holding the group's title
HEADING_LINE = 0.75  # rows that a line of a column's heading takes
ROW_INCHES = 0.235
PANEL_INCHES = 7.0
TITLE_LETTERS, NOTE_LETTERS = 6.6, 13.0  # that fit into an inch of the picture's width


@dataclass(frozen=True)
class Row:
    """One bar: its place and its labels."""

    y: float
    name: str
    ours: bool
    median: float
    q1: float
    q3: float
    speedups: tuple[float | None, ...]


@dataclass(frozen=True)
class Group:
    title: str
    y: float
    rows: tuple[Row, ...]
    references: dict[str, str]


def _contenders(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The contenders to draw: for a class that was measured in two ways, the non-blocking one."""
    keys = {contender["key"] for contender in case["contenders"]}
    return [
        contender
        for contender in case["contenders"]
        if contender["side"] != BASELINE and f"{contender['key']} try_*" not in keys
    ]


def _speedups(case: dict[str, Any], contender: str) -> tuple[float | None, ...]:
    found = {r["baseline"]: r["median"] for r in case["ratios"] if r["contender"] == contender}
    return tuple(found.get(reference) for reference in _references(case))


def _references(case: dict[str, Any]) -> dict[str, str]:
    """Over whom the columns of ratios are, and in which words."""
    return {c["key"]: c["over"] for c in case["contenders"] if c["over"]}


def layout(result: dict[str, Any]) -> list[Group]:
    """The panel's groups from top to bottom, with fresh items if those were measured."""
    by_key: dict[str, dict[str, Any]] = {}
    for case in result["cases"]:
        if case["kind"] == FRESH or case["key"] not in by_key:
            by_key[case["key"]] = case
    chosen = [key for key, case in by_key.items() if case["pictured"]] or list(by_key)
    groups: list[Group] = []
    y = 0.0
    for key in chosen:
        case = by_key[key]
        y += _room_for_headings(groups, _references(case))
        title_y, rows = y, []
        for contender in _contenders(case):
            y += 1
            rows.append(
                Row(
                    y,
                    contender["key"],
                    contender["side"] == "fastprims",
                    contender["median"],
                    contender["q1"],
                    contender["q3"],
                    _speedups(case, contender["key"]),
                )
            )
        unit = "" if case["unit"] == "item" else f" (per {case['unit']})"
        groups.append(Group(case["title"] + unit, title_y, tuple(rows), _references(case)))
        y += GROUP_GAP
    return groups


def _room_for_headings(above: list[Group], references: dict[str, str]) -> float:
    """Rows between the group above and the title, since the columns' headings stand there."""
    if above and above[-1].references == references:
        return 0.0
    lines = max((words.count("\n") + 1 for words in references.values()), default=1)
    return (lines - 1) * HEADING_LINE


def _draw_row(axes: Axes, row: Row) -> None:
    colour = FASTPRIMS_COLOUR if row.ours else STDLIB_COLOUR
    axes.barh(row.y, row.median, height=0.78, color=colour, zorder=2)
    axes.plot([row.q1, row.q3], [row.y, row.y], color=INK, alpha=0.55, linewidth=1.1, zorder=3)
    axes.annotate(
        format_ns(row.median),
        (max(row.median, row.q3), row.y),
        xytext=(5, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=9.5,
        color=INK,
        zorder=4,
    )
    for at, speedup in zip(COLUMN_AT[: len(row.speedups)], row.speedups, strict=True):
        if speedup is not None:
            axes.annotate(
                format_ratio(speedup),
                (at, row.y),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center_baseline",
                fontsize=9.5,
                fontweight="bold",
                color=FASTPRIMS_COLOUR if round(speedup, 2) >= 1 else SLOWER_COLOUR,
            )


def _draw_heading(axes: Axes, group: Group, titled: bool) -> None:
    axes.annotate(
        group.title,
        (0, group.y),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=11,
        fontweight="bold",
        color=INK,
    )
    titles = list(group.references.values()) if titled else []
    for at, title in zip(COLUMN_AT[: len(titles)], titles, strict=True):
        axes.annotate(
            title,
            (at, group.y + 0.4),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=9,
            color=MUTED,
        )


def _draw_panel(axes: Axes, result: dict[str, Any], limits: tuple[float, float]) -> None:
    environment, groups = result["environment"], layout(result)
    rows = [row for group in groups for row in group.rows]
    axes.set_xscale("log")
    axes.set_xlim(limits)
    axes.set_ylim(rows[-1].y + 0.9, -0.9)
    above = None
    for group in groups:
        _draw_heading(axes, group, group.references != above)
        above = group.references
        for row in group.rows:
            _draw_row(axes, row)
    axes.set_yticks([row.y for row in rows], [row.name for row in rows], fontsize=9.5)
    for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set_color(FASTPRIMS_COLOUR if row.ours else MUTED)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", which="both", length=0, labelsize=9.5, labelcolor=MUTED)
    axes.xaxis.set_major_formatter(lambda value, position: format_ns(value))
    axes.grid(axis="x", which="major", color=GRID, linewidth=0.9, zorder=0)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(environment["name"], loc="left", fontsize=14, fontweight="bold", color=INK)


def _limits(results: dict[str, Any]) -> tuple[float, float]:
    """One scale for all panels, with room at the right for the longest bar's labels."""
    times = [
        time
        for result in results["interpreters"]
        for group in layout(result)
        for row in group.rows
        for time in (row.q1, row.median, row.q3)
    ]
    low, high = min(times), max(times)
    return low / 2.2, high * (high / low) ** 0.12


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the whole comparison into a file; its ending (.png, .svg) says in which format."""
    figure = picture(results)
    figure.savefig(path, dpi=130, facecolor=PAPER)
    pyplot.close(figure)


def picture(results: dict[str, Any]) -> Figure:
    interpreters = results["interpreters"]
    tallest = max(layout(result)[-1].rows[-1].y for result in interpreters)
    width = 2.2 + PANEL_INCHES * len(interpreters)
    title = "Time per item: fastprims beside the standard library (log scale, shorter is faster)"
    if len(title) > width * TITLE_LETTERS:
        title = title.replace(" (", "\n(")
    note = "\n".join(
        textwrap.fill(line, int(width * NOTE_LETTERS)) for line in _note(results).splitlines()
    )
    # The title has a row of its own, above the legend, which is another.
    above = 0.34 * (title.count("\n") + 1) + 0.45
    below = 0.17 * (note.count("\n") + 1) + 0.15
    figure, panels = pyplot.subplots(
        1,
        len(interpreters),
        figsize=(width, above + below + 0.8 + ROW_INCHES * (tallest + 1.8)),
        squeeze=False,
        facecolor=PAPER,
    )
    height = figure.get_size_inches()[1]
    figure.set_layout_engine(
        ConstrainedLayoutEngine(
            w_pad=0.12, h_pad=0.12, rect=(0, below / height, 1, 1 - (above + below) / height)
        )
    )
    limits = _limits(results)
    for index, (axes, result) in enumerate(zip(panels[0], interpreters, strict=True)):
        _draw_panel(axes, result, limits)
        if index and _same_rows(interpreters, index):
            axes.set_yticklabels([])
    left = 0.12 / width
    figure.text(
        left,
        1 - 0.12 / height,
        title,
        va="top",
        fontsize=17,
        fontweight="bold",
        color=INK,
    )
    figure.text(left, 0.1 / height, note, va="bottom", fontsize=9.5, color=MUTED)
    legend = figure.legend(
        handles=[
            Patch(color=FASTPRIMS_COLOUR, label="fastprims"),
            Patch(color=STDLIB_COLOUR, label="standard library and others"),
        ],
        loc="upper left",
        bbox_to_anchor=(left, 1 - (above - 0.4) / height),
        borderaxespad=0,
        borderpad=0,
        ncols=2,
        frameon=False,
        fontsize=11,
        labelcolor=INK,
    )
    legend.set_in_layout(False)
    return figure


def _note(results: dict[str, Any]) -> str:
    first = results["interpreters"][0]
    environment, memory = first["environment"], first.get("memory")
    return (
        f"Medians of alternating rounds ({_steady(results['interpreters'])}); thin line: "
        f"interquartile range; right: how many times as fast.\n"
        f"Fresh (not immortal) items; between threads and for batches bound 1024, SimpleQueue "
        f"unbounded; try_*: try_put and try_get.\n"
        + (f"Maps: {memory_line(memory)}.\n" if memory else "")
        + f"{environment['cpu']}, {environment['cores']} cores, {environment['system']}; "
        f"fastprims {environment['fastprims_version']}; {results['date'][:10]}; "
        f"effort: {results['effort']['name']}"
    )


def _steady(interpreters: list[dict[str, Any]]) -> str:
    """The number of measured cases in which the rounds went on until their ratios agreed."""
    cases = [case for result in interpreters for case in result["cases"]]
    steady = sum(case["ended_by"] == "spread" for case in cases)
    return f"spread below {cases[0]['spread_bound']:.0%} in {steady} of {len(cases)} measurements"


def _same_rows(interpreters: list[dict[str, Any]], index: int) -> bool:
    def names(result: dict[str, Any]) -> list[str]:
        return [row.name for group in layout(result) for row in group.rows]

    return names(interpreters[index]) == names(interpreters[0])
