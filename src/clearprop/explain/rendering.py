"""From a network and its data to a rendering: ``cp.explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from clearprop.explain import forms
from clearprop.explain.notation import Notation
from clearprop.explain.printers.json import ALL
from clearprop.explain.telling import explained, rendered
from clearprop.names import known_name

if TYPE_CHECKING:
    from clearprop.optimizers import Optimizer
    from clearprop.traceable import Traceable

FORMATS = ("text", "html", "latex", "mathml", "json")


def explain(
    net: Traceable,
    X: ArrayLike,
    Y: ArrayLike,
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
        One way to look at the formulas; None takes what reads best together. JSON has the arrays of
        all rows, and formulas only where a form is asked for, or "all", an algorithm or blanks.
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
    is_json = format == "json"
    if form is not None:
        known_name("form", form, (*forms.FORMS, ALL) if is_json else forms.FORMS)
    elif is_json and (blanks or algorithm is not None):
        form = ALL
    trace = net.trace(X, Y, optimizer)
    names = getattr(trace, "feature_names", net.feature_names)  # those of one row have its raw values
    if format == "html":
        from clearprop.explain import web  # which text does not need

        return web.page(
            trace,
            notation,
            form=form,
            algorithm=algorithm,
            digits=digits,
            blanks=blanks,
            faithful=faithful,
            feature_names=names,
            classes=net.classes,
        )
    told = explained(
        trace,
        notation,
        algorithm=algorithm,
        digits=digits,
        blanks=blanks,
        faithful=faithful,
        feature_names=names,
        classes=net.classes,
    )
    return rendered(told, format, form, digits, ascii)
