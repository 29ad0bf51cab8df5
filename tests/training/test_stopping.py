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


def epochs_without_a_lower(costs):
    """Return how many epochs came after the lowest one so far."""
    return len(costs) - 1 - int(np.argmin(costs))


def stop_of(costs, epochs):
    """Return the epoch that ends a training of so many: a period of its schedule after the lowest."""
    for done in range(1, epochs):
        best = int(np.argmin(costs[:done])) + 1
        period = (2 * (1 + 15 * best / epochs) - 1) / 15 * epochs
        if done >= max(min(period, epochs / 2 if best <= epochs / 3 else epochs), best + 10):
            return done
    return epochs


@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_the_preset_stops_by_itself_and_keeps_the_epoch_of_the_lowest_cost(kind, y):
    model = kind(**PRESET).fit(X, y)
    whole = kind(**PRESET, patience=None).fit(X, y)
    costs, n = whole.history_["validation_cost"], model.n_iter_
    assert (n, model.history_.stopped) == (stop_of(costs, 256), "early stopping")
    assert (whole.n_iter_, whole.history_.stopped) == (256, "")
    assert model.history_["validation_cost"] == costs[:n]
    best = int(np.argmin(costs[:n]))
    assert model.best_validation_score_ == model.validation_scores_[best]
    assert whole.best_validation_score_ == max(whole.validation_scores_)
    made = kind(**PRESET, callbacks=[lambda training: training.epochs_done == best + 1]).fit(X, y)
    assert np.array_equal(model.network_.parameters, made.network_.parameters)


@pytest.mark.parametrize("how", [{"patience": 5}, {"n_iter_no_change": 5}])
@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_a_patience_that_is_given_is_counted_in_epochs_by_either_name(kind, y, how):
    model = kind(**how, **PRESET).fit(X, y)
    assert model.history_.stopped == "early stopping"
    assert epochs_without_a_lower(model.history_["validation_cost"]) == 5


@pytest.mark.parametrize("how", [{"patience": None}, {"n_iter_no_change": np.inf}])
def test_no_patience_is_realmlp_all_epochs_and_the_best_score(how):
    model = cp.MLPClassifier(**PRESET, max_iter=40, **how).fit(X, NOISE)
    assert (model.n_iter_, model.history_.stopped) == (40, "")
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_a_schedule_is_never_stopped_after_its_end():
    model = cp.MLPClassifier(**PRESET, max_iter=9).fit(X, NOISE)
    assert (model.n_iter_, model.history_.stopped) == (9, "")


REFUSED_PATIENCE = {
    "patience and n_iter_no_change cannot be used together": {"patience": 3, "n_iter_no_change": 4},
    "patience needs a preset with a schedule": {"preset": "sklearn", "patience": 3},
    "The 'patience' parameter of MLPClassifier must be": {"patience": 0},
}


@pytest.mark.parametrize("said", REFUSED_PATIENCE)
def test_a_patience_that_cannot_be_had_is_refused(said):
    with pytest.raises(ValueError, match=said):
        cp.MLPClassifier(**PRESET | REFUSED_PATIENCE[said]).fit(X, NOISE)


def test_a_scorer_that_is_given_is_what_the_preset_waits_for():
    model = cp.MLPClassifier(scoring="accuracy", patience=5, max_iter=256, **PRESET).fit(X, NOISE)
    scores = model.validation_scores_
    assert model.history_.stopped == "early stopping"
    assert epochs_without_a_lower([-score for score in scores[::-1]][::-1]) >= 5


def test_l_bfgs_of_the_preset_can_be_stopped_too():
    model = cp.MLPClassifier(solver="lbfgs", patience=3, **PRESET)
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
