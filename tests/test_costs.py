import pickle

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from sklearn._loss import loss as sklearn_loss

import clearprop as cp
import oracles
from clearprop import costs
from clearprop.activations import ACTIVATIONS
from clearprop.checks import check_outputs, check_targets
from clearprop.costs import Cost
from tables import COSTS, OUTPUTS, output_name

F = ACTIVATIONS


def of_samples(cost, output, z, y):
    return cost.of_samples(F[output], z, F[output](z), y)


def delta(cost, output, z, y):
    return cost.output_delta(F[output], z, F[output](z), y)


def drawn_targets(cost, output, rng, shape):
    if cost.name == "cross_entropy" and output == "softmax":
        return rng.dirichlet(np.ones(shape[1]), shape[0])
    if cost.name == "poisson":
        return rng.poisson(2.0, shape).astype(float)
    return rng.uniform(0, 1, shape)


# Values


def test_values_agree_with_the_printed_formulas(rng):
    a, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    r = a - y
    expected = {
        "quadratic": 0.5 * np.linalg.norm(r, axis=1) ** 2,
        "squared_error": np.linalg.norm(r, axis=1) ** 2,
        "mean_absolute_error": np.abs(r).sum(axis=1),
        "huber": scipy.special.huber(0.4, r).sum(axis=1),
        "quantile": np.where(r < 0, -0.3 * r, 0.7 * r).sum(axis=1),
    }
    for cost in COSTS:
        if cost.name in expected:
            got = cost.of_samples(F["identity"], a, a, y)
            np.testing.assert_allclose(got, expected[cost.name], rtol=1e-13)


def test_cross_entropy_agrees_with_scipy_in_both_its_forms(rng):
    z, y = rng.normal(size=(7, 3)), rng.dirichlet(np.ones(3), 7)
    cost = costs.cross_entropy()
    log_a = scipy.special.log_softmax(z, axis=1)
    np.testing.assert_allclose(of_samples(cost, "softmax", z, y), -(y * log_a).sum(axis=1), rtol=1e-13)
    each = y * scipy.special.log_expit(z) + (1 - y) * scipy.special.log_expit(-z)
    np.testing.assert_allclose(of_samples(cost, "sigmoid", z, y), -each.sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize(
    ("cost", "output", "theirs", "factor"),
    [
        (costs.quadratic(), "identity", sklearn_loss.HalfSquaredError(), 1),
        (costs.squared_error(), "identity", sklearn_loss.HalfSquaredError(), 2),
        (costs.mean_absolute_error(), "identity", sklearn_loss.AbsoluteError(), 1),
        (costs.quantile(0.3), "identity", sklearn_loss.PinballLoss(quantile=0.3), 1),
        (costs.huber(0.4), "identity", sklearn_loss.HuberLoss(delta=0.4), 1),
        (costs.poisson(), "exp", sklearn_loss.HalfPoissonLoss(), 1),
        (costs.binary_cross_entropy(), "sigmoid", sklearn_loss.HalfBinomialLoss(), 1),
    ],
    ids=lambda v: getattr(v, "name", None),
)
def test_value_and_delta_agree_with_scikit_learn(cost, output, theirs, factor, rng):
    z = rng.normal(scale=3, size=200)
    y = rng.poisson(2.0, 200).astype(float) if cost.name == "poisson" else rng.uniform(0, 1, 200)
    value, slope = theirs.loss_gradient(y_true=y, raw_prediction=z)
    ours = of_samples(cost, output, z[:, None], y[:, None])
    np.testing.assert_allclose(ours, factor * np.asarray(value), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        delta(cost, output, z[:, None], y[:, None])[:, 0],
        factor * np.asarray(slope),
        rtol=1e-12,
        atol=1e-14,
    )


def test_multinomial_value_and_delta_agree_with_scikit_learn(rng):
    z, labels = rng.normal(scale=3, size=(50, 4)), rng.integers(0, 4, 50).astype(float)
    theirs = sklearn_loss.HalfMultinomialLoss(n_classes=4)
    value, slope = theirs.loss_gradient(y_true=labels, raw_prediction=z)
    y = np.eye(4)[labels.astype(int)]
    cost = costs.cross_entropy()
    np.testing.assert_allclose(of_samples(cost, "softmax", z, y), value, rtol=1e-12)
    np.testing.assert_allclose(delta(cost, "softmax", z, y), slope, atol=1e-14)


# Derivatives


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_delta_and_error_agree_with_differences(pair, rng):
    cost, output = pair
    n_out = 1 if cost.name == "binary_cross_entropy" else 3
    z = rng.normal(size=(7, n_out))
    y = drawn_targets(cost, output, rng, z.shape)

    def total(flat):
        return of_samples(cost, output, flat.reshape(z.shape), y).sum()

    numeric = oracles.central_differences(total, z.ravel(), h=1e-6).reshape(z.shape)
    np.testing.assert_allclose(delta(cost, output, z, y), numeric, rtol=1e-6, atol=1e-8)
    # BP1, or (37), of the error gives the same delta where the slope does not vanish.
    f = F[output]
    through = f.backward(z, cost.error(f, f(z), y))
    np.testing.assert_allclose(through, numeric, rtol=1e-6, atol=1e-8)


# Extremes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_value_and_delta_are_finite_for_logits_of_1e4(pair, dtype):
    cost, output = pair
    large = 80.0 if output == "exp" else 1e4  # e^1e4 is infinite, honestly
    z = np.array([[large, -large, 0.0], [-large, large, 1.0], [-large, -large, -large]], dtype)
    y = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype)
    if cost.name == "binary_cross_entropy":
        z, y = z[:, :1], y[:, :1]
    with np.errstate(all="raise"):
        values, slopes = of_samples(cost, output, z, y), delta(cost, output, z, y)
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    assert slopes.dtype == z.dtype


