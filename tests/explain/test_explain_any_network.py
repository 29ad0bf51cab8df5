"""Every preset renders every network, in every format, and every number in it is the engine's."""

import dataclasses
import json
import unicodedata
import xml.etree.ElementTree as ET

import jsonschema
import numpy as np
import pytest

import clearprop as cp
from clearprop.explain import explained as document_of
from clearprop.explain import rendered
from clearprop.explain.forms import FORMS
from clearprop.explain.printers.json import schema
from clearprop.trace import trace
from explained import NUMBER, PRESETS, look_up, within
from test_explain import assert_sides_agree
from test_explain_formats import (
    assert_balanced,
    assert_read_back,
    body,
    expected,
    from_latex,
    from_superscripts,
)

ELEMENTWISE = (
    "identity sigmoid tanh scaled_tanh relu leaky_relu elu selu gelu silu mish softplus exp".split()
)
OUTPUTS = [  # cost, output
    ("quadratic", None), ("quadratic", "sigmoid"), ("quadratic", "softmax"), ("squared_error", "tanh"),
    ("squared_error", "softmax"), ("cross_entropy", "softmax"), ("cross_entropy", "sigmoid"),
    ("binary_cross_entropy", "sigmoid"), ("mean_absolute_error", "identity"), ("huber", "softmax"),
    ("quantile", "identity"), ("poisson", "exp"), ("poisson", "softplus"),
]  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(schema())


def network(seed):
    """Return any network, and a batch that goes with it."""
    rng = np.random.default_rng(seed)
    cost, output = OUTPUTS[seed % len(OUTPUTS)]
    reduction = "sum" if rng.random() < 0.25 else "mean"
    sizes = [int(n) for n in rng.integers(1, 8, size=rng.integers(2, 6))]
    if rng.random() < 0.3:
        sizes[rng.integers(len(sizes))] = int(rng.integers(9, 40))
    sizes[-1] = 1 if cost.startswith("binary") else max(sizes[-1], 2)
    layers = []
    for size in sizes[1:-1]:
        mixed = rng.random() < 0.5
        kind = (
            [str(each) for each in rng.choice(ELEMENTWISE, size)]
            if mixed
            else str(rng.choice(ELEMENTWISE))
        )
        layers.append(cp.Layer(size, kind, bias=bool(rng.random() < 0.7)))
    if output is None:
        last = cp.Layer(sizes[-1], [str(each) for each in rng.choice(ELEMENTWISE, sizes[-1])])
    else:
        last = cp.Layer(sizes[-1], output, bias=bool(rng.random() < 0.7))
    dtype = "float32" if rng.random() < 0.3 else "float64"
    made = getattr(cp.costs, cost)(reduction=reduction)
    net = cp.Network([sizes[0], *layers, last], cost=made, dtype=dtype, seed=seed)
    net.parameters[:] = rng.normal(scale=0.4, size=net.n_parameters)
    n = int(rng.integers(1, 5))
    Y = rng.uniform(0.05, 0.95, (n, sizes[-1]))
    if cost == "poisson":
        Y = rng.poisson(2.0, Y.shape).astype(float)
    if cost == "cross_entropy" and output == "softmax":
        Y = (
            np.eye(sizes[-1])[rng.integers(sizes[-1], size=n)]
            if rng.random() < 0.5
            else Y / Y.sum(1, keepdims=True)
        )
    return net, rng.normal(size=(n, sizes[0])), Y


def assert_every_rendering_is_read_back(net, X, Y, notation, digits, some_forms):
    optimizer = cp.SGD(0.5) if len(X) % 2 else None
    document = document_of(net.trace(X, Y, optimizer), notation, digits=digits)
    for form in some_forms:
        values = expected(document, form)
        for ascii in (False, True):
            text = rendered(document, "text", form, digits, ascii)
            assert_read_back(NUMBER.findall(body(text)), values, form in FORMS[1:])
            wide = max(sum(not unicodedata.combining(c) for c in line) for line in text.splitlines())
            assert wide <= 100 or digits > 8
            assert text.isascii() or not ascii
        latex = rendered(document, "latex", form, digits)
        assert_balanced(latex)
        assert_read_back(NUMBER.findall(body(from_latex(latex))), values, in_order=True)
        tree = ET.fromstring(rendered(document, "mathml", form, digits))
        shown = [each for each in tree.iter() if "data-ref" in each.attrib]
        texts = [from_superscripts(each.text).replace("−", "-") for each in shown]
        assert_read_back(texts, values, in_order=True)
    trace = json.loads(rendered(document, "json", "all"))
    for each in shown:
        quantity, layer, index = each.attrib["data-ref"].split("/")
        value = look_up(trace, quantity, int(layer), [int(i) for i in index.split(",") if i])
        assert within(from_superscripts(each.text), value * float(each.attrib.get("data-factor", 1)))


