"""The computing claims of the four documents, C1 to C29: each test names the one it holds us to.

Claims about time are benchmarks, in benchmarks/growth.py: C2 (finite differences against the number
of weights), C3 (backward against forward), C4 (matrix against loop), C5 (Hadamard against diagonal
matrix), C14 (factors against multiply-adds), C24 (full batch against mini-batch), C30. What can be
counted of C2, C3 and C14 is counted here.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
import oracles
import problems
from clearprop import activations, architecture, backprop, checks, gradient_check


@pytest.fixture
def passes(monkeypatch):
    """Return a dict that counts the passes forwards and backwards from here on."""
    counts = {"forward": 0, "backward": 0}
    for name in counts:
        real = getattr(backprop, name)

        def counted(*arguments, name=name, real=real, **more):
            counts[name] += 1
            return real(*arguments, **more)

        monkeypatch.setattr(backprop, name, counted)
    return counts


class Counting(np.ndarray):
    """An array that counts the multiply-adds of every matrix product that it takes part in."""

    products: list[int] = []  # noqa: RUF012 - one list for all arrays, emptied by `counted`

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **more):
        plain = [each.view(np.ndarray) if isinstance(each, Counting) else each for each in inputs]
        if out is not None:
            more["out"] = tuple(o.view(np.ndarray) if isinstance(o, Counting) else o for o in out)
        result = getattr(ufunc, method)(*plain, **more)
        if ufunc is np.matmul:
            Counting.products.append(plain[0].shape[0] * plain[0].shape[1] * plain[1].shape[1])
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def counted(sizes, n):
    """Return the multiply-adds of every product of a forward, and of a backward pass, of n samples."""
    problem = problems.make(sizes, activation="identity", n=n)  # np.where would lose the subclass
    parameters, X = problem.parameters.view(Counting), problem.X.view(Counting)
    Counting.products.clear()
    passed = backprop.forward(problem.architecture, parameters, X)
    forward = list(Counting.products)
    Counting.products.clear()
    back = backprop.backward(problem.architecture, parameters, passed, problem.Y)
    gradient = backprop.gradient(problem.architecture, passed, back)
    assert np.array_equal(gradient, problem.gradient())
    return forward, list(Counting.products)


def paths(weights, slopes, errors, inputs):
    """Yield ((layer, j, k), factors) of every path from a weight to an output: (53), one sample."""
    last = len(weights) - 1
    for layer, W in enumerate(weights):
        later = [range(each.shape[0]) for each in weights[layer + 1 :]]
        for j, k, *rest in itertools.product(*map(range, W.shape), *later):
            neurons = [j, *rest]
            factors = [errors[neurons[-1]]]
            for at in range(last, layer, -1):
                factors += [slopes[at][neurons[at - layer]]]
                factors += [weights[at][neurons[at - layer], neurons[at - layer - 1]]]
            yield (layer, j, k), [*factors, slopes[layer][j], inputs[layer][k]]


def n_factors(sizes):
    """Return sum_l n_l n_{l-1} prod_{k>l} n_k (3 + 2 (L - l)): C13's count."""
    L = len(sizes) - 1
    return sum(
        sizes[l] * sizes[l - 1] * int(np.prod(sizes[l + 1 :], dtype=object)) * (3 + 2 * (L - l))
        for l in range(1, L + 1)  # noqa: E741
    )


def enumerated(sizes, seed=0):
    """Return the number of factors on all paths, and the gradient that their products sum to."""
    problem = problems.make(sizes, output="sigmoid", n=1, seed=seed)
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    back = backprop.backward(problem.architecture, problem.parameters, passed, problem.Y)
    slopes = [oracles.sigmoid_prime_vec(z[0]) for z in passed.z]
    sums, count = [np.zeros_like(W) for W in problem.weights], 0
    inputs = [a[0] for a in passed.a]
    for (layer, j, k), factors in paths(problem.weights, slopes, back.error[-1][0], inputs):
        sums[layer][j, k] += np.prod(factors)
        count += len(factors)
    return count, sums, problem


