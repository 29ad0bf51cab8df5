"""From a network and its data to a rendering: ``cp.explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.explain import document, forms, steps
from clearprop.explain import notation as notations
from clearprop.explain.document import Document
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.printers.json import JsonPrinter
from clearprop.explain.printers.latex import LatexPrinter
from clearprop.explain.printers.mathml import MathmlPrinter
from clearprop.explain.printers.text import TextPrinter
from clearprop.names import known_name
from clearprop.trace import Trace

if TYPE_CHECKING:
    from clearprop.network import Network
    from clearprop.optimizers import Optimizer

FORMATS = ("text", "html", "latex", "mathml", "json")


def explain(
    net: Network,
    X: Any,
    Y: Any,
    notation: str | Notation | None = None,
    format: str = "text",
    *,
    form: str | None = None,
    algorithm: str | None = None,
    optimizer: str | Optimizer | None = None,
    digits: int = 4,
    ascii: bool = False,
    blanks: bool = False,
    faithful: bool = False,
) -> str:
    """Show one exact pass, forwards and backwards, as formulas with the numbers in them.

    Parameters
    ----------
    net : Network
    X, Y : array-like
        One row, or a batch; of a batch the first two examples are shown, and its gradient.
    notation : str or Notation, optional
        "nielsen" (the default), "jordan", "dp", "softmax-ce", or your own.
    format : {"text", "html", "latex", "mathml", "json"}
        "html" is a whole page that needs nothing but itself.
    form : {"matrix", "component", "numbers", "chain", "path"}, optional
        One way to look at the formulas; None takes what reads best together (JSON: all).
    algorithm : {"A1", "A2", "A4", "A6", "A8"}, optional
        Told in the order of one document's algorithm, and in its notation unless one is given.
    optimizer : Optimizer or str, optional
        Whose update is shown; without one it is not computed, and shown as a dash.
    digits : int
        Significant digits, 1 to 17.
    ascii : bool
        Whether text is ASCII alone.
    blanks : bool
        Whether to leave out the results of the backward pass, with a key at the end.
    faithful : bool
        Whether to print f'(a) and the like where the book does; the values stay right.

    Returns
    -------
    str

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> net = cp.Network([2, 2], output="sigmoid", cost="quadratic", seed=0)
    >>> print(explain(net, [[0.5, 1.0]], [[0.0, 1.0]], form="component").splitlines()[15])
      z²₁ = w²₁₁ a¹₁ + w²₁₂ a¹₂ + b²₁                                                               (23)
    """
    known_name("format", format, FORMATS)
    if form is not None:
        known_name("form", form, forms.FORMS)
    trace = net.trace(X, Y, optimizer)
    if format == "html":
        from clearprop.explain import web  # which needs this module

        return web.page(
            trace,
            notation,
            form=form,
            algorithm=algorithm,
            digits=digits,
            blanks=blanks,
            faithful=faithful,
            feature_names=net.feature_names,
            classes=net.classes,
        )
    told = explained(
        trace,
        notation,
        algorithm=algorithm,
        digits=digits,
        blanks=blanks,
        faithful=faithful,
        feature_names=net.feature_names,
        classes=net.classes,
    )
    return rendered(told, format, form, digits, ascii)


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
        *document.facts(glyphs),
        *document.names_note("Inputs", feature_names, inputs),
        *document.names_note("Outputs", classes if glyphs.sizes[-1] > 1 else None, outputs),
    ]
    title = "Backpropagation" if algorithm is None else f"Backpropagation, algorithm {algorithm}"
    made = Document(glyphs, title, tuple(facts), tuple(told), document.footnotes(glyphs, told, digits))
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
