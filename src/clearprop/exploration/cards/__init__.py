"""What stands on the live page before the script fills it: one module for each card.

A card's module has ``card(is_own)``, and where it is one of the panels that share a place, ``TITLE``,
what its tab says. Its script is ``script/NAME.js`` and its style ``style/NAME.css``.
"""

from __future__ import annotations

from clearprop.exploration.cards import (
    choices,
    drawing,
    findings,
    inside,
    keep,
    layers,
    lessons,
    pictures,
    practice,
    row,
    surface,
    touch,
    transport,
    twin,
)

ABOVE = (lessons,)
LEFT = (drawing, transport, touch)
RIGHT = (pictures,)
PANELS = {
    "choose": choices,
    "row": row,
    "step": inside,
    "layers": layers,
    "surface": surface,
    "findings": findings,
    "practice": practice,
    "keep": keep,
}
BELOW = (twin,)

__all__ = ["ABOVE", "BELOW", "LEFT", "PANELS", "RIGHT"]
