"""Cross-validation: no fold sees what it is measured on, and the interval is the published one."""

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
import scipy.sparse
import scipy.stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.model_selection import cross_validate as scikit_cross_validate

import clearprop as cp
from clearprop.tuning import Estimate, cross_validation, fitting
from clearprop.tuning.examples import Examples
from clearprop.tuning.folds import hold_out, make_folds

N = 47
QUICK = {"engine": "numpy", "max_iter": 3, "hidden_layer_sizes": (4,), "random_state": 0}
LINEAR = {"hidden_layer_sizes": (), "solver": "lbfgs", "engine": "numpy", "random_state": 0}


@pytest.fixture
def frame(rng):
    """Return a table with gaps and words, of which medians, categories and scales are learned."""
    age = rng.normal(40, 12, N).round(1)
    age[::7] = np.nan
    return pandas.DataFrame({"age": age, "plan": rng.choice(["basic", "plus", "pro"], N)})


@pytest.fixture
def quantity(frame, rng):
    return frame["age"].fillna(40).to_numpy() / 10 + rng.normal(size=N)


def regressor(**more):
    return cp.MLPRegressor(preset="realmlp-s", **QUICK, **more)


def others_of_fold(folds, row):
    """Return the rows that are held out together with a row, without it."""
    held = next(fold.held for fold in folds if row in fold.held)
    return held[held != row]


def leaks(frame, quantity):
    """Whether a row that is held out changes what is predicted for its neighbours in the fold."""
    folds = make_folds(Examples.of(regressor(), frame, quantity), 2, 1, 0)
    before = cp.cross_validate(regressor(), frame, quantity, folds=2).predictions
    moved = frame.copy()
    moved.loc[5, ["age", "plan"]] = [1e6, "new"]
    changed = quantity.copy()
    changed[5] = 1e6
    others = others_of_fold(folds, 5)
    after = [
        cp.cross_validate(regressor(), *each, folds=2).predictions
        for each in ((moved, quantity), (frame, changed))
    ]
    return any(not np.array_equal(before[others], each[others]) for each in after)


def test_nothing_of_a_row_held_out_reaches_its_fold(frame, quantity):
    assert not leaks(frame, quantity)


@pytest.mark.parametrize("mutant", ["encodings", "answers"])
def test_the_test_of_leaks_catches_a_fold_that_sees_all_rows(frame, quantity, monkeypatch, mutant):
    real, whole = fitting.fit, {}

    def of(estimator, X, y, *more):
        whole["X"] = Examples_of(estimator, X, y, *more)
        return whole["X"]

    def leaky(estimator, examples):
        if mutant == "answers":
            return real(estimator, whole["X"])
        encoder = real(estimator, whole["X"]).table_encoder_  # medians and categories of all rows
        monkeypatch.setattr("clearprop.estimators.tables.TableRows.learn", lambda *_: encoder)
        fitted = real(estimator, examples)
        monkeypatch.undo()
        monkeypatch.setattr(cross_validation, "fit", leaky)
        monkeypatch.setattr(Examples, "of", of)
        return fitted

    Examples_of = Examples.of
    monkeypatch.setattr(Examples, "of", of)
    monkeypatch.setattr(cross_validation, "fit", leaky)
    assert leaks(frame, quantity)


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_metrics_are_scikit_learns_on_the_same_folds(rng, repeats):
    X = rng.normal(size=(N, 3))
    y = np.array(["no", "yes"])[(X[:, 0] + rng.normal(size=N) > 0).astype(int)]
    model = LogisticRegression()
    found = cp.cross_validate(model, X, y, folds=3, repeats=repeats, seed=4)
    splits = [
        split
        for seed in range(4, 4 + repeats)
        for split in StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y)
    ]
    scoring = {"accuracy": "accuracy", "log_loss": "neg_log_loss", "auc": "roc_auc"}
    expected = scikit_cross_validate(model, X, y, cv=splits, scoring=scoring)
    for name in scoring:
        sign = -1 if name == "log_loss" else 1
        np.testing.assert_allclose(
            found.metrics[name].values, sign * expected[f"test_{name}"], rtol=1e-9
        )
    assert [(each.repeat, each.number) for each in found.folds] == [
        (r, k) for r in range(1, repeats + 1) for k in (1, 2, 3)
    ]
    np.testing.assert_allclose(found.predictions.sum(axis=1), 1)


