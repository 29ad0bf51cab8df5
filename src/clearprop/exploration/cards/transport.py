"""The bar that stays in sight: play, step, and change what is chosen."""

from __future__ import annotations

from clearprop.exploration.cards.parts import button, options
from clearprop.page import Markup, tag

_GRAINS = {"epoch": "epoch", "batch": "batch", "layer": "layer", "product": "product"}
_SPEEDS = {
    "1": "1/s",
    "10": "10/s",
    "100": "100/s",
    "100000": "fastest",
}
_SIZES = "1", "0.1", "0.01", "0.001"


def card(is_own: bool) -> Markup:
    """Return the card."""
    return tag(
        "section",
        button("play", "Play"),
        button("start", "|◀", "Back to the start"),
        button("back", "◀", "Back"),
        tag("select", *options(_GRAINS, "epoch"), id="grain", aria_label="Step by", title="Step by"),
        button("next", "▶", "On"),
        tag("select", *options(_SPEEDS, "10"), id="speed", aria_label="Speed"),
        _scrub(),
        _changing(),
        class_="transport",
        aria_label="Training and changes",
    )


def _scrub() -> Markup:
    slider = tag("input", id="scrub", type="range", min="0", max="1", value="0", disabled=True)
    return tag("label", tag("span", "epoch", id="scrub-says"), slider, class_="scrub")


def _changing() -> Markup:
    value = tag(
        "input", id="value", type="text", inputmode="decimal", aria_label="Value", autocomplete="off"
    )
    sizes = options({each: each for each in _SIZES}, "0.1")
    return tag(
        "div",
        tag("label", "", id="what", for_="value"),
        tag("button", "−", id="less", type="button", aria_label="Less"),
        value,
        tag("button", "+", id="more", type="button", aria_label="More"),
        tag("label", "by ", tag("select", *sizes, id="size")),
        tag("span", "", id="short"),
        class_="changing",
    )
