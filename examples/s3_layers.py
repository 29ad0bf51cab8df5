"""S3: an activation of its own in every layer, the squared cost without a half, summed gradients.

The table of its dynamic programme (A6) for one sample; what its conventions do to a gradient and to a
learning rate; and training on iris by a random partition into batches.

    python examples/s3_layers.py [--epochs 20]
"""

import argparse

import numpy as np

import clearprop as cp


def network(data, cost):
    layers = [cp.Layer(8, "tanh"), cp.Layer(6, "relu"), cp.Layer(3, "sigmoid")]
    return cp.Network([4, *layers], cost=cost, scaling=data.scaling, dtype="float64", seed=0)


def dynamic_programme(net, x, y):
    """Return dC/da, dC/db and dC/dW of every layer: S3's base case and its recursion (X28-X30)."""
    passed = net.trace(x[None], y[None]).layers
    a = [net.inputs(x[None])[0], *(layer.a[0] for layer in passed)]
    table = {}
    for l in range(len(passed), 0, -1):  # noqa: E741 - the layer; layer 0 is the input
        slope = passed[l - 1].slope[0]
        base = l == len(passed)
        error = 2 * (a[l] - y) if base else net.weights[l].T @ table[l + 1][1]
        table[l] = error, slope * error, np.outer(slope * error, a[l - 1])
    return table


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    data = cp.data.load("iris")
    X, Y = data.X_train, np.eye(3)[data.Y_train]
    N = len(X)
    summed = network(data, cp.costs.squared_error(reduction="sum"))  # S3
    mean = network(data, cp.costs.quadratic(reduction="mean"))  # S2; the same weights: the same seed

    print("layer   |dC/da|    |dC/db|    |dC/dW|    (one sample, filled from the bottom up)")
    table, layers = dynamic_programme(summed, X[0], Y[0]), summed.trace(X[:1], Y[:1]).layers
    for l, (dC_da, dC_db, dC_dW) in sorted(table.items()):  # noqa: E741
        assert np.allclose(dC_da, layers[l - 1].error[0], rtol=1e-12, atol=1e-16)
        assert np.allclose(dC_db, layers[l - 1].bias_gradient, rtol=1e-12, atol=1e-16)
        assert np.allclose(dC_dW, layers[l - 1].weight_gradient, rtol=1e-12, atol=1e-16)
        norms = [np.linalg.norm(each) for each in (dC_da, dC_db, dC_dW)]
        print(f"{l:5}" + "".join(f"{norm:11.6f}" for norm in norms))
    print("equal to the trace of the network to 1e-12\n")

    s3, s2 = summed.gradient(X, Y).flat, mean.gradient(X, Y).flat
    assert np.allclose(s3, 2 * N * s2, rtol=1e-12, atol=1e-15)
    print(
        f"the summed gradient is 2N = {2 * N} times S2's mean one: |{np.linalg.norm(s3):.6f}| and ",
        end="",
    )
    print(f"|{np.linalg.norm(s2):.6f}|;")
    print(f"so S2's learning rate 0.5 in batches of 10 is S3's 0.5 / 2 / 10 = {0.5 / 20}")

    B = 12
    how = {"n_batches": B, "shuffle": "once", "seed": 0, "progress": False}
    training = cp.Training(summed, X, Y, optimizer=cp.SGD(0.5 / 20), **how)
    partition = training.order
    batches = np.array_split(partition, B)  # of sizes that differ by one at most: here all of 10
    assert sorted(np.concatenate(batches).tolist()) == list(range(N))
    print(f"a random partition into B = {B} batches of {len(batches[0])}; ", end="")
    print("every sample is in one of them")
    for _ in range(arguments.epochs):
        assert np.array_equal(training.order, partition)
        training.run(1)
    print(f"each of the {arguments.epochs} epochs goes through the same batches in the same order")
    mean.fit(X, Y, epochs=arguments.epochs, optimizer=cp.SGD(0.5), **how)
    assert np.allclose(summed.parameters, mean.parameters, rtol=1e-9)
    print(f"after {arguments.epochs} epochs both conventions have the same weights to 1e-9")
    right = np.mean(summed.classify(data.X_test) == data.Y_test)
    print(f"{right:.1%} of the test flowers are named rightly")


if __name__ == "__main__":
    main()