def test_cross_entropy_of_a_confident_mistake_is_the_logit():
    # A loss of 20000 and a gradient of (-1, 0, 1), as in scikit-learn.
    z, y = np.array([[-1e4, 0.0, 1e4]]), np.array([[1.0, 0, 0]])
    cost = costs.cross_entropy()
    assert of_samples(cost, "softmax", z, y)[0] == 2e4
    np.testing.assert_array_equal(delta(cost, "softmax", z, y), [[-1, 0, 1]])
    assert of_samples(cost, "sigmoid", np.array([[-1e4]]), np.array([[1.0]]))[0] == 1e4


@pytest.mark.parametrize(
    ("cost", "output", "z", "y", "expected"),
    [
        (costs.cross_entropy(), "softmax", [[1e4, 0.0]], [[1.0, 0.0]], [[-1.0, 0.0]]),
        (costs.cross_entropy(), "sigmoid", [[1e4, -1e4]], [[1.0, 0.0]], [[-1.0, 1.0]]),
        (costs.poisson(), "exp", [[-1e4]], [[0.0]], [[1.0]]),
    ],
    ids=["softmax", "sigmoid", "poisson"],
)
def test_error_of_a_saturated_right_answer_is_its_limit_and_not_nan(cost, output, z, y, expected):
    z, y = np.array(z), np.array(y)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(cost.error(F[output], F[output](z), y), expected)


def test_error_of_a_saturated_wrong_answer_is_infinite():
    f, cost = F["sigmoid"], costs.cross_entropy()
    assert cost.error(f, f(np.array([[1e4]])), np.array([[0.0]]))[0, 0] == np.inf


# What targets must be


def test_soft_targets_that_do_not_sum_to_one_are_refused():
    cost = costs.cross_entropy()  # X33
    with pytest.raises(
        ValueError, match=r"Y must be in \[0, 1\] and sum to 1 in each row .*got \[0.0, 1"
    ):
        check_targets(cost, F["softmax"], np.array([[1.0, 0, 0, 0], [0.0, 1, 1, 0]]))
    check_targets(cost, F["softmax"], np.array([[0.25, 0.75], [1, 0]], np.float32))


