# ruff: noqa: E741 - l is the layer, as in the equations
"""A foreign gradient with a classic mistake in it fails, and the mistake is named with its layer.

The wrong gradients are made here, sample by sample, by code that shares nothing with the package.
"""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import clearprop as cp
from clearprop import check_gradient

FUNCTIONS = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "identity": (lambda z: z, np.ones_like),
}


def network(sizes=(4, 5, 3), activation="sigmoid", output="sigmoid", cost="quadratic", seed=0, **more):
    net = cp.Network(list(sizes), activation, output, cost, dtype="float64", seed=seed, **more)
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.8, size=net.n_parameters)
    return net


def batch(net, n=7, seed=1):
    rng = np.random.default_rng(seed)
    Y = rng.uniform(0.1, 0.9, (n, net.sizes[-1]))
    if net.architecture.output.name == "softmax":
        Y /= Y.sum(axis=1, keepdims=True)
    return rng.normal(size=(n, net.sizes[0])), Y


def student(
    net,
    X,
    Y,
    *,
    slope=lambda l, L, f, z, a: f(z),  # f'(z) of layer l = 1..L
    output=lambda a, y, s: (a - y) * s,
    back=lambda l, W, dW: W.T,
    source=lambda l, zs, activations: activations[l - 1],
    with_bias=True,
    bias_gradient=lambda delta: delta,
    total=lambda total, m: total / m,
):
    """Return the (weights, biases) that a student's loop finds, with what he does otherwise."""
    L = len(net.weights)
    names = [layer.function.name for layer in net.architecture.layers]
    sums = [np.zeros_like(W) for W in net.weights], [np.zeros(len(W)) for W in net.weights]
    for x, y in zip(X, Y, strict=True):
        zs, activations = [None], [x]
        for W, b, name in zip(net.weights, net.biases, names, strict=True):
            zs.append(W @ activations[-1] + (b if with_bias else 0))
            activations.append(FUNCTIONS[name][0](zs[-1]))
        slopes = [None] + [
            slope(l, L, FUNCTIONS[names[l - 1]][1], zs[l], activations[l]) for l in range(1, L + 1)
        ]
        delta = output(activations[L], y, slopes[L])
        for l in range(L, 0, -1):
            dW = np.outer(delta, source(l, zs, activations))
            sums[0][l - 1] += dW
            sums[1][l - 1] += bias_gradient(delta)
            if l > 1:
                delta = (back(l, net.weights[l - 1], dW) @ delta) * slopes[l - 1]
    return tuple([total(each, len(X)) for each in kind] for kind in sums)


def test_the_students_loop_without_a_mistake_passes():
    for net in (network(), network((3, 4, 5, 2), "tanh", "identity"), network((3, 3, 3, 3))):
        X, Y = batch(net)
        check = check_gradient(net, X, Y, student(net, X, Y))
        assert check.verdict == "pass"
        assert check.mistakes == ()
        assert check.first_wrong is None


def one(l, L):
    return True


def output_only(l, L):
    return l == L


def hidden_only(l, L):
    return l < L


def second_only(l, L):
    return l == 2


def no_slope(where):
    return {"slope": lambda l, L, f, z, a: np.ones_like(z) if where(l, L) else f(z)}


def slope_at_a(where):
    return {"slope": lambda l, L, f, z, a: f(a) if where(l, L) else f(z)}


