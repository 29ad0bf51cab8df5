"""From a trace to its document, and from a document to what is printed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clearprop.activations import Array
from clearprop.explain import document, forms, remarks, steps
from clearprop.explain import notation as notations
from clearprop.explain.document import Document
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.printers.json import JsonPrinter
from clearprop.explain.printers.latex import LatexPrinter
from clearprop.explain.printers.mathml import MathmlPrinter
from clearprop.explain.printers.text import TextPrinter
from clearprop.trace import Trace


def explained(
    trace: Trace,
    notation: str | Notation | None = None,
    *,
    algorithm: str | None = None,
    digits: int = 4,
    blanks: bool = False,
    faithful: bool = False,
    feature_names: Sequence[object] | None = None,
    classes: Sequence[object] | None = None,
) -> Document:
    """Return the document of a trace, which `rendered` and any printer can print.

    Raises
    ------
    ValueError, TypeError
        As `explain`.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 17:
        raise ValueError(f"digits must be an integer in 1..17, got {digits!r}")
    if notation is None:
        notation = steps.NOTATION_OF.get(algorithm or "", "nielsen")
    glyphs = Glyphs(trace, notations.resolve(notation), faithful)
    told = (
        document.pass_steps(glyphs) if algorithm is None else steps.algorithm_steps(glyphs, algorithm)
    )
    with np.errstate(all="ignore"):
        inputs = forms.chosen(trace.inputs[0], forms.TERMS)
        outputs = forms.chosen(trace.Y[0], forms.TERMS)
    facts = [
        *remarks.facts(glyphs),
        *remarks.names_note("Inputs", feature_names, inputs, _written(trace.inputs[0], digits)),
        *remarks.names_note("Outputs", classes if glyphs.sizes[-1] > 1 else None, outputs),
    ]
    title = "Backpropagation" if algorithm is None else f"Backpropagation, algorithm {algorithm}"
    made = Document(glyphs, title, tuple(facts), tuple(told), remarks.footnotes(glyphs, told, digits))
    return document.with_blanks(made) if blanks else made


def rendered(
    told: Document, format: str, form: str | None = None, digits: int = 4, ascii: bool = False
) -> str:
    """Return a document in one of `FORMATS`, except html, which is a page around it."""
    printers = {
        "text": TextPrinter(digits, ascii),
        "latex": LatexPrinter(digits),
        "mathml": MathmlPrinter(digits),
        "json": JsonPrinter(),
    }
    return printers[format].document(told, form)  # type: ignore[attr-defined]


def _written(row: Array, digits: int) -> list[str]:
    return [f"{value:.{digits}g}".replace("-", "−") for value in row]
