"""One row at a time: predictions, Jacobians, costs and gradients that are prepared once, and stay right."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import clearprop as cp
from clearprop import backprop, engines, trace
from clearprop.engines import machine_code
from clearprop.model import embedding as embeddings
from clearprop.parametric_activations import PARAMETRIC
from tables import ACTIVATIONS, OUTPUTS, output_name

SIZES = (4, 5, 3)
X = np.random.default_rng(1).normal(size=(7, 4))


@pytest.fixture(autouse=True)
def compiled():
    for dtype in ("float32", "float64"):
        engines.choice.engine().machine_code.code(np.dtype(dtype))


def network(sizes=SIZES, **arguments):
    how = {"dtype": "float64", "bias_initializer": "normal", "cost": "quadratic", "seed": 1}
    return cp.Network(list(sizes), **how | arguments)


def prepared(net, x=X[:1]):
    """Return a network whose next call for one row is a prepared one."""
    x = x.astype(net.dtype)
    for _ in range(3):
        net.predict(x)
    assert net._row is not None
    assert net._row.predict(net.model, x) is not None
    return net


# Predictions


@pytest.mark.parametrize("f", [*ACTIVATIONS, *PARAMETRIC.values()], ids=str)
def test_a_prepared_prediction_is_the_reference_s(f):
    net = prepared(network(activation=f.name, output="softmax"))
    for x in X:
        wanted = backprop.forward(net.architecture, net.parameters, x[None]).a[-1]
        np.testing.assert_allclose(net.predict(x[None]), wanted, rtol=1e-9)
        assert np.array_equal(net.predict(x), net.predict(x[None])[0])


def test_a_row_may_come_without_an_axis_of_samples():
    net = network(dtype="float32")
    wanted = net.predict(X[:1])[0]
    for row in (X[0], X[0].astype("f")):
        assert np.array_equal(net.predict(row), wanted)
    several = network(members=2)
    assert np.array_equal(several.predict(X[0]), several.predict(X[:1])[0])
    one = network((1, 2, 1))
    assert one.predict(np.array([0.5])).shape == (1,)
    assert one.predict([[0.5]]).shape == (1, 1)
    with pytest.raises(ValueError, match=r"X must have 2 dimensions .* got shape \(3,\)"):
        one.predict(X[0, :3])


def test_what_is_prepared_follows_parameters_structure_and_scaling():
    net = prepared(network())
    before = net.predict(X[0])
    net.weights[0][:] *= 2.0
    wanted = backprop.forward(net.architecture, net.parameters, X[:1]).a[-1][0]
    np.testing.assert_allclose(net.predict(X[0]), wanted, rtol=1e-12)
    assert not np.allclose(wanted, before)
    net.model.parameters = net.parameters * 0.5
    wanted = backprop.forward(net.architecture, net.parameters, X[:1]).a[-1][0]
    np.testing.assert_allclose(net.predict(X[0]), wanted, rtol=1e-12)
    prepared(net)
    net.model.inputs = network(scaling=cp.Scaling(np.ones(4), np.full(4, 3.0))).model.inputs
    scaled = backprop.forward(net.architecture, net.parameters, (X[:1] - 1.0) * 3.0).a[-1][0]
    np.testing.assert_allclose(net.predict(X[0]), scaled, rtol=1e-12)
    other = prepared(network(activation="relu"))
    other.model = net.model
    np.testing.assert_allclose(other.predict(X[0]), scaled, rtol=1e-12)


def test_training_is_seen():
    net = prepared(network())
    net.fit(X, X[:, :3], epochs=2, progress=False, batch_size=3)
    wanted = backprop.forward(net.architecture, net.parameters, X[:1]).a[-1][0]
    np.testing.assert_allclose(net.predict(X[0]), wanted, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_prepared_call_refuses_what_is_not_finite_and_goes_on(value):
    net = prepared(network())
    before, bad = net.predict(X[0]), X[:1].copy()
    bad[0, 2] = value
    for row in (bad, bad[0]):
        with pytest.raises(ValueError, match="X must be finite, got .* in row 0, column 2"):
            net.predict(row)
    assert np.array_equal(net.predict(X[0]), before)


def test_any_layout_of_a_row_is_taken_and_none_is_kept():
    net = prepared(network())
    wide = np.repeat(X[:1], 2, axis=1)
    wide.flags.writeable = False
    first = net.predict(wide[:, ::2])
    again = net.predict(X[1:2])
    assert np.array_equal(first, net.predict(X[:1]))
    assert not np.array_equal(first, again)


def test_copies_have_nothing_prepared_that_is_another_s():
    net = prepared(network())
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), net.copy()):
        other.parameters[:] = 0.0
        prepared(other)
        assert not np.array_equal(other.predict(X[0]), net.predict(X[0]))


def test_threads_predict_at_once():
    net = prepared(network((4, 50, 60, 3), dtype="float32"))
    rows = np.random.default_rng(0).normal(size=(64, 4)).astype("f")
    wanted = net.predict(rows)

    def look(k):
        n = k % 64 + 1
        for _ in range(20):
            assert np.abs(net.predict(rows[:n]) - wanted[:n]).max() < 1e-6
            assert np.abs(net.predict(rows[k % 64]) - wanted[k % 64]).max() < 1e-6
            assert net.jacobian(rows[k % 64]).shape == (3, 4)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(64)))


# What comes back


def by_autograd(net, x):
    """Return dA/dX of a row, by differentiating the forward pass that a textbook prints."""
    functions = {
        "tanh": anp.tanh,
        "softmax": lambda z: anp.exp(z) / anp.sum(anp.exp(z)),
        "sigmoid": lambda z: 1.0 / (1.0 + anp.exp(-z)),
        "identity": lambda z: z,
    }

    def outputs(x):
        for W, b, layer in zip(net.weights, net.biases, net.layers, strict=True):
            x = functions[layer.function.name](anp.dot(W, x) + b)
        return x

    return autograd.jacobian(outputs)(x)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_the_jacobian_is_autograd_s_and_that_of_differences(output):
    net = network(activation="tanh", output=output)
    for found in (net.jacobian(X), trace.jacobian(net.architecture, net.parameters, X)):
        assert found.shape == (7, 3, 4)
        for x, J in zip(X, found, strict=True):
            np.testing.assert_allclose(J, by_autograd(net, x), rtol=1e-11, atol=1e-15)
            steps = np.eye(4) * 1e-6
            slopes = [(net.predict(x + s) - net.predict(x - s)) / 2e-6 for s in steps]
            np.testing.assert_allclose(J, np.stack(slopes, axis=1), rtol=1e-6, atol=1e-9)


NETWORKS = {
    **{f.name: {"activation": f.name} for f in [*ACTIVATIONS, *PARAMETRIC.values()]},
    **{f"{f} outputs": {"output": f} for f in ("softmax", "sigmoid", "gelu", "exp")},
    "one for each neuron": {"sizes": (4, cp.Layer(5, ["sigmoid", "tanh", "relu", "tanh", "gelu"]), 3)},
    "without biases": {"sizes": (4, cp.Layer(5, bias=False), 3)},
    "one layer": {"sizes": (4, 3)},
    "one output": {"sizes": (4, 5, 1)},
    "embedded": {"embedding": embeddings.learn("pbld", X)},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_jacobians_are_the_reference_s(name):
    net = network(**NETWORKS[name])
    wanted = trace.jacobian(net.architecture, net.parameters, X)
    np.testing.assert_allclose(net.jacobian(X), wanted, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(net.jacobian(X[0]), wanted[0], rtol=1e-9, atol=1e-13)
    narrow = net.copy("float32").jacobian(X)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wanted, rtol=1e-3, atol=1e-4)


def test_the_jacobian_is_by_raw_features_and_of_members_their_mean():
    scaled = network(scaling=cp.Scaling(X.mean(axis=0), np.array([1.0, 2.0, 3.0, 0.5])))
    steps = np.eye(4) * 1e-6
    slopes = [(scaled.predict(X[0] + s) - scaled.predict(X[0] - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(scaled.jacobian(X[0]), np.stack(slopes, axis=1), rtol=1e-6, atol=1e-9)
    several = network(members=3)
    each = [member.jacobian(X) for member in several.members]
    np.testing.assert_allclose(several.jacobian(X), np.mean(each, axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match=r"X must be finite, got NaN in row 0, column 1"):
        scaled.jacobian([[0.0, np.nan, 0.0, 0.0]])


@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_costs_and_gradients_of_few_rows_are_the_reference_s(pair):
    cost, output = pair
    n = 1 if cost.one_output else 3
    net = network((4, 5, n), activation="tanh", cost=cost, output=output)
    Y = np.eye(3)[[0, 2, 1, 1, 0, 2, 1]][:, :n]
    P, made = net.parameters, net.architecture
    np.testing.assert_allclose(
        net.cost(X, Y), engines.evaluate(made, P, engines.Data(X, Y, None), "numpy")[1], rtol=1e-9
    )
    wanted = trace.input_gradient(made, P, X, Y)
    np.testing.assert_allclose(net.input_gradient(X, Y), wanted, rtol=1e-9, atol=1e-14)
    for x, y in zip(X[:, None], Y[:, None], strict=True):
        wanted = trace.Gradient.of_batch(made, P, x, y, None, 0.0, 0.0)
        found = net.gradient(x, y)
        np.testing.assert_allclose(found.flat, wanted.flat, rtol=1e-9, atol=1e-14)
        assert [W.shape for W in found.weights] == [(5, 4), (n, 5)]
    narrow = net.copy("float32")
    np.testing.assert_allclose(
        narrow.gradient(X[:1], Y[:1]).flat, net.gradient(X[:1], Y[:1]).flat, rtol=1e-3, atol=1e-5
    )


def test_calls_are_compiled_ones():
    """Otherwise the tests above would compare the reference with itself."""
    net, Y = network(), np.eye(3)[[0, 2, 1, 1, 0, 2, 1]]
    net.jacobian(X)
    net.gradient(X[:1], Y[:1])
    net.cost(X, Y)
    net.input_gradient(X, Y)
    assert len(net._row._pulls) == 4
    assert all(net._row._pulls.values())
    assert machine_code.is_loaded(np.dtype("float64"))