# name: (sizes, what is done, the mistake, the first wrong layer, words of the sentence)
DEEP = (4, 3, 5, 6, 2)
MISTAKES = {
    "missing slope, everywhere": (DEEP, no_slope(one), "missing_slope", 4, "left out in every layer"),
    "missing slope, output": (DEEP, no_slope(output_only), "missing_slope", 4, "left out in layer 4, the output"),
    "missing slope, hidden": (DEEP, no_slope(hidden_only), "missing_slope", 3, "left out in the hidden layers"),
    "missing slope, layer 2": (DEEP, no_slope(second_only), "missing_slope", 2, "left out in layer 2"),
    "f' at a, everywhere": (DEEP, slope_at_a(one), "slope_at_activation", 4, "taken at a in every layer"),
    "f' at a, output": (DEEP, slope_at_a(output_only), "slope_at_activation", 4, "at a in layer 4, the output"),
    "f' at a, hidden": (DEEP, slope_at_a(hidden_only), "slope_at_activation", 3, "at a in the hidden layers"),
    "f' at a, layer 2": (DEEP, slope_at_a(second_only), "slope_at_activation", 2, "taken at a in layer 2"),
    "transposed, square": ((3, 3, 3, 3), {"back": lambda l, W, dW: W}, "transposed_weights", 2, "wrong way"),
    "transposed, reshaped": (DEEP, {"back": lambda l, W, dW: W.reshape(W.T.shape)}, "transposed_weights", 3, "wrong way"),
    "sum for mean": (DEEP, {"total": lambda total, m: total}, "sum_for_mean", 4, "7 times too large: the sum over the 7 samples"),
    "mean of the mean": (DEEP, {"total": lambda total, m: total / m**2}, "sum_for_mean", 4, "divided by the 7 samples once more"),
    "sign": (DEEP, {"output": lambda a, y, s: (y - a) * s}, "sign", 4, "other sign"),
    "factor 2": (DEEP, {"output": lambda a, y, s: 2 * (a - y) * s}, "factor", 4, "2 times too large"),
    "factor 1/2": ((4, 5, 3), {"output": lambda a, y, s: 0.5 * (a - y) * s}, "factor", 2, "half of what it should be"),
    "bias left out forwards": (DEEP, {"with_bias": False}, "no_bias", 4, "left out of the pass forwards"),
    "bias left out backwards": (DEEP, {"bias_gradient": lambda delta: 0}, "no_bias", 4, "biases have no gradient"),
    "bias left out of both": (DEEP, {"with_bias": False, "bias_gradient": lambda delta: 0}, "no_bias", 4, "left out of the pass forwards"),
    "z for a": (DEEP, {"source": lambda l, zs, a: a[0] if l == 1 else zs[l - 1]}, "wrong_input", 4, "multiplied by z of the layer before"),
    "X13": ((3, 3, 3, 3), {"source": lambda l, zs, a: a[l]}, "wrong_input", 3, "a of their own layer"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_each_classic_mistake_is_recognised_with_its_first_layer(kind):
    sizes, how, name, layer, words = MISTAKES[kind]
    net = network(sizes, "sigmoid" if len(kind) % 2 else "tanh")
    X, Y = batch(net)
    check = check_gradient(net, X, Y, student(net, X, Y, **how))
    assert check.verdict == "fail"
    assert [each.name for each in check.mistakes] == [name], str(check)
    assert check.mistakes[0].layer == layer == int(check.first_wrong.split(".")[1]) + 1
    assert words in check.mistakes[0].sentence
    flat = " ".join(str(check).split())
    assert f"First wrong layer, on the way back from the cost: layer {layer} (" in flat
    assert f"Likely: {check.mistakes[0].sentence}." in flat


@pytest.mark.parametrize("eta", [0.5, 3.0, 0.01])
def test_an_update_before_the_error_has_gone_back_is_recognised_with_its_learning_rate(eta):
    """X36, E10."""
    net = network((4, 3, 5, 2))
    X, Y = batch(net, 1)
    early = student(net, X, Y, back=lambda l, W, dW: (W - eta * dW).T)
    check = check_gradient(net, X, Y, early)
    assert check.verdict == "fail"
    assert [(each.name, each.layer) for each in check.mistakes] == [("early_update", 2)]
    assert f"learning rate of {eta:g}" in check.mistakes[0].sentence


def test_an_early_update_of_a_batch_is_recognised_too():
    net = network((4, 3, 2))
    X, Y = batch(net)
    after = net.copy()
    dW = net.gradient(X, Y).weights
    trace = net.trace(X, Y)
    after.weights[1][:] -= 0.5 * dW[1]
    delta = (trace.layers[1].delta @ after.weights[1]) * trace.layers[0].slope
    early = ([delta.T @ X / 7, dW[1]], [delta.mean(axis=0), trace.layers[1].bias_gradient])
    found = check_gradient(net, X, Y, early).mistakes
    assert [each.name for each in found] == ["early_update"]
    assert "learning rate of 0.5" in found[0].sentence


def test_two_mistakes_that_give_the_same_numbers_are_both_named():
    net = network()
    X, Y = batch(net, 2)
    found = check_gradient(net, X, Y, student(net, X, Y, total=lambda total, m: total)).mistakes
    assert [each.name for each in found] == ["sum_for_mean", "factor"]


def test_a_mistake_and_a_factor_are_named_together():
    net = network(DEEP)
    X, Y = batch(net)
    g = student(net, X, Y, total=lambda total, m: total, **slope_at_a(hidden_only))
    (found,) = check_gradient(net, X, Y, g).mistakes
    assert found.name == "slope_at_activation"
    assert "the sum over the 7 samples" in found.sentence


def test_the_first_mistake_is_named_where_there_are_two_on_the_way():
    net = network(DEEP)
    X, Y = batch(net)

    def slope(l, L, f, z, a):
        return np.ones_like(z) if l == 3 else f(a) if l == 1 else f(z)

    (found,) = check_gradient(net, X, Y, student(net, X, Y, slope=slope)).mistakes
    assert (found.name, found.layer) == ("missing_slope", 3)
    assert "this does not explain all that follows" in found.sentence


def test_mistakes_of_single_blocks_are_named_with_the_block():
    net = network(DEEP)
    X, Y = batch(net)
    weights, biases = student(net, X, Y)
    biases[1] = biases[1] * 7
    weights[2] = weights[2] * 0
    found = check_gradient(net, X, Y, (weights, biases)).mistakes
    assert [(each.name, each.layer) for each in found] == [("zero", 3), ("sum_for_mean", 2)]
    assert "layers.2.weight is 0" in found[0].sentence
    assert "layers.1.bias is 7 times too large" in found[1].sentence


def test_a_flat_gradient_in_the_other_layout_is_recognised():
    net = network(DEEP)
    X, Y = batch(net)
    weights, biases = student(net, X, Y)
    flat = np.concatenate(
        [each.ravel() for W, b in zip(weights, biases, strict=True) for each in (W.T, b)]
    )
    (found,) = check_gradient(net, X, Y, flat).mistakes
    assert found.name == "transposed_weights"
    assert "every weight gradient is transposed" in found.sentence


def test_softmax_with_the_diagonal_of_its_jacobian_is_recognised():
    net = network((4, 5, 3), output="softmax")
    X, Y = batch(net)
    trace = net.trace(X, Y)
    a = trace.layers[-1].a
    g = by_delta(net, trace, (a - Y) * a * (1 - a))
    (found,) = check_gradient(net, X, Y, g).mistakes
    assert (found.name, found.layer) == ("diagonal_jacobian", 2)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_slope_that_cancels_and_was_kept_is_recognised(output):
    net = network((4, 5, 3), output=output, cost="cross_entropy")
    X, Y = batch(net)
    trace = net.trace(X, Y)
    a = trace.layers[-1].a
    (found,) = check_gradient(net, X, Y, by_delta(net, trace, (a - Y) * a * (1 - a))).mistakes
    assert (found.name, found.layer) == ("kept_slope", 2)
    assert "delta is a - y" in found.sentence


def test_softmax_applied_twice_is_recognised():
    net = network((4, 5, 3), output="softmax", cost="cross_entropy")
    X, Y = batch(net)
    trace = net.trace(X, Y)
    a = trace.layers[-1].a
    again = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    jacobians = np.einsum("ij,jk->ijk", a, np.eye(3)) - a[:, :, None] * a[:, None, :]
    delta = np.einsum("ij,ijk->ik", again - Y, jacobians)
    (found,) = check_gradient(net, X, Y, by_delta(net, trace, delta)).mistakes
    assert (found.name, found.layer) == ("softmax_twice", 2)


def by_delta(net, trace, delta):
    """Return the gradient of a two-layer sigmoid network from the delta of its outputs."""
    first = (delta @ net.weights[1]) * trace.layers[0].slope
    n = len(delta)
    return (
        [first.T @ trace.X / n, delta.T @ trace.layers[0].a / n],
        [first.mean(axis=0), delta.mean(axis=0)],
    )


def test_a_carried_error_without_its_slope_is_recognised():
    net = network((4, 5, 3))
    X, Y = batch(net)
    trace = net.trace(X, Y)
    first = (trace.layers[1].error @ net.weights[1]) * trace.layers[0].slope
    right = net.gradient(X, Y)
    g = ([first.T @ X / 7, right.weights[1]], [first.mean(axis=0), right.biases[1]])
    (found,) = check_gradient(net, X, Y, g).mistakes
    assert (found.name, found.layer) == ("missing_slope", 1)
    assert "dC/da of layer 2 is carried back" in found.sentence


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (0.0, "is left out"),
        (2.0, "2 times l2 w"),
        (1 / 7, "0.1429 times l2 w + l1 sign(w), of which S2"),
    ],
)
def test_a_wrong_penalty_is_recognised(part, words):
    net = network()
    X, Y = batch(net)
    right, with_it = net.gradient(X, Y).flat, net.gradient(X, Y, l2=0.1).flat
    check = check_gradient(net, X, Y, right + part * (with_it - right), l2=0.1)
    assert [each.name for each in check.mistakes] == ["penalty"]
    assert words in check.mistakes[0].sentence


