"""A link to a file of the source leads to a page of it, with its lines numbered and in colours.

Where viewcode has a page of a module (the reference documents something of it), that page is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "source:"
DOCUMENTED = re.compile(r"api/([\w.]+)\.html#([\w.]+)")
LANGUAGES = {
    ".py": "python",
    ".js": "javascript",
    ".json": "json",
    ".toml": "toml",
    ".c": "c",
    ".css": "css",
}


def page_of(app: Sphinx, name: str) -> str | None:
    """Return the page of a file, named from the project's root, or None if there can be none."""
    path = ROOT / name
    if path.is_dir() and (path / "__init__.py").exists():
        path /= "__init__.py"
    if not path.is_file():
        return None
    name = path.relative_to(ROOT).as_posix()
    if name.startswith("src/"):
        module = (
            name.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
        if getattr(app.env, "_viewcode_modules", {}).get(module):
            return f"_modules/{module.replace('.', '/')}"
    linked_sources(app).add(name)
    return f"source/{name}"


def linked_sources(app: Sphinx) -> set[str]:
    """Return the files that need a page of ours; they are kept from build to build."""
    if not hasattr(app.env, "linked_sources"):
        app.env.linked_sources = set()
    return app.env.linked_sources


def resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Point every ``source:`` link at its page; without a page, its words alone are left."""
    for link in list(doctree.findall(nodes.reference)):
        target = link.get("refuri", "")
        if not target.startswith(SCHEME):
            continue
        page = page_of(app, target.removeprefix(SCHEME))
        if page is None:
            link.replace_self(link.children)
        else:
            there = app.builder.get_target_uri(page)
            link["refuri"] = relative_uri(app.builder.get_target_uri(docname), there)
            link["classes"] = ["reference", "internal"]


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the page of every file that is linked to."""
    for name in sorted(linked_sources(app)):
        text = (ROOT / name).read_text("utf-8")
        language = LANGUAGES.get(Path(name).suffix, "text")
        code = app.builder.highlighter.highlight_block(text, language, linenos="inline")
        yield f"source/{name}", {"title": name, "body": f"<h1>{name}</h1>\n{code}"}, "page.html"


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Point viewcode's "[docs]" at the name that a page documents: it takes all to be of one module."""
    if page.startswith("_modules/") and "body" in context:
        context["body"] = DOCUMENTED.sub(
            lambda found: (
                found[0] if found[2].startswith(found[1]) else f"api/{found[1]}.html#{found[1]}"
            ),
            context["body"],
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", resolve)
    app.connect("html-collect-pages", pages)
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True}