@pytest.mark.parametrize(
    ("cost", "output", "y", "rule"),
    [
        (costs.cross_entropy(), "softmax", [[1.5, -0.5]], r"in \[0, 1\] and sum to 1"),
        (costs.cross_entropy(), "sigmoid", [[0.5, 1.5]], r"in \[0, 1\]"),
        (costs.binary_cross_entropy(), "sigmoid", [[-1.0]], r"in \[0, 1\]"),
        (costs.poisson(), "exp", [[-1.0]], "at least 0"),
    ],
    ids=str,
)
def test_targets_out_of_range_are_refused_with_their_row(cost, output, y, rule):
    good = np.full((1, len(y[0])), 1.0 / len(y[0]))
    with pytest.raises(ValueError, match=rf"Y must be {rule}.* in row 1$"):
        check_targets(cost, F[output], np.concatenate([good, y]))


@pytest.mark.parametrize("cost", [costs.cross_entropy(), costs.poisson(), costs.binary_cross_entropy()])
def test_outputs_for_which_a_cost_is_not_defined_are_refused(cost):
    with pytest.raises(ValueError, match=f"cost {cost.name} needs outputs through .*, got tanh"):
        check_outputs(cost, F["tanh"], 1)


def test_binary_cross_entropy_of_two_outputs_is_refused():
    with pytest.raises(ValueError, match="cost binary_cross_entropy needs one output, got 2"):
        check_outputs(costs.binary_cross_entropy(), F["sigmoid"], 2)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf])
def test_huber_delta_is_checked(value):
    with pytest.raises(ValueError, match="delta must be a finite number above 0"):
        costs.huber(delta=value)


@pytest.mark.parametrize("value", [0, 1, -0.5, np.nan])
def test_quantile_is_checked(value):
    with pytest.raises(ValueError, match=r"q must be in \(0, 1\)"):
        costs.quantile(q=value)


def test_unknown_cost_and_reduction_are_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"cost must be one of .*did you mean 'cross_entropy'"):
        costs.resolve("cross_entrop")
    with pytest.raises(ValueError, match="reduction must be one of mean, sum, got 'average'"):
        costs.quadratic(reduction="average")


# Rows


@pytest.mark.parametrize("name", costs.FACTORIES)
def test_every_cost_is_found_in_the_module_of_costs(name):
    assert getattr(cp.costs, name) is costs.FACTORIES[name]
    assert name in dir(cp.costs)


def test_a_cost_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'clearprop.costs' has no attribute 'hubber'"):
        _ = costs.hubber


@pytest.mark.parametrize("name", costs.COSTS)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_cost_is_defined_for_its_usual_outputs(name, n_outputs):
    cost = costs.resolve(name)
    if not (cost.one_output and n_outputs > 1):
        check_outputs(cost, F[cost.usual_outputs[n_outputs > 1]], n_outputs)


@pytest.mark.parametrize("name", costs.COSTS)
def test_targets_are_classes_counts_or_quantities_by_the_row_of_the_cost(name):
    kinds = {
        "cross_entropy": costs.CLASSES,
        "binary_cross_entropy": costs.CLASSES,
        "poisson": costs.COUNTS,
    }
    assert costs.resolve(name).kind == kinds.get(name, costs.QUANTITIES)
    assert cp.Network([4, 1], cost=name).architecture.is_labelled == ("cross_entropy" in name)


