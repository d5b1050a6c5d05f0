"""What can be asked of the site's pages without a browser."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urldefrag, urlsplit

from bs4 import BeautifulSoup, Tag

PARTS = ("Errors", "Complexity", "Progress", "Source", "Example")


class Pages:
    """The HTML files below a folder, each parsed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._parsed: dict[Path, BeautifulSoup] = {}
        self._anchors: dict[Path, set[str]] = {}

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.html"))

    def page(self, file: Path) -> BeautifulSoup:
        if file not in self._parsed:
            self._parsed[file] = BeautifulSoup(file.read_text(encoding="utf-8"), "lxml")
        return self._parsed[file]

    def anchors(self, file: Path) -> set[str]:
        if file not in self._anchors:
            self._anchors[file] = {str(tag["id"]) for tag in self.page(file).find_all(id=True)}
        return self._anchors[file]

    def broken_links(self) -> Iterator[str]:
        """Links and sources within the site that lead nowhere."""
        for file in self.files():
            for tag in self.page(file).find_all(["a", "img", "link", "script"]):
                target = str(tag.get("href") or tag.get("src") or "")
                if target and not self._resolves(file, target):
                    yield f"{file.relative_to(self.folder)}: {target}"

    def _resolves(self, file: Path, target: str) -> bool:
        address, anchor = urldefrag(target)
        if urlsplit(address).scheme:
            return True  # elsewhere
        other = file
        if address:
            other = (file.parent / unquote(urlsplit(address).path)).resolve()
        if not other.is_file() or not other.is_relative_to(self.folder):
            return False
        # Furo's search page has one anchor that its own script makes.
        return not anchor or other.suffix != ".html" or unquote(anchor) in self.anchors(other)

    def foreign_resources(self) -> Iterator[str]:
        """What a browser would fetch from elsewhere: fonts, scripts, styles, pictures."""
        for file in self.files():
            for tag in self.page(file).find_all(["img", "link", "script", "iframe", "source"]):
                target = str(tag.get("href") or tag.get("src") or "")
                if urlsplit(target).netloc:
                    yield f"{file.relative_to(self.folder)}: {target}"
        for file in self.folder.rglob("*.css"):
            text = file.read_text(encoding="utf-8")
            for target in re.findall(r"(?:url\(|@import )\s*[\"']?((?:https?:)?//[^\"')]+)", text):
                yield f"{file.relative_to(self.folder)}: {target}"

    def entries(self) -> dict[str, Tag]:
        """The reference's entries, by the object's full name."""
        found: dict[str, Tag] = {}
        for file in self.files():
            for term in self.page(file).select("dl.py > dt[id]"):
                assert isinstance(term.parent, Tag)
                found[str(term["id"])] = term.parent
        return found


def parts_of(entry: Tag) -> dict[str, str]:
    """The labelled parts of an entry, not those of its members, with their text."""
    fields = entry.select(":scope > dd > dl.field-list > dt")
    found: dict[str, str] = {}
    for term in fields:
        body = term.find_next_sibling("dd")
        found[term.get_text().rstrip(":")] = body.get_text(" ", strip=True) if body else ""
    return found


def public_names(modules: list[ModuleType]) -> Iterator[tuple[str, object]]:
    """Full name and object; a name of two modules counts for the first. Left out are second names of
    one object, and the standard library's objects that a later module has, too."""
    seen: set[int] = set()
    for module in modules:
        for name in module.__all__:
            value = getattr(module, name)
            first_name = getattr(value, "__name__", name)
            if first_name != name and first_name in module.__all__:
                continue
            if module is not modules[0] and not in_package(value):
                continue
            if id(value) not in seen:
                seen.add(id(value))
                yield f"{module.__name__}.{name}", value


def in_package(value: object) -> bool:
    return (getattr(value, "__module__", None) or "fastprims").startswith("fastprims")


def members(cls: type) -> set[str]:
    """What a class has beyond object, exceptions and tuples."""
    common = {*dir(object), *dir(Exception), *dir(tuple)}
    return {name for name in dir(cls) if not name.startswith("_") and name not in common}


def missing(entries: dict[str, Tag], name: str, value: object, shared: set[str]) -> Iterator[str]:
    """What the reference does not say of an object. `shared` are the members that another class's
    example shows."""
    entry = entries.get(name)
    if entry is None:
        yield f"{name}: no entry"
        return
    parts = parts_of(entry)
    for part in PARTS:
        if not parts.get(part):
            yield f"{name}: no {part}"
    if inspect.isroutine(value) and not entry.select_one("dt > .sig-paren"):
        yield f"{name}: no signature"
    if inspect.isclass(value):
        example = parts.get("Example", "")
        for member in sorted(members(value)):
            if f"{name}.{member}" not in entries:
                yield f"{name}.{member}: no entry"
            if member not in shared and not re.search(rf"\b{member}\b", example):
                yield f"{name}.{member}: not in the example"
            if callable(getattr(value, member)):
                described = entries.get(f"{name}.{member}")
                if described is not None and not described.select_one("dt > .sig-paren"):
                    yield f"{name}.{member}: no signature"
