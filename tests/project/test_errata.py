"""What the four documents print wrongly: the printed form fails the gradient check, the right one passes.

X6, X13, ... are the rows of docs/equations.md. S1 and S2 have the cost 1/2 ||a - y||^2, S3 ||a - y||^2.
"""

import re
import warnings
from itertools import pairwise

import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import building, costs
from oracles import sigmoid_prime_vec, sigmoid_vec


def network(sizes=(3, 3, 3, 3), cost="quadratic", output="sigmoid"):
    net = cp.Network(list(sizes), "sigmoid", output, cost, dtype="float64", seed=0)
    # Square, so that a wrong formula has the right shapes; weights of size 1, so that it shows.
    net.parameters[:] = np.random.default_rng(3).normal(size=net.n_parameters)
    return net


def one_sample(net, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=net.sizes[0]), rng.uniform(size=net.sizes[-1])


def forward(net, x):
    """Return the lists of z (from layer 1 on) and a (from layer 0 on), as columns."""
    zs, activations = [], [x]
    for W, b in zip(net.weights, net.biases, strict=True):
        zs.append(W @ activations[-1] + b)
        activations.append(sigmoid_vec(zs[-1]))
    return zs, activations


def by_deltas(
    net,
    x,
    y,
    *,
    factor=1.0,
    output=lambda z, a, y: (a - y) * sigmoid_prime_vec(z),
    hidden_slope=lambda z, a: sigmoid_prime_vec(z),
    back_weights=None,
):
    """Return (weight gradients, bias gradients) of one sample as S1 and S2 find them."""
    zs, a = forward(net, x)
    L = len(zs)
    deltas = [None] * L
    deltas[-1] = factor * output(zs[-1], a[-1], y)
    for l in reversed(range(L - 1)):  # noqa: E741
        W_next = net.weights[l + 1] if back_weights is None else back_weights[l + 1]
        deltas[l] = (W_next.T @ deltas[l + 1]) * hidden_slope(zs[l], a[l + 1])
    return [np.outer(d, a[l]) for l, d in enumerate(deltas)], deltas  # noqa: E741


def by_errors(net, x, y, *, hidden=None, last_weight=None):
    """Return (weight gradients, bias gradients) of one sample as S3's table of dC/da finds them."""
    zs, a = forward(net, x)
    L = len(zs)
    sp = sigmoid_prime_vec
    if hidden is None:

        def hidden(W, zs, l, error):  # noqa: E741
            return W[l + 1].T @ (sp(zs[l + 1]) * error)

    errors = [None] * L
    errors[-1] = 2 * (a[-1] - y)
    for l in reversed(range(L - 1)):  # noqa: E741
        errors[l] = hidden(net.weights, zs, l, errors[l + 1])
    db = [sp(z) * e for z, e in zip(zs, errors, strict=True)]
    dW = [np.outer(d, a[l]) for l, d in enumerate(db)]  # noqa: E741
    if last_weight is not None:
        dW[-1] = last_weight(a, zs, errors)
    return dW, db


def verdict(net, x, y, gradient):
    return cp.check_gradient(net, np.atleast_2d(x), np.atleast_2d(y), gradient).verdict


DELTA_FORMS = {
    "X6: f'(a) for f'(z)": {
        "output": lambda z, a, y: (a - y) * sigmoid_prime_vec(a),
        "hidden_slope": lambda z, a: sigmoid_prime_vec(a),
    },
    "X6, in the hidden layers alone": {"hidden_slope": lambda z, a: sigmoid_prime_vec(a)},
    "X8: (y - a) in dJ/dtheta": {"output": lambda z, a, y: (y - a) * sigmoid_prime_vec(z)},
}


@pytest.mark.parametrize("printed", DELTA_FORMS.values(), ids=list(DELTA_FORMS))
def test_delta_as_printed_fails_and_as_corrected_passes(printed):
    net = network()
    x, y = one_sample(net)
    assert verdict(net, x, y, by_deltas(net, x, y, **printed)) == "fail"
    assert verdict(net, x, y, by_deltas(net, x, y)) == "pass"


def test_x6_read_as_a_times_one_minus_a_passes():
    net = network()
    x, y = one_sample(net)
    right = by_deltas(
        net,
        x,
        y,
        output=lambda z, a, y: (a - y) * a * (1 - a),
        hidden_slope=lambda z, a: a * (1 - a),  # X35
    )
    assert verdict(net, x, y, right) == "pass"


