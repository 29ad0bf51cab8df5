"""Baselines: whether their intervals are honest, and who wins."""

import numpy as np
import pytest

import clearprop as cp
from clearprop import engines
from clearprop.estimators import baselines
from clearprop.estimators.baselines import Rows, compare, difference
from clearprop.estimators.fitting import Fitter

RNG = np.random.default_rng(0)


def drawn(n, classes, rng=RNG):
    """Return rows whose targets nothing tells."""
    X = rng.normal(size=(n, 3)).astype(np.float32)
    return Rows(X, rng.integers(0, 2, n) if classes else rng.normal(size=n))


def only_constant(monkeypatch):
    every = baselines._contestants
    monkeypatch.setattr(baselines, "_contestants", lambda classes, seed: every(classes, seed)[:1])


@pytest.mark.parametrize("n", [12, 60])
@pytest.mark.parametrize("classes", [True, False])
def test_with_targets_of_pure_noise_nobody_is_better_beyond_chance(n, classes):
    rng, verdicts = np.random.default_rng(1), []
    for _ in range(2000):
        held, same = drawn(n, classes, rng), rng.random(n) < 0.7  # trained ones mostly say the same
        if classes:
            ours, theirs = np.where(same, 0, rng.integers(0, 2, (2, n)))
        else:
            ours, theirs = np.where(same, 0.0, rng.normal(scale=0.5, size=(2, n)))
        *_, low, high = difference(held, ours, theirs, classes)
        verdicts.append((low > 0, high < 0))
    assert (np.mean(verdicts, axis=0) < 0.036).all()  # 2.5 % on either side, and three times its error


def test_a_difference_of_shares_has_the_interval_of_bonett_and_price(monkeypatch):
    only_constant(monkeypatch)
    held = Rows(np.zeros((20, 1)), np.repeat([0, 1], [12, 8]))  # the majority says 0
    predicted = held.y.copy()
    predicted[[0, 1, 12, 13, 14]] = [1, 1, 0, 0, 0]
    [found] = compare(held, held, predicted, classes=True, seconds=1.0)
    ours, theirs = 5, 2  # rows that only one of both has right
    p, q = (ours + 1) / 22, (theirs + 1) / 22
    half = 1.959964 * np.sqrt((p + q - (p - q) ** 2) / 22)
    assert (found.name, found.metric, found.value) == ("majority", "accuracy", 0.6)
    assert found.difference == pytest.approx(3 / 20)
    assert (found.low, found.high) == pytest.approx((p - q - half, p - q + half))


def test_a_difference_of_roots_has_the_interval_of_a_bootstrap(monkeypatch):
    only_constant(monkeypatch)
    train, held = drawn(400, False), drawn(400, False)
    predicted = 0.8 * held.y + RNG.normal(scale=0.3, size=400)
    [found] = compare(train, held, predicted, classes=False, seconds=1.0)
    errors = np.array([held.y - predicted, held.y - train.y.mean()])
    resampled = RNG.integers(0, 400, (3000, 400))
    mine, its = (np.sqrt((each[resampled] ** 2).mean(axis=1)) for each in errors)
    assert found.value == pytest.approx(np.sqrt((errors[1] ** 2).mean()))
    assert (found.low, found.high) == pytest.approx(np.quantile(its - mine, [0.025, 0.975]), rel=0.06)


def test_weights_count_rows_as_often(monkeypatch):
    only_constant(monkeypatch)
    train, held = drawn(50, True), drawn(40, True)
    guess, twice = drawn(40, True).y, np.r_[np.arange(40), np.arange(20)]
    weight = np.repeat([2.0, 1.0], 20)
    [weighted] = compare(train, held._replace(weight=weight), guess, classes=True, seconds=1.0)
    [repeated] = compare(train, held.take(twice), guess[twice], classes=True, seconds=1.0)
    assert weighted.value == pytest.approx(repeated.value)
    assert weighted.difference == pytest.approx(repeated.difference)


def test_trees_win_where_only_they_see_what_there_is_and_a_sample_is_said():
    rows = drawn(700, False)
    rows = rows._replace(y=(rows.X[:, 0] * rows.X[:, 1] > 0).astype(int))
    train, held = rows.take(np.arange(400)), rows.take(np.arange(400, 700))
    majority, linear, trees = compare(train, held, np.zeros(300), classes=True, seconds=60.0)
    assert (majority.name, linear.name, trees.name) == (
        "majority", "logistic regression", "boosted trees"
    )  # fmt: skip
    assert trees.wins
    assert not linear.is_beaten
    assert (trees.rows, trees.of_rows, trees.unfinished) == (400, 400, "")
    *_, hurried = compare(train, held, held.y, classes=True, seconds=0.0, of_rows=9000)
    assert (hurried.rows, hurried.of_rows, hurried.unfinished) == (256, 9000, "1 of 100 rounds")
    assert hurried.is_beaten


def test_a_ridge_regression_is_no_worse_than_what_is_linear():
    rows = drawn(300, False)
    rows = rows._replace(y=rows.X @ np.array([1.0, -2.0, 0.5]) + 5.0)
    mean, ridge, trees = compare(rows, rows, rows.y, classes=False, seconds=0.5)
    assert ridge.value < 0.05 < trees.value < mean.value
    assert (mean.name, ridge.name) == ("mean", "ridge regression")


def test_of_a_single_class_there_is_the_majority_alone():
    train, held = drawn(30, True), drawn(20, True)
    found = compare(train._replace(y=np.ones(30)), held, held.y, classes=True, seconds=1.0)
    assert [each.name for each in found] == ["majority"]


def test_a_network_trained_on_pure_noise_beats_nobody_on_rows_that_chose_nothing(monkeypatch):
    every = baselines._contestants
    monkeypatch.setattr(baselines, "_contestants", lambda classes, seed: every(classes, seed)[:2])
    rng, chose, judged = np.random.default_rng(3), [], []
    for seed in range(12):
        fitter = Fitter(
            cp.MLPClassifier(
                preset="realmlp-s",
                hidden_layer_sizes=5,
                batch_size=40,
                max_iter=12,
                test_share=0.5,
                validation_fraction=0.5,
                random_state=seed,
                engine="numpy",
                scoring="accuracy",
            )
        )
        work = fitter.work(rng.normal(size=(160, 4)), rng.integers(0, 2, 160))
        rows = work.supply.data
        fitter.train(work)
        model = fitter.estimator.network_.model
        for held, found in ((work.test, judged), (work.validation, chose)):
            a, _ = engines.evaluate(model.architecture, model.parameters, held)
            train, held = baselines.rows_of(model, rows), baselines.rows_of(model, held)
            compared = compare(train, held, baselines.answers(model, a), classes=True, seconds=1.0)
            found += compared
    assert sum(each.is_beaten for each in judged) <= 2  # of 24
    better, seems = (np.mean([each.difference for each in found]) for found in (judged, chose))
    assert better < 0.02 < 0.04 < seems  # on the rows that chose its epoch
