"""How the site is built: ``make docs``.

The pages are Markdown that reads well on a code host too. What is particular to them lies in
``extensions``: a section's list of links is its table of contents, a link to a file of the source
leads to a page of it, and the live page, the command line and the measurements are made at build.
"""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(HERE / "extensions")]

with open(ROOT / "pyproject.toml", "rb") as file:
    described = tomllib.load(file)["project"]
# The one place for where the project is published. What needs an address is left out without it.
published = described.get("urls", {})

project, version = described["name"], described["version"]
author = described["authors"][0]["name"]
copyright = author
html_baseurl = published.get("Documentation", "")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_nb",
    "sphinx_gallery.gen_gallery",
    "sections",
    "sources",
    "commands",
    "measured",
    "live",
    "formulas",
    "signatures",
    "headings",
]
exclude_patterns = ["extensions", "_templates", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5"]
templates_path = ["_templates"]

# Markdown and notebooks; `make docs` executes these, unless GALLERY=0.
# The first is what autosummary writes.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = {"http": None, "https": None, "mailto": None, "source": None}
nb_execution_mode = "off"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_merge_streams = True

# Docstrings are numpydoc; a name between single backticks is a link where there is one.
default_role = "py:obj"
autosummary_generate = True
autodoc_typehints = "none"  # the sections of a docstring say it, with shapes
toc_object_entries_show_parents = "hide"  # the column beside a page is narrow
autodoc_member_order = "groupwise"
napoleon_google_docstring = False
napoleon_use_param = False  # "n_features" in a shape is no link
napoleon_use_rtype = False
napoleon_use_ivar = True
viewcode_line_numbers = True
highlight_language = "text"  # of blocks that name none: what a program prints
suppress_warnings = ["misc.highlighting_failure"]  # an excerpt ends in "..."

html_theme = "pydata_sphinx_theme"
html_title = "clearprop"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "clearprop"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "icon_links": [
        {"name": name, "url": url, "icon": "fa-solid fa-code-branch"}
        for name, url in published.items()
        if name == "Source"
    ],
}

sphinx_gallery_conf = {
    "examples_dirs": [str(ROOT / "examples" / "gallery")],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "thumbnail_size": (192, 134),  # shown at 160 x 112
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
    "matplotlib_animations": False,
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib",),
    "abort_on_example_error": True,
}
