"""The sum over paths is the gradient; the demon's prediction is delta."""

import itertools
import math
import re

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain.paths import best_paths
from explained import PROBLEMS, mazur, problem, within

ONE_SAMPLE = [name for name, how in PROBLEMS.items() if how.get("n", 1) == 1 and "wide" not in name]


def enumerated(net, x, y, layer, to, source):
    """Return the products of all paths, one by one."""
    layers = net.trace(x, y).layers
    before = net.trace(x, y).X if layer == 0 else layers[layer - 1].a
    softmax = layers[-1].slope.ndim == 3
    products = {}
    for rest in itertools.product(
        *map(range, net.sizes[layer + 2 :]), *([range(net.sizes[-1])] if softmax else [])
    ):
        way = (to, *rest)
        product = before[0, source] * layers[-1].error[0, way[-1]]
        for at in range(layer, len(layers)):
            j = way[at - layer]
            if at > layer:
                product *= layers[at].weights[j, way[at - layer - 1]]
            last = at == len(layers) - 1
            product *= layers[at].slope[0, way[-1], j] if last and softmax else layers[at].slope[0, j]
        products[way] = product
    return products


@pytest.mark.parametrize("name", ONE_SAMPLE)
def test_the_sum_over_all_paths_is_the_gradient(name):
    net, x, y = problem(**PROBLEMS[name])
    gradient = net.gradient(x, y)
    for layer, W in enumerate(gradient.weights):
        for to, source in np.ndindex(W.shape):
            found = cp.path_sum(net, x[0], y[0] if len(y[0]) > 1 else y, layer, to, source, top=3)
            assert found.total == pytest.approx(W[to, source], rel=1e-9, abs=1e-12)
        if gradient.biases[layer] is not None:
            of_bias = cp.path_sum(net, x, y, layer, 0, None).total
            assert of_bias == pytest.approx(gradient.biases[layer][0], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["deep", "softmax, quadratic", "quadratic"])
def test_the_largest_paths_are_found_largest_first(name):
    net, x, y = problem(**PROBLEMS[name])
    products = enumerated(net, x, y, 0, 1, 2)
    found = cp.path_sum(net, x, y, 0, 1, 2, top=7)
    largest = sorted(products.values(), key=abs, reverse=True)[:7]
    np.testing.assert_allclose([path.product for path in found.paths], largest, rtol=1e-12)
    for path in found.paths:
        assert path.product == pytest.approx(products[path.neurons], rel=1e-12)
        assert math.prod(path.factors) == path.product
        assert len(path.factors) == found.n_factors
    assert found.n_paths == len(products)
    assert found.absolute_total == pytest.approx(sum(map(abs, products.values())), rel=1e-12)
    assert found.cancellation == pytest.approx(
        abs(sum(products.values())) / found.absolute_total, rel=1e-9
    )


def test_with_all_paths_listed_they_make_the_whole():
    net, x, y = problem(**PROBLEMS["deep"])
    found = cp.path_sum(net, x, y, 0, 0, 0, top=1000)
    assert len(found.paths) == found.n_paths == 2 * 3 * 2
    assert found.share == pytest.approx(1.0)
    assert math.fsum(path.product for path in found.paths) == pytest.approx(found.total, rel=1e-12)


def test_the_sum_is_what_finite_differences_of_the_cost_say():
    net, x, y = problem((5, 4, 4, 3), cost="cross_entropy")
    costs = []
    for step in (1e-5, -1e-5):
        there = net.copy()
        there.weights[0][2, 3] += step
        costs.append(there.cost(x, y))
    found = cp.path_sum(net, x, y, 0, 2, 3)
    assert found.total == pytest.approx((costs[0] - costs[1]) / 2e-5, rel=1e-7)
    assert found.n_paths == 4 * 3 * 3  # the softmax splits each path once more


def test_a_weight_into_the_output_has_one_path():
    net, x, y = mazur()
    found = cp.path_sum(net, x, y, 1, 0, 0)
    assert found.n_paths == 1
    assert found.cancellation == 1.0
    assert found.paths[0].factors == pytest.approx((0.59326999, 0.18681560, 0.74136507), abs=1e-8)
    assert found.total == pytest.approx(0.08216704, abs=1e-8)


