"""All numbers of a pass as tables, made when they are opened."""

from __future__ import annotations

from clearprop.page import Markup, tag


def card(is_own: bool) -> Markup:
    """Return the card."""
    return tag(
        "details",
        tag("summary", "All numbers as tables"),
        tag("div", "", id="tables"),
        id="twin",
        class_="card",
    )