def test_x8_s1s_delta_is_minus_ours_so_its_update_adds():
    net = network()
    x, y = one_sample(net)
    s1 = by_deltas(net, x, y, **DELTA_FORMS["X8: (y - a) in dJ/dtheta"])
    for printed, true in zip(s1[0], by_deltas(net, x, y)[0], strict=True):
        np.testing.assert_array_equal(printed, -true)


@pytest.mark.parametrize("factor", [1.0, 1 / 7], ids=["printed", "corrected"])
def test_x7_and_x14_delta_needs_the_1_over_m_of_the_cost(factor):
    net = network()
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(7, 3)), rng.uniform(size=(7, 3))
    each = [by_deltas(net, x, y, factor=factor) for x, y in zip(X, Y, strict=True)]
    total = tuple(
        [np.sum([sample[kind][l] for sample in each], axis=0) for l in range(3)]  # noqa: E741
        for kind in (0, 1)
    )
    assert verdict(net, X, Y, total) == ("pass" if factor < 1 else "fail")


def test_x13_the_loop_of_s1_is_one_layer_late():
    net = network()
    x, y = one_sample(net)
    dW, db = by_deltas(net, x, y)
    # As printed, step 6 gives (delta^(l+1))^T a^(l) for the parameters that feed layer l.
    late = [dW[1], dW[2], dW[2]]
    assert verdict(net, x, y, (late, db)) == "fail"
    assert verdict(net, x, y, (dW, db)) == "pass"


sp = sigmoid_prime_vec
ERROR_FORMS = {
    "X28: a_i for a_j": {
        "last_weight": lambda a, z, e: (a[-2] * sp(z[-1]) * e[-1])[:, None] * np.ones(3)
    },
    "X29: w_ij^(l) for w_ji^(l+1)": {"hidden": lambda W, z, at, e: W[at] @ (sp(z[at + 1]) * e)},
    "X29, its index alone": {"hidden": lambda W, z, at, e: W[at + 1] @ (sp(z[at + 1]) * e)},
    "X29, its layer alone": {"hidden": lambda W, z, at, e: W[at].T @ (sp(z[at + 1]) * e)},
    "X30: W^(l), no transpose, z^(l)": {"hidden": lambda W, z, at, e: W[at] @ (sp(z[at]) * e)},
    "X30, its z^(l) alone": {"hidden": lambda W, z, at, e: W[at + 1].T @ (sp(z[at]) * e)},
}


@pytest.mark.parametrize("printed", ERROR_FORMS.values(), ids=list(ERROR_FORMS))
def test_dynamic_programming_table_as_printed_fails_and_as_corrected_passes(printed):
    net = network(cost="squared_error")
    x, y = one_sample(net)
    assert verdict(net, x, y, by_errors(net, x, y, **printed)) == "fail"
    assert verdict(net, x, y, by_errors(net, x, y)) == "pass"


def test_x19_and_x34_softmax_needs_its_whole_jacobian():
    net = network((3, 3, 4), output="softmax")
    net.weights[1][:] *= 3
    x, y = one_sample(net)
    a1 = sigmoid_vec(net.weights[0] @ x + net.biases[0])
    z = net.weights[1] @ a1 + net.biases[1]
    a = np.exp(z) / np.exp(z).sum()

    def gradient(delta):
        first = (net.weights[1].T @ delta) * a1 * (1 - a1)
        return [np.outer(first, x), np.outer(delta, a1)], [first, delta]

    diagonal = (a - y) * a * (1 - a)
    assert verdict(net, x, y, gradient(diagonal)) == "fail"
    assert verdict(net, x, y, gradient((np.diag(a) - np.outer(a, a)) @ (a - y))) == "pass"


@pytest.mark.parametrize("cost", ["quadratic", "squared_error", "huber", "quantile"])
def test_x19_any_cost_goes_with_softmax(cost):
    net = network((3, 3, 4), cost=cost, output="softmax")
    x, y = one_sample(net)
    assert verdict(net, x, y, None) == "pass"


