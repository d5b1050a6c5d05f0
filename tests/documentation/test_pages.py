"""The site's pages: links lead somewhere, nothing is fetched, and every public name is described."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("bs4", reason="python3 dev.py docs runs these tests")

from pages import PARTS, Pages, members, missing, parts_of, public_names

import fastprims
import fastprims.aio
import fastprims.metrics
import fastprims.queue

raw = pytest.importorskip("fastprims.raw", exc_type=ImportError)
MODULES = [fastprims, fastprims.aio, fastprims.queue, fastprims.metrics, raw]
# What the examples of these show need not be in those of the other classes.
PROTOCOL = members(fastprims.Queue) | {"stats", "maxsize", "is_shutdown"}
SHOWN: dict[str, set[str]] = {
    "fastprims.Queue": set(),
    "fastprims.aio.AsyncEnd": set(),
    "fastprims.aio.Queue": members(fastprims.aio.AsyncEnd),
    "fastprims.aio.LifoQueue": members(fastprims.aio.Queue),
    "fastprims.aio.PriorityQueue": members(fastprims.aio.Queue),
}


@pytest.fixture(scope="module")
def pages(site: Path) -> Pages:
    return Pages(site)


def test_no_link_within_the_site_is_broken(pages: Pages) -> None:
    assert len(pages.files()) > 30
    assert list(pages.broken_links()) == []


def test_nothing_is_fetched_from_elsewhere(pages: Pages) -> None:
    assert list(pages.foreign_resources()) == []


def test_every_public_name_has_every_part(pages: Pages) -> None:
    entries = pages.entries()
    names = dict(public_names(MODULES))
    assert "fastprims.Queue" in names and "fastprims.raw.library" in names
    lacking = [
        gap
        for name, value in names.items()
        for gap in missing(entries, name, value, SHOWN.get(name, PROTOCOL))
    ]
    assert lacking == []


def test_every_page_is_within_reach(pages: Pages) -> None:
    """From the first page, by links."""
    start = pages.folder / "index.html"
    seen, todo = {start}, [start]
    while todo:
        file = todo.pop()
        for link in pages.page(file).select("a[href]"):
            target = (file.parent / str(link["href"]).partition("#")[0]).resolve()
            if target.suffix == ".html" and target.is_file() and target not in seen:
                seen.add(target)
                todo.append(target)
    assert sorted(set(pages.files()) - seen - {pages.folder / "search.html"}) == []


# The checks themselves.

PAGE = """<html><body id="top">
<a href="{link}">link</a>{more}
<dl class="py class"><dt class="sig" id="pkg.Thing"><span class="sig-paren">(</span></dt><dd>
<dl class="field-list">{fields}</dl></dd></dl></body></html>"""
FIELDS = "".join(f"<dt>{part}<span>:</span></dt><dd>text</dd>" for part in PARTS)


def write(folder: Path, link: str = "#top", more: str = "", fields: str = FIELDS) -> Pages:
    text = PAGE.format(link=link, more=more, fields=fields)
    (folder / "index.html").write_text(text, encoding="utf-8")
    return Pages(folder)


@pytest.mark.parametrize("link", ["other.html", "#nowhere", "index.html#nowhere", "../x.html"])
def test_check_finds_a_broken_link(tmp_path: Path, link: str) -> None:
    assert list(write(tmp_path, link).broken_links()) == [f"index.html: {link}"]


def test_check_accepts_a_good_link(tmp_path: Path) -> None:
    assert list(write(tmp_path, "index.html#pkg.Thing").broken_links()) == []


def test_check_finds_a_resource_from_elsewhere(tmp_path: Path) -> None:
    pages = write(tmp_path, more='<script src="https://example.org/x.js"></script>')
    (tmp_path / "a.css").write_text("@import url(//example.org/font.css);", encoding="utf-8")
    assert len(list(pages.foreign_resources())) == 2


@pytest.mark.parametrize("part", PARTS)
def test_check_finds_a_missing_part(tmp_path: Path, part: str) -> None:
    fields = FIELDS.replace(f"<dt>{part}<span>:</span></dt><dd>text</dd>", "")
    entries = write(tmp_path, fields=fields).entries()
    assert part not in parts_of(entries["pkg.Thing"])
    assert list(missing(entries, "pkg.Thing", None, set())) == [f"pkg.Thing: no {part}"]


def test_check_finds_a_member_that_no_example_shows(tmp_path: Path) -> None:
    class Thing:
        def method(self) -> None: ...

    assert list(missing(write(tmp_path).entries(), "pkg.Thing", Thing, set())) == [
        "pkg.Thing.method: no entry",
        "pkg.Thing.method: not in the example",
    ]
    assert list(missing({}, "pkg.Thing", Thing, set())) == ["pkg.Thing: no entry"]