@pytest.mark.parametrize(
    ("sizes", "n_paths"), [((784, 30, 30, 30, 10), 9_000), ((10, 10, 100, 100, 100, 100, 10), 10**9)]
)
def test_many_paths_take_few_steps(sizes, n_paths, monkeypatch):
    net, x, y = problem(sizes, activation="tanh")
    pushed = []
    import heapq

    real = heapq.heappush
    monkeypatch.setattr(heapq, "heappush", lambda heap, item: (pushed.append(1), real(heap, item)))
    found = cp.path_sum(net, x, y, 0, 3, 5)
    assert found.n_paths == n_paths
    assert len(found.paths) == 20
    assert len(pushed) < 20 * 20 * len(sizes)
    assert found.total == pytest.approx(net.gradient(x, y).weights[0][3, 5], rel=1e-9)
    sizes_found = [abs(path.product) for path in found.paths]
    assert sizes_found == sorted(sizes_found, reverse=True)


def test_factors_that_do_not_fit_on_a_line_are_counted():
    net, x, y = problem((4, 5, 5, 5, 5, 3), cost="cross_entropy")
    found = cp.path_sum(net, x, y, 0, 1, 2)
    lines = [line for line in str(found).splitlines() if " > " in line]
    assert len(lines) == 20
    for line, path in zip(lines, found.paths, strict=True):
        assert len(line) <= 100
        left_out = re.search(r"\[(\d+) more\]$", line)
        shown = line.count(" x ") + (0 if left_out else 1)
        assert shown + (int(left_out[1]) if left_out else 0) == len(path.factors)


def test_paths_through_dead_neurons_are_left_out():
    net, x, y = problem((3, 4, 2), activation="relu")
    net.biases[0][1] = -1e3
    found = cp.path_sum(net, x, y, 0, 1, 0)
    assert found.total == 0.0
    assert found.paths == ()
    assert math.isnan(found.cancellation)
    assert found.undefined == "Every path's product is 0."
    assert found.undefined in str(found)
    assert "%" not in str(found)


def test_a_pass_that_is_not_finite_has_no_sum_and_says_so():
    net, x, y = problem((2, 3, 2), activation="exp")
    net.weights[0][:] = 1e4
    found = cp.path_sum(net, np.abs(x), y, 0, 0, 0)
    assert not math.isfinite(found.total)
    assert math.isnan(found.cancellation)
    assert "The pass has numbers that are not finite: this sum has no value." in str(found)
    assert "%" not in str(found)
    assert best_paths(net.trace(np.abs(x), y), 0, 0, 3) == []


def test_an_infinite_weight_takes_only_the_paths_through_it():
    net, x, y = mazur()
    net.weights[1][0, 0] = np.inf  # its sigmoid is 1, with slope 0
    through, beside = (cp.path_sum(net, x, y, 0, to, 0) for to in (0, 1))
    assert through.undefined
    assert through.paths == ()
    assert not beside.undefined
    assert [path.neurons for path in beside.paths] == [(1, 1)]
    assert beside.share == pytest.approx(1.0)


def test_the_table_says_what_the_sum_is():
    """E11: total against partial derivative."""
    net, x, y = problem((6, 30, 30, 10), cost="cross_entropy")
    text = str(cp.path_sum(net, x, y, 0, 4, 2, top=5))
    assert "dC/d(weight 5,3 of layer 1)" in text
    assert "the sum over 3,000 paths of 7 factors" in text
    assert "2,995 more" in text
    assert "dC/dw is the total effect of the weight, through all paths" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 0, 0), "layer must be in 0..1, got 2"),
        ((0, 2, 0), "to must be in 0..1, got 2"),
        ((0, 0, -1), "source must be in 0..1, got -1"),
    ],
)
def test_an_index_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cp.path_sum(*mazur(), *arguments)


def test_what_is_not_one_sample_is_refused():
    net, x, y = mazur()
    with pytest.raises(
        ValueError, match=re.escape("x must be one sample, got an array of shape (2, 2)")
    ):
        cp.path_sum(net, x * 2, y, 0, 0, 0)
    with pytest.raises(ValueError, match="top must be an integer in 1..100,000, got 0"):
        cp.path_sum(net, x, y, 0, 0, 0, top=0)
    with pytest.raises(TypeError, match=re.escape("layer must be an integer, got 0.0")):
        cp.path_sum(net, x, y, 0.0, 0, 0)
    with pytest.raises(ValueError, match="source must be a neuron where a layer has no biases"):
        cp.path_sum(*problem(bias=False), 0, 0, None)