def test_a_mistake_is_recognised_beside_a_penalty():
    net = network(DEEP)
    X, Y = batch(net)
    flat = np.concatenate(
        [
            each.ravel()
            for pair in zip(*student(net, X, Y, **no_slope(hidden_only)), strict=True)
            for each in pair
        ]
    )
    penalty = net.gradient(X, Y, l2=0.1).flat - net.gradient(X, Y).flat
    (found,) = check_gradient(net, X, Y, flat + penalty, l2=0.1).mistakes
    assert found.name == "missing_slope"


def test_forgotten_sample_weights_are_recognised():
    net = network()
    X, Y = batch(net)
    weight = np.arange(1.0, 8.0)
    (found,) = check_gradient(net, X, Y, net.gradient(X, Y), sample_weight=weight).mistakes
    assert found.name == "sample_weight"


@pytest.mark.parametrize("cost", ["squared_error", "cross_entropy", "binary_cross_entropy", "huber"])
def test_a_missing_slope_is_recognised_with_every_kind_of_cost(cost):
    output = "sigmoid" if "entropy" in cost else "tanh"
    net = network((4, 5, 6, 1 if cost.startswith("binary") else 3), "tanh", output, cost)
    X, Y = batch(net)
    trace = net.trace(X, Y)
    deltas = [None, None, trace.layers[2].delta]
    for l in (1, 0):
        deltas[l] = deltas[l + 1] @ net.weights[l + 1]
    sources = [X, trace.layers[0].a, trace.layers[1].a]
    g = (
        [d.T @ a / 7 for d, a in zip(deltas, sources, strict=True)],
        [d.mean(axis=0) for d in deltas],
    )
    (found,) = check_gradient(net, X, Y, g).mistakes
    assert (found.name, found.layer) == ("missing_slope", 2)
    assert "in the hidden layers" in found.sentence


