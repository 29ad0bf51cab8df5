"""Temperatures: what they make of probabilities, and how reliable those are."""

import csv
import io
import json
import re

import numpy as np
import pandas
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.metrics import log_loss

import clearprop as cp
from clearprop.evaluation import calibration_error
from clearprop.model import calibration
from clearprop.model.calibration import Calibration
from clearprop.model.reliability import reliability

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 30, "random_state": 0, "engine": "numpy"}
ROLES = {"validation_fraction": 0.4, "test_share": 0.5, "calibrate": True}


def problem(n, k, seed=0, surer=1.0):
    """Return probabilities that are as much surer than right, and labels."""
    rng = np.random.default_rng(seed)
    z = 1.5 * rng.normal(size=(n, k))
    labels = (softmax(z, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return softmax(surer * z, axis=1), labels


def test_probabilities_go_through_logarithms_and_are_mixed_with_all_alike():
    p, _ = problem(7, 3)
    found = Calibration(1.7, 0.1)(p)
    np.testing.assert_allclose(found, 0.9 * softmax(np.log(p) / 1.7, axis=1) + 0.1 / 3, rtol=1e-12)
    two, _ = problem(7, 2)
    np.testing.assert_allclose(Calibration(1.7)(two)[:, 1], expit(logit(two[:, 1]) / 1.7), rtol=1e-12)
    sure = Calibration(2.0)(np.array([[1.0, 0.0], [0.5, 0.5]], np.float32))
    assert sure.dtype == np.float32
    assert 0 < sure[0, 1] < 1e-3


def test_label_smoothing_is_taken_back_as_no_temperature_could():
    """Of what a network learns from smoothed labels, the probabilities that the labels have remain."""
    true, labels = problem(20_000, 3)
    learned = 0.9 * true + 0.1 / 3
    found = calibration.fit(learned, labels, 0.1)  # the temperature sees to the 1 % that is left
    assert (found.label_smoothing, found.temperature) == (0.1, pytest.approx(1.0, abs=0.05))
    other = calibration.fit(learned, labels)
    off, others = (abs(each(learned) - true).max() for each in (found, other))
    assert 3 * off < others
    below = Calibration(1.0, label_smoothing=0.1)(np.array([[0.99, 0.005, 0.005]]))
    parts = 0.99 * np.array([[0.99 - 0.1 / 3, 0.0, 0.0]]) / 0.9 + 0.01 / 3
    np.testing.assert_allclose(below, parts / parts.sum(), rtol=1e-12)
    slight = np.array([[0.7, 0.2, 0.1]])
    np.testing.assert_allclose(Calibration(1.0, label_smoothing=0.01)(slight), slight)


def test_slopes_are_those_of_what_the_probabilities_become():
    rng = np.random.default_rng(0)
    z, step, directions = rng.normal(size=(7, 3)), 1e-6, rng.normal(size=(7, 3, 4))
    made = Calibration(0.7, 0.02, label_smoothing=0.3)
    p = softmax(z, axis=1)
    slopes = p[:, :, None] * (directions - (p[:, :, None] * directions).sum(axis=1, keepdims=True))
    assert (p < 0.1).any()  # where nothing is left to take back
    for feature in range(4):
        ends = [made(softmax(z + sign * step * directions[:, :, feature], axis=1)) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(
            made.slopes(p, slopes)[:, :, feature], expected, rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("k", [2, 4])
def test_the_temperature_is_that_of_the_least_log_loss(k):
    p, labels = problem(400, k, surer=2.0)

    def cost(u):
        return -log_softmax(np.log(p) * np.exp(-u), axis=1)[np.arange(400), labels].mean()

    found = calibration.fit(p, labels)
    nearest = minimize_scalar(cost, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9}).x
    assert found.temperature == pytest.approx(np.exp(nearest), rel=1e-6)
    assert found.smoothing == 1 / 401


def test_what_was_made_surer_is_made_less_sure_again():
    p, labels = problem(20_000, 3, surer=2.5)
    found = calibration.fit(p, labels)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    before, after = reliability(p, labels), reliability(found(p), labels)
    assert before["ece"] > 5 * before["ece_by_chance"]
    assert after["ece"] < 2 * after["ece_by_chance"]
    assert after["log_loss"] < before["log_loss"]


def test_few_rows_that_are_all_right_do_not_make_sure_and_wrong_ones_make_all_alike():
    labels = np.array([0, 2, 1, 2, 0, 1])
    p = np.where(np.eye(3)[labels] > 0, 0.8, 0.1)
    laplace = 1 - 1 / 7 + 1 / 21
    np.testing.assert_allclose(calibration.fit(p, labels)(p)[range(6), labels], laplace, rtol=1e-9)
    np.testing.assert_allclose(calibration.fit(p, (labels + 1) % 3)(p), 1 / 3, atol=0.01)


@pytest.mark.parametrize(("preset", "k"), [("sklearn", 2), ("realmlp-s", 2), ("sklearn", 3)])
def test_an_estimator_is_calibrated_wherever_it_is_asked(preset, k, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = np.array(["a", "b", "c"])[np.argmax(X[:, :k] + rng.normal(size=(120, k)), axis=1)]
    how = {**SMALL, **ROLES, "preset": preset, "dtype": "float64"}
    model = cp.MLPClassifier(**how).fit(X, y)
    plain = cp.MLPClassifier(**how | {"calibrate": False, "early_stopping": True}).fit(X, y)
    model.network_.parameters[:] = plain.network_.parameters
    found, made = model.predict_proba(X), model.calibration_
    np.testing.assert_allclose(found, made(plain.predict_proba(X)), rtol=1e-12)
    assert (model.predict(X) == plain.predict(X)).all()
    assert plain.calibration_ is None
    slopes, step = model.input_gradient(X[:3]), 1e-6
    moved = np.stack([X[:3] + step * sign * np.eye(4)[:, None] for sign in (1, -1)])
    p = np.array([[model.predict_proba(rows) for rows in each] for each in moved])
    numeric = (p[0] - p[1]).transpose(1, 2, 0) / (2 * step)
    expected = numeric[:, 1] if slopes.ndim == 2 else numeric
    np.testing.assert_allclose(slopes, expected, rtol=1e-6, atol=1e-8)
    model.save(tmp_path / "m")
    again = cp.MLPClassifier.load(tmp_path / "m")
    assert again.calibration_ == made
    np.testing.assert_array_equal(again.predict_proba(X), found)
    with pytest.raises(ValueError, match=r"(no temperature|no such output)"):
        model.to_sklearn()
    assert model.set_params(calibrate=False).fit(X, y).calibration_ is None


def test_the_temperature_is_of_rows_that_choose_and_its_effect_of_those_that_judge():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), rng.integers(0, 2, 90)
    model = cp.MLPClassifier(**SMALL, test_share=0.4, calibrate=True)
    model.fit(X[:50], y[:50], X_val=X[50:], y_val=y[50:])
    from clearprop.data.split import divide

    choosing, judging = (50 + rows for rows in divide(y[50:], 0.4, 0))
    before = cp.MLPClassifier(**SMALL).fit(X[:50], y[:50])
    p = before.predict_proba(X)
    assert model.calibration_ == calibration.fit(p[choosing], y[choosing])
    told = model.test_result_["calibration"]
    assert told["before"]["log_loss"] == pytest.approx(log_loss(y[judging], p[judging]), rel=1e-9)
    after = log_loss(y[judging], model.predict_proba(X[judging]))
    assert told["after"]["log_loss"] == pytest.approx(after, rel=1e-9)
    assert told["temperature"] == model.calibration_.temperature > 1  # it has learned noise by heart


def test_a_preset_calibrates_where_rows_choose_that_have_one_label_each():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), rng.integers(0, 2, 90)
    held = {"X_val": X[40:], "y_val": y[40:]}
    model = cp.MLPClassifier(**SMALL, preset="realmlp-s").fit(X[:40], y[:40], **held)
    plain = cp.MLPClassifier(**SMALL, preset="realmlp-s", calibrate=False)
    p = plain.fit(X[:40], y[:40], **held).predict_proba(X[40:])
    assert model.calibration_ == calibration.fit(p, y[40:], 0.1)
    few = {"X_val": X[41:], "y_val": y[41:]}
    assert model.fit(X[:40], y[:40], **few).calibration_ is None
    assert cp.MLPClassifier(**SMALL).fit(X, y).calibration_ is None
    all_rows = cp.MLPClassifier(**SMALL, preset="realmlp-s", early_stopping=False)
    assert all_rows.fit(X, y).calibration_ is None
    assert all_rows.partial_fit(X, y).calibration_ is None
    one = {"X_val": X[40:], "y_val": np.ones(50, int)}
    model = cp.MLPClassifier(**SMALL, preset="realmlp-s")
    assert model.fit(X[:40], y[:40], **one).calibration_ is None
    model.fit(X, np.stack([y, 1 - y], axis=1))
    assert model.network_.model.targets.kind == "multilabel-indicator"


def test_what_cannot_be_calibrated_is_refused_in_a_sentence():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    model = cp.MLPClassifier(calibrate=True, **SMALL)
    with pytest.raises(ValueError, match=r"^calibrate=True is for one label a row, got multilabel-ind"):
        model.fit(X, np.stack([y, 1 - y], axis=1))
    with pytest.raises(ValueError, match=r"held-out rows of at least two classes, got 40 of class 1;"):
        model.fit(X, y, X_val=X, y_val=np.ones(40, int))
    with pytest.raises(
        ValueError, match=r"^partial_fit does not support calibrate, got True: it holds"
    ):
        model.partial_fit(X, y, classes=[0, 1])
    rows = cp.data.stream(
        pandas.DataFrame(X).assign(y=y).rename(columns=str), target="y", validation=0.0
    )
    with pytest.raises(
        ValueError, match=r"^calibrate=True needs a stream with validation above 0, got 0"
    ):
        model.fit(rows)


def test_the_calibration_error_is_that_of_bins_of_equal_mass():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 100)
    right = rng.random(100) < sure**2
    order, total = np.argsort(sure), 0.0
    for start, stop in zip(range(0, 100, 10), range(10, 101, 10), strict=True):
        rows = order[start:stop]
        total += 0.1 * abs(sure[rows].mean() - right[rows].mean())
    few = calibration_error(sure[order[:45]], right[order[:45]])
    bins = [order[3 * i : 3 * i + 3] for i in range(15)]
    assert few == pytest.approx(np.mean([abs((sure - right)[rows].mean()) for rows in bins]), rel=1e-12)
    assert calibration_error(np.ones(30), np.ones(30, bool)) == 0
    assert calibration_error(np.full(30, 0.9), np.zeros(30, bool)) == pytest.approx(0.9)


def test_by_chance_is_what_labels_drawn_from_the_probabilities_have():
    drawn = [reliability(*problem(200, 2, seed)) for seed in range(12)]
    mean, chance = (np.mean([each[name] for each in drawn]) for name in ("ece", "ece_by_chance"))
    assert mean == pytest.approx(chance, rel=0.15)


def test_the_shell_calibrates_says_so_and_predicts_with_it(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(600, 3)), columns=["u", "v", "w"])
    frame["y"] = np.where(frame["u"] + rng.normal(size=600) > 0, "yes", "no")
    frame.to_csv("t.csv", index=False)
    run = (
        "train",
        "t.csv",
        "--target",
        "y",
        "--hidden",
        8,
        "--engine",
        "numpy",
        "--seed",
        0,
        "--epochs",
        3,
    )
    code, out, err = clearprop(*run)
    assert code == 0
    assert "60 of them choose the epoch and the temperature; 60 judge, the figures are theirs" in err
    model = cp.MLPClassifier.load("t.safetensors")
    told = f"temperature         {model.calibration_.temperature:.3g}, label smoothing taken back"
    assert told in out
    assert out.count(", calibrated ") == 3
    assert "ECE  " in clearprop("info", "t.safetensors")[1]
    rows = list(csv.DictReader(io.StringIO(clearprop("predict", "t.safetensors", "t.csv")[1])))
    p = model.predict_proba(frame.drop(columns="y"))
    np.testing.assert_allclose([float(row["probability_yes"]) for row in rows], p[:, 1], rtol=1e-5)
    told = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json", "--bootstrap", 0)[1])
    assert told["log_loss"] == pytest.approx(log_loss(frame["y"], p), rel=1e-5)
    expected = reliability(p.astype(np.float32), (frame["y"] == "yes").to_numpy(int))
    for name in ("ece", "ece_by_chance", "brier"):
        assert told[name] == pytest.approx(expected[name], rel=1e-4)
    assert re.search(
        r"ECE +0\.\d+ +0\.\d+ by chance", clearprop("evaluate", "t.safetensors", "t.csv")[1]
    )
    code, out, _ = clearprop(*run, "--no-calibrate", "--output", "plain.safetensors")
    assert code == 0
    assert "temperature" not in out
    plain = cp.MLPClassifier.load("plain.safetensors")
    assert plain.calibration_ is None
    np.testing.assert_array_equal(plain.network_.parameters, model.network_.parameters)
    for wrong, said in {
        ("--validation", 0): "--calibrate needs rows that are held out, and there are none",
        ("--target", "u"): "--calibrate is for classes, u is none",
    }.items():
        code, out, err = clearprop(*run, "--calibrate", *wrong)
        assert (code, out) == (2, "")
        assert said in err
