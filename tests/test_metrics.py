import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from clearprop import metrics


@given(st.integers(0, 100), st.integers(1, 30), st.integers(1, 4))
def test_regression_metrics_agree_with_scikit_learn(seed, n, n_outputs):
    rng = np.random.default_rng(seed)
    y, a = rng.normal(size=(2, n + 1, n_outputs))
    assert metrics.mae(a, y) == pytest.approx(sklearn.metrics.mean_absolute_error(y, a), rel=1e-12)
    assert metrics.rmse(a, y) == pytest.approx(
        np.sqrt(sklearn.metrics.mean_squared_error(y, a)), rel=1e-12
    )
    assert metrics.r2(a, y) == pytest.approx(sklearn.metrics.r2_score(y, a), rel=1e-9)
    weight = rng.uniform(0.1, 2.0, n + 1)
    weighted = sklearn.metrics.r2_score(y, a, sample_weight=weight)
    assert metrics.r2(a, y, weight) == pytest.approx(weighted, rel=1e-9)


@pytest.mark.parametrize("right", [True, False])
def test_r2_of_a_constant_target_is_as_in_scikit_learn(right):
    y = np.full((5, 2), 0.7)
    a = y if right else y + 0.1
    assert metrics.r2(a, y) == sklearn.metrics.r2_score(y, a) == (1.0 if right else 0.0)


def test_accuracy_counts_the_largest_output(rng):
    a, labels = rng.uniform(size=(50, 4)), rng.integers(0, 4, 50)
    expected = sklearn.metrics.accuracy_score(labels, a.argmax(axis=1))
    assert metrics.accuracy(a, np.eye(4)[labels]) == expected
    assert 0 < expected < 1


def test_accuracy_of_one_output_is_by_the_half():
    a, y = np.array([[0.2], [0.6], [0.5], [0.9]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    np.testing.assert_array_equal(metrics.correct(a, y), [True, True, False, False])
    assert metrics.accuracy(a, y) == 0.5


def test_float32_errors_are_accumulated_in_float64():
    a = np.full((5_000_001, 1), 0.1, np.float32)
    y = np.zeros_like(a)
    expected = float(np.float32(0.1))
    assert metrics.mae(a, y) == pytest.approx(expected, rel=1e-12)
    assert metrics.rmse(a, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_metrics_return_plain_floats_and_leave_their_inputs(name, rng):
    a, y = rng.uniform(size=(2, 7, 3)).astype(np.float32)
    before = a.copy(), y.copy()
    assert type(metrics.METRICS[name](a, y)) is float
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_a_metric_is_a_name_or_a_function():
    def worst(a, y):
        return float(np.abs(a - y).max())

    assert metrics.resolve("r2") == ("r2", metrics.r2)
    assert metrics.resolve(worst) == ("worst", worst)
    with pytest.raises(
        ValueError, match=r"metric must be one of .*got 'acuracy'; did you mean 'accuracy'"
    ):
        metrics.resolve("acuracy")


@pytest.mark.parametrize(
    ("column", "higher"),
    [
        ("validation_accuracy", True),
        ("running_accuracy", True),
        ("r2", True),
        ("validation_cost", False),
        ("rmse", False),
        ("mae", False),
    ],
)
def test_which_columns_are_to_be_made_large(column, higher):
    assert metrics.higher_is_better(column) is higher
