import math

import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import optimizers, schedules
from clearprop.optimizers import LBFGS, SGD, Adam, AdamW, RMSProp
from clearprop.schedule_free import ScheduleFreeAdamW
from tables import OPTIMIZERS, optimizer_name

every = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=optimizer_name)


def recurrence(optimizer, p, gradients, rate, decay=1.0):
    """Return the oracle's parameters after each step, for one parameter."""
    if isinstance(optimizer, ScheduleFreeAdamW):
        decay *= optimizer.weight_decay
        made = oracles.schedule_free_adamw(p, gradients, rate, decay, optimizer.warmup_steps)
        return (y for y, _ in made)
    if isinstance(optimizer, AdamW):
        return oracles.adam(p, gradients, rate, weight_decay=optimizer.weight_decay * decay)
    if isinstance(optimizer, Adam):
        return oracles.adam(p, gradients, rate)
    if isinstance(optimizer, RMSProp):
        return oracles.rmsprop(p, gradients, rate)
    return oracles.sgd(p, gradients, rate, optimizer.momentum, optimizer.nesterov)


def steps(optimizer, p, gradients, rate, decay=1.0):
    moments = optimizer.init(p)
    for t, g in enumerate(gradients, start=1):
        p, moments = optimizer.update(p, g, moments, rate, t, decay)
        yield p


def thousand_gradients(rng):
    """Return gradients of six parameters: ordinary, always 0, 1e-30, 1e30, sparse, of all sizes."""
    n = 1000
    g = rng.normal(size=(n, 6))
    g[:, 1] = 0.0
    g[:, 2] *= 1e-30
    g[:, 3] *= 1e30
    g[:, 4] *= rng.uniform(size=n) < 0.05
    g[:, 5] *= 10.0 ** rng.uniform(-30, 30, n)
    return g


@every
def test_thousand_steps_equal_the_published_recurrence(optimizer, rng):
    gradients, start = thousand_gradients(rng), rng.normal(size=6)
    ours = np.array(list(steps(optimizer, start, gradients, 0.01)))
    theirs = np.array(
        [list(recurrence(optimizer, start[i], gradients[:, i], 0.01)) for i in range(6)]
    ).T
    # What 1e30 moved comes back with that step's rounding, so errors are held against the largest.
    largest = np.maximum.accumulate(np.abs(theirs), axis=0)
    assert (np.abs(ours - theirs) <= 1e-12 * largest).all()
    # A test that nothing moved would pass too:
    assert (np.abs(theirs[-1] - start)[[0, 3, 4, 5]] > 0).all()


