"""Golden runs of `Network` and `Training`: one row of `CASES` is one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import clearprop as cp
import data

LAYERS = [data.FEATURES, 5, data.CLASSES]
CLOCK = ("seconds", "samples_per_second")
# Engine, dtype, threads. "numba" is the compiled engine's first name, and stays one of its names.
WAYS = (("numba", "float32", 1), ("numba", "float64", 2), ("numpy", "float64", 1))
VALIDATION = (-data.X[:29], data.LABELS[:29])

Found = dict[str, Any]


def columns(history: Any) -> Found:
    """Return what a history says, without the clock."""
    told = {name: values for name, values in history.to_dict().items() if name not in CLOCK}
    return told | {"stopped": history.stopped}


def facts(net: cp.Network, X: Any, Y: Any) -> Found:
    """Return what can be asked of a network: parameters, answers, gradients, and its summary."""
    found: Found = {
        "parameters": net.parameters,
        "blocks": [(block.name, list(block.shape)) for block in net.blocks],
        "predictions": net.predict(data.X_NEW[:, : net.sizes[0]] if net.sizes[0] <= 4 else X[:9]),
        "cost": net.cost(X, Y),
        "gradient": net.gradient(X[:7], Y[:7]).flat,
        "input gradient": net.input_gradient(X[:7], Y[:7]),
        "summary": str(net),
        "classes": repr(net.classes),
    }
    if net.sizes[-1] > 1 or net.layers[-1].function.name == "sigmoid":
        found["labels"] = net.classify(X)
    net.save("network.safetensors")
    made = net.layers[0].function, net.layers[-1].function, net.architecture.cost
    again = cp.load("network.safetensors", [each for each in made if each.name in ("bent", "fourth")])
    found["predictions of the file"] = again.predict(X[:9])
    return found


def own() -> Found:
    """A cost and an activation of the user's own."""
    bent = cp.Activation("bent", lambda z: z + 0.3 * np.sin(z), lambda z: 1 + 0.3 * np.cos(z))
    fourth = cp.Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    return {"layers": LAYERS, "activation": bent, "cost": fourth}


def _case(net: Found | None = None, *, Y: Any = data.LABELS, X: Any = data.X, **fit: Any) -> Any:
    return {"layers": LAYERS, "seed": 3} | (net or {}), X, Y, {"epochs": 3, "batch_size": 10} | fit


def _per_neuron() -> Found:
    mixed = cp.Layer(5, ["sigmoid", "tanh", "relu", "gelu", "identity"])
    return {"layers": [4, mixed, cp.Layer(2, "identity", bias=False)], "cost": "squared_error"}


def _deep() -> Found:
    hidden = ["scaled_tanh", "leaky_relu", "elu", "selu", "silu", "mish", "softplus"]
    return {"layers": [4, *(cp.Layer(5 + i % 3, name) for i, name in enumerate(hidden)), 3]}


