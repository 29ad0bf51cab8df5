"""A slice of the cost's surface, with the way that the run has taken."""

from __future__ import annotations

from clearprop.exploration.cards.parts import twin
from clearprop.page import Markup, tag

TITLE = "Surface"


def card(is_own: bool) -> Markup:
    """Return the card."""
    along = [
        tag("label", f"{where} ", tag("select", id=f"along-{i}"))
        for i, where in ((1, "across"), (2, "upwards"))
    ]
    return tag(
        "section",
        tag("div", *along, class_="along"),
        tag(
            "figure",
            _canvas(),
            tag("figcaption", "", id="surface-says"),
            twin("surface"),
        ),
    )


def _canvas() -> Markup:
    what = "Cost around the run"
    return tag("canvas", id="surface", width="310", height="310", role="img", aria_label=what)
