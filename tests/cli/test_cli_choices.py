"""What held-out rows choose for a network of arrays: a temperature, a threshold, and intervals."""

import csv
import io
import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

import clearprop as cp
from clearprop.model import calibration

QUICK = ("--epochs", 2, "--seed", 0, "--engine", "numpy", "--output", "m", "--hidden", 6)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + rng.normal(size=300) > 1.0).astype(int)
    np.savez("two.npz", X=X, y=y)
    return tmp_path


def predicted(out):
    return list(csv.DictReader(io.StringIO(out)))


def test_a_temperature_is_of_rows_held_out_and_judged_on_the_test_part(clearprop):
    code, out, err = clearprop("train", "iris", *QUICK, "--calibrate")
    assert code == 0
    assert (
        "24 rows are held out for validation (--validation 0 trains on all); they choose the temp"
        in err
    )
    assert out.count(", calibrated ") == 3
    net, iris = cp.load("m"), cp.data.load("iris")
    _, held = cp.data.holdout(iris.train[1], 0.2, 0)
    found = net.model.targets.calibration
    assert found == calibration.fit(net.predict(iris.X_train[held]), iris.train[1][held])
    p = found(net.predict(iris.X_test))
    told = json.loads(clearprop("evaluate", "m", "iris", "--json", "--bootstrap", 0)[1])
    assert told["log_loss"] == pytest.approx(log_loss(iris.test[1], p), rel=1e-5)
    result = net.about["result"]
    assert result["calibration"]["after"]["log_loss"] == pytest.approx(told["log_loss"], rel=1e-6)
    rows = predicted(clearprop("predict", "m", "iris")[1])
    assert float(rows[0]["probability_setosa"]) == pytest.approx(p[0, 0], rel=1e-5)
    assert "temperature  " in clearprop("info", "m")[1]


def test_a_threshold_is_of_half_of_the_rows_held_out_and_decides(clearprop):
    code, _, err = clearprop("train", "two.npz", *QUICK, "--threshold", "f1", "--calibrate")
    assert code == 0
    assert "30 of them choose the temperature and the threshold, 30 judge" in err
    net = cp.load("m")
    with np.load("two.npz") as file:
        data = dict(file)
    threshold, result = net.model.targets.threshold, net.about["result"]
    p = net.model.targets.probabilities(net.predict(data["X"]))[:, 1]
    told = [int(row["prediction"]) for row in predicted(clearprop("predict", "m", "two.npz")[1])]
    assert told == (p > threshold).astype(int).tolist()
    from clearprop.data.split import divide

    _, held = cp.data.holdout(data["y"], 0.2, 0)
    judges = held[divide(data["y"][held], 0.5, 0)[1]]
    answers = p[judges] > threshold
    assert (result["n_samples"], result["n_validation"]) == (30, 30)
    assert result["threshold"]["score"] == pytest.approx(f1_score(data["y"][judges], answers))
    assert result["accuracy"] == pytest.approx(np.mean(answers == data["y"][judges]))


def test_what_cannot_be_chosen_is_refused_in_a_sentence(clearprop, here):
    for data, option, said in (
        ("diabetes", ("--calibrate",), "--calibrate is for classes, the target is none"),
        ("diabetes", ("--threshold", "f1"), "--threshold is for classes, the target is none"),
        ("iris", ("--threshold", "f1"), "threshold='f1' is for two classes, got 3"),
        ("two.npz", ("--calibrate", "--validation", 0), "needs rows that are held out, got none"),
    ):
        code, out, err = clearprop("train", data, *QUICK, *option)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    assert not (here / "m").exists()


@pytest.mark.parametrize("data", ["a.csv", "a.npz"])
def test_a_rate_is_scaled_to_the_batch_and_rises_to_it(clearprop, here, data):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(700, 2)), rng.integers(0, 2, 700)
    np.savez("a.npz", X=X, y=y)
    np.savetxt("a.csv", np.c_[X, y], delimiter=",", header="a,b,y", comments="")
    how = ("train", data, *QUICK, "--epochs", 6, "--learning-rate", 0.001, "--log", "l.csv", "--quiet")
    for rule, times in (("linear", 2.0), ("sqrt", 2.0**0.5)):
        assert clearprop(*how, "--batch-size", 512, "--scale-rate", rule)[0] == 0
        rates = [float(row["learning_rate"]) for row in predicted((here / "l.csv").read_text())]
        assert 0.001 <= rates[0] < rates[3] < rates[5] == pytest.approx(0.001 * times)
    code, _, err = clearprop(*how, "--scale-rate", "linear")
    assert code == 2
    assert "--scale-rate linear needs --learning-rate" in err
    code, _, err = clearprop(*how, "--batch-size", 512, "--scale-rate", "cubic")
    assert code == 2
    assert "--scale-rate must be one of linear, sqrt, got 'cubic'" in err
