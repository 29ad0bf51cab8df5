"""Out-of-fold: of few rows each is predicted by a network that has not learned from it."""

import json

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.estimators import baselines
from clearprop.estimators.options import Options
from clearprop.evaluation import wilson_interval
from clearprop.model import calibration, conformal
from clearprop.model.reliability import reliability
from clearprop.tuning.examples import Examples
from clearprop.tuning.fitting import fit, outputs_of
from clearprop.tuning.out_of_fold import folds_of, judge, out_of_fold

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 0, "engine": "numpy"}
N = 70


def examples(kind, y, **known):
    X = np.random.default_rng(0).normal(size=(len(y), 3))
    return Examples.of(kind(), X, y, **known)


def labels(n=N, k=3):
    return np.random.default_rng(1).integers(0, k, n)


def test_each_row_is_predicted_from_the_other_folds_and_the_temperature_that_judges_is_theirs():
    model = cp.MLPClassifier(**SMALL, preset="realmlp-s")
    rows = examples(cp.MLPClassifier, labels())
    found = out_of_fold(model, rows, seed=3, seconds=0.0)
    assert found.beside == []
    assert sorted(np.concatenate(found.folds)) == list(range(N))
    plain = cp.MLPClassifier(**SMALL, preset="realmlp-s", calibrate=False)
    for held in found.folds:
        others = np.setdiff1d(np.arange(N), held)
        expected = outputs_of(fit(plain, rows.part(others)), rows.part(held))
        np.testing.assert_array_equal(found.outputs[held], expected)
    fitted = model.fit(rows.X, rows.y)
    told = judge(fitted.network_.model, Options.of(model), found)
    p, codes = found.outputs, rows.codes
    assert fitted.calibration_ == calibration.fit(p, codes, 0.1)
    after = np.empty_like(p)
    for held in found.folds:
        others = np.setdiff1d(np.arange(N), held)
        after[held] = calibration.fit(p[others], codes[others], 0.1)(p[held])
    assert told["calibration"]["after"] == reliability(after, codes)
    assert told["calibration"]["before"] == reliability(p, codes)
    assert (told["part"], told["n_samples"]) == ("out-of-fold", N)
    assert told["accuracy"] == np.mean(p.argmax(axis=1) == codes)
    assert told["cost"] == pytest.approx(told["calibration"]["before"]["log_loss"], rel=1e-5)
    assert told["intervals"]["accuracy"] == list(wilson_interval(told["accuracy"], N, 0.95))