@every
def test_step_by_step_to_the_last_digits_of_ordinary_gradients(optimizer, rng):
    gradients, start = rng.normal(size=(200, 4)), rng.normal(size=4)
    ours = np.array(list(steps(optimizer, start, gradients, 0.01)))
    theirs = np.array(
        [list(recurrence(optimizer, start[i], gradients[:, i], 0.01)) for i in range(4)]
    ).T
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@every
def test_factors_of_blocks_scale_rate_and_decay(optimizer, rng):
    gradients, start = rng.normal(size=(50, 3)), rng.normal(size=3)
    rate, decay = 0.01 * np.array([1.0, 0.0, 3.0]), np.array([1.0, 1.0, 0.0])
    ours = np.array(list(steps(optimizer, start, gradients, rate, decay)))
    for i in range(3):
        theirs = list(recurrence(optimizer, start[i], gradients[:, i], rate[i], decay[i]))
        np.testing.assert_allclose(ours[:, i], theirs, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(ours[:, 1], start[1])  # frozen


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_update_is_pure_and_keeps_the_dtype(optimizer, dtype, rng):
    p, g = rng.normal(size=(2, 5)).astype(dtype)
    moments = optimizer.init(p)
    assert moments.shape == (len(optimizer.moments), 5)
    assert moments.dtype == p.dtype
    for rate in (0.1, np.full(5, 0.1, dtype)):
        for array in (p, g, moments):
            array.flags.writeable = False
        before = [array.copy() for array in (p, g, moments)]
        first = optimizer.update(p, g, moments, rate, 1, np.ones(5, dtype))
        again = optimizer.update(p, g, moments, rate, 1, np.ones(5, dtype))
        for array, old in zip((p, g, moments), before, strict=True):
            np.testing.assert_array_equal(array, old)
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == p.dtype
        assert first[1].shape == moments.shape


@every
def test_gradient_of_zero_moves_nothing_but_decay(optimizer):
    p, g = np.array([1.0, -2.0]), np.zeros(2)
    moved = next(steps(optimizer, p, [g], 0.1))
    rate = 0.1 / getattr(optimizer, "warmup_steps", 1)  # of the first step
    expected = p * (1 - rate * 0.1) if isinstance(optimizer, AdamW) else p
    np.testing.assert_allclose(moved, expected, rtol=1e-15)


def test_adams_first_step_is_the_rate_whatever_the_gradient():
    # m_hat / sqrt(v_hat) = sign(g) as long as |g| is far above epsilon.
    p = next(steps(Adam(), np.zeros(3), [np.array([1e-3, -5.0, 1e10])], 0.01))
    np.testing.assert_allclose(p, [-0.01, 0.01, -0.01], rtol=2e-5)


def test_epsilon_is_added_outside_the_root_after_the_correction():
    # With g = epsilon, algorithm 1's first step is half the rate; scikit-learn's form gives 1/32.6.
    p = next(steps(Adam(epsilon=1e-8), np.zeros(1), [np.array([1e-8])], 1.0))
    np.testing.assert_allclose(p, [-0.5], rtol=1e-6)
    p = next(steps(RMSProp(rho=0.0, epsilon=1e-8), np.zeros(1), [np.array([1e-8])], 1.0))
    np.testing.assert_allclose(p, [-0.5], rtol=1e-6)


def test_momentum_velocity_is_not_multiplied_by_the_rate():
    # Torch's form: after a change of the rate the whole velocity moves at the new one.
    sgd, g = SGD(1.0, momentum=0.5), np.ones(1)
    p, moments = sgd.update(np.zeros(1), g, sgd.init(g), 1.0, 1)
    p, _ = sgd.update(p, g, moments, 0.1, 2)
    np.testing.assert_allclose(p, [-1.0 - 0.1 * 1.5])


def test_schedule_free_evaluates_the_mean_and_goes_on_from_it(rng):
    optimizer, gradients, p = (
        ScheduleFreeAdamW(0.01, warmup_steps=3),
        rng.normal(size=(40, 1)),
        np.ones(1),
    )
    published = oracles.schedule_free_adamw(1.0, gradients[:, 0], 0.01, 0.0, 3)
    moments = optimizer.init(p)
    for t, (g, (_, x)) in enumerate(zip(gradients, published, strict=True), start=1):
        p, moments = optimizer.update(p, g, moments, 0.01, t)
        mean = optimizer.evaluated(p, moments)
        np.testing.assert_allclose(mean, x, rtol=1e-12)
        np.testing.assert_allclose(optimizer.trained(mean, moments), p, rtol=1e-15)
    assert abs(mean - p) > 1e-4


def test_schedule_free_hands_over_the_mean_in_the_middle_of_an_epoch_too(rng):
    X, Y = rng.normal(size=(7, 4)), np.array([0, 1, 2, 0, 1, 2, 0])
    for limit in (None, 1e-9):
        net = cp.Network([4, 5, 3], seed=0, dtype="float64")
        how = {"optimizer": ScheduleFreeAdamW(0.1), "batch_size": 3, "progress": False}
        training = cp.Training(net, X, Y, **how, epochs=2, time_limit=limit)
        training.run()
        assert (training.state.epoch_step > 0) == (limit is not None)
        z, x = training.state.moments[0], net.parameters
        y = training._latest  # what the next step goes on from
        np.testing.assert_allclose(y, 0.1 * z + 0.9 * x, rtol=1e-12)
        assert limit or np.abs(y - x).max() > 1e-3


def test_an_estimator_goes_on_with_schedule_free_from_call_to_call(rng):
    X, y = rng.normal(size=(14, 4)), np.arange(14) % 2
    solver = ScheduleFreeAdamW(0.05)
    how = {"solver": solver, "batch_size": 14, "hidden_layer_sizes": 5, "random_state": 0}
    whole = cp.MLPClassifier(max_iter=3, **how).fit(
        X, y
    )  # without a warning: its mean is good at any time
    by_calls = cp.MLPClassifier(**how)
    for _ in range(3):
        by_calls.partial_fit(X, y, classes=[0, 1])
    np.testing.assert_allclose(by_calls.network_.parameters, whole.network_.parameters, rtol=1e-10)


def test_adamw_decay_is_multiplied_by_the_rate_and_leaves_the_moments_alone():
    p, g = np.array([2.0]), np.array([0.3])
    plain, decayed = Adam(), AdamW(weight_decay=0.1)
    p1, m1 = plain.update(p, g, plain.init(p), 0.01, 1)
    p2, m2 = decayed.update(p, g, decayed.init(p), 0.01, 1)
    np.testing.assert_array_equal(m1, m2)
    np.testing.assert_allclose(p1 - p2, 0.01 * 0.1 * p, rtol=1e-12)


@every
def test_every_optimizer_descends_a_parabola(optimizer):
    p = np.array([3.0, -2.0])
    moments = optimizer.init(p)
    for t in range(1, 2001):
        p, moments = optimizer.update(p, p * [1.0, 4.0], moments, 0.02, t, 0.0)
    assert np.abs(p).max() < 0.02


# Descriptions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0), "learning_rate must be a finite number above 0 or a schedule, got 0"),
        (
            lambda: Adam(math.nan),
            "learning_rate must be a finite number above 0 or a schedule, got nan",
        ),
        (lambda: SGD(0.1, momentum=1), r"momentum must be in \[0, 1\), got 1"),
        (lambda: SGD(0.1, momentum=-0.1), r"momentum must be in \[0, 1\), got -0.1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov=True needs momentum above 0, got momentum=0"),
        (lambda: RMSProp(rho=1.0), r"rho must be in \[0, 1\), got 1.0"),
        (lambda: RMSProp(epsilon=0), "epsilon must be a finite number above 0, got 0"),
        (lambda: Adam(beta1=1), r"beta1 must be in \[0, 1\), got 1"),
        (lambda: Adam(beta2=math.nan), r"beta2 must be in \[0, 1\), got nan"),
        (lambda: Adam(epsilon=0.0), "epsilon must be a finite number above 0, got 0.0"),
        (
            lambda: ScheduleFreeAdamW(schedules.cosine(0.1, epochs=2)),
            "learning_rate must be a number for",
        ),
        (lambda: ScheduleFreeAdamW(beta1=0.0), "beta1 must be above 0 for ScheduleFreeAdamW, got 0"),
        (
            lambda: ScheduleFreeAdamW(warmup_steps=1.5),
            "warmup_steps must be an integer of at least 0, got 1.5",
        ),
        (lambda: AdamW(weight_decay=-1), "weight_decay must be a finite number of at least 0, got -1"),
        (lambda: LBFGS(memory=0), "memory must be an integer of at least 1, got 0"),
        (lambda: LBFGS(memory=2.5), "memory must be an integer of at least 1, got 2.5"),
        (lambda: LBFGS(gradient_tolerance=-1), "gradient_tolerance must be a finite number of at l"),
        (lambda: optimizers.resolve("adm"), r"optimizer must be one of .*did you mean 'adam'\?"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [lambda: SGD("fast"), lambda: Adam(beta1="x"), lambda: optimizers.resolve(3), lambda: SGD(None)],
)
def test_arguments_of_another_kind_are_refused(make):
    with pytest.raises(TypeError, match=r"(learning_rate|beta1|optimizer) must be"):
        make()


def test_numpy_scalars_and_schedules_are_learning_rates():
    assert SGD(np.float32(0.5)).schedule(3) == 0.5
    assert Adam(schedules.exponential(0.1, factor=0.5)).schedule(2) == pytest.approx(0.025)


@pytest.mark.parametrize("name", list(optimizers.OPTIMIZERS))
def test_a_name_is_the_optimizer_with_its_defaults(name):
    made = optimizers.resolve(name)
    assert type(made) is optimizers.OPTIMIZERS[name]
    assert optimizers.resolve(made) is made
    assert optimizers.describe(made)["name"] == name


def test_descriptions_are_frozen_and_compare_by_value():
    assert Adam(0.1) == Adam(0.1) != Adam(0.2)
    with pytest.raises(AttributeError):
        Adam(0.1).beta1 = 0.5


@pytest.mark.parametrize(
    ("how", "rate"),
    [
        ({"name": "sgd"}, 0.2),
        ({"name": "SGD", "momentum": 0.0}, 0.5),
        ({"name": "sgd", "calm": False}, 0.02),
        ({"name": "sgd", "learning_rate": 3.0, "momentum": 0.0, "calm": False}, 3.0),
        ({"name": "rmsprop"}, 0.003),
        ({"name": "adamw", "calm": False}, 0.01),
        ({"name": "adam", "learning_rate": 0.1}, 0.1),
    ],
)
def test_a_rate_that_suits_is_chosen_where_none_is_given(how, rate):
    assert optimizers.suited(**how).schedule(0.0) == rate


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"name": "adam", "momentum": 0.5}, "momentum goes with the optimizer sgd, got adam"),
        ({"name": "lbfgs", "learning_rate": 0.5}, "learning_rate does not go with the optimizer lbfgs"),
        ({"name": "adan"}, "did you mean"),
    ],
)
def test_what_a_suited_optimizer_does_not_take_is_refused(how, said):
    with pytest.raises(ValueError, match=said):
        optimizers.suited(**how)
