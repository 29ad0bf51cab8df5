"""The drawing of the network, with where the run is."""

from __future__ import annotations

from clearprop.exploration.cards.parts import facts
from clearprop.page import Markup, joined, tag


def card(is_own: bool) -> Markup:
    """Return the card."""
    row = tag("input", id="row", type="number", min="1", value="1", inputmode="numeric")
    shown = tag(
        "label",
        "row ",
        tag("span", "shown ", class_="shown"),
        row,
        " ",
        tag("span", "", id="of-rows"),
        class_="row",
    )
    numbers = {
        "epochs": "epoch",
        "steps": "step",
        "cost": "cost",
        "row-cost": "of this row",
    }
    drawn = tag(
        "section",
        tag("h2", "The network", class_="visually-hidden"),
        tag("div", facts(numbers), shown, class_="facts-row"),
        tag("div", tag("svg", id="net", role="group", aria_label="The network"), class_="picture"),
        tag("p", "", id="told", class_="told", aria_live="polite"),
        tag("p", "", id="stopped", class_="stopped", role="status"),
        tag("details", tag("summary", "Why?"), tag("div", "", id="why"), id="why-box", hidden=True),
        class_="card drawing",
        aria_label="The network",
    )
    return joined([drawn, tag("p", "", id="legend", class_="quiet legend")])