def test_the_interval_is_that_of_nadeau_and_bengio():
    values, ratio = (0.71, 0.78, 0.74, 0.8, 0.69), 0.25
    found = Estimate.of(values, ratio, 0.9)
    variance = np.var(values, ddof=1) * (1 / 5 + ratio)
    expected = scipy.stats.t.interval(0.9, 4, loc=np.mean(values), scale=np.sqrt(variance))
    np.testing.assert_allclose((found.low, found.high), expected, rtol=1e-12)
    assert found.mean == pytest.approx(0.744)
    some = Estimate.of((0.5, float("nan"), 0.7), 0.5)
    assert some.mean == pytest.approx(0.6)
    assert np.isfinite(some.low)
    assert len(some.values) == 3
    assert np.isnan(Estimate.of((0.5,), 0.5).low)
    wide = Estimate.of((0.0, 1.0), 0.5, bounds=(0.0, 1.0))
    assert (wide.low, wide.mean, wide.high) == (0.0, 0.5, 1.0)


def test_the_interval_of_the_mean_has_the_ratio_of_the_folds(rng):
    X = rng.normal(size=(40, 2))
    found = cp.cross_validate(cp.MLPRegressor(**LINEAR), X, X[:, 0] + rng.normal(size=40), folds=4)
    rmse = found.metrics["rmse"]
    assert rmse == Estimate.of(rmse.values, 10 / 30, bounds=(0, np.inf))
    assert found.metrics["r2"] == Estimate.of(found.metrics["r2"].values, 10 / 30, bounds=(-np.inf, 1))
    assert set(found.metrics) == {"rmse", "mae", "r2"}


def test_groups_stay_whole_and_classes_have_their_share(rng):
    groups, y = np.repeat(np.arange(10), 6), np.tile([0, 0, 1], 20)
    examples = Examples.of(cp.MLPClassifier(), rng.normal(size=(60, 2)), y, None, groups)
    folds = make_folds(examples, 5, 1, 0)
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.held])
    assert sorted(np.concatenate([fold.held for fold in folds])) == list(range(60))
    plain = Examples.of(cp.MLPClassifier(), rng.normal(size=(60, 2)), y)
    for fold in make_folds(plain, 5, 1, 0):
        assert y[fold.held].sum() == 4
    assert not np.array_equal(*(make_folds(plain, 5, 1, seed)[0].held for seed in (0, 1)))


@pytest.mark.parametrize("dates", [False, True])
def test_in_time_order_every_row_is_predicted_from_earlier_ones(rng, dates):
    times = rng.permutation(N)
    given = np.datetime64("2024-01-01") + times if dates else times
    X = rng.normal(size=(N, 2))
    examples = Examples.of(cp.MLPRegressor(), X, X[:, 0], None, None, given)
    for fold in make_folds(examples, 4, 1, 0):
        assert times[fold.train].max() < times[fold.held].min()
    train, late = hold_out(examples, 0.2, 0)
    assert (len(late), times[late].min()) == (9, times[train].max() + 1)
    found = cp.cross_validate(cp.MLPRegressor(**LINEAR), X, X[:, 0], folds=4, times=given)
    assert found.how == "in time order"
    missing = np.isnan(found.predictions[:, 0])
    assert times[missing].max() < times[~missing].min()


class Recording(cp.MLPClassifier):
    """Notes what it is fitted to."""

    seen = []  # noqa: RUF012 - of all copies

    def fit(self, X, y, **given):
        Recording.seen.append((X, y, given))
        return super().fit(X, y, **given)


def test_the_rows_that_choose_the_epoch_are_of_other_groups_and_later_times(rng):
    X, y = rng.normal(size=(60, 2)), np.tile([0, 1], 30)
    X[:, 0] = rng.permutation(60)
    weight, groups = np.arange(1.0, 61), np.repeat(np.arange(12), 5)
    model = Recording(preset="realmlp-s", **QUICK)
    Recording.seen = []
    cp.cross_validate(model, X, y, folds=2, groups=groups, sample_weight=weight)
    for _, labels, given in Recording.seen:
        assert len(given["groups"]) == len(given["sample_weight"]) == len(labels)
        assert len(set(given["groups"])) < 12
    Recording.seen = []
    cp.cross_validate(model, X, y, folds=2, times=X[:, 0], sample_weight=weight)
    for rows, labels, given in Recording.seen:
        assert rows[:, 0].max() < given["X_val"][:, 0].min()
        assert len(given["sample_weight"]) == len(rows) == len(labels)
        assert (
            len(given["X_val"]) == len(given["y_val"]) == round(0.2 * (len(rows) + len(given["y_val"])))
        )


