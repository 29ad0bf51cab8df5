"""Estimators go through cloudpickle, joblib and skops, and come back with equal bits."""

import io
import re
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest

import clearprop as cp
from clearprop.engines.layout import code_of
from portable_models import frame, words

cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def made():
    rows = frame()[["gap", "city", "when"]]
    how = {
        "preset": "realmlp",
        "hidden_layer_sizes": (5, 4),
        "max_iter": 2,
        "members": 2,
        "random_state": 0,
    }
    return cp.MLPClassifier(**how).fit(rows, words(3)), rows


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("through", [through_joblib, lambda e: cloudpickle.loads(cloudpickle.dumps(e))])
def test_a_round_trip_gives_equal_bits(made, through):
    estimator, rows = made
    back = through(estimator)
    assert np.array_equal(back.predict_proba(rows), estimator.predict_proba(rows))
    assert back.get_params() == estimator.get_params()


def test_skops_asks_for_our_classes_alone():
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    X, y = np.random.default_rng(0).normal(size=(30, 4)), np.repeat(["no", "yes"], 15)
    estimator = cp.MLPClassifier((5, 3), activation="mish", max_iter=2, random_state=0).fit(X, y)
    content = skops.dumps(estimator)
    asked = skops.get_untrusted_types(data=content)
    for name in asked:
        module, _, of_class = name.rpartition(".")
        assert module.startswith("clearprop."), name
        assert isinstance(getattr(sys.modules[module], of_class), type), name
    back = skops.loads(content, trusted=asked)
    assert np.array_equal(back.predict_proba(X), estimator.predict_proba(X))
    for ours, theirs in zip(estimator.network_.layers, back.network_.layers, strict=True):
        assert code_of(theirs.function, np.dtype("d")) == code_of(ours.function, np.dtype("d"))
    assert np.array_equal(back.fit(X, y).predict_proba(X), estimator.predict_proba(X))


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own type hints
def test_the_lines_for_mlflow_serve_a_model(made, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    estimator, rows = made
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "take-it-anywhere.md").read_text("utf-8")
    served, packed = re.search(
        r"MLflow serves.*?```python\n(.*?)```.*?```python\n(.*?)```", page, re.DOTALL
    ).groups()
    Path("model.py").write_text(served)
    names = {"mlflow": mlflow, "estimator": estimator, "table": rows}
    exec(packed, names)
    assert (np.asarray(names["labels"]) == estimator.predict(rows)).all()
