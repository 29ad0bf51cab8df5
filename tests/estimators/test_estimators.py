"""The estimators: what scikit-learn's do, what its users asked for, and what peers get wrong."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.utils.fixes import parse_version

import clearprop as cp

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # scikit-learn 1.6's own L-BFGS under a later SciPy.
    pytest.mark.filterwarnings("ignore:scipy.optimize. The .disp. and:DeprecationWarning"),
]
SINCE_17 = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.7"),
    reason="sample_weight and loss came to scikit-learn's perceptrons with 1.7",
)
BOTH = [cp.MLPClassifier, cp.MLPRegressor]
X_IRIS, Y_IRIS = datasets.load_iris(return_X_y=True)
X_IRIS = (X_IRIS - X_IRIS.mean(axis=0)) / X_IRIS.std(axis=0)


def same_orders(monkeypatch, seed):
    """Let scikit-learn go through samples in clearprop's orders."""
    from sklearn.neural_network import _multilayer_perceptron as theirs

    from clearprop import randomness

    epoch = iter(range(10**6))

    def shuffle(indices, random_state):
        return randomness.permutation(seed, len(indices), step=next(epoch))

    monkeypatch.setattr(theirs, "shuffle", shuffle)


SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.02},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.02},
    "adam": {"solver": "adam", "learning_rate_init": 0.01, "epsilon": 1e-3},
}


@SINCE_17
@pytest.mark.parametrize("how", SOLVERS)
@pytest.mark.parametrize("problem", ["multiclass", "binary", "multilabel", "regression", "poisson"])
def test_the_same_start_and_order_give_scikit_learns_trajectory(how, problem, monkeypatch):
    X, y = X_IRIS, Y_IRIS
    if problem == "binary":
        y = y == 1
    elif problem == "multilabel":
        y = np.column_stack([y == 0, y > 0, y == 2]).astype(int)
    elif problem == "regression":
        X, y = X[:, :3], X[:, 3]
    arguments = dict(SOLVERS[how], max_iter=20, random_state=3, alpha=0.1, batch_size=32, tol=0.0)
    kind = "Regressor" if problem in ("regression", "poisson") else "Classifier"
    if problem == "poisson":
        arguments |= {"loss": "poisson"}
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    if problem == "poisson":
        weight = None  # what y alone decides is in their loss, weighted by batch; the rest is equal
    same_orders(monkeypatch, 3)
    theirs = getattr(neural_network, f"MLP{kind}")(**arguments).fit(X, y, weight)
    ours = getattr(cp, f"MLP{kind}")(**arguments).fit(X, y, weight)
    assert len(ours.loss_curve_) == 20
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    for mine, their in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, their, rtol=1e-6, atol=1e-9)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("policy", ["invscaling", "adaptive"])
def test_the_learning_rate_policies_are_scikit_learns(policy, monkeypatch):
    arguments = {"solver": "sgd", "momentum": 0.0, "learning_rate": policy, "learning_rate_init": 0.05}
    arguments |= {
        "max_iter": 30,
        "random_state": 0,
        "tol": 0.05,
        "n_iter_no_change": 2,
        "batch_size": 50,
    }
    same_orders(monkeypatch, 0)
    theirs = neural_network.MLPClassifier(**arguments).fit(X_IRIS, Y_IRIS)
    ours = cp.MLPClassifier(**arguments).fit(X_IRIS, Y_IRIS)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    rates = ours.history_["learning_rate"]
    assert rates[-1] < rates[0]


@SINCE_17
def test_lbfgs_from_the_same_random_state_ends_where_scikit_learns_does():
    arguments = {"solver": "lbfgs", "random_state": 1, "hidden_layer_sizes": (5,), "alpha": 1.0}
    theirs = neural_network.MLPClassifier(**arguments, max_iter=1000, tol=1e-8).fit(X_IRIS, Y_IRIS)
    ours = cp.MLPClassifier(**arguments, max_iter=1000, tol=1e-8).fit(X_IRIS, Y_IRIS)
    assert ours.loss_ <= theirs.loss_ * (1 + 1e-5)
    # The same minimum: with some builds of BLAS the line search of SciPy gives up before it.
    assert theirs.loss_ == pytest.approx(ours.loss_, rel=1e-4)


