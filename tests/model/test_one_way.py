"""One way from a raw value to an input, and from an output to an answer; one rule for what a target is."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop import backprop
from clearprop.data.table import TargetEncoder, open_table

N = 60
QUICK = ("--hidden", "5", "--epochs", "2", "--seed", "0", "--quiet")


@pytest.fixture
def clearprop(clearprop):
    """Call ``main``, which must succeed; return standard output."""

    def call(*arguments):
        code, out, err = clearprop(*arguments)
        assert code == 0, err
        return out

    return call


def walked(model, raw):
    """Walk from a raw table, or rows of numbers, to outputs: the steps of the model, the equations."""
    if model.inputs.encoder is None:
        rows = np.asarray(raw, model.dtype)
        for step in model.inputs.steps:
            rows = step(rows)
    else:
        table = model.inputs.open(raw)
        rows = model.inputs.of_batch(table.table(model.inputs.columns), model.dtype)
    return backprop.forward(model.architecture, model.parameters, rows).a[-1]


def frame(quantity=False):
    rng = np.random.default_rng(0)
    found = pandas.DataFrame(
        {
            "age": np.where(np.arange(N) % 9 == 0, np.nan, rng.normal(40, 12, N).round(1)),
            "plan": rng.choice(["basic", "plus", "pro"], N),
            "empty": 7.0,
        }
    )
    age = found["age"].fillna(40)
    found["left"] = 1000 * age + 5e5 if quantity else np.where(age > 40, "yes", "no")
    return found


@pytest.mark.parametrize("quantity", [False, True])
@pytest.mark.parametrize("door", ["estimator", "stream", "shell"])
def test_a_cell_of_a_table_goes_one_way_to_an_answer(clearprop, tmp_path, door, quantity):
    table = frame(quantity)
    table.to_csv("t.csv", index=False)
    kind = cp.MLPRegressor if quantity else cp.MLPClassifier
    if door == "shell":
        clearprop("train", "t.csv", "--target", "left", "--output", "m.safetensors", *QUICK)
    else:
        estimator = kind(hidden_layer_sizes=(5,), preset="realmlp-s", max_iter=2, random_state=0)
        if door == "stream":
            estimator.fit(cp.data.stream("t.csv", target="left", buffer_rows=256, seed=0))
        else:
            estimator.fit(table.drop(columns="left"), table["left"])
        estimator.save("m.safetensors")
    model = cp.load("m.safetensors").model
    a = walked(model, "t.csv")
    answers = model.targets.decode(a.astype(np.float64))
    features = table[list(model.inputs.columns) if door == "stream" else ["age", "plan", "empty"]]
    read_back = kind.load("m.safetensors").predict(features)
    clearprop("predict", "m.safetensors", "t.csv", "--output", "p.csv")
    with Path("p.csv").open(encoding="utf-8") as file:
        written = [row["prediction"] for row in csv.DictReader(file)]
    if quantity:
        np.testing.assert_allclose(read_back, answers[:, 0], rtol=1e-5)
        np.testing.assert_allclose(np.array(written, float), answers[:, 0], rtol=1e-5)
    else:
        assert read_back.tolist() == answers.tolist() == written
        probabilities = kind.load("m.safetensors").predict_proba(features)
        np.testing.assert_allclose(model.targets.probabilities(a), probabilities, atol=1e-6)


def test_a_number_of_an_array_goes_the_same_way(clearprop, tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(300, 40, (N, 4)), np.array(["u", "v", "w"])[np.arange(N) % 3]
    X[:, 2] = 5.0
    net = cp.Network([4, 5, 3], scaling=cp.data.standardize(X), dtype="float64", seed=0)
    net.fit(X, y, epochs=2, progress=False)
    answers = net.model.targets.decode(walked(net.model, X))
    assert net.classify(X).tolist() == answers.tolist()
    net.save("m.safetensors")
    np.savez("t.npz", X=X)
    clearprop("predict", "m.safetensors", "t.npz", "--output", "p.csv")
    with Path("p.csv").open(encoding="utf-8") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == answers.tolist()
    other = X.copy()
    other[:, 2] = 6.0  # was constant: it is 0 whatever it is now
    np.testing.assert_array_equal(net.predict(other), net.predict(X))


# Classes or quantity

_MANY = np.arange(N)
COLUMNS = {
    "words": np.array(["a", "b", "c"])[_MANY % 3],
    "two words": np.array(["yes", "no"])[_MANY % 2],
    "a word for every row": np.array([f"w{i}" for i in _MANY]),
    "words that look like numbers with a stray": np.array(["1", "2", "x"])[_MANY % 3],
    "true and false": _MANY % 2 == 0,
    "0 and 1": _MANY % 2,
    "1 and 2": 1 + _MANY % 2,
    "minus 1 and 1": 2 * (_MANY % 2) - 1,
    "three": _MANY % 3,
    "three far apart": np.array([1, 1000, 1_000_000])[_MANY % 3],
    "nineteen": _MANY % 19,
    "twenty": _MANY % 20,
    "twenty one": _MANY % 21,
    "a number for every row": _MANY,
    "years": 1950 + _MANY,
    "0.0 and 1.0": (_MANY % 2).astype(float),
    "twenty whole floats": (_MANY % 20).astype(float),
    "twenty one whole floats": (_MANY % 21).astype(float),
    "halves": _MANY / 2,
    "0 and 0.5": (_MANY % 2) / 2,
    "one fraction among whole numbers": np.where(_MANY == 7, 0.25, _MANY % 2),
    "thirds": _MANY / 3,
    "negative numbers": -(_MANY % 5),
    "large floats": (_MANY % 3) * 1e6,
    "tiny floats": (_MANY % 3) * 1e-6,
    "prices": 100.0 + _MANY * 1.25,
    "ratings": np.array([1.0, 1.5, 2.0, 2.5])[_MANY % 4],
    "uint8": (_MANY % 4).astype(np.uint8),
    "int32": (_MANY % 25).astype(np.int32),
    "float32": (_MANY % 3).astype(np.float32),
}
QUANTITIES = {
    "twenty one", "a number for every row", "years", "twenty one whole floats", "halves", "0 and 0.5",
    "one fraction among whole numbers", "thirds", "tiny floats", "prices", "ratings", "int32",
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.filterwarnings("ignore:.*is it a name or a number")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_door_tells_classes_from_quantities_alike(clearprop, tmp_path, name):
    y = COLUMNS[name]
    assert len(COLUMNS) == 30
    wanted = "regression" if name in QUANTITIES else "classification"
    X = np.stack([_MANY % 7, _MANY % 11], axis=1).astype(float)
    table = pandas.DataFrame({"p": X[:, 0], "q": X[:, 1], "y": y})
    table.to_csv("t.csv", index=False)
    table.to_parquet("t.parquet")
    if y.dtype.kind != "U" or "stray" not in name:
        np.savez("t.npz", X=X, y=y)
    told = {path.name: cp.data.load(path).task for path in sorted(tmp_path.glob("t.*"))}
    for path in ("t.csv", "t.parquet"):
        told[f"{path} as a table"] = TargetEncoder.learn(open_table(path), "y").task
        told[f"{path} as a stream"] = cp.data.stream(path, target="y", seed=0).target.task
    told["a data frame"] = TargetEncoder.learn(open_table(table), "y").task
    out = clearprop("train", "t.csv", "--target", "y", "--json", "--engine", "numpy", *QUICK)
    told["the shell"] = json.loads(out)["task"]
    assert told == dict.fromkeys(told, wanted)
    # Where nothing is to be told, what the estimators say holds.
    if wanted == "classification":
        model = cp.MLPClassifier(hidden_layer_sizes=(3,), max_iter=1, solver="sgd").fit(X, y)
        assert len(model.classes_) == len(np.unique(y))
    else:
        assert (
            cp.MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, solver="sgd").fit(X, y).n_outputs_ == 1
        )
