# ruff: noqa: E741 - l is the layer, as in the equations
"""More classic mistakes, each beside a twin: another mistake, much like it, that must not be named so.

The gradients are made here, a batch at a time, by code that shares nothing with the package.
"""

import numpy as np
import pytest

import clearprop as cp
from clearprop import check_gradient


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=1):
    e = np.exp(z)
    return e / e.sum(axis=axis, keepdims=True)


# f, f'
FUNCTIONS = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: z * (z > 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "softplus": (lambda z: np.log1p(np.exp(z)), sigmoid),
    "identity": (lambda z: z, np.ones_like),
    "softmax": (softmax, None),
}
DERIVATIVES = {
    "quadratic": lambda a, y: a - y,
    "squared_error": lambda a, y: 2 * (a - y),
    "mean_absolute_error": lambda a, y: np.sign(a - y),
    "huber": lambda a, y: np.clip(a - y, -1, 1),
    "quantile": lambda a, y: np.where(y > a, -0.3, 0.7),
}


class At:
    """What is known in a layer: its number, the last one's, e = dC/da, z and a of all layers."""

    def __init__(self, l, L, e, zs, activations, name):
        self.l, self.L, self.e, self.zs, self.activations = l, L, e, zs, activations
        self.z, self.a, (_, self.slope) = zs[l], activations[l], FUNCTIONS[name]

    @property
    def is_hidden(self):
        return self.l < self.L


def by_hand(
    net,
    X,
    Y,
    *,
    delta=lambda at: at.e * at.slope(at.z),
    output=None,  # delta of the outputs, of (z, a, y)
    back=lambda l, Ws: Ws[l],  # from layer l + 1 to l; Ws[0] is of layer 1
    bias=lambda d: d.sum(axis=0),
    rows=slice(None),
    divide=True,
):
    """Return [(W, b), ...] with what is done otherwise."""
    names = [layer.function.name for layer in net.architecture.layers]
    cost, L, m = net.architecture.cost.name, len(names), len(X)
    X, Y = X[rows], Y[rows]
    zs, activations = [None], [X]
    for W, b, name in zip(net.weights, net.biases, names, strict=True):
        zs.append(activations[-1] @ W.T + b)
        activations.append(FUNCTIONS[name][0](zs[-1]))
    a = activations[-1]
    grads = [None] * L
    for l in range(L, 0, -1):
        if l == L and output is not None:
            d = output(zs[L], a, Y)
        elif l == L and cost == "cross_entropy":
            d = a - Y
        else:
            e = DERIVATIVES[cost](a, Y) if l == L else d @ back(l, net.weights)
            if names[l - 1] == "softmax":
                d = a * (e - (a * e).sum(axis=1, keepdims=True))
            else:
                d = delta(At(l, L, e, zs, activations, names[l - 1]))
        part = 1 / m if divide else 1
        grads[l - 1] = (part * d.T @ activations[l - 1], part * bias(d))
    return grads


def problem(activation="sigmoid", output="sigmoid", cost="quadratic", sizes=(4, 5, 6, 3), seed=0):
    if cost == "quantile":
        cost = cp.costs.quantile(q=0.3)
    net = cp.Network(list(sizes), activation, output, cost, dtype="float64", seed=0)
    rng = np.random.default_rng(seed)
    net.parameters[:] = rng.normal(scale=0.8, size=net.n_parameters)
    X, Y = rng.normal(size=(7, sizes[0])), rng.uniform(0.1, 0.9, (7, sizes[-1]))
    if net.architecture.cost.name in ("huber", "quantile", "mean_absolute_error"):
        Y = 4 * Y - 2
    return net, X, softmax(Y) if output == "softmax" else Y


def hidden(wrong):
    """Return a delta that is wrong in the hidden layers."""
    return {"delta": lambda at: wrong(at) if at.is_hidden else at.e * at.slope(at.z)}


def everywhere(wrong):
    return {"delta": wrong}


LEAKY = {"activation": "leaky_relu", "output": "identity"}
SQUARE = {"sizes": (5, 5, 5, 3)}
CLASSES = {"output": "softmax", "cost": "cross_entropy"}

