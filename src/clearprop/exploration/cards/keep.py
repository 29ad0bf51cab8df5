"""What a reader can take along: the film of a run, its costs, its network, a program that goes on."""

from __future__ import annotations

from clearprop.exploration.cards.parts import button
from clearprop.page import Markup, tag

TITLE = "Keep"
_FILES = {
    "film": ("Film", "This page with the run in it: one file, to be scrubbed and gone on with."),
    "costs": ("Costs", "The cost of each epoch as CSV, with the columns of Python's History."),
    "model": ("Network", "A model file, for cp.load and for clearprop predict, info, explain."),
    "program": ("Python", "A program that goes on with this run, from here, with the same numbers."),
}


def card(is_own: bool) -> Markup:
    """Return the card."""
    rows = (
        tag("li", button(f"keep-{key}", name), tag("span", said))
        for key, (name, said) in _FILES.items()
    )
    return tag(
        "section",
        tag("ul", *rows, class_="keep"),
        tag("p", "", id="kept", class_="quiet", role="status"),
    )
