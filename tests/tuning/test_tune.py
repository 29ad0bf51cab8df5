"""Tuning: no row serves two purposes, a study goes on as if it had not been left, an ensemble is no worse."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.estimators.options import Options
from clearprop.tuning import Ensemble, greedy, spaces, trials, tuner
from clearprop.tuning.examples import Examples

optuna = pytest.importorskip("optuna", reason="tune needs Optuna: pip install 'clearprop[tune]'")

N = 50
QUICK = {
    "preset": "realmlp-s",
    "hidden_layer_sizes": (4,),
    "embedding": None,
    "max_iter": 2,
    "engine": "numpy",
}


@pytest.fixture
def rows(rng):
    """Return rows whose first column is their number, and labels."""
    X = np.column_stack([np.arange(N), rng.normal(size=(N, 2))])
    return X, np.array(["no", "yes"])[(X[:, 1] + rng.normal(size=N) > 0).astype(int)]


def tuned(X, y, trials=3, **more):
    return cp.tune(cp.MLPClassifier(**QUICK), X, y, trials=trials, **{"seed": 5, **more})


def same(one, other):
    """Whether two tunings found the same, to the last bit."""
    mine, its = (
        [(each.parameters, each.loss, each.metrics) for each in found.trials] for found in (one, other)
    )
    equal = [np.array_equal(a, b) for a, b in zip(one.best.coefs_, other.best.coefs_, strict=True)]
    return mine == its and list(one.weights.values()) == list(other.weights.values()) and all(equal)


# The ensemble


def naive_selection(outputs, loss, rounds):
    """Return the weights of Caruana et al. (2004) as they write it: a bag that grows."""
    bag, best = [], (np.inf, [])
    for _ in range(rounds):
        grown = [[*bag, i] for i in range(len(outputs))]
        bag = min(grown, key=lambda each: loss(np.mean([outputs[i] for i in each], axis=0)))
        best = min(
            best, (loss(np.mean([outputs[i] for i in bag], axis=0)), bag), key=lambda each: each[0]
        )
    return np.bincount(best[1], minlength=len(outputs)) / len(best[1])


def test_the_ensemble_is_that_of_greedy_selection_with_replacement(rng):
    y = rng.normal(size=7)
    outputs = [y + rng.normal(size=7) * scale for scale in (1.0, 1.1, 1.2, 3.0, 0.9)]

    def loss(mean):
        return float(((mean - y) ** 2).mean())

    weights = greedy.select(outputs, loss, rounds=12)
    np.testing.assert_allclose(weights, naive_selection(outputs, loss, 12))
    assert weights.sum() == pytest.approx(1)
    assert np.count_nonzero(weights) > 1
    mixed = loss(np.tensordot(weights, np.stack(outputs), 1))
    assert mixed <= min(map(loss, outputs))
    assert np.count_nonzero(greedy.select(outputs, loss, most=2)) == 2
    assert greedy.select(outputs, loss, rounds=1).argmax() == np.argmin([*map(loss, outputs)])


def test_an_ensemble_answers_with_the_weighted_mean(rows):
    X, y = rows
    members = [cp.MLPClassifier(**QUICK, random_state=seed).fit(X, y) for seed in (0, 1)]
    found = Ensemble(tuple(members), (0.25, 0.75))
    expected = 0.25 * members[0].predict_proba(X) + 0.75 * members[1].predict_proba(X)
    np.testing.assert_allclose(found.predict_proba(X), expected, rtol=1e-6)
    assert found.predict(X).tolist() == [["no", "yes"][each] for each in expected.argmax(axis=1)]


# The space


@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
def test_what_is_drawn_can_be_trained_and_the_first_trial_is_the_estimator_itself(kind):
    model = kind(preset="realmlp-s")
    options = Options.of(model)
    fixed, name = spaces.fixed_by(options), model._task.kind
    seen = {}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        drawn = spaces.suggest(study.ask(), name, fixed)
        Options.of(kind(preset="realmlp-s", **drawn))
        for argument, value in drawn.items():
            seen.setdefault(argument, set()).add(str(value))
    varied = {argument for argument, values in seen.items() if len(values) > 1}
    assert varied >= {
        "hidden_layer_sizes",
        "activation",
        "embedding",
        "learning_rate_init",
        "dropout",
        "beta_2",
        "weight_decay",
    }
    assert ("label_smoothing" in varied) == (kind is cp.MLPClassifier)
    first = spaces.suggest(optuna.trial.FixedTrial(spaces.begin_with(options, fixed)), name, fixed)
    for argument, value in first.items():
        assert value == pytest.approx(getattr(options, "sizes" if "sizes" in argument else argument)), (
            argument
        )


def test_what_is_given_is_not_searched():
    model = cp.MLPClassifier(**QUICK, dropout=0.1, solver=cp.Adam(0.01), learning_rate="constant")
    fixed = spaces.fixed_by(Options.of(model))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = set().union(*(spaces.suggest(study.ask(), "classifier", fixed) for _ in range(9)))
    assert drawn <= {"activation", "averaging", "label_smoothing"}
    wide = Options.of(cp.MLPClassifier(preset="realmlp-s", activation="gelu"))
    assert spaces.begin_with(wide, spaces.fixed_by(wide)) is not None
    deep = Options.of(cp.MLPClassifier(preset="realmlp-s", beta_2=0.9))
    assert spaces.begin_with(deep, frozenset()) is None


def test_a_first_trial_outside_the_space_is_the_estimator_itself(rows):
    options = Options.of(cp.MLPClassifier(**QUICK))
    strange = dataclasses.replace(options, beta_2=0.5)
    assert spaces.begin_with(strange, spaces.fixed_by(options)) is None
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(spaces, "begin_with", lambda *_: None)
        found = tuned(*rows, trials=2)
    first, second = sorted(found.trials, key=lambda each: each.number)
    assert (first.parameters, bool(second.parameters)) == ({}, True)
    assert first.metrics == next(each for each in tuned(*rows, 1).trials).metrics


# Rows


class Recording(cp.MLPClassifier):
    """Notes the numbers of the rows that it is fitted to."""

    seen = []  # noqa: RUF012 - of all copies

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        held = set() if X_val is None else set(X_val[:, 0].astype(int))
        Recording.seen.append((set(X[:, 0].astype(int)), held))
        return super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("how", ["stratified", "groups", "times"])
def test_no_row_serves_two_purposes(rows, rng, how):
    X, y = rows
    groups, times = np.repeat(np.arange(10), 5), rng.permutation(N)
    given = {"groups": {"groups": groups}, "times": {"times": times}}.get(how, {})
    Recording.seen = []
    found = cp.tune(Recording(**QUICK), X, y, trials=3, seed=0, **given)
    train, held = Recording.seen[0]
    assert Recording.seen[:3] == [(train, held)] * 3
    assert not train & held
    assert all(each == (train | held, set()) for each in Recording.seen[3:])
    assert len(Recording.seen) == 3 + len({found.trials[0].number, *found.weights})
    test = set(range(N)) - train - held
    assert found.n_rows == {"train": len(train), "validation": len(held), "test": len(test)}
    assert all(found.test[name].n_rows == len(test) == 10 for name in found.test)
    parts = [sorted(part) for part in (train, held, test)]
    if how == "groups":
        assert [len({*groups[part]}) for part in parts] == [6, 2, 2]
    if how == "times":
        assert (
            times[parts[0]].max()
            < times[parts[1]].min()
            <= times[parts[1]].max()
            < times[parts[2]].min()
        )
    if how == "stratified":
        assert [(y[part] == "yes").sum() for part in parts] == pytest.approx(
            [0.64 * (y == "yes").sum(), 0.16 * (y == "yes").sum(), 0.2 * (y == "yes").sum()], abs=1.5
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_learned_of_labels_that_are_noise(seed):
    draws = np.random.default_rng(seed)
    X, y = draws.normal(size=(400, 3)), draws.integers(0, 2, 400)
    found = cp.tune(cp.MLPClassifier(**QUICK | {"max_iter": 20}), X, y, trials=12, seed=seed)
    low, high = found.test["best network"].intervals["accuracy"]
    assert low < 0.5 < high
    # It was chosen for its loss, which is why that is not what is told.
    assert found.trials[0].loss < found.losses["best network"]


def test_the_figures_are_those_of_what_is_returned(rows):
    X, y = rows
    seen = []
    found = tuned(X, y, callbacks=[seen.append])
    assert [each.number for each in seen] == [0, 1, 2]
    losses = [each.loss for each in found.trials]
    assert losses == sorted(losses)
    assert sorted(each.metrics["log_loss"] for each in found.trials) == pytest.approx(losses, rel=1e-5)
    examples = Examples.of(found.best, X, y)
    test = tuner._parts(cp.MLPClassifier(**QUICK), examples, 0.2, 5).test
    for name, model in (("best network", found.best), ("ensemble", found.ensemble)):
        right = (model.predict(test.X) == test.y).mean()
        assert found.test[name].metrics["accuracy"] == pytest.approx(right)
        chosen = model.predict_proba(test.X)[np.arange(len(test)), (test.y == "yes").astype(int)]
        assert found.losses[name] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    assert set(found.test) == {
        "best network",
        "ensemble",
        "majority",
        "logistic regression",
        "boosted trees",
    }
    assert found.results["best network"]["cost"] == pytest.approx(
        found.losses["best network"], rel=1e-4
    )
    assert found.best.n_iter_ == found.trials[0].epochs


def test_trained_again_on_its_own_rows_it_is_the_trials_network(rows):
    X, y = rows
    base = cp.MLPClassifier(**QUICK | {"max_iter": 12})
    parts = tuner._parts(base, Examples.of(base, X, y), 0.2, 1)
    arguments = {
        "activation": "relu",
        "learning_rate_init": 0.2,
        "solver": "adamw",
        "weight_decay": 0.01,
    }
    found = trials.run(base, arguments, parts, 3, np.inf)
    assert found.epochs < found.epochs_made == 12  # so that the schedule does not end with it
    again = trials.train_again(base, arguments, found.epochs, parts.train, 3)
    np.testing.assert_array_equal(again.predict_proba(parts.validation.X), found.outputs)
    assert again.callbacks == ()


def test_quantities_have_the_root_of_their_mean_squared_error(rng):
    X = rng.normal(size=(N, 2))
    found = cp.tune(cp.MLPRegressor(**QUICK), X, X[:, 0] * 100, trials=1, seed=0)
    assert found.objective == "rmse"
    assert found.losses["best network"] == pytest.approx(found.test["best network"].metrics["rmse"])
    assert found.losses["ridge regression"] < found.losses["mean"]
    several = cp.tune(cp.MLPRegressor(**QUICK), X, X * 100, trials=1, seed=0)
    assert "boosted trees" not in several.test


# Studies


@pytest.mark.parametrize("storage", ["t.study", pytest.param("sqlite:///t.db", marks=pytest.mark.slow)])
def test_a_study_that_is_gone_on_with_is_that_which_was_not_left(rows, storage, here, monkeypatch):
    X, y = rows
    expected = tuned(X, y, 4)
    real, calls = trials.run, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(trials, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned(X, y, 4, storage=storage)
    monkeypatch.setattr(trials, "run", real)
    told = []
    found = tuned(X, y, 4, storage=storage, callbacks=[told.append], seed=None)
    assert [each.number for each in told] == [3, 4]
    assert same(found, expected)
    assert found.seed == 5
    monkeypatch.setattr(trials, "run", None)  # nothing is left to do
    assert same(tuned(X, y, 4, storage=storage), expected)


def test_a_study_of_another_table_or_with_other_settings_is_refused(rows, here):
    X, y = rows
    tuned(X, y, 1, storage="t.study")
    before = Path("t.study").read_bytes()
    moved = X.copy()
    moved[3, 1] += 1
    for wrong, message in (
        (
            {"X": moved},
            "storage 't.study' holds a study of another table \\(50 rows of 3 features, checksum ",
        ),
        ({"y": y[::-1]}, "storage 't.study' holds a study of another table"),
        ({"sample_weight": np.arange(1.0, N + 1)}, "storage 't.study' holds a study of another table"),
        ({"seed": 6}, "storage 't.study' cannot be gone on with other settings: seed is 6, was 5"),
        ({"test_fraction": 0.3}, "storage 't.study' cannot .*: test_fraction is 0.3, was 0.2"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            tuned(**{"X": X, "y": y, "trials": 2, "storage": "t.study", **wrong})
    with pytest.raises(ValueError, match="cannot be gone on with other settings: arguments is"):
        cp.tune(cp.MLPClassifier(**QUICK, dropout=0.5), X, y, trials=2, storage="t.study", seed=5)
    assert Path("t.study").read_bytes() == before


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (
            "notes.csv",
            "storage 'notes.csv' exists and holds no study; another name keeps what it holds",
        ),
        (".", "storage must be a file, . is a folder"),
        ("no/t.study", "storage 'no/t.study': there is no folder no"),
        pytest.param("nothing://x", "storage 'nothing://x' cannot be used: ", marks=pytest.mark.slow),
    ],
)
def test_a_storage_that_is_none_is_refused_and_kept(rows, here, storage, message):
    Path("notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=f"^{message}"):
        tuned(*rows, storage=storage)
    assert Path("notes.csv").read_text() == "a,b\n1,2\n"


def test_a_trial_that_fails_is_a_row_and_not_the_end(rows, here, monkeypatch):
    real, calls = trials.run, []

    def failing(*given):
        calls.append(given)
        if len(calls) == 2:
            raise ValueError("the cost left\nthe finite numbers")
        return real(*given)

    monkeypatch.setattr(trials, "run", failing)
    found = tuned(*rows, 3)
    assert [each.error for each in found.trials] == ["", "", "the cost left the finite numbers"]
    assert np.isnan(found.trials[-1].loss)
    assert found.trials[-1].number == 1

    def always(*given):
        raise MemoryError

    monkeypatch.setattr(trials, "run", always)
    with pytest.raises(ValueError, match="^every trial failed; the first: MemoryError$"):
        tuned(*rows, 2)


def test_a_short_time_is_enough_for_a_network(rows):
    found = cp.tune(cp.MLPClassifier(**QUICK), *rows, time_limit=1e-3, seed=0)
    assert len(found.trials) == 1
    assert found.best.n_iter_ == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": 1.5}, "trials must be a whole number, got 1.5"),
        ({"time_limit": 0}, "time_limit must be above 0, got 0"),
        ({"test_fraction": 0.9}, "test_fraction must be above 0 and at most 0.5, got 0.9"),
        ({"seed": -1}, r"seed must be from 0 to 2\*\*64 - 1, got -1"),
        ({"estimator": cp.MLPClassifier()}, "tune needs rows to choose by: early_stopping=True"),
        ({"estimator": cp.MLPClassifier(**QUICK, validation_fraction=0.8)}, "tune needs rows to choose by"),
        ({"estimator": cp.MLPClassifier(**QUICK, threshold="f1")}, "tune trains what it has chosen again, on the rows that threshold"),
        ({"estimator": optuna}, "estimator must be an MLPClassifier or MLPRegressor, got <module"),
        ({"estimator": cp.MLPClassifier(preset="realmlp-s", solver="lbfgs")}, "tune searches networks that learn in steps"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(rows, given, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        cp.tune(**{"estimator": cp.MLPClassifier(**QUICK), "X": rows[0], "y": rows[1], **given})


def test_without_optuna_one_sentence_says_what_installs_it(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"^tune needs Optuna: pip install 'clearprop\[tune\]'$"):
        tuned(*rows)