def test_in_float32_mistakes_are_recognised_as_well():
    net = network(DEEP)
    X, Y = batch(net)
    for how, name in (
        (no_slope(hidden_only), "missing_slope"),
        (slope_at_a(one), "slope_at_activation"),
    ):
        g = tuple([each.astype(np.float32) for each in kind] for kind in student(net, X, Y, **how))
        flat = np.concatenate([each.ravel() for pair in zip(*g, strict=True) for each in pair])
        assert [each.name for each in check_gradient(net, X, Y, flat).mistakes] == [name]


def test_biases_of_0_are_not_said_to_be_left_out():
    net = network((4, 5, 3))
    for b in net.biases:
        b[:] = 0.0
    X, Y = batch(net)
    g = net.gradient(X, Y).flat.astype(np.float32)
    small = np.argmin(np.abs(g[:20]))
    g[small] += 1e-4 * np.abs(g).max()  # wrong, but less than what a block is compared by
    found = check_gradient(net, X, Y, g)
    assert (found.verdict, found.mistakes) == ("fail", ())


def test_pytorchs_mean_over_outputs_is_recognised():
    """torch.nn.MSELoss divides by the number of all elements and has no half."""
    net = network((4, 5, 3))
    X, Y = batch(net)
    (found,) = check_gradient(net, X, Y, 2 / 3 * net.gradient(X, Y).flat).mistakes
    assert "the mean over the outputs of (a - y)^2" in found.sentence