def test_of_quantities_all_errors_say_how_wide_an_interval_is():
    y = 1e3 + 50 * np.random.default_rng(2).normal(size=N)
    rows = examples(cp.MLPRegressor, y)
    model = cp.MLPRegressor(**SMALL, preset="realmlp-s")
    found = out_of_fold(model, rows, seed=3, seconds=0.1)
    fitted = model.fit(rows.X, rows.y)
    told = judge(fitted.network_.model, Options.of(model), found)
    errors = np.sort(abs(found.outputs[:, 0] - y))
    assert told["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-6)
    assert told["within_90"] == pytest.approx(errors[conformal.rank(N, conformal.check_level(0.9)) - 1])
    answers, bounds = fitted.predict(rows.X, interval=0.9)
    np.testing.assert_allclose(bounds[:, 1] - answers, told["within_90"], rtol=1e-4)
    mean, *others = found.beside
    assert (mean.name, mean.metric, len(others)) == ("mean", "rmse", 2)
    guessed = np.empty(N)
    for held in found.folds:
        guessed[held] = y[np.setdiff1d(np.arange(N), held)].mean()
    assert mean.value == pytest.approx(np.sqrt(np.mean((guessed - y) ** 2)), rel=1e-5)
    held = baselines.Rows(rows.X, y)
    figures = baselines.difference(held, found.outputs[:, 0], guessed, False)
    assert mean.difference == pytest.approx(figures[1], rel=1e-3)
    assert mean.high - mean.low == pytest.approx(figures[3] - figures[2], rel=0.2)  # of five folds


def test_folds_keep_groups_whole_and_leave_every_class_to_learn_from():
    groups = np.arange(N) % 7
    for fold in folds_of(examples(cp.MLPClassifier, labels(), groups=groups), 0):
        assert not set(groups[fold.train]) & set(groups[fold.held])
    rare = labels(k=2)
    rare[0] = 9
    with pytest.raises(ValueError, match=r"^folds must each leave rows of every class .* none of 9;"):
        folds_of(examples(cp.MLPClassifier, rare), 0)


@pytest.mark.slow
def test_of_noise_they_say_that_it_is_guessed_and_intervals_cover_what_was_asked():
    right, covered = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, noise = rng.normal(size=(60, 4)), rng.normal(size=60)
        model = cp.MLPClassifier(**SMALL | {"random_state": seed}, preset="realmlp-s")
        of_classes = Examples.of(model, X, (noise > 0).astype(int))
        found = out_of_fold(model, of_classes, seed, 2.0)
        right.append(np.mean(found.outputs.argmax(axis=1) == of_classes.y))
        assert not any(each.is_beaten for each in found.beside)
        model = cp.MLPRegressor(**SMALL | {"random_state": seed}, preset="realmlp-s")
        rows = Examples.of(model, X, noise)
        judge(
            model.fit(X, noise).network_.model, Options.of(model), out_of_fold(model, rows, seed, 0.0)
        )
        bounds = model.predict(rng.normal(size=(400, 4)), interval=0.8)[1]
        new = rng.normal(size=400)
        covered.append(np.mean((bounds[:, 0] <= new) & (new <= bounds[:, 1])))
    low, high = wilson_interval(float(np.mean(right)), 360, 0.99)
    assert low < 0.5 < high
    assert np.mean(covered) == pytest.approx(0.8, abs=0.05)


def test_the_shell_judges_few_rows_out_of_fold_and_says_so(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(90, 3)), columns=["u", "v", "w"])
    frame["y"] = np.where(frame["u"] + rng.normal(size=90) > 0, "yes", "no")
    frame.to_csv("t.csv", index=False)
    run = ("train", "t.csv", "--hidden", 8, "--engine", "numpy", "--seed", 0, "--epochs", 3)
    run += ("--target", "y", "--validation", "folds")
    code, out, err = clearprop(*run)
    assert code == 0
    assert "72 rows to train on; 18 rows are held out for validation" in err
    assert "18 of them choose the epoch; all rows judge, each one of 5 more networks that has" in err
    assert "accuracy            " in out
    assert " of 90 right)" in out
    assert "of each row one of\n                    5 networks that had not seen it" in out
    assert "logistic regression" in out
    model = cp.MLPClassifier.load("t.safetensors")
    told = model.test_result_
    assert (told["part"], told["n_samples"]) == ("out-of-fold", 90)
    assert model.calibration_.smoothing == 1 / 91
    assert "out of fold: of each row one of" in clearprop("info", "t.safetensors")[1]
    again = json.loads(clearprop(*run, "--json", "--quiet")[1])
    assert again["accuracy"] == told["accuracy"]
    for asked in (("--buffer", 10), ("--threshold", "f1"), ("--time", "w"), ("--time-limit", "20s")):
        code, out, err = clearprop(*run, *asked)
        assert (code, out) == (2, "")
        assert (
            f"--validation folds does not go with {asked[0]}; --validation 0.2 holds out a fifth" in err
        )
    code, out, err = clearprop("train", "iris", "--validation", "folds")
    assert (code, err) == (
        2,
        "clearprop: --validation folds is for tables (CSV, Parquet), iris is none\n",
    )
    monkeypatch.setattr("clearprop.tuning.out_of_fold.fit", interrupted)
    code, out, err = clearprop(*run)
    assert (code, "of rows it learned from" in out) == (0, True)
    assert "interrupted: the model is saved, without figures of rows that it has not seen" in err


def interrupted(*what):
    raise KeyboardInterrupt
