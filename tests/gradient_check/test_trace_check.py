"""A pass from elsewhere: the first layer and quantity that differ are named, and how."""

import json

import numpy as np
import pytest

import clearprop as cp
from clearprop.gradient_check import check_trace


def problem(sizes=(4, 5, 3), n=7, **how):
    how = {"output": "sigmoid", "cost": "quadratic", "dtype": "float64", "seed": 0} | how
    net = cp.Network(list(sizes), **how)
    rng = np.random.default_rng(1)
    net.parameters[:] = rng.normal(scale=0.8, size=net.n_parameters)
    Y = rng.uniform(0.1, 0.9, (n, sizes[-1]))
    if how["output"] == "softmax":
        Y /= Y.sum(axis=1, keepdims=True)
    return net, rng.normal(size=(n, sizes[0])), Y


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def ported(net, X, Y, dtype="float64", *, act=sigmoid, scale=1.0, keep=()):
    """Return the pass of a port of a sigmoid network with quadratic cost, all its quantities."""
    X, Y = X.astype(dtype), Y.astype(dtype)
    W, b = ([each.astype(dtype) for each in kind] for kind in (net.weights, net.biases))
    found, a = {"x": X, "y": Y}, [X]
    for l in range(len(W)):  # noqa: E741 - the layer
        z = a[-1] @ W[l].T + b[l]
        a.append(act(z) if l < len(W) - 1 else sigmoid(z))
        found |= {f"layers.{l}.z": z, f"layers.{l}.a": a[-1]}
    error = a[-1] - Y
    found["sample_costs"] = ((a[-1] - Y) ** 2).sum(axis=1) / 2
    found["cost"] = found["sample_costs"].mean()
    for l in reversed(range(len(W))):  # noqa: E741
        slope = a[l + 1] * (1 - a[l + 1])
        delta = error * slope * scale
        found |= {f"layers.{l}.error": error, f"layers.{l}.slope": slope, f"layers.{l}.delta": delta}
        found[f"layers.{l}.weight_gradient"] = delta.T @ a[l] / len(X)
        found[f"layers.{l}.bias_gradient"] = delta.mean(axis=0)
        error = delta @ W[l]
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_pass_of_a_right_port_passes_in_its_precision(dtype):
    net, X, Y = problem((4, 5, 6, 3))
    check = check_trace(net, X, Y, ported(net, X, Y, dtype))
    assert check, str(check)
    assert (len(check.rows), check.first_wrong, check.n_samples) == (2 + 3 * 2 + 2 + 3 * 5, None, 7)
    lists = {name: np.asarray(each).tolist() for name, each in ported(net, X, Y, dtype).items()}
    assert check_trace(net, X, Y, lists).verdict == "pass"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("output", "cost"),
    [
        ("softmax", "cross_entropy"),
        ("softmax", "quadratic"),
        ("identity", "huber"),
        ("tanh", "quadratic"),
    ],
)
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_the_networks_own_pass_passes_in_both_precisions(dtype, output, cost, activation):
    net, X, Y = problem(output=output, cost=cost, activation=activation)
    trace = json.loads(cp.explain(net.copy(dtype), X, Y, format="json"))
    check = check_trace(net, X, Y, trace)
    assert check.verdict == "pass", str(check)
    assert len(check.rows) == 2 + 2 + 2 * 9


def test_float32_in_the_middle_of_float64_is_rounding():
    net, X, Y = problem()
    given = {k: np.asarray(v, np.float64) for k, v in ported(net, X, Y, "float32").items()}
    given["layers.1.z"] = given["layers.1.z"] * (1 + 1e-15)  # no float32 any more
    assert check_trace(net, X, Y, given).verdict == "pass"
    given["layers.1.z"][2, 1] += 1e-3
    assert check_trace(net, X, Y, given).first_wrong[:2] == ("z", 2)


