"""The row shown, in its own units: what may be changed of it, and what the network answers.

Of digits it is a picture, and beside it a pad to draw another.
"""

from __future__ import annotations

from clearprop.exploration.cards.parts import button
from clearprop.page import Markup, tag

TITLE = "Row"
_HOW = (
    "Draw with mouse or finger; or by keys: arrows move the pen, space puts it down and lifts it, "
    "Delete clears."
)


def card(is_own: bool) -> Markup:
    """Return the card; the script fills in what the row has."""
    pad = tag(
        "div",
        tag("figure", tag("canvas", id="pad", width="224", height="224", tabindex="0",
            role="application", aria_label="Pad to draw a digit", aria_describedby="pad-how"),
            tag("figcaption", "your own digit")),
        tag("figure", tag("canvas", id="pad-seen", width="64", height="64", role="img",
            aria_label="What the network sees of your digit"), tag("figcaption", "as it is seen")),
        tag("figure", tag("canvas", id="row-image", width="64", height="64", role="img",
            aria_label="The row shown"), tag("figcaption", "the row shown")),
        button("pad-clear", "Clear"),
        tag("p", _HOW, id="pad-how", class_="quiet"),
        tag("p", "", id="pad-says", role="status"),
        tag("div", id="pad-answer"),
        id="pad-box",
    )  # fmt: skip
    return tag(
        "section",
        tag("h2", "", id="row-title"),
        tag("form", id="row-cells"),
        tag("p", "", id="row-says", class_="came", role="status"),
        tag("div", id="row-answer"),
        pad,
        aria_label="The row shown",
    )