def test_early_stopping_sets_the_rows_aside_that_scikit_learn_does(monkeypatch):
    arguments = {"early_stopping": True, "random_state": 0, "max_iter": 40, "batch_size": 30}
    same_orders(monkeypatch, 0)
    theirs = neural_network.MLPClassifier(**arguments).fit(X_IRIS, Y_IRIS)
    ours = cp.MLPClassifier(**arguments).fit(X_IRIS, Y_IRIS)
    # Rows are kept in their order here and shuffled there, so that the same order is not the same.
    assert len(ours.validation_scores_) == ours.n_iter_
    assert ours.best_validation_score_ == max(ours.validation_scores_)
    assert ours.best_loss_ is None is theirs.best_loss_


# Closed forms


def test_no_hidden_layer_and_squared_loss_is_ridge(rng):
    X = rng.normal(size=(60, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + 3.0 + rng.normal(size=60)
    ours = cp.MLPRegressor("squared_error", (), solver="lbfgs", alpha=2.5, tol=1e-10, max_iter=500)
    ours.fit(X, y)
    ridge = Ridge(alpha=2.5).fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0][:, 0], ridge.coef_, rtol=1e-6)
    np.testing.assert_allclose(ours.intercepts_[0], ridge.intercept_, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_hidden_layer_and_cross_entropy_is_logistic_regression(classes):
    X, y = X_IRIS[classes > Y_IRIS], Y_IRIS[classes > Y_IRIS]
    ours = cp.MLPClassifier((), solver="lbfgs", alpha=2.0, tol=1e-11, max_iter=5000).fit(X, y)
    theirs = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


def test_no_hidden_layer_and_poisson_loss_is_poisson_regression(rng):
    X = rng.normal(size=(80, 3))
    y = rng.poisson(np.exp(X @ [0.3, -0.2, 0.5] + 1.0))
    ours = cp.MLPRegressor("poisson", (), solver="lbfgs", alpha=80 * 0.1, tol=1e-11, max_iter=500)
    ours.fit(X, y)
    theirs = PoissonRegressor(alpha=0.1, tol=1e-12, max_iter=500).fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0][:, 0], theirs.coef_, rtol=1e-6)


# Sample weights


@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
@pytest.mark.parametrize("preprocessing", [None, "standard", "robust"])
def test_a_weight_of_k_is_k_copies_and_of_zero_none(solver, preprocessing, rng):
    weight = rng.integers(0, 4, len(X_IRIS))
    rows = np.repeat(np.arange(len(X_IRIS)), weight)
    model = cp.MLPClassifier(
        8, "tanh", solver=solver, batch_size=len(rows), random_state=0, preprocessing=preprocessing,
        max_iter=30, alpha=0.1,
    )  # fmt: skip
    repeated = model.fit(X_IRIS[rows], Y_IRIS[rows]).predict_proba(X_IRIS)
    weighted = (
        model.set_params(batch_size=len(X_IRIS)).fit(X_IRIS, Y_IRIS, weight).predict_proba(X_IRIS)
    )
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
@pytest.mark.parametrize("grouped", [False, True])
def test_rows_of_weight_zero_are_not_there_for_the_validation_part_either(preset, grouped, rng):
    weight = np.where(rng.uniform(size=150) < 0.8, 0.0, 1.0)
    there = weight > 0
    groups = np.arange(150) // 5
    model = cp.MLPClassifier(
        8, preset=preset, early_stopping=True, validation_fraction=0.3, max_iter=8, random_state=1
    )
    how = {"groups": groups} if grouped else {}
    weighted = model.fit(X_IRIS, Y_IRIS, weight, **how).predict_proba(X_IRIS)
    scores = model.validation_scores_
    how = {"groups": groups[there]} if grouped else {}
    alone = model.fit(X_IRIS[there], Y_IRIS[there], **how).predict_proba(X_IRIS)
    np.testing.assert_allclose(weighted, alone, rtol=1e-6)
    assert scores == model.validation_scores_


def test_few_rows_leave_two_to_validate_on(rng):
    model = cp.MLPClassifier(4, preset="realmlp-s", max_iter=2, random_state=0)
    model.fit(rng.normal(size=(5, 2)), [0, 1, 0, 1, 1])  # a fifth of them would be one
    assert model.t_ == 2 * 3


