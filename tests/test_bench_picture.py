"""The comparison's picture: what is written in it can be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("rich")

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from bench.report import picture
from bench.report.headline import headline

LONG = "a contender with quite a long name"


def contender(key: str, side: str, median: float, over: str = "") -> dict[str, Any]:
    return {
        "key": key,
        "side": side,
        "median": median,
        "q1": median * 0.9,
        "q3": median * 1.2,
        "over": over,
    }


def case(key: str, title: str, others: dict[str, str], slowest: float) -> dict[str, Any]:
    """`others` have a heading each."""
    found = [
        contender(name, "stdlib", slowest / n, over)
        for n, (name, over) in enumerate(others.items(), 1)
    ]
    ours = [contender(name, "fastprims", 30.0) for name in ("fastprims.Queue", LONG)]
    ratios = [
        {"contender": own["key"], "baseline": name, "median": slowest / 30}
        for own in ours
        for name in others
    ]
    return {
        "key": key,
        "title": title,
        "kind": "fresh",
        "pictured": True,
        "unit": "item",
        "contenders": [*ours, *found],
        "ratios": ratios,
        "ended_by": "spread",
        "spread_bound": 0.05,
    }


QUEUES = {"queue.Queue": "over\nQueue", "queue.SimpleQueue": "over\nSimple-\nQueue"}
MAPS = {"dict + Lock": "over\ndict +\nLock", "Map + Lock": "over\nMap +\nLock"}


def results(interpreters: int) -> dict[str, Any]:
    cases = [
        case("pair", "put + get, one thread", QUEUES, 12_000.0),
        case("1x1", "1 producer, 1 consumer", QUEUES, 90_000.0),
        case("map-get", "get from a map of 50,000, one thread", MAPS, 90_000.0),
        case("batch-64", "64 in, 64 out, one thread", QUEUES, 900.0),
    ]
    environment = {
        "name": "CPython 3.14.6, free-threaded",
        "cpu": "A Processor With a Long Name, as They Have, @ 2.40GHz",
        "cores": 128,
        "system": "Linux 6.18.44-with-a-suffix",
        "fastprims_version": "0.1.0",
    }
    return {
        "date": "2026-11-30T12:00:00",
        "effort": {"name": "quick"},
        "arguments": ["--quick"],
        "interpreters": [{"environment": environment, "cases": cases}] * interpreters,
    }


def beyond_the_axes(figure: Figure) -> Iterator[Text]:
    """The labels of ticks outside the axes, which matplotlib keeps and does not draw."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    hidden = set(beyond_the_axes(figure))
    shown = [
        t
        for t in figure.findobj(Text)
        if t.get_text().strip() and t.get_visible() and t not in hidden
    ]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in shown]


def bars(figure: Figure) -> list[Bbox]:
    """What is seen of them: on a logarithmic axis a bar begins infinitely far to the left."""
    seen = [
        Bbox.intersection(bar.get_window_extent(), axes.bbox)
        for axes in figure.axes
        for bar in axes.patches
    ]
    return [box for box in seen if box is not None]


def meets(a: Bbox, b: Bbox) -> bool:
    """By more than a point: the box of a text has some air above and below its letters."""
    return a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.y0 < b.y1 - 2 and b.y0 < a.y1 - 2


def faults(figure: Figure) -> Iterator[str]:
    written = texts(figure)
    frame = figure.bbox
    for (one, a), (two, b) in combinations(written, 2):
        if meets(a, b):
            yield f"{one!r} is on {two!r}"
    for text, box in written:
        if not (
            frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        ):
            yield f"{text!r} is cut off"
        if any(meets(box, bar) for bar in bars(figure)):
            yield f"{text!r} is on a bar"


@pytest.mark.parametrize("interpreters", [1, 2, 3])
def test_nothing_in_the_comparison_is_covered_or_cut_off(interpreters: int) -> None:
    figure = picture.picture(results(interpreters))
    try:
        assert len(texts(figure)) > 20 and len(bars(figure)) == 16 * interpreters
        assert list(faults(figure)) == []
    finally:
        picture.pyplot.close(figure)


@pytest.mark.parametrize("interpreters", [1, 2, 3])
def test_nothing_in_the_headline_is_covered_or_cut_off(interpreters: int) -> None:
    figure = headline(results(interpreters))
    try:
        assert bars(figure)
        assert list(faults(figure)) == []
    finally:
        picture.pyplot.close(figure)


def test_the_check_finds_texts_that_cover_each_other() -> None:
    figure = picture.pyplot.figure(figsize=(3, 2))
    try:
        figure.text(0.1, 0.5, "one text")
        figure.text(0.12, 0.5, "another")
        figure.text(0.9, 0.1, "beyond the edge")
        assert len(list(faults(figure))) == 2
    finally:
        picture.pyplot.close(figure)


def test_the_pictures_are_written_in_either_format(tmp_path: Path) -> None:
    picture.draw(results(1), tmp_path / "comparison.svg")
    assert b"<svg" in (tmp_path / "comparison.svg").read_bytes()
    picture.draw(results(1), tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
