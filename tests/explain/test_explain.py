"""The formulas are right: every side of every formula, computed from its references, is the same number."""

import dataclasses
import json
import re

import numpy as np
import pytest

import clearprop as cp
import explained
from clearprop.explain import NOTATIONS, equivalent_learning_rate, true_derivatives
from clearprop.explain.document import count_factors
from clearprop.explain.notation import factors
from explained import PRESETS, PROBLEMS, Elided, evaluate, mazur, problem


def told(net, X, Y, notation="nielsen", **how):
    return json.loads(cp.explain(net, X, Y, notation, "json", **{"form": "all", **how}))


def formulas(trace, *kinds):
    return [
        (step, line["formula"])
        for step in trace["steps"]
        for line in step["lines"]
        if not kinds or step["kind"] in kinds
    ]


def applied(layer, value):
    """Return what a layer does to z: of the neuron that a formula is of, or of a column or row of all."""
    parts = layer.function.parts
    if not parts:
        return layer.function
    if value is not None and value["t"] == "num":
        return parts[value["index"][-1]] if value["quantity"] == "a" else None

    def of_all(z):
        rows = z if z.shape[0] == len(parts) else z.T
        made = np.stack([f(row) for f, row in zip(parts, rows, strict=True)])
        return made if rows is z else made.T

    return of_all


def assert_sides_agree(net, trace, tolerance):
    compared = 0
    for step, formula in formulas(trace):
        layer = applied(net.layers[max(step["layer"], 1) - 1], formula["sides"][0].get("value"))
        values = []
        for side in formula["sides"]:
            # The left side counts with the number that it stands for.
            side = (
                side.get("value", side)
                if side is formula["sides"][0] and formula["sign"] == "="
                else side
            )
            try:
                values.append(evaluate(side, trace, layer))
            except Elided:
                continue
        for other in values[1:]:
            compared += 1
            assert np.shape(other) == np.shape(values[0]), step["title"]
            agree = np.allclose(other, values[0], rtol=tolerance, atol=tolerance, equal_nan=False)
            assert agree, f"{step['title']}: {formula} has the sides {values}"
    return compared


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_side_of_every_formula_is_the_same_number(name, notation):
    net, X, Y = problem(**PROBLEMS[name])
    trace = told(net, X, Y, notation, optimizer=cp.SGD(0.5))
    assert assert_sides_agree(net, trace, 2e-5 if net.dtype == "float32" else 1e-11) > 20


def test_a_wrong_formula_is_found_by_that_comparison():
    net, X, Y = mazur()
    text = cp.explain(net, X, Y, format="json", form="all")
    wrong = text.replace('"quantity": "slope"', '"quantity": "a"')  # X6: f'(a) for f'(z), near enough
    with pytest.raises(AssertionError):
        assert_sides_agree(net, json.loads(wrong), 1e-11)


GOLDEN = {  # the gradient of w5 (hidden 1 to output 1) and its update, to 4 digits; symbols of each book
    "nielsen": ["∂C/∂w³₁₁ = a²₁ δ³₁ = 0.5933 × 0.1385 = 0.08217", "δ³₁ = ∂C/∂a³₁ σ′(z³₁) = 0.7414 × 0.1868 = 0.1385",
                "w³₁₁ → w³₁₁ − η ∂C/∂w³₁₁ = 0.4 − 0.5 × 0.08217 = 0.3589", " = 0.2984"],
    "jordan": ["−∂J/∂θ⁽²⁾₁₁ = δ⁽³⁾₁ a⁽²⁾₁ = (−0.1385) × 0.5933 = −0.08217", "δ⁽²⁾ = (δ⁽³⁾ Θ⁽²⁾) ⊙ f′(z⁽²⁾)",
               "θ⁽²⁾₁₁ := θ⁽²⁾₁₁ + η (−∂J/∂θ⁽²⁾₁₁) = 0.4 + 0.5 × (−0.08217) = 0.3589", " = 0.2984"],
    "dp": ["∂C/∂w⁽²⁾₁₁ = a⁽¹⁾₁ ∂C/∂b⁽²⁾₁ = 0.5933 × 0.2770 = 0.1643", "∂C/∂b⁽²⁾₁ = σ̇⁽²⁾(z⁽²⁾₁) ∂C/∂a⁽²⁾₁ = 0.1868 × 1.483 = 0.2770",
           "w⁽²⁾₁₁ → w⁽²⁾₁₁ − η ∂C/∂w⁽²⁾₁₁ = 0.4 − 0.25 × 0.1643 = 0.3589", " = 0.5967"],
    "softmax-ce": ["∂C/∂w²₁₁ = a¹₁ ∂C/∂b²₁ = 0.5933 × 0.1385 = 0.08217", "∂C/∂a¹ = (w²)ᵀ · (∂C/∂a² ⊙ σ′(z²))",
                   "w²₁₁ → w²₁₁ − η ∂C/∂w²₁₁ = 0.4 − 0.5 × 0.08217 = 0.3589", " = 0.2984"],
}  # fmt: skip


