"""Every gradient against central differences, the complex step and another automatic differentiation."""

import itertools

import numpy as np
import pytest

import oracles
import problems
from clearprop import costs
from clearprop.architecture import Layer
from problems import assert_close
from tables import ACTIVATIONS, OUTPUTS, PER_NEURON, SMOOTH, output_name

DEPTHS = [(4, 5, 3), (4, 6, 5, 3)]
EXTRAS = [
    {"weighted": weighted, **penalty}
    for weighted, penalty in itertools.product((False, True), ({}, {"l2": 0.1}, {"l1": 0.05}))
]


def described(problem):
    """Return a problem's layers and cost in the words of `oracles`."""
    names = []
    for layer in problem.architecture.layers:
        f = layer.function
        neurons = [part.name for part in f.parts] if f.parts else [f.name] * layer.size
        names.append(["softmax"] if f.name == "softmax" else neurons)
    cost = problem.architecture.cost
    output = problem.architecture.output.name
    name = f"{cost.name} ({output})" if cost.name == "cross_entropy" else cost.name
    return names, name


def by_autograd(problem):
    names, cost = described(problem)
    return oracles.autograd_gradient(
        problem.weights,
        problem.biases,
        names,
        cost,
        problem.architecture.cost.parameters,
        problem.X,
        problem.Y,
        problem.sample_weight,
        problem.architecture.cost.reduction == "mean",
        problem.l2,
        problem.l1,
    )


def is_smooth(problem):
    layers = problem.architecture.layers
    return problem.architecture.cost.smooth and all(layer.function.smooth for layer in layers)


def assert_gradient_is_right(problem):
    ours = problem.gradient()
    assert_close(ours, oracles.central_differences(problem.cost, problem.parameters), 1e-6, problem)
    assert_close(ours, by_autograd(problem), 1e-10, problem)
    if is_smooth(problem) and not problem.l1:
        exact = oracles.complex_step_gradient(problem.cost, problem.parameters)
        assert_close(ours, exact, 1e-12, problem)


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda f: f.name)
def test_gradient_agrees_with_three_oracles(activation, pair):
    cost, output = pair
    # Three of the six extras each, so that every activation and every cost meets all of them.
    first = (ACTIVATIONS.index(activation) + OUTPUTS.index(pair)) % 2
    for i, extra in list(enumerate(EXTRAS))[first::2]:
        sizes = DEPTHS[i // 2 % 2]
        assert_gradient_is_right(problems.make(sizes, activation, output, cost, seed=i, **extra))


@pytest.mark.slow
@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda f: f.name)
def test_gradient_agrees_with_three_oracles_in_every_combination(activation, pair):
    cost, output = pair
    for sizes, extra in itertools.product(DEPTHS, EXTRAS):
        assert_gradient_is_right(problems.make(sizes, activation, output, cost, seed=9, **extra))


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
@pytest.mark.parametrize("extra", EXTRAS, ids=lambda e: "-".join(map(str, e)))
def test_gradient_without_a_hidden_layer(pair, extra):
    cost, output = pair
    assert_gradient_is_right(problems.make((4, 3), "sigmoid", output, cost, **extra))


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
@pytest.mark.parametrize("depth", [1, 2])
def test_gradient_with_an_activation_for_each_neuron(pair, depth):
    cost, output = pair
    hidden = [Layer(5, PER_NEURON), Layer(5, PER_NEURON[::-1], bias=False)][:depth]
    assert_gradient_is_right(
        problems.make((4, *hidden, 3), "tanh", output, cost, weighted=True, l2=0.1)
        if cost.name != "binary_cross_entropy"
        else problems.make((4, *hidden, 1), "tanh", output, cost, weighted=True, l2=0.1)
    )


@pytest.mark.parametrize(
    ("sizes", "n"),
    [
        ((4, 5, 3), 1),
        ((1, 1, 1), 1),
        ((1, 1, 1), 7),
        ((4, 4, 4), 7),
        ((2, 1, 2), 3),
        ((3, 2, 4, 2, 3), 7),
    ],
    ids=str,
)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu"])
def test_gradient_at_the_edges_of_size(sizes, n, activation):
    assert_gradient_is_right(problems.make(sizes, activation, "identity", "quadratic", n=n))


@pytest.mark.parametrize("bias", list(itertools.product([True, False], repeat=2)), ids=str)
def test_gradient_where_layers_have_no_bias(bias):
    layers = (4, Layer(5, "tanh", bias=bias[0]), Layer(3, "softmax", bias=bias[1]))
    assert_gradient_is_right(problems.make(layers, cost="cross_entropy", weighted=True, l2=0.1))


@pytest.mark.parametrize("activation", SMOOTH, ids=lambda f: f.name)
def test_gradient_of_the_inputs_agrees_with_the_complex_step(activation):
    from clearprop import backprop

    problem = problems.make(activation=activation)
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    back = backprop.backward(problem.architecture, problem.parameters, passed, problem.Y)
    ours = back.delta[0] @ problem.weights[0] / len(problem.X)

    def cost_of(flat):
        problem.X = flat.reshape(7, 4)
        return problem.cost(problem.parameters.astype(flat.dtype))

    exact = oracles.complex_step_gradient(cost_of, problem.X.ravel()).reshape(7, 4)
    np.testing.assert_allclose(ours, exact, rtol=1e-11, atol=1e-13 * np.abs(exact).max())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda f: f.name)
def test_gradient_in_float32_is_near_that_in_float64(activation):
    problem = problems.make((4, 6, 5, 3), activation, "softmax", "cross_entropy")
    exact = problem.gradient()
    for name in ("parameters", "X", "Y"):
        setattr(problem, name, getattr(problem, name).astype(np.float32))
    ours = problem.gradient()
    assert ours.dtype == np.float32
    # Some hundred operations on 24-bit numbers.
    assert_close(ours.astype(np.float64), exact, 1e-5, problem)


def test_gradient_of_a_users_own_cost_and_activation():
    from clearprop.activations import Activation
    from clearprop.costs import Cost

    bent = Activation(
        "bent_identity",
        lambda z: (np.sqrt(z**2 + 1) - 1) / 2 + z,
        lambda z: z / (2 * np.sqrt(z**2 + 1)) + 1,
    )
    fourth = Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    for output in ("identity", "softmax", bent):
        problem = problems.make((4, 5, 3), bent, output, fourth, weighted=True, l2=0.1)
        numeric = oracles.central_differences(problem.cost, problem.parameters)
        assert_close(problem.gradient(), numeric, 1e-6, problem)


def test_l2_is_added_once_whatever_the_reduction_and_the_batch():
    for reduction, n in itertools.product(("mean", "sum"), (1, 7)):
        cost = costs.quadratic(reduction)
        with_penalty = problems.make(cost=cost, n=n, l2=0.3)
        without = problems.make(cost=cost, n=n)
        difference = with_penalty.gradient() - without.gradient()
        dW, db = with_penalty.architecture.views(difference)
        for part, W in zip(dW, with_penalty.weights, strict=True):
            np.testing.assert_allclose(part, 0.3 * W, rtol=0, atol=1e-14)
        assert all((part == 0).all() for part in db)
