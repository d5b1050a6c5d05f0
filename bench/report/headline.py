"""speed.svg: the few ratios that the README shows."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.figure import Figure

from bench.report.picture import FASTPRIMS_COLOUR, GRID, INK, MUTED, NOTE_LETTERS, PAPER
from bench.report.tables import format_ratio
from bench.run.case import FRESH

COLOURS = (FASTPRIMS_COLOUR, "#3b6fb6", "#8a5fb0")
WIDTH = 9.5
BAR_INCHES = 0.21

# The case; who over whom; and that in words.
SHOWN = (
    ("pair", "fastprims.Queue", "queue.Queue", "Queue over queue.Queue: one thread"),
    ("1x1", "fastprims.Queue", "queue.Queue", "1 producer, 1 consumer"),
    ("4x4", "fastprims.Queue", "queue.Queue", "4 producers, 4 consumers"),
    ("100x100", "fastprims.Queue", "queue.Queue", "100 producers, 100 consumers"),
    ("ping-pong", "fastprims.Queue", "queue.Queue", "ping-pong"),
    ("1x1", "fastprims.SimpleQueue", "queue.SimpleQueue", "SimpleQueue: 1 producer, 1 consumer"),
    ("batch-64", "fastprims.Queue", "queue.SimpleQueue", "batches over queue.SimpleQueue"),
    ("counter-4", "fastprims.AtomicInt", "int + Lock", "AtomicInt over int + Lock: 4 threads"),
    ("pool", "fastprims.ObjectPool", "LifoQueue pool", "ObjectPool over a LifoQueue"),
    ("map-mix-10-2", "fastprims.Ctrie", "dict + Lock", "Ctrie over dict + Lock: 2 threads"),
    (
        "map-snapshot",
        "fastprims.Ctrie, 5,000 keys",
        "dict.copy()",
        "snapshot over dict.copy(), 5,000",
    ),
)


def _ratio(result: dict[str, Any], key: str, ours: str, theirs: str) -> float | None:
    for case in result["cases"]:
        if case["key"] == key and case["kind"] == FRESH:
            for ratio in case["ratios"]:
                if (ratio["contender"], ratio["baseline"]) == (ours, theirs):
                    return float(ratio["median"])
    return None


def _rows(results: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    """The words and ratios of each case that was measured."""
    interpreters = results["interpreters"]
    rows = [(words, [_ratio(result, *row) for result in interpreters]) for *row, words in SHOWN]
    return [(words, ratios) for words, ratios in rows if any(ratios)]


def headline(results: dict[str, Any]) -> Figure:
    interpreters, rows = results["interpreters"], _rows(results)
    step = len(interpreters) + 0.7
    note = textwrap.fill(_note(results), int(WIDTH * NOTE_LETTERS))
    above, below = 0.95, 0.17 * (note.count("\n") + 1) + 0.45
    height = above + below + BAR_INCHES * step * len(rows)
    figure = pyplot.figure(figsize=(WIDTH, height), facecolor=PAPER)
    axes = figure.add_axes((0.31, below / height, 0.62, 1 - (above + below) / height))
    for place, (_, ratios) in enumerate(rows):
        for n, ratio in enumerate(ratios):
            if ratio is None:
                continue
            y = place * step + n
            axes.barh(y, ratio, left=0, height=0.84, color=COLOURS[n % len(COLOURS)], zorder=2)
            axes.annotate(
                format_ratio(ratio),
                (max(ratio, 1.0), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=9.5,
                color=INK,
            )
    middle = (len(interpreters) - 1) / 2
    axes.set_yticks([n * step + middle for n in range(len(rows))], [words for words, _ in rows])
    axes.set_xscale("log")
    highest = max(ratio for _, ratios in rows for ratio in ratios if ratio is not None)
    axes.set_xlim(0.5, max(highest, 2.0) * 2)
    axes.set_ylim(len(rows) * step - 0.9, -0.8)
    axes.axvline(1, color=MUTED, linewidth=1, zorder=3)
    axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=INK)
    axes.tick_params(axis="x", which="both", length=0, labelsize=9.5, labelcolor=MUTED)
    axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}×")
    axes.xaxis.set_minor_formatter(lambda value, position: "")
    axes.grid(axis="x", which="major", color=GRID, linewidth=0.9, zorder=0)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    _write_around(figure, results, note)
    return figure


def _write_around(figure: Figure, results: dict[str, Any], note: str) -> None:
    width, height = figure.get_size_inches()
    left = 0.15 / width
    figure.text(
        left,
        1 - 0.12 / height,
        "How many times as fast as the standard library (log scale)",
        va="top",
        fontsize=15,
        fontweight="bold",
        color=INK,
    )
    for n, result in enumerate(results["interpreters"]):
        figure.text(
            left + n * 3.1 / width,
            1 - 0.5 / height,
            f"\N{BLACK SQUARE} {result['environment']['name']}",
            va="top",
            fontsize=10.5,
            color=COLOURS[n % len(COLOURS)],
        )
    figure.text(left, 0.1 / height, note, va="bottom", fontsize=9.5, color=MUTED)


def _note(results: dict[str, Any]) -> str:
    environment = results["interpreters"][0]["environment"]
    command = " ".join(["python3 dev.py compare", *_effort(results)])
    return (
        f"Medians of the rounds' ratios, new objects as items. {command}, {results['date'][:10]}, "
        f"fastprims {environment['fastprims_version']}, {environment['cpu']}, "
        f"{environment['cores']} cores, {environment['system'].partition(' ')[0]}."
    )


def _effort(results: dict[str, Any]) -> list[str]:
    name = results["effort"]["name"]
    return [] if name == "default" else [f"--{name}"]


def draw_headline(results: dict[str, Any], path: Path) -> None:
    if not _rows(results):  # --only has left them all out
        return
    figure = headline(results)
    # The same results give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "fastprims"}):
        figure.savefig(path, facecolor=PAPER, metadata={"Date": None})
    pyplot.close(figure)