# --- what it takes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [[], [5], [5, 4, 6]])
def test_c1_one_pass_forwards_and_one_backwards_give_every_partial_derivative(passes, hidden, rng):
    net = cp.Network([4, *hidden, 3], cost="quadratic", output="sigmoid", dtype="float64", seed=0)
    gradient = net.gradient(rng.normal(size=(7, 4)), rng.normal(size=(7, 3)))
    assert passes == {"forward": 1, "backward": 1}
    assert np.count_nonzero(gradient.flat) == net.n_parameters


@pytest.mark.parametrize("n_layers", [1, 2, 5])
def test_c1_the_passes_are_one_product_a_layer_forwards_and_at_most_two_backwards(n_layers):
    forward, backward = counted([6] * (n_layers + 1), n=3)
    assert len(forward) == n_layers
    assert len(backward) == 2 * n_layers - 1  # nothing is carried back to the input


def test_c2_forward_differences_take_n_plus_1_passes_and_central_ones_2n(passes):
    problem = problems.make((3, 4, 2), output="sigmoid")
    n = problem.architecture.n_parameters
    forward = oracles.forward_differences(problem.cost, problem.parameters)
    assert passes["forward"] == n + 1
    central = oracles.central_differences(problem.cost, problem.parameters)
    assert passes["forward"] == n + 1 + 2 * n
    exact = problem.gradient()
    assert np.abs(forward - exact).max() < 1e-5
    assert np.abs(central - exact).max() < 1e-9


def test_c2_our_own_check_takes_2n_passes_and_a_few_for_the_whole(passes):
    net = cp.Network([3, 4, 2], cost="quadratic", output="sigmoid", dtype="float64", seed=0)
    check = gradient_check.check_gradient(net, [[0.5, -1.0, 2.0]], [[0.1, 0.7]])
    assert check.verdict == "pass"
    assert 2 * net.n_parameters <= passes["forward"] <= 2 * net.n_parameters + 8
    assert passes["backward"] <= 2


@pytest.mark.parametrize(
    ("sizes", "ratio"),
    [((784, 30, 10), 1.01), ((784, 512, 512, 10), 1.40), ((256,) * 6, 1.80), ((2, 2), 1.0)],
)
def test_c3_backward_over_forward_is_counted_exactly_as_x21_says(sizes, ratio):
    products = [a * b for a, b in itertools.pairwise(sizes)]
    forward, backward = (sum(each) for each in counted(sizes, n=2))
    assert forward == 2 * sum(products)
    assert backward == 2 * (sum(products) + sum(products[1:]))
    assert (forward, backward) == tuple(
        2 * each for each in problems.make(sizes).architecture.multiply_adds()
    )
    assert backward / forward == pytest.approx(ratio, abs=0.005)


def test_c3_784_30_10_takes_23820_multiply_adds_forwards_and_24120_backwards():
    forward, backward = counted((784, 30, 10), n=1)
    assert (sum(forward), sum(backward)) == (23_820, 24_120)


# --- for what it holds --------------------------------------------------------------------------------


@given(
    st.tuples(*[st.floats(-2, 2)] * 4),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=3),
    st.integers(0, 1000),
)
def test_c6_backpropagation_works_for_any_activation(smooth, bends, seed):
    """Sums of smooth functions and of hinges: each is refused unless f' fits f, and then is exact."""
    a, b, c, d = smooth

    def f(z):
        hinges = sum(height * np.abs(z - kink) for height, kink in bends)
        return a * z + b * np.tanh(z) + c * np.sin(d * z) + hinges

    def slope(z):
        hinges = sum(height * np.sign(z - kink) for height, kink in bends)
        return a + b / np.cosh(z) ** 2 + c * d * np.cos(d * z) + hinges

    try:
        mine = activations.Activation("mine", f, slope, kinks=tuple({kink for _, kink in bends}))
    except ValueError:
        pytest.fail("a right derivative was refused")
    problem = problems.make((3, 4, 2), activation=mine, n=3, seed=seed)
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    if any(np.abs(z - kink).min() < 1e-3 for z in passed.z[:1] for _, kink in bends):
        return  # a central difference across a kink means nothing
    numeric = oracles.central_differences(problem.cost, problem.parameters, h=1e-6)
    exact = problem.gradient()
    assert np.abs(numeric - exact).max() <= 1e-6 * max(1.0, np.abs(exact).max())