@pytest.mark.parametrize("notation", PRESETS)
def test_the_golden_example_stands_in_each_books_symbols(notation):
    net, x, y = mazur()
    text = cp.explain(net, x, y, notation, optimizer=cp.SGD(0.5))
    for line in GOLDEN[notation]:
        assert line in text, f"{line}\n{text}"


@pytest.mark.parametrize("notation", PRESETS)
def test_the_golden_numbers_are_there_to_every_digit(notation):
    net, x, y = mazur()
    text = cp.explain(net, x, y, notation, optimizer=cp.SGD(0.5), digits=8)
    golden = "0.59326999 0.59688438 0.75136507 0.77292847 0.35891648 0.40866619 0.51130127 0.56137012"
    golden += " 0.14978072 0.19956143 0.24975114 0.29950229"
    for number in golden.split():
        assert f"= {number}" in text
    cost = told(net, x, y, notation)["cost_value"]
    assert cost == pytest.approx(0.2983711087600027, abs=1e-16)


def test_the_golden_cost_after_the_update_with_biases_fixed():
    net, x, y = mazur()
    update = net.trace(x, y, cp.SGD(0.5)).update
    for W, after in zip(net.weights, update.weights, strict=True):
        W[:] = after
    assert net.cost(x, y) == pytest.approx(0.29102777369359933, abs=1e-16)


def test_terms_are_counted_as_s1_counts_them():
    assert count_factors((1, 1, 1)) == 8
    assert count_factors((2, 2, 2)) == 52
    assert count_factors((784, 30, 10)) == 1_176_900
    assert count_factors((784, 30, 30, 30, 10)) == 1_907_055_900


def test_the_shown_chains_of_the_2_2_2_network_have_52_factors():
    """E8: the rest of the calculations, left to the reader."""
    net, x, y = problem((2, 2, 2), bias=False)
    counted, chains = 0, 0
    for step, formula in formulas(told(net, x, y), "gradient"):
        side = formula["sides"][1]
        products = side["terms"] if side["t"] == "sum" else [side]
        if all(p["t"] == "prod" and all(f["t"] == "partial" for f in p["factors"]) for p in products):
            if step["layer"] == 1 and len(products[0]["factors"]) == 3:
                continue  # the local chain, through dC/da
            counted += sum(len(p["factors"]) for p in products)
            chains += 1
    assert (chains, counted) == (8, 52)


def test_declared_factors_are_those_of_the_scale_table():
    net, _, _ = problem(n=4)
    made = {name: factors(NOTATIONS[name], net.architecture, 4) for name in PRESETS}
    assert made["nielsen"].gradient == made["softmax-ce"].gradient == 1
    assert made["dp"].gradient == 2 * 4
    assert made["jordan"].gradient == -1
    assert made["jordan"].delta == -1 / 4
    assert made["dp"].delta == 2


def test_entropy_has_no_factor_2():
    net, X, Y = problem(cost="cross_entropy")
    assert factors(NOTATIONS["dp"], net.architecture, 1).gradient == 1
    assert "does not concern cross_entropy" in " ".join(cp.explain(net, X, Y, "dp").split())


@pytest.mark.parametrize("notation", PRESETS)
def test_each_preset_declares_its_scale_in_a_note(notation):
    net, X, Y = problem(n=3)
    notes = " ".join(cp.explain(net, X, Y, notation).partition("Notes")[2].split())
    declared = {"nielsen": "1/m stands in the update", "jordan": "factor -1; 1/m stands in the delta of the output layer: factor 1/3",
                "dp": "factor 2; 1/m is dropped: factor m = 3", "softmax-ce": "1/m stands in the cost"}  # fmt: skip
    assert declared[notation] in notes