CASES: dict[str, Callable[[], Any]] = {
    "sgd": lambda: _case(optimizer=cp.SGD(0.5), metrics=["accuracy"], validation_data=VALIDATION),
    "momentum, weights": lambda: _case(optimizer=cp.SGD(0.1, 0.9), sample_weight=data.WEIGHT, l2=0.01),
    "nesterov, cosine": lambda: _case(
        {"initializer": "he_normal", "activation": "relu"},
        optimizer=cp.SGD(cp.schedules.cosine(0.1, epochs=3), 0.9, nesterov=True),
    ),
    "rmsprop, l1, warmup": lambda: _case(
        {"initializer": "lecun_normal"},
        optimizer=cp.RMSProp(cp.schedules.warmup(1, cp.schedules.exponential(0.01))), l1=1e-3,
    ),
    "adam, dropout, one_cycle": lambda: _case(
        optimizer=cp.Adam(cp.schedules.one_cycle(0.05, epochs=3)), dropout=0.3
    ),
    "adamw, clip, frozen": lambda: _case(
        optimizer=cp.AdamW(0.02), dropout=[0.5], clip_norm=0.1, frozen=("biases",)
    ),
    "plateau": lambda: _case(
        optimizer=cp.Adam(cp.schedules.plateau(0.05, patience=1, min_delta=0.5)), epochs=5,
        validation_data=VALIDATION, train_metrics=True, metrics=["accuracy", "cost"],
    ),
    "early stopping, smoothing": lambda: _case(
        optimizer=cp.Adam(0.3), epochs=30, validation_data=VALIDATION, label_smoothing=0.1,
        early_stopping=cp.EarlyStopping(patience=2),
    ),
    "averaging": lambda: _case(optimizer=cp.Adam(0.3), averaging=0.75, validation_data=VALIDATION),
    "lbfgs": lambda: _case(optimizer=cp.LBFGS(), epochs=8, l2=1e-3),
    "neurons of their own": lambda: _case(
        _per_neuron(), Y=data.PAIR, optimizer=cp.SGD(0.01), metrics=["mae", "rmse", "r2"],
        validation_data=(data.X[:29], data.PAIR[:29]),
    ),
    "deep": lambda: _case(_deep(), optimizer=cp.Adam(0.01), batch_size=32),
    "huber": lambda: _case(
        {"layers": [4, 5, 2], "cost": cp.costs.huber(delta=0.4), "initializer": "normal"}, Y=data.PAIR
    ),
    "quantile": lambda: _case(
        {"layers": [4, 5, 1], "cost": cp.costs.quantile(q=0.3)}, Y=data.QUANTITY, batch_size=None
    ),
    "poisson": lambda: _case({"layers": [4, 5, 1], "cost": "poisson"}, Y=data.COUNTS),
    "binary": lambda: _case(
        {"layers": [4, 5, 1], "cost": "binary_cross_entropy", "activation": "tanh"}, Y=data.LABELS > 0
    ),
    "sum, one by one": lambda: _case(
        {"cost": cp.costs.quadratic(reduction="sum"), "output": "sigmoid"}, batch_size=1,
        optimizer=cp.SGD(0.1),
    ),
    "several flags": lambda: _case({"output": "sigmoid"}, Y=data.FLAGS),
    "softmax, absolute error": lambda: _case({"cost": "mean_absolute_error", "output": "softmax"}),
    "words as labels": lambda: _case({"activation": "elu"}, Y=data.WORDS, optimizer="adam"),
    "standardized": lambda: _case({"scaling": cp.data.standardize(3 + 2 * data.X)}, X=3 + 2 * data.X),
    "divided": lambda: _case({"scaling": cp.data.divide_by(16.0), "initializer": "glorot_normal"}),
    "constant column": lambda: _case(
        {"scaling": cp.data.standardize(data.CONSTANT)}, X=data.CONSTANT
    ),
    "mostly zeros": lambda: _case({"layers": [40, 9, 3]}, X=data.SPARSE, batch_size=64),
    "uniform, constant": lambda: _case(
        {"initializer": cp.initializers.uniform(0.3), "bias_initializer": cp.initializers.constant(0.1)}
    ),
    "own cost and activation": lambda: _case(own(), optimizer=cp.SGD(0.01)),
}  # fmt: skip


def trained(name: str) -> Found:
    """Train a case in each of the ways."""
    found: Found = {}
    for engine, dtype, threads in WAYS:
        made, X, Y, fit = CASES[name]()
        net = cp.Network(**made, dtype=dtype)
        how = fit | {"engine": engine, "n_threads": threads, "progress": False}
        history = net.fit(X, Y, **how)
        found[f"{engine} {dtype}, {threads} threads"] = facts(net, X, Y) | {"history": columns(history)}
    return found


def _small(dtype: str = "float32", **more: Any) -> cp.Network:
    return cp.Network(LAYERS, seed=1, dtype=dtype, **more)


HOW: Found = {"batch_size": 10, "optimizer": cp.Adam(0.02), "progress": False, "n_threads": 1}


