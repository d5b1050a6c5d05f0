"""Sphinx's configuration; `python3 dev.py docs` builds the site."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

import fastprims

project = "fastprims"
author = "fastprims contributors"
project_copyright = author
release = version = fastprims.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "reference", "drawing"]
exclude_patterns = ["_build", "_ext", "drawings"]
nitpicky = True
# The standard library's pages are not at hand, so its types in signatures stay plain text.
nitpick_ignore_regex = [("py:.*", r"(?!fastprims\.).*")]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "groupwise"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
add_module_names = False

html_theme = "furo"
html_title = f"fastprims {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_domain_indices = False
html_copy_source = False
# A summary is fetched from the page, which a browser refuses without a server.
html_show_search_summary = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