def test_learning_rates_are_converted_to_make_the_same_step():
    net, X, Y = problem(n=5)
    other = {
        "nielsen": cp.Network([4, 5, 3], cost="quadratic", dtype="float64"),
        "dp": cp.Network([4, 5, 3], cost=cp.costs.squared_error(reduction="sum"), dtype="float64"),
    }
    steps = []
    for name, each in other.items():
        each.parameters[:] = net.parameters
        eta = equivalent_learning_rate(0.3, "nielsen", name, n_samples=5)
        steps.append(eta * each.gradient(X, Y).flat)
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-12)
    assert equivalent_learning_rate(1.0, "jordan", "softmax-ce", 5) == 1.0
    assert cp.notation.equivalent_learning_rate is equivalent_learning_rate
    for given in (1.5, True, "3"):
        with pytest.raises(
            TypeError, match=f"n_samples must be an integer of at least 1, got {given!r}"
        ):
            equivalent_learning_rate(0.3, "nielsen", "dp", given)
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        equivalent_learning_rate(1.0, "jordan", "dp", 0)


@pytest.mark.parametrize("eta", [0, -0.1, np.nan, np.inf, True, "0.1", None])
def test_a_learning_rate_that_makes_no_step_has_no_equivalent(eta):
    with pytest.raises(
        ValueError, match=re.escape(f"eta must be a finite number above 0, got {eta!r}")
    ):
        equivalent_learning_rate(eta, "nielsen", "dp")


