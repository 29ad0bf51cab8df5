"""A pass backwards in which one line is done otherwise, in some layers: the mistakes of one line.

The mistakes in the slope of an activation have a file of their own, `wrong_slopes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.costs import COSTS, FACTORIES


class Problem(Protocol):
    """The cost whose gradient was claimed."""

    architecture: Architecture
    parameters: Array
    X: Array
    Y: Array
    sample_weight: Array | None


@dataclass(frozen=True)
class Rule:
    """What is done otherwise in a layer; `applies` is where it can be told from what is right."""

    name: str
    sentence: str  # {where}, {which} are the layers, {after} the layer that follows
    delta: Callable[[Pass, int, Array], Array] | None = None  # dC/dz from dC/da
    carry: Callable[[Pass, int, Array, Array], Array] | None = None  # dC/da from what comes next
    source: Callable[[Pass, int], Array] | None = None  # what the weights of a layer see
    bias: Callable[[Array], Array] | None = None  # the sum of delta over the samples
    applies: Callable[[Pass, int], bool] = lambda problem, layer: True


class Pass:
    """A pass forwards, from which gradients are made rightly or wrongly; layers count from 0."""

    def __init__(
        self,
        problem: Problem,
        *,
        biases: bool = True,
        weighted: bool = True,
        only: int | None = None,
    ) -> None:
        self.architecture, parameters = problem.architecture, problem.parameters
        if not biases:
            parameters = parameters.copy()
            for b in self.architecture.views(parameters)[1]:
                if b is not None:
                    b[:] = 0.0
        self.weights, self.biases = self.architecture.views(parameters)
        self.passed = backprop.forward(self.architecture, parameters, problem.X)
        self.Y, self.last = problem.Y, len(self.weights) - 1
        sample_weight = problem.sample_weight if weighted else None
        self.sample_weight = np.ones(len(problem.X)) if sample_weight is None else sample_weight
        if only is not None:  # one sample, and no other
            self.sample_weight = np.where(np.arange(len(problem.X)) == only, self.sample_weight, 0.0)
        self.scale = self.architecture.cost.scale(len(problem.X))
        cost, output = self.architecture.cost, self.architecture.output
        z, a = self.passed.z[-1], self.passed.a[-1]
        self.canonical = cost.form(output) is not None
        self.error = cost.error(output, a, self.Y) * self.sample_weight[:, None]
        self.delta = cost.output_delta(output, z, a, self.Y) * self.sample_weight[:, None]

    def gradient(self, rule: Rule | None = None, at: frozenset[int] = frozenset()) -> Array:
        """Return the flat gradient, with the rule followed in some layers."""
        flat = np.empty(self.architecture.n_parameters)
        dW, db = self.architecture.views(flat)
        error, delta = self.error, self.delta
        for layer in range(self.last, -1, -1):
            mine = rule if rule is not None and layer in at else None
            function, z = self.architecture.layers[layer].function, self.passed.z[layer]
            if layer < self.last:
                carried = delta @ self.weights[layer + 1]
                if mine is not None and mine.carry is not None:
                    carried = mine.carry(self, layer, error, delta)
                error = carried
                delta = function.backward(z, error)
            if mine is not None and mine.delta is not None:
                delta = mine.delta(self, layer, error)
            source = self.passed.a[layer]
            if mine is not None and mine.source is not None:
                source = mine.source(self, layer)
            dW[layer][:] = self.scale * (delta.T @ source)
            if (b := db[layer]) is not None:
                bias = mine is not None and mine.bias
                b[:] = self.scale * (bias(delta) if bias else delta.sum(axis=0))
        return flat


def _kept_slope(made: Pass, layer: int, error: Array) -> Array:
    a = made.passed.a[-1]
    function = made.architecture.output
    slope = function.slope(made.passed.z[-1]) if function.elementwise else a * (1 - a)
    return made.delta * slope


def _softmax_twice(made: Pass, layer: int, error: Array) -> Array:
    output = made.architecture.output
    a = made.passed.a[-1]
    return output.backward(made.passed.z[-1], (output(a) - made.Y) * made.sample_weight[:, None])


def _softmax_of_softmax(made: Pass, layer: int, error: Array) -> Array:
    return (made.architecture.output(made.passed.a[-1]) - made.Y) * made.sample_weight[:, None]


def _diagonal(made: Pass, layer: int, error: Array) -> Array:
    a = made.passed.a[-1]
    return error * a * (1 - a)


def _softmax_over_samples(made: Pass, layer: int, error: Array) -> Array:
    z = made.passed.z[-1]
    e = np.exp(z - z.max(axis=0))
    return (e / e.sum(axis=0) - made.Y) * made.sample_weight[:, None]


def _other_cost(name: str) -> Callable[[Pass, int, Array], Array]:
    """Return the delta of the outputs with another cost of a - y."""
    other = COSTS[name]()

    def delta(made: Pass, layer: int, error: Array) -> Array:
        derivative = other.derivative(made.passed.a[-1], made.Y) * made.sample_weight[:, None]
        return made.architecture.output.backward(made.passed.z[-1], derivative)

    return delta


def _exchanged(made: Pass, layer: int, error: Array) -> Array:
    q = made.architecture.cost.parameters["q"]
    a, y = made.passed.a[-1], made.Y
    derivative = np.where(y > a, q - 1.0, np.where(y < a, q, 0.0)) * made.sample_weight[:, None]
    return made.architecture.output.backward(made.passed.z[-1], derivative)


def _has_other_cost(name: str) -> Callable[[Pass, int], bool]:
    """Return where the derivative of that cost is another, and not that of ours times a number."""
    other = COSTS[name]()
    bend = other.parameters.get("delta", 0.0)

    def applies(made: Pass, layer: int) -> bool:
        cost = made.architecture.cost
        same = FACTORIES.get(cost.name) is COSTS[name] or bool(cost.squares and other.squares)
        if bend and not (np.abs(made.passed.a[-1] - made.Y) > bend).any():
            return False  # it is quadratic's
        # Through sigmoid, quadratic's delta is that of cross-entropy with the slope kept.
        through = made.canonical and made.architecture.output.elementwise
        return layer == made.last and not (same or through)

    return applies


def _other_way_round(made: Pass, layer: int, error: Array, delta: Array) -> Array:
    W = made.weights[layer + 1]
    return delta @ W.reshape(W.shape[::-1]).T


RULES = (
    Rule(
        "missing_slope",
        "the slope f'(z) is left out {where}: delta is dC/da times f'(z) (BP1, BP2)",
        delta=lambda made, layer, error: error,
    ),
    Rule(
        "missing_slope",
        "dC/da of {after} is carried back {where}, where its delta is meant, which has the slope in "
        "it (BP2)",
        carry=lambda made, layer, error, delta: error @ made.weights[layer + 1],
    ),
    Rule(
        "kept_slope",
        "delta is multiplied by the slope {where}, where it cancels: with this cost and these outputs "
        "delta is a - y (X20)",
        delta=_kept_slope,
        applies=lambda made, layer: layer == made.last and made.canonical,
    ),
    Rule(
        "softmax_twice",
        "softmax is applied twice {where}: the cost takes z and applies it itself (as PyTorch's "
        "CrossEntropyLoss does)",
        delta=_softmax_twice,
        applies=lambda made, layer: (
            layer == made.last and made.canonical and not made.architecture.output.elementwise
        ),
    ),
    Rule(
        "softmax_twice",
        "delta is softmax(a) - y {where}, where a is softmax already: a - y is meant",
        delta=_softmax_of_softmax,
        applies=lambda made, layer: (
            layer == made.last and made.canonical and not made.architecture.output.elementwise
        ),
    ),
    Rule(
        "diagonal_jacobian",
        "softmax has the slope a(1 - a) of one neuron {where}; every output depends on every z: the "
        "whole Jacobian is meant (X19)",
        delta=_diagonal,
        applies=lambda made, layer: (
            layer == made.last and not made.canonical and not made.architecture.output.elementwise
        ),
    ),
    Rule(
        "transposed_weights",
        "the weights of {after} are transposed the wrong way as delta goes back through them "
        "{where}: sum over k of w_kj delta_k, row k to column j (BP2)",
        carry=_other_way_round,
    ),
    Rule(
        "wrong_input",
        "the weights into {which} are multiplied by z of the layer before, where its a is meant (BP4)",
        source=lambda made, layer: made.passed.z[layer - 1],
        applies=lambda made, layer: layer > 0,
    ),
    Rule(
        "wrong_input",
        "the weights into {which} are multiplied by a of their own layer, where that of the layer "
        "before is meant (BP4, X13)",
        source=lambda made, layer: made.passed.a[layer + 1],
        applies=lambda made, layer: made.weights[layer].shape[0] == made.weights[layer].shape[1],
    ),
    Rule(
        "wrong_weights",
        "delta goes back through the weights into its own layer {where}, where those of {after} are "
        "meant (BP2)",
        carry=lambda made, layer, error, delta: delta @ made.weights[layer],
        applies=lambda made, layer: (
            layer < made.last and made.weights[layer].shape == made.weights[layer + 1].shape
        ),
    ),
    Rule(
        "bias_over_neurons",
        "the gradient of the biases is summed over the neurons too {where}: each has the sum of its "
        "own delta over the samples (BP3)",
        bias=lambda delta: np.full(delta.shape[1], delta.sum()),
    ),
    Rule(
        "bias_over_neurons",
        "the gradient of the biases is averaged over the neurons too {where}: each has the sum of its "
        "own delta over the samples (BP3)",
        bias=lambda delta: np.full(delta.shape[1], delta.sum() / delta.shape[1]),
    ),
    Rule(
        "bias_over_neurons",
        "the gradient of the biases is summed over the neurons {where}, where the samples are meant "
        "(BP3): the other axis",
        bias=lambda delta: delta.sum(axis=1),
        applies=lambda made, layer: len(made.Y) == made.weights[layer].shape[0],
    ),
    Rule(
        "softmax_axis",
        "softmax is taken over the samples {where}, where the outputs of each sample are meant: the "
        "other axis",
        delta=_softmax_over_samples,
        applies=lambda made, layer: (
            layer == made.last and made.canonical and not made.architecture.output.elementwise
        ),
    ),
    *(
        Rule(
            "another_cost",
            f"the derivative is that of {name} {{where}}, which is not the cost of this network",
            delta=_other_cost(name),
            applies=_has_other_cost(name),
        )
        for name in ("quadratic", "mean_absolute_error", "huber")
    ),
    Rule(
        "another_cost",
        "q and 1 - q are exchanged {where}: the derivative is -q where y is larger than a",
        delta=_exchanged,
        applies=lambda made, layer: layer == made.last and "q" in made.architecture.cost.parameters,
    ),
)