@pytest.mark.parametrize("on", ["z", "a", "weight", "bias"])
@pytest.mark.parametrize("name", [name for name in ONE_SAMPLE if "softplus" not in name])
def test_the_demons_prediction_errs_by_the_square_of_its_step(name, on):
    """E13: on a instead of z, the measure is dC/da."""
    if on == "bias" and not PROBLEMS[name].get("bias", True):
        pytest.skip("there are no biases")
    net, x, y = problem(**PROBLEMS[name])
    for layer in range(len(net.layers)):
        source = 1 if on == "weight" else None
        errors = [cp.nudge(net, x, y, layer, 0, by, on, source).error for by in (2e-3, 1e-3)]
        predicted = cp.nudge(net, x, y, layer, 0, 1e-3, on, source).predicted
        assert abs(errors[1]) < 0.02 * abs(predicted) + 1e-5
        assert abs(errors[1]) <= 0.3 * abs(errors[0]) + 1e-11  # a quarter, and what is of higher order


def test_the_exact_change_is_the_networks_own():
    net, x, y = problem(cost="cross_entropy")
    first = cp.nudge(net, x, y, 0, 1, 0.3, "weight", source=2)
    only = net.copy()
    only.weights[0][1, 2] += 0.3
    assert first.cost_after == pytest.approx(only.cost(x, y), rel=1e-12)
    assert first.cost == pytest.approx(net.cost(x, y), rel=1e-12)


def test_the_demon_at_z_measures_delta_and_at_a_the_error():
    net, x, y = mazur()
    layer = net.trace(x, y).layers[0]
    assert cp.nudge(net, x, y, 0, 1).rate == layer.delta[0, 1]
    assert cp.nudge(net, x, y, 0, 1, on="a").rate == layer.error[0, 1]
    text = str(cp.nudge(net, x, y, 0, 1, by=0.5))
    assert "z of neuron 2 of layer 1 is changed by 0.5" in text
    assert "predicted  delta x change = 0.009954 x 0.5 = 0.004977" in text


def by_numpy(net, x, y, moved=None):
    """Return a of every layer and the cost 1/2 ||a - y||^2, of sigmoids and a last softmax or sigmoid."""
    activations = [x]
    for at, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        W = W.copy()
        if moved and moved[0] == at:
            W[moved[1], moved[2]] += moved[3]
        z = W @ activations[-1] + b
        softmax = at == len(net.weights) - 1 and net.architecture.output.name == "softmax"
        activations.append(np.exp(z) / np.exp(z).sum() if softmax else 1 / (1 + np.exp(-z)))
    return activations, 0.5 * ((activations[-1] - y) ** 2).sum()


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("weight", [(0, 2, 3), (1, 1, 4), (2, 0, 2)])
def test_48_to_50_the_change_is_followed_to_the_cost(weight, output):
    """Against S2's equations one by one, and a second pass, by NumPy alone."""
    net, x, y = problem((4, 5, 3, 2), output=output)
    layer, j, k, by = *weight, 0.1
    found = cp.nudge(net, x, y, layer, j, by, "weight", source=k)
    a, cost = by_numpy(net, x[0], y[0])
    after, cost_after = by_numpy(net, x[0], y[0], (layer, j, k, by))

    def slope(at):  # da/dz of weight layer `at`
        here = a[at + 1]
        softmax = at == 2 and output == "softmax"
        return np.diag(here) - np.outer(here, here) if softmax else np.diag(here * (1 - here))

    predicted = [slope(layer)[:, j] * a[layer][k] * by]  # (48)
    for at in range(layer + 1, 3):
        predicted.append(slope(at) @ net.weights[at] @ predicted[-1])  # (49), of every neuron
    changes = {(each.layer, each.neuron): each for each in found.changes}
    for at in range(layer, 3):
        only = at == layer and not (at == 2 and output == "softmax")
        for neuron in [j] if only else range(net.sizes[at + 1]):
            each = changes.pop((at, neuron))
            assert each.predicted == pytest.approx(predicted[at - layer][neuron], rel=1e-11)
            actual = after[at + 1][neuron] - a[at + 1][neuron]
            assert each.actual == pytest.approx(actual, rel=1e-9, abs=1e-15)
    assert not changes
    assert found.predicted == pytest.approx((a[-1] - y[0]) @ predicted[-1], rel=1e-11)  # (47)
    assert found.exact == pytest.approx(cost_after - cost, rel=1e-10)


