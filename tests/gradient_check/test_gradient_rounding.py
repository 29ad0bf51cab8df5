"""A right gradient is never called wrong for the precision it was computed in; a wrong one is."""

import json
from collections import Counter

import numpy as np
import pytest

import clearprop as cp
from clearprop import check_gradient
from clearprop.gradient_check import rounding
from hand_gradients import by_hand, draw, flat, handed, mutated
from test_gradient_check import batch, network

DRAWS = [range(40), pytest.param(range(40, 1000), marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", DRAWS, ids=["some", "the rest"])
def test_no_right_gradient_in_mixed_precisions_is_accused(seeds):
    found = Counter()
    for seed in seeds:
        net, X, Y, rng = draw(seed)
        pairs, _ = by_hand(net, X, Y, rng)
        check = check_gradient(net, X, Y, handed(net, pairs, rng)[0])
        assert check.verdict in ("pass", "undecided"), (seed, str(check))
        found[check.verdict] += 1
    assert found["undecided"] <= 0.02 * len(seeds)


@pytest.mark.parametrize("seeds", DRAWS, ids=["some", "the rest"])
def test_every_gradient_that_is_wrong_by_ten_thresholds_is_caught(seeds):
    found = Counter()
    for seed in seeds:
        net, X, Y, rng = draw(seed)
        pairs, short = by_hand(net, X, Y, rng)
        ahead = np.random.default_rng(seed)
        rounds = handed(net, pairs, np.random.default_rng(seed))[1]
        wrong = mutated(pairs, 1e-4 if short or rounds else 1e-9, rng)
        if short:
            wrong = [(W.astype(np.float32), b.astype(np.float32)) for W, b in wrong]
        check = check_gradient(net, X, Y, handed(net, wrong, ahead)[0])
        assert check.verdict in ("fail", "undecided"), (seed, str(check))
        found[check.verdict] += 1
    assert found["undecided"] <= 0.02 * len(seeds)


FORMS = {
    "a float32 array": lambda g: g.astype(np.float32),
    "a float32 stored as float64": lambda g: g.astype(np.float32).astype(np.float64),
    "a list": lambda g: g.astype(np.float32).tolist(),
    "JSON": lambda g: json.loads(json.dumps(g.astype(np.float32).tolist())),
    "the shortest text": lambda g: [float(str(v)) for v in g.astype(np.float32)],
    "nine digits": lambda g: [float(f"{v:.8e}") for v in g],
    "eight digits in a float32": lambda g: np.array([f"{v:.7e}" for v in g]).astype(np.float32),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_float32_gradient_passes_in_every_form_and_one_wrong_number_fails(form):
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat
    assert check_gradient(net, X, Y, FORMS[form](right)).verdict == "pass"
    for block in net.blocks:
        wrong = right.copy()
        wrong[block.offset + block.size // 2] += 1.1e-4 * np.abs(right[block.slice]).max()
        check = check_gradient(net, X, Y, FORMS[form](wrong), n_parameters=4)
        assert check.verdict == "fail"
        assert [row.block for row in check.rows if row.verdict == "fail"] == [block.name]


@pytest.mark.parametrize("form", [np.asarray, list, lambda g: [float(f"{v:.14e}") for v in g]])
def test_one_number_of_a_float64_gradient_that_is_1e_9_off_fails_wherever_it_is(form):
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat
    assert check_gradient(net, X, Y, form(right)).verdict == "pass"
    for block in net.blocks:
        for at in (block.offset, block.offset + block.size // 2):
            wrong = right.copy()
            wrong[at] += 1e-9 * np.abs(right[block.slice]).max()
            # One of every block is looked at by differences, and still this one is found.
            check = check_gradient(net, X, Y, form(wrong), n_parameters=4)
            failed = [(row.block, row.index) for row in check.rows if row.verdict == "fail"]
            place = np.unravel_index(at - block.offset, block.shape)
            assert failed == [(block.name, tuple(map(int, place)))]


@pytest.mark.parametrize("by", [1e-8, -1e-7])
def test_a_factor_near_1_is_no_rounding(by):
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat
    assert check_gradient(net, X, Y, right * (1 + by)).verdict == "fail"
    wrong = right.copy()
    wrong[net.blocks[0].slice] *= 1 + by
    assert check_gradient(net, X, Y, wrong).verdict == "fail"


def test_few_decimals_are_excused_and_certify_nothing():
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat
    printed = [float(f"{v:.4f}") for v in right]
    assert check_gradient(net, X, Y, printed).verdict == "undecided"
    assert check_gradient(net, X, Y, [v + 0.001 for v in printed]).verdict == "fail"
    ten = [float(f"{v:.10f}") for v in right]
    assert check_gradient(net, X, Y, ten).verdict == "pass"
    ten[5] += 1e-6
    assert check_gradient(net, X, Y, ten).verdict == "fail"


def test_a_zero_among_few_decimals_stands_for_a_small_number():
    net = network()
    X, Y = batch(net)
    net.weights[1][0] = 0.0
    net.weights[1][1:] *= 1e-3  # the gradient of the first layer is small
    right = net.gradient(X, Y).flat
    printed = np.array([float(f"{v:.4f}") for v in right])
    assert ((printed == 0) & (right != 0)).sum() > 5
    assert check_gradient(net, X, Y, printed).verdict == "undecided"
    printed[np.argmax(np.abs(right))] = 0.0
    assert check_gradient(net, X, Y, printed).verdict == "fail"
    # Rounded to digits a 0 is one.
    digits = np.array([float(f"{v:.4g}") for v in right])
    digits[np.flatnonzero(printed == 0)[0]] = 0.0
    assert check_gradient(net, X, Y, digits).verdict == "fail"


@pytest.mark.parametrize("bits", [8, 11])
def test_half_precision_is_undecided_and_a_wrong_one_fails(bits):
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat
    mantissa, exponent = np.frexp(right)
    short = np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(np.float32)
    assert check_gradient(net, X, Y, short).verdict == "undecided"
    assert check_gradient(net, X, Y, 2 * short).verdict == "fail"


def test_what_half_precision_left_in_float32_fails_and_is_said_to_be_it():
    """As of autocast: products and sums are rounded to float16, what is handed over is float32."""
    net = network(output="sigmoid")
    X, Y = batch(net)
    x, y, W = X.astype(np.float16), Y.astype(np.float16), [w.astype(np.float16) for w in net.weights]
    a = 1 / (1 + np.exp(-(x @ W[0].T + net.biases[0].astype(np.float16))))
    out = 1 / (1 + np.exp(-(a @ W[1].T + net.biases[1].astype(np.float16))))
    delta = [None, (out - y) * out * (1 - out)]
    delta[0] = (delta[1] @ W[1]) * a * (1 - a)
    g = [
        (d.astype(np.float32).T @ source.astype(np.float32) / 7, d.astype(np.float32).mean(axis=0))
        for d, source in zip(delta, (x, a), strict=True)
    ]
    check = check_gradient(net, X, Y, g)
    assert (check.verdict, [each.name for each in check.mistakes]) == ("fail", ["half_precision"])
    assert "compute the gradient in float32" in str(check)
    wrong = [(g[0][0].copy(), g[0][1]), g[1]]
    wrong[0][0][1, 1] += 0.3 * np.abs(g[0][0]).max()
    assert check_gradient(net, X, Y, wrong).mistakes == ()
    right = net.gradient(X, Y).flat.copy()
    right[3] *= 1.001
    assert check_gradient(net, X, Y, right).mistakes == ()


def test_a_saturated_network_in_float32_is_undecided_where_its_slope_is_lost():
    net = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    X, Y = batch(net)
    net.biases[1][:] = 14.0  # a is 1 - 8e-7: of a(1 - a) float32 keeps a digit
    a = net.trace(X, Y).layers
    out, hidden = a[1].a.astype(np.float32), a[0].a.astype(np.float32)
    delta = (out - Y.astype(np.float32)) * out * (1 - out)
    first = (delta @ net.weights[1].astype(np.float32)) * hidden * (1 - hidden)
    x = X.astype(np.float32)
    right = [(first.T @ x / 7, first.mean(axis=0)), (delta.T @ hidden / 7, delta.mean(axis=0))]
    check = check_gradient(net, X, Y, right)
    assert (check.verdict, check.max_relative_error > 1e-3) == ("undecided", True), str(check)
    assert check_gradient(net, X, Y, [(2 * W, 2 * b) for W, b in right]).verdict == "fail"


def test_a_number_that_is_not_finite_is_found_in_a_sample_without_it():
    net = network((20, 30, 3))
    X, Y = batch(net)
    wrong = net.gradient(X, Y).flat.copy()
    wrong[123] = np.nan
    check = check_gradient(net, X, Y, wrong, n_parameters=4)
    assert check.verdict == "fail"
    assert [row.index for row in check.rows if row.verdict == "fail"] == [(6, 3)]


def test_a_penalty_has_its_rounding_too():
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y, l2=30.0, l1=3.0).flat
    assert check_gradient(net, X, Y, right.astype(np.float32), l2=30.0, l1=3.0).verdict == "pass"
    assert check_gradient(net, X, Y, right, l2=30.0, l1=3.0).verdict == "pass"


@pytest.mark.parametrize(("l2", "l1"), [(0.1, 0.0), (0.0, 0.01), (0.1, 0.01)])
def test_a_penalty_of_float32_weights_in_a_float64_gradient_is_not_accused(l2, l1):
    net = network().copy("float32")
    X, Y = batch(net)
    right = net.copy("float64").gradient(X, Y)
    together = [
        (W + (l2 * own + l1 * np.sign(own)), b)
        for W, b, own in zip(right.weights, right.biases, net.weights, strict=True)
    ]
    apart = [
        (W + l2 * own + l1 * np.sign(own), b)
        for W, b, own in zip(right.weights, right.biases, net.weights, strict=True)
    ]
    for pairs in (together, apart):
        assert check_gradient(net, X, Y, pairs, l2=l2, l1=l1).verdict == "pass"
        pairs[1][0][0, 0] += 1e-8 * np.abs(pairs[1][0]).max()
        assert check_gradient(net, X, Y, pairs, l2=l2, l1=l1).verdict == "fail"


def test_a_wrong_gradient_of_the_network_bears_nothing_out(monkeypatch):
    net = network()
    X, Y = batch(net)
    right = net.gradient(X, Y).flat.copy()
    own = cp.Network.gradient

    def wrong(self, *a, **k):
        made = own(self, *a, **k)
        made.flat[:] *= 1.001
        return made

    monkeypatch.setattr(cp.Network, "gradient", wrong)
    assert check_gradient(net, X, Y, right).verdict == "pass"
    assert check_gradient(net, X, Y, right * 1.001).verdict == "fail"


@pytest.mark.parametrize(
    ("numbers", "eps"),
    [
        (np.float64(np.pi) * np.arange(1, 9), rounding.DOUBLE),
        (np.float32(np.pi) * np.arange(1, 9, dtype=np.float32), rounding.SINGLE),
        (np.round(np.pi * np.arange(1, 9), 6), rounding.SINGLE),
        (np.zeros(4), rounding.DOUBLE),
    ],
)
def test_precision_is_read_off_the_numbers(numbers, eps):
    assert rounding.precision([numbers.astype(np.float64)]).eps == eps


def test_the_gradients_by_hand_share_their_numbers_with_the_networks():
    """The draws are of what they are said to be: right in float64, wrong in float32 by rounding."""
    net, X, Y, rng = draw(3)
    pairs, _ = by_hand(net, X, Y, rng)
    np.testing.assert_allclose(flat(pairs), net.copy("float64").gradient(X, Y).flat, rtol=1e-3)