def test_squares_are_the_factor_of_the_squared_norm(rng):
    a, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    for cost in COSTS:
        if cost.squares:
            expected = cost.squares * np.linalg.norm(a - y, axis=1) ** 2
            np.testing.assert_allclose(cost.value(a, y), expected, rtol=1e-13)
    assert {cost.name for cost in COSTS if cost.squares} == {"quadratic", "squared_error"}


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_the_printed_form_of_a_cost_is_its_value(pair, rng):
    cost, output = pair
    z = rng.normal(size=(7, 1 if cost.one_output else 3))
    y, form, a = drawn_targets(cost, output, rng, z.shape), cost.form(F[output]), F[output](z)
    printed = cost.value if form is None or form.printed is None else form.printed
    np.testing.assert_allclose(printed(a, y), cost.of_samples(F[output], z, a, y), rtol=1e-11)


# Reduction


@given(st.integers(1, 20), st.booleans())
def test_sum_is_n_times_the_mean(n, weighted):
    rng = np.random.default_rng(n)
    each, weight = rng.normal(size=n), rng.uniform(size=n) if weighted else None
    mean, total = costs.quadratic().reduce(each, weight), costs.quadratic("sum").reduce(each, weight)
    np.testing.assert_allclose(total, n * mean, rtol=1e-12)
    assert costs.quadratic().scale(n) * n == pytest.approx(costs.quadratic("sum").scale(n))


def test_costs_in_float32_are_summed_in_float64():
    each = np.full(10_000_001, 0.1, np.float32)
    expected = float(np.float32(0.1))
    assert costs.quadratic().reduce(each) == pytest.approx(expected, rel=1e-12)


# A user's own


def fourth(a, y):
    return ((a - y) ** 4).sum(axis=1)


@pytest.mark.parametrize(
    ("value", "derivative", "message"),
    [
        (
            fourth,
            lambda a, y: 4.004 * (a - y) ** 3,
            r"must agree with finite differences.*at a = .*, y = ",
        ),
        (fourth, lambda a, y: np.full_like(a, np.nan), "must agree with finite differences"),
        (
            fourth,
            lambda a, y: a.sum(axis=1),
            r"must have the shape of the outputs, \(7, 3\), got \(7,\)",
        ),
        (lambda a, y: fourth(a, y).sum(), lambda a, y: a, "must be one number for each sample"),
        (lambda a, y: fourth(a, y) - fourth(a, y).mean(), lambda a, y: a, "on that sample alone"),
    ],
)
def test_users_wrong_cost_is_refused(value, derivative, message):
    with pytest.raises(ValueError, match=message):
        Cost("mine", value, derivative)


def test_users_cost_is_taken():
    cost = Cost("fourth", fourth, lambda a, y: 4 * (a - y) ** 3, reduction="sum")
    assert costs.resolve(cost) is cost
    z = np.array([[3.0]])
    np.testing.assert_array_equal(cost.output_delta(F["identity"], z, z, np.array([[1.0]])), [[32.0]])


def test_a_cost_prints_as_it_is_made():
    assert repr(costs.huber(delta=0.5)) == "huber(delta=0.5)"
    assert repr(costs.quadratic(reduction="sum")) == "quadratic(reduction='sum')"


# Where definitions are at their edge


def test_slope_of_a_cost_on_its_kink_is_zero():
    a = np.array([[0.5, 1.0]])
    for cost in (costs.mean_absolute_error(), costs.quantile(0.3)):
        np.testing.assert_array_equal(cost.error(F["identity"], a, a), [[0, 0]])


@pytest.mark.parametrize(("total", "taken"), [(1 + 2e-5, True), (1.001, False), (0.99, False)])
def test_soft_targets_may_miss_one_by_rounding_alone(total, taken):
    cost, y = costs.cross_entropy(), np.array([[0.5, 0.25, total - 0.75]])
    if taken:
        check_targets(cost, F["softmax"], y)
        return
    with pytest.raises(ValueError, match="sum to 1 in each row"):
        check_targets(cost, F["softmax"], y)


