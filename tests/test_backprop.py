import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
import problems
from clearprop import backprop, costs, penalties
from clearprop.architecture import Layer
from clearprop.trace import trace
from problems import assert_close
from tables import OUTPUTS, output_name
from test_gradients import described


def by_loops(problem):
    names, cost = described(problem)
    dW, db = oracles.loop_gradient(
        problem.weights,
        problem.biases,
        names,
        cost,
        problem.X,
        problem.Y,
        problem.architecture.cost.parameters,
        problem.sample_weight,
    )
    parts = []
    for W, b in zip(dW, db, strict=True):
        parts += [W.ravel()] + ([] if b is None else [b])
    scale = len(problem.X) if problem.architecture.cost.reduction == "mean" else 1
    return np.concatenate(parts) / scale


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_gradient_equals_the_loops_over_samples_and_neurons(pair):
    cost, output = pair
    layers = (4, Layer(5, ["sigmoid", "tanh", "relu", "elu", "mish"]), Layer(3, "selu", bias=False), 3)
    if cost.name == "binary_cross_entropy":
        layers = (*layers[:-1], 1)
    problem = problems.make(layers, "tanh", output, cost, weighted=True)
    assert_close(problem.gradient(), by_loops(problem), 1e-12, problem)


def test_gradient_equals_the_listing_of_s2_in_python_3():
    problem = problems.make((4, 6, 5, 3), "sigmoid", "sigmoid", "quadratic")
    nielsen = oracles.NielsenNetwork(problem.weights, problem.biases)
    parts = np.zeros(problem.architecture.n_parameters)
    for x, y in zip(problem.X, problem.Y, strict=True):
        nabla_b, nabla_w = nielsen.backprop(x[:, None], y[:, None])
        parts += np.concatenate(
            [part.ravel() for w, b in zip(nabla_w, nabla_b, strict=True) for part in (w, b)]
        )
    assert_close(problem.gradient(), parts / 7, 1e-13, problem)


def test_forward_is_sigma_of_w_a_plus_b():
    problem = problems.make((4, 6, 5, 3), "tanh", "sigmoid")
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    for s, x in enumerate(problem.X):
        a = x
        for l, (W, b, f) in enumerate(  # noqa: E741
            zip(problem.weights, problem.biases, (np.tanh, np.tanh, oracles.sigmoid_vec), strict=True)
        ):
            z = W @ a + b  # (25), columns
            a = f(z)
            np.testing.assert_allclose(passed.z[l][s], z, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(passed.a[l + 1][s], a, rtol=1e-12, atol=1e-15)
    assert passed.a[0] is problem.X


@pytest.mark.parametrize("tag", ["BP1", "BP2", "BP3", "BP4"])
def test_each_of_the_four_equations_is_one_tagged_line_of_code(tag):
    lines = Path(backprop.__file__).read_text().splitlines()
    tagged = [line for line in lines if re.search(rf"\S\s+# {tag}$", line)]
    assert len(tagged) == 1
    assert "delta" in tagged[0]


# Universal


sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple)


@given(sizes, st.integers(1, 8), st.sampled_from([p for p in OUTPUTS if p[1] != "softmax"][:12]))
def test_batch_gradient_is_the_mean_or_sum_of_those_of_single_samples(layers, n, pair):
    cost, output = pair
    problem = problems.make(layers, "tanh", output, cost, n=n)
    each = problem.per_sample()
    assert each.shape == (n, problem.architecture.n_parameters)
    expected = each.mean(axis=0) if cost.reduction == "mean" else each.sum(axis=0)
    np.testing.assert_allclose(problem.gradient(), expected, rtol=1e-10, atol=1e-13)
    for i in range(n):
        alone = problems.Problem(
            problem.architecture, problem.parameters, problem.X[[i]], problem.Y[[i]]
        )
        np.testing.assert_allclose(alone.gradient(), each[i], rtol=1e-10, atol=1e-13)


@given(st.integers(0, 1000), st.sampled_from(OUTPUTS))
def test_order_of_samples_does_not_matter(seed, pair):
    cost, output = pair
    problem = problems.make((4, 5, 3), "gelu", output, cost, weighted=True, seed=seed)
    before = problem.gradient()
    order = np.random.default_rng(seed).permutation(7)
    problem.X, problem.Y = problem.X[order], problem.Y[order]
    problem.sample_weight = problem.sample_weight[order]
    np.testing.assert_allclose(problem.gradient(), before, rtol=1e-9, atol=1e-12)


def test_gradients_of_parts_of_a_batch_add_up():
    problem = problems.make(cost=costs.quadratic("sum"))
    first, rest = (
        problems.Problem(problem.architecture, problem.parameters, problem.X[rows], problem.Y[rows])
        for rows in (slice(0, 3), slice(3, None))
    )
    assert_close(first.gradient() + rest.gradient(), problem.gradient(), 1e-13, problem)


def test_a_doubled_row_is_a_row_of_weight_two_and_weight_zero_is_no_row():
    doubled = problems.make(cost=costs.quadratic("sum"), n=3)
    weighted = problems.make(cost=costs.quadratic("sum"), n=3)
    doubled.X, doubled.Y = doubled.X[[0, 1, 1]], doubled.Y[[0, 1, 1]]
    weighted.sample_weight = np.array([1.0, 2.0, 0.0])
    assert_close(weighted.gradient(), doubled.gradient(), 1e-13, weighted)