def test_a_notation_of_ones_own_takes_a_few_lines():
    mine = dataclasses.replace(
        NOTATIONS["nielsen"],
        name="mine",
        layer_base=0,
        matrix_symbol="W",
        delta_symbol="ε",
        cost_symbol="L",
    )
    net, x, y = mazur()
    text = cp.explain(net, x, y, mine)
    assert "ε¹ = ((W²)ᵀ ε²) ⊙ σ′(z¹)" in text
    assert "∂L/∂w²₁₁ = a¹₁ ε²₁ = 0.5933 × 0.1385 = 0.08217" in text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("orientation", "rows", "orientation must be one of column, row, got 'rows'"),
        ("delta_sign", 2, "delta_sign must be 1 or -1, got 2"),
        ("delta_sign", True, "delta_sign must be 1 or -1, got True"),
        ("cost_scale", "1", "cost_scale must be 0.5 or 1.0, got '1'"),
        ("layer_base", 2, "layer_base must be 0 or 1, got 2"),
        ("layer_base", True, "layer_base must be 0 or 1, got True"),
        ("layer_base", 1.0, "layer_base must be 0 or 1, got 1.0"),
        ("layer_base", None, "layer_base must be 0 or 1, got None"),
        ("index_names", ("j",), "index_names must be two names"),
        ("index_names", "jk", "index_names must be two names"),
        ("index_names", ("j", ""), "index_names must be two names"),
        ("index_names", ("j", 2), "index_names must be two names"),
        ("index_names", ("j", "j"), "index_names must be two different names"),
        ("weight_symbol", "\\input{x}", "weight_symbol must be one letter"),
        ("cost_scale", 2.0, "cost_scale must be 0.5 or 1.0, got 2.0"),
        ("weight_symbol", "ж", "weight_symbol must be one letter, Latin or Greek, got 'ж'"),
        ("delta_symbol", 5, "delta_symbol must be one letter, Latin or Greek, or empty, got 5"),
        ("delta_symbol", None, "delta_symbol must be one letter, Latin or Greek, or empty, got None"),
        ("batch_axis", "<b>", "batch_axis must be a name, as in 'i', got '<b>'"),
        ("layer_counts_input", "no", "layer_counts_input must be True or False, got 'no'"),
        ("name", 5, "name must be text, got 5"),
        ("errata", (("delta", "X1"),), "errata must be a tuple of (where, id, sentence)"),
    ],
)
def test_a_notation_that_makes_no_sense_is_refused(field, value, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        dataclasses.replace(NOTATIONS["dp"], **{field: value})


@pytest.mark.parametrize("notation", ["jordan", "nielsen"])
def test_what_the_indices_of_a_weight_mean_is_said_with_the_notations_names(notation):
    net, x, y = mazur()
    to, comes_from = NOTATIONS[notation].index_names
    said = f"indices are {to}, of the unit it leads to, and {comes_from}, of the one it comes from"
    assert said in cp.explain(net, x, y, notation)
    mine = dataclasses.replace(NOTATIONS[notation], index_names=("q", "p"))
    assert "indices are q, of the unit it leads to, and p, of" in cp.explain(net, x, y, mine)


@pytest.mark.parametrize("letter", "αιουςΑΞΠΥΩ")
def test_every_greek_letter_is_written_in_latex(letter):
    net, x, y = mazur()
    mine = dataclasses.replace(NOTATIONS["nielsen"], weight_symbol=letter)
    latex = cp.explain(net, x, y, mine, "latex")
    assert latex.isascii()
    assert "U+" not in latex


def test_jordan_can_be_read_with_true_derivatives():
    net, x, y = mazur()
    text = cp.explain(net, x, y, true_derivatives("jordan"))
    assert "∂J/∂θ⁽²⁾₁₁ = δ⁽³⁾₁ a⁽²⁾₁ = 0.1385 × 0.5933 = 0.08217" in text
    assert "−∂J/∂θ" not in text.replace("− η ∂J", "").replace("(−∂J", "")


def test_errata_are_corrected_with_a_note_and_printed_when_faithful():
    net, x, y = mazur()
    right, printed = cp.explain(net, x, y, "jordan"), cp.explain(net, x, y, "jordan", faithful=True)
    assert "f′(z⁽²⁾)" in right
    assert "f′(a⁽²⁾)" in printed
    assert "f′(a⁽²⁾)" not in right
    for erratum in ("X6", "X8", "X10", "X13"):
        assert f"* {erratum}: " in right
    assert "(δ⁽³⁾ Θ⁽²⁾) f′(a⁽²⁾)" in printed  # X10: the kind of product left out
    assert "X19" in cp.explain(*problem(output="softmax"), "nielsen")
    assert "X34" in cp.explain(*problem(output="softmax"), "dp")
    assert "X20" in cp.explain(*problem(cost="cross_entropy"), "nielsen")


def nodes_of(node):
    """Return every node of a formula, values of symbols left out."""
    found = [node]
    for key, each in node.items():
        if isinstance(each, dict) and key != "value":
            found += nodes_of(each)
        elif isinstance(each, list):
            found += [inner for one in each if isinstance(one, dict) for inner in nodes_of(one)]
    return found


def without_values(node):
    if isinstance(node, list):
        return [without_values(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: without_values(each) for key, each in node.items() if key != "value"}


def by_hand(net, X, Y):
    """Return a^{x,l} and delta^{x,l} of S2's A2: one example at a time, sigmoid, quadratic or softmax."""
    activations, deltas = [X], []
    for W, b in zip(net.weights, net.biases, strict=True):
        z = activations[-1] @ W.T + b
        activations.append(1 / (1 + np.exp(-z)))
    a = activations[-1]
    deltas.append((a - Y) * a * (1 - a))
    for W, a in zip(net.weights[:0:-1], activations[-2:0:-1], strict=True):
        deltas.insert(0, deltas[0] @ W * a * (1 - a))
    return activations, deltas


def test_in_a_batch_every_term_carries_the_superscript_of_its_example():
    """A2 of S2: a^{x,l} and delta^{x,l}."""
    net, X, Y = problem((4, 5, 3), output="sigmoid", n=7)
    trace = told(net, X, Y, algorithm="A2", optimizer=cp.SGD(0.5))
    activations, deltas = by_hand(net, X, Y)
    looked_at = set()
    for _, formula in formulas(trace):
        for node in (each for side in formula["sides"] for each in nodes_of(side)):
            if "value" not in node or node.get("base") not in ("a", "δ") or not node["sub"]:
                continue
            x, l = (int(each) for each in node["sup"].split(","))  # noqa: E741 - the layer
            arrays = activations if node["base"] == "a" else [None, *deltas]
            right = arrays[l - 1][x - 1, int(node["sub"][0]) - 1]
            assert evaluate(node["value"], trace, None) == pytest.approx(right, rel=1e-12)
            looked_at.add((node["base"], x, l))
    assert {(base, at) for base, _, at in looked_at} == {
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("δ", 2),
        ("δ", 3),
    }
    assert len({x for _, x, _ in looked_at}) > 4


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("name", ["batch of 7", "softmax, cross_entropy, batch"])
def test_no_sum_over_a_batch_has_a_term_twice(name, notation):
    trace, sums = told(*problem(**PROBLEMS[name]), notation, optimizer=cp.SGD(0.5)), 0
    for _, formula in formulas(trace, "gradient", "update", "cost"):
        for node in (each for side in formula["sides"] for each in nodes_of(side)):
            if node["t"] == "sum" and not any(each["t"] == "num" for each in nodes_of(node)):
                terms = [json.dumps(without_values(each)) for each in node["terms"]]
                assert len(terms) == len(set(terms)), terms
                sums += len(terms) > 2
    assert sums > 10


def test_the_symbol_of_an_example_in_every_format():
    net, X, Y = problem((4, 3, 2), n=2)
    how = {"algorithm": "A2", "optimizer": cp.SGD(0.5)}
    text = cp.explain(net, X, Y, **how)
    assert "∂C/∂w³₁₁ = 1/2 × (a¹,²₁ δ¹,³₁ + a²,²₁ δ²,³₁)" in text
    assert "w³₁₁ → w³₁₁ − η/2 (a¹,²₁ δ¹,³₁ + a²,²₁ δ²,³₁)" in text
    assert "w³ → w³ − η/2 (Σₓ δˣ,³ (aˣ,²)ᵀ)" in text
    in_ascii = cp.explain(net, X, Y, ascii=True, **how)
    assert "w^3 -> w^3 - eta/2 (Sum_x delta^{x,3} (a^{x,2}).T)" in in_ascii
    latex = cp.explain(net, X, Y, format="latex", **how)
    assert r"\delta^{1,3}_{1}" in latex
    assert r"\sum_{x} \delta^{x,3}\, \left(a^{x,2}\right)^T" in latex
    mathml = cp.explain(net, X, Y, format="mathml", **how)
    assert "<msubsup><mi>δ</mi><mn>1</mn><mn>1,3</mn></msubsup>" in mathml
    assert "<msup><mi>δ</mi><mrow><mi>x</mi><mo>,</mo><mn>3</mn></mrow></msup>" in mathml


@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("how", [{}, {"cost": "cross_entropy"}, {"output": "softmax"}])
def test_where_1_over_m_stands_is_said_where_it_is(how, notation):
    trace = told(*problem(n=7, **how), notation, optimizer=cp.SGD(0.5))
    said = 0
    for step in trace["steps"]:
        nodes = [
            node
            for line in step["lines"]
            for side in line["formula"]["sides"]
            for node in nodes_of(side)
        ]
        has = any(each["t"] == "frac" and each["bottom"] == {"t": "int", "number": 7} for each in nodes)
        says = "1/m, with m = 7, stands here" in step.get("said", "")
        assert has == says, step["title"]
        said += says
        if step["kind"] == "gradient" and notation in ("jordan", "dp"):
            assert step["said"].startswith("No 1/m stands here")
    assert said >= (1 if notation == "dp" else 3)


S0_TAGS = {  # of a network with two hidden layers, by step and layer
    ("delta", 3): {"(7)"}, ("gradient", 3): {"(8)", "(9)"}, ("error", 2): {"(13)"}, ("delta", 2): {"(11)"},
    ("gradient", 2): {"(10)"}, ("error", 1): {"(6)", "(12)"}, ("delta", 1): {"(11)"}, ("gradient", 1): {"(10)"},
}  # fmt: skip


@pytest.mark.parametrize("n", [1, 7])
def test_a8_has_every_number_that_s0s_section_6_applies(n):
    """Each labelled line against S0's vector equations, for one example at a time."""
    net, X, Y = problem((4, 5, 2, 3), cost="cross_entropy", n=n)
    trace = told(net, X, Y, None, algorithm="A8")
    found = {}
    for step in trace["steps"]:
        labels = {line["label"] for line in step["lines"]} - {""}
        if step.get("sample", 0) == 0 and labels:
            found[step["kind"], step["layer"]] = labels
    both = {"(10)", "(11)"}  # of a batch, the sum over the examples has a bias's line as well
    of_batch = {("gradient", 2): both, ("gradient", 1): both}
    assert found == (S0_TAGS if n == 1 else S0_TAGS | of_batch)
    text = cp.explain(net, X, Y, None, algorithm="A8")
    if n > 1:
        return
    for line in (
        "∂C/∂z³ = a³ − y  (7)", "∂C/∂w³ = (a³ − y) · (a²)ᵀ  (8)", "∂C/∂b³ = a³ − y  (9)",
        "∂C/∂w² = (∂C/∂a² ⊙ σ′(z²)) · (a¹)ᵀ  (10)", "∂C/∂b² = ∂C/∂a² ⊙ σ′(z²)  (11)",
        "∂C/∂a¹ = (w²)ᵀ · (∂C/∂a² ⊙ σ′(z²))  (12)", "∂C/∂a² = (w³)ᵀ · (a³ − y)  (13)",
    ):  # fmt: skip
        assert line in re.sub(r" {2,}", "  ", text)
    notes = " ".join(text.partition("Notes")[2].split())
    assert all(erratum in notes for erratum in ("X33:", "X34:", "X35:"))
    w, b = net.weights, net.biases
    a = [X[0]]
    for l in (0, 1):  # noqa: E741 - the layer
        a.append(1 / (1 + np.exp(-(w[l] @ a[-1] + b[l]))))
    e = np.exp(w[2] @ a[2] + b[2])
    a.append(e / e.sum())
    last = a[3] - Y[0]
    da2 = w[2].T @ last
    db2 = da2 * a[2] * (1 - a[2])
    da1 = w[1].T @ db2
    right = {
        "(7)": {("delta", 3): last}, "(8)": {("weight_gradient", 3): np.outer(last, a[2])},
        "(9)": {("bias_gradient", 3): last}, "(13)": {("error", 2): da2}, "(6)": {("error", 1): da1},
        "(11)": {("delta", 2): db2, ("delta", 1): da1 * a[1] * (1 - a[1])},
        "(10)": {("weight_gradient", 2): np.outer(db2, a[1]),
                 ("weight_gradient", 1): np.outer(da1 * a[1] * (1 - a[1]), a[0])},
    }  # fmt: skip
    checked = dict.fromkeys(right, 0)
    for step in trace["steps"]:
        for line in step["lines"]:
            end = line["formula"]["sides"][-1]
            if line["label"] not in right or end["t"] != "num":
                continue
            array = right[line["label"]][end["quantity"], end["layer"]]
            index = tuple(end["index"][-array.ndim :])
            assert evaluate(end, trace, None) == pytest.approx(array[index], rel=1e-12)
            checked[line["label"]] += 1
    assert min(checked.values()) >= 2


def test_s0_as_printed_is_printed_with_its_one_factor():
    net, X, Y = problem((4, 5, 3), cost="cross_entropy")
    text = cp.explain(net, X, Y, None, algorithm="A8", faithful=True)
    assert "∂a²₁/∂z²₁ ∂C/∂a²₁ = a²₁ − y₁" in text
    assert "∂C/∂b¹₁ = ∂C/∂a¹₁ σ′(a¹₁)" in text


def gradients_of(trace):
    """Return what a rendering shows as gradients, over the declared factor, by (layer, index)."""
    found = {}
    for _, formula in formulas(trace, "gradient"):
        end = formula["sides"][-1]
        if end["t"] == "num" and end["quantity"] == "weight_gradient":
            value = evaluate(end, trace, None)
            found[end["layer"], *end["index"]] = value / trace["notation"]["factors"]["gradient"]
    return found


@pytest.mark.parametrize("algorithm", ["A1", "A2", "A4", "A6", "A8"])
def test_each_algorithm_is_shown_in_its_order_and_gives_the_same_gradient(algorithm):
    net, X, Y = problem((2, 3, 2), n=1 if algorithm == "A1" else 3)
    trace = told(net, X, Y, None, algorithm=algorithm, optimizer=cp.SGD(0.1))
    assert assert_sides_agree(net, trace, 1e-11) > 20
    shown = gradients_of(trace)
    assert len(shown) == 2 * 3 + 3 * 2
    estimate = differences(net, X, Y)
    for (layer, j, k), value in shown.items():
        assert value == pytest.approx(estimate[layer - 1][j, k], rel=1e-6, abs=1e-9)


def differences(net, X, Y, h=1e-5):
    """Return central differences of the cost by every weight."""
    found = [np.zeros_like(W) for W in net.weights]
    for l, W in enumerate(net.weights):  # noqa: E741
        for index in np.ndindex(W.shape):
            costs = []
            for step in (h, -h):
                there = net.copy()
                there.weights[l][index] += step
                costs.append(there.cost(X, Y))
            found[l][index] = (costs[0] - costs[1]) / (2 * h)
    return found


def test_the_orders_of_the_algorithms_are_those_of_the_documents():
    net, X, Y = problem((2, 3, 3, 2))
    order = {
        name: [(s["kind"], s["layer"]) for s in told(net, X, Y, None, algorithm=name)["steps"]]
        for name in ("A1", "A4", "A6", "A8")
    }
    first_gradient = {name: steps.index(("gradient", 3)) for name, steps in order.items()}
    assert first_gradient["A1"] > order["A1"].index(("delta", 1))  # all errors, then all gradients
    assert first_gradient["A4"] < order["A4"].index(("delta", 2))  # each layer's as soon as it can be
    assert first_gradient["A6"] < order["A6"].index(("error", 2))
    assert order["A8"][-3:] == [("update", 3), ("update", 2), ("update", 1)]  # X36
    titles = [s["title"] for s in told(net, X, Y, None, algorithm="A4")["steps"]]
    assert any(t.startswith("6. l = 2, gradient of the weights that lead to it") for t in titles)  # X13


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"algorithm": "A3"}, "algorithm must be one of A1, A2, A4, A6, A8, got 'A3'"),
        ({"algorithm": "A8", "notation": "nielsen"}, "algorithm A8 carries dC/da back"),
        ({"notation": "nielson"}, "did you mean 'nielsen'"),
        ({"format": "pdf"}, "format must be one of text, html, latex, mathml, json, got 'pdf'"),
        ({"form": "numeric"}, "form must be one of matrix, component, numbers, chain, path"),
        ({"digits": 0}, "digits must be an integer in 1..17, got 0"),
        ({"optimizer": "lbfgs"}, "optimizer must step from one gradient"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(how, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cp.explain(*mazur(), **how)


def test_a_batch_is_refused_by_the_algorithm_for_one_example():
    with pytest.raises(ValueError, match="algorithm A1 is for one example, got 2; A2 is for a batch"):
        cp.explain(*problem(n=2), algorithm="A1")


def test_data_that_do_not_fit_the_model_are_refused_with_both_shapes():
    net, _, y = mazur()
    with pytest.raises(ValueError, match=r"2.*3|3.*2"):
        cp.explain(net, [[1.0, 2.0, 3.0]], y)
    with pytest.raises(ValueError, match=r"2.*3|3.*2"):
        cp.explain(net, [[1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_a_class_unknown_to_the_model_is_refused():
    net, X, _ = problem(cost="cross_entropy")
    net.classes = ("cat", "dog", "bird")
    assert "Outputs" in cp.explain(net, X, ["dog"])
    with pytest.raises(ValueError, match="fish"):
        cp.explain(net, X, ["fish"])


def test_what_was_not_computed_is_a_dash_and_absent_from_json():
    net, x, y = mazur()
    text = cp.explain(net, x, y)
    assert "w² → w² − η ∂C/∂w²\n" in text
    assert "update" not in told(net, x, y)
    assert net.trace(x, y).update is None
    assert "--" in cp.explain(net, x, y, ascii=True)


@pytest.mark.parametrize(
    "optimizer", ["adam", cp.SGD(0.1, momentum=0.9), cp.SGD(0.1, 0.9, nesterov=True), cp.AdamW(0.1)]
)
def test_the_update_is_the_one_that_training_makes(optimizer):
    net, X, Y = problem(n=3)
    trace = told(net, X, Y, optimizer=optimizer)
    assert_sides_agree(net, trace, 1e-11)
    net.fit(X, Y, epochs=1, batch_size=3, optimizer=optimizer, progress=False, engine="numpy")
    for layer, W, b in zip(trace["update"]["layers"], net.weights, net.biases, strict=True):
        np.testing.assert_allclose(layer["weight_after"], W, rtol=1e-12)
        np.testing.assert_allclose(layer["bias_after"], b, rtol=1e-12)


def test_numbers_that_are_not_finite_are_shown_and_explained():
    net, X, Y = problem((2, 3, 2), activation="exp")
    net.weights[0][:] = 1e4
    X = np.abs(X)
    text = cp.explain(net, X, Y, optimizer=cp.SGD(0.1))
    assert "∞" in text
    assert "NaN" in text
    assert "Not finite: the first such number is in a of weight layer 1" in text
    trace = told(net, X, Y)
    assert trace["layers"][0]["a"][0][0] == "Infinity"
    assert "NaN" in json.dumps(trace["layers"])


def test_a_trace_cannot_be_changed_and_does_not_change_with_its_network():
    net, x, y = mazur()
    X = np.array(x)
    trace = net.trace(X, y, cp.SGD(0.5))
    before = float(trace.layers[0].weights[0, 0])
    net.weights[0][:] = 7.0
    X[:] = 7.0
    assert trace.layers[0].weights[0, 0] == before
    assert trace.X[0, 0] == 0.05
    arrays = [trace.X, trace.Y, trace.sample_costs, *trace.update.weights, *trace.update.biases]
    for layer in trace.layers:
        found = [getattr(layer, field.name) for field in dataclasses.fields(layer)]
        arrays += [each for each in found if isinstance(each, np.ndarray)]
    assert len(arrays) == 7 + 2 * 9
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.cost = 0.0


def test_multiply_adds_are_counted_for_the_batch():
    net = cp.Network([784, 30, 10], seed=0)
    trace = net.trace(np.zeros((2, 784)), [0, 1])
    assert trace.multiply_adds == (2 * 23_820, 2 * 24_120)


def test_blanks_leave_out_the_results_and_the_key_has_them():
    """E7: derive it yourself, then compare."""
    net, x, y = mazur()
    text = cp.explain(net, x, y, blanks=True)
    page, _, key = text.partition("\nKey\n")
    asked = re.findall(r"____\((\d+)\)", page)
    answers = dict(re.findall(r"\((\d+)\) ([−.\d]+)", key.partition("Notes")[0]))
    assert asked == list(answers)
    assert len(asked) >= 14
    number = re.search(r"∂C/∂w³₁₁ = a²₁ δ³₁ = 0.5933 × 0.1385 = ____\((\d+)\)", page)[1]
    assert answers[number] == "0.08217"
    assert len(told(net, x, y, blanks=True)["answers"]) >= len(asked)


@pytest.mark.parametrize("how", [{}, {"cost": "cross_entropy"}])
def test_no_line_gives_away_what_is_left_blank(how):
    """Neither a chain nor a sum over paths, nor the derivation of a - y, ends in the result."""
    trace = told(*problem(**how), blanks=True)
    for step in trace["steps"]:
        if step["kind"] in ("error", "delta", "gradient"):
            assert "chain rule" not in step.get("said", "")
            ends = [
                line["formula"]["sides"][-1]["t"] for line in step["lines"] if line["form"] != "matrix"
            ]
            assert "num" not in ends, step["title"]


@pytest.mark.parametrize("layer_sizes", [(4, 5, 3), (40, 20, 12)])
def test_what_is_left_out_is_counted_exactly(layer_sizes):
    trace = told(*problem(layer_sizes, cost="cross_entropy"))
    for step in trace["steps"]:
        n_in = layer_sizes[max(step["layer"], 1) - 1]
        for line in step["lines"]:
            side = line["formula"]["sides"][1]
            if step["kind"] == "forward" and line["form"] == "numbers" and side["t"] == "sum":
                inner = side["terms"][0]
                shown = inner["terms"] if inner["t"] == "sum" else side["terms"][:-1]
                assert len(shown) + inner.get("elided", 0) == n_in
        if step["kind"] == "forward":
            lines = [x for x in step["lines"] if x["form"] == "component"]
            more = re.search(r"([\d,]+) more neurons", step.get("left_out", ""))
            left_out = int(more[1]) if more else 0
            assert len(lines) // 2 + left_out == layer_sizes[step["layer"]]


@pytest.mark.parametrize("notation", PRESETS)
def test_an_elided_sum_still_equals_its_total(notation):
    """The total is the engine's, of all terms; the shown terms alone would not make it."""
    net, X, Y = problem(**explained.PROBLEMS["wide"])
    trace, engine = told(net, X, Y, notation), net.trace(X, Y)
    elided = 0
    for _, formula in formulas(trace, "forward"):
        left, *_, end = formula["sides"]
        if end["t"] == "num" and end["quantity"] == "z" and '"elided": 36' in json.dumps(formula):
            j = end["index"][1]
            assert left["value"] == end
            layer = engine.layers[0]
            assert evaluate(end, trace, None) == pytest.approx(
                layer.weights[j] @ engine.X[0] + layer.biases[j], rel=1e-12
            )
            elided += 1
    assert elided


@pytest.mark.parametrize("format", ["text", "latex", "mathml"])
def test_terms_that_are_left_out_because_they_are_0_are_said_to_be_0(format):
    net, X, _ = problem(sizes=(3, 4, 10), cost="cross_entropy")
    assert "9 more, all 0" in cp.explain(net, X, [3], format=format, form="chain")
    everywhere = cp.explain(net, X, np.full((1, 10), 0.1), format=format, form="chain")
    assert "6 more" in everywhere
    assert "all 0" not in everywhere


def test_a_sum_whose_rest_is_0_is_exact():
    net, X, _ = problem(sizes=(3, 4, 10), cost="cross_entropy")
    told = json.loads(cp.explain(net, X, [3], format="json", form="chain"))
    sums = 0
    for line in (each for step in told["steps"] for each in step["lines"]):
        total = line["formula"]["sides"][1]
        if total.get("elided_zero"):
            sums += 1
            assert total["elided"] == 9
    assert sums


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (2, "[the other target is 0, and so is its term]"),
        (3, "[the 2 other targets are 0, and so are their terms]"),
    ],
)
def test_how_many_targets_are_0_is_said_in_grammar(n, said):
    net, X, _ = problem(sizes=(3, 4, n), cost="cross_entropy")
    assert said in cp.explain(net, X, [1])