def test_c7_a_cost_that_is_no_average_over_the_samples_is_refused():
    def of_the_batch(a, y):
        return ((a - y) ** 2).sum(axis=1) / np.abs(y).max()

    with pytest.raises(ValueError, match="must depend, for each sample, on that sample alone"):
        cp.Cost("relative", of_the_batch, lambda a, y: 2 * (a - y) / np.abs(y).max())
    with pytest.raises(ValueError, match="must be one number for each sample"):
        cp.Cost("whole", lambda a, y: ((a - y) ** 2).sum(), lambda a, y: 2 * (a - y))


@pytest.mark.parametrize("cost", ["quadratic", "squared_error", "huber"])
def test_c7_the_gradient_of_a_batch_is_the_mean_of_its_samples_gradients(cost):
    problem = problems.make(cost=cost)
    alone = [
        problems.Problem(
            problem.architecture, problem.parameters, problem.X[[i]], problem.Y[[i]]
        ).gradient()
        for i in range(len(problem.X))
    ]
    problems.assert_close(problem.gradient(), np.mean(alone, axis=0), 1e-13, problem)
    problems.assert_close(problem.per_sample(), np.array(alone), 1e-13, problem)


# --- when it is slow: the quantities that a diagnosis will read ---------------------------------------


def test_c8_the_weights_from_a_low_input_learn_slowly(rng):
    net = cp.Network([4, 5, 3], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:, 2] = 0.0  # so that the input changes nothing but its own weights' gradient
    X, Y = rng.normal(size=(7, 4)), rng.uniform(size=(7, 3))
    usual = net.gradient(X, Y).weights[0]
    X[:, 2] *= 1e-3
    low = net.gradient(X, Y).weights[0]
    assert low[:, 2] == pytest.approx(1e-3 * usual[:, 2], rel=1e-12)
    assert np.array_equal(np.delete(low, 2, axis=1), np.delete(usual, 2, axis=1))
    found = [each for each in cp.diagnose(net, X, Y) if each.id == "D4"]
    assert [(each.layer, each.units) for each in found] == [(0, (2,))]
    assert "feature 2" in found[0].what
    assert "dC/dw = a_in delta_out" in found[0].how
    X[:, 2] *= 1e3
    assert "D4" not in {each.id for each in cp.diagnose(net, X, Y)}


@pytest.mark.parametrize("z", [-8.0, 8.0])
def test_c9_a_saturated_output_learns_slowly_by_the_quadratic_cost_only(z):
    wrong = [[1.0 if z < 0 else 0.0]]
    deltas = {}
    for cost in ("quadratic", "cross_entropy"):
        net = cp.Network([1, 1], output="sigmoid", cost=cost, dtype="float64", seed=0)
        net.weights[0][:], net.biases[0][:] = 0.0, z
        deltas[cost] = abs(net.trace([[1.0]], wrong).layers[0].delta[0, 0])
    assert deltas["quadratic"] < 4e-4
    assert deltas["cross_entropy"] > 0.999


def hidden_neuron_saturated(outgoing):
    net = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=1)
    usual = net.copy()
    net.biases[0][1] = 12.0
    net.weights[1][:, 1] *= outgoing
    net.biases[1][:] -= net.weights[1][:, 1]  # what a neuron that is always on adds to the outputs
    X, Y = np.array([[0.5, -0.2, 0.8]]), np.array([[0.9, 0.1]])
    return net.trace(X, Y).layers, usual.trace(X, Y).layers


def test_c10_the_weights_into_a_saturated_hidden_neuron_learn_slowly():
    layers, usual = hidden_neuron_saturated(outgoing=1.0)
    assert np.abs(layers[0].delta[0, 1]) < 1e-4 * np.abs(usual[0].delta[0, 1])
    assert np.abs(layers[0].weight_gradient[1]).max() < 1e-4 * np.abs(usual[0].weight_gradient).max()
    others = np.delete(layers[0].weight_gradient, 1, axis=0)
    assert np.abs(others).max() > 0.1 * np.abs(usual[0].weight_gradient).max()
    assert np.abs(layers[1].weight_gradient[:, 1]).min() > 0.1 * np.abs(usual[1].weight_gradient).max()


