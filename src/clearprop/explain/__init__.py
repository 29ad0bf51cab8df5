"""The working of one pass, shown: formulas in the reader's notation with the engine's numbers in them.

A `Trace` becomes a document of steps (`document`), each with formulas (`forms`) made of symbols
(`glyphs`) that a `Notation` names; the formulas are trees (`expression`) that printers turn into text,
LaTeX, MathML, JSON or a page (`web`). `paths` and `nudge` answer two questions of S2 about a single
weight or neuron.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearprop import forks
from clearprop.explain import notation
from clearprop.explain.document import Document
from clearprop.explain.exercises import chains, delta_product_form, derivations
from clearprop.explain.notation import NOTATIONS, Notation, equivalent_learning_rate, true_derivatives
from clearprop.explain.nudge import Nudge, nudge
from clearprop.explain.paths import Path, PathSum, path_sum
from clearprop.explain.rendering import FORMATS, explain
from clearprop.explain.telling import explained, rendered
from clearprop.explain.traced import Trace

if TYPE_CHECKING:
    from clearprop.explain.figures import FIGURES, figure

__all__ = [
    "FIGURES",
    "FORMATS",
    "NOTATIONS",
    "Document",
    "Notation",
    "Nudge",
    "Path",
    "PathSum",
    "Trace",
    "chains",
    "delta_product_form",
    "derivations",
    "equivalent_learning_rate",
    "explain",
    "explained",
    "figure",
    "notation",
    "nudge",
    "path_sum",
    "rendered",
    "true_derivatives",
]


def __getattr__(name: str) -> Any:
    """Import the figures when they are first asked for."""
    if name in ("FIGURES", "figure"):
        with forks.LOCK:
            from clearprop.explain import figures

        return getattr(figures, name)
    raise AttributeError(f"module 'clearprop.explain' has no attribute {name!r}")