def test_swapping_hidden_neurons_swaps_their_gradients():
    problem = problems.make()
    before = problem.gradient()
    (dW0, dW1), (db0, _) = problem.architecture.views(before)
    order = np.array([3, 1, 4, 0, 2])
    swapped = problems.make()
    swapped.weights[0][:] = problem.weights[0][order]
    swapped.biases[0][:] = problem.biases[0][order]
    swapped.weights[1][:] = problem.weights[1][:, order]
    (sW0, sW1), (sb0, _) = swapped.architecture.views(swapped.gradient())
    np.testing.assert_allclose(sW0, dW0[order], rtol=1e-12)
    np.testing.assert_allclose(sb0, db0[order], rtol=1e-12)
    np.testing.assert_allclose(sW1, dW1[:, order], rtol=1e-12)


def test_summed_s3_gradient_is_2n_times_the_mean_s2_gradient():
    s2 = problems.make(cost=costs.quadratic())
    s3 = problems.make(cost=costs.squared_error("sum"))
    assert_close(s3.gradient(), 2 * 7 * s2.gradient(), 1e-13, s2)
    one = problems.make(cost=costs.quadratic(), n=1), problems.make(cost=costs.squared_error(), n=1)
    np.testing.assert_array_equal(one[1].gradient(), 2 * one[0].gradient())


def test_nothing_that_goes_in_is_changed():
    problem = problems.make(weighted=True)
    arrays = (problem.parameters, problem.X, problem.Y, problem.sample_weight)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    problem.gradient()
    problem.per_sample()
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept_everywhere(dtype):
    p = problems.make(weighted=True, l2=0.1, l1=0.1)
    for name in ("parameters", "X", "Y", "sample_weight"):
        setattr(p, name, getattr(p, name).astype(dtype))
    passed = backprop.forward(p.architecture, p.parameters, p.X)
    back = backprop.backward(p.architecture, p.parameters, passed, p.Y, p.sample_weight)
    for array in (*passed.z, *passed.a, *back.error, *back.delta, p.gradient(), p.per_sample()):
        assert array.dtype == dtype
    assert type(p.cost()) is float


def test_a_neuron_that_drops_out_gets_no_gradient_and_the_rest_is_scaled():
    problem = problems.make(activation="tanh")
    keep = np.full((7, 5), 2.0)
    keep[:, 1] = 0.0
    kept = (keep, None)
    a, p = problem.architecture, problem.parameters
    passed = backprop.forward(a, p, problem.X, kept)
    flat = backprop.gradient(a, passed, backprop.backward(a, p, passed, problem.Y))
    (dW0, dW1), (db0, _) = a.views(flat)
    assert (dW0[1] == 0).all()
    assert (dW1[:, 1] == 0).all()
    assert db0[1] == 0

    def cost(parameters):
        passed = backprop.forward(a, parameters, problem.X, kept)
        return a.cost.reduce(a.cost.of_samples(a.output, passed.z[-1], passed.a[-1], problem.Y))

    assert_close(flat, oracles.central_differences(cost, p), 1e-7, problem)


def test_penalty_is_half_l2_squares_plus_l1_sizes_of_weights_alone():
    problem = problems.make()
    W = np.concatenate([w.ravel() for w in problem.weights])
    assert penalties.penalty(problem.architecture, problem.parameters, 0.2, 0.3) == pytest.approx(
        0.1 * (W**2).sum() + 0.3 * np.abs(W).sum(), rel=1e-13
    )


def test_trace_is_what_the_pass_computed_and_read_only():
    problem = problems.make((4, 6, 5, 3), "tanh", "softmax", "cross_entropy")
    seen = trace(problem.architecture, problem.parameters, problem.X, problem.Y)
    assert seen.cost == problem.cost()
    flat = np.concatenate(
        [part.ravel() for layer in seen.layers for part in (layer.weight_gradient, layer.bias_gradient)]
    )
    np.testing.assert_array_equal(flat, problem.gradient())
    for l, layer in enumerate(seen.layers):  # noqa: E741
        assert layer.z.shape == layer.a.shape == layer.error.shape == layer.delta.shape
        f = problem.architecture.layers[l].function
        np.testing.assert_allclose(layer.delta, f.backward(layer.z, layer.error), atol=1e-15)
        with pytest.raises(ValueError, match="read-only"):
            layer.delta[0, 0] = 1.0
    assert seen.layers[-1].slope.shape == (7, 3, 3)


def test_linear_network_collapses_to_one_matrix():
    # S2's exercise E4: delta^l = (w^{l+1})^T ... (w^L)^T nabla C.
    problem = problems.make((4, 6, 5, 3), "identity", "identity")
    seen = trace(problem.architecture, problem.parameters, problem.X, problem.Y)
    _, W2, W3 = problem.weights
    np.testing.assert_allclose(seen.layers[0].delta, seen.layers[2].delta @ W3 @ W2, rtol=1e-12)
    one = W3 @ W2 @ problem.weights[0]
    zero = problem.Y * 0
    without = (
        seen.layers[2].a
        - trace(problem.architecture, problem.parameters, problem.X * 0, zero).layers[2].a
    )
    np.testing.assert_allclose(without, problem.X @ one.T, rtol=1e-10, atol=1e-13)


def test_diagonal_matrix_form_gives_the_same_deltas():
    # S2's (33)-(35), exercise E1.
    problem = problems.make((4, 6, 5, 3), "tanh", "sigmoid")
    seen = trace(problem.architecture, problem.parameters, problem.X, problem.Y)
    for s in range(7):
        product = seen.layers[-1].error[s]
        product = np.diag(seen.layers[-1].slope[s]) @ product
        np.testing.assert_allclose(product, seen.layers[-1].delta[s], rtol=1e-13)
        for l in (1, 0):  # noqa: E741
            product = np.diag(seen.layers[l].slope[s]) @ problem.weights[l + 1].T @ product
            np.testing.assert_allclose(product, seen.layers[l].delta[s], rtol=1e-12, atol=1e-17)