def test_c11_a_large_error_carried_back_makes_up_for_saturation():
    layers, usual = hidden_neuron_saturated(outgoing=1e5)
    assert layers[0].slope[0, 1] < 1e-5
    assert np.abs(layers[0].delta[0, 1]) > 0.1 * np.abs(usual[0].delta).max()


# --- symmetry --------------------------------------------------------------------------------------


def spread_after_200_steps(net, engine="numpy"):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(8, 3)), rng.uniform(0.1, 0.9, size=(8, 2))
    before = net.parameters.copy()
    how = {"epochs": 100, "batch_size": 4, "optimizer": cp.SGD(0.5), "progress": False}
    net.fit(X, Y, engine=engine, **how)
    assert np.abs(net.parameters - before).max() > 0.1
    return max(np.ptp(net.weights[0], axis=0).max(), np.ptp(net.biases[0]).max())


def symmetric(**how):
    start = cp.initializers.constant(0.3)
    return cp.Network([3, 4, 2], "sigmoid", "sigmoid", "quadratic", initializer=start, seed=0, **how)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_c12_equal_weights_stay_equal(dtype, engine):
    assert spread_after_200_steps(symmetric(dtype=dtype), engine) == 0.0


@pytest.mark.parametrize("what", ["incoming weights", "biases", "outgoing weights"])
def test_c12_one_difference_breaks_the_symmetry(what):
    """X37: equal incoming weights alone do not keep neurons equal."""
    net = symmetric(dtype="float64")
    {
        "incoming weights": net.weights[0][0],
        "biases": net.biases[0],
        "outgoing weights": net.weights[1],
    }[what].flat[0] += 0.1
    assert spread_after_200_steps(net) > 0.01


def test_c12_random_weights_are_not_symmetric():
    net = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    assert spread_after_200_steps(net) > 0.1


def test_c29_first_weights_lie_in_minus_epsilon_to_epsilon_and_fill_it():
    net = cp.Network([50, 40, 2], initializer=cp.initializers.uniform(0.12), dtype="float64", seed=0)
    weights = net.weights[0].ravel()
    assert np.abs(weights).max() <= 0.12
    shares = np.histogram(weights, bins=4, range=(-0.12, 0.12))[0] / weights.size
    assert shares == pytest.approx(0.25, abs=0.04)
    assert not net.biases[0].any()


# --- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ((1, 1, 1), 8),
        ((2, 2, 2), 52),
        ((784, 30, 10), 1_176_900),
        ((784, 30, 30, 30, 10), 1_907_055_900),
    ],
)
def test_c13_the_derivative_terms_are_counted(sizes, count):
    assert n_factors(sizes) == count
    if count < 100:
        assert enumerated(sizes)[0] == count


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_c13_the_formula_counts_what_is_there(sizes):
    assert enumerated(sizes)[0] == n_factors(sizes)


def test_c14_the_terms_are_many_times_the_multiply_adds_that_backpropagation_makes():
    _, backward = counted((784, 30, 10), n=1)
    assert n_factors((784, 30, 10)) == 1_176_900 > 48 * sum(backward)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 4, 2), (3, 2, 4, 2)])
def test_c28_the_sum_over_paths_is_the_gradient(sizes):
    """(53), by products of single factors, against BP4 and against central differences."""
    _, sums, problem = enumerated(sizes)
    exact = problem.architecture.views(problem.gradient())[0]
    numeric = oracles.central_differences(problem.cost, problem.parameters)
    for mine, theirs, fd in zip(sums, exact, problem.architecture.views(numeric)[0], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-16)
        assert mine == pytest.approx(fd, rel=1e-6, abs=1e-10)


