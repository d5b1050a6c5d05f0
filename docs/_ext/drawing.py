"""The directive `drawing`: an SVG file of docs/drawings/ as part of the page.

As part of the page, and not as an image, the drawing takes its colours from the theme, light or
dark, which the reader may also switch by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DECLARATION = re.compile(r"<\?xml.*?\?>\s*", re.DOTALL)


class Drawing(SphinxDirective):
    """`name` of the file without its ending; the content is the caption."""

    required_arguments = 1
    has_content = True
    option_spec = {"width": directives.positive_int}  # noqa: RUF012 - as docutils has it

    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir, "drawings", f"{self.arguments[0]}.svg")
        self.env.note_dependency(str(file))
        if not file.is_file():
            raise self.error(f"there is no {file}")
        text = DECLARATION.sub("", file.read_text(encoding="utf-8"))
        figure = nodes.container(classes=["drawing"])
        figure += nodes.raw(
            "", f'<div class="drawing-scroll" tabindex="0">{text}</div>', format="html"
        )
        caption = nodes.container(classes=["drawing-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        figure += caption
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
