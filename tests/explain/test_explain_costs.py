"""Every cost is written out: what is printed of it gives, computed from its numbers, the engine's."""

import json

import numpy as np
import pytest

import clearprop as cp
from clearprop import costs
from explained import PRESETS, Elided, evaluate
from test_explain import applied

# cost, output: each of the engine's, and where its formula has cases, each of them
WRITTEN = {
    "quadratic": (costs.quadratic(), "sigmoid"),
    "squared_error": (costs.squared_error(), "tanh"),
    "cross_entropy, softmax": (costs.cross_entropy(), "softmax"),
    "cross_entropy, sigmoid": (costs.cross_entropy(), "sigmoid"),
    "binary_cross_entropy": (costs.binary_cross_entropy(), "sigmoid"),
    "mean_absolute_error": (costs.mean_absolute_error(), "identity"),
    "mean_absolute_error, softmax": (costs.mean_absolute_error(), "softmax"),
    "huber": (costs.huber(delta=0.9), "identity"),
    "quantile": (costs.quantile(q=0.3), "identity"),
    "quantiles": (costs.quantiles(level=0.7), "identity"),
    "poisson, exp": (costs.poisson(), "exp"),
    "poisson, softplus": (costs.poisson(reduction="sum"), "softplus"),
    "grouped_cross_entropy": (costs.grouped_cross_entropy([3, 2]), "identity"),
}


def made(name, n):
    cost, output = WRITTEN[name]
    last = 1 if name.startswith("binary") else 5 if cost.groups else 3
    net = cp.Network([4, 5, last], output=output, cost=cost, seed=1, dtype="float64")
    rng = np.random.default_rng(2)
    net.parameters[:] = rng.normal(scale=0.7, size=net.n_parameters)
    X = rng.normal(size=(n, 4))
    Y = rng.uniform(0.1, 0.9, (n, last))
    if cost.name in ("mean_absolute_error", "huber", "quantile", "quantiles"):
        Y = rng.normal(size=(n, last))
    if name == "cross_entropy, softmax":
        Y = np.eye(last)[rng.integers(last, size=n)]
    if cost.groups:
        Y = np.hstack([np.eye(3)[rng.integers(3, size=n)], np.eye(2)[rng.integers(2, size=n)]])
    return net, X, Y


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("name", WRITTEN)
def test_cost_and_its_derivative_computed_from_the_printed_numbers_are_the_engines(name, n, notation):
    net, X, Y = made(name, n)
    told = json.loads(cp.explain(net, X, Y, notation, "json", form="all"))
    computed = {"cost": 0, "error": 0, "delta": 0}
    for step in told["steps"]:
        last = step["layer"] == len(told["layers"])
        if step["kind"] not in computed or not (last or step["kind"] == "cost"):
            continue
        for line in step["lines"]:
            first, *sides = line["formula"]["sides"]
            layer = applied(net.layers[-1], first.get("value"))
            for side in sides:
                try:
                    value = evaluate(side, told, layer)
                except Elided:
                    continue
                np.testing.assert_allclose(
                    value, evaluate(first["value"], told, layer), rtol=1e-11, atol=1e-14
                )
                computed[step["kind"]] += side["t"] not in ("num", "mat")
    assert computed["cost"]
    assert computed["delta"]
    assert computed["error"] or not any(s["kind"] == "error" and s["layer"] == 2 for s in told["steps"])


def test_no_cost_of_the_engine_is_only_named():
    assert {cost.name for cost, _ in WRITTEN.values()} == set(costs.FACTORIES)


@pytest.mark.parametrize("name", ["huber", "quantile"])
def test_each_case_of_a_formula_is_among_those_tests(name):
    net, X, Y = made(name, 1)
    off = net.predict(X) - Y if name == "quantile" else abs(net.predict(X) - Y) - 0.9
    assert (off > 0).any()
    assert (off < 0).any()


def test_a_cost_of_ones_own_is_named():
    own = costs.Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    net = cp.Network([4, 5, 3], cost=own, output="identity", seed=0)
    text = cp.explain(net, [[1.0, 2.0, 0.5, -1.0]], [[0.1, 0.2, 0.3]])
    assert "C = fourth(a³) = " in text


def test_a_wrong_case_is_found_by_that_comparison(monkeypatch):
    from clearprop.explain.forms import costs as rows

    squares = rows._WRITTEN["quadratic", ""]
    monkeypatch.setitem(rows._WRITTEN, ("huber", ""), squares)
    with pytest.raises(AssertionError):
        test_cost_and_its_derivative_computed_from_the_printed_numbers_are_the_engines(
            "huber", 1, "nielsen"
        )
