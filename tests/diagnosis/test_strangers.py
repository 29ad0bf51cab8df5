"""Rows of X and Y that do not belong together are asked about; little that can be learned is not."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
from clearprop.diagnosis import association
from clearprop.diagnosis.thresholds import Thresholds

RNG = np.random.default_rng(11)
SETS = ("iris", "wine", "breast_cancer", "diabetes")
LIMIT = Thresholds().association


def real(name):
    """Return inputs and targets as a network learns them, of the training and of the test part."""
    found = cp.data.load(name)
    X, Y = found.all
    n, X = len(found.train[0]), found.scaling(X)
    Y = np.eye(len(found.classes))[Y] if found.classes else (Y[:, None] - Y.mean()) / Y.std()
    return X, Y, n


def run(X, Y, n, hidden=8, epochs=12, optimizer=None, watch=None, validation=True):
    """Train on n rows and validate on the others; return what is then found."""
    quantity = Y.shape[1] == 1
    cost = "quadratic" if quantity else "cross_entropy"
    net = cp.Network([X.shape[1], hidden, Y.shape[1]], "tanh", cost=cost, seed=1)
    optimizer = optimizer or cp.SGD(0.02 if quantity else 0.1)
    history = net.fit(
        X[:n], Y[:n], epochs=epochs, batch_size=16, optimizer=optimizer, seed=0, progress=False,
        validation_data=(X[n:], Y[n:]) if validation else None, callbacks=[watch] if watch else [],
    )  # fmt: skip
    how = {"optimizer": optimizer, "batch_size": 16}
    return {each.id: each for each in cp.diagnose(net, X[:n], Y[:n], history, **how)}


# How far X and Y go together


def centred(n, d):
    x = RNG.normal(size=(n, d))
    return association._centred(association._products(x) + association._nearness(x))


@pytest.mark.parametrize("n", [5, 6])
def test_mean_and_variance_are_those_over_all_orders_of_the_rows(n):
    K, L = centred(n, 2), centred(n, 3)
    orders = map(list, itertools.permutations(range(n)))
    all_of_them = np.array([(K * L[np.ix_(order, order)]).sum() for order in orders])
    score = ((K * L).sum() - all_of_them.mean()) / all_of_them.std()
    assert association._score(K, L) == pytest.approx(score, rel=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(20, 60), st.integers(1, 3))
def test_order_units_and_columns_that_do_not_vary_change_nothing(seed, n, n_outputs):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, 3)), rng.normal(size=(n, n_outputs))
    order = rng.permutation(n)
    scaled = np.column_stack([X * [1e-3, 1.0, 1e6] + [0, 5, -1e4], np.full(n, 7.0)])
    wanted = association.score(X, Y)
    assert association.score(scaled[order], (Y * 40 - 3)[order]) == pytest.approx(wanted, abs=1e-5)


def test_rows_in_any_order_are_strangers_in_nearly_all_draws():
    scores = np.array([association.score(*strangers(120, seed)) for seed in range(200)])
    assert abs(scores.mean()) < 0.5
    assert 0.7 < scores.std() < 1.3
    assert (scores >= LIMIT).mean() < 0.05


def strangers(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), np.eye(3)[rng.integers(3, size=n)]


FORMS = {
    "a plane": lambda x: x[:, 0] > 0,
    "two features of one sign": lambda x: x[:, 0] * x[:, 1] > 0,
    "a ball": lambda x: np.square(x).sum(axis=1) > 3,
}


@pytest.mark.parametrize("form", FORMS)
def test_what_can_be_learned_is_seen_under_noise(form):
    X = RNG.normal(size=(300, 4))
    labels = FORMS[form](X) ^ (RNG.random(300) < 0.2)
    assert association.score(X, np.eye(2)[labels.astype(int)]) > LIMIT
    assert association.score(X, labels[:, None].astype(float)) > LIMIT


@pytest.mark.parametrize("empty", [np.zeros((30, 2)), np.zeros((30, 0))])
def test_features_that_do_not_vary_go_with_nothing(empty):
    assert association.score(empty, RNG.normal(size=(30, 1))) == 0.0
    assert np.isnan(association.score(np.eye(4), np.eye(4)))


# The finding


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("name", SETS)
def test_shuffled_targets_of_real_sets_are_asked_about_and_their_own_are_not(name, validation):
    X, Y, n = real(name)
    shuffled = Y[np.random.default_rng(2).permutation(len(Y))]
    found = run(X, shuffled, n, validation=validation)["D21"]
    assert found.severity == "warning"
    assert found.what.startswith("Do the rows of X and Y belong together?")
    guessed = "the mean" if Y.shape[1] == 1 else "the class shares"
    cost = "its validation cost" if validation else "its cost"
    assert f"{cost} stays at that of guessing {guessed}" in found.what
    for to_check in ("order of the rows", "a join", "a sort", "an off-by-one in time"):
        assert to_check in found.remedy
    assert "D21" not in run(X, Y, n, validation=validation)


def test_labels_learned_by_heart_are_asked_about_where_there_are_validation_data():
    X, Y, n = real("breast_cancer")
    Y = Y[np.random.default_rng(2).permutation(len(Y))]
    by_heart = {"hidden": 64, "epochs": 60, "optimizer": cp.Adam(0.01)}
    found = run(X, Y, n, **by_heart)
    assert "D21" in found
    watch = cp.DiagnosisCallback(report=lambda finding: None)
    run(X, Y, n, **by_heart, watch=watch, validation=False)
    assert [each.id for each in watch.findings].count("D21") == 1  # before it was learned by heart


@pytest.mark.parametrize("shift", [-1, 1])
def test_targets_that_are_off_by_a_row_are_said_to_be(shift):
    X, Y, n = real("wine")
    order = np.random.default_rng(0).permutation(len(Y))
    X, Y = X[order], np.roll(Y[order], shift, axis=0)
    found = run(X, Y, n)["D21"]
    row = "the row before" if shift < 0 else "the row after"
    assert f"With the Y of {row} it is " in found.how
    shuffled = run(X, Y[np.random.default_rng(2).permutation(len(Y))], n)["D21"]
    assert "With the Y of" not in shuffled.how


HARD = {
    "seven labels of ten are wrong": ("breast_cancer", 0.7, None),
    "eight labels of ten are wrong": ("digits", 0.8, None),
    "few rows": ("breast_cancer", 0.0, 40),
    "few rows, half of the labels wrong": ("wine", 0.5, 60),
    "noise of twice the deviation": ("diabetes", 2.0, None),
    "few rows, and noise": ("diabetes", 2.0, 50),
}


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("case", HARD)
def test_what_is_hard_to_learn_is_not_accused(case, validation):
    name, noise, few = HARD[case]
    X, Y, n = real(name)
    rng = np.random.default_rng(4)
    if Y.shape[1] == 1:
        Y = Y + noise * rng.normal(size=Y.shape)
    else:
        wrong = rng.random(len(Y)) < noise
        Y = Y.copy()
        Y[wrong] = np.eye(Y.shape[1])[rng.integers(Y.shape[1], size=wrong.sum())]
    rows = np.r_[np.arange(n)[:few], np.arange(n, len(Y))]
    assert "D21" not in run(X[rows], Y[rows], len(rows) - (len(Y) - n), validation=validation)


def test_a_network_that_does_not_move_or_was_not_trained_says_nothing_of_the_rows():
    X, Y = strangers(120)
    net = cp.Network([4, 5, 3], "tanh", seed=1)
    assert "D21" not in {each.id for each in cp.diagnose(net, X, Y)}
    assert "D21" not in run(X, Y, 120, optimizer=cp.SGD(1e-9), validation=False)
    assert "D21" in run(X, Y, 120, validation=False)


def test_fewer_rows_than_would_tell_are_not_asked_about():
    X, Y = strangers(99)
    assert "D21" not in run(X, Y, 99, validation=False)
    X, Y = strangers(100)
    assert "D21" in run(X, Y, 100, validation=False)


def test_a_training_that_is_watched_warns_of_it_once():
    X, Y = strangers(150)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(X, Y, 150, watch=cp.DiagnosisCallback(), validation=False)
    told = [str(each.message) for each in caught if "D21" in str(each.message)]
    assert len(told) == 1
    assert told[0].startswith("warning D21 rows that may not belong together: Do the rows of X and Y")
