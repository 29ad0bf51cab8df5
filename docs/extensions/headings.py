"""Heads of tables: one without words is left out, an empty cell has words for a screen reader."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx


def name_columns(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Leave out empty heads, and say what stands in a column that has no name."""
    for head in list(doctree.findall(nodes.thead)):
        entries = list(head.findall(nodes.entry))
        empty = [entry for entry in entries if not entry.astext().strip()]
        if len(empty) == len(entries):
            head.parent.remove(head)
        else:
            for entry in empty:
                words = "what it is" if entry is entries[0] else "more"
                hidden = nodes.raw("", f'<span class="visually-hidden">{words}</span>', format="html")
                entry.children = [hidden]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", name_columns)
    return {"parallel_read_safe": True}