def test_d6_a_batch_whose_weights_are_all_zero_takes_no_step(rng):
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] > 0).astype(int)
    weight = np.r_[np.ones(100), np.zeros(100)]
    arguments = {"shuffle": False, "random_state": 0, "max_iter": 10, "hidden_layer_sizes": 5}
    ours = cp.MLPClassifier(batch_size=50, **arguments).fit(X, y, weight)
    alone = cp.MLPClassifier(batch_size=50, **arguments).fit(X[:100], y[:100])
    np.testing.assert_allclose(ours.coefs_[0], alone.coefs_[0], rtol=1e-12)


def test_balanced_class_weights_are_those_sample_weights():
    y = np.minimum(Y_IRIS, 1)
    arguments = {"random_state": 0, "max_iter": 20}
    balanced = cp.MLPClassifier(class_weight="balanced", **arguments).fit(X_IRIS, y)
    weight = np.where(y == 0, 150 / (2 * 50), 150 / (2 * 100))
    weighted = cp.MLPClassifier(**arguments).fit(X_IRIS, y, weight)
    np.testing.assert_array_equal(balanced.coefs_[0], weighted.coefs_[0])
    by_hand = cp.MLPClassifier(class_weight={0: 1.5, 1: 0.75}, **arguments).fit(X_IRIS, y)
    np.testing.assert_allclose(by_hand.coefs_[0], weighted.coefs_[0], rtol=1e-12)


def test_balanced_class_weights_are_refused_in_partial_fit():
    with pytest.raises(ValueError, match="class_weight='balanced' cannot be used with partial_fit"):
        cp.MLPClassifier(class_weight="balanced").partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])


# Probabilities


@pytest.mark.parametrize("problem", ["multiclass", "binary"])
def test_probabilities_are_the_softmax_of_the_logits_and_sum_to_one(problem):
    y = Y_IRIS if problem == "multiclass" else Y_IRIS == 1
    model = cp.MLPClassifier(max_iter=50, random_state=0).fit(X_IRIS, y)
    z = model.decision_function(X_IRIS)
    z = np.column_stack([np.zeros(len(z)), z]) if z.ndim == 1 else z
    softmax = np.exp(z - z.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    proba = model.predict_proba(X_IRIS)
    np.testing.assert_allclose(proba, softmax, atol=1e-12)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X_IRIS), model.classes_[proba.argmax(axis=1)])


def test_one_class_gives_one_column_of_ones():
    model = cp.MLPClassifier(max_iter=5).fit(X_IRIS, np.full(150, "only"))
    assert model.predict_proba(X_IRIS).tolist() == [[1.0]] * 150
    assert set(model.predict(X_IRIS)) == {"only"}


def test_several_columns_of_labels_are_learned_together():
    y = np.column_stack([Y_IRIS, (X_IRIS[:, 0] > 0).astype(int), Y_IRIS[::-1]])
    model = cp.MLPClassifier(50, solver="lbfgs", max_iter=200, random_state=0, alpha=1e-3)
    model.fit(X_IRIS, y)
    proba = model.predict_proba(X_IRIS)
    assert [p.shape for p in proba] == [(150, 3), (150, 2), (150, 3)]
    assert all(np.allclose(p.sum(axis=1), 1.0) for p in proba)
    assert (model.predict(X_IRIS)[:, :2] == y[:, :2]).mean() > 0.95
    assert model.score(X_IRIS, y) == (model.predict(X_IRIS) == y).all(axis=1).mean()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X_IRIS), model.predict(X_IRIS))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_several_columns_of_labels_are_trained_by_compiled_code_to_the_same_losses(solver):
    y = np.column_stack([Y_IRIS, (X_IRIS[:, 0] > 0).astype(int), Y_IRIS[::-1]])
    seen = []
    how = {"solver": solver, "max_iter": 5, "random_state": 0, "batch_size": 40, "dropout": 0.1}
    how |= {"callbacks": [lambda training: seen.append(training.engine.name)], "early_stopping": True}
    compiled = cp.MLPClassifier(**how).fit(X_IRIS, y)
    reference = cp.MLPClassifier(**how, engine="numpy").fit(X_IRIS, y)
    assert seen == ["compiled"] * 5 + ["numpy"] * 5
    np.testing.assert_allclose(compiled.loss_curve_, reference.loss_curve_, rtol=1e-10)
    assert compiled.validation_scores_ == reference.validation_scores_


