"""The site in a browser: no error on the console, nothing too wide, drawings and search that work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="python3 dev.py docs runs these tests"
)

WIDTHS = (375, 1440)
SCHEMES = ("light", "dark")
OPTIONS = ["--disable-gpu", "--no-sandbox"]  # root has no sandbox

# What sticks out of the page to the right, unless it scrolls within its own frame.
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const found = [...document.querySelectorAll("body *")].filter(
        e => e.getBoundingClientRect().right > width + 0.5);
    return ["page " + document.documentElement.scrollWidth,
        ...found.slice(0, 5).map(e => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40))];
}"""

# The texts of drawings: within the drawing, not on each other, and not across the edge of a box.
TEXTS = """() => [...document.querySelectorAll(".drawing svg")].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
    const boxes = [...svg.querySelectorAll("rect")].map(b => b.getBoundingClientRect());
    const wrong = [];
    texts.forEach(([text, r], i) => {
        if (r.left < frame.left || r.right > frame.right || r.top < frame.top || r.bottom > frame.bottom)
            wrong.push("outside: " + text);
        const meets = o => r.left < o.right - 1 && o.left < r.right - 1
            && r.top < o.bottom - 2 && o.top < r.bottom - 2;
        for (const [other, o] of texts.slice(i + 1))
            if (meets(o)) wrong.push("overlap: " + text + " / " + other);
        if (boxes.some(b => meets(b) && (r.left < b.left || r.right > b.right)))
            wrong.push("across an edge: " + text);
    });
    return wrong;
})"""

# The lowest contrast of a text in a drawing with the page behind it (WCAG 2; 4.5 is enough).
CONTRAST = """() => {
    const numbers = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => {
        const [r, g, b] = numbers(c).map(v => v / 255)
            .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = light(getComputedStyle(document.body).backgroundColor);
    return Math.min(...[...document.querySelectorAll(".drawing text")].map(t => {
        const text = light(getComputedStyle(t).fill);
        return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    }));
}"""


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[playwright.Browser]:
    program = os.environ.get("FASTPRIMS_CHROMIUM")
    if not program:
        pytest.skip("no Chromium here: tools/chromium obtains one where there is apt")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


def open_page(browser: playwright.Browser, width: int, scheme: str) -> playwright.Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.complaints = []
    page.on("console", lambda m: m.type in ("error", "warning") and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url))
    return page


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_open_without_complaint_and_fit(
    browser: playwright.Browser, site: Path, width: int, scheme: str
) -> None:
    page = open_page(browser, width, scheme)
    wrong = []
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        name = file.relative_to(site)
        wrong += [f"{name}: {what}" for what in page.evaluate(TOO_WIDE) + page.evaluate(TEXTS)]
    assert wrong == []
    assert page.complaints == []
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_drawings_are_legible(browser: playwright.Browser, site: Path, scheme: str) -> None:
    page = open_page(browser, 1440, scheme)
    seen = 0
    for file in sorted(site.rglob("explain/*.html")):
        page.goto(file.as_uri())
        if page.query_selector(".drawing text"):
            seen += 1
            assert page.evaluate(CONTRAST) >= 4.5, file.name
    assert seen >= 5
    page.close()


def test_dark_is_dark(browser: playwright.Browser, site: Path) -> None:
    """The scheme that the tests above ask for is what the pages show."""
    colours = []
    for scheme in SCHEMES:
        page = open_page(browser, 1440, scheme)
        page.goto((site / "index.html").as_uri())
        script = "getComputedStyle(document.body).backgroundColor"
        colours.append(sum(map(int, page.evaluate(script).strip("rgb()").split(","))))
        page.close()
    assert colours[0] > 600 and colours[1] < 150


def test_search_works_without_a_server(browser: playwright.Browser, site: Path) -> None:
    page = open_page(browser, 1440, "light")
    page.goto((site / "search.html").as_uri() + "?q=compare_and_set")
    page.wait_for_selector("#search-results ul li a", timeout=20_000)
    page.wait_for_load_state("networkidle")  # what results make the page do, such as fetching
    found = [link.get_attribute("href") for link in page.query_selector_all("#search-results li a")]
    assert any("reference/maps.html" in (href or "") for href in found)
    assert page.complaints == []
    page.close()


def test_checks_find_what_is_too_wide(browser: playwright.Browser) -> None:
    page = open_page(browser, 375, "light")
    page.set_content('<div class="drawing"><svg width="900"><text y="20">a</text></svg></div>')
    assert page.evaluate(TOO_WIDE)
    page.set_content(
        '<div class="drawing"><svg width="90"><text y="20">one</text><text x="5" y="20">two</text>'
        '<text x="80" y="20">outside</text><rect x="30" y="60" width="20" height="30"/>'
        '<text x="20" y="80">edge</text></svg></div>'
    )
    found = [what.partition(":")[0] for what in page.evaluate(TEXTS)]
    assert found == ["overlap", "outside", "across an edge"]
    page.close()
