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

DOCS = Path(__file__).parents[2] / "docs"


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
    assert counts == [1, 2, 5, 8]


def test_v12_the_rates_on_the_edges_make_the_product_of_the_path():
    net, x, y = problem((2, 3, 3, 2), output="sigmoid")
    text = figure("V12", net, x, y, weight=(0, 2, 1))
    rates = [float(each) for each in re.findall(r"─(-?[\d.e-]+?)─", text)]
    path = cp.path_sum(net, x, y, 0, 2, 1).paths[0]
    layers = net.trace(x, y).layers
    first = x[0, 1] * layers[0].slope[0, 2]
    last = layers[-1].error[0, path.neurons[-1]]
    assert first * np.prod(rates) * last == pytest.approx(path.product, rel=1e-3)


def by_hand(net, x, y):
    """Return a of every layer and delta of both, of sigmoids and the quadratic cost, by NumPy alone."""
    hidden = 1 / (1 + np.exp(-(net.weights[0] @ x + net.biases[0])))
    out = 1 / (1 + np.exp(-(net.weights[1] @ hidden + net.biases[1])))
    delta = (out - y) * out * (1 - out)
    return (x, hidden, out), (net.weights[1].T @ delta * hidden * (1 - hidden), delta)


def read(cells):
    return [interval(each)[0] for each in cells]


def test_v17_and_v18_the_factors_of_a_row_make_its_gradient():
    """The columns of S1: (y - a), f', input; and for each delta of the outputs delta, theta, f', input."""
    net, x, y = problem((4, 5, 2), output="sigmoid")
    (x, hidden, out), (before, delta) = by_hand(net, x[0], y[0])
    text = figure("V17", net, x, y, "jordan")
    assert "δ⁽³⁾, the error" in text.splitlines()[0]
    assert text.splitlines()[1].split()[:4] == ["weight", "−∂J/∂a⁽³⁾", "f′(z⁽³⁾)", "input"]
    rows = iter(table(text))
    for j in range(2):
        for k in range(5):
            weight, *cells, caption = next(rows)
            right = [y[0][j] - out[j], out[j] * (1 - out[j]), hidden[k], -delta[j] * hidden[k]]
            assert read(cells) == pytest.approx(right, rel=1e-3)
            assert caption == f"output neuron {j + 1}"
            assert weight == f"θ⁽²⁾{'₁₂'[j]}{'₁₂₃₄₅'[k]}"
    assert not list(rows)
    text = figure("V18", net, x, y, "jordan")
    first, second = text.splitlines()[:2]
    assert re.findall(r"chain for δ⁽³⁾.", first) == ["chain for δ⁽³⁾₁", "chain for δ⁽³⁾₂"]
    assert second.count("δ⁽²⁾, proportional error") == 2
    rows = iter(table(text))
    for j in range(5):
        for k in range(4):
            _, *cells = next(rows)
            slope, right = hidden[j] * (1 - hidden[j]), []
            for i in range(2):
                right += [-delta[i], net.weights[1][i, j], slope, x[k]]
            assert read(cells) == pytest.approx([*right, -before[j] * x[k]], rel=1e-3)
    assert not list(rows)


def test_v18_with_more_outputs_has_a_row_for_each_chain():
    net, x, y = problem((4, 5, 3), output="sigmoid")
    (x, hidden, _), (before, delta) = by_hand(net, x[0], y[0])
    rows = table(figure("V18", net, x, y))
    assert len(rows) == 5 * 4 * 4
    for n, (j, k) in enumerate(np.ndindex(5, 4)):
        chains, total = rows[4 * n : 4 * n + 3], rows[4 * n + 3]
        for i, row in enumerate(chains):
            right = [delta[i], net.weights[1][i, j], hidden[j] * (1 - hidden[j]), x[k]]
            *name, _ = row[: len(row) - 5], None
            assert name[0][-1] == f"δ³{'₁₂₃'[i]}"
            assert read(row[-5:]) == pytest.approx([*right, np.prod(right)], rel=1e-3)
        assert total[:2] == ["all", "sum"]
        assert read(total[2:]) == pytest.approx([before[j] * x[k]], rel=1e-3)