@pytest.mark.parametrize("seed", range(2))
def test_numbers_that_are_just_wrong_are_given_no_name(seed):
    net = network(DEEP, seed=seed)
    X, Y = batch(net)
    rng = np.random.default_rng(seed)
    right = net.gradient(X, Y).flat
    for wrong in (
        rng.normal(size=right.size),
        right * rng.uniform(0.5, 2.0, right.size),
        right + 0.3 * np.abs(right).max() * rng.normal(size=right.size),
        np.roll(right, 1),
        np.where(np.arange(right.size) == 3, np.nan, right),
    ):
        check = check_gradient(net, X, Y, wrong)
        assert check.verdict == "fail"
        assert check.mistakes == ()
        assert "None of the classic mistakes gives exactly these numbers." in str(check)
    # Noise in all numbers that is no more than half precision leaves may be that, and nothing else.
    noisy = right + 1e-3 * np.abs(right).max() * rng.normal(size=right.size)
    check = check_gradient(net, X, Y, noisy)
    assert check.verdict == "fail"
    assert {each.name for each in check.mistakes} <= {"half_precision"}


def test_the_networks_own_gradient_is_not_called_foreign(monkeypatch):
    net = network()
    X, Y = batch(net)
    right = cp.Network.gradient
    monkeypatch.setattr(
        cp.Network,
        "gradient",
        lambda self, *a, **k: cp.Gradient(-right(self, *a, **k).flat, self.architecture),
    )
    check = check_gradient(net, X, Y)
    assert check.verdict == "fail"
    assert check.first_wrong == "layers.1.weight"
    assert "Likely" not in str(check)
    assert "None of the classic" not in str(check)


def test_a_mapping_of_names_is_taken():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y)
    named = {f"layers.{i}.weight": W for i, W in enumerate(g.weights)}
    named |= {f"layers.{i}.bias": b for i, b in enumerate(g.biases)}
    assert check_gradient(net, X, Y, named).verdict == "pass"
    with pytest.raises(ValueError, match=r"missing: layers.0.bias; unknown: 0.bias"):
        check_gradient(
            net, X, Y, {("0.bias" if k == "layers.0.bias" else k): v for k, v in named.items()}
        )
    with pytest.raises(
        ValueError, match=r"\(5, 4\) for layers.0.weight, got \(4, 5\): row = destination"
    ):
        check_gradient(net, X, Y, named | {"layers.0.weight": g.weights[0].T})


# Derivatives too small for a complex step


@pytest.mark.parametrize("exponent", [-270, -285, -295, -298, -300, -305])
def test_a_gradient_too_small_to_be_seen_is_not_called_wrong(exponent):
    net = network((2, 3, 2), output="identity")
    net.weights[1][:] *= 10.0**exponent
    X, Y = batch(net)
    check = check_gradient(net, X, Y)
    assert check.verdict in ("pass", "undecided"), str(check)
    wrong = net.gradient(X, Y).flat * 1.5
    assert check_gradient(net, X, Y, wrong).verdict == "fail"  # the biases show it


# Notebooks


def test_the_notebooks_tables_say_what_the_text_says():
    net = network()
    X, Y = batch(net)
    for gradient in (None, student(net, X, Y, **no_slope(hidden_only))):
        check = check_gradient(net, X, Y, gradient)
        html = check._repr_html_()
        assert f"Gradient check: {check.verdict}" in html
        for block in net.blocks:
            assert f"<td>{block.name}</td>" in html
        assert html.count("<table>") == html.count("</table>") == (1 if gradient is None else 2)
        if gradient is not None:
            assert "f&#x27;(z) is left out in layer 1" in html
            assert "<td>layers.0.weight[0, 0]</td>" in html
        ET.fromstring(f"<div>{html}</div>")
