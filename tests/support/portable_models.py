"""Models of every kind, small, with raw rows and what clearprop says of them: each export is held to it."""

import functools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import clearprop as cp
from clearprop.activations import ACTIVATIONS
from clearprop.model import embedding as embeddings
from clearprop.parametric_activations import PARAMETRIC
from clearprop.portable.program import Program, program_of
from clearprop.portable.rows import raw_rows

N = 60


class Case(NamedTuple):
    """Rows and answers: `told` are labels (None of quantities), `numbers` probabilities or quantities."""

    program: Program
    rows: Any
    told: Any
    numbers: Any
    model: Any = None


def rng():
    return np.random.default_rng(0)


def of_network(net, X=None):
    X = rng().normal(size=(7, net.sizes[0])) * 2 if X is None else X
    a = net.predict(X)
    labelled = net.model.schema.classes is not None
    both = np.hstack([1 - a, a]) if labelled and a.shape[1] == 1 else a
    return Case(program_of(net.model), X, net.classify(X) if labelled else None, both, net.model)


def network(sizes=(4, 5, 3), **arguments):
    net = cp.Network(
        list(sizes), **{"dtype": "float64", "seed": 1, "bias_initializer": "normal"} | arguments
    )
    for block in net.blocks:  # shares and scales begin as 1
        if block.kind in ("shares", "scales"):
            net.parameters[..., block.slice] += rng().normal(size=block.size) * 0.3
    return net


def standard(n=4):
    return cp.Scaling(rng().normal(size=n), rng().uniform(0.5, 2, size=n))


NETWORKS = {
    **{
        f"{name}": lambda name=name: of_network(network(activation=name))
        for name in [*ACTIVATIONS, *PARAMETRIC]
        if name != "softmax"
    },
    **{
        f"{name} output": lambda name=name: of_network(network(output=name, cost="quadratic"))
        for name in ACTIVATIONS
    },
    "one for each neuron": lambda: of_network(
        network([4, cp.Layer(5, ["sigmoid", "tanh", "relu", "tanh", "gelu"]), cp.Layer(3, bias=False)])
    ),
    "one sigmoid output": lambda: of_network(network([4, 5, 1])),
    "float32, scaled": lambda: of_network(network(dtype="float32", scaling=standard())),
    "scaled alike": lambda: of_network(network(scaling=cp.data.scaling.divide_by(3.0))),
    "members": lambda: of_network(network(members=3)),
    "members of a quantity": lambda: of_network(network(cost="quadratic", members=3, dtype="float32")),
    **{
        f"embedded {name}": lambda name=name: of_network(
            network(embedding=embeddings.learn(name, rng().normal(size=(N, 4))), dtype="float32")
        )
        for name in embeddings.NAMES
    },
    "embedded categories": lambda: of_network(
        network(embedding=cp.embeddings.categories([[2, 0], [1, 3]], size=3))
    ),
    "embedded categories and numbers": lambda: of_network(
        network(
            embedding=cp.embeddings.categories(
                [[3, 0]], size=2, numbers=cp.embeddings.pbld(columns=[2])
            ),
            members=2,
        )
    ),
}


def frame(n=N, seed=0):
    """Return a table with a column of every kind."""
    r = np.random.default_rng(seed)
    when = pd.Timestamp("1965-03-01") + pd.to_timedelta(r.integers(0, 10**9, n) * 2, unit="s")
    made = pd.DataFrame(
        {
            "age, in years": r.normal(40, 10, n).round(2),
            "gap": np.where(r.random(n) < 0.3, np.nan, r.normal(size=n)),
            "colour": r.choice(["red", "blue", 'a "green" \\ one', None], n),
            "city": [f"c{k % 9}" if k % 7 else f"rare {k}" for k in range(n)],
            "pair": r.choice(["yes", "no"], n),
            "flag": r.random(n) < 0.5,
            "code": r.choice([1.0, 2.0, 7.5], n),
            "when": when,
            "clock": [
                f"{h:02}:{m:02}"
                for h, m in zip(r.integers(0, 24, n), r.integers(0, 60, n), strict=True)
            ],
            "worded": np.where(r.random(n) < 0.4, "many", r.integers(0, 9, n).astype(str)),
        }
    )
    made.loc[r.random(n) < 0.2, "when"] = pd.NaT
    return made


KINDS = {"code": "categorical", "worded": "numeric", "clock": "datetime"}


def other_rows():
    """Return rows with what was not there in training."""
    made = frame(9, seed=5)
    made.loc[0, ["colour", "pair", "code"]] = ["violet", "maybe", 4.0]
    made.loc[1, ["pair", "code", "gap", "age, in years", "when"]] = [
        None,
        np.nan,
        np.nan,
        np.nan,
        pd.NaT,
    ]
    made.loc[2, "when"] = pd.Timestamp("2100-02-28 23:59:59.999999")
    made.loc[3, "when"] = pd.Timestamp("1899-12-31 00:00:00")
    made.loc[4, "worded"] = None
    return made


