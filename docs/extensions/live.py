"""``{live}`` and ``{lessons}``: the live page in a frame, made by the library when the site is built.

It is one file that needs no server, so that the built folder can be opened as it is.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import clearprop as cp
import clearprop.exploration

FOLDER = "live"


def write(app: Sphinx, problem: Exception | None) -> None:
    """Write the pages that frames show into the built site."""
    if problem is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(exist_ok=True)
    cp.explore().write(folder / "playground.html")
    digits = cp.data.load("digits")
    net = cp.Network([64, 16, 10], scaling=digits.scaling, seed=1)
    net.fit(*digits.train, epochs=10, optimizer=cp.Adam(0.01), progress=False)
    page = cp.explain(net, digits.X_test[3:4], np.atleast_1d(digits.Y_test[3]), format="html")
    (folder / "pass.html").write_text(page, "utf-8")


def depth(docname: str) -> str:
    """Return the way from a page up to the site's folder."""
    return "../" * docname.count("/")


class Live(SphinxDirective):
    """A frame with a page of ``live/``."""

    required_arguments = 1
    option_spec = {"title": directives.unchanged_required, "height": directives.nonnegative_int}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return what the directive becomes."""
        address = escape(f"{depth(self.env.docname)}{FOLDER}/{self.arguments[0]}", quote=True)
        title, height = escape(self.options["title"], quote=True), self.options.get("height", 760)
        html = (
            f'<iframe class="live" src="{address}" title="{title}" loading="lazy" '
            f'height="{height}"></iframe>'
            f'<p class="alone"><a href="{address}">Open it alone: {title}</a></p>'
        )
        return [nodes.raw("", html, format="html")]


class Lessons(SphinxDirective):
    """The lessons of the live page, each a link that opens it."""

    def run(self) -> list[nodes.Node]:
        """Return what the directive becomes."""
        file = Path(cp.exploration.__file__).with_name("lessons.json")
        start = f"{depth(self.env.docname)}{FOLDER}/playground.html#lesson="
        groups: dict[str, list[str]] = {}
        for lesson in json.loads(file.read_text("utf-8")):
            words = escape(lesson["title"])
            groups.setdefault(lesson["group"], []).append(
                f'<li><a href="{start}{lesson["name"]}">{words}</a></li>'
            )
        html = "".join(
            f"<p>{escape(name)}</p><ol>{''.join(each)}</ol>" for name, each in groups.items()
        )
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("live", Live)
    app.add_directive("lessons", Lessons)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