def test_one_number_that_is_wrong_is_found_and_said():
    net, X, Y = problem()
    right = ported(net, X, Y)
    for name, array in right.items():
        if not np.ndim(array):
            continue
        wrong = array.copy()
        wrong[tuple(n // 2 for n in wrong.shape)] += 1e-3 * np.abs(array).max()
        check = check_trace(net, X, Y, right | {name: wrong})
        assert check.verdict == "fail"
        first = check.first_wrong
        assert name.endswith(first.quantity)
        assert [row for row in check.rows if row.verdict == "fail"] == [first]
        assert f"1 of its {array.size:,} numbers differs, first at" in first.sentence


SQUARE = (5, 5, 5)
# what: (sizes, what is made of the right trace, quantity, layer, words)
WRONG = {
    "the samples in another order": ((4, 5, 3), lambda t, n: {"layers.0.z": np.roll(t["layers.0.z"], 1, 0)},
        "z", 1, "samples are in another order: sample 0 is the network's 6"),
    "the inputs in another order": ((4, 5, 3), lambda t, n: {"x": t["x"][::-1]}, "x", 0, "samples are in another order"),
    "the neurons in another order": ((4, 5, 3), lambda t, n: {"layers.0.a": t["layers.0.a"][:, ::-1]},
        "a", 1, "neurons are in another order"),
    "transposed": ((4, 5, 3), lambda t, n: {"layers.0.z": t["layers.0.z"].T}, "z", 1, "it is transposed"),
    "transposed, square": (SQUARE, lambda t, n: {"layers.1.weight_gradient": t["layers.1.weight_gradient"].T},
        "weight_gradient", 2, "it is transposed"),
    "weights by columns": ((4, 5, 3), lambda t, n: {"layers.0.weight": n.weights[0].ravel().reshape(4, 5).T},
        "weight", 1, "taken in the other order: they are rows"),
    "rows for columns": ((4, 5, 3), lambda t, n: {"layers.0.weight": n.weights[0].T.reshape(5, 4)},
        "weight", 1, "taken in the other order: they are rows"),
    "divided by the samples": ((4, 5, 3), lambda t, n: {"layers.1.delta": t["layers.1.delta"] / 7},
        "delta", 2, "divided by the 7 samples: that of each sample"),
    "a sum for a mean": ((4, 5, 3), lambda t, n: {"layers.1.weight_gradient": 7 * t["layers.1.weight_gradient"]},
        "weight_gradient", 2, "7 times what it should be: multiplied by, or added up over, the samples"),
    "y - a": ((4, 5, 3), lambda t, n: {"layers.1.error": -t["layers.1.error"]}, "error", 2, "other sign"),
    "a factor": ((4, 5, 3), lambda t, n: {"layers.1.delta": 2 * t["layers.1.delta"]}, "delta", 2, "it is 2 times"),
    "z for a": ((4, 5, 3), lambda t, n: {"layers.0.a": t["layers.0.z"]}, "a", 1, "it is z of this layer"),
    "another activation": ((4, 5, 3), lambda t, n: {"layers.0.a": np.tanh(t["layers.0.z"])},
        "a", 1, "it is tanh of z, where the network has sigmoid"),
    "no biases": ((4, 5, 3), lambda t, n: {"layers.0.z": t["x"] @ n.weights[0].T}, "z", 1, "biases are left out"),
    "weights transposed forwards": (SQUARE, lambda t, n: {"layers.0.z": t["x"] @ n.weights[0] + n.biases[0]},
        "z", 1, "weights are transposed"),
    "weights read by columns": ((4, 5, 3), lambda t, n: {"layers.0.z": t["x"] @ n.weights[0].ravel().reshape(4, 5) + n.biases[0]},
        "z", 1, "read in the other order"),
    "delta without its slope": ((4, 5, 3), lambda t, n: {"layers.0.delta": t["layers.0.error"]},
        "delta", 1, "it is error of this layer"),
    "the slope at a": ((4, 5, 3), lambda t, n: {"layers.0.delta": t["layers.0.error"] * sigmoid(t["layers.0.a"]) * (1 - sigmoid(t["layers.0.a"]))},
        "delta", 1, "the slope is taken at a in layer 1"),
    "dC/da carried back": ((4, 5, 3), lambda t, n: {"layers.0.error": t["layers.1.error"] @ n.weights[1]},
        "error", 1, "dC/da of layer 2 is carried back"),
    "weights transposed backwards": (SQUARE, lambda t, n: {"layers.0.error": t["layers.1.delta"] @ n.weights[1].T},
        "error", 1, "transposed the wrong way"),
    "z into the weights": (SQUARE, lambda t, n: {"layers.1.weight_gradient": t["layers.1.delta"].T @ t["layers.0.z"] / 7},
        "weight_gradient", 2, "multiplied by z of the layer before"),
    "biases over the neurons": ((4, 5, 3), lambda t, n: {"layers.1.bias_gradient": np.full(3, t["layers.1.bias_gradient"].sum())},
        "bias_gradient", 2, "summed over the neurons too"),
    "never computed": ((4, 5, 3), lambda t, n: {"layers.0.delta": np.zeros((7, 5))}, "delta", 1, "it is 0"),
    "not a number": ((4, 5, 3), lambda t, n: {"layers.0.a": np.where(np.arange(35).reshape(7, 5) == 8, np.nan, t["layers.0.a"])},
        "a", 1, "nan stands where"),
    "the cost is a sum": ((4, 5, 3), lambda t, n: {"cost": 7 * t["cost"]}, "cost", 0, "7 times"),
}  # fmt: skip


def test_softmax_over_the_samples_is_said():
    net, X, Y = problem(output="softmax", cost="cross_entropy")
    e = np.exp(net.trace(X, Y).layers[1].z)
    first = check_trace(net, X, Y, {"layers.1.a": e / e.sum(axis=0)}).first_wrong
    assert (first.quantity, first.sentence.partition(",")[0]) == ("a", "it is softmax over the samples")


@pytest.mark.parametrize("what", WRONG)
def test_the_first_quantity_that_differs_is_named_and_what_it_is_instead(what):
    sizes, change, quantity, layer, words = WRONG[what]
    net, X, Y = problem(sizes)
    right = ported(net, X, Y)
    assert check_trace(net, X, Y, right).verdict == "pass"
    check = check_trace(net, X, Y, right | change(right, net))
    first = check.first_wrong
    assert (check.verdict, first.quantity, first.layer) == ("fail", quantity, layer), str(check)
    assert words in first.sentence
    text = str(check)
    assert f"First that differs, in the order of the pass: {quantity}" in text
    assert f"Likely: {first.sentence}." in text


def test_all_that_follows_a_mistake_differs_and_the_first_is_named():
    net, X, Y = problem((4, 5, 6, 3))
    check = check_trace(net, X, Y, ported(net, X, Y, act=np.tanh))
    assert check.first_wrong[:2] == ("a", 1)
    assert "it is tanh of z" in check.first_wrong.sentence
    assert sum(row.verdict == "fail" for row in check.rows) > 12
    check = check_trace(net, X, Y, ported(net, X, Y, scale=0.5))
    assert check.first_wrong[:2] == ("delta", 3)


def test_an_input_that_is_not_scaled_is_told_from_one_in_another_order():
    scaling = cp.Scaling(np.array([1.0, 2, 3, 4]), np.array([0.5, 2.0, 1.0, 4.0]))
    net, X, Y = problem(scaling=scaling)
    check = check_trace(net, X, Y, {"x": X, "layers.0.z": net.trace(X, Y).layers[0].z})
    assert [row.verdict for row in check.rows] == ["fail", "pass"]
    assert "the network scales its inputs first" in check.first_wrong.sentence


def test_one_sample_may_come_without_its_axis():
    net, X, Y = problem(n=1)
    given = {name: np.asarray(each) for name, each in ported(net, X, Y).items()}
    flat = {k: v[0] if v.ndim == 2 and "gradient" not in k else v for k, v in given.items()}
    assert check_trace(net, X, Y, flat).verdict == "pass"


def test_what_rounding_lost_is_undecided():
    net, X, Y = problem()
    net.biases[1][:] = 17.0
    given = ported(net, X, Y, "float32")
    check = check_trace(net, X, Y, given)
    assert check.verdict == "undecided", str(check)
    assert check.first_wrong is None
    assert {row.quantity for row in check.rows if row.verdict == "pass"} >= {"z", "a"}


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({}, ValueError, "at least one quantity, such as layers.0.z, got none"),
        ({"z": [[1.0]]}, ValueError, "names such as x, layers.0.z or layers.1.delta, .* got z"),
        ({"layers.2.z": [[1.0]]}, ValueError, "of layers 0 to 1, got layers.2.z"),
        ({"layers.0.z": "abc"}, TypeError, "must hold numbers in one array for layers.0.z"),
        ({"layers.0.z": [[1.0], [1.0, 2.0]]}, TypeError, "in one array for layers.0.z"),
        ({"layers.0.z": np.zeros((7, 4))}, ValueError, r"shape \(7, 5\) for layers.0.z, got \(7, 4\)"),
        ({"layers.0.z": np.zeros((6, 5))}, ValueError, r"got \(6, 5\): 7 rows of the data"),
        ({"format": "trace/9", "layers": []}, ValueError, "trace/1 or trace/2, got 'trace/9'"),
        ({"layers": {}}, TypeError, "a list as layers"),
        ({"layers": [3]}, TypeError, "an object for each layer, got int"),
        ({"layers": [{"layer": 0, "z": []}]}, ValueError, "number its layers from 1 on, got 0"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused_in_one_sentence(given, kind, message):
    net, X, Y = problem()
    with pytest.raises(kind, match=message):
        check_trace(net, X, Y, given)
