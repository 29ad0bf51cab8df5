"""What goes through each layer: histograms, and the ratio of update to weight."""

from __future__ import annotations

from clearprop.exploration.cards.parts import twin
from clearprop.page import Markup, tag

TITLE = "Layers"
_SPREAD = "How z, a and δ of all rows, and the gradients of the weights, are spread around 0"
_RATIO = "How far the last step of an epoch moves the weights: ‖ΔW‖ / ‖W‖, usually about 10⁻³"


def card(is_own: bool) -> Markup:
    """Return the card."""
    box = "0 0 364 194"
    spread = tag("div", "", id="spread", class_="spreads", role="img", aria_label=_SPREAD)
    ratio = tag("svg", id="ratio", class_="chart", viewBox=box, role="img", aria_label=_RATIO)
    return tag(
        "section",
        tag("figure", spread, tag("figcaption", _SPREAD), twin("spread")),
        tag("figure", ratio, tag("figcaption", _RATIO), twin("ratio")),
    )