def test_x21_multiply_adds_of_the_backward_pass():
    def made(*sizes):
        return building.build(list(sizes), "sigmoid", "sigmoid", "quadratic").multiply_adds()

    assert made(784, 30, 10) == (23_820, 24_120)

    def ratio(*sizes):
        forward, backward = made(*sizes)
        products = [m * n for m, n in pairwise(sizes)]
        assert backward / forward == 1 + sum(products[1:]) / sum(products)
        return backward / forward

    assert round(ratio(784, 30, 10), 2) == 1.01
    assert round(ratio(784, 512, 512, 10), 2) == 1.40
    assert round(ratio(*[256] * 6), 2) == 1.80


def test_x22_central_differences_beat_the_forward_ones_of_46():
    net = network()
    x, y = one_sample(net)
    net_cost = net.copy()

    def cost(parameters):
        net_cost.parameters[:] = parameters
        return net_cost.cost(x[None], y[None])

    exact = net.gradient(x[None], y[None]).flat

    def error(numeric):
        return np.abs(numeric - exact).max() / np.abs(exact).max()

    steps = 10.0 ** np.arange(-3, -9, -1)
    forward = min(error(oracles.forward_differences(cost, net.parameters, h)) for h in steps)
    central = min(error(oracles.central_differences(cost, net.parameters, h)) for h in steps)
    assert forward > 1e-9
    assert central < forward / 20
    # Errors of order h and h^2 where rounding does not yet show.
    for differences, order in ((oracles.forward_differences, 1), (oracles.central_differences, 2)):
        coarse, fine = (error(differences(cost, net.parameters, h)) for h in (1e-2, 1e-3))
        assert 0.7 * order < np.log10(coarse / fine) < 1.3 * order


def test_x32_dropping_1_over_n_keeps_the_direction_and_not_the_length():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(7, 3)), rng.uniform(size=(7, 3))
    mean = network(cost=costs.squared_error()).gradient(X, Y).flat
    total = network(cost=costs.squared_error("sum")).gradient(X, Y).flat
    cosine = mean @ total / np.linalg.norm(mean) / np.linalg.norm(total)
    assert cosine == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(total, 7 * mean, rtol=1e-13)


def test_x33_delta_a_minus_y_needs_targets_that_sum_to_one():
    z, y = np.array([0.4, -0.3, 0.1, 0.8]), np.array([0.0, 1.0, 1.0, 0.0])

    def cost(z):
        return -(y * np.log(np.exp(z) / np.exp(z).sum())).sum()

    a = np.exp(z) / np.exp(z).sum()
    numeric = oracles.central_differences(cost, z)
    assert np.abs((a - y) - numeric).max() > 0.1  # as printed in S0 (7)
    np.testing.assert_allclose(a * y.sum() - y, numeric, atol=1e-9)
    net = network((3, 3, 4), cost="cross_entropy", output="softmax")
    with pytest.raises(ValueError, match=r"Y must be in .* and sum to 1 in each row"):
        net.gradient([[1.0, 2.0, 3.0]], y[None])


def test_x36_updating_a_layer_before_propagating_through_it_goes_wrong():
    net = network()
    x, y = one_sample(net)
    dW, _ = by_deltas(net, x, y)
    updated = [W - 0.5 * g for W, g in zip(net.weights, dW, strict=True)]
    early = by_deltas(net, x, y, back_weights=updated)
    assert verdict(net, x, y, early) == "fail"
    np.testing.assert_array_equal(early[1][-1], by_deltas(net, x, y)[1][-1])  # the last is right
    assert verdict(net, x, y, None) == "pass"
    before = net.parameters.copy()
    net.gradient(x[None], y[None])
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("what", ["weights in", "biases", "weights out"])
def test_x37_neurons_stay_equal_only_if_all_around_them_is_equal(what):
    def spread(net):
        x, y = one_sample(net)
        dW, db = net.gradient(x[None], y[None]).weights, net.gradient(x[None], y[None]).biases
        return np.abs(dW[0] - dW[0][0]).max() + np.abs(db[0] - db[0][0]).max()

    net = network((3, 4, 2))
    net.weights[0][:] = net.weights[0][0]
    net.biases[0][:] = 0.3
    net.weights[1][:] = net.weights[1][:, :1]
    assert spread(net) == 0
    place = {"weights in": net.weights[0], "biases": net.biases[0], "weights out": net.weights[1].T}
    place[what][0] += 0.1
    assert spread(net) > 0


# The other errata that change a value


