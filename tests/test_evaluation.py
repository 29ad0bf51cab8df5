"""Metrics with bootstrap intervals, against scikit-learn's and SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from clearprop import evaluation
from clearprop.evaluation import ClassTally, QuantityTally


def predictions(rng, n, k, sharp=1.0):
    codes = rng.integers(0, k, n)
    z = rng.normal(size=(n, k)) + sharp * np.eye(k)[codes]
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), codes


def tallied(tally, *arrays, block=50):
    for first in range(0, len(arrays[0]), block):
        tally.add(*(each[first : first + block] for each in arrays))
    return tally


@pytest.mark.parametrize("k", [2, 4])
def test_the_metrics_of_classes_are_scikit_learns(k, rng):
    p, codes = predictions(rng, 333, k)
    found = tallied(ClassTally(k), p, codes).result(replicates=0)
    p_ = p[:, 1] if k == 2 else p
    assert found.metrics["accuracy"] == pytest.approx(metrics.accuracy_score(codes, p.argmax(axis=1)))
    assert found.metrics["log_loss"] == pytest.approx(metrics.log_loss(codes, p))
    assert found.metrics["auc"] == pytest.approx(metrics.roc_auc_score(codes, p_, multi_class="ovr"))
    brier = ((p - np.eye(k)[codes]) ** 2).sum(axis=1).mean() / (2 if k == 2 else 1)
    assert found.metrics["brier"] == pytest.approx(brier)
    if k == 2:
        assert found.metrics["brier"] == pytest.approx(metrics.brier_score_loss(codes, p[:, 1]))
    np.testing.assert_array_equal(
        found.confusion[:k], metrics.confusion_matrix(codes, p.argmax(axis=1))
    )


def test_rows_of_equal_score_count_half_in_the_area(rng):
    p, codes = predictions(rng, 200, 2)
    p = np.round(p, 1)
    found = tallied(ClassTally(2), p, codes).result(replicates=0)
    assert found.metrics["auc"] == pytest.approx(metrics.roc_auc_score(codes, p[:, 1]))


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_metrics_of_quantities_are_scikit_learns(outputs, rng):
    y = rng.normal(1e6, 2.0, (333, outputs))  # far from 0: squares must not cancel
    a = y + rng.normal(size=y.shape)
    found = tallied(QuantityTally(), a, y).result(replicates=0).metrics
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, a))
    assert found["rmse"] == pytest.approx(np.sqrt(metrics.mean_squared_error(y, a)))
    assert found["r2"] == pytest.approx(metrics.r2_score(y, a))
    constant = np.full_like(y, 7.0)
    found = tallied(QuantityTally(), constant, constant).result(replicates=0).metrics
    assert (found["rmse"], found["r2"]) == (0.0, 1.0)


def bootstrap(y, p, metric, n_replicates=4000):
    """The oracle: rows are drawn, the metric is computed on them."""
    rng = np.random.default_rng(1)
    values = []
    for _ in range(n_replicates):
        rows = rng.integers(0, len(y), len(y))
        values.append(metric(y[rows], p[rows]))
    return np.quantile(values, [0.025, 0.975])


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("accuracy", lambda y, p: np.mean((p[:, 1] > 0.5) == y)),
        ("log_loss", lambda y, p: -np.mean(np.log(p[np.arange(len(y)), y]))),
        ("auc", lambda y, p: metrics.roc_auc_score(y, p[:, 1])),
    ],
)
def test_intervals_are_those_of_drawing_rows_again_and_again(name, metric, rng):
    p, codes = predictions(rng, 250, 2)
    low, high = tallied(ClassTally(2), p, codes).result(4000).intervals[name]
    their_low, their_high = bootstrap(codes, p, metric, 400 if name == "auc" else 4000)
    width = their_high - their_low
    assert low == pytest.approx(their_low, abs=0.15 * width)
    assert high == pytest.approx(their_high, abs=0.15 * width)


def test_r2_and_rmse_have_their_bootstrap_intervals(rng):
    y = rng.normal(size=(300, 1))
    a = y + 0.5 * rng.normal(size=y.shape)
    found = tallied(QuantityTally(), a, y).result(4000).intervals
    for name, metric in (("r2", metrics.r2_score), ("rmse", metrics.root_mean_squared_error)):
        theirs = bootstrap(y, a, metric, 500)
        np.testing.assert_allclose(found[name], theirs, atol=0.15 * (theirs[1] - theirs[0]))


def test_groups_of_rows_give_the_intervals_of_rows(rng, monkeypatch):
    p, codes = predictions(rng, 5000, 2)
    order = np.argsort(codes, kind="stable")  # sorted data must not make the groups alike
    p, codes = p[order], codes[order]
    monkeypatch.setattr(evaluation, "GROUPS", 6000)
    each = tallied(ClassTally(2), p, codes, block=700).result(1000)
    monkeypatch.setattr(evaluation, "GROUPS", 700)
    grouped = tallied(ClassTally(2), p, codes, block=400).result(1000)
    for name, (low, high) in each.intervals.items():
        np.testing.assert_allclose(grouped.intervals[name], (low, high), atol=0.12 * (high - low))
        assert grouped.metrics[name] == pytest.approx(each.metrics[name], rel=1e-12)


def test_neither_the_blocks_nor_the_call_change_a_bit_of_the_intervals(rng):
    p, codes = predictions(rng, 300, 3)
    one = tallied(ClassTally(3), p, codes, block=7).result(100)
    other = tallied(ClassTally(3), p, codes, block=300).result(100)
    for name, interval in one.intervals.items():
        assert interval == pytest.approx(other.intervals[name], rel=1e-12)
    assert tallied(ClassTally(3, seed=1), p, codes).result(100).intervals != one.intervals


def test_labels_the_model_does_not_know_are_wrong_and_leave_the_other_metrics_alone(rng):
    p, codes = predictions(rng, 200, 3)
    strange = codes.copy()
    strange[::10] = 3
    found = tallied(ClassTally(3), p, strange).result(50)
    right = (p.argmax(axis=1) == codes)[strange < 3].sum()
    assert found.metrics["accuracy"] == pytest.approx(right / 200)
    known = strange < 3
    assert found.metrics["log_loss"] == pytest.approx(metrics.log_loss(codes[known], p[known]))
    assert found.confusion[3].sum() == 20
    assert found.rows_for_auc == 180


def test_one_class_has_no_area_and_no_rows_are_refused(rng):
    p, _ = predictions(rng, 20, 2)
    found = tallied(ClassTally(2), p, np.zeros(20, np.int64)).result(20)
    assert np.isnan(found.metrics["auc"])
    assert "auc" not in found.intervals
    with pytest.raises(ValueError, match="no rows to evaluate"):
        ClassTally(2).result()


def test_outputs_that_are_no_probabilities_have_neither_log_loss_nor_brier_score(rng):
    p, codes = predictions(rng, 60, 3)
    found = tallied(ClassTally(3, probabilities=False), 5 * p - 1, codes).result(20)
    assert set(found.metrics) == {"accuracy", "auc"}


def test_rows_beyond_what_is_kept_for_the_area_are_a_random_part_whatever_the_blocks(rng, monkeypatch):
    monkeypatch.setattr(evaluation, "KEPT", 500)
    p, codes = predictions(rng, 3000, 2)
    one, other = (tallied(ClassTally(2), p, codes, block=block) for block in (64, 3000))
    assert 100 < one.result(0).rows_for_auc <= 500
    assert one.result(0).rows_for_auc == other.result(0).rows_for_auc
    assert one.result(0).metrics["auc"] == pytest.approx(other.result(0).metrics["auc"], rel=1e-12)
    whole = metrics.roc_auc_score(codes, p[:, 1])
    assert one.result(0).metrics["auc"] == pytest.approx(whole, abs=0.06)


@given(
    n=st.integers(1, 8), k=st.integers(2, 3), seed=st.integers(0, 99), level=st.floats(0.05, 0.999),
    sure=st.booleans(),
)  # fmt: skip
@settings(max_examples=60)
def test_of_few_rows_no_interval_is_a_point_and_an_accuracy_always_has_one(n, k, seed, level, sure):
    rng = np.random.default_rng(seed)
    p, codes = predictions(rng, n, k)
    if sure:  # all right, and all alike
        p = np.where(np.arange(k) == codes[:, None], 0.9, 0.1 / (k - 1))
    found = tallied(ClassTally(k), p, codes).result(50, level)
    assert all(low < high for low, high in found.intervals.values())
    for name in {"accuracy", "auc"} & found.intervals.keys():
        assert 0.0 <= found.intervals[name][0] < found.intervals[name][1] <= 1.0
    low, high = found.intervals["accuracy"]
    if found.wilson:
        assert low <= found.metrics["accuracy"] <= high
    assert found.intervals.keys() <= found.metrics.keys()
    y = rng.normal(size=(n, 2))
    for a in (y, y + 1.0, rng.normal(size=(n, 2))):
        quantities = tallied(QuantityTally(), a, y).result(50, level)
        assert all(low < high for low, high in quantities.intervals.values())
        assert not quantities.wilson


@pytest.mark.parametrize(("right", "n"), [(6, 6), (0, 6), (3, 4), (7, 7), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilsons_interval_is_scipys(right, n, level):
    interval = stats.binomtest(right, n).proportion_ci(level, method="wilson")
    found = evaluation.wilson_interval(right / n, n, level)
    assert found == pytest.approx((interval.low, interval.high), abs=1e-12)