@pytest.mark.parametrize("name", ["V14", "V16"])
def test_v14_and_v16_the_chains_of_the_weight_that_s1_takes(name):
    """The blue chain through output 1 and the orange one through output 2, of theta_11 of layer 1."""
    net, x, y = problem((4, 5, 2), output="sigmoid")
    (x, hidden, out), (before, _) = by_hand(net, x[0], y[0])
    text = figure(name, net, x, y, "jordan")
    products = {}
    for i, colour in enumerate(("blue", "orange")):
        right = [
            y[0][i] - out[i],
            out[i] * (1 - out[i]),
            net.weights[1][i, 0],
            hidden[0] * (1 - hidden[0]),
            x[0],
        ]
        block = text[text.rindex(f"  {colour} = ") :].partition("\n\n")[0]
        numbers = read(re.findall(r"−?\d\S*\d", re.sub(r"[∂θ]\S*|\)", "", block)))
        assert numbers == pytest.approx([*right, np.prod(right)], rel=1e-3)
        products[colour] = numbers[-1]
    assert sum(products.values()) == pytest.approx(-before[0] * x[0], rel=2e-3)
    if name == "V16":
        assert "= blue + orange = " in text
        assert (
            text.index("blue = (−∂J/∂a⁽³⁾₁) ∂a⁽³⁾₁/∂z⁽³⁾₁ ∂z⁽³⁾₁/∂a⁽²⁾₁ ∂a⁽²⁾₁/∂z⁽²⁾₁ ∂z⁽²⁾₁/∂θ⁽¹⁾₁₁")
            > 0
        )
    else:
        assert "−∂J/∂θ⁽²⁾₁₁ = " in text  # first theta_2, of one chain of three


def test_v14_each_derivative_stands_under_its_part_of_the_network():
    net, x, y = problem((1, 1, 1), output="sigmoid")
    parts, back, names, numbers, whole = (
        figure("V14", net, x, y, "jordan").split("\n\n")[-1].splitlines()[:5]
    )
    assert back.strip() == "<" + back.count("─") * "─" + " blue"
    middle = lambda line, what: line.index(what) + len(what) / 2  # noqa: E731
    for part, name in (
        ("(θ⁽¹⁾₁₁)", "∂z⁽²⁾₁/∂θ⁽¹⁾₁₁"), ("z⁽²⁾₁|a⁽²⁾₁", "∂a⁽²⁾₁/∂z⁽²⁾₁"), ("(θ⁽²⁾₁₁)", "∂z⁽³⁾₁/∂a⁽²⁾₁"),
        ("z⁽³⁾₁|a⁽³⁾₁", "∂a⁽³⁾₁/∂z⁽³⁾₁"), ("──> ", "−∂J/∂a⁽³⁾₁"),
    ):  # fmt: skip
        where = parts.rindex(part) + len(part) / 2 if part == "──> " else middle(parts, part)
        assert abs(where - middle(names, name)) <= 3, (part, parts, names)
    assert len(numbers.split()) == 5
    assert read(numbers.split()[::-1]) == read(re.findall(r"−?\d[\d.e−]*", whole)[:5])


def test_v19_is_in_s1s_order():
    """delta of layer 3, gradient of Theta 2, delta of layer 2, gradient of Theta 1."""
    text = figure("V19", *mazur(), "jordan")
    places = [
        text.index(each) for each in ("\n  δ⁽³⁾₁ =", "−∂J/∂θ⁽²⁾₁₁ =", "\n  δ⁽²⁾₁ =", "−∂J/∂θ⁽¹⁾₁₁ =")
    ]
    assert places == sorted(places)
    assert "a⁽³⁾₁ = f(z⁽³⁾₁)" in text[: places[0]]


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
