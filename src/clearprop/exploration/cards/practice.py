"""Practice: deltas or gradients of one row to be filled in, and words for answers that are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clearprop.exploration.cards.parts import button, options
from clearprop.gradient_check.wrong_passes import RULES
from clearprop.gradient_check.wrong_slopes import SLOPES
from clearprop.page import Markup, tag

TITLE = "Practice"
_KINDS = {"delta": "δ of neurons", "gradient": "gradients of weights and biases"}
_TOLD = (
    "missing_slope", "kept_slope", "slope_at_activation", "slope_twice", "error_dropped",
    "transposed_weights", "wrong_input",
)  # fmt: skip


def mistakes() -> Mapping[str, Sequence[str]]:
    """Return what `check_gradient` says of the mistakes that the page knows, by their names."""
    every = (*RULES, *SLOPES)
    return {name: [rule.sentence for rule in every if rule.name == name] for name in _TOLD}


def card(is_own: bool) -> Markup:
    """Return the card."""
    kinds = tag("select", *options(_KINDS, "delta"), id="practice-kind")
    return tag(
        "section",
        tag(
            "div",
            tag("label", "Fill in ", kinds),
            button("practice-another", "Another", "Another variant: other neurons, another row"),
            class_="practice-head",
        ),
        tag("p", "", id="practice-said", class_="quiet"),
        tag("ol", id="questions"),
        tag("p", "", id="practice-done", role="status"),
    )
