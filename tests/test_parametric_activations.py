"""Parametric activations: their gradients by three oracles, and a network with one through its life."""

import dataclasses
import json
import pickle
import re

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import backprop, building
from clearprop.activations import ACTIVATIONS, resolve
from clearprop.explain.printers.json import schema
from clearprop.parametric_activations import PARAMETRIC
from explained import FUNCTIONS, PRESETS
from problems import assert_close, classes
from test_explain import assert_sides_agree

ROWS = np.random.default_rng(5).normal(size=(7, 4))
HOW = {
    "plain": {},
    "scaled, weighted": {"input_scale": True, "ntk": True, "weighted": True},
    "penalties": {"l2": 0.1, "l1": 0.05},
}


def problem(activation="parametric_tanh", weighted=False, l2=0.0, l1=0.0, **flags):
    made = building.build([4, 5, 3, 2], activation, None, "cross_entropy")
    return classes(dataclasses.replace(made, **flags), ROWS, weighted, l2, l1)


def by_autograd(made):
    a = made.architecture

    def cost(flat):
        p = {b.name: anp.reshape(flat[b.offset : b.offset + b.size], b.shape) for b in a.blocks}
        x = made.X * p["layers.0.scale"] if a.input_scale else made.X
        for i in range(2):
            z = anp.dot(x, p[f"layers.{i}.weight"].T) + p[f"layers.{i}.bias"]
            s = p[f"layers.{i}.share"]
            x = (1 - s) * z + s * anp.tanh(z)
        z = anp.dot(x, p["layers.2.weight"].T) + p["layers.2.bias"]
        each = -anp.sum(made.Y * (z - anp.log(anp.sum(anp.exp(z), axis=1))[:, None]), axis=1)
        total = anp.mean(each if made.sample_weight is None else each * made.sample_weight)
        for name, W in p.items():
            if name.endswith(".weight"):
                total = total + made.l2 / 2 * anp.sum(W**2) + made.l1 * anp.sum(anp.abs(W))
        return total

    return autograd.grad(cost)(made.parameters)


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_the_gradient_agrees_with_three_oracles(how):
    made = problem(**how)
    ours = made.gradient()
    assert_close(ours, by_autograd(made), 1e-10, made)
    assert_close(ours, oracles.central_differences(made.cost, made.parameters), 1e-6, made)
    if not made.l1:
        assert_close(ours, oracles.complex_step_gradient(made.cost, made.parameters), 1e-12, made)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_the_gradient_of_every_one_agrees_with_differences(name):
    made = problem(name)
    assert_close(made.gradient(), oracles.central_differences(made.cost, made.parameters), 1e-6, made)


def test_the_samples_own_gradients_have_the_gradient_as_their_mean():
    made = problem(input_scale=True)
    assert_close(made.per_sample().mean(axis=0), made.gradient(), 1e-13, made)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_with_shares_of_1_it_is_the_plain_activation_and_with_0_the_identity(name):
    net = cp.Network([4, 5, 3, 2], name, seed=0)
    shares = [each for each in net.architecture.shares(net.parameters) if each is not None]
    assert [each.tolist() for each in shares] == [[1.0] * 5, [1.0] * 3]
    for value, activation in ((1.0, name.removeprefix("parametric_")), (0.0, "identity")):
        for each in shares:
            each[:] = value
        plain = cp.Network([4, 5, 3, 2], activation, seed=0)
        np.testing.assert_allclose(net.predict(ROWS), plain.predict(ROWS), rtol=1e-5, atol=1e-7)


def test_its_blocks_have_realmlps_factors_where_the_parametrisation_is_its():
    made = building.build([4, 5, 2], "parametric_selu", None, "cross_entropy")
    assert {b.kind: (b.lr_factor, b.decay_factor) for b in made.blocks} == {
        "weights": (1, 1), "biases": (1, 0), "shares": (1, 0),
    }  # fmt: skip
    realmlp = dataclasses.replace(made, input_scale=True, ntk=True)
    found = {b.kind: (b.lr_factor, b.decay_factor) for b in realmlp.blocks[:4]}
    assert found == {"scales": (6, 6), "weights": (0.5, 2), "biases": (0.1, 0), "shares": (0.1, 0.1)}


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_network_learns_its_shares_and_keeps_them(engine, tmp_path):
    Y = np.array([0, 1, 1, 0, 1, 0, 1])
    net = cp.Network([4, 5, 3, 2], "parametric_mish", dtype="float64", seed=0)
    how = {"epochs": 4, "batch_size": 3, "engine": engine, "progress": False, "dropout": 0.2, "seed": 1}
    net.fit(ROWS, Y, optimizer=cp.AdamW(0.05), **how)
    shares = net.architecture.shares(net.parameters)
    assert all((each != 1).all() for each in shares[:2])
    net.save(tmp_path / "m")
    for again in (cp.load(tmp_path / "m"), pickle.loads(pickle.dumps(net)), net.copy()):
        assert again.layers[0].function is net.layers[0].function
        np.testing.assert_array_equal(again.parameters, net.parameters)
    assert "parametric_mish" in str(net)
    resumed = cp.Network([4, 5, 3, 2], "parametric_mish", dtype="float64", seed=0)
    how |= {"optimizer": cp.AdamW(0.05), "checkpoint": tmp_path / "c"}
    resumed.fit(ROWS, Y, **how | {"epochs": 2})
    resumed = cp.Network([4, 5, 3, 2], "parametric_mish", dtype="float64", seed=0)
    resumed.fit(ROWS, Y, **how, resume=True)
    np.testing.assert_array_equal(resumed.parameters, net.parameters)
    frozen = cp.Network([4, 5, 3, 2], "parametric_mish", seed=0)
    frozen.fit(ROWS, Y, epochs=1, batch_size=7, engine=engine, frozen=["shares"], progress=False)
    assert (frozen.architecture.shares(frozen.parameters)[0] == 1).all()