def test_several_columns_of_labels_are_one_network_each_where_no_layer_is_shared():
    y = np.column_stack([Y_IRIS, np.minimum(Y_IRIS[::-1], 1)])
    how = {"solver": "lbfgs", "alpha": 1.0, "max_iter": 1000, "tol": 1e-10}
    both = cp.MLPClassifier((), **how).fit(X_IRIS, y).predict_proba(X_IRIS)
    first = cp.MLPClassifier((), **how).fit(X_IRIS, y[:, 0]).predict_proba(X_IRIS)
    np.testing.assert_allclose(both[0], first, atol=1e-6)


def test_several_columns_of_labels_come_part_by_part():
    table = np.column_stack([Y_IRIS, 3 - Y_IRIS])
    known = [[0, 1, 2], [1, 2, 3, 4]]
    model = cp.MLPClassifier().partial_fit(X_IRIS[40:], table[40:], classes=known)
    later = np.where(table == 3, [[0, 4]], table)  # a class that had not come yet
    model.partial_fit(X_IRIS, later, classes=known)
    assert [each.tolist() for each in model.classes_] == known
    assert [p.shape for p in model.predict_proba(X_IRIS)] == [(150, 3), (150, 4)]
    with pytest.raises(ValueError, match="classes must be a list for each of y's 2 columns, got 3"):
        cp.MLPClassifier().partial_fit(X_IRIS, table, classes=[0, 1, 2])


def test_a_class_that_was_not_announced_is_refused_with_both_sets():
    model = cp.MLPClassifier(max_iter=3).partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"has classes not in.*\[0 1 2\].*\[7\]"):
        model.partial_fit(X_IRIS, np.full(150, 7))


# Divergence and early stopping


@pytest.mark.parametrize("early_stopping", [False, True])
def test_d1_d2_divergence_stops_at_once_and_says_where(early_stopping):
    X, y = datasets.load_diabetes(return_X_y=True)
    model = cp.MLPRegressor(
        solver="sgd", learning_rate_init=1.0, activation="identity", max_iter=50,
        early_stopping=early_stopping, random_state=0,
    )  # fmt: skip
    with pytest.raises(cp.DivergenceError, match=r"epoch \d+, step \d+.*layer|cost") as caught:
        model.fit(X, y)
    assert caught.value.learning_rate == 1.0
    assert model.n_iter_ < 50
    assert all(np.isfinite(W).all() for W in model.coefs_)


def test_d2_a_model_that_never_improved_is_not_returned_silently(rng):
    X = rng.normal(size=(100, 2))
    model = cp.MLPRegressor(
        hidden_layer_sizes=(), initializer="zeros", bias_initializer="zeros", early_stopping=True,
        learning_rate_init=0.05, max_iter=5, random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="below that of the untrained network"):
        model.fit(X, X[:, 0], X_val=X, y_val=-X[:, 0])


def test_d2_a_score_that_is_the_same_as_far_as_shown_is_not_said_to_be_below(rng):
    X = rng.normal(size=(100, 2))
    model = cp.MLPRegressor(
        hidden_layer_sizes=(), initializer="zeros", bias_initializer="zeros", early_stopping=True,
        learning_rate_init=1e-8, max_iter=2, random_state=0, n_iter_no_change=1,
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X, X[:, 0], X_val=X, y_val=1 - X[:, 0])
    assert not [each for each in said if "untrained" in str(each.message)]


def test_d7_lbfgs_has_no_partial_fit():
    for solver in ("lbfgs", cp.optimizers.LBFGS()):
        assert not any(hasattr(kind(solver=solver), "partial_fit") for kind in BOTH)
    assert all(hasattr(kind(), "partial_fit") for kind in BOTH)


def test_early_stopping_gives_back_the_epoch_that_validated_best(rng):
    X = rng.normal(size=(60, 4))
    y, y_val = rng.integers(0, 3, (2, 60))
    model = cp.MLPClassifier((5,), max_iter=40, learning_rate_init=0.1, early_stopping=True)
    model.set_params(random_state=0, n_iter_no_change=30).fit(X, y, X_val=X, y_val=y_val)
    assert model.validation_scores_[-1] < model.best_validation_score_
    assert model.score(X, y_val) == model.best_validation_score_


