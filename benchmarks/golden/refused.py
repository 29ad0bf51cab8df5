"""Bad input in Python: what is raised, and the sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import clearprop as cp
import data
from estimators import SMALL, Found

X, Y = data.X, data.LABELS


def net(**more: Any) -> cp.Network:
    return cp.Network([4, 5, 3], seed=0, **more)


def fit(x: Any = X, y: Any = Y, **how: Any) -> Any:
    return net().fit(x, y, **{"epochs": 1, "progress": False, "engine": "numpy"} | how)


def classifier(x: Any = X, y: Any = Y, **how: Any) -> Any:
    return cp.MLPClassifier(**SMALL | {"max_iter": 1} | how).fit(x, y)


def regressor(x: Any = X, y: Any = data.QUANTITY, **how: Any) -> Any:
    return cp.MLPRegressor(**SMALL | {"max_iter": 1} | how).fit(x, y)


def _stream(**how: Any) -> Any:
    import pyarrow as pa

    table = pa.table(data.without(data.table_columns(), "bill"))
    return cp.data.stream(table, **{"target": "left", "seed": 0} | how)


def _frame_without_age() -> Any:
    import pandas

    frame = pandas.DataFrame(data.table_columns())
    model = cp.MLPClassifier(**SMALL | {"preset": "realmlp-s", "max_iter": 1})
    model.fit(frame[["age", "plan"]], frame["left"])
    return model.predict(frame[["plan"]])


def _nan(row: int, column: int) -> Any:
    made = X.copy()
    made[row, column] = np.nan
    return made


def _resumed_otherwise() -> Any:
    fit(checkpoint="refused.safetensors", resume=True)
    return fit(checkpoint="refused.safetensors", resume=True, batch_size=7, l2=0.1, epochs=2)


OF_NETWORKS: dict[str, Callable[[], Any]] = {
    "one layer": lambda: cp.Network([4]),
    "a layer of 0": lambda: cp.Network([4, 0, 3]),
    "a size that is a fraction": lambda: cp.Network([4, 2.5, 3]),
    "an activation misspelled": lambda: net(activation="sigmod"),
    "an activation for each of too few": lambda: cp.Network([4, cp.Layer(3, ["tanh", "relu"]), 2]),
    "softmax inside": lambda: cp.Network([4, cp.Layer(3, "softmax"), 2]),
    "a cost misspelled": lambda: net(cost="quadratics"),
    "a cost with another output": lambda: net(cost="cross_entropy", output="relu"),
    "a dtype": lambda: net(dtype="float16"),
    "a seed": lambda: cp.Network([4, 3], seed=-1),
    "an initializer": lambda: net(initializer="xavier"),
    "a scaling": lambda: net(scaling=cp.data.standardize(X[:, :2])),
    "epochs 0": lambda: fit(epochs=0),
    "epochs 1.5": lambda: fit(epochs=1.5),
    "batch_size 0": lambda: fit(batch_size=0),
    "an optimizer": lambda: fit(optimizer="adamm"),
    "a learning rate": lambda: cp.SGD(-0.1),
    "momentum 1": lambda: cp.SGD(0.1, momentum=1.0),
    "l2 below 0": lambda: fit(l2=-1.0),
    "dropout 1": lambda: fit(dropout=1.0),
    "dropout of too many layers": lambda: fit(dropout=[0.1, 0.2]),
    "clip_norm 0": lambda: fit(clip_norm=0.0),
    "averaging 1": lambda: fit(averaging=1.0),
    "a frozen block that is not there": lambda: fit(frozen=("layers.9.weight",)),
    "an engine": lambda: fit(engine="steam"),
    "a metric": lambda: fit(metrics=["precision"], validation_data=(X, Y)),
    "early stopping without validation": lambda: fit(early_stopping=cp.EarlyStopping()),
    "checkpoint_every": lambda: fit(checkpoint="never.safetensors", checkpoint_every="often"),
    "resume without checkpoint": lambda: fit(resume=True),
    "lbfgs with dropout": lambda: fit(optimizer=cp.LBFGS(), dropout=0.1),
    "resumed with other settings": _resumed_otherwise,
    "X too wide": lambda: fit(np.ones((97, 5))),
    "X of one dimension": lambda: fit(X[:, 0]),
    "X with NaN": lambda: fit(_nan(13, 2)),
    "X of words": lambda: fit(np.full((97, 4), "x")),
    "X empty": lambda: fit(X[:0], Y[:0]),
    "Y too short": lambda: fit(y=Y[:-1]),
    "labels that are fractions": lambda: fit(y=Y + 0.5),
    "too many words": lambda: fit(y=np.array(["a", "b", "c", "d"])[np.arange(97) % 4]),
    "a target that is no share": lambda: fit(y=np.full((97, 3), 0.5)),
    "weights below 0": lambda: fit(sample_weight=-data.WEIGHT),
    "weights all 0": lambda: fit(sample_weight=np.zeros(97)),
    "validation of another width": lambda: fit(validation_data=(X[:, :3], Y)),
    "predict another width": lambda: net().predict(X[:, :3]),
    "classify a quantity": lambda: cp.Network([4, 1], cost="quadratic").classify(X),
    "penalised gradients of samples": lambda: net().gradient(X, Y, per_sample=True, l2=0.1),
    "a stream with Y": lambda: fit(cp.data.RowStream.of_arrays(X, Y), Y),
    "buffer_rows 0": lambda: cp.data.RowStream.of_arrays(X, Y, buffer_rows=0),
    "a stream's target": lambda: _stream(target="nope"),
    "a stream's task": lambda: _stream(task="regression"),
    "a stream's validation": lambda: _stream(validation=1.0),
    "a file that is no model": lambda: cp.load("text.txt"),
    "a file that is broken": lambda: cp.load("broken.safetensors"),
    "a file that is not there": lambda: cp.load("nothing.safetensors"),
    "data that are not there": lambda: cp.data.load("nothing"),
    "standardize NaN": lambda: cp.data.standardize(_nan(1, 1)),
    "divide by 0": lambda: cp.data.divide_by(0.0),
    "a notation": lambda: cp.explain(net(), X[:1], Y[:1], notation="greek"),
    "two rows explained": lambda: cp.explain(net(), X[:2], Y[:3]),
}  # fmt: skip
OF_ESTIMATORS: dict[str, Callable[[], Any]] = {
    "a solver": lambda: classifier(solver="newton"),
    "a preset": lambda: classifier(preset="realmlp-xl"),
    "columns without the preset": lambda: classifier(columns={"a": "numeric"}),
    "weight_decay with adam": lambda: classifier(weight_decay=0.1),
    "lbfgs with averaging": lambda: classifier(solver="lbfgs", averaging=0.5),
    "a loss of the other kind": lambda: regressor(loss="log_loss"),
    "quantities to classify": lambda: classifier(y=data.QUANTITY),
    "labels that are missing": lambda: classifier(y=np.array([None, *data.WORDS[1:]], object)),
    "words to regress": lambda: regressor(y=data.WORDS),
    "no y": lambda: cp.MLPRegressor().fit(X),
    "validation of another width, estimator": lambda: cp.MLPClassifier(**SMALL).fit(
        X, Y, X_val=X[:, :2], y_val=Y
    ),
    "not fitted": lambda: cp.MLPClassifier().predict(X),
    "partial_fit without classes": lambda: cp.MLPClassifier().partial_fit(X, Y),
    "partial_fit with lbfgs": lambda: cp.MLPClassifier(solver="lbfgs").partial_fit(X, Y),
    "a frame without a column": _frame_without_age,
    "a stream for the other kind": lambda: cp.MLPRegressor(preset="realmlp-s").fit(_stream()),
    "a network's file as an estimator": lambda: (
        net().save("plain.safetensors"), cp.MLPClassifier.load("plain.safetensors"),
    ),
}  # fmt: skip


def said(run: Callable[[], Any]) -> Found:
    """Return the kind of what is raised, and its sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run()
        except Exception as problem:
            public = (each.__name__ for each in type(problem).__mro__ if each.__name__[0] != "_")
            return {"kind": next(public), "says": str(problem)}
    return {"kind": "nothing was refused"}


def classes_or_quantity() -> Found:
    """What each of the columns is taken for, by every reader that tells it from the data."""
    import pyarrow as pa

    found: Found = {}
    x = data.table_columns()["spent"]
    for name, values in data.targets().items():
        data.write_csv(Path("told.csv"), {"x": x, "y": values})
        loaded = cp.data.load("told.csv")
        found[name] = {"load": repr(loaded.schema.classes)}
        try:
            rows = cp.data.stream(pa.table({"x": x, "y": values}), target="y", seed=0)
            found[name]["stream"] = [rows.target.task, rows.target.reason, repr(rows.target.classes)]
        except ValueError as problem:
            found[name]["stream"] = str(problem)
    return found


def runs() -> Iterator[tuple[str, Callable[[], Found]]]:
    """Name each run, and what makes it."""
    for name, table in (("network", OF_NETWORKS), ("estimator", OF_ESTIMATORS)):
        yield f"{name}: refused", lambda t=table: {name: said(run) for name, run in t.items()}
    yield "python: classes or quantity", classes_or_quantity
