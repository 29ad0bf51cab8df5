"""The figures of the documents, V1 to V22, as text with the reader's own numbers.

The page draws most of them and lets them be touched; these go where only text goes: a terminal, a mail,
a docstring. Every figure is made for any network and one sample of it, in the reader's notation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.explain import notation as notations
from clearprop.explain.figures import network, tables, ways
from clearprop.explain.figures.shown import Shown
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.paths import check_index, one_sample
from clearprop.names import known_name

if TYPE_CHECKING:
    from clearprop.traceable import Traceable

_OWN = {"V14": (0, 0, 0), "V16": (0, 0, 0)}  # the weight that S1 takes


def figure(
    name: str,
    net: Traceable,
    x: Any,
    y: Any,
    notation: str | Notation = "nielsen",
    weight: tuple[int, int, int] | None = None,
) -> str:
    """Return one of the documents' figures, of one sample.

    Parameters
    ----------
    name : str
        "V1" to "V22", as `FIGURES` lists them.
    net : Network
    x, y : array-like
        One sample and its target.
    notation : str or Notation
    weight : (int, int, int), optional
        The weight it is about, ``net.weights[layer][to, source]``; without it the one that S1 takes in
        V14 and V16, of layer 1 from input 1 to neuron 1, and else that of layer 1 with the largest
        gradient.

    Raises
    ------
    ValueError
        If there is no such figure, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 2, 1], output="sigmoid", cost="quadratic", seed=0)
    >>> print(figure("V3", net, [0.5, 1.0], [1.0]).splitlines()[0])
    a¹₁     a²₁     a³₁ ──> C
    """
    known_name("figure", name, FIGURES)
    X, Y = one_sample(x, y)
    glyphs = Glyphs(net.trace(X, Y), notations.resolve(notation))
    if weight is None:
        weight = _OWN.get(name)
    if weight is None:
        gradient = np.abs(glyphs.at(1).weight_gradient)
        weight = (0, *divmod(int(np.nan_to_num(gradient).argmax()), gradient.shape[1]))
    for what, at, size in zip(("layer", "to", "source"), weight, _sizes(net, weight), strict=True):
        check_index(f"{what} of weight", at, size)
    return FIGURES[name][1](Shown(net, X, Y, glyphs, (weight[0] + 1, weight[1], weight[2]))) + "\n"


def _sizes(net: Traceable, weight: tuple[int, int, int]) -> tuple[int, int, int]:
    layer = weight[0] if 0 <= weight[0] < len(net.layers) else 0
    widths = net.architecture.widths
    return len(net.layers), widths[layer + 1], widths[layer]


FIGURES: dict[str, tuple[str, Callable[[Shown], str]]] = {
    "V1": ("a network with one weight marked", network.one_weight),
    "V2": ("biases and activations at their neurons", network.labels),
    "V3": ("the outputs lead to the cost", network.cost),
    "V4": ("the demon at a neuron changes its z", network.demon),
    "V5": ("one weight: a in, δ out", network.zoom),
    "V6": ("the activation function, with a dot where this neuron is", network.activation),
    "V7": ("a change of one weight", network.wave(0)),
    "V8": ("it changes the activation of its neuron", network.wave(1)),
    "V9": ("and that all activations of the next layer", network.wave(2)),
    "V10": ("and so on, to the cost", network.wave(3)),
    "V11": ("a change along one path, and along another", ways.one_path),
    "V12": ("the rates on the edges of a path, and the sum over paths", ways.rates),
    "V13": ("each neuron in two halves, z and a", network.in_halves),
    "V14": ("the chains of derivatives over the network", ways.chains),
    "V15": ("all the mathematics in the network", network.expanded),
    "V16": ("the paths of a first weight through both outputs", ways.two_paths),
    "V17": ("the factors of the last layer's gradients", tables.last_factors),
    "V18": ("the factors of the layer before", tables.hidden_factors),
    "V19": ("backpropagation, step by step", tables.backwards),
    "V20": ("the notation and the seven steps", tables.algorithm),
    "V21": ("equal weights stay equal", network.symmetry),
    "V22": ("the table of the dynamic programme", tables.dynamic),
}