def network():
    net = cp.Network([4, 5, 3, 2], "parametric_tanh", cost="quadratic", dtype="float64", seed=1)
    net.parameters[:] += np.random.default_rng(0).normal(scale=0.3, size=net.n_parameters)
    return net


def test_a_trace_has_the_shares_and_the_gradient_check_passes():
    net, Y = network(), np.eye(2)[[0, 1, 1]]
    trace, made = net.trace(ROWS[:3], Y, cp.SGD(0.1)), net.architecture
    flat = net.gradient(ROWS[:3], Y).flat
    for layer, s, ds, after in zip(
        trace.layers, made.shares(net.parameters), made.shares(flat), trace.update.shares, strict=True
    ):
        if s is None:
            assert (layer.shares, layer.share_gradient, after) == (None, None, None)
            continue
        np.testing.assert_array_equal(layer.shares, s)
        np.testing.assert_array_equal(layer.share_gradient, ds)
        np.testing.assert_allclose(after, s - 0.1 * ds, rtol=1e-12)
        np.testing.assert_allclose(layer.slope, 1 + s * (1 / np.cosh(layer.z) ** 2 - 1), rtol=1e-12)
    assert cp.check_gradient(net, ROWS[:3], Y).verdict == "pass"
    wrong = flat.copy()
    made.shares(wrong)[1][:] *= 2
    assert cp.check_gradient(net, ROWS[:3], Y, gradient=wrong).verdict == "fail"


@pytest.mark.parametrize(("n", "notation"), list(zip((1, 3, 1, 3), PRESETS, strict=True)))
def test_every_side_of_its_formulas_is_the_same_number(n, notation, monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "tanh", np.tanh)
    monkeypatch.setitem(FUNCTIONS, "tanh'", lambda z: 1 / np.cosh(z) ** 2)
    net, Y = network(), np.eye(2)[[0, 1, 1]][:n]
    told = cp.explain(net, ROWS[:n], Y, notation, format="json", form="all", optimizer=cp.SGD(0.1))
    trace = json.loads(told)
    for step in trace["steps"]:
        step["lines"] = [line for line in step["lines"] if '"s"' in json.dumps(line)]
    assert {step["kind"] for step in trace["steps"] if step["lines"]} == {
        "forward",
        "delta",
        "gradient",
    }
    assert assert_sides_agree(net, trace, 1e-11) > 20
    wrong = json.loads(told.replace('"quantity": "share_gradient"', '"quantity": "share"'))
    wrong["steps"] = trace["steps"] and [s for s in wrong["steps"] if s["kind"] == "gradient"]
    with pytest.raises(AssertionError):
        assert_sides_agree(net, wrong, 1e-11)


def test_its_json_is_as_the_schema_says_and_every_format_has_its_formulas():
    jsonschema = pytest.importorskip("jsonschema")
    net, Y = network(), np.eye(2)[[0, 1, 1]]
    told = json.loads(cp.explain(net, ROWS[:3], Y, format="json", optimizer=cp.SGD(0.1)))
    jsonschema.validate(told, schema())  # to validate all formulas takes seconds
    formulas = cp.explain(net, ROWS[:1], Y[:1], format="json", form="all", optimizer=cp.SGD(0.1))
    quantities = set(re.findall(r'"quantity": "([^"]*)"', formulas))
    assert {"share", "share_gradient", "share_after"} <= quantities
    assert quantities <= set(schema()["$defs"]["num"]["properties"]["quantity"]["enum"])
    assert "share_after" in told["update"]["layers"][0]
    assert re.search(r"s²(.) \(tanh\(z²\1\) − z²\1\)", cp.explain(net, ROWS[:1], Y[:1], format="text"))
    assert "tanh" in cp.explain(net, ROWS[:1], Y[:1], format="html")
    assert r"\operatorname{tanh}" in cp.explain(net, ROWS[:1], Y[:1], format="latex")


def test_what_it_cannot_be_is_said():
    for where in ({"output": "parametric_tanh"}, {"layers": [4, cp.Layer(2, "parametric_tanh")]}):
        with pytest.raises(
            ValueError, match="parametric_tanh is for hidden layers, got it in the output"
        ):
            cp.Network(**{"layers": [4, 2], "cost": "quadratic"} | where)
    with pytest.raises(
        ValueError, match="parametric_tanh is for a whole layer, not for single neurons"
    ):
        cp.Layer(2, ["parametric_tanh", "tanh"])
    for name in ("parametric_identity", "parametric_softmax", "parametric_"):
        with pytest.raises(ValueError, match="activation must be one of"):
            resolve(name)
    with pytest.raises(ValueError, match="must not be that of a built-in one, got 'parametric_tanh'"):
        cp.Activation("parametric_tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    assert not set(PARAMETRIC) & set(ACTIVATIONS)


def test_the_gradient_of_the_inputs_is_that_of_the_cost():
    made = problem(input_scale=True)
    a, p = made.architecture, made.parameters
    passed = backprop.forward(a, p, made.X)
    ours = backprop.input_error(a, p, passed, backprop.backward(a, p, passed, made.Y).delta[0]) / 7

    def cost_of(flat):
        made.X = flat.reshape(7, 4)
        return made.cost()

    wanted = oracles.central_differences(cost_of, ROWS.ravel())
    np.testing.assert_allclose(ours.ravel(), wanted, rtol=1e-6, atol=1e-9)