def gone_on_with() -> Found:
    """A Training that is run twice; a network that is fitted twice, and once more with a seed."""
    net = _small()
    training = cp.Training(net, data.X, data.LABELS, epochs=4, dropout=0.2, engine="numba", **HOW)
    training.run(2)
    half = net.parameters.copy()
    history = training.run(2)
    twice = _small()
    twice.fit(data.X, data.LABELS, epochs=2, engine="numba", **HOW)
    twice.fit(data.X, data.LABELS, epochs=2, engine="numba", **HOW)
    other = twice.copy()
    other.fit(data.X, data.LABELS, epochs=1, seed=99, engine="numba", **HOW)
    return {
        "half": half,
        "history": columns(history),
        **{f"whole/{k}": v for k, v in facts(net, data.X, data.LABELS).items()},
        "twice": twice.parameters,
        "with a seed": other.parameters,
    }


def streamed() -> Found:
    """Rows through a buffer, with weights, on one and two threads."""
    found: Found = {}
    for engine, threads in (("numba", 1), ("numba", 2), ("numpy", 1)):
        rows = cp.data.RowStream.of_arrays(data.X, data.LABELS, data.WEIGHT, buffer_rows=30)
        net = _small()
        how = HOW | {"n_threads": threads, "engine": engine}
        history = net.fit(rows, epochs=3, validation_data=VALIDATION, metrics=["accuracy"], **how)
        found |= {f"{engine}, {threads} threads": {"p": net.parameters, "history": columns(history)}}
    return found


def resumed() -> Found:
    """A run that ended after two epochs and went on from its checkpoint."""
    how = HOW | {"dropout": 0.2, "engine": "numba", "checkpoint": "golden-checkpoint.safetensors"}
    how |= {"validation_data": VALIDATION}
    _small().fit(data.X, data.LABELS, epochs=2, **how)
    net = _small()
    history = net.fit(data.X, data.LABELS, epochs=4, resume=True, **how)
    return facts(net, data.X, data.LABELS) | {"history": columns(history)}


def diverged() -> Found:
    """What is said of a run that leaves the finite numbers, and the parameters that are kept."""
    found: Found = {}
    for engine in ("numba", "numpy"):
        net = cp.Network([4, 5, 2], "relu", cost="quadratic", seed=0)
        try:
            net.fit(data.X, data.PAIR, epochs=50, engine=engine, **HOW | {"optimizer": cp.SGD(40.0)})
        except cp.DivergenceError as problem:
            found |= {f"{engine}: said": str(problem), f"{engine}: kept": net.parameters}
    return found


def shown() -> Found:
    """A pass in four notations, sums over paths, a nudge, a gradient check, a diagnosis."""
    net = _small("float64", activation="tanh")
    X, Y = data.X[:3], data.LABELS[:3]
    found: Found = {
        f"explain/{notation}": cp.explain(net, X[:1], Y[:1], notation=notation)
        for notation in ("nielsen", "jordan", "dp", "softmax-ce")
    }
    found |= {
        f"explain/{form}": cp.explain(net, X[:1], Y[:1], format=form)
        for form in ("latex", "mathml", "json")
    }
    check = cp.check_gradient(net, data.X[:9], data.LABELS[:9])
    trace = net.trace(X, Y, optimizer=cp.SGD(0.1))
    for number, layer in enumerate(trace.layers):
        for name in ("z", "a", "slope", "error", "delta", "weight_gradient", "bias_gradient"):
            found[f"trace/{number}/{name}"] = getattr(layer, name)
    return found | {
        "check": [check.verdict, check.max_relative_error],
        "per sample": net.gradient(X, Y, per_sample=True).flat,
        "diagnose": [str(each) for each in cp.diagnose(net, data.X, data.LABELS)],
    }


def runs() -> Iterator[tuple[str, Callable[[], Found]]]:
    """Name each run, and what makes it."""
    for name in CASES:
        yield f"network: {name}", lambda name=name: trained(name)
    for function in (gone_on_with, streamed, resumed, diverged, shown):
        yield f"network: {function.__name__.replace('_', ' ')}", function
