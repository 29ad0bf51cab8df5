"""The exercises of the documents; each test names its id."""

import itertools
import re

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain import chains, delta_product_form, derivations
from explained import NUMBER, PRESETS, mazur, problem


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