def total(net, X, Y, **how):
    """Return the mean of the gradients of several samples, each found by `by_deltas`."""
    each = [by_deltas(net, x, y, **how) for x, y in zip(X, Y, strict=True)]
    return tuple(
        [np.mean([sample[kind][at] for sample in each], axis=0) for at in range(len(net.weights))]
        for kind in (0, 1)
    )


def batch(n=7):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 3)), rng.uniform(size=(n, 3))


def test_x3_and_x24_the_cost_is_of_the_output_layer():
    net = network()
    x, y = one_sample(net)
    _, a = forward(net, x)
    # As printed, y is compared with the layer before; its own weights then have no gradient at all.
    shorter = network((3, 3, 3))
    shorter.parameters[:] = net.parameters[: shorter.n_parameters]
    dW, db = by_deltas(shorter, x, y)
    printed = ([*dW, np.zeros((3, 3))], [*db, np.zeros(3)])
    assert verdict(net, x, y, printed) == "fail"
    assert verdict(net, x, y, by_deltas(net, x, y)) == "pass"
    assert net.cost(x[None], y[None]) == pytest.approx(0.5 * ((a[3] - y) ** 2).sum())
    assert net.cost(x[None], y[None]) != pytest.approx(0.5 * ((a[2] - y) ** 2).sum())


def test_x4_the_paths_of_a_weight_into_neuron_2_lead_through_neuron_2():
    net = network((2, 2, 2))
    x, y = np.array([0.3, -0.8]), np.array([0.2, 0.9])
    dW, db = by_deltas(net, x, y)
    repeated = dW[0].copy()
    repeated[1] = repeated[0]  # S1's list has the paths of theta_11 and theta_12 in their place
    assert verdict(net, x, y, ([repeated, dW[1]], db)) == "fail"
    found = cp.path_sum(net, x, y, 0, 1, 0)
    assert {path.neurons[0] for path in found.paths} == {1}
    assert found.total == pytest.approx(dW[0][1, 0], rel=1e-12)


X5_TO_X12 = {
    "X5: one slope for all neurons": {
        "output": lambda z, a, y: (a - y) * sigmoid_prime_vec(z)[0],
        "hidden_slope": lambda z, a: sigmoid_prime_vec(z)[0],
    },
    "X11: the whole layer's slope in a scalar equation, summed": {
        "hidden_slope": lambda z, a: sigmoid_prime_vec(z).sum() * np.ones_like(z),
    },
    "X12: delta defined by itself, without the slope": {"hidden_slope": lambda z, a: np.ones_like(z)},
}


@pytest.mark.parametrize("printed", X5_TO_X12.values(), ids=list(X5_TO_X12))
def test_x5_x11_and_x12_each_neuron_has_its_own_slope(printed):
    net = network()
    x, y = one_sample(net)
    assert verdict(net, x, y, by_deltas(net, x, y, **printed)) == "fail"
    assert verdict(net, x, y, by_deltas(net, x, y)) == "pass"


def test_x9_row_2_has_the_delta_of_neuron_2():
    net = network()
    x, y = one_sample(net)
    dW, db = by_deltas(net, x, y)
    _, a = forward(net, x)
    printed = [*dW[:-1], np.outer(np.full(3, db[-1][0]), a[2])]
    assert verdict(net, x, y, (printed, db)) == "fail"
    assert verdict(net, x, y, (dW, db)) == "pass"


def test_x10_the_slope_is_multiplied_elementwise():
    net = network()
    x, y = one_sample(net)
    zs, a = forward(net, x)
    dW, db = by_deltas(net, x, y)
    # Read as a matrix product, delta Theta f' is one number, which the layer would have to share.
    alone = (db[2] @ net.weights[2]) @ sigmoid_prime_vec(zs[1]) * np.ones(3)
    printed = ([dW[0], np.outer(alone, a[1]), dW[2]], [db[0], alone, db[2]])
    assert verdict(net, x, y, printed) == "fail"
    assert verdict(net, x, y, (dW, db)) == "pass"


@pytest.mark.parametrize(("factor", "wanted"), [(7.0, "fail"), (1 / 7, "pass")])
def test_x14_the_sum_over_the_examples_is_scaled_by_1_over_m(factor, wanted):
    net = network()
    X, Y = batch()
    dW, db = total(net, X, Y)
    scaled = tuple([7 * factor * each for each in kind] for kind in (dW, db))
    assert verdict(net, X, Y, scaled) == wanted


