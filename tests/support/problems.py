"""Small networks with data that suit them: sizes (4, 5, 3) and 7 samples unless a test says otherwise.

Unequal sizes show a transposed matrix, several samples a sum in place of a mean.
"""

from dataclasses import dataclass

import numpy as np

from clearprop import architecture, backprop, building, costs, penalties


@dataclass
class Problem:
    """An architecture, its parameters in float64, a batch, and the functions of it under test."""

    architecture: architecture.Architecture
    parameters: np.ndarray
    X: np.ndarray
    Y: np.ndarray
    sample_weight: np.ndarray | None = None
    l2: float = 0.0
    l1: float = 0.0

    def cost(self, parameters=None):
        p = self.parameters if parameters is None else parameters
        passed = backprop.forward(self.architecture, p, self.X)
        cost = self.architecture.cost
        each = cost.of_samples(self.architecture.output, passed.z[-1], passed.a[-1], self.Y)
        penalty = (
            penalties.penalty(self.architecture, p, self.l2, self.l1) if self.l2 or self.l1 else 0.0
        )
        return cost.reduce(each, self.sample_weight) + penalty

    def gradient(self):
        a, p = self.architecture, self.parameters
        passed = backprop.forward(a, p, self.X)
        flat = backprop.gradient(a, passed, backprop.backward(a, p, passed, self.Y, self.sample_weight))
        penalties.add_gradient(a, flat, p, self.l2, self.l1)
        return flat

    def per_sample(self):
        a, p = self.architecture, self.parameters
        passed = backprop.forward(a, p, self.X)
        return backprop.gradient_per_sample(a, passed, backprop.backward(a, p, passed, self.Y))

    @property
    def weights(self):
        return self.architecture.views(self.parameters)[0]

    @property
    def biases(self):
        return self.architecture.views(self.parameters)[1]


def targets(cost, output, n, n_outputs, rng):
    """Return targets that the cost is defined for."""
    if cost.name == "cross_entropy" and output == "softmax":
        return rng.dirichlet(np.ones(n_outputs), n)
    if cost.name in ("cross_entropy", "binary_cross_entropy"):
        return rng.uniform(0, 1, (n, n_outputs))
    if cost.name == "poisson":
        return rng.poisson(2.0, (n, n_outputs)).astype(float)
    return rng.normal(size=(n, n_outputs))


def make(layers=(4, 5, 3), activation="sigmoid", output=None, cost="quadratic", n=7, seed=0, **more):
    """Return a problem with random parameters, inputs and targets."""
    rng = np.random.default_rng(seed)
    cost = costs.resolve(cost)
    if cost.name == "binary_cross_entropy":
        layers = (*layers[:-1], 1)
    made = building.build(list(layers), activation, output, cost)
    # Small for exp, of which two layers overflow soon.
    spread = 0.1 if any("exp" in layer.function.name for layer in made.layers[:-1]) else 0.6
    parameters = rng.normal(scale=spread, size=made.n_parameters)
    X = rng.normal(size=(n, made.sizes[0]))
    Y = targets(cost, made.output.name, n, made.sizes[-1], rng)
    if more.pop("weighted", False):
        weight = rng.uniform(0, 2, n)
        more["sample_weight"] = weight / weight.mean()
    return Problem(made, parameters, X, Y, **more)


def classes(made, rows, weighted=False, l2=0.0, l1=0.0):
    """Return the problem of telling the classes of given rows, whose parameters are drawn."""
    rng = np.random.default_rng(1)
    weight = rng.uniform(0, 2, len(rows))
    parameters = rng.normal(scale=0.6, size=made.n_parameters)
    Y = rng.dirichlet(np.ones(made.sizes[-1]), len(rows))
    return Problem(made, parameters, rows, Y, weight / weight.mean() if weighted else None, l2, l1)


def assert_close(actual, expected, tolerance, problem):
    """Assert, for each block of parameters, ``max |error| / max |value|`` within tolerance."""
    assert actual.shape == expected.shape
    for block in problem.architecture.blocks:
        a, e = actual[..., block.slice], expected[..., block.slice]
        size = np.abs(e).max()
        assert np.abs(a - e).max() <= tolerance * size, (
            f"{block.name}: error {np.abs(a - e).max():.2e}, largest value {size:.2e}"
        )
