"""The classic mistakes of a pass backwards, made on purpose: one line done otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from clearprop import backprop
from clearprop.activations import Array
from clearprop.architecture import Architecture


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
    applies: Callable[[Pass, int], bool] = lambda problem, layer: True


class Pass:
    """A pass forwards, from which gradients are made rightly or wrongly; layers count from 0."""

    def __init__(self, problem: Problem, *, biases: bool = True, weighted: bool = True) -> None:
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
            self.put(dW[layer], db[layer], delta, source)
        return flat

    def put(self, dW: Array, db: Array | None, delta: Array, source: Array) -> None:
        """Write BP3 and BP4 of one layer."""
        dW[:] = self.scale * (delta.T @ source)
        if db is not None:
            db[:] = self.scale * delta.sum(axis=0)


def _slope_at_a(made: Pass, layer: int, error: Array) -> Array:
    return made.architecture.layers[layer].function.backward(made.passed.a[layer + 1], error)


def _kept_slope(made: Pass, layer: int, error: Array) -> Array:
    a = made.passed.a[-1]
    function = made.architecture.output
    slope = function.slope(made.passed.z[-1]) if function.elementwise else a * (1 - a)
    return made.delta * slope


def _softmax_twice(made: Pass, layer: int, error: Array) -> Array:
    output = made.architecture.output
    a = made.passed.a[-1]
    return output.backward(made.passed.z[-1], (output(a) - made.Y) * made.sample_weight[:, None])


def _diagonal(made: Pass, layer: int, error: Array) -> Array:
    a = made.passed.a[-1]
    return error * a * (1 - a)


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
        "slope_at_activation",
        "the slope is taken at a {where}: f'(a), where f'(z) is meant (X6)",
        delta=_slope_at_a,
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
)
