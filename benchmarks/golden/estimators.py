"""Golden runs of the estimators, on arrays, sparse matrices, data frames and streams."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from networks import CLOCK, Found

import clearprop as cp
import data

SMALL: Found = {"hidden_layer_sizes": (6, 5), "max_iter": 4, "random_state": 5, "batch_size": 20}
REALMLP = SMALL | {"preset": "realmlp-s"}
FITTED = (
    "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "n_iter_",
    "t_", "n_layers_", "n_outputs_", "out_activation_",
)  # fmt: skip


def facts(model: Any, X: Any, y: Any = None) -> Found:
    """Return what was learned, and every kind of answer."""
    found: Found = {name: getattr(model, name) for name in FITTED if hasattr(model, name)}
    history = model.history_.to_dict().items()
    found["history"] = {name: values for name, values in history if name not in CLOCK}
    found |= {"parameters": model.network_.parameters, "predict": model.predict(X)}
    for name in ("predict_proba", "decision_function"):
        if hasattr(model, name):
            found[name] = getattr(model, name)(X)
    if y is not None:
        found["score"] = model.score(X, y)
    found["transform"] = model.transform(X)
    found["classes"] = repr(getattr(model, "classes_", None))
    if model.columns_ is not None:
        found["columns"] = [str(each) for each in model.columns_]
        found["features"] = list(model.table_encoder_.feature_names)
    model.save("estimator.safetensors")
    again = type(model).load("estimator.safetensors")
    return found | {"predict of the file": again.predict(X), "repr of the file": repr(again)}


def frame(target: str) -> tuple[Any, Any]:
    """Return a data frame of features, and its target."""
    import pandas

    made = pandas.DataFrame(data.table_columns())
    return made.drop(columns=["left", "bill", "weight", "week"]), made[target].to_numpy()


def _classes(y: Any = data.WORDS, X: Any = data.X, **arguments: Any) -> Callable[..., Found]:
    def run(**fit: Any) -> Found:
        model = cp.MLPClassifier(**SMALL | arguments).fit(X, y, **fit)
        return facts(model, X, y)

    return run


def _quantities(y: Any = data.QUANTITY, X: Any = data.X, **arguments: Any) -> Callable[..., Found]:
    def run(**fit: Any) -> Found:
        return facts(cp.MLPRegressor(**SMALL | arguments).fit(X, y, **fit), X, y)

    return run


def _both(*parts: Callable[[], Found]) -> Callable[[], Found]:
    return lambda: {str(number): part() for number, part in enumerate(parts, 1)}


def partial_fit() -> Found:
    """Three calls, and a fit that goes on from another."""
    model = cp.MLPClassifier(**SMALL | {"preprocessing": "standard", "dropout": 0.2})
    for part in (slice(0, 40), slice(40, 80), slice(80, None)):
        model.partial_fit(data.X[part], data.WORDS[part], classes=np.unique(data.WORDS))
    warm = cp.MLPRegressor(**SMALL | {"warm_start": True})
    warm.fit(data.X, data.QUANTITY).fit(data.X, data.QUANTITY)
    return {"partial": facts(model, data.X), "warm": facts(warm, data.X)}


def sparse() -> Found:
    """A sparse matrix, and the same rows as an array."""
    from scipy.sparse import csr_array

    found = {}
    for engine in ("numba", "numpy"):
        model = cp.MLPClassifier(**SMALL | {"engine": engine})
        found[engine] = facts(model.fit(csr_array(data.SPARSE), data.WORDS), csr_array(data.SPARSE))
    return found


def frames() -> Found:
    """Data frames with all that tables have, classified and measured."""
    X, y = frame("left")
    how = REALMLP | {"columns": {"shop": "categorical"}, "class_weight": "balanced"}
    classifier = cp.MLPClassifier(**how).fit(X, y)
    X, bill = frame("bill")
    regressor = cp.MLPRegressor(**REALMLP).fit(X, bill, groups=np.arange(len(X)) // 7)
    return {"classifier": facts(classifier, X, y), "regressor": facts(regressor, X, bill)}


def _stream(target: str, buffer: int | None, **more: Any) -> Any:
    import pyarrow as pa

    columns = data.without(data.table_columns(), {"left": "bill", "bill": "left"}[target])
    how = {"buffer_rows": buffer, "seed": 0, "validation": 0.2} | more
    return cp.data.stream(pa.table(columns), target=target, **how)


def _of_stream(kind: type, target: str, buffer: int | None, **more: Any) -> Found:
    rows = _stream(target, buffer, **more)
    model = kind(**REALMLP).fit(rows)
    X = frame("left")[0].assign(**{name: data.table_columns()[name] for name in ("weight", "week")})
    return facts(model, X[list(model.table_encoder_.columns)]) | {
        "encoder": rows.encoder.feature_names, "held": [rows.held.X, rows.held.Y],
    }  # fmt: skip


def stream_in_one_buffer() -> Found:
    """Streams whose buffer holds every row: medians are exact."""
    return {
        "classifier": _of_stream(cp.MLPClassifier, "left", None, weight="weight"),
        "regressor": _of_stream(cp.MLPRegressor, "bill", None, group="week"),
        "network": _network_of_stream(None),
    }


def stream_through_buffers() -> Found:
    """Streams whose rows pass through a buffer: medians of the encoder may be sketched."""
    return {
        "classifier": _of_stream(cp.MLPClassifier, "left", 40, time="week"),
        "regressor": _of_stream(cp.MLPRegressor, "bill", 40, weight="weight"),
        "network": _network_of_stream(40),
    }


def _network_of_stream(buffer: int | None) -> Found:
    rows = _stream("left", buffer)
    net = cp.Network([rows.n_features, 6, rows.n_outputs], activation="tanh", seed=0)
    history = net.fit(rows, epochs=2, validation_data=rows.validation, progress=False, n_threads=2)
    return {"parameters": net.parameters, "cost": history["cost"], "classes": repr(net.classes)}


def constant_column() -> Found:
    """A column that does not vary in training, and does in what is predicted."""
    found: Found = {}
    for name in ("standard", "robust"):
        model = cp.MLPClassifier(**SMALL | {"preprocessing": name}).fit(data.CONSTANT, data.WORDS)
        found[name] = facts(model, data.X)
    return found


def arguments() -> Found:
    """What clone, get_params and repr say; to scikit-learn and back."""
    from sklearn.base import clone

    model = cp.MLPClassifier(preset="realmlp-s", max_iter=3, hidden_layer_sizes=(4,))
    plain = cp.MLPClassifier(**SMALL).fit(data.X, data.WORDS)
    return {
        "repr": repr(clone(model)),
        "params": {name: repr(value) for name, value in model.get_params().items()},
        "sklearn": plain.to_sklearn().predict_proba(data.X),
        "back": cp.MLPClassifier.from_sklearn(plain.to_sklearn()).predict_proba(data.X),
    }


RUNS: dict[str, Callable[[], Found]] = {
    "adam": _both(_classes(), _quantities(), _classes(engine="numpy"), _classes(n_threads=2)),
    "sgd": _both(
        _classes(solver="sgd", learning_rate="adaptive", max_iter=9, tol=1e-1, n_iter_no_change=2),
        _quantities(solver="sgd", learning_rate="invscaling", nesterovs_momentum=False),
    ),
    "lbfgs": _both(_classes(solver="lbfgs"), _quantities(solver="lbfgs", alpha=0.1)),
    "adamw, rmsprop, own optimizer": _both(
        _classes(solver="adamw", weight_decay=0.1, dropout=0.2),
        _quantities(solver="rmsprop", l1=0.01, clip_norm=0.5),
        _classes(solver=cp.Adam(cp.schedules.cosine(0.01, epochs=4))),
    ),
    "early stopping": _both(
        _classes(early_stopping=True, max_iter=9, scoring="balanced_accuracy"),
        lambda: _quantities(early_stopping=True, max_iter=9)(groups=data.GROUP),
        lambda: _quantities(averaging=0.5)(X_val=data.X[:20], y_val=data.QUANTITY[:20]),
    ),
    "weights": _both(
        lambda: _classes(class_weight="balanced", label_smoothing=0.1)(sample_weight=data.WEIGHT),
        lambda: _quantities()(sample_weight=data.WEIGHT),
    ),
    "several targets": _both(
        _classes(data.FLAGS),
        _classes(np.stack([data.LABELS, data.FLAGS[:, 0]], axis=1)),
        _quantities(data.PAIR),
        _classes(data.LABELS > 0),
    ),
    "losses": _both(
        *(_quantities(loss=loss) for loss in ("absolute_error", "huber", "quantile")),
        _quantities(data.COUNTS, loss="poisson"),
        _quantities(loss=cp.costs.quantile(0.9), activation="gelu", dtype="float32"),
        _classes(loss="squared_error", activation=["tanh", "mish"], initializer="he_uniform"),
    ),
    "preprocessing": _both(
        _classes(preprocessing="standard"),
        _classes(preprocessing="robust", dtype="float32"),
        _quantities(preprocessing="robust", target="standardize"),
    ),
    "realmlp-s": _both(
        _classes(**REALMLP),
        _quantities(**REALMLP),
        _classes(**REALMLP | {"averaging": 0, "engine": "numpy", "n_threads": 1}),
        _quantities(**REALMLP | {"early_stopping": False, "dtype": "float64", "n_threads": 2}),
    ),
}
FUNCTIONS = (
    partial_fit, sparse, frames, stream_in_one_buffer, stream_through_buffers, constant_column,
    arguments,
)  # fmt: skip


def runs() -> Iterator[tuple[str, Callable[[], Found]]]:
    """Name each run, and what makes it."""
    named = RUNS | {function.__name__.replace("_", " "): function for function in FUNCTIONS}
    for name, run in named.items():
        yield f"estimator: {name}", lambda run=run: _quietly(run)


def _quietly(run: Callable[[], Found]) -> Found:
    """Take warnings for a part of what a run says."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = run()
    return found | {"warnings": [f"{each.category.__name__}: {each.message}" for each in heard]}