def test_x17_and_x18_the_listing_as_printed_does_not_run():
    with pytest.raises(NameError, match="xrange"):
        exec("for k in xrange(1, 2): pass", {})
    with pytest.raises(NameError, match="nabra_b"):
        exec("nabla_b = []\nlist(zip(nabra_b, nabla_b))", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SyntaxError, match="escape sequence"):
            compile(r'"""\partial C_x / \partial a"""', "network.py", "exec")
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        1.0 / (1.0 + np.exp(-np.float64(-710.0)))
    with np.errstate(all="raise"):
        assert cp.Network([1, 1], output="sigmoid", cost="quadratic").predict([[0.0]]).shape == (1, 1)


def test_x25_a_sum_of_n_plus_1_samples_is_one_too_many():
    net = network()
    X, Y = batch(8)
    n_plus_1 = tuple([8 / 7 * each for each in kind] for kind in total(net, X, Y))
    assert verdict(net, X[1:], Y[1:], n_plus_1) == "fail"
    assert verdict(net, X[1:], Y[1:], total(net, X[1:], Y[1:])) == "pass"


def test_x26_the_gradient_has_every_layer():
    net = network()
    x, y = one_sample(net)
    dW, db = by_deltas(net, x, y)
    of_layer_1 = np.concatenate([dW[0].ravel(), db[0]])  # as S3's vector ends
    with pytest.raises(ValueError, match=r"the shape of the parameters, \(36,\), got \(12,\)"):
        verdict(net, x, y, of_layer_1)
    whole = np.concatenate([each.ravel() for pair in zip(dW, db, strict=True) for each in pair])
    assert verdict(net, x, y, whole) == "pass"


def test_x31_a_batch_is_its_own_samples():
    net = network()
    X, Y = batch(9)
    batches = np.arange(9).reshape(3, 3)  # row b holds the samples of batch b
    right = total(net, X[batches[1]], Y[batches[1]])
    swapped = total(net, X[batches[:, 1]], Y[batches[:, 1]])  # sample b of each batch
    assert verdict(net, X[batches[1]], Y[batches[1]], swapped) == "fail"
    assert verdict(net, X[batches[1]], Y[batches[1]], right) == "pass"


def test_x35_the_slope_of_s0_is_taken_at_the_weighted_input():
    net = network()
    x, y = one_sample(net)

    def printed(argument):
        s = sigmoid_vec(argument)
        return s * (1 - s)

    at_a = {"output": lambda z, a, y: (a - y) * printed(a), "hidden_slope": lambda z, a: printed(a)}
    at_z = {"output": lambda z, a, y: (a - y) * printed(z), "hidden_slope": lambda z, a: printed(z)}
    assert verdict(net, x, y, by_deltas(net, x, y, **at_a)) == "fail"
    assert verdict(net, x, y, by_deltas(net, x, y, **at_z)) == "pass"


def test_x39_the_difference_is_scaled_by_1_over_m_and_not_by_m():
    net = network()
    X, Y = batch()
    for factor, wanted in ((7.0, "fail"), (1 / 7, "pass")):
        dW, db = total(net, X, Y, output=lambda z, a, y, by=factor: by * (a - y) * sp(z))
        summed = tuple([7 * each for each in kind] for kind in (dW, db))
        assert verdict(net, X, Y, summed) == wanted


def test_x40_the_weighted_input_changes_with_the_parameter_and_not_the_parameter_with_it():
    net = network()
    x, y = one_sample(net)
    dW, db = by_deltas(net, x, y)
    _, a = forward(net, x)
    printed = [np.outer(delta, 1 / a_in) for delta, a_in in zip(db, a[:-1], strict=True)]
    assert verdict(net, x, y, (printed, db)) == "fail"
    assert verdict(net, x, y, (dW, db)) == "pass"


def test_x42_delta_is_a_column_or_a_row_and_not_both():
    net = network((4, 5, 3))
    x, y = one_sample(net)
    dW, db = by_deltas(net, x, y)
    _, a = forward(net, x)
    column, row, a_row = db[1][:, None], db[1][None], a[1][None]
    for a_printed in (a_row, a_row.T):
        with pytest.raises(ValueError, match="matmul"):
            column.T @ a_printed  # (delta^(3))^T a^(2)
    with pytest.raises(ValueError, match="matmul"):
        column @ net.weights[1]  # delta^(3) Theta^(2)
    np.testing.assert_allclose(column @ a_row, dW[1], rtol=1e-13)
    np.testing.assert_allclose(row.T @ a_row, dW[1], rtol=1e-13)
    np.testing.assert_allclose((row @ net.weights[1])[0], net.weights[1].T @ db[1], rtol=1e-13)
    assert verdict(net, x, y, ([dW[0], row.T @ a_row], db)) == "pass"