QUICK = {"hidden_layer_sizes": (5, 4), "max_iter": 2, "random_state": 0, "batch_size": 16}


def of_estimator(made, rows, raw=None):
    told, numbers = made.predict(rows), None
    if hasattr(made, "predict_proba"):
        numbers = made.predict_proba(rows)
    else:
        told, numbers = None, told.reshape(len(rows), -1)
    model = made._model_of_file()
    return Case(program_of(model), rows if raw is None else raw(model, rows), told, numbers, model)


def of_table(kind, y, **arguments):
    made = kind(**{"preset": "realmlp-s", "columns": KINDS} | QUICK | arguments).fit(frame(), y)
    return of_estimator(made, other_rows(), raw_rows)


def numeric(kind, y, **arguments):
    X = rng().normal(size=(N, 4)) * 3
    return of_estimator(kind(**QUICK | arguments).fit(X, y), X[:9])


def words(k, n=N):
    return np.array(["no", "yes", 'per"haps', "none"])[rng().integers(0, k, n)]


def quantity(n=N, k=None):
    return rng().normal(50, 20, n if k is None else (n, k))


ESTIMATORS = {
    "table, classes": lambda: of_table(cp.MLPClassifier, words(3)),
    "table, quantity": lambda: of_table(cp.MLPRegressor, quantity(), preset="realmlp"),
    "table, members, embedded": lambda: of_table(
        cp.MLPClassifier, words(3), members=3, embedding="pl", preset="realmlp", dtype="float64"
    ),
    "calibrated, threshold": lambda: numeric(
        cp.MLPClassifier, words(2), calibrate=True, threshold="f1", early_stopping=True, preprocessing="robust", label_smoothing=0.1,
        validation_fraction=0.4,
    ),
    "calibrated by a threshold": lambda: numeric(
        cp.MLPClassifier, words(2), calibrate=True, threshold="f1", early_stopping=True, preprocessing="standard", validation_fraction=0.4,
    ),
    "calibrated classes": lambda: numeric(
        cp.MLPClassifier, rng().integers(3, 6, N), calibrate=True, early_stopping=True, validation_fraction=0.4
    ),
    "truths": lambda: numeric(cp.MLPClassifier, rng().random(N) < 0.5, preprocessing="standard"),
    "one class": lambda: numeric(cp.MLPClassifier, np.full(N, "only")),
    "indicators": lambda: numeric(cp.MLPClassifier, rng().integers(0, 2, (N, 3))),
    "columns": lambda: numeric(cp.MLPClassifier, np.stack([words(3), words(4)[::-1]], axis=1), members=2),
    "quantities": lambda: numeric(cp.MLPRegressor, quantity(k=3), target="standardize"),
    "quantiles": lambda: numeric(cp.MLPRegressor, quantity(), loss="quantiles", target="standardize"),
    "table, quantiles": lambda: of_table(
        cp.MLPRegressor, quantity(), preset="realmlp", loss="quantiles", dtype="float64", members=2
    ),
    "far from zero": lambda: numeric(cp.MLPRegressor, 1e6 + quantity() / 1e3, target="standardize"),
}  # fmt: skip

CASES = NETWORKS | ESTIMATORS


@functools.cache
def case_of(name):
    """Return a case, trained once for all that ask for it in this process."""
    return CASES[name]()


def agree(case, told, numbers, tolerance, near=0.0):
    """Hold an export's answers to clearprop's: numbers beside their largest; labels but where two outputs tie.

    `near`: how close the two best probabilities may be for a label to be either.
    """
    wanted = case.numbers if isinstance(case.numbers, list) else [case.numbers]
    given = numbers if isinstance(numbers, list) else [numbers]
    assert len(wanted) == len(given)
    for one, other in zip(wanted, given, strict=True):
        scale = np.abs(one).max()
        assert np.abs(np.asarray(other, np.float64).reshape(one.shape) - one).max() <= tolerance * scale
    if case.told is None:
        assert told is None
        return
    labels = np.asarray(case.told)
    if isinstance(case.numbers, list):
        told = np.stack(told, axis=1)
    clear = np.ones(labels.shape, bool)
    if near and labels.ndim == 1 and wanted[0].shape[1] > 1:
        best = np.sort(wanted[0].astype(float), axis=1)[:, -2:]
        clear = best[:, 1] - best[:, 0] > near
    assert (np.asarray(told)[clear] == labels[clear]).all()
