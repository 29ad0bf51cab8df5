"""What ends a training early, at every door, and what the history says of it."""

import numpy as np
import pytest

import clearprop as cp

pytestmark = pytest.mark.filterwarnings("ignore:the best validation score")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
NOISE = RNG.integers(0, 2, 120)  # nothing is to be learned but by heart
QUANTITY = RNG.normal(size=120)
PRESET = {"preset": "realmlp-s", "hidden_layer_sizes": 8, "random_state": 0, "engine": "numpy"}
KINDS = [(cp.MLPClassifier, NOISE), (cp.MLPRegressor, QUANTITY)]


def epochs_without_a_lower(costs, tol=1e-4):
    """Return how many epochs came after the last that fell by more than tol."""
    lowest, waited = np.inf, 0
    for cost in costs:
        waited = 0 if cost < lowest - tol else waited + 1
        lowest = min(lowest, cost)
    return waited


@pytest.mark.parametrize(("kind", "y"), KINDS)
@pytest.mark.parametrize(("how", "patience"), [({}, 32), ({"n_iter_no_change": 5}, 5)])
def test_early_stopping_that_is_asked_for_ends_the_presets_training(kind, y, how, patience):
    model = kind(early_stopping=True, **how, **PRESET).fit(X, y)
    assert model.n_iter_ < 256
    assert model.history_.stopped == "early stopping"
    assert epochs_without_a_lower(model.history_["validation_cost"]) == patience
    assert epochs_without_a_lower(model.history_["validation_cost"][:-1]) == patience - 1


@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_the_preset_alone_makes_all_its_epochs(kind, y):
    model = kind(**PRESET, max_iter=60).fit(X, y)
    assert (model.n_iter_, model.history_.stopped) == (60, "")


def test_the_presets_best_epoch_is_the_one_of_the_best_score_wherever_it_stops():
    model = cp.MLPClassifier(early_stopping=True, **PRESET).fit(X, NOISE)
    whole = cp.MLPClassifier(**PRESET).fit(X, NOISE)
    shared = model.n_iter_
    assert model.validation_scores_ == whole.validation_scores_[:shared]
    assert model.best_validation_score_ == max(whole.validation_scores_[:shared])


def test_a_scorer_that_is_given_is_what_the_preset_waits_for():
    model = cp.MLPClassifier(
        early_stopping=True, scoring="accuracy", n_iter_no_change=5, max_iter=256, **PRESET
    ).fit(X, NOISE)
    scores = model.validation_scores_
    assert model.history_.stopped == "early stopping"
    assert epochs_without_a_lower([-score for score in scores], tol=-1e-4) >= 5


def test_l_bfgs_of_the_preset_can_be_stopped_too():
    model = cp.MLPClassifier(early_stopping=True, solver="lbfgs", n_iter_no_change=3, **PRESET)
    assert model.fit(X, NOISE).history_.stopped == "early stopping"


def stop_at_2(training):
    return training.epochs_done == 2


NETWORK = {"progress": False, "engine": "numpy", "validation_data": (X[80:], NOISE[80:])}
ESTIMATOR = {"random_state": 0, "engine": "numpy"}


def network_history(**settings):
    net = cp.Network([4, 5, 2], seed=0)
    return net.fit(X[:80], NOISE[:80], **NETWORK, **settings)


def estimator_history(**arguments):
    return cp.MLPClassifier(5, **ESTIMATOR, **arguments).fit(X, NOISE).history_


ENDS = {
    "Network, all epochs": ("", lambda: network_history(epochs=2)),
    "Network, early stopping": (
        "early stopping",
        lambda: network_history(epochs=500, early_stopping=cp.EarlyStopping(patience=2)),
    ),
    "Network, callback": ("callback", lambda: network_history(epochs=9, callbacks=[stop_at_2])),
    "Network, time limit": ("time limit", lambda: network_history(epochs=10**6, time_limit=0.01)),
    "Network, L-BFGS": (
        "converged",
        lambda: network_history(epochs=10**4, l2=0.1, optimizer=cp.LBFGS(gradient_tolerance=1e-2)),
    ),
    "estimator, early stopping": (
        "early stopping",
        lambda: estimator_history(early_stopping=True, max_iter=1000),
    ),
    "estimator, training loss": ("converged", lambda: estimator_history(tol=0.1)),
    "estimator, adaptive rate": (
        "converged",
        lambda: estimator_history(tol=0.5, solver="sgd", learning_rate="adaptive", max_iter=5000),
    ),
    "estimator, callback": ("callback", lambda: estimator_history(callbacks=[stop_at_2])),
    "estimator, time limit": (
        "time limit",
        lambda: estimator_history(time_limit=0.01, max_iter=10**6, n_iter_no_change=10**6),
    ),
    "estimator, L-BFGS": (
        "converged",
        lambda: estimator_history(solver="lbfgs", alpha=9.0, max_iter=10**4),
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_history_says_what_stopped_a_training(end):
    said, train = ENDS[end]
    history = train()
    assert history.stopped == said
    assert str(history).endswith(f"stopped: {said}" if said else str(history)[-1])


@pytest.mark.filterwarnings("ignore:max_iter")
def test_an_estimator_that_made_all_its_epochs_was_not_stopped():
    assert estimator_history(max_iter=3).stopped == ""
