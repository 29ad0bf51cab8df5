"""The numbers of the tests of scikit-learn's that look at its private parts."""

import numpy as np
import pytest

import clearprop as cp

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_one_step_worked_out_by_hand():
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    model = cp.MLPClassifier(
        2, "logistic", solver="sgd", learning_rate_init=0.1, alpha=0.1, momentum=0, max_iter=1,
        warm_start=True, random_state=1,
    ).partial_fit(X, y, classes=[0, 1])  # fmt: skip
    model.coefs_[0][:] = [[0.1, 0.2], [0.3, 0.1], [0.5, 0]]
    model.coefs_[1][:] = [[0.1], [0.2]]
    model.intercepts_[0][:] = 0.1
    model.intercepts_[1][:] = 1.0
    model.partial_fit(X, y)
    worked_out = [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]]
    np.testing.assert_allclose(model.coefs_[0], worked_out, atol=1.5e-3)
    np.testing.assert_allclose(model.coefs_[1], [[0.04706], [0.154089]], atol=1e-3)
    np.testing.assert_allclose(model.intercepts_[0], [0.098333, 0.09626], atol=1e-3)
    np.testing.assert_allclose(model.intercepts_[1], 0.9235, atol=1e-3)
    assert model.predict_proba(X)[0, 1] == pytest.approx(0.739, abs=1e-3)


def test_invscaling_counts_the_samples_and_goes_on_with_a_warm_start():
    X, y = [[3, 2], [1, 6], [5, 6], [-2, -4]], [1, 1, 1, 0]
    model = cp.MLPClassifier(
        4, solver="sgd", learning_rate="invscaling", max_iter=1, power_t=0.25, warm_start=True
    )
    for epoch in range(4):
        model.fit(X, y)
        assert model.history_["learning_rate"][-1] == pytest.approx(1e-3 / (4 * epoch + 1) ** 0.25)


def test_adaptive_ends_below_a_millionth():
    model = cp.MLPClassifier(tol=0.5, max_iter=3000, solver="sgd", learning_rate="adaptive")
    model.fit([[3, 2], [1, 6]], [1, 0])
    assert model.n_iter_ < 3000
    assert model.history_["learning_rate"][-1] < 1e-6


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_the_gradient_is_that_of_finite_differences(activation, n_labels):
    X = np.random.RandomState(42).rand(5, 10)
    y = 1 + np.arange(1, 6) % n_labels
    model = cp.MLPClassifier(10, activation, solver="lbfgs", max_iter=1, random_state=1).fit(X, y)
    check = cp.check_gradient(model.network_, X, model._task.encode(y, model.network_.model.targets, 0))
    assert check.verdict in ("pass", "kink")


def test_the_validation_part_has_every_class_or_says_which_is_too_rare():
    with pytest.raises(ValueError, match=r"least populated class.* only 1 member"):
        cp.MLPClassifier(early_stopping=True).fit([[1, 2], [2, 3], [3, 4], [4, 5]], [0, 0, 0, 1])


def test_inputs_near_the_largest_float_are_refused_at_the_step():
    rng = np.random.RandomState(0)
    X, y = np.finfo(np.float64).max * rng.uniform(size=(10, 2)), rng.standard_normal(size=10)
    with pytest.raises(cp.DivergenceError, match="epoch 1, step 1"):
        cp.MLPRegressor().fit(X, y)
