"""Exercises of the documents, worked with the reader's numbers.

E1 is `delta_product_form`, E2 `derivations`, E8 and E9 `chains`. E7, blanks to fill in, is
``explain(..., blanks=True)``; E11 is in what a `PathSum` prints; E13 is ``nudge(..., on="a")``.
"""

from __future__ import annotations

import dataclasses
import itertools
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clearprop.activations import Array
from clearprop.explain import forms, remarks
from clearprop.explain import notation as notations
from clearprop.explain.expression import Num, Partial, Prod, Relation, Sum, substituted
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.paths import check_index, one_sample
from clearprop.explain.printers.text import WIDTH, TextPrinter

if TYPE_CHECKING:
    from clearprop.traceable import Traceable


def delta_product_form(net: Traceable, x: Any, y: Any, layer: int) -> Array:
    """Return delta of a layer as a product of matrices alone, (35) of S2 (E1).

    ``delta^l = S'(z^l) (w^{l+1})^T ... S'(z^L) grad_a C``, with S'(z) the diagonal matrix of the
    slopes, for softmax its Jacobian.

    Parameters
    ----------
    net : Network
    x, y : array-like
        One sample and its target.
    layer : int
        Counted from 0.

    Returns
    -------
    ndarray of shape (n_out,)

    Raises
    ------
    ValueError, TypeError
        If the layer is out of range, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 3, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    >>> delta = delta_product_form(net, [0.5, 1.0], [0.0, 1.0], layer=0)
    >>> bool(np.allclose(delta, net.trace([[0.5, 1.0]], [[0.0, 1.0]]).layers[0].delta[0]))
    True
    """
    layer = check_index("layer", layer, len(net.layers))
    layers = net.trace(*one_sample(x, y)).layers
    slopes = [each.slope[0] if each.slope.ndim == 3 else np.diag(each.slope[0]) for each in layers]
    delta: Array = slopes[-1].T @ layers[-1].error[0]  # (33)
    for at in range(len(layers) - 2, layer - 1, -1):
        delta = slopes[at] @ layers[at + 1].weights.T @ delta  # (34)
    return delta


class Chain(NamedTuple):
    """The derivatives along one path from a weight to the cost, from the cost on, and their product."""

    layer: int
    to: int
    source: int
    neurons: tuple[int, ...]
    factors: tuple[float, ...]
    product: float


def chains(net: Traceable, x: Any, y: Any) -> Iterator[Chain]:
    """Yield every chain of every weight: S1's exercise, the rest of the calculations (E8, E9).

    The chains of one weight add up to its gradient. A 2-2-2 network has 52 factors in them. With
    softmax outputs every chain splits once more, into the activations that its last z acts on.

    Raises
    ------
    ValueError
        If x and y are not one sample that fits the network.
    """
    trace = net.trace(*one_sample(x, y))
    half = trace.architecture.cost.squares != 1.0  # the engine's own scale
    glyphs = Glyphs(trace, dataclasses.replace(notations.NIELSEN, cost_scale=0.5 if half else 1.0))
    for layer, W in enumerate(net.weights, start=1):
        for to, source in np.ndindex(W.shape):
            sizes = (
                *net.architecture.widths[layer + 1 :],
                *([net.architecture.widths[-1]] if glyphs.softmax else []),
            )
            for rest in itertools.product(*map(range, sizes)):
                way = (to, *rest)
                product = forms.path_product(glyphs, layer, source, way)
                factors = _values(product)
                yield Chain(layer - 1, to, source, way, factors, float(np.prod(factors)))


def _values(product: Any) -> tuple[float, ...]:
    values = (each.value for each in product.factors if isinstance(each, Partial))
    return tuple(each.value for each in values if isinstance(each, Num))


def derivations(net: Traceable, x: Any, y: Any, notation: str | Notation = "nielsen") -> str:
    """Return the derivations of BP1 to BP4 with the reader's numbers, as text (E2).

    Each is derived for one neuron or weight: the chain rule, the derivatives in it, what they are
    here, and the equation's own result, which is the same number. With softmax outputs BP1 is (37)
    of S2; with cross-entropy it ends in (7) of S0, a - y, term by term.

    Raises
    ------
    ValueError
        If x and y are not one sample that fits the network, or it has one layer.
    """
    glyphs = Glyphs(net.trace(*one_sample(x, y)), notations.resolve(notation))
    if glyphs.last < 2:
        raise ValueError(f"net must have a hidden layer, got sizes {net.architecture.widths}")
    printer, out = TextPrinter(), []
    last, hidden = glyphs.last, glyphs.last - 1
    j = forms.neurons(glyphs, last)[0]
    h = forms.neurons(glyphs, hidden)[0]
    after = range(glyphs.sizes[last])
    steps: list[tuple[str, list[Line]]] = [
        _of_output(glyphs, j),
        (
            "BP2: z of a hidden neuron acts through every z of the next layer",
            [
                _chain(
                    glyphs.delta(hidden, h),
                    [
                        (glyphs.delta(last, k), glyphs.dz_da(last, k, h), glyphs.da_dz(hidden, h))
                        for k in after
                    ],
                ),
                *forms.delta(glyphs, hidden, h, 0)[1:],
            ],
        ),
    ]
    if glyphs.has_bias(last):
        gradient = glyphs.bias_gradient(last, j)
        steps.append(
            (
                "BP3: z = ... + b, so that its derivative by the bias is 1",
                [
                    Line(
                        Relation((gradient, glyphs.delta(last, j), forms.stands_for(gradient))), "chain"
                    )
                ],
            )
        )
    k = forms.chosen(glyphs.at(last).weight_gradient[j], 1)[0]
    steps.append(
        (
            "BP4: z = ... + w a + ..., so that its derivative by the weight is a",
            [
                _chain(
                    glyphs.weight_gradient(last, j, k),
                    [(glyphs.delta(last, j), glyphs.dz_dw(last, j, k))],
                ),
                *forms.weight_gradient(glyphs, last, j, k)[1:],
            ],
        )
    )
    for title, lines in steps:
        out += ["", title]
        for line in lines:
            out += printer.formula(line.formula, line.label)
    for note in remarks.footnotes(glyphs, (), 4):
        if note.startswith("Scale"):
            out += ["", *textwrap.wrap(f"{note}.", WIDTH)]
    return "\n".join(line.rstrip() for line in out[1:]) + "\n"


def _of_output(glyphs: Glyphs, j: int) -> tuple[str, list[Line]]:
    last = glyphs.last
    if glyphs.softmax:
        title = "BP1: with softmax the cost depends on z of an output through every a"
        return title, forms.canonical(glyphs, j) if glyphs.a_minus_y else forms.delta(
            glyphs, last, j, 0
        )[1:]
    chain = _chain(glyphs.delta(last, j), [(glyphs.error(last, j), glyphs.da_dz(last, j))])
    title = "BP1: the cost depends on z of an output only through its own a"
    return title, [chain, *forms.delta(glyphs, last, j, 0)[1:]]


def _chain(lhs: Any, terms: list[tuple[Any, ...]]) -> Line:
    products = tuple(Prod(term) for term in terms)
    total: Any = products[0] if len(products) == 1 else Sum(products)
    return Line(Relation((lhs, total, substituted(total), forms.stands_for(lhs))), "chain")
