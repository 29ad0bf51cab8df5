"""What the network has learned: its answers in the plane, and the cost of each epoch."""

from __future__ import annotations

from clearprop.exploration.cards.parts import button, twin
from clearprop.page import Markup, tag

_FIT = "What the network answers along its input, and the rows. The table of all numbers has them too."


def card(is_own: bool) -> Markup:
    """Return the card."""
    plane = tag(
        "canvas", id="plane", width="300", height="300", role="img",
        aria_label="The plane of the two inputs: what the network answers, and the rows. "
        "The table of all numbers has them too.",
    )  # fmt: skip
    return tag(
        "section",
        tag("h2", "What it has learned", class_="visually-hidden"),
        tag(
            "figure",
            plane,
            tag("figcaption", "", id="plane-says"),
            id="plane-box",
        ),
        tag(
            "figure",
            tag("svg", id="fit", viewBox="0 0 364 236", role="img", aria_label=_FIT),
            tag("figcaption", "Its answer along the input, and the rows. Choose a row."),
            id="fit-box",
        ),
        tag(
            "figure",
            tag(
                "svg",
                id="curve",
                class_="chart",
                viewBox="0 0 364 194",
                role="img",
                aria_label="Cost of each epoch",
            ),
            tag(
                "figcaption",
                "Cost of each epoch: a row's before its step, those held out after the epoch",
            ),
            _rate(),
            twin("curve"),
        ),
        class_="card pictures",
        aria_label="What it has learned",
    )


def _rate() -> Markup:
    now = tag("input", id="rate-now", type="text", inputmode="decimal", autocomplete="off")
    return tag(
        "div",
        tag("label", "rate from here on", for_="rate-now"),
        now,
        button("rate-less", "÷ 2", "Half the learning rate"),
        button("rate-more", "× 2", "Twice the learning rate"),
        class_="rate",
    )