@pytest.mark.parametrize(
    "made",
    [
        lambda X: X,
        lambda X: scipy.sparse.coo_array(X),
        lambda X: pandas.DataFrame(X, columns=["a", "b"]),
        lambda X: polars.DataFrame(X, schema=["a", "b"]),
        lambda X: pa.table({"a": X[:, 0], "b": X[:, 1]}),
    ],
    ids=["array", "sparse", "pandas", "polars", "arrow"],
)
def test_the_same_rows_in_any_form_give_the_same(rng, made):
    X = rng.normal(size=(30, 2))
    model = cp.MLPRegressor(**LINEAR)
    expected = cp.cross_validate(model, X, X[:, 0], folds=3).predictions
    found = cp.cross_validate(model, made(X), X[:, 0], folds=3).predictions
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_class_that_a_fold_has_not_seen_counts_as_wrong(rng):
    X, y = rng.normal(size=(21, 2)), np.array(["a", "b"] * 10 + ["rare"])
    found = cp.cross_validate(LogisticRegression(), X, y, folds=3)
    assert found.predictions.shape == (21, 3)
    assert found.predictions[20, 2] == 0
    assert all(np.isfinite(found.metrics["log_loss"].values))


def test_a_class_that_begins_late_chooses_no_epoch(rng):
    X, y = rng.normal(size=(60, 2)), np.array(["a", "b"] * 30)
    y[19] = "rare"  # the latest that the first fold learns from, and so among those that choose
    model = cp.MLPClassifier(preset="realmlp-s", **QUICK)
    found = cp.cross_validate(model, X, y, folds=2, times=np.arange(60))
    assert np.isfinite(found.predictions[20:]).all()
    assert found.predictions[20, 2] == 0 < found.predictions[40, 2]


def test_callbacks_are_told_of_every_fold_and_an_interrupt_ends_it(rng, monkeypatch):
    X, told = rng.normal(size=(30, 2)), []
    cp.cross_validate(LogisticRegression(), X, X[:, 0] > 0, folds=3, callbacks=[told.append])
    assert [(each.number, each.n_train, each.n_held) for each in told] == [
        (k, 20, 10) for k in (1, 2, 3)
    ]

    class Stopped(cp.MLPRegressor):
        def fit(self, X, y, **given):
            super().fit(X, y, **given)
            self.history_.stopped = "interrupted"
            return self

    with pytest.raises(KeyboardInterrupt):
        cp.cross_validate(Stopped(**LINEAR), X, X[:, 0])


X7, Y7 = np.arange(14.0).reshape(7, 2), np.array([0, 1, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"folds": 2.5}, "folds must be a whole number, got 2.5"),
        ({"folds": 5}, "folds must be at most 4, the rows of the most frequent class, got 5"),
        ({"repeats": 0}, "repeats must be at least 1, got 0"),
        ({"level": 1.0}, "level must be above 0 and below 1, got 1.0"),
        ({"groups": [0, 0, 0, 1, 1, 1, 1], "folds": 3}, "folds must be at most the 2 groups, got 3"),
        ({"times": range(7), "folds": 7}, "folds must be fewer than the 7 rows in time order, got 7"),
        ({"times": range(7), "folds": 2, "repeats": 2}, "repeats must be 1 in time order"),
        ({"times": range(7), "groups": range(7)}, "groups and times cannot be used together"),
        ({"times": list("abcdefg")}, "times must hold dates or numbers, one for each row, got <U1"),
        ({"times": [0, 1, np.nan, 3, 4, 5, 6]}, "times must have no missing values, got one in row 2"),
        ({"groups": [1, 2]}, "X and groups must have as many rows, got 7 and 2"),
        ({"y": [0, 1]}, "X and y must have as many rows, got 7 and 2"),
        ({"y": np.zeros(7)}, "y must have at least 2 classes, got 1"),
        ({"y": np.stack([Y7, Y7], axis=1)}, r"y must hold one label for each row, got shape \(7, 2\)"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(given, message):
    model = cp.MLPClassifier(engine="numpy")
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        cp.cross_validate(model, X7, **{"y": Y7, **given})