def test_the_validation_score_is_weighted_as_the_rows_are(rng):
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 3, 200)
    model = cp.MLPClassifier((5,), solver="sgd", max_iter=1, learning_rate_init=1e-12)
    model.set_params(random_state=0, early_stopping=True).fit(X, y)
    assert model.validation_scores_[0] < 0.8
    right = model.predict(X) == y
    model.fit(X, y, sample_weight=np.where(right, 1.0, 1e-6))
    assert model.validation_scores_[0] > 0.999


def test_d8_a_feature_far_larger_than_the_others_is_named_and_does_no_harm_with_preprocessing(rng):
    import pandas as pd

    X = pd.DataFrame(rng.normal(size=(200, 4)), columns=["age", "height", "income", "weight"])
    y = (X["age"] + X["height"] > 0).astype(int)
    X["income"] *= 1e4
    with pytest.warns(UserWarning, match="feature income of X is over 1000 times larger"):
        cp.MLPClassifier(max_iter=5).fit(X, y)
    for preprocessing in ("standard", "robust"):
        model = cp.MLPClassifier(preprocessing=preprocessing, max_iter=100, random_state=0)
        assert model.fit(X, y).score(X, y) > 0.9


# Going on


GOING_ON = {
    "dropout": {"dropout": 0.3},
    "schedule": {"learning_rate": cp.schedules.cosine(0.01, epochs=8)},
    "both": {"dropout": [0.2, 0.4], "learning_rate": cp.schedules.one_cycle(0.02, epochs=6)},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05},
    "rmsprop": {"solver": "rmsprop", "preprocessing": "standard"},
}


@pytest.mark.parametrize("how", GOING_ON)
@pytest.mark.parametrize("way", ["partial_fit", "warm_start", "pickled"])
def test_d3_d4_fit_and_going_on_is_one_long_fit_to_the_bit(how, way):
    arguments = {"hidden_layer_sizes": (12, 9), "random_state": 5, "batch_size": 40, "tol": 0.0}
    arguments |= GOING_ON[how]
    whole = cp.MLPClassifier(max_iter=6, **arguments).fit(X_IRIS, Y_IRIS)
    parts = cp.MLPClassifier(max_iter=3, warm_start=way == "warm_start", **arguments)
    parts.fit(X_IRIS, Y_IRIS)
    if way == "warm_start":
        parts.fit(X_IRIS, Y_IRIS)
        assert parts.n_iter_ == 3
    else:
        for _ in range(3):
            parts = pickle.loads(pickle.dumps(parts)) if way == "pickled" else parts
            parts.partial_fit(X_IRIS, Y_IRIS)
        assert parts.n_iter_ == 6  # D5
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    assert parts.t_ == whole.t_ == 6 * 150
    assert parts.loss_curve_ == whole.loss_curve_
    assert len(parts.history_) == 6


def test_d3_d4_a_regressor_goes_on_to_the_bit_too():
    arguments = {"hidden_layer_sizes": (9,), "random_state": 5, "batch_size": 40, "dropout": 0.2}
    arguments |= {"learning_rate": cp.schedules.cosine(0.01, epochs=8), "target": "standardize"}
    X, y = X_IRIS[:, :3], X_IRIS[:, 3]
    whole = cp.MLPRegressor(max_iter=6, tol=0.0, **arguments).fit(X, y)
    parts = cp.MLPRegressor(max_iter=3, tol=0.0, **arguments).fit(X, y)
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(parts.network_.parameters, whole.network_.parameters)
    assert (parts.n_iter_, parts.t_) == (6, whole.t_)


def test_d3_partial_fit_sees_another_order_in_every_call():
    seen = []
    from clearprop.estimators.training import EstimatorTraining
    from clearprop.training import Loop

    def note(training):
        seen.append(training.supply.part(training.plan, training.state.epoch - 1, 0).order.tolist())

    model = cp.MLPClassifier(random_state=0, batch_size=10, callbacks=[note])
    for _ in range(3):
        model.partial_fit(X_IRIS, Y_IRIS, classes=[0, 1, 2])
    assert seen[0] != seen[1] != seen[2] != seen[0]
    assert issubclass(EstimatorTraining, Loop)


def test_a_warm_start_with_other_layers_is_refused():
    model = cp.MLPClassifier(8, warm_start=True, max_iter=2).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes must be what the network has, \(8,\)"):
        model.set_params(hidden_layer_sizes=9).fit(X_IRIS, Y_IRIS)


