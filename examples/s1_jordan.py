"""S1: Jordan's small networks, every chain of derivatives counted and multiplied out.

The 1-1-1 and 2-2-2 networks without biases; the 2-2-2 network whose numbers Mazur worked through by
hand; and why first weights are drawn at random, in [-epsilon, epsilon].

    python examples/s1_jordan.py
"""

from itertools import product

import numpy as np

import clearprop as cp


def network(sizes, initializer):
    layers = [cp.Layer(size, "sigmoid", bias=False) for size in sizes[1:]]
    return cp.Network(
        [sizes[0], *layers], cost="quadratic", initializer=initializer, dtype="float64", seed=1
    )


def chains(net, x, y):
    """Yield (layer, j, k, factors): every path from a weight to the cost, its factors in S1's order."""
    layers, activations = net.trace(x, y).layers, [x, *(each.a for each in net.trace(x, y).layers)]
    last = len(layers) - 1
    for l, W in enumerate(net.weights):  # noqa: E741 - the layer
        for j, k in product(*map(range, W.shape)):
            for path in product(*(range(size) for size in net.sizes[l + 2 :])):
                neurons = [j, *path]  # one in each layer after the weight, up to the output
                factors = [layers[last].error[0, neurons[-1]]]  # dJ/da of the output
                for at in range(last, l, -1):
                    factors += [layers[at].slope[0, neurons[at - l]]]  # da/dz
                    factors += [net.weights[at][neurons[at - l], neurons[at - l - 1]]]  # dz/da
                factors += [layers[l].slope[0, j], activations[l][0, k]]  # da/dz, dz/dtheta
                yield l, j, k, factors


def count_the_chains():
    for sizes in ([1, 1, 1], [2, 2, 2]):
        net = network(sizes, cp.initializers.uniform(epsilon=0.5))
        x, y = np.full((1, sizes[0]), 0.8), np.full((1, sizes[-1]), 0.1)
        summed = [np.zeros_like(W) for W in net.weights]
        found = list(chains(net, x, y))
        for l, j, k, factors in found:  # noqa: E741
            summed[l][j, k] += np.prod(factors)
        for ours, theirs in zip(net.gradient(x, y).weights, summed, strict=True):
            assert np.allclose(ours, theirs, rtol=1e-12)
        name, terms = "-".join(map(str, sizes)), sum(len(factors) for *_, factors in found)
        print(f"{name}: {len(found)} chains, {terms} factors; their sums are the gradient to 1e-12")
    blue, orange = (factors for l, j, k, factors in found if (l, j, k) == (0, 0, 0))  # noqa: E741
    print("the two paths of theta_11^(1), each dJ/da . da/dz . dz/da . da/dz . dz/dtheta:")
    for color, factors in (("blue", blue), ("orange", orange)):
        print(
            f"  {color:6} " + " . ".join(f"{f:+.5f}" for f in factors) + f" = {np.prod(factors):+.8f}"
        )


def golden_example():
    net = cp.Network([2, 2, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:], net.biases[0][:] = [[0.15, 0.20], [0.25, 0.30]], 0.35
    net.weights[1][:], net.biases[1][:] = [[0.40, 0.45], [0.50, 0.55]], 0.60
    x, y = [[0.05, 0.10]], [[0.01, 0.99]]
    print(f"\nMazur's network costs {net.cost(x, y)}")
    for name, layer in zip(("out_h", "out_o"), net.trace(x, y).layers, strict=True):
        print(f"{name} {layer.a[0].round(8).tolist()}")
    net.fit(x, y, epochs=1, batch_size=1, optimizer=cp.SGD(0.5), frozen=("biases",), progress=False)
    print(f"after one step, biases fixed: w5..8 {net.weights[1].ravel().round(8).tolist()}")
    print(f"                              w1..4 {net.weights[0].ravel().round(8).tolist()}")
    print(f"and it costs {net.cost(x, y)}")


def symmetry():
    X, Y = (
        np.array([[0.05, 0.10], [0.9, 0.3], [0.2, 0.8]]),
        np.array([[0.01, 0.99], [0.8, 0.2], [0.5, 0.4]]),
    )
    print("\n200 steps; how far the two hidden neurons' weights are apart, in and out:")
    starts = {
        "all weights 0.3": cp.initializers.constant(0.3),
        "in [-0.5, 0.5]": cp.initializers.uniform(0.5),
    }
    for name, start in starts.items():
        net = network([2, 2, 2], start)
        first = net.parameters.copy()
        net.fit(X, Y, epochs=200, batch_size=3, optimizer=cp.SGD(0.5), progress=False)
        incoming = np.ptp(net.weights[0], axis=0).max()
        outgoing = np.ptp(net.weights[1], axis=1).max()
        moved = np.abs(net.parameters - first).max()
        print(f"  {name}: {incoming:.3g} and {outgoing:.3g} (they moved by up to {moved:.2f})")


if __name__ == "__main__":
    count_the_chains()
    golden_example()
    symmetry()
