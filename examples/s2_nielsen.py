"""S2: Nielsen's digit reader, and the listing of his chapter 2 beside it.

A 784-30-10 network of sigmoid neurons with the quadratic cost, weights and biases drawn from N(0, 1),
learns MNIST in batches of 10 at learning rate 3.0. First its gradients and its update are held
against the listing: loops over single samples and column vectors there, matrices here.

    python examples/s2_nielsen.py [--data mnist|digits] [--epochs 3] [--seed 0]

His book trains for 30 epochs and reports 95.42 %; benchmarks/nielsen.py repeats that.

Some starts idle at 74 to 84 % for an epoch or more: of 28 on MNIST (--seed 0 to 27), 8 were below 85 %
after the first. Their networks never say one of the digits. N(0, 1) weights make the outputs' z large,
the first steps drive an output towards 0, and there BP1 holds it: delta = (a - y) f'(z), and f'(z) is
nearly 0 on the very images on which a - y is -1. The other nine digits are learned meanwhile.
After each epoch the example asks `cp.diagnose` for such an output: it named one in all of those 8
after the first, and in none of the others.
"""

import argparse

import numpy as np

import clearprop as cp


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


# np.vectorize in the chapter, which is a loop in Python; NumPy's exp takes whole arrays (X18).
sigmoid_vec, sigmoid_prime_vec = sigmoid, sigmoid_prime


class Listing:
    """The listing of S2 (L380-467) in Python 3, after Michael Nielsen's network.py.

    Two corrections: nabla_b where the chapter prints nabra_b (X17), range for xrange (X18).
    """

    def __init__(self, weights, biases):
        self.weights = [W.copy() for W in weights]
        self.biases = [b.copy().reshape(-1, 1) for b in biases]  # columns
        self.num_layers = len(weights) + 1

    def update_mini_batch(self, mini_batch, eta):
        """Take a step of gradient descent by the mean gradient of a list of (x, y)."""
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            delta_nabla_b, delta_nabla_w = self.backprop(x, y)
            nabla_b = [nb + dnb for nb, dnb in zip(nabla_b, delta_nabla_b, strict=True)]
            nabla_w = [nw + dnw for nw, dnw in zip(nabla_w, delta_nabla_w, strict=True)]
        m = len(mini_batch)
        self.weights = [w - (eta / m) * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - (eta / m) * nb for b, nb in zip(self.biases, nabla_b, strict=True)]

    def backprop(self, x, y):
        """Return the gradient of the cost of one sample, layer by layer."""
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        activation = x  # feedforward
        activations = [x]  # all the activations, layer by layer
        zs = []  # all the z vectors, layer by layer
        for b, w in zip(self.biases, self.weights, strict=True):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid_vec(z)
            activations.append(activation)
        delta = self.cost_derivative(activations[-1], y) * sigmoid_prime_vec(zs[-1])  # backward pass
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):  # noqa: E741 - l = 2 is the second-last layer
            delta = np.dot(self.weights[-l + 1].transpose(), delta) * sigmoid_prime_vec(zs[-l])
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
        return nabla_b, nabla_w

    def cost_derivative(self, output_activations, y):
        """Return dC/da of the outputs, for the quadratic cost."""
        return output_activations - y


def network(data, dtype, seed=0):
    scaling = cp.data.divide_by(256) if data.name == "mnist" else data.scaling  # his pixels: k / 256
    return cp.Network(
        [data.n_features, 30, 10],
        activation="sigmoid",
        output="sigmoid",
        cost="quadratic",
        initializer="normal",
        bias_initializer="normal",
        scaling=scaling,
        dtype=dtype,
        seed=seed,
    )


def compare_with_the_listing(data):
    net = network(data, "float64")
    listing = Listing(net.weights, net.biases)
    X, Y = data.X_train[:10], np.eye(10)[data.Y_train[:10]]
    mini_batch = [(x.reshape(-1, 1), y.reshape(-1, 1)) for x, y in zip(net.inputs(X), Y, strict=True)]

    ours = net.gradient(X, Y)
    theirs = [listing.backprop(x, y) for x, y in mini_batch]
    for layer in range(2):
        mean_w = np.mean([nabla_w[layer] for _, nabla_w in theirs], axis=0)
        mean_b = np.mean([nabla_b[layer].ravel() for nabla_b, _ in theirs], axis=0)
        assert np.allclose(ours.weights[layer], mean_w, rtol=1e-12, atol=1e-16)
        assert np.allclose(ours.biases[layer], mean_b, rtol=1e-12, atol=1e-16)
    print("the gradients of 10 samples equal the listing's to 1e-12")

    listing.update_mini_batch(mini_batch, 3.0)
    net.fit(X, Y, epochs=1, batch_size=10, optimizer=cp.SGD(3.0), progress=False)
    for layer in range(2):
        assert np.allclose(net.weights[layer], listing.weights[layer], rtol=1e-12)
        assert np.allclose(net.biases[layer], listing.biases[layer].ravel(), rtol=1e-12)
    print("the weights and biases after one update equal the listing's to 1e-12")


def explain_idling(net, data, X, Y, sgd):
    """Say of each output that is stuck what BP1 makes of its error; return the findings."""
    stuck = [each for each in cp.diagnose(net, X, Y, optimizer=sgd, batch_size=10) if each.id == "D3"]
    for finding in stuck:
        print(f"  {finding.id} {finding.name}: {finding.what}")
        for digit in finding.units:
            last = net.trace(*data.test).layers[-1]
            a, slope, delta = (each[:, digit] for each in (last.a, last.slope, last.delta))
            mine = data.Y_test == digit
            wrong = np.abs(a - mine) > 0.5
            print(
                f"  {(wrong & mine).sum()} of {mine.sum()} images of a {digit} are not told by output "
                f"{digit}, and {(wrong & ~mine).sum()} of others are; there |a - y| is "
                f"{np.abs(a - mine)[wrong].mean():.3f}, f'(z) {slope[wrong].mean():.5f}, and |delta| "
                f"{np.abs(delta)[wrong].mean():.5f} (means)"
            )
    if not stuck:
        print("  no output is stuck")
    return stuck


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="mnist", choices=("mnist", "digits"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the start")
    arguments = parser.parse_args()
    try:
        data = cp.data.load(arguments.data)
    except OSError as error:
        print(f"{error}\nso this is the small set digits instead")
        data = cp.data.load("digits")

    compare_with_the_listing(data)
    X, Y = data.X_train[:50_000], data.Y_train[:50_000]  # the other 10,000 he keeps for validation
    net = network(data, "float32", arguments.seed)
    print(f"{data.name}: {len(X):,} training images, {len(data.X_test):,} test images\n{net}")
    sgd = cp.SGD(3.0)
    training = cp.Training(
        net,
        X,
        Y,
        batch_size=10,
        optimizer=sgd,
        validation_data=data.test,
        metrics=("accuracy",),
        progress=False,
    )
    stuck = []
    for epoch in range(arguments.epochs):
        accuracy = training.run(1)["validation_accuracy"][-1]
        print(f"Epoch {epoch}: {round(accuracy * len(data.X_test))} / {len(data.X_test)}")
        stuck += explain_idling(net, data, X, Y, sgd)
    if stuck:
        print(f"What diagnose says of it, for {stuck[0].equation}:\n  {stuck[0].how} {stuck[0].remedy}")


if __name__ == "__main__":
    main()
