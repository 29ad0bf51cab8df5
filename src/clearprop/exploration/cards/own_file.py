"""A file of the reader's own: chosen or dropped, read in the page, and shown as it is learned from."""

from __future__ import annotations

from clearprop.page import Markup, tag

_SAYS = (
    "It is read in this page and sent nowhere. Names in the first line; commas, semicolons or tabs; "
    "decimal points or commas; up to 2 MB, 200 columns, and the first 1,000 rows."
)


def card(is_own: bool) -> Markup:
    """Return the part of the choices that is seen where the data are a file."""
    file = tag("input", id="file", type="file", accept=".csv,.tsv,.txt,text/csv,text/plain")
    return tag(
        "div",
        tag("label", tag("span", "Own file (CSV); drop it here, too"), file),
        tag("p", _SAYS, class_="quiet"),
        tag("p", "", id="file-said", role="status"),
        tag("div", id="file-columns"),
        id="own-file",
        hidden=True,
    )