# what: (network, what is done, name, layer, words, the twin, what the twin is called)
MISTAKES = {
    "the error is thrown away": (
        {"activation": "relu"}, hidden(lambda at: at.slope(at.z)),
        "error_dropped", 2, "thrown away",
        hidden(lambda at: at.e), ["missing_slope"],
    ),
    "the error is thrown away in tanh": (
        {"activation": "tanh"}, hidden(lambda at: 1 - at.a**2),
        "error_dropped", 2, "in the hidden layers",
        hidden(lambda at: np.abs(at.e) * at.slope(at.z)), [],
    ),
    "e(1 - e)": (
        {}, hidden(lambda at: at.e * (1 - at.e)),
        "slope_of_error", 2, "a(1 - a) is a formula for the activation a",
        hidden(lambda at: at.a * (1 - at.a)), ["error_dropped"],
    ),
    "e(1 - e), everywhere": (
        {}, everywhere(lambda at: at.e * (1 - at.e)),
        "slope_of_error", 3, "every layer",
        everywhere(lambda at: at.a * (1 - at.e)), [],
    ),
    "1 - e^2": (
        {"activation": "tanh"}, hidden(lambda at: 1 - at.e**2),
        "slope_of_error", 2, "1 - a^2 is a formula",
        hidden(lambda at: 1 - at.a**2), ["error_dropped"],
    ),
    "f'(e)": (
        {}, hidden(lambda at: at.e * at.slope(at.e)),
        "slope_of_error", 2, "f'(dC/da)",
        hidden(lambda at: at.e * at.slope(at.a)), ["slope_at_activation"],
    ),
    "tanh's slope": (
        {}, hidden(lambda at: at.e / np.cosh(at.z) ** 2),
        "another_slope", 2, "slope of tanh is taken in the hidden layers",
        hidden(lambda at: at.e / np.cosh(at.z)), [],
    ),
    "relu's slope for leaky_relu": (
        LEAKY, hidden(lambda at: at.e * (at.z > 0)),
        "another_slope", 2, "slope of relu",
        hidden(lambda at: at.e * np.where(at.z > 0, 1, 0.02)), [],
    ),
    "a(1 - a) in tanh": (
        {"activation": "tanh"}, hidden(lambda at: at.e * at.a * (1 - at.a)),
        "another_slope", 2, "a(1 - a) in the hidden layers, which is that of sigmoid alone",
        hidden(lambda at: at.e * (1 - at.a)), [],
    ),
    "1 - a^2 in softplus": (
        {"activation": "softplus"}, hidden(lambda at: at.e * (1 - at.a**2)),
        "another_slope", 2, "1 - a^2",
        hidden(lambda at: at.e * (1 - at.a)), [],
    ),
    "the negative side of leaky_relu": (
        LEAKY, hidden(lambda at: np.where(at.z > 0, at.e, 0.01)),
        "negative_side", 2, "the slope times dC/da is meant",
        hidden(lambda at: np.where(at.z > 0, at.e, 0)), ["another_slope"],
    ),
    "relu's mask is that of the error": (
        {"activation": "relu"}, hidden(lambda at: at.e * (at.e > 0)),
        "mask_of_error", 2, "where dC/da is positive",
        hidden(lambda at: at.e * (at.z > 0) * (at.e > 0)), [],
    ),
    "the slope twice": (
        {}, hidden(lambda at: at.e * at.slope(at.z) ** 2),
        "slope_twice", 2, "multiplied twice",
        hidden(lambda at: at.e * at.slope(at.z) ** 3), [],
    ),
    "the slope of the layer after": (
        SQUARE, hidden(lambda at: at.e * at.slope(at.zs[2])),
        "slope_of_neighbour", 1, "z of the layer after",
        hidden(lambda at: at.e * at.slope(at.zs[2][:, ::-1])), [],
    ),
    "the weights of its own layer": (
        SQUARE, {"back": lambda l, Ws: Ws[l - 1] if l == 1 else Ws[l]},
        "wrong_weights", 1, "the weights into its own layer",
        {"back": lambda l, Ws: Ws[l].T if l == 1 else Ws[l]}, ["transposed_weights"],
    ),
    "biases over the neurons too": (
        {}, {"bias": lambda d: np.full(d.shape[1], d.sum())},
        "bias_over_neurons", 3, "summed over the neurons too",
        {"bias": lambda d: np.full(d.shape[1], d.sum(axis=0)[0])}, [],
    ),
    "the mean of all delta for the biases": (
        {}, {"bias": lambda d: np.full(d.shape[1], len(d) * d.mean())},
        "bias_over_neurons", 3, "averaged over the neurons too",
        {"bias": lambda d: np.full(d.shape[1], d.mean(axis=1)[0])}, [],
    ),
    "biases over the other axis": (
        {"sizes": (4, 7, 7)}, {"bias": lambda d: d.sum(axis=1)},
        "bias_over_neurons", 2, "the other axis",
        {"bias": lambda d: d.sum(axis=0)[::-1]}, [],
    ),
    "softmax over the samples": (
        CLASSES, {"output": lambda z, a, y: softmax(z, axis=0) - y},
        "softmax_axis", 3, "over the samples",
        {"output": lambda z, a, y: softmax(softmax(z)) - y}, ["softmax_twice"],
    ),
    "softmax of probabilities": (
        CLASSES, {"output": lambda z, a, y: softmax(a) - y},
        "softmax_twice", 3, "where a is softmax already",
        {"output": lambda z, a, y: softmax(2 * z) - y}, [],
    ),
    "quadratic's derivative through softmax": (
        CLASSES, {"output": lambda z, a, y: a * (a - y - (a * (a - y)).sum(axis=1, keepdims=True))},
        "another_cost", 3, "that of quadratic",
        {"output": lambda z, a, y: (a - y) * a * (1 - a)}, ["kept_slope"],
    ),
    "Huber without the clip": (
        {"cost": "huber", "output": "identity"}, {"output": lambda z, a, y: a - y},
        "another_cost", 3, "that of quadratic",
        {"output": lambda z, a, y: np.clip(a - y, -2, 2)}, [],
    ),
    "the sign for a - y": (
        {"output": "identity"}, {"output": lambda z, a, y: np.sign(a - y)},
        "another_cost", 3, "that of mean_absolute_error",
        {"output": lambda z, a, y: np.tanh(a - y)}, [],
    ),
    "q and 1 - q": (
        {"cost": "quantile", "output": "identity"},
        {"output": lambda z, a, y: np.where(y > a, -0.7, 0.3)},
        "another_cost", 3, "q and 1 - q are exchanged",
        {"output": lambda z, a, y: np.where(y > a, -0.6, 0.4)}, [],
    ),
    "the last sample alone": (
        {}, {"rows": slice(6, None), "divide": False},
        "one_sample", 3, "of the last of the 7 samples alone",
        {"rows": slice(5, None), "divide": False}, [],
    ),
    "the first sample, divided": (
        {}, {"rows": slice(0, 1)},
        "one_sample", 3, "of the first of the 7 samples alone",
        {"rows": slice(0, 2)}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_each_mistake_is_named_and_its_twin_is_not_named_so(what):
    how, mistake, name, layer, words, twin, other = MISTAKES[what]
    net, X, Y = problem(**how)
    assert check_gradient(net, X, Y, by_hand(net, X, Y)).verdict == "pass"
    check = check_gradient(net, X, Y, by_hand(net, X, Y, **mistake))
    assert check.verdict == "fail"
    assert [(each.name, each.layer) for each in check.mistakes] == [(name, layer)], str(check)
    assert words in check.mistakes[0].sentence
    check = check_gradient(net, X, Y, by_hand(net, X, Y, **twin))
    assert (check.verdict, [each.name for each in check.mistakes]) == ("fail", other), str(check)


@pytest.mark.parametrize("what", ["the error is thrown away", "e(1 - e)", "the last sample alone"])
def test_a_mistake_is_named_in_float32_and_of_another_network_too(what):
    how, mistake, name, layer, *_ = MISTAKES[what]
    net, X, Y = problem(**how, sizes=(3, 4, 5, 2), seed=5)
    g = [(W.astype(np.float32), b.astype(np.float32)) for W, b in by_hand(net, X, Y, **mistake)]
    check = check_gradient(net, X, Y, g)
    assert [(each.name, each.layer) for each in check.mistakes] == [(name, layer)]


def test_a_mistake_that_makes_no_difference_is_not_named():
    net, X, Y = problem(sizes=(4, 5, 1))
    one = [(W, b) for W, b in by_hand(net, X, Y, bias=lambda d: np.full(d.shape[1], d.sum()))]
    found = check_gradient(net, X, Y, one).mistakes
    assert [(each.name, each.layer) for each in found] == [("bias_over_neurons", 1)]
    net, X, Y = problem(output="identity", activation="identity")
    assert check_gradient(net, X, Y, by_hand(net, X, Y, delta=lambda at: at.e)).verdict == "pass"


@pytest.mark.parametrize("how", [{}, {"output": "identity"}, {**CLASSES}])
def test_one_number_that_is_off_a_little_in_float32_is_no_mistake_with_a_name(how):
    net, X, Y = problem(**how)
    right = [(W.astype(np.float32), b.astype(np.float32)) for W, b in by_hand(net, X, Y)]
    for layer in range(3):
        for part in (0, 1):
            wrong = [[W.copy(), b.copy()] for W, b in right]
            array = wrong[layer][part]
            array.flat[1] += 1.5e-3 * np.abs(array).max()
            check = check_gradient(net, X, Y, wrong)
            assert (check.verdict, check.mistakes) == ("fail", ()), str(check)


def test_a_block_that_is_rightly_0_is_not_said_to_be_never_computed():
    net, X, Y = problem(activation="relu")
    net.biases[0][:] = -100.0  # the first layer is dead
    right = by_hand(net, X, Y)
    wrong = [*right[:2], (right[2][0], 2 * right[2][1])]
    (found,) = check_gradient(net, X, Y, wrong).mistakes
    assert (found.name, found.sentence[:24]) == ("factor", "layers.2.bias is 2 times")


HALF = "without the half"


@pytest.mark.parametrize(
    ("how", "factor", "said", "not_said"),
    [
        ({}, 2, HALF, "has not"),
        (CLASSES, 2, "added up twice", HALF),
        ({"cost": "huber", "output": "identity"}, 2, "added up twice", HALF),
        ({"cost": "squared_error"}, 2, "added up twice", HALF),
        ({"cost": "squared_error"}, 0.5, "a half that it has not", HALF),
        (CLASSES, 0.5, "half of what it should be", "a half that it has not"),
        (CLASSES, 2 / 3, "0.666667 times", "(a - y)^2"),
        ({}, 2 / 3, "(a - y)^2", HALF),
        (CLASSES, 1 / 3, "divided by the 3 outputs", "(a - y)^2"),
    ],
)
def test_the_word_for_a_factor_fits_the_cost(how, factor, said, not_said):
    net, X, Y = problem(**how)
    g = [(factor * W, factor * b) for W, b in by_hand(net, X, Y)]
    (found,) = check_gradient(net, X, Y, g).mistakes
    assert found.name == "factor"
    assert said in found.sentence
    assert not_said not in found.sentence


def test_a_penalty_on_the_biases_is_named_and_twice_one_is_not():
    net, X, Y = problem()
    right = by_hand(net, X, Y)

    def with_part(part):
        parts = zip(right, net.weights, net.biases, strict=True)
        return [(dW + 0.1 * W, db + part * b) for (dW, db), W, b in parts]

    assert check_gradient(net, X, Y, with_part(0), l2=0.1).verdict == "pass"
    (found,) = check_gradient(net, X, Y, with_part(0.1), l2=0.1).mistakes
    assert (found.name, "the biases have a part" in found.sentence) == ("penalty", True)
    assert check_gradient(net, X, Y, with_part(0.2), l2=0.1).mistakes == ()