def test_c15_output_delta_is_a_comparison_and_hidden_delta_a_weighted_sum():
    problem = problems.make((2, 2, 2), output="sigmoid", n=1)
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    back = backprop.backward(problem.architecture, problem.parameters, passed, problem.Y)
    theta, y = problem.weights[1], problem.Y[0]
    (z2,), (z3,) = passed.z
    d3 = [(oracles.logistic(z3[i]) - y[i]) * oracles.SCALAR["sigmoid"][1](z3[i]) for i in range(2)]
    d2 = [
        (d3[0] * theta[0, i] + d3[1] * theta[1, i]) * oracles.SCALAR["sigmoid"][1](z2[i])
        for i in range(2)
    ]
    assert back.delta[1][0] == pytest.approx(d3, rel=1e-13)
    assert back.delta[0][0] == pytest.approx(d2, rel=1e-13)


def test_c16_a_layer_of_different_activations_works_in_matrix_form():
    names = ["sigmoid", "tanh", "relu", "softplus"]
    problem = problems.make((3, architecture.Layer(4, names), 2), output="identity")
    dW, db = oracles.loop_gradient(
        problem.weights, problem.biases, [names, ["identity"] * 2], "quadratic", problem.X, problem.Y
    )
    flat = np.concatenate([dW[0].ravel(), db[0], dW[1].ravel(), db[1]]) / len(problem.X)
    problems.assert_close(problem.gradient(), flat, 1e-13, problem)


def test_c17_softmax_with_cross_entropy_has_the_derivative_a_minus_y():
    cost, softmax = cp.costs.cross_entropy(), activations.ACTIVATIONS["softmax"]
    z, y = np.array([[0.3, -1.2, 2.0, 0.1]]), np.array([[0.1, 0.2, 0.3, 0.4]])
    a = softmax(z)

    def of_z(v):
        return float(-(y * np.log(np.exp(v) / np.exp(v).sum())).sum())

    numeric = oracles.central_differences(of_z, z[0])
    assert (a - y)[0] == pytest.approx(numeric, abs=1e-9)
    assert np.array_equal(cost.output_delta(softmax, z, a, y), a - y)
    with pytest.raises(ValueError, match="sum to 1"):
        checks.check_targets(cost, softmax, np.array([[0.0, 1.0, 1.0, 0.0]]))  # X33


def test_c18_the_pass_forwards_stores_every_activation_and_the_one_backwards_needs_them():
    problem = problems.make((4, 5, 6, 3), n=7)
    passed = backprop.forward(problem.architecture, problem.parameters, problem.X)
    assert [a.shape for a in passed.a] == [(7, 4), (7, 5), (7, 6), (7, 3)]
    assert sum(a.size for a in passed.a) == 7 * 18
    with pytest.raises(TypeError, match="passed"):
        backprop.backward(problem.architecture, problem.parameters, Y=problem.Y)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 1000))
def test_c19_the_formulas_hold_for_any_number_and_size_of_layers(sizes, seed):
    problem = problems.make(sizes, activation="tanh", output="sigmoid", n=3, seed=seed)
    direction = np.random.default_rng(seed + 1).normal(size=problem.parameters.size)
    h = 1e-5 / np.linalg.norm(direction)
    there = problem.cost(problem.parameters + h * direction)
    back = problem.cost(problem.parameters - h * direction)
    slope = problem.gradient() @ direction
    assert (there - back) / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-8)


# --- training --------------------------------------------------------------------------------------


def test_c20_the_running_accuracy_is_over_the_last_x_samples_each_before_its_update(rng):
    X, labels = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    net = cp.Network([4, 5, 3], dtype="float64", seed=0)
    by_hand, right = net.copy(), []
    how = {"batch_size": 1, "optimizer": cp.SGD(0.1), "running_window": 25, "progress": False}
    training = cp.Training(net, X, labels, **how)
    for epoch in range(2):
        order = training.order.copy()
        training.run(1)
        for i in order:
            x, y = X[[i]], np.eye(3)[labels[[i]]]
            right.append(by_hand.predict(x).argmax() == labels[i])
            by_hand.parameters[:] -= 0.1 * by_hand.gradient(x, y).flat
        assert training.history["running_accuracy"][epoch] == np.mean(right[-25:])
    assert net.parameters == pytest.approx(by_hand.parameters, rel=1e-12)


