"""Each figure of the documents, V1 to V22, has a rendering, and its numbers are the engine's."""

import importlib.util
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain import FIGURES, figure
from explained import PRESETS, interval, mazur, problem

DOCS = Path(__file__).parent.parent / "docs"


def test_every_figure_has_a_rendering():
    assert list(FIGURES) == [f"V{number}" for number in range(1, 23)]


def test_the_page_of_figures_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_figures", DOCS / "make_figures.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text("utf-8") == made.page(), "run python docs/make_figures.py"
    assert re.findall(r"^### (V\d+)", made.page(), re.MULTILINE) == list(FIGURES)
    assert [name for names in made.OF.values() for name in names.split()] == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_made_of_any_network(name):
    for i, how in enumerate(
        (
            {},
            {"sizes": (3, 2), "output": "sigmoid"},
            {"cost": "cross_entropy"},
            {"output": "softmax"},
            {"sizes": (4, 12, 3, 2), "bias": False, "activation": "relu"},
            {"sizes": (40, 20, 12), "cost": "cross_entropy"},
        )
    ):
        net, x, y = problem(**how)
        text = figure(name, net, x[0], y[0], PRESETS[i % 4])
        assert text.strip()
        for line in text.splitlines():
            assert sum(not unicodedata.combining(c) for c in line) <= 100, line


def table(text):
    """Return the rows of a table of a figure as lists of cells."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("─"))
    return [re.split(r"\s{2,}", line.strip()) for line in lines[rule + 1 :] if line.strip()]


def test_v1_and_v5_the_weight_that_is_asked_for_is_the_one_that_is_drawn():
    net, x, y = problem((3, 4, 2))
    text = figure("V1", net, x, y, weight=(1, 1, 3))
    assert "─w³₂₄─" in text  # S2's own example: to neuron 2 of layer 3 from neuron 4 of layer 2
    assert f"w³₂₄ = {net.weights[1][1, 3]:.4g}".replace("-", "−") in text
    card = figure("V5", net, x, y, weight=(1, 1, 3))
    a, delta, product = (
        interval(each)[0] for each in re.findall(r"[−\d.e]+", card.split(" = ", 2)[2]) if each != "−"
    )
    assert product == pytest.approx(a * delta, rel=2e-3)
    assert product == pytest.approx(net.gradient(x, y).weights[1][1, 3], rel=1e-3)


def test_v10_the_wave_ends_in_the_exact_change_of_the_cost():
    net, x, y = problem((2, 3, 3, 2), output="sigmoid")
    rows = {row[0]: row[1:] for row in table(figure("V10", net, x, y, weight=(0, 2, 1)))}
    moved = net.copy()
    moved.weights[0][2, 1] += 0.01
    predicted, actual, number = rows["ΔC"]
    assert interval(actual)[0] == pytest.approx(moved.cost(x, y) - net.cost(x, y), rel=1e-3)
    assert interval(predicted)[0] == pytest.approx(net.gradient(x, y).weights[0][2, 1] * 0.01, rel=1e-3)
    assert number == "(47)"
    before, after = net.trace(x, y), moved.trace(x, y)
    for layer, number in ((1, "(49), (50)"), (2, "(49)")):
        for j in range(net.sizes[layer + 1]):
            name = f"Δa{'⁰¹²³⁴'[layer + 2]}{'₁₂₃'[j]}"
            change = after.layers[layer].a[0, j] - before.layers[layer].a[0, j]
            assert interval(rows[name][1])[0] == pytest.approx(change, rel=1e-3)
            assert interval(rows[name][0])[0] == pytest.approx(change, rel=0.05)
            assert rows[name][2] == number
    # V7 to V9 are as far as the wave has come.
    counts = [len(table(figure(f"V{n}", net, x, y, weight=(0, 2, 1)))) for n in (7, 8, 9, 10)]
    assert counts == [1, 2, 5, 9]


def test_v12_the_rates_on_the_edges_make_the_product_of_the_path():
    net, x, y = problem((2, 3, 3, 2), output="sigmoid")
    text = figure("V12", net, x, y, weight=(0, 2, 1))
    rates = [float(each) for each in re.findall(r"─(-?[\d.e-]+?)─", text)]
    path = cp.path_sum(net, x, y, 0, 2, 1).paths[0]
    layers = net.trace(x, y).layers
    first = x[0, 1] * layers[0].slope[0, 2]
    last = layers[-1].error[0, path.neurons[-1]]
    assert first * np.prod(rates) * last == pytest.approx(path.product, rel=1e-3)


@pytest.mark.parametrize(("name", "layer"), [("V17", 1), ("V18", 0)])
def test_v17_and_v18_the_factors_of_a_row_make_its_gradient(name, layer):
    net, x, y = mazur()
    rows = table(figure(name, net, x, y))
    gradient = net.gradient(x, y).weights[layer]
    assert len(rows) == gradient.size
    for row, right in zip(rows, gradient.ravel(), strict=True):
        *factors, product = (interval(each)[0] for each in row[1:])
        assert np.prod(factors) == pytest.approx(product, rel=2e-3)
        assert product == pytest.approx(right, rel=1e-3)


def test_v21_equal_weights_stay_equal_and_one_difference_parts_them():
    net, x, y = problem((3, 4, 2))
    rows = table(figure("V21", net, x, y))
    equal = [row[2:] for row in rows if row[0] == "equal"]
    parted = [row[2:] for row in rows if row[0] != "equal"]
    assert len(equal) == len(parted) == 4
    assert all(row == equal[0] for row in equal)
    assert parted[0] != parted[1]


def test_v22_the_table_is_filled_from_the_last_layer_back():
    net, x, y = problem((4, 5, 2, 3))
    rows = table(figure("V22", net, x, y, "dp"))[:-1]
    assert [row[0] for row in rows] == ["3 (base case)", "2", "1"]
    assert [int(each) for row in rows for each in re.findall(r"(\d+)\. ", " ".join(row[1:]))] == list(
        range(1, 10)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "V23"}, "figure must be one of V1, V2"),
        ({"weight": (2, 0, 0)}, r"layer of weight must be in 0\.\.1, got 2"),
        ({"weight": (1, 0, 7)}, r"source of weight must be in 0\.\.4, got 7"),
        ({"notation": "jordans"}, "did you mean 'jordan'"),
    ],
)
def test_a_figure_that_does_not_exist_is_refused(arguments, message):
    net, x, y = problem()
    with pytest.raises(ValueError, match=message):
        figure(**{"name": "V1", "net": net, "x": x, "y": y, **arguments})
