"""From which probability on the second of two classes is the answer."""

import csv
import io
import json

import numpy as np
import pandas
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

import clearprop as cp
from clearprop.checkpoint import read_tensors, write_tensors
from clearprop.model import threshold

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 30, "random_state": 0, "engine": "numpy"}
ROLES = {"validation_fraction": 0.6, "test_share": 0.5}
COSTS = [[0, 1], [5, -1]]


def cost(y, told):
    return -np.mean(np.asarray(COSTS)[y, told])


SCORES = {
    "accuracy": accuracy_score, "balanced_accuracy": balanced_accuracy_score, "f1": f1_score,
}  # fmt: skip


def rare(n, seed=0):
    """Return rows of which a seventh is of the second class, and the classes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + rng.normal(size=n) > 1.5).astype(int)


@pytest.mark.parametrize("by", [*SCORES, "cost"])
def test_no_threshold_is_better_on_the_rows_that_choose(by):
    rng = np.random.default_rng(0)
    p = np.round(rng.random(60), 2).astype(np.float32)  # with ties
    y = (rng.random(60) < p**2).astype(int)
    score = SCORES.get(by, cost)
    found = threshold.choose(p, y == 1, COSTS if by == "cost" else by)
    best = max(score(y, (p > at).astype(int)) for at in np.linspace(-0.005, 1.005, 102))
    assert score(y, (p > found).astype(int)) == pytest.approx(best, rel=1e-12)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken():
    p, second = np.array([0.1, 0.2, 0.3, 0.45]), np.array([False, False, True, True])
    assert threshold.choose(p, second, "accuracy") == pytest.approx(0.25)
    assert threshold.choose(p, second, [[0, 0], [0, 0]]) == 0.5
    assert threshold.choose(p, second, [[0, 1], [0, 0]]) == 0.5  # as good as all above 0.2
    assert threshold.choose(p + 0.5, ~second, [[0, 9], [1, 0]]) == pytest.approx(0.975)  # above all
    assert threshold.choose(p[:2], second[2:], "accuracy") == pytest.approx(0.05)  # below
    near = np.nextafter(np.float32(0.4), np.float32(1)), np.float32(0.4)  # no number is between them
    at = threshold.choose(np.array([near[1], near[0]]), np.array([False, True]), "accuracy")
    assert float(near[1]) < at < float(near[0])


def test_what_is_judged_is_what_scikit_learn_says_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = (rng.random(300) < p**2).astype(int)
    for by, score in {**SCORES, "cost": cost}.items():
        sign = -1 if by == "cost" else 1
        found = threshold.judged(p, y == 1, 0.7, COSTS if by == "cost" else by)
        assert found["score"] == pytest.approx(sign * score(y, (p > 0.7).astype(int)))
        assert found["at_half"] == pytest.approx(sign * score(y, (p > 0.5).astype(int)))
        low, high = found["interval"]
        assert low < found["score"] < high < low + (1.5 if by == "cost" else 0.2)
        assert found["by"] == by


@pytest.mark.parametrize(("preset", "labels"), [("sklearn", ["a", "b"]), ("realmlp-s", [False, True])])
def test_an_estimator_answers_by_the_threshold_wherever_it_is_asked(preset, labels, tmp_path):
    X, codes = rare(150)
    y = np.array(labels)[codes]
    how = {**SMALL, **ROLES, "preset": preset, "threshold": "balanced_accuracy", "calibrate": True}
    model = cp.MLPClassifier(**how).fit(X, y)
    at = model.threshold_
    p = model.predict_proba(X)[:, 1]
    assert 0 < at < 0.5
    assert ((p > at) != (p > 0.5)).any()
    np.testing.assert_array_equal(model.predict(X), np.array(labels)[(p > at).astype(int)])
    told = model.test_result_
    assert (told["threshold"]["value"], told["threshold"]["by"]) == (at, "balanced_accuracy")
    assert told["accuracy"] == pytest.approx(
        round(told["accuracy"] * told["n_samples"]) / told["n_samples"]
    )
    model.save(tmp_path / "m")
    again = cp.MLPClassifier.load(tmp_path / "m")
    assert again.threshold_ == at
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(cp.load(tmp_path / "m").model.targets.threshold, at)
    with pytest.raises(ValueError, match=r"(no threshold|no such output)"):
        model.to_sklearn()
    tensors, metadata = read_tensors(tmp_path / "m")
    metadata["about"]["estimator"]["threshold"] = 1.5
    write_tensors(tmp_path / "bad", tensors, metadata)
    with pytest.raises(cp.CheckpointError, match="threshold"):
        cp.load(tmp_path / "bad")
    assert model.set_params(threshold=None).fit(X, y).threshold_ is None


def test_the_threshold_is_chosen_on_the_rows_that_choose_and_judged_on_others():
    X, y = rare(150)
    model = cp.MLPClassifier(**SMALL, test_share=0.5, threshold="balanced_accuracy")
    model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    from clearprop.data.split import divide

    choosing, judging = (60 + rows for rows in divide(y[60:], 0.5, 0))
    p = model.predict_proba(X)[:, 1]
    assert model.threshold_ == threshold.choose(p[choosing], y[choosing] == 1, "balanced_accuracy")
    told = model.test_result_["threshold"]
    assert told["score"] == pytest.approx(
        balanced_accuracy_score(y[judging], model.predict(X[judging]))
    )
    assert model.test_result_["accuracy"] == pytest.approx(model.score(X[judging], y[judging]))


def test_of_members_it_is_their_mean_that_is_calibrated_and_told():
    X, y = rare(150)
    model = cp.MLPClassifier(**SMALL, **ROLES, members=3, calibrate=True, threshold="balanced_accuracy")
    model.fit(X, y)
    mean = np.mean([member.predict(X)[:, 0] for member in model.network_.members], axis=0)
    p = model.calibration_(np.column_stack([1 - mean, mean]))
    np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), p[:, 1] > model.threshold_)


def test_what_has_no_threshold_is_refused_in_a_sentence():
    X, y = rare(80)
    for by in ("f2", [[0, 1]], [[0, 1], [np.nan, 0]], [["a", 1], [2, 0]]):
        with pytest.raises(ValueError, match=r"^threshold must be "):
            cp.MLPClassifier(threshold=by, **SMALL).fit(X, y)
    model = cp.MLPClassifier(threshold="f1", **SMALL)
    with pytest.raises(ValueError, match=r"^threshold='f1' is for two classes, got 3"):
        model.fit(X, np.arange(80) % 3)
    with pytest.raises(
        ValueError, match=r"^threshold='f1' needs held-out rows of at least two classes, "
    ):
        model.fit(X, y, X_val=X[:9], y_val=np.zeros(9, int))
    with pytest.raises(
        ValueError, match=r"^threshold='f1' is for one label a row, got multilabel-indi"
    ):
        model.fit(X, np.stack([y, 1 - y], axis=1))
    with pytest.raises(
        ValueError, match=r"^partial_fit does not support threshold, got 'f1': it holds"
    ):
        model.partial_fit(X, y, classes=[0, 1])


def test_the_shell_chooses_a_threshold_says_so_and_answers_by_it(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, codes = rare(400)
    frame = pandas.DataFrame(X, columns=["u", "v", "w"]).assign(y=np.array(["no", "yes"])[codes])
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
        9,
    )
    code, out, _ = clearprop(*run, "--threshold", "f1")
    assert code == 0
    model = cp.MLPClassifier.load("t.safetensors")
    assert f"threshold           {model.threshold_:.3g}, chosen by f1\nf1                  0." in out
    assert "chosen by f1" in clearprop("info", "t.safetensors")[1]
    rows = list(csv.DictReader(io.StringIO(clearprop("predict", "t.safetensors", "t.csv")[1])))
    told = np.array([row["prediction"] for row in rows])
    assert (told == model.predict(frame.drop(columns="y"))).mean() > 0.99  # but for rounding
    above = np.array([float(row["probability_yes"]) for row in rows]) > model.threshold_
    assert (above == (told == "yes")).all()
    found = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json", "--bootstrap", 0)[1])
    assert found["accuracy"] == pytest.approx((told == frame["y"]).mean())
    code, out, _ = clearprop(*run, "--threshold", "0,1,3,0", "--json")
    assert (code, json.loads(out)["threshold"]["by"]) == (0, "cost")
    for wrong, said in {
        ("0,1,3",): "--threshold must be accuracy, balanced_accuracy, f1 or four costs such as 0,1,5,0",
        ("recall",): "--threshold must be",
        ("f1", "--validation", 0): "--threshold needs rows that are held out, and there are none",
        ("f1", "--target", "u"): "--threshold is for classes, u is none",
    }.items():
        code, out, err = clearprop(*run, "--threshold", *wrong)
        assert (code, out) == (2, "")
        assert said in err
    code, _, err = clearprop("train", "iris", "--threshold", "f1")
    assert code == 2
    assert "threshold='f1' is for two classes, got 3" in err