@pytest.mark.parametrize(
    "seed", [*range(7), *(pytest.param(n, marks=pytest.mark.slow) for n in range(7, len(OUTPUTS)))]
)
def test_every_rendering_of_any_network_is_read_back(seed):
    net, X, Y = network(seed)
    some_forms = (None, FORMS[seed % len(FORMS)])
    assert_every_rendering_is_read_back(net, X, Y, PRESETS[seed % 4], 4, some_forms)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 152))
def test_every_rendering_of_many_networks_is_read_back(seed):
    net, X, Y = network(seed)
    notation = PRESETS[seed % 4]
    assert_every_rendering_is_read_back(net, X, Y, notation, 1 + seed % 17, (None, *FORMS))
    VALIDATOR.validate(json.loads(cp.explain(net, X, Y, notation, "json", form="all")))


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("seed", range(200, 207))
def test_every_side_of_every_formula_of_any_network_agrees(seed, notation):
    net, X, Y = network(seed)
    document = document_of(net.trace(X, Y, cp.SGD(0.25)), notation)
    assert_sides_agree(
        net, json.loads(rendered(document, "json", "all")), 1e-4 if net.dtype == "float32" else 1e-10
    )


@pytest.mark.parametrize("seed", range(300, 306))
def test_every_notation_names_the_same_gradient(seed):
    """Each declares its factor; divided by it, all are the engine's."""
    net, X, Y = network(seed)
    right = net.gradient(X, Y)
    for notation in PRESETS:
        trace = json.loads(rendered(document_of(net.trace(X, Y), notation), "json", "all"))
        factor = trace["notation"]["factors"]["gradient"]
        seen = 0
        for step in trace["steps"]:
            for line in step["lines"] if step["kind"] == "gradient" else ():
                value = line["formula"]["sides"][0].get("value", {})
                if value.get("quantity") == "weight_gradient" and value["t"] == "num":
                    assert value["factor"] == pytest.approx(factor)
                    shown = look_up(trace, "weight_gradient", step["layer"], value["index"])
                    j, k = value["index"]
                    assert shown == pytest.approx(
                        float(right.weights[step["layer"] - 1][j, k]), rel=1e-6
                    )
                    seen += 1
        assert seen >= len(net.weights)


@pytest.mark.parametrize("notation", PRESETS)
def test_a_learned_input_scale_is_in_the_inputs_that_are_shown(notation):
    rng = np.random.default_rng(0)
    plain = cp.Network([3, 4, 2], cost="quadratic", dtype="float64", seed=0)
    architecture = dataclasses.replace(plain.architecture, input_scale=True, ntk=True)
    parameters = rng.normal(size=architecture.n_parameters)
    X, Y = rng.normal(size=(2, 3)), rng.normal(size=(2, 2))
    told = trace(architecture, parameters, X, Y, cp.SGD(0.5))
    np.testing.assert_array_equal(told.inputs, X * parameters[:3])
    text = rendered(document_of(told, notation), "json", "all")
    assert assert_sides_agree(plain, json.loads(text), 1e-11) > 20
    assert "The inputs are shown times the learned input scale" in text
    assert "η ∂" not in rendered(
        document_of(told, notation), "text", "component"
    )  # rates differ by block


# Numbers that are not finite


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("format", ["text", "latex", "mathml", "json"])
def test_what_is_not_finite_is_shown_and_explained_in_every_format(format, notation):
    net = cp.Network([2, 3, 2], activation="exp", cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:] = 1e4
    document = document_of(net.trace([[1.0, 2.0]], [[0.0, 1.0]], cp.SGD(0.1)), notation)
    text = rendered(document, format)
    infinity = {"text": "∞", "latex": r"\infty", "mathml": "∞", "json": '"Infinity"'}[format]
    assert infinity in text
    assert "NaN" in text
    assert "Not finite: the first such number is in a of weight layer 1" in " ".join(text.split())
    if format == "json":
        VALIDATOR.validate(json.loads(text, parse_constant=lambda name: pytest.fail(name)))
    elif format == "mathml":
        ET.fromstring(text)
    elif format == "latex":
        assert_balanced(text)


def test_an_input_that_is_not_finite_is_refused_by_its_place():
    net = cp.Network([2, 3, 2], cost="quadratic", seed=0)
    with pytest.raises(ValueError, match="finite"):
        cp.explain(net, [[1.0, np.nan]], [[0.0, 1.0]])


# Something too large


def test_a_network_with_layers_of_thousands_is_told_in_a_page_or_two():
    net = cp.Network([3000, 2000, 5], seed=0)
    text = cp.explain(net, np.ones((1, 3000)), [3])
    assert len(text) < 20_000
    assert "[..., 1,997 more neurons]" in text
    assert "[..., 5,999,994 more weights]" in text
