"""Warnings point at the line of the caller, whichever door it came in by."""

import ast
import inspect
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.model_selection import cross_val_score

import clearprop as cp

SOURCES = Path(cp.__file__).parent
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(7, 4)), np.array([0, 1, 2, 0, 1, 2, 0])
LARGE = np.full((7, 4), 2**60 + 1)
COLUMN = LABELS[:, None]
ONE_CLASS = np.zeros(7, int)
ONE_OF_TWO = np.arange(7) % 2
QUIET = {"epochs": 1, "progress": False}


def network():
    return cp.Network([4, 5, 3], bias_initializer="normal", seed=1)


def still(**settings):
    """Return the settings of a training whose steps change nothing."""
    return {**QUIET, "optimizer": cp.SGD(1e-30), "batch_size": 7, **settings}


def scaled():
    return X * [1.0, 1.0, 1.0, 1e9]


def explained(monkeypatch):
    monkeypatch.setattr(import_module("clearprop.explain.printers.json"), "LARGE", 10)
    return network(), X[:1], [1]


def two_tables(folder):
    pandas.DataFrame({"a": [1.5, 2.5], "y": ["u", "v"]}).to_csv(folder / "1.csv", index=False)
    pandas.DataFrame({"a": [1.5, 2.5], "b": [1, 2], "y": ["u", "v"]}).to_csv(
        folder / "2.csv", index=False
    )
    return folder


def many_classes(folder):
    path = folder / "many.csv"
    path.write_text("a,y\n" + "".join(f"{i}.5,name{i}\n" for i in range(40)))
    return path


class Mine(cp.SGD):
    """An optimizer that has no compiled form."""


def no_checkpoint(folder, monkeypatch):
    """Let every checkpoint within a training fail."""
    from clearprop.training.resume import CheckpointFile

    def fail(self):
        raise OSError(28, "No space left on device", str(folder / "run.ckpt"))

    monkeypatch.setattr(CheckpointFile, "write", fail)
    return {"checkpoint": folder / "run.ckpt", "checkpoint_every": "1epoch"}


DOORS = {
    "Network.fit, batch size": lambda folder, patch: network().fit(X, LABELS, batch_size=99, **QUIET),
    "Training, batch size": lambda folder, patch: cp.Training(network(), X, LABELS, batch_size=99),
    "Training.run, no change": lambda folder, patch: cp.Training(network(), X, LABELS, **still()).run(),
    "Network.fit, no change": lambda folder, patch: network().fit(X, LABELS, **still()),
    "Network.fit, a single class": lambda folder, patch: network().fit(X, ONE_CLASS, **still()),
    "Network.fit, a column of labels": lambda folder, patch: network().fit(X, COLUMN, **still()),
    "Network.fit, integers beyond floats": lambda folder, patch: network().fit(
        LARGE, LABELS, **still(engine="numpy")
    ),
    "Network.predict, integers beyond floats": lambda folder, patch: network().predict(LARGE),
    "Network.classify, integers beyond floats": lambda folder, patch: network().classify(LARGE),
    "Network.cost, a column of labels": lambda folder, patch: network().cost(X, COLUMN),
    "Network.gradient, a column of labels": lambda folder, patch: network().gradient(X, COLUMN),
    "Network.trace, a column of labels": lambda folder, patch: network().trace(X, COLUMN),
    "Network.fit, the slow engine": lambda folder, patch: network().fit(
        X, LABELS, batch_size=7, optimizer=Mine(0.1), **QUIET
    ),
    "Network.fit, the disk is full": lambda folder, patch: network().fit(
        X, LABELS, **still(epochs=2), **no_checkpoint(folder, patch)
    ),
    "MLPClassifier.fit, max_iter": lambda folder, patch: cp.MLPClassifier(max_iter=1).fit(X, LABELS),
    "MLPRegressor.fit, max_iter": lambda folder, patch: cp.MLPRegressor(max_iter=1).fit(X, X[:, 0]),
    "MLPClassifier.fit, batch size": lambda folder, patch: cp.MLPClassifier(
        max_iter=1, batch_size=99
    ).fit(X, LABELS),
    "MLPClassifier.fit, scales": lambda folder, patch: cp.MLPClassifier(max_iter=1).fit(
        scaled(), LABELS
    ),
    "MLPClassifier.partial_fit, scales": lambda folder, patch: cp.MLPClassifier().partial_fit(
        scaled(), LABELS, classes=[0, 1, 2]
    ),
    "MLPClassifier.fit, a column of labels": lambda folder, patch: cp.MLPClassifier(max_iter=1).fit(
        X, COLUMN
    ),
    "MLPRegressor.fit, a column": lambda folder, patch: cp.MLPRegressor(max_iter=1).fit(X, X[:, :1]),
    "cross_val_score, max_iter": lambda folder, patch: cross_val_score(
        cp.MLPClassifier(max_iter=1), X, ONE_OF_TWO, cv=2
    ),
    "load, columns of a folder": lambda folder, patch: cp.data.load(two_tables(folder), target="y"),
    "read_table, many classes": lambda folder, patch: cp.data.read_table(
        many_classes(folder), target="y"
    ),
    "load, many classes": lambda folder, patch: cp.data.load(many_classes(folder), target="y"),
    "explain, a large document": lambda folder, patch: cp.explain(*explained(patch), format="json"),
    "DiagnosisCallback": lambda folder, patch: cp.Network([4, 5, 3], seed=1, activation="relu").fit(
        X, LABELS, **QUIET | {"epochs": 5}, optimizer=cp.SGD(1e3), callbacks=[cp.DiagnosisCallback()]
    ),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("door", DOORS)
def test_a_warning_points_at_the_callers_line(door, tmp_path, monkeypatch):
    call = DOORS[door]
    source, first = inspect.getsourcelines(call)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            call(tmp_path, monkeypatch)
        except OSError:
            assert "disk" in door
    assert told
    for each in told:
        assert each.filename == __file__, f"{each.filename}:{each.lineno} {each.message}"
        assert first <= each.lineno <= first + len(source), each.message


def test_no_module_counts_frames_itself():
    for path in SOURCES.rglob("*.py"):
        if path.name == "user_warning.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("warnings.warn", "warnings.warn_explicit"), (
                    f"{path}:{node.lineno}"
                )