def test_50_is_48_put_into_49():
    net, x, y = problem((4, 5, 3, 2), output="sigmoid")
    moved = cp.nudge(net, x, y, 0, 2, 0.1, "weight", source=3)
    a, _ = by_numpy(net, x[0], y[0])
    of_w = a[1][2] * (1 - a[1][2]) * x[0, 3]
    for q in range(3):
        of_a = a[2][q] * (1 - a[2][q]) * net.weights[1][q, 2]
        change = next(each for each in moved.changes if (each.layer, each.neuron) == (1, q))
        assert change.predicted == pytest.approx(of_a * of_w * 0.1, rel=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_51_and_52_the_paths_of_a_change_add_up_to_it(output):
    net, x, y = problem((4, 5, 2), output=output)
    moved = cp.nudge(net, x, y, 0, 2, 0.1, "weight", source=3)
    assert len(moved.paths.paths) == moved.paths.n_paths
    assert math.fsum(map(moved.along, moved.paths.paths)) == pytest.approx(moved.predicted, rel=1e-11)
    assert cp.nudge(net, x, y, 0, 2, 0.1, "a").paths is None


def test_the_changes_are_printed_beside_each_other_and_read_back():
    net, x, y = problem((4, 5, 30, 2), output="sigmoid")
    moved = cp.nudge(net, x, y, 0, 2, 0.1, "weight", source=3)
    lines = str(moved).partition("the change of")[2].splitlines()[1:]
    rows = [re.split(r"  +", line) for line in lines if not line.startswith("[")]
    assert [row[-1] for row in rows] == [
        "(48)", *["(49), (50)"] * 4, *["(49)"] * 2, *["(51)"] * 4, "(47), (52)"
    ]  # fmt: skip
    changes = {
        f"a of layer {each.layer + 1}, neuron {each.neuron + 1}": (each.predicted, each.actual)
        for each in moved.changes
    } | {"C": (moved.predicted, moved.exact)}
    for name, *numbers, number in rows:
        if number == "(51)":
            way = tuple(int(each) - 1 for each in name.removeprefix("C through ").split(" > "))
            path = next(each for each in moved.paths.paths if each.neurons == way)
            assert within(numbers[0], path.product * 0.1)
        else:
            assert all(within(*pair) for pair in zip(numbers, changes[name], strict=True))
    assert [line for line in lines if line.startswith("[")] == ["[..., 26 more]", "[..., 56 more]"]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"on": "delta"}, "on must be one of z, a, weight, bias, got 'delta'"),
        ({"on": "weight"}, "source must be given for a weight"),
        ({"source": 1}, "source must be given for a weight, and for nothing else, got 1 for z"),
        ({"by": math.inf}, "by must be a finite number, got inf"),
        ({"by": True}, "by must be a finite number, got True"),
        ({"neuron": 9}, "neuron must be in 0..1, got 9"),
    ],
)
def test_a_demon_that_makes_no_sense_is_refused(how, message):
    arguments = {"layer": 0, "neuron": 0, **how}
    with pytest.raises(ValueError, match=re.escape(message)):
        cp.nudge(*mazur(), **arguments)


def test_a_nudge_out_of_the_domain_of_the_cost_says_so():
    net = cp.Network([4, 5, 3], activation="tanh", output="sigmoid", seed=0)
    x, y = np.arange(4.0), np.array([0.0, 1.0, 0.0])
    assert "out of where the cost is defined" in str(cp.nudge(net, x, y, 1, 1, by=-5.0, on="a"))
    assert "out of where" not in str(cp.nudge(net, x, y, 1, 1, by=-1e-4, on="a"))


def test_a_demon_may_push_beyond_what_a_number_can_hold():
    net, x, y = mazur()
    found = cp.nudge(net, np.array(x) * 1e5, y, 0, 0, by=1e308, on="weight", source=0)
    assert np.isfinite(found.cost_after)  # the sigmoid is full; warnings are errors here


@pytest.mark.parametrize("top", [0, 100_001, 10**7, True, 2.5])
def test_only_so_many_paths_are_listed_as_can_be_read(top):
    net, x, y = mazur()
    with pytest.raises(
        ValueError, match=rf"top must be an integer in 1\.\.100,000, got {top}; the total is"
    ):
        cp.path_sum(net, x, y, 0, 0, 0, top=top)