def test_poisson_through_softplus_keeps_its_digits_where_softplus_vanishes():
    z = np.array([[-700.0], [-31.0], [-30.0], [-29.9], [-5.0], [-3.0], [2.0]])
    y = np.full_like(z, 3.0)
    a = np.log1p(np.exp(z))
    slope = scipy.special.expit(z)
    np.testing.assert_allclose(
        of_samples(costs.poisson(), "softplus", z, y), (a - y * np.log(a))[:, 0], rtol=1e-13
    )
    expected = slope - y * slope / a
    np.testing.assert_allclose(delta(costs.poisson(), "softplus", z, y), expected, rtol=1e-12)


# Several softmaxes side by side


def test_a_grouped_cross_entropy_is_the_sum_of_one_for_each_group(rng):
    z, y = rng.normal(size=(7, 6)), rng.uniform(size=(7, 6))
    cost, identity = costs.grouped_cross_entropy((3, 1, 2)), F["identity"]
    expected, deltas = np.zeros(7), []
    for part in (slice(0, 3), slice(3, 4), slice(4, 6)):
        expected -= (y[:, part] * scipy.special.log_softmax(z[:, part], axis=1)).sum(axis=1)
        total = y[:, part].sum(axis=1, keepdims=True)
        deltas.append(scipy.special.softmax(z[:, part], axis=1) * total - y[:, part])
    np.testing.assert_allclose(cost.of_samples(identity, z, z, y), expected, rtol=1e-13)
    np.testing.assert_allclose(cost.output_delta(identity, z, z, y), np.hstack(deltas), atol=1e-15)
    far = cost.of_samples(identity, 1e4 * z, 1e4 * z, y)
    assert np.isfinite(far).all()


def test_a_network_with_several_softmaxes_is_trained_saved_and_checked(tmp_path, rng):
    X = rng.normal(size=(60, 4))
    Y = np.hstack([np.eye(3)[rng.integers(3, size=60)], np.eye(2)[(X[:, 0] > 0).astype(int)]])
    net = cp.Network([4, 5, 5], cost=costs.grouped_cross_entropy([3, 2]), dtype="float64", seed=0)
    assert cp.check_gradient(net, X[:7], Y[:7]).verdict == "pass"
    net.fit(X, Y, epochs=3, optimizer=cp.Adam(0.05), engine="compiled", progress=False)
    net.save(tmp_path / "net.safetensors")
    again = cp.load(tmp_path / "net.safetensors")
    assert again.architecture.cost.groups == (3, 2)
    assert again.cost(X, Y) == net.cost(X, Y)
    assert pickle.loads(pickle.dumps(net)).architecture.cost.groups == (3, 2)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), "groups must be whole numbers of at least 1"),
        ((3, 0), "groups must be whole numbers of at least 1"),
        ((3.0,), "groups must be whole numbers of at least 1"),
        ((3, 1), r"groups must be of all 5 outputs together, got \[3, 1\]"),
    ],
)
def test_groups_that_do_not_make_up_the_outputs_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        cp.Network([4, 5], cost=costs.grouped_cross_entropy(groups))


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("what", ["value", "derivative"])
def test_an_own_cost_of_another_shape_is_refused_where_broadcasting_would_hide_it(engine, what):
    """Right for several outputs, as when it is made; for one, (n, 1) beside (n,), or (n,) beside (n, 1)."""

    def value(a, y):
        return ((a - y) ** 2).sum(axis=1, keepdims=what == "value" and a.shape[1] == 1)

    def derivative(a, y):
        return 2 * (a - y)[:, 0] if what == "derivative" and a.shape[1] == 1 else 2 * (a - y)

    cost = cp.Cost("own", value, derivative)
    X, Y = np.ones((7, 4)), np.zeros((7, 1))
    net = cp.Network([4, 5, 1], cost=cost, seed=0)
    given, got = [r"\(7,\)", r"\(7, 1\)"][:: 1 if what == "value" else -1]
    with pytest.raises(
        ValueError, match=f"{what} of cost 'own' must have the shape {given} for 7 .*{got}"
    ):
        net.fit(X, Y, epochs=1, batch_size=7, engine=engine, progress=False)
