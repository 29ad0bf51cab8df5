"""Changing a number: what the gradient predicted, and what came."""

from __future__ import annotations

from clearprop.exploration.cards.parts import button, facts, keys
from clearprop.page import Markup, tag


def card(is_own: bool) -> Markup:
    """Return the card."""
    return tag(
        "section",
        tag("h2", "Change a number"),
        tag("p", tag("span", "", id="chosen"), class_="chosen"),
        tag(
            "input",
            id="slider",
            type="range",
            min="-4",
            max="4",
            step="0.01",
            aria_label="Dragged value",
        ),
        facts({"slope": "gradient, all rows", "own-slope": "gradient, this row alone"}),
        tag("p", "", id="came", class_="came", role="status"),
        tag(
            "div",
            button("undo", "Undo"),
            button("redo", "Redo"),
            tag("button", "As it was", id="as-it-was", type="button", title="Without all changes"),
            class_="buttons",
        ),
        _help(),
        class_="card",
        aria_label="Change a number",
    )


def _help() -> Markup:
    return tag(
        "details",
        tag("summary", "How to choose, and keys"),
        tag("p", "Choose a weight, bias, input or target in the drawing, by mouse, touch, Tab."),
        tag("p", "There: arrows move, ", keys("+", "−"), " change, ", keys("Enter"), " types."),
        tag("p", "Everywhere: ", keys("space"), " plays, ", keys(">", "<"), " an epoch on and back, ",
            keys(".", ","), " a batch, ", keys("]", "["), " a layer, ", keys("'", ";"), " a product, ",
            keys("Ctrl Z"), " undoes."),
        class_="quiet",
    )  # fmt: skip
