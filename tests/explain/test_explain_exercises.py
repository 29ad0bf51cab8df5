"""The exercises of the documents; each test names its id."""

import itertools
import re

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain import chains, delta_product_form, derivations
from explained import NUMBER, PRESETS, interval, mazur, problem


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "identity"])
def test_e1_the_product_of_diagonal_matrices_is_delta(output):
    net, x, y = problem((4, 5, 2, 3), output=output)
    for layer, traced in enumerate(net.trace(x, y).layers):
        np.testing.assert_allclose(
            delta_product_form(net, x[0], y[0], layer), traced.delta[0], rtol=1e-12, atol=1e-15
        )
    with pytest.raises(ValueError, match=re.escape("layer must be in 0..2, got 3")):
        delta_product_form(net, x, y, 3)


@pytest.mark.parametrize("notation", PRESETS)
def test_e2_each_derivation_ends_in_the_number_of_its_equation(notation):
    net, x, y = problem((2, 3, 2), output="sigmoid")
    text = derivations(net, x, y, notation)
    for part in re.split(r"\nBP", "\n" + text)[1:]:
        lines = re.split(r"\n  (?=\S)", part.partition("\n\n")[0])[1:]
        ends = {NUMBER.findall(" ".join(x.split()))[-1] for x in lines}
        assert len(ends) == 1, part
    assert [f"BP{n}" in text for n in (1, 2, 3, 4)] == [True] * 4


def test_e2_the_derivations_of_the_golden_example():
    text = derivations(*mazur())
    assert "δ³₁ = ∂C/∂a³₁ ∂a³₁/∂z³₁ = 0.7414 × 0.1868 = 0.1385" in text
    assert "∂C/∂b³₁ = δ³₁ = 0.1385" in text
    with pytest.raises(ValueError, match="net must have a hidden layer"):
        derivations(*problem((3, 2)))


@pytest.mark.parametrize("cost", ["quadratic", "squared_error"])
@pytest.mark.parametrize(("sizes", "n_chains", "n_factors"), [((1, 1, 1), 2, 8), ((2, 2, 2), 12, 52)])
def test_e8_e9_every_chain_with_its_factors(sizes, n_chains, n_factors, cost):
    net, x, y = problem(sizes, output="sigmoid", bias=False, cost=cost)
    found = list(chains(net, x, y))
    assert len(found) == n_chains
    assert sum(len(chain.factors) for chain in found) == n_factors
    gradient = net.gradient(x, y).weights
    of_weight = itertools.groupby(found, key=lambda chain: (chain.layer, chain.to, chain.source))
    totals = {key: sum(chain.product for chain in group) for key, group in of_weight}
    assert len(totals) == sum(W.size for W in gradient)
    for (layer, to, source), total in totals.items():
        assert total == pytest.approx(gradient[layer][to, source], rel=1e-12)
    layer = net.trace(x, y).layers[-1]
    assert found[-1].factors == pytest.approx(
        (layer.error[0, -1], layer.slope[0, -1], net.trace(x, y).layers[0].a[0, -1])
    )


