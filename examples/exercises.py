"""Exercises of the documents, worked with numbers.

python examples/exercises.py [E1 E3 E4 E10 E12]
"""

import sys

import numpy as np

import clearprop as cp

X = np.array([[0.5, -1.2, 0.3], [1.5, 0.4, -0.7], [-0.2, 0.9, 1.1]])
Y = np.array([[0.2, 0.9], [0.7, 0.1], [0.4, 0.6]])


def network(layers, **how):
    return cp.Network(
        [3, *layers], cost="quadratic", initializer="normal", dtype="float64", seed=3, **how
    )


def exercise_1():
    """E1 (S2:L262): (33)-(35), the product with f' as a diagonal matrix."""
    net = network([4, 4, 2], output="sigmoid")
    layers = net.trace(X[:1], Y[:1]).layers
    sigma_prime = [np.diag(layer.slope[0]) for layer in layers]
    delta = sigma_prime[2] @ layers[2].error[0]  # (33)
    assert np.allclose(delta, layers[2].delta[0], rtol=1e-12)
    delta = sigma_prime[1] @ net.weights[2].T @ delta  # (34)
    assert np.allclose(delta, layers[1].delta[0], rtol=1e-12)
    W2, W3 = net.weights[1:]
    delta = sigma_prime[0] @ W2.T @ sigma_prime[1] @ W3.T @ sigma_prime[2] @ layers[2].error[0]  # (35)
    assert np.allclose(delta, layers[0].delta[0], rtol=1e-12)
    print("E1   (33), (34) and (35) give the deltas of BP1 and BP2 to 1e-12")


def exercise_3():
    """E3 (S2:L351): one neuron of a layer with another activation."""
    usual = network([4, 2], output="sigmoid")
    other = network([cp.Layer(4, ["sigmoid", "sigmoid", "tanh", "sigmoid"]), 2], output="sigmoid")
    slopes = [net.trace(X, Y).layers[0].slope for net in (usual, other)]
    changed = np.flatnonzero((slopes[0] != slopes[1]).any(axis=0)) + 1
    print(f"E3   with a tanh as neuron 3, the f'(z) of neuron {changed} differ; the equations stay")
    assert difference_from_finite_differences(other) < 1e-8


def exercise_4():
    """E4 (S2:L353): linear neurons; the network collapses to one matrix."""
    net = network([5, 4, 2], activation="identity", output="identity")
    W1, W2, W3 = net.weights
    for b in net.biases:
        b[:] = 0.1
    matrix = W3 @ W2 @ W1
    shift = W3 @ (W2 @ net.biases[0] + net.biases[1]) + net.biases[2]
    assert np.allclose(net.predict(X), X @ matrix.T + shift, rtol=1e-12)
    trace = net.trace(X, Y)
    assert np.allclose(trace.layers[0].delta, trace.layers[2].error @ W3 @ W2, rtol=1e-12)
    print(f"E4   three linear layers, {net.n_parameters} parameters, are one {matrix.shape} matrix")
    print("     and a shift; f' = 1 leaves delta^1 = W2^T W3^T dC/da")


def exercise_10():
    """E10 (S1:L644): the update before propagating, and what is wrong with it."""
    net = network([4, 2], output="sigmoid")
    before, updated = net.gradient(X, Y), net.copy()
    updated.weights[1][:] -= 0.5 * before.weights[1]
    after = updated.gradient(X, Y)
    hidden, output = net.trace(X, Y).layers
    early = ((output.delta @ updated.weights[1]) * hidden.slope).T @ X / len(X)  # BP2, new weights
    off = [
        np.linalg.norm(early - each.weights[0]) / np.linalg.norm(each.weights[0])
        for each in (before, after)
    ]
    assert difference_from_finite_differences(net) < 1e-8
    print(f"E10  propagated through weights updated early, layer 1's gradient is off by {off[0]:.1%};")
    print(f"     nor is it the gradient at the updated weights: off by {off[1]:.1%} (X36)")


def exercise_12():
    """E12 (S2:L246): an activation whose slope never comes near zero, of one's own design."""
    leaky_tanh = cp.Activation(
        "leaky_tanh", lambda z: np.tanh(z) + 0.2 * z, lambda z: 1.2 - np.tanh(z) ** 2
    )
    net = network([4, 2], activation=leaky_tanh)
    assert difference_from_finite_differences(net) < 1e-8
    print(f"E12  leaky_tanh: slope {leaky_tanh.slope(np.array([50.0]))[0]:.3f} at z = 50; ", end="")
    print(f"sigmoid's is {cp.activations.ACTIVATIONS['sigmoid'].slope(np.array([50.0]))[0]:.1e}")
    try:
        cp.Activation("mistaken", lambda z: np.tanh(z) + 0.2 * z, lambda z: 1.2 - np.tanh(z))
    except ValueError as refusal:
        print(f"     a wrong derivative is refused: {refusal}")


def difference_from_finite_differences(net, h=1e-5):
    """Return the largest difference between the gradient and central differences of the cost."""
    estimate = np.empty(net.n_parameters)
    for i in range(net.n_parameters):
        there, back = net.copy(), net.copy()
        there.parameters[i] += h
        back.parameters[i] -= h
        estimate[i] = (there.cost(X, Y) - back.cost(X, Y)) / (2 * h)
    return np.abs(estimate - net.gradient(X, Y).flat).max()


EXERCISES = {
    "E1": exercise_1,
    "E3": exercise_3,
    "E4": exercise_4,
    "E10": exercise_10,
    "E12": exercise_12,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or EXERCISES:
        EXERCISES[name]()
