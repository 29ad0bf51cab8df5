"""S2's problem (E5, L473): a mini-batch as one matrix, in the place of a loop over its samples.

The pseudocode; the listing rewritten from its loop, with its own names; why the gradients are the same,
and that they are; and how much faster it is on this machine.

    python examples/s2_matrix_form.py [--data mnist|digits] [--samples 10 32 100]
"""

import argparse
import timeit
from functools import partial

import numpy as np
from s2_nielsen import Listing, network, sigmoid_prime_vec, sigmoid_vec

import clearprop as cp

PSEUDOCODE = """
given  X = [x1 x2 ... xm], a sample in each column, Y likewise; 1 is a column of m ones

A1 = X
for l = 2, ..., L:                                      forward
    Zl = Wl A(l-1) + bl 1^T                             bl stands in every column
    Al = sigma(Zl)                                      element by element
DL = (AL - Y) * sigma'(ZL)                              output error, element by element
for l = L-1, ..., 2:                                    backward
    Dl = (W(l+1)^T D(l+1)) * sigma'(Zl)
for l = L, ..., 2:                                      gradient descent
    Wl -> Wl - eta/m Dl A(l-1)^T                        the product sums over the samples
    bl -> bl - eta/m Dl 1                               the sum of each row
"""
WHY = """
Column x of Wl A is Wl times column x of A, and all else on the way acts on single elements: so column
x of Zl, Al and Dl is what the loop finds for sample x alone. Samples meet in the last product only:
row j, column k of Dl A(l-1)^T is the sum over x of delta_j^x a_k^x, which is BP4 summed over the
mini-batch, and row j of Dl 1 is the sum over x of delta_j^x, BP3.
clearprop has a sample in each row, as tables do: each matrix is transposed, and Zl = Wl A(l-1) + bl 1^T
reads z = a @ W.T + b, Dl A(l-1)^T reads delta.T @ a.
"""


class MatrixForm(Listing):
    """The listing without its loop over samples; lines that differ from it are marked."""

    def update_mini_batch(self, mini_batch, eta):
        """Take a step of gradient descent by the mean gradient of a list of (x, y)."""
        m = len(mini_batch)
        X, Y = (np.hstack(columns) for columns in zip(*mini_batch, strict=True))  # for the loop
        nabla_b, nabla_w = self.backprop(X, Y)
        self.weights = [w - (eta / m) * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - (eta / m) * nb for b, nb in zip(self.biases, nabla_b, strict=True)]

    def backprop(self, X, Y):
        """Return the gradients of the samples in the columns of X and Y, summed, layer by layer."""
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activations, zs = self.feedforward(X)  # b of one column is added to each column of X
        delta = self.cost_derivative(activations[-1], Y) * sigmoid_prime_vec(zs[-1])
        nabla_b[-1] = delta.sum(axis=1, keepdims=True)  # for delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):  # noqa: E741 - l = 2 is the second-last layer
            delta = np.dot(self.weights[-l + 1].transpose(), delta) * sigmoid_prime_vec(zs[-l])
            nabla_b[-l] = delta.sum(axis=1, keepdims=True)  # for delta
            nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
        return nabla_b, nabla_w

    def feedforward(self, X):
        """Return the activations of every layer, the input first, and the z of every other."""
        activations, zs = [X], []
        for b, w in zip(self.biases, self.weights, strict=True):
            zs.append(np.dot(w, activations[-1]) + b)
            activations.append(sigmoid_vec(zs[-1]))
        return activations, zs


def columns(net, X, Y):
    """Return a mini-batch as the listing has it: pairs of columns."""
    return [(x.reshape(-1, 1), y.reshape(-1, 1)) for x, y in zip(net.inputs(X), Y, strict=True)]


def compare(net, X, Y):
    """Hold the matrix form against the loop, and against the rows of clearprop."""
    loop, matrix = Listing(net.weights, net.biases), MatrixForm(net.weights, net.biases)
    mini_batch = columns(net, X, Y)
    together = matrix.backprop(*(np.hstack(each) for each in zip(*mini_batch, strict=True)))
    alone = [loop.backprop(x, y) for x, y in mini_batch]
    ours = net.gradient(X, Y)
    for layer in range(len(net.layers)):
        nabla_b, nabla_w = (sum(each[kind][layer] for each in alone) for kind in range(2))
        assert np.allclose(together[0][layer], nabla_b, rtol=1e-12, atol=1e-15)
        assert np.allclose(together[1][layer], nabla_w, rtol=1e-12, atol=1e-15)
        assert np.allclose(ours.biases[layer], nabla_b.ravel() / len(X), rtol=1e-12, atol=1e-15)
        assert np.allclose(ours.weights[layer], nabla_w / len(X), rtol=1e-12, atol=1e-15)
    print(f"the gradients of {len(X)} samples at once equal the sum of the loop's to 1e-12,")
    print("and, over m, the gradient of clearprop, where they are rows")


def least_seconds(step):
    """Return the least of five measurements of one call, each of a tenth of a second or more."""
    timer = timeit.Timer(step)
    number = max(1, round(timer.autorange()[0] / 2))
    return min(timer.repeat(5, number)) / number


def measure(net, X, Y, sizes):
    print("\na step on this machine     loop      matrix    factor")
    for m in sizes:
        mini_batch = columns(net, X[:m], Y[:m])
        steps = (kind(net.weights, net.biases).update_mini_batch for kind in (Listing, MatrixForm))
        loop, matrix = (least_seconds(partial(step, mini_batch, 0.0)) for step in steps)  # stays there
        print(f"{m:5} samples      {loop * 1e3:9.3f} ms{matrix * 1e3:9.3f} ms{loop / matrix:8.1f}")
    print("S2 has about 2, measured on its author's laptop, with MNIST.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="mnist", choices=("mnist", "digits"))
    parser.add_argument("--samples", type=int, nargs="+", default=[10, 32, 100])
    arguments = parser.parse_args()
    try:
        data = cp.data.load(arguments.data)
    except OSError as error:
        print(f"{error}\nso this is the small set digits instead")
        data = cp.data.load("digits")
    net = network(data, "float64")
    n = max(10, *arguments.samples)
    X, Y = data.X_train[:n], np.eye(10)[data.Y_train[:n]]
    print(PSEUDOCODE)
    x, rows = np.hstack([x for x, _ in columns(net, X[:10], Y[:10])]), net.inputs(X[:10])
    assert np.array_equal(x, rows.T)
    print(f"10 samples of {data.name}: S2's X is {x.shape}, clearprop's is {rows.shape}, X transposed")
    print(WHY)
    compare(net, X[:10], Y[:10])
    measure(net, X, Y, arguments.samples)


if __name__ == "__main__":
    main()