@pytest.mark.parametrize(
    ("erratum", "notation", "right"),
    [
        ("X43", "jordan", "−∂J/∂Θ⁽²⁾ = (δ⁽³⁾)ᵀ a⁽²⁾"),
        ("X46", "jordan", "Θ⁽²⁾ := Θ⁽²⁾ + η (−∂J/∂Θ⁽²⁾)"),
        ("X50", "dp", "a⃗⁽²⁾ = σ⁽²⁾(z⃗⁽²⁾)"),
    ],
)
def test_x43_x46_and_x50_are_told_where_the_rendering_departs_from_the_print(erratum, notation, right):
    net = network((4, 5, 3))
    x, y = one_sample(net)
    text = cp.explain(net, x[None], y[None], notation)
    assert right in text
    assert f"* {erratum}: " in text
    assert f"* {erratum}: " not in cp.explain(net, x[None], y[None], "nielsen")


def test_x44_the_cost_of_m_samples_is_a_sum_over_samples_and_outputs():
    net = network()
    X, Y = batch()
    outputs = [forward(net, x)[1][-1] for x in X]
    both = sum((y[i] - a[i]) ** 2 for y, a in zip(Y, outputs, strict=True) for i in range(3))
    assert net.cost(X, Y) == pytest.approx(both / (2 * 7), rel=1e-13)
    one = np.sum((Y[0] - outputs[0]) ** 2) / (2 * 7)  # as printed, with m = 7
    assert net.cost(np.tile(X[0], (7, 1)), np.tile(Y[0], (7, 1))) == pytest.approx(7 * one, rel=1e-13)
    of_one = tuple([each / 7 for each in kind] for kind in by_deltas(net, X[0], Y[0]))
    assert verdict(net, X, Y, of_one) == "fail"
    assert verdict(net, X, Y, total(net, X, Y)) == "pass"


def test_x45_from_equal_weights_the_deltas_of_the_outputs_differ_as_their_targets_do():
    net = network((4, 5, 3))
    net.parameters[:] = 0.3
    x, y = one_sample(net)
    _, (hidden, output) = by_deltas(net, x, y)
    assert np.ptp(hidden) == 0
    assert np.abs(np.diff(output)).min() > 0.01
    assert np.ptp(by_deltas(net, x, np.full(3, 0.2))[1][1]) == 0
    for ours, theirs in zip(net.trace(x[None], y[None]).layers, (hidden, output), strict=True):
        np.testing.assert_allclose(ours.delta[0], theirs, rtol=1e-13)


def test_x46_along_the_gradient_the_cost_grows():
    net = network((4, 5, 3))
    x, y = one_sample(net)
    true, printed = (
        np.concatenate([each.ravel() for pair in zip(*found, strict=True) for each in pair])
        for found in (by_deltas(net, x, y), by_deltas(net, x, y, factor=-1))  # X8: (y - a)
    )

    def cost_after(step):
        there = net.copy()
        there.parameters[:] += step
        return 0.5 * np.sum((forward(there, x)[1][-1] - y) ** 2)

    before, down = cost_after(0), cost_after(-0.1 * true)
    assert down < before < cost_after(0.1 * true)
    assert cost_after(0.1 * printed) == down
    net.fit(x[None], y[None], epochs=1, batch_size=1, optimizer=cp.SGD(0.1), progress=False)
    assert net.cost(x[None], y[None]) == pytest.approx(down, rel=1e-13)


def test_x48_error_is_three_things():
    net = network((4, 5, 3), output="sigmoid")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(7, 4))
    outputs = np.array([forward(net, x)[1][-1] for x in X])
    Y = np.eye(3)[outputs.argmax(axis=1)]  # so that every answer is right
    wrong = np.mean(outputs.argmax(axis=1) != Y.argmax(axis=1))
    assert wrong == 1 - np.mean(net.predict(X).argmax(axis=1) == Y.argmax(axis=1)) == 0
    last = net.trace(X, Y).layers[-1]
    np.testing.assert_allclose(last.error, outputs - Y, rtol=1e-13)  # dC/da
    np.testing.assert_allclose(last.delta, (outputs - Y) * outputs * (1 - outputs), rtol=1e-13)  # dC/dz
    assert np.abs(last.error).min() > 0
    assert np.abs(last.error - last.delta).min() > 0


