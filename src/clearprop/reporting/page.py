"""The page of a report: its cards in the order in which a reader asks."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from typing import Any

from clearprop.page import Markup, document, joined, module, tag
from clearprop.reporting.shown import Shown
from clearprop.reporting.views import about, fit, insight, quality

Card = Callable[[Shown], Markup]

# What has to be there, what leads to it, and its card.
_CARDS: tuple[tuple[str, str, Card], ...] = (
    ("performance", "metrics", quality.metrics),
    ("confusion", "confusion", quality.confusion),
    ("fit", "fit", fit.fit),
    ("fit", "coverage", fit.coverage),
    ("roc", "curves", quality.curves),
    ("reliability", "reliability", quality.reliability),
    ("thresholds", "thresholds", quality.thresholds),
    ("segments", "segments", insight.segments),
    ("worst", "worst", insight.worst),
    ("importance", "importance", insight.importance),
    ("dependence", "dependence", insight.dependence),
    ("about", "drift", insight.drift),
    ("leaks", "leaks", insight.leaks),
    ("about", "course", about.course),
    ("about", "about", about.provenance),
)
_TITLES = {
    "metrics": "How good it is",
    "confusion": "Confusions",
    "fit": "Right and wrong",
    "coverage": "Intervals",
    "curves": "Mistakes and ranking",
    "reliability": "Probabilities",
    "thresholds": "Costs",
    "segments": "Segments",
    "worst": "Worst rows",
    "importance": "Importance",
    "dependence": "Dependence",
    "drift": "Drift",
    "leaks": "Leaks",
    "course": "The training",
    "about": "What was learned from what",
}


def page(tree: dict[str, Any]) -> str:
    """Return the whole document of a report's tree."""
    shown = Shown(tree)
    target = tree["about"]["target"] or "a target"
    title = f"Report: {target}"
    folder = importlib.resources.files("clearprop.reporting")
    style = folder.joinpath("report.css").read_text("utf-8")
    thresholds = tree["thresholds"]
    script = module("clearprop.reporting", ["threshold.js"]) if thresholds else ""
    data = {"thresholds": thresholds} if thresholds else None
    return document(title, body(shown), style=style, script=script, data=data, description=title)


def body(shown: Shown) -> Markup:
    """Return the content of the page."""
    small = quality.is_small(shown)  # a matrix that stands beside the curves
    cards = [
        (name, card(shown))
        for there, name, card in _CARDS
        if shown.at(there) and not (name == "confusion" and small)
    ]
    links = [tag("li", tag("a", _TITLES[name], href=f"#{name}")) for name, _ in cards]
    contents = tag("nav", tag("ul", *links), aria_label="Contents", class_="contents")
    return tag(
        "main", about.head(shown), contents, joined([made for _, made in cards], "\n"), class_="report"
    )