def test_c21_one_over_n_does_not_change_the_direction_but_the_length():
    by_mean = problems.make(cost="squared_error")
    by_sum = problems.make(cost=cp.costs.squared_error(reduction="sum"))
    g, s = by_mean.gradient(), by_sum.gradient()
    assert g @ s / np.linalg.norm(g) / np.linalg.norm(s) == pytest.approx(1.0, abs=1e-14)
    assert np.linalg.norm(s) == pytest.approx(len(by_mean.X) * np.linalg.norm(g), rel=1e-13)  # X32


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_c22_the_gradient_has_as_many_dimensions_as_there_are_parameters(sizes):
    net = cp.Network(sizes, cost="quadratic", seed=0)
    gradient = net.gradient(np.ones((2, sizes[0])), np.ones((2, sizes[-1])))
    n = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    assert gradient.flat.size == net.n_parameters == n


def test_c23_minus_the_gradient_is_the_direction_of_steepest_descent(rng):
    problem = problems.make()
    g, base, h = problem.gradient(), problem.cost(), 1e-5
    fall = base - problem.cost(problem.parameters - h * g)
    assert fall == pytest.approx(h * g @ g, rel=1e-3)
    for _ in range(100):
        other = rng.normal(size=g.size)
        other *= np.linalg.norm(g) / np.linalg.norm(other)
        assert base - problem.cost(problem.parameters - h * other) < fall


@pytest.mark.parametrize(("n", "batch_size"), [(20, 1), (23, 5), (20, 20)])
def test_c25_each_sample_is_visited_once_an_epoch_and_the_last_batch_may_be_short(
    monkeypatch, n, batch_size
):
    seen, real = [], backprop.forward

    def recorded(architecture, parameters, X, *more, **how):
        seen.append(X[:, 0].astype(int).tolist())  # the first feature is the sample's number
        return real(architecture, parameters, X, *more, **how)

    net = cp.Network([2, 3, 1], cost="quadratic", dtype="float64", seed=0)
    X = np.stack([np.arange(n), np.ones(n)], axis=1)
    monkeypatch.setattr(backprop, "forward", recorded)
    net.fit(X, np.zeros(n), epochs=2, batch_size=batch_size, engine="numpy", progress=False)
    per_epoch = -(-n // batch_size)
    assert len(seen) == 2 * per_epoch
    epochs = [list(itertools.chain(*seen[:per_epoch])), list(itertools.chain(*seen[per_epoch:]))]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(n))
    assert epochs[0] != epochs[1]
    assert len(seen[per_epoch - 1]) == n - (per_epoch - 1) * batch_size


def test_c26_the_update_comes_after_all_gradients(rng):
    """X36: the step is by the gradient at one point; with an early update of the last layer it differs."""
    net = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    X, Y = rng.normal(size=(5, 3)), rng.uniform(size=(5, 2))
    expected = net.parameters - 2.0 * net.gradient(X, Y).flat
    layers, output_gradient = net.trace(X, Y).layers, net.gradient(X, Y).weights[1]
    early = (layers[1].delta @ (net.weights[1] - 2.0 * output_gradient)) * layers[0].slope
    mistaken = net.weights[0] - 2.0 * early.T @ X / len(X)
    net.fit(X, Y, epochs=1, batch_size=5, optimizer=cp.SGD(2.0), progress=False)
    assert net.parameters == pytest.approx(expected, rel=1e-13, abs=1e-16)
    assert np.abs(net.weights[0] - mistaken).max() > 1e-4


@pytest.mark.parametrize(("layer", "neuron"), [(0, 0), (0, 3), (1, 1)])
def test_c27_delta_predicts_what_a_change_of_z_does_with_an_error_of_its_square(layer, neuron):
    net = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    x, y = [[0.5, -1.0, 2.0]], [[0.9, 0.2]]
    delta = net.trace(x, y).layers[layer].delta[0, neuron]
    errors = []
    for dz in (1e-1, 1e-2, 1e-3):
        nudged = net.copy()
        nudged.biases[layer][neuron] += dz  # z = ... + b: the demon of S2, for one sample
        errors.append(abs(nudged.cost(x, y) - net.cost(x, y) - delta * dz))
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.3)
