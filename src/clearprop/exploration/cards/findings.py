"""What is wrong, or worth knowing: what `diagnose` finds, as it becomes true."""

from __future__ import annotations

from clearprop.page import Markup, tag

TITLE = "Findings"


def card(is_own: bool) -> Markup:
    """Return the card."""
    return tag(
        "section",
        tag("p", "", id="findings-say", role="status"),
        tag("ul", "", id="findings"),
        tag(
            "p",
            "The rules of clearprop diagnose, on the rows that it trains on, at this step.",
            class_="quiet",
        ),
    )
