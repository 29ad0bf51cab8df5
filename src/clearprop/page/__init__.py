"""A self-contained web page: one file, no network, deterministic bytes.

`markup` escapes and builds elements, `shell` puts them into a document with its style, data and script
inline, each allowed by its hash alone. What a page says is built by those who use this package.
"""

from __future__ import annotations

from clearprop.page.chart import lines
from clearprop.page.markup import Markup, inert, joined, table, tag
from clearprop.page.shell import document, json_text, library, module

__all__ = [
    "Markup", "document", "inert", "joined", "json_text", "library", "lines", "module", "table", "tag",
]  # fmt: skip
