"""Diagnosis: each rule speaks where it should, in the right direction, and is silent elsewhere."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

import clearprop as cp
from clearprop import diagnosis
from clearprop.diagnosis import Thresholds, activation_range, quantities, rules
from clearprop.diagnosis.diagnose import stratified
from clearprop.diagnosis.measurements import Run, Step

# 7 samples, unequal sizes
RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 4))
Y = np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]


def network(sizes=(4, 5, 3), **how):
    return cp.Network(list(sizes), **({"activation": "tanh", "dtype": "float64", "seed": 1} | how))


def ids(net, x=X, y=Y, *args, **how):
    return {each.id for each in cp.diagnose(net, x, y, *args, **how)}


def loud(net, x=X, y=Y, *args, **how):
    return {each.id for each in cp.diagnose(net, x, y, *args, **how).warnings}


def history(cost, validation=None, rate=0.1):
    made = cp.History()
    for i, value in enumerate(cost):
        row = {"epoch": i + 1, "cost": value, "learning_rate": rate}
        made.append(row if validation is None else row | {"validation_cost": validation[i]})
    return made


def numbers(net, x=X, y=Y, limits=None, **how):
    p = quantities.run(net.architecture, net.parameters, net.inputs(x), net.targets(y))
    return diagnosis.measurements.measure(p, limits or Thresholds(), **({"steps_trained": 0} | how))


# Oracles of the quantities: loops over samples and units, in the open


def test_the_three_factors_times_how_they_meet_are_the_speed_of_every_weight():
    net = network(cost="quadratic", output="sigmoid")
    for m, layer in enumerate(diagnosis.attribute(net, X, Y)):
        g = net.gradient(X, Y, per_sample=True).weights[m]
        assert_allclose(layer.speed, np.abs(g).mean(axis=0), rtol=1e-12)
        product = layer.usual * layer.activation * layer.slope[:, None] * layer.error[:, None]
        assert_allclose(product * layer.meeting, layer.speed, rtol=1e-12)


@pytest.mark.parametrize("cost", ["cross_entropy", "quadratic"])
def test_each_sample_s_gradient_is_activation_times_slope_times_error(cost):
    net = network(cost=cost, output="sigmoid")
    trace = net.trace(X, Y)
    a = [trace.X, *(layer.a for layer in trace.layers)]
    g = net.gradient(X, Y, per_sample=True)
    for m, layer in enumerate(trace.layers):
        for i in range(7):
            by_factors = np.outer(layer.slope[i] * layer.error[i], a[m][i])
            assert_allclose(g.weights[m][i], by_factors, rtol=1e-9, atol=1e-17)


def test_the_noise_of_the_gradient_is_that_of_the_samples_gradients():
    net = network((4, 5, 3), activation="sigmoid")
    g = net.gradient(X, Y, per_sample=True).flat
    found = numbers(net).gradient
    centred = g - g.mean(axis=0)
    assert_allclose(found.noise, (centred**2).sum() / 6, rtol=1e-10)
    assert_allclose(found.signal, (g.mean(axis=0) ** 2).sum() - found.noise / 7, rtol=1e-10)
    assert_allclose(found.sample_norm, np.sqrt((g**2).sum(axis=1).mean()), rtol=1e-10)


def test_the_parts_of_the_units_add_up_to_the_samples_gradients():
    net = network((4, 5, 6, 3))
    g = net.gradient(X, Y, per_sample=True)
    for m, layer in enumerate(numbers(net).layers):
        each = (g.weights[m] ** 2).sum(axis=2) + g.biases[m] ** 2
        assert_allclose(layer.actual, each.mean(axis=0), rtol=1e-12)
        assert (layer.possible >= layer.actual * (1 - 1e-12)).all()


def test_the_gain_is_one_for_a_start_after_glorot_whatever_the_widths():
    for sizes in ((4, 300, 100), (4, 100, 400), (4, 200, 200)):
        net = network((*sizes, 3), activation="identity", initializer="glorot_normal")
        assert numbers(net).layers[1].gain == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    ("name", "steepest", "kind", "low", "high"),
    [
        ("sigmoid", 0.25, "both_ends", 0, 1),
        ("tanh", 1, "both_ends", -1, 1),
        ("scaled_tanh", 1.7159 * 2 / 3, "both_ends", -1.7159, 1.7159),
        ("relu", 1, "dead_below", 0, np.inf),
        ("leaky_relu", 1, "below", -np.inf, np.inf),
        ("elu", 1, "below", -1, np.inf),
        ("selu", 1.7580993408473766, "below", -1.7580993408473766, np.inf),
        ("softplus", 1, "below", 0, np.inf),
        ("identity", 1, "never", -np.inf, np.inf),
        ("exp", np.inf, "never", 0, np.inf),
    ],
)
def test_the_range_of_an_activation_is_known(name, steepest, kind, low, high):
    found = activation_range.of_layer(cp.activations.resolve(name), 2)
    assert found.steepest == pytest.approx([steepest] * 2, rel=1e-3)
    assert [activation_range.Kind(k).name for k in found.kind] == [kind] * 2
    assert found.low == pytest.approx([low] * 2, abs=1e-6)
    assert found.high == pytest.approx([high] * 2, abs=1e-6)


def test_units_that_are_alike_are_found_among_all_pairs():
    W = RNG.normal(size=(6, 4))
    after = RNG.normal(size=(3, 6))
    W[4], after[:, 4] = W[1], after[:, 1]
    W[5] = W[1]  # goes out otherwise: training will part them
    groups = quantities.identical_units(W, np.zeros(6), after, (), Thresholds())
    assert groups == ((1, 4),)
    W[4, 0] *= 1 + 1e-9
    assert quantities.identical_units(W, np.zeros(6), after, (), Thresholds()) == ()


# Every rule: a network in which it speaks, and one on the other side of its limit


def planted(rule):
    """Return what makes a rule speak, as arguments of `diagnose`, and a healthy counterpart."""
    net, well = network(), network()
    how, good = {}, {}
    if rule == "D1":
        net.weights[0][1, 2] = np.nan
    elif rule == "D2":
        net.biases[0][:3] = 30.0
    elif rule == "D3":
        net, well = (network(cost="quadratic", output="sigmoid") for _ in range(2))
        net.biases[1][:] = 20.0
    elif rule == "D4":
        net.weights[0][2] = 1e-9
    elif rule == "D5":
        net, well = (network(activation="relu", initializer="glorot_normal") for _ in range(2))
        well.biases[0][:] = 5.0
        net.biases[0][:3] = -50.0
    elif rule == "D6":
        net, well = (network((4, 5, 6, 5, 3)) for _ in range(2))
        net.weights[2][:] *= 1e-4
    elif rule == "D7":
        net, well = (network((4, 5, 6, 5, 3), activation="identity") for _ in range(2))
        net.weights[2][:] *= 300.0
    elif rule == "D8":
        net, well = (network((4, 5, 6, 3)) for _ in range(2))
        net.weights[1][:] *= 100.0
    elif rule == "D9":
        how, good = {"optimizer": cp.SGD(1e-9)}, {"optimizer": cp.SGD(0.05)}
    elif rule == "D10":
        return (network(), *noisy(), {"batch_size": 1}), (network(), *noisy(), {"batch_size": 40})
    elif rule in ("D11", "D12"):
        flat = [1.0] * 5 + [0.9] * 12
        how = {"history": history(flat)}
        good = {"history": history([2.0 * 0.9**i for i in range(17)])}
        if rule == "D12":
            how = {"history": history(flat, rate=0.9), "optimizer": cp.SGD(0.9)}
            good["optimizer"] = cp.SGD(0.05)
            net, well = (
                network(activation="identity", cost="quadratic", output="identity") for _ in "12"
            )
    elif rule == "D13":
        how = {"history": history([2.0, 1.0] * 8)}
        good = {"history": history([2.0 * 0.9**i for i in range(16)])}
    elif rule == "D14":
        how = {"history": history([2.0, 1.0, 0.5, 1.9])}
        good = {"history": history([2.0, 1.0, 0.5, 0.6])}
    elif rule == "D15":
        net.weights[1][:] *= 30.0
    elif rule == "D16":
        net.weights[0][3], net.weights[1][:, 3] = net.weights[0][1], net.weights[1][:, 1]
    elif rule == "D17":
        net, well = (network((4, 5, 1), output="tanh", cost="quadratic") for _ in range(2))
        return (net, X, np.linspace(-1, 1.5, 7)[:, None], {}), (
            well,
            X,
            np.linspace(-1, 1, 7)[:, None],
            {},
        )
    elif rule == "D18":
        net, well = network(output="sigmoid", cost="quadratic"), network(output="sigmoid")
    elif rule == "D19":
        return (net, X * [1, 1, 1, 40], Y, {}), (well, X, Y, {})
    elif rule == "D20":
        cost = [2.0 * 0.9**i for i in range(8)]
        how = {"history": history(cost, [2, 1.5, 1.2, 1, 1.1, 1.2, 1.3, 1.4])}
        good = {"history": history(cost, [2, 1.5, 1.2, 1, 1.01, 1.02, 1.01, 1.02])}
    elif rule == "D21":
        x, y = strangers()
        for each in (net, well):
            each.fit(x, y, epochs=1, optimizer=cp.SGD(1e-3), seed=0, progress=False, engine="numpy")
        return (net, x, y, {}), (well, x, np.eye(3)[np.argmax(x[:, :3], axis=1)], {})
    return (net, X, Y, how), (well, X, Y, good)


def strangers(n=120, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), np.eye(3)[rng.integers(3, size=n)]


def noisy():
    x = np.random.default_rng(0).normal(size=(60, 4))
    return x, np.eye(3)[np.random.default_rng(1).integers(0, 3, 60)]


ALL = [f"D{n}" for n in range(1, 22)]


@pytest.mark.parametrize("rule", ALL)
def test_a_rule_speaks_where_its_fault_is_and_is_silent_on_the_other_side_of_its_limit(rule):
    (net, x, y, how), (well, wx, wy, good) = planted(rule)
    assert rule in ids(net, x, y, **how)
    assert rule not in ids(well, wx, wy, **good)


@pytest.mark.parametrize("rule", ALL)
def test_a_finding_says_what_where_how_it_is_known_and_what_to_try(rule):
    (net, x, y, how), _ = planted(rule)
    found = next(each for each in cp.diagnose(net, x, y, **how) if each.id == rule)
    assert found.severity in ("info", "warning", "error")
    for part in (found.what, found.how, found.remedy):
        assert part.endswith((".", ".)"))
        assert part[0].isupper() or part[0].isdigit() or part.startswith(("f'", "||"))
        assert "nan" not in part.lower().replace("holds nan", "")
    assert found.sentence == f"{found.what} {found.how} {found.remedy}"
    assert found.source
    assert found.n > 0
    assert 0 <= found.explains <= 1
    assert rule in ("D1", "D4", "D10", "D20", "D21") or found.changes
    assert found.layer is None or 0 <= found.layer <= len(net.layers)
    assert all(0 <= row < len(x) for row in found.evidence)
    json.dumps(found.to_dict(), allow_nan=False)


# A last layer that starts at 0, as some initializations do on purpose


def growing(activation, epochs, size=0.0):
    """Return a network whose last weights were `size` times the usual ones, after some epochs."""
    x, y = separable()
    start = "he_normal" if activation == "relu" else "glorot_uniform"
    net = network((4, 20, 15, 3), activation=activation, initializer=start)
    net.weights[2][:] *= size
    for _ in range(epochs):
        net.fit(x, y, epochs=1, batch_size=8, optimizer=cp.SGD(0.01), progress=False, engine="numpy")
    return net, x, y


def separable():
    x = np.random.default_rng(0).normal(size=(70, 4))
    return x, np.eye(3)[x[:, :3].argmax(axis=1)]


@pytest.mark.parametrize("epochs", [0, 1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_a_last_layer_that_starts_at_0_and_grows_is_not_sick(activation, epochs):
    net, x, y = growing(activation, epochs)
    assert np.linalg.norm(net.weights[2]) < 0.5 * np.sqrt(2 * 3 * 15 / 18)
    assert loud(net, x, y, optimizer=cp.SGD(0.01), batch_size=8) == set()


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-4])
def test_a_tiny_last_layer_hides_nothing_that_is_wrong_below_it(size):
    net, x, y = growing("tanh", 0, size)
    net.weights[1][:] *= 0.5 / 1e4
    found = loud(net, x, y)
    assert "D8" in found
    assert ("D6" in found) == (size > 0)  # at exactly 0, delta below is 0 whatever the layers are
    dead, x, y = growing("relu", 0, size)
    dead.biases[1][:] = -100.0
    assert "D5" in loud(dead, x, y)


def test_where_a_gradient_vanishes_at_slopes_of_0_the_slopes_are_blamed():
    net = network(activation="sigmoid")
    net.weights[0][:] *= 1e30
    (found,) = [each for each in cp.diagnose(net, X, Y) if each.id == "D6"]
    assert "f'(z) is 0 there (RMS), which is the larger part" in found.how


@pytest.mark.parametrize("optimizer", [None, "sgd", "adam"])
def test_a_number_whose_square_overflows_is_no_trouble(optimizer):
    net = network(activation="sigmoid")
    net.weights[0][0, 0] = net.weights[1][1, 1] = -1e300
    assert "D2" in ids(net, optimizer=optimizer)  # warnings are errors here


def test_a_last_layer_that_a_penalty_holds_near_0_is_not_growing():
    net, x, y = growing("tanh", 0, 1e-3)
    assert not {"D6", "D8"} & loud(net, x, y)
    held = numbers(net, x, y)
    assert held.last_layer_size(Thresholds()) < 1e-2
    strong = dataclasses.replace(held, l2=1.0, gradient=dataclasses.replace(held.gradient, pull=1.0))
    assert strong.last_layer_size(Thresholds()) == 1.0


def test_weights_that_are_all_small_grow_slowly_the_last_ones_too():
    net, x, y = growing("tanh", 0, 1.0)
    for W in net.weights:
        W[:] *= 0.01
    assert {"D6", "D8"} <= loud(net, x, y)
    assert numbers(net, x, y).last_layer_size(Thresholds()) == 1.0


# What a cost times 1000 must not change, and what it must: the exponent of each rule

FIXED = "D1 D2 D3 D4 D5 D6 D8 D10 D11 D13 D14 D15 D16 D17 D18 D19 D20 D21".split()


def thousandfold(net):
    """Return the same network under 1000 times its cost."""
    cost = net.architecture.cost
    canonical = {
        output: dataclasses.replace(
            form,
            value=lambda z, y, f=form: 1000 * f.value(z, y),
            derivative=lambda a, y, f=form: 1000 * f.derivative(a, y),
            delta=lambda z, a, y, f=form: 1000 * f.delta(z, a, y),
        )
        for output, form in cost.canonical.items()
    }
    larger = dataclasses.replace(
        cost,
        value=lambda a, y: 1000 * cost.value(a, y),
        derivative=lambda a, y: 1000 * cost.derivative(a, y),
        canonical=canonical,
    )
    new = net.copy()
    new.model.architecture = dataclasses.replace(net.architecture, cost=larger)
    return new


@pytest.mark.parametrize("rule", FIXED)
def test_a_cost_times_1000_changes_neither_value_nor_severity(rule):
    (net, x, y, how), (well, wx, wy, good) = planted(rule)
    before, after = (
        [e for e in cp.diagnose(n, x, y, **how) if e.id == rule] for n in (net, thousandfold(net))
    )
    assert [e.severity for e in before] == [e.severity for e in after]
    assert [e.value for e in before] == pytest.approx([e.value for e in after], nan_ok=True)
    assert [e.explains for e in before] == pytest.approx([e.explains for e in after])
    assert rule not in ids(thousandfold(well), wx, wy, **good)


def test_a_cost_times_1000_changes_gradient_norms_and_steps_of_sgd():
    net = network()
    assert "D7" not in ids(net)
    assert "D7" in ids(thousandfold(net))
    small = {"optimizer": cp.SGD(1e-7)}
    assert "D9" in loud(net, **small)
    assert "D9" not in loud(thousandfold(net), **small)
    (far, *_), _ = planted("D7")
    before, after = (numbers(n).layers for n in (far, thousandfold(far)))
    assert before[0].delta / before[-1].delta == pytest.approx(after[0].delta / after[-1].delta)


# Thresholds


def test_the_limit_of_each_severity_is_on_the_right_side():
    limits = Thresholds()
    for warning, error in (
        ("saturated_warning", "saturated_error"),
        ("saturated_cells_warning", "saturated_cells_error"),
        ("stuck_warning", "stuck_error"),
        ("dead_warning", "dead_error"),
        ("update_high_warning", "update_high_error"),
    ):
        assert getattr(limits, warning) < getattr(limits, error)
    for warning, error in (
        ("vanishing_warning", "vanishing_error"),
        ("update_low_warning", "update_low_error"),
    ):
        assert getattr(limits, warning) > getattr(limits, error)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("D2", {"saturated_warning": 0.9, "saturated_error": 0.95, "saturated_cells_warning": 0.9}),
        ("D5", {"dead_warning": 0.8, "dead_error": 0.9}),
        ("D6", {"vanishing_warning": 1e-9, "vanishing_error": 1e-10}),
        ("D15", {"bad_start": 1e3}),
        ("D19", {"input_high": 1e3, "input_z": 1e3}),
        ("D9", {"update_low_info": 1e-12, "update_low_warning": 1e-12, "update_low_error": 1e-13}),
    ],
)
def test_a_limit_that_is_moved_beyond_the_value_silences_its_rule(rule, change):
    (net, x, y, how), _ = planted(rule)
    moved = dataclasses.replace(Thresholds(), **change)
    assert rule not in ids(net, x, y, **how, thresholds=moved)


def test_looser_limits_find_all_that_the_limits_find():
    for rule in ALL:
        (net, x, y, how), _ = planted(rule)
        strict = ids(net, x, y, **how)
        loose = ids(net, x, y, **how, thresholds=Thresholds().looser())
        assert strict <= loose | {"D9"}


@pytest.mark.parametrize("value", [0, -1, float("nan"), "a", True])
def test_a_limit_that_is_no_positive_number_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="dead_warning must be"):
        Thresholds(dead_warning=value)


# Conduct


def test_small_error_is_success():
    net = network()
    net.fit(X, Y, epochs=400, optimizer=cp.Adam(0.02), batch_size=7, progress=False, engine="numpy")
    assert net.cost(X, Y) < 0.05
    found = cp.diagnose(net, X, Y, optimizer=cp.SGD(1e-3))
    assert not found.warnings


def test_saturated_and_right_is_not_sick():
    net = network(output="sigmoid")
    net.weights[0][:], net.biases[0][:] = 0, 0
    net.biases[0][:3] = 30.0  # saturated hidden units
    right = network((4, 3), output="sigmoid")
    right.weights[0][:] = 0
    right.biases[0][:] = [30, -30, -30]
    y = np.tile([1.0, 0, 0], (7, 1))
    assert not cp.diagnose(right, X, y).warnings
    wrong = np.tile([0.0, 1, 1], (7, 1))
    assert "D3" not in ids(right, X, wrong)  # cross-entropy: the slope cancels
    quadratic = network((4, 3), output="sigmoid", cost="quadratic")
    quadratic.parameters[:] = right.parameters
    assert not cp.diagnose(quadratic, X, y).warnings
    assert "D3" in loud(quadratic, X, wrong)


def test_a_minimum_that_is_no_perfect_fit_is_information():
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = x[:, :1] + 2 * np.random.default_rng(1).normal(size=(50, 1))
    net = cp.Network([3, 1], output="identity", cost="quadratic", dtype="float64", seed=0)
    W = np.linalg.lstsq(np.hstack([x, np.ones((50, 1))]), y, rcond=None)[0]
    net.weights[0][:], net.biases[0][:] = W[:3].T, W[3]
    cost = net.cost(x, y)
    found = cp.diagnose(net, x, y, history([2 * cost] + [cost] * 14), optimizer=cp.SGD(0.01))
    assert [each.severity for each in found if each.id == "D11"] == ["info"]
    assert not found.warnings


def test_the_most_severe_come_first_and_then_those_that_explain_most():
    net = network((4, 5, 6, 3))
    net.biases[0][:3] = 30.0
    net.weights[1][3], net.weights[2][:, 3] = net.weights[1][1], net.weights[2][:, 1]
    found = cp.diagnose(net, X * [1, 1, 0, 1], Y)
    ranks = [diagnosis.finding.SEVERITIES.index(each.severity) for each in found]
    assert ranks == sorted(ranks, reverse=True)
    assert len(found) > 2
    for a, b in pairwise(found):
        assert a.severity != b.severity or a.explains >= b.explains


def test_what_is_explained_is_the_share_that_full_slopes_would_add():
    (net, *_), _ = planted("D2")
    found = next(each for each in cp.diagnose(net, X, Y) if each.id == "D2")
    trace = net.trace(X, Y)
    inputs = (X**2).sum(axis=1) + 1
    full = (trace.layers[0].error[:, :3] ** 2 * inputs[:, None]).sum() / 7
    g = net.gradient(X, Y, per_sample=True)
    actual = (g.weights[0][:, :3] ** 2).sum() / 7 + (g.biases[0][:, :3] ** 2).sum() / 7
    lost = full - actual
    assert found.explains == pytest.approx(lost / (lost + (g.flat**2).sum() / 7), rel=1e-9)


def test_evidence_is_rows_of_the_data_that_was_given():
    x = np.random.default_rng(0).normal(size=(100, 4))
    y = np.zeros((100, 1))
    y[97] = 1
    net = network((4, 1), output="sigmoid", cost="quadratic")
    net.weights[0][:], net.biases[0][:] = 0, -9
    limits = dataclasses.replace(Thresholds(), stuck_warning=1e-3)
    found = cp.diagnose(net, x, y, thresholds=limits, max_samples=60)
    stuck = [each for each in found if each.id == "D3"]
    assert stuck[0].evidence == (97,)
    assert stuck[0].n == 60


def test_a_sample_has_every_class_in_its_share():
    y = np.eye(3)[np.repeat([0, 1, 2], [700, 200, 100])]
    rows = stratified(y, 100)
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()
    assert y[rows].sum(axis=0) == pytest.approx([70, 20, 10], abs=1)


def test_softmax_targets_that_do_not_sum_to_1_are_told_of():
    net = network(output="softmax", cost="quadratic")
    found = cp.diagnose(net, X, 0.5 * Y)
    assert [each.id for each in found if each.severity == "error"] == ["D17"]
    assert "do not sum to 1" in found[0].what


def test_of_numbers_that_are_none_the_first_in_the_order_of_the_pass_is_named():
    net = network((4, 5, 6, 3))
    net.weights[1][0, 0] = np.inf
    found = cp.diagnose(net, X, Y)
    assert [(each.id, each.layer) for each in found] == [("D1", 2)]
    assert "W of layer 2" in found[0].what
    net = network((4, 5, 6, 3), activation="identity", dtype="float32")
    net.weights[0][:] *= 1e30
    net.weights[1][:] *= 1e30
    found = cp.diagnose(net, X, Y)
    assert "z of layer 2" in found[0].what


def test_the_price_of_the_quantities_is_small_beside_that_of_a_pass():
    for sizes in ((784, 30, 10), (64, 64, 32, 10), (784, 500, 500, 10)):
        net = cp.Network(list(sizes), seed=0)
        forward, backward = net.architecture.multiply_adds()
        price = quantities.price(net.architecture, 100)
        assert price < 0.5 * 100 * (forward + backward)


def test_rules_are_functions_of_numbers_alone():
    m = numbers(network(), run=Run(cost=(2.0, 1.0)), step=Step((1e-9, 1e-9), float("nan"), 3))
    assert {each.id for each in rules.apply(m, Thresholds())} == {"D9"}
    assert set(rules.RULES) | {"D12"} == set(ALL)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"history": [1.0]}, "history must be a History"),
        ({"thresholds": 3}, "thresholds must be a Thresholds"),
        ({"l2": -1.0}, "l2 must be a finite number of at least 0, got -1.0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_samples": 0}, "max_samples must be at least 1, got 0"),
        ({"optimizer": "sgdd"}, "optimizer"),
    ],
)
def test_arguments_that_break_their_rule_are_refused(how, said):
    with pytest.raises((TypeError, ValueError), match=said):
        cp.diagnose(network(), X, Y, **how)


def test_data_that_do_not_fit_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match="4"):
        cp.diagnose(network(), X[:, :3], Y)
    with pytest.raises(ValueError, match="as many rows, got 7 and 6"):
        cp.diagnose(network(), X, Y[:6])


def test_warnings_as_errors_of_the_caller_s_numpy_do_not_stop_a_diagnosis():
    with np.errstate(all="raise"):
        for rule in ALL:
            (net, x, y, how), _ = planted(rule)
            assert rule in ids(net, x, y, **how)


@pytest.mark.parametrize("activation", sorted(cp.activations.ACTIVATIONS.keys() - {"softmax"}))
@pytest.mark.parametrize("cost", ["quadratic", "mean_absolute_error", "huber", "quantile"])
def test_every_activation_and_cost_can_be_diagnosed(activation, cost):
    net = network(activation=activation, cost=cost, output="identity")
    for optimizer in ("sgd", "adam", "lbfgs"):
        for found in cp.diagnose(net, X, Y, optimizer=optimizer, batch_size=2):
            json.dumps(found.to_dict(), allow_nan=False)


def test_a_layer_with_an_activation_for_each_unit_and_none_of_its_biases_can_be_diagnosed():
    mixed = cp.Layer(5, ["sigmoid", "tanh", "relu", "exp", "gelu"], bias=False)
    net = cp.Network([4, mixed, cp.Layer(1, "sigmoid", bias=False)], cost="quadratic", seed=0)
    net.weights[0][2] = -50
    limits = dataclasses.replace(Thresholds(), dead_warning=0.1)
    found = cp.diagnose(net, np.abs(X), np.zeros((7, 1)), thresholds=limits)
    dead = next(each for each in found if each.id == "D5")
    assert dead.units == (2,)


# Limits that were fitted on the calibration half of benchmarks/faults.py


def test_validation_that_stands_still_while_the_training_cost_falls_is_overfitting():
    net = network()
    cost = [2.0 * 0.95**i for i in range(15)]
    still = [1.0 - 0.001 * i for i in range(15)]
    falling = [0.97**i for i in range(15)]
    found = {each.id: each for each in cp.diagnose(net, X, Y, history(cost, still))}
    assert "in 10 epochs the training cost has fallen by more than 30 %" in found["D20"].what
    assert "D20" not in ids(net, X, Y, history(cost, falling))
    slowly = [2.0 * 0.99**i for i in range(15)]
    assert "D20" not in ids(net, X, Y, history(slowly, still))


def test_a_unit_that_is_hardly_ever_active_is_not_one_that_hands_on_little():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 4)), np.eye(3)[rng.integers(0, 3, 400)]
    net = network((4, 8, 3), activation="relu")
    net.weights[0][0], net.biases[0][0] = [1.0, 0, 0, 0], -np.sort(x[:, 0])[-2] - 1e-3
    low = {each.name for each in cp.diagnose(net, x, y) if each.id == "D4"}
    assert "low activations" not in low
    net.weights[0][1] *= 1e-4  # active on half of the examples, and next to nothing each time
    (found,) = (each for each in cp.diagnose(net, x, y) if each.name == "low activations")
    assert found.units == (1,)


# S2: a weight out of a neuron of low activation learns slowly (D4)


def on_a_plane(n=300, n_inputs=4):
    """Return inputs of one size, all of which matter, and two classes."""
    x = np.random.default_rng(3).normal(size=(n, n_inputs))
    return x, np.eye(2)[(x.sum(axis=1) > 0).astype(int)]


def low(net, x, y, layer=0):
    return [
        each for each in cp.diagnose(net, x, y) if (each.name, each.layer) == ("low activations", layer)
    ]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_an_input_would_teach_is_its_correlation_with_a_delta_whatever_its_size(reduction):
    net = network(cost=cp.costs.cross_entropy(reduction=reduction))
    x = X * [1, 1e-3, 0, 40]
    x[:3, 3] = 0
    found, trace = numbers(net, x).inputs, net.trace(x, Y)
    delta = trace.layers[0].delta
    expected = [
        0.0 if k == 2 else max(abs(np.corrcoef(delta[:, j], x[:, k])[0, 1]) for j in range(5))
        for k in range(4)
    ]
    assert_allclose(found.wanted, expected, rtol=1e-9)
    assert_allclose(found.active, [1, 1, 0, 4 / 7])


@pytest.mark.parametrize("cost", ["cross_entropy", cp.costs.cross_entropy(reduction="sum")])
@pytest.mark.parametrize("small", [[2], [0, 1, 3]])
def test_inputs_far_smaller_than_the_others_are_named_with_what_that_costs(small, cost):
    x, y = on_a_plane()
    net = network((4, 5, 2), cost=cost)
    assert low(net, x, y) == []
    x[:, small] *= 1e-3
    (found,) = low(net, x, y)
    assert (found.severity, found.units) == ("warning", tuple(small))
    assert f"feature{'s' if small[1:] else ''} {', '.join(map(str, small))} (from 0)" in found.what
    assert "In dC/dw = a_in delta_out" in found.how
    assert found.factors["activation"] == pytest.approx(1e-3, rel=0.3)
    assert found.changes == {"scaling": "standard"}
    assert found.explains > 0.1
    assert low(net, cp.data.standardize(x)(x), y) == []


def test_inputs_with_names_are_named_by_them():
    pandas = pytest.importorskip("pandas")
    x, y = on_a_plane()
    frame = pandas.DataFrame(x * [1, 1, 1e-3, 1], columns=["age", "height", "dose", "weight"])
    net = network((4, 5, 2))
    net.fit(frame, y, epochs=1, progress=False, engine="numpy")
    (found,) = low(net, frame, y)
    assert found.what == "1 of 4 features is far smaller than the others: dose."


def test_many_are_not_all_named():
    x, y = on_a_plane(n_inputs=12)
    x[:, :8] *= 1e-3
    (found,) = low(network((12, 5, 2)), x, y)
    assert found.what.endswith("features 0, 1, 2, 3, 4 and 3 more (from 0).")


def rare(x, rng):  # categories of many, pixels at the edge, both mostly 0
    pixels = 1e-3 * (rng.random((len(x), 6)) < 0.02)
    return np.hstack([x, np.eye(40)[rng.integers(0, 40, len(x))], pixels])


def constant(x, rng):
    return np.hstack([x, np.full((len(x), 2), 0.001)])


def beside_a_large_one(x, rng):  # which is D19's
    return np.hstack([x, 400 * rng.normal(size=(len(x), 1))])


@pytest.mark.parametrize("columns", [rare, constant, beside_a_large_one])
def test_inputs_that_are_rarely_there_or_do_not_vary_or_stand_beside_a_large_one_are_not_low(columns):
    x, y = on_a_plane()
    x = columns(x, np.random.default_rng(4))
    assert low(network((x.shape[1], 5, 2)), x, y) == []


def test_a_small_input_of_which_nothing_is_to_be_learned_is_no_more_than_information():
    x, y = on_a_plane()
    noise = 1e-3 * np.random.default_rng(6).normal(size=(300, 1))
    (found,) = low(network((5, 5, 2)), np.hstack([x, noise]), y)
    assert (found.severity, found.units) == ("info", (4,))
    assert found.how.endswith("So far nothing is seen that it would teach.")


@pytest.mark.parametrize(("width", "severity"), [(8, "warning"), (30, "info")])
def test_a_hidden_unit_far_below_its_layer_s_others_is_named(width, severity):
    x, y = on_a_plane()
    net = network((4, width, 2))
    assert low(net, x, y, layer=1) == []
    net.weights[0][3] *= 1e-3
    (found,) = low(net, x, y, layer=1)
    assert (found.severity, found.units) == (severity, (3,))
    assert f"1 of {width} units hands on next to nothing: unit 3 (from 0)." in found.what
    assert "In dC/dw = a_in delta_out" in found.how
    assert bool(found.changes) == (severity == "warning")


def test_inputs_that_are_mostly_far_from_0_are_told_sooner_than_a_single_one():
    x = X - X.mean(axis=0)
    net = network()
    one, all_of_them = x.copy(), x + 3 * x.std(axis=0)
    one[:, 0] += 3 * x[:, 0].std()
    assert "D19" not in ids(net, one)
    (found,) = (each for each in cp.diagnose(net, all_of_them, Y) if each.id == "D19")
    assert found.threshold == Thresholds().input_offset_median
    assert found.changes["scaling"] == "standard"
    one[:, 0] += 3 * x[:, 0].std()
    assert "D19" in ids(net, one)


def test_units_that_a_far_too_large_step_has_made_alike_are_the_steps_fault():
    net = network()
    net.weights[0][1], net.biases[0][1] = net.weights[0][0], net.biases[0][0]
    net.weights[1][:, 1] = net.weights[1][:, 0]
    assert "D16" in ids(net)
    for update, speaks in ((0.01, True), (3.0, False)):
        step = Step((update, 0.01), float("nan"), 20)
        m = numbers(net, step=step, steps_trained=100)
        assert ("D16" in {each.id for each in rules.apply(m, Thresholds())}) == speaks