def test_a_new_fit_starts_afresh():
    model = cp.MLPClassifier(max_iter=3, random_state=0).fit(X_IRIS, Y_IRIS)
    first = model.network_.parameters.copy()
    np.testing.assert_array_equal(model.fit(X_IRIS, Y_IRIS).network_.parameters, first)


# Input


def test_a_sparse_x_gives_what_the_dense_one_does(monkeypatch):
    X = np.where(np.abs(X_IRIS) > 0.5, X_IRIS, 0.0)
    for preprocessing in (None, "standard"):
        model = cp.MLPClassifier(
            max_iter=15, random_state=0, preprocessing=preprocessing, batch_size=40
        )
        dense = model.fit(X, Y_IRIS).predict_proba(X)
        np.testing.assert_allclose(
            model.fit(sp.csr_matrix(X), Y_IRIS).predict_proba(X), dense, rtol=1e-9
        )
        with monkeypatch.context() as patch:
            patch.setattr("clearprop.estimators.inputs.DENSE_BYTES", 0)  # batch by batch
            model.fit(sp.csc_array(X), Y_IRIS)
            by_batch = [model.predict_proba(kind(X)) for kind in (sp.csr_array, sp.csr_matrix)]
        np.testing.assert_allclose(by_batch, [dense, dense], rtol=1e-9)
    with pytest.raises(ValueError, match="preprocessing='robust' needs a dense X"):
        cp.MLPClassifier(preprocessing="robust").fit(sp.csr_array(X), Y_IRIS)


def test_what_is_predicted_for_a_row_does_not_depend_on_where_it_is_to_the_bit(rng):
    model = cp.MLPRegressor(dtype="float32", max_iter=2, batch_size=30).fit(X_IRIS, Y_IRIS)
    order = rng.permutation(len(X_IRIS))
    np.testing.assert_array_equal(model.predict(X_IRIS[order]), model.predict(X_IRIS)[order])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_are_taken_and_their_columns_checked(library):
    made = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]

    def table(columns):
        data = {name: X_IRIS[:, names.index(name) if name in names else 0] for name in columns}
        return made.table(data) if library == "pyarrow" else made.DataFrame(data)

    model = cp.MLPClassifier(max_iter=10, random_state=0).fit(table(names), Y_IRIS)
    plain = cp.MLPClassifier(max_iter=10, random_state=0).fit(X_IRIS, Y_IRIS)
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict_proba(table(names)), plain.predict_proba(X_IRIS))
    with pytest.raises(ValueError, match=r"same order[\s\S]*Not in their place: b, a"):
        model.predict(table(["b", "a", "c", "d"]))
    if library == "pandas":
        import pandas as pd

        twice = pd.DataFrame(X_IRIS, columns=["a", "b", "b", "d"])
        with pytest.raises(ValueError, match="columns of different names"):
            model.predict(twice)
    with pytest.raises(ValueError, match=r"unseen at fit time[\s\S]*- e[\s\S]*now missing[\s\S]*- d"):
        model.predict(table(["a", "b", "c", "e"]))


def test_the_dtype_is_x_own_or_the_one_asked_for():
    X32 = X_IRIS.astype(np.float32)
    arguments = {"max_iter": 3, "random_state": 0}
    assert cp.MLPClassifier(**arguments).fit(X32, Y_IRIS).coefs_[0].dtype == np.float32
    assert cp.MLPClassifier(**arguments).fit(X_IRIS, Y_IRIS).coefs_[0].dtype == np.float64
    forced = cp.MLPClassifier(dtype="float32", **arguments).fit(X_IRIS, Y_IRIS)
    assert forced.predict_proba(X_IRIS).dtype == np.float32
    X = X_IRIS.copy()
    X[3, 1] = 1e300
    with (
        pytest.raises(ValueError, match="X must fit in float32, got 1e\\+300 in row 3, column 1"),
        pytest.warns(UserWarning, match="feature 1"),
    ):
        forced.fit(X, Y_IRIS)


def test_fit_changes_nothing_of_the_callers():
    X, y, weight = X_IRIS.copy(), Y_IRIS.copy(), np.ones(150)
    for array in (X, y, weight):
        array.setflags(write=False)
    cp.MLPClassifier(max_iter=3, preprocessing="robust").fit(X, y, weight).predict(X)
    np.testing.assert_array_equal(X, X_IRIS)
