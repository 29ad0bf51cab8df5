"""The formulas of embeddings: every side is the same number, in every format, and the page says why not."""

import dataclasses
import json
import re

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain.printers.json import schema
from explained import PRESETS
from test_explain import assert_sides_agree

ROWS = np.random.default_rng(2).normal(size=(3, 4))
FEW = np.random.default_rng(3).normal(size=(20, 4))
HOW = {"size": 3, "n_frequencies": 2, "frequency_scale": 0.3, "columns": [0, 3]}
EMBEDDINGS = {
    "pl": cp.embeddings.piecewise_linear(FEW, bins=2, size=3, columns=[0, 3]),
    "plr": cp.embeddings.periodic(**HOW),
    "plr-lite": cp.embeddings.periodic(**HOW, lite=True),
    "pbld": cp.embeddings.pbld(**HOW),
    "categories": cp.embeddings.categories([[3, 1]], size=3, numbers=cp.embeddings.pbld(columns=[0])),
    "categories alone": cp.embeddings.categories([[0, 3], [1, 2]], size=3),
}


def network(kind, **flags):
    how = {"cost": "quadratic", "output": "sigmoid", "dtype": "float64", "seed": 1}
    net = cp.Network([4, 5, 2], "tanh", embedding=EMBEDDINGS.get(kind), **how)
    net.parameters[:] += np.random.default_rng(0).normal(scale=0.3, size=net.n_parameters)
    if flags:
        made = dataclasses.replace(net.architecture, **flags)
        parameters = np.random.default_rng(0).normal(size=made.n_parameters)
        net = cp.Network.of(dataclasses.replace(net.model, architecture=made, parameters=parameters))
    return net


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_every_side_of_the_formulas_of_an_embedding_is_the_same_number(kind, n, notation):
    net = network(kind)
    told = cp.explain(net, ROWS[:n], np.eye(2)[[0, 1, 1]][:n], notation, format="json", form="all")
    trace = json.loads(told)
    trace["steps"] = [step for step in trace["steps"] if step["kind"] == "embedding"]
    assert len(trace["steps"]) == 1 + min(n, 3)
    assert assert_sides_agree(net, trace, 1e-11) > 20
    told = told.replace('"quantity": "embedding.vectors_gradient"', '"quantity": "embedding.vectors"')
    wrong = json.loads(told.replace('"quantity": "embedding.delta"', '"quantity": "embedding.h"'))
    with pytest.raises(AssertionError):
        assert_sides_agree(net, wrong, 1e-11)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kind", [None, "pbld"])
def test_every_side_of_the_formulas_of_an_input_scale_is_the_same_number(kind, n):
    net, Y = network(kind, input_scale=True), np.eye(2)[[0, 1, 1]][:n]
    trace = json.loads(cp.explain(net, ROWS[:n], Y, format="json", form="all"))
    trace["steps"] = [step for step in trace["steps"] if step["kind"] == "scale"]
    assert len(trace["steps"]) == 1 + min(n, 3)
    assert assert_sides_agree(net, trace, 1e-11) > 20
    scale, gradient = (
        net.architecture.scale_view(f) for f in (net.parameters, net.gradient(ROWS[:n], Y).flat)
    )
    np.testing.assert_array_equal(trace["input_scale"]["scale"], scale)
    np.testing.assert_array_equal(trace["input_scale"]["gradient"], gradient)
    trace["input_scale"]["error"] = (2 * np.array(trace["input_scale"]["error"])).tolist()
    with pytest.raises(AssertionError):
        assert_sides_agree(net, trace, 1e-11)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_the_json_of_an_embedding_is_as_its_schema_says_and_reads_back_to_the_bits(kind, scaled):
    jsonschema = pytest.importorskip("jsonschema")
    net, Y = network(kind, input_scale=scaled), np.eye(2)[[0, 1, 1]]
    told = json.loads(cp.explain(net, ROWS, Y, format="json"))
    jsonschema.validate(told, schema())
    formulas = cp.explain(net, ROWS, Y, format="json", form="all")  # to validate all takes seconds
    quantities = set(re.findall(r'"quantity": "([^"]*)"', formulas))
    assert quantities <= set(schema()["$defs"]["num"]["properties"]["quantity"]["enum"])
    assert {step["kind"] for step in json.loads(formulas)["steps"]} <= set(
        schema()["properties"]["steps"]["items"]["properties"]["kind"]["enum"]
    )
    trace = net.trace(ROWS, Y)
    for name, each in trace.embedding.gradient.items():
        np.testing.assert_array_equal(told["embedding"][f"{name}_gradient"], each)
    np.testing.assert_array_equal(told["embedding"]["a"], trace.embedding.a)


def test_the_formulas_stand_in_every_format_and_the_page_says_that_it_has_none():
    net, Y = network("pbld"), np.eye(2)[[0, 1, 1]]
    text = cp.explain(net, ROWS, Y, format="text")
    assert "φ¹₁₁ = cos(2 × π c₁₁ u¹₁ + r₁₁)" in text
    assert r"\phi^{1}_{11} &= \operatorname{cos}\left(2\, \pi\, c_{11}\, u^{1}_{1}" in cp.explain(
        net, ROWS, Y, format="latex"
    )
    assert "<mi>φ</mi>" in cp.explain(net, ROWS, Y, format="mathml")
    page = cp.explain(net, ROWS, Y, format="html")
    assert "a page has no formulas of it" in page
    n, widths = net.sizes[0], net.architecture.widths
    assert f"A network with {n} inputs, made into {widths[0]} numbers, " in page
    assert "Embedding: pbld" not in page
