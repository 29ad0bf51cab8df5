"""The demon of S2 (L155): it changes one number inside the network, and the cost follows.

What delta promises, ``delta * dz``, beside what the cost really does. E13: it may sit at a instead of
z, where dC/da is its measure; or at a weight or bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.explain.paths import check_index, one_sample
from clearprop.names import is_number, known_name

if TYPE_CHECKING:
    from clearprop.network import Network


@dataclass(frozen=True)
class Nudge:
    """A change of one number, the change of the cost that its derivative predicts, and the exact one.

    Attributes
    ----------
    on, layer, neuron, source, by
        What was changed, counted from 0, and by how much.
    rate : float
        The derivative of the cost: delta for z, dC/da for a, dC/dw, dC/db.
    cost, cost_after : float
        Of the sample, in float64; `cost_after` is NaN or infinite where the change leads out of where
        the cost is defined, as an output of 1.2 does under cross-entropy.
    """

    on: str
    layer: int
    neuron: int
    source: int | None
    by: float
    rate: float
    cost: float
    cost_after: float

    @property
    def predicted(self) -> float:
        """The derivative times the change."""
        return self.rate * self.by

    @property
    def exact(self) -> float:
        """The change of the cost."""
        return self.cost_after - self.cost

    @property
    def error(self) -> float:
        """Exact minus predicted: of the order of the square of the change."""
        return self.exact - self.predicted

    def __str__(self) -> str:
        """Return what is changed, what is predicted and what happens, a line each."""
        symbol = {"z": "delta", "a": "dC/da", "weight": "dC/dw", "bias": "dC/db"}[self.on]
        where = f"neuron {self.neuron + 1} of layer {self.layer + 1}"
        if self.source is not None:
            where += f", from neuron {self.source + 1}"
        said = (
            f"{self.on} of {where} is changed by {self.by:.4g}\n"
            f"predicted  {symbol} x change = {self.rate:.4g} x {self.by:.4g} = {self.predicted:.4g}\n"
            f"exact      C {self.cost:.6g} -> {self.cost_after:.6g}, a change of {self.exact:.4g} "
            f"(error {self.error:.2g})"
        )
        if not math.isfinite(self.cost_after):
            said += "\nThe change leads out of where the cost is defined, or of what float64 holds."
        return said


def nudge(
    net: Network,
    x: Any,
    y: Any,
    layer: int,
    neuron: int,
    by: float = 0.01,
    on: str = "z",
    source: int | None = None,
) -> Nudge:
    """Change one number of a pass, and return the predicted and the exact change of the cost.

    Parameters
    ----------
    net : Network
        Not changed; the arithmetic is float64.
    x, y : array-like
        One sample and its target.
    layer, neuron : int
        Counted from 0: the neuron whose z, a, bias, or weight from `source` is changed.
    by : float
    on : {"z", "a", "weight", "bias"}
    source : int, optional
        Of the weight.

    Returns
    -------
    Nudge

    Raises
    ------
    ValueError, TypeError
        If an index is out of range, or x and y are not one sample that fits the network.

    Examples
    --------
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> demon = nudge(net, [0.5, 1.0], 1, layer=0, neuron=2, by=1e-3)
    >>> bool(abs(demon.error) < 1e-5 * abs(demon.predicted) + 1e-6)
    True
    """
    known_name("on", on, ("z", "a", "weight", "bias"))
    layer = check_index("layer", layer, len(net.layers))
    neuron = check_index("neuron", neuron, net.sizes[layer + 1])
    if (on == "weight") != (source is not None):
        raise ValueError(
            f"source must be given for a weight, and for nothing else, got {source!r} for {on}"
        )
    if source is not None:
        source = check_index("source", source, net.sizes[layer])
    if not is_number(by):
        raise ValueError(f"by must be a finite number, got {by!r}")
    wide = net.copy("float64")
    trace = wide.trace(*one_sample(x, y))
    here = trace.layers[layer]
    z, a = here.z.copy(), here.a.copy()
    before = trace.inputs if layer == 0 else trace.layers[layer - 1].a
    function = net.layers[layer].function
    if on == "a":
        rate, a[0, neuron] = here.error[0, neuron], a[0, neuron] + by
    else:
        with np.errstate(all="ignore"):
            unit = 1.0 if source is None else before[0, source]
            z[0, neuron] += by * unit
            rate, a = here.delta[0, neuron] * unit, function(z)
    if on == "bias" and here.biases is None:
        raise ValueError(
            f"on must be a number that is there, got 'bias' for layer {layer}, which has none"
        )
    with np.errstate(all="ignore"):
        for later, described in zip(trace.layers[layer + 1 :], net.layers[layer + 1 :], strict=True):
            z = a @ later.weights.T + (0.0 if later.biases is None else later.biases)
            a = described.function(z)
    after = _cost(wide, on == "a" and layer == len(net.layers) - 1, z, a, trace.Y)
    return Nudge(on, layer, neuron, source, float(by), float(rate), float(trace.sample_costs[0]), after)


def _cost(net: Network, at_output: bool, z: Any, a: Any, y: Any) -> float:
    cost = net.architecture.cost
    if at_output:  # a is no longer f(z): the cost as a function of a
        with np.errstate(all="ignore"):
            return float(_of_a(net, a, y))
    return float(cost.of_samples(net.architecture.output, z, a, y)[0])


def _of_a(net: Network, a: Any, y: Any) -> float:
    cost, output = net.architecture.cost, net.architecture.output.name
    if cost.name == "cross_entropy" and output == "sigmoid":  # its `value` is softmax's form
        return -float((y * np.log(a) + (1.0 - y) * np.log1p(-a)).sum())
    return float(cost.value(a, y)[0])
