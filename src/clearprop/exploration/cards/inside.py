"""What the next step is: its gradients, those of one row beside the batch's, and the update."""

from __future__ import annotations

from clearprop.page import Markup, tag

TITLE = "Step"


def card(is_own: bool) -> Markup:
    """Return the card."""
    return tag(
        "section",
        tag("p", "", id="step-rows"),
        tag("div", "", id="step-table"),
        tag(
            "p",
            "What is not computed yet stands as ?. Layers and products: ] and [, ' and ; are keys.",
            class_="quiet",
        ),
    )
