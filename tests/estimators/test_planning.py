"""A time limit of a preset with a schedule: the whole schedule is run in the epochs that fit."""

import numpy as np
import pytest

import clearprop as cp
from clearprop.estimators import planning
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.training import EstimatorTraining

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
LABELS, QUANTITY = np.digitize(X[:, 0], [-0.4, 0.4]), X[:, 1] ** 2
PRESET = {"preset": "realmlp-s", "hidden_layer_sizes": 5, "random_state": 0, "engine": "numpy"}
PRESET |= {"batch_size": 20, "patience": None}
KINDS = [(cp.MLPClassifier, LABELS), (cp.MLPRegressor, QUANTITY)]


@pytest.fixture
def slow_epochs(monkeypatch):
    """Let every epoch be taken for one of 3 + 1 seconds: 24 fit into a hundred, after preparation."""
    monkeypatch.setattr(EstimatorTraining, "epoch_seconds", lambda training, *how: (3.0, 1.0))


@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_what_fits_has_the_bits_of_a_run_that_was_asked_for_as_many_epochs(slow_epochs, kind, y):
    model = kind(**PRESET, time_limit=100.0).fit(X, y)
    asked = kind(**PRESET, max_iter=24).fit(X, y)
    assert (model.n_iter_, model.history_.stopped) == (24, "")
    assert np.array_equal(model.network_.parameters, asked.network_.parameters)
    assert model.history_["learning_rate"] == asked.history_["learning_rate"]
    assert model.max_iter == kind().max_iter  # an argument is what was given


def test_a_stream_has_them_too(slow_epochs, tmp_path):
    rows = np.column_stack([X, LABELS])
    np.savetxt(tmp_path / "t.csv", rows, "%.6f", delimiter=",", header="a,b,c,y", comments="")
    models = []
    for how in ({"time_limit": 100.0}, {"max_iter": 24}):
        made = {"target": "y", "task": "classification", "buffer_rows": 40, "seed": 0}
        stream = cp.data.stream(tmp_path / "t.csv", **made)
        models.append(cp.MLPClassifier(**PRESET, **how).fit(stream))
    assert models[0].n_iter_ == 24
    assert np.array_equal(*(model.network_.parameters for model in models))


def test_few_epochs_fill_the_time_with_a_share_of_the_rows_each_with_other_ones(slow_epochs):
    seen = []

    def see(training):
        part = training.supply.part(training.plan, training.state.epoch - 1, 0)
        seen.append(set(part.order.tolist()))

    model = cp.MLPClassifier(**PRESET | {"batch_size": 5}, time_limit=11.0, callbacks=[see]).fit(
        X, LABELS
    )
    # Three epochs of 3 s share + 1 s: of 72 rows for training, two thirds and a bit, in whole batches.
    assert (model.n_iter_, {len(rows) for rows in seen}) == (3, {60})
    assert len(set.union(*seen)) > 65
    assert model.history_["learning_rate"][-1] < 0.02 * max(model.history_["learning_rate"])


@pytest.mark.parametrize(("kind", "y"), KINDS)
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.filterwarnings("ignore:the best validation score")  # of so few epochs
def test_measuring_leaves_the_training_as_it_was(kind, y, members):
    model = kind(**PRESET, members=members, max_iter=4, time_limit=1e4).fit(X, y)
    asked = kind(**PRESET, members=members, max_iter=4).fit(X, y)
    assert np.array_equal(model.network_.parameters, asked.network_.parameters)


def test_an_epoch_is_measured_on_a_copy_and_whatever_follows_it_counts(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr("clearprop.estimators.training.time.monotonic", lambda: float(next(clock)))
    scored = []
    model = cp.MLPClassifier(**PRESET, scoring=lambda *what: scored.append(what) or 0.0)
    fitter = Fitter(model)
    training = fitter.prepare(X, LABELS)
    before = training.state.parameters.copy()
    steps, end = training.epoch_seconds(40.0, 0.0)
    assert steps >= training.plan.steps_per_epoch / 20.0  # a stretch of steps takes 1 s by this clock
    assert end == 1.0
    assert len(scored) == 1
    assert training.state.step == training.state.epoch == 0
    assert np.array_equal(training.state.parameters, before)


def test_a_limit_too_short_for_an_epoch_is_refused(slow_epochs):
    with pytest.raises(
        ValueError, match="time_limit must leave time for one epoch, which takes about 4 s"
    ):
        cp.MLPClassifier(**PRESET, time_limit=3.9).fit(X, LABELS)


def test_a_run_that_has_become_slower_is_ended_a_little_after_its_limit(monkeypatch):
    monkeypatch.setattr(EstimatorTraining, "epoch_seconds", lambda training, *how: (1e-9, 0.0))
    model = cp.MLPClassifier(**PRESET, max_iter=10**6, time_limit=0.05).fit(X, LABELS)
    assert model.history_.stopped == "time limit"


@pytest.mark.parametrize(
    "how",
    [
        {"learning_rate": cp.schedules.cosine(0.01, epochs=9)},
        {"preset": "sklearn", "patience": "auto", "batch_size": "auto"},
        {"solver": "lbfgs", "batch_size": "auto"},
        {"time_limit": None},
    ],
)
def test_a_schedule_of_ones_own_is_not_fitted(how):
    options = Fitter(cp.MLPClassifier(**PRESET | {"time_limit": 9.0} | how)).options
    assert not planning.is_asked(options)