@pytest.mark.parametrize("notation", PRESETS)
def test_7_of_s0_is_derived_term_by_term(notation):
    """Against softmax's Jacobian and -y/a by NumPy alone: every number of the derivation in its place."""
    net, x, y = problem((4, 5, 3), cost="cross_entropy")
    z = net.weights[1] @ (1 / (1 + np.exp(-(net.weights[0] @ x[0] + net.biases[0])))) + net.biases[1]
    a, y_ = np.exp(z) / np.exp(z).sum(), y[0]
    jacobian = np.diag(a) - np.outer(a, a)
    sign = -1 if notation == "jordan" else 1
    text = derivations(net, x, y, notation).partition("\n\n")[0]
    lines = [" ".join(each.split()) for each in re.split(r"\n  (?=\S)", text)[1:]]
    assert len(lines) == 1 + 3 + 3 + 4
    ends = [interval(NUMBER.findall(line)[-1])[0] for line in lines]
    j = 0
    np.testing.assert_allclose(ends[1:4], sign * -y_ / a, rtol=1e-3)
    np.testing.assert_allclose(ends[4:7], jacobian[:, j], rtol=1e-3)
    np.testing.assert_allclose([ends[0], *ends[7:]], sign * (a - y_)[j], rtol=1e-3)
    # The numbers of the terms themselves: (37), then those in which a is cancelled, the sum of y, a - y.
    read = [[interval(n)[0] for n in NUMBER.findall(line)][:-1] for line in lines]
    pairs = zip(sign * -y_ / a, jacobian[:, j], strict=True)
    np.testing.assert_allclose(read[0], [each for pair in pairs for each in pair], rtol=1e-3)
    np.testing.assert_allclose(read[8], [y_[0], a[0], y_[1], a[0], y_[2], a[0]], rtol=1e-3)
    whole = [a[0], *y_, y_[0]] if sign == 1 else [y_[0], a[0], *y_]
    np.testing.assert_allclose(read[9], whole, rtol=1e-3)
    np.testing.assert_allclose(read[10], [a[0], y_[0]][::sign], rtol=1e-3)
    assert lines[10].endswith("(7)") == (notation == "softmax-ce")


@pytest.mark.parametrize("format", ["text", "latex", "mathml", "json", "html"])
def test_7_is_derived_in_every_format_of_explain(format):
    net, x, y = problem((4, 5, 3), cost="cross_entropy")
    told = cp.explain(net, x, y, "softmax-ce", format, form="all" if format == "json" else None)
    j = int(np.abs(net.trace(x, y).layers[-1].delta[0]).argmax())
    assert f"by the chain rule, for output {j + 1}" in told
    entropy_alone = cp.explain(net, x, y, "softmax-ce", format, form="numbers")
    assert len(told) > len(entropy_alone) or format == "html"
    assert ("by the chain rule" in entropy_alone) == (
        format == "html"
    )  # where every form can be chosen


def test_with_softmax_and_another_cost_bp1_is_37():
    net, x, y = problem((4, 5, 3), output="softmax")
    part = derivations(net, x, y).partition("\n\n")[0]
    assert "every a" in part
    assert part.rstrip().endswith(f"{net.trace(x, y).layers[-1].delta[0, 0]:.4g}".replace("-", "−"))


def test_the_chains_of_softmax_outputs_split_once_more():
    net, x, y = problem((4, 5, 3), cost="cross_entropy")
    found = list(chains(net, x, y))
    assert len(found) == 4 * 5 * 3 * 3 + 5 * 3 * 3
    totals = [np.zeros_like(W) for W in net.weights]
    for chain in found:
        assert len(chain.neurons) == 3 - chain.layer
        totals[chain.layer][chain.to, chain.source] += chain.product
    hidden = 1 / (1 + np.exp(-(net.weights[0] @ x[0] + net.biases[0])))
    e = np.exp(net.weights[1] @ hidden + net.biases[1])
    delta = e / e.sum() - y[0]
    np.testing.assert_allclose(totals[1], np.outer(delta, hidden), rtol=1e-11)
    back = net.weights[1].T @ delta * hidden * (1 - hidden)
    np.testing.assert_allclose(totals[0], np.outer(back, x[0]), rtol=1e-11)


def test_e11_the_path_sum_tells_total_from_partial_derivatives():
    net, x, y = problem((2, 3, 2), output="sigmoid")
    found = cp.path_sum(net, x, y, 0, 1, 0)
    one_path_alone = found.paths[0].product
    assert found.total != pytest.approx(one_path_alone)
    assert "total effect" in str(found)


def test_e13_the_demon_may_change_a_instead_of_z():
    net, x, y = mazur()
    at_a, at_z = (cp.nudge(net, x, y, 0, 0, 1e-4, on) for on in "az")
    slope = net.trace(x, y).layers[0].slope[0, 0]
    assert at_z.rate == pytest.approx(at_a.rate * slope, rel=1e-12)
    assert at_a.exact == pytest.approx(at_a.predicted, rel=1e-3)