def test_x49_the_product_along_one_path_is_a_part_of_the_change():
    net = network((4, 5, 3, 2))
    x, y = one_sample(net)
    zs, a = forward(net, x)
    w, by = net.weights, 1e-5
    first = sp(zs[0])[1] * x[2]  # da_j / dw_jk of the weight from input 3 to neuron 2
    along = {
        (q, m): (a[3][m] - y[m]) * (sp(zs[2])[m] * w[2][m, q]) * (sp(zs[1])[q] * w[1][q, 1]) * first
        for q in range(3)
        for m in range(2)
    }
    there = net.copy()
    there.weights[0][1, 2] += by
    changed = 0.5 * (np.sum((forward(there, x)[1][-1] - y) ** 2) - np.sum((a[-1] - y) ** 2))
    assert sum(along.values()) * by == pytest.approx(changed, rel=1e-4)
    assert min(abs(product * by / changed - 1) for product in along.values()) > 0.1
    found = cp.path_sum(net, x, y, 0, 1, 2)
    assert {path.neurons[1:]: pytest.approx(path.product, rel=1e-12) for path in found.paths} == along


def test_x50_every_layer_has_its_own_function():
    layers = [cp.Layer(5, "tanh"), cp.Layer(3, "sigmoid"), cp.Layer(2, "identity")]
    net = cp.Network([4, *layers], cost="squared_error", dtype="float64", seed=3)
    x = np.random.default_rng(1).normal(size=4)

    def output(*functions):
        a = x
        for W, b, f in zip(net.weights, net.biases, functions, strict=True):
            a = f(W @ a + b)
        return a

    right = output(np.tanh, sigmoid_vec, lambda z: z)
    np.testing.assert_allclose(net.predict(x[None])[0], right, rtol=1e-13)
    for one in (np.tanh, sigmoid_vec, lambda z: z):  # as printed, one sigma
        assert np.abs(output(one, one, one) - right).max() > 0.01


def test_x51_the_gradient_of_one_sample_is_not_that_of_the_overall_cost():
    net = network()
    X, Y = batch()
    assert verdict(net, X, Y, by_deltas(net, X[0], Y[0])) == "fail"
    assert verdict(net, X[:1], Y[:1], by_deltas(net, X[0], Y[0])) == "pass"
    assert verdict(net, X, Y, total(net, X, Y)) == "pass"


def test_x52_the_gradient_is_a_sum_and_not_a_list():
    net = network()
    X, Y = batch()
    each = [by_deltas(net, x, y) for x, y in zip(X, Y, strict=True)]
    listed = np.array(
        [np.concatenate([g.ravel() for pair in zip(*one, strict=True) for g in pair]) for one in each]
    )
    with pytest.raises(ValueError, match=r"the shape of the parameters, \(36,\), got \(7, 36\)"):
        verdict(net, X, Y, listed)
    assert verdict(net, X, Y, listed.sum(axis=0) / 7) == "pass"


WITHOUT_A_VALUE = {
    "X1": "names of variables",
    "X2": "a superscript",
    "X15": "spelling",
    "X16": "the name of an index",
    "X20": "tests/project/test_claims.py, C9",
    "X23": "a superscript",
    "X27": "the name of an index",
    "X38": "the number of a section",
    "X41": "tests/project/test_claims.py, C16",
    "X47": "a superscript",
    "X53": "spelling",
}


def test_every_erratum_has_its_test_or_changes_no_value():
    names = " ".join(name for name in globals() if name.startswith("test_"))
    names += " " + " ".join([*DELTA_FORMS, *ERROR_FORMS, *X5_TO_X12]).lower()
    tested = {
        f"X{number}" for number in re.findall(r"\bx(\d+)|_x(\d+)", names) for number in number if number
    }
    assert tested | set(WITHOUT_A_VALUE) == {f"X{number}" for number in range(1, 54)}
    assert not tested & set(WITHOUT_A_VALUE)
